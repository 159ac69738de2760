//! The scorecard as GitHub-flavoured Markdown, for the summary of a CI job.

use super::forms::{detected, lost, recovered, timing, totals};
use super::model::{Card, Scorecard, Verdict};
use crate::report::summary::MOST_BYTES;
use crate::report::summary::markdown::{escaped, within};
use crate::report::words::{count, whole_seconds};
use std::fmt::Write;

/// What stands in the place of what does not fit.
const CUT: &str = "**The rest is left out:** GitHub takes 1 MiB of a step. All of it is in scorecard.json and scorecard.html.";

/// The Markdown, at most 1 MB of it: GitHub takes 1 MiB of a step.
pub fn render(card: &Scorecard) -> String {
    let result = if card.is_passed() { "passed" } else { "not passed" };
    let mut out = format!("## brownout suite {}: {result}\n\n{}. ", escaped(&card.suite), totals(card));
    let keep_alive = whole_seconds(card.keep_alive_s);
    let _ = writeln!(out, "Keep-alive (K) {keep_alive}; detected, then back, the worst of each run.\n");
    let _ = writeln!(out, "| fault | {} |", card.workloads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(card.workloads.len()));
    for row in &card.rows {
        let cells = card.workloads.iter().map(|workload| row.cell(workload).map_or_else(|| "-".into(), cell));
        let _ = writeln!(out, "| {} | {} |", escaped(&row.entry), cells.collect::<Vec<_>>().join(" | "));
    }
    out.push('\n');
    for class in &card.classes {
        let places =
            if class.runs.is_empty() { String::new() } else { format!(": {}", class.runs.join(", ")) };
        let _ = writeln!(out, "- **{}** {}{}", class.class.to_uppercase(), class.grade, escaped(&places));
    }
    for (row, run) in card.cards().filter(|(_, run)| !run.cell.verdict.is_sound()) {
        if run.cell.verdict == Verdict::NotRun {
            continue;
        }
        let _ = writeln!(out, "\n**{}/{}** {}\n", escaped(&row.entry), run.workload, run.cell.verdict.word());
        for why in &run.cell.why {
            let _ = writeln!(out, "- {}", escaped(why));
        }
    }
    let _ = writeln!(out, "\nTiming: {}.", timing(card));
    within(out, MOST_BYTES, CUT)
}

/// Its parts are of brownout's own words.
fn cell(run: &Card) -> String {
    let cell = &run.cell;
    let word = match cell.verdict {
        Verdict::Pass | Verdict::NotApplicable | Verdict::NotRun => cell.verdict.word().to_owned(),
        Verdict::Warn | Verdict::Inconclusive | Verdict::Fail | Verdict::Error => {
            format!("**{}**", cell.verdict.word())
        }
    };
    let findings = (cell.findings > 0).then(|| count(cell.findings, "finding"));
    let parts = [detected(cell), recovered(cell), lost(cell), findings];
    let parts = parts.into_iter().flatten().map(|part| escaped(&part));
    std::iter::once(word).chain(parts).collect::<Vec<_>>().join(" · ")
}
