//! What the faults of packets come to on one packet: conditions, draws, and the order in which they add up.
//!
//! Order, tested: the plan's own edits, then the rules in their order. Edits stand one after another, a later one over an
//! earlier one; delays add; the first rule that ends the packet (drop, cut) is the last that it meets. An end takes the
//! copies with it, and a drop all else: of what is not passed on, nothing was edited or delayed.

use crate::base::{Direction, RuleId, WindowId, rand};
use crate::event::Packet;
use crate::fault::{PacketAction, PacketEnd, PacketMatch, Verdict};
use crate::mqtt::topic;

/// Purposes of draws, in the low byte beside the rule's number: those of device to hub, and with [`DOWN`] the others.
const UP: u64 = 0x40;
const DOWN: u64 = 0x50;
const CHANCE: u64 = 0;
const DELAY: [u64; 3] = [1, 2, 3];
const CORRUPTION: [u64; 2] = [4, 5];

/// Whether a packet meets every condition that it can meet alone: all but `nth`, `times` and `chance`.
///
/// `topic`: its topic name as it is, an alias resolved. A filter matches as in section 4.7: one that begins with a wildcard
/// matches no `$` topic, and `$share/group/filter` matches what `filter` does, since no topic name tells a share. A packet
/// that could not be read has its type and nothing more.
pub fn fits(what: &PacketMatch, direction: Direction, packet: &Packet, topic: Option<&str>) -> bool {
    what.direction.hits(direction)
        && what.packet.is_none_or(|kind| packet.kind() == Some(kind))
        && is_publish_of(what, packet)
        && what.topic.as_ref().is_none_or(|filter| topic.is_some_and(|name| topic::matches(filter, name)))
}

/// Conditions that a PUBLISH alone can meet.
fn is_publish_of(what: &PacketMatch, packet: &Packet) -> bool {
    let PacketMatch { topic, qos, dup, retain, .. } = what;
    if topic.is_none() && qos.is_none() && dup.is_none() && retain.is_none() {
        return true;
    }
    let Packet::Publish { qos: its_qos, dup: its_dup, retain: its_retain, .. } = packet else { return false };
    qos.is_none_or(|qos| qos.number() == *its_qos)
        && dup.is_none_or(|dup| dup == *its_dup)
        && retain.is_none_or(|retain| retain == *its_retain)
}

/// The draws of a rule for one packet. No number that depends on the order of links is in their key.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// The seed of the run.
    pub seed: u64,
    /// The rule.
    pub rule: RuleId,
    /// The hash of the device's name, and the number of this link among its links.
    pub link: LinkDraws,
    /// Which way the packet travels.
    pub direction: Direction,
    /// The packet's number among those that fit the rule on this link in this direction, from 1.
    pub count: u64,
}

/// What the draws of a link are keyed with: as it was at the link's first packet, so that a name that the hub assigns
/// later changes nothing for what was on its way.
#[derive(Clone, Copy, Debug)]
pub struct LinkDraws {
    /// The hash of the device's name.
    pub subject: u64,
    /// Its number among the device's links.
    pub nth: u32,
}

impl Draws {
    /// An even number of [0, 1).
    fn unit(&self, draw: u64) -> f64 {
        let way = match self.direction {
            Direction::Up => UP,
            Direction::Down => DOWN,
        };
        rand::unit(rand::Key {
            seed: self.seed,
            purpose: (u64::from(self.rule.0) << 8) | way | draw,
            subject: self.link.subject,
            nth: (u64::from(self.link.nth) << 40) ^ self.count,
        })
    }

    /// Whether the rule falls on the packet, by `nth` and by chance.
    pub fn hit(&self, what: &PacketMatch) -> bool {
        what.nth.is_none_or(|nth| u64::from(nth) == self.count) && what.chance.hits(self.unit(CHANCE))
    }
}

/// Adds what a rule does to a packet that it falls on.
pub fn add(verdict: &mut Verdict, window: WindowId, action: &PacketAction, draws: &Draws) {
    match action {
        PacketAction::Drop { acknowledge } => {
            verdict.end = Some((Some(window), PacketEnd::Drop { acknowledge: *acknowledge }));
        }
        PacketAction::Delay(delay) => {
            verdict.delays.push((window, delay.sample(DELAY.map(|draw| draws.unit(draw)))));
        }
        PacketAction::Duplicate { copies } => verdict.copies.push((window, *copies)),
        PacketAction::Edit(edit) => verdict.edits.push((Some(window), *edit)),
        PacketAction::Corrupt(corrupt) => {
            verdict.corruptions.push((window, *corrupt, CORRUPTION.map(|draw| draws.unit(draw))));
        }
        PacketAction::Cut(cut) => verdict.end = Some((Some(window), PacketEnd::Cut(*cut))),
    }
}

/// Takes out of a verdict what its end leaves no room for.
pub fn settle(verdict: &mut Verdict) {
    match &verdict.end {
        None => {}
        Some((_, PacketEnd::Cut(_))) => verdict.copies.clear(),
        Some((_, PacketEnd::Drop { .. })) => *verdict = Verdict { end: verdict.end, ..Verdict::default() },
    }
}
