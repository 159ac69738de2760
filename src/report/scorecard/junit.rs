//! The scorecard as JUnit XML: a suite a workload, a case a profile.

use super::forms::{escape, sentence, timing};
use super::model::{Card, Row, Scorecard, Verdict};
use crate::report::junit::timestamp;
use std::fmt::Write;

/// The XML.
pub fn render(card: &Scorecard) -> String {
    let all: Vec<(&Row, &Card)> = card.cards().collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = format!("brownout suite {}", card.suite);
    let _ = writeln!(out, "<testsuites name=\"{}\" {}>", escape(&name), counts(&all));
    for workload in &card.workloads {
        let cases: Vec<_> = all.iter().copied().filter(|(_, card)| card.workload == *workload).collect();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {} timestamp=\"{}\">",
            escape(&format!("{}.{workload}", card.suite)),
            counts(&cases),
            escape(&timestamp(&card.wall_clock))
        );
        out += &properties(card);
        for (row, run) in cases {
            out += &case(card, row, run);
        }
        let _ = writeln!(out, "    <system-out>{}</system-out>\n  </testsuite>", escape(&timing(card)));
    }
    out + "</testsuites>\n"
}

/// What the suite was run with.
fn properties(card: &Scorecard) -> String {
    let pairs = [
        ("client", card.command.join(" ")),
        ("hub", card.hub.clone().unwrap_or_else(|| "brownout".into())),
        ("keep_alive_s", format!("{}", card.keep_alive_s)),
        ("seed", card.seed.to_string()),
    ];
    let one = |(name, value): (&str, String)| {
        format!("      <property name=\"{name}\" value=\"{}\"/>\n", escape(&value))
    };
    format!("    <properties>\n{}    </properties>\n", pairs.map(one).concat())
}

fn counts(cases: &[(&Row, &Card)]) -> String {
    let of =
        |wanted: &[Verdict]| cases.iter().filter(|(_, card)| wanted.contains(&card.cell.verdict)).count();
    let time: f64 = cases.iter().map(|(_, card)| card.cell.lasted_s).sum();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{time:.3}\"",
        cases.len(),
        of(&[Verdict::Fail, Verdict::Inconclusive]),
        of(&[Verdict::Error]),
        of(&[Verdict::NotApplicable, Verdict::NotRun])
    )
}

fn case(card: &Scorecard, row: &Row, run: &Card) -> String {
    let cell = &run.cell;
    let mut out = format!(
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\">\n",
        escape(&row.entry),
        escape(&format!("{}.{}", card.suite, run.workload)),
        cell.lasted_s
    );
    let why = cell.why.join("\n");
    let first = escape(cell.why.first().map_or(cell.verdict.word(), String::as_str));
    let body = lines(&why);
    let _ = match cell.verdict {
        Verdict::Pass | Verdict::Warn => Ok(()),
        Verdict::NotApplicable | Verdict::NotRun => writeln!(out, "      <skipped message=\"{first}\"/>"),
        Verdict::Fail => writeln!(out, "      <failure message=\"{first}\" type=\"fail\">{body}</failure>"),
        Verdict::Inconclusive => {
            writeln!(out, "      <failure message=\"{first}\" type=\"inconclusive\">{body}</failure>")
        }
        Verdict::Error => {
            writeln!(out, "      <error message=\"{first}\" type=\"environment\">{body}</error>")
        }
    };
    let mut told = vec![row.summary.clone(), sentence(cell, card.keep_alive_s)];
    if cell.verdict == Verdict::Warn {
        told.extend(cell.why.iter().cloned());
    }
    told.extend(run.directory.iter().map(|directory| format!("report: {directory}")));
    told.extend(cell.output.iter().cloned());
    told.retain(|line| !line.is_empty());
    let _ = writeln!(out, "      <system-out>{}</system-out>\n    </testcase>", lines(&told.join("\n")));
    out
}

/// Escaped, line by line.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}
