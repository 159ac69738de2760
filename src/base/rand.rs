//! Keyed random numbers: a draw is a function of what it is for, never of who drew before.
//!
//! `draw(seed, rule, device, nth)` gives the same number however connections interleave, so that the same seed
//! and the same traffic give the same faults.

/// What a draw is for. Equal keys give equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The run's seed.
    pub seed: u64,
    /// What is drawn for: a rule's number, or any constant that tells purposes apart.
    pub purpose: u64,
    /// Whom it is drawn for: a hash of the device's name.
    pub subject: u64,
    /// The number of the draw, of this purpose and for this subject.
    pub nth: u64,
}

/// A number of 64 even bits for the key.
pub fn draw(key: Key) -> u64 {
    [key.purpose, key.subject, key.nth].into_iter().fold(mix(key.seed), |state, part| mix(state ^ mix(part)))
}

/// A number in [0, 1) for the key, of 53 bits.
pub fn unit(key: Key) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept exactly")]
    let bits = (draw(key) >> 11) as f64;
    bits / 9_007_199_254_740_992.0
}

/// A stable hash of a name (FNV-1a, 64 bits), the same in every run and on every machine.
pub fn name_hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): every input bit moves every output bit.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key { seed: 1, purpose: 2, subject: 3, nth: 4 };

    #[test]
    fn a_draw_depends_on_each_part_of_its_key_and_on_nothing_else() {
        assert_eq!(draw(KEY), draw(KEY));
        let others = [
            Key { seed: 9, ..KEY },
            Key { purpose: 9, ..KEY },
            Key { subject: 9, ..KEY },
            Key { nth: 9, ..KEY },
            Key { purpose: KEY.subject, subject: KEY.purpose, ..KEY },
        ];
        for other in others {
            assert_ne!(draw(KEY), draw(other), "{other:?}");
        }
    }

    #[test]
    fn units_are_even_over_their_range() {
        let drawn: Vec<f64> = (0..10_000).map(|nth| unit(Key { nth, ..KEY })).collect();
        assert!(drawn.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = drawn.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
    }
}
