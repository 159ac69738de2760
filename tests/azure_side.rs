//! Azure IoT Hub's side, with the built binary alone: the embedded hub, devices that sign their tokens, and the resource log
//! of what becomes of them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const KEY: &str = "c2VjcmV0LW9mLXRoZS10ZXN0";

fn brownout() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    for name in ["BROWNOUT_HOST", "BROWNOUT_PORT", "BROWNOUT_URL", "BROWNOUT_CA"] {
        command.env_remove(name);
    }
    command
}

/// An embedded hub that plays Azure's, until it is dropped.
struct Hub {
    child: Child,
    address: String,
}

impl Hub {
    fn start() -> Hub {
        let mut child = brownout()
            .args(["hub", "--azure", "--azure-key", KEY, "--listen", "127.0.0.1:0", "--quiet"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut told).unwrap();
        let after = told.split("listening on ").nth(1).unwrap_or_else(|| panic!("no address in {told:?}"));
        Hub { address: after.split(';').next().unwrap().to_owned(), child }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn profile(folder: &Path, rules: &str) -> String {
    let path = folder.join("mine.yaml");
    let text = format!("brownout: 1\nname: mine\nsummary: A test.\nsettle: 100ms\nrules: {rules}\n");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A rule that never fires: brownout only watches.
const NOTHING: &str = "[{ id: far, when: { at: 1h }, fault: { rst: { toward: both } } }]";

/// Runs devices through brownout to the hub: exit code and standard error.
fn run(hub: &Hub, profile: &str, options: &[&str], devices: &[&str]) -> (Option<i32>, String) {
    let output = brownout()
        .args(["run", profile, "--upstream", &hub.address, "--quiet"])
        .args(options)
        .args([
            "--",
            env!("CARGO_BIN_EXE_brownout"),
            "device",
            "--quiet",
            "--azure-hub",
            "lab.azure-devices.net",
        ])
        .args(["--azure-key", KEY])
        .args(devices)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// `deviceConnect`, `deviceDisconnect 404104`, by device, in the order of time.
fn by_device(mut lines: Vec<Value>) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    lines.sort_by_key(|line| line["time"].as_str().unwrap().to_owned());
    for line in &lines {
        let properties: Value = serde_json::from_str(line["properties"].as_str().unwrap()).unwrap();
        assert_eq!(properties["maskedIpAddress"], "127.0.0.XXX");
        assert!(properties["sdkVersion"].as_str().unwrap().starts_with("brownout/"), "{line}");
        assert!(properties["authType"].as_str().unwrap().contains(r#""type":"sas""#), "{line}");
        let words = [line["operationName"].as_str(), line["resultType"].as_str()];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        told.entry(properties["deviceId"].as_str().unwrap().to_owned()).or_default().push(words);
    }
    told
}

#[test]
fn each_end_of_a_link_is_one_line_and_a_kept_log_tells_the_same() {
    let (hub, folder) = (Hub::start(), TempDir::new().unwrap());
    let profile = profile(
        folder.path(),
        "[{ id: reset, when: { after: connack, delay: 300ms, times: 1 }, fault: { rst: { toward: both } } }]",
    );
    let (log, again) = (folder.path().join("resource.jsonl"), folder.path().join("again.jsonl"));
    let report = folder.path().join("report");
    let options = ["--resource-log", log.to_str().unwrap(), "--report", report.to_str().unwrap()];
    // Long enough for the reset, a second of back-off, and the end: DISCONNECT.
    let (code, err) = run(&hub, &profile, &options, &["--count", "3", "--duration", "4s"]);
    assert_eq!(code, Some(0), "{err}");
    let told = by_device(lines(&log));
    let expected = ["deviceConnect", "deviceDisconnect 404104", "deviceConnect", "deviceDisconnect"];
    assert_eq!(told.keys().collect::<Vec<_>>(), ["device-1", "device-2", "device-3"]);
    for (device, told) in &told {
        assert_eq!(told, &expected, "{device}");
    }
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains("sig="), "no secret gets there");
    let rendered = brownout()
        .arg("report")
        .arg(&report)
        .args(["--resource-log", again.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(rendered.status.success(), "{rendered:?}");
    assert_eq!(fs::read_to_string(&again).unwrap(), text);
}

/// The cycle of symptom 1: the hub closes at the expiry, refuses the stale token, and takes the fresh one.
#[test]
fn a_token_that_is_not_renewed_runs_the_whole_cycle() {
    let (hub, folder) = (Hub::start(), TempDir::new().unwrap());
    let (profile, log) = (profile(folder.path(), NOTHING), folder.path().join("resource.jsonl"));
    let devices = ["--token-lifetime", "3s", "--renew-before", "never", "--stale", "--duration", "6s"];
    let (_, err) = run(&hub, &profile, &["--resource-log", log.to_str().unwrap()], &devices);
    let told = by_device(lines(&log));
    let told = told.get("device-1").unwrap_or_else(|| panic!("{err}"));
    let cycle = ["deviceConnect", "deviceDisconnect 404104", "deviceConnect 401003", "deviceConnect"]
        .map(String::from);
    assert!(told.starts_with(&cycle), "{told:?}");
}

/// A device that renews in time is never closed by the hub.
#[test]
fn a_token_that_is_renewed_in_time_costs_a_clean_disconnect() {
    let (hub, folder) = (Hub::start(), TempDir::new().unwrap());
    let (profile, log) = (profile(folder.path(), NOTHING), folder.path().join("resource.jsonl"));
    let devices = ["--token-lifetime", "4s", "--renew-before", "50%", "--duration", "6s"];
    let (_, err) = run(&hub, &profile, &["--resource-log", log.to_str().unwrap()], &devices);
    let told = by_device(lines(&log));
    let told = told.get("device-1").unwrap_or_else(|| panic!("{err}"));
    assert!(told.len() >= 6, "{told:?}");
    // The next connect may overtake the DISCONNECT before it, which is on another connection: so they are counted.
    let count = |wanted: &str| told.iter().filter(|entry| *entry == wanted).count();
    assert_eq!(count("deviceConnect"), count("deviceDisconnect"), "{told:?}");
    assert_eq!(
        count("deviceConnect") + count("deviceDisconnect"),
        told.len(),
        "none with an error: {told:?}"
    );
}

#[test]
fn what_cannot_be_done_is_said_before_the_run() {
    let folder = TempDir::new().unwrap();
    let profile = profile(folder.path(), NOTHING);
    let nowhere = folder.path().join("none").join("resource.jsonl");
    let log = ["--resource-log", nowhere.to_str().unwrap()];
    let through = ["--azure-fault-messages", "*", "--tls", "passthrough"];
    for (options, code, wanted) in [
        (&log[..], 3, "give another file with --resource-log"),
        (&through[..], 2, "--azure-fault-messages needs MQTT to read"),
        (&["--azure-fault-messages"][..], 2, "a value is required"),
    ] {
        let command = ["run", &profile, "--upstream", "127.0.0.1:1", "--quiet"];
        let output = brownout().args(command).args(options).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{options:?}: {err}");
        assert!(err.contains(wanted), "{options:?}: {err}");
    }
}

/// The plan that a report reads back has the rules of fault-injection messages, as the run had.
#[test]
fn a_kept_log_knows_whose_fault_messages_were_honoured() {
    let (hub, folder) = (Hub::start(), TempDir::new().unwrap());
    let (profile, report) = (profile(folder.path(), NOTHING), folder.path().join("report"));
    let options = ["--azure-fault-messages", "device-*", "--report", report.to_str().unwrap()];
    let (_, err) = run(&hub, &profile, &options, &["--duration", "500ms"]);
    let written = fs::read_to_string(report.join("report.json")).unwrap_or_else(|_| panic!("{err}"));
    assert!(written.contains("no message of device-* asked for a fault"), "{written}");
    let rendered = brownout().arg("report").arg(&report).arg("--json").output().unwrap();
    let again: Value = serde_json::from_slice(&rendered.stdout).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(&written).unwrap());
}

/// A device that asks once for a fault, by a message of QoS 1, and what the resource log says of it; and the events.
fn asks(hub: &Hub, allowed: &str, command: &str) -> (Vec<String>, String) {
    let folder = TempDir::new().unwrap();
    let (profile, log) = (profile(folder.path(), NOTHING), folder.path().join("resource.jsonl"));
    let report = folder.path().join("report");
    let options = ["--azure-fault-messages", allowed, "--resource-log", log.to_str().unwrap()];
    let options = [&options[..], &["--report", report.to_str().unwrap()]].concat();
    let workload = format!("publishing:devices/{{client}}/messages/events/{command},every=1h,times=1");
    let (_, err) = run(hub, &profile, &options, &["--workload", &workload, "--duration", "6s"]);
    let told = by_device(lines(&log));
    let told = told.get("device-1").unwrap_or_else(|| panic!("{err}")).clone();
    (told, fs::read_to_string(report.join("events.jsonl")).unwrap())
}

fn count(events: &str, name: &str) -> usize {
    events.lines().filter(|line| line.contains(&format!(r#""event":"{name}""#))).count()
}

/// The command is acknowledged and swallowed: the hub never hears it, and the device does not send it again.
#[test]
fn a_device_that_asks_for_it_is_reset_once() {
    let hub = Hub::start();
    let command = "AzIoTHub_FaultOperationType=KillTcp&AzIoTHub_FaultOperationDelayInSecs=1";
    let (told, events) = asks(&hub, "device-*", command);
    assert_eq!(told, ["deviceConnect", "deviceDisconnect 404104", "deviceConnect", "deviceDisconnect"]);
    assert_eq!(count(&events, "fault_message"), 1, "{events}");
    assert!(events.contains(r#""acknowledged":true"#), "{events}");
}

#[test]
fn a_device_that_asks_to_be_refused_is_refused_for_the_time_that_it_said() {
    let hub = Hub::start();
    let command = "AzIoTHub_FaultOperationDurationInSecs=2&AzIoTHub_FaultOperationType=InvokeAuthError";
    let (told, events) = asks(&hub, "device-*", command);
    assert_eq!(told[..3], ["deviceConnect", "deviceDisconnect 401003", "deviceConnect 401003"], "{events}");
    let (refused, rest): (Vec<_>, Vec<_>) = told[2..].iter().partition(|line| line.ends_with("401003"));
    assert!((1..=3).contains(&refused.len()), "{told:?}");
    assert_eq!(rest, ["deviceConnect", "deviceDisconnect"]);
}

/// A glob that does not match: the message is one like any other, and the hub gets it.
#[test]
fn a_device_that_is_not_allowed_to_ask_is_left_alone() {
    let hub = Hub::start();
    let (told, events) = asks(&hub, "other-*", "AzIoTHub_FaultOperationType=KillTcp");
    assert_eq!(told, ["deviceConnect", "deviceDisconnect"]);
    assert_eq!(count(&events, "altered"), 0, "{events}");
}
