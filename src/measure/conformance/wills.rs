//! Wills: published after an ungraceful end [MQTT-3.1.2-8], and not after DISCONNECT [MQTT-3.14.4-3].
//!
//! A will can only be missed where it would have been seen: a device behind brownout held a subscription to its topic, not a
//! shared one, on a link that was sound from before the end until after the will was due. A will that was published after
//! DISCONNECT is told of by the engine, which leaves out topics that the device published on itself.

use super::Now;
use super::cases::{Cases, News, Size, seen, shown};
use super::kind::Kind;
use super::watch::{Left, Watch};
use crate::base::{DeviceId, LinkId, Shelf, Time};
use crate::measure::finding::Grade;
use crate::mqtt::topic;
use crate::session::Sessions;
use std::time::Duration;

/// How long after it is due a will may take.
const GRACE: Duration = Duration::from_secs(5);

/// A will that is due later than this is not waited for.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// How many ends are watched at once. Fewer than the engine follows: what it does not follow is not waited for here.
const MOST_AWAITED: usize = 1_000;

/// How many links are looked at for one that would see a will, and how many filters of each.
const MOST_LINKS: usize = 1_000;
const MOST_FILTERS: usize = 64;

/// How many links that would see it are remembered of a will.
const MOST_WITNESSES: usize = 4;

/// The wills of links that have ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Wills {
    awaited: Vec<Awaited>,
    /// When the first of them is due, at the earliest.
    earliest: Time,
}

#[derive(Clone, Debug)]
struct Awaited {
    device: DeviceId,
    name: String,
    ended: Time,
    seq: u64,
    delay: Duration,
    graceful: bool,
    witnesses: Vec<LinkId>,
}

impl Wills {
    /// The hub knows of a link's end, on which this will was left.
    pub fn ends(
        &mut self,
        will: &Left,
        watch: &Watch,
        Now { seq, at }: Now,
        graceful: bool,
        links: &Shelf<LinkId, Watch>,
        sessions: &Sessions,
    ) {
        let (Some(device), Some(_)) = (watch.device, watch.hub_accepted) else { return };
        if self.awaited.len() >= MOST_AWAITED || will.delay > LONGEST_DELAY {
            return;
        }
        let is_device = |other: &Watch| other.device == Some(device) && other.id != watch.id;
        // Of a link that another of the device's took over, hubs differ.
        let is_taken_over = sessions.device(device).is_some_and(|device| {
            let others = device.links.iter().filter_map(|id| links.get(id));
            others.filter(|other| is_device(other)).any(|other| other.greeting.is_some())
        });
        let witnesses =
            if graceful || is_taken_over { Vec::new() } else { witnesses(will, device, links, sessions) };
        let name = sessions.device(device).map(|device| shown(&device.name)).unwrap_or_default();
        let due = at + will.delay + GRACE;
        self.earliest = if self.awaited.is_empty() { due } else { self.earliest.min(due) };
        self.awaited.push(Awaited { device, name, ended: at, seq, delay: will.delay, graceful, witnesses });
    }

    /// The hub has accepted the device again: a will that is not due yet is not to come [MQTT-3.1.3-9].
    pub fn is_back(&mut self, device: DeviceId, at: Time) {
        self.awaited.retain(|will| will.device != device || will.graceful || will.ended + will.delay <= at);
    }

    /// The hub does not know of that end yet, and when it will is not seen; or another client took the device's place.
    pub fn is_unsure(&mut self, device: DeviceId) {
        self.awaited.retain(|will| will.device != device || will.graceful);
    }

    /// The link is over, or a fault fell on it: it would not show a will any more.
    pub fn forget(&mut self, link: LinkId) {
        self.awaited.iter_mut().for_each(|will| will.witnesses.retain(|witness| *witness != link));
    }

    /// A will came down to somebody.
    pub fn delivered(&mut self, device: DeviceId, at: Time, seq: u64, cases: &mut Cases) {
        let Some(place) = self.awaited.iter().position(|will| will.device == device) else { return };
        let will = self.awaited.swap_remove(place);
        if will.graceful {
            let what = format!("the will of {}, after its DISCONNECT", will.name);
            let size = Size::new(at.since(will.ended), Duration::ZERO);
            tell(Kind::WillAfterDisconnect, Grade::Warn, "MQTT-3.14.4-3", size, seen(seq, at, what), cases);
        }
    }

    /// What was not delivered by now.
    pub fn due(&mut self, now: Time, cases: &mut Cases) {
        if now <= self.earliest {
            return;
        }
        self.awaited.retain(|will| {
            if now <= will.ended + will.delay + GRACE {
                return true;
            }
            if !will.witnesses.is_empty() {
                let what = format!("the end of {}'s link", will.name);
                let size = Size::new(now.since(will.ended), will.delay);
                let seen = seen(will.seq, will.ended, what);
                tell(Kind::WillNotDelivered, Grade::Fail, "MQTT-3.1.2-8", size, seen, cases);
            }
            false
        });
        let dues = self.awaited.iter().map(|will| will.ended + will.delay + GRACE);
        self.earliest = dues.min().unwrap_or_default();
    }
}

fn tell(
    kind: Kind,
    grade: Grade,
    rule: &'static str,
    size: Size,
    seen: super::cases::Sight,
    cases: &mut Cases,
) {
    cases.add(News { device: None, kind, grade, rule: Some(rule), size, seen });
}

/// Links of other devices on which the will would be seen.
fn witnesses(
    will: &Left,
    device: DeviceId,
    links: &Shelf<LinkId, Watch>,
    sessions: &Sessions,
) -> Vec<LinkId> {
    let would_see = |watch: &&Watch| {
        let Some(other) = watch.device.filter(|other| *other != device) else { return false };
        let filters = sessions.device(other).into_iter().flat_map(|other| other.filters.iter());
        let mut plain = filters.take(MOST_FILTERS).filter(|filter| !filter.starts_with("$share/"));
        watch.is_up() && watch.faults.is_sound() && plain.any(|filter| topic::matches(filter, &will.topic))
    };
    let seeing = links.values().take(MOST_LINKS).filter(would_see);
    seeing.map(|watch| watch.id).take(MOST_WITNESSES).collect()
}
