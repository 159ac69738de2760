//! The verdict of one run of a suite, and the figures of its cell.

use super::model::{Cell, Verdict};
use crate::base::units::to_u64;
use crate::event::EndReason;
use crate::measure::Class;
use crate::report::Report;
use crate::report::model::{self, DeliveryCounts, Expectation, Figure, Judgement};
use crate::report::terminal::expectations::because;
use crate::report::words::{seconds, whole_seconds};
use std::cmp::Ordering;

/// What a run was to show, beside its profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// What the client was told to do.
    pub told: Told,
    /// The keep-alive that the client was told to use, in seconds; `None` where the profile sets another.
    pub keep_alive_s: Option<f64>,
    /// Whether it says nothing of a client that does not speak MQTT 5.
    pub needs_mqtt5: bool,
    /// Past this, a timer's lateness disturbs the run, in seconds.
    pub late_bound_s: f64,
}

/// What a client was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Idle,
    /// To publish.
    Publish,
    /// To subscribe.
    Subscribe,
}

/// How the client came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEnd {
    /// It was told to, when the run was over.
    Told,
    /// It ended before, as the words say: `exit code 1`.
    ByItself(String),
}

/// What is known of a run beside its report.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// How the client ended.
    pub client: ClientEnd,
    /// Whether a device spoke MQTT 5.
    pub spoke_mqtt5: bool,
    /// Whether a PUBLISH came from a device.
    pub published: bool,
    /// Whether a PUBLISH came for a device.
    pub was_sent: bool,
    /// The latest that a timer came, in seconds.
    pub late_s: f64,
    /// The last lines that the client wrote.
    pub output: Vec<String>,
    /// What had not come when the suite's limit ended it, if that did.
    pub cut_off: Option<String>,
}

/// The cell of a run.
pub fn judge(report: &Report, case: &Case, run: Judged) -> Cell {
    let findings = report.findings.iter().filter(|finding| matches!(finding.grade, "warn" | "fail"));
    let detection = detection(report);
    let mut cell = Cell {
        detected_s: detection.and_then(|window| window.device_detection_s),
        detected_keepalives: detection.and_then(|window| window.device_detection_keepalives),
        detection_keep_alive_s: detection
            .filter(|window| !window.keep_alive_assumed)
            .map(|window| window.keep_alive_s),
        recovered_s: recovery(report),
        lost: both_ways(report, |counts| counts.lost),
        perhaps_lost: both_ways(report, |counts| counts.unfollowed),
        findings: to_u64(findings.count()),
        grades: Some(grades(report)),
        lasted_s: report.runs.iter().map(|run| run.lasted_s).sum(),
        late_s: run.late_s,
        ..Cell::default()
    };
    let mut reasons = Vec::new();
    of_client(report, case, &run, &mut reasons);
    // Of a client that was never there, all that would be told is that nothing was seen.
    if accepted(report) {
        of_report(report, run.late_s, &mut reasons);
        if let Some(undone) = &run.cut_off {
            let why = format!("cut off by the suite's limit, {undone}; give the suite a longer `limit`");
            reasons.push(Reason::new(Verdict::Inconclusive, why));
        }
    }
    cell.verdict = reasons.iter().map(|reason| reason.verdict).max().unwrap_or(Verdict::Pass);
    if run.late_s > case.late_bound_s && cell.verdict == Verdict::Fail {
        late(case, &run, &mut reasons);
        let firm = reasons.iter().any(|reason| reason.firm && reason.verdict == Verdict::Fail);
        cell.verdict = if firm { Verdict::Fail } else { Verdict::Inconclusive };
    }
    if case.needs_mqtt5 && !run.spoke_mqtt5 && accepted(report) {
        cell.verdict = Verdict::NotApplicable;
        reasons = vec![Reason::new(Verdict::NotApplicable, "the client does not speak MQTT 5")];
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict));
    cell.why = reasons.into_iter().map(|reason| reason.why).collect();
    if !cell.verdict.is_sound() {
        cell.output = run.output;
    }
    cell
}

/// A time that is over its limit by so many times what timers were late was not made so by that.
const FIRM_FACTOR: f64 = 10.0;

/// Why a run did not pass.
struct Reason {
    verdict: Verdict,
    why: String,
    /// Whether a machine that did not keep up cannot have made it so.
    firm: bool,
}

impl Reason {
    fn new(verdict: Verdict, why: impl Into<String>) -> Reason {
        Reason { verdict, why: why.into(), firm: false }
    }
}

/// Tells that the machine did not keep up.
fn late(case: &Case, run: &Judged, reasons: &mut Reasons) {
    let (late, bound) = (seconds(run.late_s), seconds(case.late_bound_s));
    let why = format!(
        "the machine did not keep up: a timer was {late} late, over {bound}; what is near a limit proves nothing"
    );
    reasons.push(Reason::new(Verdict::Inconclusive, why));
}

type Reasons = Vec<Reason>;

fn accepted(report: &Report) -> bool {
    report.devices.iter().any(|device| device.accepted > 0)
}

/// What the client itself did wrong, before any fault.
fn of_client(report: &Report, case: &Case, run: &Judged, reasons: &mut Reasons) {
    if let ClientEnd::ByItself(how) = &run.client {
        let why = format!("client ended by itself, {how}");
        reasons.push(Reason { firm: true, ..Reason::new(Verdict::Fail, why) });
    }
    reasons.extend(never_there(report));
    let other = report.devices.iter().filter(|device| device.accepted > 0);
    if let Some(told) = case.keep_alive_s
        && let Some(device) = other.clone().find(|device| (device.keep_alive_s - told).abs() > 0.01)
    {
        let (its, told) = (whole_seconds(device.keep_alive_s), whole_seconds(told));
        let why = format!("the client's keep-alive is {its}, not {told} as BROWNOUT_KEEPALIVE says");
        reasons.push(Reason::new(Verdict::Inconclusive, why));
    }
    let not_heeded = match case.told {
        Told::Publish if !run.published => Some("the client did not publish, as BROWNOUT_WORKLOAD=pub says"),
        Told::Subscribe if !run.was_sent => {
            Some("no message came for the client, which BROWNOUT_WORKLOAD=sub tells to subscribe")
        }
        Told::Idle | Told::Publish | Told::Subscribe => None,
    };
    if let Some(why) = not_heeded.filter(|_| accepted(report)) {
        reasons.push(Reason::new(Verdict::Inconclusive, why));
    }
}

/// That no hub ever had it. Of one that was not waited for, that says nothing.
fn never_there(report: &Report) -> Option<Reason> {
    let interrupted = report.runs.iter().any(|run| run.ended == Some(EndReason::Interrupted));
    let (verdict, why) = match (report.devices.is_empty(), interrupted) {
        (true, false) => (Verdict::Fail, "the client never connected"),
        (true, true) => (Verdict::Inconclusive, "interrupted before the client connected"),
        (false, _) if accepted(report) => return None,
        (false, false) => (Verdict::Fail, "the client was never accepted by the hub"),
        (false, true) => (Verdict::Inconclusive, "interrupted before the hub accepted the client"),
    };
    Some(Reason::new(verdict, why))
}

/// What the report says.
fn of_report(report: &Report, late_s: f64, reasons: &mut Reasons) {
    if let Some(why) = &report.not_through {
        reasons.push(Reason::new(Verdict::Inconclusive, format!("not through: {why}")));
    }
    for expectation in &report.expectations {
        let verdict = match expectation.judgement {
            Judgement::Met => continue,
            Judgement::Unmet => Verdict::Fail,
            Judgement::Inconclusive | Judgement::NoEvidence => Verdict::Inconclusive,
        };
        let why = format!("{}{}", expectation.expectation, because(expectation, false));
        reasons.push(Reason { firm: is_firm(expectation, late_s), ..Reason::new(verdict, why) });
    }
    for finding in &report.findings {
        let verdict = match finding.grade {
            "fail" => Verdict::Fail,
            "warn" => Verdict::Warn,
            _ => continue,
        };
        let rule = finding.rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
        let why = format!("{} {}: {}{rule}", finding.class.to_uppercase(), finding.id, finding.seen);
        // No late timer of brownout's loses a message.
        reasons.push(Reason { firm: finding.class == Class::Loss.word(), ..Reason::new(verdict, why) });
    }
}

/// Whether what was measured is so far from its limit that late timers cannot be why.
fn is_firm(expectation: &Expectation, late_s: f64) -> bool {
    let Some(evidence) = expectation.evidence.first() else { return false };
    let figure = expectation.measured.unwrap_or(evidence.value);
    let distance = match (figure, evidence.limit_s) {
        (Figure::Seconds(value), Some(limit)) => (value - limit).abs(),
        (Figure::Between { after_s, .. }, Some(limit)) => after_s - limit,
        (Figure::Never { never_watched_s }, Some(limit)) => never_watched_s - limit,
        (Figure::Count(_) | Figure::CountBetween { .. }, _) | (_, None) => return false,
    };
    distance > late_s * FIRM_FACTOR
}

fn windows(report: &Report) -> impl Iterator<Item = &model::Window> {
    report.rules.iter().flat_map(|rule| &rule.windows)
}

/// The window with the longest detection. One in which the hub's end told the device counts where there is no other: it noticed
/// nothing by itself until then.
fn detection(report: &Report) -> Option<&model::Window> {
    let worst = |told: bool| {
        let of = windows(report).filter(|window| window.device_told == told);
        let longest = |window: &&model::Window| window.device_detection_s.as_ref().map(upper);
        of.filter(|window| window.device_detection_s.is_some())
            .max_by(|a, b| longest(a).partial_cmp(&longest(b)).unwrap_or(Ordering::Equal))
    };
    worst(false).or_else(|| worst(true))
}

/// The longest recovery: from the path restored, or from the fault that was over at once.
fn recovery(report: &Report) -> Option<Figure> {
    let figures = windows(report).filter_map(|window| since_restored(report, window));
    figures.max_by(|a, b| upper(a).partial_cmp(&upper(b)).unwrap_or(Ordering::Equal))
}

/// A window's recovery; where other faults kept the device away meanwhile, from the end of the last of them.
fn since_restored(report: &Report, window: &model::Window) -> Option<Figure> {
    let recovery = window.recovery_s?;
    let (Figure::Seconds(took), Some(restored)) = (recovery, window.restored_s) else {
        return Some(recovery);
    };
    let back = restored + took;
    let kept_away = |other: &&model::Window| other.device == window.device && other.recovery_s.is_some();
    let ends = windows(report).filter(kept_away).filter_map(|other| other.restored_s);
    let last = ends.filter(|end| (restored..=back).contains(end)).fold(restored, f64::max);
    Some(Figure::Seconds(back - last))
}

/// The greatest that a figure can be, and of what never came how long that was watched.
fn upper(figure: &Figure) -> (f64, f64) {
    match figure {
        Figure::Seconds(seconds) => (*seconds, 0.0),
        Figure::Between { before_s, .. } => (*before_s, 0.0),
        Figure::Never { never_watched_s } => (f64::INFINITY, *never_watched_s),
        Figure::CountBetween { at_most: None, .. } => (f64::INFINITY, 0.0),
        Figure::Count(count) | Figure::CountBetween { at_most: Some(count), .. } => {
            (f64::from(u32::try_from(*count).unwrap_or(u32::MAX)), 0.0)
        }
    }
}

fn both_ways(report: &Report, of: fn(&DeliveryCounts) -> [u64; 3]) -> Option<[u64; 3]> {
    let delivery = report.fleet.delivery.as_ref()?;
    let (up, down) = (of(&delivery.up), of(&delivery.down));
    Some(std::array::from_fn(|qos| up[qos] + down[qos]))
}

fn grades(report: &Report) -> [&'static str; 4] {
    let verdicts = &report.verdicts;
    [&verdicts.violation, &verdicts.detection, &verdicts.recovery, &verdicts.loss]
        .map(|verdict| verdict.grade)
}
