//! Which packets the surgeon has, and that all others pass as they came.

use super::orders::{Ring, expect};
use super::*;
use crate::base::{Chance, RuleId, RuleSet, WindowId};
use crate::event::Packet;
use crate::fault::{Fault, Inject, Injection, PacketAction, PacketFault, PacketMatch};
use crate::mqtt::PacketKind;
use crate::profile::{Rule, When, Who};

const PUBLISH: &[u8] = b"\x30\x06\x00\x01tpay";
const PUBLISH_1: &[u8] = b"\x32\x09\x00\x01t\x00\x07load";

/// From now on, PUBLISH from the device is asked about.
fn ask(ring: &Ring, generation: u64) {
    let up = Asks { kinds: PacketKind::Publish.into(), ..Asks::default() };
    ask_for(ring, generation, up);
}

fn ask_for(ring: &Ring, generation: u64, up: Asks) {
    let asks = Ways { up, down: Asks::default() };
    ring.order(Order::Apply { generation, effects: Box::new(Effects { asks, ..Effects::default() }) });
}

/// The PUBLISH that were told of, by their quality of service.
async fn told(ring: Ring) -> Vec<u8> {
    let events = ring.told().await;
    let publish = |event: &Event| match &event.what {
        What::Packet { packet: Packet::Publish { qos, .. }, .. } => Some(*qos),
        _ => None,
    };
    events.iter().filter_map(publish).collect()
}

#[tokio::test]
async fn what_nobody_asks_about_passes_in_whatever_pieces_and_what_is_asked_about_too() {
    let mut ring = Ring::connected(0).await;
    let stream = [PUBLISH, PUBLISH_1, b"\xc0\x00", PUBLISH].concat();
    for asked in [false, true] {
        if asked {
            ask(&ring, 1);
        }
        for size in [1, 2, 3, 5, 9, stream.len()] {
            for piece in stream.chunks(size) {
                ring.device.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            expect(&mut ring.served, &stream).await;
        }
    }
    assert_eq!(told(ring).await, [0, 1, 0].repeat(6), "of those that were asked about");
}

/// Its first byte has gone: whatever falls on it now comes too late.
#[tokio::test]
async fn a_packet_whose_beginning_has_gone_goes_on_and_the_next_is_asked_about() {
    let mut ring = Ring::connected(0).await;
    ring.device.write_all(&PUBLISH[..1]).await.unwrap();
    expect(&mut ring.served, &PUBLISH[..1]).await;
    ask(&ring, 1);
    ring.device.write_all(&PUBLISH[1..3]).await.unwrap();
    ring.device.write_all(&[&PUBLISH[3..], PUBLISH_1].concat()).await.unwrap();
    expect(&mut ring.served, &[&PUBLISH[1..], PUBLISH_1].concat()).await;
    assert_eq!(told(ring).await, [1]);
}

#[tokio::test]
async fn a_packet_put_in_waits_for_the_end_of_one_whose_head_nobody_had_asked_about() {
    for begun in [1, 3, 6] {
        let mut ring = Ring::connected(0).await;
        ring.device.write_all(&PUBLISH_1[..begun]).await.unwrap();
        expect(&mut ring.served, &PUBLISH_1[..begun]).await;
        let inject = Arc::new(Inject { toward: Side::Hub, what: Injection::Pingreq });
        ring.order(Order::Inject { window: WindowId(0), inject });
        ring.device.write_all(&[&PUBLISH_1[begun..], PUBLISH].concat()).await.unwrap();
        expect(&mut ring.served, &[&PUBLISH_1[begun..], b"\xc0\x00", PUBLISH].concat()).await;
        assert_eq!(told(ring).await, [0; 0]);
    }
}

/// A plan with two rules, by these topic filters.
fn plan_by_topics(filters: [&str; 2]) -> Arc<Plan> {
    let rule = |filter: &str| {
        let what = PacketMatch { topic: Some(filter.into()), ..PacketMatch::EVERY };
        Rule {
            id: filter.into(),
            who: Who::EVERYONE,
            when: When::At { first: Duration::from_secs(3600), repeat: None },
            chance: Chance::ALWAYS,
            fault: Fault::Packets(PacketFault {
                what,
                action: PacketAction::Drop { acknowledge: false },
                hold: None,
            }),
            logged_as: None,
        }
    };
    Arc::new(Plan { rules: filters.map(rule).into(), server_keep_alive: Some(60), ..Plan::clone(&plan()) })
}

/// Packets, and whether the first rule's filter `asked/#` matches the topic of each.
fn mixed(version: usize) -> Vec<(&'static [u8], bool)> {
    let no_aliases: [(&[u8], bool); 6] = [
        (b"\x30\x0a\x00\x05otherpay", false),
        (b"\x32\x0c\x00\x05other\x00\x07pay", false),
        (b"\x30\x0a\x00\x05askedpay", true),
        (b"\xc0\x00", false),
        (b"\x34\x0e\x00\x07asked/b\x00\x07pay", true),
        // The second rule's, which nobody asks for.
        (b"\x30\x0a\x00\x05elsewpay", false),
    ];
    let aliases: [(&[u8], bool); 9] = [
        (b"\x30\x0b\x00\x05other\x00pay", false),
        (b"\x30\x0e\x00\x05asked\x03\x23\x00\x07pay", true),
        (b"\x30\x09\x00\x00\x03\x23\x00\x07pay", true),
        (b"\x32\x0b\x00\x00\x00\x07\x03\x23\x00\x07pay", true),
        (b"\x30\x0e\x00\x05other\x03\x23\x00\x07pay", false),
        (b"\x30\x09\x00\x00\x03\x23\x00\x07pay", false),
        // An alias that was never given, and a payload that looks like one.
        (b"\x30\x09\x00\x00\x03\x23\x00\x09pay", false),
        (b"\x30\x0b\x00\x05other\x00\x23\x00\x07", false),
        (b"\x32\x0d\x00\x05asked\x00\x07\x00pay", true),
    ];
    if version == 0 { no_aliases.into() } else { aliases.into() }
}

#[tokio::test]
async fn the_engine_is_told_of_publishes_by_their_topics_and_of_no_others_in_whatever_pieces() {
    for version in [0, 1] {
        let mut ring = Ring::connected_under(plan_by_topics(["asked/#", "elsew/#"]), version).await;
        let mut by_topic = RuleSet::default();
        by_topic.insert(RuleId(0));
        ask_for(&ring, 1, Asks { by_topic, ..Asks::default() });
        let mixed = mixed(version);
        let stream: Vec<u8> = mixed.iter().flat_map(|(packet, _)| packet.iter().copied()).collect();
        let sizes: Vec<usize> = (1..=17).chain([stream.len()]).collect();
        for size in &sizes {
            for piece in stream.chunks(*size) {
                ring.device.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            expect(&mut ring.served, &stream).await;
        }
        let asked = mixed.iter().filter(|(_, is_asked)| *is_asked);
        let asked: Vec<u8> = asked.map(|(packet, _)| packet[0] >> 1 & 3).collect();
        assert_eq!(told(ring).await, asked.repeat(sizes.len()), "version {version}");
    }
}
