//! What `brownout observe` tells while it watches: each end that is not as it should be, and a summary each interval.
//!
//! A fold over events beside the measures of the chapter that is under way. Chapters come and go, so that memory does not
//! grow with time; what is told over all of them is kept here, as sums. Invariant: an end, an outage, a message is counted in
//! one interval and once in the totals. Deliberately absent: any judgement of its own (measure/).
//!
//! ```text
//!   event ──▶ measures of the chapter ──▶ how a link ended ──▶ line, and count
//!                        └── results at the chapter's end ──▶ round trips, gaps, messages, findings ──▶ sums
//! ```

mod chapters;
mod ends;
mod outages;
mod summary;
mod text;
mod voice;

pub use chapters::{Chapters, Interval, MOST_LINKS};
pub use ends::Over;
pub use summary::{EndCount, Messages, NewFinding, Summary, Way};
pub use text::{end_line, summary_lines};

use crate::base::{Direction, LinkId, Side, Time};
use crate::event::{self, Event, Packet, Samples, What};
use crate::measure::{ConnectRate, Grade, HeldUp, Measures, RunResults};
use crate::profile::Plan;
use crate::session::Sessions;
use ends::{Ends, Kind};
use jiff::{SignedDuration, Timestamp};
use outages::Outages;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use voice::Voice;

/// So many findings are known by name; one that comes after so many others may be told again.
const MOST_FINDINGS: usize = 10_000;
/// So many kinds of ends are counted apart; codes that peers choose would have no end.
const MOST_KINDS: usize = 64;

/// A moment by the wall clock and by the run's, for times that people read. Taken anew often: the wall clock may jump.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    /// By the wall clock.
    pub wall: Timestamp,
    /// The same moment of the run.
    pub at: Time,
}

impl Anchor {
    /// A moment of the run by the wall clock, in UTC, to the second: `2026-11-21 09:00:05Z`.
    pub fn told(&self, at: Time) -> String {
        self.wall(at).strftime("%Y-%m-%d %H:%M:%SZ").to_string()
    }

    /// The same without the day: `09:00:05Z`.
    pub fn told_briefly(&self, at: Time) -> String {
        self.wall(at).strftime("%H:%M:%SZ").to_string()
    }

    fn wall(&self, at: Time) -> Timestamp {
        let ago = SignedDuration::try_from(self.at.since(at)).unwrap_or(SignedDuration::ZERO);
        let ahead = SignedDuration::try_from(at.since(self.at)).unwrap_or(SignedDuration::ZERO);
        self.wall.checked_sub(ago).and_then(|wall| wall.checked_add(ahead)).unwrap_or(self.wall)
    }
}

/// The fold.
#[derive(Clone, Debug)]
pub struct Observation {
    plan: Plan,
    ends: Ends,
    outages: Outages,
    rate: ConnectRate,
    voice: Voice,
    known: BTreeSet<(&'static str, String)>,
    since: Time,
    interval: Tally,
    total: Tally,
}

/// Sums of an interval, or of all of them.
#[derive(Clone, Debug, Default)]
struct Tally {
    links: u64,
    without_connect: u64,
    ends: BTreeMap<Kind, u64>,
    other_ends: u64,
    connect_rate: u64,
    outages: u64,
    worst: Option<(Duration, String)>,
    violations: u64,
    held_up: Option<HeldUp>,
    ping: Samples,
    publish: Samples,
    up: event::Delivery,
    down: event::Delivery,
    findings: Vec<NewFinding>,
    found: u64,
}

/// Something to be told at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A link ended otherwise than with DISCONNECT.
    End(Over),
    /// So many more did, that there was no room to tell of.
    More(u64),
}

impl Observation {
    /// Of a run of this plan.
    pub fn new(plan: &Plan) -> Observation {
        Observation {
            plan: plan.clone(),
            ends: Ends::default(),
            outages: Outages::default(),
            rate: ConnectRate::default(),
            voice: Voice::default(),
            known: BTreeSet::new(),
            since: Time::ZERO,
            interval: Tally::default(),
            total: Tally::default(),
        }
    }

    /// Takes in an event that `measures` has taken in, and `before` has not yet. Answers with what is to be told.
    pub fn push(&mut self, event: &Event, measures: &Measures, before: &Sessions) -> Vec<News> {
        if let What::LinkOpened { .. } = event.what {
            self.rate.connect(event.at);
            self.interval.links += 1;
        }
        let Some(link) = event.what.link() else { return Vec::new() };
        if let Some((outage, name)) = self.outages.push(event, link, before) {
            self.interval.has_outage(outage, name);
        }
        let mut over = Vec::new();
        if is_answer(event) {
            over.extend(self.ends.settle(link, measures, &self.plan));
        }
        let is_closed = matches!(event.what, What::LinkClosed { .. });
        if is_closed {
            over.extend(self.ends.settle(link, measures, &self.plan));
        }
        if is_closed || is_end_for_the_hub(event) {
            over.extend(self.over(link, is_closed, measures, before));
        }
        over.into_iter().flat_map(|over| self.tell(over)).collect()
    }

    fn over(
        &mut self,
        link: LinkId,
        is_closed: bool,
        measures: &Measures,
        before: &Sessions,
    ) -> Option<Over> {
        let known = before.device_of(link).zip(before.link(link));
        let over = known
            .and_then(|(device, live)| self.ends.over(link, &device.name, live.opened, measures, &self.plan));
        if is_closed {
            self.interval.without_connect += u64::from(known.is_none());
            self.ends.gone(link);
        }
        over
    }

    /// The chapter is over: what its measures came to is added up, and `next` goes on from what lives now.
    pub fn turn(&mut self, results: &RunResults, old: &Measures, next: &Measures) -> Vec<News> {
        self.interval.add_results(results);
        for finding in results.findings.iter().filter(|finding| finding.grade >= Grade::Warn) {
            let name = finding.device.map(|device| results.name(device).to_owned());
            let is_new = self.known.insert((finding.id, name.clone().unwrap_or_default()));
            if self.known.len() > MOST_FINDINGS {
                self.known.pop_first();
            }
            if is_new {
                self.interval.finds(NewFinding::of(finding, name));
            }
        }
        let over = self.ends.turn(old, next, &self.plan);
        over.into_iter().flat_map(|over| self.tell(over)).collect()
    }

    /// The interval is over, after its last chapter: its summary.
    pub fn interval(&mut self, at: Time, anchor: Anchor, sessions: &Sessions) -> Summary {
        self.outages.forget(sessions);
        let mut tally = std::mem::take(&mut self.interval);
        tally.connect_rate = self.rate.take_peak();
        let untold = self.voice.rest();
        let mut summary = Summary::of(&tally, &self.outages, sessions, self.since, at, anchor);
        (summary.kind, summary.ends_not_told) = ("interval", untold);
        self.total.merge(&tally);
        summary.findings_so_far = self.total.found;
        self.since = at;
        summary
    }

    /// The totals over all intervals that are over.
    pub fn total(&self, at: Time, anchor: Anchor, sessions: &Sessions) -> Summary {
        let mut summary = Summary::of(&self.total, &self.outages, sessions, Time::ZERO, at, anchor);
        (summary.kind, summary.findings_so_far) = ("total", self.total.found);
        summary
    }

    fn tell(&mut self, over: Over) -> Vec<News> {
        self.interval.add_end(over.kind);
        if !over.is_unusual() {
            return Vec::new();
        }
        let (may, more) = self.voice.may_tell(over.at);
        if !may {
            return Vec::new();
        }
        (more > 0).then_some(News::More(more)).into_iter().chain([News::End(over)]).collect()
    }
}

/// Whether it is the hub's answer to a CONNECT, which may tell how an older link ended.
fn is_answer(event: &Event) -> bool {
    matches!(
        event.what,
        What::Packet { direction: Direction::Down, packet: Packet::Connack { .. }, .. }
            | What::FirstData { direction: Direction::Down, .. }
    )
}

/// Whether the hub has ended its leg, or was told that the device has. The device's leg may be there for long then, where
/// nobody is left to answer.
fn is_end_for_the_hub(event: &Event) -> bool {
    matches!(event.what, What::LegEnded { side: Side::Hub, .. } | What::EndCarried { to: Side::Hub, .. })
}

impl Tally {
    fn add_end(&mut self, kind: Kind) {
        let is_known = self.ends.contains_key(&kind) || self.ends.len() < MOST_KINDS;
        *(if is_known { self.ends.entry(kind).or_default() } else { &mut self.other_ends }) += 1;
    }

    /// The same of many devices is told as one, with the first of them: a fleet of one make would fill pages.
    fn finds(&mut self, new: NewFinding) {
        self.found += 1 + new.more_devices;
        match self.findings.iter_mut().find(|known| known.id == new.id && known.grade == new.grade) {
            Some(known) => known.more_devices += 1 + new.more_devices,
            None => self.findings.push(new),
        }
    }

    fn has_outage(&mut self, took: Duration, name: String) {
        self.outages += 1;
        if self.worst.as_ref().is_none_or(|(worst, _)| *worst < took) {
            self.worst = Some((took, name));
        }
    }

    fn is_held_up(&mut self, more: Option<HeldUp>) {
        self.held_up = self.held_up.into_iter().chain(more).reduce(HeldUp::and);
    }

    fn add_results(&mut self, results: &RunResults) {
        self.is_held_up(results.trouble.held_up);
        for device in results.devices.values() {
            self.violations += device.violations;
            self.ping.merge(&device.ping_rtt);
            self.publish.merge(&device.publish_rtt);
            self.up.add(device.delivery.counts.get(Direction::Up));
            self.down.add(device.delivery.counts.get(Direction::Down));
        }
    }

    /// Adds an interval; its findings are counted, and not kept.
    fn merge(&mut self, more: &Tally) {
        self.links += more.links;
        self.without_connect += more.without_connect;
        self.other_ends += more.other_ends;
        for (kind, times) in &more.ends {
            let is_known = self.ends.contains_key(kind) || self.ends.len() < MOST_KINDS;
            *(if is_known { self.ends.entry(*kind).or_default() } else { &mut self.other_ends }) += times;
        }
        self.connect_rate = self.connect_rate.max(more.connect_rate);
        let outages = self.outages + more.outages;
        if let Some((took, name)) = &more.worst {
            self.has_outage(*took, name.clone());
        }
        self.outages = outages;
        self.violations += more.violations;
        self.is_held_up(more.held_up);
        self.ping.merge(&more.ping);
        self.publish.merge(&more.publish);
        self.up.add(&more.up);
        self.down.add(&more.down);
        self.found += more.found;
    }
}

#[cfg(test)]
mod tests;
