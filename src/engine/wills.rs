//! Which wills are out, and when the hub delivers one.
//!
//! ```text
//!   CONNECT with a will, accepted ──▶ left ──▶ the hub knows of the link's end ──▶ awaited ──▶ a PUBLISH with its topic: told
//!                                                     │                              └──▶ delay and grace over: forgotten
//!                                                     └── DISCONNECT before: awaited too, to see that nothing comes
//! ```
//!
//! net/ tells of PUBLISH packets toward devices whose topic is that of a will. A hub may publish a will a moment before it
//! ends the link, so the last such PUBLISH is remembered. Each will is told of once, however many devices get it. Of a will
//! that DISCONNECT took back, a PUBLISH says nothing where its device publishes on the topic itself, or where it is retained. What
//! says something else than the will ("online" on its topic, say) is not it.

use super::machine::Engine;
use crate::base::{DeviceId, Direction, LinkId, Side, Time};
use crate::event::{Packet, Says, What, Will};
use crate::fault::LegFate;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after it is due a will may come.
const GRACE: Duration = Duration::from_secs(5);

/// How long before the link's end is seen a hub may have published the will.
const AHEAD: Duration = Duration::from_secs(2);

/// A will that is due later than this is not waited for.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// How many wills are waited for at once; one more is not.
const MOST_AWAITED: usize = 4_096;

/// The wills of a run.
#[derive(Debug, Default)]
pub(super) struct Wills {
    /// Those of live links.
    left: BTreeMap<LinkId, Left>,
    awaited: Vec<Awaited>,
    /// The topics of both.
    topics: BTreeMap<String, Topic>,
}

#[derive(Debug)]
struct Left {
    topic: String,
    says: Option<Says>,
    delay: Duration,
    accepted: bool,
    /// The device publishes on its topic itself.
    used: bool,
    /// The event of a DISCONNECT that waits in brownout, if it takes the will back.
    goodbye: Option<u64>,
}

#[derive(Debug)]
struct Awaited {
    device: DeviceId,
    topic: String,
    says: Option<Says>,
    until: Time,
    graceful: bool,
}

#[derive(Debug, Default)]
struct Topic {
    /// How many wills have it.
    wills: usize,
    /// The last PUBLISH with it.
    last: Option<(Time, LinkId, Option<Says>)>,
}

impl Wills {
    /// Whether there is none, on no link and in nobody's memory.
    fn is_empty(&self) -> bool {
        self.left.is_empty() && self.awaited.is_empty()
    }

    fn leave(&mut self, link: LinkId, will: &Will) {
        let Will { topic, delay, says, qos: _ } = will;
        self.topics.entry(topic.clone()).or_default().wills += 1;
        let delay = Duration::from_secs(u64::from(delay.unwrap_or(0)));
        let left =
            Left { topic: topic.clone(), says: *says, delay, accepted: false, used: false, goodbye: None };
        if let Some(before) = self.left.insert(link, left) {
            self.drop_topic(&before.topic);
        }
    }

    fn drop_topic(&mut self, topic: &str) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        known.wills = known.wills.saturating_sub(1);
        if known.wills == 0 {
            self.topics.remove(topic);
        }
    }

    /// The hub knows of the link's end. Answers with where its will had come down already.
    fn ends(&mut self, now: Time, link: LinkId, device: Option<DeviceId>, graceful: bool) -> Option<What> {
        self.forget(now);
        let left = self.left.remove(&link)?;
        let device = device.filter(|_| left.accepted && left.delay <= LONGEST_DELAY);
        let is_told = self.topics.get(&left.topic).and_then(|topic| topic.last);
        let is_told =
            is_told.filter(|(at, _, says)| !graceful && now.since(*at) <= AHEAD && may_be(left.says, *says));
        let is_unclear = graceful && left.used;
        match (device, is_told) {
            (Some(device), Some((_, link, _))) => {
                self.drop_topic(&left.topic);
                return Some(What::WillDelivered { device, link, topic: left.topic });
            }
            (Some(device), None) if !is_unclear && self.awaited.len() < MOST_AWAITED => {
                let until = now + left.delay + GRACE;
                self.awaited.push(Awaited { device, topic: left.topic, says: left.says, until, graceful });
            }
            (Some(_) | None, _) => self.drop_topic(&left.topic),
        }
        None
    }

    /// A PUBLISH came for a device. Answers with the will that it is.
    fn published(
        &mut self,
        now: Time,
        link: LinkId,
        topic: &str,
        retain: bool,
        says: Option<Says>,
    ) -> Option<What> {
        self.topics.get_mut(topic)?.last = Some((now, link, says));
        self.forget(now);
        let is_it =
            |will: &Awaited| will.topic == topic && !(will.graceful && retain) && may_be(will.says, says);
        let place = self.awaited.iter().position(is_it)?;
        let will = self.awaited.remove(place);
        self.drop_topic(&will.topic);
        Some(What::WillDelivered { device: will.device, link, topic: will.topic })
    }

    /// Forgets what is waited for no more.
    fn forget(&mut self, now: Time) {
        if self.awaited.iter().all(|will| now <= will.until) {
            return;
        }
        let (keep, over) = std::mem::take(&mut self.awaited).into_iter().partition(|will| now <= will.until);
        self.awaited = keep;
        let over: Vec<Awaited> = over;
        over.iter().for_each(|will| self.drop_topic(&will.topic));
    }
}

/// Whether what was published may be a will, by what both say.
fn may_be(will: Option<Says>, published: Option<Says>) -> bool {
    will.zip(published).is_none_or(|(will, published)| will.may_be(published))
}

impl Engine {
    /// Takes in an event, as far as it is about wills. Answers with the event that follows from it.
    pub(super) fn follow_will(&mut self, seq: u64, what: &What) -> Option<What> {
        match what {
            What::Packet { link, direction, packet, dropped, passed, held } => {
                let passed = packet.passed_on(*dropped, passed.as_deref())?;
                self.will_packet(seq, *link, *direction, passed, *held)
            }
            What::Forwarded { link, packet_seq } => {
                let is_goodbye = self.wills.left.get(link)?.goodbye == Some(*packet_seq);
                is_goodbye.then(|| self.will_ends(*link, true)).flatten()
            }
            What::LegEnded { link, side: Side::Hub, .. } | What::EndCarried { link, to: Side::Hub, .. } => {
                self.will_ends(*link, false)
            }
            What::LegCut { link, side: Side::Hub, fate, .. } => {
                let is_told = !matches!(fate, LegFate::HalfOpen | LegFate::ResetWhenSends);
                is_told.then(|| self.will_ends(*link, false)).flatten()
            }
            _ => None,
        }
    }

    fn will_packet(
        &mut self,
        seq: u64,
        link: LinkId,
        direction: Direction,
        packet: &Packet,
        held: bool,
    ) -> Option<What> {
        match (direction, packet) {
            (Direction::Up, Packet::Connect { will: Some(will), .. }) => {
                self.wills.leave(link, will);
            }
            (Direction::Down, Packet::Connack { code: 0, .. }) => {
                if let Some(left) = self.wills.left.get_mut(&link) {
                    left.accepted = true;
                }
            }
            (Direction::Up, Packet::Disconnect { reason: 0 }) if held => {
                self.wills.left.get_mut(&link)?.goodbye = Some(seq);
            }
            (Direction::Up, Packet::Disconnect { reason }) if !held => {
                return self.will_ends(link, *reason == 0);
            }
            (Direction::Up | Direction::Down, _) => {}
        }
        None
    }

    fn will_ends(&mut self, link: LinkId, graceful: bool) -> Option<What> {
        if self.wills.is_empty() {
            return None;
        }
        let device = self.sessions.device_of(link).map(|device| device.id);
        self.wills.ends(self.now, link, device, graceful)
    }

    /// A PUBLISH came for a device, with the topic of a will, as far as net/ can tell.
    pub(super) fn published(&mut self, link: LinkId, topic: &str, retain: bool, says: Option<Says>) {
        if let Some(what) = self.wills.published(self.now, link, topic, retain, says) {
            self.emit(what);
        }
    }

    /// A device publishes on the topic of its own will.
    pub(super) fn uses_will_topic(&mut self, link: LinkId) {
        if let Some(left) = self.wills.left.get_mut(&link) {
            left.used = true;
        }
    }

    /// How many wills are kept in mind.
    #[cfg(test)]
    pub(super) fn wills_kept(&self) -> usize {
        self.wills.topics.values().map(|topic| topic.wills).sum()
    }

    /// A link is gone: what it left and nobody knows the end of is not waited for.
    pub(super) fn forget_will(&mut self, link: LinkId) {
        if let Some(left) = self.wills.left.remove(&link) {
            self.wills.drop_topic(&left.topic);
        }
    }
}
