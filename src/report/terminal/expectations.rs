//! The expectations, the unmet first, each with what was measured or what speaks against it.

use super::heading;
use crate::report::model::{Evidence, Expectation, Figure, Judgement, Report};
use crate::report::table::{NAME, Styling, Tone, cut_name, paint, wrap};
use crate::report::words::{against, count, told, unspoken};

/// So many pieces of evidence are named under an expectation.
const MOST_EVIDENCE: usize = 4;

pub(super) fn section(report: &Report, styling: Styling) -> String {
    if report.expectations.is_empty() {
        return String::new();
    }
    let mut out = heading("expectations", "", styling);
    let (met, unmet): (Vec<_>, Vec<_>) =
        report.expectations.iter().partition(|e| e.judgement == Judgement::Met);
    for expectation in unmet.into_iter().chain(met) {
        let (word, tone) = match expectation.judgement {
            Judgement::Met => ("met    ", Tone::Good),
            Judgement::Unmet | Judgement::Inconclusive | Judgement::NoEvidence => ("UNMET  ", Tone::Bad),
        };
        let text = format!("{}{}", expectation.expectation, because(expectation, report.runs.len() > 1));
        let wrapped = wrap(&format!("  {word}"), &text);
        out += &wrapped.replacen(word, &paint(word, tone, styling), 1);
    }
    out
}

/// What an expectation came to, or what speaks against it; begins with a colon.
pub(in crate::report) fn because(expectation: &Expectation, several_runs: bool) -> String {
    let samples = count(expectation.samples, "sample");
    match expectation.judgement {
        Judgement::Met => {
            let measured = expectation.measured.as_ref().map(told).unwrap_or_default();
            format!(": {measured} ({samples})")
        }
        Judgement::NoEvidence => format!(": no evidence, {}", unspoken(expectation)),
        Judgement::Unmet => format!(": {}", evidence(expectation, several_runs)),
        Judgement::Inconclusive => {
            format!(
                ": inconclusive, not seen long or sharply enough: {}",
                evidence(expectation, several_runs)
            )
        }
    }
}

/// The worst sample of each device, the worst first.
fn evidence(expectation: &Expectation, several_runs: bool) -> String {
    let mut worst: Vec<(&Evidence, u64)> = Vec::new();
    for evidence in &expectation.evidence {
        match worst.iter_mut().find(|(w, _)| (w.run, &w.device) == (evidence.run, &evidence.device)) {
            Some((_, count)) => *count += evidence.count,
            None => worst.push((evidence, evidence.count)),
        }
    }
    let shown: Vec<_> = worst.iter().take(MOST_EVIDENCE).collect();
    let left = expectation.against.saturating_sub(shown.iter().map(|(_, count)| count).sum());
    let mut parts = Vec::new();
    // A sum or a count is of no one device.
    if let Some(Figure::Count(_) | Figure::CountBetween { .. }) =
        expectation.measured.filter(|_| shown.len() != 1)
    {
        parts.extend(expectation.measured.iter().map(|total| format!("it is {}", told(total))));
    }
    parts.extend(shown.into_iter().map(|(evidence, count)| one_evidence(evidence, *count, several_runs)));
    if left > 0 {
        parts.push(format!("and {left} more"));
    }
    parts.join("; ")
}

fn one_evidence(evidence: &Evidence, times: u64, several_runs: bool) -> String {
    let who = evidence.device.as_deref().map_or("all devices".into(), |name| cut_name(name, NAME));
    let run = if several_runs { format!(" in run {}", evidence.run) } else { String::new() };
    let (value, limit) = against(evidence);
    let times = if times > 1 { format!(", worst of {times}") } else { String::new() };
    format!("{who} {value}{run}{limit}{times}")
}
