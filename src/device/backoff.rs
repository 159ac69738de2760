//! How long a device waits before it dials again.

use crate::base::rand::{Key, unit};
use crate::base::span::{parse_fixed, show_fixed};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// No delay is longer, jitter included.
pub const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// The least time between two dials, even without back-off: what a client's own loop costs, and enough to keep a
/// device whose connects are refused at once from eating a core.
pub(super) const LEAST_DELAY: Duration = Duration::from_millis(10);

/// The purpose that tells back-off draws from all others.
const PURPOSE: u64 = 0x6261_636b_6f66_6600;

/// A rule for the delays between attempts: how they grow, and what chance does to them.
///
/// As text: `none`, `fixed:1s`, `linear:1s`, `exponential:200ms..30s`, each but the first with `,jitter` (full),
/// `,jitter=equal` or `,jitter=20%`, and `,at-once`; `exponential` also with `,factor=1.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// How the delays grow.
    pub growth: Growth,
    /// What chance does to them.
    pub jitter: Jitter,
    /// Whether the first attempt after a link that stood long enough comes at once, and the delays begin after it.
    pub at_once: bool,
}

/// How delays grow with the attempts that failed since the last link that stood long enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// At once, every time.
    None,
    /// The same every time.
    Fixed(Duration),
    /// Once the step, twice the step, ...
    Linear(Duration),
    /// `base`, then `factor` times the one before, up to `cap`.
    Exponential {
        /// The first.
        base: Duration,
        /// The last.
        cap: Duration,
        /// At least 1.
        factor: f64,
    },
}

/// What chance does to a delay (the names are those of "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Nothing.
    None,
    /// Anything from nothing to the delay.
    Full,
    /// Half of it is kept, the other half is anything.
    Equal,
    /// So many per cent more or less, 0 to 100.
    Percent(f64),
}

/// What is wrong with a back-off's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a back-off: {problem}; write `none`, `fixed:1s`, `linear:1s` or `exponential:200ms..30s`, \
     with `,jitter`, `,jitter=equal`, `,jitter=20%` or `,at-once` behind it"
)]
pub struct BadBackoff {
    text: String,
    problem: String,
}

impl Backoff {
    /// At once, every time.
    pub const NONE: Backoff = Backoff { growth: Growth::None, jitter: Jitter::None, at_once: false };

    /// The delay after `failed` attempts in a row (0 after a link that stood long enough), drawn as the `nth` of this device.
    pub fn delay(&self, failed: u32, seed: u64, subject: u64, nth: u64) -> Duration {
        let chance = unit(Key { seed, purpose: PURPOSE, subject, nth });
        if self.at_once && failed == 0 {
            return LEAST_DELAY;
        }
        let failed = failed.saturating_sub(u32::from(self.at_once));
        let plain = self.growth.delay(failed).min(LONGEST_DELAY);
        let factor = match self.jitter {
            Jitter::None => 1.0,
            Jitter::Full => chance,
            Jitter::Equal => 0.5 + chance / 2.0,
            Jitter::Percent(percent) => 1.0 + (2.0 * chance - 1.0) * percent / 100.0,
        };
        plain.mul_f64(factor.max(0.0)).clamp(LEAST_DELAY, LONGEST_DELAY)
    }

    /// No delay of it is longer.
    pub fn longest(&self) -> Duration {
        let factor = match self.jitter {
            Jitter::None | Jitter::Full | Jitter::Equal => 1.0,
            Jitter::Percent(percent) => 1.0 + percent / 100.0,
        };
        self.growth.delay(u32::MAX).min(LONGEST_DELAY).mul_f64(factor).clamp(LEAST_DELAY, LONGEST_DELAY)
    }
}

impl Growth {
    fn delay(self, failed: u32) -> Duration {
        match self {
            Growth::None => Duration::ZERO,
            Growth::Fixed(delay) => delay,
            Growth::Linear(step) => step.saturating_mul(failed.saturating_add(1)),
            Growth::Exponential { base, cap, factor } => {
                // Past 2^1000 or so f64 ends; every cap is far below.
                let grown =
                    base.as_secs_f64() * factor.powi(i32::try_from(failed.min(1_000)).unwrap_or(1_000));
                if grown < cap.as_secs_f64() { Duration::from_secs_f64(grown) } else { cap }
            }
        }
    }
}

impl FromStr for Backoff {
    type Err = BadBackoff;

    fn from_str(text: &str) -> Result<Backoff, BadBackoff> {
        parse(text).map_err(|problem| BadBackoff { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Backoff, String> {
    let mut parts = text.split(',').map(str::trim);
    let mut growth = parse_growth(parts.next().unwrap_or_default())?;
    let mut jitter = Jitter::None;
    let mut at_once = false;
    for option in parts {
        match (option.split_once('=').unwrap_or((option, "")), &mut growth) {
            (("jitter", how), _) => jitter = parse_jitter(how)?,
            (("at-once", ""), _) => at_once = true,
            (("factor", number), Growth::Exponential { factor, .. }) => *factor = parse_factor(number)?,
            (("factor", _), Growth::None | Growth::Fixed(_) | Growth::Linear(_)) => {
                return Err("only `exponential` has a factor".into());
            }
            ((other, _), _) => {
                return Err(format!("`{other}` is not one of its options, `jitter`, `at-once` and `factor`"));
            }
        }
    }
    if growth == Growth::None && jitter != Jitter::None {
        return Err("without a delay there is nothing to jitter".into());
    }
    if growth == Growth::None && at_once {
        return Err("without a delay every attempt comes at once".into());
    }
    Ok(Backoff { growth, jitter, at_once })
}

fn parse_growth(text: &str) -> Result<Growth, String> {
    let (kind, value) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "none" if value.is_empty() => Ok(Growth::None),
        "none" => Err("`none` has no delay".into()),
        "fixed" => parse_delay(value).map(Growth::Fixed),
        "linear" => parse_delay(value).map(Growth::Linear),
        "exponential" => {
            let (base, cap) =
                value.split_once("..").ok_or("`exponential` has a first and a longest delay")?;
            let (base, cap) = (parse_delay(base)?, parse_delay(cap)?);
            if base > cap {
                return Err("the first delay is longer than the longest".into());
            }
            Ok(Growth::Exponential { base, cap, factor: 2.0 })
        }
        _ => Err(format!("`{kind}` is not a kind of it")),
    }
}

fn parse_delay(text: &str) -> Result<Duration, String> {
    if text.trim().is_empty() {
        return Err("a delay is missing".into());
    }
    match parse_fixed(text)? {
        delay if delay.is_zero() => Err("a delay of 0 is `none`".into()),
        delay if delay > LONGEST_DELAY => Err(format!("`{}` is longer than an hour", text.trim())),
        delay => Ok(delay),
    }
}

fn parse_factor(text: &str) -> Result<f64, String> {
    let factor = text.trim().parse::<f64>().ok().filter(|factor| (1.0..=100.0).contains(factor));
    factor.ok_or_else(|| format!("the factor is from 1 to 100, not `{text}`"))
}

fn parse_jitter(text: &str) -> Result<Jitter, String> {
    match text.trim() {
        "" | "full" => Ok(Jitter::Full),
        "none" => Ok(Jitter::None),
        "equal" => Ok(Jitter::Equal),
        percent => {
            let number = percent.strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
            let number = number.filter(|number| (0.0..=100.0).contains(number));
            number
                .map(Jitter::Percent)
                .ok_or_else(|| format!("`{percent}` is neither `full`, `equal` nor a percentage"))
        }
    }
}

impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.growth {
            Growth::None => f.write_str("none")?,
            Growth::Fixed(delay) => write!(f, "fixed:{}", show_fixed(delay))?,
            Growth::Linear(step) => write!(f, "linear:{}", show_fixed(step))?,
            Growth::Exponential { base, cap, factor } => {
                write!(f, "exponential:{}..{}", show_fixed(base), show_fixed(cap))?;
                if (factor - 2.0).abs() > f64::EPSILON {
                    write!(f, ",factor={factor}")?;
                }
            }
        }
        match self.jitter {
            Jitter::None => {}
            Jitter::Full => f.write_str(",jitter")?,
            Jitter::Equal => f.write_str(",jitter=equal")?,
            Jitter::Percent(percent) => write!(f, ",jitter={percent}%")?,
        }
        if self.at_once { f.write_str(",at-once") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(text: &str, count: u32) -> Vec<u128> {
        let backoff: Backoff = text.parse().unwrap();
        (0..count).map(|failed| backoff.delay(failed, 1, 2, failed.into()).as_millis()).collect()
    }

    #[test]
    fn each_kind_has_its_sequence() {
        for (text, expected) in [
            ("none", [10, 10, 10, 10, 10]),
            ("fixed:1s", [1_000; 5]),
            ("linear:1s", [1_000, 2_000, 3_000, 4_000, 5_000]),
            ("exponential:200ms..1s", [200, 400, 800, 1_000, 1_000]),
            ("exponential:1s..20s,factor=3", [1_000, 3_000, 9_000, 20_000, 20_000]),
            ("fixed:10s,at-once", [10, 10_000, 10_000, 10_000, 10_000]),
            ("exponential:1s..4s,at-once", [10, 1_000, 2_000, 4_000, 4_000]),
        ] {
            assert_eq!(delays(text, 5), expected, "{text}");
        }
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_depends_on_its_key_alone() {
        for (text, low, high) in [
            ("fixed:10s,jitter", 10, 10_000),
            ("fixed:10s,jitter=equal", 5_000, 10_000),
            ("fixed:10s,jitter=20%", 8_000, 12_000),
        ] {
            let drawn = delays(text, 1_000);
            assert!(drawn.iter().all(|d| (low..=high).contains(d)), "{text}");
            let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
            assert!(most - least > (high - low) * 9 / 10, "{text} is spread over its range");
            assert_eq!(drawn, delays(text, 1_000));
        }
    }

    #[test]
    fn no_delay_is_longer_than_the_longest() {
        for (text, longest) in [
            ("none", 10),
            ("fixed:10m,at-once", 600_000),
            ("fixed:10s,jitter=20%", 12_000),
            ("linear:1s", 3_600_000),
            ("exponential:200ms..30s,jitter", 30_000),
            ("exponential:1s..1m,factor=1", 1_000),
        ] {
            let backoff: Backoff = text.parse().unwrap();
            assert_eq!(backoff.longest(), Duration::from_millis(longest), "{text}");
        }
    }

    #[test]
    fn no_number_of_failures_is_too_many() {
        for text in ["none", "linear:1h", "exponential:1ns..1h,factor=100", "fixed:1h,jitter=100%"] {
            let backoff: Backoff = text.parse().unwrap();
            assert!(backoff.delay(u32::MAX, 1, 2, 3) <= LONGEST_DELAY, "{text}");
        }
    }

    #[test]
    fn reads_what_it_shows() {
        for text in [
            "none",
            "fixed:1s",
            "linear:1.5s,jitter",
            "exponential:200ms..30s",
            "exponential:200ms..30s,factor=1.5,jitter=equal",
            "fixed:10s,jitter=20%",
            "exponential:100ms..10s,jitter=equal,at-once",
        ] {
            assert_eq!(text.parse::<Backoff>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("", "`` is not a kind"),
            ("quadratic:1s", "`quadratic` is not a kind"),
            ("fixed", "a delay is missing"),
            ("fixed:1", "`1` has no unit"),
            ("fixed:0s", "a delay of 0 is `none`"),
            ("fixed:2h", "longer than an hour"),
            ("exponential:1s", "a first and a longest"),
            ("exponential:2s..1s", "longer than the longest"),
            ("fixed:1s,factor=2", "only `exponential`"),
            ("exponential:1s..2s,factor=0.5", "from 1 to 100"),
            ("fixed:1s,jiter", "`jiter` is not one of its options"),
            ("fixed:1s,jitter=200%", "neither `full`"),
            ("none,jitter", "nothing to jitter"),
            ("none,at-once", "every attempt comes at once"),
            ("fixed:1s,at-once=2", "not one of its options"),
        ] {
            let error = text.parse::<Backoff>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
