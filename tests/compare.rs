//! `brownout compare` and the merging of logs as a user meets them, on a recorded demo whose clock is stretched or set.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use assert_cmd::Command;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Exit code, standard output, standard error.
fn brownout(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    let output = command.args(arguments).timeout(std::time::Duration::from_secs(120)).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Writes the demo's log into this folder's `run`, begun at this time, every moment so many thousandths of what it was.
fn demo(
    folder: &TempDir,
    run: &str,
    wall_clock: &str,
    thousandths: u64,
    change: impl Fn(&mut Value),
) -> String {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/demo.jsonl");
    let lines: String = fs::read_to_string(cases)
        .unwrap()
        .lines()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event["t"] = json!(event["t"].as_u64().unwrap() * thousandths / 1_000);
            if event["event"] == "run_started" {
                event["wall_clock"] = json!(wall_clock);
                change(&mut event);
            }
            format!("{event}\n")
        })
        .collect();
    let path = folder.path().join(run);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("events.jsonl"), lines).unwrap();
    path.to_str().unwrap().to_owned()
}

fn as_it_is(_: &mut Value) {}

#[test]
fn what_got_slower_is_worse_and_ends_with_code_1() {
    let folder = TempDir::new().unwrap();
    for (nth, day) in (0..3).zip(["01", "02", "03"]) {
        let (before, after) = (format!("2026-01-{day}T00:00:00Z"), format!("2026-02-{day}T00:00:00Z"));
        demo(&folder, &format!("before/{nth}"), &before, 1_000 + nth, as_it_is);
        demo(&folder, &format!("after/{nth}"), &after, 2_000 + nth, as_it_is);
    }
    let side = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (before, after) = (side("before"), side("after"));
    let (code, out, err) = brownout(&["compare", &before, &after]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.contains("WORSE: ") && out.lines().all(|line| line.chars().count() <= 80), "{out}");
    assert!(!out.contains('\x1b'), "no colours where no terminal is");
    let (code, out, _) = brownout(&["compare", &after, &before, "--json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["worse"], &said["a"]["runs"]), (0, &json!(0), &json!(3)), "{said:#}");
    assert!(said["measures"].as_array().unwrap().iter().any(|measure| measure["conclusion"] == "better"));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let folder = TempDir::new().unwrap();
    let one = demo(&folder, "one", "2026-01-01T00:00:00Z", 1_000, as_it_is);
    let set = demo(&folder, "set", "2026-01-02T00:00:00Z", 1_000, |event| {
        event["overrides"] = json!(["settle=9s"])
    });
    let copy = demo(&folder, "copies/one", "2026-01-01T00:00:00Z", 1_000, as_it_is);
    let copies = folder.path().join("copies");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    for (arguments, wanted) in [
        (&[one.as_str(), &set][..], "demo --set settle=9s"),
        (&[&one, &one], "2026-01-01T00:00:00Z with seed 404104 is on both sides"),
        (&[&one, &copy], "is on both sides"),
        (&[copies.to_str().unwrap(), &one], "is on both sides"),
        (&[&one, empty], "holds no events.jsonl"),
        (&[&one, "/nowhere"], "cannot read /nowhere"),
        (&[&one, &set, "--alpha", "0"], "write a number above 0"),
        (&[&one, &set, "--margin", "5"], "write a percentage"),
    ] {
        let (code, out, err) = brownout(&[&["compare"], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
    }
}

/// A log that was cut into parts is compared as the whole that it was.
#[test]
fn a_log_in_parts_is_one_side() {
    let folder = TempDir::new().unwrap();
    let whole = demo(&folder, "whole", "2026-01-01T00:00:00Z", 1_000, as_it_is);
    let other = demo(&folder, "other", "2026-01-02T00:00:00Z", 1_000, |event| event["seed"] = json!(2));
    let text = fs::read_to_string(Path::new(&whole).join("events.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (first, rest) = lines.split_at(lines.len() / 2);
    let mut start: Value = serde_json::from_str(lines[0]).unwrap();
    let next: Value = serde_json::from_str(rest[0]).unwrap();
    (start["seq"], start["t"], start["part"]) = (next["seq"].clone(), next["t"].clone(), json!(1));
    let parts = folder.path().join("parts");
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("events-000001.jsonl"), first.join("\n") + "\n").unwrap();
    fs::write(parts.join("events.jsonl"), format!("{start}\n{}\n", rest.join("\n"))).unwrap();
    let compared = |a: &str| -> Value {
        let (code, out, err) = brownout(&["compare", a, &other, "--json"]);
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(compared(parts.to_str().unwrap()), compared(&whole));
}

/// Two machines, the second ten seconds before the first is through.
#[test]
fn runs_of_two_machines_are_one_fleet_on_one_axis() {
    let folder = TempDir::new().unwrap();
    let one = demo(&folder, "one", "2026-01-01T00:00:00Z", 1_000, as_it_is);
    let two = demo(&folder, "two", "2026-01-01T00:00:16.5Z", 1_000, |event| event["seed"] = json!(2));
    let report = |arguments: &[&str]| -> Value {
        serde_json::from_str(&brownout(&[&["report", "--json"], arguments].concat()).1).unwrap()
    };
    let merged = report(&[&two, &one]);
    assert_eq!(
        (&merged["runs"][0]["starts_after_s"], &merged["runs"][1]["starts_after_s"]),
        (&json!(0.0), &json!(16.5))
    );
    assert_eq!(merged["fleet"]["most_connected"], json!(4), "the same four, wherever they are");
    let notes = merged["notes"].to_string();
    assert!(notes.contains("run 1 began first, run 2 16.5 s later"), "{notes}");
    let alone = report(&[&one]);
    let pings = |report: &Value| report["fleet"]["ping_rtt"]["count"].as_u64().unwrap();
    assert_eq!(pings(&merged), 2 * pings(&alone));
    let (code, _, err) = brownout(&["report", &one, &one]);
    assert!(code == 2 && err.contains("given before"), "{err}");
}
