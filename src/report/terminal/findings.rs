//! The verdict of each class, what was found, and how far the figures can be trusted.

use super::heading;
use crate::report::model::{ClassVerdict, Finding, Report, Seen};
use crate::report::table::{NAME, Styling, Tone, cut_name, paint, wrap};

/// So many lines are told of one kind of finding; of more, how many.
const MOST_LINES: usize = 12;
/// So many events are named of one finding.
const MOST_EVENTS: usize = 2;

/// The four verdicts; nothing where nobody came, and nothing was found.
pub(super) fn verdicts(report: &Report, styling: Styling) -> String {
    if report.devices.is_empty() && report.findings.is_empty() {
        return String::new();
    }
    let verdicts = &report.verdicts;
    let by = if verdicts.asked_for { format!("  by {}\n", verdicts.strictness) } else { String::new() };
    let lines = verdicts.each().map(|(class, verdict)| line(class, verdict, styling));
    by + &lines.concat()
}

/// `  DETECTION  fail          dead-link-not-detected (2)`
fn line(class: &str, verdict: &ClassVerdict, styling: Styling) -> String {
    let lead = format!("  {:<9}  {:<12} ", class.to_uppercase(), verdict.grade);
    let painted = paint(verdict.grade, tone(verdict.grade), styling);
    wrap(&lead, &verdict.why).replacen(verdict.grade, &painted, 1)
}

fn tone(grade: &str) -> Tone {
    match grade {
        "pass" => Tone::Good,
        "inconclusive" => Tone::Faint,
        "warn" => Tone::Strong,
        _ => Tone::Bad,
    }
}

/// The findings, kind by kind, the gravest first.
pub(super) fn section(report: &Report, styling: Styling) -> String {
    let mut kinds: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in &report.findings {
        match kinds.iter_mut().find(|(kind, _)| *kind == finding.id) {
            Some((_, findings)) => findings.push(finding),
            None => kinds.push((finding.id, vec![finding])),
        }
    }
    if kinds.is_empty() {
        return String::new();
    }
    let several = report.runs.len() > 1;
    let told = kinds.iter().map(|(kind, findings)| of_kind(kind, findings, several, styling));
    heading("findings", "", styling) + &told.collect::<String>()
}

fn of_kind(kind: &str, findings: &[&Finding], several: bool, styling: Styling) -> String {
    let Some(worst) = findings.first() else { return String::new() };
    let rule = worst.rule.map_or(String::new(), |rule| format!(" [{rule}]"));
    let title = format!("{kind}  ({}){rule}", worst.class);
    let mut out = format!("  {}  {title}\n", paint(worst.grade, tone(worst.grade), styling));
    let mut lines = 0;
    for (nth, finding) in findings.iter().enumerate() {
        let told = one(finding, several);
        lines += told.lines().count();
        if lines > MOST_LINES && nth > 0 {
            out += &format!("    and {} more\n", findings.len() - nth);
            break;
        }
        out += &told;
    }
    if !worst.cause.is_empty() {
        out += &wrap("    cause: ", &worst.cause);
    }
    if !worst.advice.is_empty() {
        out += &wrap("    do:    ", &worst.advice);
    }
    out
}

/// `    sensor-1: held on to a dead link ...; event 41 at 3.000 s: dark began`
fn one(finding: &Finding, several: bool) -> String {
    let run = if several { format!("run {}, ", finding.run) } else { String::new() };
    let who = finding.device.as_deref().map_or(String::new(), |name| format!("{}: ", cut_name(name, NAME)));
    let first = wrap("    ", &format!("{run}{who}{}", finding.seen));
    let events = finding.evidence.iter().take(MOST_EVENTS).map(event);
    let left = finding.evidence.len().saturating_sub(MOST_EVENTS);
    let more = (left > 0).then(|| format!("and {left} more"));
    let told: Vec<String> = events.chain(more).collect();
    if told.is_empty() { first } else { first + &wrap("      ", &told.join("; ")) }
}

/// `event 41 at 3.000 s: dark began`: as exact as the lines that `-v` shows.
fn event(seen: &Seen) -> String {
    format!("event {} at {:.3} s: {}", seen.seq, seen.at_s, seen.what)
}

/// How far the figures can be trusted; nothing where nobody came.
pub(super) fn uncertainty(report: &Report, styling: Styling) -> String {
    let known = &report.uncertainty;
    if report.devices.is_empty() && known.dropped.is_empty() {
        return String::new();
    }
    let mut out = heading("uncertainty", "", styling);
    let bracketed = match (known.bracketed, known.hidden) {
        (0, 0) => "none a bracket".to_owned(),
        (bracketed, 0) => format!("{bracketed} of them brackets"),
        (bracketed, hidden) => format!("{bracketed} of them brackets, {hidden} hidden by their fault"),
    };
    if known.values > 0 {
        out += &wrap("  values   ", &format!("{}, {bracketed}", known.values));
    }
    if !known.fidelity.is_empty() {
        let made: Vec<String> = known.fidelity.iter().map(|(way, times)| format!("{way} {times}")).collect();
        out += &wrap("  windows  ", &format!("made as {}", made.join(", ")));
    }
    let dropped = if known.dropped.is_empty() { "nothing".to_owned() } else { known.dropped.join("; ") };
    out += &wrap("  dropped  ", &dropped);
    out += &wrap("  stamps   ", &format!("in steps of 1 ns, taken {}", known.stamps.taken));
    out
}
