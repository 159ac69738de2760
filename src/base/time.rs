//! Time of the run: nanoseconds since it began. Arguments carry it; nothing on the pure floors reads a clock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment: nanoseconds since the run began. 64 bits last 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Time(
    /// One more than the nanoseconds: so an `Option<Time>`, of which a link has dozens, takes no more room.
    NonZeroU64,
);

impl Time {
    /// The beginning of the run.
    pub const ZERO: Time = Time(NonZeroU64::MIN);
    /// Later than every moment of a run.
    pub const MAX: Time = Time(NonZeroU64::MAX);

    /// From nanoseconds since the run began.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// From milliseconds since the run began; for literal times in tests.
    pub const fn from_millis(millis: u64) -> Self {
        Time::from_nanos(millis * 1_000_000)
    }

    /// From seconds since the run began; for literal times in tests.
    pub const fn from_secs(secs: u64) -> Self {
        Time::from_nanos(secs * 1_000_000_000)
    }

    /// Nanoseconds since the run began.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// How long after the beginning of the run this is.
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(self.as_nanos())
    }
}

impl Default for Time {
    fn default() -> Time {
        Time::ZERO
    }
}

impl From<u64> for Time {
    fn from(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }
}

impl From<Time> for u64 {
    fn from(time: Time) -> u64 {
        time.as_nanos()
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(nanos(span)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time::from_nanos(self.as_nanos().saturating_sub(nanos(span)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.as_nanos()).finish()
    }
}

impl fmt::Display for Time {
    /// Seconds with three decimals: `12.345`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.as_nanos();
        write!(f, "{}.{:03}", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000_000)
    }
}

/// A span in whole nanoseconds; spans past 584 years count as that.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Time::MAX + Duration::from_secs(1), Time::MAX);
        assert_eq!(Time::from_secs(1) - Duration::from_secs(2), Time::ZERO);
        assert_eq!(Time::from_secs(1).since(Time::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn one_that_may_be_missing_takes_no_more_room() {
        assert_eq!(size_of::<Option<Time>>(), 8);
        assert_eq!((Time::ZERO.as_nanos(), Time::from_nanos(7).as_nanos()), (0, 7));
        assert_eq!(serde_json::to_string(&Time::from_nanos(7)).unwrap(), "7");
        assert_eq!(serde_json::from_str::<Time>("7").unwrap(), Time::from_nanos(7));
    }

    #[test]
    fn shown_in_seconds_and_milliseconds() {
        assert_eq!(Time::from_millis(12_345).to_string(), "12.345");
        assert_eq!(Time::from_nanos(999_999).to_string(), "0.000");
    }
}
