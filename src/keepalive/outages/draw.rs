//! The outages of one run, drawn.

use super::{LEAST_LENGTH, MOST_SPELLS, Outages, Spell};
use crate::base::Time;
use crate::base::rand::{Key, unit};
use std::time::Duration;

/// The purpose that tells draws of outages from all others.
const PURPOSE: u64 = 0x6f75_7461_6765_7300;

impl Outages {
    /// Those that begin in this time, earliest first and apart; the last may end after it. The same seed gives the same ones,
    /// and rules of one kind draw alike: of two lengths, or two means, outages begin at about the same places.
    pub fn spells(&self, seed: u64, span: Duration) -> Vec<Spell> {
        let mut spells = match self {
            Outages::None => Vec::new(),
            Outages::Fixed { length, every } => fixed(*length, *every, seed, span),
            Outages::Exponential { length, every } => {
                alternating(every.saturating_sub(*length), *length, seed, span)
            }
            Outages::GilbertElliott { good, bad, .. } => alternating(*good, *bad, seed, span),
            Outages::Trace(recording) => {
                recording.spells.iter().flat_map(|all| all.iter().copied()).collect()
            }
        };
        spells.retain(|spell| spell.start.elapsed() < span);
        spells.truncate(MOST_SPELLS);
        spells
    }
}

/// One in each interval, at a moment drawn evenly.
fn fixed(length: Duration, every: Duration, seed: u64, span: Duration) -> Vec<Spell> {
    let mut spells = Vec::new();
    let (mut interval, mut nth) = (Duration::ZERO, 0);
    while interval < span && spells.len() < MOST_SPELLS {
        let within = every.saturating_sub(length).mul_f64(unit(key(seed, 0, nth)));
        spells.push(Spell { start: Time::ZERO + interval + whole_millis(within), length });
        interval = interval.saturating_add(every);
        nth += 1;
    }
    spells
}

/// Exponential sojourns in two states by turns, the good one first.
fn alternating(good: Duration, bad: Duration, seed: u64, span: Duration) -> Vec<Spell> {
    let mut spells = Vec::new();
    let (mut now, mut nth) = (Duration::ZERO, 0);
    while spells.len() < MOST_SPELLS {
        now = now.saturating_add(exponential(good, key(seed, 1, nth)));
        if now >= span {
            break;
        }
        let length = exponential(bad, key(seed, 2, nth));
        spells.push(Spell { start: Time::ZERO + now, length });
        now = now.saturating_add(length);
        nth += 1;
    }
    spells
}

/// An exponential draw of this mean, at least [`LEAST_LENGTH`].
fn exponential(mean: Duration, key: Key) -> Duration {
    // At most 37 means: 53 bits of chance hold no less than 2^-53.
    let drawn = mean.mul_f64(-(1.0 - unit(key)).ln());
    whole_millis(drawn).max(LEAST_LENGTH)
}

/// In whole milliseconds, which do not depend on the last bit of a logarithm.
fn whole_millis(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn key(seed: u64, subject: u64, nth: u64) -> Key {
    Key { seed, purpose: PURPOSE, subject, nth }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn spells(text: &str, seed: u64) -> Vec<Spell> {
        text.parse::<Outages>().unwrap().spells(seed, DAY)
    }

    #[test]
    fn fixed_ones_lie_one_in_each_interval_at_places_that_differ() {
        let all = spells("fixed:5m,every=2h", 1);
        assert_eq!(all.len(), 12);
        for (spell, nth) in all.iter().zip(0..) {
            let interval = Time::from_secs(nth * 7_200);
            assert!(spell.start >= interval && spell.end() <= interval + Duration::from_secs(7_200));
            assert_eq!(spell.length, Duration::from_secs(300));
        }
        let within: std::collections::BTreeSet<u64> =
            all.iter().map(|spell| spell.start.as_nanos() % 7_200_000_000_000).collect();
        assert_eq!(within.len(), 12);
        assert_eq!(all, spells("fixed:5m,every=2h", 1));
        assert_ne!(all, spells("fixed:5m,every=2h", 2));
    }

    #[test]
    fn exponential_ones_keep_their_means() {
        for text in ["exponential:30s,every=10m", "gilbert-elliott:good=9m 30s,bad=30s"] {
            let all: Vec<Spell> = (0..20).flat_map(|seed| spells(text, seed)).collect();
            let count = f64::from(u32::try_from(all.len()).unwrap());
            assert!((count / (20.0 * 144.0) - 1.0).abs() < 0.05, "{text}: {count}");
            let mean = all.iter().map(|spell| spell.length.as_secs_f64()).sum::<f64>() / count;
            assert!((mean / 30.0 - 1.0).abs() < 0.06, "{text}: {mean}");
        }
    }

    #[test]
    fn a_run_that_would_have_too_many_is_refused_and_none_has_more() {
        let often: Outages = "fixed:1ms,every=2ms".parse().unwrap();
        assert!(often.check(DAY).unwrap_err().contains("make them rarer"));
        assert!(often.check(Duration::from_secs(1)).is_ok());
        assert_eq!(often.spells(1, DAY).len(), MOST_SPELLS);
        assert!("trace:a.csv".parse::<Outages>().unwrap().check(DAY).unwrap_err().contains("a.csv"));
    }

    proptest! {
        #[test]
        fn outages_are_in_order_and_apart(seed: u64, kind in 0usize..3, length in 1u64..100_000, more in 1u64..10_000_000) {
            let every = length + more;
            let text = match kind {
                0 => format!("fixed:{length}ms,every={every}ms"),
                1 => format!("exponential:{length}ms,every={every}ms"),
                _ => format!("gilbert-elliott:good={more}ms,bad={length}ms,loss=50%"),
            };
            let all = spells(&text, seed);
            prop_assert!(all.windows(2).all(|pair| pair[0].end() <= pair[1].start));
            prop_assert!(all.iter().all(|spell| !spell.length.is_zero() && spell.start.elapsed() < DAY));
        }
    }
}
