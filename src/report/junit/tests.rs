//! Goldens of the XML, and what no client identifier may do to it.

use super::*;
use crate::base::RuleId;
use crate::event::EndReason;
use crate::measure::story::{expect, span};
use crate::measure::{self, Class, Grade, Results, Seen};
use crate::profile::{Comparison, Expectation, Limit, Metric, Statistic};
use crate::report::tests::stories::{dark_and_reset, four_devices};

/// Four devices with two findings.
pub(in crate::report) fn with_findings() -> Results {
    let mut results = four_devices().results(&dark_and_reset());
    results.runs[0].ended = Some(EndReason::Duration);
    let device = *results.runs[0].devices.keys().next().unwrap();
    let finding = |class, grade, device, id, rule| measure::Finding {
        id,
        class,
        grade,
        device,
        seen: "no PINGRESP for 4.0 s, and the link was kept".into(),
        evidence: vec![Seen { seq: 31, at: crate::base::Time::from_millis(6_000), what: "PINGREQ".into() }],
        count: 3,
        summed_up: 0,
        cause: "it does not look for PINGRESP".into(),
        advice: "close the link when a PINGREQ goes unanswered".into(),
        rule,
    };
    results.runs[0].findings = vec![
        finding(Class::Violation, Grade::Fail, Some(device), "pingresp-not-awaited", Some("MQTT-3.1.2-24")),
        finding(Class::Recovery, Grade::Warn, None, "no-back-off", None),
    ];
    results
}

fn of(results: &Results) -> Report {
    Report::new(&dark_and_reset(), results)
}

#[test]
fn failures_and_findings() {
    insta::assert_snapshot!(render(&of(&with_findings())));
}

/// No sample by itself speaks against a sum or a number of samples, nor is held against its limit.
#[test]
fn a_sum_and_a_number_of_samples_are_told_as_of_all_of_them() {
    let mut plan = dark_and_reset();
    let of = |statistic, limit| Expectation {
        of: Some(RuleId(0)),
        ..expect(Metric::Downtime, statistic, Comparison::AtMost, limit)
    };
    plan.expectations = vec![of(Statistic::Sum, span("20s")), of(Statistic::Count, Limit::Number(2.0))];
    let report = Report::new(&plan, &with_findings());
    assert!(report.expectations.iter().all(|told| told.judgement == Judgement::Unmet), "{report:?}");
    let xml = render(&report);
    assert!(
        xml.contains(r#"<failure message="it is 26.4 s; 3 of 3 samples are not 0" type="unmet">"#),
        "{xml}"
    );
    assert!(xml.contains(r#"<failure message="it is 3" type="unmet">"#), "{xml}");
    assert!(!xml.contains("speak against it") && !xml.contains(", limit"), "{xml}");
    let text =
        crate::report::terminal::render(&report, crate::report::Styling::Plain).replace("\n         ", " ");
    assert!(text.contains("UNMET  downtime of dark, sum <= 20s: it is 26.4 s; "), "{text}");
    assert!(text.contains("UNMET  downtime of dark, count <= 2: it is 3\n"), "{text}");
}

#[test]
fn a_strictness_that_was_asked_for_makes_test_cases_of_the_classes() {
    let mut report = of(&with_findings());
    assert!(!render(&report).contains("VIOLATION (standard)"), "nobody asked for it");
    report.verdicts.asked_for = true;
    // The run fails by it, and so does its file.
    assert!(render(&report).contains(r#"name="VIOLATION (standard)" time="0.000">"#));
    report.verdicts.strictness = "strict-5";
    report.verdicts.recovery.grade = "pass";
    let xml = render(&report);
    for wanted in [
        r#"tests="11" failures="7" errors="0" skipped="1""#,
        r#"name="VIOLATION (strict-5)" time="0.000">"#,
        r#"<failure message="fail: "#,
        r#" type="VIOLATION">"#,
        r#"name="RECOVERY (strict-5)" time="0.000"/>"#,
        r#"<skipped message="inconclusive: "#,
    ] {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
}

#[test]
fn what_is_not_through_is_an_error_and_so_is_a_log_that_breaks_off() {
    let mut report = of(&with_findings());
    report.not_through = Some("ended by Ctrl-C, SIGTERM or SIGHUP: dark never fired".into());
    assert!(render(&report).contains(r#"type="not_through">ended by Ctrl-C"#));
    let mut results = with_findings();
    results.runs[0].ended = None;
    let xml = render(&of(&results));
    assert!(
        xml.contains(r#"errors="1""#) && xml.contains(r#"type="not_through">the log breaks off"#),
        "{xml}"
    );
}

#[test]
fn several_runs_tell_theirs_by_number_and_cases_alike_are_told_apart() {
    let one = with_findings();
    let mut report = of(&one.clone().merge(one));
    let again = report.expectations[0].clone();
    report.expectations.push(again);
    let xml = render(&report);
    for wanted in
        [r#"name="run2.seed" value="42""#, r#"time="54.800""#, r#"6s (2)""#, "run 2, fault at 3.0 s"]
    {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
}

#[test]
fn no_name_gets_out_of_its_place() {
    let mut results = with_findings();
    let name = "</testcase>\u{1b}[2J]]>\"\u{0}\n[[[ATTACHMENT|/etc/passwd]]";
    results.runs[0].devices.values_mut().for_each(|device| device.name = name.into());
    let xml = render(&of(&results));
    assert_eq!(xml.matches("</testcase>").count(), 5, "those of the failures: {xml}");
    assert!(!xml.contains("[[") && !xml.contains('\u{1b}') && !xml.contains('\u{0}'), "{xml}");
    assert!(xml.contains(r"&lt;/testcase&gt;\u{1b}[2J]]&gt;&quot;\u{0}\n[ [ [ATTACHMENT|"), "{xml}");
}
