//! What comes first: the verdict, the classes, the runs; and what comes last: what a reader should know.

use super::escape::text;
use crate::report::ending;
use crate::report::model::{ClassVerdict, Report, Run, Verdict};
use crate::report::words::{count, many, seconds};

/// So many runs are told of one by one.
const MOST_RUNS: usize = 6;

pub(super) fn section(report: &Report) -> String {
    let (word, grade, why) = verdict(report);
    let name = text(&report.profile.name);
    let summary = text(&report.profile.summary);
    let reproduces =
        report.profile.reproduces.as_ref().map_or(String::new(), |symptom| {
            format!("<p class=\"faint\">Reproduces: {}</p>\n", text(symptom))
        });
    format!(
        "<header class=\"top\">\n<div class=\"brand\"><strong>brownout</strong> report\
         <button type=\"button\" id=\"theme\" class=\"needs-js\" hidden>Dark</button></div>\n\
         <h1>{name}</h1>\n<p class=\"lead\">{summary}</p>\n{reproduces}</header>\n<main>\n\
         <section class=\"verdict {grade}\" aria-label=\"Verdict\">\n<p class=\"word\">{word}</p>\n\
         <p class=\"why\">{}</p>\n{}</section>\n{}{}",
        text(&why),
        not_through(report),
        classes(report),
        runs(report),
    )
}

/// The word, its grade, and why.
fn verdict(report: &Report) -> (&'static str, &'static str, String) {
    let all = many(report.expectations.len(), "expectation");
    let unmet = report.unmet();
    match report.verdict {
        Verdict::Passed => ("Passed", "pass", format!("{all}: all met")),
        Verdict::Failed if unmet == 0 => ("Failed", "fail", report.failed().join(", ")),
        Verdict::Failed => ("Failed", "fail", format!("{unmet} of {all} unmet")),
        Verdict::NotThrough if report.expectations.is_empty() => {
            ("Not through", "fail", "the run ended before it was through".into())
        }
        Verdict::NotThrough => (
            "Not through",
            "fail",
            format!("the run ended before it was through; {unmet} of {all} unmet so far"),
        ),
        Verdict::NoExpectations => ("No expectations", "inconclusive", "the profile asks for nothing".into()),
    }
}

fn not_through(report: &Report) -> String {
    report.not_through.as_ref().map_or(String::new(), |why| format!("<p class=\"why\">{}</p>\n", text(why)))
}

fn classes(report: &Report) -> String {
    let verdicts = &report.verdicts;
    let all = [
        ("Violation", "MUSTs of the specification", &verdicts.violation),
        ("Detection", "how ends found a dead link out", &verdicts.detection),
        ("Recovery", "how devices came back", &verdicts.recovery),
        ("Loss", "what became of messages", &verdicts.loss),
    ];
    let cards: String = all.into_iter().map(|(name, what, verdict)| class(name, what, verdict)).collect();
    let strictness = text(report.verdicts.strictness);
    format!(
        "<section aria-labelledby=\"classes\"><h2 id=\"classes\">Verdicts by class</h2>\n<ul class=\"classes\">\n{cards}</ul>\n\
         <p class=\"faint\">Strictness: {strictness}. The classes are never mixed into one.</p></section>\n"
    )
}

fn class(name: &str, what: &str, verdict: &ClassVerdict) -> String {
    let grade = text(verdict.grade);
    let why = if verdict.why.is_empty() { String::new() } else { format!("<p>{}</p>", text(&verdict.why)) };
    format!(
        "<li class=\"card {grade}\"><p class=\"name\">{name} <span class=\"faint\">{what}</span></p>\
         <p class=\"grade\"><span class=\"badge {grade}\">{grade}</span></p>{why}</li>\n"
    )
}

fn runs(report: &Report) -> String {
    let several = report.runs.len() > 1;
    let rows: String = report.runs.iter().take(MOST_RUNS).map(|one| run(one, several)).collect();
    let left = report.runs.len().saturating_sub(MOST_RUNS);
    let more =
        if left > 0 { format!("<p class=\"faint\">and {left} more runs</p>\n") } else { String::new() };
    let fleet = &report.fleet;
    let devices = many(fleet.devices, "device");
    let links = match fleet.links_without_mqtt {
        0 => count(fleet.links, "link"),
        foreign => format!("{}, {foreign} of them without MQTT", count(fleet.links, "link")),
    };
    let dip = match (fleet.dip, fleet.dip_at_s) {
        (Some(dip), Some(at)) if dip > 0 => {
            format!("; at most {} connected, {dip} fewer at {}", fleet.most_connected, seconds(at))
        }
        _ if fleet.most_connected > 0 => format!("; at most {} connected", fleet.most_connected),
        _ => String::new(),
    };
    let rate = count(fleet.connect_rate, "connect");
    format!(
        "<section aria-label=\"What was run\">\n<p class=\"facts\">{devices}, {links}{dip}; \
         busiest second, wherever it begins: {rate}</p>\n\
         <ul class=\"facts\">\n{rows}</ul>\n{more}</section>\n"
    )
}

fn run(run: &Run, several: bool) -> String {
    let number = if several { format!("run {}: ", run.run) } else { String::new() };
    let began = run.wall_clock.as_ref().map_or(String::new(), |at| format!("began {}, ", short(at)));
    let seed = run.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let ended = run.ended.map_or("the log was cut off", ending::words);
    let sets =
        if run.overrides.is_empty() { String::new() } else { format!(", set: {}", run.overrides.join(", ")) };
    let told = format!(
        "{number}{began}lasted {}{seed}, {}, {ended}{sets}",
        seconds(run.lasted_s),
        count(run.events, "event")
    );
    format!("<li>{}</li>\n", text(&told))
}

/// A stamp without the digits after the second: `2026-01-01 00:00:00Z`.
fn short(stamp: &str) -> String {
    match stamp.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => stamp.replace('T', " "),
    }
}

/// What a reader should know before believing a figure.
pub(super) fn notes(report: &Report) -> String {
    let azure = report.azure.iter().flat_map(|azure| &azure.patterns);
    let items: String =
        report.notes.iter().chain(azure).map(|note| format!("<li>{}</li>\n", text(note))).collect();
    let has_brackets = report.rules.iter().flat_map(|rule| rule.measures.values()).any(|m| m.brackets > 0);
    let brackets = if has_brackets {
        "<li>A value \u{201c}a to b\u{201d} lies between the two; the fault hid where.</li>\n"
    } else {
        ""
    };
    let always =
        "<li>K: keep-alives of the device. Percentiles are nearest-rank; nothing is averaged.</li>\n";
    format!(
        "<section aria-labelledby=\"notes\"><h2 id=\"notes\">What to know</h2>\n<ul class=\"notes\">\n{items}{brackets}{always}</ul></section>\n"
    )
}

pub(super) fn foot() -> String {
    format!(
        "</main>\n<footer class=\"faint\">Written by brownout {}. The figures are in report.json, every event in \
         events.jsonl; this page loads nothing.</footer>\n",
        env!("CARGO_PKG_VERSION")
    )
}
