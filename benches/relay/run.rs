//! The run: which rows and ways, the rounds of each, what became of the bars.

use crate::args::Args;
use crate::print::Printer;
use crate::process::Process;
use crate::profiles::Rules;
use crate::route::Route;
use crate::row::{Against, Bar, Figures, Others, Row};
use crate::rows::ROWS;
use crate::stats::{Spread, spread};
use crate::tls::Pki;
use crate::ways::{self, Cores, Kind, Way};
use crate::{sys, trace};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Before a row's first round: what starting left to be done.
const SETTLE: Duration = Duration::from_millis(300);

/// A way's figures: of each round, for each metric.
pub struct Measured {
    pub name: String,
    pub kind: Kind,
    pub rounds: Vec<Figures>,
    /// Which share of the time that it could have run in its core was another's.
    pub waited: f64,
}

/// A bar, and what was reached.
pub struct Verdict {
    pub who: String,
    /// In the unit that is shown.
    pub reached: Option<f64>,
    pub is_met: bool,
}

/// Runs what is asked for.
pub fn run(args: &Args) -> ExitCode {
    let ways = ways::all(args);
    if args.list {
        list(&ways);
        return ExitCode::SUCCESS;
    }
    sys::raise_files(sys::FILES);
    let all = thread::available_parallelism().map_or(1, usize::from);
    let cores = Cores { proxy: args.proxy_core, load: args.load_core, all };
    let cores = (all > 1 && sys::pin_self(&[cores.load]).is_ok()).then_some(cores);
    let mut printer = Printer::new(args, cores.is_some(), all);
    let mut is_all_met = true;
    for row in chosen(args) {
        let measured = measure(row, args, &ways, cores);
        let verdicts: Vec<_> = row.bars.iter().flat_map(|bar| verdicts(row, bar, &measured)).collect();
        is_all_met &= verdicts.iter().all(|verdict| verdict.1.is_met);
        printer.row(row, &measured, &verdicts);
    }
    printer.end();
    if args.check && !is_all_met { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn list(ways: &[Way]) {
    ROWS.iter().for_each(|row| println!("row {:12} {}", row.id, row.title));
    ways.iter().for_each(|way| println!("way {}", way.name));
}

fn chosen(args: &Args) -> impl Iterator<Item = &'static Row> {
    for id in &args.rows {
        assert!(ROWS.iter().any(|row| row.id == *id), "no row {id}: see --list");
    }
    ROWS.iter().filter(|row| args.rows.is_empty() || args.rows.iter().any(|id| id == row.id))
}

/// The ways of a row: of each build of brownout one with each of its rules.
fn ways_of(row: &Row, args: &Args, ways: &[Way]) -> Vec<Way> {
    let each = |way: &Way| match way.kind {
        Kind::Brownout { .. } => row.rules.iter().filter_map(|rules| way.with(*rules)).collect(),
        Kind::Direct if row.others != Others::HaProxy => vec![way.clone()],
        Kind::HaProxy if row.others != Others::Direct => vec![way.clone()],
        Kind::Copy | Kind::Toxiproxy | Kind::Template { .. } if row.others == Others::All => {
            vec![way.clone()]
        }
        Kind::Direct | Kind::Copy | Kind::HaProxy | Kind::Toxiproxy | Kind::Template { .. } => vec![],
    };
    let is_wanted = |way: &Way| args.ways.is_empty() || args.ways.contains(&way.name);
    ways.iter().flat_map(each).filter(is_wanted).collect()
}

fn measure(row: &Row, args: &Args, ways: &[Way], cores: Option<Cores>) -> Vec<Measured> {
    let ways = ways_of(row, args, ways);
    let pki = (row.others == Others::Tls).then(|| Arc::new(Pki::new()));
    let open = || {
        let routes: Vec<_> = ways.iter().map(|way| Route::open(way, cores, pki.clone())).collect();
        thread::sleep(SETTLE);
        routes
    };
    let mut routes = open();
    let mut measured: Vec<_> = ways.iter().cloned().map(Measured::new).collect();
    let rounds = args.rounds.min(row.most_rounds);
    let (rounds, span) = if args.quick { (rounds.min(2), row.span / 3) } else { (rounds, row.span) };
    for round in 0..usize::try_from(rounds).unwrap() {
        if row.is_anew && round > 0 {
            routes.clear();
            routes = open();
        }
        // No way is always the one after the same other.
        for turn in 0..routes.len() {
            let nth = (turn + round) % routes.len();
            measured[nth].rounds.push((row.measure)(&routes[nth], span));
        }
    }
    for (route, measured) in routes.iter().zip(&mut measured) {
        measured.waited = route.process.as_ref().map_or(0.0, waited);
    }
    if row.counts_calls && trace::tracer().is_some() {
        for (route, measured) in routes.iter_mut().zip(&mut measured) {
            route.is_traced = true;
            measured.add_calls(&(row.measure)(route, span));
        }
    }
    measured
}

fn waited(process: &Process) -> f64 {
    let (waited, ran) = (process.waited().as_secs_f64(), process.cpu().as_secs_f64());
    waited / (waited + ran)
}

/// What the builds of brownout reached.
fn verdicts<'a>(row: &Row, bar: &'a Bar, measured: &[Measured]) -> Vec<(&'a Bar, Verdict)> {
    let of = |way: &&Measured| matches!(&way.kind, Kind::Brownout { rules, .. } if *rules == bar.of);
    let verdict = |way: &Measured| {
        let against = match bar.against {
            Against::Absolute => None,
            Against::Reference => Some(reference(measured)?),
            Against::NoRules => Some(measured.iter().find(|base| base.is_base_of(way))?),
        };
        let reached = against.map_or_else(|| way.spread(bar.metric), |base| way.ratio(base, bar.metric));
        let scale = if against.is_none() { row.metrics[bar.metric].scale } else { 1.0 };
        let reached = reached.map(|reached| reached.median / scale);
        let is_met = reached.is_none_or(|reached| bar.limit.is_met(reached));
        Some((bar, Verdict { who: way.name.clone(), reached, is_met }))
    };
    measured.iter().filter(of).filter_map(verdict).collect()
}

/// HAProxy; tokio's copy where it is not installed.
pub fn reference(measured: &[Measured]) -> Option<&Measured> {
    let of = |is: fn(&Kind) -> bool| measured.iter().find(|way| is(&way.kind));
    of(|kind| matches!(kind, Kind::HaProxy)).or_else(|| of(|kind| matches!(kind, Kind::Copy)))
}

impl Measured {
    fn new(way: Way) -> Measured {
        Measured { name: way.name, kind: way.kind, rounds: Vec::new(), waited: 0.0 }
    }

    /// The round that counted system calls has that figure alone; it is every round's, so that it shows as it is.
    fn add_calls(&mut self, figures: &Figures) {
        let Some(calls) = figures.last().copied() else { return };
        self.rounds.iter_mut().filter_map(|round| round.last_mut()).for_each(|last| *last = calls);
    }

    pub fn spread(&self, metric: usize) -> Option<Spread> {
        spread(self.rounds.iter().map(|round| round[metric]))
    }

    /// The ratio to another way, round by round.
    pub fn ratio(&self, to: &Measured, metric: usize) -> Option<Spread> {
        let rounds = self.rounds.iter().zip(&to.rounds);
        spread(rounds.map(|(own, to)| Some(own[metric]? / to[metric]?)))
    }

    fn is_base_of(&self, other: &Measured) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Brownout { binary, rules: Rules::None }, Kind::Brownout { binary: of, .. }) => {
                binary == of
            }
            _ => false,
        }
    }
}
