//! `brownout keepalive path` as a user meets it: the idle timeout of brownout's own fault, a hub's own policy, and no hub at all.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "common/machine.rs"]
mod machine;

use machine::Machine;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How far the proxy's idea of when something passed may be from that of an end of the connection: scheduling on busy cores, where
/// the machine does not show to be later.
const APART: f64 = 0.06;

/// A brownout that runs beside the test, ended with it.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn brownout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts one that tells where it listens, behind these words.
fn listening(arguments: &[&str], words: &str) -> (Beside, String) {
    let mut child = brownout(arguments).stdout(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap());
    let beside = Beside(child);
    let mut lines = lines.lines();
    let told = lines.by_ref().map(Result::unwrap).find_map(|line| {
        let rest = line.split_once(words)?.1;
        Some(rest.split([',', ';', ' ']).next().unwrap().to_owned())
    });
    // What it tells later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (beside, told.expect("a brownout that listens"))
}

fn hub(options: &[&str]) -> (Beside, String) {
    listening(&[&["hub", "--listen", "127.0.0.1:0", "--quiet"], options].concat(), "listening on ")
}

/// A proxy before a hub that forgets idle links.
fn forgetful(folder: &TempDir, after: &str, then: &str) -> (Beside, Beside, String) {
    let (hub, upstream) = hub(&[]);
    let profile = folder.path().join("nat.yaml");
    let rule = format!("{{ id: nat, fault: {{ idle_timeout: {{ after: {after}, then: {then} }} }} }}");
    fs::write(&profile, format!("brownout: 1\nname: nat\nsummary: Nat.\ndevices: 200\nrules:\n  - {rule}\n"))
        .unwrap();
    let profile = profile.to_str().unwrap();
    let options = ["run", profile, "--listen", "127.0.0.1:0", "--upstream", &upstream];
    let (proxy, address) = listening(&options, "devices connect to ");
    (hub, proxy, address)
}

struct Told {
    code: i32,
    out: String,
    err: String,
    json: Value,
    /// How far spans may be off: either end may have been late.
    apart: f64,
}

fn path(folder: &TempDir, upstream: &str, options: &[&str]) -> Told {
    let json: PathBuf = folder.path().join("path.json");
    let fixed = [
        "keepalive",
        "path",
        "--upstream",
        upstream,
        "--json",
        json.to_str().unwrap(),
        "--answer-within",
        "1s",
    ];
    let machine = Machine::watched();
    let output = brownout(&[&fixed[..], options].concat()).output().unwrap();
    let apart = APART + 2.0 * machine.late().worst.as_secs_f64();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let read = fs::read_to_string(json).ok();
    Told {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
        json: read.map_or(Value::Null, |json| serde_json::from_str(&json).unwrap()),
        apart,
    }
}

fn secs(value: &Value) -> f64 {
    value.as_f64().unwrap() / 1e9
}

/// The bracket is around the truth, and as narrow as asked.
fn assert_found(told: &Told, truth: f64, within: f64) {
    let shown = format!("{}\n{}", told.err, told.out);
    assert_eq!((told.code, told.json["found"].as_str()), (0, Some("forgets")), "{shown}");
    let findings = &told.json["findings"];
    let (alive, lost) = (secs(&findings["alive_to_ns"]), secs(&findings["always_lost_from_ns"]));
    assert!(alive < truth + told.apart && truth - told.apart <= lost, "{alive} to {lost}\n{shown}");
    assert!(lost - alive <= within, "{alive} to {lost}\n{shown}");
    // Where TCP still acknowledges, it may be the hub that is mute.
    let how =
        if findings["how"] == "unanswered" { "This path, or its hub, drops" } else { "This path forgets" };
    assert!(told.out.starts_with(&format!("{how} an idle connection after ")), "{shown}");
    assert!(told.out.contains("Keep the ping interval under "), "{shown}");
    assert!(told.out.lines().chain(told.err.lines()).all(|line| line.chars().count() <= 80), "{shown}");
    assert_eq!(told.json["beside"]["data_refreshes"], true, "{shown}");
    // The proxy ends TCP: the kernel's probes never get past it.
    assert_eq!(told.json["beside"]["tcp_keepalive_refreshes"], false, "{shown}");
}

const SHORT: [&str; 8] = ["--from", "1s", "--to", "6s", "--within", "250ms", "--connections", "8"];

#[test]
fn a_path_that_forgets_in_silence_is_found() {
    let folder = TempDir::new().unwrap();
    let (_hub, _proxy, address) = forgetful(&folder, "3s", "vanish");
    let told = path(&folder, &address, &SHORT);
    assert_found(&told, 3.0, 0.25);
    // The kernel of the proxy acknowledges, unless the whole proxy is dark.
    let how = told.json["findings"]["how"].as_str().unwrap();
    assert!(["silence", "unanswered"].contains(&how), "{how}");
}

#[test]
fn a_path_that_forgets_and_resets_is_found() {
    let folder = TempDir::new().unwrap();
    let (_hub, _proxy, address) = forgetful(&folder, "2s", "reset");
    let told = path(&folder, &address, &SHORT);
    assert_found(&told, 2.0, 0.25);
    assert_eq!(told.json["findings"]["how"], "reset");
}

#[test]
fn a_path_that_holds_is_told_as_far_as_it_was_tried() {
    let folder = TempDir::new().unwrap();
    let (_hub, address) = hub(&[]);
    let told = path(&folder, &address, &["--from", "500ms", "--to", "2s", "--quiet"]);
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    // What it waited in fact, on a busy machine a little more.
    let first = told.out.lines().next().unwrap_or_default();
    assert!(first.starts_with("No idle timeout up to ") && first.ends_with(" s was seen."), "{}", told.out);
    assert_eq!(told.json["found"], "holds");
    let longest = secs(&told.json["findings"]["longest_alive_ns"]);
    assert!((2.0 - told.apart..3.0 + told.apart).contains(&longest), "{longest}");
}

/// The hub's FIN is none of the path's doing, whose keep-alive it may be.
#[test]
fn a_hub_that_ends_idle_connections_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let (_hub, address) = hub(&["--server-keep-alive", "1"]);
    let options = ["--from", "500ms", "--to", "4s", "--within", "200ms"];
    for (more, in_force) in [(["--mqtt", "5"], Value::from(1)), (["--keep-alive", "1s"], Value::Null)] {
        let told = path(&folder, &address, &[&options[..], &more].concat());
        let shown = format!("{}\n{}", told.err, told.out);
        assert_eq!((told.code, told.json["found"].as_str()), (0, Some("hub_ends")), "{shown}");
        assert_eq!(told.json["findings"]["how"], "closed", "{shown}");
        assert_eq!(told.json["circumstances"]["server_keep_alive"], in_force, "{shown}");
        let lost = secs(&told.json["findings"]["lost_from_ns"]);
        assert!((1.5 - told.apart..2.0 + told.apart).contains(&lost), "{lost} {shown}");
        assert!(told.out.starts_with("The hub, or a proxy in its place, ends an idle connection"), "{shown}");
    }
}

#[test]
fn without_a_hub_it_ends_with_code_3() {
    let folder = TempDir::new().unwrap();
    // A port that nobody listens on: it is bound, and no more.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = path(&folder, &taken.to_string(), &[]);
    assert_eq!((told.code, told.out.as_str(), &told.json), (3, "", &Value::Null));
    assert!(
        told.err.contains(&format!("no connection to the hub at {taken}: Connection refused")),
        "{}",
        told.err
    );
}

#[test]
fn plans_that_cannot_be_end_with_code_2() {
    let folder = TempDir::new().unwrap();
    for (options, problem) in [
        (["--from", "10s", "--to", "5s"], "--to is longer than --from (10s)"),
        (["--from", "100ms", "--to", "5s"], "--from is 500ms at least"),
        (["--connections", "1", "--to", "20s"], "--connections <COUNT>': write a whole number from 2 to 64"),
        (["--keep-alive", "1.5s", "--to", "20s"], "whole seconds"),
        (["--within", "1ms", "--to", "20s"], "20ms wide at least"),
    ] {
        let told = path(&folder, "127.0.0.1:9", &options);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{options:?}");
        assert!(told.err.contains(problem), "{options:?}: {}", told.err);
    }
}

#[test]
fn an_interrupted_search_tells_what_it_knows() {
    let (_hub, address) = hub(&[]);
    let options = ["keepalive", "path", "--upstream", &address, "--from", "500ms", "--to", "1h"];
    let machine = Machine::watched();
    let mut search = brownout(&options).spawn().unwrap();
    let mut lines = BufReader::new(search.stderr.take().unwrap()).lines();
    lines.by_ref().map(Result::unwrap).find(|line| line.contains("alive, answer")).unwrap();
    let pid = i32::try_from(search.id()).unwrap();
    interrupt(pid);
    let began = Instant::now();
    let code = search.wait().unwrap().code();
    let (took, late) = (began.elapsed(), machine.late());
    assert!(took < Duration::from_secs(5) + late.all, "{took:?}");
    let mut out = String::new();
    search.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(code, Some(1));
    let up_to = out.strip_prefix("Ended early: every connection was alive after up to ").expect(&out);
    let up_to: f64 = up_to.split(' ').next().unwrap().parse().expect(&out);
    // One that is still idle when it ends may be told with more than the wave's own span.
    assert!((0.49..0.6 + 2.0 * late.worst.as_secs_f64()).contains(&up_to), "{out}");
}

/// SIGINT.
fn interrupt(pid: i32) {
    assert!(Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap().success());
}
