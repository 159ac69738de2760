//! Times that a client makes from its keep-alive.

use crate::base::span::show_fixed;
use std::fmt;
use std::time::Duration;

/// A time made from the keep-alive K: a share of it, less something, within bounds. A share of 0 is a fixed time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfK {
    share: f64,
    less: Duration,
    least: Duration,
    most: Duration,
}

impl OfK {
    /// No time.
    pub const ZERO: OfK = OfK::fixed(Duration::ZERO);

    /// So many keep-alives.
    pub const fn share(share: f64) -> OfK {
        OfK { share, less: Duration::ZERO, least: Duration::ZERO, most: Duration::MAX }
    }

    /// This time, whatever K is.
    pub const fn fixed(time: Duration) -> OfK {
        OfK { share: 0.0, less: Duration::ZERO, least: time, most: time }
    }

    /// Less this.
    pub const fn less(self, less: Duration) -> OfK {
        OfK { less, ..self }
    }

    /// At least this.
    pub const fn at_least(self, least: Duration) -> OfK {
        OfK { least, ..self }
    }

    /// At most this.
    pub const fn at_most(self, most: Duration) -> OfK {
        OfK { most, ..self }
    }

    /// The time for this keep-alive.
    pub fn of(self, keep_alive: Duration) -> Duration {
        keep_alive.mul_f64(self.share).saturating_sub(self.less).max(self.least).min(self.most)
    }

    /// Whether K has a part in it.
    pub fn is_relative(self) -> bool {
        self.share > 0.0
    }
}

impl fmt::Display for OfK {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_relative() {
            return f.write_str(&show_fixed(self.least));
        }
        if (self.share - 1.0).abs() < f64::EPSILON {
            f.write_str("K")?;
        } else {
            write!(f, "{} K", self.share)?;
        }
        if !self.less.is_zero() {
            write!(f, " - {}", show_fixed(self.less))?;
        }
        match (self.least.is_zero(), self.most == Duration::MAX) {
            (true, true) => Ok(()),
            (true, false) => write!(f, ", at most {}", show_fixed(self.most)),
            (false, true) => write!(f, ", at least {}", show_fixed(self.least)),
            (false, false) => write!(f, ", {} to {}", show_fixed(self.least), show_fixed(self.most)),
        }
    }
}
