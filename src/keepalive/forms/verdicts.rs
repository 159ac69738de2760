//! Verdicts on a sweep for a terminal: the unmet first, each with the combinations that speak against it.

use crate::keepalive::aspect::describe;
use crate::keepalive::aspect::{Aspect, axes, varying};
use crate::keepalive::expect::Verdict;
use crate::keepalive::model::Sweep;
use crate::measure::Judgement;
use crate::report::Styling;
use crate::report::table::{Tone, paint};
use crate::report::words::many;

/// The text, in lines of at most `width` columns; nothing where nothing was expected.
pub fn verdicts(verdicts: &[Verdict], sweep: &Sweep, width: usize, colour: bool) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let styling = if colour { Styling::Ansi } else { Styling::Plain };
    let unmet = verdicts.iter().filter(|verdict| !verdict.judgement.is_met()).count();
    let (result, tone) = if unmet == 0 {
        ("all met".to_owned(), Tone::Good)
    } else {
        (format!("{unmet} of {} unmet", verdicts.len()), Tone::Bad)
    };
    let aspects = varying(&axes(sweep));
    let mut out =
        format!("\n{}: {}\n", paint("Expectations", Tone::Strong, styling), paint(&result, tone, styling));
    let (met, not): (Vec<_>, Vec<_>) = verdicts.iter().partition(|verdict| verdict.judgement.is_met());
    for verdict in not.into_iter().chain(met) {
        out += &one(verdict, &aspects, width, styling);
    }
    out
}

fn one(verdict: &Verdict, aspects: &[Aspect], width: usize, styling: Styling) -> String {
    let tone = if verdict.judgement.is_met() { Tone::Good } else { Tone::Bad };
    let word = word(verdict.judgement);
    let first = format!("  {word:<12}  ");
    let text =
        super::text::wrapped(&first, &format!("{} ({})", verdict.expectation, selected(verdict)), width);
    // The word is painted where it stands, so that it moves nothing.
    let mut out = text.replacen(word, &paint(word, tone, styling), 1);
    for line in against(verdict, aspects) {
        out += &super::text::wrapped("                ", &line, width);
    }
    out
}

/// The word for it.
pub(super) fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Met => "met",
        Judgement::Unmet => "UNMET",
        Judgement::Inconclusive => "inconclusive",
        Judgement::NoEvidence => "no evidence",
    }
}

/// Of how many combinations it speaks.
pub(super) fn selected(verdict: &Verdict) -> String {
    match verdict.cases {
        0 => "no combination is selected".into(),
        cases => many(cases, "combination"),
    }
}

/// What speaks against it, a line for each combination.
pub(super) fn against(verdict: &Verdict, aspects: &[Aspect]) -> Vec<String> {
    let told = |failing: &crate::keepalive::expect::Failing| {
        format!("{}: {}", describe(&failing.case, aspects), failing.words(&verdict.expectation))
    };
    let mut lines: Vec<String> = verdict.failing.iter().map(told).collect();
    let more = verdict.against.saturating_sub(verdict.failing.len());
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
