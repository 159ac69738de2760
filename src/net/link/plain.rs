//! PUBLISH packets of QoS 0 taken many at a time: counted, written down and passed on as a number.
//!
//! Owns when that may be: where nobody asks for any of them by itself. What is told of them is the same as one by one.

use super::Link;
use crate::base::{Direction, Time};
use crate::mqtt::PacketKind;
use crate::mqtt::framer::Scan;
use crate::session::ledger::Entry;

impl Link {
    /// Takes in the plain packets that come next, if they may be taken many at a time. `base` and `ends`: as in
    /// [`Scan::take_plain`].
    pub(super) fn take_plain(
        &mut self,
        now: Time,
        direction: Direction,
        scan: &mut Scan<'_>,
        base: usize,
        ends: &mut Vec<u32>,
    ) {
        if !self.takes_plain(direction) {
            return;
        }
        let own = self.wills.own.as_deref().map(str::as_bytes);
        let by_topic = &self.asks.get(direction).by_topic;
        let messages = if by_topic.is_empty() {
            scan.take_plain(|topic| own == Some(topic), base, ends)
        } else {
            let filters = self.core.filters();
            // A device says most of what it says on the topic that it spoke of last.
            let mut last = None;
            let mut is_asked = |topic| {
                if last == Some(topic) {
                    return false;
                }
                last = Some(topic);
                filters.may_match(topic, by_topic)
            };
            scan.take_plain(|topic| own == Some(topic) || is_asked(topic), base, ends)
        };
        if messages > 0 {
            let remark = self.meter.arrived_plain(now, direction, messages);
            self.remark(direction, remark);
            self.books.write(Entry::ArrivedPlain { direction, messages });
            self.pumps.get_mut(direction).frame += u64::from(messages);
        }
    }

    /// Whether nobody asks for single ones of them, but by their topic: not the engine, no number is looked for in payloads,
    /// no will, and the first of the direction has been told of.
    pub(super) fn takes_plain(&self, direction: Direction) -> bool {
        self.books.are_open()
            && self.meter.has_published(direction)
            && !self.asked(direction, PacketKind::Publish)
            && self.core.sequence().is_none()
            // A will may come down from any device; up, only the device's own is looked for.
            && (direction == Direction::Up || !self.core.wills().any())
    }

    /// So many PUBLISH packets of QoS 0 were passed on, of which nothing else is to be said.
    pub(super) fn plain_passed(&mut self, now: Time, direction: Direction, messages: u32) {
        if messages > 0 {
            self.meter.passed(now, direction, None);
            self.books.write(Entry::PassedPlain { direction, messages });
        }
    }
}
