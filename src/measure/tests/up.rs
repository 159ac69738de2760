//! Which link a fault found up, and what became of it: take-overs, refusals, late CONNACKs, attempts in the dark.

use crate::base::{Direction, Side};
use crate::event::{LastPackets, Packet, What};
use crate::fault::{Ending, Fault, LegFate, Mechanism, Toward};
use crate::measure::story::{Story, blackhole, exact, latency, never, plan, rst, values};
use crate::measure::{Cause, Outcome, Results, Value};
use crate::profile::Metric;
use std::time::Duration;

fn connack(code: u8) -> Packet {
    Packet::Connack {
        session_present: false,
        code,
        server_keep_alive: None,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    }
}

fn outcome(story: &Story, fault: Fault) -> (Outcome, Option<Cause>) {
    let results = story.results(&plan(vec![("dark", fault)]));
    let window = results.runs[0].windows.values().next().unwrap();
    (window.outcome, window.end)
}

fn dark(story: &Story) -> Results {
    story.results(&plan(vec![("dark", blackhole("8s"))]))
}

fn causes(results: &Results) -> Vec<(Cause, u64)> {
    let device = results.runs[0].devices.values().next().unwrap();
    device.causes.iter().map(|(cause, count)| (*cause, *count)).collect()
}

#[test]
fn a_device_that_tries_in_the_dark_has_no_link_to_find_dead() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).ends(1, Side::Device, Ending::Fin).closes(1);
    // The firing falls on the attempt as soon as CONNECT tells whose it is.
    story.at(4_000).connecting(2, 0, "a", 2, true).opens(1, 0, 0, 2).applies(1, 2, Mechanism::Gate);
    story.at(7_000).ends(2, Side::Device, Ending::Fin).at(11_000).heals(1).closes(2).at(12_000);
    story.joins(3, 0, "a", 2);
    let results = dark(&story);
    let window = results.runs[0].windows.values().next().unwrap();
    assert!(window.found_nobody());
    assert_eq!(values(&results, Metric::DeviceDetection), []);
    // The outage that the device made itself is measured all the same.
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(2)]);
}

#[test]
fn an_attempt_is_a_link_for_what_resets_it_or_leaves_it_be() {
    for (fault, by) in
        [(rst(Toward::Both, LegFate::Reset), Mechanism::Linger), (latency(300, "8s"), Mechanism::Lane)]
    {
        let mut story = Story::new();
        story.at(2_900).connect(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, by);
        if by == Mechanism::Linger {
            story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).closes(1);
        }
        story.at(11_000).heals(1).at(20_000);
        assert_ne!(outcome(&story, fault).0, Outcome::NoLink, "{by:?}");
    }
}

#[test]
fn a_link_that_an_end_gave_up_before_the_fault_is_none() {
    for (given_up, expected) in [(2_999, Outcome::NoLink), (3_000, Outcome::Back)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(given_up).ends(1, Side::Device, Ending::Fin);
        story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
        story.at(11_000).heals(1).carried(1, Side::Hub).closes(1).at(12_000).joins(2, 0, "a", 2);
        assert_eq!(outcome(&story, blackhole("8s")).0, expected, "{given_up}");
    }
}

#[test]
fn a_link_that_the_hub_refused_is_none() {
    for (code, expected) in [(5, Outcome::NoLink), (0, Outcome::Survived)] {
        let mut story = Story::new();
        story.connect(1, 0, "a", 2).connack(1, false, code);
        story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate).at(11_000).heals(1).at(12_000);
        assert_eq!(outcome(&story, blackhole("8s")).0, expected, "{code}");
    }
}

#[test]
fn the_link_in_use_is_struck_not_one_that_was_refused_since() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).connect(2, 0, "a", 2).connack(2, false, 5);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate).applies(1, 2, Mechanism::Gate);
    story.at(4_000).ends(2, Side::Hub, Ending::Fin).at(5_000).ends(1, Side::Hub, Ending::Fin);
    story.at(11_000).heals(1).at(12_000);
    assert_eq!(values(&dark(&story), Metric::HubDetection), [exact(2_000)]);
}

#[test]
fn a_connack_that_a_cut_cost_the_device_never_accepted_it() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(6_000).connect(2, 0, "a", 2).passes(2, Direction::Down, connack(0), true);
    story.at(8_000).ends(2, Side::Device, Ending::Fin).closes(2);
    story.at(11_000).heals(1).at(13_000).joins(3, 0, "a", 2);
    let results = dark(&story);
    assert_eq!(values(&results, Metric::Downtime), [exact(10_000)]);
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(2)]);
}

#[test]
fn a_device_that_takes_over_its_own_session_tells_the_hub_too() {
    // New links pass: the device comes anew after 1.2 s, and the hub closes the older link for it.
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(4_200).connect(2, 0, "a", 2);
    story.at(4_205).ends(1, Side::Hub, Ending::Fin).at(4_206).connack(2, true, 0);
    story.at(11_000).heals(1).carried(1, Side::Device).closes(1).at(12_000);
    let results = dark(&story);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(1_200)]);
    assert_eq!(values(&results, Metric::HubDetection), [exact(1_205)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(1_206)]);
    assert_eq!(values(&results, Metric::Recovery), []);
    let dark = blackhole("8s");
    assert_eq!(outcome(&story, dark), (Outcome::BackBefore, Some(Cause::TakenOver)));
}

#[test]
fn a_take_over_that_no_fault_made_costs_no_time() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(4_200).connect(2, 0, "a", 2);
    story.at(4_205).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).closes(1);
    story.at(4_204).connack(2, true, 0).at(12_000);
    let results = dark(&story);
    assert_eq!(causes(&results), [(Cause::StillOpen, 1), (Cause::TakenOver, 1)]);
    assert!(results.runs[0].devices.values().next().unwrap().down < Some(Duration::from_millis(2)));
}

#[test]
fn a_disconnect_of_the_hub_is_its_sign_and_tells_the_device() {
    let timed_out = Packet::Disconnect { reason: 0x8d };
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(2_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).passes(1, Direction::Down, timed_out.clone(), true);
    let seq = story.seq();
    story.at(5_001).ends(1, Side::Hub, Ending::Fin).at(11_000).heals(1).forwarded(1, Direction::Down, seq);
    story.at(11_001).ends(1, Side::Device, Ending::Fin).closes(1).at(11_500).joins(2, 0, "a", 2);
    let results = dark(&story);
    assert_eq!(values(&results, Metric::HubDetection), [exact(2_000)]);
    assert_eq!(values(&results, Metric::HubSilence), [exact(3_000)]);
    assert_eq!(values(&results, Metric::DeviceDetection), [never(8_000)]);
    assert_eq!(outcome(&story, blackhole("8s")), (Outcome::Back, Some(Cause::KeepAliveTimeout)));

    // On a slow path it arrives before the FIN; the device that then closes has only done as it was told.
    let mut slow = Story::new();
    slow.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    slow.at(5_000).down(1, timed_out).at(5_100).ends(1, Side::Device, Ending::Fin).closes(1);
    slow.at(5_300).joins(2, 0, "a", 2).at(11_000).heals(1).at(12_000);
    let results = slow.results(&plan(vec![("slow", latency(300, "8s"))]));
    assert_eq!(values(&results, Metric::DeviceDetection), []);
    assert_eq!(values(&results, Metric::HubDetection), [exact(2_000)]);
    assert_eq!(outcome(&slow, latency(300, "8s")).1, Some(Cause::KeepAliveTimeout));
}

#[test]
fn the_links_note_of_a_disconnect_is_not_a_packet_before_it() {
    // The link noted the DISCONNECT 20 us before its event was stamped; the packet before came at 2.0 s.
    for (noted_ms, silence) in [(5_999, 4_000), (5_950, 4_000), (5_949, 51)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(2_000).up(1, Packet::Pingreq);
        story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
        story.at(6_000).passes(1, Direction::Up, Packet::Disconnect { reason: 0 }, true);
        let noted = Some(crate::base::Time::from_millis(noted_ms));
        story.tell(What::LegEnded {
            link: crate::base::LinkId(1),
            side: Side::Device,
            how: Ending::Fin,
            error: None,
            last: LastPackets { from: noted, to: None },
        });
        story.at(11_000).heals(1);
        assert_eq!(values(&dark(&story), Metric::DeviceSilence), [exact(silence)], "{noted_ms}");
    }
}

#[test]
fn a_leg_left_half_open_is_missed_after_a_keep_alive_only() {
    for (end, expected) in [(4_999, vec![]), (5_000, vec![never(2_000)])] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
        story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::HalfOpen, 1).heals(1);
        story.at(3_400).joins(2, 0, "a", 2).at(end);
        let results = story.results(&plan(vec![("reset", rst(Toward::Device, LegFate::HalfOpen))]));
        assert_eq!(values(&results, Metric::HubDetection), expected, "{end}");
    }
}

#[test]
fn outages_that_overlap_count_once_and_those_of_no_fault_count_too() {
    let two = plan(vec![("dark", blackhole("8s")), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).ends(1, Side::Device, Ending::Fin).at(6_000).connecting(2, 0, "a", 2, true);
    // The attempt is reset while the device is down already.
    story.at(7_000).opens(2, 1, 0, 2).applies(2, 2, Mechanism::Linger);
    story.cut(2, Side::Device, LegFate::Reset, 2).cut(2, Side::Hub, LegFate::Reset, 2).heals(2).closes(2);
    story.at(11_000).heals(1).closes(1).at(12_000).joins(3, 0, "a", 2);
    // 9 s so far. It leaves without DISCONNECT at 20 s for 1.5 s, and at 30 s for good; the run ends at 32 s.
    story.at(20_000).ends(3, Side::Device, Ending::Fin).closes(3).at(21_500).joins(4, 0, "a", 2);
    story.at(30_000).ends(4, Side::Device, Ending::Reset).closes(4).at(32_000);
    let results = story.results(&two);
    let device = results.runs[0].devices.values().next().unwrap();
    assert_eq!(device.down, Some(Duration::from_millis(9_000 + 1_500 + 2_000)));
    assert_eq!(values(&results, Metric::Downtime), [exact(9_000), exact(5_000)]);
}
