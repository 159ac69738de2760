//! `brownout keepalive live` from its first look to its table: the built binary, with its own hub and devices.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "common/machine.rs"]
mod machine;

use machine::Machine;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

/// The embedded hub on a port of its own, for as long as it is held.
struct Hub {
    child: Child,
    address: String,
}

impl Hub {
    fn start() -> Hub {
        Hub::at("127.0.0.1:0")
    }

    fn at(address: &str) -> Hub {
        let mut command = Command::new(BROWNOUT);
        command.args(["hub", "--quiet", "--listen", address]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.split("listening on ").nth(1).unwrap().split([';', ' ']).next().unwrap().to_owned();
        Hub { child, address }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn live(hub: &Hub, arguments: &[&str], device: &[&str]) -> Output {
    command(hub, arguments, device).output().unwrap()
}

fn command(hub: &Hub, arguments: &[&str], device: &[&str]) -> Command {
    let mut command = Command::new(BROWNOUT);
    command.args(["keepalive", "live", "--quiet", "--upstream", &hub.address]).args(arguments);
    command.arg("--").arg(BROWNOUT).args(["device", "--quiet"]).args(device);
    command.stdin(Stdio::null());
    command
}

/// Waits until the file has this in it.
fn wait_for(file: &Path, text: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(file).is_ok_and(|found| found.contains(text)) {
        assert!(Instant::now() < end, "no {text} in {}", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(output: &Output) -> String {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    of(&output.stdout) + &of(&output.stderr)
}

/// A device whose habits are known is met by its prediction on both sides of both thresholds.
#[test]
fn what_is_predicted_is_what_happens() {
    let (hub, folder) = (Hub::start(), tempfile::TempDir::new().unwrap());
    let report = folder.path().to_str().unwrap();
    let arguments = ["--keep-alive", "2s", "--client", "typical", "--report", report];
    let machine = Machine::watched();
    let output = live(&hub, &arguments, &["--kind", "typical"]);
    let late = machine.late().worst * 2;
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let json = std::fs::read_to_string(folder.path().join("live.json")).unwrap();
    let live: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&live["mode"], &live["brownout_keepalive_live"]), (&"restart".into(), &1.into()));
    let rows = live["rows"].as_array().unwrap();
    for end in ["device", "hub"] {
        let seen = |row: &&Value| !row[end]["measured"].is_null();
        assert!(rows.iter().any(|row| seen(&row)), "an outage that the {end} notices: {shown}");
        assert!(
            rows.iter().any(|row| row[end]["measured_never"] == true),
            "and one that it does not: {shown}"
        );
        // What is told apart by whole keep-alives is predicted to a fraction of one.
        for row in rows.iter().filter(seen) {
            let apart = Duration::from_nanos(row[end]["difference_ns"].as_i64().unwrap().unsigned_abs());
            assert!(apart < Duration::from_millis(300) + late, "{end} {apart:?}: {shown}");
        }
    }
    assert!(folder.path().join("live.txt").exists());
    assert!(folder.path().read_dir().unwrap().count() > rows.len(), "a report for each outage");
}

/// The test can fail: another client's habits are not those of this device.
#[test]
fn a_wrong_prediction_is_told() {
    let hub = Hub::start();
    let arguments = ["--keep-alive", "2s", "--client", "careful", "--outage", "4.5s"];
    let output = live(&hub, &arguments, &["--kind", "naive"]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("DIFFERS"), "{shown}");
}

/// A hub that is killed in an outage has not timed anything out, and what its device then did is no answer to the outage.
#[test]
fn a_hub_that_dies_in_an_outage_is_no_evidence() {
    let (hub, folder) = (Hub::start(), tempfile::TempDir::new().unwrap());
    let report = folder.path().to_str().unwrap();
    let arguments = ["--keep-alive", "2s", "--client", "typical", "--outage", "6s", "--report", report];
    let mut command = command(&hub, &arguments, &["--kind", "typical"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&folder.path().join("2s-6s-1/events.jsonl"), "\"event\":\"fault_applied\"");
    let address = hub.address.clone();
    drop(hub);
    let _hub = Hub::at(&address);
    let output = run.wait_with_output().unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    // It was away, or back before anybody dialled it again; then it ended all its connections at once.
    assert!(shown.contains("no evidence: the hub "), "{shown}");
    let json = std::fs::read_to_string(folder.path().join("live.json")).unwrap();
    let live: Value = serde_json::from_str(&json).unwrap();
    let row = &live["rows"][0];
    assert_eq!(row["verdict"], "inconclusive", "{shown}");
    for what in ["device", "hub", "recovery"] {
        assert!(row[what]["measured"].is_null() && row[what]["measured_never"] == false, "{what}: {shown}");
    }
}

/// A device of MQTT 5 that asks for another keep-alive is stepped by the hub's.
#[test]
fn server_keep_alive_steps_a_device_that_does_not_heed_the_environment() {
    let hub = Hub::start();
    let arguments = ["--keep-alive", "2s", "--client", "typical", "--outage", "5.5s"];
    let device = ["--kind", "typical", "--mqtt", "5", "--keep-alive", "30s", "--ping-timeout", "2s"];
    let output = live(&hub, &arguments, &device);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("told its keep-alives by Server Keep Alive"), "{shown}");
    let older = live(&hub, &arguments, &["--kind", "typical", "--keep-alive", "3s"]);
    assert!(text(&older).contains("judged with its own"), "{}", text(&older));
}

/// What cannot be stepped is told before anything is broken.
#[test]
fn a_device_that_never_comes_is_told() {
    let hub = Hub::start();
    let mut command = Command::new(BROWNOUT);
    command.args(["keepalive", "live", "--upstream", &hub.address, "--keep-alive", "2s", "--", "sh", "-c"]);
    let output = command.arg("echo no broker here; exit 3").stdin(Stdio::null()).output().unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("no device connected; the command ended with exit code 3"), "{shown}");
    assert!(shown.contains("no broker here"), "{shown}");
    for (arguments, problem) in [
        (["--keep-alive", "1.5s", "--mode", "auto"], "whole seconds"),
        (["--keep-alive", "2s", "--client", "nobody"], "--client"),
        (["--keep-alive", "2s", "--mode", "restart"], "needs the device's command"),
    ] {
        let mut command = Command::new(BROWNOUT);
        command.args(["keepalive", "live", "--upstream", &hub.address]).args(arguments);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(problem), "{}", text(&output));
    }
}

/// Told more than it asks for, a device is silent beyond its own keep-alive; its prediction is held against what it was told.
#[test]
fn a_device_that_is_told_more_than_it_asks_for_is_known_by_its_silence() {
    let hub = Hub::start();
    let arguments = ["--keep-alive", "4s", "--mode", "server-keep-alive", "--outage", "9.5s", "--json", "-"];
    let device = ["--kind", "typical", "--mqtt", "5", "--keep-alive", "1s", "--ping-timeout", "4s"];
    let output = live(&hub, &arguments, &device);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let live: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&live["mode"], &live["planned"]), (&"server_keep_alive".into(), &1.into()));
    assert_eq!(live["rows"][0]["keep_alive"], 4);
}

/// What is refused leaves no file behind, and a fixed port is for one.
#[test]
fn what_is_refused_leaves_nothing() {
    let (hub, folder) = (Hub::start(), tempfile::TempDir::new().unwrap());
    let file = folder.path().join("live.json");
    let of = |arguments: &[&str], command: &str| {
        let mut live = Command::new(BROWNOUT);
        live.args(["keepalive", "live", "--quiet", "--upstream", &hub.address, "--keep-alive", "2s"]);
        live.args(arguments).arg("--json").arg(&file).args(["--", command]);
        let output = live.stdin(Stdio::null()).output().unwrap();
        assert!(!file.exists(), "{}", text(&output));
        (output.status.code(), text(&output))
    };
    let (code, shown) = of(&[], "false");
    assert!(code == Some(1) && shown.contains("exit code 1"), "{code:?} {shown}");
    let (code, shown) = of(&[], "no-such-command-anywhere");
    assert!(code == Some(2) && shown.contains("no-such-command-anywhere"), "{code:?} {shown}");
    for (arguments, problem) in [
        (["--outage", "0s"], "--outage: 0s is not more than 0 and 24h at most"),
        (["--outage", "9600h"], "--outage: 9600h is not more than 0 and 24h at most"),
        (["--within", "9600h"], "--within is 24h at most"),
    ] {
        let (code, shown) = of(&arguments, "true");
        assert!(code == Some(2) && shown.contains(problem), "{code:?} {shown}");
    }
    let (code, shown) = of(&["--listen", "127.0.0.1:1884", "--jobs", "2"], "true");
    assert!(code == Some(2) && shown.contains("one port holds one outage"), "{code:?} {shown}");
}
