//! `brownout report`: every report again, from the logs of one or several runs.

use super::args::ReportArgs;
use super::exit::{Exit, Refusal};
use super::files::{LineFile, ReportFiles};
use super::load::{self, Text};
use super::out;
use super::parts::{self, Parts};
use super::runner;
use crate::base::Time;
use crate::event::{Event, RunStarted, What};
use crate::measure::{Measures, Results};
use crate::profile::{Override, Plan};
use crate::report::{Report, ResourceLog, Timeline};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

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
    let mut timelines = Vec::new();
    for Parts { start, paths } in parts::of(&args.logs)? {
        let path = paths.first().cloned().unwrap_or_default();
        let run = Log::read(start, &paths, resource_log.is_some())?;
        lines.extend(run.lines);
        timelines.push(run.timeline);
        merged = Some(match merged {
            None => (run.start, run.plan, run.results),
            Some((start, plan, results)) => {
                same_profile(&start, &run.start, &path)?;
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
    /// Of the parts of one run, in their order; each is read on from where the one before it ended.
    fn read(start: RunStarted, paths: &[PathBuf], with_lines: bool) -> Result<Log, Refusal> {
        let plan = plan(&start)?;
        let mut reading = Reading {
            measures: Measures::new(&plan),
            timeline: Timeline::default(),
            resource_log: with_lines.then(|| ResourceLog::new(&plan)),
            lines: Vec::new(),
            end: Time::ZERO,
            next: None,
        };
        for path in paths {
            reading.part(path)?;
        }
        let Reading { measures, timeline, lines, end, .. } = reading;
        Ok(Log { start, plan, results: measures.results(end), timeline, lines })
    }
}

/// A log as it is read.
struct Reading {
    measures: Measures,
    timeline: Timeline,
    resource_log: Option<ResourceLog>,
    lines: Vec<String>,
    end: Time,
    /// The number of the first event that later parts have to add; `None` before the first part.
    next: Option<u64>,
}

impl Reading {
    fn part(&mut self, path: &Path) -> Result<(), Refusal> {
        let bad = |line: usize, problem: String| {
            Refusal::usage(format!(
                "{}:{line}: {problem}; give an events.jsonl that brownout wrote",
                path.display()
            ))
        };
        let file = File::open(path)
            .map_err(|error| Refusal::usage(format!("cannot read {}: {error}", path.display())))?;
        let mut lines = BufReader::new(file).lines().zip(1..);
        let known = self.next;
        while let Some((line, number)) = lines.next() {
            let line = line.map_err(|error| bad(number, error.to_string()))?;
            match serde_json::from_str::<Event>(&line) {
                // What an earlier part has told already; the first event of a part has the number of its first new one.
                Ok(event) if known.is_some_and(|next| event.seq < next || number == 1) => {}
                Ok(event) => self.take(&event),
                // A run that was killed leaves half a line; everything before it counts.
                Err(error) if error.is_eof() && lines.next().is_none() => {
                    tracing::warn!("{}:{number}: the log breaks off here", path.display());
                    break;
                }
                Err(error) => return Err(bad(number, error.to_string())),
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &Event) {
        self.measures.push(event);
        self.timeline.push(event);
        if let Some(log) = &mut self.resource_log {
            self.lines.extend(log.push(event, &self.measures));
        }
        self.end = self.end.max(event.at);
        // Of a later part, `run_started` has the number of the event that follows.
        let is_later = matches!(&event.what, What::RunStarted(start) if start.part > 0);
        if !is_later {
            self.next = self.next.max(Some(event.seq + 1));
        }
    }
}

/// The plan that the run was made by, from what its first event holds.
fn plan(start: &RunStarted) -> Result<Plan, Refusal> {
    let sets: Result<Vec<Override>, _> = start.overrides.iter().map(|set| set.parse()).collect();
    let sets = sets.map_err(|error| Refusal::usage(error.to_string()))?;
    let text = Text { name: start.profile_name.clone(), text: start.profile.clone() };
    let mut plan = load::checked(&text, &sets)?.plan;
    if let Some(clients) = &start.azure_fault_messages {
        plan.honour(clients.clone());
    }
    Ok(plan)
}
