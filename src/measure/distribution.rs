//! Distributions of many values: an HDR histogram with what it could not hold counted beside it.

use crate::base::time::nanos;
use crate::event::Samples;
use hdrhistogram::Histogram;
use std::time::Duration;

/// The longest value kept as it is; longer ones count as this, and are counted: a day is past any keep-alive
/// (65,535 s).
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Values at three significant digits.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Option<Histogram<u64>>,
    clipped: u64,
}

impl Distribution {
    /// An empty one.
    pub fn new() -> Distribution {
        // From 64 ns up: loopback answers take microseconds. The bounds are constants that the crate accepts.
        Distribution { histogram: Histogram::new_with_bounds(64, nanos(LONGEST), 3).ok(), clipped: 0 }
    }

    /// Of these samples.
    pub fn of<'a>(samples: impl IntoIterator<Item = &'a Samples>) -> Distribution {
        let mut all = Distribution::new();
        for (value, count) in samples.into_iter().flat_map(Samples::iter) {
            all.add(value, count);
        }
        all
    }

    /// Adds a value so many times.
    pub fn add(&mut self, value: Duration, count: u64) {
        if value > LONGEST {
            self.clipped += count;
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record_n(nanos(value), count);
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// How many of them were longer than [`LONGEST`].
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// The value that this share (percent, 0 to 100) does not exceed; `None` without values.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let histogram = self.histogram.as_ref().filter(|histogram| !histogram.is_empty())?;
        Some(Duration::from_nanos(histogram.value_at_quantile(percent / 100.0)))
    }

    /// The greatest value, to three significant digits.
    pub fn max(&self) -> Option<Duration> {
        self.percentile(100.0)
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_thousandth_and_the_clipped_are_counted() {
        let mut all = Distribution::new();
        for millis in 1..=100 {
            all.add(Duration::from_millis(millis), 1);
        }
        all.add(LONGEST + Duration::from_nanos(1), 1);
        assert_eq!((all.count(), all.clipped()), (101, 1));
        let median = all.percentile(50.0).unwrap().as_secs_f64();
        assert!((median - 0.051).abs() < 0.0001, "{median}");
        all.add(LONGEST, 1);
        assert_eq!(all.clipped(), 1);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Distribution::new().percentile(50.0), None);
    }
}
