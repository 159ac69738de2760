//! `brownout observe` as a user meets it: the built binary before the embedded hub.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// A program that is ended with the test.
struct Running {
    child: Child,
    address: SocketAddr,
    out: Option<BufReader<ChildStdout>>,
    err: BufReader<ChildStderr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program, and reads the address that it tells after these words.
fn start(arguments: &[&str], words: &str) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_brownout"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    while err.read_line(&mut told).unwrap() > 0 {
        if let Some((_, rest)) = told.split_once(words) {
            let address = rest.split([',', ';', ' ', '\n']).next().unwrap().parse().unwrap();
            return Running { child, address, out: Some(out), err };
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("it did not start: {told}");
}

fn hub() -> Running {
    start(&["hub", "--listen", "127.0.0.1:0"], "listening on ")
}

fn observe(hub: &Running, more: &[&str]) -> Running {
    let upstream = hub.address.to_string();
    let arguments = ["observe", "--upstream", &upstream, "--listen", "127.0.0.1:0"];
    start(&[&arguments, more].concat(), "devices connect to ")
}

impl Running {
    fn ends(&mut self, signal: &str) -> (i32, String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let (mut out, mut err) = (String::new(), String::new());
        self.out.take().unwrap().read_to_string(&mut out).unwrap();
        self.err.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code().unwrap(), out, err)
    }

    /// The next JSON line of this kind.
    fn next(&mut self, kind: &str) -> Value {
        let out = self.out.as_mut().unwrap();
        let mut line = String::new();
        while out.read_line(&mut line).unwrap() > 0 {
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["kind"] == kind {
                return value;
            }
            line.clear();
        }
        panic!("no {kind} came");
    }
}

/// A device that is accepted.
fn device(at: SocketAddr, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut connect = vec![0x10, u8::try_from(12 + name.len()).unwrap()];
    connect.extend([0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, u8::try_from(name.len()).unwrap()]);
    connect.extend(name.as_bytes());
    stream.write_all(&connect).unwrap();
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).unwrap();
    assert_eq!(connack, [0x20, 2, 0, 0]);
    stream
}

fn says_goodbye(mut device: TcpStream) {
    device.write_all(&[0xe0, 0]).unwrap();
    let mut rest = Vec::new();
    // The hub closes; then the link is gone for brownout, too.
    device.read_to_end(&mut rest).unwrap();
}

fn report(logs: &[&Path]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_brownout")).arg("report").args(logs).arg("--json").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_observation_in_json_from_its_first_device_to_sigterm() {
    let hub = hub();
    let mut observer = observe(&hub, &["--interval", "1s", "--json"]);
    let stays = device(observer.address, "stays");
    drop(device(observer.address, "drops"));
    let end = observer.next("end");
    assert_eq!((end["device"].as_str(), end["azure_code"].as_u64()), (Some("drops"), Some(404_104)));
    assert_eq!(end["cause"], "closed without DISCONNECT by the device");
    let interval = observer.next("interval");
    assert!(interval["time"].as_str().unwrap().ends_with('Z'));
    let quiet = loop {
        let interval = observer.next("interval");
        if interval["links"] == 0 {
            break interval;
        }
    };
    assert_eq!((&quiet["connected"], &quiet["seen"], &quiet["down"]), (&1.into(), &2.into(), &1.into()));
    let (code, out, err) = observer.ends("-TERM");
    assert_eq!(code, 0, "{err}");
    let last: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let total = last.last().unwrap();
    assert_eq!((&total["kind"], &total["links"]), (&"total".into(), &2.into()));
    assert_eq!(last[last.len() - 2]["report"]["profile"]["name"], "observe");
    drop(stays);
}

/// A last one of a millisecond was told as well, and its report, of nothing, took the place of the last whole interval's.
#[test]
fn the_last_interval_ends_with_the_observation() {
    let (hub, folder) = (hub(), TempDir::new().unwrap());
    let directory = folder.path().to_str().unwrap();
    let more = ["--interval", "1s", "--duration", "2s", "--json", "--report", directory];
    let mut observer = observe(&hub, &more);
    let last = (0..2).map(|_| observer.next("interval")).last().unwrap();
    let whole = observer.next("report");
    assert!(last["until_s"].as_f64().unwrap() - last["from_s"].as_f64().unwrap() >= 1.0, "{last}");
    assert!(whole["report"]["runs"][0]["lasted_s"].as_f64().unwrap() >= 1.0, "{whole}");
    assert!(observer.child.wait().unwrap().success());
    let kept = fs::read_to_string(folder.path().join("report.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["runs"], whole["report"]["runs"]);
}

#[test]
fn the_log_rotates_and_its_parts_are_what_it_would_have_been_in_one() {
    let folder = TempDir::new().unwrap();
    let (parts, whole) = (folder.path().join("parts"), folder.path().join("whole"));
    let hub = hub();
    let small = ["--interval", "1s", "--quiet", "--rotate-size", "64KiB", "--rotate-keep", "100", "--report"];
    let mut outer = observe(&hub, &["--interval", "1m", "--report", whole.to_str().unwrap()]);
    let upstream = outer.address.to_string();
    let arguments = ["observe", "--upstream", &upstream, "--listen", "127.0.0.1:0"];
    let arguments = [&arguments[..], &small, &[parts.to_str().unwrap()]].concat();
    let mut inner = start(&arguments, "devices connect to ");
    let stays = device(inner.address, "stays");
    for nth in 0..200 {
        says_goodbye(device(inner.address, &format!("device-{}", nth % 20)));
    }
    drop(stays);
    let (code, out, err) = inner.ends("-INT");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("201 links opened"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert_eq!(outer.ends("-TERM").0, 0);
    let mut logs: Vec<_> = fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    assert!(logs.len() >= 3, "{logs:?}");
    logs.sort();
    let all = report(&[&parts]);
    let by_name: Vec<&Path> = logs.iter().rev().map(|path| path.as_path()).collect();
    assert_eq!(report(&by_name), all, "in whatever order");
    // The same devices, seen by a log in one piece.
    let one = report(&[&whole]);
    for figure in ["accepted", "devices", "most_connected", "dip"] {
        assert_eq!(all["fleet"][figure], one["fleet"][figure], "{figure}");
    }
    // The observer looked once whether its hub was there.
    let links = |report: &Value| report["fleet"]["links"].as_u64().unwrap();
    assert_eq!(links(&all) + 1, links(&one));
    let ends = |report: &Value| -> Vec<(String, Value, Value)> {
        let devices = report["devices"].as_array().unwrap().iter();
        devices.map(|d| (d["name"].to_string(), d["ends"].clone(), d["links"].clone())).collect()
    };
    assert_eq!(ends(&all), ends(&one));
    // Each part by itself: together they opened what there was.
    let each: Vec<Value> = logs.iter().map(|log| report(&[log])).collect();
    let sum = |figure: &str| each.iter().map(|report| report["fleet"][figure].as_u64().unwrap()).sum::<u64>();
    assert_eq!(Value::from(sum("links")), all["fleet"]["links"]);
    let events: u64 = each.iter().map(|report| report["runs"][0]["events"].as_u64().unwrap()).sum();
    assert_eq!(Value::from(events), all["runs"][0]["events"]);
    let gap = [logs[0].as_path(), logs[2].as_path()];
    let output = Command::new(env!("CARGO_BIN_EXE_brownout")).arg("report").args(gap).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is missing"));
}

#[test]
fn the_oldest_files_go_and_what_is_left_stands_for_itself() {
    let folder = TempDir::new().unwrap();
    let hub = hub();
    let directory = folder.path().to_str().unwrap();
    // What an earlier observation left there would be taken for a part of this one.
    fs::write(folder.path().join("events-000007.jsonl"), "old").unwrap();
    let bounds = ["--interval", "1s", "--rotate-size", "64KiB", "--rotate-keep", "2", "--report", directory];
    let mut observer = observe(&hub, &bounds);
    let stays = device(observer.address, "stays");
    for nth in 0..300 {
        says_goodbye(device(observer.address, &format!("device-{}", nth % 20)));
    }
    let (code, _, err) = observer.ends("-TERM");
    assert_eq!(code, 0, "{err}");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let logs: Vec<&String> = names.iter().filter(|name| name.ends_with(".jsonl")).collect();
    assert_eq!(logs.len(), 2, "{names:?}");
    for log in logs {
        assert!(fs::read_to_string(folder.path().join(log)).unwrap().starts_with("{\"seq\":"), "{log}");
    }
    for form in ["report.json", "report.html", "junit.xml", "summary.md"] {
        assert!(names.contains(&form.to_owned()), "{names:?}");
    }
    let left = report(&[folder.path()]);
    assert_eq!(left["fleet"]["devices"], 21);
    assert!(left["runs"][0]["events"].as_u64().unwrap() < 2_500);
    let stayed = left["devices"].as_array().unwrap().iter().find(|device| device["name"] == "stays").unwrap();
    assert_eq!((&stayed["links"], &stayed["keep_alive_s"]), (&0.into(), &60.0.into()));
    drop(stays);
}

#[test]
fn usage_that_cannot_work_says_what_to_do() {
    for (more, wanted) in [
        (&["--interval", "500ms"][..], "is shorter than 1s"),
        (&["--rotate-size", "1KiB"], "is less than 64 KiB"),
        (&["--rotate-keep", "2"], "--report <DIR>"),
        (&["--rotate-size", "1MiB"], "--report <DIR>"),
        (&["--rotate-size", "64"], "write a whole number and B"),
        (&["--rotate-keep", "0"], "from 1 to 100000"),
        (&["--listen", "nowhere"], "--listen"),
        (&["--hub-insecure"], "says nothing without TLS"),
    ] {
        let arguments = [&["observe", "--upstream", "127.0.0.1:1"], more].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_brownout")).args(arguments).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(wanted), "{err}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_brownout"))
        .args(["observe", "--upstream", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
}
