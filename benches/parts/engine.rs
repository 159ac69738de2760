//! The engine: a packet that it is told of, with few links and many, without rules and with a hundred that do not match.

use crate::Part;
use crate::common::{at, plan, wire};
use brownout::base::{Direction, LinkId, ListenerId, Span, Time};
use brownout::engine::{Beside, Engine, Input};
use brownout::event::{Packet, TlsTerms};
use brownout::fault::{Close, Fault, LegFate, Toward};
use brownout::mqtt::PacketKind;
use brownout::mqtt::framer::{Framer, Piece};
use brownout::profile::{Rule, When, Who};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const UNIT: &str = "PINGREQ told and passed on";

const LOOKED_UP: &str = "the link looked up among as many";

pub const PARTS: &[Part] = &[
    Part {
        name: "engine-10",
        unit: UNIT,
        work: |count| pings(10, 0, count),
        floor: (LOOKED_UP, |count| look_ups(10, count)),
        round: 100_000,
    },
    Part {
        name: "engine-10k",
        unit: "the same, 10,000 links",
        work: |count| pings(10_000, 0, count),
        floor: (LOOKED_UP, |count| look_ups(10_000, count)),
        round: 100_000,
    },
    Part {
        name: "engine-rules",
        unit: "the same, 10 links, 100 rules that do not match",
        work: |count| pings(10, 100, count),
        floor: (LOOKED_UP, |count| look_ups(10, count)),
        round: 100_000,
    },
];

/// A rule that waits for other packets of devices that never come.
fn elsewhere(n: usize) -> Rule {
    let when = When::After {
        packet: PacketKind::Subscribe,
        nth: 1,
        delay: Span::fixed(Duration::from_secs(1)),
        times: 1,
    };
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false };
    let who = Who { client: Some(format!("elsewhere-{n}")), ..Who::EVERYONE };
    Rule { who, when, ..at(&format!("rule-{n}"), Duration::ZERO, Fault::Rst(close)) }
}

fn engine_of(links: u64, rules: usize) -> Engine {
    let plan = plan((0..rules).map(elsewhere).collect());
    let mut engine = Engine::new(Arc::new(plan), 1, false);
    let (listener, address, upstream) = (ListenerId(0), "127.0.0.1:1884".into(), "hub:1883".into());
    engine
        .handle(Time::ZERO, Input::ListenerOpened { listener, address, upstream, tls: TlsTerms::default() });
    for n in 0..links {
        let peer = format!("127.0.0.1:{}", 10_000 + n).parse().unwrap();
        engine.handle(Time::ZERO, Input::LinkOpened { link: LinkId(n), listener, peer, to: None });
        tell(
            &mut engine,
            Time::ZERO,
            LinkId(n),
            Direction::Up,
            &read(Direction::Up, &wire::connect(&format!("d{n}"), 60)),
        );
        tell(&mut engine, Time::ZERO, LinkId(n), Direction::Down, &read(Direction::Down, &wire::CONNACK));
    }
    engine
}

/// What a packet at the beginning of a stream says.
pub fn read(direction: Direction, bytes: &[u8]) -> Packet {
    let mut framer = Framer::new(direction);
    let mut scan = framer.scan(bytes);
    let Some(Piece::Frame(frame)) = scan.next_piece() else { panic!("no packet") };
    Packet::read(None, &frame)
}

fn tell(engine: &mut Engine, now: Time, link: LinkId, direction: Direction, packet: &Packet) {
    pass(engine, now, link, direction, packet);
    while let Some(output) = engine.poll() {
        black_box(output);
    }
}

/// A packet told and passed on, with what comes of that left to be polled.
pub fn pass(engine: &mut Engine, now: Time, link: LinkId, direction: Direction, packet: &Packet) {
    let (ticket, _) = engine.packet(now, link, direction, packet.clone(), Beside::default(), false);
    if ticket.wanted {
        engine.handle(now, Input::Passed { link, ticket });
    }
}

fn pings(links: u64, rules: usize, count: u32) {
    let mut engine = engine_of(links, rules);
    for n in 0..count {
        let now = Time::ZERO + Duration::from_micros(10) * n;
        tell(&mut engine, now, LinkId(u64::from(n) % links), Direction::Up, black_box(&Packet::Pingreq));
    }
}

fn look_ups(links: u64, count: u32) {
    let known: BTreeMap<u64, u64> = (0..links).map(|n| (n, n)).collect();
    for n in 0..count {
        black_box(known.get(&(u64::from(n) % links)));
    }
}
