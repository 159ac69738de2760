//! The numbers of a log's events: none is missing, and none stands there twice. What renders a log reads it by them.
//!
//! ```text
//!   part 0:  run_started 0 │ 1 2 3 … 41
//!   part 1:  run_started 42 │ 0 5 7, what lived, again │ 42 43 …
//! ```

use super::{Event, What};
use thiserror::Error;

/// How far a run's log has been read, over all of its parts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// The number that the next new event has; `None` before the first part.
    next: Option<u64>,
    /// The part tells again what lived when it began.
    repeats: bool,
    /// Whether a part was read before this one.
    is_later: bool,
}

/// What an event of a log is to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is to be taken in.
    New,
    /// An earlier part has told it already, or its like.
    Told,
}

/// A number that does not follow the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the event has `seq` {found}, and {wanted} was to come: {}",
    if .found > .wanted { "lines are missing before it" } else { "lines stand twice, or in another order" }
)]
pub struct OutOfOrder {
    /// The number that it has.
    pub found: u64,
    /// The number that was to come.
    pub wanted: u64,
}

impl Numbers {
    /// The first event of a part, which says which part it is.
    ///
    /// # Errors
    /// It has another number than the one that is to come.
    pub fn begin(&mut self, event: &Event) -> Result<Place, OutOfOrder> {
        let part = if let What::RunStarted(start) = &event.what { start.part } else { 0 };
        // Of a later part, it has the number of the event that follows what is told again.
        let first = if part == 0 { 0 } else { event.seq };
        let wanted = self.next.unwrap_or(first);
        if event.seq != wanted {
            return Err(OutOfOrder { found: event.seq, wanted });
        }
        self.is_later = self.next.is_some();
        self.repeats = part > 0;
        self.next = Some(if self.repeats { wanted } else { wanted.saturating_add(1) });
        Ok(self.told())
    }

    /// An event after that.
    ///
    /// # Errors
    /// It has another number than the one that is to come, and is not told again.
    pub fn follow(&mut self, event: &Event) -> Result<Place, OutOfOrder> {
        let wanted = self.next.unwrap_or(0);
        if event.seq == wanted {
            self.repeats = false;
            self.next = Some(wanted.saturating_add(1));
            return Ok(Place::New);
        }
        if event.seq < wanted && self.repeats {
            Ok(self.told())
        } else {
            Err(OutOfOrder { found: event.seq, wanted })
        }
    }

    fn told(self) -> Place {
        if self.is_later { Place::Told } else { Place::New }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DeviceId, Time};
    use crate::event::RunStarted;

    fn started(seq: u64, part: u32) -> Event {
        let start = RunStarted {
            version: "0".into(),
            wall_clock: String::new(),
            seed: 0,
            profile_name: String::new(),
            profile: String::new(),
            overrides: Vec::new(),
            azure_fault_messages: None,
            observer: true,
            part,
        };
        Event { seq, at: Time::ZERO, what: What::RunStarted(Box::new(start)) }
    }

    fn event(seq: u64) -> Event {
        Event { seq, at: Time::ZERO, what: What::DeviceNamed { device: DeviceId(0), name: "a".into() } }
    }

    fn read(numbers: &mut Numbers, part: u32, first: u64, rest: &[u64]) -> Result<usize, OutOfOrder> {
        let mut new = usize::from(numbers.begin(&started(first, part))? == Place::New);
        for seq in rest {
            new += usize::from(numbers.follow(&event(*seq))? == Place::New);
        }
        Ok(new)
    }

    fn wrong(found: u64, wanted: u64) -> Result<usize, OutOfOrder> {
        Err(OutOfOrder { found, wanted })
    }

    #[test]
    fn a_log_counts_from_0_without_gaps() {
        let read = |first, rest: &[u64]| read(&mut Numbers::default(), 0, first, rest);
        assert_eq!(read(0, &[1, 2, 3]), Ok(4));
        assert_eq!(read(1, &[]), wrong(1, 0));
        assert_eq!(read(0, &[1, 3]), wrong(3, 2), "a line is missing");
        assert_eq!(read(0, &[1, 1]), wrong(1, 2), "a line stands twice");
        assert_eq!(read(0, &[1, 2, 0]), wrong(0, 3), "the log begins anew");
        assert_eq!(read(0, &[2, 1]), wrong(2, 1), "another order");
    }

    #[test]
    fn a_later_part_tells_again_what_lived() {
        assert_eq!(read(&mut Numbers::default(), 3, 42, &[0, 5, 7, 42, 43]), Ok(6), "by itself");
        let mut all = Numbers::default();
        assert_eq!(read(&mut all, 0, 0, &[1, 2]), Ok(3));
        assert_eq!(read(&mut all, 1, 3, &[0, 2, 3, 4]), Ok(2));
        assert_eq!(read(&mut all, 2, 6, &[6]), wrong(6, 5), "the end of the part before is missing");
        let once_new = read(&mut Numbers::default(), 3, 42, &[0, 42, 5]);
        assert_eq!(once_new, wrong(5, 43), "nothing is told again after the first new event");
    }
}
