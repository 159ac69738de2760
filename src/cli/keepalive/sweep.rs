//! `brownout keepalive sweep`: combinations of settings, simulated on all processors.

mod args;
mod outputs;
mod work;

pub(super) use args::SweepArgs;

use crate::cli::exit::{Exit, Refusal};
use crate::cli::out;
use crate::cli::signals::Signals;
use crate::keepalive::evaluate::Bench;
use crate::keepalive::expect;
use crate::keepalive::forms;
use crate::keepalive::model::{Sweep, VERSION};
use outputs::{Output, Outputs};
use std::sync::Arc;
use std::time::Instant;
use work::Work;

/// So wide is what goes elsewhere than to a terminal.
const WIDE: usize = 80;

/// Does it.
pub(super) fn sweep(args: &SweepArgs) -> Exit {
    crate::cli::in_runtime(async { conduct(args).await.unwrap_or_else(Refusal::tell) })
}

async fn conduct(args: &SweepArgs) -> Result<Exit, Refusal> {
    let axes = args.axes()?;
    let terms = args.terms();
    let count = args::check(&axes, &terms)?;
    let bench = Bench::new(&terms, args::traces(&axes)).map_err(Refusal::usage)?;
    let outputs = Outputs::open(args)?;
    let signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let started = Instant::now();
    let work = Arc::new(Work::new(axes, bench, count, args.quiet));
    let rows = work::done(&work, signals).await?;
    if rows.is_empty() {
        return Err(Refusal::unmet("interrupted before any combination was through"));
    }
    let is_whole = u64::try_from(rows.len()).is_ok_and(|rows| rows == count);
    tell(args, rows.len(), count, started);
    let sweep = Sweep { brownout_keepalive: VERSION, terms, cases: rows };
    if !is_whole {
        // A file of a part would look like the whole.
        out::show(forms::text(&sweep, width(), crate::cli::colour_on_stdout()));
        return Ok(Exit::Unmet);
    }
    Ok(conclude(args, &sweep, outputs))
}

/// How far it came, and how fast.
fn tell(args: &SweepArgs, rows: usize, count: u64, started: Instant) {
    let took = started.elapsed().as_secs_f64();
    if u64::try_from(rows).is_ok_and(|rows| rows < count) {
        out::tell(format_args!(
            "interrupted: {rows} of {count} combinations are through; what follows is of those alone, and no file is written"
        ));
    } else if !args.quiet {
        out::tell(format_args!("{count} combinations in {took:.1} s"));
    }
}

/// Shows and writes what came of it.
fn conclude(args: &SweepArgs, sweep: &Sweep, outputs: Outputs) -> Exit {
    let verdicts = expect::judge(&args.expect, sweep);
    let is_met = verdicts.iter().all(|verdict| verdict.judgement.is_met());
    let (width, colour) = (width(), crate::cli::colour_on_stdout());
    if outputs.take_stdout() {
        if !is_met {
            out::tell(forms::verdicts(&verdicts, sweep, width, false).trim());
        }
    } else {
        out::show(forms::text(sweep, width, colour));
        if !verdicts.is_empty() {
            out::show(forms::verdicts(&verdicts, sweep, width, colour));
        }
    }
    let written = outputs.write(|output| match output {
        Output::Json => forms::json(sweep),
        Output::Csv => forms::csv(sweep),
        Output::Html => forms::html(sweep, &verdicts),
        Output::Junit => forms::junit(sweep, &verdicts),
    });
    let exit = if is_met { Exit::Met } else { Exit::Unmet };
    match written {
        Ok(()) => exit,
        Err(refusal) => refusal.tell().max_with(exit),
    }
}

/// Columns of the terminal; 80 where there is none.
fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout())
        .map_or(WIDE, |(terminal_size::Width(columns), _)| usize::from(columns).max(WIDE))
}
