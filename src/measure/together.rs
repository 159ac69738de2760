//! Runs on one axis of time: when each began after the earliest, by its machine's wall clock.
//!
//! The clocks of machines differ by what their synchronisation leaves (NTP: mostly some milliseconds on a local network,
//! tens over the Internet, without it anything). Logs do not tell how much, so that it is in no figure.

use super::results::{Results, RunResults};
use jiff::Timestamp;
use std::time::Duration;

impl Results {
    /// For each run, how long after the earliest it began; `None` for a run whose wall clock is not known.
    pub fn starts(&self) -> Vec<Option<Duration>> {
        let clocks: Vec<Option<Timestamp>> = self.runs.iter().map(began).collect();
        let earliest = clocks.iter().flatten().min().copied();
        let since = |at: Timestamp| Duration::try_from(at.duration_since(earliest?)).ok();
        clocks.into_iter().map(|clock| since(clock?)).collect()
    }
}

/// By its own wall clock.
fn began(run: &RunResults) -> Option<Timestamp> {
    run.started.as_ref()?.wall_clock.parse().ok()
}
