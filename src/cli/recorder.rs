//! The consumer of a run's events: writes the log, folds the measures, shows progress. A thread of its own, so that a
//! slow disk or terminal never holds up a link.

use super::progress::Progress;
use crate::base::Time;
use crate::event::Event;
use crate::measure::Measures;
use crate::net::EventQueue;
use crate::profile::Plan;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::thread::{self, JoinHandle};

/// A running recorder.
#[derive(Debug)]
pub struct Recorder(JoinHandle<Record>);

/// What came of it.
#[derive(Debug)]
pub struct Record {
    /// All events, folded.
    pub measures: Measures,
    /// The time of the last event.
    pub end: Time,
    /// Why the log is not complete, if it is not.
    pub trouble: Option<io::Error>,
}

impl Recorder {
    /// Records what comes out of the queue, until it is closed.
    pub fn start(queue: EventQueue, plan: &Plan, log: Option<File>, progress: Progress) -> Recorder {
        let tape = Tape {
            record: Record { measures: Measures::new(plan), end: Time::ZERO, trouble: None },
            log: log.map(BufWriter::new),
            progress,
        };
        Recorder(thread::spawn(move || tape.run(&queue)))
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
    record: Record,
    log: Option<BufWriter<File>>,
    progress: Progress,
}

impl Tape {
    fn run(mut self, queue: &EventQueue) -> Record {
        while let Some(batch) = queue.take() {
            for event in &batch {
                self.take(event);
            }
            if let Some(Err(error)) = self.log.as_mut().map(Write::flush) {
                self.give_up_log(error);
            }
        }
        self.progress.finish();
        self.record
    }

    fn take(&mut self, event: &Event) {
        if let Some(Err(error)) = self.log.as_mut().map(|log| write_line(log, event)) {
            self.give_up_log(error);
        }
        self.record.measures.push(event);
        self.record.end = event.at;
        self.progress.push(event);
    }

    /// The run goes on without its log: its figures come from memory.
    fn give_up_log(&mut self, error: io::Error) {
        tracing::error!("events.jsonl ends here: {error}; the run goes on, and its report will be complete");
        self.log = None;
        self.record.trouble = Some(error);
    }
}

fn write_line(log: &mut BufWriter<File>, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *log, event)?;
    log.write_all(b"\n")
}
