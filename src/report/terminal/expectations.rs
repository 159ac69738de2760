//! The expectations, the unmet first, each with what was measured or what speaks against it.

use super::heading;
use crate::report::model::{Evidence, Expectation, Figure, Judgement, Report};
use crate::report::table::{NAME, Styling, Tone, cut_name, paint, wrap};
use crate::report::words::{against, count, measured, told, unspoken};

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
    let is_count = matches!(expectation.measured, Some(Figure::Count(_) | Figure::CountBetween { .. }));
    let is_of_several = expectation.is_total && expectation.evidence.len() != 1;
    if is_of_several || (is_count && shown.len() != 1) {
        parts.extend(measured(expectation).map(|total| format!("it is {total}")));
    }
    let one =
        |(evidence, count): &(&Evidence, u64)| one_evidence(expectation, evidence, *count, several_runs);
    parts.extend(shown.into_iter().map(one));
    if left > 0 {
        parts.push(format!("and {left} more"));
    }
    parts.join("; ")
}

fn one_evidence(expectation: &Expectation, evidence: &Evidence, times: u64, several_runs: bool) -> String {
    let who = evidence.device.as_deref().map_or("all devices".into(), |name| cut_name(name, NAME));
    let run = if several_runs { format!(" in run {}", evidence.run) } else { String::new() };
    let (value, limit) = against(expectation, evidence);
    let times = if times > 1 { format!(", worst of {times}") } else { String::new() };
    format!("{who} {value}{run}{limit}{times}")
}
