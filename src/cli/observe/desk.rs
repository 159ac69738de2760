//! Who watches: a thread that takes the events in, chapter by chapter.
//!
//! ```text
//!   events ──▶ measures, timeline ──▶ at each interval: summary, report; then both begin anew, with what lives now
//!      └─────▶ snapshot, log, resource log, observation: these go on
//! ```
//!
//! A chapter ends with its interval, or when it has seen [`MOST_LINKS`] links: so memory is bounded by what lives, whatever
//! comes and goes.

use super::forms::Forms;
use super::rotation::Rotation;
use super::voice::Voice;
use crate::base::Time;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::recorder::Log;
use crate::event::{Event, What};
use crate::measure::{Measures, Results};
use crate::net::Clock;
use crate::net::EventQueue;
use crate::net::queue::Taken;
use crate::profile::Plan;
use crate::report::observe::Anchor;
use crate::report::{Observation, Report, ResourceLog, Timeline};
use crate::session::Snapshot;
use std::fs::File;
use std::io::Write;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A chapter of so many links is long enough: some 20 MB.
const MOST_LINKS: u32 = 20_000;

/// Where things go.
#[derive(Debug)]
pub struct Outlets {
    /// Standard output.
    pub voice: Voice,
    /// The log.
    pub log: Option<Rotation>,
    /// The forms of the report.
    pub forms: Option<Forms>,
    /// The resource log.
    pub resource: Option<File>,
}

/// Who watches, on a thread of its own.
#[derive(Debug)]
pub struct Desk(JoinHandle<Exit>);

impl Desk {
    /// Takes what comes out of the queue, until it is closed.
    pub fn start(queue: EventQueue, plan: &Plan, clock: Clock, interval: Duration, outlets: Outlets) -> Desk {
        let Outlets { voice, log, forms, resource } = outlets;
        let watch = Watch {
            plan: plan.clone(),
            clock,
            interval,
            boundary: Time::ZERO + interval,
            measures: Measures::new(plan),
            timeline: Timeline::default(),
            snapshot: Snapshot::default(),
            observation: Observation::new(plan),
            lines: ResourceLog::new(plan),
            resource: Log::new("the resource log", resource),
            voice,
            log,
            forms,
            chapter: 0,
            links: 0,
            next_seq: 0,
            last: Time::ZERO,
        };
        Desk(thread::spawn(move || watch.run(&queue)))
    }

    /// Waits for the queue to close, and for all to be told.
    pub fn finish(self) -> Exit {
        match self.0.join() {
            Ok(exit) => exit,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Watch {
    plan: Plan,
    clock: Clock,
    interval: Duration,
    /// When the interval ends.
    boundary: Time,
    measures: Measures,
    timeline: Timeline,
    snapshot: Snapshot,
    observation: Observation,
    lines: ResourceLog,
    resource: Log,
    voice: Voice,
    log: Option<Rotation>,
    forms: Option<Forms>,
    chapter: u32,
    /// Links opened in the chapter.
    links: u32,
    next_seq: u64,
    last: Time,
}

impl Watch {
    fn run(mut self, queue: &EventQueue) -> Exit {
        loop {
            let left = self.boundary.since(self.clock.now());
            match queue.take_within(left) {
                Taken::Events(events) => {
                    for event in &events {
                        while event.at >= self.boundary {
                            self.interval_is_over();
                        }
                        self.take(event);
                    }
                    self.flush();
                }
                Taken::Nothing => {
                    while self.clock.now() >= self.boundary {
                        self.interval_is_over();
                    }
                }
                Taken::Closed => return self.conclude(),
            }
        }
    }

    fn take(&mut self, event: &Event) {
        if let What::LinkOpened { .. } = event.what {
            if self.links >= MOST_LINKS {
                let results = self.measures.results(event.at);
                self.turn(event.at, &results);
            }
            self.links += 1;
        }
        if let Some(log) = &mut self.log {
            log.write(event, &self.snapshot);
        }
        self.measures.push(event);
        self.timeline.push(event);
        if self.resource.is_open() {
            for line in self.lines.push(event, &self.measures) {
                self.resource.write(|log| writeln!(log, "{line}"));
            }
        }
        let news = self.observation.push(event, &self.measures, self.snapshot.sessions());
        if !news.is_empty() {
            self.voice.news(&news, self.anchor());
        }
        self.snapshot.push(event);
        (self.next_seq, self.last) = (event.seq + 1, event.at);
    }

    fn flush(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        self.resource.write(Write::flush);
    }

    fn interval_is_over(&mut self) {
        let at = self.boundary;
        self.boundary += self.interval;
        self.tell(at);
    }

    /// The report and the summary as of this moment; then a new chapter. The report comes back.
    fn tell(&mut self, at: Time) -> Report {
        let results = self.measures.results(at);
        let report = Report::new(&self.plan, &results);
        if let Some(forms) = &mut self.forms {
            forms.write(&report, &self.timeline);
        }
        self.turn(at, &results);
        let anchor = self.anchor();
        let summary = self.observation.interval(at, anchor, self.snapshot.sessions());
        self.voice.summary(&summary);
        report
    }

    /// A new chapter: measures that know what lives now, and nothing else.
    fn turn(&mut self, at: Time, results: &Results) {
        self.chapter = self.chapter.saturating_add(1);
        let mut next = Measures::new(&self.plan);
        let mut timeline = Timeline::default();
        for event in &self.snapshot.begin(self.chapter, self.next_seq, at) {
            next.push(event);
            timeline.push(event);
        }
        for run in &results.runs {
            let news = self.observation.turn(run, &self.measures, &next);
            self.voice.news(&news, self.anchor());
        }
        (self.measures, self.timeline, self.links) = (next, timeline, 0);
    }

    fn conclude(mut self) -> Exit {
        let report = self.tell(self.last);
        let total = self.observation.total(self.last, self.anchor(), self.snapshot.sessions());
        self.voice.conclude(&report, &total);
        let mut exit = Exit::Met;
        let trouble = |told: String| Refusal::environment(told).tell();
        if let Some(error) = self.log.and_then(Rotation::into_trouble) {
            exit = trouble(format!("events.jsonl is not complete: {error}"));
        }
        if let Some((log, error)) = self.resource.into_trouble() {
            exit = trouble(format!("{log} is not complete: {error}"));
        }
        if let Some(told) = self.forms.and_then(Forms::into_trouble) {
            exit = trouble(told);
        }
        exit
    }

    fn anchor(&self) -> Anchor {
        Anchor { wall: jiff::Timestamp::now(), at: self.clock.now() }
    }
}
