use super::*;
use crate::base::Direction;
use crate::mqtt::framer::{Framer, Piece};

/// A framer that is past the CONNECT of this version.
fn framer(version: Version) -> Framer {
    let mut framer = Framer::new(Direction::Up);
    let connect = if version == Version::V5 {
        &b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c"[..]
    } else {
        b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c"
    };
    let mut scan = framer.scan(connect);
    while scan.next_piece().is_some() {}
    framer
}

/// Where the plain packets at the beginning of an input end.
fn plain(version: Version, input: &[u8]) -> Vec<u32> {
    let mut ends = Vec::new();
    let count = framer(version).scan(input).take_plain(|topic| topic == b"own", 100, &mut ends);
    assert_eq!(ends.len(), usize::try_from(count).unwrap());
    ends
}

#[test]
fn what_is_plain_and_what_is_not() {
    for (packet, is_plain) in [
        (&b"\x30\x03\0\x01t"[..], true),
        (b"\x31\x04\0\x01t!", true),
        (b"\x30\x02\0\0", true),
        (b"\x30\x83\0\0\x01t", true),
        (b"\x38\x03\0\x01t", false),
        (b"\x32\x05\0\x01t\0\x01", false),
        (b"\x36\x05\0\x01t\0\x01", false),
        (b"\x30\x02\0\x01t", false),
        (b"\x30\x01\0", false),
        (b"\x30\0", false),
        (b"\x30\x05\0\x03own", false),
        (b"\x30\x05\0\x03owl", true),
        (b"\x30\x80\x80\x80\x80", false),
        (b"\xc0\0", false),
        (b"", false),
    ] {
        let expected = if is_plain { vec![100 + u32::try_from(packet.len()).unwrap()] } else { vec![] };
        assert_eq!(plain(Version::V311, packet), expected, "{packet:x?}");
        if is_plain {
            let cut = &packet[..packet.len() - 1];
            assert!(plain(Version::V311, cut).is_empty(), "{cut:x?}");
        }
    }
}

#[test]
fn in_mqtt_5_no_topic_alias_is_plain_nor_what_may_be_one() {
    for (packet, is_plain) in [
        (&b"\x30\x04\0\x01t\0"[..], true),
        (b"\x30\x05\0\x01t\0\x23", true),
        (b"\x30\x09\0\x01t\x05\x02\0\0\0\x09", true),
        (b"\x30\x07\0\x01t\x03\x23\0\x07", false),
        // 0x23 seconds look like one.
        (b"\x30\x09\0\x01t\x05\x02\0\0\0\x23", false),
        // No properties, some that do not end, and a length of two bytes.
        (b"\x30\x03\0\x01t", false),
        (b"\x30\x05\0\x01t\x02\x01", false),
        (b"\x30\x06\0\x01t\x80\0\0", false),
    ] {
        assert_eq!(plain(Version::V5, packet).len(), usize::from(is_plain), "{packet:x?}");
    }
}

#[test]
fn they_are_taken_between_packets_only_and_the_rest_as_ever() {
    let stream = b"\xc0\0\x30\x03\0\x01t\x30\x04\0\x01t!\x32\x05\0\x01t\0\x01\x30\x03\0\x01t\x30\x03\0";
    for cut in 0..=stream.len() {
        let mut framer = framer(Version::V311);
        let mut ended = Vec::new();
        for (base, input) in [(0, &stream[..cut]), (cut, &stream[cut..])] {
            let mut scan = framer.scan(input);
            loop {
                let mut ends = Vec::new();
                scan.take_plain(|_| false, base, &mut ends);
                ended.extend(ends.into_iter().map(|end| usize::try_from(end).unwrap()));
                match scan.next_piece() {
                    Some(Piece::Frame(frame)) if !frame.ended => {}
                    Some(Piece::Frame(frame)) => ended.push(base + frame.end_in_input),
                    Some(Piece::FrameEnd { end_in_input, .. }) => ended.push(base + end_in_input),
                    Some(Piece::NotMqtt { reason, .. }) => panic!("{reason}"),
                    None => break,
                }
            }
        }
        assert_eq!(ended, [2, 7, 13, 20, 25], "cut at {cut}");
        assert_eq!((framer.offset(), framer.unannounced()), (13 + 2 + 28, 3), "cut at {cut}");
    }
}

#[test]
fn before_the_first_packet_nothing_is_plain() {
    let mut ends = Vec::new();
    assert_eq!(Framer::new(Direction::Down).scan(b"\x30\x03\0\x01t").take_plain(|_| false, 0, &mut ends), 0);
}
