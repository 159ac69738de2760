use super::*;
use crate::base::Direction;
use crate::mqtt::framer::HEAD_LIMIT;
use proptest::prelude::*;
use std::num::NonZeroU8;

const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01d";

/// A packet and what is to be done with it.
#[derive(Clone, Debug)]
struct Case {
    packet: Vec<u8>,
    /// Bytes of fixed header and head.
    head: usize,
    operation: Option<Operation>,
}

fn case(packet: Vec<u8>, head: usize) -> Case {
    Case { packet, head, operation: None }
}

/// A PUBLISH of QoS 1, whose head ends before its payload.
fn publish(topic: usize, payload: usize) -> Case {
    let body = 2 + topic + 2 + payload;
    let mut packet = vec![0x32];
    crate::mqtt::wire::put_varint(&mut packet, body).unwrap();
    packet.extend(u16::try_from(topic).unwrap().to_be_bytes());
    packet.extend(vec![b't'; topic]);
    packet.extend([0, 7]);
    let head = packet.len();
    packet.extend((0..payload).map(|at| u8::try_from(at % 251).unwrap()));
    case(packet, head)
}

impl Case {
    /// What comes out of it, whole.
    fn expected(&self) -> Vec<u8> {
        let Some(Operation { start, corrupt, copies, way, .. }) = &self.operation else {
            return self.packet.clone();
        };
        let mut bytes = match start {
            None => self.packet.clone(),
            Some(start) => [start.as_slice(), &self.packet[self.head..]].concat(),
        };
        for (offset, change) in corrupt {
            if let Some(byte) = bytes.get_mut(usize::try_from(*offset).unwrap()) {
                *byte ^= change.get();
            }
        }
        match way {
            Way::Pass => bytes.repeat(1 + usize::try_from(*copies).unwrap()),
            Way::Swallow => Vec::new(),
            Way::CutAfter(after) => {
                bytes.truncate(usize::try_from(*after).unwrap());
                bytes
            }
        }
    }

    fn cuts(&self) -> bool {
        matches!(&self.operation, Some(Operation { way: Way::CutAfter(_), .. }))
    }
}

/// What came of a stream, in these pieces.
#[derive(Debug, Default, PartialEq)]
struct Came {
    bytes: Vec<u8>,
    /// Where packets end in what was passed on.
    ends: Vec<usize>,
    frames: usize,
    swallowed: usize,
    cut: Option<u64>,
    lost: usize,
}

fn run(cases: &[Case], pieces: impl Iterator<Item = usize>) -> Came {
    let stream: Vec<u8> = cases.iter().flat_map(|case| case.packet.clone()).collect();
    let (mut framer, mut surgeon) = (Framer::new(Direction::Up), Surgeon::default());
    let (mut came, mut out, mut rest) = (Came::default(), Output::NONE, stream.as_slice());
    let mut pieces = pieces.chain(std::iter::repeat(1024));
    while !rest.is_empty() {
        let piece = pieces.next().unwrap().clamp(1, rest.len());
        let now;
        (now, rest) = rest.split_at(piece);
        surgeon.take(&mut framer, now, &mut out, &mut |seen, out| {
            match seen {
                Seen::Frame(_) => {
                    came.frames += 1;
                    return cases[came.frames - 1].operation.clone();
                }
                Seen::End { passed: true, late, again } => {
                    out.put_copies(again);
                    out.mark(0, Note::default(), late);
                }
                Seen::End { passed: false, .. } => came.swallowed += 1,
                Seen::Cut { after } => came.cut = Some(after),
                Seen::NotMqtt { offset, reason } => panic!("not MQTT at {offset}: {reason}"),
            }
            None
        });
        assert!(surgeon.held.len() <= HEAD_LIMIT + 5);
        came.ends.extend(out.marks.iter().map(|mark| came.bytes.len() + mark.end));
        came.bytes.extend_from_slice(&out.bytes);
        out.clear();
        came.lost += surgeon.take_lost();
    }
    came
}

fn expected(cases: &[Case]) -> Came {
    let mut came = Came::default();
    for case in cases {
        if came.cut.is_some() {
            came.lost += case.packet.len();
            continue;
        }
        let bytes = case.expected();
        came.frames += 1;
        let swallowed = matches!(&case.operation, Some(Operation { way: Way::Swallow, .. }));
        let grown = match &case.operation {
            Some(Operation { start: Some(start), .. }) => case.packet.len() - case.head + start.len(),
            Some(Operation { start: None, .. }) | None => case.packet.len(),
        };
        came.bytes.extend_from_slice(&bytes);
        if case.cuts() {
            came.cut = Some(u64::try_from(bytes.len()).unwrap());
            came.lost += grown - bytes.len();
        } else if swallowed {
            came.swallowed += 1;
            came.lost += grown;
        } else {
            came.ends.push(came.bytes.len());
        }
    }
    came
}

fn operations() -> impl Strategy<Value = Option<Operation>> {
    let way = prop_oneof![
        6 => Just(Way::Pass),
        3 => Just(Way::Swallow),
        1 => (0u64..40).prop_map(Way::CutAfter),
    ];
    let start = prop::option::of(prop::collection::vec(any::<u8>(), 2..12));
    let corrupt = prop::collection::vec((0u64..40, any::<NonZeroU8>()), 0..3);
    let operation = (start, corrupt, 0u32..3, way).prop_map(|(start, corrupt, copies, way)| Operation {
        start,
        corrupt,
        late: Duration::ZERO,
        copies,
        way,
    });
    prop::option::of(operation)
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let packet = prop_oneof![
        (1usize..20, 0usize..300).prop_map(|(topic, payload)| publish(topic, payload)),
        Just(case(vec![0xc0, 0], 2)),
        Just(case(vec![0x40, 2, 0, 9], 4)),
    ];
    prop::collection::vec((packet, operations()), 0..8).prop_map(|packets| {
        let first = case(CONNECT.to_vec(), CONNECT.len());
        let others = packets.into_iter().map(|(case, operation)| Case { operation, ..case });
        std::iter::once(first).chain(others).collect()
    })
}

proptest! {
    /// Whatever the split, the output is what the operations make of whole packets; and so it is the input where there
    /// are none.
    #[test]
    fn every_split_gives_what_whole_packets_give(
        cases in cases(),
        pieces in prop::collection::vec(1usize..30, 0..60),
    ) {
        prop_assert_eq!(run(&cases, pieces.into_iter()), expected(&cases));
    }
}

#[test]
fn a_large_payload_is_never_kept() {
    let cases = [case(CONNECT.to_vec(), CONNECT.len()), publish(3, 300_000)];
    let stream: Vec<u8> = cases.iter().flat_map(|case| case.packet.clone()).collect();
    let (mut framer, mut surgeon) = (Framer::new(Direction::Up), Surgeon::default());
    let mut out = Output::NONE;
    for piece in stream.chunks(1000) {
        surgeon.take(&mut framer, piece, &mut out, &mut |_, _| Some(Operation::default()));
        assert!(surgeon.held.is_empty() && surgeon.under.as_ref().is_none_or(|under| under.kept.is_empty()));
    }
    assert_eq!(out.bytes, stream);
}

#[test]
fn the_part_of_a_late_packet_is_late_too() {
    let late = Duration::from_secs(1);
    let (mut framer, mut surgeon) = (Framer::new(Direction::Up), Surgeon::default());
    let mut see = |seen: Seen<'_>, out: &mut Output| match seen {
        Seen::Frame(frame) if frame.first_byte == 0x32 => Some(Operation { late, ..Operation::default() }),
        Seen::End { late, .. } => {
            out.mark(0, Note::default(), late);
            None
        }
        _ => None,
    };
    let mut out = Output::NONE;
    let first = [CONNECT, b"\x32\x08\x00\x01t\x00\x07pay"].concat();
    let (now, then) = first.split_at(first.len() - 1);
    surgeon.take(&mut framer, now, &mut out, &mut see);
    assert_eq!((out.prompt(), out.tail_late), (CONNECT.len(), late));
    out.clear();
    surgeon.take(&mut framer, &[then, &[0xc0, 0]].concat(), &mut out, &mut see);
    assert_eq!((out.prompt(), out.tail_late), (0, Duration::ZERO));
    let lates: Vec<_> = out.marks.iter().map(|mark| (mark.end, mark.late)).collect();
    assert_eq!(lates, [(1, late), (3, Duration::ZERO)]);
}

/// What is not MQTT passes, and what was held back for it.
#[test]
fn what_is_not_mqtt_passes() {
    let (mut framer, mut surgeon) = (Framer::new(Direction::Up), Surgeon::default());
    let mut out = Output::NONE;
    let mut told = 0;
    for piece in [CONNECT, b"\xc0", b"\xff\xff", b"\xff\xff\xff", b"more"] {
        surgeon.take(&mut framer, piece, &mut out, &mut |seen, _| {
            told += usize::from(matches!(seen, Seen::NotMqtt { .. }));
            Some(Operation::swallow()).filter(|_| !matches!(seen, Seen::Frame(_)))
        });
    }
    assert_eq!(told, 1);
    assert_eq!(out.bytes, [CONNECT, b"\xc0\xff\xff\xff\xff\xffmore"].concat());
}
