use super::*;
use crate::base::Secret;
use crate::mqtt::packet::{self, Packet};
use Version::{V5, V31, V311};
use proptest::prelude::*;

#[test]
fn a_connect_with_everything() {
    let head = b"\0\x04MQTT\x05\xee\0\x3c\x05\x11\0\0\x0e\x10\0\x01c\x05\x18\0\0\0\x05\0\x01w\0\x01x\0\x01u\0\x02\xff\0";
    let view = connect_view(head).unwrap();
    let expected = ConnectView {
        level: 5,
        version: Some(V5),
        bridge: false,
        clean_start: true,
        keep_alive: 60,
        session_expiry: Some(3600),
        client_id: "c".into(),
        receive_maximum: None,
        has_will: true,
        will: Some(WillView { topic: "w".into(), qos: 1, delay: Some(5), payload: b"x" }),
        username: Some("u".into()),
        has_password: true,
        password: Some(Secret(b"\xff\0")),
        complete: true,
    };
    assert_eq!(view, expected);
}

#[test]
fn a_connect_cut_anywhere_shows_what_is_there() {
    let head = b"\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\x01u\0\x01p";
    for end in 0..head.len() {
        let view = connect_view(&head[..end]);
        assert_eq!(view.is_some(), end >= 10, "{end}");
        let Some(view) = view else { continue };
        assert!(!view.complete && view.has_password && view.password.is_none());
        assert_eq!((view.keep_alive, &*view.client_id), (60, if end >= 13 { "c" } else { "" }));
        assert_eq!(view.username.is_some(), end >= 16);
    }
}

/// A device is told by its name, be that longer than what is looked at.
#[test]
fn an_identifier_that_is_cut_off_is_known_by_its_beginning() {
    let head = [b"\0\x04MQTT\x04\xc2\0\x3c\xff\xff".as_slice(), &[b'x'; 65_527]].concat();
    let view = connect_view(&head).unwrap();
    assert_eq!((view.client_id.len(), view.complete), (65_527, false));
    assert_eq!((view.username, view.has_password, view.password), (None, true, None));
}

#[test]
fn odd_connects() {
    let bridge = connect_view(b"\0\x04MQTT\x84\x02\0\x3c\0\x01c").unwrap();
    assert_eq!((bridge.bridge, bridge.version), (true, Some(V311)));
    let future = connect_view(b"\0\x04MQTT\x06\x02\0\x3c\0\x01c").unwrap();
    assert_eq!((future.level, future.version, &*future.client_id), (6, None, "c"));
    let latin1 = connect_view(b"\0\x04MQTT\x04\x02\0\x3c\0\x02\xe9c").unwrap();
    assert_eq!(&*latin1.client_id, "\u{fffd}c");
}

#[test]
fn connacks() {
    let view = connack_view(V5, b"\x01\0\x0a\x13\0\x1e\x12\0\x04auto").unwrap();
    assert_eq!((view.session_present, view.code, view.server_keep_alive), (true, 0, Some(30)));
    assert_eq!(view.assigned_client_id.as_deref(), Some("auto"));
    let refused = connack_view(V31, b"\x01\x05").unwrap();
    assert_eq!((refused.session_present, refused.code), (false, 5));
    assert!(connack_view(V311, b"\x01\0").unwrap().session_present);
    // A property that is not known ends the walk, and what stood before it counts.
    let odd = connack_view(V5, b"\0\0\x05\x13\0\x1e\x7f\0").unwrap();
    assert_eq!(odd.server_keep_alive, Some(30));
    assert_eq!(connack_view(V5, b"\0\0").unwrap().server_keep_alive, None);
    assert_eq!(connack_view(V311, b"\0"), None);
}

#[test]
fn publishes() {
    let view = publish_view(V311, 0x3b, b"\0\x03a/b\x12\x34").unwrap();
    assert_eq!((view.qos, view.dup, view.retain), (Some(QoS::AtLeastOnce), true, true));
    assert_eq!((&*view.topic, view.packet_id, view.payload_at), ("a/b", Some(0x1234), Some(7)));
    let aliased = publish_view(V5, 0x30, b"\0\0\x03\x23\0\x07").unwrap();
    assert_eq!((&*aliased.topic, aliased.topic_alias, aliased.payload_at), ("", Some(7), Some(6)));
    // The framer did not know the version: the head ends before the properties.
    let short = publish_view(V5, 0x30, b"\0\x01t").unwrap();
    assert_eq!((&*short.topic, short.payload_at), ("t", None));
    let qos_3 = publish_view(V311, 0x36, b"\0\x01t\0\x01").unwrap();
    assert_eq!((qos_3.qos, qos_3.packet_id), (None, Some(1)));
    let cut = publish_view(V311, 0x32, b"\0\x01t\0").unwrap();
    assert_eq!((cut.packet_id, cut.payload_at), (None, None));
    assert_eq!(publish_view(V311, 0x30, b"\0\x05t"), None);
}

#[test]
fn acknowledgements() {
    assert_eq!(ack_view(V311, b"\0\x01"), Some(AckView { packet_id: 1, reason: 0 }));
    assert_eq!(ack_view(V5, b"\0\x01"), Some(AckView { packet_id: 1, reason: 0 }));
    assert_eq!(ack_view(V5, b"\0\x01\x97"), Some(AckView { packet_id: 1, reason: 0x97 }));
    assert_eq!(ack_view(V5, b"\0"), None);
}

#[test]
fn requests_and_their_answers() {
    let subscribe = subscribe_view(V5, b"\0\x0a\x02\x0b\x09\0\x03a/#\x2e\0\x01b\x03\0\x09").unwrap();
    assert_eq!(subscribe.packet_id, 10);
    assert_eq!(subscribe.filters, [("a/#".into(), Some(QoS::ExactlyOnce)), ("b".into(), None)]);
    assert!(subscribe.as_published && subscribe.bridges, "0x2e has the bits 0x08 and 0x04");
    let two = subscribe_view(V5, b"\0\x0a\0\0\x01a\x08\0\x01b\x04").unwrap();
    assert!(two.as_published && !two.bridges, "each has one of them");
    assert!(!subscribe_view(V5, b"\0\x0a\0\0\x03a/#\x26").unwrap().as_published);
    assert!(!subscribe_view(V311, b"\0\x0a\0\x03a/#\x2e").unwrap().as_published);
    let unsubscribe = unsubscribe_view(V311, b"\0\x0a\0\x01a\0\x01+").unwrap();
    assert_eq!(unsubscribe.filters, ["a", "+"]);
    assert_eq!(suback_view(V5, b"\0\x0a\0\x01\x8f").unwrap().codes, [1, 0x8f]);
    assert_eq!(suback_view(V311, b"\0\x0a\x80").unwrap().codes, [0x80]);
    assert!(suback_view(V311, b"\0\x0a").unwrap().codes.is_empty());
}

#[test]
fn the_reason_of_a_disconnect_in_its_three_forms() {
    let reason = |head: &[u8]| reason_view(V5, head).unwrap();
    assert_eq!(reason(b"").reason, 0);
    assert_eq!(reason(b"\x8d").reason, 0x8d);
    let full = reason(b"\x9c\x0a\x1c\0\x01h\x1f\0\x03why");
    assert_eq!((full.reason, full.server_reference.as_deref()), (0x9c, Some("h")));
    assert_eq!(full.reason_string.as_deref(), Some("why"));
    assert_eq!(reason_view(V311, b""), None);
}

proptest! {
    #[test]
    fn nothing_panics(first in any::<u8>(), head in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = connect_view(&head);
        let _ = connect_view(&[b"\0\x04MQTT\x05\xee\0\x3c", &head[..]].concat());
        for version in Version::ALL {
            let _ = (connack_view(version, &head), publish_view(version, first, &head));
            let _ = (ack_view(version, &head), subscribe_view(version, &head), suback_view(version, &head));
            let _ = (unsubscribe_view(version, &head), reason_view(version, &head));
        }
        for kind in PacketKind::ALL {
            let _ = packet_id(kind, first, &head);
        }
    }

    #[test]
    fn the_identifier_of_a_publish_is_that_of_its_view(
        first in 0x30..=0x3fu8,
        head in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, b'a', 0xff]), 0..8),
    ) {
        let seen = publish_view(V311, first, &head).and_then(|view| view.packet_id);
        prop_assert_eq!(packet_id(PacketKind::Publish, first, &head), seen);
    }

    #[test]
    fn what_the_strict_reader_reads_is_seen_the_same(
        first in prop::sample::select(vec![0x30u8, 0x32, 0x3d, 0x40, 0x82, 0xa2]),
        head in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, b'a', b'b', 0x0b, 0x26]), 0..16),
        version in prop::sample::select(Version::ALL.to_vec()),
    ) {
        match packet::decode(version, first, &head) {
            Ok(Packet::Publish(packet)) => {
                let view = publish_view(version, first, &head).unwrap();
                prop_assert_eq!((&*view.topic, view.packet_id), (packet.topic.as_str(), packet.packet_id));
                let at = usize::try_from(view.payload_at.unwrap()).unwrap();
                prop_assert_eq!(&head[at..], packet.payload);
            }
            Ok(Packet::Puback(packet)) => {
                let expected = AckView { packet_id: packet.packet_id, reason: packet.reason };
                prop_assert_eq!(ack_view(version, &head), Some(expected));
            }
            Ok(Packet::Subscribe(packet)) => {
                let as_published = packet.filters.iter().any(|one| one.retain_as_published);
                let bridges = packet.filters.iter().any(|one| one.retain_as_published && one.no_local);
                let filters = packet.filters.into_iter().map(|one| (one.filter, Some(one.qos))).collect();
                let expected = SubscribeView { packet_id: packet.packet_id, filters, as_published, bridges };
                prop_assert_eq!(subscribe_view(version, &head), Some(expected));
            }
            Ok(Packet::Unsubscribe(packet)) => {
                let expected = UnsubscribeView { packet_id: packet.packet_id, filters: packet.filters };
                prop_assert_eq!(unsubscribe_view(version, &head), Some(expected));
            }
            Ok(_) | Err(_) => {}
        }
    }
}
