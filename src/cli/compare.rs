//! `brownout compare`: two sides of a profile, such as firmware before and after, each of one run or several.

use super::exit::{Exit, Refusal};
use super::files::EVENTS;
use super::logs::{Merged, are_alike, described};
use super::out;
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
    /// Times that are shifted by no more than this share of A's median, or by 1 ms, count as neither worse nor better; 0%
    /// counts all
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
    let same = a_logs.iter().find(|log| b_logs.iter().any(|other| other.path == log.path));
    if let Some(log) = same {
        let log = log.path.display();
        return Err(Refusal::usage(format!("{log} is on both sides: a run is not compared with itself")));
    }
    let read = |logs: Vec<Log>| {
        let given: Vec<PathBuf> = logs.into_iter().map(|log| log.given).collect();
        Merged::read(&given, false, None)
    };
    let (a, b) = (read(a_logs)?, read(b_logs)?);
    if !are_alike(&a.start, &b.start) {
        return Err(Refusal::usage(format!(
            "{} is of another profile or other overrides ({}) than {} ({}): only runs that are alike can be compared",
            args.b.display(),
            described(&b.start),
            args.a.display(),
            described(&a.start),
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

/// A log of a side.
struct Log {
    /// Its real path; of a log in several parts, that of the last.
    path: PathBuf,
    /// What names all of it: itself, or the directory that its parts are in.
    given: PathBuf,
}

/// The logs of a side, in the order of their names.
fn logs(path: &Path) -> Result<Vec<Log>, Refusal> {
    let cannot = |error| Refusal::usage(format!("cannot read {}: {error}", path.display()));
    let log = |given: PathBuf| {
        let events = if given.is_dir() { given.join(EVENTS) } else { given.clone() };
        fs::canonicalize(events).map(|path| Log { path, given }).map_err(cannot)
    };
    if !path.is_dir() || path.join(EVENTS).exists() {
        return Ok(vec![log(path.to_owned())?]);
    }
    let mut logs = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot)? {
        let directory = entry.map_err(cannot)?.path();
        if directory.join(EVENTS).exists() {
            logs.push(log(directory)?);
        }
    }
    logs.sort_by(|a, b| a.path.cmp(&b.path));
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
