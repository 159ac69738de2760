//! Sides with literal samples.

use super::*;
use crate::base::{DeviceId, Direction};
use crate::measure::results::Sample;
use crate::measure::story::{Story, blackhole, expect, plan, span};
use crate::profile::{Comparison as Compared, Statistic};
use std::time::Duration;

const SETTINGS: Settings = Settings { alpha: 0.05, margin: 0.05 };

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn exact(millis: u64) -> Value {
    Value::Exact(ms(millis))
}

fn never(millis: u64) -> Value {
    Value::Never { watched: ms(millis) }
}

fn the_plan() -> Plan {
    plan(vec![("dark", blackhole("8s"))])
}

/// A run of one device with these detections of the rule.
fn side(values: &[Value]) -> Results {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(20_000).over();
    let mut results = story.results(&the_plan());
    let sample = |value: &Value| Sample {
        metric: Metric::DeviceDetection,
        value: *value,
        device: Some(DeviceId(0)),
        window: None,
        rule: Some(RuleId(0)),
        keep_alive: ms(2_000),
    };
    results.runs[0].samples = values.iter().map(sample).collect();
    results
}

fn from(start: u64, step: u64, count: u64) -> Vec<Value> {
    (0..count).map(|nth| exact(start + nth * step)).collect()
}

fn detection(a: &[Value], b: &[Value]) -> (Measure, Comparison) {
    let all = Comparison::of(&the_plan(), &side(a), &side(b), SETTINGS);
    let detection = all.measures.iter().find(|measure| measure.metric == Metric::DeviceDetection);
    (detection.unwrap().clone(), all)
}

#[test]
fn what_takes_longer_is_worse_and_the_other_way_round_better() {
    let (slow, fast) = (from(5_000, 50, 10), from(3_000, 50, 10));
    let (measure, all) = detection(&fast, &slow);
    let test = measure.test.unwrap();
    assert_eq!((measure.conclusion, all.worse()), (Conclusion::Worse, 1));
    assert!(test.exact && (test.p - 2.0 / 184_756.0).abs() < 1e-12, "C(20, 10): {test:?}");
    assert!((test.shift.0 - 2e9).abs() < 1.0 && test.interval.0 < 2e9 && test.interval.1 > 2e9, "{test:?}");
    let (measure, all) = detection(&slow, &fast);
    assert_eq!((measure.conclusion, all.worse()), (Conclusion::Better, 0));
}

#[test]
fn a_shift_within_the_margin_does_not_count() {
    let a = from(3_000, 1, 10);
    assert_eq!(detection(&a, &from(3_150, 1, 10)).0.conclusion, Conclusion::WithinMargin);
    assert_eq!(detection(&a, &from(3_160, 1, 10)).0.conclusion, Conclusion::Worse);
}

/// Two of five take a hundred times as long: of all pairs most differ by next to nothing.
#[test]
fn what_takes_longer_for_some_is_worse_though_most_take_as_long() {
    let a: Vec<Value> = (0..60).map(|nth| exact(2_010 + nth % 30)).collect();
    let late = |late: usize| -> Vec<Value> {
        a.iter().take(60 - late).copied().chain((0..60).take(late).map(|nth| exact(20_200 + nth))).collect()
    };
    let (measure, all) = detection(&a, &late(24));
    let test = measure.test.unwrap();
    assert!(test.shift.1 < 0.05 * 2.01e9, "{test:?}");
    assert_eq!((measure.conclusion, all.worse()), (Conclusion::Worse, 1));
    assert_eq!(detection(&late(24), &a).0.conclusion, Conclusion::Better);
    // One that is late the other way round is none of the shift's.
    let shifted: Vec<Value> = (0..60).map(|nth| exact(2_060 + nth % 30)).collect();
    let few_late: Vec<Value> = a.iter().take(56).copied().chain([exact(9_000); 4]).collect();
    assert_eq!(detection(&few_late, &shifted).0.conclusion, Conclusion::WithinMargin);
}

#[test]
fn three_against_three_can_show_nothing_and_four_against_four_can() {
    let shown = |count| detection(&from(3_000, 1, count), &from(9_000, 1, count)).0.conclusion;
    assert!(matches!(shown(3), Conclusion::TooFew { .. }));
    assert_eq!(shown(4), Conclusion::Worse);
}

#[test]
fn never_is_counted_as_a_proportion_too() {
    let with_nevers: Vec<Value> = from(3_000, 10, 7).into_iter().chain([never(8_000); 3]).collect();
    let (measure, all) = detection(&from(3_000, 10, 10), &with_nevers);
    assert_eq!(measure.conclusion, Conclusion::NotShown);
    let share = all.shares[0];
    assert_eq!((share.some, share.all), ([0, 3], [10, 10]));
    assert!((share.p - 4.0 / 19.0).abs() < 1e-12 && share.conclusion == Conclusion::NotShown, "{share:?}");
    let (_, all) = detection(&from(3_000, 10, 10), &[never(8_000); 10]);
    assert_eq!((all.shares[0].conclusion, all.worse()), (Conclusion::Worse, 2), "{all:?}");
}

#[test]
fn never_on_both_sides_is_alike() {
    let (measure, all) = detection(&[never(8_000); 10], &[never(8_100); 10]);
    assert_eq!((measure.conclusion, all.worse()), (Conclusion::NotShown, 0));
    assert!((measure.test.unwrap().p - 1.0).abs() < 1e-12);
}

#[test]
fn a_never_that_was_not_watched_for_long_is_no_greater_than_what_came_later() {
    let (measure, all) = detection(&from(3_000, 10, 10), &[never(1_000); 10]);
    assert_eq!(measure.conclusion, Conclusion::Undecided);
    let share = all.shares[0];
    assert_eq!((share.of, all.worse()), (ShareOf::Never(Metric::DeviceDetection, Some(RuleId(0))), 0));
    assert_eq!((share.some, share.perhaps, share.all), ([0, 0], [0, 10], [10, 10]));
    assert_eq!(share.conclusion, Conclusion::Undecided);
    let (measure, _) = detection(&from(3_000, 10, 10), &[never(4_000); 10]);
    assert_eq!(measure.conclusion, Conclusion::Worse);
}

#[test]
fn brackets_that_overlap_leave_it_open_and_others_do_not() {
    let between = |after, before| Value::Between { after: ms(after), before: ms(before) };
    let (measure, _) = detection(&[between(0, 8_000); 10], &[between(1_000, 8_500); 10]);
    let test = measure.test.unwrap();
    assert_eq!(measure.conclusion, Conclusion::Undecided);
    assert!((test.p - 1.0).abs() < 1e-12 && test.p_at_best < 0.001, "{test:?}");
    let (measure, _) = detection(&[between(0, 4_000); 10], &[between(5_000, 8_000); 10]);
    assert_eq!(measure.conclusion, Conclusion::Worse);
}

#[test]
fn many_round_trips_of_few_devices_are_few() {
    let mut sides = [side(&[]), side(&[])];
    for (side, millis) in sides.iter_mut().zip([10, 20]) {
        for device in side.runs[0].devices.values_mut() {
            (0..500).for_each(|_| device.ping_rtt.add(ms(millis)));
        }
    }
    let all = Comparison::of(&the_plan(), &sides[0], &sides[1], SETTINGS);
    let pings = &all.measures.iter().find(|measure| measure.metric == Metric::PingRtt).unwrap();
    assert_eq!((pings.sides[0].count, pings.sides[0].tested, pings.by_device), (500, 1, true));
    assert!(matches!(pings.conclusion, Conclusion::TooFew { .. }));
}

#[test]
fn an_expectation_that_is_not_met_any_more_is_worse() {
    let mut plan = the_plan();
    plan.expectations = vec![expect(Metric::DeviceDetection, Statistic::Max, Compared::AtMost, span("4s"))];
    let (a, b) = (side(&[exact(3_000)]), side(&[exact(5_000)]));
    assert_eq!(Comparison::of(&plan, &a, &b, SETTINGS).worse(), 1);
    assert_eq!(Comparison::of(&plan, &b, &a, SETTINGS).worse(), 0);
}

#[test]
fn messages_lost_are_compared_and_each_run_that_met_an_expectation() {
    let mut plan = the_plan();
    plan.expectations = vec![expect(Metric::DeviceDetection, Statistic::Max, Compared::AtMost, span("4s"))];
    let of = |millis: u64, lost: u64| {
        let mut run = side(&[exact(millis)]);
        for device in run.runs[0].devices.values_mut() {
            device.delivery.counts.up.sent[1] = 100;
            device.delivery.counts.up.lost[1] = lost;
        }
        let again = run.clone();
        (0..4).fold(run, |all, _| all.merge(again.clone()))
    };
    let all = Comparison::of(&plan, &of(3_000, 0), &of(5_000, 4), SETTINGS);
    let share = |of: ShareOf| *all.shares.iter().find(|share| share.of == of).unwrap();
    let lost = share(ShareOf::Lost(Direction::Up, 1));
    assert_eq!((lost.some, lost.all, lost.conclusion), ([0, 20], [500, 500], Conclusion::Worse));
    let met = share(ShareOf::Met(0));
    assert_eq!((met.some, met.all, met.conclusion), ([5, 0], [5, 5], Conclusion::Worse));
}

#[test]
fn a_run_is_like_itself() {
    let one = side(&from(3_000, 10, 10));
    let all = Comparison::of(&the_plan(), &one, &one, SETTINGS);
    assert!(all.measures.iter().all(|measure| measure.conclusion != Conclusion::Worse), "{all:?}");
    assert_eq!(all.worse(), 0);
}

/// Of what was left in flight it is not known whether it is lost: no side is better or worse for that.
#[test]
fn messages_that_were_not_followed_may_be_lost_or_not() {
    let of = |lost: u64, unfollowed: u64| {
        let mut run = side(&[]);
        for device in run.runs[0].devices.values_mut() {
            let down = &mut device.delivery.counts.down;
            (down.sent[1], down.lost[1], down.unfollowed[1]) = (500, lost, unfollowed);
            (down.duplicated[1], down.perhaps_duplicated[1]) = (lost, unfollowed);
        }
        run
    };
    let shares = |a: &Results, b: &Results| {
        let all = Comparison::of(&the_plan(), a, b, SETTINGS);
        let share = |of: ShareOf| *all.shares.iter().find(|share| share.of == of).unwrap();
        [share(ShareOf::Lost(Direction::Down, 1)), share(ShareOf::Duplicated(Direction::Down, 1))]
    };
    for (a, b, expected) in [
        ((20, 0), (0, 100), Conclusion::Undecided),
        ((0, 20), (20, 0), Conclusion::Undecided),
        ((0, 3), (3, 0), Conclusion::NotShown),
        ((20, 0), (0, 3), Conclusion::Better),
        ((0, 3), (20, 5), Conclusion::Worse),
    ] {
        for share in shares(&of(a.0, a.1), &of(b.0, b.1)) {
            assert_eq!(share.conclusion, expected, "{a:?} {b:?}: {share:?}");
            assert_eq!((share.some, share.all), ([a.0, b.0], [500, 500]));
        }
    }
    let [lost, again] = shares(&of(0, 3), &of(20, 5));
    assert_eq!((lost.perhaps, again.perhaps), ([3, 5], [6, 10]), "each may be one more of both");
    let mut side = of(0, 3);
    for device in side.runs[0].devices.values_mut() {
        let down = &mut device.delivery.counts.down;
        (down.sent[0], down.unfollowed[0]) = (100, 7);
    }
    let all = Comparison::of(&the_plan(), &side, &side, SETTINGS);
    let perhaps = |of: ShareOf| all.shares.iter().find(|share| share.of == of).unwrap().perhaps;
    assert_eq!(perhaps(ShareOf::Lost(Direction::Down, 0)), [7, 7]);
    assert_eq!(perhaps(ShareOf::Duplicated(Direction::Down, 0)), [0, 0], "QoS 0 is not sent again");
}

/// A link that turned out not to be MQTT hides messages: what was counted beside it is no evidence.
#[test]
fn messages_that_could_not_be_followed_are_in_no_share() {
    let mut hidden = side(&[]);
    for device in hidden.runs[0].devices.values_mut() {
        device.delivery.counts.up.sent[1] = 100;
        device.delivery.is_partial = true;
    }
    let all = Comparison::of(&the_plan(), &hidden, &hidden, SETTINGS);
    assert!(all.shares.iter().all(|share| !matches!(share.of, ShareOf::Lost(..))), "{:?}", all.shares);
}

/// Those that only the numbers in the payloads tell of were sent, too.
#[test]
fn messages_that_nobody_saw_are_lost_of_more_than_were_seen() {
    let mut side = side(&[]);
    for device in side.runs[0].devices.values_mut() {
        let up = &mut device.delivery.counts.up;
        (up.sent[0], up.received[0], up.lost[0], up.missing) = (100, 90, 160, 150);
    }
    let all = Comparison::of(&the_plan(), &side, &side, SETTINGS);
    let lost = all.shares.iter().find(|share| share.of == ShareOf::Lost(Direction::Up, 0)).unwrap();
    assert_eq!((lost.some, lost.all), ([160, 160], [250, 250]));
}

/// A device that keeps what it cannot send, and sends again what was not answered, is no worse for that.
#[test]
fn to_keep_messages_and_to_send_them_again_is_neither_worse_nor_better() {
    let kept = |count: u64| {
        let mut all = side(&[]);
        for metric in [Metric::QueuedOffline, Metric::Retransmitted, Metric::DroppedOffline] {
            let sample = side(&[exact(1)]).runs[0].samples[0];
            let samples = (0..10).map(|nth| Sample { metric, value: Value::Count(count + nth), ..sample });
            all.runs[0].samples.extend(samples);
        }
        all
    };
    let all = Comparison::of(&the_plan(), &kept(0), &kept(50), SETTINGS);
    let of = |metric| all.measures.iter().find(|measure| measure.metric == metric).unwrap().conclusion;
    assert_eq!(of(Metric::QueuedOffline), Conclusion::Differs);
    assert_eq!(of(Metric::Retransmitted), Conclusion::Differs);
    assert_eq!((of(Metric::DroppedOffline), all.worse()), (Conclusion::Worse, 1));
}

/// Who is told how many are enough can go and get so many of each, and see.
#[test]
fn as_many_of_each_as_is_told_are_enough() {
    let metrics = [Metric::DeviceDetection, Metric::HubDetection, Metric::Downtime, Metric::Recovery];
    let of = |start: u64, count: u64| {
        let mut all = side(&[]);
        for metric in metrics {
            let samples = side(&from(start, 1, count)).runs.remove(0).samples;
            all.runs[0].samples.extend(samples.into_iter().map(|sample| Sample { metric, ..sample }));
        }
        all
    };
    let compared = |count| Comparison::of(&the_plan(), &of(3_000, count), &of(9_000, count), SETTINGS);
    let detection = |all: &Comparison| {
        all.measures.iter().find(|measure| measure.metric == Metric::DeviceDetection).unwrap().conclusion
    };
    let few = compared(2);
    let Conclusion::TooFew { needed } = detection(&few) else { panic!("2 of each are too few") };
    assert_eq!(detection(&compared(u64::try_from(needed).unwrap())), Conclusion::Worse, "{needed}");
    let tests = few.measures.len();
    assert!(
        ranks::least(needed, needed) <= 0.05 / f64::from(u32::try_from(tests).unwrap()),
        "{needed} of each of {tests}"
    );
    assert!(
        ranks::least(needed - 1, needed - 1) > 0.05 / f64::from(u32::try_from(tests).unwrap()),
        "{needed} of each of {tests}"
    );
}
