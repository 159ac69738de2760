//! Which of a device's messages have arrived at the hub.

use crate::mqtt::{Version, peek};
use std::collections::BTreeSet;

/// How many messages that were overtaken are remembered: no device resends more (packet identifiers end there).
const MOST_MISSING: usize = 65_535;

/// The numbers that have arrived: all below `next` that are not missing.
#[derive(Debug)]
pub(super) struct Arrivals {
    next: u64,
    missing: BTreeSet<u64>,
}

impl Default for Arrivals {
    fn default() -> Arrivals {
        Arrivals { next: 1, missing: BTreeSet::new() }
    }
}

impl Arrivals {
    /// One arrives. Whether for the first time.
    pub fn add(&mut self, number: u64) -> bool {
        if number < self.next {
            return self.missing.remove(&number);
        }
        let skipped = self.next..number;
        for number in skipped.rev().take(MOST_MISSING) {
            self.missing.insert(number);
        }
        while self.missing.len() > MOST_MISSING {
            self.missing.pop_first();
        }
        self.next = number + 1;
        true
    }
}

/// The number of the message in a PUBLISH that a device made: `client-id number ...` is its payload.
pub(super) fn number_in(packet: &[u8], version: Version, client_id: &str) -> Option<u64> {
    let (&first, rest) = packet.split_first()?;
    if first >> 4 != 3 {
        return None;
    }
    let header = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let body = rest.get(header..)?;
    let at = usize::try_from(peek::publish_view(version, first, body)?.payload_at?).ok()?;
    let number = body.get(at..)?.strip_prefix(client_id.as_bytes())?.strip_prefix(b" ")?;
    let mut digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    digits.try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_arrives_for_the_first_time_once() {
        let mut arrivals = Arrivals::default();
        let seen: Vec<bool> =
            [1, 2, 5, 3, 3, 5, 4, 6].into_iter().map(|number| arrivals.add(number)).collect();
        assert_eq!(seen, [true, true, true, true, false, false, true, true]);
        assert_eq!(arrivals.missing.len(), 0);
    }

    #[test]
    fn those_that_never_come_are_forgotten_in_the_end() {
        let mut arrivals = Arrivals::default();
        (1..200_000).filter(|number| number % 2 == 0).for_each(|number| assert!(arrivals.add(number)));
        assert_eq!(arrivals.missing.len(), MOST_MISSING);
        assert!(!arrivals.add(1), "it was given up");
    }
}
