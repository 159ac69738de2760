//! The lane: bytes that wait for their release.

use crate::Part;
use brownout::base::Time;
use brownout::fault::Lane;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

/// Messages that wait at a time.
const WAITING: u32 = 25;

const DELAY: Duration = Duration::from_millis(50);

pub const PARTS: &[Part] = &[Part {
    name: "lane-64",
    unit: "64 B in, and out when due, 25 waiting",
    work: through_lane,
    floor: ("a queue of the bytes", through_queue),
    round: 1_000_000,
}];

fn through_lane(count: u32) {
    let mut lane: Lane<u32> = Lane::new();
    let message = [7; 64];
    let every = DELAY / WAITING;
    for n in 0..count {
        let now = Time::ZERO + every * n;
        assert!(lane.push(now + DELAY, black_box(&message), Some(n)));
        let due = lane.ready(now).len();
        if due > 0 {
            lane.wrote(now, due, |left| {
                black_box(left);
            });
        }
    }
    assert!(lane.len() <= 64 * usize::try_from(WAITING + 1).unwrap());
}

fn through_queue(count: u32) {
    let mut queue = VecDeque::new();
    let message = [7; 64];
    for n in 0..count {
        queue.extend(black_box(&message));
        if n >= WAITING {
            queue.drain(..message.len()).for_each(|byte: u8| {
                black_box(byte);
            });
        }
    }
}
