//! Each packet of each version, byte by byte.

use super::*;
use crate::base::Secret;
use crate::mqtt::kind::QoS;
use crate::mqtt::property::{Properties, Property};

fn connect(version: Version) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        properties: Properties::NONE,
        client_id: "c".into(),
        will: None,
        username: None,
        password: None,
    }
}

fn will(properties: Properties) -> Option<Will> {
    Some(Will { topic: "w".into(), payload: b"x".to_vec(), qos: QoS::AtLeastOnce, retain: true, properties })
}

fn with(property: Property) -> Properties {
    Properties::NONE.with(property)
}

fn cases() -> Vec<(Version, Packet, &'static [u8])> {
    let ack = |packet_id, reason, properties| Ack { packet_id, reason, properties };
    let full = Connect {
        will: will(Properties::NONE),
        username: Some("u".into()),
        password: Some(Secret(b"p".to_vec())),
        clean_start: false,
        ..connect(V311)
    };
    let full5 = Connect {
        will: will(with(Property::WillDelay(5))),
        properties: with(Property::SessionExpiry(0x0102_0304)),
        password: Some(Secret(vec![0xff])),
        ..connect(V5)
    };
    let publish = Publish {
        dup: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: "a/b".into(),
        packet_id: Some(0x1234),
        properties: Properties::NONE,
        payload: b"hi".to_vec(),
    };
    let publish5 = Publish {
        topic: String::new(),
        properties: Properties(vec![
            Property::TopicAlias(7),
            Property::SubscriptionIdentifier(128),
            Property::SubscriptionIdentifier(1),
            Property::UserProperty(("k".into(), "v".into())),
        ]),
        ..publish.clone()
    };
    let subscription = Subscription {
        filter: "a/#".into(),
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: 2,
    };
    let subscribe = |properties, filters| Packet::Subscribe(Subscribe { packet_id: 10, properties, filters });
    let suback = |properties, codes: &[u8]| Suback { packet_id: 10, properties, codes: codes.to_vec() };
    let unsubscribe = Packet::Unsubscribe(Unsubscribe {
        packet_id: 10,
        properties: Properties::NONE,
        filters: vec!["a".into(), "+".into()],
    });
    let connack =
        |session_present, code, properties| Packet::Connack(Connack { session_present, code, properties });
    vec![
        (V31, Packet::Connect(connect(V31)), b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01c"),
        (V311, Packet::Connect(connect(V311)), b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c"),
        (V311, Packet::Connect(full), b"\x10\x19\0\x04MQTT\x04\xec\0\x3c\0\x01c\0\x01w\0\x01x\0\x01u\0\x01p"),
        (V5, Packet::Connect(connect(V5)), b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c"),
        (
            V5,
            Packet::Connect(full5),
            b"\x10\x22\0\x04MQTT\x05\x6e\0\x3c\x05\x11\x01\x02\x03\x04\0\x01c\x05\x18\0\0\0\x05\0\x01w\0\x01x\0\x01\xff",
        ),
        (V31, connack(false, 5, Properties::NONE), b"\x20\x02\0\x05"),
        (V311, connack(true, 0, Properties::NONE), b"\x20\x02\x01\0"),
        (V5, connack(false, 0x87, Properties::NONE), b"\x20\x03\0\x87\0"),
        (V5, connack(true, 0, with(Property::ServerKeepAlive(30))), b"\x20\x06\x01\0\x03\x13\0\x1e"),
        (V311, Packet::Publish(Publish { topic: "t".into(), ..Publish::default() }), b"\x30\x03\0\x01t"),
        (V311, Packet::Publish(publish), b"\x3b\x09\0\x03a/b\x12\x34hi"),
        (
            V5,
            Packet::Publish(publish5),
            b"\x3b\x16\0\0\x12\x34\x0f\x23\0\x07\x0b\x80\x01\x0b\x01\x26\0\x01k\0\x01vhi",
        ),
        (V311, Packet::Puback(Ack::success(258)), b"\x40\x02\x01\x02"),
        (V5, Packet::Puback(Ack::success(258)), b"\x40\x02\x01\x02"),
        (V5, Packet::Pubrec(ack(1, 0x97, Properties::NONE)), b"\x50\x03\0\x01\x97"),
        (V311, Packet::Pubrel(Ack::success(1)), b"\x62\x02\0\x01"),
        (
            V5,
            Packet::Pubcomp(ack(1, 0x92, with(Property::ReasonString("no".into())))),
            b"\x70\x09\0\x01\x92\x05\x1f\0\x02no",
        ),
        (
            V311,
            subscribe(Properties::NONE, vec![Subscription::new("a/#", QoS::AtLeastOnce)]),
            b"\x82\x08\0\x0a\0\x03a/#\x01",
        ),
        (
            V5,
            subscribe(with(Property::SubscriptionIdentifier(9)), vec![subscription]),
            b"\x82\x0b\0\x0a\x02\x0b\x09\0\x03a/#\x2e",
        ),
        (V311, Packet::Suback(suback(Properties::NONE, &[0, 1, 2, 0x80])), b"\x90\x06\0\x0a\0\x01\x02\x80"),
        (V5, Packet::Suback(suback(Properties::NONE, &[0x8f])), b"\x90\x04\0\x0a\0\x8f"),
        (V311, unsubscribe.clone(), b"\xa2\x08\0\x0a\0\x01a\0\x01+"),
        (V5, unsubscribe, b"\xa2\x09\0\x0a\0\0\x01a\0\x01+"),
        (V311, Packet::Unsuback(suback(Properties::NONE, &[])), b"\xb0\x02\0\x0a"),
        (V5, Packet::Unsuback(suback(Properties::NONE, &[0, 0x11])), b"\xb0\x05\0\x0a\0\0\x11"),
        (V311, Packet::Pingreq, b"\xc0\0"),
        (V5, Packet::Pingresp, b"\xd0\0"),
        (V311, Packet::Disconnect(Disconnect::default()), b"\xe0\0"),
        (V5, Packet::Disconnect(Disconnect::default()), b"\xe0\0"),
        (V5, Packet::Disconnect(Disconnect::because(reason::KEEP_ALIVE_TIMEOUT)), b"\xe0\x01\x8d"),
        (
            V5,
            Packet::Disconnect(Disconnect { reason: 0x9c, properties: with(Property::ServerReference("h".into())) }),
            b"\xe0\x06\x9c\x04\x1c\0\x01h",
        ),
        (V5, Packet::Auth(Auth::default()), b"\xf0\0"),
        (
            V5,
            Packet::Auth(Auth { reason: 0x18, properties: with(Property::AuthenticationMethod("m".into())) }),
            b"\xf0\x06\x18\x04\x15\0\x01m",
        ),
    ]
}

#[test]
fn every_packet_is_written_and_read_byte_by_byte() {
    for (version, packet, bytes) in cases() {
        assert_eq!(written(&packet, version), bytes, "MQTT {version} {packet:?}");
        assert_eq!(read(version, bytes), Ok(packet), "MQTT {version} {bytes:02x?}");
    }
}

#[test]
fn every_packet_cut_short_is_refused_or_is_a_shorter_packet() {
    for (version, packet, bytes) in cases() {
        let body = &bytes[2..];
        for end in 0..body.len() {
            // Payloads, lists and the ends that MQTT 5 lets be left away may be shorter; they are never the same.
            let short = decode(version, bytes[0], &body[..end]);
            assert_ne!(short, Ok(packet.clone()), "MQTT {version} {packet:?} cut at {end}");
        }
    }
}

#[test]
fn long_forms_of_what_may_be_left_away_are_read() {
    for (bytes, packet) in [
        (&b"\xe0\x02\0\0"[..], Packet::Disconnect(Disconnect::default())),
        (b"\xe0\x02\x8e\0", Packet::Disconnect(Disconnect::because(reason::SESSION_TAKEN_OVER))),
        (b"\x40\x03\0\x01\0", Packet::Puback(Ack::success(1))),
        (b"\x40\x04\0\x01\0\0", Packet::Puback(Ack::success(1))),
        (b"\xf0\x02\0\0", Packet::Auth(Auth::default())),
    ] {
        assert_eq!(read(V5, bytes), Ok(packet));
    }
}

#[test]
fn what_a_version_lacks_is_not_written_for_it() {
    let rich = Packet::Puback(Ack {
        packet_id: 1,
        reason: 0x97,
        properties: with(Property::ReasonString("x".into())),
    });
    assert_eq!(written(&rich, V311), b"\x40\x02\0\x01");
    let said = Packet::Disconnect(Disconnect::because(0x8d));
    assert_eq!(written(&said, V311), b"\xe0\0");
    let present = Packet::Connack(Connack { session_present: true, ..Connack::default() });
    assert_eq!(written(&present, V31), b"\x20\x02\0\0");
}
