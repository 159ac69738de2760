//! How many single ends are told: so many at once, then one now and again; the rest as a number.

use crate::base::Time;
use std::time::Duration;

/// So many are told one after another.
const AT_ONCE: u32 = 10;
/// After that, one in this time.
const ONE_IN: Duration = Duration::from_secs(6);

/// The measure of what may be told.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    left: u32,
    /// When the latest of those that are left came to be.
    from: Time,
    untold: u64,
}

impl Default for Voice {
    fn default() -> Voice {
        Voice { left: AT_ONCE, from: Time::ZERO, untold: 0 }
    }
}

impl Voice {
    /// Whether one may be told at this moment; if so, how many were not told since the last.
    pub fn may_tell(&mut self, at: Time) -> (bool, u64) {
        while self.left < AT_ONCE && at.since(self.from) >= ONE_IN {
            self.left += 1;
            self.from += ONE_IN;
        }
        if self.left == AT_ONCE {
            self.from = at;
        }
        if self.left == 0 {
            self.untold += 1;
            return (false, 0);
        }
        self.left -= 1;
        (true, std::mem::take(&mut self.untold))
    }

    /// How many were not told since the last that was; they are taken for told.
    pub fn rest(&mut self) -> u64 {
        std::mem::take(&mut self.untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A long silence saves up no more than what may be told at once.
    #[test]
    fn rest_earns_nothing() {
        let mut voice = Voice::default();
        let told = |voice: &mut Voice, at| (0..50).filter(|_| voice.may_tell(at).0).count();
        assert_eq!(told(&mut voice, Time::from_secs(100)), 10);
        assert_eq!(told(&mut voice, Time::from_secs(100_000)), 10);
    }

    #[test]
    fn a_burst_is_cut_and_counted() {
        let mut voice = Voice::default();
        let at = Time::from_secs;
        for _ in 0..10 {
            assert_eq!(voice.may_tell(at(1)), (true, 0));
        }
        for _ in 0..90 {
            assert_eq!(voice.may_tell(at(1)), (false, 0));
        }
        assert_eq!(voice.may_tell(at(6)), (false, 0), "a second too early");
        assert_eq!(voice.may_tell(at(7)), (true, 91));
        assert_eq!(voice.may_tell(at(8)), (false, 0));
        assert_eq!(voice.rest(), 1);
        assert_eq!(voice.may_tell(at(70)), (true, 0));
    }
}
