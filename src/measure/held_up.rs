//! How brownout itself was held up.

use crate::base::Time;
use std::time::Duration;

/// How often, and how much at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// How often.
    pub times: u64,
    /// The longest: at least so long.
    pub worst: Duration,
    /// When that was over.
    pub worst_until: Time,
}

impl HeldUp {
    /// For so long, until then.
    pub fn once(until: Time, late: Duration) -> HeldUp {
        HeldUp { times: 1, worst: late, worst_until: until }
    }

    /// This, and what came later.
    #[must_use]
    pub fn and(self, later: HeldUp) -> HeldUp {
        let worse = if later.worst > self.worst { later } else { self };
        HeldUp { times: self.times + later.times, ..worse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_kept_and_all_are_counted() {
        let once = |at, late| HeldUp::once(Time::from_millis(at), Duration::from_millis(late));
        let all = once(1_000, 60).and(once(2_000, 400)).and(once(3_000, 400)).and(once(9_000, 51));
        assert_eq!(all, HeldUp { times: 4, ..once(2_000, 400) }, "of equals, the first");
    }
}
