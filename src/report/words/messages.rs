//! Counts of messages: `2`, or `2 to 5` where of so many more it is not known what became.

use super::perhaps;
use crate::report::model::DeliveryCounts;

impl DeliveryCounts {
    /// Passed on to their receiver. At QoS 1 and 2, what is not followed any more has been counted as it was passed on, but for what is
    /// in doubt.
    pub fn received(&self, qos: usize) -> String {
        perhaps(self.received[qos], if qos == 0 { self.unfollowed[0] } else { self.perhaps_received[qos] })
    }

    /// Whose sender was told so.
    pub fn completed(&self, qos: usize) -> String {
        perhaps(self.completed[qos], self.perhaps_completed[qos])
    }

    /// Sent again.
    pub fn retransmitted(&self, qos: usize) -> String {
        perhaps(self.retransmitted[qos], self.unfollowed_in_order(qos))
    }

    /// Passed on again.
    pub fn duplicated(&self, qos: usize) -> String {
        perhaps(self.duplicated[qos], self.unfollowed_in_order(qos) + self.perhaps_duplicated[qos])
    }

    /// Lost.
    pub fn lost(&self, qos: usize) -> String {
        perhaps(self.lost[qos], self.unfollowed[qos])
    }

    /// Neither completed nor lost at the end.
    pub fn in_flight(&self, qos: usize) -> String {
        perhaps(self.in_flight[qos], self.unfollowed_in_order(qos) + self.perhaps_completed[qos])
    }

    /// Those that may be sent again, or still be on their way: at QoS 0 nothing is.
    fn unfollowed_in_order(&self, qos: usize) -> u64 {
        if qos == 0 { 0 } else { self.unfollowed[qos] }
    }
}
