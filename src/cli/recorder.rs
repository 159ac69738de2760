//! The consumer of a run's events: writes the logs, folds the measures, shows progress. A thread of its own, so that a
//! slow disk or terminal never holds up a link.

use super::exit::Refusal;
use super::progress::Progress;
use super::quiet::Quiet;
use crate::base::Time;
use crate::event::{Event, Line};
use crate::measure::Measures;
use crate::net::queue::{Consumer, Taken};
use crate::net::sys::privilege;
use crate::net::{Clock, EventQueue};
use crate::profile::Plan;
use crate::report::{ResourceLog, Timeline};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

/// How much of a log is written at once: a page or two at a time cost some system calls more for each link.
const BUFFER: usize = 32 * 1024;

/// So many events are written down before they are measured, and measured before they are drawn: the code of one of these finds
/// room in a core's caches, that of all three does not.
const AT_A_TIME: usize = 256;

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
pub struct Recorder(Consumer<Record>);

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
    /// Records what comes out of the queue, until it is closed. Called where the links run.
    pub fn start(queue: &EventQueue, plan: &Plan, logs: Logs, progress: Progress, clock: Clock) -> Recorder {
        let tape = Tape {
            measures: Measures::new(plan),
            timeline: Timeline::default(),
            end: Time::ZERO,
            line: Line::default(),
            events: Log::new("events.jsonl", logs.events),
            resource: Log::new("the resource log", logs.resource),
            lines: ResourceLog::new(plan),
            progress,
            quiet: Quiet::new(),
            clock,
        };
        Recorder(queue.consume(move |queue| {
            privilege::renounce();
            tape.run(queue)
        }))
    }

    /// Waits for the queue to close, and hands out what was recorded; or says that the recorder panicked.
    pub fn finish(self) -> Result<Record, Refusal> {
        self.0.finish().map_err(Refusal::from)
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
    quiet: Quiet,
    clock: Clock,
}

impl Tape {
    fn run(mut self, queue: &EventQueue) -> Record {
        loop {
            let left = self.quiet.left(Instant::now());
            if left == Some(Duration::ZERO) {
                queue.shrink();
                self.give_back();
                continue;
            }
            self.progress.tick(&self.measures);
            match queue.take_within(left.into_iter().chain(self.progress.left()).min()) {
                Taken::Events(batch) => self.take(batch),
                Taken::Nothing => continue,
                Taken::Closed => break,
            }
            self.events.write(Write::flush);
            self.resource.write(Write::flush);
        }
        self.progress.finish();
        let troubles = [self.events, self.resource].into_iter().filter_map(Log::into_trouble).collect();
        Record { measures: self.measures, timeline: self.timeline, end: self.end, troubles }
    }

    fn give_back(&mut self) {
        self.measures.pack_up(self.clock.now());
        self.timeline.pack_up();
        self.quiet.give_back();
    }

    fn take(&mut self, mut events: VecDeque<Event>) {
        while !events.is_empty() {
            let some = events.len().min(AT_A_TIME);
            events.range(..some).for_each(|event| self.write_down(event));
            events.range(..some).for_each(|event| self.measure(event));
            events.drain(..some).for_each(|event| self.draw(&event));
        }
    }

    fn write_down(&mut self, event: &Event) {
        let line = &mut self.line;
        self.events.write(|log| log.write_all(line.of(event)?));
    }

    /// What the resource log and progress say of an event is what the measures were when it had come.
    fn measure(&mut self, event: &Event) {
        self.measures.push(event);
        if self.resource.is_open() {
            for line in self.lines.push(event, &self.measures) {
                self.resource.write(|log| writeln!(log, "{line}"));
            }
        }
        self.progress.push(event, &self.measures);
    }

    fn draw(&mut self, event: &Event) {
        self.timeline.push(event);
        self.quiet.push(event);
        self.end = event.at;
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
