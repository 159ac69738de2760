//! Every shipped profile, shortened, from its start to its report: the built binary, the embedded hub, simulated devices.
//! Each has to bring about what it says, on the wire, and a sound device has to meet what it expects.
//!
//! All of them run at once: they mostly wait.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "common/machine.rs"]
mod machine;

use machine::Machine;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any of them takes on a busy machine; only a failure waits for it.
const PATIENCE: &str = "2m";

/// A shipped profile, and what it is run with.
struct Case {
    profile: &'static str,
    /// `--set` of the run.
    sets: &'static [&'static str],
    /// More arguments of the run.
    run: &'static [&'static str],
    /// Arguments of `brownout hub`.
    hub: &'static [&'static str],
    /// Arguments of `brownout device`.
    device: &'static [&'static str],
    /// The rules, and on how many links each has to hold at the least.
    held: &'static [(&'static str, usize)],
}

/// The hub, until the case is over.
struct Hub {
    child: Child,
    address: String,
}

impl Hub {
    fn start(arguments: &[&str]) -> Hub {
        let mut child = Command::new(env!("CARGO_BIN_EXE_brownout"))
            .args(["hub", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listening on")).unwrap();
        // What it says later must find a reader.
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

impl Case {
    /// What went wrong; empty where nothing did.
    fn run(&self) -> Vec<String> {
        let folder = TempDir::new().unwrap();
        let hub = Hub::start(self.hub);
        let report = folder.path().join("report");
        let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
        command.args(["run", self.profile, "--quiet", "--seed", "1", "--stop-command"]);
        if !self.sets.iter().any(|set| set.starts_with("duration=")) {
            command.args(["--duration", PATIENCE]);
        }
        command.args(["--upstream", &hub.address, "--report", report.to_str().unwrap()]);
        command.args(self.sets.iter().flat_map(|set| ["--set", set])).args(self.run);
        command.args(["--", env!("CARGO_BIN_EXE_brownout"), "device", "--quiet"]).args(self.device);
        let output = command.output().unwrap();
        drop(hub);
        let shown = format!(
            "{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let mut wrong = Vec::new();
        if output.status.code() != Some(0) {
            wrong.push(format!("{}: exit {:?}\n{shown}", self.profile, output.status.code()));
        }
        let findings = findings(&fs::read_to_string(report.join("report.json")).unwrap());
        for finding in findings.iter().filter(|id| !FOUND.contains(&(self.profile, id.as_str()))) {
            wrong.push(format!("{}: a sound device, and yet {finding}\n{shown}", self.profile));
        }
        let held = held(&fs::read_to_string(report.join("events.jsonl")).unwrap(), &rules(self.profile));
        for (rule, least) in self.held {
            let times = held.get(*rule).copied().unwrap_or_default();
            if times < *least {
                wrong.push(format!("{}: {rule} held on {times} links, not {least}\n{shown}", self.profile));
            }
        }
        wrong
    }
}

/// The kinds of what was found.
fn findings(report: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(report).unwrap();
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

/// The rules of a shipped profile, in its order.
fn rules(profile: &str) -> Vec<String> {
    let shipped = brownout::profile::shipped::find(profile).unwrap();
    brownout::profile::read(shipped.text, &[]).unwrap().plan.rules.into_iter().map(|rule| rule.id).collect()
}

/// On how many links each rule was confirmed to hold.
fn held(log: &str, rules: &[String]) -> BTreeMap<String, usize> {
    let mut windows: BTreeMap<u64, usize> = BTreeMap::new();
    let mut held = BTreeMap::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| event[key].as_u64().unwrap();
        match event["event"].as_str().unwrap() {
            "window_opened" => {
                windows.insert(number("window"), usize::try_from(number("rule")).unwrap());
            }
            "fault_applied" => *held.entry(rules[windows[&number("window")]].clone()).or_default() += 1,
            _ => {}
        }
    }
    held
}

/// The key of the device's tokens: any Base64 will do.
const KEY: &str = "YnJvd25vdXQgYnJvd25vdXQgYnJvd25vdXQgYnJvd24=";

const CAREFUL: &[&str] = &["--kind", "careful", "--keep-alive", "2s"];

const CASES: &[Case] = &[
    Case {
        profile: "sas-token-expiry",
        sets: &["duration=14s"],
        run: &[],
        // A hub that takes every password: it is brownout that looks at the token.
        hub: &[],
        device: &[
            "--kind",
            "careful",
            "--keep-alive",
            "2s",
            "--azure-key",
            KEY,
            "--azure-hub",
            "127.0.0.1",
            "--token-lifetime",
            "4s",
            "--renew-before",
            "never",
        ],
        held: &[("expired", 2)],
    },
    Case { profile: "control", sets: &["duration=7s"], run: &[], hub: &[], device: CAREFUL, held: &[] },
    Case {
        profile: "deaf-hub",
        sets: &["settle=4s"],
        run: &[],
        hub: &[],
        device: &["--kind", "careful", "--keep-alive", "2s", "--workload", "publishing", "--qos", "0"],
        held: &[("deaf", 1)],
    },
    Case {
        profile: "fin-without-disconnect",
        sets: &["closed.delay=1s", "settle=4s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("closed", 3)],
    },
    Case {
        profile: "server-keepalive",
        sets: &["duration=9s"],
        run: &[],
        hub: &[],
        device: &["--kind", "careful", "--keep-alive", "60s", "--mqtt", "5"],
        held: &[],
    },
    Case {
        profile: "keepalive-blackhole",
        sets: &[],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("dark", 1)],
    },
    Case {
        profile: "keepalive-blackhole-below",
        sets: &[],
        run: &[],
        hub: &[],
        // Waits for PINGRESP longer than the outage.
        device: &["--kind", "typical", "--keep-alive", "2s", "--ping-timeout", "4s"],
        held: &[("dark", 1)],
    },
    Case {
        profile: "keepalive-blackhole-above",
        sets: &["dark.for=1.5 keepalive + 1s"],
        run: &[],
        hub: &[],
        device: &["--kind", "typical", "--keep-alive", "2s"],
        held: &[("dark", 1)],
    },
    Case {
        profile: "rst-without-disconnect",
        sets: &["reset.delay=1s", "settle=4s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("reset", 3)],
    },
    Case {
        profile: "rst-one-sided",
        sets: &["hub-told.delay=2 keepalive + 2s", "settle=4 keepalive"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("device-told", 1), ("hub-told", 1)],
    },
    Case {
        profile: "device-crash",
        sets: &["vanished.delay=4s", "away.delay=4s", "settle=3s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("crashed", 1), ("vanished", 1), ("away", 1)],
    },
    Case {
        profile: "hub-transient-failure",
        sets: &[
            "devices=20",
            "refused.at=2s",
            "refused.for=3s",
            "unavailable.at=12s",
            "unavailable.for=3s",
            "quota.at=22s",
            "quota.for=3s",
            "silent.at=32s",
            "silent.for=6s",
            "dropped.at=3s",
            "dropped.every=10s",
            "settle=8s",
        ],
        run: &[],
        hub: &[],
        device: &[
            "--kind",
            "careful",
            "--keep-alive",
            "2s",
            "--count",
            "20",
            "--backoff",
            "exponential:200ms..2s,jitter",
        ],
        held: &[("dropped", 80), ("unavailable", 20), ("quota", 20), ("silent", 20)],
    },
    Case {
        profile: "nat-idle-timeout",
        sets: &["settle=4s"],
        run: &[],
        hub: &[],
        // Pings after 0.9 keep-alives of silence: later than the middlebox forgets.
        device: &["--kind", "typical", "--keep-alive", "2s"],
        held: &[("forgets", 1)],
    },
    Case {
        profile: "flapping-link",
        sets: &["gap.at=1s", "gap.every=3s", "gap.jitter=1s", "gap.times=3", "gap.for=500ms"],
        run: &[],
        hub: &[],
        device: &["--kind", "typical", "--keep-alive", "2s", "--workload", "publishing", "--rate", "5"],
        held: &[("gap", 3)],
    },
    Case {
        profile: "lossy-cellular",
        sets: &["duration=15s", "late.for=14s", "narrow.for=14s", "lost.for=14s"],
        run: &[],
        hub: &[],
        device: &["--kind", "typical", "--keep-alive", "2s", "--ping-timeout", "10s"],
        held: &[("late", 1), ("narrow", 1)],
    },
    Case {
        profile: "satellite",
        sets: &["duration=10s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("far", 1), ("narrow", 1)],
    },
    Case {
        profile: "slow-loris-hub",
        sets: &["silent.for=4 keepalive + 5s", "settle=5s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("reset", 1), ("silent", 2)],
    },
    Case {
        profile: "one-way",
        sets: &["up-dead.delay=8 keepalive + 4s", "settle=5s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("down-dead", 1), ("up-dead", 1)],
    },
    Case {
        profile: "slow-consumer",
        sets: &["settle=3s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("narrow", 1)],
    },
    Case {
        profile: "mid-packet-cut",
        sets: &["half-up.for=15s", "half-down.for=15s", "settle=3s"],
        run: &[],
        hub: &[],
        device: &["--kind", "careful", "--keep-alive", "2s", "--workload", "publishing", "--rate", "2"],
        held: &[("half-up", 1)],
    },
    Case {
        profile: "lost-pingresp",
        sets: &["settle=5s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("unanswered", 1)],
    },
    Case {
        profile: "lost-puback",
        sets: &["settle=4s"],
        run: &[],
        hub: &[],
        device: &["--kind", "careful", "--keep-alive", "2s", "--workload", "publishing", "--rate", "5"],
        held: &[("lost", 1), ("reset", 1)],
    },
    Case {
        profile: "session-lost",
        sets: &["reset.delay=1s", "settle=4s"],
        run: &[],
        hub: &[],
        device: &[
            "--kind",
            "careful",
            "--keep-alive",
            "2s",
            "--workload",
            "subscribing",
            "--session",
            "persistent",
        ],
        held: &[("reset", 3), ("forgotten", 1)],
    },
    Case {
        profile: "takeover-fight",
        sets: &["settle=4s", "rival.again=1s"],
        run: &[],
        hub: &[],
        device: &["--kind", "typical", "--keep-alive", "2s"],
        held: &[("rival", 1)],
    },
    Case {
        profile: "swallow-connect",
        sets: &["swallowed.for=4 keepalive + 2s", "settle=8s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("swallowed", 1), ("reset", 1)],
    },
    Case {
        profile: "accept-then-reset",
        sets: &["refused.delay=1s", "reset.delay=1100ms", "refused.for=6s", "settle=6s"],
        run: &[],
        hub: &[],
        device: CAREFUL,
        held: &[("refused", 2), ("reset", 1)],
    },
    Case {
        profile: "reset-during-resend",
        sets: &["unacknowledged.for=6s", "reset.delay=4s", "again.for=12s", "settle=4s"],
        run: &[],
        hub: &[],
        device: &[
            "--kind",
            "careful",
            "--keep-alive",
            "2s",
            "--workload",
            "publishing",
            "--rate",
            "5",
            "--session",
            "persistent",
        ],
        held: &[("unacknowledged", 1), ("reset", 1), ("again", 1)],
    },
    Case {
        profile: "service-upgrade",
        sets: &[
            "upgraded.at=3s",
            "rejected.at=9s",
            "closed-again.at=10s",
            "rejected.for=4s",
            "settle=6s",
            "devices=5",
        ],
        run: &[],
        hub: &[],
        device: &["--kind", "careful", "--keep-alive", "2s", "--count", "5", "--mqtt", "5"],
        held: &[("upgraded", 5), ("rejected", 5), ("closed-again", 5)],
    },
];

/// What is found in spite of sound devices: a keep-alive longer than the path's memory is a setting, and a fleet of twenty
/// whose first wait is 200 ms is back within a second.
const FOUND: [(&str, &str); 2] =
    [("nat-idle-timeout", "keep-alive-over-idle-timeout"), ("hub-transient-failure", "reconnect-storm")];

/// Profiles that other tests run: the demo as a whole, and those that need TLS.
const ELSEWHERE: [&str; 4] = ["demo", "slow-link", "tls-handshake-trouble", "tls-record-damage"];

#[test]
fn no_shipped_profile_is_left_out() {
    let run: Vec<&str> = CASES.iter().map(|case| case.profile).chain(ELSEWHERE).collect();
    for shipped in brownout::profile::shipped::all() {
        assert!(run.contains(&shipped.name), "{} is run by no test", shipped.name);
    }
}

/// So often a profile is run where what was wrong may be the machine's doing; from the second time on alone.
const TRIES: usize = 5;

/// Later than that, and what a profile expects to the tenth of a second proves nothing.
const LATE: Duration = Duration::from_millis(30);

#[test]
fn each_profile_does_what_it_says() {
    let machine = Machine::watched();
    let wrong: Vec<(&Case, Vec<String>)> = std::thread::scope(|scope| {
        let running: Vec<_> = CASES
            .iter()
            .zip(0u64..)
            .map(|(case, nth)| {
                scope.spawn(move || {
                    // Not all processes in the same instant: two cores start one after another anyway.
                    std::thread::sleep(Duration::from_millis(100 * nth));
                    case.run()
                })
            })
            .collect();
        CASES.iter().zip(running).map(|(case, run)| (case, run.join().unwrap())).collect()
    });
    let held_up = machine.late().worst > LATE;
    let wrong: Vec<String> = wrong
        .into_iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .flat_map(|(case, wrong)| if held_up { again(case, wrong) } else { wrong })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is wrong with a profile in a run of its own that the machine did not hold up, or in the last.
fn again(case: &Case, mut wrong: Vec<String>) -> Vec<String> {
    for _ in 1..TRIES {
        println!("{} again, alone, since the machine was held up: {}", case.profile, wrong.join("\n"));
        let machine = Machine::watched();
        wrong = case.run();
        if wrong.is_empty() || machine.late().worst <= LATE {
            break;
        }
    }
    wrong
}
