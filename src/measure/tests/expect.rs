//! Expectations against results: both sides of each edge.

use crate::base::{DeviceId, Direction, LinkId, RuleId, Side};
use crate::event::{Delivery, EndReason, What};
use crate::fault::{Ending, Mechanism};
use crate::measure::story::{Story, blackhole, expect, plan, span};
use crate::measure::{Judgement, Results, Silence, judge};
use crate::profile::{Comparison, Expectation, Limit, Metric, Statistic};
use std::time::Duration;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Each device notices after so many milliseconds, or never, in a blackhole of 8 s; all have keep-alive 2 s.
fn noticing(detections: &[Option<u64>]) -> Results {
    let mut story = Story::new();
    let devices: Vec<(u32, u64, &'static str)> =
        (0..).zip(1..).zip(NAMES).map(|((d, l), n)| (d, l, n)).collect();
    for (device, link, name) in &devices[..detections.len()] {
        story.joins(*link, *device, name, 2);
    }
    story.at(3_000);
    for (device, link, _) in &devices[..detections.len()] {
        story.opens(*link, 0, *device, 2).applies(*link, *link, Mechanism::Gate);
    }
    let mut ends: Vec<(u64, u64)> = detections
        .iter()
        .zip(&devices)
        .filter_map(|(after, (_, link, _))| Some(((*after)?, *link)))
        .collect();
    ends.sort_unstable();
    for (after, link) in ends {
        story.at(3_000 + after).ends(link, Side::Device, Ending::Fin);
    }
    story.at(11_000);
    for (_, link, _) in &devices[..detections.len()] {
        story.heals(*link);
    }
    story.tell(What::RunEnded { reason: EndReason::Complete });
    story.results(&plan(vec![("dark", blackhole("8s"))]))
}

fn judgement(expectation: Expectation, results: &Results) -> Judgement {
    judge(&[expectation], results)[0].judgement
}

/// Who is not back may yet need any number of attempts.
#[test]
fn attempts_of_who_is_not_back_speak_for_no_limit_above_them() {
    let gone = noticing(&[Some(1_000)]);
    for (comparison, limit, expected) in [
        (Comparison::AtMost, 3.0, Judgement::Inconclusive),
        (Comparison::AtMost, 0.0, Judgement::Inconclusive),
        (Comparison::Below, 0.0, Judgement::Unmet),
        (Comparison::AtLeast, 0.0, Judgement::Met),
        (Comparison::AtLeast, 1.0, Judgement::Inconclusive),
    ] {
        let attempts = expect(Metric::ConnectAttempts, Statistic::Max, comparison, Limit::Number(limit));
        assert_eq!(judgement(attempts, &gone), expected, "{comparison:?} {limit}");
    }
}

#[test]
fn limits_on_both_sides_of_their_edges() {
    use Comparison::{Above, AtLeast, AtMost, Below, Equal};
    use Statistic::{Count, Max, Min, Percentile, Sum};
    let seen = noticing(&[Some(1_000), Some(2_000), Some(3_000), Some(4_000)]);
    let time = Metric::DeviceDetection;
    for (statistic, comparison, limit, expected) in [
        (Max, AtMost, span("4s"), Judgement::Met),
        (Max, AtMost, span("3999ms"), Judgement::Unmet),
        (Max, Below, span("4s"), Judgement::Unmet),
        (Max, AtMost, span("2 keepalive"), Judgement::Met),
        (Max, AtMost, span("1.9 keepalive"), Judgement::Unmet),
        (Max, AtLeast, span("4s"), Judgement::Met),
        (Max, Above, span("4s"), Judgement::Unmet),
        (Max, Equal, span("4s"), Judgement::Met),
        (Max, Equal, span("3s"), Judgement::Unmet),
        (Min, AtLeast, span("1s"), Judgement::Met),
        (Min, Above, span("1s"), Judgement::Unmet),
        (Min, AtMost, span("1s"), Judgement::Met),
        (Min, Equal, span("1s"), Judgement::Met),
        (Percentile(75.0), AtMost, span("3s"), Judgement::Met),
        (Percentile(76.0), AtMost, span("3s"), Judgement::Unmet),
        (Percentile(50.0), AtLeast, span("2s"), Judgement::Met),
        (Percentile(50.0), Above, span("2s"), Judgement::Unmet),
        (Sum, AtMost, span("10s"), Judgement::Met),
        (Sum, Below, span("10s"), Judgement::Unmet),
        (Count, Equal, Limit::Number(4.0), Judgement::Met),
        (Count, Above, Limit::Number(4.0), Judgement::Unmet),
    ] {
        let found = judgement(expect(time, statistic, comparison, limit), &seen);
        assert_eq!(found, expected, "{statistic:?} {comparison:?} {limit:?}");
    }
}

/// Two devices notice after 3 s each; their keep-alives are 2 s and 20 s.
#[test]
fn of_limits_in_keep_alives_a_sum_has_the_strictest() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).joins(2, 1, "b", 20).at(1_000);
    story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate).opens(2, 0, 1, 20).applies(2, 2, Mechanism::Gate);
    story.at(4_000).ends(1, Side::Device, Ending::Fin).ends(2, Side::Device, Ending::Fin);
    let seen = story.results(&plan(vec![("dark", blackhole("60s"))]));
    for (comparison, limit, expected) in [
        (Comparison::AtMost, "3 keepalive", Judgement::Met),
        (Comparison::AtMost, "2.9 keepalive", Judgement::Unmet),
        (Comparison::AtLeast, "0.3 keepalive", Judgement::Met),
        (Comparison::AtLeast, "0.31 keepalive", Judgement::Unmet),
        (Comparison::Equal, "6s", Judgement::Met),
        (Comparison::Equal, "3 keepalive", Judgement::Unmet),
        (Comparison::Equal, "0.3 keepalive", Judgement::Unmet),
    ] {
        let sum = expect(Metric::DeviceDetection, Statistic::Sum, comparison, span(limit));
        assert_eq!(judgement(sum, &seen), expected, "{comparison:?} {limit}");
    }
}

#[test]
fn a_never_is_beyond_every_limit_it_was_watched_for() {
    let seen = noticing(&[Some(1_000), None]);
    let max = |limit| expect(Metric::DeviceDetection, Statistic::Max, Comparison::AtMost, span(limit));
    assert_eq!(judgement(max("8s"), &seen), Judgement::Unmet);
    assert_eq!(judgement(max("8001ms"), &seen), Judgement::Inconclusive);
    let verdict = &judge(&[max("8s")], &seen)[0];
    assert_eq!(verdict.evidence.len(), 1);
    assert_eq!(verdict.evidence[0].device.as_deref(), Some("b"));
    let median = expect(Metric::DeviceDetection, Statistic::Percentile(50.0), Comparison::AtMost, span("1s"));
    assert_eq!(judgement(median, &seen), Judgement::Met, "the other half may be what it will");
}

#[test]
fn a_bracket_across_the_limit_is_inconclusive() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter);
    story.at(9_000).heals(1).at(9_500).ends(1, Side::Device, Ending::Fin);
    let seen = story.results(&plan(vec![("dark", blackhole("6s"))]));
    let max = |limit| expect(Metric::DeviceDetection, Statistic::Max, Comparison::AtMost, span(limit));
    assert_eq!(judgement(max("6499ms"), &seen), Judgement::Inconclusive);
    assert_eq!(judgement(max("6500ms"), &seen), Judgement::Met);
}

/// As with any span: the plan's default stands for the keep-alive that a device has not.
#[test]
fn a_limit_in_keep_alives_is_of_the_default_where_a_device_has_none() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 0).at(20_000).over();
    let plan = plan(Vec::new());
    assert_eq!(plan.default_keep_alive, Duration::from_secs(60));
    let mut seen = story.results(&plan);
    for device in seen.runs[0].devices.values_mut() {
        device.publish_rtt.add(Duration::from_secs(3));
        device.timings.connect.add(Duration::from_secs(3));
    }
    for metric in [Metric::PublishRtt, Metric::ConnectTime] {
        for (limit, expected) in
            [("0.06 keepalive", Judgement::Met), ("0.04 keepalive", Judgement::Unmet), ("3s", Judgement::Met)]
        {
            let max = expect(metric, Statistic::Max, Comparison::AtMost, span(limit));
            assert_eq!(judgement(max, &seen), expected, "{metric} {limit}");
        }
    }
}

#[test]
fn no_sample_is_no_evidence() {
    let seen = noticing(&[Some(1_000)]);
    let recovery = expect(Metric::Resubscribe, Statistic::Max, Comparison::AtMost, span("1h"));
    assert_eq!(judgement(recovery, &seen), Judgement::NoEvidence);
    let mut other_device = expect(Metric::DeviceDetection, Statistic::Max, Comparison::AtMost, span("1h"));
    other_device.client = Some("z*".into());
    assert_eq!(judgement(other_device, &seen), Judgement::NoEvidence);
    assert!(!Judgement::NoEvidence.is_met());
}

/// Why there is none is told where that is known: nobody came for the rule, or the hub ended every wait.
#[test]
fn no_evidence_has_its_reason_where_that_is_known() {
    let silence = |expectation, results: &Results| judge(&[expectation], results)[0].silence;
    let wait = || expect(Metric::ConnackWait, Statistic::Max, Comparison::AtMost, span("1h"));
    let mut of_rule = wait();
    of_rule.of = Some(RuleId(0));
    for (by, expected) in [(Side::Hub, Some(Silence::EndedByHub(2))), (Side::Device, None)] {
        let mut story = Story::new();
        for link in 1..=2 {
            story.at(link * 1_000).connect(link, 0, "a", 60).at(link * 1_000 + 500);
            story.ends(link, by, Ending::Fin).carried(link, by.other()).closes(link);
        }
        let results = story.over().results(&plan(vec![("dark", blackhole("8s"))]));
        assert_eq!(silence(wait(), &results), expected, "{by:?}");
        assert_eq!(silence(of_rule.clone(), &results), Some(Silence::FellOnNobody(RuleId(0))));
        let other = Expectation { client: Some("z*".into()), ..wait() };
        assert_eq!(silence(other, &results), None);
    }
    let seen = noticing(&[Some(1_000)]);
    assert_eq!(silence(of_rule.clone(), &seen), None);
    let nobody = Story::new().results(&plan(vec![("dark", blackhole("8s"))]));
    assert_eq!(silence(of_rule, &nobody), Some(Silence::FellOnNobody(RuleId(0))));
}

#[test]
fn counts_speak_where_a_device_was_there_to_be_counted() {
    let seen = noticing(&[Some(1_000), Some(1_000)]);
    let violations =
        expect(Metric::KeepaliveViolations, Statistic::Sum, Comparison::Equal, Limit::Number(0.0));
    assert_eq!(judgement(violations, &seen), Judgement::Met);
    let rate = |limit| expect(Metric::ConnectRate, Statistic::Max, Comparison::AtMost, Limit::Number(limit));
    assert_eq!(judgement(rate(2.0), &seen), Judgement::Met);
    assert_eq!(judgement(rate(1.0), &seen), Judgement::Unmet);
    let nobody = Story::new().results(&plan(vec![]));
    let violations =
        expect(Metric::KeepaliveViolations, Statistic::Sum, Comparison::Equal, Limit::Number(0.0));
    assert_eq!(judgement(violations.clone(), &nobody), Judgement::NoEvidence);
    // TLS that is passed through shows neither CONNECT nor packets: nothing is known of what was kept.
    let mut story = Story::new();
    story.greets(1).hello(1, true).is_of(1, 0, "10.0.0.1");
    for direction in [Direction::Up, Direction::Down] {
        story.at(10).tell(What::FirstData { link: LinkId(1), direction });
    }
    let hidden = story.at(60_000).closes(1).over().results(&plan(vec![]));
    assert!(hidden.runs[0].devices[&DeviceId(0)].was_there);
    assert_eq!(judgement(violations, &hidden), Judgement::NoEvidence);
}

/// Of what was under way to an end that had left it is not known whether anybody got it: that is neither lost nor arrived.
#[test]
fn messages_that_were_not_followed_may_turn_a_limit_on_the_lost() {
    let told = |lost, unfollowed| {
        let mut story = Story::new();
        story.at(100).joins(1, 0, "a", 10);
        let down =
            Delivery { sent: [9, 9, 9], lost: [lost; 3], unfollowed: [unfollowed; 3], ..Delivery::default() };
        story.tell(What::Delivery { device: DeviceId(0), up: Box::default(), down: down.into() });
        story.at(2_000).over().results(&plan(Vec::new()))
    };
    let perhaps = told(1, 2);
    for (comparison, limit, expected) in [
        (Comparison::Equal, 0.0, Judgement::Unmet),
        (Comparison::Equal, 1.0, Judgement::Inconclusive),
        (Comparison::AtMost, 2.0, Judgement::Inconclusive),
        (Comparison::AtMost, 3.0, Judgement::Met),
        (Comparison::Below, 1.0, Judgement::Unmet),
        (Comparison::AtLeast, 1.0, Judgement::Met),
        (Comparison::Above, 3.0, Judgement::Unmet),
    ] {
        for statistic in [Statistic::Max, Statistic::Sum] {
            for metric in [Metric::Qos0Lost, Metric::Qos1Lost, Metric::Qos2Lost] {
                let asked = expect(metric, statistic, comparison, Limit::Number(limit));
                assert_eq!(
                    judgement(asked, &perhaps),
                    expected,
                    "{metric} {statistic:?} {comparison:?} {limit}"
                );
            }
        }
    }
    let none = |metric| expect(metric, Statistic::Sum, Comparison::Equal, Limit::Number(0.0));
    for metric in [Metric::Qos0Lost, Metric::Qos1Duplicated, Metric::Qos2Duplicated, Metric::Retransmitted] {
        assert_eq!(judgement(none(metric), &told(0, 0)), Judgement::Met, "{metric}");
        assert_eq!(judgement(none(metric), &told(0, 1)), Judgement::Inconclusive, "{metric}");
    }
}
