//! Packets of any size and in any pieces: found, told and passed on, and rules that wait for them fire.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::{Direction, Span};
use brownout::event::{Packet, What};
use brownout::fault::{Close, Fault, LegFate, Toward};
use brownout::mqtt::PacketKind;
use brownout::profile::{Rule, When};
use common::{at, bench, connected, count, expect, find, joined, wire};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A rule that resets the device after its first PUBLISH, at once.
fn rst_after_publish() -> Rule {
    let rst = Fault::Rst(Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false });
    let when =
        When::After { packet: PacketKind::Publish, nth: 1, delay: Span::fixed(Duration::ZERO), times: 1 };
    Rule { when, ..at("rst", Duration::ZERO, rst) }
}

/// A PUBLISH in two pieces is announced with the first, and is there with the second.
#[tokio::test]
async fn a_rule_that_waits_for_a_publish_sees_one_that_comes_in_pieces() {
    for pieces in [[7, 2], [4, 5], [3, 6]] {
        let (bench, hub) = bench(vec![rst_after_publish()]).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        let publish = *b"\x30\x07\x00\x01thell";
        device.write_all(&publish[..pieces[0]]).await.unwrap();
        expect(&mut served, &publish[..pieces[0]]).await;
        device.write_all(&publish[pieces[0]..]).await.unwrap();
        expect(&mut served, &publish[pieces[0]..]).await;
        let mut rest = [0; 1];
        let told = tokio::time::timeout(Duration::from_secs(30), device.read(&mut rest)).await;
        assert!(told.expect("no reset in 30 s").is_err());
        let events = bench.stop().await;
        assert_eq!(
            count(&events, |what| matches!(what, What::Packet { packet: Packet::Publish { .. }, .. })),
            1
        );
    }
}

/// The longest CONNECT there can be is longer than the head that is kept of a packet.
#[tokio::test]
async fn a_connect_of_300_kb_names_its_device() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    let mut body = b"\x00\x04MQTT\x04\xc6\x00\x3c\x00\x03big".to_vec();
    for _ in 0..4 {
        body.extend(65_535u16.to_be_bytes());
        body.extend([b'x'; 65_535]);
    }
    let mut connect = vec![0x10];
    let mut length = body.len();
    while length > 0 {
        let more = if length > 127 { 0x80 } else { 0 };
        connect.push(u8::try_from(length & 0x7f).unwrap() | more);
        length >>= 7;
    }
    connect.extend(body);
    let sent = connect.clone();
    let sender = tokio::spawn(async move {
        device.write_all(&sent).await.unwrap();
        device
    });
    expect(&mut served, &connect).await;
    let mut device = sender.await.unwrap();
    served.write_all(&wire::CONNACK).await.unwrap();
    expect(&mut device, &wire::CONNACK).await;
    let events = bench.stop().await;
    let name = find(&events, "name", |e| match &e.what {
        What::DeviceNamed { name, .. } => Some(name.clone()),
        _ => None,
    });
    assert_eq!(name, "big");
    let up = count(&events, |what| matches!(what, What::Packet { direction: Direction::Up, .. }));
    assert_eq!(up, 1);
}
