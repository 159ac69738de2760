//! `brownout suite`: a client under test, against a set of profiles, a fresh command for each; one scorecard.
//!
//! ```text
//!  plan ─▶ cases ─▶ as many at once as the machine can time ─▶ cells ─▶ scorecard
//!                     │ case: hub ◀─ proxy ◀─ client; source ─▶ hub
//!                     └ lateness: does the machine keep up?
//! ```

mod case;
pub(super) mod client;
mod files;
pub(super) mod lateness;
mod plan;

use super::exit::{Exit, Refusal};
use super::jobs::side_by_side;
use super::number;
use super::out;
use super::signals::Signals;
use super::tap::{TapArgs, Whether};
use crate::profile::{self, suite as suites};
use crate::report::Styling;
use crate::report::scorecard::{self, Card, Cell, Row, Scorecard, Timing, Verdict};
use case::Bench;
use files::CardFiles;
use lateness::Lateness;
use plan::Case;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Runs wait for nearly all of their time; so many side by side on each core leave timers on time.
const JOBS_PER_CORE: usize = 8;

/// The most runs at once: each has threads, sockets and a process of its own.
const MOST_JOBS: usize = 128;

/// A timer may be late by this part of a keep-alive (a fortieth: 100 ms of 4 s, where limits are half keep-alives) ...
const LATE_PART: u32 = 40;

/// ... and by this in any case.
const LATE_LEAST: Duration = Duration::from_millis(50);

/// So many runs that were disturbed are made again, each by itself: with more, it is the machine, and it would take long.
const MOST_AGAIN: usize = 4;

/// The seed where none is given: the same suite each time.
const SEED: u64 = 404_104;

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct SuiteArgs {
    /// A suite's file, or the name of a shipped one [default: client]
    pub name: Option<String>,
    /// List the shipped suites, or what the named one runs
    #[arg(long)]
    pub list: bool,
    /// Only these runs: ENTRY, WORKLOAD or ENTRY/WORKLOAD; may be given several times
    #[arg(long, value_name = "RUN")]
    pub only: Vec<String>,
    /// The keep-alive that the client is told to use, in whole seconds [default: what the suite says, of `client` 4s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    pub keep_alive: Option<Duration>,
    /// Your own hub, plain MQTT [default: brownout's own, one for each run]
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<String>,
    /// Write the scorecard (scorecard.html, scorecard.json, junit.xml, summary.md) into this directory, and each run's
    /// report, events.jsonl and client.log into one of its own in there
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// How many runs are made at once [default: 8 for each core]
    #[arg(long, value_name = "N", value_parser = number::whole(1..=128_u16))]
    pub jobs: Option<u16>,
    /// The seed of every draw [default: the same each time]
    #[arg(long, value_name = "N", value_parser = number::seed)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub tap: TapArgs,
    /// Show no progress, only the scorecard
    #[arg(short, long)]
    pub quiet: bool,
    /// The client under test: started for each run, and ended (SIGTERM) when that is through. It finds BROWNOUT_HOST,
    /// BROWNOUT_PORT, BROWNOUT_URL, BROWNOUT_WORKLOAD (idle, pub or sub), BROWNOUT_KEEPALIVE (seconds),
    /// BROWNOUT_CLIENT_ID, BROWNOUT_TOPIC, BROWNOUT_QOS and BROWNOUT_INTERVAL (seconds between messages)
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Does it.
pub(super) fn suite(args: SuiteArgs) -> Exit {
    if args.list || asks_nothing(&args) {
        return list(&args).unwrap_or_else(Refusal::tell);
    }
    super::in_runtime(async move { conduct(args).await.unwrap_or_else(Refusal::tell) })
}

/// Whether nothing is asked for, and so what there is. What is said of runs asks for them: one that is none is no success.
fn asks_nothing(args: &SuiteArgs) -> bool {
    let SuiteArgs { name, list: _, only, keep_alive, upstream, report, jobs, seed, tap, quiet: _, command } =
        args;
    let TapArgs { tap, tap_buffer } = tap;
    let of_runs = [
        name.is_some(),
        !only.is_empty(),
        keep_alive.is_some(),
        upstream.is_some(),
        report.is_some(),
        jobs.is_some(),
        seed.is_some(),
        tap.is_some(),
        tap_buffer.is_some(),
        !command.is_empty(),
    ];
    !of_runs.contains(&true)
}

/// What there is, or what the named suite runs.
fn list(args: &SuiteArgs) -> Result<Exit, Refusal> {
    let Some(name) = &args.name else {
        for shipped in suites::shipped() {
            let suite = plan::load(shipped.name, None)?;
            out::show_line(format_args!("{}\n    {}", suite.name, suite.summary));
        }
        out::show_line(
            "\nbrownout suite client -- COMMAND runs one against your client; --list tells what it runs.",
        );
        return Ok(Exit::Met);
    };
    let suite = plan::load(name, args.keep_alive)?;
    let cases = plan::cases(&suite, &args.only)?;
    out::show_line(format_args!("{}: {} Runs: {}.\n", suite.name, suite.summary, cases.len()));
    for (number, entry) in suite.entries.iter().enumerate() {
        let of: Vec<&Case> = cases.iter().filter(|case| case.entry == number).collect();
        let Some(first) = of.first() else { continue };
        let workloads: Vec<&str> = of.iter().map(|case| case.workload.word()).collect();
        let workloads = workloads.join(", ");
        out::show_line(format_args!("{} ({workloads})\n    {}", entry.name, first.plan.summary));
    }
    Ok(Exit::Met)
}

async fn conduct(args: SuiteArgs) -> Result<Exit, Refusal> {
    let suite = plan::load(args.name.as_deref().unwrap_or("client"), args.keep_alive)?;
    let cases = plan::cases(&suite, &args.only)?;
    let program = args.command.first();
    let program = program
        .ok_or_else(|| Refusal::usage("give the client under test: brownout suite NAME -- COMMAND"))?;
    super::command::find(program)?;
    if let Some(upstream) = &args.upstream {
        profile::check_upstream(upstream).map_err(|error| Refusal::usage(format!("--upstream: {error}")))?;
    }
    let files = args.report.as_deref().map(CardFiles::open).transpose()?;
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    files.as_ref().map_or(Ok(()), CardFiles::begin)?;
    let (stop, stopped) = watch::channel(false);
    let bench = Arc::new(Bench {
        late_bound: (suite.keep_alive / LATE_PART).max(LATE_LEAST),
        suite,
        command: args.command,
        upstream: args.upstream,
        directory: files.as_ref().map(|files| files.directory.path().to_owned()),
        seed: args.seed.unwrap_or(SEED),
        tag: format!("{:04x}", super::run::draw_seed() & 0xffff),
        tap: args.tap.config(Whether::Off),
        lateness: Lateness::watch(),
        stop: stopped,
    });
    let jobs = args.jobs.map_or_else(default_jobs, usize::from);
    let started = (Instant::now(), jiff::Timestamp::now().to_string());
    let work = work(&bench, &cases, jobs, args.quiet);
    tokio::pin!(work);
    let mut interrupted = false;
    let cells = loop {
        tokio::select! {
            cells = &mut work => break cells,
            () = signals.next(), if !interrupted => {
                interrupted = true;
                let _ = stop.send(true);
            }
        }
    };
    let card = card(&bench, &cases, cells, jobs, started, interrupted);
    Ok(conclude(&card, files))
}

/// Shows and writes the scorecard.
fn conclude(card: &Scorecard, files: Option<CardFiles>) -> Exit {
    out::show(scorecard::terminal(card, Styling::Ansi));
    let mut exit = match card.worst() {
        Verdict::Error => Exit::Environment,
        _ if card.is_passed() => Exit::Met,
        _ => Exit::Unmet,
    };
    if let Some(files) = files {
        let directory = files.directory.path().to_owned();
        match files.write(card) {
            Ok(()) => {
                out::tell(format_args!("scorecard written to {}", directory.join("scorecard.html").display()))
            }
            Err(refusal) => exit = refusal.tell().max_with(exit),
        }
    }
    exit
}

fn default_jobs() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores * JOBS_PER_CORE).min(MOST_JOBS)
}

/// Makes all runs, the longest first, and again by themselves those that the machine disturbed. The cells by number.
async fn work(bench: &Arc<Bench>, cases: &[Case], jobs: usize, quiet: bool) -> BTreeMap<usize, Cell> {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by_key(|&number| {
        std::cmp::Reverse(plan::estimate(&cases[number].plan, bench.suite.keep_alive))
    });
    let mut cells = BTreeMap::new();
    let mut tell = |number: usize, cell: &Cell, done: usize| {
        if !quiet {
            let (word, name) = (cell.verdict.word(), &cases[number].name);
            out::tell(format_args!("{done:>3}/{}  {word:<8} {name}  ({:.0} s)", cases.len(), cell.lasted_s));
        }
    };
    let begin = |number: usize| {
        let (bench, case) = (Arc::clone(bench), cases[number].clone());
        async move { (number, case::run(&bench, &case, number).await) }
    };
    side_by_side(order, jobs, bench.stop.clone(), begin, |ended| {
        // A run that panicked has no cell, and counts as not run.
        if let Ok((number, cell)) = ended {
            tell(number, &cell, cells.len() + 1);
            cells.insert(number, cell);
        }
    })
    .await;
    again(bench, cases, &mut cells, &mut tell).await;
    cells
}

/// Runs that proved nothing since the machine did not keep up, each by itself.
async fn again(
    bench: &Arc<Bench>,
    cases: &[Case],
    cells: &mut BTreeMap<usize, Cell>,
    tell: &mut impl FnMut(usize, &Cell, usize),
) {
    let late =
        |cell: &Cell| cell.late_s > bench.late_bound.as_secs_f64() && cell.verdict == Verdict::Inconclusive;
    let disturbed = cells.iter().filter(|(_, cell)| late(cell)).map(|(number, _)| *number);
    let disturbed: Vec<usize> = disturbed.take(MOST_AGAIN).collect();
    for number in disturbed {
        if *bench.stop.borrow() {
            return;
        }
        let cell = Cell { again: true, ..case::run(bench, &cases[number], cases.len() + number).await };
        tell(number, &cell, cells.len());
        cells.insert(number, cell);
    }
}

fn card(
    bench: &Bench,
    cases: &[Case],
    mut cells: BTreeMap<usize, Cell>,
    jobs: usize,
    (started, wall_clock): (Instant, String),
    interrupted: bool,
) -> Scorecard {
    let mut rows: Vec<Row> = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let entry = case.name.split('/').next().unwrap_or_default();
        if rows.last().is_none_or(|row| row.entry != entry) {
            let (profile, summary) = (case.profile_name.clone(), case.plan.summary.clone());
            rows.push(Row { entry: entry.to_owned(), profile, summary, cells: Vec::new() });
        }
        let cell = cells.remove(&number).unwrap_or_default();
        let is_written =
            bench.directory.is_some() && !matches!(cell.verdict, Verdict::NotRun | Verdict::Error);
        let card = Card {
            workload: case.workload.word(),
            directory: is_written.then(|| case::directory(case)),
            cell,
        };
        rows.iter_mut().last().into_iter().for_each(|row| row.cells.push(card.clone()));
    }
    let scorecard = Scorecard {
        format: scorecard::FORMAT,
        suite: bench.suite.name.clone(),
        summary: bench.suite.summary.clone(),
        command: bench.command.clone(),
        wall_clock,
        lasted_s: started.elapsed().as_secs_f64(),
        keep_alive_s: bench.suite.keep_alive.as_secs_f64(),
        seed: bench.seed,
        hub: bench.upstream.clone(),
        interrupted,
        workloads: Vec::new(),
        rows: Vec::new(),
        classes: Vec::new(),
        timing: Timing {
            jobs: jobs.min(cases.len()),
            bound_s: bench.late_bound.as_secs_f64(),
            worst_s: bench.lateness.worst_since(started).as_secs_f64(),
            disturbed: 0,
        },
    };
    scorecard.with_rows(rows)
}
