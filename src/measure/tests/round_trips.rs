//! Round trips, and whose they are: the rule's that held, the device's, or a sound path's.

use crate::base::{Direction, LinkId};
use crate::event::{Packet, Samples};
use crate::fault::{Alteration, LegFate, Mechanism, Toward};
use crate::measure::story::{Story, blackhole, expect, latency, plan, rst, span};
use crate::measure::{Judgement, Results, RoundTrips, judge};
use crate::profile::{Comparison, Expectation, Metric, Plan, Statistic};
use std::time::Duration;

/// Latency from 3.0 to 11.0 s.
fn slow() -> Plan {
    plan(vec![("slow", latency(300, "8s")), ("also", latency(300, "8s"))])
}

fn millis(samples: &Samples) -> Vec<u128> {
    // Kept to within a thousandth below: rounded up, whole milliseconds are what they were.
    let of = |(value, count): (Duration, u64)| (value.as_nanos().div_ceil(1_000_000), count);
    samples.iter().map(of).flat_map(|(value, count)| vec![value; usize::try_from(count).unwrap()]).collect()
}

/// A PINGREQ at one time, its PINGRESP passed on at another.
fn ping(story: &mut Story, from: u64, to: u64) {
    story.at(from).up(1, Packet::Pingreq).at(to).down(1, Packet::Pingresp);
}

fn publish(story: &mut Story, at: u64, took: u64) {
    let mut rtt = Samples::default();
    rtt.add(Duration::from_millis(took));
    story.at(at).traffic(1, 100, rtt);
}

fn joined() -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2);
    story
}

fn of_window(results: &Results, nth: usize) -> &RoundTrips {
    &results.runs[0].windows.values().nth(nth).unwrap().round_trips
}

/// All, and those outside of faults.
fn pings_of_device(results: &Results) -> (Vec<u128>, Vec<u128>) {
    let device = results.runs[0].devices.values().next().unwrap();
    (millis(&device.ping_rtt), millis(&device.sound.ping))
}

#[test]
fn a_ping_is_the_rules_that_held_when_it_came() {
    let mut story = joined();
    ping(&mut story, 1_000, 1_001);
    // Under way when the fault came: of no rule, and of no sound path.
    story.at(2_999).up(1, Packet::Pingreq).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    story.at(3_302).down(1, Packet::Pingresp);
    ping(&mut story, 4_000, 4_600);
    // Under way when it went: the rule's.
    story.at(10_900).up(1, Packet::Pingreq).at(11_000).lifts(1, 1).heals(1).at(11_200);
    story.down(1, Packet::Pingresp);
    ping(&mut story, 12_000, 12_002);
    let results = story.results(&slow());
    assert_eq!(millis(&of_window(&results, 0).ping), [300, 600]);
    assert_eq!(pings_of_device(&results), (vec![1, 2, 300, 303, 600], vec![1, 2]));
}

#[test]
fn a_ping_under_two_faults_is_both_rules() {
    let mut story = joined();
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    ping(&mut story, 3_500, 3_900);
    story.at(4_000).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Lane);
    ping(&mut story, 4_500, 5_300);
    story.at(6_000).lifts(1, 1).heals(1);
    ping(&mut story, 6_500, 7_000);
    story.at(8_000).lifts(2, 1).heals(2).at(9_000);
    let results = story.results(&slow());
    assert_eq!(millis(&of_window(&results, 0).ping), [400, 800]);
    assert_eq!(millis(&of_window(&results, 1).ping), [500, 800]);
    assert_eq!(pings_of_device(&results).1, [0_u128; 0]);
}

#[test]
fn a_window_that_closes_without_its_lift_told_holds_no_more() {
    let mut story = joined();
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane).at(4_000).heals(1);
    ping(&mut story, 5_000, 5_010);
    let results = story.results(&slow());
    assert!(of_window(&results, 0).ping.is_empty());
    assert_eq!(pings_of_device(&results).1, [10]);
}

#[test]
fn a_held_answer_is_timed_when_it_is_passed_on_and_is_the_rules() {
    let mut story = joined();
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    story.at(4_000).passes(1, Direction::Up, Packet::Pingreq, true);
    let asked = story.seq();
    story.at(4_300).forwarded(1, Direction::Up, asked).passes(1, Direction::Down, Packet::Pingresp, true);
    let answered = story.seq();
    story.at(4_601).forwarded(1, Direction::Down, answered);
    assert_eq!(millis(&of_window(&story.results(&slow()), 0).ping), [601]);
}

#[test]
fn a_publish_is_the_rules_that_held_when_it_was_told() {
    let mut story = joined();
    publish(&mut story, 2_000, 1);
    // The link tells what it has right before the fault, and right before its end.
    publish(&mut story, 3_000, 2);
    story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    publish(&mut story, 5_000, 600);
    publish(&mut story, 11_000, 700);
    story.lifts(1, 1).heals(1);
    // May have begun under the fault: of no rule, and of no sound path.
    publish(&mut story, 12_000, 350);
    publish(&mut story, 13_000, 3);
    let results = story.results(&slow());
    assert_eq!(millis(&of_window(&results, 0).publish), [600, 700]);
    let device = results.runs[0].devices.values().next().unwrap();
    assert_eq!(millis(&device.publish_rtt), [1, 2, 3, 350, 600, 700]);
    assert_eq!(millis(&device.sound.publish), [1, 2, 3]);
}

#[test]
fn a_one_shot_holds_nothing() {
    let mut story = joined();
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Parked);
    story.cut(1, crate::base::Side::Device, LegFate::HalfOpen, 1);
    ping(&mut story, 3_100, 3_200);
    let results = story.results(&plan(vec![("reset", rst(Toward::Hub, LegFate::HalfOpen))]));
    assert!(of_window(&results, 0).ping.is_empty());
}

#[test]
fn more_pings_without_an_answer_than_are_kept_do_no_harm() {
    let mut story = joined();
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    for nth in 0..100 {
        story.at(3_100 + nth).passes(1, Direction::Up, Packet::Pingreq, true);
    }
    story.at(11_000).lifts(1, 1).heals(1).at(12_000);
    for _ in 0..100 {
        story.down(1, Packet::Pingresp);
    }
    let results = story.results(&plan(vec![("dark", blackhole("8s"))]));
    assert_eq!(of_window(&results, 0).ping.count(), 64);
}

#[test]
fn expectations_of_a_rule_see_its_round_trips_alone() {
    let mut story = joined();
    ping(&mut story, 1_000, 1_900);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    ping(&mut story, 4_000, 4_600);
    story.at(11_000).lifts(1, 1).heals(1);
    story.tell(crate::event::What::LinkClosed { link: LinkId(1), undelivered: Default::default() });
    let results = story.results(&slow());
    let of = |rule: Option<u16>, metric, limit| {
        let max = expect(metric, Statistic::Max, Comparison::AtMost, span(limit));
        let verdict = &judge(&[Expectation { of: rule.map(crate::base::RuleId), ..max }], &results)[0];
        (verdict.judgement, verdict.samples)
    };
    assert_eq!(of(Some(0), Metric::PingRtt, "600ms"), (Judgement::Met, 1));
    assert_eq!(of(Some(0), Metric::PingRtt, "599ms"), (Judgement::Unmet, 1));
    assert_eq!(of(Some(0), Metric::PingRtt, "0.3 keepalive"), (Judgement::Met, 1));
    assert_eq!(of(None, Metric::PingRtt, "600ms"), (Judgement::Unmet, 2));
    assert_eq!(of(Some(1), Metric::PingRtt, "1h"), (Judgement::NoEvidence, 0));
    assert_eq!(of(Some(0), Metric::PublishRtt, "1h"), (Judgement::NoEvidence, 0));
}

/// A PINGREQ that is dropped, or whose PINGRESP is, gets no answer: the next PINGRESP is not for it.
#[test]
fn what_a_fault_dropped_is_not_answered_by_what_comes_later() {
    let dropped = Alteration::Dropped { acknowledged: false };
    for (direction, packet) in [(Direction::Up, Packet::Pingreq), (Direction::Down, Packet::Pingresp)] {
        let mut story = joined();
        story.at(3_000).opens(1, 0, 0, 2);
        for (at, is_dropped) in [(3_000, true), (4_000, true), (5_000, false), (6_000, true)] {
            story.at(at);
            if direction == Direction::Down || !is_dropped {
                story.up(1, Packet::Pingreq);
            }
            match is_dropped {
                true => story.fares(1, direction, packet.clone(), None).altered(1, direction, 1, dropped),
                false => story.at(at + 2).down(1, Packet::Pingresp),
            };
        }
        story.at(11_000).heals(1);
        ping(&mut story, 12_000, 12_003);
        // One that was under way, and was not dropped, is answered all the same.
        story.at(13_000).up(1, Packet::Pingreq).at(13_001).fares(1, Direction::Up, Packet::Pingreq, None);
        story.at(13_004).down(1, Packet::Pingresp);
        let results = story.results(&slow());
        assert_eq!(pings_of_device(&results).0, [2, 3, 4], "{direction:?}");
    }
}
