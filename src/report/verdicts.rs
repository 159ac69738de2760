//! Findings in the words of a report, and a verdict for each class of them.
//!
//! A class passes only on evidence: so many samples at least, named below, and nothing against it. A verdict is the worst
//! of its findings, the expectations of its class, the evidence there is, and of what the counts of lost messages say.

use super::build::seconds;
use super::model::{ClassVerdict, Finding, Seen, Verdicts};
use super::words::many;
use crate::base::units::to_u64;
use crate::base::{Direction, Side};
use crate::event::Delivery;
use crate::measure::{
    self, Class, DeviceResults, Grade, Judgement, LinkEnd, Outcome, Results, RunResults, WindowResults,
    diagnosis,
};
use crate::profile::{Metric, Plan};
use std::cmp::Reverse;

/// With fewer packets from devices, that none was against a rule says little: a CONNECT, a SUBSCRIBE and some rounds of
/// keep-alive.
const LEAST_PACKETS: u64 = 10;
/// So many ends of dead links have to be watched.
const LEAST_WATCHED: u64 = 1;
/// So many outages have to be over.
const LEAST_OUTAGES: u64 = 1;
/// So many messages of QoS 1 and 2 have to be followed.
const LEAST_MESSAGES: u64 = 10;
/// The most kinds of findings that a verdict names.
const MOST_KINDS: usize = 3;

/// The findings of all runs, the gravest first.
pub fn findings(results: &Results) -> Vec<Finding> {
    let runs = results.runs.iter().zip(1..);
    let mut all: Vec<(Grade, Class, Finding)> = runs
        .flat_map(|(run, number)| {
            run.findings.iter().map(move |finding| {
                let device = finding.device.map(|device| run.name(device).to_owned());
                (finding.grade, finding.class, self::finding(finding, number, device))
            })
        })
        .collect();
    all.sort_by(|(a_grade, a_class, a), (b_grade, b_class, b)| {
        (Reverse(a_grade), a_class, a.id, a.run).cmp(&(Reverse(b_grade), b_class, b.id, b.run))
    });
    all.into_iter().map(|(_, _, finding)| finding).collect()
}

fn finding(finding: &measure::Finding, run: usize, device: Option<String>) -> Finding {
    let seen = |seen: &measure::Seen| Seen {
        seq: seen.seq,
        at_s: seconds(seen.at.elapsed()),
        what: seen.what.clone(),
    };
    Finding {
        id: finding.id,
        class: finding.class.word(),
        grade: finding.grade.word(),
        run,
        device,
        seen: finding.seen.clone(),
        count: finding.count,
        evidence: finding.evidence.iter().map(seen).collect(),
        cause: finding.cause.clone(),
        advice: finding.advice.clone(),
        rule: finding.rule,
    }
}

/// The verdicts.
pub fn verdicts(plan: &Plan, results: &Results) -> Verdicts {
    let judged = measure::judge(&plan.expectations, results);
    let expected: Vec<(Class, Judgement)> = plan
        .expectations
        .iter()
        .zip(&judged)
        .filter_map(|(expectation, verdict)| Some((class_of(expectation.metric)?, verdict.judgement)))
        .collect();
    let of = |class: Class| {
        let expected = expected.iter().filter(|(of, _)| *of == class).map(|(_, judgement)| *judgement);
        verdict(plan, results, class, &expected.collect::<Vec<_>>())
    };
    Verdicts {
        strictness: plan.strictness().word(),
        asked_for: plan.strictness.is_some(),
        violation: of(Class::Violation),
        detection: of(Class::Detection),
        recovery: of(Class::Recovery),
        loss: of(Class::Loss),
    }
}

fn verdict(plan: &Plan, results: &Results, class: Class, expected: &[Judgement]) -> ClassVerdict {
    let found: Vec<&measure::Finding> =
        results.runs.iter().flat_map(|run| &run.findings).filter(|finding| finding.class == class).collect();
    let of_findings = found.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Pass);
    let of_expectations = expected.iter().map(|judgement| grade(*judgement)).max().unwrap_or(Grade::Pass);
    let evidence = Evidence::of(plan, results, class);
    let worst = of_findings.max(of_expectations).max(of_counts(results, class));
    if worst < Grade::Warn && (!evidence.is_enough || worst == Grade::Inconclusive) {
        let open = joined(&[unmet(expected), not_known(results, class).unwrap_or_default()]);
        let why = if evidence.is_enough { open } else { evidence.told };
        return ClassVerdict { grade: Grade::Inconclusive.word(), why };
    }
    let lost = lost(results, class);
    let why = match (worst, lost) {
        (Grade::Pass, _) => evidence.told,
        (_, Some(lost)) if found.is_empty() => joined(&[lost, against(&found, expected)]),
        (_, _) => against(&found, expected),
    };
    ClassVerdict { grade: worst.word(), why }
}

/// Where messages were lost, or may have been, that is no pass, whoever lost them.
fn of_counts(results: &Results, class: Class) -> Grade {
    match (lost(results, class), not_known(results, class)) {
        (Some(_), _) => Grade::Warn,
        (None, Some(_)) => Grade::Inconclusive,
        (None, None) => Grade::Pass,
    }
}

/// `lost, held against nobody: 3 of QoS 0, 1 of QoS 1`; `None` where nothing was.
fn lost(results: &Results, class: Class) -> Option<String> {
    by_qos(results, class, |counts| counts.lost).map(|lost| format!("lost, held against nobody: {lost}"))
}

/// `not known whether they are lost: 2 of QoS 0`
fn not_known(results: &Results, class: Class) -> Option<String> {
    let unfollowed = by_qos(results, class, |counts| counts.unfollowed);
    unfollowed.map(|messages| format!("not known whether they are lost: {messages}"))
}

/// `3 of QoS 0, 1 of QoS 1`, of what only speaks of loss.
fn by_qos(results: &Results, class: Class, of: fn(&Delivery) -> [u64; 3]) -> Option<String> {
    let devices = || results.runs.iter().flat_map(|run| run.devices.values());
    let counts =
        || devices().flat_map(|device| Direction::BOTH.map(|way| of(device.delivery.counts.get(way))));
    let sums = [0, 1, 2].map(|qos: usize| counts().map(|counts| counts[qos]).sum::<u64>());
    let told = sums.iter().zip(0..).filter(|(sum, _)| **sum > 0);
    let parts: Vec<String> = told.map(|(sum, qos)| format!("{sum} of QoS {qos}")).collect();
    (class == Class::Loss && !parts.is_empty()).then(|| parts.join(", "))
}

fn joined(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ")
}

fn grade(judgement: Judgement) -> Grade {
    match judgement {
        Judgement::Met => Grade::Pass,
        Judgement::Inconclusive | Judgement::NoEvidence => Grade::Inconclusive,
        Judgement::Unmet => Grade::Fail,
    }
}

/// The gravest kinds of findings, with how many of each, and the expectations.
fn against(found: &[&measure::Finding], expected: &[Judgement]) -> String {
    let mut kinds: Vec<(&str, u64)> = Vec::new();
    let mut sorted = found.to_vec();
    sorted.sort_by_key(|finding| Reverse(finding.grade));
    for finding in sorted {
        match kinds.iter_mut().find(|(kind, _)| *kind == finding.id) {
            Some((_, times)) => *times += 1,
            None => kinds.push((finding.id, 1)),
        }
    }
    let more = kinds.len().saturating_sub(MOST_KINDS);
    let told = kinds.iter().take(MOST_KINDS).map(|(kind, times)| match times {
        1 => (*kind).to_owned(),
        times => format!("{kind} ({times})"),
    });
    let mut parts: Vec<String> = told.collect();
    parts.extend((more > 0).then(|| format!("{more} more")));
    parts.push(unmet(expected));
    joined(&parts)
}

/// `2 expectations unmet`, or nothing.
fn unmet(expected: &[Judgement]) -> String {
    match expected.iter().filter(|judgement| !judgement.is_met()).count() {
        0 => String::new(),
        unmet => format!("{} unmet", many(unmet, "expectation")),
    }
}

/// What a class is judged on.
struct Evidence {
    is_enough: bool,
    told: String,
}

impl Evidence {
    fn of(plan: &Plan, results: &Results, class: Class) -> Evidence {
        let speak = |device: &&DeviceResults| device.was_there && device.version.is_some();
        let known = || results.runs.iter().flat_map(|run| run.devices.values()).filter(speak);
        let strictness = plan.strictness();
        if known().next().is_some()
            && !known().any(|d| d.version.is_some_and(|version| strictness.judges(version)))
        {
            let told = format!("no device speaks the version that {} is for", strictness.word());
            return Evidence { is_enough: false, told };
        }
        match class {
            Class::Violation => packets(known()),
            Class::Detection => watched(plan, results),
            Class::Recovery => outages(results),
            Class::Loss => messages(results),
        }
    }

    /// `things` are told in the plural: there are none, few or enough of them.
    fn counted(seen: u64, least: u64, things: &str) -> Evidence {
        let is_enough = seen >= least;
        let told = match (seen, is_enough) {
            (_, true) => format!("{things}: {seen}"),
            (0, false) => format!("no {things}"),
            (_, false) => format!("{things}: only {seen} of the {least} that it takes"),
        };
        Evidence { is_enough, told }
    }
}

fn packets<'a>(devices: impl Iterator<Item = &'a DeviceResults>) -> Evidence {
    Evidence::counted(
        devices.map(|device| device.count.up.packets).sum(),
        LEAST_PACKETS,
        "packets of devices seen",
    )
}

fn windows(results: &Results) -> impl Iterator<Item = &WindowResults> {
    let windows = results.runs.iter().flat_map(|run| run.windows.values());
    windows.flat_map(|window| std::iter::once(window).chain(&window.later))
}

fn watched(plan: &Plan, results: &Results) -> Evidence {
    let ends =
        windows(results).flat_map(|window| Side::BOTH.map(|side| diagnosis::watched(plan, window, side)));
    Evidence::counted(
        to_u64(ends.filter(|is_watched| *is_watched).count()),
        LEAST_WATCHED,
        "ends of dead links watched",
    )
}

fn outages(results: &Results) -> Evidence {
    let back = |window: &&WindowResults| matches!(window.outcome, Outcome::Back | Outcome::BackBefore);
    let gone = to_u64(windows(results).filter(|window| window.outcome == Outcome::Gone).count());
    let of_faults = windows(results).filter(back).count();
    let others: usize = results.runs.iter().map(other_returns).sum();
    let seen = Evidence::counted(to_u64(of_faults + others), LEAST_OUTAGES, "outages watched to the end");
    let undecided: u64 = results.runs.iter().map(|run| run.undecided).sum();
    let open = [
        (gone, "not over by the end of the run"),
        (undecided, "back too shortly before the end to tell whether it subscribes again"),
    ];
    open.into_iter().filter(|(number, _)| *number > 0).fold(seen, |seen, (number, what)| Evidence {
        is_enough: false,
        told: format!("{}; {what}: {number}", seen.told),
    })
}

/// Links that no fault had a part in losing, after which the device was accepted again.
fn other_returns(run: &RunResults) -> usize {
    let is_lost = |end: &LinkEnd| {
        end.accepted.is_some() && end.over.is_some() && end.under.is_none() && !end.cause.may_be_wanted()
    };
    let pairs = run.ends.iter().zip(run.ends.iter().skip(1));
    pairs.filter(|(end, next)| end.device == next.device && is_lost(end) && next.accepted.is_some()).count()
}

fn messages(results: &Results) -> Evidence {
    let devices = results.runs.iter().flat_map(|run| run.devices.values());
    let sent = devices.flat_map(|device| {
        Direction::BOTH.map(|way| device.delivery.counts.get(way).sent.iter().skip(1).sum::<u64>())
    });
    Evidence::counted(sent.sum(), LEAST_MESSAGES, "messages of QoS 1 or 2 followed")
}

/// The class that a measure speaks to; `None` for those of the path, of TLS, and of what a fault did.
fn class_of(metric: Metric) -> Option<Class> {
    match metric {
        Metric::DeviceDetection
        | Metric::HubDetection
        | Metric::DeviceSilence
        | Metric::HubSilence
        | Metric::SplitView
        | Metric::ConnackWait => Some(Class::Detection),
        Metric::Downtime
        | Metric::Recovery
        | Metric::Resubscribe
        | Metric::FirstPublish
        | Metric::FirstDelivery
        | Metric::ConnectGap
        | Metric::ConnectAttempts
        | Metric::ConnectRate
        | Metric::HandshakeAttempts
        | Metric::HandshakeGap
        | Metric::DisconnectInterval
        | Metric::TokenMargin
        | Metric::TokenLate
        | Metric::StaleTokens
        | Metric::Dip
        | Metric::FleetRecovery
        | Metric::ReconnectSpread => Some(Class::Recovery),
        Metric::Qos0Lost
        | Metric::Qos1Lost
        | Metric::Qos1Duplicated
        | Metric::Qos2Lost
        | Metric::Qos2Duplicated
        | Metric::Retransmitted
        | Metric::InFlight
        | Metric::SequenceGaps
        | Metric::QueuedOffline
        | Metric::DroppedOffline => Some(Class::Loss),
        Metric::KeepaliveViolations => Some(Class::Violation),
        Metric::ControlGap
        | Metric::PingRtt
        | Metric::PublishRtt
        | Metric::ConnectTime
        | Metric::DeviceTlsTime
        | Metric::HubTlsTime
        | Metric::TlsResumed
        | Metric::HubTlsResumed
        | Metric::PacketsAltered
        | Metric::ConnectsRefused => None,
    }
}
