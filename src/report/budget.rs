//! How much is told of each second of a run while it lasts.

use super::words::count;
use crate::base::Time;

/// So many moments are told of each second: more would scroll past unread.
const MOST_A_SECOND: u64 = 12;

/// What has been told in the second that runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    second: u64,
    told: u64,
}

impl Budget {
    /// In a new second: a line for what the last one left out.
    pub fn left_out(&mut self, now: Time) -> Option<String> {
        let second = now.elapsed().as_secs();
        if second == self.second {
            return None;
        }
        let left_out = std::mem::replace(self, Budget { second, told: 0 }).told.saturating_sub(MOST_A_SECOND);
        (left_out > 0).then(|| format!("{:>9}  ... and {}", "", count(left_out, "more moment")))
    }

    /// Whether one more moment may be told.
    pub fn allows(&mut self) -> bool {
        self.told += 1;
        self.told <= MOST_A_SECOND
    }
}
