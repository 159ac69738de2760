//! `brownout keepalive sweep`, the program itself: what it shows and writes, and how it ends.

#![allow(missing_docs, clippy::unwrap_used)]

use assert_cmd::Command;
use brownout::keepalive::model::Sweep;
use std::fs;

/// A sweep that takes a moment.
const SMALL: [&str; 8] =
    ["--keep-alive", "1m,5m", "--outage", "30s", "--path-idle", "never", "--days", "0.25"];

fn sweep(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("brownout").unwrap();
    command.args(["keepalive", "sweep"]).args(args);
    command
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

/// Pinned to one processor, the program has one thread for the work.
fn on_one_processor(args: &[&str]) -> Option<Vec<u8>> {
    let program = assert_cmd::cargo::cargo_bin("brownout");
    let run = std::process::Command::new("taskset")
        .args(["-c", "0"])
        .arg(program)
        .args(["keepalive", "sweep"])
        .args(args)
        .output();
    run.ok().filter(|output| output.status.success()).map(|output| output.stdout)
}

#[test]
fn json_is_the_same_on_one_processor_and_on_all() {
    let args = [&SMALL[..], &["--loss", "0%,2%", "--json", "-", "--seed", "7"]].concat();
    let all = stdout(&mut sweep(&args));
    assert_eq!(all, stdout(&mut sweep(&args)));
    match on_one_processor(&args) {
        Some(one) => assert_eq!(all.as_bytes(), one),
        None => println!("SKIPPED on one processor: no taskset here"),
    }
    let sweep: Sweep = serde_json::from_str(&all).unwrap();
    assert_eq!((sweep.terms.seed, sweep.cases.len()), (7, 4));
    let order: Vec<(u16, f64)> = sweep.cases.iter().map(|row| (row.case.keep_alive, row.case.loss)).collect();
    assert_eq!(order, [(60, 0.0), (60, 0.02), (300, 0.0), (300, 0.02)]);
}

#[test]
fn every_form_is_written_and_text_fits_80_columns() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (json, csv, html, junit) = (path("a.json"), path("a.csv"), path("a.html"), path("a.xml"));
    let files = ["--json", &json, "--csv", &csv, "--html", &html, "--junit", &junit];
    let shown = stdout(&mut sweep(&[&SMALL[..], &files].concat()));
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colour into a pipe");
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 3);
    for (path, begins) in [(&json, "{"), (&html, "<!"), (&junit, "<?xml")] {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.trim_start().starts_with(begins), "{path}: {}", &text[..40.min(text.len())]);
    }
}

#[test]
fn an_expectation_that_is_not_met_ends_with_1() {
    let met = [&SMALL[..], &["--expect", "false_disconnects <= 0"]].concat();
    sweep(&met).assert().success();
    let unmet = [&SMALL[..], &["--expect", "downtime <= 1s/day"]].concat();
    sweep(&unmet).assert().code(1);
}

#[test]
fn a_recorded_trace_is_swept() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("outages.csv");
    fs::write(&trace, "start,duration\n3600,120\n7200,5m\n").unwrap();
    let rule = format!("trace:{}", trace.display());
    let args = ["--keep-alive", "1m", "--path-idle", "never", "--outages", &rule, "--json", "-", "-q"];
    let sweep_of: Sweep = serde_json::from_str(&stdout(&mut sweep(&args))).unwrap();
    assert_eq!((sweep_of.cases[0].figures.outages, sweep_of.cases[0].case.outages.as_str()), (2, &*rule));
    fs::write(&trace, "3600,120\n7200,five\n").unwrap();
    let told = sweep(&args).assert().code(2);
    let told = String::from_utf8(told.get_output().stderr.clone()).unwrap();
    assert!(told.contains("line 2, column 6: `five` is not a duration"), "{told}");
}

#[test]
fn what_is_unmet_is_told_beside_a_form_on_standard_output() {
    let args = [&SMALL[..], &["--quiet", "--json", "-", "--expect", "downtime == 0"]].concat();
    let told = sweep(&args).assert().code(1);
    let output = told.get_output();
    assert!(serde_json::from_slice::<Sweep>(&output.stdout).is_ok());
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(told.starts_with("Expectations: 1 of 1 unmet") && told.contains("downtime == 0"), "{told}");
}

#[test]
fn what_is_given_twice_is_simulated_once() {
    let twice = ["--keep-alive", "5m,1m,5m", "--outage", "30s,30s", "--path-idle", "never,never"];
    let shown = stdout(&mut sweep(&[&twice[..], &["--days", "0.25", "--quiet", "--json", "-"]].concat()));
    let sweep: Sweep = serde_json::from_str(&shown).unwrap();
    let keep_alives: Vec<u16> = sweep.cases.iter().map(|row| row.case.keep_alive).collect();
    assert_eq!(keep_alives, [300, 60]);
}

#[test]
fn usage_and_environment_are_told_before_any_work() {
    let waits = (1..=100).map(|seconds| format!("{seconds}s")).collect::<Vec<_>>().join(",");
    for (args, code, problem) in [
        (&["--client", "x"][..], 2, "`x` is not a client"),
        (&["--keep-alive", "60"], 2, "has no unit"),
        (&["--ping-timeout", "25h"], 2, "`25h` is more than 24h"),
        (&["--outages", "weekly"], 2, "are no outages"),
        (&["--outage", "1h,1ms", "--outages", "fixed:1ms,every=2ms"], 2, "make them rarer"),
        (
            &["--keep-alive", "1s..18h/1000", "--loss", "0%,1%,2%,3%", "--ping-timeout", &waits],
            2,
            "give fewer values",
        ),
        (&["--fleet", "10000", "--keep-alive", "1s..18h/1000"], 2, "smaller --fleet"),
        (&["--outages", "trace:/nowhere.csv"], 2, "cannot read /nowhere.csv"),
        (&["--json", "-", "--csv", "-"], 2, "only one form"),
        (&["--json", "/nowhere/a.json"], 3, "give another with --json"),
        (&["--expect", "x <= 1"], 2, "x"),
    ] {
        let told = sweep(args).assert().code(code);
        let told = String::from_utf8(told.get_output().stderr.clone()).unwrap();
        assert!(told.contains(problem), "{args:?}: {told}");
    }
}
