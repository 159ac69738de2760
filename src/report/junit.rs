//! The report as JUnit XML, as CI systems read it: a suite for the profile, a test case for each expectation.
//!
//! There is no one standard of this format. What is written is what the readers have in common: Jenkins (junit-plugin),
//! GitLab (which knows test cases by class and name, takes the first of those that are alike, and shows the text of a
//! failure, not its `message`), and the actions for GitHub (one of which reads with `junitparser`). The schema that
//! tests hold it against is tests/interop/junit.xsd.
//!
//! | in the report | here |
//! |---|---|
//! | an expectation | a test case |
//! | unmet, inconclusive, without evidence | a failure of type `unmet`, `inconclusive`, `no_evidence` |
//! | a run that was not through, or whose log breaks off | an error of the test case `every run was through` |
//! | a command that failed | an error of the test case `the command ended well` |
//! | a verdict of a class, where a strictness was asked for | a test case; inconclusive: skipped; else only told |
//! | findings, verdicts of classes, notes | `system-out` of the suite |
//! | findings on the devices that speak against an expectation | `system-out` of its test case |

pub(crate) mod xml;

use super::model::{ClassVerdict, Evidence, Expectation, Finding, Judgement, Report, Run};
use super::words::{against, measured, seconds, unspoken};
use std::collections::BTreeMap;
use xml::{Element, inert};

/// The test case of the runs themselves. It is there also without expectations: Jenkins takes a file without test cases
/// for an error.
const THROUGH: &str = "every run was through";
/// The test case of a command beside a run.
const COMMAND: &str = "the command ended well";
/// The most findings that the output of a suite tells. GitLab takes files of 30 MB.
const MOST_FINDINGS: usize = 1_000;
/// The most findings that the output of a test case tells.
const MOST_FINDINGS_OF_CASE: usize = 20;
/// The most events of a finding that are told.
const MOST_EVIDENCE: usize = 3;

/// The XML.
pub fn render(report: &Report) -> String {
    render_all([report])
}

/// The XML of several reports, a suite each.
pub fn render_all<'a>(reports: impl IntoIterator<Item = &'a Report>) -> String {
    let suites: Vec<Suite<'_>> = reports.into_iter().map(Suite::of).collect();
    let root = suites.iter().fold(Tally::default(), |sum, suite| sum.and(&suite.tally()));
    let root = root.on(Element::new("testsuites").with("name", "brownout"));
    root.children(suites.iter().map(Suite::element)).document()
}

/// A report with its test cases.
struct Suite<'a> {
    report: &'a Report,
    cases: Vec<Case>,
}

/// A test case.
struct Case {
    name: String,
    seconds: f64,
    outcome: Outcome,
    output: Option<String>,
}

/// How a test case came out; texts are as shown.
enum Outcome {
    Passed,
    Failed { kind: &'static str, message: String, body: String },
    Broken { kind: &'static str, message: String },
    Skipped { message: String },
}

/// How many test cases there are, and how long they took.
#[derive(Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    seconds: f64,
}

impl Tally {
    fn and(mut self, other: &Tally) -> Tally {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.seconds += other.seconds;
        self
    }

    fn on(&self, element: Element) -> Element {
        let counts = element.with("tests", self.tests).with("failures", self.failures);
        counts.with("errors", self.errors).with("skipped", self.skipped).with("time", time(self.seconds))
    }
}

impl<'a> Suite<'a> {
    fn of(report: &'a Report) -> Suite<'a> {
        let mut cases = vec![through(report)];
        cases.extend(report.command_failed.as_deref().map(of_command));
        cases.extend(report.expectations.iter().map(|expectation| of_expectation(report, expectation)));
        if report.verdicts.asked_for {
            cases.extend(classes(report).map(|(class, verdict)| of_class(report, class, verdict)));
        }
        name_apart(&mut cases);
        Suite { report, cases }
    }

    fn tally(&self) -> Tally {
        let count =
            |wanted: fn(&Outcome) -> bool| self.cases.iter().filter(|case| wanted(&case.outcome)).count();
        Tally {
            tests: self.cases.len(),
            failures: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
            errors: count(|outcome| matches!(outcome, Outcome::Broken { .. })),
            skipped: count(|outcome| matches!(outcome, Outcome::Skipped { .. })),
            seconds: self.cases.iter().map(|case| case.seconds).sum(),
        }
    }

    fn element(&self) -> Element {
        let report = self.report;
        let named = self.tally().on(Element::new("testsuite").with("name", inert(&report.profile.name)));
        let timed = match report.runs.iter().find_map(|run| run.wall_clock.as_deref()) {
            Some(wall_clock) => named.with("timestamp", timestamp(wall_clock)),
            None => named,
        };
        let properties = properties(report).into_iter();
        let properties = properties
            .map(|(name, value)| Element::new("property").with("name", name).with("value", inert(&value)));
        timed
            .child(Element::new("properties").children(properties))
            .children(self.cases.iter().map(|case| case.element(&report.profile.name)))
            .child(Element::new("system-out").text(output(report)))
    }
}

impl Case {
    fn element(&self, profile: &str) -> Element {
        let case = Element::new("testcase").with("classname", inert(profile)).with("name", &self.name);
        let case = case.with("time", time(self.seconds));
        let case = match &self.outcome {
            Outcome::Passed => case,
            Outcome::Failed { kind, message, body } => {
                case.child(Element::new("failure").with("message", message).with("type", kind).text(body))
            }
            Outcome::Broken { kind, message } => {
                case.child(Element::new("error").with("message", message).with("type", kind).text(message))
            }
            Outcome::Skipped { message } => case.child(Element::new("skipped").with("message", message)),
        };
        case.children(self.output.iter().map(|output| Element::new("system-out").text(output)))
    }
}

/// Test cases that are told apart by nothing but their place get it into their names.
fn name_apart(cases: &mut [Case]) {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases {
        let times = known.entry(case.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            case.name = format!("{} ({times})", case.name);
        }
    }
}

/// Expectations are judged over all of the time, so that it is told here, once.
fn through(report: &Report) -> Case {
    let outcome = match &report.not_through {
        Some(why) => Outcome::Broken { kind: "not_through", message: inert(why) },
        None => Outcome::Passed,
    };
    let seconds = report.runs.iter().map(|run| run.lasted_s).sum();
    Case { name: THROUGH.into(), seconds, output: None, outcome }
}

/// A command that failed is a test case of its own; there may be no command, so one that ended well is none.
fn of_command(how: &str) -> Case {
    let outcome = Outcome::Broken { kind: "command_failed", message: inert(how) };
    Case { name: COMMAND.into(), seconds: 0.0, output: None, outcome }
}

fn of_expectation(report: &Report, expectation: &Expectation) -> Case {
    let outcome = match failure(expectation) {
        None => Outcome::Passed,
        Some((kind, message)) => {
            let mut body = vec![format!("{}: {message}", expectation.expectation)];
            body.extend(evidence(expectation));
            let told: u64 = expectation.evidence.iter().map(|evidence| evidence.count).sum();
            let left = expectation.against.saturating_sub(told);
            body.extend((left > 0).then(|| format!("and {left} more")));
            Outcome::Failed { kind, message: inert(&message), body: lines(&body) }
        }
    };
    let output = matches!(outcome, Outcome::Failed { .. }).then(|| concerning(report, expectation)).flatten();
    Case { name: inert(&expectation.expectation), seconds: 0.0, output, outcome }
}

/// The findings on the devices that speak against an expectation, and on all of them together: Jenkins and GitLab show the
/// output of a test case beside its failure.
fn concerning(report: &Report, expectation: &Expectation) -> Option<String> {
    let speaks =
        |device: &str| expectation.evidence.iter().any(|against| against.device.as_deref() == Some(device));
    let concerns = |finding: &&Finding| finding.device.as_deref().is_none_or(speaks);
    let told: Vec<String> =
        report.findings.iter().filter(concerns).take(MOST_FINDINGS_OF_CASE).flat_map(finding).collect();
    (!told.is_empty()).then(|| lines(&told) + "\n")
}

/// The kind of the failure and its message; `None` for what is met.
fn failure(expectation: &Expectation) -> Option<(&'static str, String)> {
    let (samples, against) = (expectation.samples, expectation.against);
    let measured = measured(expectation).unwrap_or_default();
    // A sum is no one sample's doing; a number of samples is of all of them.
    let of_them = |what: &str| match (expectation.is_total, against) {
        (false, _) => format!("; {against} of {samples} samples {what}"),
        (true, 0) => String::new(),
        (true, _) => format!("; {against} of {samples} samples are not 0"),
    };
    Some(match expectation.judgement {
        Judgement::Met => return None,
        Judgement::Unmet => ("unmet", format!("it is {measured}{}", of_them("speak against it"))),
        Judgement::Inconclusive => (
            "inconclusive",
            format!("it is {measured}, not seen long or sharply enough{}", of_them("do not show it")),
        ),
        Judgement::NoEvidence => ("no_evidence", unspoken(expectation).to_owned()),
    })
}

/// The samples that speak against it, those that read alike as one.
fn evidence(expectation: &Expectation) -> Vec<String> {
    let mut told: Vec<(String, u64)> = Vec::new();
    for evidence in &expectation.evidence {
        let text = one_evidence(expectation, evidence);
        match told.last_mut().filter(|(last, _)| *last == text) {
            Some((_, times)) => *times += evidence.count,
            None => told.push((text, evidence.count)),
        }
    }
    let times = |(text, times)| if times > 1 { format!("{text} ({times} times)") } else { text };
    told.into_iter().map(times).collect()
}

/// `sensor-1, run 1, fault at 3.0 s: never in 8.0 s, limit 6.0 s`
fn one_evidence(expectation: &Expectation, evidence: &Evidence) -> String {
    let who = evidence.device.as_deref().unwrap_or("all devices");
    let start = evidence.fault_start_s.map_or(String::new(), |at| format!(", fault at {}", seconds(at)));
    let (value, limit) = against(expectation, evidence);
    format!("{who}, run {}{start}: {value}{limit}", evidence.run)
}

fn of_class(report: &Report, class: &'static str, verdict: &ClassVerdict) -> Case {
    let message = inert(&format!("{}: {}", verdict.grade, verdict.why));
    let outcome = match verdict.grade {
        "fail" => {
            let of_class = report.findings.iter().filter(|finding| finding.class == class.to_lowercase());
            let body: Vec<String> = of_class.take(MOST_FINDINGS_OF_CASE).flat_map(finding).collect();
            Outcome::Failed { kind: class, body: format!("{message}\n{}", lines(&body)), message }
        }
        "inconclusive" => Outcome::Skipped { message },
        _ => Outcome::Passed,
    };
    let name = format!("{class} ({})", report.verdicts.strictness);
    Case { name, seconds: 0.0, output: None, outcome }
}

fn classes(report: &Report) -> impl Iterator<Item = (&'static str, &ClassVerdict)> {
    let all = &report.verdicts;
    [
        ("VIOLATION", &all.violation),
        ("DETECTION", &all.detection),
        ("RECOVERY", &all.recovery),
        ("LOSS", &all.loss),
    ]
    .into_iter()
}

/// The verdicts of classes, the findings, and the notes.
fn output(report: &Report) -> String {
    let mut out = vec![format!("verdicts (strictness: {})", report.verdicts.strictness)];
    let verdict = |(class, verdict): (&str, &ClassVerdict)| {
        format!("  {class}: {} {}", verdict.grade, verdict.why).trim_end().to_owned()
    };
    out.extend(classes(report).map(verdict));
    out.push(format!("findings: {}", report.findings.len()));
    out.extend(report.findings.iter().take(MOST_FINDINGS).flat_map(finding));
    match report.findings.len().saturating_sub(MOST_FINDINGS) {
        0 => {}
        more => out.push(format!("and {more} more: see report.json")),
    }
    if !report.notes.is_empty() {
        out.push("what to know".into());
        out.extend(report.notes.iter().map(|note| format!("  {note}")));
    }
    lines(&out) + "\n"
}

fn finding(finding: &Finding) -> Vec<String> {
    let who = finding.device.as_deref().unwrap_or("all devices");
    let rule = finding.rule.map_or(String::new(), |rule| format!(" [{rule}]"));
    let Finding { grade, class, id, run, count, seen, cause, advice, .. } = finding;
    let mut out = vec![format!("- {grade} ({class}) {id}{rule}, {who}, run {run}, times: {count}: {seen}")];
    out.push(format!("  probable cause: {cause}"));
    out.push(format!("  what to do: {advice}"));
    let seen = finding.evidence.iter().take(MOST_EVIDENCE);
    out.extend(seen.map(|seen| format!("  event {} at {}: {}", seen.seq, seconds(seen.at_s), seen.what)));
    out
}

fn properties(report: &Report) -> Vec<(String, String)> {
    let mut all = vec![
        ("profile".to_owned(), report.profile.name.clone()),
        ("summary".to_owned(), report.profile.summary.clone()),
        ("strictness".to_owned(), report.verdicts.strictness.to_owned()),
        ("devices".to_owned(), report.fleet.devices.to_string()),
    ];
    let several = report.runs.len() > 1;
    all.extend(report.runs.iter().flat_map(|run| of_run(run, several)));
    all
}

/// Of several runs, each name begins with the run's: `run2.seed`.
fn of_run(run: &Run, several: bool) -> Vec<(String, String)> {
    let name = |name: &str| if several { format!("run{}.{name}", run.run) } else { name.to_owned() };
    let known = [
        ("version", run.version.clone()),
        ("seed", run.seed.map(|seed| seed.to_string())),
        ("wall_clock", run.wall_clock.clone()),
        ("overrides", (!run.overrides.is_empty()).then(|| run.overrides.join(" "))),
        ("lasted_s", Some(run.lasted_s.to_string())),
    ];
    known.into_iter().filter_map(|(key, value)| Some((name(key), value?))).collect()
}

/// Seconds with milliseconds, which every reader takes as a decimal.
fn time(seconds: f64) -> String {
    format!("{seconds:.3}")
}

/// RFC 3339 to the second: `2026-01-01T00:00:00Z`. Some readers know no fraction.
pub(super) fn timestamp(wall_clock: &str) -> String {
    match wall_clock.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => inert(wall_clock),
    }
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| inert(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(in crate::report) mod tests;
