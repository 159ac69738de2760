//! The consumer of a run's events: writes the logs, folds the measures, shows progress. A thread of its own, so that a
//! slow disk or terminal never holds up a link.

use super::progress::Progress;
use crate::base::Time;
use crate::event::{Event, Line, What};
use crate::measure::Measures;
use crate::net::EventQueue;
use crate::net::sys::{memory, privilege};
use crate::profile::Plan;
use crate::report::{ResourceLog, Timeline};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How much of a log is written at once: a page or two at a time cost some system calls more for each link.
const BUFFER: usize = 32 * 1024;

/// The files that are written as the run goes, where they are wanted.
#[derive(Debug, Default)]
pub struct Logs {
    /// `events.jsonl`.
    pub events: Option<File>,
    /// The resource log.
    pub resource: Option<File>,
}

/// A running recorder.
#[derive(Debug)]
pub struct Recorder(JoinHandle<Record>);

/// What came of it.
#[derive(Debug)]
pub struct Record {
    /// All events, folded.
    pub measures: Measures,
    /// The same, for pictures.
    pub timeline: Timeline,
    /// The time of the last event.
    pub end: Time,
    /// Which logs are not complete, and why.
    pub troubles: Vec<(&'static str, io::Error)>,
}

impl Recorder {
    /// Records what comes out of the queue, until it is closed.
    pub fn start(queue: EventQueue, plan: &Plan, logs: Logs, progress: Progress) -> Recorder {
        let tape = Tape {
            measures: Measures::new(plan),
            timeline: Timeline::default(),
            end: Time::ZERO,
            line: Line::default(),
            events: Log::new("events.jsonl", logs.events),
            resource: Log::new("the resource log", logs.resource),
            lines: ResourceLog::new(plan),
            progress,
            crowd: Crowd::default(),
        };
        Recorder(thread::spawn(move || {
            privilege::renounce();
            tape.run(&queue)
        }))
    }

    /// Waits for the queue to close, and hands out what was recorded.
    pub fn finish(self) -> Record {
        match self.0.join() {
            Ok(record) => record,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Tape {
    measures: Measures,
    timeline: Timeline,
    end: Time,
    line: Line,
    events: Log,
    resource: Log,
    lines: ResourceLog,
    progress: Progress,
    crowd: Crowd,
}

/// So many links at once make it worth while to give memory back when most of them are gone.
const CROWD: usize = 512;

/// So long they have to stay away: giving back makes others wait to allocate, which must not fall on devices that come back.
const AWAY: Duration = Duration::from_secs(10);

/// Links at once: how many there are, and how many there were at most since it was last seen that most of them had gone.
#[derive(Debug, Default)]
struct Crowd {
    links: Arc<AtomicUsize>,
    most: usize,
    /// Somebody waits to see whether they stay away.
    watched: Arc<AtomicBool>,
}

impl Crowd {
    fn push(&mut self, event: &Event) {
        let links = self.links.load(Relaxed);
        if matches!(event.what, What::LinkOpened { .. }) {
            self.links.store(links + 1, Relaxed);
            self.most = self.most.max(links + 1);
        } else if matches!(event.what, What::LinkClosed { .. }) {
            self.links.store(links.saturating_sub(1), Relaxed);
        }
    }

    /// Whether most of a crowd has gone: no more than so many are left. It is said once.
    fn has_gone(&mut self) -> Option<usize> {
        let (few, links) = (self.most / 4, self.links.load(Relaxed));
        if self.most < CROWD || links > few {
            return None;
        }
        self.most = links;
        Some(few)
    }

    /// Has memory given back if most of a crowd has gone, and stays away.
    fn clear_up(&mut self) {
        let Some(few) = self.has_gone() else { return };
        if self.watched.swap(true, Relaxed) {
            return;
        }
        let (links, watched) = (Arc::clone(&self.links), Arc::clone(&self.watched));
        let work = move || {
            thread::sleep(AWAY);
            if links.load(Relaxed) <= few {
                memory::give_back();
            }
            watched.store(false, Relaxed);
        };
        // Without a thread, memory stays where it is.
        if thread::Builder::new().spawn(work).is_err() {
            self.watched.store(false, Relaxed);
        }
    }
}

impl Tape {
    fn run(mut self, queue: &EventQueue) -> Record {
        while let Some(batch) = queue.take() {
            // One after the other they go, and make room for those that come.
            batch.into_iter().for_each(|event| self.take(&event));
            self.events.write(Write::flush);
            self.resource.write(Write::flush);
            self.crowd.clear_up();
        }
        self.progress.finish();
        let troubles = [self.events, self.resource].into_iter().filter_map(Log::into_trouble).collect();
        Record { measures: self.measures, timeline: self.timeline, end: self.end, troubles }
    }

    fn take(&mut self, event: &Event) {
        let line = &mut self.line;
        self.events.write(|log| log.write_all(line.of(event)?));
        self.measures.push(event);
        self.timeline.push(event);
        if self.resource.is_open() {
            for line in self.lines.push(event, &self.measures) {
                self.resource.write(|log| writeln!(log, "{line}"));
            }
        }
        self.end = event.at;
        self.crowd.push(event);
        self.progress.push(event, &mut self.measures);
    }
}

/// A log that is written as long as that goes well.
pub(super) struct Log {
    name: &'static str,
    file: Option<BufWriter<File>>,
    trouble: Option<io::Error>,
}

impl Log {
    pub fn new(name: &'static str, file: Option<File>) -> Log {
        Log { name, file: file.map(|file| BufWriter::with_capacity(BUFFER, file)), trouble: None }
    }

    pub fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// The run goes on without a log that cannot be written: its figures come from memory.
    pub fn write(&mut self, what: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        let Some(Err(error)) = self.file.as_mut().map(what) else { return };
        let name = self.name;
        tracing::error!("{name} ends here: {error}; the run goes on, and its report will be complete");
        self.file = None;
        self.trouble = Some(error);
    }

    pub fn into_trouble(self) -> Option<(&'static str, io::Error)> {
        self.trouble.map(|error| (self.name, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_has_gone_when_a_quarter_is_left_and_that_is_said_once() {
        let mut crowd = Crowd { most: 800, ..Crowd::default() };
        crowd.links.store(201, Relaxed);
        assert_eq!(crowd.has_gone(), None);
        crowd.links.store(200, Relaxed);
        assert_eq!((crowd.has_gone(), crowd.has_gone()), (Some(200), None));
        // Few are no crowd.
        crowd.most = CROWD - 1;
        crowd.links.store(0, Relaxed);
        assert_eq!(crowd.has_gone(), None);
    }
}
