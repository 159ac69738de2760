use super::*;
use crate::base::Direction;
use crate::mqtt::framer::{Framer, Piece};
use crate::mqtt::packet::{Ack, Auth, Connack, Connect, Disconnect, Publish, Suback, decode, encode};
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::{Packet, packet};
use proptest::prelude::*;

fn beginning(packet: &Packet, version: Version) -> Beginning {
    let mut bytes = Vec::new();
    encode(packet, version, &mut bytes).unwrap();
    read(&bytes)
}

/// The whole packet as a beginning.
fn read(bytes: &[u8]) -> Beginning {
    let mut reader = Reader::new(&bytes[1..]);
    let remaining_length = reader.varint("length").unwrap();
    Beginning { first_byte: bytes[0], remaining_length, head: reader.rest().to_vec() }
}

fn decoded(start: &Beginning, version: Version) -> Packet {
    let told = read(&start.bytes());
    assert_eq!(told.head.len(), usize::try_from(told.remaining_length).unwrap(), "the length is right");
    decode(version, told.first_byte, &told.head).unwrap()
}

/// Edits, and gives what the strict codec reads then, with what was said to be done.
fn edited(packet: &Packet, version: Version, edit: Edit) -> Option<(Packet, Edit)> {
    let mut start = beginning(packet, version);
    let before = start.clone();
    match start.edit(version, &edit) {
        Some(done) => Some((decoded(&start, version), done)),
        None => {
            assert_eq!(start, before, "what is not edited stays");
            None
        }
    }
}

fn connect(version: Version) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        properties: Properties::NONE,
        client_id: "d1".into(),
        will: None,
        username: Some("u".into()),
        password: None,
    }
}

#[test]
fn a_connect_s_keep_alive_and_clean_flag() {
    for version in Version::ALL {
        let edit = Edit { keep_alive: Some(4), clean: Some(false), ..Edit::default() };
        let wanted = Connect { keep_alive: 4, clean_start: false, ..connect(version) };
        let (packet, done) = edited(&Packet::Connect(connect(version)), version, edit).unwrap();
        assert_eq!((packet, done), (Packet::Connect(wanted), edit));
    }
}

/// mosquitto's bridges set the upper bit of the protocol level.
#[test]
fn the_bit_of_a_bridge_stays() {
    let mut start = beginning(&Packet::Connect(connect(Version::V311)), Version::V311);
    start.head[6] |= 0x80;
    let before = start.head.clone();
    start.edit(Version::V311, &Edit { keep_alive: Some(4), ..Edit::default() }).unwrap();
    assert_eq!(start.head[6], 0x84);
    assert_eq!(start.head[8..10], [0, 4]);
    assert_eq!((&start.head[..8], &start.head[10..]), (&before[..8], &before[10..]));
}

#[test]
fn what_is_the_same_already_is_no_edit() {
    let edit = Edit { keep_alive: Some(60), clean: Some(true), ..Edit::default() };
    assert_eq!(edited(&Packet::Connect(connect(Version::V311)), Version::V311, edit), None);
}

#[test]
fn the_server_keep_alive_is_replaced_or_added() {
    let edit = Edit { server_keep_alive: Some(30), ..Edit::default() };
    let others = [Property::ReceiveMaximum(5), Property::ReasonString("x".into())];
    let [first, second] = &others;
    let with = |properties: Vec<Property>| {
        Packet::Connack(Connack { session_present: true, code: 0, properties: Properties(properties) })
    };
    let told = Property::ServerKeepAlive(30);
    for (had, wanted) in [
        (vec![], vec![told.clone()]),
        (vec![first.clone()], vec![first.clone(), told.clone()]),
        (
            vec![first.clone(), Property::ServerKeepAlive(900), second.clone()],
            vec![first.clone(), told.clone(), second.clone()],
        ),
    ] {
        assert_eq!(edited(&with(had), Version::V5, edit), Some((with(wanted), edit)));
    }
    assert_eq!(edited(&with(vec![told]), Version::V5, edit), None);
    assert_eq!(edited(&with(vec![]), Version::V311, edit), None);
    // A CONNACK of two bytes, as hubs send it that leave the properties away.
    let mut short = Beginning { first_byte: 0x20, remaining_length: 2, head: vec![0, 0] };
    assert_eq!(short.edit(Version::V5, &edit), Some(edit));
    assert_eq!(short.bytes(), [0x20, 6, 0, 0, 3, 0x13, 0, 30]);
}

#[test]
fn codes_are_replaced_or_added() {
    let edit = Edit { code: Some(0x97), ..Edit::default() };
    let acks: [fn(Ack) -> Packet; 4] = [Packet::Puback, Packet::Pubrec, Packet::Pubrel, Packet::Pubcomp];
    for ack in acks {
        let had = Ack::success(7);
        let wanted = Ack { reason: 0x97, ..had.clone() };
        assert_eq!(edited(&ack(had.clone()), Version::V5, edit).unwrap().0, ack(wanted.clone()));
        let changed = Ack { reason: 0x10, ..had.clone() };
        assert_eq!(edited(&ack(changed), Version::V5, edit).unwrap().0, ack(wanted));
        assert_eq!(edited(&ack(had), Version::V311, edit), None);
    }
    let had = Packet::Disconnect(Disconnect::default());
    let wanted = Packet::Disconnect(Disconnect::because(0x97));
    assert_eq!(edited(&had, Version::V5, edit), Some((wanted, edit)));
    assert_eq!(edited(&had, Version::V31, edit), None);
    let wanted = Packet::Auth(Auth { reason: 0x97, properties: Properties::NONE });
    assert_eq!(edited(&Packet::Auth(Auth::default()), Version::V5, edit), Some((wanted, edit)));
}

#[test]
fn every_code_of_a_suback() {
    let edit = Edit { code: Some(0x80), packet_id: Some(9), ..Edit::default() };
    for version in [Version::V311, Version::V5] {
        let had = Suback { packet_id: 3, properties: Properties::NONE, codes: vec![0, 1, 2] };
        let wanted = Suback { packet_id: 9, codes: vec![0x80; 3], ..had.clone() };
        assert_eq!(
            edited(&Packet::Suback(had.clone()), version, edit),
            Some((Packet::Suback(wanted.clone()), edit))
        );
        let unsuback = edited(&Packet::Unsuback(had), Version::V5, edit).unwrap().0;
        assert_eq!(unsuback, Packet::Unsuback(wanted));
    }
    // Before MQTT 5, an UNSUBACK has no codes.
    let mut start = Beginning { first_byte: 0xb0, remaining_length: 2, head: vec![0, 3] };
    assert_eq!(start.edit(Version::V311, &Edit { packet_id: None, ..edit }), None);
}

#[test]
fn a_connack_s_flag_and_code() {
    let edit = Edit { session_present: Some(true), ..Edit::default() };
    let had = Packet::Connack(Connack::default());
    let wanted = Packet::Connack(Connack { session_present: true, ..Connack::default() });
    assert_eq!(edited(&had, Version::V311, edit), Some((wanted, edit)));
    // In MQTT 3.1 there is no such flag.
    assert_eq!(edited(&had, Version::V31, edit), None);
    let edit = Edit { code: Some(packet::reason::v3::NOT_AUTHORIZED), ..Edit::default() };
    let wanted = Packet::Connack(Connack { code: 5, ..Connack::default() });
    assert_eq!(edited(&had, Version::V31, edit), Some((wanted, edit)));
}

#[test]
fn a_publish_gets_an_identifier_and_loses_it() {
    let had = Publish { topic: "t".into(), payload: b"p".to_vec(), ..Publish::default() };
    let up = Edit { qos: Some(QoS::AtLeastOnce), ..Edit::default() };
    let (packet, done) = edited(&Packet::Publish(had.clone()), Version::V311, up).unwrap();
    let raised = Publish { qos: QoS::AtLeastOnce, packet_id: Some(ADDED_PACKET_ID), ..had.clone() };
    assert_eq!(packet, Packet::Publish(raised.clone()));
    assert_eq!(done, Edit { packet_id: Some(ADDED_PACKET_ID), ..up });
    let down = Edit { qos: Some(QoS::AtMostOnce), ..Edit::default() };
    let again = Publish { dup: true, ..raised };
    let (packet, done) = edited(&Packet::Publish(again), Version::V311, down).unwrap();
    assert_eq!(packet, Packet::Publish(had));
    assert_eq!(done, Edit { dup: Some(false), ..down });
}

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(Version::ALL.to_vec())
}

fn edits() -> impl Strategy<Value = Edit> {
    let qos = prop::option::of(prop::sample::select(QoS::ALL.to_vec()));
    let numbers = (any::<Option<u16>>(), any::<Option<u16>>(), prop::option::of(1u16..), any::<Option<u8>>());
    let flags = any::<[Option<bool>; 4]>();
    (numbers, flags, qos).prop_map(|((keep_alive, server_keep_alive, packet_id, code), flags, qos)| Edit {
        keep_alive,
        server_keep_alive,
        clean: flags[0],
        session_present: flags[1],
        code,
        packet_id,
        dup: flags[2],
        qos,
        retain: flags[3],
    })
}

proptest! {
    /// A PUBLISH, edited, is the same but for the fields that were said to be changed.
    #[test]
    fn an_edited_publish_reads_as_the_original_with_these_fields(
        version in versions(),
        topic in "[a-z/]{1,200}",
        payload in prop::collection::vec(any::<u8>(), 0..300),
        qos in prop::sample::select(QoS::ALL.to_vec()),
        id in 1u16..,
        flags in any::<[bool; 2]>(),
        edit in edits(),
    ) {
        let packet_id = (qos != QoS::AtMostOnce).then_some(id);
        let dup = flags[0] && packet_id.is_some();
        let had =
            Publish { dup, qos, retain: flags[1], topic, packet_id, properties: Properties::NONE, payload };
        // DUP with QoS 0 is what the strict codec refuses.
        let edit = Edit { dup: edit.dup.filter(|_| edit.qos.unwrap_or(qos) != QoS::AtMostOnce), ..edit };
        if let Some((packet, done)) = edited(&Packet::Publish(had.clone()), version, edit) {
            let qos = done.qos.unwrap_or(had.qos);
            let wanted = Publish {
                qos,
                dup: done.dup.unwrap_or(had.dup),
                retain: done.retain.unwrap_or(had.retain),
                packet_id: done.packet_id.or(had.packet_id).filter(|_| qos != QoS::AtMostOnce),
                ..had
            };
            prop_assert_eq!(packet, Packet::Publish(wanted));
            prop_assert_eq!(qos, edit.qos.unwrap_or(qos));
        }
    }

    /// Whatever the bytes, nothing panics; what the framer took for a packet has the right length after the edit, and
    /// what is not edited is as it was.
    #[test]
    fn no_bytes_panic(
        version in versions(),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        edit in edits(),
    ) {
        let mut stream = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01d".to_vec();
        stream.extend(bytes);
        let mut framer = Framer::new(Direction::Up);
        let mut scan = framer.scan(&stream);
        while let Some(piece) = scan.next_piece() {
            let Piece::Frame(frame) = piece else { continue };
            let mut start = Beginning {
                first_byte: frame.first_byte,
                remaining_length: frame.remaining_length,
                head: frame.head.to_vec(),
            };
            let before = start.clone();
            let done = start.edit(version, &edit);
            prop_assert_eq!(done.is_some(), start != before);
            let grown = i64::try_from(start.head.len()).unwrap() - i64::try_from(before.head.len()).unwrap();
            let told = i64::from(start.remaining_length) - i64::from(before.remaining_length);
            prop_assert_eq!(grown, told);
        }
    }
}
