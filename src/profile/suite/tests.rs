//! Suites as they are read, and every problem of a wrong one.

use crate::profile::{self, Workload, read_suite, render, shipped};
use std::time::Duration;

const SMALL: &str = "\
brownout: 1
name: small
summary: Two of them.
keepalive: 2s
workloads: [sub, idle]
entries:
  - { profile: control, set: [\"duration=5s\"] }
  - { profile: ./own/My File.yaml, duration: 7 keepalive, workloads: [pub], qos: 0, needs: mqtt5 }
";

#[test]
fn a_suite_is_read_with_what_holds_where_it_says_nothing() {
    let suite = read_suite(SMALL).unwrap();
    assert_eq!(suite.keep_alive, Duration::from_secs(2));
    assert_eq!(suite.interval.resolve(suite.keep_alive), Duration::from_millis(500));
    assert_eq!(suite.limit.resolve(suite.keep_alive), Duration::from_secs(100));
    let [control, own] = suite.entries.as_slice() else { panic!("{suite:?}") };
    assert_eq!(control.workloads, [Workload::Idle, Workload::Sub], "in the order of the scorecard");
    assert_eq!((control.name.as_str(), control.qos, control.needs_mqtt5), ("control", 1, false));
    assert_eq!(control.sets[0].text(), "duration=5s");
    assert_eq!(control.duration, None);
    assert_eq!(own.duration.unwrap().resolve(suite.keep_alive), Duration::from_secs(14));
    assert_eq!((own.name.as_str(), own.qos, own.needs_mqtt5), ("my-file", 0, true));
    assert_eq!(own.workloads, [Workload::Pub]);
}

#[test]
fn every_problem_of_a_suite_is_told_at_once() {
    let text = "\
brownout: 1
name: Wrong
keepalive: 1500ms
interval: 1 keepalive
workload: [idle]
entries:
  - { profile: control, workloads: [idel], qos: 3 }
  - { profile: control, set: [\"dark\"], sets: [] }
  - { workloads: idle }
";
    let problems = read_suite(text).unwrap_err();
    insta::assert_snapshot!(render(&problems.0, "wrong.yaml", text, false));
}

#[test]
fn two_of_one_name_no_workload_and_a_slow_interval_are_told() {
    let text = "\
brownout: 1
name: wrong
summary: Sound, key by key.
interval: 1 keepalive
entries:
  - { profile: control }
  - { profile: control, workloads: [] }
";
    let problems = read_suite(text).unwrap_err();
    insta::assert_snapshot!(render(&problems.0, "wrong.yaml", text, false));
    for (text, wanted) in [
        ("", "the suite is empty"),
        ("[]", "a suite is a mapping"),
        ("brownout: 1\nentries: []\n", "no entries"),
    ] {
        let problems = read_suite(text).unwrap_err();
        let told: Vec<_> = problems.0.iter().map(|problem| problem.message.as_str()).collect();
        assert!(told.iter().any(|told| told.contains(wanted)) || text.starts_with("brownout"), "{told:?}");
    }
}

#[test]
fn another_keep_alive_has_to_be_longer_than_the_interval() {
    let suite = read_suite(&SMALL.replace("keepalive: 2s", "interval: 1s")).unwrap();
    assert_eq!(suite.clone().at(Duration::from_secs(2)).unwrap().keep_alive, Duration::from_secs(2));
    assert!(suite.at(Duration::from_secs(1)).unwrap_err().contains("each 1s are not faster"));
}

/// Each profile is there, and its overrides fit it.
#[test]
fn shipped_suites_can_be_run() {
    for shipped_suite in super::shipped() {
        let suite = read_suite(shipped_suite.text).unwrap();
        assert_eq!(suite.name, shipped_suite.name);
        for entry in &suite.entries {
            let text = shipped::find(&entry.profile).unwrap().text;
            let checked = profile::read(text, &entry.sets);
            assert!(checked.is_ok(), "{}: {checked:?}", entry.name);
        }
    }
    let missed = super::find("cleint").unwrap_err().to_string();
    assert!(missed.contains("did you mean `client`?"), "{missed}");
}
