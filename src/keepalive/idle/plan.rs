//! What is asked of a search: between which spans, how narrowly, with how many connections.

use crate::base::span::{parse_fixed, show_fixed};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// The shortest span that is idle at all: below it TCP's delayed acknowledgements (up to 200 ms) and the clocks of busy machines
/// are no small part.
pub const SHORTEST: Duration = Duration::from_millis(500);

/// The longest: a day. Firewalls forget after hours at the latest (RFC 5382 asks of NATs for 2 h 4 min at least).
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How many connections a wave may have. With one there would be nothing to split by.
pub const CONNECTIONS: RangeInclusive<usize> = 2..=64;

/// The narrowest bracket that can be asked for: timers and the scheduler of a busy machine are not finer.
const NARROWEST: Duration = Duration::from_millis(20);

/// What is asked of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    from: Duration,
    to: Duration,
    within: Within,
    connections: usize,
}

/// How wide the bracket may be that is left: a share of its upper end or a time, whichever is more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Within {
    share: f64,
    least: Duration,
}

/// What does not fit in a plan; in words that say what does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPlan(String);

impl Plan {
    /// A search from the idle span `from` to `to`.
    ///
    /// # Errors
    /// `from` is below [`SHORTEST`], `to` not above it or past [`LONGEST`], or `connections` out of [`CONNECTIONS`].
    pub fn new(from: Duration, to: Duration, within: Within, connections: usize) -> Result<Plan, BadPlan> {
        let show = show_fixed;
        if from < SHORTEST {
            return Err(BadPlan(format!("--from is {} at least; below, nothing is idle", show(SHORTEST))));
        }
        if to <= from || to > LONGEST {
            let (from, most) = (show(from), show(LONGEST));
            return Err(BadPlan(format!("--to is longer than --from ({from}), and {most} at most")));
        }
        if !CONNECTIONS.contains(&connections) {
            let (least, most) = (CONNECTIONS.start(), CONNECTIONS.end());
            return Err(BadPlan(format!("--connections is from {least} to {most}")));
        }
        Ok(Plan { from, to, within, connections })
    }

    /// The longest span of the first wave.
    pub fn to(&self) -> Duration {
        self.to
    }

    /// The shortest span of the first wave.
    pub fn from(&self) -> Duration {
        self.from
    }

    /// Connections in a wave.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// How wide a bracket may be whose upper end this is.
    pub fn tolerance(&self, upper: Duration) -> Duration {
        upper.mul_f64(self.within.share).max(self.within.least)
    }

    /// The spans of the first wave: from the shortest to the longest, each so many times the one before.
    pub(super) fn first_wave(&self) -> Vec<Duration> {
        let mut spans = between(self.from, self.to, self.connections.saturating_sub(2), Scale::Geometric);
        spans.insert(0, self.from);
        spans.push(self.to);
        spans
    }
}

/// How spans are spread over a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Each as many times the one before.
    Geometric,
    /// Each as much more than the one before.
    Linear,
}

/// So many spans inside of a bracket: evenly where it is narrow, by factors where its ends are of different magnitude.
pub(super) fn split(alive: Duration, lost: Duration, count: usize) -> Vec<Duration> {
    // A bracket that begins at nothing has no factor: it is looked through five doublings down.
    let low = alive.max(lost / 32);
    match lost > low * 2 {
        true => between(low, lost, count, Scale::Geometric),
        false => between(alive, lost, count, Scale::Linear),
    }
}

fn between(low: Duration, high: Duration, count: usize, scale: Scale) -> Vec<Duration> {
    let parts = f64::from(u32::try_from(count + 1).unwrap_or(u32::MAX));
    let (low_s, high_s) = (low.as_secs_f64(), high.as_secs_f64());
    let at = |number: usize| {
        let share = f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / parts;
        Duration::from_secs_f64(match scale {
            Scale::Geometric => low_s * (high_s / low_s).powf(share),
            Scale::Linear => low_s + (high_s - low_s) * share,
        })
    };
    (1..=count).map(at).collect()
}

impl Default for Within {
    /// 2 % or 1 s.
    fn default() -> Within {
        Within { share: 0.02, least: Duration::from_secs(1) }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.share > 0.0 {
            true if self.least > NARROWEST => write!(f, "{}%,{}", self.share * 100.0, show_fixed(self.least)),
            true => write!(f, "{}%", self.share * 100.0),
            false => f.write_str(&show_fixed(self.least)),
        }
    }
}

impl FromStr for Within {
    type Err = String;

    /// `2%`, `500ms`, or both: `2%,1s`.
    fn from_str(text: &str) -> Result<Within, String> {
        let (mut wanted, mut least) = (None, None);
        for part in text.split(',').map(str::trim) {
            let is_second = match part.strip_suffix('%') {
                Some(percent) => wanted.replace(share(percent)?).is_some(),
                None => least.replace(parse_fixed(part)?).is_some(),
            };
            if is_second {
                return Err(format!("`{text}`: give one share, one time, or one of each, such as `2%,1s`"));
            }
        }
        let within = Within { share: wanted.unwrap_or(0.0), least: least.unwrap_or(NARROWEST) };
        if within.least < NARROWEST || within.least > LONGEST {
            let (least, most) = (show_fixed(NARROWEST), show_fixed(LONGEST));
            return Err(format!(
                "a bracket is {least} wide at least, since timers are not finer, and {most} at most"
            ));
        }
        Ok(within)
    }
}

fn share(percent: &str) -> Result<f64, String> {
    let read = percent.trim().parse::<f64>().ok().filter(|percent| (0.1..=50.0).contains(percent));
    read.map(|percent| percent / 100.0).ok_or_else(|| format!("`{percent}%` is not a share from 0.1% to 50%"))
}
