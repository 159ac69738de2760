use super::*;
use crate::mqtt::packet::{Disconnect, reason};
use std::time::Duration;

const NANO: Duration = Duration::from_nanos(1);

#[test]
fn silence_is_borne_for_one_and_a_half_keep_alives_to_the_nanosecond() {
    for version in Version::ALL {
        let mut bench = Bench::new(HubConfig::default());
        bench.connect(1, Connect { version, keep_alive: 7, ..v311("d") });
        let edge = Time::from_millis(10_500);
        assert_eq!(bench.hub.deadline(), Some(edge));
        bench.at(edge - NANO);
        assert!(bench.is_open(1), "MQTT {version}");
        bench.at(edge);
        let silent = Duration::from_millis(10_500);
        assert_eq!(bench.departure(1), Some(Departure::KeepAliveTimeout { silent }), "MQTT {version}");
        let farewell = Packet::Disconnect(Disconnect::because(reason::KEEP_ALIVE_TIMEOUT));
        let expected = if version == Version::V5 { vec![farewell] } else { vec![] };
        assert_eq!(bench.got(1), expected);
        assert_eq!(bench.hub.deadline(), None);
    }
}

#[test]
fn every_whole_packet_restarts_it_and_a_part_of_one_does_not() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, Connect { keep_alive: 2, ..v311("d") });
    bench.at(Time::from_millis(2_999));
    bench.send(1, Packet::Pingreq);
    assert_eq!(bench.got_one(1), Packet::Pingresp);
    bench.at(Time::from_millis(5_000));
    bench.raw(1, &[0x30, 10, 0]);
    bench.at(Time::from_millis(5_998));
    assert!(bench.is_open(1));
    bench.at(Time::from_millis(5_999));
    assert!(!bench.is_open(1));
}

#[test]
fn what_the_hub_sends_does_not_restart_it() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, Connect { keep_alive: 2, ..v311("d") });
    bench.connect(2, v311("source"));
    bench.subscribe(1, sub("a", 0));
    bench.at(Time::from_millis(2_999));
    bench.send(2, publish("a", "x", 0, 0));
    assert_eq!(bench.messages(1), ["x"]);
    bench.at(Time::from_millis(3_000));
    assert!(!bench.is_open(1), "a busy subscriber that sends nothing is silent");
}

#[test]
fn a_keep_alive_of_0_is_none() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, v311("d"));
    assert_eq!(bench.hub.deadline(), None);
    bench.at(Time::from_secs(1_000_000));
    assert!(bench.is_open(1));
}

#[test]
fn the_hubs_keep_alive_takes_the_place_of_the_devices_where_it_can_be_told() {
    let config = HubConfig { server_keep_alive: Some(4), ..HubConfig::default() };
    let mut bench = Bench::new(config);
    let connack = bench.connect(1, Connect { keep_alive: 100, ..v5("new") });
    assert_eq!(connack.properties.server_keep_alive(), Some(4));
    bench.connect(2, Connect { keep_alive: 100, ..v311("old") });
    bench.at(Time::from_secs(6));
    assert!(!bench.is_open(1));
    bench.at(Time::from_secs(150) - NANO);
    assert!(bench.is_open(2));
    bench.at(Time::from_secs(150));
    assert!(!bench.is_open(2));
}

#[test]
fn a_connection_without_connect_is_closed_after_a_minute_and_a_half() {
    let mut bench = Bench::new(HubConfig::default());
    bench.open(1, Version::V311);
    bench.raw(1, &[0x10, 0x20, 0]);
    bench.at(Time::from_secs(90) - NANO);
    assert!(bench.is_open(1));
    bench.at(Time::from_secs(90));
    assert_eq!(bench.departure(1), Some(Departure::ConnectTimeout));
}

#[test]
fn another_patience_is_kept_as_exactly() {
    let eager = Patience { per_mille: 1_250, grace: Duration::from_secs(2), ..Patience::MQTT };
    let seldom = Patience { looked_at_every: Duration::from_secs(6), ..Patience::MQTT };
    let aws = Patience { least: 30, most: 1_200, instead_of_none: 1_200, ..Patience::MQTT };
    let often = Patience { looked_at_per_mille: 500, ..seldom };
    let short = Patience { at_most: Some(Duration::from_secs(60)), ..Patience::MQTT };
    for (patience, keep_alive, millis) in [
        (eager, 8, Some(12_000)),
        (seldom, 4, Some(6_000)),
        (seldom, 5, Some(12_000)),
        (seldom, 8, Some(12_000)),
        (often, 4, Some(6_000)),
        (often, 5, Some(7_500)),
        (often, 20, Some(30_000)),
        (often, 21, Some(36_000)),
        (aws, 5, Some(45_000)),
        (aws, 30, Some(45_000)),
        (aws, 31, Some(46_500)),
        (aws, 65_535, Some(1_800_000)),
        (aws, 0, Some(1_800_000)),
        (short, 40, Some(60_000)),
        (short, 41, Some(60_000)),
        (short, 0, Some(60_000)),
        (eager, 0, None),
    ] {
        let mut bench = Bench::new(HubConfig { patience, ..HubConfig::default() });
        bench.connect(1, Connect { keep_alive, ..v311("d") });
        let due = millis.map(Time::from_millis);
        assert_eq!(bench.hub.deadline(), due, "keep-alive {keep_alive}, {patience:?}");
        if let Some(due) = due {
            bench.at(due - NANO);
            assert!(bench.is_open(1), "keep-alive {keep_alive}, {patience:?}");
            bench.at(due);
            assert!(!bench.is_open(1), "keep-alive {keep_alive}, {patience:?}");
        }
    }
}

#[test]
fn a_hub_that_looks_seldom_lets_go_at_the_first_look_after_the_silence() {
    let patience = Patience { looked_at_every: Duration::from_secs(6), ..Patience::MQTT };
    let mut bench = Bench::new(HubConfig { patience, ..HubConfig::default() });
    bench.connect(1, Connect { keep_alive: 4, ..v311("d") });
    bench.at(Time::from_millis(500));
    bench.send(1, Packet::Pingreq);
    bench.at(Time::from_secs(12) - NANO);
    assert!(bench.is_open(1), "silent since 0.5 s, due at 6.5 s, seen at 12 s");
    bench.at(Time::from_secs(12));
    let silent = Duration::from_millis(11_500);
    assert_eq!(bench.departure(1), Some(Departure::KeepAliveTimeout { silent }));
}

#[test]
fn a_clock_of_whole_seconds_cuts_fractions_off() {
    let patience = Patience { whole_seconds: true, grace: Duration::from_secs(1), ..Patience::MQTT };
    let mut bench = Bench::new(HubConfig { patience, ..HubConfig::default() });
    bench.connect(1, Connect { keep_alive: 5, ..v311("d") });
    bench.at(Time::from_millis(900));
    bench.send(1, Packet::Pingreq);
    bench.at(Time::from_secs(8) - NANO);
    assert!(bench.is_open(1), "more than 7 s, counted from 0 s");
    bench.at(Time::from_secs(8));
    let silent = Duration::from_millis(7_100);
    assert_eq!(bench.departure(1), Some(Departure::KeepAliveTimeout { silent }));
}
