//! From a plan and the results of its runs to the report model.

use super::model::{
    Altered, Delivery, DeliveryCounts, Device, Evidence, Expectation, FORMAT, Figure, Fleet, FleetFiring,
    Judgement, Missed, Outcome, Profile, Quantiles, Report, Rule, Run, Skipped, Summary, Verdict, Verdicts,
    Window,
};
use super::{azure, ending, notes, tls, uncertainty, verdicts, wire, words};
use crate::base::units::to_u64;
use crate::base::{Direction, RuleId, Side, WindowId};
use crate::event::{self, Count, Samples};
use crate::fault::Fault;
use crate::measure::value::{at_rank, rank};
use crate::measure::{
    self, Alterations, DeliveryResults, DeviceResults, Distribution, FiringResults, Noticed, Results,
    RunResults, Value, Who, WindowResults,
};
use crate::profile::{self, Limit, Metric, Plan, Statistic, When};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl Report {
    /// The report on these results of runs of this plan.
    pub fn new(plan: &Plan, results: &Results) -> Report {
        let expectations = expectations(plan, results);
        let not_through = ending::not_through(plan, results);
        let verdicts = verdicts::verdicts(plan, results);
        Report {
            format: FORMAT,
            profile: Profile {
                name: plan.name.clone(),
                summary: plan.summary.clone(),
                reproduces: plan.reproduces.clone(),
            },
            verdict: verdict(plan, results, &expectations, not_through.is_some(), &verdicts),
            not_through,
            command_failed: command_failed(results),
            runs: runs(results),
            expectations,
            rules: told_of(plan, results).map(|id| rule(plan, id, results)).collect(),
            devices: devices(plan, results),
            fleet: fleet(plan, results),
            tls: tls::tls(results),
            tap: wire::tap(results),
            azure: azure::azure(results),
            verdicts,
            findings: verdicts::findings(results),
            uncertainty: uncertainty::uncertainty(results),
            notes: notes::notes(plan, results),
        }
    }

    /// How many expectations are not met.
    pub fn unmet(&self) -> usize {
        self.expectations.iter().filter(|expectation| expectation.judgement != Judgement::Met).count()
    }

    /// What fails beside expectations: classes, by a strictness that was asked for, and the command.
    pub fn failed(&self) -> Vec<&'static str> {
        let command = self.command_failed.as_ref().map(|_| "command");
        self.verdicts.failed().into_iter().chain(command).collect()
    }

    /// Whether the runs were through, every expectation is met, and nothing else fails.
    pub fn is_met(&self) -> bool {
        self.not_through.is_none() && self.unmet() == 0 && self.failed().is_empty()
    }

    /// As JSON, indented, with a newline at the end.
    ///
    /// # Errors
    /// The serializer's.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The rules that there is something to say of: all, but for those that wait for a device to ask, and none did.
pub(super) fn told_of<'a>(plan: &'a Plan, results: &'a Results) -> impl Iterator<Item = RuleId> + 'a {
    let fired = |id| results.runs.iter().any(|run| run.rules.get(&id).is_some_and(|rule| rule.fired > 0));
    let is_told =
        move |(id, rule): &(RuleId, &profile::Rule)| !matches!(rule.when, When::Asked(_)) || fired(*id);
    plan.rules().filter(is_told).map(|(id, _)| id)
}

/// A value as a figure.
pub(super) fn figure(value: Value) -> Figure {
    match value {
        Value::Exact(span) => Figure::Seconds(seconds(span)),
        Value::Between { after, before } => {
            Figure::Between { after_s: seconds(after), before_s: seconds(before) }
        }
        Value::Never { watched } => Figure::Never { never_watched_s: seconds(watched) },
        Value::Count(count) => Figure::Count(count),
        Value::CountBetween { least, most } => Figure::CountBetween { at_least: least, at_most: most },
    }
}

/// In seconds, as the number nearest to the whole nanoseconds: it shows nine digits after the point at most.
pub(super) fn seconds(span: Duration) -> f64 {
    to_nanoseconds(span.as_secs_f64())
}

fn to_nanoseconds(seconds: f64) -> f64 {
    (seconds * 1e9).round() / 1e9
}

fn verdict(
    plan: &Plan,
    results: &Results,
    expectations: &[Expectation],
    is_not_through: bool,
    verdicts: &Verdicts,
) -> Verdict {
    let is_unmet = expectations.iter().any(|expectation| expectation.judgement != Judgement::Met);
    if ending::any_cut_off(plan, results) {
        Verdict::NotThrough
    } else if is_unmet || !verdicts.failed().is_empty() || command_failed(results).is_some() {
        Verdict::Failed
    } else if is_not_through {
        Verdict::NotThrough
    } else if expectations.is_empty() {
        Verdict::NoExpectations
    } else {
        Verdict::Passed
    }
}

/// `it ended with code 3`, or of several runs `run 2: a signal ended it`.
pub(super) fn command_failed(results: &Results) -> Option<String> {
    let several = results.runs.len() > 1;
    let failed = results.runs.iter().zip(1..).filter_map(|(run, number)| {
        let run_of = if several { format!("run {number}: ") } else { String::new() };
        Some(match run.trouble.command_failed? {
            Some(code) => format!("{run_of}it ended with code {code}"),
            None => format!("{run_of}a signal ended it"),
        })
    });
    let failed: Vec<String> = failed.collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

fn runs(results: &Results) -> Vec<Run> {
    let runs = results.runs.iter().zip(results.starts()).zip(1..);
    runs.map(|((run, start), number)| self::run(run, number, start)).collect()
}

fn run(run: &RunResults, number: usize, start: Option<Duration>) -> Run {
    let started = run.started.as_ref();
    Run {
        run: number,
        version: started.map(|started| started.version.clone()),
        wall_clock: started.map(|started| started.wall_clock.clone()),
        starts_after_s: start.map(seconds),
        seed: started.map(|started| started.seed),
        overrides: started.map(|started| started.overrides.clone()).unwrap_or_default(),
        lasted_s: seconds(run.lasted),
        ended: run.ended,
        events: run.events,
    }
}

/// How an expectation came out.
pub(super) fn judgement(judgement: measure::Judgement) -> Judgement {
    match judgement {
        measure::Judgement::Met => Judgement::Met,
        measure::Judgement::Unmet => Judgement::Unmet,
        measure::Judgement::Inconclusive => Judgement::Inconclusive,
        measure::Judgement::NoEvidence => Judgement::NoEvidence,
    }
}

fn expectations(plan: &Plan, results: &Results) -> Vec<Expectation> {
    let verdicts = measure::judge(&plan.expectations, results);
    let judged = plan.expectations.iter().zip(verdicts);
    judged
        .map(|(expectation, verdict)| Expectation {
            expectation: words::expectation(plan, expectation),
            metric: expectation.metric.name(),
            judgement: judgement(verdict.judgement),
            samples: verdict.samples,
            silence: verdict.silence.map(|silence| words::silence(plan, silence)),
            measured: verdict.measured.map(figure),
            against: verdict.against,
            evidence: verdict.evidence.into_iter().map(|e| evidence(e, expectation.limit)).collect(),
            is_total: matches!(expectation.statistic, Statistic::Sum | Statistic::Count),
            of: expectation.of.map(|rule| words::rule_name(plan, rule)),
            limits_s: limits(expectation, results),
        })
        .collect()
}

/// The most limits that are shown of one expectation.
const MOST_LIMITS: usize = 4;

/// The limit of an expectation for each keep-alive that windows of its rule were resolved with.
fn limits(expectation: &profile::Expectation, results: &Results) -> Vec<f64> {
    let Limit::Span(limit) = expectation.limit else { return Vec::new() };
    let windows = results.runs.iter().flat_map(|run| run.windows.values());
    let of = windows.filter(|window| expectation.of.is_none_or(|rule| rule == window.rule));
    let limits: BTreeSet<Duration> = of.map(|window| limit.resolve(window.keep_alive)).collect();
    limits.into_iter().take(MOST_LIMITS).map(seconds).collect()
}

fn evidence(evidence: measure::Evidence, limit: Limit) -> Evidence {
    Evidence {
        run: evidence.run + 1,
        device: evidence.device,
        fault_start_s: evidence.start.map(seconds),
        value: figure(evidence.value),
        count: evidence.count,
        limit_s: matches!(limit, Limit::Span(_)).then_some(to_nanoseconds(evidence.limit / 1e9)),
        limit: matches!(limit, Limit::Number(_)).then_some(evidence.limit),
    }
}

fn rule(plan: &Plan, id: RuleId, results: &Results) -> Rule {
    let fault = plan.rule(id).map(|rule| &rule.fault);
    let mut windows = Vec::new();
    let mut fidelities = BTreeSet::new();
    let (mut means, mut refused, mut missed) = (Vec::new(), Vec::new(), Vec::new());
    for (run, number) in results.runs.iter().zip(1..) {
        for (window, judged) in run.windows.iter().filter(|(_, window)| window.rule == id) {
            let each = std::iter::once(judged).chain(&judged.later);
            windows.extend(each.map(|judged| self::window(plan, run, number, *window, judged)));
            fidelities.extend(judged.fidelities.iter().copied());
            let used = Side::BOTH.into_iter().flat_map(|side| judged.means.get(side));
            add_new(&mut means, used.map(|mechanism| words::means(*mechanism)));
            let kept = Side::BOTH.into_iter().filter(|side| judged.noticed.get(*side).waits);
            add_new(&mut means, kept.map(words::waits));
            add_new(&mut refused, judged.refused.iter().cloned());
        }
        missed.extend(self::missed(run, number, id, fault));
    }
    let of_rule =
        |run: &'_ RunResults| run.rules.get(&id).map(|rule| rule.vanished.clone()).unwrap_or_default();
    add_new(&mut means, results.runs.iter().flat_map(of_rule).map(words::vanished));
    let of_windows = || {
        let windows = results.runs.iter().flat_map(|run| run.windows.values());
        windows.filter(|window| window.rule == id)
    };
    let round_trips = || of_windows().map(|window| &window.round_trips);
    Rule {
        id: words::rule_name(plan, id),
        fault: fault.map_or("", |fault| fault.name()),
        description: fault.map(words::fault).unwrap_or_default(),
        fired: results.runs.iter().filter_map(|run| run.rules.get(&id)).map(|rule| rule.fired).sum(),
        skipped: skipped(results, id)
            .map(|skipped| Skipped { firings: skipped.firings, late_s: seconds(skipped.late) }),
        fidelities: fidelities.into_iter().map(|fidelity| fidelity.word()).collect(),
        means,
        refused,
        altered: altered(of_windows().filter_map(|window| window.altered.as_ref())),
        connects_refused: of_windows().filter_map(|window| window.refused_connects).reduce(|a, b| a + b),
        missed,
        windows,
        measures: Metric::ALL.iter().filter_map(|m| Some((m.name(), summary(results, id, *m)?))).collect(),
        ping_rtt: quantiles(round_trips().map(|round_trips| &round_trips.ping)),
        publish_rtt: quantiles(round_trips().map(|round_trips| &round_trips.publish)),
    }
}

/// Firings that were left out, over all runs.
pub(super) fn skipped(results: &Results, id: RuleId) -> Option<measure::Skipped> {
    let of_runs = results.runs.iter().filter_map(|run| run.rules.get(&id)?.skipped);
    of_runs.reduce(|sum, more| measure::Skipped {
        firings: sum.firings + more.firings,
        late: sum.late.max(more.late),
    })
}

/// What was done to packets in all; `None` where no window has a fault of packets.
fn altered<'a>(all: impl Iterator<Item = &'a Alterations>) -> Option<Altered> {
    let sum = all.cloned().reduce(|mut sum, more| {
        sum.merge(&more);
        sum
    })?;
    Some(Altered {
        packets: sum.packets(),
        dropped: sum.dropped,
        falsely_acknowledged: sum.acknowledged,
        delayed: sum.delayed,
        duplicated: sum.duplicated,
        edited: sum.edited,
        edits: sum.edits.iter().map(ToString::to_string).collect(),
        corrupted: sum.corrupted,
        cut: sum.cut,
    })
}

fn add_new<T: PartialEq>(list: &mut Vec<T>, more: impl Iterator<Item = T>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// The devices that were not connected when the rule fired, or had nothing but an attempt under way; a fault of
/// handshakes or of connects misses nobody.
fn missed(run: &RunResults, number: usize, id: RuleId, fault: Option<&Fault>) -> Vec<Missed> {
    let mut firings = run.rules.get(&id).map(|rule| rule.missed.clone()).unwrap_or_default();
    // In a log that was cut off, what fell on nobody may only not have been told yet.
    let is_told = |window: &&WindowResults| window.start.is_some() || run.ended.is_some();
    let waits = fault.is_some_and(|fault| fault.is_of_handshakes() || fault.is_of_connects());
    let of_rule = run.windows.values().filter(|window| window.rule == id && !waits);
    for window in of_rule.filter(|window| window.found_nobody()).filter(is_told) {
        *firings.entry(window.device).or_default() += 1;
    }
    let missed = |(device, firings)| Missed { run: number, device: run.name(device).to_owned(), firings };
    firings.into_iter().map(missed).collect()
}

/// Whether an end that has shown nothing was told of the other's end: one that a fault cut off was not.
fn was_told(noticed: &Noticed) -> bool {
    noticed.told.is_some() && !noticed.cut_off && noticed.sign.is_none()
}

fn window(plan: &Plan, run: &RunResults, number: usize, id: WindowId, window: &WindowResults) -> Window {
    let of_hub = window.hub_keep_alive.unwrap_or(window.keep_alive);
    let in_hubs = |value| in_keep_alives(value, of_hub);
    let in_keep_alives = |value| in_keep_alives(value, window.keep_alive);
    // An end that brownout told, or that has no keep-alive, did not count in keep-alives.
    let detection =
        |noticed: &Noticed| noticed.detection.filter(|_| noticed.told.is_none() && !window.assumed);
    let noticed = |side| noticed(window.noticed.get(side));
    let (device_detection_s, device_silence_s) = noticed(Side::Device);
    let (hub_detection_s, hub_silence_s) = noticed(Side::Hub);
    Window {
        run: number,
        window: id.0,
        device: run.name(window.device).to_owned(),
        keep_alive_s: seconds(window.keep_alive),
        keep_alive_assumed: window.assumed,
        hub_keep_alive_s: window.hub_keep_alive.map(seconds),
        start_s: window.start.map(|at| seconds(at.elapsed())),
        restored_s: window.closed.map(|at| seconds(at.elapsed())),
        outcome: match window.outcome {
            measure::Outcome::NoLink => Outcome::NoLink,
            measure::Outcome::NothingMet => Outcome::NothingMet,
            measure::Outcome::Survived => Outcome::Survived,
            measure::Outcome::EndedOtherwise => Outcome::EndedOtherwise,
            measure::Outcome::BackBefore => Outcome::BackBefore,
            measure::Outcome::Back => Outcome::Back,
            measure::Outcome::Gone => Outcome::Gone,
            measure::Outcome::Unknown => Outcome::Unknown,
        },
        device_detection_s,
        device_detection_keepalives: in_keep_alives(detection(&window.noticed.device)),
        device_silence_keepalives: in_keep_alives(window.noticed.device.silence),
        device_silence_s,
        device_told: was_told(&window.noticed.device),
        hub_detection_s,
        hub_detection_keepalives: in_hubs(detection(&window.noticed.hub)),
        hub_silence_keepalives: in_hubs(window.noticed.hub.silence),
        hub_silence_s,
        split_view_s: window.split_view().map(figure),
        downtime_s: window.downtime.map(figure),
        recovery_s: window.recovery.map(figure),
        connect_waited: window.connect_waited,
        recovery_held_by: window.held_by.iter().map(|rule| words::rule_name(plan, *rule)).collect(),
        connect_attempts: window.attempts,
        back_off: window.back_off.to_string(),
        link_end: window.end.map(|cause| cause.words(|rule| words::rule_name(plan, rule))),
        ping_rtt: quantiles([&window.round_trips.ping].into_iter()),
        publish_rtt: quantiles([&window.round_trips.publish].into_iter()),
        handshakes: window.handshakes.as_ref().map(tls::handshakes),
        altered: altered(window.altered.iter()),
        connects_refused: window.refused_connects,
        wire: window.wire.as_ref().map(wire::window),
    }
}

fn noticed(noticed: &Noticed) -> (Option<Figure>, Option<Figure>) {
    (noticed.detection.map(figure), noticed.silence.map(figure))
}

fn in_keep_alives(silence: Option<Value>, keep_alive: Duration) -> Option<f64> {
    let upper = match silence? {
        Value::Exact(span) | Value::Between { before: span, .. } => span,
        Value::Never { .. } | Value::Count(_) | Value::CountBetween { .. } => return None,
    };
    (!keep_alive.is_zero()).then(|| seconds(upper) / seconds(keep_alive))
}

fn summary(results: &Results, rule: RuleId, metric: Metric) -> Option<Summary> {
    let samples = results.runs.iter().flat_map(|run| &run.samples);
    let asked = samples.filter(|sample| sample.metric == metric && sample.rule == Some(rule));
    let values: Vec<(Value, u64)> = asked.map(|sample| (sample.value, 1)).collect();
    let count =
        |wanted: fn(&Value) -> bool| values.iter().filter(|(value, _)| wanted(value)).map(|_| 1).sum();
    let at = |rank: usize| at_rank(&values, to_u64(rank)).map(figure);
    let all = values.len();
    Some(Summary {
        samples: count(|_| true),
        brackets: count(|value| value.is_bracket()),
        never: count(|value| value.is_never()),
        hidden: count(|value| value.is_hidden()),
        min: at(1)?,
        p50: at(rank(all, 50.0))?,
        p95: at(rank(all, 95.0))?,
        max: at(all)?,
    })
}

/// What became of messages in all; `None` where none was followed.
fn delivery<'a>(all: impl Iterator<Item = &'a DeliveryResults> + Clone) -> Option<Delivery> {
    let counts = |way: Direction| {
        let mut sum = event::Delivery::default();
        all.clone().for_each(|results| sum.add(results.counts.get(way)));
        let in_flight = all.clone().fold([0; 3], |sum, results| {
            let more = results.in_flight(way);
            [0, 1, 2].map(|qos: usize| sum[qos] + more[qos])
        });
        (sum, in_flight)
    };
    let (up, down) = (counts(Direction::Up), counts(Direction::Down));
    let is_followed = !up.0.is_empty() || !down.0.is_empty();
    let known = |is_known: bool, count: u64| is_known.then_some(count);
    is_followed.then(|| Delivery {
        queued_offline: known(up.0.catch_ups > 0, up.0.queued),
        dropped_offline: known(up.0.numbered_catch_ups > 0, up.0.dropped),
        up: delivery_counts(&up.0, up.1),
        down: delivery_counts(&down.0, down.1),
    })
}

fn delivery_counts(sum: &event::Delivery, in_flight: [u64; 3]) -> DeliveryCounts {
    let is_numbered = sum.numbered > 0;
    DeliveryCounts {
        sent: sum.sent,
        received: sum.received,
        completed: sum.completed,
        retransmitted: sum.retransmitted,
        duplicated: sum.duplicated,
        lost: sum.lost,
        in_flight,
        unfollowed: sum.unfollowed,
        perhaps_received: sum.perhaps_received,
        perhaps_duplicated: sum.perhaps_duplicated,
        perhaps_completed: sum.perhaps_completed,
        missing: is_numbered.then_some(sum.missing),
        repeated: is_numbered.then_some(sum.repeated),
    }
}

fn devices(plan: &Plan, results: &Results) -> Vec<Device> {
    let mut places: BTreeMap<Who<'_>, usize> = BTreeMap::new();
    let mut known: Vec<(Who<'_>, Vec<&DeviceResults>)> = Vec::new();
    for (who, device) in results.devices() {
        let place = *places.entry(who).or_insert(known.len());
        match known.get_mut(place) {
            Some((_, runs)) => runs.push(device),
            None => known.push((who, vec![device])),
        }
    }
    let mut of_name: BTreeMap<&str, usize> = BTreeMap::new();
    places.keys().for_each(|who| *of_name.entry(who.name).or_default() += 1);
    // `10.0.0.5 (run 2)` where devices of several runs have the same name and are not the same.
    let told = |who: Who<'_>| match who.run.filter(|_| of_name.get(who.name).is_some_and(|all| *all > 1)) {
        Some(run) => words::in_run(who.name, run + 1),
        None => who.name.to_owned(),
    };
    known.into_iter().map(|(who, runs)| device(plan, &told(who), &runs)).collect()
}

fn device(plan: &Plan, name: &str, runs: &[&DeviceResults]) -> Device {
    let total = |of: fn(&DeviceResults) -> u64| runs.iter().map(|device| of(device)).sum();
    let passed = |direction, of: fn(&Count) -> u64| -> u64 {
        runs.iter().map(|device| of(device.count.get(direction))).sum()
    };
    let mut ends = BTreeMap::new();
    for (cause, count) in runs.iter().flat_map(|device| &device.causes) {
        *ends.entry(cause.words(|rule| words::rule_name(plan, rule))).or_default() += count;
    }
    let mut hubs = BTreeMap::new();
    for (hub, links) in runs.iter().flat_map(|device| &device.hubs) {
        *hubs.entry(hub.clone()).or_default() += links;
    }
    Device {
        name: name.to_owned(),
        keep_alive_s: runs.last().map_or(0.0, |device| seconds(device.keep_alive)),
        links: total(|device| device.links),
        accepted: total(|device| device.accepted),
        down_s: runs.iter().map(|device| device.down).sum::<Option<Duration>>().map(seconds),
        bytes_up: passed(Direction::Up, |count| count.bytes),
        bytes_down: passed(Direction::Down, |count| count.bytes),
        packets_up: passed(Direction::Up, |count| count.packets),
        packets_down: passed(Direction::Down, |count| count.packets),
        ping_rtt: quantiles(runs.iter().map(|device| &device.ping_rtt)),
        ping_rtt_outside_faults: quantiles(runs.iter().map(|device| &device.sound.ping)),
        publish_rtt: quantiles(runs.iter().map(|device| &device.publish_rtt)),
        publish_rtt_outside_faults: quantiles(runs.iter().map(|device| &device.sound.publish)),
        control_gap: quantiles(runs.iter().map(|device| &device.control_gap)),
        keepalive_violations: total(|device| device.violations),
        ends,
        hubs,
        named_by_address: runs.iter().all(|device| device.by_address),
        without_mqtt: runs.iter().all(|device| device.without_mqtt),
        connect_time: quantiles(runs.iter().map(|device| &device.timings.connect)),
        device_tls_time: quantiles(runs.iter().map(|device| &device.tls(Side::Device).took)),
        hub_tls_time: quantiles(runs.iter().map(|device| &device.tls(Side::Hub).took)),
        certificate_subject: runs.iter().rev().find_map(|device| device.subject.clone()),
        delivery: delivery(runs.iter().map(|device| &device.delivery)),
    }
}

fn fleet(plan: &Plan, results: &Results) -> Fleet {
    let devices: Vec<&DeviceResults> = results.runs.iter().flat_map(|run| run.devices.values()).collect();
    let of_mqtt = results.devices().filter(|(_, device)| !device.without_mqtt);
    let known: BTreeSet<Who<'_>> = of_mqtt.map(|(who, _)| who).collect();
    let foreign = devices.iter().filter(|device| device.without_mqtt);
    let nameless: u64 = results.runs.iter().map(|run| run.nameless_links).sum();
    let fleets = results.fleets();
    let worst = fleets.iter().max_by_key(|fleet| fleet.dip);
    let firings = results.runs.iter().zip(1..).flat_map(|(run, number)| {
        run.fleet.firings.iter().map(move |firing| fleet_firing(plan, number, firing))
    });
    Fleet {
        most_connected: fleets.iter().map(|fleet| fleet.most).max().unwrap_or(0),
        dip: worst.and_then(|fleet| fleet.dip),
        dip_runs: worst.iter().flat_map(|fleet| &fleet.runs).map(|place| place + 1).collect(),
        dip_at_s: worst.and_then(|fleet| fleet.worst).map(|at| seconds(at.elapsed())),
        firings: firings.collect(),
        devices: known.len(),
        links_without_mqtt: foreign.map(|device| device.links).sum(),
        links: nameless + devices.iter().map(|device| device.links).sum::<u64>(),
        accepted: devices.iter().map(|device| device.accepted).sum(),
        connect_rate: fleets.iter().map(|fleet| fleet.connect_rate).max().unwrap_or(0),
        ping_rtt: quantiles(devices.iter().map(|device| &device.ping_rtt)),
        ping_rtt_outside_faults: quantiles(devices.iter().map(|device| &device.sound.ping)),
        publish_rtt: quantiles(devices.iter().map(|device| &device.publish_rtt)),
        publish_rtt_outside_faults: quantiles(devices.iter().map(|device| &device.sound.publish)),
        control_gap: quantiles(devices.iter().map(|device| &device.control_gap)),
        keepalive_violations: devices.iter().map(|device| device.violations).sum(),
        connect_time: quantiles(results.runs.iter().map(|run| &run.tls.timings.connect)),
        delivery: delivery(
            results.runs.iter().flat_map(|run| run.devices.values()).map(|device| &device.delivery),
        ),
    }
}

fn fleet_firing(plan: &Plan, run: usize, firing: &FiringResults) -> FleetFiring {
    FleetFiring {
        run,
        rule: words::rule_name(plan, firing.rule),
        at_s: seconds(firing.start.elapsed()),
        lost: firing.lost,
        lost_within_s: seconds(firing.lost_within),
        back: firing.back,
        recovery_s: firing.recovery.map(figure),
        reconnect_spread_s: firing.spread.map(figure),
        back_offs: firing.back_offs.clone(),
    }
}

pub(super) fn quantiles<'a>(samples: impl Iterator<Item = &'a Samples>) -> Option<Quantiles> {
    let all = Distribution::of(samples);
    let at = |percent| all.percentile(percent).map(seconds);
    Some(Quantiles {
        count: all.count(),
        p50_s: at(50.0)?,
        p90_s: at(90.0)?,
        p95_s: at(95.0)?,
        p99_s: at(99.0)?,
        max_s: at(100.0)?,
        clipped: all.clipped(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_show_nanoseconds_and_no_more() {
        for (span, shown) in [
            (Duration::new(3, 753_534_978), "3.753534978"),
            (Duration::from_nanos(1), "0.000000001"),
            (Duration::new(86_400, 1), "86400.000000001"),
            (Duration::ZERO, "0"),
        ] {
            assert_eq!(seconds(span).to_string(), shown);
        }
    }
}
