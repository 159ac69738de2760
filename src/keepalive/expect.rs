//! Expectations on a sweep, so that a CI job can guard a keep-alive setting: one line each.
//!
//! ```text
//! device_detection p95 <= 90s
//! device_detection max <= 1.9 keepalive
//! downtime <= 5m/day where keepalive=60 client=paho-python
//! messages_late <= 0.1%
//! ```
//!
//! An expectation must hold for every combination that `where` selects. A combination in which nothing speaks to it does not
//! show it, and a selection of no combination shows nothing: no evidence, which counts as unmet. A never is longer than any
//! limit; that it is so does not say how much longer, so that `>=` is left open by it. A limit in keep-alives is of the
//! combination's own keep-alive, and of none where it has none. A month is 30 days.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::BadExpectation;

use super::access::Access;
use super::aspect::Aspect;
use super::figure::{DAY, HOUR, Kind, MONTH, Metric, Reading, Statistic};
use super::model::{Case, Figures, Row, Sweep, Terms};
use crate::base::Span;
use crate::base::span::show_fixed;
use crate::measure::Judgement;
use crate::measure::value::float;
use crate::profile::Comparison;
use std::fmt;
use std::time::Duration;

/// So many combinations that speak against an expectation are named.
pub const MOST_FAILING: usize = 8;

/// What is expected of combinations.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// As it was written, with single blanks.
    text: String,
    metric: Metric,
    /// What of samples; there is one exactly where the measure is made of samples.
    statistic: Option<Statistic>,
    comparison: Comparison,
    limit: Limit,
    selection: Vec<(Aspect, String)>,
}

/// What a measure is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// A time, in keep-alives where it is so written.
    Span(Span),
    /// So many things, bytes or nanoseconds in so long.
    Rate(f64, Per),
    /// A share of the whole.
    Share(f64),
    /// A number; of what is otherwise a rate, 0.
    Number(f64),
}

/// In how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    Hour,
    Day,
    Month,
}

impl Per {
    const ALL: [Per; 3] = [Per::Hour, Per::Day, Per::Month];

    fn word(self) -> &'static str {
        match self {
            Per::Hour => "hour",
            Per::Day => "day",
            Per::Month => "month",
        }
    }

    fn long(self) -> Duration {
        match self {
            Per::Hour => HOUR,
            Per::Day => DAY,
            Per::Month => MONTH,
        }
    }
}

/// An expectation with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What was expected.
    pub expectation: Expectation,
    /// How it came out.
    pub judgement: Judgement,
    /// How many combinations were selected.
    pub cases: usize,
    /// In how many of them it is not shown to hold.
    pub against: usize,
    /// Those, at most [`MOST_FAILING`]: what breaks it before what leaves it open, the worst first.
    pub failing: Vec<Failing>,
}

/// A combination in which an expectation is not shown to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Failing {
    /// Its place in [`Sweep::cases`].
    pub nth: usize,
    /// The combination.
    pub case: Case,
    /// What it came to, in the unit of the limit.
    pub value: Reading,
    /// The limit in this combination, in words, where it is not the one that is written.
    pub limit: Option<String>,
}

/// What is known of one combination. The order is that of gravity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Holds,
    NoSample,
    Open,
    Breaks,
}

impl Answer {
    fn of(holds: bool) -> Answer {
        if holds { Answer::Holds } else { Answer::Breaks }
    }
}

/// Judges every expectation.
pub fn judge(expectations: &[Expectation], sweep: &Sweep) -> Vec<Verdict> {
    expectations.iter().map(|expectation| verdict(expectation, sweep)).collect()
}

fn verdict(expectation: &Expectation, sweep: &Sweep) -> Verdict {
    let selected: Vec<(usize, &Row)> =
        sweep.cases.iter().enumerate().filter(|(_, row)| expectation.selects(&row.case)).collect();
    let answers = selected.iter().map(|(nth, row)| (expectation.answer(row, &sweep.terms), *nth, *row));
    let mut against: Vec<(Answer, usize, &Row)> =
        answers.filter(|(answer, ..)| *answer != Answer::Holds).collect();
    let judgement = match against.iter().map(|(answer, ..)| *answer).max() {
        None if selected.is_empty() => Judgement::NoEvidence,
        None | Some(Answer::Holds) => Judgement::Met,
        Some(Answer::NoSample) => Judgement::NoEvidence,
        Some(Answer::Open) => Judgement::Inconclusive,
        Some(Answer::Breaks) => Judgement::Unmet,
    };
    let value = |row: &Row| expectation.value(row, &sweep.terms).weight().unwrap_or_default();
    let is_upper =
        matches!(expectation.comparison, Comparison::AtMost | Comparison::Below | Comparison::Equal);
    against.sort_by(|(a, _, one), (b, _, other)| {
        let (one, other) = (value(one), value(other));
        let worse = if is_upper { other.total_cmp(&one) } else { one.total_cmp(&other) };
        b.cmp(a).then(worse)
    });
    let failing = against.iter().take(MOST_FAILING).map(|(_, nth, row)| Failing {
        nth: *nth,
        case: row.case.clone(),
        value: expectation.value(row, &sweep.terms),
        limit: expectation.own_limit(&row.case),
    });
    Verdict {
        expectation: expectation.clone(),
        judgement,
        cases: selected.len(),
        against: against.len(),
        failing: failing.collect(),
    }
}

impl Expectation {
    /// Whether it is about this combination.
    pub fn selects(&self, case: &Case) -> bool {
        // What is asked for was checked when it was read.
        self.selection.iter().all(|(aspect, wanted)| aspect.matches(case, wanted).unwrap_or(false))
    }

    /// What it comes to, in the unit of the limit.
    fn value(&self, row: &Row, terms: &Terms) -> Reading {
        let total = || self.metric.total(&row.figures);
        let number = |number: Option<f64>| number.map_or(Reading::NoSample, Reading::Number);
        if matches!(self.metric, Metric::WakeUps | Metric::Awake) && !has_radio(terms) {
            return Reading::NoSample;
        }
        match (self.statistic, self.limit) {
            (Some(statistic), _) => {
                self.metric.spread(&row.figures).map_or(Reading::NoSample, |spread| statistic.of(spread))
            }
            (None, Limit::Rate(_, per)) => self.metric.per(row, terms, per.long()),
            (None, Limit::Share(_)) => {
                let whole = self.metric.whole(&row.figures, terms).filter(|whole| *whole > 0);
                number(total().zip(whole).map(|(total, whole)| float(total) / float(whole)))
            }
            (None, Limit::Number(_)) if terms.span_ns == 0 && self.metric != Metric::StormPeak => {
                Reading::NoSample
            }
            (None, Limit::Number(_)) if self.metric.kind() == Kind::Time => {
                total().map_or(Reading::NoSample, |ns| Reading::Time(Duration::from_nanos(ns)))
            }
            (None, Limit::Number(_) | Limit::Span(_)) => number(total().map(float)),
        }
    }

    fn answer(&self, row: &Row, terms: &Terms) -> Answer {
        match self.compared(row, terms) {
            Answer::Holds if !self.is_of_enough(&row.figures) => Answer::NoSample,
            answer => answer,
        }
    }

    /// Whether the samples speak for the outages that met a link. One that the link survived gives no sample of detection: what
    /// was noticed in a few by luck says nothing of what the others would have taken.
    fn is_of_enough(&self, figures: &Figures) -> bool {
        let is_upper = match self.comparison {
            Comparison::AtMost | Comparison::Below | Comparison::Equal => true,
            Comparison::AtLeast | Comparison::Above => false,
        };
        let percent = match (self.metric, self.statistic) {
            (Metric::DeviceDetection | Metric::HubDetection, Some(Statistic::Max)) => 100,
            (Metric::DeviceDetection | Metric::HubDetection, Some(Statistic::P50 | Statistic::P95)) => 95,
            (_, _) => return true,
        };
        let count = self.metric.spread(figures).map_or(0, |spread| spread.count);
        !is_upper || count.saturating_mul(100) >= figures.struck.saturating_mul(percent)
    }

    fn compared(&self, row: &Row, terms: &Terms) -> Answer {
        match (self.value(row, terms), self.limit) {
            (Reading::NoSample, _) => Answer::NoSample,
            (Reading::Never, _) => match self.comparison {
                Comparison::AtMost | Comparison::Below | Comparison::Equal => Answer::Breaks,
                Comparison::AtLeast | Comparison::Above => Answer::Open,
            },
            // Without a keep-alive no number of keep-alives is a time.
            (Reading::Time(_), Limit::Span(span)) if span.is_relative() && row.case.keep_alive == 0 => {
                Answer::Open
            }
            (Reading::Time(time), Limit::Span(span)) => {
                let limit = span.resolve(Duration::from_secs(u64::from(row.case.keep_alive)));
                Answer::of(compare(&time, self.comparison, &limit))
            }
            (Reading::Time(_) | Reading::Number(_), Limit::Rate(most, per)) => {
                // Multiplied out, so that what is equal is so to the last digit.
                let total = self.metric.total(&row.figures).map_or(f64::INFINITY, float);
                let (long, span) =
                    (per.long().as_secs_f64(), Duration::from_nanos(terms.span_ns).as_secs_f64());
                Answer::of(compare(&(total * long), self.comparison, &(most * span)))
            }
            (Reading::Number(value), Limit::Share(limit) | Limit::Number(limit)) => {
                Answer::of(compare(&value, self.comparison, &limit))
            }
            (Reading::Time(time), Limit::Share(limit) | Limit::Number(limit)) => {
                Answer::of(compare(&time.as_secs_f64(), self.comparison, &limit))
            }
            // Only a measure of samples has a span for its limit.
            (Reading::Number(_), Limit::Span(_)) => Answer::NoSample,
        }
    }

    /// The limit in a combination, where it is in keep-alives.
    fn own_limit(&self, case: &Case) -> Option<String> {
        match self.limit {
            Limit::Span(span) if span.is_relative() && case.keep_alive == 0 => {
                Some("none, since there is no keep-alive".into())
            }
            Limit::Span(span) if span.is_relative() => {
                Some(show_fixed(span.resolve(Duration::from_secs(u64::from(case.keep_alive)))))
            }
            Limit::Span(_) | Limit::Rate(..) | Limit::Share(_) | Limit::Number(_) => None,
        }
    }
}

/// Whether the network has a radio that sleeps.
fn has_radio(terms: &Terms) -> bool {
    Access::named(&terms.access).is_ok_and(|access| access.tail.value.is_some())
}

fn compare<T: PartialOrd>(value: &T, comparison: Comparison, limit: &T) -> bool {
    match comparison {
        Comparison::AtMost => value <= limit,
        Comparison::Below => value < limit,
        Comparison::AtLeast => value >= limit,
        Comparison::Above => value > limit,
        Comparison::Equal => value == limit,
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Failing {
    /// What it came to, in words: `never`, `95 s, limit 90s`, `no sample`, `12 a day`.
    pub fn words(&self, expectation: &Expectation) -> String {
        let value = match (self.value, expectation.limit) {
            (Reading::NoSample, _) => "no sample".into(),
            (Reading::Never, _) => "never".into(),
            (Reading::Time(time), Limit::Rate(_, per)) => format!("{} a {}", shown(time), per.word()),
            (Reading::Time(time), _) => shown(time),
            (Reading::Number(number), Limit::Rate(_, per)) => {
                let bytes = expectation.metric == Metric::Data;
                let number = if bytes { super::forms::bytes(number) } else { super::forms::number(number) };
                format!("{number} a {}", per.word())
            }
            (Reading::Number(number), Limit::Share(_)) => super::aspect::percent(number),
            (Reading::Number(number), Limit::Number(_) | Limit::Span(_)) => super::forms::number(number),
        };
        match &self.limit {
            Some(limit) => format!("{value}, limit {limit}"),
            None => value,
        }
    }
}

/// To the millisecond: near a limit each counts.
fn shown(time: Duration) -> String {
    let ms = Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    if ms.is_zero() { show_fixed(time) } else { show_fixed(ms) }
}
