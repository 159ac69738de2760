//! Proportions of both sides: so many of all.

use super::gather::ONES;
use super::{Conclusion, Measure, Worse, by_direction, fisher, worse};
use crate::base::units::to_u64;
use crate::base::{Direction, RuleId, Side};
use crate::event::Delivery;
use crate::measure::judge;
use crate::measure::results::{DeviceResults, Results};
use crate::profile::{Metric, Plan, Unit};
use std::cmp::Ordering;

/// A proportion on both sides, with its test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Of what.
    pub of: ShareOf,
    /// How many, on the first side and on the second.
    pub some: [u64; 2],
    /// Of how many.
    pub all: [u64; 2],
    /// The probability (Fisher's exact test, two-sided).
    pub p: f64,
    /// The least that it could have come to.
    pub least: f64,
    /// Corrected for all tests; `None` for one that is not part of the family.
    pub corrected: Option<f64>,
    /// What it came to.
    pub conclusion: Conclusion,
}

/// What a proportion is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareOf {
    /// Samples that never happened, of those of which that is known.
    Never(Metric, Option<RuleId>),
    /// Handshakes that resumed a session.
    Resumed(Metric),
    /// Messages that were lost, of those sent; by quality of service.
    Lost(Direction, usize),
    /// Messages that were passed on again, of those sent.
    Duplicated(Direction, usize),
    /// Runs that met an expectation, by its place in the plan.
    Met(usize),
}

/// Every proportion that both sides have something of.
pub(super) fn shares(plan: &Plan, sides: [&Results; 2], measures: &[Measure]) -> Vec<Share> {
    let mut all: Vec<Share> = measures.iter().filter_map(never).collect();
    all.extend(ONES.iter().filter_map(|metric| resumed(*metric, sides)));
    for direction in [Direction::Up, Direction::Down] {
        let counts = sides.map(|side| delivery(side, direction));
        let of = |of: ShareOf, some: [u64; 2], all: [u64; 2]| share(of, some, all);
        let sent = |qos: usize| [counts[0].sent[qos], counts[1].sent[qos]];
        let lost = |qos: usize| [counts[0].lost[qos], counts[1].lost[qos]];
        let again = |qos: usize| [counts[0].duplicated[qos], counts[1].duplicated[qos]];
        all.extend((0..3).filter_map(|qos| of(ShareOf::Lost(direction, qos), lost(qos), sent(qos))));
        all.extend((0..3).filter_map(|qos| of(ShareOf::Duplicated(direction, qos), again(qos), sent(qos))));
    }
    all.extend(met(plan, sides));
    all
}

impl Share {
    /// Says what the test came to, once it is corrected.
    pub(super) fn conclude(&mut self, alpha: f64) {
        self.conclusion = match self.corrected {
            // As much could not have shown anything: of so few, or as so few of them are different.
            None => Conclusion::NotShown,
            Some(corrected) if corrected > alpha => Conclusion::NotShown,
            Some(_) => by_direction(self.of.worse(), self.order() == Ordering::Greater),
        };
    }

    /// The second side's proportion against the first's.
    fn order(&self) -> Ordering {
        let cross = |some: usize, all: usize| u128::from(self.some[some]) * u128::from(self.all[all]);
        cross(1, 0).cmp(&cross(0, 1))
    }
}

impl ShareOf {
    fn worse(self) -> Worse {
        match self {
            ShareOf::Never(metric, _) => worse(metric),
            ShareOf::Lost(..) | ShareOf::Duplicated(..) => Worse::More,
            ShareOf::Resumed(_) | ShareOf::Met(_) => Worse::Less,
        }
    }
}

/// `None` where a side has none of it. More of something than there is of all (a message may be passed on again and again)
/// counts as all.
fn share(of: ShareOf, some: [u64; 2], all: [u64; 2]) -> Option<Share> {
    let some = [some[0].min(all[0]), some[1].min(all[1])];
    let (p, least) = (fisher::fisher(some, all), fisher::least(some, all));
    let is_there = all.iter().all(|all| *all > 0);
    is_there.then_some(Share { of, some, all, p, least, corrected: None, conclusion: Conclusion::NotShown })
}

/// Where anything never happened on a side.
fn never(measure: &Measure) -> Option<Share> {
    let [a, b] = &measure.sides;
    let some = [a.never, b.never];
    let all = [a.count - a.hidden, b.count - b.hidden];
    let is_asked = measure.metric.unit() == Unit::Time && some.iter().any(|never| *never > 0);
    share(ShareOf::Never(measure.metric, measure.of), some, all).filter(|_| is_asked)
}

fn resumed(metric: Metric, sides: [&Results; 2]) -> Option<Share> {
    let side = if metric == Metric::HubTlsResumed { Side::Hub } else { Side::Device };
    let times = |device: &DeviceResults| (device.tls(side).resumed, device.tls(side).full);
    let sums = sides.map(|side| {
        let devices = side.runs.iter().flat_map(|run| run.devices.values()).map(times);
        devices.fold((0, 0), |(some, all), (resumed, full)| (some + resumed, all + resumed + full))
    });
    share(ShareOf::Resumed(metric), sums.map(|(some, _)| some), sums.map(|(_, all)| all))
}

fn delivery(side: &Results, direction: Direction) -> Delivery {
    let mut sum = Delivery::default();
    for device in side.runs.iter().flat_map(|run| run.devices.values()) {
        sum.add(device.delivery.counts.get(direction));
    }
    sum
}

/// Where a side has several runs, how many of them met each expectation.
fn met(plan: &Plan, sides: [&Results; 2]) -> Vec<Share> {
    if sides.iter().all(|side| side.runs.len() < 2) {
        return Vec::new();
    }
    let judged = sides.map(|side| {
        let of_run = |run: &_| judge(&plan.expectations, &Results::of(Clone::clone(run)));
        side.runs.iter().map(of_run).collect::<Vec<_>>()
    });
    let all = sides.map(|side| to_u64(side.runs.len()));
    let some = |nth: usize| {
        judged.each_ref().map(|runs| {
            let met =
                runs.iter().filter(|run| run.get(nth).is_some_and(|verdict| verdict.judgement.is_met()));
            to_u64(met.count())
        })
    };
    (0..plan.expectations.len()).filter_map(|nth| share(ShareOf::Met(nth), some(nth), all)).collect()
}
