//! The scorecard as JUnit XML: a suite a workload, a case a profile.

use super::forms::{sentence, timing};
use super::model::{Card, Row, Scorecard, Verdict};
use crate::report::junit::timestamp;
use crate::report::junit::xml::{Element, inert, inert_lines};

/// The XML.
pub fn render(card: &Scorecard) -> String {
    let all: Vec<(&Row, &Card)> = card.cards().collect();
    let name = inert(&format!("brownout suite {}", card.suite));
    let suites = card.workloads.iter().map(|workload| suite(card, workload, &all));
    counted(Element::new("testsuites").with("name", name), &all).children(suites).document()
}

/// The cases of one workload.
fn suite(card: &Scorecard, workload: &str, all: &[(&Row, &Card)]) -> Element {
    let cases: Vec<_> = all.iter().copied().filter(|(_, run)| run.workload == workload).collect();
    let name = inert(&format!("{}.{workload}", card.suite));
    counted(Element::new("testsuite").with("name", name), &cases)
        .with("timestamp", timestamp(&card.wall_clock))
        .child(properties(card))
        .children(cases.iter().map(|(row, run)| case(card, row, run)))
        .child(Element::new("system-out").text(inert(&timing(card))))
}

/// What the suite was run with.
fn properties(card: &Scorecard) -> Element {
    let pairs = [
        ("client", card.command.join(" ")),
        ("hub", card.hub.clone().unwrap_or_else(|| "brownout".into())),
        ("keep_alive_s", card.keep_alive_s.to_string()),
        ("seed", card.seed.to_string()),
    ];
    let one = |(name, value): (&str, String)| {
        Element::new("property").with("name", name).with("value", inert(&value))
    };
    Element::new("properties").children(pairs.map(one))
}

fn counted(element: Element, cases: &[(&Row, &Card)]) -> Element {
    let of =
        |wanted: &[Verdict]| cases.iter().filter(|(_, card)| wanted.contains(&card.cell.verdict)).count();
    let time: f64 = cases.iter().map(|(_, card)| card.cell.lasted_s).sum();
    element
        .with("tests", cases.len())
        .with("failures", of(&[Verdict::Fail, Verdict::Inconclusive]))
        .with("errors", of(&[Verdict::Error]))
        .with("skipped", of(&[Verdict::NotApplicable, Verdict::NotRun]))
        .with("time", format!("{time:.3}"))
}

fn case(card: &Scorecard, row: &Row, run: &Card) -> Element {
    let cell = &run.cell;
    let first = inert(cell.why.first().map_or(cell.verdict.word(), String::as_str));
    let wrong = |element, kind: &str| {
        let message = Element::new(element).with("message", &first).with("type", kind);
        Some(message.text(inert_lines(&cell.why.join("\n"))))
    };
    let result = match cell.verdict {
        Verdict::Pass | Verdict::Warn => None,
        Verdict::NotApplicable | Verdict::NotRun => Some(Element::new("skipped").with("message", &first)),
        Verdict::Fail => wrong("failure", "fail"),
        Verdict::Inconclusive => wrong("failure", "inconclusive"),
        Verdict::Error => wrong("error", "environment"),
    };
    let mut told = vec![row.summary.clone(), sentence(cell)];
    if cell.verdict == Verdict::Warn {
        told.extend(cell.why.iter().cloned());
    }
    told.extend(run.directory.iter().map(|directory| format!("report: {directory}")));
    told.extend(cell.output.iter().cloned());
    told.retain(|line| !line.is_empty());
    Element::new("testcase")
        .with("name", inert(&row.entry))
        .with("classname", inert(&format!("{}.{}", card.suite, run.workload)))
        .with("time", format!("{:.3}", cell.lasted_s))
        .children(result)
        .child(Element::new("system-out").text(inert_lines(&told.join("\n"))))
}
