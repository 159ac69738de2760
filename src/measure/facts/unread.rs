//! When a hub was left unread: what it did meanwhile shows once it is read again.

use super::Link;
use crate::base::{Side, Time};
use std::time::Duration;

/// How long after it is read again what a hub had said before may still come: its system sends on what waited there as room is made
/// for it, a round trip later, or at its next probe of a shut window.
const BACKLOG: Duration = Duration::from_secs(1);

/// A time in which a hub was left unread, but for moments in which not all was read that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// From when.
    pub since: Time,
    /// Until when; `None` where that is not over.
    pub until: Option<Time>,
}

impl Unread {
    /// Whether it is over at this time, with what had waited.
    fn is_over(self, at: Time) -> bool {
        self.until.is_some_and(|until| at > until + BACKLOG)
    }
}

impl Link {
    /// It was told since when the hub is left unread, if it is, and when it was read again since that was told before. What is
    /// told after the hub's sign is no more than when that began to be read.
    pub(in crate::measure) fn leaves_unread(&mut self, since: Option<Time>, read_again: Option<Time>) {
        if let Some(unread) = &mut self.unread {
            unread.until = unread.until.or(read_again);
        }
        let Some(since) = since.filter(|_| self.signs.hub.is_none()) else { return };
        match &mut self.unread {
            Some(unread) if !unread.is_over(since) => unread.until = None,
            before => *before = Some(Unread { since, until: None }),
        }
    }

    /// Since when an end was left unread, where what it did then may only have been seen at this time.
    pub fn unread_since(&self, side: Side, seen: Time) -> Option<Time> {
        let unread = self.unread.filter(|unread| side == Side::Hub && unread.since < seen)?;
        (!unread.is_over(seen)).then_some(unread.since)
    }

    /// Since when an end was left unread, where what it had done by this time was not seen then, nor after that with nothing
    /// to show.
    pub fn unread_from(&self, side: Side, until: Time) -> Option<Time> {
        let unread = self.unread.filter(|unread| side == Side::Hub && unread.since < until)?;
        let never_read = unread.until.is_none();
        let sign = self.signs.hub.filter(|sign| self.unread_since(side, sign.at).is_some());
        (never_read || sign.is_some()).then_some(unread.since)
    }
}
