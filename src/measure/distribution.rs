//! Distributions of many values, by rank: of the sorted samples, which are few where a device's are, no histogram of all that
//! could be.

use crate::base::time::nanos;
use crate::event::Samples;
use std::time::Duration;

/// The longest value kept as it is; longer ones count as this, and are counted: a day is past any keep-alive
/// (65,535 s).
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Binary digits that a value keeps: 1024 steps in each power of two, three significant digits.
const DIGITS: u32 = 11;
/// The least step, in nanoseconds as a power of two: 64 ns. Loopback answers take microseconds.
const LEAST_STEP: u32 = 6;

/// Values at three significant digits.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// Nanoseconds, ascending, and how often each was seen.
    values: Vec<(u64, u64)>,
    count: u64,
    clipped: u64,
}

impl Distribution {
    /// Of these samples.
    pub fn of<'a>(samples: impl IntoIterator<Item = &'a Samples>) -> Distribution {
        let all = samples.into_iter().flat_map(Samples::iter);
        let mut values: Vec<(u64, u64)> = all.map(|(value, count)| (nanos(value), count)).collect();
        // Of one device they are sorted already.
        values.sort_unstable();
        let count = |of: &[(u64, u64)]| of.iter().map(|(_, count)| count).sum();
        let longer = values.partition_point(|(value, _)| *value <= nanos(LONGEST));
        Distribution { count: count(&values), clipped: count(&values[longer..]), values }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them were longer than `LONGEST`.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The value that this share (percent, 0 to 100) does not exceed: the greatest one that is the same to three significant
    /// digits. `None` without values.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = rank(percent, self.count);
        let mut before = 0;
        let found = self.values.iter().find(|(_, count)| {
            before += count;
            before >= rank
        });
        found.map(|(value, _)| Duration::from_nanos(greatest_alike((*value).min(nanos(LONGEST)))))
    }
}

/// How many values, at least one, are this share of them.
fn rank(percent: f64, count: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "the share is no more exact than this")]
    let share = (percent / 100.0 * count as f64).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count: whole, and no less than 0"
    )]
    let rank = share as u64;
    rank.clamp(1, count.max(1))
}

/// The greatest value that has the same significant digits.
fn greatest_alike(nanos: u64) -> u64 {
    let spare = (64 - nanos.leading_zeros()).saturating_sub(DIGITS).max(LEAST_STEP);
    nanos | ((1 << spare) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    fn of(values: impl IntoIterator<Item = Duration>) -> Distribution {
        let mut samples = Samples::default();
        values.into_iter().for_each(|value| samples.add(value));
        Distribution::of([&samples])
    }

    #[test]
    fn quantiles_are_within_a_thousandth_and_the_clipped_are_counted() {
        // The next sample up is a thousandth longer.
        let longer = LONGEST + Duration::from_secs(90);
        let all = of((1..=100).map(Duration::from_millis).chain([longer]));
        assert_eq!((all.count(), all.clipped()), (101, 1));
        let median = all.percentile(50.0).unwrap().as_secs_f64();
        assert!((median - 0.051).abs() < 0.0001, "{median}");
        assert_eq!(all.percentile(100.0), of([LONGEST]).percentile(100.0));
        assert_eq!(of([LONGEST]).clipped(), 0);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Distribution::of([]).percentile(50.0), None);
    }

    /// From 1 ns to a day, of one device and of several together.
    #[test]
    fn the_figures_are_those_of_an_hdr_histogram() {
        let mut histogram = Histogram::<u64>::new_with_bounds(64, nanos(LONGEST), 3).unwrap();
        let mut devices = vec![Samples::default(); 7];
        let mut value: u64 = 1;
        for nth in 0..5_000_usize {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let nanos = (value >> 18 >> (nth % 46)).min(nanos(LONGEST));
            devices[nth % 7].add(Duration::from_nanos(nanos));
        }
        for (value, count) in devices.iter().flat_map(Samples::iter) {
            histogram.record_n(nanos(value), count).unwrap();
        }
        let all = Distribution::of(&devices);
        assert_eq!(all.count(), histogram.len());
        for percent in [0.1, 1.0, 10.0, 25.0, 33.3, 50.0, 66.7, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0] {
            let expected = Duration::from_nanos(histogram.value_at_quantile(percent / 100.0));
            assert_eq!(all.percentile(percent), Some(expected), "{percent}");
        }
    }
}
