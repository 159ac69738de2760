//! The outages of a path: when they begin, how long they last, and how dark they are.
//!
//! As text, which is also how they stand in [`Case::outages`](super::model::Case::outages):
//! - `none`;
//! - `fixed:5m,every=6h`: one of 5 minutes in each 6 hours, at a moment drawn evenly in them, so that it ends in them;
//! - `exponential:30s,every=2h`: lengths are exponential with this mean, and so is the time between the end of one and the
//!   start of the next, such that starts are `every` apart on average;
//! - `gilbert-elliott:good=2h,bad=30s,loss=100%,good-loss=0.1%`: two states, whose sojourns are exponential with these means
//!   (the two-state channel of Gilbert, 1960, and Elliott, 1963, in continuous time). In the bad state so many segments are
//!   lost; at 100 %, which is also what is meant where it is left away, the path is dark. `good-loss` is lost all the time;
//! - `trace:FILE`: those recorded in a file; of the log of several devices, `,client=ID` names one. See [`trace`].

mod draw;
mod log;
mod text;
pub mod trace;

use crate::base::{Chance, Time};
use std::sync::Arc;
use std::time::Duration;

/// The most outages of one run: one each nine seconds of a day. More is no path that anybody waits for.
pub const MOST_SPELLS: usize = 10_000;

/// The least length of an outage, and the least time between two.
pub const LEAST_LENGTH: Duration = Duration::from_millis(1);

/// How far apart fixed outages begin, where nothing is said: 24 in a day, so that the 95th percentile is not just the greatest.
pub const EVERY: Duration = Duration::from_secs(3600);

/// A rule for the outages of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Outages {
    /// There are none.
    None,
    /// One in each interval.
    Fixed {
        /// Of each.
        length: Duration,
        /// The interval; longer than `length`.
        every: Duration,
    },
    /// Lengths and pauses without memory.
    Exponential {
        /// Of each, on average.
        length: Duration,
        /// From one start to the next, on average; longer than `length`.
        every: Duration,
    },
    /// A good and a bad state.
    GilbertElliott {
        /// How long the good state lasts on average.
        good: Duration,
        /// How long the bad state lasts on average.
        bad: Duration,
        /// Lost in the bad state; above 0.
        loss: Chance,
        /// Lost all the time; below `loss`.
        good_loss: Chance,
    },
    /// As they were recorded.
    Trace(Recording),
}

/// Outages recorded in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The file, as it is named.
    pub file: String,
    /// Whose, where that is said.
    pub client: Option<String>,
    /// What stands in it, earliest first and apart; `None` before it is read.
    pub spells: Option<Arc<[Spell]>>,
}

/// One outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When it begins.
    pub start: Time,
    /// How long it lasts; above 0.
    pub length: Duration,
}

impl Spell {
    /// When it is over.
    pub fn end(&self) -> Time {
        self.start + self.length
    }
}

impl Outages {
    /// How likely a segment is lost while an outage holds; always: it is dark.
    pub fn loss(&self) -> Chance {
        match self {
            Outages::GilbertElliott { loss, .. } => *loss,
            Outages::None | Outages::Fixed { .. } | Outages::Exponential { .. } | Outages::Trace(_) => {
                Chance::ALWAYS
            }
        }
    }

    /// How likely a segment is lost all the time.
    pub fn good_loss(&self) -> Option<Chance> {
        match self {
            Outages::GilbertElliott { good_loss, .. } => Some(*good_loss).filter(|loss| loss.get() > 0.0),
            Outages::None | Outages::Fixed { .. } | Outages::Exponential { .. } | Outages::Trace(_) => None,
        }
    }

    /// Whether an outage lets nothing pass.
    pub fn is_dark(&self) -> bool {
        self.loss() == Chance::ALWAYS
    }

    /// Whether so long a run can have them: not too many, and a trace that has been read.
    ///
    /// # Errors
    /// Why not, and what to do, in words.
    pub fn check(&self, span: Duration) -> Result<(), String> {
        let apart = match self {
            Outages::None => return Ok(()),
            Outages::Trace(Recording { spells: Some(all), .. }) => {
                let late = all.iter().filter(|spell| spell.start.elapsed() >= span).count();
                return if late == 0 {
                    Ok(())
                } else {
                    Err(format!(
                        "{late} of the {} outages of `{self}` begin after the time simulated; give more --days",
                        all.len()
                    ))
                };
            }
            Outages::Trace(Recording { spells: None, file, .. }) => {
                return Err(format!("what is recorded in {file} has not been read"));
            }
            Outages::Fixed { every, .. } | Outages::Exponential { every, .. } => *every,
            Outages::GilbertElliott { good, bad, .. } => *good + *bad,
        };
        // Twice as many as on average are drawn hardly ever.
        let most = MOST_SPELLS / 2;
        let expected = span.as_secs_f64() / apart.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        if expected > most as f64 {
            return Err(format!(
                "`{self}` has some {expected:.0} outages in that time, more than {most}; make them rarer, or the time shorter"
            ));
        }
        Ok(())
    }
}
