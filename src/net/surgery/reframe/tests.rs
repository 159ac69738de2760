use super::*;
use crate::base::Direction;
use proptest::prelude::*;

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const PING: &[u8] = b"\x89\x83abcdxyz";
/// Data frames without payload: as short as can be, as none should be written, and amid a message.
const EMPTY: [&[u8]; 4] =
    [b"\x82\x80abcd", b"\x82\xfe\0\0abcd", b"\x82\xff\0\0\0\0\0\0\0\0abcd", b"\x00\x80\0\0\0\0"];

/// What a stream carries: control frames as their number, and all MQTT.
fn carried(stream: &[u8]) -> (usize, Vec<u8>) {
    let mut walker = Walker::new(Direction::Up);
    let (mut pings, mut mqtt) = (0, Vec::new());
    let mut scan = walker.scan(stream);
    while let Some(piece) = scan.next_piece() {
        match piece {
            Piece::Payload { range, mask } => mask.unwrap().unmask(&stream[range], &mut mqtt),
            Piece::Ping => {
                pings += 1;
                mqtt.push(b'!');
            }
            Piece::NotWebSocket { reason, .. } => panic!("{reason}"),
            _ => {}
        }
    }
    (pings, mqtt)
}

proptest! {
    /// Whatever the split, the same MQTT and the same control frames come in the same order, the head as it was.
    #[test]
    fn every_split_carries_the_same(
        frames in prop::collection::vec((0usize..400, 0u8..4), 0..40),
        pieces in prop::collection::vec(1usize..50, 0..60),
    ) {
        let mut stream = REQUEST.to_vec();
        for (length, kind) in &frames {
            match kind {
                0 => stream.extend_from_slice(PING),
                1 => stream.extend_from_slice(EMPTY[length % EMPTY.len()]),
                _ => put_frame(&vec![b'm'; *length], true, &mut stream),
            }
        }
        let (mut walker, mut reframer) = (Walker::new(Direction::Up), Reframer::default());
        let (mut came, mut rest) = (Vec::new(), stream.as_slice());
        let mut pieces = pieces.into_iter().chain(std::iter::repeat(97));
        while !rest.is_empty() {
            let now;
            (now, rest) = rest.split_at(pieces.next().unwrap().min(rest.len()));
            let mut out = Output::NONE;
            reframer.take(&mut walker, now, true, &mut out, &mut |carried, out| {
                if let Carried::Mqtt(bytes) = carried {
                    out.bytes.extend_from_slice(bytes);
                }
                true
            });
            prop_assert!(reframer.kept.len() <= KEPT_MOST);
            came.extend(out.bytes);
        }
        prop_assert!(came.starts_with(REQUEST));
        prop_assert_eq!(carried(&came), carried(&stream));
        let pings = came.windows(PING.len()).filter(|window| *window == PING).count();
        prop_assert!(pings >= frames.iter().filter(|(_, kind)| *kind == 0).count());
    }
}

/// What was held back goes before what passes as it is, in a frame of its own; and no frame is passed on without its header.
#[test]
fn what_was_held_back_goes_before_what_cannot_be_read() {
    const WHOLE: &[u8] = b"\x82\x85\0\0\0\0hello";
    const DEFLATED: &[u8] = b"\xc2\x81abcdx";
    // What the surgeon would: the first frame's payload is held back.
    let take = |reframer: &mut Reframer, walker: &mut Walker, held: &mut Vec<u8>, input: &[u8]| {
        let mut out = Output::NONE;
        reframer.take(walker, input, true, &mut out, &mut |carried, out| {
            match carried {
                Carried::Mqtt(bytes) => held.extend_from_slice(bytes),
                Carried::NoMore => out.bytes.append(held),
                Carried::Other(_) => {}
            }
            true
        });
        out.bytes
    };
    let fresh = || (Reframer::default(), Walker::new(Direction::Up), Vec::new());
    for split in 0..DEFLATED.len() {
        let (mut reframer, mut walker, mut held) = fresh();
        let stream = [REQUEST, WHOLE, DEFLATED, WHOLE].concat();
        let (first, then) = stream.split_at(REQUEST.len() + WHOLE.len() + split);
        let mut came = take(&mut reframer, &mut walker, &mut held, first);
        came.extend(take(&mut reframer, &mut walker, &mut held, then));
        let (passed, rest) = came.split_at(came.len() - DEFLATED.len() - WHOLE.len());
        assert_eq!(carried(passed), (0, b"hello".to_vec()), "{split}");
        assert_eq!(rest, [DEFLATED, WHOLE].concat());
    }
    for split in 0..=WHOLE.len() {
        let (mut reframer, mut walker, mut held) = fresh();
        let (first, then) = WHOLE.split_at(split);
        let mut came = take(&mut reframer, &mut walker, &mut held, &[REQUEST, first].concat());
        // The other direction shows that it cannot be read.
        walker.refuse();
        came.extend(take(&mut reframer, &mut walker, &mut held, &[then, DEFLATED].concat()));
        let passed = came.strip_suffix(DEFLATED).unwrap();
        assert_eq!(carried(passed), (0, b"hello".to_vec()), "{split}");
    }
}

/// Nothing is kept of them but what there is of the next.
#[test]
fn frames_without_payload_and_without_end_take_no_memory() {
    let (mut walker, mut reframer) = (Walker::new(Direction::Up), Reframer::default());
    let mut take = |input: &[u8]| {
        let mut out = Output::NONE;
        reframer.take(&mut walker, input, true, &mut out, &mut |_, _| true);
        assert!(reframer.kept.capacity() <= 2 * KEPT_MOST);
        (reframer.kept.len(), out.bytes.len())
    };
    assert_eq!(take(REQUEST), (0, REQUEST.len()));
    for empty in EMPTY {
        let input = empty.repeat((256 * 1024) / empty.len());
        for _ in 0..2 {
            assert_eq!(take(&input), (0, 0));
        }
        // Amid the next: only what there is of that is kept.
        for there in 1..empty.len() {
            assert_eq!(take(&[empty, &empty[..there]].concat()), (there, 0));
            assert_eq!(take(&empty[there..]), (0, 0));
        }
    }
    assert_eq!(take(PING), (0, PING.len()));
}

#[test]
fn lengths_on_both_sides_of_each_form() {
    for (length, header) in [(1, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let mut out = Vec::new();
        put_frame(&vec![7; length], false, &mut out);
        assert_eq!(out.len(), header + length, "{length}");
        let mut masked = REQUEST.to_vec();
        put_frame(&vec![7; length], true, &mut masked);
        assert_eq!(carried(&masked), (0, vec![7; length]));
    }
}

#[test]
fn keys_differ() {
    let keys: std::collections::BTreeSet<_> = (0..32).map(|_| masking_key()).collect();
    assert!(keys.len() > 16, "{keys:?}");
}
