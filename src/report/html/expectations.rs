//! The expectations, the unmet first, each with what was measured or what speaks against it.

use super::escape::text;
use super::moment;
use crate::report::model::{Evidence, Expectation, Judgement, Report};
use crate::report::words::{against as against_limit, count, measured, unspoken};

/// So many pieces of evidence are named for one.
const MOST_EVIDENCE: usize = 8;

pub(super) fn section(report: &Report) -> String {
    if report.expectations.is_empty() {
        return String::new();
    }
    let several = report.runs.len() > 1;
    let is_met = |one: &&Expectation| one.judgement == Judgement::Met;
    let (met, unmet): (Vec<_>, Vec<_>) = report.expectations.iter().partition(is_met);
    let rows: String = unmet.into_iter().chain(met).map(|one| row(one, several)).collect();
    format!(
        "<section aria-labelledby=\"expectations\"><h2 id=\"expectations\">Expectations</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Expectations\"><table class=\"expectations\">\n\
         <thead><tr><th scope=\"col\">Result</th><th scope=\"col\">Expectation</th><th scope=\"col\" class=\"fig\">Measured</th>\
         <th scope=\"col\" class=\"fig\">Samples</th><th scope=\"col\">What speaks against it</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

fn row(one: &Expectation, several: bool) -> String {
    let (word, grade) = match one.judgement {
        Judgement::Met => ("met", "pass"),
        Judgement::Unmet => ("unmet", "fail"),
        Judgement::Inconclusive => ("inconclusive", "inconclusive"),
        Judgement::NoEvidence => ("no evidence", "inconclusive"),
    };
    let measured = measured(one).unwrap_or_else(|| "\u{2013}".into());
    format!(
        "<tr><td><span class=\"badge {grade}\">{word}</span></td><td>{}</td><td class=\"fig\">{}</td>\
         <td class=\"fig\">{}</td><td>{}</td></tr>\n",
        text(&one.expectation),
        text(&measured),
        one.samples,
        against(one, several),
    )
}

fn against(one: &Expectation, several: bool) -> String {
    let shown = one.evidence.iter().take(MOST_EVIDENCE);
    let items: String =
        shown.map(|evidence| format!("<li>{}</li>", told_of(one, evidence, several))).collect();
    let named: u64 = one.evidence.iter().take(MOST_EVIDENCE).map(|evidence| evidence.count).sum();
    let left = one.against.saturating_sub(named);
    match (one.judgement, items.is_empty(), left) {
        (Judgement::NoEvidence, ..) => text(unspoken(one)),
        (_, true, _) => String::new(),
        (_, false, 0) => format!("<ul>{items}</ul>"),
        (_, false, left) => format!("<ul>{items}<li>and {left} more</li></ul>"),
    }
}

fn told_of(one: &Expectation, evidence: &Evidence, several: bool) -> String {
    let who = evidence.device.as_deref().unwrap_or("all devices");
    let run = if several { format!(" in run {}", evidence.run) } else { String::new() };
    let device = evidence.device.as_deref();
    let lead = |at| format!(", fault {}", moment::link(at, evidence.run, device, "at "));
    let at = evidence.fault_start_s.map_or(String::new(), lead);
    let (value, limit) = against_limit(one, evidence);
    let times =
        if evidence.count > 1 { format!(", {}", count(evidence.count, "time")) } else { String::new() };
    let value = format!("{who}{run}: {value}{limit}");
    format!("{}{at}{times}", text(&value))
}
