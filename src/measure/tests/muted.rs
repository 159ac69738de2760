//! An end that another fault mutes while one holds: what it did meanwhile is seen later, or never.

use crate::base::Side;
use crate::event::Packet;
use crate::fault::{Close, Ending, Fault, LegFate, Mechanism, Toward, WaysWanted};
use crate::measure::Value;
use crate::measure::story::{Story, between, blackhole, exact, never, plan, rst, stall, values};
use crate::profile::Metric;

type Step = fn(&mut Story);

/// What a stall of both ways from 3.0 to 11.0 s comes to at the device, where another rule mutes its end from `mute.0` to
/// `mute.1`.
fn device(mute: (u64, u64), tell: impl Fn(&mut Story)) -> Option<Value> {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(2_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
    let mut steps: Vec<(u64, Step)> = vec![
        (3_000, |story| _ = story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate)),
        (mute.0, |story| _ = story.opens(2, 1, 0, 2).applies(2, 1, Mechanism::Filter)),
        (mute.1, |story| _ = story.lifts(2, 1).heals(2)),
    ];
    steps.sort_by_key(|(at, _)| *at);
    steps.into_iter().for_each(|(at, step)| step(story.at(at)));
    tell(&mut story);
    let rules = vec![("slow", stall(WaysWanted::Both, "8s")), ("dark", blackhole("3s"))];
    let results = story.at(60_000).over().results(&plan(rules));
    values(&results, Metric::DeviceDetection).first().copied()
}

fn heal(story: &mut Story) -> &mut Story {
    story.at(11_000).lifts(1, 1).heals(1)
}

/// Its FIN was dropped, and only the connect shows that it had gone; or the FIN that its system sends again.
#[test]
fn a_sign_in_the_dark_of_another_fault_is_a_bracket() {
    let connects = |at: u64| {
        move |story: &mut Story| {
            story.at(at).joins(2, 0, "a", 2);
            heal(story);
        }
    };
    assert_eq!(device((4_000, 7_000), connects(7_500)), Some(between(1_000, 4_500)));
    assert_eq!(device((2_500, 7_000), connects(7_500)), Some(between(0, 4_500)), "begun before the fault");
    assert_eq!(device((2_000, 2_900), connects(7_500)), Some(exact(4_500)), "over before the fault");
    let ends = |story: &mut Story| _ = heal(story.at(9_000).ends(1, Side::Device, Ending::Fin));
    assert_eq!(device((4_000, 7_000), ends), Some(between(1_000, 6_000)));
}

/// As long as the mute lasted, and a second: by then its system has sent again what was dropped.
#[test]
fn what_comes_long_after_the_mute_was_not_done_in_it() {
    for (at, expected) in [(6_000, between(1_000, 3_000)), (6_001, exact(3_001))] {
        let ends = |story: &mut Story| _ = heal(story.at(at).ends(1, Side::Device, Ending::Fin));
        assert_eq!(device((4_000, 4_500), ends), Some(expected), "{at}");
    }
}

#[test]
fn who_shows_nothing_was_watched_until_it_was_muted() {
    assert_eq!(device((4_000, 7_000), |story| _ = heal(story)), Some(never(1_000)));
    let speaks = |story: &mut Story| _ = heal(story).at(11_001).up(1, Packet::Pingreq);
    assert_eq!(device((4_000, 7_000), speaks), Some(never(8_000)), "it had not given up");
}

/// What comes then may be what its system sends again.
#[test]
fn an_end_that_is_soon_muted_again_is_not_heard_of_in_between() {
    for (at, expected) in [(20_000, never(0)), (20_001, never(3_000))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter);
        story.at(6_000).lifts(1, 1).heals(1).at(8_000).opens(2, 0, 0, 2).applies(2, 1, Mechanism::Filter);
        story.at(11_000).lifts(2, 1).heals(2).at(at).up(1, Packet::Pingreq);
        let results = story.at(60_000).over().results(&plan(vec![("dark", blackhole("3s"))]));
        assert_eq!(values(&results, Metric::DeviceDetection), [expected, expected], "{at}");
    }
}

/// What is to tell it stands behind what its system's acknowledgements are missing for: it gives up by itself, unseen.
#[test]
fn an_end_that_could_not_be_told_of_its_cut_gives_up_in_the_dark() {
    for (unsent, expected) in [(0, exact(1_700)), (56, between(0, 1_700))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(2_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter);
        story.at(3_000).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Shutdown);
        Side::BOTH.into_iter().for_each(|side| _ = story.cut(1, side, LegFate::Close, 2));
        story.heals(2).waits(1, Side::Device, unsent).at(4_700).joins(2, 0, "a", 2).at(5_000).heals(1);
        let fin = Fault::Fin(Close { toward: Toward::Both, other: LegFate::Close, close_notify: true });
        let rules = vec![("dark", blackhole("3s")), ("gone", fin)];
        let results = story.at(60_000).over().results(&plan(rules));
        let told = results.runs[0].windows.values().nth(1).map(|window| window.noticed.device.detection);
        assert_eq!(told, Some(Some(expected)), "{unsent}");
    }
}

/// Its own FIN, as it gives up what the cut left half-open, is dropped, and comes when its system sends it again.
#[test]
fn an_end_whose_leg_a_cut_left_up_gives_up_in_the_dark() {
    for (is_muted, expected) in [(false, exact(5_600)), (true, between(0, 5_600))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(2_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
        if is_muted {
            story.at(2_500).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter);
        }
        story.at(3_000).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Linger);
        story.cut(1, Side::Device, LegFate::Reset, 2).cut(1, Side::Hub, LegFate::HalfOpen, 2).heals(2);
        if is_muted {
            story.at(8_000).lifts(1, 1).heals(1);
        }
        story.at(8_600).ends(1, Side::Hub, Ending::Fin);
        let gone = rst(Toward::Device, LegFate::HalfOpen);
        let results = story.at(60_000).over().results(&plan(vec![("dark", blackhole("6s")), ("gone", gone)]));
        let window = results.runs[0].windows.values().next_back().unwrap();
        assert_eq!(window.noticed.hub.detection, Some(expected), "{is_muted}");
    }
}
