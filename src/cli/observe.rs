//! `brownout observe`: nothing is broken; what happens between devices and their hub is told, for as long as wanted.

mod desk;
mod forms;
mod rotation;
mod voice;

use super::args::TlsArgs;
use super::exit::{Exit, Refusal};
use super::files::LineFile;
use super::load::{self, Text};
use super::out;
use super::run::{LISTEN, draw_seed};
use super::runner::{Launch, Launched};
use super::signals::Signals;
use super::tap::{self, TapArgs};
use super::tls;
use crate::base::span::{parse_fixed, show_fixed};
use crate::event::EndReason;
use crate::net::Clock;
use crate::profile::{self, BadOverride, ListenerPlan, Override};
use desk::{Desk, Outlets};
pub(super) use rotation::rotated;
use rotation::{Bounds, Rotation};
use std::path::PathBuf;
use std::time::Duration;
use voice::Voice;

/// The profile of an observation. The log holds it, so that reports are rendered again from that alone.
const PROFILE: &str = "\
brownout: 1
name: observe
summary: Nothing is broken; what happens is told.
";

/// The shortest interval: a summary of less than a second says little that is not chance.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct ObserveArgs {
    /// The hub
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: String,
    /// Where devices connect; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = LISTEN)]
    pub listen: String,
    /// From one summary to the next, at least 1s
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = interval)]
    pub interval: Duration,
    /// Write the log, events.jsonl, into this directory, and the report of the latest interval in all its forms, anew at
    /// each; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Begin a new file of the log at this size, at least 64KiB: `64MiB`, `1GiB`; the old ones are events-000001.jsonl ...
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = rotation::parse_size)]
    pub rotate_size: u64,
    /// Keep so many files of the log, with the one that is written on; the oldest is deleted
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rotate_keep: u32,
    /// End after this time [default: with Ctrl-C or SIGTERM]
    #[arg(long, value_name = "TIME", value_parser = parse_fixed)]
    pub duration: Option<Duration>,
    /// Write what the resource log of Azure IoT Hub would say (category Connections) into this file, a line of JSON each;
    /// it grows as long as this runs
    #[arg(long, value_name = "FILE")]
    pub resource_log: Option<PathBuf>,
    /// Say everything as JSON, an object a line
    #[arg(long)]
    pub json: bool,
    /// Tell no single ends of links, only the summaries
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub tap: TapArgs,
    // Last, since what follows would come under its heading.
    #[command(flatten)]
    pub tls: TlsArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse_fixed(text)?;
    if interval < LEAST_INTERVAL {
        return Err(format!("`{text}` is shorter than {}", show_fixed(LEAST_INTERVAL)));
    }
    Ok(interval)
}

/// Does it.
pub(super) fn observe(args: ObserveArgs) -> Exit {
    super::in_runtime(async move { conduct(args).await.unwrap_or_else(Refusal::tell) })
}

async fn conduct(args: ObserveArgs) -> Result<Exit, Refusal> {
    let text = Text { name: "observe".into(), text: PROFILE.into() };
    let overrides = overrides(&args)?;
    let plan = load::checked(&text, &overrides)?.plan;
    let listener = listener(&args)?;
    let bounds = Bounds { size: args.rotate_size, keep: args.rotate_keep };
    let mut rotation =
        args.report.as_deref().map(|directory| Rotation::open(directory, bounds)).transpose()?;
    let resource_log = args.resource_log.as_deref().map(LineFile::open).transpose()?;
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let clock = Clock::start();
    let launch = Launch {
        text,
        overrides: overrides.iter().map(|set| set.text().to_owned()).collect(),
        plan,
        seed: draw_seed(),
        listeners: vec![listener.clone()],
        with_command: false,
        observer: true,
        // It would grow without bound.
        capture: None,
        tap: args.tap.config(),
    };
    let Launched { proxy, plan, files_before: _, queue } = match launch.start(clock, signals.next()).await {
        Ok(launched) => launched,
        Err(refusal) => {
            if let Some(rotation) = rotation {
                rotation.discard();
            }
            if let Some(file) = resource_log {
                file.discard();
            }
            return Err(refusal);
        }
    };
    if let Some(rotation) = &mut rotation {
        rotation.begin()?;
    }
    for address in proxy.addresses() {
        let (upstream, tls) = (&listener.upstream, tls::greeting(&listener.tls));
        out::tell(format_args!("observe: devices connect to {address}, the hub is {upstream}{tls}"));
    }
    tap::tell("observe", &proxy);
    if let Some(directory) = &args.report {
        out::tell(format_args!("observe: {} in {}", bounds, directory.display()));
    }
    let outlets = Outlets {
        voice: Voice::start(args.json, args.quiet),
        log: rotation,
        forms: args.report.clone(),
        resource: resource_log.map(LineFile::begin).transpose()?,
    };
    let desk = Desk::start(queue.clone(), &plan, clock, args.interval, outlets);
    let reason = tokio::select! {
        reason = proxy.finished() => reason,
        () = signals.next() => EndReason::Interrupted,
    };
    proxy.stop(reason).await;
    queue.close();
    Ok(finished(desk, &mut signals).await)
}

/// Waits until all that has happened is told, which may take a while where a fleet has just said much, or until a second
/// signal asks not to.
async fn finished(desk: Desk, signals: &mut Signals) -> Exit {
    let telling = tokio::task::spawn_blocking(move || desk.finish());
    tokio::select! {
        told = telling => told.unwrap_or_else(|error| Refusal::environment(error.to_string()).tell()),
        () = signals.next() => Refusal::environment(
            "ended by a second signal: the log and the last report lack what happened shortly before the first",
        )
        .tell(),
    }
}

/// A duration is an override like those of `run`, so that the log knows of it.
fn overrides(args: &ObserveArgs) -> Result<Vec<Override>, Refusal> {
    let set = args.duration.map(|duration| format!("duration={}", show_fixed(duration)));
    let sets = set.iter().map(|set| set.parse());
    sets.collect::<Result<_, _>>().map_err(|error: BadOverride| Refusal::usage(error.to_string()))
}

fn listener(args: &ObserveArgs) -> Result<ListenerPlan, Refusal> {
    profile::check_listen(&args.listen).map_err(|error| Refusal::usage(format!("--listen: {error}")))?;
    profile::check_upstream(&args.upstream)
        .map_err(|error| Refusal::usage(format!("--upstream: {error}")))?;
    Ok(ListenerPlan {
        name: "main".into(),
        listen: args.listen.clone(),
        upstream: args.upstream.clone(),
        tls: tls::of_listener(&args.tls, None)?,
    })
}
