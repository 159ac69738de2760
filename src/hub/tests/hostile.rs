use super::*;
use crate::mqtt::packet::{Auth, reason};
use proptest::prelude::*;

#[test]
fn packets_that_a_device_may_not_send_close_it_with_their_reason() {
    let connect = |version| Packet::Connect(Connect { version, ..v311("d") });
    for version in Version::ALL {
        let mut wrong = vec![Packet::Pingresp, connect(version), Packet::Connack(Connack::default())];
        if version == Version::V5 {
            wrong.push(Packet::Auth(Auth::default()));
        }
        for packet in wrong {
            let mut bench = Bench::new(HubConfig::default());
            bench.connect(1, Connect { version, ..v311("d") });
            bench.send(1, packet.clone());
            let Some(Departure::ProtocolError { reason: code, .. }) = bench.departure(1) else { panic!() };
            assert_eq!(code, reason::PROTOCOL_ERROR, "{packet:?}");
        }
    }
}

#[test]
fn the_first_packet_is_connect() {
    let mut bench = Bench::new(HubConfig::default());
    bench.open(1, Version::V311);
    bench.send(1, Packet::Pingreq);
    assert!(matches!(bench.departure(1), Some(Departure::ProtocolError { .. })));
    assert_eq!(bench.got(1), []);
}

#[test]
fn a_packet_at_the_hubs_limit_is_taken_and_one_byte_more_is_not() {
    for (payload, open) in [(90, true), (91, false)] {
        let mut bench = Bench::new(HubConfig { max_packet: 95, ..HubConfig::default() });
        bench.connect(1, v311("d"));
        bench.send(1, publish("a", &"x".repeat(payload), 0, 0));
        assert_eq!(bench.is_open(1), open);
    }
}

#[test]
fn a_topic_of_all_slashes_is_walked_without_harm() {
    let mut bench = Bench::new(HubConfig { max_packet: 1 << 20, ..HubConfig::default() });
    bench.connect(1, v311("d"));
    bench.subscribe(1, sub("#", 0));
    bench.send(1, publish(&"/".repeat(65_535), "m", 0, 0));
    assert_eq!(bench.messages(1), ["m"]);
}

#[test]
fn inputs_for_connections_that_are_not_there_do_nothing() {
    let mut bench = Bench::new(HubConfig::default());
    let conn = ConnId(77);
    bench.hub.handle(Time::ZERO, Input::Bytes { conn, bytes: &[0x10, 0] });
    bench.hub.handle(Time::ZERO, Input::Written { conn, count: 1 });
    bench.hub.handle(Time::ZERO, Input::Closed { conn, how: HowClosed::Fin });
    assert_eq!(bench.hub.poll(), None);
}

/// Packets that a device may send, to be spoilt.
fn samples(version: Version) -> Vec<Vec<u8>> {
    let id = 1;
    let subscription = sub("$share/g/a/+", 2);
    let properties = Properties::NONE;
    let packets = [
        publish("a/b", "m", 0, 0),
        publish("a/b", "m", 1, id),
        publish("a/b", "m", 2, id),
        retained("a/b", "m"),
        Packet::Pubrel(ack(id)),
        Packet::Pubrec(ack(id)),
        Packet::Puback(ack(id)),
        Packet::Pubcomp(ack(id)),
        Packet::Subscribe(Subscribe { packet_id: id, properties, filters: vec![sub("#", 2), subscription] }),
        Packet::Pingreq,
    ];
    let encoded = packets.iter().map(|packet| {
        let mut bytes = Vec::new();
        encode(packet, version, &mut bytes).unwrap();
        bytes
    });
    encoded.collect()
}

proptest! {
    #[test]
    fn good_packets_a_little_spoilt_cannot_panic_the_hub(
        steps in proptest::collection::vec((1u64..4, 0usize..10, any::<u16>(), any::<u8>(), any::<bool>()), 0..60),
        level in 3u8..6,
    ) {
        let version = Version::from_level(level).unwrap();
        let samples = samples(version);
        let mut bench = Bench::new(HubConfig { max_queued: 3, ..HubConfig::default() });
        for (second, (conn, sample, at, byte, spoil)) in (0..).zip(steps) {
            bench.at(Time::from_secs(second));
            if !bench.ends.contains_key(&conn) || !bench.is_open(conn) {
                bench.connect(conn, kept(Connect { version, keep_alive: 20, will: will("w", 0), ..v311(&format!("d{}", conn % 2)) }));
            }
            let mut bytes = samples[sample].clone();
            if spoil {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            bench.raw(conn, &bytes);
        }
    }

    #[test]
    fn nothing_that_a_client_sends_can_panic_the_hub(
        chunks in proptest::collection::vec((1u64..4, proptest::collection::vec(any::<u8>(), 0..40)), 0..40),
        level in 3u8..6,
    ) {
        let mut hub = Hub::new(HubConfig::default());
        for conn in 1..4 {
            hub.handle(Time::ZERO, Input::Opened { conn: ConnId(conn), peer: String::new(), tls: false });
            let mut bytes = Vec::new();
            let version = Version::from_level(level).unwrap();
            encode(&Packet::Connect(Connect { version, ..kept(v311("same")) }), version, &mut bytes).unwrap();
            hub.handle(Time::ZERO, Input::Bytes { conn: ConnId(conn), bytes: &bytes });
        }
        for (second, (conn, bytes)) in (0..).zip(&chunks) {
            hub.handle(Time::from_secs(second), Input::Bytes { conn: ConnId(*conn), bytes });
            while hub.poll().is_some() {}
        }
    }
}
