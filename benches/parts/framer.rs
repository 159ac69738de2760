//! The framer: MQTT packets found in reads of 64 KiB.

use crate::Part;
use crate::common::{publish, wire};
use brownout::base::Direction;
use brownout::mqtt::framer::{Framer, Piece};
use std::hint::black_box;

const READ: usize = 64 * 1024;

pub const PARTS: &[Part] = &[
    Part {
        name: "framer-64",
        unit: "PUBLISH of 64 B, QoS 0, as a piece",
        work: |count| frames(64, count),
        floor: ("its length read", |count| lengths(64, count)),
        round: 1_000_000,
    },
    Part {
        name: "framer-16k",
        unit: "PUBLISH of 16 KiB, QoS 0, as a piece",
        work: |count| frames(16 * 1024, count),
        floor: ("its length read", |count| lengths(16 * 1024, count)),
        round: 400_000,
    },
];

/// A read full of messages of about this size, cut where the last whole one ends; and how many they are.
fn read_of(size: usize) -> (Vec<u8>, u32) {
    let message = publish(&vec![7; size - 5]);
    let whole = READ / message.len();
    (message.repeat(whole), u32::try_from(whole).unwrap())
}

fn frames(size: usize, count: u32) {
    let (read, each) = read_of(size);
    let mut framer = Framer::new(Direction::Up);
    let connect = wire::connect("device", 60);
    let mut seen = count_of(&mut framer, &connect) - 1;
    while seen < count {
        seen += count_of(&mut framer, black_box(&read));
    }
    assert_eq!(seen % each, 0);
}

fn count_of(framer: &mut Framer, input: &[u8]) -> u32 {
    let (mut scan, mut frames) = (framer.scan(input), 0);
    while let Some(piece) = scan.next_piece() {
        frames += u32::from(matches!(black_box(piece), Piece::Frame(_)));
    }
    frames
}

/// Nothing but the way from one header to the next.
fn lengths(size: usize, count: u32) {
    let (read, _) = read_of(size);
    let mut seen = 0;
    while seen < count {
        let mut at = 0;
        let read = black_box(&read);
        while at < read.len() {
            let (mut length, mut shift) = (0, 0);
            loop {
                at += 1;
                length |= usize::from(read[at] & 0x7f) << shift;
                shift += 7;
                if read[at] & 0x80 == 0 {
                    break;
                }
            }
            at += 1 + length;
            seen += 1;
        }
        black_box(at);
    }
}
