//! What the outcomes so far say together.

use super::outcome::{End, Evidence, Outcome};
use std::time::Duration;

/// How many times a probe has to be outlived when it is repeated for its loss to count as a stray.
pub(super) const OUTLIVED: usize = 3;

/// A bracket: idle spans between which the connection went from alive to lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The longest span that was outlived; zero where none was.
    pub alive: Duration,
    /// The shortest that was not.
    pub lost: Duration,
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The longest span that was outlived.
    pub longest_alive: Option<Duration>,
    /// Up to where every probe was outlived, and the shortest that was not.
    pub first: Option<Edge>,
    /// The longest that was outlived, and the shortest loss after it: the same edge, unless outcomes contradict each other. `None`
    /// where no loss lies after it.
    pub last: Option<Edge>,
    /// How the shortest that was not outlived was lost.
    pub how: Option<End>,
    /// How each loss came, and how often.
    pub ends: Vec<(End, usize)>,
    /// The loss that was repeated, outlived each time, and is not counted.
    pub stray: Option<Duration>,
}

impl Edge {
    /// From its lower to its upper end.
    pub fn width(self) -> Duration {
        self.lost.saturating_sub(self.alive)
    }

    fn contains(self, span: Duration) -> bool {
        self.alive < span && span < self.lost
    }
}

impl Known {
    /// Of these outcomes.
    pub fn of(evidence: &[Evidence]) -> Known {
        let alive = || evidence.iter().filter(|it| it.outcome == Outcome::Alive).map(|it| it.idle);
        let longest_alive = alive().max();
        let stray = stray(evidence, longest_alive);
        let lost: Vec<(Duration, End)> = losses(evidence).filter(|(idle, _)| Some(*idle) != stray).collect();
        let edge = |lost: Option<Duration>| {
            let lost = lost?;
            Some(Edge { alive: alive().filter(|alive| *alive < lost).max().unwrap_or_default(), lost })
        };
        let shortest = lost.iter().map(|(idle, _)| *idle);
        let past = shortest.clone().filter(|idle| longest_alive.is_none_or(|alive| *idle > alive));
        Known {
            longest_alive,
            first: edge(shortest.min()),
            last: edge(past.min()),
            how: lost.iter().min().map(|(_, end)| *end),
            ends: counted(&lost),
            stray,
        }
    }

    /// The whole bracket: from where nothing shorter was lost to where nothing longer was alive.
    pub fn whole(&self) -> Option<Edge> {
        let (first, last) = (self.first?, self.last?);
        Some(Edge { alive: first.alive, lost: last.lost })
    }

    /// Whether a loss was outlived by a longer span.
    pub fn contradicts(&self) -> bool {
        self.first.is_some() && self.first != self.last
    }

    /// Whether an outcome for this span would say more.
    pub(super) fn is_open(&self, span: Duration) -> bool {
        let past_alive = self.longest_alive.is_none_or(|alive| span > alive);
        self.first.is_none_or(|edge| edge.contains(span))
            || self.last.map_or(past_alive, |edge| edge.contains(span))
    }
}

fn losses(evidence: &[Evidence]) -> impl Iterator<Item = (Duration, End)> {
    evidence.iter().filter_map(|it| match it.outcome {
        Outcome::Lost(end) => Some((it.idle, end)),
        Outcome::Alive => None,
    })
}

/// A single loss below what was outlived that did not come again when it was repeated: a fault of the moment, such as of one of
/// the hub's threads. A single PINGRESP above losses is none: what was forgotten does not answer by chance.
fn stray(evidence: &[Evidence], longest_alive: Option<Duration>) -> Option<Duration> {
    let mut below = losses(evidence).filter(|(idle, _)| longest_alive.is_some_and(|alive| *idle <= alive));
    let (idle, _) = below.next()?;
    let again = evidence.iter().filter(|it| it.again && it.outcome == Outcome::Alive && it.idle >= idle);
    (below.next().is_none() && again.count() >= OUTLIVED).then_some(idle)
}

/// How often each, the most frequent first.
fn counted(lost: &[(Duration, End)]) -> Vec<(End, usize)> {
    let mut counts: Vec<(End, usize)> = Vec::new();
    for (_, end) in lost {
        match counts.iter_mut().find(|(known, _)| known == end) {
            Some((_, count)) => *count += 1,
            None => counts.push((*end, 1)),
        }
    }
    counts.sort_by_key(|(end, count)| (std::cmp::Reverse(*count), *end));
    counts
}
