//! `brownout keepalive live`: a real device behind the proxy, outage after outage, held against the simulation.
//!
//! ```text
//!  a first look ─▶ cases: keep-alives x outages x rounds ─▶ some at once ─▶ rows ─▶ text, JSON
//!                                   │ case: hub ◀─ proxy ◀─ device; then the same in simulation
//!                                   ├ lateness: does the machine keep up?
//!                                   └ witness: is the hub there all the while?
//! ```

mod acquaintance;
mod bench;
mod files;
mod outage;
mod witness;
mod work;

use crate::base::span::show_fixed;
use crate::base::time::nanos;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::keepalive::once;
use crate::cli::number;
use crate::cli::out;
use crate::cli::signals::Signals;
use crate::cli::suite::lateness::Lateness;
use crate::cli::tap::{TapArgs, Whether};
use crate::device::Workload;
use crate::keepalive::live::{self, Live, VERSION, Verdict};
use crate::profile;
use crate::report::Styling;
use bench::{Bench, Faith};
use files::Files;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use witness::Witness;

/// What is to be said where the hub does not let the witness stand.
const BLIND: &str = "The hub ends a connection at once on which nothing is said: that it was there all the while is known from \
                     a connect each second alone, and from the devices' own.";

/// So far a difference may go, unless told: clients look at their timers once a second; half a second is for all else.
const WITHIN: &str = "1.5s";

/// No outage is longer, and no difference is let pass that is greater: a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The seed where none is given: the same draws each time.
const SEED: u64 = 404_104;

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct LiveArgs {
    /// The hub, plain MQTT
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: String,
    /// The keep-alives that the device is stepped through, in whole seconds
    #[arg(long = "keep-alive", alias = "keepalive", value_name = "TIME,...", value_delimiter = ',', required = true,
          value_parser = whole_seconds)]
    pub keep_alives: Vec<u16>,
    /// The client that the prediction takes the device for
    #[arg(long, value_name = "NAME", default_value = "typical")]
    pub client: String,
    /// The hub whose manner the prediction assumes
    #[arg(long, value_name = "NAME", default_value = "mqtt")]
    pub hub: String,
    /// What the device does, for the prediction; the command is told in BROWNOUT_WORKLOAD and its like
    #[arg(long, value_name = "WHAT", default_value = "idle")]
    pub workload: Workload,
    /// How long the outages are [default: on both sides of each end's threshold, as predicted]
    #[arg(long, value_name = "TIME,...", value_delimiter = ',', allow_hyphen_values = true, value_parser = number::time)]
    pub outage: Vec<Duration>,
    /// How often each outage is made, each time at another phase of the device's ping interval
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::whole(1..=20_u32))]
    pub rounds: u32,
    /// How the device is given its keep-alives
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ModeWanted::Auto)]
    pub mode: ModeWanted,
    /// How far a measure may be from its prediction
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time, default_value = WITHIN)]
    pub within: Duration,
    /// Where devices that are not started here connect [default: 127.0.0.1:1884; with a command, free ports]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// How many outages are made at once, each of a device of its own [default: 8 for each core where the command takes
    /// BROWNOUT_CLIENT_ID; else 1]
    #[arg(long, value_name = "N", value_parser = number::whole(1..=128_u16))]
    pub jobs: Option<u16>,
    /// Write all of it to this file, as JSON; `-` is standard output, in the place of the text
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write live.txt and live.json into this directory, and each outage's report, events.jsonl and client.log into one of
    /// its own in there
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// The seed of every draw [default: the same each time]
    #[arg(long, value_name = "N", value_parser = number::seed)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub tap: TapArgs,
    /// Show no progress, only what came of it
    #[arg(short, long)]
    pub quiet: bool,
    /// The device: started for each outage, and ended (SIGTERM) after it. It finds BROWNOUT_HOST, BROWNOUT_PORT,
    /// BROWNOUT_URL, BROWNOUT_KEEPALIVE (seconds), BROWNOUT_CLIENT_ID, BROWNOUT_WORKLOAD, BROWNOUT_TOPIC, BROWNOUT_QOS and
    /// BROWNOUT_INTERVAL (seconds between messages)
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// How the device is to be given its keep-alives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ModeWanted {
    /// Its command is started anew, with BROWNOUT_KEEPALIVE; where it does not heed that and speaks MQTT 5, the other way
    Auto,
    /// Its command is started anew, with BROWNOUT_KEEPALIVE
    Restart,
    /// By Server Keep Alive in the CONNACK (MQTT 5); the only way for a device that is not started here
    ServerKeepAlive,
}

/// Does it.
pub(super) fn live(args: LiveArgs) -> Exit {
    crate::cli::in_runtime(async move { conduct(args).await.unwrap_or_else(Refusal::tell) })
}

fn whole_seconds(text: &str) -> Result<u16, String> {
    let time = number::time(text)?;
    let seconds =
        u16::try_from(time.as_secs()).ok().filter(|&seconds| seconds > 0 && time.subsec_nanos() == 0);
    seconds.ok_or_else(|| "a keep-alive is whole seconds, from 1s to 65535s".into())
}

async fn conduct(args: LiveArgs) -> Result<Exit, Refusal> {
    check(&args)?;
    let args = LiveArgs { keep_alives: once(args.keep_alives), outage: once(args.outage), ..args };
    let faith = Faith::of(&args)?;
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let files = Files::open(&args)?;
    let (stop, stopped) = watch::channel(false);
    let began = (Instant::now(), jiff::Timestamp::now().to_string());
    let bench = Arc::new(bench(&args, faith, stopped));
    let (quiet, given_jobs, is_one) = (args.quiet, args.jobs, has_fixed_port(&args));
    let whole = async {
        let known = acquaintance::meet(&bench, &args).await?;
        let cases = work::cases(&bench, &args, &known)?;
        let jobs = if is_one { 1 } else { given_jobs.map_or(known.jobs, usize::from) };
        let planned = cases.len();
        let rows = work::work(&bench, cases, jobs, known.heeds, quiet).await;
        Ok::<_, Refusal>((known, planned, rows))
    };
    tokio::pin!(whole);
    let mut interrupted = false;
    let done = loop {
        tokio::select! {
            done = &mut whole => break done,
            () = signals.next(), if !interrupted => {
                interrupted = true;
                let _ = stop.send(true);
            }
        }
    };
    let (mut known, planned, rows) = done?;
    if bench.witness.is_blind() {
        known.notes.push(BLIND.into());
    }
    let live = Live {
        brownout_keepalive_live: VERSION,
        wall_clock: began.1,
        lasted_ns: nanos(began.0.elapsed()),
        upstream: bench.upstream.clone(),
        command: bench.command.clone(),
        client: bench.faith.client_name.clone(),
        hub: bench.faith.hub_name.clone(),
        workload: bench.faith.workload.to_string(),
        mode: known.mode,
        within_ns: nanos(bench.within),
        notes: known.notes,
        planned,
        interrupted,
        rows,
    };
    Ok(conclude(&live, files))
}

/// What can be known to be wrong before anything is started.
fn check(args: &LiveArgs) -> Result<(), Refusal> {
    profile::check_upstream(&args.upstream)
        .map_err(|error| Refusal::usage(format!("--upstream: {error}")))?;
    if let Some(listen) = &args.listen {
        profile::check_listen(listen).map_err(|error| Refusal::usage(format!("--listen: {error}")))?;
    }
    if has_fixed_port(args) && args.jobs.is_some_and(|jobs| jobs > 1) {
        return Err(Refusal::usage(
            "--jobs: one port holds one outage at a time; give --listen port 0, or leave it out",
        ));
    }
    let longest = show_fixed(LONGEST);
    if let Some(outage) = args.outage.iter().find(|outage| outage.is_zero() || **outage > LONGEST) {
        let outage = show_fixed(*outage);
        return Err(Refusal::usage(format!("--outage: {outage} is not more than 0 and {longest} at most")));
    }
    if args.within > LONGEST {
        return Err(Refusal::usage(format!("--within is {longest} at most")));
    }
    match args.command.first() {
        Some(program) => crate::cli::command::find(program),
        None if args.mode == ModeWanted::Restart => {
            Err(Refusal::usage("--mode restart needs the device's command, after --"))
        }
        None if args.jobs.is_some_and(|jobs| jobs > 1) => {
            Err(Refusal::usage("--jobs needs the device's command: a device that is there is one"))
        }
        None => Ok(()),
    }
}

/// Whether all outages are to be at one port, and so one by one.
fn has_fixed_port(args: &LiveArgs) -> bool {
    args.listen.as_ref().is_some_and(|listen| listen.rsplit(':').next() != Some("0"))
}

fn bench(args: &LiveArgs, faith: Faith, stop: watch::Receiver<bool>) -> Bench {
    Bench {
        command: args.command.clone(),
        upstream: args.upstream.clone(),
        listen: match (&args.listen, args.command.is_empty()) {
            (Some(listen), _) => listen.clone(),
            (None, true) => crate::cli::run::LISTEN.to_owned(),
            (None, false) => crate::cli::peers::FREE_PORT.to_owned(),
        },
        tap: args.tap.config(Whether::Auto),
        directory: args.report.clone(),
        seed: args.seed.unwrap_or(SEED),
        within: args.within,
        faith,
        tag: format!("{:04x}", crate::cli::run::draw_seed() & 0xffff),
        lateness: Lateness::watch(),
        witness: Witness::watch(&args.upstream),
        stop,
    }
}

/// Shows and writes it.
fn conclude(live: &Live, files: Files) -> Exit {
    if !files.take_stdout() {
        out::show(live::text(live, Styling::Ansi));
    }
    let exit = match live.verdict() {
        Verdict::Agrees => Exit::Met,
        Verdict::Inconclusive | Verdict::Differs => Exit::Unmet,
    };
    match files.write(live) {
        Ok(()) => exit,
        Err(refusal) => refusal.tell().max_with(exit),
    }
}
