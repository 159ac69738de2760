//! The ledger: what became of a device's messages.

use crate::Part;
use brownout::base::{Direction, LinkId, Time};
use brownout::mqtt::{QoS, Version};
use brownout::session::Ledger;
use brownout::session::ledger::{Ack, AckKind, Entry, Line, Message};
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

/// Messages of QoS 1 that wait for their PUBACK at a time.
const IN_FLIGHT: u16 = 10;

pub const PARTS: &[Part] = &[Part {
    name: "ledger-qos1",
    unit: "message of QoS 1: sent, passed on, acknowledged",
    work: messages,
    floor: ("in and out of a hash map", in_and_out),
    round: 300_000,
}];

fn messages(count: u32) {
    let mut ledger = Ledger::new(None);
    let mut line = Line::new(LinkId(1));
    let greeting = [
        Entry::Connect { clean: true, version: Version::V311, receive_maximum: None },
        Entry::Accepted { session_present: false, receive_maximum: None },
    ];
    assert!(ledger.take(Time::ZERO, &mut line, &greeting).is_empty());
    let (direction, qos) = (Direction::Up, QoS::AtLeastOnce);
    for n in 0..count {
        let now = Time::ZERO + Duration::from_micros(50) * n;
        let (id, hash) = (identifier(n), u64::from(n) + 1);
        let message = Message {
            qos,
            id,
            dup: false,
            retain: false,
            expiry: None,
            hash,
            topic: 1,
            number: None,
            dropped: false,
        };
        let mut entries = vec![Entry::Arrived(direction, message), Entry::Passed { direction, qos, id }];
        if n >= u32::from(IN_FLIGHT) {
            let id = identifier(n - u32::from(IN_FLIGHT));
            let ack = Ack { direction, kind: AckKind::Puback, id, refuses: false };
            entries.extend([Entry::AckArrived(ack), Entry::AckPassed(ack)]);
        }
        assert!(ledger.take(now, &mut line, &entries).is_empty());
    }
    let counts = ledger.flush().unwrap();
    assert_eq!(counts.up.sent[1], u64::from(count));
}

/// As clients number: from 1 to 65,535 and again.
fn identifier(n: u32) -> u16 {
    u16::try_from(n % 65_535).unwrap() + 1
}

fn in_and_out(count: u32) {
    let mut map = HashMap::new();
    for n in 0..count {
        map.insert(identifier(n), n);
        if n >= u32::from(IN_FLIGHT) {
            black_box(map.remove(&identifier(n - u32::from(IN_FLIGHT))));
        }
    }
}
