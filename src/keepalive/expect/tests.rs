use super::*;
use crate::keepalive::fixtures::{large, row, small, sweep_of};
use crate::keepalive::model::Spread;
use proptest::prelude::*;

fn read(text: &str) -> Expectation {
    text.parse().unwrap_or_else(|bad| panic!("{bad}"))
}

fn judged(text: &str, sweep: &Sweep) -> Verdict {
    judge(&[read(text)], sweep).remove(0)
}

#[test]
fn limits_are_met_and_not_met() {
    use Judgement::{Inconclusive, Met, NoEvidence, Unmet};
    let sweep = small();
    for (text, expected) in [
        ("device_detection p95 <= 70s where keepalive=30,60", Met),
        ("device_detection p95 < 70s where keepalive=60", Unmet),
        ("device_detection max<=1.2 keepalive where keepalive=60", Met),
        ("device_detection max <= 1.1 keepalive + 1s where keepalive=60", Unmet),
        ("hub_detection max <= 1.5 keepalive where keepalive=60", Met),
        ("device_detection max <= 1h", Unmet),
        ("device_detection p95 >= 1s where keepalive=none", Inconclusive),
        ("device_detection min <= 15m where keepalive=none", Met),
        ("device_detection min <= 9 keepalive where keepalive=none", Inconclusive),
        ("hub_detection.max <= 1.5 keepalive where keepalive=60", Met),
        ("false_disconnects <= 1/day", Met),
        ("false_disconnects == 0", Met),
        ("forgotten == 0", Unmet),
        ("forgotten <= 2/day", Met),
        ("forgotten < 2/day", Unmet),
        ("downtime <= 21m 30s/day where keepalive=60", Met),
        ("downtime <= 1.2%", Unmet),
        ("downtime <= 1.5% where keepalive=30", Met),
        ("data <= 4.5MB/month where keepalive=none", Met),
        ("data < 4500kB/month where keepalive=none", Unmet),
        ("wake_ups <= 1400/day where keepalive=none", Met),
        ("messages_lost == 0 where keepalive=60", Met),
        ("messages_lost <= 1% where keepalive=none", Met),
        ("messages_late < 0.5% where keepalive=none", Unmet),
        ("messages_withheld <= 3% where client=paho-*", Met),
        ("storm_peak <= 240", Met),
        ("storm_peak <= 239", Unmet),
        ("wake_ups <= 400/day where client=mosquitto", NoEvidence),
        ("recovery max <= 20s where outages=fixed:5m,every=6h back_off=exponential:1s..2m", Met),
    ] {
        assert_eq!(judged(text, &sweep).judgement, expected, "{text}");
    }
}

#[test]
fn what_nothing_speaks_to_is_not_met() {
    let large = large();
    let verdict = judged("device_detection max <= 1h where keepalive=60", &large);
    assert_eq!((verdict.judgement, verdict.cases, verdict.against), (Judgement::NoEvidence, 24, 6));
    assert_eq!(verdict.failing[0].words(&verdict.expectation), "no sample");
    // What breaks it says more than what says nothing, and comes first.
    let verdict = judged("device_detection max <= 70s where keepalive=60", &large);
    assert_eq!(
        (verdict.judgement, verdict.against, verdict.failing.len()),
        (Judgement::Unmet, 18, MOST_FAILING)
    );
    assert_eq!(verdict.failing[0].words(&verdict.expectation), "3m");
    assert_eq!(judged("storm_peak <= 1", &sweep_of(Vec::new())).judgement, Judgement::NoEvidence);
    let mut quiet = row(60, 70, 1);
    quiet.figures.storm_peak = None;
    quiet.figures.messages.sent = 0;
    let quiet = sweep_of(vec![quiet]);
    for text in ["storm_peak <= 1", "messages_lost == 0", "messages_late <= 1%"] {
        assert_eq!(judged(text, &quiet).judgement, Judgement::NoEvidence, "{text}");
    }
}

#[test]
fn a_network_without_a_radio_shows_nothing_of_its_sleep() {
    let mut sweep = sweep_of(vec![row(60, 70, 1)]);
    for (access, expected) in [("lte-m", Judgement::Met), ("ethernet", Judgement::NoEvidence)] {
        sweep.terms.access = access.into();
        for text in ["wake_ups <= 99999/day", "awake <= 100%"] {
            assert_eq!(judged(text, &sweep).judgement, expected, "{text} over {access}");
        }
    }
}

#[test]
fn values_are_told_in_the_unit_of_the_limit() {
    let mut row = row(60, 95, 1);
    row.figures.hub_detection = Spread::of(vec![1], 1);
    row.figures.false_disconnects = 3;
    let sweep = sweep_of(vec![row]);
    for (text, expected) in [
        ("device_detection p95 <= 1.5 keepalive", "1m 35s, limit 1m 30s"),
        ("hub_detection max <= 2m", "never"),
        ("false_disconnects <= 0.1/hour", "0.125 a hour"),
        ("data <= 1MB/month", "4.5 MB a month"),
        ("downtime <= 1m/day", "21m 35s a day"),
        ("downtime <= 1%", "1.498843%"),
        ("messages_late <= 0.1%", "0.571429%"),
        ("storm_peak < 9", "240"),
    ] {
        let verdict = judged(text, &sweep);
        assert_eq!(verdict.failing[0].words(&verdict.expectation), expected, "{text}");
    }
}

#[test]
fn a_slip_is_named_with_what_is_allowed() {
    let problem = |text: &str| text.parse::<Expectation>().unwrap_err().to_string();
    let all = [
        "",
        "device_detecton p95 <= 90s",
        "device_detection p95 90s",
        "device_detection p95 = 90s",
        "device_detection <= 90s",
        "device_detection p99 <= 90s",
        "device_detection p95 max <= 90s",
        "device_detection p95 <= 90",
        "device_detection p95 <=",
        "downtime p95 <= 5m/day",
        "downtime <= 5m",
        "downtime <= 5/day",
        "data <= 5/month",
        "data <= 5%",
        "data <= 5MB/moth",
        "wake_ups <= 400",
        "wake_ups <= -4/day",
        "storm_peak <= many",
        "messages_late <= 101%",
        "storm_peak <= 9 where",
        "storm_peak <= 9 where 60",
        "storm_peak <= 9 where keep_alive=60",
        "storm_peak <= 9 where keepalive=soon",
        "storm_peak <= 9 where keepalive=60 keepalive=30",
        "storm_peak <= 9 where client=",
    ];
    insta::assert_snapshot!(all.map(problem).join("\n"));
}

#[test]
fn values_behind_where_may_hold_blanks_and_equals_signs() {
    let expectation =
        read("storm_peak <= 9 where path_idle=1m 30s  outages=fixed:5m,every=6h ping-timeout=none");
    let asked = [
        (Aspect::PathIdle, "1m 30s".to_owned()),
        (Aspect::Outages, "fixed:5m,every=6h".to_owned()),
        (Aspect::PingTimeout, "none".to_owned()),
    ];
    assert_eq!(expectation.selection, asked);
    assert_eq!(read(&expectation.to_string()), expectation);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        drop(text.parse::<Expectation>());
    }

    #[test]
    fn nor_does_what_nearly_is_one(
        metric in "device_detection|downtime|data|messages_late|storm_peak|wake_ups", statistic in "| p95| max| p",
        sign in "<=|<|==|=|>", limit in "[0-9a-zA-Z./%+ é]{0,12}", clause in "| where [a-z_]{0,9}=.{0,9}"
    ) {
        if let Ok(expectation) = format!("{metric}{statistic} {sign} {limit}{clause}").parse::<Expectation>() {
            prop_assert_eq!(&expectation.to_string().parse::<Expectation>().unwrap(), &expectation);
            judge(&[expectation], &small());
        }
    }
}
