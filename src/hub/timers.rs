//! The hub's deadlines, soonest first; at most one for each thing that can expire.

use super::io::ConnId;
use super::session::SessionId;
use crate::base::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What can expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expires {
    /// A connection's wait for CONNECT, later its keep-alive.
    Link(ConnId),
    /// The token that a connection's CONNECT carried.
    Token(ConnId),
    /// The delay of a will.
    Will(SessionId),
    /// A session without connection.
    Session(SessionId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Time, Expires)>,
    of: BTreeMap<Expires, Time>,
}

impl Timers {
    /// Sets or moves the deadline; `None` takes it away.
    pub fn set(&mut self, what: Expires, at: Option<Time>) {
        let before = match at {
            Some(at) => self.of.insert(what, at),
            None => self.of.remove(&what),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, what));
        }
        if let Some(at) = at {
            self.by_time.insert((at, what));
        }
    }

    /// The soonest deadline.
    pub fn first(&self) -> Option<Time> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// Takes out the soonest deadline if it has come: at `now` or before.
    pub fn take_due(&mut self, now: Time) -> Option<Expires> {
        let &(at, what) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(what, None);
        Some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_moves_and_is_due_at_its_nanosecond() {
        let mut timers = Timers::default();
        let (a, b) = (Expires::Link(ConnId(1)), Expires::Will(SessionId(1)));
        timers.set(a, Some(Time::from_nanos(5)));
        timers.set(b, Some(Time::from_nanos(7)));
        timers.set(a, Some(Time::from_nanos(9)));
        assert_eq!(timers.first(), Some(Time::from_nanos(7)));
        assert_eq!(timers.take_due(Time::from_nanos(6)), None);
        assert_eq!(timers.take_due(Time::from_nanos(7)), Some(b));
        assert_eq!(timers.take_due(Time::from_nanos(7)), None);
        timers.set(a, None);
        assert_eq!(timers.first(), None);
    }
}
