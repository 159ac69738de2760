use super::*;
use crate::mqtt::packet::{Disconnect, reason};

#[test]
fn an_empty_client_identifier_is_filled_in_where_the_version_allows() {
    let mut bench = Bench::new(HubConfig::default());
    let first = bench.connect(1, v5("")).properties.assigned_client_id().unwrap();
    let second = bench.connect(2, v5("")).properties.assigned_client_id().unwrap();
    assert_ne!(first, second);
    assert_eq!(bench.connect(3, v311("")).code, 0);
    assert_eq!(bench.connect(4, kept(v311(""))).code, reason::v3::IDENTIFIER_REJECTED);
    assert_eq!(bench.connect(5, Connect { version: Version::V31, ..v311("") }).code, 2);
    assert_eq!(bench.departure(5), Some(Departure::Refused));
    assert!(bench.is_open(1) && bench.is_open(2) && bench.is_open(3), "nobody took anybody over");
}

#[test]
fn another_connection_takes_the_client_identifier_over() {
    for version in Version::ALL {
        let mut bench = Bench::new(HubConfig::default());
        bench.connect(1, Connect { version, ..v311("d") });
        bench.connect(2, Connect { version, ..v311("d") });
        assert_eq!(bench.departure(1), Some(Departure::TakenOver));
        let farewell = Packet::Disconnect(Disconnect::because(reason::SESSION_TAKEN_OVER));
        let expected = if version == Version::V5 { vec![farewell] } else { vec![] };
        assert_eq!(bench.got(1), expected, "MQTT {version}");
        bench.close(1, HowClosed::Fin);
        bench.send(2, Packet::Pingreq);
        assert_eq!(bench.got_one(2), Packet::Pingresp);
    }
}

#[test]
fn a_level_that_does_not_exist_is_answered() {
    let bridge = 0x84;
    for (level, version, code) in [(2, Version::V311, 1), (bridge, Version::V311, 1), (6, Version::V5, 0x84)]
    {
        let mut bench = Bench::new(HubConfig::default());
        bench.open(1, version);
        bench.raw(1, &[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0, 0, 0]);
        let Packet::Connack(connack) = bench.got_one(1) else { panic!() };
        assert_eq!((connack.code, bench.departure(1)), (code, Some(Departure::Refused)));
    }
}

#[test]
fn extended_authentication_is_refused() {
    let mut bench = Bench::new(HubConfig::default());
    let properties = Properties(vec![Property::AuthenticationMethod("SCRAM".into())]);
    assert_eq!(bench.connect(1, Connect { properties, ..v5("d") }).code, reason::BAD_AUTHENTICATION_METHOD);
}

#[test]
fn bounds_on_sessions_and_connections() {
    let config = HubConfig { max_sessions: 1, max_connections: 2, ..HubConfig::default() };
    let mut bench = Bench::new(config);
    assert_eq!(bench.connect(1, v311("a")).code, 0);
    assert_eq!(bench.connect(2, v311("b")).code, reason::v3::SERVER_UNAVAILABLE);
    assert_eq!(bench.connect(3, v311("a")).code, 0, "a session that is there is not a new one");
    bench.open(4, Version::V311);
    bench.open(5, Version::V311);
    assert_eq!(bench.departure(5), Some(Departure::TooMany));
}

#[test]
fn how_a_connection_ended_is_told_apart() {
    let mut bench = Bench::new(HubConfig::default());
    for conn in 1..=4 {
        bench.connect(conn, v5(&format!("d{conn}")));
    }
    bench.send(1, Packet::Disconnect(Disconnect::default()));
    bench.close(1, HowClosed::Fin);
    bench.close(2, HowClosed::Fin);
    bench.close(3, HowClosed::Reset);
    bench.close(4, HowClosed::TimedOut);
    let whys: Vec<_> = (1..=4).map(|conn| bench.departure(conn).unwrap()).collect();
    let expected =
        [Departure::Disconnect { reason: 0 }, Departure::Closed, Departure::Reset, Departure::TcpTimeout];
    assert_eq!(whys, expected);
    let lines: Vec<_> =
        bench.log.iter().map(HubEvent::to_string).filter(|line| line.contains("gone")).collect();
    assert_eq!(lines[1], "conn 2 d2: gone: closed without DISCONNECT");
}

#[test]
fn a_hub_that_stops_tells_everybody() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, Connect { will: will("gone", 0), ..v5("d1") });
    bench.connect(2, v311("d2"));
    bench.subscribe(2, sub("#", 0));
    bench.input(Input::Stop);
    assert_eq!(bench.got_one(1), Packet::Disconnect(Disconnect::because(reason::SERVER_SHUTTING_DOWN)));
    assert_eq!(bench.got(2), []);
    assert_eq!(bench.departure(2), Some(Departure::ShuttingDown));
}

/// One that was accepted just before is told of when the hub has stopped: nobody would ever close it.
#[test]
fn who_comes_to_a_hub_that_has_stopped_is_closed() {
    for tls in [false, true] {
        let mut bench = Bench::new(HubConfig::default());
        bench.input(Input::Stop);
        bench.open_with(1, Version::V311, tls);
        assert_eq!(bench.departure(1), Some(Departure::ShuttingDown));
        assert_eq!(bench.ends[&1].over, Some(Output::Close { conn: ConnId(1) }));
    }
}
