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
fn a_connection_without_connect_is_closed_after_10_seconds() {
    let mut bench = Bench::new(HubConfig::default());
    bench.open(1, Version::V311);
    bench.raw(1, &[0x10, 0x20, 0]);
    bench.at(Time::from_secs(10) - NANO);
    assert!(bench.is_open(1));
    bench.at(Time::from_secs(10));
    assert_eq!(bench.departure(1), Some(Departure::ConnectTimeout));
}
