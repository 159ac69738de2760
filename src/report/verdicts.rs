//! Findings in the words of a report, and a verdict for each class of them.

use super::build::seconds;
use super::model::{ClassVerdict, Finding, Seen, Verdicts};
use crate::measure::{self, Class, Grade, Results};
use crate::profile::Plan;

/// The findings of all runs.
pub fn findings(results: &Results) -> Vec<Finding> {
    let runs = results.runs.iter().zip(1..);
    runs.flat_map(|(run, number)| {
        run.findings.iter().map(move |finding| {
            let device = finding.device.map(|device| run.name(device).to_owned());
            self::finding(finding, number, device)
        })
    })
    .collect()
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
pub fn verdicts(_plan: &Plan, results: &Results) -> Verdicts {
    let of = |class: Class| {
        let all = results.runs.iter().flat_map(|run| &run.findings).filter(|finding| finding.class == class);
        let grade = all.map(|finding| finding.grade).max().unwrap_or(Grade::Inconclusive);
        ClassVerdict { grade: grade.word(), why: String::new() }
    };
    Verdicts {
        strictness: "standard",
        violation: of(Class::Violation),
        detection: of(Class::Detection),
        recovery: of(Class::Recovery),
        loss: of(Class::Loss),
    }
}
