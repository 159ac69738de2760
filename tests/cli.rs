//! The built binary as a user meets it: words, exit codes, files, and the demo from its start to its report.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "common/machine.rs"]
mod machine;

use assert_cmd::Command;
use machine::Machine;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn brownout() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command
        .env_remove("BROWNOUT_HOST")
        .env_remove("BROWNOUT_URL")
        .env_remove("BROWNOUT_CA")
        .env_remove("BROWNOUT_PORT")
        .timeout(std::time::Duration::from_secs(180));
    command
}

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = brownout().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn profile(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("mine.yaml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const WRONG: &str = "\
brownout: 1
name: mine
summary: Everything is wrong.
rules:
  - id: dark
    wen: { after: connack, delay: 5 }
    fault: { blackhole: { toward: both, fore: 10s } }
  - id: dark
    when: { at: 3s }
    fault: { stall: { direction: sideways, for: 0s } }
expect:
  - { metric: device_detektion, of: drak, max: \"<= 3 keepalive\" }
";

#[test]
fn check_tells_every_problem_at_once() {
    let folder = TempDir::new().unwrap();
    let path = profile(&folder, WRONG);
    let (code, out, err) = run(&["check", &path]);
    assert_eq!((code, out.as_str()), (2, ""));
    insta::assert_snapshot!("check-wrong", err.replace(&path, "mine.yaml"));
}

#[test]
fn check_tells_a_good_profile_in_words() {
    let (code, out, err) =
        run(&["check", "keepalive-blackhole", "--set", "dark.for=20s", "--keep-alive", "4s"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("check-good", out);
}

/// The mode of the run is told beside what the rules do, and what it keeps from being measured.
#[test]
fn check_as_if_run_with_tls() {
    let (code, out, err) = run(&["check", "tls-handshake-trouble", "--tls", "terminate"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("TLS with devices, plain to the hub."), "{out}");
    let (code, out, _) = run(&["check", "slow-link", "--tls", "passthrough"]);
    assert_eq!(code, 0);
    assert!(out.contains("no sample of `ping_rtt` will come"), "{out}");
}

#[test]
fn profiles_are_listed_shown_and_explained() {
    insta::assert_snapshot!("profiles", run(&["profiles"]).1);
    let (code, shown, _) = run(&["profiles", "show", "slow-link"]);
    assert_eq!(code, 0);
    assert_eq!(
        shown,
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/slow-link.yaml")).unwrap()
    );
    let (code, _, err) = run(&["profiles", "show", "slow-lnik"]);
    assert_eq!(code, 2);
    assert!(err.contains("did you mean `slow-link`?"), "{err}");
    let schema: Value = serde_json::from_str(&run(&["profiles", "schema"]).1).unwrap();
    assert!(schema["$defs"]["blackhole"]["properties"]["for"].is_object());
}

/// The reference that stands beside the profiles is the one that the binary prints.
#[test]
fn the_reference_is_of_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/REFERENCE.md");
    let printed = run(&["profiles", "reference"]).1;
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == printed, "write it anew: brownout profiles reference > profiles/REFERENCE.md");
}

#[test]
fn usage_that_cannot_work_says_what_to_do() {
    for (arguments, wanted) in [
        (&["run", "keepalive-blackhole"][..], "--upstream HOST:PORT"),
        (&["run", "keepalive-blakhole", "--upstream", "127.0.0.1:1"], "did you mean `keepalive-blackhole`?"),
        (&["run", "./none.yaml", "--upstream", "127.0.0.1:1"], "cannot read the profile ./none.yaml"),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--set", "dark"], "write key=value"),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--duration", "5"], "`5` has no unit"),
        (&["check", "demo", "--set", "drak.for=5s"], "dark"),
        (&["check", "tls-handshake-trouble", "--tls", "passthrough"], "give --tls terminate"),
        (&["check", "demo", "--tls", "pass"], "passthrough"),
        (
            &["run", "tls-handshake-trouble", "--upstream", "127.0.0.1:1"],
            "give --tls terminate or --tls reoriginate",
        ),
        (
            &["run", "tls-record-damage", "--upstream", "127.0.0.1:1", "--tls", "passthrough"],
            "use `at` or `every`",
        ),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--ca", "x"], "say with --tls"),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--tls", "originate", "--ca", "x"], "take --ca out"),
        (&["device", "--keep-alive", "1500ms"], "whole seconds"),
        (&["device", "--rate", "5"], "--workload"),
        (&["device", "--kind", "carefull"], "careful, typical"),
        (&["device", "--connect", "broker"], "--connect: `broker` is not a host and port"),
        (&["device", "--connect", "::1:1883"], "--connect: `::1:1883` is not a host and port"),
        (&["report", "./none.jsonl"], "cannot read ./none.jsonl"),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--", "/etc/passwd"], "nobody may execute"),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--"], "nothing follows `--`"),
        (&["run", "demo", "--upstream", "127.0.0.1:1", "--tap-ports", "1883"], "give --tap, too"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
    }
}

#[test]
fn a_device_that_is_told_of_no_port_by_its_environment_says_so() {
    let mut device = brownout();
    device.args(["device"]).env("BROWNOUT_HOST", "127.0.0.1").env("BROWNOUT_PORT", "mqtt");
    let output = device.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("BROWNOUT_HOST and BROWNOUT_PORT: `127.0.0.1:mqtt` is not a host"), "{told}");
}

#[test]
fn an_environment_that_refuses_is_code_3_and_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report");
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let report_argument = report.to_str().unwrap();
    let at_taken =
        ["run", "slow-link", "--upstream", &taken, "--listen", &taken, "--report", report_argument];
    let (log, nowhere) = (folder.path().join("resource.log"), folder.path().join("nowhere/file"));
    let (log_argument, nowhere) = (log.to_str().unwrap(), nowhere.to_str().unwrap());
    let at_free = ["--upstream", &free, "--report", report_argument, "--resource-log"];
    let observed = [&["observe"], &at_free[..], &[nowhere]].concat();
    let logged = [&["run", "slow-link"], &at_free[..], &[nowhere]].concat();
    let captured = [&["run", "slow-link"], &at_free[..], &[log_argument, "--pcap", nowhere]].concat();
    let shown = ["report", "tests/cases/demo.jsonl", "--report", report_argument, "--resource-log", nowhere];
    for (arguments, wanted) in [
        (&["run", "slow-link", "--upstream", &free, "--report", report_argument][..], "cannot be reached"),
        (&at_taken[..], "another program has the port"),
        (&["observe", "--upstream", &free, "--report", report_argument], "cannot be reached"),
        (&observed, "give another file with --resource-log"),
        (&logged, "give another file with --resource-log"),
        (&captured, "give another file with --pcap"),
        (&shown, "give another file with --resource-log"),
        (&["hub", "--listen", &taken], "another program has the port"),
        (&["hub", "--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (3, ""), "{arguments:?}: {err}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
    }
    assert!(!report.exists() && !log.exists(), "a run that did not start left files behind");
    drop(holder);
}

/// A log written by this version once, kept to see that what it says stays readable and renders the same.
#[test]
fn a_kept_log_renders_the_same_report() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/demo.jsonl");
    let (code, out, err) = run(&["report", log.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (1, ""));
    insta::assert_snapshot!("report-demo", out);
}

#[test]
fn logs_that_are_none_or_differ_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.jsonl");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/demo.jsonl");
    let text = fs::read_to_string(&kept).unwrap();
    for (content, wanted) in [
        (String::new(), "the log is empty"),
        ("{}\n".into(), ":1: "),
        (text.lines().skip(1).take(3).collect::<Vec<_>>().join("\n"), "not `run_started`"),
        (format!("{}\nnonsense\n{}\n", text.lines().next().unwrap(), text.lines().nth(1).unwrap()), ":2: "),
        (without(&text, 20), ":21: the event has `seq` 21, and 20 was to come: lines are missing before it"),
        (format!("{text}{text}"), "the event has `seq` 0, and 437 was to come: lines stand twice"),
    ] {
        fs::write(&path, content).unwrap();
        let (code, out, err) = run(&["report", path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(wanted), "{err}");
    }
    fs::write(
        &path,
        text.replacen(
            "\"profile_name\":\"demo\",\"profile\":\"",
            "\"profile_name\":\"demo\",\"profile\":\"# other\\n",
            1,
        ),
    )
    .unwrap();
    let (code, _, err) = run(&["report", kept.to_str().unwrap(), path.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("of another profile"), "{err}");
}

fn without(text: &str, nth: usize) -> String {
    let kept = text.lines().enumerate().filter(|(place, _)| *place != nth);
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

/// A run that was killed leaves a log that breaks off, at a line or amid one: of what it would have shown, nothing is known.
#[test]
fn a_log_that_breaks_off_is_not_through_in_every_form() {
    let folder = TempDir::new().unwrap();
    let (path, report) = (folder.path().join("events.jsonl"), folder.path().join("report"));
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/demo.jsonl");
    let text = fs::read_to_string(&kept).unwrap();
    let whole = text.lines().take(400).map(|line| format!("{line}\n")).collect::<String>();
    for content in [&whole[..], &whole[..whole.len() - 20]] {
        fs::write(&path, content).unwrap();
        let (code, out, err) = run(&["report", path.to_str().unwrap(), "--report", report.to_str().unwrap()]);
        assert_eq!(code, 1, "{err}");
        assert!(out.contains("NOT THROUGH: ") && out.contains("the log breaks off: "), "{out}");
        let form = |name: &str| fs::read_to_string(report.join(name)).unwrap();
        let json: Value = serde_json::from_str(&form("report.json")).unwrap();
        assert_eq!(json["verdict"], "not_through");
        assert!(form("junit.xml").contains(r#"type="not_through">the log breaks off: "#));
        assert!(form("summary.md").contains("NOT THROUGH, "));
        assert!(form("report.html").contains("Not through"));
    }
}

/// The main job: `brownout demo`, in a pipe, with its files.
#[test]
fn the_demo_shows_how_devices_differ() {
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report");
    let (machine, started) = (Machine::watched(), std::time::Instant::now());
    let (code, out, err) = run(&["demo", "--report", report.to_str().unwrap()]);
    let (took, late) = (started.elapsed(), machine.late());
    assert_eq!(code, 0, "{err}");
    assert!(took < std::time::Duration::from_secs(30) + late.all, "{took:?}");
    for told in ["noticed", "path restored", "is back"] {
        assert!(err.contains(told), "{told}: {err}");
    }
    assert!(out.contains("brownout run keepalive-blackhole --upstream"), "{out}");
    assert!(!out.contains('\x1b') && !err.contains('\x1b'), "colours in a pipe");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let json: Value = serde_json::from_str(&fs::read_to_string(report.join("report.json")).unwrap()).unwrap();
    // What the machine was late, as this test or as brownout itself saw it, at each end of a span.
    let held_up = json["uncertainty"]["held_up"]["worst_s"].as_f64().unwrap_or(0.0);
    let late = 2.0 * held_up.max(late.worst.as_secs_f64());
    let dark = &json["rules"][0];
    assert_eq!(dark["id"], "dark");
    let of = |device: &str, key: &str| -> Value {
        let windows = dark["windows"].as_array().unwrap();
        windows.iter().find(|window| window["device"] == device).unwrap()[key].clone()
    };
    let detection = |device| of(device, "device_detection_s").as_f64().unwrap();
    // By their habits, at a keep-alive of 2 s: within 1.25, 1.9 and 3.9 keep-alives, and never.
    assert!(detection("careful") < 2.5 + 0.5 + late);
    assert!(detection("careful") < detection("typical") && detection("typical") < 3.8 + 0.5 + late);
    assert!(detection("typical") < detection("naive") && detection("naive") < 7.8 + 0.2 + late);
    assert!(of("oblivious", "device_detection_s")["never_watched_s"].as_f64().unwrap() > 7.9 - late);
    let attempts = |device| of(device, "connect_attempts").as_u64().unwrap();
    assert!(attempts("naive") > attempts("careful"), "{} {}", attempts("naive"), attempts("careful"));
    for device in ["careful", "typical", "naive", "oblivious"] {
        let silence = of(device, "hub_silence_s").as_f64().unwrap();
        assert!(
            (2.99 - late..3.15 + late).contains(&silence),
            "the hub keeps 1.5 keep-alives: {device} {silence}"
        );
    }
    // Every report again, from the log alone, to the byte.
    let log = report.join("events.jsonl");
    let again = run(&["report", log.to_str().unwrap(), "--json"]).1;
    assert!(
        again == fs::read_to_string(report.join("report.json")).unwrap(),
        "the log renders another report"
    );
    assert!(out.starts_with(&run(&["report", log.to_str().unwrap()]).1), "the log renders another text");
}
