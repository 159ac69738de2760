//! One run of a suite: its own hub, proxy, client, log and report.

use super::client::{Client, Errand};
use super::lateness::Lateness;
use super::plan::{Case, listener};
use crate::base::Span;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::files::{ReportFiles, RunFiles};
use crate::cli::load::Text;
use crate::cli::peers::{FREE_PORT, local_listener};
use crate::cli::progress::Progress;
use crate::cli::runner::{Ended, Runner, Setup};
use crate::device::{self, Preset};
use crate::event::EndReason;
use crate::hub::{self, HubConfig, HubHandle};
use crate::mqtt::{QoS, Version};
use crate::net::Clock;
use crate::profile::{Suite, Workload};
use crate::report::left_undone;
use crate::report::scorecard::{self, Cell, ClientEnd, Judged, Told, Verdict};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// After a client ended by itself, so long is waited for the ends of its links, which say more than its exit code.
const LAST_SIGNS: Duration = Duration::from_millis(500);

/// The size of a message that a subscriber is sent: a reading with its name and number.
const MESSAGE: usize = 64;

/// What all runs of a suite share.
#[derive(Debug)]
pub struct Bench {
    /// The suite.
    pub suite: Suite,
    /// The client under test.
    pub command: Vec<String>,
    /// The user's own hub; `None`: each run has brownout's.
    pub upstream: Option<String>,
    /// Where reports go.
    pub directory: Option<PathBuf>,
    /// The seed of every draw.
    pub seed: u64,
    /// Tells this suite's clients from those of another.
    pub tag: String,
    /// Whether each run has a tap.
    pub tap: crate::net::tap::Config,
    /// Whether the machine keeps up.
    pub lateness: Lateness,
    /// Past this a run is disturbed.
    pub late_bound: Duration,
    /// Ends everything.
    pub stop: watch::Receiver<bool>,
}

/// The name of a run's directory in that of the suite.
pub fn directory(case: &Case) -> String {
    let (entry, workload) = case.name.split_once('/').unwrap_or((&case.name, ""));
    format!("{workload}-{entry}")
}

/// Makes the run; `number` is another for each, also for one that is made again.
pub async fn run(bench: &Bench, case: &Case, number: usize) -> Cell {
    let started = Instant::now();
    match attempt(bench, case, number).await {
        Ok(cell) => cell,
        // Interrupted before it began.
        Err(_) if *bench.stop.borrow() => Cell::default(),
        Err(refusal) => Cell {
            verdict: Verdict::Error,
            why: vec![refusal.message],
            lasted_s: started.elapsed().as_secs_f64(),
            ..Cell::default()
        },
    }
}

async fn attempt(bench: &Bench, case: &Case, number: usize) -> Result<Cell, Refusal> {
    let started = Instant::now();
    let directory = bench.directory.as_ref().map(|suite| suite.join(directory(case)));
    let files = directory.as_deref().map(|path| ReportFiles::open(path, true)).transpose()?;
    let log = directory.map(|path| path.join("client.log")).map(File::create).transpose();
    let log = log.map_err(|error| Refusal::environment(format!("cannot write client.log: {error}")))?;
    let clock = Clock::start();
    // Hub and source end with this function, however it ends.
    let (end, ended) = watch::channel(false);
    let hub = hub(bench, clock, &ended).await?;
    let upstream = match (&hub, &bench.upstream) {
        (Some(hub), _) => hub.address().to_string(),
        (None, upstream) => upstream.clone().unwrap_or_default(),
    };
    let errand = errand(bench, case, number);
    let runner = start(bench, case, files, upstream.clone(), clock).await?;
    let source = source(&errand, upstream, bench.seed, clock, &ended);
    let mut client = client(bench, &runner, &errand, log)?;
    let (reason, how) = attend(bench, &runner, &mut client).await;
    let output = client.last_lines();
    let run = runner.end_with(reason, |_| {}).await;
    // Only now: how a client bears SIGTERM is no part of the run.
    client.stop().await;
    let _ = end.send(true);
    if let Some(source) = source {
        let _ = source.await;
    }
    if let Some(hub) = hub {
        hub.stopped().await;
    }
    let late_s = bench.lateness.worst_since(started).as_secs_f64();
    judge(bench, case, run?, how, output, late_s)
}

async fn hub(
    bench: &Bench,
    clock: Clock,
    ended: &watch::Receiver<bool>,
) -> Result<Option<HubHandle>, Refusal> {
    if bench.upstream.is_some() {
        return Ok(None);
    }
    let socket = local_listener(FREE_PORT).await?;
    let hub = hub::serve(socket, HubConfig::default(), clock, Arc::new(|_| {}), ended.clone());
    hub.map(Some).map_err(|error| Refusal::environment(format!("cannot start the hub: {error}")))
}

fn errand(bench: &Bench, case: &Case, number: usize) -> Errand {
    let client_id = format!("brownout-{}-{number}-{}", case.workload, bench.tag);
    Errand {
        workload: case.workload,
        keep_alive: bench.suite.keep_alive,
        topic: format!("brownout/{client_id}"),
        client_id,
        qos: bench.suite.entries.get(case.entry).map_or(1, |entry| entry.qos),
        interval: bench.suite.interval.resolve(bench.suite.keep_alive),
    }
}

async fn start(
    bench: &Bench,
    case: &Case,
    files: Option<ReportFiles>,
    upstream: String,
    clock: Clock,
) -> Result<Runner, Refusal> {
    let setup = Setup {
        text: Text { name: case.profile_name.clone(), text: case.profile_text.clone() },
        overrides: case.overrides.clone(),
        plan: case.plan.clone(),
        seed: bench.seed,
        listeners: vec![listener(upstream)],
        transparent: false,
        files: RunFiles { report: files, ..RunFiles::default() },
        progress: Progress::Silent,
        with_command: false,
        tap: bench.tap.clone(),
    };
    let mut stop = bench.stop.clone();
    Runner::start(setup, clock, async move { drop(stop.wait_for(|&stop| stop).await) }).await
}

/// Sends a subscriber its stream: a device of its own, straight to the hub, so that no fault falls on it.
fn source(
    errand: &Errand,
    upstream: String,
    seed: u64,
    clock: Clock,
    ended: &watch::Receiver<bool>,
) -> Option<tokio::task::JoinHandle<()>> {
    if errand.workload != Workload::Sub {
        return None;
    }
    // Longer than any run, so that it is the messages that keep it up.
    let keep_alive = Duration::from_secs(60);
    let name = errand.client_id.replacen("brownout-sub", "brownout-src", 1);
    let mut habits = Preset::Careful.habits(name, keep_alive);
    habits.clean_session = true;
    habits.workload = device::Workload::Publishing {
        topic: errand.topic.clone(),
        qos: QoS::from_number(errand.qos).unwrap_or(QoS::AtLeastOnce),
        every: Span::fixed(errand.interval),
        size: MESSAGE,
        times: None,
    };
    Some(tokio::spawn(device::run(habits, seed, upstream, clock, Arc::new(|_| {}), ended.clone())))
}

fn client(bench: &Bench, runner: &Runner, errand: &Errand, log: Option<File>) -> Result<Client, Refusal> {
    let address = runner.proxy.addresses().first().copied();
    let address = address.ok_or_else(|| Refusal::environment("there is no listener"))?;
    Client::start(&bench.command, address, errand, runner.files_before, log)
}

/// Waits for the end: the plan through, the client's own, or everything's.
async fn attend(bench: &Bench, runner: &Runner, client: &mut Client) -> (EndReason, ClientEnd) {
    let mut stop = bench.stop.clone();
    tokio::select! {
        reason = runner.proxy.finished() => (reason, ClientEnd::Told),
        () = async { drop(stop.wait_for(|&stop| stop).await) } => (EndReason::Interrupted, ClientEnd::Told),
        status = client.wait() => {
            runner.proxy.command_ended(status.code());
            tokio::time::sleep(LAST_SIGNS).await;
            (EndReason::CommandEnded, ClientEnd::ByItself(status.words()))
        }
    }
}

fn judge(
    bench: &Bench,
    case: &Case,
    run: Ended,
    client: ClientEnd,
    output: Vec<String>,
    late_s: f64,
) -> Result<Cell, Refusal> {
    run.written?;
    if let Some(trouble) = run.troubles.into_iter().find(|trouble| trouble.exit == Exit::Environment) {
        return Err(trouble);
    }
    let entry = bench.suite.entries.get(case.entry);
    let told = match case.workload {
        Workload::Idle => Told::Idle,
        Workload::Pub => Told::Publish,
        Workload::Sub => Told::Subscribe,
    };
    let wanted = scorecard::Case {
        told,
        keep_alive_s: case.plan.server_keep_alive.is_none().then_some(bench.suite.keep_alive.as_secs_f64()),
        needs_mqtt5: entry.is_some_and(|entry| entry.needs_mqtt5),
        late_bound_s: bench.late_bound.as_secs_f64(),
    };
    let undone = left_undone(&case.plan, &run.results).join("; ");
    let devices: Vec<_> = run.results.runs.iter().flat_map(|run| run.devices.values()).collect();
    let judged = Judged {
        client,
        spoke_mqtt5: devices.iter().any(|device| device.version == Some(Version::V5)),
        published: devices.iter().any(|device| device.count.up.publishes > 0),
        was_sent: devices.iter().any(|device| device.count.down.publishes > 0),
        late_s,
        output,
        cut_off: (case.is_limited && !undone.is_empty()).then_some(undone),
    };
    Ok(scorecard::judge(&run.report, &wanted, judged))
}
