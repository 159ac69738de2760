//! All devices together over time: how many are connected, and how many connect, are accepted and send.

use super::bins::{Bin, Bins};
use crate::base::Time;
use std::time::Duration;

/// How finely the number of connected devices is kept, before bins are merged.
const LEVEL_WIDTH: Duration = Duration::from_millis(10);
/// How finely counts are kept, before bins are merged.
const COUNT_WIDTH: Duration = Duration::from_secs(1);

/// All devices over time.
#[derive(Clone, Debug)]
pub struct Fleet {
    from: Time,
    connected: u64,
    level: Bins<Level>,
    counts: Bins<Counts>,
    /// The second of the latest connect, and how many there were in it.
    second: (u64, u64),
}

/// How many devices are connected within a bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// At the least.
    pub low: u64,
    /// At the most.
    pub high: u64,
    /// At its end.
    pub last: u64,
}

/// What happened within a bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connects that arrived.
    pub connects: u64,
    /// Those in the busiest second (of the run's own seconds) of the bin.
    pub busiest: u64,
    /// Links that the hub accepted.
    pub accepted: u64,
    /// PUBLISH packets from devices, when they were told of: once a second.
    pub up: u64,
    /// PUBLISH packets for devices.
    pub down: u64,
}

impl Bin for Level {
    fn next(&self) -> Level {
        Level { low: self.last, high: self.last, last: self.last }
    }

    fn merge(&mut self, later: &Level) {
        self.low = self.low.min(later.low);
        self.high = self.high.max(later.high);
        self.last = later.last;
    }
}

impl Bin for Counts {
    fn next(&self) -> Counts {
        Counts::default()
    }

    fn merge(&mut self, later: &Counts) {
        self.connects += later.connects;
        self.busiest = self.busiest.max(later.busiest);
        self.accepted += later.accepted;
        self.up += later.up;
        self.down += later.down;
    }
}

impl Default for Fleet {
    fn default() -> Fleet {
        Fleet {
            from: Time::ZERO,
            connected: 0,
            level: Bins::new(LEVEL_WIDTH),
            counts: Bins::new(COUNT_WIDTH),
            second: (0, 0),
        }
    }
}

impl Fleet {
    /// How many devices were connected.
    pub fn level(&self) -> &Bins<Level> {
        &self.level
    }

    /// How many connected, were accepted, and sent.
    pub fn counts(&self) -> &Bins<Counts> {
        &self.counts
    }

    /// Nothing is expected for a while: keeps no room for more.
    pub(super) fn shrink(&mut self) {
        self.level.shrink();
        self.counts.shrink();
    }

    /// It is watched from this time on.
    pub(super) fn begins(&mut self, now: Time) {
        self.from = now;
        self.level.begins(now);
        self.counts.begins(now);
    }

    pub(super) fn connects(&mut self, now: Time) {
        let second = now.since(self.from).as_secs();
        self.second = match self.second {
            (same, count) if same == second => (same, count + 1),
            _ => (second, 1),
        };
        let in_second = self.second.1;
        let counts = self.counts.at(now);
        counts.connects += 1;
        counts.busiest = counts.busiest.max(in_second);
    }

    pub(super) fn accepted(&mut self, now: Time) {
        self.counts.at(now).accepted += 1;
    }

    pub(super) fn messages(&mut self, now: Time, up: u64, down: u64) {
        let counts = self.counts.at(now);
        counts.up += up;
        counts.down += down;
    }

    pub(super) fn joins(&mut self, now: Time) {
        self.stands(now, self.connected + 1);
    }

    pub(super) fn leaves(&mut self, now: Time) {
        self.stands(now, self.connected.saturating_sub(1));
    }

    /// The series reach to here.
    pub(super) fn ends(&mut self, now: Time) {
        self.stands(now, self.connected);
        self.counts.at(now);
    }

    fn stands(&mut self, now: Time, connected: u64) {
        self.connected = connected;
        let level = self.level.at(now);
        level.low = level.low.min(connected);
        level.high = level.high.max(connected);
        level.last = connected;
    }
}
