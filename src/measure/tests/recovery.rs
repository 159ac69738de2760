//! The way back, and what the fleet did.

use crate::base::{Direction, LinkId, RuleId, Side, Time, WindowId};
use crate::event::{Packet, What};
use crate::fault::{Close, Ending, Fault, LegFate, Mechanism, Toward, WaysWanted};
use crate::measure::story::{Story, blackhole, exact, never, plan, rst, stall, values};
use crate::measure::{BackOff, Cause, Outcome, Shape, Value};
use crate::profile::{Metric, Plan};
use std::time::Duration;

fn dark() -> Plan {
    plan(vec![("dark", blackhole("8s"))])
}

/// The device gives up at 5.0 s; what it does then is told by the test.
fn down() -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).ends(1, Side::Device, Ending::Fin).closes(1);
    story
}

fn outcome(story: &Story) -> Outcome {
    story.results(&dark()).runs[0].windows.values().next().unwrap().outcome
}

#[test]
fn recovery_runs_from_the_path_restored() {
    let mut story = down();
    story.at(6_000).connecting(2, 0, "a", 2, true).at(11_000).heals(1).at(11_400).connack(2, false, 0);
    let results = story.results(&dark());
    assert_eq!(values(&results, Metric::Recovery), [exact(400)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(8_400)]);
    assert_eq!(outcome(&story), Outcome::Back);
}

/// Its links are closed a moment before the run is told to be over.
#[test]
fn who_is_up_when_the_run_ends_was_not_down() {
    for (leaves, expected) in [(false, 0), (true, 3)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(9_000);
        if leaves {
            story.ends(1, Side::Device, Ending::Fin);
        }
        let results = story.closes(1).at(9_003).over().results(&dark());
        let down = results.runs[0].devices.values().next().unwrap().down;
        assert_eq!(down, Some(Duration::from_millis(expected)), "{leaves}");
    }
}

/// `mosquitto_sub` without `-i`: each of its links is another device to brownout.
#[test]
fn whether_a_device_without_a_client_identifier_came_back_is_not_known() {
    let comes = |story: &mut Story, link: u64, device: u32, name: &'static str| {
        let connect = Packet::Connect {
            version: crate::mqtt::Version::V311,
            client_id: String::new(),
            keep_alive: 5,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: crate::event::SessionTerms::default(),
        };
        story.opens_link(link, device, name).up(link, connect);
        story.connack(link, false, 0);
    };
    let mut story = Story::new();
    comes(&mut story, 1, 0, "10.0.0.1:4001");
    story.at(3_000).opens(1, 0, 0, 5).applies(1, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
    story.at(4_000);
    comes(&mut story, 2, 1, "10.0.0.1:4002");
    story.at(120_000).over();
    let results = story.results(&plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]));
    assert_eq!(results.runs[0].windows[&WindowId(1)].outcome, Outcome::Unknown);
    for metric in [Metric::DeviceDetection, Metric::Downtime, Metric::Recovery, Metric::ConnectAttempts] {
        assert_eq!(values(&results, metric), []);
    }
    assert_eq!(results.runs[0].findings, []);
    assert!(results.runs[0].devices.values().all(|device| device.unnamed && device.down.is_none()));
}

/// The machine is busy: the older link is lifted only after the device is back over the newer.
#[test]
fn the_path_is_restored_with_the_first_link_that_it_is_restored_on() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).tell(What::WindowOpened {
        window: WindowId(1),
        firing: crate::base::FiringId(1),
        rule: RuleId(0),
        device: crate::base::DeviceId(0),
        until: Some(Time::from_millis(11_000)),
        keep_alive_ns: 2_000_000_000,
        assumed: false,
        hub_keep_alive_ns: None,
    });
    story.applies(1, 1, Mechanism::Gate).at(5_000).ends(1, Side::Device, Ending::Fin);
    story.at(6_000).connecting(2, 0, "a", 2, true).applies(1, 2, Mechanism::Gate);
    story.at(11_001).lifts(1, 2).at(11_004).connack(2, false, 0);
    story.at(11_020).lifts(1, 1).heals(1);
    let results = story.results(&dark());
    assert_eq!(values(&results, Metric::Recovery), [exact(3)]);
    assert_eq!(outcome(&story), Outcome::Back);
}

#[test]
fn a_held_connack_counts_when_it_is_passed_on() {
    let mut story = down();
    let connack = Packet::Connack {
        session_present: false,
        code: 0,
        server_keep_alive: None,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    };
    story.at(6_000).connect(2, 0, "a", 2).passes(2, Direction::Down, connack, true);
    let seq = story.seq();
    story.at(11_000).heals(1).at(11_010).forwarded(2, Direction::Down, seq);
    assert_eq!(values(&story.results(&dark()), Metric::Downtime), [exact(8_010)]);
}

/// A connect that the dark held is no connect of the field's: its SYN would have been lost.
#[test]
fn a_connect_that_waited_for_the_path_is_marked() {
    let waited = |held, by| {
        let mut story = down();
        story.at(6_000).connecting(2, 0, "a", 2, held);
        let seq = story.seq();
        story.applies(1, 2, by).at(11_000).heals(1).at(11_001);
        if held {
            story.forwarded(2, Direction::Up, seq);
        }
        story.connack(2, false, 0);
        let results = story.results(&dark());
        results.runs[0].windows.values().next().unwrap().connect_waited
    };
    assert!(waited(true, Mechanism::Gate));
    assert!(!waited(false, Mechanism::Gate));
    assert!(!waited(true, Mechanism::Lane));
}

/// The way back from a FIN inside a stall is the stall's too.
#[test]
fn a_fault_that_holds_on_the_way_back_is_named() {
    let held_by = |until, back| {
        let fin = Fault::Fin(Close { toward: Toward::Both, other: LegFate::Close, close_notify: true });
        let plan = plan(vec![("fin", fin), ("stall", stall(WaysWanted::Both, "8s"))]);
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).opens(1, 1, 0, 2).applies(1, 1, Mechanism::Gate).at(4_000);
        story.opens(2, 0, 0, 2).applies(2, 1, Mechanism::Shutdown).cut(1, Side::Device, LegFate::Close, 2);
        story.heals(2).closes(1);
        story.at(until).heals(1).at(back).joins(2, 0, "a", 2);
        let results = story.results(&plan);
        results.runs[0].windows[&WindowId(2)].held_by.iter().copied().collect::<Vec<_>>()
    };
    assert_eq!(held_by(11_000, 11_400), [RuleId(1)]);
    assert_eq!(held_by(4_000, 11_400), []);
}

#[test]
fn back_before_the_path_is_restored_has_no_recovery() {
    let mut story = down();
    story.at(6_000).joins(2, 0, "a", 2).at(11_000).heals(1).at(20_000);
    let results = story.results(&dark());
    assert_eq!(values(&results, Metric::Recovery), []);
    assert_eq!(values(&results, Metric::Downtime), [exact(3_000)]);
    assert_eq!(outcome(&story), Outcome::BackBefore);
}

#[test]
fn never_back_is_watched_to_the_end() {
    let mut story = down();
    story.at(11_000).heals(1).at(12_000).connect(2, 0, "a", 2).connack(2, false, 5).at(20_000);
    let results = story.results(&dark());
    assert_eq!(values(&results, Metric::Recovery), [never(9_000)]);
    assert_eq!(values(&results, Metric::Downtime), [never(17_000)]);
    assert_eq!(
        values(&results, Metric::ConnectAttempts),
        [Value::CountBetween { least: 1, most: None }],
        "it takes more"
    );
    assert_eq!(outcome(&story), Outcome::Gone);
}

/// The CONNACK of the first waited in the dark, and comes when the device has long gone on.
#[test]
fn a_link_that_was_given_up_may_be_accepted_after_the_next() {
    let mut story = down();
    story
        .heals(1)
        .at(6_000)
        .connect(2, 0, "a", 2)
        .at(9_000)
        .joins(3, 0, "a", 2)
        .at(11_000)
        .connack(2, false, 0);
    let results =
        story.at(11_001).ends(2, Side::Device, Ending::Reset).closes(2).at(60_000).over().results(&dark());
    assert_eq!(values(&results, Metric::Downtime), [exact(6_000)]);
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(2)]);
    let device = results.runs[0].devices.values().next().unwrap();
    assert_eq!(device.down, Some(Duration::from_secs(6)), "once");
}

#[test]
fn attempts_and_gaps_count_the_first_connect_and_the_accepted_one() {
    let mut story = down();
    for (link, at) in [(2, 6_000), (3, 8_000), (4, 12_000), (5, 20_000)] {
        story.at(at).connect(link, 0, "a", 2).ends(link, Side::Device, Ending::Fin).closes(link);
    }
    story.heals(1).at(36_000).joins(6, 0, "a", 2);
    let results = story.results(&dark());
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(5)]);
    let gaps = [2_000, 4_000, 8_000, 16_000].map(exact);
    assert_eq!(values(&results, Metric::ConnectGap), gaps);
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!(window.back_off, BackOff { shape: Shape::Exponential, jittered: false });
}

#[test]
fn the_back_off_is_the_wait_without_the_time_an_attempt_took_to_fail() {
    // Each attempt hangs for 3 s in the dark; the next follows at once.
    let mut story = down();
    for (link, at) in [(2, 5_010), (3, 8_020), (4, 11_030), (5, 14_040)] {
        story.at(at).connecting(link, 0, "a", 2, true);
        story.at(at + 3_000).ends(link, Side::Device, Ending::Fin).closes(link);
    }
    let results = story.results(&dark());
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!(window.back_off, BackOff { shape: Shape::None, jittered: false });
    assert_eq!(values(&results, Metric::ConnectGap), [exact(3_010); 3]);
}

/// A client that does not wait for an attempt to fail before its next: the waits are from connect to connect.
#[test]
fn attempts_that_overlap_are_waited_for_from_their_beginnings() {
    let mut story = down();
    for (link, at) in [(2, 6_000), (3, 8_000), (4, 10_000), (5, 12_000)] {
        story.at(at).connecting(link, 0, "a", 2, true);
        if link > 2 {
            story.at(at + 1_000).ends(link - 1, Side::Device, Ending::Fin).closes(link - 1);
        }
    }
    let results = story.results(&dark());
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!(window.back_off, BackOff { shape: Shape::Fixed, jittered: false });
}

fn subscribe(story: &mut Story, link: u64, id: u16, filters: &[&str], codes: &[u8]) {
    let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    story
        .up(link, Packet::Subscribe { id, filters })
        .down(link, Packet::Suback { id, codes: codes.to_vec() });
}

/// Holds `a` and `b` from the start; back at 12.0 s.
fn subscriber(session_present: bool) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2);
    subscribe(&mut story, 1, 1, &["a", "b"], &[0, 1]);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
    story.at(12_000).connect(2, 0, "a", 2).connack(2, session_present, 0);
    story
}

/// A device that said DISCONNECT begins anew: what it does not ask for any more it does not owe when a fault takes a later link.
#[test]
fn who_left_with_disconnect_owes_no_earlier_filter() {
    let reset = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    for (leaves, expected) in [(true, exact(10)), (false, never(17_990))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2);
        subscribe(&mut story, 1, 1, &["a"], &[0]);
        story.at(1_000);
        if leaves {
            story.up(1, Packet::Disconnect { reason: 0 });
        }
        story.ends(1, Side::Device, Ending::Fin).closes(1).at(2_000).joins(2, 0, "a", 2);
        subscribe(&mut story, 2, 1, &["b"], &[0]);
        story.at(3_000).opens(1, 0, 0, 2).applies(1, 2, Mechanism::Linger);
        story.cut(2, Side::Device, LegFate::Reset, 1).cut(2, Side::Hub, LegFate::Reset, 1).heals(1).closes(2);
        story.at(12_000).joins(3, 0, "a", 2).at(12_010);
        subscribe(&mut story, 3, 1, &["b"], &[0]);
        story.at(29_990).over();
        let told = values(&story.results(&reset), Metric::Resubscribe);
        assert_eq!(told.first(), Some(&expected), "{leaves}");
    }
}

#[test]
fn resubscribed_when_every_earlier_filter_is_held_again() {
    let reset = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let resubscribe = |story: &Story| values(&story.results(&reset), Metric::Resubscribe);

    let mut all = subscriber(false);
    subscribe(all.at(12_100), 2, 1, &["a"], &[0]);
    subscribe(all.at(12_300), 2, 2, &["b", "c"], &[0, 0]);
    assert_eq!(resubscribe(&all), [exact(300)]);

    let mut refused = subscriber(false);
    subscribe(refused.at(12_100), 2, 1, &["a", "b"], &[0, 0x80]);
    refused.at(15_000);
    assert_eq!(resubscribe(&refused), [never(3_000)]);

    let mut left = subscriber(false);
    left.at(13_500).ends(2, Side::Device, Ending::Fin).closes(2).at(15_000);
    assert_eq!(resubscribe(&left)[..1], [never(1_500)]);

    let mut session = subscriber(true);
    session.at(15_000);
    assert_eq!(resubscribe(&session), []);

    let mut given_up = subscriber(false);
    subscribe(given_up.at(12_100), 2, 1, &["a"], &[0]);
    given_up.up(2, Packet::Unsubscribe { filters: vec!["b".into()] }).at(15_000);
    subscribe(given_up.at(15_000), 2, 3, &["c"], &[0]);
    assert_eq!(resubscribe(&given_up), [exact(3_000)]);
}

/// What the hub keeps in MQTT 3.1 it has no word for, and a device that counts on it owes nothing.
#[test]
fn a_session_of_mqtt_3_1_that_is_not_clean_goes_on_untold() {
    use crate::mqtt::Version::{V31, V311};
    let reset = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    for (version, clean, expected) in
        [(V31, false, vec![]), (V31, true, vec![never(3_000)]), (V311, false, vec![never(3_000)])]
    {
        let mut story = subscriber(false);
        for event in &mut story.events {
            if let What::Packet { packet: Packet::Connect { version: of, clean: is_clean, .. }, .. } =
                &mut event.what
            {
                (*of, *is_clean) = (version, clean);
            }
        }
        story.at(15_000);
        assert_eq!(values(&story.results(&reset), Metric::Resubscribe), expected, "{version:?} {clean}");
    }
}

#[test]
fn first_traffic_runs_from_connack() {
    let reset = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = subscriber(true);
    story.at(12_250).tell(What::FirstPublish { link: LinkId(2), direction: Direction::Up });
    let results = story.results(&reset);
    assert_eq!(values(&results, Metric::FirstPublish), [exact(250)]);
    assert_eq!(values(&results, Metric::FirstDelivery), []);
}

#[test]
fn an_outage_without_a_fault_is_measured_too_but_a_goodbye_is_none() {
    for (goodbye, expected) in [(false, vec![Value::Count(2)]), (true, vec![])] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(5_000);
        if goodbye {
            story.up(1, Packet::Disconnect { reason: 0 });
        }
        story.ends(1, Side::Device, Ending::Fin).closes(1);
        story.at(6_000).connect(2, 0, "a", 2).ends(2, Side::Device, Ending::Fin).closes(2);
        story.at(7_000).joins(3, 0, "a", 2);
        assert_eq!(values(&story.results(&dark()), Metric::ConnectAttempts), expected);
    }
}

#[test]
fn a_ping_waits_for_its_answer_to_be_passed_on() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).up(1, Packet::Pingreq);
    story.at(1_001).passes(1, Direction::Down, Packet::Pingresp, true);
    let seq = story.seq();
    story.at(1_500).forwarded(1, Direction::Down, seq);
    let results = story.results(&dark());
    let device = results.runs[0].devices.values().next().unwrap();
    let round_trips: Vec<_> = device.ping_rtt.iter().map(|(rtt, count)| (rtt.as_millis(), count)).collect();
    assert_eq!(round_trips, [(499, 1)], "500 ms, kept to within a thousandth");
}

#[test]
fn causes_are_counted_by_device() {
    let mut story = down();
    story.at(12_000).connect(2, 0, "a", 2).connack(2, false, 5).ends(2, Side::Hub, Ending::Fin).closes(2);
    story.at(13_000).joins(3, 0, "a", 2).at(20_000);
    let results = story.results(&dark());
    let device = results.runs[0].devices.values().next().unwrap();
    let causes: Vec<_> = device.causes.iter().map(|(cause, count)| (*cause, *count)).collect();
    assert_eq!(causes, [(Cause::StillOpen, 1), (Cause::Closed(Side::Device), 1), (Cause::Refused(5), 1)]);
    assert_eq!((device.links, device.accepted), (3, 2));
}

#[test]
fn identified_after_connect_is_the_same() {
    let mut story = down();
    story.at(11_000).heals(1).at(12_000).joins(2, 0, "a", 2);
    let mut swapped = story.clone();
    let places: Vec<usize> = (1..swapped.events.len())
        .filter(|at| matches!(swapped.events[*at].what, What::Packet { packet: Packet::Connect { .. }, .. }))
        .collect();
    for place in places {
        swapped.events.swap(place - 1, place);
    }
    let (told, swapped) = (story.results(&dark()), swapped.results(&dark()));
    assert_eq!(told.runs[0].samples, swapped.runs[0].samples);
}

#[test]
fn two_faults_on_one_link_are_one_outage_of_the_device() {
    let two = plan(vec![("dark", blackhole("8s")), ("also", blackhole("8s"))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000);
    story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Gate);
    story
        .at(5_000)
        .ends(1, Side::Device, Ending::Fin)
        .at(11_000)
        .heals(1)
        .heals(2)
        .at(12_000)
        .joins(2, 0, "a", 2);
    let results = story.results(&two);
    assert_eq!(values(&results, Metric::Downtime), [exact(9_000), exact(9_000)]);
    let device = results.runs[0].devices.values().next().unwrap();
    assert_eq!(device.down.map(|down| down.as_secs()), Some(9));
}
