//! From what is known of the device to cases, and from each of them to a row.

use super::LiveArgs;
use super::acquaintance::{Known, in_environment};
use super::bench::Bench;
use super::outage::{self, Errands, Shown};
use crate::base::Time;
use crate::base::text::printable;
use crate::base::time::nanos;
use crate::cli::exit::Refusal;
use crate::cli::jobs::side_by_side;
use crate::cli::out;
use crate::fault::{Fidelity, FidelityWanted};
use crate::keepalive::live::{Beliefs, Case, Foretold, Measured, Mode, ROUGHLY, Row, Trail, edges, foretell};
use crate::mqtt::Version;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After all was seen, so long is looked on.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// What is watched beyond what is predicted.
const BEYOND: Duration = Duration::from_secs(2);

/// The number of the first outage's device; those before were looked at first.
const FIRST: usize = 3;

/// What is to be made, in the order of the table.
pub fn cases(bench: &Bench, args: &LiveArgs, known: &Known) -> Result<Vec<Case>, Refusal> {
    let mut cases = Vec::new();
    for &keep_alive in &known.keep_alives {
        let beliefs = Beliefs { variants: ROUGHLY, ..bench.faith.at(keep_alive) };
        let delays = delays(beliefs.habits.ping_interval, args.rounds);
        let outages = match args.outage.as_slice() {
            [] => beside(&beliefs, keep_alive, &delays, bench.within)?,
            given => given.to_vec(),
        };
        for outage in outages {
            for (round, &delay) in (1..).zip(&delays) {
                let case = Case {
                    keep_alive,
                    server_keep_alive: known.mode == Mode::ServerKeepAlive,
                    delay,
                    outage,
                    round,
                    ..watched(keep_alive)
                };
                cases.push(bounded(bench, &beliefs, case, known.patience)?);
            }
        }
    }
    match cases.is_empty() {
        true => Err(Refusal::unmet("neither end is predicted to notice anything; give --outage")),
        false => Ok(cases),
    }
}

/// From the CONNACK to the outage, for each round: phases of the ping interval, all of the first one, so that nothing but
/// the CONNACK has to be predicted.
fn delays(ping_interval: Duration, rounds: u32) -> Vec<Duration> {
    let of = |round: u32| ping_interval.mul_f64((f64::from(round) + 0.5) / f64::from(rounds));
    // To a millisecond: profiles are read by people.
    let rounded =
        |delay: Duration| Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
    (0..rounds).map(|round| rounded(of(round))).collect()
}

/// Long enough for whatever a simulated device does.
fn watched(keep_alive: u16) -> Case {
    let keep_alive_span = Duration::from_secs(keep_alive.into());
    let settle = keep_alive_span * 2 + Duration::from_secs(30);
    let outage = keep_alive_span * 6 + Duration::from_secs(60);
    Case {
        keep_alive,
        server_keep_alive: false,
        delay: Duration::ZERO,
        outage,
        round: 1,
        settle,
        limit: keep_alive_span + settle,
    }
}

/// Outages on both sides of each threshold, over the phases that are to be met.
fn beside(
    beliefs: &Beliefs,
    keep_alive: u16,
    delays: &[Duration],
    margin: Duration,
) -> Result<Vec<Duration>, Refusal> {
    let base = watched(keep_alive);
    let mut of = |outage: Duration| {
        let mut all = Foretold::default();
        for &delay in delays {
            let limit = base.limit + delay + outage;
            let case = Case { outage, delay, limit, ..base.clone() };
            all.merge(foretell(beliefs, &case, FidelityWanted::Packet, None)?);
        }
        Ok(all)
    };
    let found = edges(base.outage, margin, &mut of).map_err(Refusal::environment)?;
    Ok(found.into_iter().map(|edge| edge.outage).collect())
}

/// The case with the times that it takes, by what is predicted of it.
fn bounded(bench: &Bench, beliefs: &Beliefs, case: Case, patience: Duration) -> Result<Case, Refusal> {
    let long = Case { limit: case.limit + case.delay + case.outage, ..case.clone() };
    let foretold = foretell(beliefs, &long, FidelityWanted::Packet, None).map_err(Refusal::environment)?;
    let back = foretold.recovery.at.map(|(_, most)| most).unwrap_or_default();
    let settle = back.max(beliefs.habits.ping_interval) + bench.within + BEYOND;
    let limit = patience + case.delay + case.outage + settle * 2;
    Ok(Case { settle, limit, ..case })
}

/// Makes all cases, the longest first. The rows in the order of the cases.
/// `heeds`: whether the device is known to go by Server Keep Alive, where it is told its keep-alives so.
pub async fn work(bench: &Arc<Bench>, cases: Vec<Case>, jobs: usize, heeds: bool, quiet: bool) -> Vec<Row> {
    let total = cases.len();
    let mut order: Vec<(usize, Case)> = cases.into_iter().enumerate().collect();
    if jobs > 1 {
        order.sort_by_key(|(_, case)| std::cmp::Reverse(case.delay + case.outage + case.settle));
    }
    let begin = |(number, case): (usize, Case)| {
        let bench = Arc::clone(bench);
        async move {
            let began = Instant::now();
            let row = row(&bench, &case, number).await;
            let row = row.map(|row| if heeds { row } else { row.unjudged() });
            (number, row, began.elapsed())
        }
    };
    let mut rows = BTreeMap::new();
    side_by_side(order, jobs, bench.stop.clone(), begin, |ended| match ended {
        Ok((number, Some(row), took)) => {
            if !quiet {
                tell(&row, rows.len() + 1, total, took);
            }
            rows.insert(number, row);
        }
        Ok((_, None, _)) => {}
        Err(error) => out::tell(format_args!("an outage has no row: {error}")),
    })
    .await;
    rows.into_values().collect()
}

fn tell(row: &Row, done: usize, total: usize, took: Duration) {
    let outage = Duration::from_nanos(row.outage_ns).as_secs_f64();
    out::tell(format_args!(
        "{done:>3}/{total}  {:<8} keep-alive {} s, outage {outage} s  ({:.0} s)",
        row.verdict.word(),
        row.keep_alive,
        took.as_secs_f64()
    ));
}

/// Makes a case; `None` if it was interrupted.
async fn row(bench: &Bench, case: &Case, number: usize) -> Option<Row> {
    let mode = if case.server_keep_alive { Mode::ServerKeepAlive } else { Mode::Restart };
    let errands = Errands {
        name: Some(case.name()),
        profile: case.profile(FidelityWanted::Auto),
        keep_alive: in_environment(mode, case.keep_alive),
        number: FIRST + number,
    };
    let is_over = |trail: &Trail, now: Time| trail.seen_all().is_some_and(|at| now.since(at) >= AFTERWARDS);
    let shown = outage::run(bench, &errands, is_over).await;
    if *bench.stop.borrow() {
        return None;
    }
    Some(match shown {
        Ok(shown) => judged(bench, case, &shown),
        Err(refusal) => empty(bench, case, case.keep_alive, refusal.message),
    })
}

/// A row that says why there is nothing in it.
fn empty(bench: &Bench, case: &Case, actual: u16, why: String) -> Row {
    let row = Row::of(case, actual, &Foretold::default(), Measured::NOTHING, bench.within);
    row.without_evidence(why)
}

fn judged(bench: &Bench, case: &Case, shown: &Shown) -> Row {
    let trail = &shown.trail;
    let Some(connect) = &trail.connect else {
        return empty(
            bench,
            case,
            case.keep_alive,
            format!("the device did not connect{}", last_words(shown)),
        );
    };
    let actual = match (case.server_keep_alive, connect.version) {
        (true, Version::V5) => case.keep_alive,
        (_, _) => connect.keep_alive,
    };
    let Some(struck) = trail.struck else {
        let why = trail.refused.clone().map(|why| format!("the outage was not made: {why}"));
        let why = why.or_else(|| shown.trouble.clone());
        let why = why.unwrap_or_else(|| format!("the outage found no link{}", last_words(shown)));
        return empty(bench, case, actual, why);
    };
    let fidelity = match struck.fidelity {
        Fidelity::Packet => FidelityWanted::Packet,
        Fidelity::Stall | Fidelity::Stream => FidelityWanted::Stall,
    };
    let foretold = match foretell(&bench.faith.at(actual), case, fidelity, struck.silent()) {
        Ok(foretold) => foretold,
        Err(why) => return empty(bench, case, actual, why),
    };
    let mut windows = shown.results.runs.iter().flat_map(|run| run.windows.values());
    let measured = windows.find(|window| window.start.is_some()).map_or(Measured::NOTHING, Measured::of);
    let row = Row::of(case, actual, &foretold, measured, bench.within);
    let row = match &shown.trouble {
        Some(why) => row.without_evidence(why.clone()),
        None => row,
    };
    Row {
        silent_ns: struck.silent().map(nanos),
        fidelity: Some(struck.fidelity.word()),
        late_ns: nanos(shown.late),
        notes: notes(case, actual, shown),
        ..row
    }
}

fn notes(case: &Case, actual: u16, shown: &Shown) -> Vec<String> {
    let mut notes = Vec::new();
    if actual != case.keep_alive {
        notes.push(format!(
            "the device was given a keep-alive of {} s, and asked for {actual} s",
            case.keep_alive
        ));
    }
    if shown.ended.is_some() {
        notes.push(format!("the command ended by itself{}", last_words(shown)));
    }
    notes
}

fn last_words(shown: &Shown) -> String {
    let ended =
        shown.ended.as_ref().map(|ended| format!("; its command ended with {ended}")).unwrap_or_default();
    let line =
        shown.output.last().map(|line| format!("; its last line: {}", printable(line))).unwrap_or_default();
    format!("{ended}{line}")
}
