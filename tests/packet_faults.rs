//! Faults of single packets, from the rule to the bytes at both ends.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::{Side, Span};
use brownout::event::{Event, What};
use brownout::fault::{
    Alteration, Close, ConnackCode, Corrupt, Delay, DelayModel, Edit, Fault, HalfClose, LegFate, MidCut,
    PacketAction, PacketFault, PacketMatch, Reject, Stall, Toward, WaysWanted,
};
use brownout::mqtt::{PacketKind, QoS};
use brownout::profile::Rule;
use common::machine::Machine;
use common::{Bench, after_connack, at, bench, connected, expect, find, joined, plan, wire};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// PUBLISH of QoS 0, QoS 1 with identifier 7, QoS 2 with identifier 9.
const QOS0: &[u8] = b"\x30\x05\x00\x01tp0";
const QOS1: &[u8] = b"\x32\x07\x00\x01t\x00\x07p1";
const QOS2: &[u8] = b"\x34\x07\x00\x01t\x00\x09p2";

fn of(kind: PacketKind) -> PacketMatch {
    PacketMatch { packet: Some(kind), ..PacketMatch::EVERY }
}

/// A rule from the run's start on, to its end.
fn rule(what: PacketMatch, action: PacketAction) -> Rule {
    at("packets", Duration::ZERO, Fault::Packets(PacketFault { what, action, hold: None }))
}

fn altered(events: &[Event]) -> Vec<Alteration> {
    let what = |event: &Event| if let What::Altered { what, .. } = &event.what { Some(*what) } else { None };
    events.iter().filter_map(what).collect()
}

async fn send(stream: &mut TcpStream, packets: &[&[u8]]) {
    for packet in packets {
        stream.write_all(packet).await.unwrap();
    }
}

#[tokio::test]
async fn what_matches_no_rule_passes_byte_by_byte() {
    let matched = PacketMatch { topic: Some("other/#".into()), ..of(PacketKind::Publish) };
    let (bench, hub) = bench(vec![rule(matched, PacketAction::Drop { acknowledge: false })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let stream = [QOS0, &wire::PINGREQ, QOS1, QOS2].concat();
    for byte in &stream {
        device.write_all(&[*byte]).await.unwrap();
    }
    expect(&mut served, &stream).await;
    send(&mut served, &[&stream]).await;
    expect(&mut device, &stream).await;
    assert_eq!(altered(&bench.stop().await), []);
}

#[tokio::test]
async fn what_is_dropped_never_comes_and_the_rest_does() {
    for kept in [0, 3, 5] {
        let dropped = PacketMatch { qos: Some(QoS::AtLeastOnce), ..of(PacketKind::Publish) };
        let (bench, hub) = bench(vec![rule(dropped, PacketAction::Drop { acknowledge: false })]).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        // Split inside the head and inside the payload too.
        send(&mut device, &[QOS0, &QOS1[..kept]]).await;
        expect(&mut served, QOS0).await;
        send(&mut device, &[&QOS1[kept..], QOS2]).await;
        expect(&mut served, QOS2).await;
        assert_eq!(altered(&bench.stop().await), [Alteration::Dropped { acknowledged: false }]);
    }
}

#[tokio::test]
async fn a_false_puback_comes_between_two_packets() {
    let (bench, hub) =
        bench(vec![rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    // The hub is amid a packet: the acknowledgement waits for its end, or, where a busy machine has not read of it, comes first.
    send(&mut served, &[b"\xd0"]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    send(&mut device, &[QOS1, &wire::PINGREQ]).await;
    expect(&mut served, &wire::PINGREQ).await;
    send(&mut served, &[b"\x00"]).await;
    let mut got = [0; 6];
    device.read_exact(&mut got).await.unwrap();
    assert!([*b"\xd0\x00\x40\x02\x00\x07", *b"\x40\x02\x00\x07\xd0\x00"].contains(&got), "{got:02x?}");
    assert_eq!(altered(&bench.stop().await), [Alteration::Dropped { acknowledged: true }]);
}

#[tokio::test]
async fn a_false_acknowledgement_of_qos_2_goes_to_its_end() {
    let (bench, hub) =
        bench(vec![rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    send(&mut device, &[QOS2]).await;
    expect(&mut device, b"\x50\x02\x00\x09").await;
    send(&mut device, &[b"\x62\x02\x00\x09", &wire::PINGREQ]).await;
    expect(&mut device, b"\x70\x02\x00\x09").await;
    expect(&mut served, &wire::PINGREQ).await;
    // A PUBREL that nobody owes passes.
    send(&mut device, &[b"\x62\x02\x00\x09"]).await;
    expect(&mut served, b"\x62\x02\x00\x09").await;
    assert_eq!(altered(&bench.stop().await), [Alteration::Dropped { acknowledged: true }]);
}

/// [MQTT-3.2.0-1]: the CONNACK is the first packet that a device gets.
#[tokio::test]
async fn a_false_acknowledgement_waits_for_the_connack() {
    let (bench, hub) =
        bench(vec![rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true })]).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    send(&mut device, &[&wire::connect("d1", 60), QOS1, QOS2, &wire::PINGREQ]).await;
    expect(&mut served, &[&wire::connect("d1", 60)[..], &wire::PINGREQ].concat()).await;
    send(&mut served, &[&wire::CONNACK, &wire::PINGRESP]).await;
    expect(&mut device, &[&wire::CONNACK[..], b"\x40\x02\x00\x07\x50\x02\x00\x09\xd0\x00"].concat()).await;
    assert_eq!(altered(&bench.stop().await), [Alteration::Dropped { acknowledged: true }; 2]);
}

#[tokio::test]
async fn who_is_refused_gets_no_false_acknowledgement() {
    for (more, came) in [
        (None, &b"\x20\x02\x00\x05"[..]),
        (Some(PacketAction::Drop { acknowledge: false }), b""),
        (Some(PacketAction::Edit(Edit { code: Some(5), ..Edit::default() })), b"\x20\x02\x00\x05"),
    ] {
        let mut rules = vec![rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true })];
        let says = if more.is_some() { wire::CONNACK } else { *b"\x20\x02\x00\x05" };
        rules.extend(more.map(|action| rule(of(PacketKind::Connack), action)));
        let (bench, hub) = bench(rules).await;
        let (mut device, mut served) = joined(&bench, &hub).await;
        send(&mut device, &[&wire::connect("d1", 60), QOS1]).await;
        expect(&mut served, &wire::connect("d1", 60)).await;
        send(&mut served, &[&says, &wire::PINGRESP]).await;
        expect(&mut device, &[came, &wire::PINGRESP].concat()).await;
        let altered = altered(&bench.stop().await);
        assert!(altered.contains(&Alteration::Dropped { acknowledged: false }), "{altered:?}");
        assert!(!altered.contains(&Alteration::Dropped { acknowledged: true }), "{altered:?}");
    }
}

#[tokio::test]
async fn connect_and_connack_are_edited() {
    let up = Edit { keep_alive: Some(4), clean: Some(false), ..Edit::default() };
    let down = Edit { session_present: Some(true), ..Edit::default() };
    let rules = vec![
        rule(of(PacketKind::Connect), PacketAction::Edit(up)),
        rule(of(PacketKind::Connack), PacketAction::Edit(down)),
    ];
    let (bench, hub) = bench(rules).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    let mut connect = wire::connect("d1", 60);
    send(&mut device, &[&connect]).await;
    connect[9] = 0;
    connect[11] = 4;
    expect(&mut served, &connect).await;
    send(&mut served, &[&wire::CONNACK]).await;
    expect(&mut device, b"\x20\x02\x01\x00").await;
    let events = bench.stop().await;
    assert_eq!(altered(&events), [Alteration::Edited { edit: up }, Alteration::Edited { edit: down }]);
}

#[tokio::test]
async fn the_keep_alive_of_the_plan_reaches_both_ends_of_mqtt_5() {
    let hub = common::hub().await;
    let plan = brownout::profile::Plan { server_keep_alive: Some(30), ..plan(vec![]) };
    let bench = Bench::start(plan, hub.local_addr().unwrap()).await;
    hub.accept().await.unwrap();
    let (mut device, mut served) = joined(&bench, &hub).await;
    send(&mut device, &[b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1"]).await;
    expect(&mut served, b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x1e\x00\x00\x02d1").await;
    send(&mut served, &[b"\x20\x03\x00\x00\x00"]).await;
    expect(&mut device, b"\x20\x06\x00\x00\x03\x13\x00\x1e").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_packet_is_passed_on_more_than_once() {
    let (bench, hub) =
        bench(vec![rule(of(PacketKind::Publish), PacketAction::Duplicate { copies: 2 })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    send(&mut device, &[&QOS1[..9], &QOS1[9..], &wire::PINGREQ]).await;
    expect(&mut served, &[QOS1, QOS1, QOS1, &wire::PINGREQ].concat()).await;
    assert_eq!(altered(&bench.stop().await), [Alteration::Duplicated { copies: 2 }]);
}

#[tokio::test]
async fn one_byte_of_the_payload_is_changed() {
    let (bench, hub) =
        bench(vec![rule(of(PacketKind::Publish), PacketAction::Corrupt(Corrupt::Payload))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    send(&mut device, &[QOS1, &wire::PINGREQ]).await;
    let mut got = [0; 11];
    served.read_exact(&mut got).await.unwrap();
    let changed: Vec<usize> = (0..9).filter(|at| got[*at] != QOS1[*at]).collect();
    let events = bench.stop().await;
    let [Alteration::Corrupted { offset }] = altered(&events)[..] else { panic!("{events:#?}") };
    assert!(offset >= 7, "{offset}");
    assert_eq!(changed, [usize::try_from(offset).unwrap()]);
    assert_eq!(got[9..], wire::PINGREQ);
}

/// Packets on their way at the same time wait at the same time: a delay is no bandwidth.
#[tokio::test]
async fn what_is_delayed_keeps_its_order_and_does_not_add_up() {
    let base = Duration::from_millis(300);
    let delay = Delay { model: DelayModel::Fixed { delay: base }, jitter: Duration::ZERO };
    let (bench, hub) = bench(vec![rule(of(PacketKind::Publish), PacketAction::Delay(delay))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let (machine, sent) = (Machine::watched(), Instant::now());
    send(&mut device, &[&wire::PINGREQ]).await;
    expect(&mut served, &wire::PINGREQ).await;
    let undelayed = sent.elapsed();
    for _ in 0..4 {
        send(&mut device, &[QOS0, &wire::PINGREQ]).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    expect(&mut served, &[QOS0, &wire::PINGREQ].concat().repeat(4)).await;
    let took = sent.elapsed();
    assert!(took >= base + Duration::from_millis(90), "{took:?}");
    let late = machine.late().all;
    assert!(undelayed < base + late && took < base * 3 + late, "{undelayed:?}, {took:?}");
    let by_ns = u64::try_from(base.as_nanos()).unwrap();
    assert_eq!(altered(&bench.stop().await), [Alteration::Delayed { by_ns }; 4]);
}

#[tokio::test]
async fn a_link_ends_amid_a_packet() {
    for ending in [LegFate::Reset, LegFate::Close] {
        let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };
        let cut = MidCut { after_bytes: 4, ending, close };
        let (bench, hub) = bench(vec![rule(of(PacketKind::Publish), PacketAction::Cut(cut))]).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        send(&mut device, &[&wire::PINGREQ, QOS1, QOS0]).await;
        expect(&mut served, &wire::PINGREQ).await;
        expect(&mut served, &QOS1[..4]).await;
        for stream in [&mut device, &mut served] {
            let end = tokio::time::timeout(Duration::from_secs(25), stream.read(&mut [0; 8])).await.unwrap();
            match ending {
                LegFate::Reset => assert!(end.is_err(), "{end:?}"),
                _ => assert_eq!(end.unwrap(), 0),
            }
        }
        let events = bench.stop().await;
        assert_eq!(altered(&events), [Alteration::CutShort { after_bytes: 4 }]);
        for side in Side::BOTH {
            let done = find(&events, "cut", |event| match &event.what {
                What::LegCut { side: cut, fate, .. } if *cut == side => Some(*fate),
                _ => None,
            });
            assert_eq!(done, ending);
        }
    }
}

/// What waits in the kernel for a hub that reads slowly goes before the reset, which would throw it away: as much comes as is
/// told.
#[tokio::test]
async fn what_comes_before_a_cut_is_sent_before_the_reset() {
    let (length, after_bytes) = (2_000_000, 1_500_001);
    let hub = TcpSocket::new_v4().unwrap();
    hub.set_recv_buffer_size(64 * 1024).unwrap();
    hub.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let hub = hub.listen(8).unwrap();
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };
    let cut = MidCut { after_bytes, ending: LegFate::Reset, close };
    let rules = vec![rule(of(PacketKind::Publish), PacketAction::Cut(cut))];
    let bench = Bench::start(plan(rules), hub.local_addr().unwrap()).await;
    hub.accept().await.unwrap();
    let (mut device, mut served) = connected(&bench, &hub).await;
    let mut publish = b"\x30\x80\x89\x7a\x00\x01t".to_vec();
    publish.resize(length + 4, b'.');
    let sending = tokio::spawn(async move { device.write_all(&publish).await });
    let mut came = Vec::new();
    let end = tokio::time::timeout(PATIENCE, served.read_to_end(&mut came)).await.expect("an end");
    assert_eq!((came.len(), end.unwrap_err().kind()), (1_500_001, std::io::ErrorKind::ConnectionReset));
    let _ = sending.await.unwrap();
    assert_eq!(altered(&bench.stop().await), [Alteration::CutShort { after_bytes }]);
}

/// The bytes before the cut wait as long as is told, whatever reads they came in.
#[tokio::test]
async fn what_is_delayed_and_cut_comes_late() {
    let base = Duration::from_millis(700);
    let delay = Delay { model: DelayModel::Fixed { delay: base }, jitter: Duration::ZERO };
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };
    let cut = MidCut { after_bytes: 4, ending: LegFate::Close, close };
    for pieces in [vec![QOS1], vec![&QOS1[..3], &QOS1[3..]]] {
        let actions = [PacketAction::Delay(delay), PacketAction::Cut(cut)];
        let (bench, hub) = bench(actions.map(|action| rule(of(PacketKind::Publish), action)).into()).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        let sent = Instant::now();
        for piece in pieces {
            send(&mut device, &[piece]).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        expect(&mut served, &QOS1[..4]).await;
        assert!(sent.elapsed() >= base, "{:?}", sent.elapsed());
        assert_eq!(to_the_end(&mut served).await, b"");
        let by_ns = u64::try_from(base.as_nanos()).unwrap();
        let told = [Alteration::Delayed { by_ns }, Alteration::CutShort { after_bytes: 4 }];
        assert_eq!(altered(&bench.stop().await), told);
    }
}

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// A short frame; a device masks what it sends (RFC 6455 section 5.3).
fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let key = if masked { [1, 2, 3, 4] } else { [0; 4] };
    let mut frame = vec![first, u8::from(masked) << 7 | u8::try_from(payload.len()).unwrap()];
    if masked {
        frame.extend(key);
    }
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The first byte and the payload of the next frame, which is short.
async fn next_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    let mut key = [0; 4];
    if head[1] & 0x80 != 0 {
        stream.read_exact(&mut key).await.unwrap();
    }
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).await.unwrap();
    (head[0], payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
}

/// The MQTT of the next frames, up to as many bytes.
async fn mqtt(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let (first, payload) = next_frame(stream).await;
        assert_eq!(first, 0x82, "after {bytes:?}");
        bytes.extend(payload);
    }
    bytes
}

#[tokio::test]
async fn packets_in_websocket_are_worked_on_too() {
    let once = PacketMatch { qos: Some(QoS::AtMostOnce), ..of(PacketKind::Publish) };
    let lost = PacketMatch { qos: Some(QoS::AtLeastOnce), ..of(PacketKind::Publish) };
    let rules = vec![
        rule(once, PacketAction::Duplicate { copies: 1 }),
        rule(lost, PacketAction::Drop { acknowledge: true }),
    ];
    let (bench, hub) = bench(rules).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    send(&mut device, &[REQUEST]).await;
    expect(&mut served, REQUEST).await;
    send(&mut served, &[RESPONSE]).await;
    expect(&mut device, RESPONSE).await;
    let connect = wire::connect("ws-1", 60);
    // CONNECT in two fragments, with a ping between them.
    let ping = frame(0x89, true, b"hi");
    send(&mut device, &[&frame(0x02, true, &connect[..5]), &ping, &frame(0x80, true, &connect[5..])]).await;
    expect(&mut served, &ping).await;
    assert_eq!(mqtt(&mut served, connect.len()).await, connect);
    send(&mut served, &[&frame(0x82, false, &wire::CONNACK)]).await;
    assert_eq!(mqtt(&mut device, 4).await, wire::CONNACK);
    // Three packets in one frame.
    let packets = [QOS0, QOS1, &wire::PINGREQ].concat();
    send(&mut device, &[&frame(0x82, true, &packets)]).await;
    let wanted = [QOS0, QOS0, &wire::PINGREQ].concat();
    assert_eq!(mqtt(&mut served, wanted.len()).await, wanted);
    assert_eq!(mqtt(&mut device, 4).await, b"\x40\x02\x00\x07");
    let events = bench.stop().await;
    let mut told = altered(&events);
    told.sort_by_key(|what| matches!(what, Alteration::Dropped { .. }));
    assert_eq!(told, [Alteration::Duplicated { copies: 1 }, Alteration::Dropped { acknowledged: true }]);
}

/// A topic alias stands for the name that it was given, also where a rule matches by topic.
#[tokio::test]
async fn a_topic_is_known_by_its_alias() {
    let matched = PacketMatch { topic: Some("t/#".into()), ..of(PacketKind::Publish) };
    let (bench, hub) = bench(vec![rule(matched, PacketAction::Drop { acknowledge: false })]).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    let connect = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1";
    send(&mut device, &[connect]).await;
    expect(&mut served, connect).await;
    let [named, aliased, other] = [
        b"\x30\x08\x00\x01t\x03\x23\x00\x01x".as_slice(),
        b"\x30\x07\x00\x00\x03\x23\x00\x01x",
        b"\x30\x08\x00\x01u\x03\x23\x00\x02x",
    ];
    send(&mut device, &[named, aliased, other, &wire::PINGREQ]).await;
    expect(&mut served, &[other, &wire::PINGREQ].concat()).await;
    assert_eq!(altered(&bench.stop().await), [Alteration::Dropped { acknowledged: false }; 2]);
}

const REJECTED: ConnackCode = ConnackCode { return_code: 5, reason_code: 0x87 };
const CONNECT_5: &[u8] = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1";

fn reject() -> Rule {
    at("reject", Duration::ZERO, Fault::Reject(Reject { code: REJECTED, hold: Span::fixed(PATIENCE * 10) }))
}

/// How long what has to come may take.
const PATIENCE: Duration = Duration::from_secs(25);

async fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut got));
    read.await.expect("FIN in time").unwrap();
    got
}

fn is_rejected(event: &Event) -> Option<()> {
    matches!(event.what, What::LegCut { fate: LegFate::Rejected(REJECTED), .. }).then_some(())
}

/// A refused CONNECT is answered here: the hub is not even dialled.
#[tokio::test]
async fn a_connect_is_rejected_and_the_hub_hears_nothing() {
    let connect = wire::connect("d1", 60);
    for (connect, connack) in
        [(connect.as_slice(), b"\x20\x02\x00\x05".as_slice()), (CONNECT_5, b"\x20\x03\x00\x87\x00")]
    {
        let (bench, hub) = bench(vec![reject()]).await;
        let mut device = TcpStream::connect(bench.address).await.unwrap();
        send(&mut device, &[connect, QOS0]).await;
        assert_eq!(to_the_end(&mut device).await, connack);
        drop(device);
        let events = bench.stop().await;
        find(&events, "refusal", is_rejected);
        let dialled = tokio::time::timeout(Duration::from_millis(50), hub.accept()).await;
        assert!(dialled.is_err(), "the hub was dialled");
    }
}

async fn upgraded(device: &mut TcpStream, hub: &tokio::net::TcpListener) -> TcpStream {
    send(device, &[REQUEST]).await;
    let accepted = tokio::time::timeout(PATIENCE, hub.accept()).await.expect("the hub is dialled");
    let mut served = accepted.unwrap().0;
    expect(&mut served, REQUEST).await;
    send(&mut served, &[RESPONSE]).await;
    expect(device, RESPONSE).await;
    served
}

/// In WebSocket there is no CONNECT before the hub has agreed to that: it is dialled, and hears no MQTT.
#[tokio::test]
async fn a_connect_in_websocket_is_rejected() {
    let (bench, hub) = bench(vec![reject()]).await;
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    let mut served = upgraded(&mut device, &hub).await;
    send(&mut device, &[&frame(0x82, true, &wire::connect("d1", 60))]).await;
    assert_eq!(to_the_end(&mut device).await, frame(0x82, false, b"\x20\x02\x00\x05"));
    drop(device);
    assert_eq!(to_the_end(&mut served).await, b"");
    find(&bench.stop().await, "refusal", is_rejected);
}

/// Behind a cut nothing passes, a control frame in the same read neither.
#[tokio::test]
async fn no_ping_passes_behind_a_cut() {
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };
    let cut = MidCut { after_bytes: 4, ending: LegFate::Close, close };
    let (bench, hub) = bench(vec![rule(of(PacketKind::Publish), PacketAction::Cut(cut))]).await;
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    let mut served = upgraded(&mut device, &hub).await;
    let connect = wire::connect("d1", 60);
    send(&mut device, &[&frame(0x82, true, &connect)]).await;
    assert_eq!(mqtt(&mut served, connect.len()).await, connect);
    let both = [frame(0x82, true, QOS1), frame(0x89, true, b"hi")].concat();
    send(&mut device, &[&both]).await;
    assert_eq!(mqtt(&mut served, 4).await, &QOS1[..4]);
    assert_eq!(to_the_end(&mut served).await, b"");
    assert_eq!(altered(&bench.stop().await), [Alteration::CutShort { after_bytes: 4 }]);
}

async fn told(bench: &Bench, matches: impl Fn(&What) -> bool) {
    let seen = async {
        while !bench.events.lock().unwrap().iter().any(|event| matches(&event.what)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("it is told");
}

fn is_dropped(what: &What, falsely: bool) -> bool {
    matches!(what, What::Altered { what: Alteration::Dropped { acknowledged }, .. } if *acknowledged == falsely)
}

/// Acknowledgements that their device cannot get are bounded, and those that find no room are not told as sent.
#[tokio::test]
async fn false_acknowledgements_do_not_pile_up() {
    let (bench, hub) = bench(vec![
        rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true }),
        after_connack(
            "stall",
            Duration::from_millis(100),
            Fault::Stall(Stall { direction: WaysWanted::Down, hold: Span::fixed(PATIENCE * 10) }),
        ),
    ])
    .await;
    let (mut device, _served) = connected(&bench, &hub).await;
    told(&bench, |what| matches!(what, What::FaultApplied { .. })).await;
    send(&mut device, &[&QOS1.repeat(40_000)]).await;
    told(&bench, |what| is_dropped(what, false)).await;
    let count = bench.events.lock().unwrap().iter().filter(|event| is_dropped(&event.what, true)).count();
    assert_eq!(count, 0, "nothing passes toward the device");
    drop(device);
    bench.stop().await;
}

/// What waits for a device that was told FIN does not keep the hub's reset from it.
#[tokio::test]
async fn an_acknowledgement_for_a_deaf_device_is_in_nobodys_way() {
    let fin = Fault::HalfClose(HalfClose { toward: Side::Device });
    let deaf = after_connack("deaf", Duration::from_millis(100), fin);
    let lost = rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true });
    let (bench, hub) = bench(vec![lost, deaf]).await;
    let (mut device, served) = connected(&bench, &hub).await;
    assert_eq!(to_the_end(&mut device).await, b"");
    send(&mut device, &[QOS1]).await;
    told(&bench, |what| is_dropped(what, false)).await;
    served.set_zero_linger().unwrap();
    drop(served);
    let reset = async {
        while device.write_all(&wire::PINGREQ).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reset).await.expect("the link ends");
    bench.stop().await;
}

/// A packet of which nothing was changed is not one of `times`.
#[tokio::test]
async fn what_an_edit_does_not_change_does_not_count() {
    let once = PacketMatch { times: Some(1), ..of(PacketKind::Publish) };
    let edit = Edit { retain: Some(true), ..Edit::default() };
    let (bench, hub) = bench(vec![rule(once, PacketAction::Edit(edit))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let retained = [&[0x31], &QOS0[1..]].concat();
    send(&mut device, &[&[retained.as_slice(), QOS0, QOS0].concat()]).await;
    expect(&mut served, &[retained.as_slice(), &retained, QOS0].concat()).await;
    assert_eq!(altered(&bench.stop().await), [Alteration::Edited { edit }]);
}

/// An identifier that is used again is no longer the one that was acknowledged falsely.
#[tokio::test]
async fn the_pubrel_of_a_publish_that_passed_passes() {
    let once = PacketMatch { times: Some(1), ..of(PacketKind::Publish) };
    let (bench, hub) = bench(vec![rule(once, PacketAction::Drop { acknowledge: true })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    send(&mut device, &[QOS2]).await;
    expect(&mut device, b"\x50\x02\x00\x09").await;
    let again = [QOS2, b"\x62\x02\x00\x09"].concat();
    send(&mut device, &[&again]).await;
    expect(&mut served, &again).await;
    bench.stop().await;
}

/// An identifier of 0 is never acknowledged, so that its PUBREL is nobody's but the hub's.
#[tokio::test]
async fn a_packet_identifier_of_0_is_owed_nothing() {
    let (bench, hub) =
        bench(vec![rule(of(PacketKind::Publish), PacketAction::Drop { acknowledge: true })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    send(&mut device, &[b"\x34\x07\x00\x01t\x00\x00p2", b"\x62\x02\x00\x00"]).await;
    expect(&mut served, b"\x62\x02\x00\x00").await;
    assert_eq!(altered(&bench.stop().await), [Alteration::Dropped { acknowledged: false }]);
}

/// Copies of many small packets take no more memory than those of one.
#[tokio::test]
async fn copies_have_one_bound_for_all() {
    let copies = 4_000_000;
    let (bench, hub) = bench(vec![rule(of(PacketKind::Pingreq), PacketAction::Duplicate { copies })]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    send(&mut device, &[&wire::PINGREQ.repeat(16)]).await;
    device.shutdown().await.unwrap();
    let got = to_the_end(&mut served).await;
    drop((device, served));
    let events = bench.stop().await;
    let told = altered(&events).len();
    assert_eq!(got.len(), 32 + told * 8_000_000);
    assert!((1..16).contains(&told), "{told}");
    find(&events, "refusal", |event| match &event.what {
        What::FaultRefused { error, .. } if error.contains("would wait in copies") => Some(()),
        _ => None,
    });
}
