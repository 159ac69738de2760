//! The verdicts on a sweep as JUnit XML: a suite for the sweep, a test case for each expectation. The dialect is that of
//! [report/junit](crate::report::junit).

use super::verdicts::{against, selected, word};
use super::{conditions, extent};
use crate::keepalive::aspect::{Aspect, axes, varying};
use crate::keepalive::expect::Verdict;
use crate::keepalive::model::Sweep;
use crate::measure::Judgement;
use crate::report::junit::xml::{Element, inert, inert_lines};
use std::collections::BTreeMap;

/// The test case that is always there: Jenkins takes a file without test cases for an error.
const SIMULATED: &str = "combinations were simulated";

/// The XML.
pub fn junit(sweep: &Sweep, verdicts: &[Verdict]) -> String {
    let aspects = varying(&axes(sweep));
    let simulated = case(SIMULATED);
    let empty = sweep.cases.is_empty();
    let simulated = if empty {
        simulated.child(failure("no_evidence", "there is no combination").text("there is no combination"))
    } else {
        simulated
    };
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let cases = verdicts.iter().map(|verdict| {
        let name = verdict.expectation.to_string();
        let times = known.entry(name.clone()).or_default();
        *times += 1;
        let name = if *times > 1 { format!("{name} ({times})") } else { name };
        judged(&name, verdict, &aspects)
    });
    let failures = verdicts.iter().filter(|verdict| !verdict.judgement.is_met()).count() + usize::from(empty);
    let counted = |element: Element| {
        let element = element.with("tests", verdicts.len() + 1).with("failures", failures);
        element.with("errors", 0).with("skipped", 0).with("time", "0.000")
    };
    let told = format!("{}\n{}", extent(sweep), conditions(&sweep.terms).join(", "));
    let suite = counted(Element::new("testsuite").with("name", "keepalive sweep"))
        .child(
            Element::new("properties")
                .child(Element::new("property").with("name", "seed").with("value", sweep.terms.seed)),
        )
        .child(simulated)
        .children(cases)
        .child(Element::new("system-out").text(inert_lines(&told)));
    counted(Element::new("testsuites").with("name", "brownout")).child(suite).document()
}

fn case(name: &str) -> Element {
    Element::new("testcase")
        .with("classname", "keepalive sweep")
        .with("name", inert(name))
        .with("time", "0.000")
}

fn failure(kind: &str, message: &str) -> Element {
    Element::new("failure").with("message", inert(message)).with("type", kind)
}

fn judged(name: &str, verdict: &Verdict, aspects: &[Aspect]) -> Element {
    let kind = match verdict.judgement {
        Judgement::Met => return case(name),
        Judgement::Unmet => "unmet",
        Judgement::Inconclusive => "inconclusive",
        Judgement::NoEvidence => "no_evidence",
    };
    let message = format!("{} in {} of {}", word(verdict.judgement), verdict.against, selected(verdict));
    let message = if verdict.cases == 0 { selected(verdict) } else { message };
    let body =
        std::iter::once(message.clone()).chain(against(verdict, aspects)).collect::<Vec<_>>().join("\n");
    case(name).child(failure(kind, &message).text(inert_lines(&body)))
}
