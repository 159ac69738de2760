//! Goldens hold whole outputs.

use super::stories::{
    dark_and_reset, fleet, four_devices, restless, slow_and_dark, slow_path, troubled, ways_back,
};
use crate::base::{DeviceId, Ends, LinkId, Side, WindowId};
use crate::event::{Delivery, EndReason, Packet, What};
use crate::fault::{Ending, Fidelity, LegFate, Mechanism, Toward};
use crate::measure::story::{Story, blackhole, latency, plan, rst};
use crate::profile::Plan;
use crate::report::table::width;
use crate::report::{Report, Styling, terminal};

/// The text of these runs, each of a day of its own.
pub(super) fn shown(plan: &Plan, stories: &[Story]) -> String {
    let days = stories.iter().cloned().zip(1..).map(|(mut story, day)| {
        begins(&mut story, &format!("2026-01-0{day}T00:00:00Z"));
        story
    });
    shown_as_they_are(plan, &days.collect::<Vec<_>>())
}

fn begins(story: &mut Story, wall_clock: &str) {
    if let What::RunStarted(started) = &mut story.events[0].what {
        started.wall_clock = wall_clock.into();
    }
}

fn shown_as_they_are(plan: &Plan, stories: &[Story]) -> String {
    let all = stories.iter().map(|story| story.results(plan)).reduce(crate::measure::Results::merge).unwrap();
    let text = terminal::render(&Report::new(plan, &all), Styling::Plain);
    for line in text.lines() {
        assert!(width(line) <= 80, "wider than 80: {line}");
        assert_eq!(line.trim_end(), line, "blanks at the end");
    }
    text
}

#[test]
fn a_few_devices() {
    insta::assert_snapshot!(shown(&dark_and_reset(), &[four_devices()]));
}

#[test]
fn many_devices() {
    let mut plan = plan(vec![("dark", blackhole("8s"))]);
    plan.expectations = dark_and_reset().expectations[1..3].to_vec();
    insta::assert_snapshot!(shown(&plan, &[fleet(40)]));
}

#[test]
fn nobody_came() {
    let mut story = Story::new();
    story.at(5_000).over();
    insta::assert_snapshot!(shown(&dark_and_reset(), &[story]));
}

#[test]
fn what_to_know() {
    let mut plan = plan(vec![("dark", blackhole("8s"))]);
    plan.expectations = dark_and_reset().expectations[1..2].to_vec();
    insta::assert_snapshot!(shown(&plan, &[troubled()]));
}

#[test]
fn what_shortens_and_lengthens_the_way_back() {
    let (plan, story) = ways_back();
    insta::assert_snapshot!(shown(&plan, &[story]));
}

/// Cut off, by hand and by its duration, and not as the profile has it.
#[test]
fn cut_off() {
    let cut = |reason, seed| {
        let mut story = four_devices();
        story.events.truncate(story.events.len() - 40);
        if let What::RunStarted(started) = &mut story.events[0].what {
            started.overrides = vec!["dark.delay=1s".into(), "settle=4s".into()];
            started.seed = seed;
        }
        story.at(15_000).tell(What::RunEnded { reason });
        story
    };
    let interrupted = cut(EndReason::Interrupted, 42);
    let ended = cut(EndReason::Duration, 43);
    insta::assert_snapshot!(shown(&dark_and_reset(), std::slice::from_ref(&interrupted)));
    insta::assert_snapshot!(shown(&dark_and_reset(), &[interrupted, ended]));
}

#[test]
fn two_runs() {
    let mut later = four_devices();
    later.events.truncate(later.events.len() - 40);
    later.at(15_000);
    insta::assert_snapshot!(shown(&dark_and_reset(), &[four_devices(), later]));
}

/// Two machines before the same hub, the one ten seconds after the other: one fleet.
#[test]
fn two_machines() {
    let mut other = fleet(20);
    begins(&mut other, "2026-01-01T00:00:10Z");
    insta::assert_snapshot!(shown_as_they_are(&dark_and_reset(), &[four_devices(), other]));
}

/// Names of two columns a character, of accents, of 64 KiB.
#[test]
fn names_of_any_script() {
    let mut results = four_devices().results(&dark_and_reset());
    let names = [
        "水道メーター・東京・第一・千代田区-000123",
        "e\u{301}\u{301}te\u{301}",
        &"x".repeat(65_535),
        "🦀🦀🦀",
    ];
    for (device, name) in results.runs[0].devices.values_mut().zip(names) {
        device.name = name.into();
    }
    let text = terminal::render(&Report::new(&dark_and_reset(), &results), Styling::Plain);
    text.lines().for_each(|line| assert!(width(line) <= 80, "wider than 80: {line}"));
    insta::assert_snapshot!(text);
}

#[test]
fn a_slow_path_and_connects_that_vanish() {
    insta::assert_snapshot!(shown(&slow_and_dark(), &[slow_path()]));
}

#[test]
fn two_runs_of_a_slow_path() {
    let mut later = slow_path();
    later.events.truncate(later.events.len() - 20);
    insta::assert_snapshot!(shown(&slow_and_dark(), &[slow_path(), later]));
}

#[test]
fn many_devices_on_a_slow_path() {
    let mut story = Story::new();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
    for ((link, device), name) in (1..).zip(0..).zip(names) {
        story.joins(link, device, name, 2).opens(link, 0, device, 2).applies(link, link, Mechanism::Lane);
    }
    for link in 1..=13 {
        story.at(1_000 * link).up(link, Packet::Pingreq).at(1_600 * link).down(link, Packet::Pingresp);
    }
    story.at(21_000).over();
    insta::assert_snapshot!(shown(&plan(vec![("slow", latency(300, "60s"))]), &[story]));
}

/// A thousand devices and five thousand windows are read, judged and shown in no time, in few lines.
#[test]
fn a_thousand_devices() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let story = restless(1_000, 5);
    let text = shown(&plan, std::slice::from_ref(&story));
    assert!(text.lines().count() <= 60, "{text}");
    let results = story.results(&plan);
    assert_eq!(results.runs[0].windows.len(), 5_000);
    let by_name = text.lines().filter(|line| line.contains("sensor-")).count();
    assert!(by_name <= 12, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn an_observer_without_rules() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(4_000).over();
    insta::assert_snapshot!(shown(&plan(Vec::new()), &[story]));
}

#[test]
fn as_json() {
    let plan = dark_and_reset();
    let report = Report::new(&plan, &four_devices().results(&plan));
    insta::assert_snapshot!(report.to_json().unwrap());
}

#[test]
fn with_styles() {
    let plan = dark_and_reset();
    let report = Report::new(&plan, &four_devices().results(&plan));
    let styled = terminal::render(&report, Styling::Ansi);
    let plain = terminal::render(&report, Styling::Plain);
    assert_ne!(styled, plain);
    assert_eq!(anstream::adapter::strip_str(&styled).to_string(), plain);
}

/// What became of messages, and what has no place in the table.
#[test]
fn messages() {
    let mut story = Story::new();
    story.at(100).joins(1, 0, "pump-1", 10).joins(2, 1, "pump-2", 10);
    let up = Delivery {
        sent: [40, 120, 0],
        received: [38, 119, 0],
        completed: [0, 118, 0],
        retransmitted: [0, 6, 0],
        duplicated: [0, 5, 0],
        lost: [5, 1, 0],
        in_flight: [0, 1, 0],
        numbered: 160,
        missing: 3,
        catch_ups: 2,
        queued: 12,
        numbered_catch_ups: 2,
        dropped: 4,
        ..Delivery::default()
    };
    let down = Delivery { sent: [0, 0, 7], received: [0, 0, 7], completed: [0, 0, 7], ..Delivery::default() };
    story.at(9000).tell(What::Delivery { device: DeviceId(0), up: up.into(), down: down.into() });
    let up =
        Delivery { sent: [0, 9, 0], received: [0, 9, 0], completed: [0, 9, 0], unfollowed: [0, 2, 0], ..up };
    let up =
        Delivery { numbered: 0, catch_ups: 0, lost: [0; 3], in_flight: [0; 3], duplicated: [0; 3], ..up };
    story.tell(What::Delivery { device: DeviceId(1), up: up.into(), down: Box::default() }).at(10_000).over();
    insta::assert_snapshot!(shown(&plan(Vec::new()), &[story]));
}

/// Of its packets none arrive, so when it noticed is hidden; then the hub times out, and its FIN gets through. The device's next
/// connect comes of that.
#[test]
fn a_device_that_the_hubs_end_got_through_to_was_told() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 4).at(3_000).opens(1, 0, 0, 4);
    let means = Ends { device: Some(Mechanism::MinTtl), hub: None };
    let (window, link, fidelity) = (WindowId(1), LinkId(1), Fidelity::Packet);
    story.tell(What::FaultApplied { window, link, fidelity, means });
    story.at(8_000).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).at(9_000).joins(2, 0, "a", 4);
    story.at(21_000).lifts(1, 1).heals(1).at(30_000).over();
    let plan = plan(vec![("up-dead", blackhole("18s"))]);
    let shown = shown(&plan, &[story]);
    assert!(shown.contains("  a       told     5.0 s"), "{shown}");
    assert!(shown.contains("told: the hub's end was passed on"), "{shown}");
}
