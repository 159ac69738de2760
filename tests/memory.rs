//! Constant memory, measured in a process of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::event::{Packet, What};
use common::{bench, connected, expect, wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_publish_of_256_mb_passes_in_constant_memory() {
    const PAYLOAD: usize = 268_435_455 - 3;
    let (bench, hub) = bench(vec![]).await;
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

/// Resident memory of this process in bytes (proc(5)).
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
