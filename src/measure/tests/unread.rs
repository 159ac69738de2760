//! A hub that is left unread because the device takes no more: what it did meanwhile is seen later.

use super::detection::struck;
use crate::base::{Direction, Side};
use crate::event::Packet;
use crate::fault::{Ending, Mechanism, WaysWanted};
use crate::measure::Value;
use crate::measure::story::{Story, between, blackhole, exact, never, plan, stall, values};
use crate::profile::Metric;

/// What a stall of both ways from 3.0 to 11.0 s comes to at the hub: its detection, and its silence.
fn hub(tell: impl Fn(&mut Story)) -> (Option<Value>, Option<Value>) {
    let mut story = struck(Mechanism::Gate);
    tell(&mut story);
    let results = story.at(60_000).over().results(&plan(vec![("dark", stall(WaysWanted::Both, "8s"))]));
    let first = |metric| values(&results, metric).first().copied();
    (first(Metric::HubDetection), first(Metric::HubSilence))
}

fn heal(story: &mut Story) -> &mut Story {
    story.at(11_000).lifts(1, 1).heals(1)
}

fn fin(story: &mut Story, millis: u64) {
    story.at(millis).ends(1, Side::Hub, Ending::Fin);
}

#[test]
fn what_a_hub_does_while_it_is_left_unread_is_known_from_and_to() {
    let unread = |story: &mut Story| {
        story.at(4_500).leaves_unread(1, Some(4_500));
        fin(story, 6_000);
        heal(story);
    };
    assert_eq!(hub(unread), (Some(between(1_500, 3_000)), Some(between(2_500, 4_000))));
    let before_the_fault = |story: &mut Story| {
        story.leaves_unread(1, Some(2_500));
        fin(story, 6_000);
        heal(story);
    };
    assert_eq!(hub(before_the_fault).0, Some(between(0, 3_000)));
    let read = |story: &mut Story| {
        fin(story, 6_000);
        story.at(6_100).leaves_unread(1, Some(6_100));
        heal(story);
    };
    assert_eq!(hub(read), (Some(exact(3_000)), Some(exact(4_000))));
}

/// Its FIN comes when there is room again, behind what it had said before.
#[test]
fn what_stood_behind_what_was_not_read_comes_once_that_is_read() {
    for (fin_at, expected) in [(11_200, between(1_500, 8_200)), (12_001, exact(9_001))] {
        let tell = |story: &mut Story| {
            story.at(4_500).leaves_unread(1, Some(4_500));
            heal(story);
            story.leaves_unread(1, None);
            fin(story, fin_at);
        };
        assert_eq!(hub(tell).0, Some(expected), "{fin_at}");
    }
    // The path was restored long before, and the hub was sent something since.
    let late = |story: &mut Story| {
        story.at(4_500).leaves_unread(1, Some(4_500));
        heal(story);
        story.at(11_500).up(1, Packet::Pingreq).at(17_000);
        fin(story, 17_000);
    };
    assert_eq!(hub(late), (Some(between(1_500, 14_000)), None));
    let after = |story: &mut Story| {
        heal(story).at(11_500).up(1, Packet::Pingreq).at(12_000).leaves_unread(1, Some(12_000));
        fin(story, 17_000);
    };
    assert_eq!(hub(after).0, Some(never(8_000)));
}

/// It takes a little now and then.
#[test]
fn a_hub_of_which_a_little_is_read_now_and_then_is_left_unread_all_the_while() {
    let again = |at: u64| {
        move |story: &mut Story| {
            story.at(4_500).leaves_unread(1, Some(4_500));
            story.at(5_000).leaves_unread(1, None);
            story.at(at).leaves_unread(1, Some(at));
            fin(story, 8_000);
            heal(story);
        }
    };
    assert_eq!(hub(again(6_000)).0, Some(between(1_500, 5_000)));
    assert_eq!(hub(again(6_001)).0, Some(between(3_001, 5_000)));
}

#[test]
fn that_a_hub_did_not_notice_is_only_known_as_far_as_it_was_read() {
    let never_read = |story: &mut Story| {
        story.at(7_000).leaves_unread(1, Some(7_000));
        heal(story);
    };
    assert_eq!(hub(never_read).0, Some(never(4_000)));
    let read = |story: &mut Story| {
        never_read(story);
        story.at(12_000).leaves_unread(1, None);
    };
    assert_eq!(hub(read).0, Some(never(8_000)));
    // The device's end was passed on to it before it was seen to have noticed.
    let told = |story: &mut Story| {
        story.at(7_000).leaves_unread(1, Some(7_000));
        story.at(9_000).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
        fin(story, 9_500);
        heal(story);
    };
    assert_eq!(hub(told).0, Some(never(4_000)));
}

#[test]
fn a_split_view_takes_the_bracket_on() {
    let mut story = struck(Mechanism::Gate);
    story.at(4_500).leaves_unread(1, Some(4_500)).at(5_000).ends(1, Side::Device, Ending::Fin);
    fin(&mut story, 6_000);
    heal(&mut story);
    let results = story.at(60_000).over().results(&plan(vec![("dark", blackhole("8s"))]));
    assert_eq!(values(&results, Metric::SplitView), [between(0, 1_000)]);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(2_000)]);
}

/// A DISCONNECT is a packet, and is told of before what was counted.
#[test]
fn when_it_was_read_again_may_be_told_after_its_sign() {
    for (again, expected) in [(7_999, exact(6_000)), (8_000, between(1_500, 6_000))] {
        let tell = |story: &mut Story| {
            story.at(4_500).leaves_unread(1, Some(4_500));
            story.at(9_000).passes(1, Direction::Down, Packet::Disconnect { reason: 0x8d }, true);
            story.at(9_100).reads_again(1, again);
            heal(story);
        };
        assert_eq!(hub(tell).0, Some(expected), "{again}");
    }
}
