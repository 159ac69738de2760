//! Goldens of both forms.

use super::*;
use crate::event::What;
use crate::measure::story::Story;
use crate::report::junit::tests::with_findings;
use crate::report::tests::stories::{dark_and_reset, fleet, four_devices};

const SETTINGS: Settings = Settings { alpha: 0.05, margin: 0.05 };

fn compared(a: &Results, b: &Results) -> Compared {
    let compared = Compared::new(&dark_and_reset(), a, b, SETTINGS);
    for line in compared.to_text(Styling::Plain).lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line}");
        assert_eq!(line.trim_end(), line, "blanks at the end");
    }
    compared
}

/// The same with everything of devices so much later.
fn later(mut story: Story, millis: u64) -> Story {
    let late = crate::base::Time::from_millis(4_900);
    for event in story.events.iter_mut().filter(|event| event.at > late) {
        event.at = crate::base::Time::from_nanos(event.at.as_nanos() + millis * 1_000_000);
    }
    if let What::RunStarted(started) = &mut story.events[0].what {
        started.seed = 43;
        started.wall_clock = "2026-01-02T00:00:00.25Z".into();
    }
    story
}

#[test]
fn a_fleet_that_notices_later() {
    let plan = dark_and_reset();
    let all = compared(&fleet(20).results(&plan), &later(fleet(20), 2_500).results(&plan));
    assert!(!all.is_no_worse());
    insta::assert_snapshot!(all.to_text(Styling::Plain));
    insta::assert_snapshot!(all.to_json().unwrap());
}

#[test]
fn few_devices_whose_findings_are_new() {
    let plan = dark_and_reset();
    let all = compared(&four_devices().results(&plan), &with_findings());
    assert!(all.is_no_worse(), "{all:?}");
    insta::assert_snapshot!(all.to_text(Styling::Plain));
}

#[test]
fn nothing_at_all() {
    let mut empty = Story::new();
    empty.at(5_000).over();
    let plan = dark_and_reset();
    insta::assert_snapshot!(compared(&empty.results(&plan), &empty.results(&plan)).to_text(Styling::Plain));
}

/// Findings on more devices than are named, and such as are of no one device.
#[test]
fn findings_are_on_so_many_devices_or_on_the_whole_fleet() {
    let mut results = with_findings();
    let findings = &mut results.runs[0].findings;
    let rest = measure::Finding { device: None, summed_up: 250, count: 400, ..findings[0].clone() };
    findings.push(rest);
    let of_fleet = measure::Finding { device: None, count: 2, ..findings[0].clone() };
    let told = |results: &Results| {
        compared(&four_devices().results(&dark_and_reset()), results).to_text(Styling::Plain)
    };
    let text = told(&results);
    assert!(text.contains("403 on 251 devices\n") && text.contains("  3 in all\n"), "{text}");
    results.runs[0].findings.push(of_fleet);
    let text = told(&results);
    assert!(text.contains("405 in all\n"), "{text}");
}

#[test]
fn an_interval_covers_what_its_level_says() {
    let plan = dark_and_reset();
    let (a, b) = (fleet(20).results(&plan), later(fleet(20), 2_500).results(&plan));
    for (alpha, told) in [(0.05, " 95 %: "), (0.005, " 99.5 %: "), (0.001, " 99.9 %: ")] {
        let text = Compared::new(&plan, &a, &b, Settings { alpha, margin: 0.05 }).to_text(Styling::Plain);
        assert!(text.contains(told), "{alpha}: {text}");
    }
}

#[test]
fn runs_of_two_versions_are_told() {
    let plan = dark_and_reset();
    let (a, mut b) = (fleet(2).results(&plan), fleet(2).results(&plan));
    let told = |b: &Results| compared(&a, b).notes.into_iter().find(|note| note.contains("brownout"));
    assert_eq!(told(&b), None);
    b.runs[0].started.as_mut().unwrap().version = "0.2.0".into();
    let note = "A was run by brownout 0.1.0, B by 0.2.0: what they do otherwise is in the difference, too";
    assert_eq!(told(&b).as_deref(), Some(note));
}

/// What fails a run beside its expectations is no expectation.
#[test]
fn a_side_says_what_it_failed_by() {
    let mut plan = dark_and_reset();
    // Each device is back within 30 s.
    plan.expectations = vec![plan.expectations.remove(2)];
    let mut results = fleet(4).results(&plan);
    let met = |compared: &Compared| {
        let text = compared.to_text(Styling::Plain);
        text.lines().nth(1).map(str::to_owned).unwrap_or_default()
    };
    let of = |plan: &Plan, results: &Results| met(&Compared::new(plan, results, results, SETTINGS));
    assert!(of(&plan, &results).contains("4 devices, expectations met, seed"), "{}", of(&plan, &results));
    results.runs[0].trouble.command_failed = Some(Some(3));
    assert!(of(&plan, &results).contains("expectations met, failed: command"), "{}", of(&plan, &results));
    plan.expectations.clear();
    assert!(of(&plan, &results).contains("4 devices, failed: command, seed"), "{}", of(&plan, &results));
}

#[test]
fn messages_that_may_be_lost_are_told_as_such() {
    let plan = dark_and_reset();
    let of = |lost: u64, unfollowed: u64| {
        let mut results = fleet(2).results(&plan);
        for device in results.runs[0].devices.values_mut() {
            let up = &mut device.delivery.counts.up;
            (up.sent[1], up.lost[1], up.unfollowed[1]) = (250, lost, unfollowed);
        }
        results
    };
    let all = compared(&of(10, 0), &of(0, 50));
    let text = all.to_text(Styling::Plain);
    let told = "QoS 1 messages from devices: lost: A 20 of 500, B 0 to 100 of 500, p 1.000:\n  undecided\n";
    assert!(text.contains(told), "{text}");
    let json: serde_json::Value = serde_json::from_str(&all.to_json().unwrap()).unwrap();
    let lost = json["proportions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|share| share["of"] == "QoS 1 messages from devices: lost");
    assert_eq!(lost.unwrap()["perhaps"], serde_json::json!([0, 100]));
    assert_eq!(lost.unwrap()["conclusion"], "undecided");
}
