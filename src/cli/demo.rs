//! `brownout demo`: the whole job in half a minute, with nothing but this binary.

use super::args::DemoArgs;
use super::exit::{Exit, Refusal};
use super::files::RunFiles;
use super::load;
use super::out;
use super::peers::{FREE_PORT, local_listener};
use super::progress::Progress;
use super::runner::{Runner, Setup};
use super::signals::Signals;
use crate::device::{self, Preset, Workload};
use crate::event::EndReason;
use crate::hub::{self, HubConfig};
use crate::net::{Clock, tap};
use crate::profile::{ListenerPlan, TlsPlan};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The keep-alive of the demo's devices: short enough for three faults in half a minute, long enough to be whole
/// seconds, as CONNECT wants it.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// From one device's first connect to the next one's.
const APART: Duration = Duration::from_millis(50);

/// The seed where none is given: the same demo each time.
const SEED: u64 = 404_104;

/// Runs the demo.
pub(super) fn demo(args: DemoArgs) -> Exit {
    super::in_runtime(async move { conduct(args).await.unwrap_or_else(Refusal::tell) })
}

async fn conduct(args: DemoArgs) -> Result<Exit, Refusal> {
    let text = load::text("demo")?;
    let plan = load::checked(&text, &[])?.plan;
    let files = RunFiles::open(args.report.as_deref(), args.resource_log.as_deref(), args.pcap.as_deref())?;
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let clock = Clock::start();
    let (stop, stopped) = watch::channel(false);
    let hub = local_listener(FREE_PORT).await?;
    let hub = hub::serve(hub, HubConfig::default(), clock, Arc::new(|_| {}), stopped.clone())
        .map_err(|error| Refusal::environment(format!("cannot start the hub: {error}")))?;
    let seed = args.seed.unwrap_or(SEED);
    let setup = Setup {
        text,
        overrides: Vec::new(),
        progress: Progress::new(&plan, clock, args.quiet, true),
        plan,
        seed,
        listeners: vec![ListenerPlan {
            tls: TlsPlan::default(),
            name: "demo".into(),
            listen: FREE_PORT.into(),
            upstream: hub.address().to_string(),
        }],
        transparent: false,
        files,
        with_command: false,
        tap: tap::Config::default(),
    };
    let runner = Runner::start(setup, clock, signals.next()).await?;
    if !args.quiet {
        introduce(&runner);
    }
    let address = runner.proxy.addresses().first().copied();
    let devices: Vec<_> = address.into_iter().flat_map(|to| devices(to, seed, clock, &stopped)).collect();
    let reason = tokio::select! {
        reason = runner.proxy.finished() => reason,
        () = signals.next() => EndReason::Interrupted,
    };
    let verdict = runner.end(reason).await;
    let _ = stop.send(true);
    for device in devices {
        let _ = device.await;
    }
    hub.stopped().await;
    conclude(verdict);
    // The demo did what it is for, whatever became of its devices; only the environment can fail it.
    Ok(if verdict == Exit::Unmet { Exit::Met } else { verdict })
}

fn devices(
    to: SocketAddr,
    seed: u64,
    clock: Clock,
    stopped: &watch::Receiver<bool>,
) -> impl Iterator<Item = tokio::task::JoinHandle<()>> {
    Preset::ALL.into_iter().zip(0..).map(move |(preset, nth)| {
        let mut habits = preset.habits(preset.word(), KEEP_ALIVE);
        habits.workload = Workload::subscribing();
        let device = device::run(habits, seed, to.to_string(), clock, Arc::new(|_| {}), stopped.clone());
        tokio::spawn(async move {
            // One after the other, so that every list has them in this order.
            tokio::time::sleep(APART * nth).await;
            device.await;
        })
    })
}

fn introduce(runner: &Runner) {
    out::tell(format_args!(
        "Four simulated devices, keep-alive {} s, connect through brownout to an embedded hub:\n\
         \x20 careful    looks for each PINGRESP, backs off exponentially with jitter\n\
         \x20 typical    waits a keep-alive for PINGRESP, then a fixed second\n\
         \x20 naive      notices late, then reconnects in a tight loop\n\
         \x20 oblivious  never looks\n\
         {} About 26 s.\n",
        KEEP_ALIVE.as_secs(),
        runner.plan.summary
    ));
}

fn conclude(verdict: Exit) {
    let code = verdict.code();
    out::show_line(format_args!(
        "\nThe devices are meant to differ; in a CI job, `brownout run` would have ended\n\
         with exit code {code}. Next, before your own broker:\n\n\
         \x20 brownout profiles                     the faults that come with brownout\n\
         \x20 brownout check keepalive-blackhole    what one of them does, in words\n\
         \x20 brownout run keepalive-blackhole --upstream BROKER:1883\n\
         \x20                       then connect your device to 127.0.0.1:1884"
    ));
}
