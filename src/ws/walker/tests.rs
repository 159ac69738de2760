use super::super::frame::{BINARY, CLOSE};
use super::*;
use Direction::{Down, Up};
use proptest::prelude::*;

const REQUEST: &[u8] = b"GET /mqtt?sig=s3cret HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Protocol: mqtt, mqttv3.1\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";
const DEFLATED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// The pieces as the stream has them, however it was cut: payload is unmasked, and what comes together is one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Bytes(Vec<u8>),
    Other(Piece),
}

fn walk<'a>(walker: &mut Walker, inputs: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for input in inputs {
        let before = walker.offset();
        let (mut scan, mut last_end) = (walker.scan(input), 0);
        while let Some(piece) = scan.next_piece() {
            let Piece::Payload { range, mask } = piece else {
                seen.push(Seen::Other(piece));
                continue;
            };
            assert!(last_end <= range.start && range.start < range.end && range.end <= input.len());
            last_end = range.end;
            if !matches!(seen.last(), Some(Seen::Bytes(_))) {
                seen.push(Seen::Bytes(Vec::new()));
            }
            let Some(Seen::Bytes(bytes)) = seen.last_mut() else { unreachable!() };
            match mask {
                Some(mask) => mask.unmask(&input[range], bytes),
                None => bytes.extend(&input[range]),
            }
        }
        assert_eq!(
            walker.offset(),
            before + u64::try_from(input.len()).unwrap(),
            "all of the input is taken"
        );
    }
    seen
}

fn parts<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut parts, mut rest, mut cuts) = (Vec::new(), stream, cuts.iter().cycle());
    while !rest.is_empty() {
        let (part, left) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
        parts.push(part);
        rest = left;
    }
    parts
}

/// What a walker sees after the heads.
fn frames(direction: Direction, bytes: &[u8]) -> Vec<Seen> {
    let head = if direction == Up { REQUEST } else { RESPONSE };
    let mut walker = Walker::new(direction);
    assert_eq!(walk(&mut walker, [head]).len(), 1);
    assert!(walker.at_boundary());
    walk(&mut walker, [bytes])
}

fn payload(bytes: &[u8]) -> Seen {
    Seen::Bytes(bytes.to_vec())
}

fn reason(seen: &[Seen]) -> (u64, &str) {
    match seen.last() {
        Some(Seen::Other(Piece::NotWebSocket { offset, reason })) => (*offset, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_small() {
    assert!(size_of::<Walker>() <= 64, "{}", size_of::<Walker>());
}

#[test]
fn the_examples_of_the_rfc_are_walked() {
    // RFC 6455 section 5.7, in its order.
    assert_eq!(frames(Down, b"\x81\x05Hello"), [payload(b"Hello")]);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(frames(Up, masked), [payload(b"Hello")]);
    assert_eq!(frames(Down, b"\x01\x03Hel\x80\x02lo"), [payload(b"Hello")]);
    assert_eq!(frames(Down, b"\x89\x05Hello"), [Seen::Other(Piece::Ping)]);
    let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(frames(Up, pong), [Seen::Other(Piece::Pong)]);
    let short = [&b"\x82\x7e\x01\0"[..], &[7; 256]].concat();
    assert_eq!(frames(Down, &short), [payload(&[7; 256])]);
    let long = [&b"\x82\x7f\0\0\0\0\0\x01\0\0"[..], &[7; 65536]].concat();
    assert_eq!(frames(Down, &long), [payload(&[7; 65536])]);
}

#[test]
fn payload_is_told_where_it_lies() {
    let mut walker = Walker::new(Up);
    let _ = walk(&mut walker, [REQUEST]);
    let mut scan = walker.scan(b"\x82\x85\x01\x02\x03\x04ab");
    let mask = Mask::new([1, 2, 3, 4]);
    assert_eq!(scan.next_piece(), Some(Piece::Payload { range: 6..8, mask: Some(mask) }));
    assert_eq!(scan.next_piece(), None);
    assert!(!walker.at_boundary());
    let mut scan = walker.scan(b"cde");
    let mask = Mask::new([3, 4, 1, 2]);
    assert_eq!(scan.next_piece(), Some(Piece::Payload { range: 0..3, mask: Some(mask) }));
    assert_eq!(scan.next_piece(), None);
    assert!(walker.at_boundary());
}

#[test]
fn heads_are_told_before_the_frames() {
    let up = walk(&mut Walker::new(Up), [&[REQUEST, b"\x82\x01x"].concat()[..]]);
    let protocols = vec!["mqtt".to_owned(), "mqttv3.1".to_owned()];
    let request = Piece::Request { path: "/mqtt?sig=***".to_owned(), upgrade: true, protocols };
    assert_eq!(up, [Seen::Other(request), payload(b"x")]);
    // What the hub says before its answer is not the answer.
    let early = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
    let down = walk(&mut Walker::new(Down), [&[early, RESPONSE, b"\x82\x01x"].concat()[..]]);
    let response = Piece::Response { status: 101, protocol: Some("mqtt".to_owned()), extensions: None };
    assert_eq!(down, [Seen::Other(response), payload(b"x")]);
}

#[test]
fn a_close_tells_its_code() {
    let close = |code| [Seen::Other(Piece::Close { code })];
    assert_eq!(frames(Down, b"\x88\x00"), close(None));
    assert_eq!(frames(Down, b"\x88\x01\x03"), close(None));
    assert_eq!(frames(Down, b"\x88\x02\x03\xe8"), close(Some(1000)));
    assert_eq!(frames(Up, b"\x88\x85\x01\x02\x03\x04\x02\xebbye"), close(Some(1001)));
    assert_eq!(frames(Down, b"\x88\x05\x03\xe8by"), []);
}

#[test]
fn control_frames_come_between_fragments() {
    let mut longest = b"\x01\x03Hel\x89\x7d".to_vec();
    longest.extend([0x88; 125]);
    longest.extend(b"\x80\x02lo");
    assert_eq!(frames(Down, &longest), [payload(b"Hel"), Seen::Other(Piece::Ping), payload(b"lo")]);
}

#[test]
fn a_frame_may_be_as_long_as_lengths_go() {
    let mut walker = Walker::new(Down);
    let _ = walk(&mut walker, [RESPONSE]);
    let huge = b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff\x88\x00";
    assert_eq!(walk(&mut walker, [&huge[..]]), [payload(b"\x88\x00")]);
    assert!(!walker.is_opaque());
}

#[test]
fn what_is_not_websocket_is_told_once_with_its_offset() {
    let begin = u64::try_from(RESPONSE.len()).unwrap() + 3;
    for (bytes, words) in [
        (&b"\x83\x00"[..], "opcode 3 is reserved"),
        (b"\x8b\x00", "opcode 11 is reserved"),
        (b"\xc2\x00", "reserved bits are set, and no extension"),
        (b"\x92\x00", "reserved bits"),
        (b"\x09\x00", "fragmented"),
        (b"\x89\x7e\0\x7e", "longer than 125"),
        (b"\x82\x7f\x80\0\0\0\0\0\0\0", "2^63"),
    ] {
        let seen = frames(Down, &[b"\x82\x01x", bytes, b"\x82\x01x"].concat());
        assert_eq!(seen.len(), 2, "{seen:?}");
        let (offset, reason) = reason(&seen);
        assert!(reason.contains(words), "{reason}");
        assert_eq!(offset, begin, "{reason}");
    }
}

#[test]
fn plain_http_is_told_after_its_head() {
    let get = b"GET / HTTP/1.1\r\n\r\n";
    let seen = walk(&mut Walker::new(Up), [&get[..], get]);
    assert!(matches!(&seen[0], Seen::Other(Piece::Request { upgrade: false, .. })));
    assert_eq!((seen.len(), reason(&seen).0), (2, 18));
    for (head, words) in [
        (&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..], "status 403"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "other than WebSocket"),
    ] {
        let seen = walk(&mut Walker::new(Down), [head, b"\x82\x01x"]);
        assert!(matches!(&seen[0], Seen::Other(Piece::Response { .. })));
        let (offset, reason) = reason(&seen);
        assert_eq!((seen.len(), offset), (2, u64::try_from(head.len()).unwrap()));
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn what_is_not_http_is_told_at_once() {
    for (direction, bytes, words) in [
        (Up, &b"\x10"[..], "0x10"),
        (Up, b"GET /\0", "0x00"),
        (Up, b"HELO\r\n\r\n", "request line"),
        (Down, b"\x20", "HTTP/"),
        (Down, b"HTTP/1.1 x\r\n\r\n", "status"),
    ] {
        let mut walker = Walker::new(direction);
        let seen = walk(&mut walker, [bytes]);
        let (offset, reason) = reason(&seen);
        assert_eq!((seen.len(), offset), (1, 0));
        assert!(reason.contains(words), "{reason}");
        assert!(walker.is_opaque());
    }
}

#[test]
fn a_head_that_does_not_end_is_let_go() {
    let mut walker = Walker::new(Up);
    let mut told = Vec::new();
    for _ in 0..super::super::HEAD_LIMIT {
        told.extend(walk(&mut walker, [&b"A"[..]]));
        let State::Head { kept, .. } = &walker.state else { break };
        assert!(kept.capacity() <= 2 * super::super::HEAD_LIMIT);
    }
    assert_eq!(reason(&told), (0, "the HTTP head is longer than 16384 bytes"));
    assert!(walker.is_opaque());
}

#[test]
fn compression_is_named_both_ways() {
    let words = "WebSocket compression (permessage-deflate) was agreed, and what is inside is not seen until one end is told not to compress";
    let mut down = Walker::new(Down);
    let seen = walk(&mut down, [DEFLATED, b"\x82\x01x\xc2\x01y"]);
    assert_eq!(seen[1], payload(b"x"));
    assert_eq!(reason(&seen).1, words);
    let mut up = Walker::new(Up);
    let _ = walk(&mut up, [REQUEST]);
    up.agree(Some("Permessage-Deflate; client_max_window_bits=10"));
    assert_eq!(reason(&walk(&mut up, [&b"\xc2\x81"[..]])).1, words);
    let mut other = Walker::new(Up);
    let _ = walk(&mut other, [REQUEST]);
    other.agree(Some("x"));
    assert!(reason(&walk(&mut other, [&b"\xc2\x81"[..]])).1.contains("extension that was agreed"));
}

#[test]
fn the_other_direction_may_refuse() {
    let mut walker = Walker::new(Up);
    let _ = walk(&mut walker, [REQUEST]);
    walker.refuse();
    assert!(walker.is_opaque());
    assert_eq!(walk(&mut walker, [&b"\x82\x01x"[..]]), []);
}

/// Its header may have been taken off: what is left of it is not to be taken for a frame.
#[test]
fn a_frame_that_has_begun_is_walked_to_its_end_by_one_that_is_refused() {
    let mut walker = Walker::new(Up);
    let _ = walk(&mut walker, [REQUEST, b"\x82\x04ab"]);
    walker.refuse();
    assert!(!walker.is_opaque());
    assert_eq!(walk(&mut walker, [&b"c"[..], b"d\x82\x01x"]), [payload(b"cd")]);
    assert!(walker.is_opaque());
}

/// A frame to be sent.
#[derive(Clone, Debug)]
struct Sent {
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
    /// The bytes of the length field, at least: lengths may be written longer than they need be.
    width: usize,
}

fn encode(opcode: u8, fin: bool, sent: &Sent) -> Vec<u8> {
    let length = sent.payload.len();
    let needed = if length > 65_535 {
        8
    } else if length > 125 {
        2
    } else {
        0
    };
    let width = if opcode >= 8 { 0 } else { sent.width.max(needed) };
    let short = match width {
        0 => u8::try_from(length).unwrap(),
        2 => 126,
        _ => 127,
    };
    let mut bytes =
        vec![opcode | if fin { 0x80 } else { 0 }, short | if sent.mask.is_some() { 0x80 } else { 0 }];
    bytes.extend(&length.to_be_bytes()[8 - width..]);
    bytes.extend(sent.mask.iter().flatten());
    let key = sent.mask.unwrap_or_default();
    bytes.extend(sent.payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]));
    bytes
}

fn sent(longest: usize) -> impl Strategy<Value = Sent> {
    let payload = prop::collection::vec(any::<u8>(), 0..=longest);
    (any::<Option<[u8; 4]>>(), payload, prop::sample::select(vec![0, 2, 8]))
        .prop_map(|(mask, payload, width)| Sent { mask, payload, width })
}

proptest! {
    #[test]
    fn a_conversation_gives_exactly_its_payload(
        fragments in prop::collection::vec((sent(300), any::<bool>(), prop::option::of((0u8..3, sent(125)))), 0..12),
        is_up in any::<bool>(),
        tail in prop::collection::vec(any::<u8>(), 0..4),
        cuts in prop::collection::vec(1usize..200, 1..40),
    ) {
        let direction = if is_up { Up } else { Down };
        let (mut stream, mut expected) = ((if is_up { REQUEST } else { RESPONSE }).to_vec(), Vec::new());
        let mut continues = false;
        for (data, fin, control) in fragments {
            stream.extend(encode(if continues { 0 } else { BINARY }, fin, &data));
            continues = !fin;
            if !data.payload.is_empty() {
                if !matches!(expected.last(), Some(Seen::Bytes(_))) {
                    expected.push(Seen::Bytes(Vec::new()));
                }
                let Some(Seen::Bytes(bytes)) = expected.last_mut() else { unreachable!() };
                bytes.extend(&data.payload);
            }
            if let Some((kind, control)) = control {
                stream.extend(encode(CLOSE + kind, true, &control));
                let code = control.payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                expected.push(Seen::Other([Piece::Close { code }, Piece::Ping, Piece::Pong][usize::from(kind)].clone()));
            }
        }
        let mut walker = Walker::new(direction);
        let seen = walk(&mut walker, parts(&stream, &cuts));
        let head = matches!(seen[0], Seen::Other(Piece::Request { .. } | Piece::Response { .. }));
        prop_assert!(head);
        prop_assert_eq!(&seen[1..], &expected[..]);
        prop_assert!(walker.at_boundary());
        // With whatever comes after: as in one input.
        stream.extend(tail);
        let whole = walk(&mut Walker::new(direction), [stream.as_slice()]);
        prop_assert_eq!(walk(&mut Walker::new(direction), parts(&stream, &cuts)), whole);
    }

    #[test]
    fn any_split_of_anything_gives_the_same(
        head in 0usize..5,
        change in prop::option::of((0usize..150, any::<u8>())),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80u8..0x8c, 0u8..10], 0..80),
        is_up in any::<bool>(),
        cuts in prop::collection::vec(1usize..40, 1..40),
    ) {
        let mut stream = [REQUEST, RESPONSE, DEFLATED, b"HTTP/1.1 100 Continue\r\n\r\n", b""][head].to_vec();
        stream.extend(bytes);
        if let Some((at, value)) = change && let Some(byte) = stream.get_mut(at) {
            *byte = value;
        }
        let direction = if is_up { Up } else { Down };
        let (mut one, mut many) = (Walker::new(direction), Walker::new(direction));
        let whole = walk(&mut one, [stream.as_slice()]);
        prop_assert_eq!(&whole, &walk(&mut many, parts(&stream, &cuts)));
        prop_assert_eq!(one.at_boundary(), many.at_boundary());
        let told = whole.iter().filter(|seen| matches!(seen, Seen::Other(Piece::NotWebSocket { .. }))).count();
        prop_assert_eq!(told, usize::from(one.is_opaque()));
    }
}
