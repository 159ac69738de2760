//! A link on which nothing passes, noticed without a timer for each packet.

use crate::base::Time;
use std::time::Duration;

/// Watches one link. The alarm is set for when it could first be idle, and is looked at again only then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdleWatch {
    after: Option<Duration>,
    /// When something last passed, or the watch began.
    since: Time,
    /// When to look again.
    look: Option<Time>,
}

impl IdleWatch {
    /// From now on, so long without a byte is idle; or nothing is.
    pub fn set(&mut self, now: Time, after: Option<Duration>) {
        if self.after.is_none() {
            // What was quiet before the watch began does not count.
            self.since = now;
        }
        if self.after != after {
            self.after = after;
            self.look = after.map(|after| self.since + after);
        }
    }

    /// Something passed.
    pub fn passed(&mut self, now: Time) {
        self.since = now;
        if self.look.is_none() {
            self.look = self.after.map(|after| now + after);
        }
    }

    /// Whether the link has been idle for so long; said once, until something passes.
    pub fn is_due(&mut self, now: Time) -> bool {
        let Some((after, look)) = self.after.zip(self.look).filter(|(_, look)| *look <= now) else {
            return false;
        };
        let idle = self.since + after;
        self.look = (idle > look && idle > now).then_some(idle);
        self.look.is_none()
    }

    /// When to ask again.
    pub fn deadline(&self) -> Option<Time> {
        self.look
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn watch(now: Time, after: u64) -> IdleWatch {
        let mut watch = IdleWatch::default();
        watch.set(now, Some(Duration::from_millis(after)));
        watch
    }

    #[test]
    fn a_link_is_idle_once_until_something_passes() {
        let mut watch = watch(ms(1_000), 100);
        assert!(!watch.is_due(ms(1_099)));
        assert!(watch.is_due(ms(1_100)));
        assert_eq!((watch.is_due(ms(5_000)), watch.deadline()), (false, None));
        watch.passed(ms(6_000));
        assert_eq!(watch.deadline(), Some(ms(6_100)));
        assert!(watch.is_due(ms(6_100)));
    }

    #[test]
    fn the_alarm_stays_where_it_is_while_bytes_pass() {
        let mut watch = watch(ms(0), 100);
        for at in 1..=90 {
            watch.passed(ms(at));
            assert_eq!(watch.deadline(), Some(ms(100)));
        }
        assert!(!watch.is_due(ms(100)));
        assert_eq!(watch.deadline(), Some(ms(190)));
        assert!(!watch.is_due(ms(189)));
        assert!(watch.is_due(ms(190)));
    }

    #[test]
    fn what_holds_already_is_not_begun_again() {
        let mut idle = watch(ms(0), 100);
        idle.set(ms(50), Some(Duration::from_millis(100)));
        assert_eq!(idle.deadline(), Some(ms(100)));
        idle.set(ms(60), None);
        assert_eq!((idle.is_due(ms(500)), idle.deadline()), (false, None));
        idle.set(ms(1_000), Some(Duration::from_millis(100)));
        assert_eq!(idle.deadline(), Some(ms(1_100)));
    }
}
