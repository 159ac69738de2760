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
    /// So many more of which it is not known.
    pub perhaps: [u64; 2],
    /// Of how many.
    pub all: [u64; 2],
    /// The probability (Fisher's exact test, two-sided), as great as those that are not known let it be.
    pub p: f64,
    /// As small as they let it be.
    pub p_at_best: f64,
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
        all.extend((0..3).filter_map(|qos| lost(direction, qos, &counts)));
        all.extend((0..3).filter_map(|qos| duplicated(direction, qos, &counts)));
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
            Some(corrected) if corrected > alpha => {
                let is_open = self.p_at_best < self.p && self.p_at_best <= alpha;
                if is_open { Conclusion::Undecided } else { Conclusion::NotShown }
            }
            Some(_) => by_direction(self.of.worse(), order(self.some, self.all) == Ordering::Greater),
        };
    }
}

/// The second side's proportion against the first's.
fn order(some: [u64; 2], all: [u64; 2]) -> Ordering {
    let cross = |nth: usize, other: usize| u128::from(some[nth]) * u128::from(all[other]);
    cross(1, 0).cmp(&cross(0, 1))
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
/// counts as all. What is not known is taken to be so on the one side and not on the other, and the other way round: what
/// comes out both ways is shown.
fn share(of: ShareOf, some: [u64; 2], perhaps: [u64; 2], all: [u64; 2]) -> Option<Share> {
    if all.contains(&0) {
        return None;
    }
    let some = [0, 1].map(|side: usize| some[side].min(all[side]));
    let most = [0, 1].map(|side: usize| some[side].saturating_add(perhaps[side]).min(all[side]));
    let at = |some| (fisher::fisher(some, all), fisher::least(some, all), order(some, all));
    // The second side's as small as can be, and as great as can be.
    let small = at([most[0], some[1]]);
    let great = if most == some { small } else { at([some[0], most[1]]) };
    Some(Share {
        of,
        some,
        perhaps: [0, 1].map(|side: usize| most[side] - some[side]),
        all,
        p: if small.2 == great.2 { small.0.max(great.0) } else { 1.0 },
        p_at_best: small.0.min(great.0),
        least: small.1.min(great.1),
        corrected: None,
        conclusion: Conclusion::NotShown,
    })
}

/// One of which all is known.
fn known(of: ShareOf, some: [u64; 2], all: [u64; 2]) -> Option<Share> {
    share(of, some, [0, 0], all)
}

/// Where anything never happened on a side. What was not watched for as long as it took elsewhere may have happened as late.
fn never(measure: &Measure) -> Option<Share> {
    let sides = measure.sides.each_ref();
    let some = sides.map(|side| side.never - side.never_yet);
    let is_asked = measure.metric.unit() == Unit::Time && sides.iter().any(|side| side.never > 0);
    let all = sides.map(|side| side.count - side.hidden);
    share(ShareOf::Never(measure.metric, measure.of), some, sides.map(|side| side.never_yet), all)
        .filter(|_| is_asked)
}

fn lost(direction: Direction, qos: usize, sides: &[Delivery; 2]) -> Option<Share> {
    let all = sides.map(|counts| {
        // At QoS 0 those that only the numbers in payloads tell of are among the lost, and were not seen to be sent.
        let fates = [counts.received, counts.lost, counts.unfollowed].map(|fate| fate[qos]);
        let least = if qos == 0 { fates.into_iter().fold(0, u64::saturating_add) } else { 0 };
        least.max(counts.sent[qos])
    });
    let [some, perhaps] = [sides.map(|counts| counts.lost[qos]), sides.map(|counts| counts.unfollowed[qos])];
    share(ShareOf::Lost(direction, qos), some, perhaps, all)
}

fn duplicated(direction: Direction, qos: usize, sides: &[Delivery; 2]) -> Option<Share> {
    let some = sides.map(|counts| counts.duplicated[qos]);
    // Nobody sends one of QoS 0 again.
    let unfollowed = |counts: Delivery| if qos == 0 { 0 } else { counts.unfollowed[qos] };
    let perhaps = sides.map(|counts| unfollowed(counts).saturating_add(counts.perhaps_duplicated[qos]));
    share(ShareOf::Duplicated(direction, qos), some, perhaps, sides.map(|counts| counts.sent[qos]))
}

fn resumed(metric: Metric, sides: [&Results; 2]) -> Option<Share> {
    let side = if metric == Metric::HubTlsResumed { Side::Hub } else { Side::Device };
    let times = |device: &DeviceResults| (device.tls(side).resumed, device.tls(side).full);
    let sums = sides.map(|side| {
        let devices = side.runs.iter().flat_map(|run| run.devices.values()).map(times);
        devices.fold((0, 0), |(some, all), (resumed, full)| (some + resumed, all + resumed + full))
    });
    known(ShareOf::Resumed(metric), sums.map(|(some, _)| some), sums.map(|(_, all)| all))
}

/// What became of messages; where some could not be followed, the counts of that device are no evidence.
fn delivery(side: &Results, direction: Direction) -> Delivery {
    let mut sum = Delivery::default();
    let devices = side.runs.iter().flat_map(|run| run.devices.values());
    for device in devices.filter(|device| !device.delivery.is_partial) {
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
    (0..plan.expectations.len()).filter_map(|nth| known(ShareOf::Met(nth), some(nth), all)).collect()
}
