//! The built binary in a bad environment: readers that go, disks that are full, hubs that are silent, too few
//! descriptors, signals at awkward moments. It says so, keeps its exit code, and panics never.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "common/machine.rs"]
mod machine;

use machine::Machine;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

const SOON: Duration = Duration::from_secs(4);

const QUIET: &str = "\
brownout: 1
name: quiet
summary: Nothing falls on anyone.
rules:
  - { id: far, when: { at: 1h }, fault: { rst: { toward: both } } }
";

/// A run of that profile, before a hub that is there but says nothing.
fn run(folder: &Path, hub: &TcpListener, arguments: &[&str]) -> Command {
    let profile = folder.join("quiet.yaml");
    fs::write(&profile, QUIET).unwrap();
    let mut command = Command::new(BROWNOUT);
    command.arg("run").arg(profile).arg("--upstream").arg(hub.local_addr().unwrap().to_string());
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same, started by another program, which takes its place.
fn through(starter: &[&str], inner: &Command) -> Command {
    let mut outer = Command::new(starter[0]);
    outer.args(&starter[1..]).arg(inner.get_program()).args(inner.get_args());
    outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    outer
}

fn hub() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The address that devices are to connect to, once it is told.
fn address(told: &mut impl BufRead) -> String {
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    let after = line.split("connect to ").nth(1).unwrap_or_else(|| panic!("no address in {line:?}"));
    after.split(',').next().unwrap().to_owned()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(sent.unwrap().success());
}

/// How it ended, and what that took, without what the machine was late.
fn ends(mut child: Child) -> (Output, Duration) {
    let (machine, since) = (Machine::watched(), Instant::now());
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = since.elapsed().saturating_sub(machine.late().all);
    (child.wait_with_output().unwrap(), took)
}

#[test]
fn a_reader_of_the_log_that_goes_does_not_end_the_run() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let mut child = run(folder.path(), &hub, &["--duration", "700ms", "-v"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    drop(reader);
    let (output, _) = ends(child);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("far never fired"));
}

#[test]
fn a_report_that_cannot_be_shown_is_no_success() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let child = run(folder.path(), &hub, &["--duration", "300ms"]).stdout(full()).spawn().unwrap();
    let (output, _) = ends(child);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("cannot write to standard output: No space left"), "{told}");
    // Notes that nobody can read are no reason to lose the report.
    let child = run(folder.path(), &hub, &["--duration", "300ms"]).stderr(full()).spawn().unwrap();
    let (output, _) = ends(child);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("far never fired"));
}

/// On a terminal that cannot move its cursor, what is told while a run lasts was shown nowhere.
#[test]
fn a_terminal_that_can_draw_no_block_shows_lines() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let inner = run(folder.path(), &hub, &["--duration", "300ms"]);
    let line: Vec<_> = [inner.get_program()].into_iter().chain(inner.get_args()).collect();
    let line = line.join(OsStr::new(" "));
    let mut outer = Command::new("script");
    outer.arg("-qec").arg(line).arg("/dev/null").env("TERM", "dumb").stdin(Stdio::null());
    let output = match outer.output() {
        Ok(output) => output,
        Err(error) => return println!("SKIPPED: no script(1) to make a terminal: {error}"),
    };
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("run ended: the duration is over"), "{shown}");
    assert!(shown.contains("far never fired"), "{shown}");
}

#[test]
fn a_report_of_no_log_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let (report, log) = (folder.path().join("report"), folder.path().join("resource.log"));
    let mut again = Command::new(BROWNOUT);
    again.arg("report").arg(folder.path().join("nosuch")).arg("--report").arg(&report);
    let output = again.arg("--resource-log").arg(&log).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("cannot read"), "{told}");
    assert!(!report.exists() && !log.exists());
}

/// One of them was gone, and nobody was told; of the log that is read, all of it.
#[test]
fn what_would_be_written_into_one_file_is_refused_before_it_is() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    let [out, log, of_report] = ["out", "log.jsonl", "./report.json"].map(at);
    fs::write(&log, "a log").unwrap();
    let of_run = ["run", "control", "--upstream", "127.0.0.1:9", "--duration", "1s"];
    let folder = folder.path().to_str().unwrap();
    for (arguments, told) in [
        (&["keepalive", "sweep", "--json", &out, "--csv", &out][..], "--json and --csv are both"),
        (&["demo", "--pcap", &out, "--resource-log", &out], "--resource-log and --pcap are both"),
        (
            &["observe", "--upstream", "127.0.0.1:9", "--report", folder, "--resource-log", &of_report],
            "--report and --resource-log",
        ),
        (&["report", &log, "--resource-log", &log], "--resource-log and the log that is read are both"),
        (
            &[&of_run[..], &["--report", folder, "--pcap", &of_report]].concat(),
            "--report and --pcap are both",
        ),
    ] {
        let output = Command::new(BROWNOUT).args(arguments).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told) && said.contains("give each a file of its own"), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&log).unwrap(), "a log");
}

/// It then never connected, and said nothing.
#[test]
fn a_device_that_no_connect_could_name_is_refused() {
    let long = "x".repeat(65_535);
    for (arguments, told) in [
        (["--client-id", &long], "--client-id, with the device's number, has 65536 bytes; at most 65535 fit"),
        (["--username", &[&long, "x"].concat()], "--username has 65536 bytes"),
        (["--client-id", "a+"], "the workload's topic `devices/a+1/messages/events/` has a wildcard"),
    ] {
        let mut device = Command::new(BROWNOUT);
        device.args(["device", "--connect", "127.0.0.1:9", "--workload", "publishing"]).args(arguments);
        let output = device.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}: {said}");
        assert!(said.contains(told), "{said}");
    }
}

/// Whether somebody waits for an answer to a SYN to that port (proc_net_tcp in the kernel's documentation).
fn is_dialled(to: SocketAddr) -> bool {
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes([127, 0, 0, 1]), to.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|row| row.get(2) == Some(&remote.as_str()) && row.get(3) == Some(&"02"))
}

/// The hub's backlog is full, so that the connect that looks for it gets no answer.
#[test]
fn ctrl_c_is_heard_while_the_hub_is_looked_for() {
    let (folder, hub) = (TempDir::new().unwrap(), socket2::Socket::from(hub()));
    hub.listen(0).unwrap();
    let to = hub.local_addr().unwrap().as_socket().unwrap();
    let _queued = TcpStream::connect(to).unwrap();
    let hub = TcpListener::from(hub);
    let report = folder.path().join("report");
    let child = run(folder.path(), &hub, &["--report", report.to_str().unwrap()]).spawn().unwrap();
    let since = Instant::now();
    while !is_dialled(to) {
        assert!(since.elapsed() < Duration::from_secs(60), "nobody looks for the hub");
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(&child, "INT");
    let (output, took) = ends(child);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("interrupted before the run began"), "{told}");
    assert!(took < Duration::from_secs(2), "after {took:?}");
    assert!(!report.exists(), "a run that was none left its files");
}

#[test]
fn a_second_ctrl_c_ends_a_command_that_will_not() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let stubborn = "trap '' TERM; echo here; while :; do sleep 0.1; done";
    let mut child = run(folder.path(), &hub, &["--", "sh", "-c", stubborn]).spawn().unwrap();
    let mut here = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut here).unwrap();
    signal(&child, "INT");
    // Two signals that come before it is run are one: the second follows until it is heard.
    let (machine, since) = (Machine::watched(), Instant::now());
    while child.try_wait().unwrap().is_none() && since.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, "INT");
    }
    let took = since.elapsed().saturating_sub(machine.late().all);
    assert_eq!(ends(child).0.status.code(), Some(1), "cut off before the profile was through");
    assert!(took < Duration::from_millis(2_300), "after {took:?}");
}

/// Whether it has not ended; one that has may still be listed, for its parent.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A shell that is told to end does not tell its client, which lived on, and held the pipe of whoever read the report.
#[test]
fn what_a_command_has_started_ends_with_it() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    for client in ["sleep 60 & echo $!; wait", "(trap '' TERM; exec sleep 60) & echo $!; wait"] {
        let mut child = run(folder.path(), &hub, &["--", "sh", "-c", client]).spawn().unwrap();
        let mut pid = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut pid).unwrap();
        assert!(runs(pid.trim()), "{client}: {pid}");
        signal(&child, "INT");
        let (output, _) = ends(child);
        assert_eq!(output.status.code(), Some(1), "cut off before the profile was through");
        assert!(!runs(pid.trim()), "{client}: it outlived the run");
    }
}

/// A terminal sends Ctrl-C to all of a group. What a client said because of it came at times before brownout had told it to end,
/// and was taken for a sign of the fault.
#[test]
fn ctrl_c_is_brownouts_alone() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let client = "trap 'echo interrupted' INT; trap 'echo told to end; exit' TERM; echo here; while :; do sleep 0.1; done";
    let mut command = run(folder.path(), &hub, &["--", "sh", "-c", client]);
    let mut child = command.process_group(0).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let (output, _) = ends(child);
    assert_eq!(output.status.code(), Some(1), "cut off before the profile was through");
    let mut said = String::new();
    out.read_to_string(&mut said).unwrap();
    assert!(said.contains("told to end") && !said.contains("interrupted"), "{said}");
}

/// The terminal goes: the report is written, and the command ended. Under nohup the run goes on.
#[test]
fn a_hang_up_ends_a_run_in_order_unless_it_was_started_to_outlive_it() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let report = folder.path().join("report");
    let options = ["--report", report.to_str().unwrap(), "--", "sh", "-c", "echo $$; exec sleep 60"];
    // These tests may run under nohup themselves.
    let heeding = ["env", "--default-signal=HUP"];
    let mut child = through(&heeding, &run(folder.path(), &hub, &options)).spawn().unwrap();
    let mut pid = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut pid).unwrap();
    signal(&child, "HUP");
    let (output, _) = ends(child);
    assert_eq!(output.status.code(), Some(1), "cut off before the profile was through");
    let mut shown = String::new();
    out.read_to_string(&mut shown).unwrap();
    assert!(shown.contains("ended by Ctrl-C, SIGTERM or SIGHUP"), "{shown}");
    assert!(fs::read_to_string(report.join("junit.xml")).unwrap().ends_with("</testsuites>\n"));
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "the command outlived the run");

    let inner = run(folder.path(), &hub, &["--", "sh", "-c", "echo here; exec sleep 60"]);
    let mut child = through(&["nohup"], &inner).spawn().unwrap();
    let mut here = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut here).unwrap();
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "nohup did not hold");
    signal(&child, "TERM");
    assert_eq!(ends(child).0.status.code(), Some(1));
}

/// What it measures meanwhile is off by as much, so it has to say so.
#[test]
fn a_run_that_was_stopped_for_a_while_tells_of_it() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let report = folder.path().join("report");
    let mut child = run(folder.path(), &hub, &["--report", report.to_str().unwrap()]).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    address(&mut told);
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "STOP");
    std::thread::sleep(Duration::from_millis(400));
    signal(&child, "CONT");
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    let mut live = String::new();
    told.read_to_string(&mut live).unwrap();
    let (output, _) = ends(child);
    assert!(live.contains("brownout itself was held up for "), "{live}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("  - brownout itself was held up"), "{text}");
    for form in ["report.html", "summary.md", "junit.xml"] {
        let form = fs::read_to_string(report.join(form)).unwrap();
        assert!(form.contains("brownout itself was held up"), "{form}");
    }
    let json = fs::read_to_string(report.join("report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let held_up = &json["uncertainty"]["held_up"];
    assert!(held_up["worst_s"].as_f64().unwrap() >= 0.3, "{held_up}");
    let log = fs::read_to_string(report.join("events.jsonl")).unwrap();
    let events = log.lines().filter(|line| line.contains("\"event\":\"held_up\"")).count();
    assert_eq!(held_up["times"].as_u64(), u64::try_from(events).ok());
}

/// brownout raises its own limit of open files; a client that walks over all its descriptors must not pay for it.
#[test]
fn the_command_has_the_limit_of_open_files_that_brownout_was_given() {
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let inner = run(folder.path(), &hub, &["-q", "--", "sh", "-c", "ulimit -Sn"]);
    let mut outer = Command::new("sh");
    outer
        .arg("-c")
        .arg("ulimit -Sn 123; exec \"$@\"")
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args());
    let output = outer.stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.starts_with("123\n"), "{out}");
}

#[test]
fn too_few_descriptors_are_told_and_links_come_back() {
    const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d1";
    let (folder, hub) = (TempDir::new().unwrap(), hub());
    let answers = hub.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut links = Vec::new();
        while let Ok((mut link, _)) = answers.accept() {
            let _ = link.write_all(b"\x20\x02\x00\x00");
            links.push(link);
        }
    });
    let inner = run(folder.path(), &hub, &[]);
    let mut outer = Command::new("sh");
    outer
        .arg("-c")
        .arg("ulimit -n 64; exec \"$@\"")
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args());
    let mut child = outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let address = address(&mut told);
    let connect = || {
        let mut device = TcpStream::connect(&address).unwrap();
        device.set_read_timeout(Some(SOON)).unwrap();
        device.write_all(CONNECT).unwrap();
        device
    };
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    std::thread::sleep(Duration::from_millis(500));
    drop(crowd);
    let answered = (0..20).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let mut connack = [0; 4];
        connect().read_exact(&mut connack).is_ok()
    });
    assert!(answered, "no link comes about any more");
    signal(&child, "INT");
    let (output, _) = ends(child);
    assert_eq!(output.status.code(), Some(1), "cut off before the profile was through");
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(rest.contains("Too many open files (os error 24); raise the limit of open files"), "{rest}");
}
