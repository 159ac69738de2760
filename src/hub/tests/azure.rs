//! A hub that plays Azure IoT Hub, in literal time.

use super::*;
use crate::base::Secret;
use std::time::Duration;

const UNIX: u64 = 1_800_000_000;

fn config() -> HubConfig {
    let azure = Azure { key: None, unix_at_start: Duration::from_secs(UNIX) };
    HubConfig { azure: Some(azure), ..HubConfig::default() }
}

/// A device whose token lasts so many seconds from the run's beginning.
fn device(name: &str, lasts: u64, keep_alive: u16) -> Connect {
    let token = format!("SharedAccessSignature sr=hub%2Fdevices%2F{name}&sig=c2ln&se={}", UNIX + lasts);
    Connect {
        keep_alive,
        username: Some(format!("hub/{name}/?api-version=2021-04-12")),
        password: Some(Secret(token.into_bytes())),
        ..kept(v311(name))
    }
}

fn up(lasts: u64, keep_alive: u16) -> Bench {
    let mut bench = Bench::new(config());
    assert_eq!(bench.connect(1, device("dev1", lasts, keep_alive)).code, 0);
    bench
}

fn last_line(bench: &Bench) -> String {
    bench.log.last().unwrap().to_string()
}

fn gone(bench: &Bench) -> String {
    let line = bench.log.iter().map(HubEvent::to_string).rfind(|line| line.contains("gone"));
    line.expect("somebody is gone")
}

#[test]
fn who_is_not_let_in_gets_code_5_and_the_log_says_why() {
    let mut bench = Bench::new(config());
    let named = |name: &str| Connect { client_id: name.into(), ..device("dev1", 60, 0) };
    for (conn, connect) in [(1, v311("dev1")), (2, named("dev2")), (5, named(""))] {
        assert_eq!(bench.connect(conn, connect).code, 5);
        assert_eq!(bench.departure(conn), Some(Departure::Refused));
    }
    let line =
        bench.log.iter().map(HubEvent::to_string).find(|line| line.contains("conn 1: refused")).unwrap();
    assert_eq!(line, "conn 1: refused with 0x05: CONNECT has no user name (401003 IoTHubUnauthorized)");
    assert_eq!(bench.connect(3, Connect { version: Version::V5, ..device("dev1", 60, 0) }).code, 0x84);
    assert_eq!(bench.connect(4, Connect { version: Version::V31, ..device("dev1", 60, 0) }).code, 1);
}

#[test]
fn the_link_ends_with_its_token_to_the_nanosecond() {
    let mut bench = up(3_600, 0);
    bench.at(Time::from_secs(1_700));
    bench.send(1, Packet::Pingreq);
    bench.at(Time::from_secs(3_400));
    bench.send(1, Packet::Pingreq);
    bench.at(Time::from_nanos(3_599_999_999_999));
    assert!(bench.is_open(1));
    bench.at(Time::from_secs(3_600));
    assert_eq!(bench.departure(1), Some(Departure::TokenExpired));
    assert_eq!(bench.ends[&1].over, Some(Output::Close { conn: ConnId(1) }));
    assert_eq!(
        gone(&bench),
        "conn 1 dev1: gone: its token has expired (404104 DeviceConnectionClosedRemotely)"
    );
    let refused = bench.connect(2, device("dev1", 3_600, 0));
    assert_eq!(refused.code, 5, "with the same token it does not come back");
    assert_eq!(bench.connect(3, device("dev1", 7_200, 0)).code, 0);
}

#[test]
fn a_new_link_is_held_to_the_new_token() {
    let mut bench = up(10, 0);
    bench.at(Time::from_secs(5));
    bench.connect(2, device("dev1", 20, 0));
    assert_eq!(
        gone(&bench),
        "conn 1 dev1: gone: taken over by another connection (400027 ConnectionForcefullyClosedOnNewConnection)"
    );
    bench.at(Time::from_secs(19));
    assert!(bench.is_open(2));
    bench.at(Time::from_secs(20));
    assert!(!bench.is_open(2));
}

#[test]
fn silence_is_borne_for_one_and_a_half_keep_alives_and_never_past_the_ceiling() {
    for (keep_alive, millis) in
        [(60, 90_000), (1_177, 1_765_500), (1_178, 1_767_000), (65_535, 1_767_000), (0, 1_767_000)]
    {
        let mut bench = up(10_000, keep_alive);
        bench.at(Time::from_millis(millis - 1));
        assert!(bench.is_open(1), "keep-alive {keep_alive}");
        bench.at(Time::from_millis(millis));
        assert!(
            gone(&bench).contains("of silence (404104 DeviceConnectionClosedRemotely)"),
            "{}",
            gone(&bench)
        );
    }
}

#[test]
fn telemetry_is_acknowledged_and_goes_to_no_device() {
    let mut bench = up(60, 0);
    bench.connect(2, device("dev2", 60, 0));
    let topic = "devices/dev1/messages/events/a=b";
    bench.send(1, publish(topic, "1", 1, 7));
    assert_eq!(bench.got_one(1), Packet::Puback(ack(7)));
    bench.send(1, retained(topic, "2"));
    assert!(bench.is_open(1) && bench.got(1).is_empty() && bench.got(2).is_empty());
    for (conn, topic, qos) in [(1, topic, 2), (2, topic, 1)] {
        bench.send(conn, publish(topic, "3", qos, 8));
        assert!(!bench.is_open(conn) && bench.got(conn).is_empty());
        assert!(
            matches!(bench.departure(conn), Some(Departure::ProtocolError { .. })),
            "{}",
            last_line(&bench)
        );
    }
}

#[test]
fn filters_are_those_of_the_documents_and_qos_is_1_at_most() {
    let mut bench = up(60, 0);
    assert_eq!(bench.subscribe(1, sub("devices/dev1/messages/devicebound/#", 2)), [1]);
    assert_eq!(bench.subscribe(1, sub("$iothub/methods/POST/#", 0)), [0]);
    assert_eq!(bench.subscribe(1, sub("devices/dev2/messages/devicebound/#", 1)), [0x80]);
    assert_eq!(bench.subscribe(1, sub("#", 1)), [0x80]);
    assert!(bench.is_open(1));
}

#[test]
fn the_twin_answers_its_own_device_alone() {
    let mut bench = up(60, 0);
    bench.connect(2, device("dev2", 60, 0));
    let get = |rid: u8| publish(&format!("$iothub/twin/GET/?$rid={rid}"), "", 0, 0);
    bench.send(1, get(1));
    assert_eq!(bench.got(1), [], "nobody has subscribed");
    for conn in [1, 2] {
        assert_eq!(bench.subscribe(conn, sub("$iothub/twin/res/#", 1)), [1]);
    }
    let answer = |packet| match packet {
        Packet::Publish(p) => format!("{} {}", p.topic, String::from_utf8(p.payload).unwrap()),
        other => panic!("{other:?}"),
    };
    bench.send(1, get(2));
    let body = r#"{"desired":{"$version":1},"reported":{"$version":1}}"#;
    assert_eq!(answer(bench.got_one(1)), format!("$iothub/twin/res/200/?$rid=2 {body}"));
    let patch = |text| publish("$iothub/twin/PATCH/properties/reported/?$rid=x", text, 0, 0);
    bench.send(1, patch(r#"{"fan":3}"#));
    assert_eq!(answer(bench.got_one(1)), "$iothub/twin/res/204/?$rid=x&$version=2 ");
    bench.send(1, patch("[1]"));
    assert_eq!(answer(bench.got_one(1)), "$iothub/twin/res/400/?$rid=x ");
    assert_eq!(bench.got(2), []);
}

#[test]
fn a_will_goes_to_the_back_end_alone() {
    let mut bench = Bench::new(config());
    let topic = "$iothub/twin/res/200/?$rid=1".to_owned();
    let will = will("x", 0).map(|will| Will { topic, ..will });
    bench.connect(1, Connect { will, ..device("dev1", 60, 0) });
    bench.connect(2, device("dev2", 60, 0));
    bench.subscribe(2, sub("$iothub/twin/res/#", 1));
    bench.close(1, HowClosed::Reset);
    assert!(bench.log.iter().any(|event| matches!(event.what, HubSaw::WillSent { .. })));
    assert_eq!(bench.got(2), []);
}
