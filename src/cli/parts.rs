//! Logs on the command line: which of them are parts of one run, and in which order.
//!
//! A long log is cut into parts. Each begins with `run_started`, which says when the run began and which part it is, and with
//! what lived then; the numbers of events tell what stands in an earlier part too. So parts that follow each other are read
//! as the one log that they were, however they were named or ordered.

use super::exit::Refusal;
use super::files::EVENTS;
use super::observe::rotated;
use crate::event::{Event, RunStarted, What};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The files of one run, the earliest part first.
#[derive(Debug)]
pub struct Parts {
    /// How the run began, as its first part says.
    pub start: RunStarted,
    /// Its files; at least one.
    pub paths: Vec<PathBuf>,
}

/// The runs that these logs are of, in the order in which they were given.
pub fn of(logs: &[PathBuf]) -> Result<Vec<Parts>, Refusal> {
    let mut runs: Vec<Vec<(RunStarted, PathBuf)>> = Vec::new();
    for path in files_of(logs) {
        let start = start(&path)?;
        let same = runs.iter_mut().find(|run| run.iter().any(|(known, _)| is_same(known, &start)));
        match same {
            Some(run) => run.push((start, path)),
            None => runs.push(vec![(start, path)]),
        }
    }
    runs.into_iter().map(in_order).collect()
}

/// The files of these logs, each an `events.jsonl` or the directory that it is in.
pub fn files_of(logs: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    logs.iter().flat_map(|path| files(path))
}

/// The log in a directory: all of its parts, where there are several of one run.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let latest = path.join(EVENTS);
    let Ok(run) = start(&latest) else { return vec![latest] };
    let earlier = rotated(path).unwrap_or_default().into_iter().map(|(_, path)| path);
    let of_run = |path: &PathBuf| start(path).is_ok_and(|start| is_same(&start, &run));
    earlier.filter(of_run).chain([latest]).collect()
}

/// Whether both are of one run, in whatever part of its log.
pub fn is_same(a: &RunStarted, b: &RunStarted) -> bool {
    RunStarted { part: 0, ..a.clone() } == RunStarted { part: 0, ..b.clone() }
}

fn in_order(mut run: Vec<(RunStarted, PathBuf)>) -> Result<Parts, Refusal> {
    run.sort_by_key(|(start, _)| start.part);
    for pair in run.windows(2) {
        let [(one, _), (next, path)] = pair else { continue };
        if one.part == next.part {
            return Err(Refusal::usage(format!(
                "{} is of a run that was given before: it would count twice",
                path.display()
            )));
        }
        if one.part + 1 != next.part {
            return Err(Refusal::usage(format!(
                "{} is part {} of its log, and the part before that is missing (part {} is there): give parts that \
                 follow each other, or render them one by one",
                path.display(),
                next.part,
                one.part
            )));
        }
    }
    let paths = run.iter().map(|(_, path)| path.clone()).collect();
    let first = run.into_iter().next().map(|(start, _)| start);
    let start = first.ok_or_else(|| Refusal::usage("there is no log to read"))?;
    Ok(Parts { start, paths })
}

/// How the run of this log began.
fn start(path: &Path) -> Result<RunStarted, Refusal> {
    let bad = |problem: String| {
        Refusal::usage(format!("{}:1: {problem}; give an events.jsonl that brownout wrote", path.display()))
    };
    let first = first_line(path)
        .map_err(|error| Refusal::usage(format!("cannot read {}: {error}", path.display())))?;
    let first = first.ok_or_else(|| bad("the log is empty".into()))?;
    if first.trim() == "{" {
        return Err(bad("this is no log, but a report.json".into()));
    }
    let event: Event = serde_json::from_str(&first).map_err(|error| bad(error.to_string()))?;
    match event.what {
        What::RunStarted(start) => Ok(*start),
        _ => Err(bad("the first event is not `run_started`".into())),
    }
}

fn first_line(path: &Path) -> io::Result<Option<String>> {
    BufReader::new(File::open(path)?).lines().next().transpose()
}
