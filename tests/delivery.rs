//! The delivery ledger through the real proxy: what it counts is what both ends wrote and read.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::{DeviceId, Side, Span, Ways};
use brownout::event::{Delivery, Event, Loss, MessageNews, What};
use brownout::fault::{
    Blackhole, Close, Connects, Fault, FidelityWanted, LegFate, MidCut, PacketAction, PacketFault,
    PacketMatch, Toward, WaysWanted,
};
use brownout::mqtt::{PacketKind, QoS};
use brownout::profile::sequence::json_pointer;
use brownout::profile::{Rule, Sequence, SequencePlace};
use common::{Bench, after_connack, at, bench, connected, expect, hub, plan, wire};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const QOS0: &[u8] = b"\x30\x05\x00\x01tp0";
const QOS1: &[u8] = b"\x32\x07\x00\x01t\x00\x07p1";
const QOS1_AGAIN: &[u8] = b"\x3a\x07\x00\x01t\x00\x07p1";
const PUBACK: &[u8] = b"\x40\x02\x00\x07";
const QOS2: &[u8] = b"\x34\x07\x00\x01t\x00\x09p2";

/// What was told of messages in all, up and down, and the news.
fn told(events: &[Event]) -> (Delivery, Delivery, Vec<MessageNews>) {
    let (mut sum_up, mut sum_down, mut told) = (Delivery::default(), Delivery::default(), Vec::new());
    for event in events {
        match &event.what {
            What::Delivery { device: DeviceId(0), up, down } => {
                sum_up.add(up);
                sum_down.add(down);
            }
            What::Message { device: DeviceId(0), news, .. } => told.push(news.clone()),
            _ => {}
        }
    }
    (sum_up, sum_down, told)
}

async fn pass(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).await.unwrap();
    expect(to, bytes).await;
}

async fn closed(bench: &Bench) {
    bench.until("end of the link", |event| matches!(event.what, What::LinkClosed { .. }).then_some(())).await;
}

fn of_packets(what: PacketMatch, action: PacketAction) -> Rule {
    at("packets", Duration::ZERO, Fault::Packets(PacketFault { what, action, hold: None }))
}

const PUBLISH: PacketMatch = PacketMatch { packet: Some(PacketKind::Publish), ..PacketMatch::EVERY };

#[tokio::test]
async fn both_ways_and_over_a_reconnect() {
    let (bench, hub) = bench(Vec::new()).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    pass(&mut device, &mut served, QOS0).await;
    // In pieces, within head and payload.
    for piece in QOS1.chunks(3) {
        pass(&mut device, &mut served, piece).await;
    }
    pass(&mut served, &mut device, QOS1).await;
    pass(&mut device, &mut served, PUBACK).await;
    // The hub goes before it has acknowledged.
    drop(served);
    drop(device);
    closed(&bench).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    pass(&mut device, &mut served, QOS1_AGAIN).await;
    pass(&mut served, &mut device, PUBACK).await;
    pass(&mut device, &mut served, QOS2).await;
    let (up, down, news) = told(&bench.stop().await);
    assert_eq!((up.sent, up.received, up.completed), ([1; 3], [1; 3], [0, 1, 0]));
    assert_eq!((up.retransmitted, up.duplicated), ([0, 1, 0], [0, 1, 0]));
    assert_eq!((up.lost, up.in_flight), ([0; 3], [0, 0, 1]));
    assert_eq!((down.sent, down.received, down.completed), ([0, 1, 0], [0, 1, 0], [0, 1, 0]));
    let is_told = |wanted: fn(&MessageNews) -> bool| news.iter().filter(|news| wanted(news)).count();
    assert_eq!(
        is_told(|news| matches!(news, MessageNews::Retransmitted { dup: true, renumbered: false, .. })),
        1
    );
    assert_eq!(is_told(|news| matches!(news, MessageNews::Duplicated { .. })), 1);
    assert_eq!(is_told(|news| matches!(news, MessageNews::InFlight { .. })), 1);
    assert_eq!(news.len(), 3, "{news:?}");
}

#[tokio::test]
async fn what_faults_do_to_packets_is_in_the_books() {
    let lost = PacketMatch { qos: Some(QoS::AtLeastOnce), ..PUBLISH };
    let doubled = PacketMatch { qos: Some(QoS::ExactlyOnce), ..PUBLISH };
    let dropped = PacketMatch { qos: Some(QoS::AtMostOnce), ..PUBLISH };
    let rules = vec![
        of_packets(lost, PacketAction::Drop { acknowledge: true }),
        of_packets(doubled, PacketAction::Duplicate { copies: 1 }),
        of_packets(dropped, PacketAction::Drop { acknowledge: false }),
    ];
    let (bench, hub) = bench(rules).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    device.write_all(&[QOS0, QOS1].concat()).await.unwrap();
    expect(&mut device, PUBACK).await;
    device.write_all(QOS2).await.unwrap();
    expect(&mut served, &[QOS2, QOS2].concat()).await;
    let (up, _, news) = told(&bench.stop().await);
    assert_eq!((up.sent, up.received, up.lost), ([1; 3], [0, 0, 1], [1, 1, 0]));
    assert_eq!((up.duplicated, up.completed, up.in_flight), ([0; 3], [0; 3], [0, 0, 1]));
    let why = |news: &MessageNews| if let MessageNews::Lost { why, .. } = news { Some(*why) } else { None };
    let whys: Vec<Loss> = news.iter().filter_map(why).collect();
    assert_eq!(whys, [Loss::NotPassedOn, Loss::FalselyAcknowledged]);
}

/// An end that closes with bytes that it has not read: its system had acknowledged them, and resets. Sent again, the message
/// comes there for the first time, or not.
#[tokio::test]
async fn what_an_end_that_resets_may_not_have_read_is_perhaps_a_duplicate() {
    let (bench, hub) = bench(Vec::new()).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    device.write_all(QOS1).await.unwrap();
    while served.peek(&mut [0; 64]).await.unwrap() < QOS1.len() {}
    // What the hub says carries its system's acknowledgement.
    pass(&mut served, &mut device, &wire::PINGRESP).await;
    drop((served, device));
    closed(&bench).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    pass(&mut device, &mut served, QOS1_AGAIN).await;
    pass(&mut served, &mut device, PUBACK).await;
    let (up, _, _) = told(&bench.stop().await);
    assert_eq!((up.sent, up.received, up.completed), ([0, 1, 0], [0, 1, 0], [0, 1, 0]));
    assert_eq!((up.duplicated, up.perhaps_duplicated), ([0; 3], [0, 1, 0]));
}

/// A fault resets the link while a message lies unread at the device. What it had acknowledged it has, though the hub never
/// learns that.
#[tokio::test]
async fn what_an_end_that_is_reset_may_not_have_read_is_perhaps_a_duplicate() {
    let plain = PacketMatch { qos: Some(QoS::AtMostOnce), ..PUBLISH };
    let cut = PacketAction::Cut(MidCut {
        after_bytes: 4,
        ending: LegFate::Reset,
        close: Close { toward: Toward::Both, other: LegFate::Reset, close_notify: true },
    });
    for is_answered in [false, true] {
        let (bench, hub) = bench(vec![of_packets(plain.clone(), cut.clone())]).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        served.write_all(QOS1).await.unwrap();
        if is_answered {
            expect(&mut device, QOS1).await;
            pass(&mut device, &mut served, PUBACK).await;
        } else {
            while device.peek(&mut [0; 64]).await.unwrap() < QOS1.len() {}
        }
        device.write_all(QOS0).await.unwrap();
        closed(&bench).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        pass(&mut served, &mut device, QOS1_AGAIN).await;
        pass(&mut device, &mut served, PUBACK).await;
        let (_, down, _) = told(&bench.stop().await);
        assert_eq!((down.sent, down.received, down.completed), ([0, 1, 0], [0, 1, 0], [0, 1, 0]));
        let told = if is_answered { ([0, 1, 0], [0; 3]) } else { ([0; 3], [0, 1, 0]) };
        assert_eq!((down.duplicated, down.perhaps_duplicated), told, "answered: {is_answered}");
    }
}

/// A sender that closes with an acknowledgement that it has not read: its system had it, and resets.
#[tokio::test]
async fn what_a_sender_that_resets_may_not_have_read_is_perhaps_completed() {
    for is_read in [true, false] {
        let (bench, hub) = bench(Vec::new()).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        pass(&mut device, &mut served, QOS1).await;
        served.write_all(PUBACK).await.unwrap();
        if is_read {
            expect(&mut device, PUBACK).await;
        } else {
            while device.peek(&mut [0; 64]).await.unwrap() < PUBACK.len() {}
        }
        drop(device);
        drop(served);
        closed(&bench).await;
        let (up, _, _) = told(&bench.stop().await);
        let expected = if is_read { ([0, 1, 0], [0; 3]) } else { ([0; 3], [0, 1, 0]) };
        assert_eq!((up.completed, up.perhaps_completed), expected, "read: {is_read}");
        assert_eq!((up.sent, up.received, up.lost), ([0, 1, 0], [0, 1, 0], [0; 3]));
    }
}

/// A link that is dark, and whose hub has given it up meanwhile: closed it, or said that it sends no more.
async fn given_up_in_the_dark(closes: bool) -> (Bench, TcpStream, Option<TcpStream>) {
    let dark = Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward: Toward::Both,
        hold: Span::fixed(Duration::from_millis(1_500)),
        fidelity: FidelityWanted::Stall,
        connects: Connects::Silence,
    });
    let (bench, hub) = bench(vec![after_connack("dark", Duration::from_millis(100), dark)]).await;
    let (device, mut served) = connected(&bench, &hub).await;
    bench.until("applied fault", |e| matches!(e.what, What::FaultApplied { .. }).then_some(())).await;
    served.shutdown().await.unwrap();
    let served = Some(served).filter(|_| !closes);
    bench
        .until("end of the hub", |e| matches!(e.what, What::LegEnded { side: Side::Hub, .. }).then_some(()))
        .await;
    (bench, device, served)
}

#[tokio::test]
async fn what_an_end_that_had_closed_was_given_is_not_received() {
    let messages = [QOS0, QOS0, QOS0, QOS1].concat();
    for device_stays in [true, false] {
        let (bench, mut device, _) = given_up_in_the_dark(true).await;
        device.write_all(&messages).await.unwrap();
        if device_stays {
            assert_eq!(device.read(&mut [0; 1]).await.unwrap(), 0);
        }
        drop(device);
        closed(&bench).await;
        let events = bench.stop().await;
        let (up, _, news) = told(&events);
        assert_eq!((up.sent, up.received, up.lost), ([3, 1, 0], [0; 3], [3, 0, 0]), "stays: {device_stays}");
        assert_eq!((up.in_flight, up.unfollowed), ([0, 1, 0], [0; 3]));
        let lost = |news: &&MessageNews| matches!(news, MessageNews::Lost { why: Loss::NotPassedOn, .. });
        assert_eq!(news.iter().filter(lost).count(), 3);
        let closed = |event: &Event| match event.what {
            What::LinkClosed { undelivered, .. } => Some(undelivered),
            _ => None,
        };
        let undelivered = common::find(&events, "end of the link", closed);
        assert_eq!(undelivered, Ways { up: u64::try_from(messages.len()).unwrap(), down: 0 });
    }
}

#[tokio::test]
async fn what_an_end_that_only_says_no_more_is_given_is_received() {
    let messages = [QOS0, QOS0, QOS1].concat();
    let (bench, mut device, served) = given_up_in_the_dark(false).await;
    device.write_all(&messages).await.unwrap();
    expect(&mut served.unwrap(), &messages).await;
    drop(device);
    closed(&bench).await;
    let (up, _, _) = told(&bench.stop().await);
    assert_eq!((up.sent, up.received, up.lost), ([2, 1, 0], [2, 1, 0], [0; 3]));
    assert_eq!((up.in_flight, up.unfollowed), ([0, 1, 0], [0; 3]));
}

/// A run that reads the numbers of payloads.
async fn numbered() -> (Bench, TcpListener) {
    let place = SequencePlace::Json(json_pointer("/n").unwrap());
    let sequence = Some(Sequence { topic: None, place });
    let hub = hub().await;
    let plan = brownout::profile::Plan { sequence, ..plan(Vec::new()) };
    let bench = Bench::start(plan, hub.local_addr().unwrap()).await;
    hub.accept().await.unwrap();
    (bench, hub)
}

#[tokio::test]
async fn numbers_in_payloads_show_what_is_left_out() {
    let (bench, hub) = numbered().await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    for number in [1, 2, 5] {
        let packet = format!("\x30\x0a\x00\x01t{{\"n\":{number}}}");
        pass(&mut device, &mut served, packet.as_bytes()).await;
    }
    let (up, _, news) = told(&bench.stop().await);
    assert_eq!((up.numbered, up.missing, up.lost[0]), (3, 2, 2));
    assert_eq!(news, [MessageNews::Gap { from: 3, to: 4, excuse: None }]);
}

/// RETAIN tells of what the hub had retained, unless the device asked for it as it was published; what a bridge is sent is not
/// followed.
#[tokio::test]
async fn how_retain_is_read_depends_on_what_the_device_asked_for() {
    // (protocol level, options of its SUBSCRIBE, numbers that were followed, missing)
    for (level, options, followed, missing) in
        [(5, 0x00, 3, 0), (5, 0x08, 3, 2), (5, 0x0c, 0, 0), (0x84, 0, 0, 0)]
    {
        let (bench, hub) = numbered().await;
        let (mut device, mut served) = common::joined(&bench, &hub).await;
        let properties: &[u8] = if level == 5 { b"\0" } else { b"" };
        let packet = |first: u8, parts: &[&[u8]]| {
            let body = parts.concat();
            [&[first, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
        };
        let connect = [b"\0\x04MQTT".as_slice(), &[level, 2, 0, 60], properties, b"\0\x02d1"];
        pass(&mut device, &mut served, &packet(0x10, &connect)).await;
        pass(&mut served, &mut device, &packet(0x20, &[b"\0\0", properties])).await;
        let subscribe = [b"\0\x0a".as_slice(), properties, b"\0\x01t", &[options]];
        pass(&mut device, &mut served, &packet(0x82, &subscribe)).await;
        for number in ["1", "2", "5"] {
            let payload = format!("{{\"n\":{number}}}");
            let publish = [b"\0\x01t".as_slice(), properties, payload.as_bytes()];
            pass(&mut served, &mut device, &packet(0x31, &publish)).await;
        }
        let (_, down, _) = told(&bench.stop().await);
        assert_eq!((down.numbered, down.missing), (followed, missing), "{level} {options}");
    }
}

#[tokio::test]
async fn what_is_no_mqtt_is_in_no_books() {
    let (bench, hub) = bench(Vec::new()).await;
    let (mut device, mut served) = common::joined(&bench, &hub).await;
    pass(&mut device, &mut served, b"hello, this is no MQTT").await;
    pass(&mut served, &mut device, &wire::PINGRESP).await;
    let (up, down, news) = told(&bench.stop().await);
    assert_eq!((up, down, news), (Delivery::default(), Delivery::default(), Vec::new()));
}
