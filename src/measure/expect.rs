//! Expectations held against the results.
//!
//! A limit in keep-alives is resolved for each sample with its own device's keep-alive, so a statistic is not one
//! number compared with one limit, but a question about the samples: `max <= L` is "every sample is within its own
//! limit", `p95 <= L` is "at least 95 % of them are" (nearest rank). A sample that is a bracket or a never may be
//! within its limit, beyond it, or undecided; where the undecided ones could turn the answer, the expectation is
//! inconclusive, which counts as unmet.

use super::facts::RoundTrips;
use super::results::{DeviceResults, LinkEnd, Results, RunResults};
use super::together::Fleet;
use super::value::{Value, at_rank, float, rank};
use crate::base::text::glob;
use crate::base::time::nanos;
use crate::base::units::to_u64;
use crate::base::{RuleId, Side, Time};
use crate::event::Samples;
use crate::profile::{Comparison, Expectation, Limit, Metric, Statistic};
use std::time::Duration;

/// How an expectation came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The samples show it.
    Met,
    /// The samples show the contrary.
    Unmet,
    /// Brackets and nevers leave it open; counts as unmet.
    Inconclusive,
    /// No sample speaks to it; counts as unmet.
    NoEvidence,
}

impl Judgement {
    /// Whether it counts as met.
    pub fn is_met(self) -> bool {
        matches!(self, Judgement::Met)
    }
}

/// An expectation with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which, by its place in the plan.
    pub nth: usize,
    /// How it came out.
    pub judgement: Judgement,
    /// How many samples spoke to it.
    pub samples: u64,
    /// Why none did, where that is known.
    pub silence: Option<Silence>,
    /// What the statistic comes to: the sum, the count, or the sample at its rank. `None` without samples.
    pub measured: Option<Value>,
    /// How many samples are not shown to be as they should (for a sum: all but zeros; for a count: none).
    pub against: u64,
    /// Those samples, the worst first, at most `MOST_EVIDENCE`.
    pub evidence: Vec<Evidence>,
}

/// Why no sample speaks to an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Its rule fell on no device.
    FellOnNobody(RuleId),
    /// The hub ended so many connects without a CONNACK before the device had given them up.
    EndedByHub(u64),
}

/// The most samples that a verdict lists.
pub const MOST_EVIDENCE: usize = 20;

/// One sample that a verdict rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The run, from 0, in the order of [`Results`].
    pub run: usize,
    /// The device's name; `None` for figures of the whole fleet.
    pub device: Option<String>,
    /// When the fault of its window began.
    pub start: Option<Duration>,
    /// The value.
    pub value: Value,
    /// How many samples had it.
    pub count: u64,
    /// The limit for this sample: nanoseconds, or things.
    pub limit: f64,
}

/// What is known of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Holds,
    Breaks,
    Open,
}

/// Judges every expectation.
pub fn judge(expectations: &[Expectation], results: &Results) -> Vec<Verdict> {
    expectations.iter().enumerate().map(|(nth, expectation)| verdict(nth, expectation, results)).collect()
}

fn verdict(nth: usize, expectation: &Expectation, results: &Results) -> Verdict {
    let samples = samples(expectation, results);
    let count: u64 = samples.iter().map(|sample| sample.count).sum();
    if count == 0 {
        return Verdict {
            nth,
            judgement: Judgement::NoEvidence,
            samples: 0,
            silence: silence(expectation, results),
            measured: None,
            against: 0,
            evidence: Vec::new(),
        };
    }
    let measured = match expectation.statistic {
        Statistic::Sum => Some(sum(&samples)),
        Statistic::Count => Some(Value::Count(count)),
        Statistic::Max | Statistic::Min | Statistic::Percentile(_) => {
            let values: Vec<_> = samples.iter().map(|sample| (sample.value, sample.count)).collect();
            at_rank(&values, rank_of(expectation.statistic, count))
        }
    };
    let answer = match (expectation.statistic, measured) {
        (Statistic::Sum | Statistic::Count, Some(sum)) => total(sum, expectation.comparison, &samples),
        (_, _) => ranked(expectation, &samples, count),
    };
    let judgement = match answer {
        Answer::Holds => Judgement::Met,
        Answer::Breaks => Judgement::Unmet,
        Answer::Open => Judgement::Inconclusive,
    };
    let mut evidence = if judgement.is_met() { Vec::new() } else { evidence(expectation, samples) };
    let against = evidence.iter().map(|sample| sample.count).sum();
    evidence.truncate(MOST_EVIDENCE);
    Verdict { nth, judgement, samples: count, silence: None, measured, against, evidence }
}

/// Why there is no sample, where that is known.
fn silence(expectation: &Expectation, results: &Results) -> Option<Silence> {
    let runs = || results.runs.iter();
    let mut windows = runs().flat_map(|run| run.windows.values());
    if let Some(rule) = expectation.of.filter(|rule| !windows.any(|window| window.rule == *rule)) {
        return Some(Silence::FellOnNobody(rule));
    }
    let is_asked = |run: &RunResults, end: &LinkEnd| {
        let of_rule = expectation.of.is_none() || end.under == expectation.of;
        of_rule && end.accepted.is_none() && is_asked(expectation, run.name(end.device))
    };
    let by_hub = |run| move |end: &&LinkEnd| is_asked(run, end) && end.cause.is_of_hub();
    let ended = runs().map(|run| to_u64(run.ends.iter().filter(by_hub(run)).count())).sum();
    (expectation.metric == Metric::ConnackWait && ended > 0).then_some(Silence::EndedByHub(ended))
}

/// Max, min and percentiles: so many samples must be on the right side of their limits.
fn ranked(expectation: &Expectation, samples: &[Evidence], count: u64) -> Answer {
    let needed_within = rank_of(expectation.statistic, count);
    // The sample at that rank is within its limit if as many are; it reaches it if as many as stand above do.
    let needed_above = count - needed_within + 1;
    let of = |comparison, needed| enough(samples, comparison, needed);
    match expectation.comparison {
        Comparison::AtMost | Comparison::Below => of(expectation.comparison, needed_within),
        Comparison::AtLeast | Comparison::Above => of(expectation.comparison, needed_above),
        Comparison::Equal => {
            both(of(Comparison::AtMost, needed_within), of(Comparison::AtLeast, needed_above))
        }
    }
}

/// Which sample a statistic looks at, from 1 for the smallest.
fn rank_of(statistic: Statistic, count: u64) -> u64 {
    match statistic {
        Statistic::Min => 1,
        Statistic::Percentile(percent) => {
            let size = usize::try_from(count).unwrap_or(usize::MAX);
            to_u64(rank(size, percent))
        }
        Statistic::Max | Statistic::Sum | Statistic::Count => count,
    }
}

fn enough(samples: &[Evidence], comparison: Comparison, needed: u64) -> Answer {
    let having = |answer| -> u64 {
        let answers = samples.iter().filter(|s| compare(s.value, comparison, s.limit) == answer);
        answers.map(|sample| sample.count).sum()
    };
    let holding = having(Answer::Holds);
    if holding >= needed {
        Answer::Holds
    } else if holding + having(Answer::Open) >= needed {
        Answer::Open
    } else {
        Answer::Breaks
    }
}

fn both(a: Answer, b: Answer) -> Answer {
    match (a, b) {
        (Answer::Breaks, _) | (_, Answer::Breaks) => Answer::Breaks,
        (Answer::Open, _) | (_, Answer::Open) => Answer::Open,
        (Answer::Holds, Answer::Holds) => Answer::Holds,
    }
}

/// Compares a value with a limit.
fn compare(value: Value, comparison: Comparison, limit: f64) -> Answer {
    let (low, high) = value.bounds();
    let (surely, possibly) = match comparison {
        Comparison::AtMost => (high <= limit, low <= limit),
        Comparison::Below => (high < limit, low < limit),
        Comparison::AtLeast => (low >= limit, high >= limit),
        Comparison::Above => (low > limit, high > limit),
        // Counts, and whole nanoseconds.
        Comparison::Equal => (low == limit && high == limit, low <= limit && limit <= high),
    };
    // A never that was watched up to its limit is beyond it.
    let is_upper = matches!(comparison, Comparison::AtMost | Comparison::Below);
    let beyond = is_upper && matches!(value, Value::Never { .. }) && low >= limit;
    match (surely, possibly && !beyond) {
        (true, _) => Answer::Holds,
        (false, true) => Answer::Open,
        (false, false) => Answer::Breaks,
    }
}

fn sum(samples: &[Evidence]) -> Value {
    let times = |sample: &Evidence| u32::try_from(sample.count).unwrap_or(u32::MAX);
    let all = samples.iter().map(|sample| sample.value.times(times(sample)));
    all.reduce(Value::added).unwrap_or(Value::Count(0))
}

/// A sum is held against the limit of each of its samples, and so against the strictest. Limits differ where they are in
/// keep-alives: then no sum is equal to all.
fn total(total: Value, comparison: Comparison, samples: &[Evidence]) -> Answer {
    let answers = samples.iter().map(|sample| compare(total, comparison, sample.limit));
    answers.reduce(both).unwrap_or(Answer::Open)
}

fn evidence(expectation: &Expectation, mut samples: Vec<Evidence>) -> Vec<Evidence> {
    match expectation.statistic {
        Statistic::Sum => samples.retain(|sample| sample.value.bounds().1 > 0.0),
        Statistic::Count => samples.clear(),
        Statistic::Max | Statistic::Min | Statistic::Percentile(_) => samples
            .retain(|sample| compare(sample.value, expectation.comparison, sample.limit) != Answer::Holds),
    }
    match expectation.comparison {
        Comparison::AtMost | Comparison::Below | Comparison::Equal => {
            samples.sort_by(|a, b| b.value.order(a.value));
        }
        Comparison::AtLeast | Comparison::Above => samples.sort_by(|a, b| a.value.order(b.value)),
    }
    samples
}

/// The samples that an expectation asks about, over all runs.
pub(super) fn samples(expectation: &Expectation, results: &Results) -> Vec<Evidence> {
    let of_fleet = matches!(expectation.metric, Metric::ConnectRate | Metric::Dip);
    let fleets = if of_fleet { results.fleets() } else { Vec::new() };
    let runs = results.runs.iter().enumerate();
    runs.flat_map(|(number, run)| match expectation.metric {
        Metric::DeviceDetection
        | Metric::HubDetection
        | Metric::DeviceSilence
        | Metric::HubSilence
        | Metric::SplitView
        | Metric::Downtime
        | Metric::Recovery
        | Metric::Resubscribe
        | Metric::FirstPublish
        | Metric::FirstDelivery
        | Metric::ConnectGap
        | Metric::ConnectAttempts
        | Metric::HandshakeAttempts
        | Metric::HandshakeGap
        | Metric::PacketsAltered
        | Metric::ConnectsRefused
        | Metric::ConnackWait
        | Metric::DisconnectInterval
        | Metric::TokenMargin
        | Metric::TokenLate
        | Metric::StaleTokens
        | Metric::Qos0Lost
        | Metric::Qos1Lost
        | Metric::Qos1Duplicated
        | Metric::Qos2Lost
        | Metric::Qos2Duplicated
        | Metric::Retransmitted
        | Metric::InFlight
        | Metric::SequenceGaps
        | Metric::QueuedOffline
        | Metric::DroppedOffline
        | Metric::FleetRecovery
        | Metric::ReconnectSpread => kept(expectation, number, run),
        Metric::ConnectRate | Metric::Dip => of_fleets(expectation, number, &fleets),
        Metric::ControlGap => of_devices(expectation, number, run, |device| &device.control_gap),
        Metric::PingRtt if expectation.of.is_some() => {
            of_windows(expectation, number, run, |round_trips| &round_trips.ping)
        }
        Metric::PublishRtt if expectation.of.is_some() => {
            of_windows(expectation, number, run, |round_trips| &round_trips.publish)
        }
        Metric::PingRtt => of_devices(expectation, number, run, |device| &device.ping_rtt),
        Metric::PublishRtt => of_devices(expectation, number, run, |device| &device.publish_rtt),
        Metric::KeepaliveViolations => violations(expectation, number, run),
        Metric::ConnectTime => of_devices(expectation, number, run, |device| &device.timings.connect),
        Metric::DeviceTlsTime => {
            of_devices(expectation, number, run, |device| &device.timings.tls.device.took)
        }
        Metric::HubTlsTime => of_devices(expectation, number, run, |device| &device.timings.tls.hub.took),
        Metric::TlsResumed => resumed(expectation, number, run, Side::Device),
        Metric::HubTlsResumed => resumed(expectation, number, run, Side::Hub),
    })
    .collect()
}

/// Of the fleet that this run is the first of, if it is.
fn of_fleets(expectation: &Expectation, number: usize, fleets: &[Fleet]) -> Vec<Evidence> {
    let fleet = fleets.iter().find(|fleet| fleet.runs.first() == Some(&number));
    // A rule or a client has no dip of its own.
    let of_all = expectation.of.is_none() && expectation.client.is_none();
    let value = fleet.and_then(|fleet| {
        if expectation.metric == Metric::Dip {
            fleet.dip.filter(|_| of_all)
        } else {
            Some(fleet.connect_rate)
        }
    });
    value.map(|value| self::fleet(expectation, number, Value::Count(value))).into_iter().collect()
}

fn kept(expectation: &Expectation, number: usize, run: &RunResults) -> Vec<Evidence> {
    let asked = run.samples.iter().filter(|sample| {
        sample.metric == expectation.metric
            && (expectation.of.is_none() || sample.rule == expectation.of)
            && sample.device.map_or(expectation.client.is_none(), |id| is_asked(expectation, run.name(id)))
    });
    asked
        .map(|sample| Evidence {
            run: number,
            device: sample.device.map(|device| run.name(device).to_owned()),
            start: sample.window.and_then(|id| Some(run.windows.get(&id)?.start?.elapsed())),
            value: sample.value,
            count: 1,
            limit: limit(expectation, sample.keep_alive),
        })
        .collect()
}

fn of_devices(
    expectation: &Expectation,
    number: usize,
    run: &RunResults,
    samples: impl Fn(&DeviceResults) -> &Samples,
) -> Vec<Evidence> {
    let asked = run.devices.values().filter(|device| is_asked(expectation, &device.name));
    let of = |device| samples(device).iter().map(move |(value, count)| (device, Value::Exact(value), count));
    asked.flat_map(of).map(|(device, value, count)| one(expectation, number, device, value, count)).collect()
}

/// Round trips while a rule's fault held.
fn of_windows(
    expectation: &Expectation,
    number: usize,
    run: &RunResults,
    samples: impl Fn(&RoundTrips) -> &Samples,
) -> Vec<Evidence> {
    let asked = run.windows.values().filter(|window| {
        expectation.of == Some(window.rule) && is_asked(expectation, run.name(window.device))
    });
    asked
        .flat_map(|window| {
            samples(&window.round_trips).iter().map(move |(value, count)| (window, value, count))
        })
        .map(|(window, value, count)| Evidence {
            run: number,
            device: Some(run.name(window.device).to_owned()),
            start: window.start.map(Time::elapsed),
            value: Value::Exact(value),
            count,
            limit: limit(expectation, window.keep_alive),
        })
        .collect()
}

fn violations(expectation: &Expectation, number: usize, run: &RunResults) -> Vec<Evidence> {
    // A device that was never accepted had no keep-alive to keep; of one whose TLS is passed through, none is known.
    let is_known = |device: &&DeviceResults| device.was_there && device.version.is_some();
    let asked = run.devices.values().filter(is_known).filter(|device| is_asked(expectation, &device.name));
    asked.map(|device| one(expectation, number, device, Value::Count(device.violations), 1)).collect()
}

/// 1 for each handshake that resumed a session, 0 for each that did not.
fn resumed(expectation: &Expectation, number: usize, run: &RunResults, side: Side) -> Vec<Evidence> {
    let asked = run.devices.values().filter(|device| is_asked(expectation, &device.name));
    let of = |device| {
        let times = DeviceResults::tls(device, side);
        [(0, times.full), (1, times.resumed)].map(|(value, count)| (device, Value::Count(value), count))
    };
    asked
        .flat_map(of)
        .filter(|(_, _, count)| *count > 0)
        .map(|(device, value, count)| one(expectation, number, device, value, count))
        .collect()
}

fn one(expectation: &Expectation, run: usize, device: &DeviceResults, value: Value, count: u64) -> Evidence {
    let limit = limit(expectation, device.reckoned);
    Evidence { run, device: Some(device.name.clone()), start: None, value, count, limit }
}

fn fleet(expectation: &Expectation, run: usize, value: Value) -> Evidence {
    let limit = limit(expectation, Duration::ZERO);
    Evidence { run, device: None, start: None, value, count: 1, limit }
}

fn is_asked(expectation: &Expectation, name: &str) -> bool {
    expectation.client.as_ref().is_none_or(|pattern| glob(pattern, name))
}

fn limit(expectation: &Expectation, keep_alive: Duration) -> f64 {
    match expectation.limit {
        Limit::Span(span) => float(nanos(span.resolve(keep_alive))),
        Limit::Number(number) => number,
    }
}
