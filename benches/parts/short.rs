//! A short link in the pure floors: what the engine is told of CONNECT, CONNACK, DISCONNECT and both ends, and what the
//! recorder makes of its events: a line each, folded.

use crate::Part;
use crate::common::{plan, wire};
use crate::engine::{pass, read};
use brownout::base::{Direction, Ends, LinkId, ListenerId, Side, Time, Ways};
use brownout::engine::{Engine, Input, Output};
use brownout::event::{Count, Event, LastPackets, Line, Packet, Samples, Traffic};
use brownout::fault::Ending;
use brownout::measure::Measures;
use brownout::report::Timeline;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

pub const PARTS: &[Part] = &[
    Part {
        name: "engine-link",
        unit: "short link told to the engine",
        work: |count| links(count, |event| drop(black_box(event))),
        floor: ("its peer's address as text", addresses),
        round: 10_000,
    },
    Part {
        name: "folds-link",
        unit: "the same, its events written and folded",
        work: folded,
        floor: ("written, not folded", written),
        round: 10_000,
    },
];

fn addresses(count: u32) {
    (0..count).for_each(|_| drop(black_box("127.0.0.1:50000".to_owned())));
}

fn folded(count: u32) {
    let mut measures = Measures::new(&plan(vec![]));
    let mut timeline = Timeline::default();
    let mut line = Line::default();
    links(count, |event| {
        write(&mut line, &event);
        measures.push(&event);
        timeline.push(&event);
    });
    black_box((measures, timeline));
}

fn written(count: u32) {
    let mut line = Line::default();
    links(count, |event| write(&mut line, &event));
}

fn write(line: &mut Line, event: &Event) {
    black_box(line.of(event).unwrap());
}

/// So many links of one device, each after the last.
fn links(count: u32, mut take: impl FnMut(Event)) {
    let mut engine = Engine::new(Arc::new(plan(vec![])), 1, false);
    for n in 0..count {
        link(&mut engine, Time::ZERO + Duration::from_millis(1) * n, LinkId(u64::from(n)));
        while let Some(output) = engine.poll() {
            if let Output::Event(event) = output {
                take(*event);
            }
        }
    }
}

fn link(engine: &mut Engine, began: Time, link: LinkId) {
    let at = |micros| began + Duration::from_micros(micros);
    let peer = "127.0.0.1:50000".parse().unwrap();
    engine.handle(at(0), Input::LinkOpened { link, listener: ListenerId(0), peer, to: None });
    pass(engine, at(10), link, Direction::Up, &read(Direction::Up, &wire::connect("device", 60)));
    engine.handle(at(100), Input::HubConnected { link, took: Duration::from_micros(90), from: None });
    pass(engine, at(200), link, Direction::Down, &read(Direction::Down, &wire::CONNACK));
    pass(engine, at(300), link, Direction::Up, &Packet::Disconnect { reason: 0 });
    for (side, to) in [(Side::Device, Side::Hub), (Side::Hub, Side::Device)] {
        let last = LastPackets { from: Some(at(300)), to: Some(at(200)) };
        engine.handle(at(310), Input::LegEnded { link, side, how: Ending::Fin, error: None, last });
        engine.handle(at(320), Input::EndCarried { link, to, how: Ending::Fin });
    }
    engine.handle(at(330), Input::Traffic(Box::new(traffic(link, at(300)))));
    engine.handle(at(330), Input::LinkClosed { link, undelivered: Ways::default() });
}

fn traffic(link: LinkId, at: Time) -> Traffic {
    let count = |packets| Count { bytes: 22, packets, publishes: 0 };
    let last = LastPackets { from: Some(at), to: Some(at) };
    Traffic {
        link,
        up: count(2),
        down: count(1),
        last: Ends { device: last, hub: last },
        under_way: None,
        unread: None,
        read_again: None,
        publish_rtt: Samples::default(),
        control_gap: Samples::from(vec![(845_824, 1)]),
    }
}
