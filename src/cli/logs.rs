//! Logs of runs, read and folded: several parts of one run as the one that they were, several runs of one profile together.

use super::exit::Refusal;
use super::load::{self, Text};
use super::parts::{self, Parts};
use crate::base::Time;
use crate::base::text::printable;
use crate::event::{Event, Numbers, Place, RunStarted};
use crate::measure::{Measures, Results};
use crate::profile::{Override, Plan, Strictness};
use crate::report::{ResourceLog, Timeline};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The runs of several logs.
pub(super) struct Merged {
    /// How the first began.
    pub start: RunStarted,
    /// The plan of all.
    pub plan: Plan,
    /// Their results.
    pub results: Results,
    /// Their timelines.
    pub timelines: Vec<Timeline>,
    /// What the resource log would have said of them, where that is wanted.
    pub lines: Vec<String>,
}

impl Merged {
    /// Reads the logs, each an `events.jsonl` or the directory it is in; at least one. They are judged by this strictness in
    /// the place of the profile's, where one is given.
    pub fn read(paths: &[PathBuf], with_lines: bool, strictness: Option<&str>) -> Result<Merged, Refusal> {
        let mut merged: Option<Merged> = None;
        for Parts { start, paths } in parts::of(paths)? {
            let path = paths.first().cloned().unwrap_or_default();
            let run = Log::read(start, &paths, with_lines, strictness)?;
            merged = Some(match merged {
                None => Merged::of(run),
                Some(merged) => merged.with(run, &path)?,
            });
        }
        merged.ok_or_else(|| Refusal::usage("give the log of a run"))
    }

    fn of(Log { start, plan, results, timeline, lines }: Log) -> Merged {
        Merged { start, plan, results, timelines: vec![timeline], lines }
    }

    /// Expectations of one profile say nothing about runs of another.
    fn with(mut self, run: Log, path: &Path) -> Result<Merged, Refusal> {
        if !are_alike(&self.start, &run.start) {
            return Err(Refusal::usage(format!(
                "{} is of another profile or other overrides ({}) than the first log ({}): runs are merged only where \
                 they are alike; render them one by one",
                path.display(),
                described(&run.start),
                described(&self.start),
            )));
        }
        self.results = self.results.merge(run.results);
        self.timelines.push(run.timeline);
        self.lines.extend(run.lines);
        Ok(self)
    }
}

/// Whether runs are of one profile with the same overrides. The seed may be another.
pub(super) fn are_alike(first: &RunStarted, other: &RunStarted) -> bool {
    first.profile == other.profile
        && first.overrides == other.overrides
        && first.azure_fault_messages == other.azure_fault_messages
}

/// What a run was of: its profile's name, and its overrides.
pub(super) fn described(start: &RunStarted) -> String {
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
    fn read(
        start: RunStarted,
        paths: &[PathBuf],
        with_lines: bool,
        strictness: Option<&str>,
    ) -> Result<Log, Refusal> {
        let plan = plan(&start, strictness)?;
        let mut reading = Reading {
            version: start.version.clone(),
            measures: Measures::new(&plan),
            timeline: Timeline::default(),
            resource_log: with_lines.then(|| ResourceLog::new(&plan)),
            lines: Vec::new(),
            end: Time::ZERO,
            numbers: Numbers::default(),
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
    /// Of the brownout that wrote it.
    version: String,
    measures: Measures,
    timeline: Timeline,
    resource_log: Option<ResourceLog>,
    lines: Vec<String>,
    end: Time,
    numbers: Numbers,
}

impl Reading {
    fn part(&mut self, path: &Path) -> Result<(), Refusal> {
        let way_out = way_out(&self.version);
        let bad = |line: usize, problem: String| {
            Refusal::usage(format!("{}:{line}: {problem}; {way_out}", path.display()))
        };
        let file = File::open(path)
            .map_err(|error| Refusal::usage(format!("cannot read {}: {error}", path.display())))?;
        // As bytes: half a line may end amid a letter.
        let mut lines = BufReader::new(file).split(b'\n').zip(1..);
        while let Some((line, number)) = lines.next() {
            let line = line.map_err(|error| bad(number, error.to_string()))?;
            match serde_json::from_slice::<Event>(&line) {
                Ok(event) => {
                    let place =
                        if number == 1 { self.numbers.begin(&event) } else { self.numbers.follow(&event) };
                    match place.map_err(|error| bad(number, error.to_string()))? {
                        Place::New => self.take(&event),
                        Place::Told => {}
                    }
                }
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
    }
}

/// What to do about a line that is not understood in a log of this version.
fn way_out(version: &str) -> String {
    let own = env!("CARGO_PKG_VERSION");
    if version == own {
        return "give an events.jsonl as brownout wrote it".into();
    }
    let version = printable(version);
    format!("it is of brownout {version}, and this is {own}: read it by that, if nobody has changed it")
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The log of a run of this version of brownout that saw a device, and ends with these bytes.
    fn log_of(version: &str, end: &[u8]) -> Result<Merged, Refusal> {
        let profile = "brownout: 1\\nname: quiet\\nsummary: Nothing.\\nrules: []\\n";
        let start = format!(
            r#"{{"seq":0,"t":0,"event":"run_started","version":"{version}","wall_clock":"2026-01-01T00:00:00Z","seed":1,"profile_name":"quiet","profile":"{profile}"}}"#
        );
        let named = r#"{"seq":1,"t":1,"event":"device_named","device":0,"name":"Öl"}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, [start.as_bytes(), b"\n", named.as_bytes(), b"\n", end].concat()).unwrap();
        Merged::read(&[path], false, None)
    }

    fn log(end: &[u8]) -> Result<Merged, Refusal> {
        log_of(env!("CARGO_PKG_VERSION"), end)
    }

    #[test]
    fn what_a_later_version_tells_is_to_be_read_by_that() {
        let line = b"{\"seq\":2,\"t\":2,\"event\":\"moon_rose\"}\n";
        let told = |version| log_of(version, line).err().unwrap().message;
        assert!(told("999.0.0").contains("`moon_rose`"), "{}", told("999.0.0"));
        assert!(told("999.0.0").contains("it is of brownout 999.0.0, and this is "), "{}", told("999.0.0"));
        assert!(told(env!("CARGO_PKG_VERSION")).ends_with("as brownout wrote it"));
    }

    /// A run that is killed leaves half a line, and the half may be that of a letter.
    #[test]
    fn a_log_that_breaks_off_counts_up_to_there() {
        let line =
            "{\"seq\":2,\"t\":2,\"event\":\"device_named\",\"device\":1,\"name\":\"Größe\"}\n".as_bytes();
        for cut in 0..=line.len() {
            let read = log(&line[..cut]).unwrap_or_else(|refusal| panic!("{cut}: {}", refusal.message));
            let whole = cut >= line.len() - 1;
            assert_eq!(read.results.runs[0].events, if whole { 3 } else { 2 }, "{cut}");
        }
    }

    #[test]
    fn half_a_line_amid_a_log_is_none_of_brownouts() {
        for end in [&b"{\"seq\":2,\"t\":2\n\n"[..], b"{\"name\":\"\xc3\n{}\n", b"\xc3\x28\n", b"\xff"] {
            let refusal = log(end).err().unwrap().message;
            assert!(refusal.contains("events.jsonl:3: "), "{refusal}");
        }
    }

    /// As an editor of another system leaves it.
    #[test]
    fn lines_may_end_as_elsewhere() {
        let line = b"{\"seq\":2,\"t\":2,\"event\":\"device_named\",\"device\":1,\"name\":\"b\"}\r\n";
        assert_eq!(log(line).unwrap().results.runs[0].events, 3);
    }
}
