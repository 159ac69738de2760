//! The clock of the run: where [`Time`] comes from.

use super::sys::timer::monotonic_nanos;
use crate::base::Time;
use std::time::{Duration, Instant};

/// Further ahead than any run: an [`Instant`] that far from now can always be counted (as tokio does it).
const FAR_FUTURE: Duration = Duration::from_secs(30 * 366 * 24 * 3600);

/// The moment that the run began, on the monotonic clock. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// As the kernel counts it for timers, in nanoseconds.
    began: u64,
}

impl Clock {
    /// The run begins now.
    pub fn start() -> Clock {
        Clock { began: monotonic_nanos() }
    }

    /// The time of the run.
    pub fn now(&self) -> Time {
        Time::from_nanos(monotonic_nanos().saturating_sub(self.began))
    }

    /// A time of the run as an instant, for tokio's timers: never earlier, and later by what two looks at the clock take; those
    /// past 30 years ahead are that.
    pub fn instant(&self, time: Time) -> Instant {
        let ahead = time.since(self.now());
        Instant::now() + ahead.min(FAR_FUTURE)
    }

    /// A time of the run as a reading of the kernel's CLOCK_MONOTONIC, for timers.
    pub fn monotonic(&self, time: Time) -> Duration {
        Duration::from_nanos(self.began).saturating_add(time.elapsed())
    }

    /// The other way round; what was before the run began is its beginning.
    pub fn at_monotonic(&self, reading: Duration) -> Time {
        Time::ZERO + reading.saturating_sub(Duration::from_nanos(self.began))
    }

    /// An instant that is still to come as a time of the run: never earlier.
    #[cfg(test)]
    pub fn time(&self, instant: Instant) -> Time {
        let ahead = instant.saturating_duration_since(Instant::now());
        self.now() + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::sys::timer::monotonic;

    #[test]
    fn times_and_instants_convert_both_ways_and_are_never_early() {
        let clock = Clock::start();
        for ahead in [Duration::ZERO, Duration::from_secs(3600)] {
            let (time, instant) = (clock.now() + ahead, Instant::now() + ahead);
            assert!(clock.time(clock.instant(time)) >= time, "a timer would be early");
            assert!(clock.instant(clock.time(instant)) >= instant, "a timer would be early");
            let late = clock.instant(time).saturating_duration_since(instant);
            assert!(late < Duration::from_secs(60), "{late:?}");
        }
        assert!(clock.instant(Time::MAX) > Instant::now());
    }

    #[test]
    fn the_timers_clock_is_the_same() {
        let clock = Clock::start();
        for _ in 0..1_000 {
            let before = monotonic();
            let now = clock.monotonic(clock.now());
            assert!(before <= now && now <= monotonic(), "a timer would be early or late");
            assert_eq!(clock.monotonic(clock.at_monotonic(now)), now);
        }
    }
}
