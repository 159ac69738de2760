//! Whole texts: what a reader of a wrong profile sees, what `check` says of the shipped ones, the reference.

use super::schema::{json_schema, reference};
use super::{Checked, Override, Plan, Problems, Severity, plan, read, render, shipped, timeline};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HEAD: &str = "brownout: 1\nname: case\nsummary: A case.\nduration: 1m\n";

/// Every file of tests/cases/profile, rendered. Overrides stand in the first lines: `# set: key=value`.
#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/profile");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let sets: Vec<Override> =
            text.lines().filter_map(|line| line.strip_prefix("# set: ")?.parse().ok()).collect();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let shown = match read(&text, &sets) {
            Ok(Checked { plan, notes }) => {
                let notes = if notes.is_empty() { String::new() } else { shown(&notes, &name, &text) };
                format!("{notes}\n{}", timeline::tell(&plan, Duration::from_secs(4)))
            }
            Err(Problems(problems)) => shown(&problems, &name, &text),
        };
        insta::assert_snapshot!(format!("case-{name}"), shown);
    }
}

fn shown(problems: &[super::Problem], name: &str, text: &str) -> String {
    render(problems, &format!("{name}.yaml"), text, false)
}

fn sound(text: &str) -> Plan {
    match read(text, &[]) {
        Ok(checked) => checked.plan,
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn shipped_profiles_read_without_a_word_and_are_told() {
    for shipped in shipped::all() {
        let checked =
            read(shipped.text, &[]).unwrap_or_else(|problems| panic!("{}: {problems}", shipped.name));
        assert_eq!(checked.notes, [], "{}", shipped.name);
        assert_eq!(checked.plan.name, shipped.name);
        let keep_alive = Duration::from_secs(if shipped.name == "demo" { 2 } else { 60 });
        let told = timeline::tell(&checked.plan, keep_alive);
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
        insta::assert_snapshot!(format!("timeline-{}", shipped.name), told);
    }
}

#[test]
fn the_reference_and_the_schema_come_from_the_table() {
    insta::assert_snapshot!("reference", reference());
    insta::assert_snapshot!("json-schema", serde_json::to_string_pretty(&json_schema()).unwrap());
}

#[test]
fn defaults_of_the_table_are_those_of_the_plan() {
    let plan = sound(HEAD);
    assert_eq!(plan.default_keep_alive, plan::DEFAULT_KEEP_ALIVE);
    assert_eq!(plan.settle, plan::DEFAULT_SETTLE);
}

/// Each example of the table stands in a profile of its own.
#[test]
fn every_example_of_the_table_reads() {
    use super::schema::places;
    for place in places() {
        for key in place.keys {
            let text = example_of(place.name, key.name, key.example);
            let told = read(&text, &[]).map_err(|problems| problems.to_string());
            assert!(told.is_ok(), "{}.{}: {}\n{text}", place.name, key.name, told.unwrap_err());
        }
    }
}

fn example_of(place: &str, key: &str, example: &str) -> String {
    let key = key.replace("pNN", "p99.9");
    let rule = |who: &str, when: &str, fault: &str| {
        format!(
            "{HEAD}listeners: [{{ name: main, listen: \"h:1\", upstream: \"h:1\" }}]\nrules: [{{ id: dark, who: {{ {who} }}, when: {{ {when} }}, fault: {{ {fault} }} }}]\n"
        )
    };
    let pair = format!("{key}: {example}");
    let close = |kind: &str| {
        let toward = if key == "other" { ", toward: device" } else { "" };
        rule("", "at: 1s", &format!("{kind}: {{ {pair}{toward} }}"))
    };
    match (place, key.as_str()) {
        ("profile", "brownout" | "name" | "summary" | "duration") => {
            let kept: Vec<&str> = HEAD.lines().filter(|line| !line.starts_with(&format!("{key}:"))).collect();
            format!("{}\n{pair}\n", kept.join("\n"))
        }
        ("profile", _) => format!("{HEAD}{pair}\n"),
        ("listeners", key) => {
            let all = [("name", "a"), ("listen", "\"h:1\""), ("upstream", "\"h:1\"")];
            let rest: Vec<String> =
                all.into_iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}")).collect();
            format!("{HEAD}listeners: [{{ {pair}, {} }}]\n", rest.join(", "))
        }
        ("rules", key) => {
            let all = [("id", "a"), ("when", "{ at: 1s }"), ("fault", "{ rst: {} }")];
            let rest: Vec<String> =
                all.into_iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}")).collect();
            format!("{HEAD}rules: [{{ {pair}, {} }}]\n", rest.join(", "))
        }
        ("who", _) => rule(&pair, "at: 1s", "rst: {}"),
        ("when", "for") => rule("", &format!("at: 1s, {pair}"), "stall: {}"),
        ("when", "jitter" | "times") => rule("", &format!("every: 30s, {pair}"), "rst: {}"),
        ("when", "nth" | "delay") => rule("", &format!("after: connack, {pair}"), "rst: {}"),
        ("when", "chance") => rule("", &format!("at: 1s, {pair}"), "rst: {}"),
        ("when", _) => rule("", &pair, "rst: {}"),
        ("expect", "metric") => format!("{HEAD}expect: [{{ {pair}, max: \"<= 1s\" }}]\n"),
        ("expect", "of") => format!(
            "{}expect: [{{ {pair}, metric: recovery, max: \"<= 1s\" }}]\n",
            rule("", "at: 1s", "rst: {}")
        ),
        ("expect", "client") => format!("{HEAD}expect: [{{ {pair}, metric: recovery, max: \"<= 1s\" }}]\n"),
        ("expect", _) => format!("{HEAD}expect: [{{ {pair}, metric: recovery }}]\n"),
        ("fault", _) => rule("", "at: 1s", &pair),
        ("rst" | "fin", _) => close(place),
        ("blackhole" | "stall", "for") => rule("", "at: 1s", &format!("{place}: {{ {pair} }}")),
        ("blackhole" | "stall", _) => rule("", "at: 1s", &format!("{place}: {{ {pair}, for: 1s }}")),
        ("latency", "fixed" | "uniform" | "normal" | "pareto") => {
            rule("", "at: 1s", &format!("latency: {{ {pair} }}"))
        }
        ("latency", _) => rule("", "at: 1s", &format!("latency: {{ {pair}, fixed: 1s }}")),
        (shape, key) => {
            let all: &[(&str, &str)] = match shape {
                "uniform" => &[("min", "1ms"), ("max", "1s")],
                "normal" => &[("mean", "1s"), ("deviation", "0s")],
                "pareto" => &[("scale", "1ms"), ("shape", "2"), ("max", "10s")],
                other => panic!("the table has a new place `{other}`: say here how its keys stand"),
            };
            let rest: Vec<String> =
                all.iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}")).collect();
            rule("", "at: 1s", &format!("latency: {{ {shape}: {{ {pair}, {} }} }}", rest.join(", ")))
        }
    }
}

#[test]
fn every_word_of_the_table_is_a_word_of_its_type() {
    use super::schema::{Type, places};
    for place in places() {
        for key in place.keys {
            for word in key.ty.choices() {
                if matches!(key.ty, Type::Metric) {
                    continue;
                }
                let text = example_of(place.name, key.name, &word);
                let plan = sound(&text);
                assert_eq!(plan.rules.len(), 1, "{text}");
            }
        }
    }
}

#[test]
fn a_profile_of_more_than_a_mebibyte_and_one_of_too_many_rules_are_refused() {
    let text = format!("{HEAD}# {}", "x".repeat(1024 * 1024));
    assert!(read(&text, &[]).unwrap_err().to_string().contains("at most 1048576 (1 MiB)"));
    let rule = "  - { id: a, when: { at: 1s }, fault: { rst: {} } }\n";
    let text = format!("{HEAD}rules:\n{}", rule.repeat(1001));
    assert!(read(&text, &[]).unwrap_err().to_string().contains("`rules` has 1001 items; at most 1000"));
}

#[test]
fn problems_without_end_are_counted() {
    let text = format!("{HEAD}rules:\n{}", "  - {}\n".repeat(100));
    let Problems(problems) = read(&text, &[]).unwrap_err();
    assert_eq!(problems.len(), 51);
    assert_eq!(problems[50].to_string(), "and 250 more problems; they are told when these are mended");
}

#[test]
fn colour_is_for_terminals_only() {
    let problems = read("brownout: 2\n", &[]).unwrap_err().0;
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error));
    assert!(!render(&problems, "a.yaml", "brownout: 2\n", false).contains('\x1b'));
    assert!(render(&problems, "a.yaml", "brownout: 2\n", true).contains('\x1b'));
}

mod any_text {
    use super::*;
    use proptest::prelude::*;

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
        fn never_panics_near_a_sound_profile(at in 0_usize..2000, which in 0_usize..4, new in "\\PC?") {
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
}
