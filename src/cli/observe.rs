//! `brownout observe`: nothing is broken; what happens between devices and their hub is told, for as long as wanted.

mod desk;
mod forms;
mod rotation;
mod voice;

use super::args::TlsArgs;
use super::exit::{Exit, Refusal};
use super::expected::{self, ExpectArgs};
use super::files::{LineFile, of_report};
use super::load::{self, Text};
use super::number;
use super::out;
use super::privileges::{self, UserArgs};
use super::run::{LISTEN, draw_seed};
use super::runner::{Launch, Launched};
use super::signals::Signals;
use super::speaker;
use super::tap::{self, LedTapArgs};
use super::{tls, transparent};
use crate::base::span::show_fixed;
use crate::event::EndReason;
use crate::net::Clock;
use crate::net::sys::Capabilities;
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
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "transparent")]
    pub upstream: Option<String>,
    /// Where devices connect; port 0 takes a free one [default: 127.0.0.1:1884, with --transparent `[::]:18830`, which takes
    /// IPv4, too]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Take connects that were going elsewhere (`brownout lab up` leads them here), and go on to where they were going, as
    /// the device; it takes CAP_NET_ADMIN
    #[arg(long, conflicts_with = "upstream")]
    pub transparent: bool,
    /// From one summary to the next, at least 1s
    #[arg(long, value_name = "TIME", default_value = "1m", allow_hyphen_values = true, value_parser = interval)]
    pub interval: Duration,
    /// Write the log, events.jsonl, into this directory, and the report of the latest interval in all its forms, anew at
    /// each; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Begin a new file of the log at this size, at least 64KiB: `64MiB`, `1GiB`; the old ones are events-000001.jsonl ...
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = rotation::parse_size,
          requires = "report")]
    pub rotate_size: u64,
    /// Keep so many files of the log, with the one that is written on; the oldest is deleted
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = number::whole(1..=100_000_u32),
          requires = "report")]
    pub rotate_keep: u32,
    /// End after this time [default: with Ctrl-C, SIGTERM or SIGHUP]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
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
    pub expect: ExpectArgs,
    #[command(flatten)]
    pub user: UserArgs,
    #[command(flatten)]
    pub tap: LedTapArgs,
    // Last, since what follows would come under its heading.
    #[command(flatten)]
    pub tls: TlsArgs,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = number::time(text)?;
    if interval < LEAST_INTERVAL {
        return Err(format!("`{text}` is shorter than {}", show_fixed(LEAST_INTERVAL)));
    }
    Ok(interval)
}

/// Does it.
pub(super) fn observe(args: ObserveArgs) -> Exit {
    if let Err(refusal) = privileges::become_user(&args.user) {
        return refusal.tell();
    }
    let user = args.user.clone();
    // Nothing is broken, so no fault needs anything.
    let kept = privileges::of_way(args.transparent);
    super::in_runtime_keeping(kept, async move {
        conduct(args, kept).await.unwrap_or_else(|refusal| user.explain(refusal).tell())
    })
}

async fn conduct(args: ObserveArgs, kept: Capabilities) -> Result<Exit, Refusal> {
    args.tap.check(args.transparent)?;
    let (launch, listener) = launch(&args)?;
    let files = Files::open(&args)?;
    match begun(&args, launch).await {
        Ok(begun) => watch(args, &listener, kept, begun, files).await,
        Err(refusal) => {
            files.discard();
            Err(refusal)
        }
    }
}

/// What is started, and its listener; nothing is opened for it yet.
fn launch(args: &ObserveArgs) -> Result<(Launch, ListenerPlan), Refusal> {
    let text = Text { name: "observe".into(), text: PROFILE.into() };
    let overrides = overrides(args)?;
    let plan = load::checked(&text, &overrides)?.plan;
    let listener = listener(args)?;
    expected::check(&args.expect, 1, &plan)?;
    let launch = Launch {
        text,
        overrides: overrides.iter().map(|set| set.text().to_owned()).collect(),
        plan,
        seed: draw_seed(),
        listeners: vec![listener.clone()],
        transparent: args.transparent,
        with_command: false,
        observer: true,
        // It would grow without bound.
        capture: None,
        tap: args.tap.config(args.transparent),
    };
    Ok((launch, listener))
}

/// The files of an observation, of which nothing is taken away before it has begun.
struct Files {
    log: Option<Rotation>,
    resource_log: Option<LineFile>,
}

impl Files {
    /// Opens them, or leaves none behind.
    fn open(args: &ObserveArgs) -> Result<Files, Refusal> {
        let bounds = bounds(args);
        of_report(args.report.as_deref(), true)?.with("--resource-log", args.resource_log.as_deref())?;
        let log = args.report.as_deref().map(|directory| Rotation::open(directory, bounds)).transpose()?;
        match args.resource_log.as_deref().map(LineFile::open).transpose() {
            Ok(resource_log) => Ok(Files { log, resource_log }),
            Err(refusal) => {
                log.into_iter().for_each(Rotation::discard);
                Err(refusal)
            }
        }
    }

    /// Takes away what was made, when nothing came of it.
    fn discard(self) {
        self.log.into_iter().for_each(Rotation::discard);
    }
}

fn bounds(args: &ObserveArgs) -> Bounds {
    Bounds { size: args.rotate_size, keep: args.rotate_keep }
}

/// An observation that is under way.
struct Begun {
    launched: Launched,
    clock: Clock,
    signals: Signals,
    /// What it takes to go on making files.
    to_write: Capabilities,
}

async fn begun(args: &ObserveArgs, launch: Launch) -> Result<Begun, Refusal> {
    let to_write = args.report.as_deref().map_or(Ok(Capabilities::NONE), privileges::to_write_in)?;
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let clock = Clock::start();
    let launched = launch.start(clock, signals.next()).await?;
    Ok(Begun { launched, clock, signals, to_write })
}

/// Tells of what happens until the end.
async fn watch(
    args: ObserveArgs,
    listener: &ListenerPlan,
    kept: Capabilities,
    begun: Begun,
    files: Files,
) -> Result<Exit, Refusal> {
    let Begun { launched, clock, mut signals, to_write } = begun;
    let Launched { proxy, plan, files_before: _, queue } = launched;
    let Files { log: mut rotation, resource_log } = files;
    if let Some(rotation) = &mut rotation {
        rotation.begin()?;
    }
    for address in proxy.addresses() {
        let (upstream, tls) = (&listener.upstream, tls::greeting(&listener.tls));
        let way = match args.transparent {
            true => transparent::greeting(address),
            false => format!("devices connect to {address}, the hub is {upstream}"),
        };
        out::tell(format_args!("observe: {way}{tls}"));
    }
    tap::tell("observe", &proxy);
    if let Some(directory) = &args.report {
        out::tell(format_args!("observe: {} in {}", bounds(&args), directory.display()));
    }
    // All is open; the threads that begin here go on making files.
    privileges::keep(kept.with(to_write));
    let outlets = Outlets {
        voice: Voice::start(args.json, args.quiet),
        log: rotation,
        forms: args.report.clone(),
        resource: resource_log.map(LineFile::begin).transpose()?,
    };
    let desk = Desk::start(&queue, &plan, clock, args.interval, outlets);
    privileges::keep(kept);
    let reason = tokio::select! {
        reason = proxy.finished() => reason,
        () = signals.next() => EndReason::Interrupted,
    };
    proxy.stop(reason).await;
    queue.close();
    let lacks = "the log and the last report lack what happened shortly before the first";
    Ok(speaker::finished(move || desk.finish(), &mut signals, lacks).await)
}

/// A duration is an override like those of `run`, so that the log knows of it.
fn overrides(args: &ObserveArgs) -> Result<Vec<Override>, Refusal> {
    let set = args.duration.map(|duration| format!("duration={}", show_fixed(duration)));
    let sets = set.iter().map(|set| set.parse());
    sets.collect::<Result<_, _>>().map_err(|error: BadOverride| Refusal::usage(error.to_string()))
}

fn listener(args: &ObserveArgs) -> Result<ListenerPlan, Refusal> {
    let Some(upstream) = &args.upstream else {
        return transparent::listener(args.listen.as_deref(), &args.tls, &[]);
    };
    let listen = args.listen.as_deref().unwrap_or(LISTEN);
    profile::check_listen(listen).map_err(|error| Refusal::usage(format!("--listen: {error}")))?;
    profile::check_upstream(upstream).map_err(|error| Refusal::usage(format!("--upstream: {error}")))?;
    Ok(ListenerPlan {
        name: "main".into(),
        listen: listen.to_owned(),
        upstream: upstream.clone(),
        tls: tls::of_listener(&args.tls, None)?,
    })
}
