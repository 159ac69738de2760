//! The busiest second of the fleet.

use crate::base::Time;
use crate::base::units::to_u64;
use std::collections::VecDeque;
use std::time::Duration;

/// The window that slides.
const SECOND: Duration = Duration::from_secs(1);

/// The most connects in any second. Holds the connects of the last second only.
#[derive(Clone, Debug, Default)]
pub struct ConnectRate {
    recent: VecDeque<Time>,
    peak: u64,
}

impl ConnectRate {
    /// A device connected.
    pub fn connect(&mut self, at: Time) {
        while self.recent.front().is_some_and(|first| at.since(*first) >= SECOND) {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        self.peak = self.peak.max(to_u64(self.recent.len()));
    }

    /// The most there were in one second since this was last asked; a second that began before counts with all of it.
    pub fn take_peak(&mut self) -> u64 {
        std::mem::take(&mut self.peak)
    }

    /// The most there were in one second.
    pub fn peak(&self) -> u64 {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_half_open() {
        for (last, peak) in [(999, 3), (1_000, 2)] {
            let mut rate = ConnectRate::default();
            [0, 500, last].into_iter().for_each(|millis| rate.connect(Time::from_millis(millis)));
            assert_eq!(rate.peak(), peak, "{last}");
        }
    }
}
