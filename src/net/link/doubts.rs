//! What was passed on last, in case that it never arrived.
//!
//! What the kernel takes counts as passed on. Where a leg is gone before its peer's TCP has acknowledged all of that, whether
//! the last messages were got is not known. Those of QoS 1 and 2 are acknowledged by themselves, so that the ledger knows which
//! that can be, also where the peer's TCP had them and the leg was reset, by either end: its program may not have read them.
//! Owns how many messages of QoS 0 lie in the last so many bytes of a leg. Invariant: it may be too many, and never too few.
//! Deliberately absent: each message's own place, which would cost memory.

use super::Link;
use crate::base::Direction;
use crate::session::ledger::Entry;

/// At most so many stretches are of the same number of writes.
const OF_A_KIND: usize = 4;

/// What was written to a leg: stretches of bytes and the messages of QoS 0 that end there, the newest last. A stretch is one
/// write or twice, four times, ... as many, and there are few of a kind: so what lies in the last bytes is known about as well,
/// however many.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<Stretch>);

#[derive(Clone, Copy, Debug)]
struct Stretch {
    bytes: u32,
    messages: u32,
    /// How often it was doubled.
    doubled: u8,
}

impl Stretch {
    fn and(self, other: Stretch) -> Stretch {
        let bytes = self.bytes.saturating_add(other.bytes);
        Stretch { bytes, messages: self.messages.saturating_add(other.messages), ..self }
    }
}

impl Recent {
    /// So many bytes were written, and so many messages end there.
    pub(super) fn wrote(&mut self, bytes: usize, messages: u64) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let stretch = Stretch { bytes, messages: u32::try_from(messages).unwrap_or(u32::MAX), doubled: 0 };
        match self.0.last_mut() {
            // What goes on in the write after it has not ended there.
            Some(last) if last.messages == 0 => *last = last.and(stretch),
            // Before the first of them there is nothing to be in doubt of.
            None if messages == 0 => {}
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

    /// How many messages at most have not arrived whole, where the last so many bytes may not have.
    fn within(&self, mut bytes: u64) -> u64 {
        let mut messages = 0;
        for stretch in self.0.iter().rev() {
            if bytes == 0 {
                break;
            }
            messages += u64::from(stretch.messages);
            bytes = bytes.saturating_sub(stretch.bytes.into());
        }
        messages
    }
}

impl Link {
    /// Writes down what was passed on to a leg and not acknowledged when it went.
    pub(super) fn doubt(&mut self, direction: Direction) {
        let leg = self.legs.get_mut(direction.to());
        let left = leg.take_left();
        if left > 0 || leg.was_reset {
            self.books.write(Entry::DoubtedInFlight { direction });
        }
        let messages = std::mem::take(self.books.recent.get_mut(direction)).within(left);
        if messages > 0 {
            let messages = u32::try_from(messages).unwrap_or(u32::MAX);
            self.books.write(Entry::Doubted { direction, messages });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_writes_it_is_exact() {
        let mut recent = Recent::default();
        recent.wrote(4, 0);
        for (bytes, messages) in [(100, 1), (50, 0), (50, 1), (1_000, 10)] {
            recent.wrote(bytes, messages);
        }
        let expected = [(0, 0), (1, 10), (1_000, 10), (1_001, 11), (1_100, 11), (1_101, 12), (9_999, 12)];
        for (bytes, messages) in expected {
            assert_eq!(recent.within(bytes), messages, "{bytes}");
        }
    }

    #[test]
    fn of_many_it_is_never_too_few_and_at_most_about_twice_too_many() {
        let mut recent = Recent::default();
        for _ in 0..100_000 {
            recent.wrote(10, 1);
        }
        assert!(recent.0.len() <= OF_A_KIND * 17, "of each of 2^17 writes");
        for bytes in [1, 10, 11, 40, 45, 500, 10_000, 400_000, 1_000_000, 2_000_000] {
            let (told, least) = (recent.within(bytes), bytes.div_ceil(10).min(100_000));
            assert!((least..=least * 3 + 4).contains(&told), "{bytes} bytes: {told}, {least}");
        }
    }
}
