//! Who watches: a thread that takes the events in, and hands out what they come to: at each event what is to be told of it
//! and the logs, at each interval the summary and the report.

use super::forms::Forms;
use super::rotation::Rotation;
use super::voice::Voice;
use crate::base::Time;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::quiet::Quiet;
use crate::cli::recorder::Log;
use crate::event::Event;
use crate::measure::Results;
use crate::net::Clock;
use crate::net::EventQueue;
use crate::net::queue::{Consumer, Taken};
use crate::profile::Plan;
use crate::report::observe::{Anchor, Chapters, Interval};
use crate::report::{Report, ResourceLog, Timeline};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where things go.
#[derive(Debug)]
pub struct Outlets {
    /// Standard output.
    pub voice: Voice,
    /// The log.
    pub log: Option<Rotation>,
    /// The directory of the forms of the report.
    pub forms: Option<PathBuf>,
    /// The resource log.
    pub resource: Option<File>,
}

/// Who watches, on a thread of its own.
#[derive(Debug)]
pub struct Desk(Consumer<Exit>);

impl Desk {
    /// Takes what comes out of the queue, until it is closed. Called where the links run.
    pub fn start(
        queue: &EventQueue,
        plan: &Plan,
        clock: Clock,
        interval: Duration,
        outlets: Outlets,
    ) -> Desk {
        let Outlets { voice, log, forms, resource } = outlets;
        let forms = forms.map(|directory| Forms::start(&directory, plan));
        let watch = Watch {
            plan: plan.clone(),
            clock,
            interval,
            boundary: boundary(Time::ZERO, interval, plan.duration),
            chapters: Chapters::new(plan),
            lines: ResourceLog::new(plan),
            resource: Log::new("the resource log", resource),
            voice,
            log,
            forms,
            last: Time::ZERO,
            quiet: Quiet::new(),
        };
        Desk(queue.consume(|queue| watch.run(queue)))
    }

    /// Waits for the queue to close, and for all to be told.
    pub fn finish(self) -> Exit {
        self.0.finish().unwrap_or_else(|panicked| Refusal::from(panicked).tell())
    }
}

struct Watch {
    plan: Plan,
    clock: Clock,
    interval: Duration,
    /// When the interval ends; `None`: with the observation.
    boundary: Option<Time>,
    chapters: Chapters,
    lines: ResourceLog,
    resource: Log,
    voice: Voice,
    log: Option<Rotation>,
    forms: Option<Forms>,
    /// The time of the latest event.
    last: Time,
    quiet: Quiet,
}

impl Watch {
    fn run(mut self, queue: &EventQueue) -> Exit {
        loop {
            let quiet = self.quiet.left(Instant::now());
            if quiet == Some(Duration::ZERO) {
                queue.shrink();
                self.chapters.pack_up(self.clock.now());
                self.quiet.give_back();
                continue;
            }
            let left = self.boundary.map(|boundary| boundary.since(self.clock.now()));
            match queue.take_within(quiet.into_iter().chain(left).min()) {
                Taken::Events(events) => {
                    for event in &events {
                        self.pass(event.at);
                        self.take(event);
                    }
                    self.flush();
                }
                Taken::Nothing => self.pass(self.clock.now()),
                Taken::Closed => return self.conclude(),
            }
        }
    }

    /// Ends the intervals that are over by this time.
    fn pass(&mut self, now: Time) {
        while let Some(at) = self.boundary.filter(|boundary| now >= *boundary) {
            self.boundary = boundary(at, self.interval, self.plan.duration);
            let (results, timeline) = self.tell(at);
            if let Some(forms) = &mut self.forms {
                forms.write(&results, &timeline);
            }
        }
    }

    fn take(&mut self, event: &Event) {
        if let Some(log) = &mut self.log {
            log.write(event, self.chapters.snapshot());
        }
        self.quiet.push(event);
        let news = self.chapters.push(event);
        if self.resource.is_open() {
            for line in self.lines.push(event, self.chapters.measures()) {
                self.resource.write(|log| writeln!(log, "{line}"));
            }
        }
        if !news.is_empty() {
            self.voice.news(&news, self.anchor());
        }
        self.last = event.at;
    }

    fn flush(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        self.resource.write(Write::flush);
    }

    /// Tells what the interval until this moment came to.
    fn tell(&mut self, at: Time) -> (Results, Timeline) {
        let anchor = self.anchor();
        let Interval { summary, results, timeline, news } = self.chapters.interval(at, anchor);
        self.voice.news(&news, anchor);
        self.voice.summary(&summary);
        (results, timeline)
    }

    fn conclude(mut self) -> Exit {
        let (results, timeline) = self.tell(self.last);
        let total = self.chapters.total(self.last, self.anchor());
        self.voice.conclude(&Report::new(&self.plan, &results), &total);
        let mut exit = Exit::Met;
        let trouble = |told: String| Refusal::environment(told).tell();
        if let Some(error) = self.log.and_then(Rotation::into_trouble) {
            exit = trouble(format!("events.jsonl is not complete: {error}"));
        }
        if let Some((log, error)) = self.resource.into_trouble() {
            exit = trouble(format!("{log} is not complete: {error}"));
        }
        if let Some(told) = self.forms.and_then(|forms| forms.conclude(&results, &timeline)) {
            exit = trouble(told);
        }
        exit
    }

    fn anchor(&self) -> Anchor {
        Anchor { wall: jiff::Timestamp::now(), at: self.clock.now() }
    }
}

/// When the interval that begins then ends; `None`: with an observation of this duration. One that began as that ends would be of
/// the links' last words alone, and its report would take the place of one that is of something.
fn boundary(begins: Time, interval: Duration, duration: Option<Duration>) -> Option<Time> {
    let end = begins + interval;
    let is_last = duration.is_some_and(|duration| end >= Time::ZERO + duration);
    (!is_last).then_some(end)
}
