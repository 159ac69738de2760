//! `brownout compare`: two sides of a profile, such as firmware before and after, each of one run or several.

use super::exit::{Exit, Refusal};
use super::files::EVENTS;
use super::logs::{Merged, are_alike, described};
use super::out;
use super::parts;
use crate::base::text::printable;
use crate::event::RunStarted;
use crate::measure::Results;
use crate::measure::compare::Settings;
use crate::report::{Compared, Styling};
use std::fs;
use std::path::{Path, PathBuf};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// The side to compare with: an events.jsonl, the report directory it is in, or a directory of report directories,
    /// whose runs are taken together
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The side that is compared, likewise; of the same profile and overrides
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// The level: how often, at most, any difference is found where there is none
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = level)]
    pub alpha: f64,
    /// Times that are shifted by no more than this share of A's median, or by 1 ms, and at the 95th percentile by no more than
    /// this share of A's, count as neither worse nor better; 0% counts all
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    pub margin: f64,
    /// Print JSON instead of the text
    #[arg(long)]
    pub json: bool,
}

/// Does it: code 1 says that something got worse.
pub(super) fn compare(args: &CompareArgs) -> Exit {
    compared(args).unwrap_or_else(Refusal::tell)
}

fn compared(args: &CompareArgs) -> Result<Exit, Refusal> {
    let [a_logs, b_logs] = [logs(&args.a)?, logs(&args.b)?];
    let (a, b) = (Merged::read(&a_logs, false, None)?, Merged::read(&b_logs, false, None)?);
    if !are_alike(&a.start, &b.start) {
        return Err(Refusal::usage(format!(
            "{} is of another profile or other overrides ({}) than {} ({}): only runs that are alike can be compared",
            args.b.display(),
            described(&b.start),
            args.a.display(),
            described(&a.start),
        )));
    }
    if let Some(run) = on_both(&a.results, &b.results) {
        let (began, seed) = (printable(&run.wall_clock), run.seed);
        return Err(Refusal::usage(format!(
            "the run that began at {began} with seed {seed} is on both sides: a run is not compared with itself"
        )));
    }
    let settings = Settings { alpha: args.alpha, margin: args.margin };
    let compared = Compared::new(&a.plan, &a.results, &b.results, settings);
    if args.json {
        out::show(compared.to_json().map_err(|error| Refusal::environment(error.to_string()))?);
    } else {
        out::show(compared.to_text(Styling::Ansi));
    }
    Ok(if compared.is_no_worse() { Exit::Met } else { Exit::Unmet })
}

/// A run that both sides have, wherever its log lies.
fn on_both<'a>(a: &'a Results, b: &Results) -> Option<&'a RunStarted> {
    let known: Vec<&RunStarted> = b.runs.iter().filter_map(|run| run.started.as_ref()).collect();
    let mut runs = a.runs.iter().filter_map(|run| run.started.as_ref());
    runs.find(|run| known.iter().any(|other| parts::is_same(run, other)))
}

/// The logs of a side, in the order of their names: each a file, or the directory that all of its parts are in.
fn logs(path: &Path) -> Result<Vec<PathBuf>, Refusal> {
    if !path.is_dir() || path.join(EVENTS).exists() {
        return Ok(vec![path.to_owned()]);
    }
    let cannot = |error| Refusal::usage(format!("cannot read {}: {error}", path.display()));
    let mut logs = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot)? {
        let directory = entry.map_err(cannot)?.path();
        if directory.join(EVENTS).exists() {
            logs.push(directory);
        }
    }
    logs.sort();
    if logs.is_empty() {
        let path = path.display();
        return Err(Refusal::usage(format!(
            "{path} holds no {EVENTS}, nor does a directory in it; give what `--report` wrote"
        )));
    }
    Ok(logs)
}

fn level(text: &str) -> Result<f64, String> {
    let level = text.parse().ok().filter(|level| *level > 0.0 && *level <= 0.5);
    level.ok_or_else(|| format!("`{text}` is no level; write a number above 0 and up to 0.5, such as 0.05"))
}

fn percent(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
    let share = number.filter(|number| (0.0..=1000.0).contains(number)).map(|number| number / 100.0);
    share.ok_or_else(|| format!("`{text}` is no share; write a percentage such as 5%"))
}
