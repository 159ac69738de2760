//! Whole texts: what a reader of a wrong profile sees, what `check` says of the shipped ones, the reference.

mod any_text;
mod examples;
mod faults;
mod tls;

use super::schema::{json_schema, reference};
use super::{
    Checked, Comparison, Expectation, Limit, Metric, Network, Override, Plan, Problems, Repeat, Rule,
    Severity, Statistic, When, Who, plan, read, render, shipped, timeline,
};
use crate::base::{Chance, RuleId, Span};
use crate::fault::{
    Blackhole, Close, Connects, Fault, FidelityWanted, LegFate, PacketAction, Toward, WaysWanted,
};
use crate::mqtt::{PacketKind, Version};
use std::fs;
use std::net::IpAddr;
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

/// The profile of the design page, less the measures that do not exist yet.
#[test]
fn a_profile_reads_as_it_is_meant() {
    let text = r#"
brownout: 1
name: keepalive-blackhole
summary: The path goes dark for longer than the keep-alive; the hub times the device out.
reproduces: "Azure IoT Hub error 404104, cause 2a: connectivity lost for longer than the MQTT keep-alive"
rules:
  - id: first
    when: { every: 30s, jitter: 5s }
    fault: { fin: { toward: hub } }
  - id: dark
    who: { client: "sensor-*", version: 3.1, address: 10.0.0.0/8 }
    when: { after: connack, delay: 5s, times: 3, chance: 50% }
    fault: { blackhole: { toward: both, for: 1.5 keepalive + 10s } }
expect:
  - { metric: device_detection, of: dark, p95: "<= 1.5 keepalive", count: ">= 3" }
"#;
    let plan = sound(text);
    let hold = Span::of(1.5, Duration::from_secs(10));
    let dark = Rule {
        id: "dark".into(),
        who: Who {
            client: Some("sensor-*".into()),
            version: Some(Version::V31),
            address: Some(Network { base: IpAddr::from([10, 0, 0, 0]), prefix: 8 }),
            ..Who::EVERYONE
        },
        when: When::After {
            packet: PacketKind::Connack,
            nth: 1,
            delay: Span::fixed(Duration::from_secs(5)),
            times: 3,
        },
        chance: Chance::new(0.5).unwrap(),
        fault: Fault::Blackhole(Blackhole {
            direction: WaysWanted::Both,
            toward: Toward::Both,
            hold,
            fidelity: FidelityWanted::Auto,
            connects: Connects::Silence,
        }),
        logged_as: None,
    };
    assert_eq!(plan.rules[1], dark);
    let every = Duration::from_secs(30);
    let repeat = Repeat { every, jitter: Duration::from_secs(5), times: None };
    assert_eq!(plan.rules[0].when, When::At { first: every, repeat: Some(repeat) });
    assert_eq!(
        plan.rules[0].fault,
        Fault::Fin(Close { toward: Toward::Hub, other: LegFate::HalfOpen, close_notify: true })
    );
    let expected = Expectation {
        metric: Metric::DeviceDetection,
        of: Some(RuleId(1)),
        client: None,
        statistic: Statistic::Percentile(95.0),
        comparison: Comparison::AtMost,
        limit: Limit::Span(Span::of(1.5, Duration::ZERO)),
    };
    let counted = Expectation {
        statistic: Statistic::Count,
        comparison: Comparison::AtLeast,
        limit: Limit::Number(3.0),
        ..expected.clone()
    };
    assert_eq!(plan.expectations, [expected, counted]);
}

#[test]
fn an_override_takes_the_place_of_what_the_file_says() {
    let dark = shipped::find("keepalive-blackhole").unwrap().text;
    let sets: Vec<Override> = ["dark.delay=1s", "dark.for=2 keepalive", "dark.client=*-1", "devices=7"]
        .map(|set| set.parse().unwrap())
        .into();
    let plan = read(dark, &sets).unwrap().plan;
    let When::After { delay, .. } = plan.rules[0].when else { panic!("{:?}", plan.rules[0].when) };
    assert_eq!(delay, Span::fixed(Duration::from_secs(1)));
    assert_eq!(plan.rules[0].fault.hold(), Some(Span::of(2.0, Duration::ZERO)));
    assert_eq!(plan.rules[0].who.client.as_deref(), Some("*-1"));
    assert_eq!(plan.devices, 7);
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

/// mosquitto answers such a CONNECT of MQTT 5 with a Server Keep Alive of 65535 s, and the device keeps that.
#[test]
fn no_shipped_profile_takes_the_keep_alive_away() {
    for shipped in shipped::all() {
        for rule in read(shipped.text, &[]).unwrap().plan.rules {
            let Some(PacketAction::Edit(edit)) = rule.fault.packets().map(|packets| &packets.action) else {
                continue;
            };
            assert_ne!(edit.keep_alive, Some(0), "{}: {}", shipped.name, rule.id);
        }
    }
}

/// The run resolves them so too; resolved with zero, a hold of 1 keep-alive would be told as none.
#[test]
fn spans_of_a_device_without_a_keep_alive_are_told_with_the_default() {
    let rule = "rules: [{ id: a, when: { at: 1s }, fault: { stall: { for: 2 keepalive + 1s } } }]\n";
    let plan = sound(&format!("{HEAD}default_keepalive: 30s\n{rule}"));
    let told = timeline::tell(&plan, Duration::ZERO).replace(['\n', ' '], "");
    assert!(told.contains("2keep-alives+1s(1m1satthedefault_keepaliveof30s)"), "{told}");
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

#[test]
fn a_profile_of_more_than_a_mebibyte_and_one_of_too_many_rules_are_refused() {
    let text = format!("{HEAD}# {}", "x".repeat(1024 * 1024));
    assert!(read(&text, &[]).unwrap_err().to_string().contains("at most 1048576 (1 MiB)"));
    let rule = "  - { id: a, when: { at: 1s }, fault: { rst: {} } }\n";
    let text = format!("{HEAD}rules:\n{}", rule.repeat(1001));
    assert!(read(&text, &[]).unwrap_err().to_string().contains("`rules` has 1001 items; at most 1000"));
}

/// What the whole of a text is at most: so much is taken, and one more is not.
#[test]
fn both_sides_of_every_limit() {
    let fault =
        |fault: &str| format!("{HEAD}rules: [{{ id: a, when: {{ at: 1s }}, fault: {{ {fault} }} }}]\n");
    let name = |length: usize| HEAD.replace("case", &"a".repeat(length));
    let rules = |number: usize| {
        let rule = |at: usize| format!("  - {{ id: r{at}, when: {{ at: 1s }}, fault: {{ rst: {{}} }} }}\n");
        format!("{HEAD}rules:\n{}", (0..number).map(rule).collect::<String>())
    };
    let raw = |bytes: usize| fault(&format!("inject: {{ raw: \"{}\" }}", "d0".repeat(bytes)));
    let place = |at: usize| format!("{HEAD}sequence: {{ byte: {at}, width: 4 }}\n");
    for (what, most, text) in [
        ("the letters of a name", 64, &name as &dyn Fn(usize) -> String),
        ("rules", 1_000, &rules),
        ("bytes that are injected", 65_536, &raw),
        ("the bytes before a number", 4_092, &place),
    ] {
        assert!(read(&text(most), &[]).is_ok(), "{most}: {what}");
        assert!(read(&text(most + 1), &[]).is_err(), "{}: {what}", most + 1);
    }
}

#[test]
fn a_suite_says_a_hundred_overrides_of_an_entry_and_no_more() {
    let text = |sets: usize| {
        let sets = vec!["settle=5s"; sets].join(", ");
        format!(
            "brownout: 1\nname: case\nsummary: A case.\nentries: [{{ profile: control, set: [{sets}] }}]\n"
        )
    };
    assert!(super::read_suite(&text(100)).is_ok());
    assert!(super::read_suite(&text(101)).is_err());
}

#[test]
fn problems_are_told_a_line_each_and_of_overrides_by_their_place() {
    let Err(problems) = read("brownout: 1\nname: A\nsummary: 1\nsettled: 1s\n", &[]) else { panic!() };
    let told = problems.to_string();
    assert_eq!(told.lines().count(), problems.0.len(), "{told}");
    assert!(told.starts_with("2:7: ") && told.lines().count() > 1, "{told}");

    let sets = ["settle=5 apples".parse().unwrap()];
    let Err(Problems(problems)) = read(HEAD, &sets) else { panic!() };
    let mark = &problems[0].marks[0];
    let shown = "--set settle=5 apples";
    assert_eq!((mark.column, &shown[mark.span.clone()]), (14, "5 apples"));
    let empty = ["settle=".parse().unwrap()];
    let Err(Problems(problems)) = read(HEAD, &empty) else { panic!() };
    assert_eq!(
        &"--set settle="[problems[0].marks[0].span.clone()],
        "=",
        "what is not there cannot be marked"
    );
}

#[test]
fn networks_hold_what_their_leading_bits_say() {
    let networks = [
        ("10.1.0.0", 16, "10.1.255.1", true),
        ("10.1.0.0", 16, "10.2.0.1", false),
        ("10.1.2.3", 32, "10.1.2.3", true),
        ("10.1.2.3", 32, "10.1.2.2", false),
        ("0.0.0.0", 0, "192.168.0.1", true),
        ("10.0.0.0", 8, "::ffff:10.9.9.9", true),
        ("10.0.0.0", 8, "::1", false),
        ("fd00::", 8, "fd77::1", true),
        ("fd00::", 8, "fe80::1", false),
        ("fd77::1", 128, "fd77::1", true),
        ("fd77::1", 128, "fd77::2", false),
        ("::", 0, "fd77::2", true),
    ];
    for (base, prefix, address, is_in) in networks {
        let network = Network { base: base.parse().unwrap(), prefix };
        assert_eq!(network.contains(address.parse().unwrap()), is_in, "{base}/{prefix} {address}");
    }
}

#[test]
fn problems_without_end_are_counted() {
    let text = format!("{HEAD}rules:\n{}", "  - {}\n".repeat(100));
    let Problems(problems) = read(&text, &[]).unwrap_err();
    assert_eq!(problems.len(), 51);
    assert_eq!(problems[50].to_string(), "and 150 more problems; they are told when these are mended");
    let aliases = format!("{HEAD}rules:\n  - &a {{}}\n{}", "  - *a\n".repeat(99));
    let Problems(problems) = read(&aliases, &[]).unwrap_err();
    let told = "and up to 150 more problems; they are told when these are mended";
    assert_eq!(problems.last().unwrap().to_string(), told);
}

#[test]
fn notes_without_end_are_counted() {
    let rule = |at: usize| format!("  - {{ id: r{at}, when: {{ at: 2m }}, fault: {{ rst: {{}} }} }}\n");
    let text = format!("{HEAD}rules:\n{}", (0..53).map(rule).collect::<String>());
    let notes = read(&text, &[]).unwrap().notes;
    assert_eq!(notes.len(), 51);
    assert_eq!(notes[50].severity, Severity::Note);
    assert_eq!(notes[50].to_string(), "and 3 more notes; they are told when these are gone");
}

#[test]
fn colour_is_for_terminals_only() {
    let problems = read("brownout: 2\n", &[]).unwrap_err().0;
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error));
    assert!(!render(&problems, "a.yaml", "brownout: 2\n", false).contains('\x1b'));
    assert!(render(&problems, "a.yaml", "brownout: 2\n", true).contains('\x1b'));
}

/// libyaml looks at all brackets that are open for each that follows: a minute for a megabyte of them.
#[test]
fn brackets_without_end_are_refused_at_once() {
    for text in ["[".repeat(1_000_000), format!("{HEAD}rules: {}", "{a: ".repeat(200_000))] {
        let told = read(&text, &[]).unwrap_err().to_string();
        assert!(told.contains("more than 1000 brackets are open"), "{told}");
    }
    sound(&format!("{HEAD}reproduces: '{}'\n", "[".repeat(1_000)));
}
