//! The clock of the run: where [`Time`] comes from.

use super::sys::timer::monotonic;
use crate::base::Time;
use std::time::{Duration, Instant};

/// Further ahead than any run: an [`Instant`] that far from now can always be counted (as tokio does it).
const FAR_FUTURE: Duration = Duration::from_secs(30 * 366 * 24 * 3600);

/// The moment that the run began, on the monotonic clock. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// The same moment as the kernel counts it for timers, or some nanoseconds later: never earlier, so that
    /// a timer armed by it cannot be early by `began`.
    began_monotonic: Duration,
}

impl Clock {
    /// The run begins now.
    pub fn start() -> Clock {
        // In this order; see `began_monotonic`.
        let began = Instant::now();
        Clock { began, began_monotonic: monotonic() }
    }

    /// The time of the run.
    pub fn now(&self) -> Time {
        self.time(Instant::now())
    }

    /// An instant as a time of the run; those before it began are its beginning.
    pub fn time(&self, instant: Instant) -> Time {
        Time::ZERO + instant.saturating_duration_since(self.began)
    }

    /// A time of the run as an instant, for tokio's timers; those past 30 years ahead are that.
    pub fn instant(&self, time: Time) -> Instant {
        self.began + time.elapsed().min(FAR_FUTURE)
    }

    /// A time of the run as a reading of the kernel's CLOCK_MONOTONIC, for timers; late by nanoseconds at
    /// most.
    pub fn monotonic(&self, time: Time) -> Duration {
        self.began_monotonic.saturating_add(time.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_instants_convert_both_ways() {
        let clock = Clock::start();
        let time = Time::from_millis(1_234);
        assert_eq!(clock.time(clock.instant(time)), time);
        assert!(clock.instant(Time::MAX) > Instant::now());
        assert_eq!(clock.time(clock.began - Duration::from_nanos(1)), Time::ZERO);
    }

    #[test]
    fn the_timers_clock_runs_along_and_is_never_behind() {
        let clock = Clock::start();
        for _ in 0..1_000 {
            let now = clock.now();
            let reading = monotonic();
            assert!(clock.monotonic(now) <= reading + Duration::from_millis(5));
            assert!(clock.monotonic(clock.now()) >= reading, "a timer would be early");
        }
    }
}
