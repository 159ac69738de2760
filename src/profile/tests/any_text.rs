//! Whatever the text, reading it ends in a plan or in problems.

use super::super::{Override, Problems, Severity, read, render, shipped, timeline};
use super::HEAD;
use proptest::prelude::*;
use std::time::Duration;

/// Pieces that profiles are made of, so that chance comes near to them.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "brownout: 1",
        "rules:",
        "- id: a",
        "when:",
        "fault:",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\n",
        "\n  ",
        "\n    ",
        "&a ",
        "*a",
        "!t ",
        "'",
        "\"",
        "|",
        ">",
        "---",
        "at: 1s",
        "after: connack",
        "blackhole:",
        "for: 1 keepalive",
        "latency:",
        "uniform:",
        "min: 5s",
        "max: 1s",
        "expect:",
        "listeners:",
        "tls:",
        "mode: passthrough",
        "hub_verify: false",
        "tls_handshake:",
        "stall: before_server_hello",
        "tls_record: { damage: mac }",
        "sni: a*",
        "what:",
        "packet: connack",
        "topic: a/#",
        "direction: down",
        "qos: 1",
        "drop: { acknowledge: true }",
        "edit: { code: 0x88 }",
        "corrupt: {}",
        "inject: { raw: \"d0 00\" }",
        "bandwidth: { rate: 64kbit/s }",
        "logged_as: 404104",
        "server_keepalive: 4s",
        "metric: recovery",
        "p99: \"<= 1s\"",
        "? ",
        "ü",
        "\u{feff}",
        "\r\n",
        "\t",
        "#",
        "1e999",
        "-0",
        ".nan",
        "~",
        "<<: ",
    ];
    prop_oneof![9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"]
}

proptest! {
    #[test]
    fn never_panics(pieces in proptest::collection::vec(piece(), 0..40), set in "[a-z.]{1,8}=.{0,8}") {
        let text = pieces.concat();
        check(&text, &set)?;
        check(&format!("{HEAD}{text}"), &set)?;
    }

    #[test]
    fn never_panics_on_noise(text in "\\PC{0,200}") {
        check(&text, "a.b=c")?;
    }

    /// One character of a shipped profile is struck out, or one line doubled.
    #[test]
    fn never_panics_near_a_sound_profile(at in 0_usize..2000, which in 0_usize..6, new in "\\PC?") {
        let text = shipped::all()[which].text;
        let chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        let changed: String =
            chars[..at].iter().copied().chain(new.chars()).chain(chars[at + 1..].iter().copied()).collect();
        check(&changed, "dark.for=1s")?;
    }
}

fn check(text: &str, set: &str) -> Result<(), TestCaseError> {
    let sets: Vec<Override> = set.parse().into_iter().collect();
    match read(text, &sets) {
        Ok(checked) => {
            let told = timeline::tell(&checked.plan, Duration::from_secs(4));
            prop_assert!(!told.is_empty());
            render(&checked.notes, "a.yaml", text, true);
        }
        Err(Problems(problems)) => {
            prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
            prop_assert!(!render(&problems, "a.yaml", text, true).is_empty());
        }
    }
    Ok(())
}
