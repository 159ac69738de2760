use super::*;
use crate::mqtt::packet::{self, Connect, Packet, Publish, Subscribe, Subscription};
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::wire::put_varint;
use crate::mqtt::{QoS, encode};
use proptest::prelude::*;

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c";
const CONNECT5: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c";

/// A frame as the stream has it, however it was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame { first_byte: u8, header_len: u8, length: u32, start: u64, head: Vec<u8> },
    End { kind: PacketKind, start: u64, end: u64 },
    NotMqtt { offset: u64, reason: NotMqtt },
}

/// Everything that the framer finds in the inputs, one after another.
fn seen<'a>(framer: &mut Framer, inputs: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for input in inputs {
        let before = framer.offset();
        let stream = |at: usize| before + u64::try_from(at).unwrap();
        let mut scan = framer.scan(input);
        let mut last_end = 0;
        while let Some(piece) = scan.next_piece() {
            match piece {
                Piece::Frame(frame) => {
                    assert!(last_end <= frame.begin_in_input && frame.begin_in_input < frame.end_in_input);
                    last_end = frame.end_in_input;
                    // Where a frame begins is exact if it begins here.
                    assert!(stream(frame.begin_in_input) == frame.start || frame.begin_in_input == 0);
                    assert!(frame.ended || frame.end_in_input == input.len());
                    assert_eq!(frame.ended, stream(frame.end_in_input) == frame.end());
                    seen.push(Seen::Frame {
                        first_byte: frame.first_byte,
                        header_len: frame.header_len,
                        length: frame.remaining_length,
                        start: frame.start,
                        head: frame.head.to_vec(),
                    });
                    if frame.ended {
                        seen.push(Seen::End { kind: frame.kind, start: frame.start, end: frame.end() });
                    }
                }
                Piece::FrameEnd { kind, start, end_in_input } => {
                    last_end = end_in_input;
                    seen.push(Seen::End { kind, start, end: stream(end_in_input) });
                }
                Piece::NotMqtt { offset, reason } => seen.push(Seen::NotMqtt { offset, reason }),
            }
        }
        assert_eq!(framer.offset(), stream(input.len()), "all of the input is taken");
    }
    seen
}

fn heap(framer: &Framer) -> usize {
    match &framer.state {
        State::Head { kept, .. } => kept.capacity(),
        State::Header { .. } | State::Body { .. } | State::Opaque => 0,
    }
}

fn stream(version: Version) -> Vec<u8> {
    let publish = |qos, id, topic: &str, len| {
        Packet::Publish(Publish {
            qos,
            packet_id: id,
            topic: topic.into(),
            properties: Properties::NONE.with(Property::TopicAlias(3)),
            payload: vec![0x10; len],
            ..Publish::default()
        })
    };
    let packets = [
        Packet::Connect(Connect {
            version,
            clean_start: true,
            keep_alive: 60,
            properties: Properties::NONE,
            client_id: "sensor-1".into(),
            will: None,
            username: None,
            password: None,
        }),
        Packet::Subscribe(Subscribe {
            packet_id: 1,
            properties: Properties::NONE,
            filters: vec![Subscription::new("a/#", QoS::AtLeastOnce)],
        }),
        publish(QoS::AtMostOnce, None, "t", 0),
        Packet::Pingreq,
        publish(QoS::AtLeastOnce, Some(7), "a/long/topic", 300),
        Packet::Puback(packet::Ack::success(9)),
        publish(QoS::ExactlyOnce, Some(8), "b", 3),
        Packet::Disconnect(packet::Disconnect::default()),
    ];
    let mut bytes = Vec::new();
    packets.iter().for_each(|packet| encode(packet, version, &mut bytes).unwrap());
    bytes
}

#[test]
fn the_first_two_frames_of_a_link_literally() {
    let mut input = CONNECT.to_vec();
    input.extend_from_slice(b"\x32\x09\0\x03a/b\x12\x34hi\xc0");
    let mut framer = Framer::new(Direction::Up);
    let mut scan = framer.scan(&input);
    let Some(Piece::Frame(connect)) = scan.next_piece() else { panic!("no CONNECT") };
    assert_eq!((connect.kind, connect.start, connect.header_len), (PacketKind::Connect, 0, 2));
    assert_eq!((connect.head, connect.is_whole()), (&CONNECT[2..], true));
    assert_eq!((connect.begin_in_input, connect.end_in_input, connect.ended), (0, 15, true));
    let Some(Piece::Frame(publish)) = scan.next_piece() else { panic!("no PUBLISH") };
    assert_eq!((publish.kind, publish.first_byte, publish.start), (PacketKind::Publish, 0x32, 15));
    assert_eq!((publish.head, publish.is_whole()), (&b"\0\x03a/b\x12\x34"[..], false));
    assert_eq!((publish.begin_in_input, publish.end_in_input, publish.ended), (15, 26, true));
    assert_eq!(scan.next_piece(), None);
    assert_eq!((framer.offset(), framer.unannounced(), framer.version()), (27, 1, Some(Version::V311)));
}

#[test]
fn a_frame_over_three_inputs_is_announced_with_its_head_and_ends_once() {
    let mut framer = Framer::new(Direction::Up);
    seen(&mut framer, [CONNECT]);
    assert!(framer.is_between_frames());
    assert_eq!(seen(&mut framer, [&b"\x30\x08\0\x03a"[..]]), []);
    assert_eq!((framer.unannounced(), framer.is_between_frames()), (5, false));
    let announced = seen(&mut framer, [&b"/bx"[..]]);
    assert!(matches!(&announced[..], [Seen::Frame { start: 15, head, .. }] if head == b"\0\x03a/b"));
    assert_eq!((framer.unannounced(), heap(&framer)), (0, 0));
    let ended = seen(&mut framer, [&b"yz\xc0\0"[..]]);
    assert_eq!(ended[0], Seen::End { kind: PacketKind::Publish, start: 15, end: 25 });
    assert_eq!(ended.len(), 3);
}

#[test]
fn the_properties_of_an_mqtt_5_publish_are_part_of_its_head() {
    let mut framer = Framer::new(Direction::Up);
    let input = [CONNECT5, b"\x30\x09\0\x01t\x03\x23\0\x01hi"].concat();
    let frames = seen(&mut framer, [&input[..]]);
    assert!(matches!(&frames[2], Seen::Frame { head, .. } if head == b"\0\x01t\x03\x23\0\x01"));
}

#[test]
fn a_payload_of_256_megabytes_takes_no_memory() {
    let mut framer = Framer::new(Direction::Up);
    seen(&mut framer, [CONNECT, b"\x30\xff\xff\xff\x7f\0\x01t"]);
    let chunk = vec![0x10; 1 << 20];
    let mut left = 268_435_455 - 3;
    while left > chunk.len() {
        assert_eq!(seen(&mut framer, [&chunk[..]]), []);
        assert_eq!(heap(&framer), 0);
        left -= chunk.len();
    }
    let end = 15 + 5 + 268_435_455;
    let ended = seen(&mut framer, [&chunk[..left]]);
    assert_eq!(ended, [Seen::End { kind: PacketKind::Publish, start: 15, end }]);
}

#[test]
fn a_head_is_kept_up_to_its_limit() {
    let mut framer = Framer::new(Direction::Up);
    seen(&mut framer, [CONNECT]);
    let mut bytes = vec![0x82];
    put_varint(&mut bytes, 100_000).unwrap();
    bytes.resize(bytes.len() + 100_000, 0);
    let frames = seen(&mut framer, bytes.chunks(1000));
    assert!(matches!(&frames[0], Seen::Frame { length: 100_000, head, .. } if head.len() == HEAD_LIMIT));
    assert_eq!((frames.len(), heap(&framer)), (2, 0));
}

#[test]
fn what_is_not_mqtt_is_told_once_and_then_passes() {
    let (up, down) = (Direction::Up, Direction::Down);
    for (direction, bytes, offset, says) in [
        (
            up,
            &b"GET / HTTP/1.1\r\n"[..],
            0,
            "0x47 (an HTTP request begins so, as for MQTT over WebSocket); a CONNECT begins with 0x10 [MQTT-3.1.0-1]",
        ),
        // A TLS ClientHello: its first byte looks like a CONNECT with flags that are reserved.
        (up, b"\x16\x03\x01\x02\0\x01\0\x01\xfc", 0, "0x16 (a TLS handshake begins so)"),
        (up, b"\x10\x05\0\x04MQTX", 0, "neither MQTT nor MQIsdp"),
        (up, b"\x10\0", 0, "neither MQTT nor MQIsdp"),
        (up, b"\x10\xff\xff\xff\xff\x7f", 0, "longer than four bytes"),
        (down, b"\x15\x03\x01\0\x02", 0, "0x15; a CONNACK begins with 0x20"),
        (down, b"\x30\x03\0\x01t", 0, "MQTT-3.2.0-1"),
        (down, b"\x20\x02\0\0\0\0", 4, "0x00 is reserved"),
        (down, b"\x20\x02\0\0\x30\x80\x80\x80\x80", 4, "longer than four bytes"),
    ] {
        let mut framer = Framer::new(direction);
        let found = seen(&mut framer, [bytes, b"\x30\x03\0\x01t"]);
        let Some(Seen::NotMqtt { offset: at, reason }) = found.last() else {
            panic!("{bytes:x?}: {found:?}")
        };
        assert_eq!(*at, offset, "{bytes:x?}");
        assert!(reason.to_string().contains(says), "{reason}");
        assert!(framer.is_opaque());
        assert_eq!(framer.unannounced(), 0);
    }
}

#[test]
fn odd_but_framed_packets_are_frames() {
    let mut framer = Framer::new(Direction::Up);
    // Odd flags, QoS 3, a padded length, a second CONNECT, packets only a hub sends.
    let input = [CONNECT, b"\xcf\0\x36\x05\0\x01t\0\x01\xc0\x80\0\x10\0\x90\x01\0\x3f\0"].concat();
    let frames = seen(&mut framer, [&input[..]]);
    assert_eq!(frames.len(), 14);
    assert!(!framer.is_opaque());
}

#[test]
fn auth_exists_from_mqtt_5_on() {
    for (version, opaque) in [(None, false), (Some(Version::V5), false), (Some(Version::V311), true)] {
        let mut framer = Framer::new(Direction::Down);
        version.into_iter().for_each(|version| framer.set_version(version));
        seen(&mut framer, [&b"\x20\x02\0\0\xf0\0"[..]]);
        assert_eq!(framer.is_opaque(), opaque, "{version:?}");
    }
    let mut framer = Framer::new(Direction::Down);
    seen(&mut framer, [&b"\xf0\0\x20\x03\0\0\0"[..]]);
    assert!(!framer.is_opaque());
}

#[test]
fn a_bridge_of_mosquitto_is_mqtt() {
    let mut framer = Framer::new(Direction::Up);
    seen(&mut framer, [&b"\x10\x0d\0\x04MQTT\x84\x02\0\x3c\0\x01c"[..]]);
    assert_eq!((framer.is_opaque(), framer.version()), (false, Some(Version::V311)));
}

#[test]
fn thousands_of_idle_framers_are_small() {
    assert!(size_of::<Framer>() <= 64, "{}", size_of::<Framer>());
}

/// Cuts `bytes` before each of the places.
fn cut<'a>(bytes: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut from = 0;
    places.iter().map(|to| &bytes[std::mem::replace(&mut from, *to)..*to]).collect()
}

#[test]
fn byte_by_byte_gives_the_same_frames() {
    for version in Version::ALL {
        let bytes = stream(version);
        let whole = seen(&mut Framer::new(Direction::Up), [&bytes[..]]);
        assert_eq!(whole.len(), 16);
        assert_eq!(seen(&mut Framer::new(Direction::Up), bytes.chunks(1)), whole);
    }
}

proptest! {
    #[test]
    fn every_split_gives_the_same_frames_and_leaves_no_memory(
        version in prop::sample::select(Version::ALL.to_vec()),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = stream(version);
        let whole = seen(&mut Framer::new(Direction::Up), [&bytes[..]]);
        let mut framer = Framer::new(Direction::Up);
        prop_assert_eq!(seen(&mut framer, cut(&bytes, &places)), whole);
        prop_assert!(framer.is_between_frames());
        prop_assert_eq!(heap(&framer), 0);
    }

    #[test]
    fn the_rest_of_a_frame_ends_where_the_frame_does(
        version in prop::sample::select(Version::ALL.to_vec()), at in any::<prop::sample::Index>(),
    ) {
        let bytes = stream(version);
        let (before, next) = bytes.split_at(at.index(bytes.len()));
        let mut framer = Framer::new(Direction::Up);
        seen(&mut framer, [before]);
        let rest = framer.still_under_way(next);
        prop_assert_eq!(rest == 0, framer.is_between_frames());
        seen(&mut framer, [&next[..rest]]);
        prop_assert!(framer.is_between_frames());
    }

    #[test]
    fn arbitrary_bytes_are_taken_whole_the_same_in_every_split(
        tail in prop::collection::vec(any::<u8>(), 0..200),
        greeting in prop::sample::select(vec![&b""[..], CONNECT, CONNECT5, b"\x20\x02\0\0"]),
        direction in prop::sample::select(Direction::BOTH.to_vec()),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = [greeting, &tail].concat();
        let whole = seen(&mut Framer::new(direction), [&bytes[..]]);
        prop_assert_eq!(seen(&mut Framer::new(direction), cut(&bytes, &places)), whole.clone());
        prop_assert_eq!(seen(&mut Framer::new(direction), bytes.chunks(1)), whole);
    }

    #[test]
    fn a_changed_byte_is_found_the_same_in_every_split(
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut bytes = stream(Version::V5);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = seen(&mut Framer::new(Direction::Up), [&bytes[..]]);
        prop_assert_eq!(seen(&mut Framer::new(Direction::Up), cut(&bytes, &places)), whole);
    }
}

/// A scan that stops before a frame leaves the framer as if it had been given the bytes before alone.
#[test]
fn a_frame_that_is_put_back_is_found_again() {
    let publish = b"\x30\x05\0\x01t--";
    let stream = [CONNECT, publish, b"\xc0\0", publish].concat();
    let whole = seen(&mut Framer::new(Direction::Up), [stream.as_slice()]);
    for (stop, split) in
        PacketKind::ALL.into_iter().flat_map(|kind| (0..=stream.len()).map(move |at| (kind, at)))
    {
        let mut framer = Framer::new(Direction::Up);
        let mut scan = framer.scan(&stream[..split]);
        let mut stopped = false;
        while let Some(piece) = scan.next_piece() {
            stopped = matches!(piece, Piece::Frame(frame) if frame.kind == stop);
            if stopped {
                break;
            }
        }
        if stopped || framer.unannounced() > 0 {
            framer.put_back();
            assert!(framer.is_between_frames() && framer.unannounced() == 0);
        }
        let from = usize::try_from(framer.offset()).unwrap();
        let again = seen(&mut framer, [&stream[from..]]);
        assert!(whole.ends_with(&again), "{stop} {split}");
        let first = again.first().map(|seen| matches!(seen, Seen::Frame { first_byte, .. } if PacketKind::from_first_byte(*first_byte) == Some(stop)));
        assert!(!stopped || first == Some(true), "{stop} {split}");
    }
}
