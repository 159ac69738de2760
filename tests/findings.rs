//! Findings and verdicts of whole runs: the built binary, the embedded hub, simulated devices.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

const WATCH: &str = "brownout: 1\nname: watch\nsummary: Nothing is broken.\nduration: 8s\n";

/// Dark for six keep-alives, and nothing is expected of anybody.
const DARK: &str = "brownout: 1
name: dark
summary: The path goes dark for longer than anybody should take to notice.
settle: 3s
rules:
  - id: dark
    when: { after: connack, delay: 500ms }
    fault: { blackhole: { for: 6 keepalive } }
";

struct Hub {
    child: Child,
    address: String,
}

impl Hub {
    fn start() -> Hub {
        let hub = ["hub", "--listen", "127.0.0.1:0"];
        let mut child =
            Command::new(BROWNOUT).args(hub).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening on")).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let address = told.split_whitespace().find(|word| word.starts_with("127.")).unwrap();
        Hub { child, address: address.trim_end_matches(';').to_owned() }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the profile with these devices, and leaves its report and log in the folder.
fn run(folder: &Path, profile: &str, more: &[&str], device: &[&str]) -> Output {
    let hub = Hub::start();
    let file = folder.join("profile.yaml");
    fs::write(&file, profile).unwrap();
    Command::new(BROWNOUT)
        .args(["run", file.to_str().unwrap(), "--quiet", "--seed", "1", "--stop-command"])
        .args(["--upstream", &hub.address, "--report", folder.to_str().unwrap()])
        .args(more)
        .args(["--", BROWNOUT, "device", "--quiet"])
        .args(device)
        .output()
        .unwrap()
}

fn again(folder: &Path, strictness: &str) -> (Option<i32>, Value) {
    let log = folder.join("events.jsonl");
    let output = Command::new(BROWNOUT)
        .args(["report", log.to_str().unwrap(), "--json", "--strictness", strictness])
        .output()
        .unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Whatever the client would do on a bad link: on a good one, nothing is wrong with it, by nobody's strictness.
#[test]
fn healthy_devices_on_a_healthy_link_get_no_finding() {
    let kinds = [
        ("careful", "idle", "3.1.1", &[][..]),
        ("typical", "publishing", "5", &[]),
        ("naive", "subscribing", "3.1.1", &[]),
        ("oblivious", "publishing", "3.1.1", &[]),
        ("careful", "publishing", "3.1.1", &["--tls", "terminate"]),
        ("careful", "subscribing", "5", &["--tls", "terminate"]),
    ];
    std::thread::scope(|scope| {
        for (kind, workload, version, tls) in kinds {
            scope.spawn(move || {
                let folder = TempDir::new().unwrap();
                let device = [
                    "--kind",
                    kind,
                    "--workload",
                    workload,
                    "--mqtt",
                    version,
                    "--keep-alive",
                    "30s",
                    "--rate",
                    "4",
                    "--count",
                    "3",
                ];
                let device = if workload == "publishing" { &device[..] } else { &device[..8] };
                let ca = folder.path().join("ca");
                let ca = ca.to_str().unwrap();
                let more = if tls.is_empty() { Vec::new() } else { [tls, &["--ca", ca]].concat() };
                if !tls.is_empty() {
                    assert!(Command::new(BROWNOUT).args(["ca", ca]).output().unwrap().status.success());
                }
                let output = run(folder.path(), WATCH, &more, device);
                assert_eq!(output.status.code(), Some(0), "{output:?}");
                for strictness in ["standard", "strict-3.1.1", "strict-5", "azure", "device-advisor"] {
                    let (code, report) = again(folder.path(), strictness);
                    assert_eq!(report["findings"], Value::Array(Vec::new()), "{kind} by {strictness}");
                    assert_eq!(code, Some(0), "{kind} by {strictness}");
                    assert_eq!(
                        report["verdicts"]["detection"]["grade"], "inconclusive",
                        "no fault, no evidence"
                    );
                }
            });
        }
    });
}

/// The same run passes or fails by what was asked for, and says so.
#[test]
fn a_strictness_that_was_asked_for_decides() {
    let folder = TempDir::new().unwrap();
    let oblivious = ["--kind", "oblivious", "--keep-alive", "1s"];
    let output = run(folder.path(), DARK, &[], &oblivious);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "findings alone change no exit code\n{text}");
    assert!(text.contains("dead-link-not-detected") && text.contains("DETECTION  fail"), "{text}");
    let (code, report) = again(folder.path(), "device-advisor");
    assert_eq!((code, report["verdict"].as_str()), (Some(1), Some("failed")));
    assert_eq!(report["verdicts"]["strictness"], "device-advisor");
    let (code, report) = again(folder.path(), "strict-3.1.1");
    assert_eq!((code, report["verdicts"]["detection"]["grade"].as_str()), (Some(0), Some("warn")));

    let asked = TempDir::new().unwrap();
    let output = run(asked.path(), DARK, &["--strictness", "azure"], &oblivious);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("FAILED: DETECTION") && text.contains("strictness=azure"), "{text}");
}

#[test]
fn a_strictness_that_there_is_not_is_named() {
    let output = Command::new(BROWNOUT)
        .args(["run", "demo", "--strictness", "azur", "--upstream", "127.0.0.1:1"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("device-advisor") && told.contains("azure"), "{told}");
}
