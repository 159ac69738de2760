//! The report as GitHub-flavoured Markdown, for the summary of a CI job (`cat DIR/summary.md >> "$GITHUB_STEP_SUMMARY"`).

pub(super) mod markdown;

use super::model::{
    ClassVerdict, DeliveryCounts, Expectation, Figure, Judgement, Report, Rule, Summary, Verdict, Window,
};
use super::words::{self, figure, many, seconds, told};
use crate::base::units::to_u64;
use crate::measure::value::rank;
use markdown::{Markdown, escaped};

/// The most bytes. GitHub takes 1 MiB of a step, and drops the whole summary of one that is longer; others may append to
/// the same file.
pub const MOST_BYTES: usize = 1_000_000;
/// The most findings that are told of.
const MOST_FINDINGS: usize = 200;
/// So many pieces of evidence are named for an expectation.
const MOST_EVIDENCE: usize = 3;
/// What stands in the place of what does not fit.
const CUT: &str =
    "**The rest is left out:** GitHub takes 1 MiB of a step. All of it is in report.json and report.html.";

/// The measures of windows that are shown for each rule.
const MEASURES: [&str; 4] = ["device_detection", "hub_detection", "recovery", "downtime"];

/// The Markdown, at most [`MOST_BYTES`] of it.
pub fn render(report: &Report) -> String {
    let mut out = Markdown::default();
    head(report, &mut out);
    expectations(report, &mut out);
    verdicts(report, &mut out);
    findings(report, &mut out);
    rules(report, &mut out);
    delivery(report, &mut out);
    if !report.notes.is_empty() {
        out.heading(3, "What to know");
        out.list(report.notes.iter().map(|note| escaped(note)));
    }
    out.within(MOST_BYTES, CUT)
}

fn head(report: &Report, out: &mut Markdown) {
    out.heading(2, &format!("brownout {}: {}", escaped(&report.profile.name), verdict(report)));
    out.paragraph(&escaped(&report.profile.summary));
    let lasted: f64 = report.runs.iter().map(|run| run.lasted_s).sum();
    let mut facts = vec![many(report.runs.len(), "run"), seconds(lasted), words::devices(&report.fleet)];
    let seeds: Vec<String> =
        report.runs.iter().filter_map(|run| run.seed).map(|seed| seed.to_string()).collect();
    facts.extend((!seeds.is_empty()).then(|| format!("seed {}", seeds.join(", "))));
    // As given, each once, also where several runs had the same ones.
    for set in report.runs.iter().flat_map(|run| &run.overrides) {
        let told = format!("set {}", escaped(set));
        if !facts.contains(&told) {
            facts.push(told);
        }
    }
    out.paragraph(&facts.join(", "));
}

fn verdict(report: &Report) -> String {
    let (all, unmet) = (report.expectations.len(), report.unmet());
    match report.verdict {
        Verdict::Passed => format!("passed, {all} of {all} expectations met"),
        Verdict::Failed if unmet == 0 => format!("FAILED, {}", report.failed().join(", ").to_uppercase()),
        Verdict::Failed => format!("FAILED, {unmet} of {all} expectations unmet"),
        Verdict::NotThrough if all == 0 => "NOT THROUGH".into(),
        Verdict::NotThrough => format!("NOT THROUGH, {} of {all} expectations met so far", all - unmet),
        Verdict::NoExpectations => "no expectations".into(),
    }
}

/// The unmet first.
fn expectations(report: &Report, out: &mut Markdown) {
    if report.expectations.is_empty() {
        return;
    }
    out.heading(3, "Expectations");
    let (met, unmet): (Vec<_>, Vec<_>) =
        report.expectations.iter().partition(|e| e.judgement == Judgement::Met);
    let several_runs = report.runs.len() > 1;
    let rows = unmet.into_iter().chain(met).map(|expectation| self::expectation(expectation, several_runs));
    out.table(&["", "expectation", "measured:", "samples:", "against it"], rows);
}

fn expectation(expectation: &Expectation, several_runs: bool) -> Vec<String> {
    let word = match expectation.judgement {
        Judgement::Met => "met",
        Judgement::Unmet => "**UNMET**",
        Judgement::Inconclusive => "**UNMET**, inconclusive",
        Judgement::NoEvidence => "**UNMET**, no evidence",
    };
    let evidence = expectation.evidence.iter().map(|evidence| {
        let who = evidence.device.as_deref().unwrap_or("all devices");
        let run = if several_runs { format!(" in run {}", evidence.run) } else { String::new() };
        format!("{who}{run}: {}", told(&evidence.value))
    });
    vec![
        word.into(),
        escaped(&expectation.expectation),
        expectation.measured.as_ref().map(|measured| escaped(&told(measured))).unwrap_or_default(),
        expectation.samples.to_string(),
        match &expectation.silence {
            Some(why) => escaped(why),
            None => escaped(&alike(
                evidence.zip(expectation.evidence.iter().map(|e| e.count)),
                expectation.against,
            )),
        },
    ]
}

/// The first of them, those that read alike as one: `naive: 12 ms (19 times); keeper: 3.0 s; 2 more`
fn alike(evidence: impl Iterator<Item = (String, u64)>, all: u64) -> String {
    let mut told: Vec<(String, u64)> = Vec::new();
    for (text, times) in evidence {
        match told.last_mut().filter(|(last, _)| *last == text) {
            Some((_, known)) => *known += times,
            None => told.push((text, times)),
        }
    }
    told.truncate(MOST_EVIDENCE);
    let left = all.saturating_sub(told.iter().map(|(_, times)| times).sum());
    let times = |(text, times)| if times > 1 { format!("{text} ({times} times)") } else { text };
    let mut told: Vec<String> = told.into_iter().map(times).collect();
    told.extend((left > 0).then(|| format!("{left} more")));
    told.join("; ")
}

fn verdicts(report: &Report, out: &mut Markdown) {
    let all = &report.verdicts;
    out.heading(3, "Verdicts");
    let row = |class: &str, verdict: &ClassVerdict| {
        let grade = if verdict.grade == "fail" { "**FAIL**" } else { verdict.grade };
        vec![class.to_owned(), grade.to_owned(), escaped(&verdict.why)]
    };
    let rows = [
        row("VIOLATION", &all.violation),
        row("DETECTION", &all.detection),
        row("RECOVERY", &all.recovery),
        row("LOSS", &all.loss),
    ];
    out.table(&["class", "verdict", "why"], rows);
    out.paragraph(&format!("Strictness: {}.", escaped(all.strictness)));
}

fn findings(report: &Report, out: &mut Markdown) {
    if report.findings.is_empty() {
        return;
    }
    out.heading(3, "Findings");
    let rows = report.findings.iter().take(MOST_FINDINGS).map(|finding| {
        let rule = finding.rule.map_or(String::new(), |rule| format!(" [{rule}]"));
        vec![
            finding.grade.to_owned(),
            finding.class.to_owned(),
            escaped(&format!("{}{rule}", finding.id)),
            escaped(finding.device.as_deref().unwrap_or("all devices")),
            finding.run.to_string(),
            finding.count.to_string(),
            escaped(&finding.seen),
            escaped(&finding.cause),
            escaped(&finding.advice),
        ]
    });
    let columns = [
        "grade",
        "class",
        "finding",
        "device",
        "run:",
        "times:",
        "what was seen",
        "probable cause",
        "what to do",
    ];
    out.table(&columns, rows);
    match report.findings.len().saturating_sub(MOST_FINDINGS) {
        0 => {}
        more => out.paragraph(&format!("And {more} more: see report.json.")),
    }
}

/// What each rule's windows came to, in time and in keep-alives.
fn rules(report: &Report, out: &mut Markdown) {
    let rows: Vec<Vec<String>> = report.rules.iter().flat_map(of_rule).collect();
    if rows.is_empty() {
        return;
    }
    out.heading(3, "Faults");
    let list = report.rules.iter().map(|rule| {
        let lost = rule.windows.iter().filter(|window| is_lost(window)).count();
        format!(
            "{}: {}; {}, {} lost their link",
            escaped(&rule.id),
            escaped(&rule.description),
            many(rule.windows.len(), "window"),
            lost
        )
    });
    out.list(list);
    let columns =
        ["rule", "measure", "samples:", "never:", "median:", "p95:", "worst:", "median, K:", "worst, K:"];
    out.table(&columns, rows);
    out.paragraph("K: keep-alives of the device (of a bracket, its later end).");
}

fn is_lost(window: &Window) -> bool {
    use super::model::Outcome;
    matches!(window.outcome, Outcome::BackBefore | Outcome::Back | Outcome::Gone)
}

fn of_rule(rule: &Rule) -> Vec<Vec<String>> {
    let row = |name: &'static str| {
        let summary = rule.measures.get(name)?;
        let shown = |value: &Figure| escaped(&figure(value));
        let (median, worst) = in_keep_alives(rule, name, summary);
        Some(vec![
            escaped(&rule.id),
            name.to_owned(),
            summary.samples.to_string(),
            summary.never.to_string(),
            shown(&summary.p50),
            shown(&summary.p95),
            shown(&summary.max),
            median,
            worst,
        ])
    };
    MEASURES.into_iter().filter_map(row).collect()
}

/// The median and the greatest in keep-alives, each device's own; blank where a measure does not count in them, or where it
/// never happened.
fn in_keep_alives(rule: &Rule, name: &str, summary: &Summary) -> (String, String) {
    let of = |window: &Window| match name {
        "device_detection" => window.device_detection_keepalives,
        "hub_detection" => window.hub_detection_keepalives,
        _ => None,
    };
    let mut known: Vec<f64> = rule.windows.iter().filter_map(of).collect();
    known.sort_by(f64::total_cmp);
    // What did not happen is greater than all of them; where others are not known, ranks mean nothing.
    let beyond = summary.never + summary.hidden;
    if known.is_empty() || to_u64(known.len()) + beyond != summary.samples {
        return (String::new(), String::new());
    }
    let samples = usize::try_from(summary.samples).unwrap_or(usize::MAX);
    let instead = if summary.hidden > 0 { "not seen" } else { "never" };
    let at = |percent| match rank(samples, percent).checked_sub(1).and_then(|place| known.get(place)) {
        Some(value) => format!("{value:.1}"),
        None => instead.to_owned(),
    };
    (at(50.0), at(100.0))
}

/// Messages by direction and quality of service.
fn delivery(report: &Report, out: &mut Markdown) {
    let Some(delivery) = &report.fleet.delivery else { return };
    let both = [("from devices", &delivery.up), ("for devices", &delivery.down)];
    let rows: Vec<Vec<String>> = both
        .into_iter()
        .flat_map(|(way, counts)| (0..3).filter_map(move |qos| messages(way, counts, qos)))
        .collect();
    if rows.is_empty() {
        return;
    }
    out.heading(3, "Messages");
    let columns =
        ["", "QoS:", "sent:", "delivered:", "lost:", "times duplicated:", "times sent again:", "in flight:"];
    out.table(&columns, rows);
}

fn messages(way: &str, counts: &DeliveryCounts, qos: usize) -> Option<Vec<String>> {
    let columns = [
        counts.sent[qos].to_string(),
        counts.received(qos),
        counts.lost(qos),
        counts.duplicated(qos),
        counts.retransmitted(qos),
        counts.in_flight(qos),
    ];
    let is_any = columns.iter().any(|column| column != "0");
    is_any.then(|| [way.to_owned(), qos.to_string()].into_iter().chain(columns).collect())
}

#[cfg(test)]
mod tests;
