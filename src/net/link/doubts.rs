//! What was passed on last, in case that it never arrived.
//!
//! What the kernel takes counts as passed on. Where a leg is gone before its peer's TCP has acknowledged all of that, whether
//! the last messages were got is not known. Those of QoS 1 and 2 are acknowledged by themselves, so that the ledger knows which
//! that can be, also where the peer's TCP had them and the leg was reset, by either end: its program may not have read them.
//! Nothing answers what acknowledges a message: there the last count that were passed on, as with QoS 0, and where the leg was
//! reset, all since a moment before.
//! Owns how many messages of QoS 0, and acknowledgements, lie in the last so many bytes of a leg. Invariant: it may be too many, and
//! never too few. Deliberately absent: each one's own place, which would cost memory.

use super::Link;
use crate::base::Direction;
use crate::session::ledger::Entry;
use std::time::Duration;

/// How long before a reset what was passed on may lie unread in its receiver's system: programs read what comes at once, or, where
/// they are busy, soon.
const UNREAD: Duration = Duration::from_secs(1);

/// At most so many stretches are of the same number of writes.
const OF_A_KIND: usize = 4;

/// What was written to a leg: stretches of bytes and what ends there, the newest last. A stretch is one
/// write or twice, four times, ... as many, and there are few of a kind: so what lies in the last bytes is known about as well,
/// however many.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<Stretch>);

/// So many messages of QoS 0, and acknowledgements that were the last of their messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub messages: u64,
    pub acks: u64,
}

impl Passed {
    /// What came to it since it was this.
    pub(super) fn since(self, before: Passed) -> Passed {
        Passed { messages: self.messages - before.messages, acks: self.acks - before.acks }
    }
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    bytes: u32,
    messages: u32,
    acks: u32,
    /// How often it was doubled.
    doubled: u8,
}

impl Stretch {
    fn and(self, other: Stretch) -> Stretch {
        Stretch {
            bytes: self.bytes.saturating_add(other.bytes),
            messages: self.messages.saturating_add(other.messages),
            acks: self.acks.saturating_add(other.acks),
            ..self
        }
    }

    fn is_of_none(self) -> bool {
        self.messages == 0 && self.acks == 0
    }
}

impl Recent {
    /// So many bytes were written, and this ends there.
    pub(super) fn wrote(&mut self, bytes: usize, Passed { messages, acks }: Passed) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let stretch = Stretch { bytes, messages: small(messages), acks: small(acks), doubled: 0 };
        match self.0.last_mut() {
            // What goes on in the write after it has not ended there.
            Some(last) if last.is_of_none() => *last = last.and(stretch),
            // Before the first of them there is nothing to be in doubt of.
            None if stretch.is_of_none() => {}
            Some(_) | None => {
                if self.0.is_empty() {
                    // Many links carry one message and rest.
                    self.0.reserve_exact(1);
                }
                self.0.push(stretch);
                self.join();
            }
        }
    }

    /// Where there is one too many of a kind, the two oldest become one of the next.
    fn join(&mut self) {
        let mut end = self.0.len();
        while let Some(from) = end.checked_sub(OF_A_KIND + 1)
            && let Some([one, next, .., newest]) = self.0.get(from..end)
            && one.doubled == newest.doubled
        {
            self.0[from] = Stretch { doubled: one.doubled.saturating_add(1), ..one.and(*next) };
            self.0.remove(from + 1);
            end = from + 1;
        }
    }

    /// How much at most has not arrived whole, where the last so many bytes may not have.
    fn within(&self, mut bytes: u64) -> Passed {
        let mut within = Passed::default();
        for stretch in self.0.iter().rev() {
            if bytes == 0 {
                break;
            }
            within.messages += u64::from(stretch.messages);
            within.acks += u64::from(stretch.acks);
            bytes = bytes.saturating_sub(stretch.bytes.into());
        }
        within
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Link {
    /// Writes down what was passed on to a leg and not acknowledged when it went.
    pub(super) fn doubt(&mut self, direction: Direction) {
        let leg = self.legs.get_mut(direction.to());
        let (left, reset) = (leg.take_left(), leg.was_reset);
        if left > 0 || reset.is_some() {
            self.books.write(Entry::DoubtedInFlight { direction });
        }
        let Passed { messages, acks } = std::mem::take(self.books.recent.get_mut(direction)).within(left);
        if messages > 0 {
            self.books.write(Entry::Doubted { direction, messages: small(messages) });
        }
        let since = reset.map(|at| self.now() - at.elapsed() - UNREAD);
        if acks > 0 || since.is_some() {
            // They go against their messages.
            let direction = direction.to().sends();
            self.books.write(Entry::DoubtedAcks { direction, unacknowledged: small(acks), since });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_writes_it_is_exact() {
        let mut recent = Recent::default();
        recent.wrote(4, Passed::default());
        for (bytes, messages, acks) in [(100, 1, 0), (50, 0, 0), (50, 1, 2), (1_000, 10, 0), (4, 0, 1)] {
            recent.wrote(bytes, Passed { messages, acks });
        }
        let expected = [
            (0, 0, 0),
            (4, 0, 1),
            (5, 10, 1),
            (1_004, 10, 1),
            (1_005, 11, 3),
            (1_105, 12, 3),
            (9_999, 12, 3),
        ];
        for (bytes, messages, acks) in expected {
            assert_eq!(recent.within(bytes), Passed { messages, acks }, "{bytes}");
        }
    }

    #[test]
    fn of_many_it_is_never_too_few_and_at_most_about_twice_too_many() {
        let mut recent = Recent::default();
        for _ in 0..100_000 {
            recent.wrote(10, Passed { messages: 1, acks: 0 });
        }
        assert!(recent.0.len() <= OF_A_KIND * 17, "of each of 2^17 writes");
        for bytes in [1, 10, 11, 40, 45, 500, 10_000, 400_000, 1_000_000, 2_000_000] {
            let (told, least) = (recent.within(bytes).messages, bytes.div_ceil(10).min(100_000));
            assert!((least..=least * 3 + 4).contains(&told), "{bytes} bytes: {told}, {least}");
        }
    }
}
