//! Two sides of the same profile, such as firmware before and after: what differs, and whether that is more than chance.
//!
//! For each measure the samples of the two sides are held against each other by ranks ([`ranks`]), for each proportion by
//! Fisher's exact test ([`fisher`]). All tests together are one family, corrected by Holm ([`holm`]); a test that could not
//! come out at the level whatever it saw is no part of it, as it can find nothing (Tarone 1990), and is told as too few.
//!
//! A bracket may lie anywhere between its ends. Each test is made twice, with every value of the one side as small and of the
//! other as great as can be, and the other way round: what comes out both ways is shown, what comes out one way only is
//! undecided. What never happened is greater than all that did, where it was watched for as long. So it is with proportions
//! of which a part is not known.
//!
//! Samples of one device are not independent of each other. Where there are many of each device (round trips, gaps), the test
//! is on the devices' medians; where there is one a window or an outage, on those. Messages that were lost or came twice are
//! tested as shares of those sent, and as that alone: messages that one end of a link cost are lost together, so that a share
//! of few devices' messages says more of that run than of the next.

pub mod fisher;
mod gather;
pub mod holm;
pub mod normal;
pub mod ranks;
mod share;
pub mod shift;

pub use gather::Summary;
pub use share::{Share, ShareOf};

use super::expect::Judgement;
use super::judge;
use super::results::Results;
use super::value::Value;
use crate::base::RuleId;
use crate::profile::{Metric, Plan, Unit};
use gather::Gathered;

/// What is asked of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The level: how often, at most, a difference is found anywhere where there is none.
    pub alpha: f64,
    /// A time that is shifted by no more than this share of the first side's median, or by no more than [`LEAST_SHIFT`], does
    /// not count as worse or better; with 0 all do.
    pub margin: f64,
}

/// Scheduling on a busy machine moves times by as much, in nanoseconds.
pub const LEAST_SHIFT: f64 = 1e6;

/// Two sides of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The measures that a side has samples of, in the order of reports.
    pub measures: Vec<Measure>,
    /// The proportions.
    pub shares: Vec<Share>,
    /// The expectations of the plan on both sides, in its order.
    pub expectations: Vec<[Judgement; 2]>,
    /// How many tests the correction counts.
    pub family: usize,
}

/// A measure on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Which.
    pub metric: Metric,
    /// Of which rule; `None` for what is of none, and for measures that are of all rules together.
    pub of: Option<RuleId>,
    /// Whether the test is on the medians of devices.
    pub by_device: bool,
    /// The first side and the second.
    pub sides: [Summary; 2],
    /// The test; `None` where a side has no sample.
    pub test: Option<Test>,
    /// What it came to.
    pub conclusion: Conclusion,
}

/// A test by ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The probability, as great as brackets let it be.
    pub p: f64,
    /// As small as they let it be.
    pub p_at_best: f64,
    /// Corrected for all tests; `None` for one that is not part of the family.
    pub corrected: Option<f64>,
    /// Whether it was counted, and is no approximation.
    pub exact: bool,
    /// The share of pairs in which the second side's value is greater, from the least to the most that brackets let it be.
    pub greater: (f64, f64),
    /// By how much the second side is greater (Hodges-Lehmann), in nanoseconds or things, likewise.
    pub shift: (f64, f64),
    /// The interval of that shift at the level, uncorrected: brackets make it wider.
    pub interval: (f64, f64),
}

/// What came of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The second side is worse, by more than chance.
    Worse,
    /// It is better.
    Better,
    /// It is another, and neither is the better one.
    Differs,
    /// It is another, by less than the margin.
    WithinMargin,
    /// No difference is shown. (That there is none is not shown either.)
    NotShown,
    /// Brackets leave it open.
    Undecided,
    /// No difference could be shown with so few; with so many of each measure on each side it could.
    TooFew {
        /// How many are enough.
        needed: usize,
    },
    /// A side has none.
    OneSided,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    /// More of it.
    More,
    /// Less of it.
    Less,
    /// Neither: it depends.
    Neither,
}

/// Measures of which less is worse.
const LESS_IS_WORSE: [Metric; 2] = [Metric::TlsResumed, Metric::HubTlsResumed];
/// Measures of which neither more nor less is worse in itself: longer waits between connects spare the hub and keep the device
/// away; what a device kept while it was away, or sends again, is not lost; what faults did, and when, is brownout's doing.
const NEITHER_IS_WORSE: [Metric; 11] = [
    Metric::ConnectGap,
    Metric::ControlGap,
    Metric::HandshakeGap,
    Metric::PacketsAltered,
    Metric::ConnectsRefused,
    Metric::ConnackWait,
    Metric::DisconnectInterval,
    Metric::TokenMargin,
    Metric::ReconnectSpread,
    Metric::Retransmitted,
    Metric::QueuedOffline,
];

/// Which way of a measure is worse; for most, more: they are times until something is well again, or count what is wrong.
pub fn worse(metric: Metric) -> Worse {
    if LESS_IS_WORSE.contains(&metric) {
        Worse::Less
    } else if NEITHER_IS_WORSE.contains(&metric) {
        Worse::Neither
    } else {
        Worse::More
    }
}

impl Comparison {
    /// Holds `b` against `a`, both of this plan.
    pub fn of(plan: &Plan, a: &Results, b: &Results, settings: Settings) -> Comparison {
        let gathered = gather::gather(plan, [a, b]);
        let mut measures: Vec<Measure> =
            gathered.iter().map(|gathered| measure(gathered, settings)).collect();
        let mut shares = share::shares(plan, [a, b], &measures);
        let family = correct(&mut measures, &mut shares, settings.alpha);
        let needed = needed(&measures, &shares, settings.alpha);
        for measure in &mut measures {
            measure.conclusion = concluded(measure, settings, family, needed);
        }
        for share in &mut shares {
            share.conclude(settings.alpha);
        }
        let judged = [judge(&plan.expectations, a), judge(&plan.expectations, b)];
        let pairs = judged[0].iter().zip(&judged[1]);
        let expectations = pairs.map(|(a, b)| [a.judgement, b.judgement]).collect();
        Comparison { measures, shares, expectations, family }
    }

    /// How much of it got worse: measures, proportions, and expectations that were met and are not any more.
    pub fn worse(&self) -> usize {
        let conclusions = self.measures.iter().map(|measure| measure.conclusion);
        let conclusions = conclusions.chain(self.shares.iter().map(|share| share.conclusion));
        let broken = self.expectations.iter().filter(|[a, b]| a.is_met() && !b.is_met());
        conclusions.filter(|conclusion| *conclusion == Conclusion::Worse).count() + broken.count()
    }
}

/// How many of each are enough where there are as many of all: then all that is tested here is part of the family, and so are
/// the proportions of which there is anything.
fn needed(measures: &[Measure], shares: &[Share], alpha: f64) -> usize {
    let measures = measures.iter().filter(|measure| measure.test.is_some()).count();
    let shares = shares.iter().filter(|share| share.some != [0, 0] || share.perhaps != [0, 0]).count();
    ranks::needed(alpha / at_least_one(measures + shares))
}

fn at_least_one(family: usize) -> f64 {
    f64::from(u32::try_from(family.max(1)).unwrap_or(u32::MAX))
}

fn measure(gathered: &Gathered, settings: Settings) -> Measure {
    let [a, b] = &gathered.tested;
    let test = (!a.is_empty() && !b.is_empty()).then(|| test(a, b, settings.alpha));
    Measure {
        metric: gathered.metric,
        of: gathered.of,
        by_device: gathered.by_device,
        sides: gathered.sides.clone(),
        test,
        conclusion: Conclusion::OneSided,
    }
}

fn test(a: &[Value], b: &[Value], alpha: f64) -> Test {
    let known = a.iter().chain(b).map(|value| value.bounds().1).filter(|high| high.is_finite());
    let greatest = known.fold(0.0, f64::max);
    let ((a_low, a_high), (b_low, b_high)) = (ends(a, greatest), ends(b, greatest));
    // The second side as small as can be, and as great as can be.
    let (small, great) = (ranks::mann_whitney(&a_high, &b_low), ranks::mann_whitney(&a_low, &b_high));
    let agree =
        (small.greater > 0.5) == (great.greater > 0.5) && (small.greater < 0.5) == (great.greater < 0.5);
    let (least, most) = (shift::shift(&a_high, &b_low, alpha), shift::shift(&a_low, &b_high, alpha));
    Test {
        p: if agree { small.p.max(great.p) } else { 1.0 },
        p_at_best: small.p.min(great.p),
        corrected: None,
        exact: small.exact && great.exact,
        greater: (small.greater, great.greater),
        shift: (least.estimate, most.estimate),
        interval: (least.low, most.high),
    }
}

/// Every value as small and as great as it can be. What never happened is infinite either way where it was watched for longer
/// than anything took.
fn ends(values: &[Value], greatest: f64) -> (Vec<f64>, Vec<f64>) {
    let low = |value: &Value| match value.bounds() {
        (low, high) if high.is_infinite() && low >= greatest && low > 0.0 => high,
        (low, _) => low,
    };
    (values.iter().map(low).collect(), values.iter().map(|value| value.bounds().1).collect())
}

/// Corrects what can come out at all; answers with how many that are.
fn correct(measures: &mut [Measure], shares: &mut [Share], alpha: f64) -> usize {
    let can = |measure: &&mut Measure| {
        let [a, b] = &measure.sides;
        ranks::least(a.tested, b.tested) <= alpha
    };
    let tests = measures.iter_mut().filter(can).filter_map(|measure| measure.test.as_mut());
    let mut family: Vec<(f64, &mut Option<f64>)> = tests.map(|test| (test.p, &mut test.corrected)).collect();
    let shares = shares.iter_mut().filter(|share| share.least <= alpha);
    family.extend(shares.map(|share| (share.p, &mut share.corrected)));
    let probabilities: Vec<f64> = family.iter().map(|(p, _)| *p).collect();
    for ((_, corrected), value) in family.iter_mut().zip(holm::holm(&probabilities)) {
        **corrected = Some(value);
    }
    family.len()
}

fn concluded(measure: &Measure, settings: Settings, family: usize, needed: usize) -> Conclusion {
    let Some(test) = &measure.test else { return Conclusion::OneSided };
    let Some(corrected) = test.corrected else { return Conclusion::TooFew { needed } };
    if corrected > settings.alpha {
        let [a, b] = &measure.sides;
        // Corrected for so many tests, so few values could not have shown anything either.
        if ranks::least(a.tested, b.tested) * at_least_one(family) > settings.alpha {
            return Conclusion::TooFew { needed };
        }
        let is_open = test.p_at_best < test.p && test.p_at_best <= settings.alpha;
        return if is_open { Conclusion::Undecided } else { Conclusion::NotShown };
    }
    if is_within(measure, test, settings.margin) {
        return Conclusion::WithinMargin;
    }
    by_direction(worse(measure.metric), test.greater.0 > 0.5)
}

/// What a difference means, if the second side has more.
fn by_direction(worse: Worse, more: bool) -> Conclusion {
    match (worse, more) {
        (Worse::Neither, _) => Conclusion::Differs,
        (Worse::More, true) | (Worse::Less, false) => Conclusion::Worse,
        (Worse::More, false) | (Worse::Less, true) => Conclusion::Better,
    }
}

/// Whether a time is shifted by no more than the margin, and what takes long of it neither, in the direction of the shift: where
/// a third of all takes a hundred times as long, the shift of all is next to nothing.
fn is_within(measure: &Measure, test: &Test, margin: f64) -> bool {
    let [a, b] = &measure.sides;
    let least = if margin > 0.0 { LEAST_SHIFT } else { 0.0 };
    let is_small = |size: f64, of: f64| size <= least.max(margin * of);
    let median = a.median.map_or(f64::INFINITY, |median| median.bounds().1);
    let size = test.shift.0.abs().max(test.shift.1.abs());
    let late = |side: &Summary| side.p95.map_or((0.0, f64::INFINITY), Value::bounds);
    let ((a_low, a_high), (b_low, b_high)) = (late(a), late(b));
    let later = if test.greater.0 > 0.5 { b_high - a_low } else { a_high - b_low };
    let both_never = a_high.is_infinite() && b_high.is_infinite();
    measure.metric.unit() == Unit::Time
        && median.is_finite()
        && is_small(size, median)
        && (both_never || is_small(later, a_high))
}

#[cfg(test)]
mod tests;
