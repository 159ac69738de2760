//! A link on which nothing can move takes no processor time, whatever it waits for. In a process of its own, whose
//! time is measured.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::Span;
use brownout::event::What;
use brownout::fault::{
    Blackhole, Close, Connects, Delay, Fault, FidelityWanted, Latency, LegFate, Toward, WaysWanted,
};
use brownout::profile::Rule;
use common::{Bench, at, connected, wire};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WATCHED: Duration = Duration::from_millis(400);
const SOON: Duration = Duration::from_millis(150);

/// The most of it that may be processor time: a spinning task takes all.
const MOST: Duration = Duration::from_millis(100);

fn blackhole(fidelity: FidelityWanted, connects: Connects) -> Fault {
    let hold = Span::fixed(Duration::from_secs(60));
    Fault::Blackhole(Blackhole { toward: Toward::Both, hold, fidelity, connects })
}

/// Writes until nothing is taken any more.
async fn fill(stream: &mut TcpStream) {
    let chunk = vec![0x55; 100_000];
    while let Ok(written) = tokio::time::timeout(SOON, stream.write(&chunk)).await {
        written.unwrap();
    }
}

async fn applied(bench: &Bench) {
    bench.until("applied fault", |e| matches!(e.what, What::FaultApplied { .. }).then_some(())).await;
}

/// The processor time of this process so far (proc(5)).
fn used() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

async fn rests(what: &str) {
    tokio::time::sleep(SOON).await;
    let before = used();
    tokio::time::sleep(WATCHED).await;
    let took = used() - before;
    println!("{what}: {took:?} in {WATCHED:?}");
    assert!(took <= MOST, "{what}: {took:?} of processor time in {WATCHED:?}");
}

async fn linked(rules: Vec<Rule>) -> (Bench, TcpListener, TcpStream, TcpStream) {
    let (bench, hub) = common::bench(rules).await;
    let (device, served) = connected(&bench, &hub).await;
    (bench, hub, device, served)
}

#[tokio::test]
async fn waiting_takes_no_processor_time() {
    let (bench, hub, device, served) = linked(vec![]).await;
    rests("an idle link").await;
    drop((bench, hub, device, served));

    let (bench, hub, mut device, served) = linked(vec![]).await;
    fill(&mut device).await;
    rests("a hub that does not read").await;
    device.shutdown().await.unwrap();
    rests("and a device that has said FIN behind it").await;
    drop((bench, hub, served, device));

    for fidelity in [FidelityWanted::Stall, FidelityWanted::Packet] {
        let rule = at("dark", SOON, blackhole(fidelity, Connects::Allow));
        let (bench, hub, mut device, mut served) = linked(vec![rule]).await;
        applied(&bench).await;
        fill(&mut device).await;
        fill(&mut served).await;
        rests("lanes full behind a closed gate").await;
        device.shutdown().await.unwrap();
        rests("and a FIN behind them").await;
        served.set_zero_linger().unwrap();
        drop(served);
        rests("and a RST").await;
        drop((bench, hub, device));
    }

    let slow =
        Latency { direction: WaysWanted::Both, delay: Delay::fixed(Duration::from_secs(30)), hold: None };
    let (bench, hub, mut device, mut served) = linked(vec![at("slow", SOON, Fault::Latency(slow))]).await;
    applied(&bench).await;
    fill(&mut device).await;
    served.write_all(&wire::PINGRESP).await.unwrap();
    rests("full lanes whose bytes are late").await;
    served.shutdown().await.unwrap();
    rests("and a FIN that is late").await;
    drop((bench, hub, served, device));

    let (bench, hub, mut device, mut served) = linked(vec![]).await;
    device.shutdown().await.unwrap();
    assert_eq!(served.read(&mut [0; 1]).await.unwrap(), 0);
    rests("a half-closed link").await;
    fill(&mut served).await;
    rests("whose device does not read").await;
    drop((bench, hub, served, device));

    for other in [LegFate::HalfOpen, LegFate::Close] {
        let rst = Fault::Rst(Close { toward: Toward::Device, other, close_notify: false });
        let (bench, hub, device, mut served) = linked(vec![at("rst", SOON, rst)]).await;
        bench.until("cut", |e| matches!(e.what, What::LegCut { .. }).then_some(())).await;
        if other == LegFate::HalfOpen {
            served.write_all(&wire::PINGRESP).await.unwrap();
        }
        rests("a leg that was cut").await;
        drop((bench, hub, served, device));
    }

    let (bench, hub) =
        common::bench(vec![at("dark", Duration::ZERO, blackhole(FidelityWanted::Stall, Connects::Silence))])
            .await;
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    fill(&mut device).await;
    rests("a connect met with silence").await;
    drop((bench, hub, device));
}
