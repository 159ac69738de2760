//! What no device should send: it passes as it came, is told in sane words, and harms nobody else.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::rand::{Key, draw};
use brownout::event::{Packet, What};
use common::{Bench, bench, connected, count, expect, joined, wire};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let words = u64::try_from(len / 8 + 1).unwrap();
    let word = |nth| draw(Key { seed, purpose: 3, subject: 3, nth }).to_le_bytes();
    let mut noise: Vec<u8> = (0..words).flat_map(word).collect();
    noise.truncate(len);
    noise
}

/// CONNECT of any client identifier.
fn connect(id: &[u8]) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x3c".to_vec();
    body.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
    body.extend(id);
    packet(0x10, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut packet, mut length) = (vec![first], body.len());
    loop {
        let more = if length > 127 { 0x80 } else { 0 };
        packet.push(u8::try_from(length & 0x7f).unwrap() | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// Sends up and down at once, and sees both arrive unchanged and the FIN behind each.
async fn passes(bench: &Bench, hub: &TcpListener, up: &[u8], down: &[u8]) {
    let (device, served) = joined(bench, hub).await;
    let send = async |stream: TcpStream, says: &[u8], hears: &[u8]| {
        let (mut reads, mut writes) = stream.into_split();
        let sends = async {
            writes.write_all(says).await.unwrap();
            writes.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let ((), read) = tokio::join!(sends, reads.read_to_end(&mut got));
        read.unwrap();
        assert!(got == hears, "other bytes than were sent: {says:?}");
    };
    tokio::join!(send(device, up, down), send(served, down, up));
}

#[tokio::test]
async fn any_bytes_pass_and_the_other_devices_do_not_notice() {
    let (bench, hub) = bench(vec![]).await;
    let (mut healthy, mut serves) = connected(&bench, &hub).await;
    let greeting = wire::connect("d2", 60);
    for seed in 0..120 {
        let len = usize::try_from(draw(Key { seed, purpose: 4, subject: 4, nth: 0 }) % 3_000).unwrap();
        let (up, down) = (noise(seed, len), noise(seed + 1_000, len / 2));
        // All noise; noise after a sound beginning; and noise that is of a packet's kind and length.
        let (up, down) = match seed % 3 {
            0 => (up, down),
            1 => ([greeting.clone(), up].concat(), [wire::CONNACK.to_vec(), down].concat()),
            _ => {
                let kinds = [0x10, 0x30, 0x32, 0x3d, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0];
                let of = |nth: usize, body: &[u8]| packet(kinds[nth % kinds.len()], body);
                let nth = usize::try_from(seed).unwrap() / 3;
                (
                    [greeting.clone(), of(nth, &up)].concat(),
                    [wire::CONNACK.to_vec(), of(nth + 5, &down)].concat(),
                )
            }
        };
        passes(&bench, &hub, &up, &down).await;
        healthy.write_all(&wire::PINGREQ).await.unwrap();
        expect(&mut serves, &wire::PINGREQ).await;
    }
    let events = bench.stop().await;
    sane(&events);
    assert_eq!(count(&events, |what| matches!(what, What::LinkClosed { .. })), 121);
}

/// Lines of the log are lines, and of a length that can be read.
fn sane(events: &[brownout::event::Event]) {
    for event in events {
        let told = event.to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
        let kept = serde_json::to_string(event).unwrap();
        assert!(!kept.chars().any(char::is_control), "{kept:?}");
        assert_eq!(&serde_json::from_str::<brownout::event::Event>(&kept).unwrap(), event);
    }
}

#[tokio::test]
async fn names_of_any_kind_are_told_in_sane_words() {
    let (bench, hub) = bench(vec![]).await;
    let names: [&[u8]; 8] = [
        b"\x1b[2J\x1b]0;owned\x07",
        b"\xff\xfe\x00\x80",
        b"a\r\nb",
        "\u{202e}gnp.exe\u{2028}".as_bytes(),
        &[b'x'; 60_000],
        b"",
        b"sig=secret",
        "\u{9b}31m".as_bytes(),
    ];
    for name in names {
        passes(&bench, &hub, &connect(name), &wire::CONNACK).await;
    }
    let events = bench.stop().await;
    sane(&events);
    assert_eq!(count(&events, |what| matches!(what, What::Packet { packet: Packet::Connect { .. }, .. })), 8);
    assert!(!events.iter().any(|event| event.to_string().contains("secret")));
}

#[tokio::test]
async fn ten_thousand_packets_in_one_piece_and_one_packet_in_a_hundred_pieces() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let crowd = wire::PINGREQ.repeat(10_000);
    device.write_all(&crowd).await.unwrap();
    expect(&mut served, &crowd).await;
    let publish = packet(0x30, &[&b"\x00\x01t"[..], &[7; 95]].concat());
    for byte in &publish {
        device.write_all(&[*byte]).await.unwrap();
        expect(&mut served, &[*byte]).await;
    }
    // A packet that never ends is there for as far as it goes.
    let broken = &packet(0x82, &[0; 5_000])[..3_000];
    device.write_all(broken).await.unwrap();
    device.shutdown().await.unwrap();
    expect(&mut served, broken).await;
    assert_eq!(served.read(&mut [0; 1]).await.unwrap(), 0);
    drop((device, served));
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
    let events = bench.stop().await;
    let pings = count(&events, |what| matches!(what, What::Packet { packet: Packet::Pingreq, .. }));
    assert_eq!(pings, 10_000);
    let packets: u64 = events
        .iter()
        .map(|event| if let What::Traffic(traffic) = &event.what { traffic.up.packets } else { 0 })
        .sum();
    // CONNECT, the crowd and the PUBLISH.
    assert_eq!(packets, 10_002);
}

/// A device that sends its CONNECT byte by byte, for ever, holds up nobody.
#[tokio::test]
async fn a_slow_device_is_nobody_elses_trouble() {
    let (bench, hub) = bench(vec![]).await;
    let (mut slow, mut served) = joined(&bench, &hub).await;
    for byte in &wire::connect("slow", 60)[..15] {
        slow.write_all(&[*byte]).await.unwrap();
        expect(&mut served, &[*byte]).await;
        let quick = tokio::time::timeout(Duration::from_secs(20), connected(&bench, &hub));
        quick.await.expect("another device waits");
    }
    bench.stop().await;
}
