//! From what a simulated run shows to figures: a fold over the sights of one device.
//!
//! Owns what each figure of [`Figures`] means, but for the radio's (access). An end's own word counts: the device knows by its
//! `NoticedDead`, the hub by its own `Disconnected`.
//!
//! ```text
//!   outage    ┌────────────────────────┐restored
//!   device ───┼──── thinks it has a link ────╳ notices ── dials ── accepted
//!   hub    ───┼───────────╳ gives it up                            accepts
//!             ├───────────┤ hub detection
//!             ├──────────────────────────────┤ device detection
//!                         ├──────────────────┤ split view
//!                                      ├───────────────────────────┤ recovery
//! ```
//!
//! Each link that is lost has one cause: the first outage since the last packet passed that swallowed something of the device,
//! or the path had forgotten it before, or neither, which is a false disconnect. An outage that a link survives gives no sample
//! of detection: there was nothing to detect.

mod links;
mod messages;
#[cfg(test)]
mod tests;

pub use messages::Beat;

use super::model::{Figures, Spread};
use super::outages::Spell;
use crate::base::units::to_u64;
use crate::base::{Direction, RuleId, Time, WindowId, time};
use crate::device::DeviceDid;
use crate::event::{Event, Packet, What};
use crate::hub::{HubEvent, HubSaw};
use crate::sim::{Carried, Sight};
use links::Links;
use messages::Ledger;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What the fold has to know of the run beforehand.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The outages, earliest first and apart.
    pub spells: Arc<[Spell]>,
    /// Whether they let nothing pass.
    pub is_dark: bool,
    /// Until when bytes, connects, messages handed over, losses and downtime count. The run goes on after it, so that what
    /// began before can come to its end.
    pub span: Duration,
    /// From the device to the hub and back.
    pub round_trip: Duration,
    /// From when on a message that arrives is late.
    pub late: Duration,
    /// When the device's messages are due; `None`: it sends none.
    pub beat: Option<Beat>,
    /// The rule by which the path forgets links that are idle.
    pub forgets: Option<RuleId>,
}

/// An outage that began while both ends had the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck {
    /// When it began.
    pub start: Time,
    /// When it was over; `None`: it outlasts the run.
    pub restored: Option<Time>,
    /// When the device knew that the link was gone. With neither end's word, the link survived.
    pub device_noticed: Option<Time>,
    /// When the hub knew.
    pub hub_noticed: Option<Time>,
    /// When the device was accepted again.
    pub back: Option<Time>,
}

/// What the fold comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The figures; those of the radio and of a fleet are left empty.
    pub figures: Figures,
    /// The outages that struck a link, earliest first.
    pub struck: Vec<Struck>,
}

/// The fold.
#[derive(Debug)]
pub struct Tally {
    watch: Watch,
    figures: Figures,
    /// The next outage to begin.
    next: usize,
    /// The one that holds.
    holding: Option<usize>,
    links: Links,
    ledger: Option<Ledger>,
    /// Windows by which the path forgets links.
    forgetting: BTreeSet<WindowId>,
    /// When the device last sent MQTT, the first time or again.
    last_sent: Option<Time>,
    /// Since when no message could have been passed on.
    down: Option<Time>,
    /// Whether the device was ever accepted.
    has_begun: bool,
}

impl Tally {
    /// Of a run that begins.
    pub fn new(watch: Watch) -> Tally {
        let links = Links::new(Arc::clone(&watch.spells), watch.round_trip, Time::ZERO + watch.span);
        let ledger = watch.beat.map(|beat| Ledger::new(beat, watch.late, Time::ZERO + watch.span));
        Tally {
            watch,
            figures: Figures::default(),
            next: 0,
            holding: None,
            links,
            ledger,
            forgetting: BTreeSet::new(),
            last_sent: None,
            down: Some(Time::ZERO),
            has_begun: false,
        }
    }

    /// Takes what was seen of the device, the hub and the path between them. Times never go back.
    pub fn push(&mut self, at: Time, sight: Sight<'_>) {
        self.advance(at);
        match sight {
            Sight::Event(event) => self.event(at, event),
            Sight::Device { did, .. } => self.device(at, did),
            Sight::Hub(event) => self.hub(at, event),
            Sight::Segment { direction, carried, bytes, .. } => self.segment(at, direction, carried, bytes),
            Sight::Message { number, .. } => {
                self.links.heard(at);
                if let Some(ledger) = &mut self.ledger {
                    ledger.arrived(at, number);
                }
            }
        }
        self.settle(at);
    }

    /// The run ended then.
    pub fn finish(mut self, until: Time) -> Account {
        self.advance(until);
        if let Some(down) = self.down {
            self.add_downtime(down, until);
        }
        let mut figures = self.figures;
        figures.outages = to_u64(self.next);
        if let Some(ledger) = self.ledger {
            figures.messages = ledger.finish();
        }
        let struck = self.links.finish(&mut figures, until);
        Account { figures, struck }
    }

    /// Outages begin and end, up to this moment.
    fn advance(&mut self, at: Time) {
        loop {
            if let Some(end) = self.holding.and_then(|nth| self.watch.spells.get(nth)).map(Spell::end) {
                if end > at {
                    return;
                }
                self.holding = None;
                self.settle(end);
            }
            let Some(start) = self.watch.spells.get(self.next).map(|spell| spell.start) else { return };
            if start > at {
                return;
            }
            let is_touched = self.last_sent.is_some_and(|sent| sent + self.watch.round_trip > start);
            self.links.begins(self.next, is_touched);
            self.holding = Some(self.next);
            self.next += 1;
            self.settle(start);
        }
    }

    fn event(&mut self, at: Time, event: &Event) {
        match &event.what {
            What::Packet { direction: Direction::Up, packet: Packet::Connect { .. }, .. } => {
                self.figures.connects += u64::from(self.counts(at));
            }
            What::Packet { link, direction: Direction::Down, packet: Packet::Connack { .. }, .. } => {
                self.links.offers_link(*link);
            }
            What::WindowOpened { window, rule, .. } if self.watch.forgets == Some(*rule) => {
                self.forgetting.insert(*window);
            }
            What::FaultApplied { window, link, .. } if self.forgetting.contains(window) => {
                self.links.forgets(at, *link);
            }
            _ => {}
        }
    }

    fn device(&mut self, at: Time, did: &DeviceDid) {
        match did {
            DeviceDid::Connected { session_present, .. } => {
                if !self.has_begun {
                    // The first connect is no recovery from anything.
                    (self.has_begun, self.down) = (true, None);
                }
                self.links.connected(at);
                self.messages(|ledger| ledger.connected(at, *session_present));
            }
            DeviceDid::NoticedDead { silent, .. } => {
                self.links.device_noticed(at, at - *silent, &mut self.figures);
                self.messages(|ledger| ledger.gone(at));
            }
            DeviceDid::Published { dup, .. } => self.messages(|ledger| ledger.handed(at, *dup)),
            DeviceDid::Acked { total } => {
                self.links.heard(at);
                self.messages(|ledger| ledger.acked(*total));
            }
            DeviceDid::Received { .. } | DeviceDid::Rejected { .. } => self.links.heard(at),
            DeviceDid::Renews { .. } | DeviceDid::Stopped => {
                self.links.given_back();
                self.messages(|ledger| ledger.gone(at));
            }
            DeviceDid::Dialing { .. }
            | DeviceDid::ConnectFailed { .. }
            | DeviceDid::Secured { .. }
            | DeviceDid::Refused { .. }
            | DeviceDid::ReconnectIn { .. }
            | DeviceDid::Subscribed { .. }
            | DeviceDid::QosLowered { .. }
            | DeviceDid::Withheld { .. } => {}
        }
    }

    fn hub(&mut self, at: Time, event: &HubEvent) {
        match (&event.what, event.conn) {
            (HubSaw::Connected { .. }, Some(conn)) => self.links.offers(conn),
            (HubSaw::Disconnected { why }, Some(conn)) => {
                self.links.hub_noticed(at, conn, why, &mut self.figures);
            }
            (
                HubSaw::Opened { .. }
                | HubSaw::Secured { .. }
                | HubSaw::Connected { .. }
                | HubSaw::Refused { .. }
                | HubSaw::Disconnected { .. }
                | HubSaw::WillSent { .. }
                | HubSaw::Dropped { .. }
                | HubSaw::SessionEnded,
                _,
            ) => {}
        }
    }

    fn segment(&mut self, at: Time, direction: Direction, carried: Carried, bytes: u32) {
        if self.counts(at) {
            match direction {
                Direction::Up => self.figures.bytes_up += u64::from(bytes),
                Direction::Down => self.figures.bytes_down += u64::from(bytes),
            }
        }
        if direction == Direction::Up && carried == Carried::Data {
            self.last_sent = Some(at);
            if let Some(nth) = self.holding {
                self.links.touches(nth);
            }
        }
    }

    fn messages(&mut self, tell: impl FnOnce(&mut Ledger)) {
        if let Some(ledger) = &mut self.ledger {
            tell(ledger);
        }
    }

    /// Whether what happens then counts for figures of volume.
    fn counts(&self, at: Time) -> bool {
        at.elapsed() < self.watch.span
    }

    /// Downtime begins or ends.
    fn settle(&mut self, at: Time) {
        let is_dark = self.watch.is_dark && self.holding.is_some();
        let is_down = is_dark || !self.links.are_whole();
        match (self.down, is_down) {
            (None, true) => self.down = Some(at),
            (Some(down), false) => {
                self.add_downtime(down, at);
                self.down = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    fn add_downtime(&mut self, from: Time, to: Time) {
        let end = (Time::ZERO + self.watch.span).min(to);
        self.figures.downtime_ns = self.figures.downtime_ns.saturating_add(time::nanos(end.since(from)));
    }
}

/// Connects in the busiest second: the most of these times that lie less than a second apart.
pub fn busiest_second(times: &mut [Time]) -> u64 {
    times.sort_unstable();
    let (mut first, mut most) = (0, 0);
    for (nth, at) in times.iter().enumerate() {
        while at.since(times[first]) >= Duration::from_secs(1) {
            first += 1;
        }
        most = most.max(nth - first + 1);
    }
    to_u64(most)
}

/// Samples with those that never came about.
#[derive(Clone, Debug, Default)]
struct Samples {
    seen: Vec<u64>,
    never: u64,
}

impl Samples {
    fn push(&mut self, sample: Option<Duration>) {
        match sample {
            Some(sample) => self.seen.push(time::nanos(sample)),
            None => self.never += 1,
        }
    }

    fn spread(self) -> Spread {
        Spread::of(self.seen, self.never)
    }
}
