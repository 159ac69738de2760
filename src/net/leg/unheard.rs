//! What was written to a peer that had given its leg up, until it is known whether it got it.
//!
//! A peer that has only said that it sends no more reads on, and its TCP acknowledges; one that has closed answers RST, and
//! acknowledges nothing. Owns what becomes of each write. Invariant: each is told once, in order. Deliberately absent: the
//! socket.

use crate::base::units::to_u64;
use crate::session::ledger::Entry;
use std::collections::VecDeque;

/// So many writes are followed one by one; those beyond are one with the last.
const FOLLOWED: usize = 256;

/// Something that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// How many bytes, TLS of brownout's own not counted.
    pub bytes: usize,
    /// What is to be written down of it, once its receiver has it.
    pub entries: Vec<Entry>,
    /// Where it ends in all that was sent there.
    pub end: u64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The peer's TCP has acknowledged it.
    Whole,
    /// The connection is gone, and none of it was acknowledged.
    Refused,
    /// It was on its way, or part of it was acknowledged, when the socket went.
    Unknown,
}

/// How far a peer's TCP has acknowledged what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// So many bytes.
    pub until: u64,
    /// The connection is gone: it will not be more.
    pub is_final: bool,
}

/// What was written and is not known to have been heard.
#[derive(Debug, Default)]
pub struct Unheard {
    waiting: VecDeque<Written>,
    known: Vec<(Heard, Written)>,
}

impl Unheard {
    /// Something was written.
    pub fn push(&mut self, written: Written) {
        let is_full = self.waiting.len() >= FOLLOWED;
        match self.waiting.back_mut().filter(|_| is_full) {
            Some(last) => {
                last.bytes += written.bytes;
                last.entries.extend(written.entries);
                last.end = written.end;
            }
            None => self.waiting.push_back(written),
        }
    }

    /// How many bytes are waited for.
    pub fn bytes(&self) -> u64 {
        self.waiting.iter().map(|written| to_u64(written.bytes)).sum()
    }

    /// Whether something is still to show.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// So much has been acknowledged.
    pub fn see(&mut self, acknowledged: Acknowledged) {
        let Acknowledged { until, is_final } = acknowledged;
        let is_known = |written: &Written| written.end <= until || is_final;
        let known = self.waiting.iter().take_while(|written| is_known(written)).count();
        for written in self.waiting.drain(..known) {
            let begin = written.end.saturating_sub(to_u64(written.bytes));
            let heard = match () {
                () if written.end <= until => Heard::Whole,
                () if begin < until => Heard::Unknown,
                () => Heard::Refused,
            };
            self.known.push((heard, written));
        }
    }

    /// The socket goes: of what waits, no more will be known.
    pub fn give_up(&mut self) {
        self.known.extend(self.waiting.drain(..).map(|written| (Heard::Unknown, written)));
    }

    /// What has come to be known since this was last asked, in order.
    pub fn take(&mut self) -> Vec<(Heard, Written)> {
        std::mem::take(&mut self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Unheard {
        let mut unheard = Unheard::default();
        for (bytes, end) in [(100, 600), (100, 700), (100, 800)] {
            unheard.push(Written { bytes, entries: Vec::new(), end });
        }
        unheard
    }

    fn told(unheard: &mut Unheard) -> Vec<(Heard, u64)> {
        unheard.take().into_iter().map(|(heard, written)| (heard, written.end)).collect()
    }

    #[test]
    fn what_is_acknowledged_whole_was_heard_and_the_rest_waits() {
        let mut unheard = three();
        unheard.see(Acknowledged { until: 500, is_final: false });
        assert_eq!(told(&mut unheard), []);
        unheard.see(Acknowledged { until: 799, is_final: false });
        assert_eq!(told(&mut unheard), [(Heard::Whole, 600), (Heard::Whole, 700)]);
        unheard.see(Acknowledged { until: 800, is_final: false });
        assert_eq!(told(&mut unheard), [(Heard::Whole, 800)]);
        assert!(!unheard.is_waiting());
    }

    #[test]
    fn of_a_connection_that_is_gone_nothing_more_is_heard() {
        let mut unheard = three();
        unheard.see(Acknowledged { until: 600, is_final: true });
        assert_eq!(told(&mut unheard), [(Heard::Whole, 600), (Heard::Refused, 700), (Heard::Refused, 800)]);
        let mut unheard = three();
        unheard.see(Acknowledged { until: 650, is_final: true });
        assert_eq!(told(&mut unheard), [(Heard::Whole, 600), (Heard::Unknown, 700), (Heard::Refused, 800)]);
    }

    #[test]
    fn of_very_many_writes_the_last_are_one() {
        let mut unheard = Unheard::default();
        for end in 1..=1_000 {
            unheard.push(Written { bytes: 1, entries: vec![Entry::Meddled], end });
        }
        unheard.see(Acknowledged { until: 255, is_final: true });
        let told = unheard.take();
        assert_eq!(told.len(), FOLLOWED);
        let last = Written { bytes: 745, entries: vec![Entry::Meddled; 745], end: 1_000 };
        assert_eq!(told.last(), Some(&(Heard::Refused, last)));
    }

    #[test]
    fn what_is_on_its_way_when_the_socket_goes_is_not_known() {
        let mut unheard = three();
        unheard.see(Acknowledged { until: 650, is_final: false });
        unheard.give_up();
        assert_eq!(told(&mut unheard), [(Heard::Whole, 600), (Heard::Unknown, 700), (Heard::Unknown, 800)]);
    }
}
