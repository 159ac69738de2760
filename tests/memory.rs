//! Constant memory, measured in a process of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::{Rate, Span};
use brownout::event::{Packet, TlsMode, What};
use brownout::fault::lane::LANE_LIMIT;
use brownout::fault::{
    Bandwidth, Delay, Fault, Forgotten, IdleTimeout, Latency, PacketAction, PacketFault, PacketMatch,
    WaysWanted,
};
use brownout::mqtt::PacketKind;
use brownout::profile::{Rule, TlsPlan};
use common::{after_connack, at, bench, connected, connected_as, expect, wire};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_publish_of_256_mb_passes_in_constant_memory() {
    passes_in_constant_memory(vec![]).await;
}

/// Where faults look at each packet and at each byte: payload is not kept for them.
#[tokio::test]
async fn it_does_so_past_faults_that_leave_it_as_it_is() {
    let what = PacketMatch {
        packet: Some(PacketKind::Publish),
        topic: Some("nobodys/topic".into()),
        ..PacketMatch::EVERY
    };
    let action = PacketAction::Duplicate { copies: 3 };
    let rate = Rate::from_bits(50_000_000_000).unwrap();
    let idle =
        IdleTimeout { after: Span::fixed(Duration::from_secs(300)), then: Forgotten::Reset, hold: None };
    let rules = [
        Fault::Packets(PacketFault { what, action, hold: None }),
        Fault::Bandwidth(Bandwidth { rate, direction: WaysWanted::Both, hold: None }),
        Fault::IdleTimeout(idle),
    ];
    let rules = rules.into_iter().enumerate();
    passes_in_constant_memory(
        rules.map(|(nth, fault)| at(&format!("r{nth}"), Duration::ZERO, fault)).collect(),
    )
    .await;
}

async fn passes_in_constant_memory(rules: Vec<Rule>) {
    const PAYLOAD: usize = 268_435_455 - 3;
    let _alone = ALONE.lock().await;
    let (bench, hub) = bench(rules).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let before = resident();
    let sender = tokio::spawn(async move {
        device.write_all(b"\x30\xff\xff\xff\x7f\x00\x01t").await.unwrap();
        let chunk = vec![7u8; 1 << 20];
        let mut left = PAYLOAD;
        while left > 0 {
            let n = left.min(chunk.len());
            device.write_all(&chunk[..n]).await.unwrap();
            left -= n;
        }
        device.write_all(&wire::PINGREQ).await.unwrap();
        device
    });
    expect(&mut served, b"\x30\xff\xff\xff\x7f\x00\x01t").await;
    let mut buffer = vec![0; 1 << 20];
    let (mut left, mut highest) = (PAYLOAD, 0);
    while left > 0 {
        let limit = left.min(buffer.len());
        let n = served.read(&mut buffer[..limit]).await.unwrap();
        assert!(n > 0 && buffer[..n].iter().all(|b| *b == 7));
        left -= n;
        highest = highest.max(resident());
    }
    expect(&mut served, &wire::PINGREQ).await;
    drop(sender.await.unwrap());
    assert!(highest < before + (16 << 20), "grew from {before} to {highest} bytes");
    bench
        .until("PINGREQ found behind it", |e| {
            matches!(e.what, What::Packet { packet: Packet::Pingreq, .. }).then_some(())
        })
        .await;
    bench.stop().await;
}

/// A PUBLISH of QoS 0, with a payload of less than 64 KiB.
fn publish(payload: u16) -> Vec<u8> {
    let length = 3 + usize::from(payload);
    let digit = |shift: u32, more: u8| u8::try_from(length >> shift & 0x7f).unwrap() | more;
    [&[0x30, digit(0, 0x80), digit(7, 0x80), digit(14, 0)], &b"\x00\x01t"[..], &vec![b'p'; payload.into()]]
        .concat()
}

/// Devices that send as fast as they can through a latency of minutes: each link holds [`LANE_LIMIT`], and the sender waits.
#[tokio::test]
async fn what_a_latency_holds_is_bounded_for_each_link_and_the_sender_waits() {
    const LINKS: usize = 8;
    let _alone = ALONE.lock().await;
    let delay = Delay::fixed(Duration::from_secs(600));
    let latency = Latency { direction: WaysWanted::Both, delay, hold: None };
    let slow = after_connack("slow", Duration::from_millis(100), Fault::Latency(latency));
    let (bench, hub) = bench(vec![slow]).await;
    let mut links = Vec::new();
    for nth in 0..LINKS {
        links.push(connected_as(&bench, &hub, &format!("d{nth}")).await);
    }
    let mut slow = BTreeSet::new();
    bench
        .until("the latency on every link", |event| {
            if let What::FaultApplied { link, .. } = &event.what {
                slow.insert(*link);
            }
            (slow.len() == LINKS).then_some(())
        })
        .await;
    let before = resident();
    let (small, large) = (publish(60), publish(60_000));
    for (nth, (device, served)) in links.iter_mut().enumerate() {
        let packet = if nth % 2 == 0 { &small } else { &large };
        let packets = packet.repeat(100_000 / packet.len() + 1);
        let mut sent = 0;
        for end in [device, served] {
            // What the system's own buffers take is not ours. Twice nothing is no machine that was held up once.
            let mut nothing = 0;
            while nothing < 2 {
                match tokio::time::timeout(Duration::from_millis(250), end.write(&packets)).await {
                    Ok(written) => (sent, nothing) = (sent + written.unwrap(), 0),
                    Err(_) => nothing += 1,
                }
                assert!(sent < 256 << 20, "nobody waits");
            }
        }
        assert!(sent > LANE_LIMIT);
    }
    let grown = resident().saturating_sub(before) / LINKS;
    assert!(grown < LANE_LIMIT / 2 * 3, "{grown} bytes a link");
    drop(links);
    bench.stop().await;
}

/// One test at a time: what another takes would count as this one's.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn tls_on_both_legs_passes_64_mb_in_constant_memory_and_rests_in_little() {
    const PAYLOAD: usize = 64 << 20;
    let _alone = ALONE.lock().await;
    let pki = tls::Pki::new();
    let hub_ca = Some(pki.ca_file());
    let plan = TlsPlan { hub_ca, ..pki.plan(TlsMode::Reoriginate) };
    let (bench, hub) = tls::bench(common::plan(vec![]), plan).await;
    let (config, acceptor) = (pki.device(), pki.hub(&["127.0.0.1"], &[]));
    let join = async || {
        let (device, served) =
            tokio::join!(tls::connect(&bench, &config, "localhost"), tls::accept(&hub, &acceptor));
        (device.unwrap(), served)
    };
    let (mut device, mut served) = join().await;
    let before = resident();
    let sender = tokio::spawn(async move {
        let chunk = vec![7u8; 1 << 16];
        for _ in 0..PAYLOAD / chunk.len() {
            device.write_all(&chunk).await.unwrap();
        }
        device.flush().await.unwrap();
        device
    });
    // Tiny reads, so that the device is ahead all the time.
    let mut buffer = vec![0; 1 << 10];
    let (mut left, mut highest) = (PAYLOAD, 0);
    while left > 0 {
        let n = served.read(&mut buffer).await.unwrap();
        assert!(n > 0 && buffer[..n].iter().all(|b| *b == 7));
        left -= n;
        if left % (1 << 16) < n {
            highest = highest.max(resident());
        }
    }
    assert!(highest < before + (16 << 20), "grew from {before} to {highest} bytes");
    let first = sender.await.unwrap();
    let before = resident();
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(join().await);
    }
    let each = (resident().saturating_sub(before)) / idle.len();
    println!("{each} bytes an idle link with TLS on both legs, those of its device and hub among them");
    assert!(each < 96 << 10, "{each} bytes an idle link");
    drop((idle, first, served));
    bench.stop().await;
}

/// Resident memory of this process in bytes (proc(5)).
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
