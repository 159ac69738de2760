//! TLS and WebSocket: handshakes that meet a fault, how long sound ones take, and how links end by them.

use crate::base::{DeviceId, Direction, LinkId, Side, Time, WindowId};
use crate::event::{LastPackets, What};
use crate::fault::{
    BadCertificate, Ending, Fault, HandshakeFault, HandshakeStage, LegFate, Mechanism, RecordFault,
    TlsRecord, Toward,
};
use crate::measure::story::{Story, blackhole, exact, expect, handshake, never, plan, rst, values};
use crate::measure::{AttemptEnd, Cause, Judgement, Outcome, Results, Shape, Value, WindowResults, judge};
use crate::profile::{Comparison, Limit, Metric, Plan, Statistic, When};
use crate::tls::{Alert, Damage};
use std::time::Duration;

const EXPIRED: HandshakeFault = HandshakeFault::Certificate(BadCertificate::Expired);
const STALL: HandshakeFault = HandshakeFault::Stall(HandshakeStage::BeforeServerHello);

fn bad(what: HandshakeFault) -> Plan {
    plan(vec![("bad", handshake(what, "30s"))])
}

fn of(results: &Results) -> &WindowResults {
    results.runs[0].windows.values().next().unwrap()
}

fn ends(results: &Results) -> Vec<(AttemptEnd, Option<u64>)> {
    let handshakes = of(results).handshakes.as_ref().unwrap();
    let millis = |took: Duration| u64::try_from(took.as_millis()).unwrap();
    handshakes.attempts.iter().map(|attempt| (attempt.end, attempt.took.map(millis))).collect()
}

fn causes(results: &Results) -> Vec<Cause> {
    results.runs[0].devices.values().flat_map(|device| device.causes.keys().copied()).collect()
}

/// A device that was known, and lost its link to nothing of the fault's; at 3.0 s its handshakes go wrong.
fn knows() -> Story {
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2).at(2_000).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(3_000).opens(1, 0, 0, 2);
    story
}

#[test]
fn attempts_run_from_hello_to_hello_and_the_way_back_from_the_end_of_the_fault() {
    let mut story = knows();
    for (link, at) in [(2, 4_000), (3, 5_000), (4, 7_000), (5, 11_000)] {
        story.at(at).meets(link, 0, "a", 1).at(at + 3).alerts(link, Side::Device, "certificate_expired");
        story.closes(link);
    }
    story.at(13_000).heals(1).at(15_500).joins_tls(6, 0, "a", 2).at(20_000);
    let results = story.results(&bad(EXPIRED));
    assert_eq!(ends(&results), [(AttemptEnd::Alert(Some(Alert::CERTIFICATE_EXPIRED)), Some(3)); 4]);
    assert_eq!(values(&results, Metric::HandshakeAttempts), [Value::Count(4)]);
    assert_eq!(values(&results, Metric::HandshakeGap), [exact(1_000), exact(2_000), exact(4_000)]);
    assert_eq!(of(&results).back_off.shape, Shape::Exponential);
    assert_eq!(values(&results, Metric::Recovery), [exact(2_500)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(11_500)], "from the first handshake that met it");
    assert_eq!(of(&results).outcome, Outcome::Back);
    for metric in [Metric::DeviceDetection, Metric::HubDetection, Metric::DeviceSilence] {
        assert_eq!(values(&results, metric), []);
    }
}

#[test]
fn a_device_that_takes_the_bad_certificate_is_found_out() {
    let mut story = knows();
    story.at(4_000).meets(2, 0, "a", 1).at(4_004).shakes_hands(2, Side::Device, 4, false).lifts(1, 2);
    story.at(4_010).speaks(2, "a", 2).at(33_000).heals(1).at(40_000);
    let results = story.results(&bad(EXPIRED));
    assert_eq!(ends(&results), [(AttemptEnd::Finished, Some(4))]);
    assert_eq!(of(&results).handshakes.as_ref().unwrap().took_bad_certificate, 1);
    assert_eq!(of(&results).outcome, Outcome::BackBefore);
    assert_eq!(values(&results, Metric::Recovery), []);
    assert_eq!(values(&results, Metric::Downtime), [exact(10)]);
}

#[test]
fn a_stall_that_is_waited_out_is_no_bad_certificate_taken() {
    let mut story = knows();
    story.at(4_000).meets(2, 0, "a", 1).at(14_000).ends(2, Side::Device, Ending::Reset).closes(2);
    story.at(30_000).meets(3, 0, "a", 1).at(33_000).lifts(1, 3).heals(1);
    story.at(33_005).shakes_hands(3, Side::Device, 5, false).at(33_010).speaks(3, "a", 2).at(40_000);
    let results = story.results(&bad(STALL));
    assert_eq!(ends(&results), [(AttemptEnd::Reset, Some(10_000)), (AttemptEnd::Waited, Some(3_005))]);
    assert_eq!(of(&results).handshakes.as_ref().unwrap().took_bad_certificate, 0);
    assert_eq!(of(&results).handshakes.as_ref().unwrap().gave_up, None);
    assert_eq!(values(&results, Metric::Recovery), [exact(10)]);
}

#[test]
fn of_several_stalls_each_was_waited_out_whichever_was_lifted_first() {
    let mut story = knows();
    for link in [2, 3] {
        story.at(4_000).meets(link, 0, "a", 1);
    }
    story.at(33_000).lifts(1, 2).at(33_001).shakes_hands(2, Side::Device, 1, false);
    story.at(33_002).lifts(1, 3).heals(1).at(33_003).shakes_hands(3, Side::Device, 3, false).at(40_000);
    let waited = [(AttemptEnd::Waited, Some(29_001)), (AttemptEnd::Waited, Some(29_003))];
    assert_eq!(ends(&story.results(&bad(STALL))), waited);
}

#[test]
fn a_handshake_that_the_fault_ended_was_injected() {
    let mut story = knows();
    story.at(4_000).meets(2, 0, "a", 1).at(4_002).ends(2, Side::Device, Ending::Fin).closes(2);
    story
        .at(5_000)
        .meets(3, 0, "a", 1)
        .closes(3)
        .at(6_000)
        .meets(4, 0, "a", 1)
        .at(33_000)
        .heals(1)
        .at(40_000);
    let results = story.results(&bad(HandshakeFault::Alert(Alert::HANDSHAKE_FAILURE)));
    let expected =
        [(AttemptEnd::Closed, Some(2)), (AttemptEnd::Ended, Some(0)), (AttemptEnd::Ended, Some(0))];
    assert_eq!(ends(&results), expected);
    assert_eq!(
        causes(&results),
        [Cause::Closed(Side::Device), Cause::Injected(Some(crate::base::RuleId(0)))]
    );
    assert_eq!(values(&results, Metric::Recovery), [never(7_000)]);
    assert_eq!(of(&results).outcome, Outcome::Gone);
}

/// More than twice the longest gap, and not less.
#[test]
fn giving_up_is_to_be_quiet_for_longer_than_twice_the_longest_gap() {
    for (until, quiet) in [(9_000, None), (9_001, Some(4_001)), (8_000, None)] {
        let mut story = knows();
        for (link, at) in [(2, 3_000), (3, 5_000)] {
            story.at(at).meets(link, 0, "a", 1).alerts(link, Side::Device, "unknown_ca").closes(link);
        }
        story.at(until).heals(1).at(30_000);
        let results = story.results(&bad(EXPIRED));
        let gave_up = of(&results).handshakes.as_ref().unwrap().gave_up;
        assert_eq!(gave_up, quiet.map(Duration::from_millis), "{until}");
    }
    let mut once = knows();
    once.at(3_000).meets(2, 0, "a", 1).alerts(2, Side::Device, "unknown_ca").closes(2).at(33_000).heals(1);
    assert_eq!(
        of(&once.results(&bad(EXPIRED))).handshakes.as_ref().unwrap().gave_up,
        None,
        "at no known pace"
    );
}

#[test]
fn a_window_that_met_no_handshake_says_nothing_and_missed_nobody() {
    let mut plan = bad(EXPIRED);
    plan.rules[0].when = When::At { first: Duration::from_secs(3), repeat: None };
    let mut story = knows();
    story.at(33_000).heals(1).at(40_000);
    let results = story.results(&plan);
    assert_eq!(of(&results).handshakes, None);
    assert_eq!(values(&results, Metric::HandshakeAttempts), []);
    assert!(results.runs[0].rules.values().all(|rule| rule.missed.is_empty()));
    let verdict = &judge(
        &[expect(Metric::HandshakeAttempts, Statistic::Max, Comparison::AtMost, Limit::Number(9.0))],
        &results,
    )[0];
    assert_eq!(verdict.judgement, Judgement::NoEvidence);
}

#[test]
fn behind_an_address_of_several_devices_the_way_back_is_not_known() {
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2).joins_tls(2, 1, "b", 2).at(3_000).opens(1, 0, 2, 2);
    for link in 3..=5 {
        story.at(1_000 + link * 1_000).meets(link, 2, "10.0.0.1", 1);
        story.alerts(link, Side::Device, "unknown_ca").closes(link);
    }
    story.at(20_000).heals(1).at(30_000);
    let results = story.results(&bad(EXPIRED));
    assert_eq!(of(&results).outcome, Outcome::Unknown);
    assert_eq!(values(&results, Metric::Recovery), []);
    let attempts = Value::CountBetween { least: 1, most: Some(3) };
    assert_eq!(values(&results, Metric::HandshakeAttempts), [attempts], "they may be of two devices");
    assert_eq!(values(&results, Metric::HandshakeGap), []);
    assert_eq!(of(&results).handshakes.as_ref().unwrap().gave_up, None);
}

/// Which of the two began the handshakes that failed is not known: the one that was reset may have been there at once.
#[test]
fn handshakes_behind_a_shared_address_may_be_of_the_device_that_was_reset() {
    let reset = rst(Toward::Both, LegFate::Reset);
    let plan = plan(vec![("reset", reset), ("bad", handshake(EXPIRED, "9s"))]);
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 60).joins_tls(2, 1, "b", 60).at(3_000).opens(1, 1, 2, 60).opens(2, 0, 0, 60);
    story.applies(2, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 2);
    story.cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
    for (link, at) in [(3, 4_000), (4, 6_000)] {
        story.at(at).meets(link, 2, "10.0.0.1", 1).alerts(link, Side::Device, "unknown_ca").closes(link);
    }
    story.at(12_000).heals(1);
    assert_eq!(
        values(&story.results(&plan), Metric::DeviceDetection),
        [never(1_000)],
        "whose those were is not known"
    );
    let results = story.at(14_000).joins_tls(5, 0, "a", 60).at(20_000).results(&plan);
    let between = |after, before| Value::Between {
        after: Duration::from_millis(after),
        before: Duration::from_millis(before),
    };
    assert_eq!(values(&results, Metric::DeviceDetection), [between(1_000, 11_000)]);
    let attempts = Value::CountBetween { least: 1, most: Some(3) };
    assert_eq!(values(&results, Metric::ConnectAttempts), [attempts]);
    assert_eq!(values(&results, Metric::Downtime), [exact(11_000)]);
}

/// What each of them waits is not to be seen of all of them together.
#[test]
fn what_several_devices_try_at_once_is_no_tight_loop_of_one() {
    let loops = |neighbour: bool| {
        let mut story = Story::new();
        if neighbour {
            story.joins_tls(1, 0, "a", 60);
        }
        story.at(3_000).opens(1, 0, 2, 60);
        for link in 2..=21 {
            story.at(4_000 + link * 20).meets(link, 2, "10.0.0.1", 1);
            story.alerts(link, Side::Device, "unknown_ca").closes(link);
        }
        let results = story.heals(1).at(10_000).results(&bad(EXPIRED));
        results.runs[0].findings.iter().any(|finding| finding.id == "reconnect-loop")
    };
    assert!(loops(false), "as far as is known it is one");
    assert!(!loops(true));
}

#[test]
fn a_device_that_goes_on_over_its_link_was_not_down() {
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2);
    story.at(4_000).meets(2, 0, "a", 1).alerts(2, Side::Device, "unknown_ca").closes(2);
    story.at(5_000).up(1, crate::event::Packet::Pingreq).at(10_000).heals(1).at(20_000);
    let results = story.results(&bad(EXPIRED));
    assert_eq!(of(&results).outcome, Outcome::Unknown);
    assert_eq!(results.runs[0].devices.values().next().unwrap().down, Some(Duration::ZERO));
}

/// A reset, and then handshakes that go wrong: the way back from the reset names what was in its way.
#[test]
fn the_way_back_from_another_fault_names_the_handshakes_in_its_way() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset)), ("bad", handshake(EXPIRED, "9s"))]);
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2).at(3_000).opens(1, 1, 0, 2).opens(2, 0, 0, 2);
    story.applies(2, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 2).heals(2).closes(1);
    story.at(4_000).meets(2, 0, "a", 1).alerts(2, Side::Device, "unknown_ca").closes(2);
    story.at(12_000).heals(1).at(12_500).joins_tls(3, 0, "a", 2).at(20_000);
    let results = story.results(&plan);
    let reset = &results.runs[0].windows[&WindowId(2)];
    assert_eq!(reset.held_by.iter().copied().collect::<Vec<_>>(), [crate::base::RuleId(1)]);
    assert_eq!(results.runs[0].devices.values().next().unwrap().down, Some(Duration::from_millis(9_500)));
}

#[test]
fn a_link_that_turns_out_to_be_anothers_is_anothers() {
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).at(4_000).meets(2, 0, "a", 1);
    story.at(4_004).shakes_hands(2, Side::Device, 4, true).is_of(2, 1, "b").speaks(2, "b", 2).at(5_000);
    let results = story.results(&bad(EXPIRED));
    let links: Vec<u64> = results.runs[0].devices.values().map(|device| device.links).collect();
    assert_eq!(links, [1, 1]);
}

#[test]
fn connects_and_handshakes_are_timed_by_side() {
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2);
    story.tell(What::HubConnected { link: LinkId(1), took_ns: 2_000_000, from: None });
    story.shakes_hands(1, Side::Hub, 7, false).at(1_000).closes(1);
    story.at(2_000).greets(2).shakes_hands(2, Side::Device, 1, true).is_of(2, 0, "a").speaks(2, "a", 2);
    // A link of nobody's counts for the run alone.
    story.greets(3).shakes_hands(3, Side::Device, 9, false);
    let results = story.results(&bad(EXPIRED));
    let run = &results.runs[0];
    let device = run.devices.values().next().unwrap();
    assert_eq!((device.timings.connect.count(), device.tls(Side::Hub).handshakes()), (1, 1));
    assert_eq!((device.tls(Side::Device).resumed, device.tls(Side::Device).full), (1, 1));
    assert_eq!(run.tls.timings.tls.device.handshakes(), 3);
    assert_eq!(device.subject.as_deref(), Some("CN=pump-1"));
    let resumed = |statistic, comparison, limit| {
        let expectation = expect(Metric::TlsResumed, statistic, comparison, Limit::Number(limit));
        judge(&[expectation], &results)[0].judgement
    };
    assert_eq!(resumed(Statistic::Sum, Comparison::Equal, 1.0), Judgement::Met);
    assert_eq!(resumed(Statistic::Min, Comparison::AtLeast, 1.0), Judgement::Unmet, "one was a full one");
    let time = |limit: &str| {
        let limit = crate::measure::story::span(limit);
        let expectation = expect(Metric::DeviceTlsTime, Statistic::Max, Comparison::AtMost, limit);
        judge(&[expectation], &results)[0].judgement
    };
    assert_eq!((time("3ms"), time("2ms")), (Judgement::Met, Judgement::Unmet));
}

#[test]
fn of_tls_passed_through_the_first_data_from_the_hub_is_the_acceptance() {
    let reset = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let passes = |story: &mut Story, link: u64, at: u64| {
        story.at(at);
        let listener = crate::base::ListenerId(0);
        story.tell(What::LinkOpened { link: LinkId(link), listener, peer: "10.0.0.1:1".into(), to: None });
        story.hello(link, true).is_of(link, 0, "10.0.0.1");
        for direction in Direction::BOTH {
            story.at(at + 20).tell(What::FirstData { link: LinkId(link), direction });
        }
    };
    let mut story = Story::new();
    passes(&mut story, 1, 0);
    story.at(3_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
    passes(&mut story, 2, 4_000);
    story.at(9_000);
    let results = story.results(&reset);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(1_000)]);
    assert_eq!(values(&results, Metric::Recovery), [exact(1_020)]);
    let device = results.runs[0].devices.values().next().unwrap();
    assert_eq!((device.accepted, device.passed_through, device.by_address), (2, 2, true));
}

/// A DISCONNECT may have been said before: nothing tells of a link that its device did not leave in good order.
#[test]
fn of_tls_passed_through_nobody_knows_whether_disconnect_was_said() {
    let mut story = Story::new();
    for (link, at) in [(1, 0), (2, 10_000), (3, 20_000), (4, 30_000)] {
        story.at(at).opens_link(link, 0, "10.0.0.1").hello(link, true);
        story.tell(What::FirstData { link: LinkId(link), direction: Direction::Down }).at(at + 5_000);
        match link {
            1 => story.ends(link, Side::Device, Ending::Fin),
            2 => story.ends(link, Side::Hub, Ending::Fin),
            3 => story.ends(link, Side::Device, Ending::Reset),
            _ => story.tell(What::CommandStopped).ends(link, Side::Device, Ending::Fin),
        };
        story.closes(link);
    }
    let results = story.over().results(&plan(Vec::new()));
    let ends = results.runs[0].ends.iter().map(|end| (end.cause, end.logged));
    let expected = [
        (Cause::ClosedUnread(Side::Device), None),
        (Cause::ClosedUnread(Side::Hub), None),
        (Cause::ResetUnread(Side::Device), None),
        (Cause::ToldToEnd { clean: None }, None),
    ];
    assert_eq!(ends.collect::<Vec<_>>(), expected);
}

/// Both write in turn, and are back after the reset within a millisecond. What the system of a single one held back for its older
/// link, in the dark, comes when it has a new one.
#[test]
fn several_devices_behind_one_address_are_not_followed_as_one() {
    let reset = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let last = |millis| LastPackets { from: Some(Time::from_millis(millis)), to: None };
    let told = |older_sends_until: u64, in_the_dark_until: u64| {
        let mut story = Story::new();
        for (link, at) in [(1, 0), (2, 500)] {
            story.at(at).opens_link(link, 0, "10.0.0.1").hello(link, true);
            story.tell(What::FirstData { link: LinkId(link), direction: Direction::Down });
        }
        story.at(6_000).says(1, last(older_sends_until)).says(2, last(5_900)).opens(1, 0, 0, 60);
        for (link, until) in [(1, in_the_dark_until), (2, 5_900)] {
            story.applies(1, link, Mechanism::Linger);
            for side in Side::BOTH {
                let (link, fate, window, last) =
                    (LinkId(link), LegFate::Reset, Some(WindowId(1)), last(until));
                story.tell(What::LegCut { link, side, fate, window, last });
            }
            story.closes(link);
        }
        story.heals(1).at(7_000).opens_link(3, 0, "10.0.0.1").hello(3, true);
        story.tell(What::FirstData { link: LinkId(3), direction: Direction::Down }).at(9_000);
        let results = story.results(&reset);
        let noticed = values(&results, Metric::DeviceDetection).len();
        (results.runs[0].devices[&DeviceId(0)].several, of(&results).outcome, noticed)
    };
    assert_eq!(told(5_000, 5_000), (true, Outcome::Unknown, 0), "whose connect it was is not known");
    assert_eq!(told(1_500, 1_500), (false, Outcome::Back, 1), "a goodbye that came late");
    assert_eq!(told(1_500, 5_950), (false, Outcome::Back, 1), "held back in the dark");
}

#[test]
fn a_damaged_record_counts_from_when_it_was_sent() {
    let what = RecordFault::Damaged(Damage::Mac);
    let plan = plan(vec![("mac", Fault::TlsRecord(TlsRecord { toward: Side::Hub, what }))]);
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).at(4_000);
    story.up(1, crate::event::Packet::Pingreq).applies(1, 1, Mechanism::Record);
    story.heals(1).at(4_005).alerts(1, Side::Hub, "bad_record_mac").carried(1, Side::Device).at(4_006);
    story.ends(1, Side::Device, Ending::Fin).closes(1).at(5_000).joins_tls(2, 0, "a", 2).at(9_000);
    let results = story.results(&plan);
    assert_eq!(values(&results, Metric::HubDetection), [exact(5)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(1_000)]);
    assert_eq!(of(&results).end, Some(Cause::TlsAlert(Side::Hub, Some(Alert::BAD_RECORD_MAC))));
}

/// It was the first that was sent to the device after the rule had fired.
#[test]
fn a_connack_in_a_damaged_record_accepts_nobody() {
    let what = RecordFault::Damaged(Damage::Mac);
    let record = Fault::TlsRecord(TlsRecord { toward: Side::Device, what });
    let plan = plan(vec![("rst", rst(Toward::Both, LegFate::Reset)), ("mac", record)]);
    for (harmed, expected) in [(5_005, 4_000), (5_006, 2_000)] {
        let mut story = Story::new();
        story.joins_tls(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
        story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
        story.at(4_900).opens(2, 1, 0, 2).at(5_000).joins_tls(2, 0, "a", 2);
        story.at(harmed).applies(2, 2, Mechanism::Record).heals(2).at(5_010);
        story.alerts(2, Side::Device, "bad_record_mac").carried(2, Side::Hub).closes(2);
        let results = story.at(7_000).joins_tls(3, 0, "a", 2).at(9_000).over().results(&plan);
        assert_eq!(values(&results, Metric::Downtime).first(), Some(&exact(expected)), "{harmed}");
    }
}

/// An alert of another rule cut the link in the same moment: what the device did then was no answer to the record.
#[test]
fn a_damaged_record_on_a_link_that_another_fault_cuts_is_waited_on_no_longer() {
    let what = RecordFault::Damaged(Damage::Mac);
    let record = Fault::TlsRecord(TlsRecord { toward: Side::Device, what });
    let plan = plan(vec![("mac", record), ("rst", rst(Toward::Both, LegFate::Reset))]);
    for (cut, expected) in [(3_002, None), (7_000, Some(never(4_000)))] {
        let mut story = Story::new();
        story.joins_tls(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Record).heals(1);
        story.at(cut).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Linger).cut(
            1,
            Side::Device,
            LegFate::Reset,
            2,
        );
        story.cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1).at(8_000).joins_tls(2, 0, "a", 2);
        let results = story.at(60_000).over().results(&plan);
        let of_record = results.runs[0].windows.values().next().unwrap();
        assert_eq!(of_record.noticed.device.detection, expected, "{cut}");
    }
}

/// MQTT.js in a browser misses a PINGRESP, and closes its WebSocket by a frame; the hub answers, and closes the connection. Guards:
/// the device had noticed nothing then, and the hub was told to have been first.
#[test]
fn a_device_that_closes_its_web_socket_has_noticed() {
    let closed = |direction| What::WsClosed { link: LinkId(1), direction, code: None };
    let plan = plan(vec![("dark", blackhole("20s"))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 4).at(4_000).opens(1, 0, 0, 4).applies(1, 1, Mechanism::Gate).at(8_000);
    story.tell(closed(Direction::Up)).ends(1, Side::Device, Ending::WsClose).at(24_000);
    story.heals(1).carried(1, Side::Hub).at(24_002).tell(closed(Direction::Down));
    story.ends(1, Side::Hub, Ending::WsClose).ends(1, Side::Hub, Ending::Fin).at(24_003);
    let results = story.closes(1).at(30_000).results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(4_000)]);
    assert_eq!(causes(&results)[0], Cause::WsClosed(Side::Device, None));
}

#[test]
fn ends_by_tls_and_web_socket_have_names_of_their_own() {
    let closed = |link, direction, code| What::WsClosed { link: LinkId(link), direction, code };
    let failed = |side| What::TlsFailed { link: LinkId(1), side, error: "no".into() };
    let told = |tell: &dyn Fn(&mut Story)| {
        let mut story = Story::new();
        story.joins_tls(1, 0, "a", 10).at(5_000);
        tell(&mut story);
        story.closes(1).at(6_000);
        causes(&story.results(&plan(Vec::new())))[0]
    };
    let fin = |story: &mut Story, side| _ = story.ends(1, side, Ending::Fin);
    for (expected, tell) in [
        (Cause::Unnotified(Side::Device), &|s: &mut Story| _ = s.ends(1, Side::Device, Ending::Unnotified)),
        (Cause::TlsAlert(Side::Hub, Some(Alert::INTERNAL_ERROR)), &|s: &mut Story| {
            s.alerts(1, Side::Hub, "internal_error");
        }),
        (Cause::TlsAlert(Side::Hub, None), &|s: &mut Story| _ = s.alerts(1, Side::Hub, "of no name")),
        (Cause::WsClosed(Side::Hub, Some(1001)), &|s: &mut Story| {
            // The device answers, and closes first.
            s.tell(closed(1, Direction::Down, Some(1001))).tell(closed(1, Direction::Up, Some(1001)));
            fin(s, Side::Device);
        }),
        (Cause::Disconnect(Side::Device), &|s: &mut Story| {
            s.up(1, crate::event::Packet::Disconnect { reason: 0 }).tell(closed(
                1,
                Direction::Up,
                Some(1000),
            ));
            fin(s, Side::Device);
        }),
        (Cause::KeepAliveTimeout, &|s: &mut Story| {
            s.at(15_000).tell(closed(1, Direction::Down, None));
            fin(s, Side::Hub);
        }),
        (Cause::KeepAliveTimeout, &|s: &mut Story| _ = s.at(15_000).ends(1, Side::Hub, Ending::Unnotified)),
        (Cause::TlsFailed(Side::Hub), &|s: &mut Story| {
            s.tell(failed(Side::Hub)).at(5_001);
            fin(s, Side::Device);
        }),
        (Cause::Closed(Side::Device), &|s: &mut Story| {
            fin(s, Side::Device);
            s.at(5_001).tell(failed(Side::Device));
        }),
    ] as [(Cause, &dyn Fn(&mut Story)); 9]
    {
        assert_eq!(told(tell), expected);
    }
}

#[test]
fn a_hub_that_tls_does_not_reach_is_out_of_reach() {
    let mut story = Story::new();
    story.greets(1).tell(What::TlsFailed { link: LinkId(1), side: Side::Hub, error: "expired".into() });
    story.closes(1).joins_tls(2, 0, "a", 2).shakes_hands(2, Side::Hub, 3, false);
    story.tell(What::TlsFailed { link: LinkId(2), side: Side::Hub, error: "bad MAC".into() }).closes(2);
    let results = story.results(&plan(Vec::new()));
    assert_eq!(results.runs[0].trouble.hub_unreachable, 1, "the second was reached");
    assert_eq!(results.runs[0].tls.failures.told.len(), 2);
}
