//! The samples of both sides, measure by measure.

use crate::base::RuleId;
use crate::base::units::to_u64;
use crate::measure::expect;
use crate::measure::results::{Results, RunResults};
use crate::measure::value::{Value, at_rank, rank};
use crate::profile::{Comparison, Expectation, Limit, Metric, Plan, Statistic};
use std::collections::{BTreeMap, BTreeSet};

/// Measures with many samples of each device: the test is on the devices' medians.
const BY_DEVICE: [Metric; 9] = [
    Metric::PingRtt,
    Metric::PublishRtt,
    Metric::ControlGap,
    Metric::ConnectGap,
    Metric::ConnackWait,
    Metric::HandshakeGap,
    Metric::ConnectTime,
    Metric::DeviceTlsTime,
    Metric::HubTlsTime,
];
/// Measures that are 0 or 1 for each sample: those are proportions.
pub(super) const ONES: [Metric; 2] = [Metric::TlsResumed, Metric::HubTlsResumed];
/// Messages are tested as shares of those sent ([`ShareOf`](super::ShareOf)), and not once more by their number.
const AS_SHARES: [Metric; 5] =
    [Metric::Qos0Lost, Metric::Qos1Lost, Metric::Qos2Lost, Metric::Qos1Duplicated, Metric::Qos2Duplicated];
/// Measures of the fleet, which may be of several machines together.
const OF_FLEET: [Metric; 2] = [Metric::ConnectRate, Metric::Dip];
/// Measures that are of all traffic, and of that under each rule's fault.
const OF_TRAFFIC: [Metric; 2] = [Metric::PingRtt, Metric::PublishRtt];

/// One side of a measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many samples there are.
    pub count: u64,
    /// How many values the test is on: the samples, or the medians of devices.
    pub tested: usize,
    /// How many samples are brackets.
    pub brackets: u64,
    /// How many never happened while watched.
    pub never: u64,
    /// How many of these were not watched for as long as one of either side took.
    pub never_yet: u64,
    /// Of how many the fault hid whether they happened.
    pub hidden: u64,
    /// The median; `None` without samples.
    pub median: Option<Value>,
    /// The 95th percentile, by nearest rank.
    pub p95: Option<Value>,
    /// The greatest.
    pub worst: Option<Value>,
}

/// A measure with the samples of both sides.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub metric: Metric,
    pub of: Option<RuleId>,
    pub by_device: bool,
    pub sides: [Summary; 2],
    /// The values that the test is on.
    pub tested: [Vec<Value>; 2],
}

/// A value, how often it was seen, in which run, on which device.
type Sampled = (Value, u64, usize, Option<String>);

/// Values with how often each was seen.
type Weighted = Vec<(Value, u64)>;

/// Every measure that a side has samples of, but for those that are proportions, or tested as such.
pub(super) fn gather(plan: &Plan, sides: [&Results; 2]) -> Vec<Gathered> {
    let metrics = Metric::ALL.iter().filter(|metric| !ONES.contains(metric) && !AS_SHARES.contains(metric));
    let keys = metrics.flat_map(|metric| rules_of(plan, *metric, sides).into_iter().map(|of| (*metric, of)));
    let gathered = keys.map(|(metric, of)| one(metric, of, sides));
    gathered.filter(|gathered| gathered.sides.iter().any(|side| side.count > 0)).collect()
}

fn one(metric: Metric, of: Option<RuleId>, sides: [&Results; 2]) -> Gathered {
    let by_device = BY_DEVICE.contains(&metric);
    let samples = sides.map(|side| samples(metric, of, is_kept(metric, sides), side));
    let tested = samples.each_ref().map(|samples| if by_device { medians(samples) } else { each(samples) });
    let highs = samples.iter().flatten().map(|(value, ..)| value.bounds().1);
    let longest = highs.filter(|high| high.is_finite()).fold(0.0, f64::max);
    let [a, b] = &samples;
    let sides = [summary(a, tested[0].len(), longest), summary(b, tested[1].len(), longest)];
    Gathered { metric, of, by_device, sides, tested }
}

/// Whether its samples are kept one by one with their rules.
fn is_kept(metric: Metric, sides: [&Results; 2]) -> bool {
    let mut all = sides.into_iter().flat_map(|side| &side.runs).flat_map(|run| &run.samples);
    !OF_FLEET.contains(&metric) && all.any(|sample| sample.metric == metric)
}

/// The rules that a measure is asked of, one by one; `None` for all that is of no rule.
fn rules_of(plan: &Plan, metric: Metric, sides: [&Results; 2]) -> BTreeSet<Option<RuleId>> {
    if is_kept(metric, sides) {
        let runs = sides.into_iter().flat_map(|side| &side.runs);
        let samples = runs.flat_map(|run| &run.samples).filter(|sample| sample.metric == metric);
        return samples.map(|sample| sample.rule).collect();
    }
    let under_rules = plan.rules().filter(|_| OF_TRAFFIC.contains(&metric)).map(|(id, _)| Some(id));
    under_rules.chain([None]).collect()
}

fn samples(metric: Metric, of: Option<RuleId>, kept: bool, side: &Results) -> Vec<Sampled> {
    if kept {
        return side
            .runs
            .iter()
            .enumerate()
            .flat_map(|(number, run)| kept_of(metric, of, number, run))
            .collect();
    }
    // The limit is not asked for.
    let (statistic, comparison, limit) = (Statistic::Max, Comparison::AtMost, Limit::Number(0.0));
    let asked = Expectation { metric, of, client: None, statistic, comparison, limit };
    let samples = expect::samples(&asked, side).into_iter();
    samples.map(|sample| (sample.value, sample.count, sample.run, sample.device)).collect()
}

fn kept_of(
    metric: Metric,
    of: Option<RuleId>,
    number: usize,
    run: &RunResults,
) -> impl Iterator<Item = Sampled> {
    let samples = run.samples.iter().filter(move |sample| sample.metric == metric && sample.rule == of);
    samples.map(move |sample| {
        let device = sample.device.map(|device| run.name(device).to_owned());
        (sample.value, 1, number, device)
    })
}

/// The values as they are.
fn each(samples: &[Sampled]) -> Vec<Value> {
    let times = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    samples.iter().flat_map(|(value, count, _, _)| std::iter::repeat_n(*value, times(*count))).collect()
}

/// The median of each device in each run.
fn medians(samples: &[Sampled]) -> Vec<Value> {
    let mut by_device: BTreeMap<(usize, Option<&str>), Weighted> = BTreeMap::new();
    for (value, count, run, device) in samples {
        by_device.entry((*run, device.as_deref())).or_default().push((*value, *count));
    }
    by_device.into_values().filter_map(|values| at(&values, 50.0)).collect()
}

fn summary(samples: &[Sampled], tested: usize, longest: f64) -> Summary {
    let count = |wanted: &dyn Fn(&Value) -> bool| {
        samples.iter().filter(|(value, ..)| wanted(value)).map(|(_, count, ..)| count).sum()
    };
    let values: Weighted = samples.iter().map(|(value, count, ..)| (*value, *count)).collect();
    Summary {
        count: count(&|_| true),
        tested,
        brackets: count(&|value| value.is_bracket()),
        never: count(&|value| value.is_never()),
        never_yet: count(&|value| value.is_never() && value.bounds().0 < longest),
        hidden: count(&|value| value.is_hidden()),
        median: at(&values, 50.0),
        p95: at(&values, 95.0),
        worst: at(&values, 100.0),
    }
}

/// The value at this percentile by nearest rank, of values with how often each was seen.
fn at(values: &[(Value, u64)], percent: f64) -> Option<Value> {
    let all: u64 = values.iter().map(|(_, count)| count).sum();
    at_rank(values, to_u64(rank(usize::try_from(all).unwrap_or(usize::MAX), percent)))
}
