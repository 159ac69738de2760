//! Counts of events, as they are read: a log may be anybody's, and claim anything.

use serde::{Deserialize, Deserializer};

/// More than passes in the second that an event counts, and so little that the sums of a million events stay far within
/// 64 bits. What claims more is taken for this.
pub(super) const MOST: u64 = 1 << 44;

pub(super) fn count<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    u64::deserialize(from).map(|count| count.min(MOST))
}

pub(super) fn is_none(count: &u64) -> bool {
    *count == 0
}

/// By quality of service.
pub(super) fn counts<'de, D: Deserializer<'de>>(from: D) -> Result<[u64; 3], D::Error> {
    <[u64; 3]>::deserialize(from).map(|counts| counts.map(|count| count.min(MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Count, Delivery, Samples};

    #[test]
    fn what_a_log_claims_can_be_summed() {
        let count = r#"{"bytes":18446744073709551615,"packets":17592186044417,"publishes":17592186044416}"#;
        let count: Count = serde_json::from_str(count).unwrap();
        assert_eq!(count, Count { bytes: MOST, packets: MOST, publishes: MOST });
        let delivery = r#"{"sent":[18446744073709551615,1,0],"missing":18446744073709551615}"#;
        let delivery: Delivery = serde_json::from_str(delivery).unwrap();
        assert_eq!(delivery, Delivery { sent: [MOST, 1, 0], missing: MOST, ..Delivery::default() });
        let samples: Samples = serde_json::from_str("[[1,18446744073709551615],[2,1]]").unwrap();
        assert_eq!(samples.count(), MOST + 1);
    }
}
