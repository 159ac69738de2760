//! `brownout report`: every report again, from the logs of one or several runs.

use super::args::ReportArgs;
use super::exit::{Exit, Refusal};
use super::files::{EVENTS, LineFile, ReportFiles};
use super::load::{self, Text};
use super::out;
use super::runner;
use crate::base::Time;
use crate::event::{Event, RunStarted, What};
use crate::measure::{Measures, Results};
use crate::profile::{Override, Plan, Strictness};
use crate::report::{Report, ResourceLog, Timeline};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Renders the report of the logs.
pub(super) fn report(args: &ReportArgs) -> Exit {
    again(args).unwrap_or_else(Refusal::tell)
}

fn again(args: &ReportArgs) -> Result<Exit, Refusal> {
    let mut files =
        args.report.as_deref().map(|directory| ReportFiles::open(directory, false)).transpose()?;
    let resource_log = args.resource_log.as_deref().map(LineFile::open).transpose()?;
    let mut lines = Vec::new();
    let mut merged: Option<(RunStarted, Plan, Results)> = None;
    let mut starts: Vec<RunStarted> = Vec::new();
    let mut timelines = Vec::new();
    for path in &args.logs {
        let run = Log::read(path, resource_log.is_some(), args.strictness.as_deref())?;
        if starts.contains(&run.start) {
            return Err(Refusal::usage(format!(
                "{} is of a run that was given before: it would count twice",
                path.display()
            )));
        }
        starts.push(run.start.clone());
        lines.extend(run.lines);
        timelines.push(run.timeline);
        merged = Some(match merged {
            None => (run.start, run.plan, run.results),
            Some((start, plan, results)) => {
                same_profile(&start, &run.start, path)?;
                (start, plan, results.merge(run.results))
            }
        });
    }
    let Some((_, plan, results)) = merged else { return Ok(Exit::Met) };
    let report = Report::new(&plan, &results);
    if args.json {
        let json = report.to_json().map_err(|error| Refusal::environment(error.to_string()))?;
        out::show(json);
    } else {
        runner::show(&report);
    }
    if let Some(files) = &mut files {
        files.begin()?;
        files.write(&report, &timelines)?;
    }
    if let Some(file) = resource_log {
        write_lines(file.begin()?, &lines)
            .map_err(|error| Refusal::environment(format!("the resource log is not complete: {error}")))?;
    }
    Ok(if report.is_met() { Exit::Met } else { Exit::Unmet })
}

fn write_lines(file: File, lines: &[String]) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.flush()
}

/// Expectations of one profile say nothing about runs of another.
fn same_profile(first: &RunStarted, other: &RunStarted, path: &Path) -> Result<(), Refusal> {
    if first.profile == other.profile
        && first.overrides == other.overrides
        && first.azure_fault_messages == other.azure_fault_messages
    {
        return Ok(());
    }
    Err(Refusal::usage(format!(
        "{} is of another profile or other overrides ({}) than the first log ({}): runs are merged only where they \
         are alike; render them one by one",
        path.display(),
        described(other),
        described(first),
    )))
}

fn described(start: &RunStarted) -> String {
    std::iter::once(start.profile_name.clone())
        .chain(start.overrides.iter().map(|set| format!("--set {set}")))
        .chain(start.azure_fault_messages.iter().map(|glob| format!("--azure-fault-messages {glob}")))
        .collect::<Vec<_>>()
        .join(" ")
}

/// One run's log, folded.
struct Log {
    start: RunStarted,
    plan: Plan,
    results: Results,
    timeline: Timeline,
    /// What the resource log would have said, where that is wanted.
    lines: Vec<String>,
}

impl Log {
    fn read(path: &Path, with_lines: bool, strictness: Option<&str>) -> Result<Log, Refusal> {
        let inside = path.join(EVENTS);
        let path = if path.is_dir() { &inside } else { path };
        let bad = |line: usize, problem: String| {
            Refusal::usage(format!(
                "{}:{line}: {problem}; give an events.jsonl that brownout wrote",
                path.display()
            ))
        };
        let file = File::open(path)
            .map_err(|error| Refusal::usage(format!("cannot read {}: {error}", path.display())))?;
        let mut lines = BufReader::new(file).lines().zip(1..);
        let first = lines.next().ok_or_else(|| bad(1, "the log is empty".into()))?;
        let first = first.0.map_err(|error| bad(1, error.to_string()))?;
        if first.trim() == "{" {
            return Err(bad(1, "this is no log, but a report.json".into()));
        }
        let event: Event = serde_json::from_str(&first).map_err(|error| bad(1, error.to_string()))?;
        let What::RunStarted(start) = &event.what else {
            return Err(bad(1, "the first event is not `run_started`".into()));
        };
        let plan = plan(start, strictness)?;
        let mut measures = Measures::new(&plan);
        measures.push(&event);
        let mut timeline = Timeline::default();
        timeline.push(&event);
        let mut resource_log = with_lines.then(|| ResourceLog::new(&plan));
        let mut told = Vec::new();
        told.extend(resource_log.iter_mut().flat_map(|log| log.push(&event, &measures)));
        let mut end = Time::ZERO;
        while let Some((line, number)) = lines.next() {
            let line = line.map_err(|error| bad(number, error.to_string()))?;
            match serde_json::from_str::<Event>(&line) {
                Ok(event) => {
                    end = event.at;
                    measures.push(&event);
                    timeline.push(&event);
                    told.extend(resource_log.iter_mut().flat_map(|log| log.push(&event, &measures)));
                }
                // A run that was killed leaves half a line; everything before it counts.
                Err(error) if error.is_eof() && lines.next().is_none() => {
                    tracing::warn!("{}:{number}: the log breaks off here", path.display());
                    break;
                }
                Err(error) => return Err(bad(number, error.to_string())),
            }
        }
        let start = (**start).clone();
        Ok(Log { start, plan, results: measures.results(end), timeline, lines: told })
    }
}

/// The plan that the run was made by, from what its first event holds.
fn plan(start: &RunStarted, strictness: Option<&str>) -> Result<Plan, Refusal> {
    let sets: Result<Vec<Override>, _> = start.overrides.iter().map(|set| set.parse()).collect();
    let sets = sets.map_err(|error| Refusal::usage(error.to_string()))?;
    let text = Text { name: start.profile_name.clone(), text: start.profile.clone() };
    let mut plan = load::checked(&text, &sets)?.plan;
    plan.strictness = strictness.and_then(Strictness::from_word).or(plan.strictness);
    if let Some(clients) = &start.azure_fault_messages {
        plan.honour(clients.clone());
    }
    Ok(plan)
}
