//! How long bytes are held: a delay model as data, sampled with numbers that come in.

use crate::base::span::{LONGEST, parse_fixed, show_fixed};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The shape of a delay. Each is one way; for a round trip, half of it belongs to each direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DelayModel {
    /// The same for all: a long cable, a satellite.
    Fixed {
        /// The delay.
        #[serde(with = "text")]
        delay: Duration,
    },
    /// Every delay between the two is as likely: a poll interval, a radio that wakes up now and then.
    Uniform {
        /// The shortest.
        #[serde(with = "text")]
        min: Duration,
        /// The longest; not reached.
        #[serde(with = "text")]
        max: Duration,
    },
    /// Bell-shaped about a mean: many small causes. A draw below zero counts as zero, which lifts the true
    /// mean where the deviation is more than a third of it.
    Normal {
        /// The mean.
        #[serde(with = "text")]
        mean: Duration,
        /// The standard deviation.
        #[serde(with = "text")]
        deviation: Duration,
    },
    /// Mostly short, now and then very long: queues and cellular links. The chance that a delay is longer
    /// than `d` is `(scale / d) ^ shape`, so that of `scale 50ms, shape 1.5` one in 31 is over half a second.
    Pareto {
        /// The shortest, and the most likely.
        #[serde(with = "text")]
        scale: Duration,
        /// How fast the tail falls, above 0; at 1 and below the mean is bounded by `max` alone.
        shape: f64,
        /// The longest: a longer draw counts as this.
        #[serde(with = "text")]
        max: Duration,
    },
}

/// A delay model, and a jitter on top.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// The shape.
    pub model: DelayModel,
    /// Every delay is moved by an even draw from minus to plus this, and not below zero. Zero means no
    /// jitter.
    #[serde(with = "text", default)]
    pub jitter: Duration,
}

/// What is wrong with a delay.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadDelay {
    /// The range is empty.
    #[error(
        "`min` ({}) is longer than `max` ({}); swap them",
        show_fixed(*.min),
        show_fixed(*.max)
    )]
    EmptyRange {
        /// The lower bound given.
        min: Duration,
        /// The upper bound given.
        max: Duration,
    },
    /// A Pareto distribution that ends before it starts.
    #[error(
        "`scale` ({}) is longer than `max` ({}); make `max` longer: `scale` is the shortest delay of the distribution",
        show_fixed(*.scale),
        show_fixed(*.max)
    )]
    ScaleOverMax {
        /// The shortest delay given.
        scale: Duration,
        /// The longest delay given.
        max: Duration,
    },
    /// A Pareto distribution that has no such shape.
    #[error("`shape` is {0}; it is above 0 and at most 100, and 1.5 to 3 is what real links show")]
    Shape(f64),
    /// A Pareto distribution that starts at nothing, and so is nothing.
    #[error("`scale` is 0; it is the shortest delay of the distribution, such as 50ms")]
    NoScale,
    /// Longer than any run.
    #[error("`{0}` is longer than a year")]
    TooLong(&'static str),
}

impl DelayModel {
    /// One delay, from two even draws of [0, 1) (see [`crate::base::rand::unit`]). Only
    /// [`DelayModel::Normal`] uses the second. Equal draws give equal delays.
    pub fn sample(&self, unit1: f64, unit2: f64) -> Duration {
        match *self {
            DelayModel::Fixed { delay } => delay,
            DelayModel::Uniform { min, max } => {
                seconds(min.as_secs_f64() + max.saturating_sub(min).as_secs_f64() * unit1)
            }
            DelayModel::Normal { mean, deviation } => {
                seconds(mean.as_secs_f64() + deviation.as_secs_f64() * standard_normal(unit1, unit2))
            }
            DelayModel::Pareto { scale, shape, max } => {
                // The inverse of the distribution function; 1 - unit is in (0, 1], so there is no division by
                // 0.
                seconds(scale.as_secs_f64() / (1.0 - unit1).powf(1.0 / shape)).min(max)
            }
        }
    }

    /// Whether the numbers make sense together; a profile is checked with it before the run.
    ///
    /// # Errors
    /// The first [`BadDelay`] found.
    pub fn check(&self) -> Result<(), BadDelay> {
        match *self {
            DelayModel::Fixed { delay } => short_enough("delay", delay),
            DelayModel::Uniform { min, max } if min > max => Err(BadDelay::EmptyRange { min, max }),
            DelayModel::Uniform { max, .. } => short_enough("max", max),
            DelayModel::Normal { mean, deviation } => {
                short_enough("mean", mean).and(short_enough("deviation", deviation))
            }
            DelayModel::Pareto { scale, .. } if scale.is_zero() => Err(BadDelay::NoScale),
            DelayModel::Pareto { scale, max, .. } if scale > max => {
                Err(BadDelay::ScaleOverMax { scale, max })
            }
            DelayModel::Pareto { shape, .. } if !(shape > 0.0 && shape <= 100.0) => {
                Err(BadDelay::Shape(shape))
            }
            DelayModel::Pareto { max, .. } => short_enough("max", max),
        }
    }
}

impl Delay {
    /// The same for all, without jitter.
    pub const fn fixed(delay: Duration) -> Delay {
        Delay { model: DelayModel::Fixed { delay }, jitter: Duration::ZERO }
    }

    /// The delay, where every draw gives the same.
    pub fn same(&self) -> Option<Duration> {
        let same = match self.model {
            DelayModel::Fixed { delay } => Some(delay),
            DelayModel::Uniform { min, max } => (min == max).then_some(min),
            DelayModel::Normal { mean, deviation } => deviation.is_zero().then_some(mean),
            DelayModel::Pareto { scale, max, .. } => (scale == max).then_some(max),
        };
        same.filter(|_| self.jitter.is_zero())
    }

    /// One delay, from three even draws of [0, 1): two for the model, the third for the jitter.
    pub fn sample(&self, units: [f64; 3]) -> Duration {
        let [unit1, unit2, unit3] = units;
        let delay = self.model.sample(unit1, unit2);
        if self.jitter.is_zero() {
            return delay;
        }
        seconds(delay.as_secs_f64() + self.jitter.as_secs_f64() * (2.0 * unit3 - 1.0))
    }

    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// The first [`BadDelay`] found.
    pub fn check(&self) -> Result<(), BadDelay> {
        self.model.check().and(short_enough("jitter", self.jitter))
    }
}

impl fmt::Display for DelayModel {
    /// `300ms`, `uniform 50ms to 200ms`, `normal 100ms +-20ms`, `pareto from 50ms, shape 1.5, at most 10s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            DelayModel::Fixed { delay } => f.write_str(&show_fixed(delay)),
            DelayModel::Uniform { min, max } => {
                write!(f, "uniform {} to {}", show_fixed(min), show_fixed(max))
            }
            DelayModel::Normal { mean, deviation } => {
                write!(f, "normal {} +-{}", show_fixed(mean), show_fixed(deviation))
            }
            DelayModel::Pareto { scale, shape, max } => {
                write!(f, "pareto from {}, shape {shape}, at most {}", show_fixed(scale), show_fixed(max))
            }
        }
    }
}

impl fmt::Display for Delay {
    /// The model, and ` with jitter 20ms` where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model.fmt(f)?;
        if self.jitter.is_zero() {
            return Ok(());
        }
        write!(f, " with jitter {}", show_fixed(self.jitter))
    }
}

/// A draw of the normal distribution of mean 0 and deviation 1 (Box and Muller, Ann. Math. Stat. 29, 1958).
fn standard_normal(unit1: f64, unit2: f64) -> f64 {
    // 1 - unit is in (0, 1], where the logarithm is finite.
    (-2.0 * (1.0 - unit1).ln()).sqrt() * (std::f64::consts::TAU * unit2).cos()
}

/// Seconds as a duration of 0 to [`LONGEST`]; what is not a number counts as the longest.
fn seconds(seconds: f64) -> Duration {
    if seconds <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
}

fn short_enough(key: &'static str, span: Duration) -> Result<(), BadDelay> {
    if span <= LONGEST { Ok(()) } else { Err(BadDelay::TooLong(key)) }
}

/// Durations as people write them.
mod text {
    use super::{Duration, parse_fixed, show_fixed};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show_fixed(*span))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_fixed(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rand::{Key, unit};

    const ALMOST_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
    const DRAWS: u64 = 20_000;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const NORMAL: DelayModel = DelayModel::Normal { mean: ms(100), deviation: ms(20) };
    const UNIFORM: DelayModel = DelayModel::Uniform { min: ms(50), max: ms(200) };
    const PARETO: DelayModel = DelayModel::Pareto { scale: ms(50), shape: 1.5, max: Duration::from_secs(10) };

    /// Delays in milliseconds, sorted.
    fn drawn(delay: Delay) -> Vec<f64> {
        let draw = |purpose, nth| unit(Key { seed: 1, purpose, subject: 0, nth });
        let mut drawn: Vec<f64> = (0..DRAWS)
            .map(|nth| delay.sample([draw(1, nth), draw(2, nth), draw(3, nth)]).as_secs_f64() * 1e3)
            .collect();
        drawn.sort_by(f64::total_cmp);
        drawn
    }

    /// The quantile of so many hundredths of a percent.
    fn quantile(sorted: &[f64], basis_points: usize) -> f64 {
        sorted[sorted.len() * basis_points / 10_000]
    }

    /// Quantiles of 20,000 draws lie within 3% of the distribution's.
    #[test]
    fn quantiles_are_those_of_the_distribution() {
        for (model, expected) in [
            (UNIFORM, [(1_000, 65.0), (5_000, 125.0), (9_000, 185.0)]),
            (NORMAL, [(1_587, 80.0), (5_000, 100.0), (8_413, 120.0)]),
            (PARETO, [(1_000, 53.64), (5_000, 79.37), (9_000, 232.1)]),
        ] {
            let sorted = drawn(Delay { model, jitter: Duration::ZERO });
            for (q, expected) in expected {
                let got = quantile(&sorted, q);
                assert!(
                    (got / expected - 1.0).abs() < 0.03,
                    "{model}: quantile {q} / 10000 is {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn jitter_is_even_about_the_delay_and_never_below_zero() {
        let sorted = drawn(Delay { jitter: ms(20), ..Delay::fixed(ms(100)) });
        assert!((80.0..81.0).contains(&sorted[0]) && (119.0..120.0).contains(&sorted[sorted.len() - 1]));
        assert!((quantile(&sorted, 5_000) - 100.0).abs() < 1.0);
        assert_eq!(Delay { jitter: ms(20), ..Delay::fixed(ms(5)) }.sample([0.0; 3]), Duration::ZERO);
    }

    #[test]
    fn the_edges_of_the_draws_give_the_edges_of_the_models() {
        for (model, unit1, unit2, expected) in [
            (DelayModel::Fixed { delay: ms(300) }, 0.7, 0.7, ms(300)),
            (UNIFORM, 0.0, 0.0, ms(50)),
            (NORMAL, 0.0, 0.3, ms(100)),
            (DelayModel::Normal { mean: ms(10), deviation: ms(100) }, 0.9, 0.5, Duration::ZERO),
            (PARETO, 0.0, 0.0, ms(50)),
            (PARETO, ALMOST_ONE, 0.0, Duration::from_secs(10)),
        ] {
            assert_eq!(model.sample(unit1, unit2), expected, "{model} at {unit1}, {unit2}");
        }
        assert!(UNIFORM.sample(ALMOST_ONE, 0.0) <= ms(200));
        assert!(NORMAL.sample(ALMOST_ONE, 0.0) < ms(300), "8.6 deviations are the most that 53 bits give");
    }

    #[test]
    fn shown_in_words() {
        let delay = Delay { model: NORMAL, jitter: ms(5) };
        let shown = [DelayModel::Fixed { delay: ms(300) }, UNIFORM, NORMAL, PARETO].map(|m| m.to_string());
        assert_eq!(
            shown,
            [
                "300ms",
                "uniform 50ms to 200ms",
                "normal 100ms +-20ms",
                "pareto from 50ms, shape 1.5, at most 10s"
            ]
        );
        assert_eq!(delay.to_string(), "normal 100ms +-20ms with jitter 5ms");
    }

    #[test]
    fn reads_what_it_writes_and_knows_its_keys() {
        for model in [DelayModel::Fixed { delay: ms(300) }, UNIFORM, NORMAL, PARETO] {
            let delay = Delay { model, jitter: ms(5) };
            let json = serde_json::to_string(&delay).unwrap();
            assert_eq!(serde_json::from_str::<Delay>(&json).unwrap(), delay, "{json}");
        }
        let plain = r#"{"model":{"uniform":{"min":"50ms","max":"200ms"}}}"#;
        assert_eq!(serde_json::from_str::<Delay>(plain).unwrap().model, UNIFORM);
        let unknown = r#"{"model":{"fixed":{"delay":"1s","skew":1}}}"#;
        assert!(serde_json::from_str::<Delay>(unknown).unwrap_err().to_string().contains("skew"));
    }

    #[test]
    fn says_what_is_wrong() {
        for (model, problem) in [
            (DelayModel::Uniform { min: ms(2), max: ms(1) }, "`min` (2ms) is longer than `max` (1ms)"),
            (DelayModel::Pareto { scale: ms(0), shape: 1.5, max: ms(1) }, "`scale` is 0"),
            (DelayModel::Pareto { scale: ms(1), shape: 0.0, max: ms(1) }, "`shape` is 0"),
            (DelayModel::Pareto { scale: ms(1), shape: f64::NAN, max: ms(1) }, "`shape` is NaN"),
            (DelayModel::Fixed { delay: LONGEST + ms(1) }, "`delay` is longer than a year"),
        ] {
            let error = model.check().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        assert_eq!(DelayModel::Uniform { min: ms(1), max: ms(1) }.check(), Ok(()));
        assert_eq!(Delay { model: PARETO, jitter: ms(1) }.check(), Ok(()));
    }
}
