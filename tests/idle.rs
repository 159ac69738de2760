//! A link on which nothing can move takes no processor time, whatever it waits for. In a process of its own, whose
//! time is measured.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::{Rate, Side, Span};
use brownout::event::{TlsMode, What};
use brownout::fault::{
    Bandwidth, Blackhole, Close, Connects, Delay, Ending, Fault, FidelityWanted, Forgotten, HandshakeFault,
    HandshakeStage, IdleTimeout, Latency, LegFate, Stall, TlsHandshake, Toward, WaysWanted,
};
use brownout::profile::{Rule, TlsPlan};
use common::{Bench, after_connack, at, connected, expect, plan, wire};
use std::time::Duration;
use tls::{Pki, accept, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WATCHED: Duration = Duration::from_millis(400);
const SOON: Duration = Duration::from_millis(150);

/// The most of it that may be processor time: a spinning task takes all.
const MOST: Duration = Duration::from_millis(100);

fn blackhole(fidelity: FidelityWanted, connects: Connects) -> Fault {
    let hold = Span::fixed(Duration::from_secs(60));
    Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward: Toward::Both,
        hold,
        fidelity,
        connects,
    })
}

/// Writes until nothing is taken any more.
async fn fill(stream: &mut (impl AsyncWriteExt + Unpin)) {
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

/// So often it is looked: on a slow machine what was written may still be on its way. A task that spins does so each time.
const LOOKS: usize = 8;

async fn rests(what: &str) {
    let mut all = Vec::new();
    for _ in 0..LOOKS {
        tokio::time::sleep(SOON).await;
        let before = used();
        tokio::time::sleep(WATCHED).await;
        all.push(used() - before);
        println!("{what}: {all:?} in {WATCHED:?}");
        if all.last() <= Some(&MOST) {
            return;
        }
    }
    panic!("{what}: {all:?} of processor time in {WATCHED:?}");
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
        let rule = after_connack("dark", SOON, blackhole(fidelity, Connects::Allow));
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
    let (bench, hub, mut device, mut served) =
        linked(vec![after_connack("slow", SOON, Fault::Latency(slow))]).await;
    applied(&bench).await;
    fill(&mut device).await;
    served.write_all(&wire::PINGRESP).await.unwrap();
    rests("full lanes whose bytes are late").await;
    served.shutdown().await.unwrap();
    rests("and a FIN that is late").await;
    drop((bench, hub, served, device));

    // Bytes at a rate and a link that is watched, and then forgotten.
    let bandwidth = Bandwidth { rate: Rate::from_bits(8).unwrap(), direction: WaysWanted::Up, hold: None };
    let after = Span::fixed(Duration::from_millis(300));
    let idle = Fault::IdleTimeout(IdleTimeout { after, then: Forgotten::Vanish, hold: None });
    let rules = [("narrow", Fault::Bandwidth(bandwidth)), ("idle", idle)]
        .map(|(id, fault)| after_connack(id, SOON, fault));
    let (bench, hub, mut device, served) = linked(rules.to_vec()).await;
    applied(&bench).await;
    fill(&mut device).await;
    rests("a full lane that is emptied at a byte a second, on a link that is forgotten").await;
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
        let (bench, hub, device, mut served) = linked(vec![after_connack("rst", SOON, rst)]).await;
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

    tls_waits().await;
    tls_links_wait().await;
}

/// TLS on both legs.
fn both(pki: &Pki) -> TlsPlan {
    TlsPlan { hub_ca: Some(pki.ca_file()), ..pki.plan(TlsMode::Reoriginate) }
}

/// Handshakes that wait.
async fn tls_waits() {
    let pki = Pki::new();
    let (bench, hub) = tls::bench(plan(vec![]), both(&pki)).await;
    let device = TcpStream::connect(bench.address).await.unwrap();
    rests("a ClientHello that does not come").await;
    drop(device);
    let mut config = (*pki.device()).clone();
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let config = std::sync::Arc::new(config);
    let address = bench.address;
    let asked = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(config).connect(name, stream).await
    });
    rests("a device that waits for a hub that does not answer").await;
    asked.abort();
    let _ = asked.await;
    rests("and has given up").await;
    drop((bench, hub));

    for stage in [HandshakeStage::BeforeServerHello, HandshakeStage::AfterServerHello] {
        let hold = Span::fixed(Duration::from_secs(60));
        let stall = Fault::TlsHandshake(TlsHandshake { what: HandshakeFault::Stall(stage), hold });
        let (bench, hub) =
            tls::bench(plan(vec![at("stall", Duration::ZERO, stall)]), pki.plan(TlsMode::Terminate)).await;
        let (address, config) = (bench.address, pki.device());
        let stalled = tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            tokio_rustls::TlsConnector::from(config).connect(name, stream).await
        });
        applied(&bench).await;
        rests("a handshake that is stalled").await;
        stalled.abort();
        let _ = stalled.await;
        rests("and given up").await;
        drop((bench, hub));
    }
}

/// Links that are up and wait.
async fn tls_links_wait() {
    let pki = Pki::new();
    let secured = async |rules: Vec<Rule>| {
        let (bench, hub) = tls::bench(plan(rules), both(&pki)).await;
        let (config, acceptor) = (pki.device(), pki.hub(&["127.0.0.1"], &[]));
        let (device, served) = tokio::join!(connect(&bench, &config, "localhost"), accept(&hub, &acceptor));
        let (mut device, mut served) = (device.unwrap(), served);
        device.write_all(&wire::connect("d1", 60)).await.unwrap();
        expect(&mut served, &wire::connect("d1", 60)).await;
        served.write_all(&wire::CONNACK).await.unwrap();
        expect(&mut device, &wire::CONNACK).await;
        (bench, hub, device, served)
    };
    let (bench, hub, mut device, mut served) = secured(vec![]).await;
    rests("TLS on both legs").await;
    fill(&mut served).await;
    rests("and a device that does not read").await;
    fill(&mut device).await;
    served.get_mut().0.shutdown().await.unwrap();
    rests("nor a hub, which has said FIN").await;
    device.get_mut().0.set_zero_linger().unwrap();
    drop(device);
    bench
        .until("reset", |e| match &e.what {
            What::LegEnded { side: Side::Device, how, .. } => (*how == Ending::Reset).then_some(()),
            _ => None,
        })
        .await;
    rests("and a device that has reset").await;
    drop((bench, hub, served));

    let dark =
        Fault::Stall(Stall { direction: WaysWanted::Both, hold: Span::fixed(Duration::from_secs(60)) });
    let (bench, hub, mut device, mut served) = secured(vec![after_connack("dark", SOON, dark)]).await;
    // What the device has not taken by then waits behind TLS.
    tokio::join!(fill(&mut served), applied(&bench));
    rests("TLS in the dark").await;
    fill(&mut device).await;
    rests("with full lanes").await;
    device.get_mut().0.set_zero_linger().unwrap();
    drop(device);
    rests("and a device that has reset").await;
    drop((bench, hub, served));

    let passed = TlsPlan { mode: TlsMode::Passthrough, ..TlsPlan::default() };
    let (bench, hub) = tls::bench(plan(vec![]), passed).await;
    let (config, acceptor) = (pki.device(), pki.hub(&["localhost"], &[]));
    let (device, served) = tokio::join!(connect(&bench, &config, "localhost"), accept(&hub, &acceptor));
    rests("TLS that is passed through").await;
    drop((bench, hub, device, served));

    let (bench, hub) = common::bench(vec![]).await;
    let (mut device, mut served) = common::joined(&bench, &hub).await;
    let asks = b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
    device.write_all(asks).await.unwrap();
    expect(&mut served, asks).await;
    let agrees = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n";
    served.write_all(agrees).await.unwrap();
    expect(&mut device, agrees).await;
    rests("WebSocket").await;
    drop((bench, hub, device, served));
}
