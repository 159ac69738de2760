//! Faults of TCP, on the wire: rates, slices, loss, refused connects, cuts after so many bytes, half-closed ends, links
//! that are forgotten, and another client with the device's name.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::{Chance, Direction, Rate, Side, Span};
use brownout::event::{Event, RivalNews, TlsMode, What};
use brownout::fault::{
    Bandwidth, Blackhole, Close, Connects, CutAfter, Ending, Fault, FidelityWanted, Forgotten, HalfClose,
    IdleTimeout, LegFate, Loss, Mechanism, Refusal, Refuse, Slice, Stall, Takeover, Toward, WaysWanted,
};
use brownout::net::sys::info::tcp_info;
use brownout::profile::TlsPlan;
use common::machine::Machine;
use common::{Bench, after_connack, at, bench, connected, count, expect, find, wire};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tls::Pki;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const NOW: Duration = Duration::ZERO;
/// Longer than what has to come takes on a busy machine.
const SOON: Duration = Duration::from_secs(25);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn close(toward: Toward, other: LegFate) -> Close {
    Close { toward, other, close_notify: true }
}

async fn applied(bench: &Bench) -> Vec<Option<Mechanism>> {
    bench
        .until("applied fault", |event| match &event.what {
            What::FaultApplied { means, .. } => Some(vec![means.device, means.hub]),
            _ => None,
        })
        .await
}

/// A PUBLISH of QoS 0 that is `bytes` long.
fn publish(bytes: usize) -> Vec<u8> {
    let body = bytes - 4;
    let seven = |shift: usize, more: usize| u8::try_from(body >> shift & 0x7F | more).unwrap();
    let mut packet = vec![0x30, seven(0, 0x80), seven(7, 0x80), seven(14, 0)];
    packet.extend(b"\x00\x01t");
    packet.resize(bytes, b'.');
    packet
}

/// What comes until the stream ends, and how it ends.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Result<(), ErrorKind>) {
    let mut came = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut came)).await.expect("an end");
    (came, read.map(drop).map_err(|error| error.kind()))
}

async fn closed(bench: &Bench) {
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
}

#[tokio::test]
async fn bytes_pass_at_the_rate_and_the_other_way_as_fast_as_they_come() {
    let rate: Rate = "160kbit/s".parse().unwrap();
    let slow = Fault::Bandwidth(Bandwidth { rate, direction: WaysWanted::Up, hold: None });
    let (bench, hub) = bench(vec![at("slow", NOW, slow)]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    assert_eq!(applied(&bench).await, [Some(Mechanism::Shaper), None]);
    // 20,000 bytes a second.
    let packet = publish(30_000);
    let (machine, began) = (Machine::watched(), Instant::now());
    device.write_all(&packet).await.unwrap();
    served.write_all(&packet).await.unwrap();
    expect(&mut device, &packet).await;
    let down = began.elapsed();
    let mut half = vec![0; 15_000];
    served.read_exact(&mut half).await.unwrap();
    let at_half = began.elapsed();
    served.read_exact(&mut half).await.unwrap();
    let took = began.elapsed();
    let late = machine.late().all;
    assert!(down < ms(700) + late, "down: {down:?}");
    assert!(took >= ms(1_480) && took <= ms(1_800) + late, "{took:?}");
    assert!(at_half >= ms(730) && at_half <= ms(1_050) + late, "evenly: {at_half:?}");
    bench.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_rate_goes_at_once_when_it_is_lifted() {
    let rate: Rate = "800bit/s".parse().unwrap();
    let hold = Some(Span::fixed(ms(600)));
    let slow = Fault::Bandwidth(Bandwidth { rate, direction: WaysWanted::Both, hold });
    let (bench, hub) = bench(vec![after_connack("slow", ms(100), slow)]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    applied(&bench).await;
    let packet = publish(100_000);
    device.write_all(&packet).await.unwrap();
    device.shutdown().await.unwrap();
    let (came, how) = rest(&mut served).await;
    assert!(came == packet && how.is_ok(), "in order, with its end");
    bench.stop().await;
}

#[tokio::test]
async fn slices_are_segments_with_a_gap_between_them() {
    let slice = |gap| Fault::Slice(Slice { size: 3, gap, direction: WaysWanted::Up, hold: None });
    let (bench, hub) = bench(vec![at("sliced", NOW, slice(ms(30)))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    applied(&bench).await;
    let (before, began) = (tcp_info(&served).unwrap().segments_in, Instant::now());
    device.write_all(&publish(20)).await.unwrap();
    let mut came = Vec::new();
    while came.len() < 20 {
        let mut buffer = [0; 100];
        let read = served.read(&mut buffer).await.unwrap();
        came.extend_from_slice(&buffer[..read]);
        // Whoever reads late finds several slices, and all of each.
        assert!(came.len() % 3 == 0 || came.len() == 20, "{} bytes", came.len());
    }
    assert_eq!(came, publish(20));
    assert!(began.elapsed() >= ms(180), "{:?}", began.elapsed());
    let segments = tcp_info(&served).unwrap().segments_in - before;
    assert!(segments >= 7, "{segments} segments for 7 slices");
    bench.stop().await;
}

#[tokio::test]
async fn slices_without_a_gap_are_segments_of_their_own() {
    let slice = Slice { size: 10, gap: Duration::ZERO, direction: WaysWanted::Up, hold: None };
    let (bench, hub) = bench(vec![at("sliced", NOW, Fault::Slice(slice))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    applied(&bench).await;
    let before = tcp_info(&served).unwrap().segments_in;
    device.write_all(&publish(1_000)).await.unwrap();
    expect(&mut served, &publish(1_000)).await;
    let came = tcp_info(&served).unwrap().segments_in - before;
    assert!(came >= 100, "{came} segments for 100 slices");
    bench.stop().await;
}

#[tokio::test]
async fn a_link_ends_after_exactly_so_many_bytes() {
    for (ending, expected) in [(LegFate::Reset, Err(ErrorKind::ConnectionReset)), (LegFate::Close, Ok(()))] {
        let connect = wire::connect("d1", 60).len();
        let cut = CutAfter {
            bytes: 50_001,
            direction: Direction::Up,
            ending,
            close: close(Toward::Both, ending),
            hold: None,
        };
        let (bench, hub) = bench(vec![at("cut", NOW, Fault::CutAfter(cut))]).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        let _ = device.write_all(&publish(120_000)).await;
        let (came, how) = rest(&mut served).await;
        // The budget holds from the CONNECT on, which names the device.
        assert_eq!(came.len() + connect, 50_001, "{ending:?}");
        assert!(publish(120_000).starts_with(&came));
        assert_eq!(how, expected);
        assert_eq!(rest(&mut device).await, (Vec::new(), expected));
        drop((device, served));
        closed(&bench).await;
        let events = bench.stop().await;
        assert_eq!(count(&events, |what| matches!(what, What::LegCut { window: Some(_), .. })), 2);
    }
}

/// A hub that reads a little at a time: what it has not been sent yet goes before the reset, which would keep it from it. One
/// that reads nothing is not waited for.
#[tokio::test]
async fn what_a_budget_lets_pass_is_sent_before_the_reset_unless_it_is_not_taken() {
    let bytes = 1_500_001;
    let ending = LegFate::Reset;
    let close = close(Toward::Both, ending);
    let cut = CutAfter { bytes, direction: Direction::Up, ending, close, hold: None };
    for reads in [true, false] {
        // The room is inherited by what it accepts.
        let hub = TcpSocket::new_v4().unwrap();
        hub.set_recv_buffer_size(64 * 1024).unwrap();
        hub.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let hub = hub.listen(8).unwrap();
        let plan = common::plan(vec![at("cut", NOW, Fault::CutAfter(cut))]);
        let bench = Bench::start(plan, hub.local_addr().unwrap()).await;
        hub.accept().await.unwrap();
        let (mut device, mut served) = connected(&bench, &hub).await;
        // Some of it at least is not taken at once.
        let sending = tokio::spawn(async move {
            let _ = device.write_all(&publish(2_000_000)).await;
            rest(&mut device).await
        });
        if reads {
            let (came, how) = rest(&mut served).await;
            let connect = wire::connect("d1", 60).len();
            assert_eq!((came.len() + connect, how), (1_500_001, Err(ErrorKind::ConnectionReset)));
        }
        assert_eq!(sending.await.unwrap(), (Vec::new(), Err(ErrorKind::ConnectionReset)));
        drop(served);
        closed(&bench).await;
        bench.stop().await;
    }
}

/// What TLS has sealed goes before the reset, and no more of it.
#[tokio::test]
async fn with_tls_a_link_ends_after_exactly_so_many_bytes_too() {
    let pki = Pki::new();
    let (bytes, direction, ending) = (50_001, Direction::Down, LegFate::Reset);
    let cut = CutAfter { bytes, direction, ending, close: close(Toward::Both, ending), hold: None };
    let plan = common::plan(vec![at("cut", NOW, Fault::CutAfter(cut))]);
    let (bench, hub) = tls::bench(plan, pki.plan(TlsMode::Terminate)).await;
    let mut device = tls::connect(&bench, &pki.device(), "localhost").await.unwrap();
    let connect = wire::connect("d1", 60);
    device.write_all(&connect).await.unwrap();
    let mut served = hub.accept().await.unwrap().0;
    expect(&mut served, &connect).await;
    let said = [&wire::CONNACK[..], &publish(120_000)].concat();
    let _ = served.write_all(&said).await;
    let mut came = Vec::new();
    let end = tokio::time::timeout(SOON, device.read_to_end(&mut came)).await.expect("an end").unwrap_err();
    assert_eq!((came.len(), end.kind()), (50_001, ErrorKind::ConnectionReset));
    assert!(said.starts_with(&came));
    bench.stop().await;
}

#[tokio::test]
async fn connects_are_refused_and_links_go_on() {
    let refuse = Refuse { how: Refusal::Closed, hold: Span::fixed(ms(2_500)) };
    let (bench, hub) = bench(vec![at("closed", ms(1_500), Fault::Refuse(refuse))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let means = bench
        .until("closed door", |event| match &event.what {
            What::ListenerMuted { mechanism, .. } => Some(*mechanism),
            _ => None,
        })
        .await;
    assert_eq!(means, Mechanism::Closed);
    for _ in 0..3 {
        let error = TcpStream::connect(bench.address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    device.write_all(&wire::PINGREQ).await.unwrap();
    expect(&mut served, &wire::PINGREQ).await;
    bench.until("open door", |e| matches!(e.what, What::ListenerUnmuted { .. }).then_some(())).await;
    connected(&bench, &hub).await;
    connected(&bench, &hub).await;
    let events = bench.stop().await;
    assert_eq!(count(&events, |what| matches!(what, What::AcceptFailed { .. })), 0);
}

#[tokio::test]
async fn an_end_that_is_told_fin_goes_on_speaking() {
    for toward in Side::BOTH {
        let (bench, hub) =
            bench(vec![after_connack("half", ms(100), Fault::HalfClose(HalfClose { toward }))]).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        let means = applied(&bench).await;
        let side = usize::from(toward == Side::Hub);
        assert_eq!(means[side], Some(Mechanism::HalfShut), "{toward:?}");
        let (told, other) = match toward {
            Side::Device => (&mut device, &mut served),
            Side::Hub => (&mut served, &mut device),
        };
        assert_eq!(told.read(&mut [0; 1]).await.unwrap(), 0);
        told.write_all(&wire::PINGREQ).await.unwrap();
        expect(other, &wire::PINGREQ).await;
        other.write_all(&wire::PINGRESP).await.unwrap();
        tokio::time::sleep(ms(50)).await;
        told.shutdown().await.unwrap();
        assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0, "its own FIN is carried");
        other.shutdown().await.unwrap();
        closed(&bench).await;
        let events = bench.stop().await;
        let undelivered = find(&events, "closed link", |event| match &event.what {
            What::LinkClosed { undelivered, .. } => Some(*undelivered),
            _ => None,
        });
        assert_eq!(*undelivered.get(toward.other().sends()), 2);
    }
}

/// The end that was told nothing goes first.
#[tokio::test]
async fn a_half_closed_link_ends_whoever_goes() {
    let half = Fault::HalfClose(HalfClose { toward: Side::Device });
    let (bench, hub) = bench(vec![after_connack("half", ms(100), half)]).await;
    let (mut device, served) = connected(&bench, &hub).await;
    applied(&bench).await;
    drop(served);
    assert_eq!(device.read(&mut [0; 1]).await.unwrap(), 0);
    drop(device);
    closed(&bench).await;
    bench.stop().await;
}

#[tokio::test]
async fn lost_segments_are_sent_again() {
    let chance = Chance::new(0.2).unwrap();
    let loss = Fault::Loss(Loss { toward: Toward::Device, chance, hold: None });
    let (bench, hub) = bench(vec![at("lossy", NOW, loss)]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let answer = bench.until("an answer", answer_to_loss).await;
    if let Err(error) = answer {
        println!("SKIPPED: {error}");
        assert!(error.contains("CAP_NET_ADMIN"), "{error}");
        return drop(bench.stop().await);
    }
    // One segment for each packet, as long as the one before was acknowledged.
    for _ in 0..100 {
        device.write_all(&wire::PINGREQ).await.unwrap();
        expect(&mut served, &wire::PINGREQ).await;
    }
    let again = tcp_info(&device).unwrap().total_retransmits;
    // 25 are expected of 100 at 20 % (n p / (1 - p)), with a deviation of 5.6; the rest is for needless repairs.
    assert!((5..=70).contains(&again), "{again} retransmissions");
    bench.stop().await;
}

fn answer_to_loss(event: &Event) -> Option<Result<(), String>> {
    match &event.what {
        What::FaultApplied { means, .. } => {
            assert_eq!(means.device, Some(Mechanism::RandomFilter));
            Some(Ok(()))
        }
        What::FaultRefused { error, .. } => Some(Err(error.clone())),
        _ => None,
    }
}

fn idle_after(after: Duration, then: Forgotten) -> Fault {
    Fault::IdleTimeout(IdleTimeout { after: Span::fixed(after), then, hold: None })
}

#[tokio::test]
async fn whoever_sends_on_a_forgotten_link_is_reset() {
    let (bench, hub) = bench(vec![at("nat", NOW, idle_after(ms(2_000), Forgotten::Reset))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    // What passes keeps it alive, for longer than it would live in silence.
    for _ in 0..4 {
        tokio::time::sleep(ms(600)).await;
        device.write_all(&wire::PINGREQ).await.unwrap();
        expect(&mut served, &wire::PINGREQ).await;
    }
    tokio::time::sleep(ms(2_300)).await;
    device.write_all(&wire::PINGREQ).await.unwrap();
    assert_eq!(rest(&mut device).await, (Vec::new(), Err(ErrorKind::ConnectionReset)));
    let silent = tokio::time::timeout(ms(200), served.read(&mut [0; 1])).await;
    assert!(silent.is_err(), "the other end hears nothing: {silent:?}");
    served.write_all(&wire::PINGRESP).await.unwrap();
    assert_eq!(rest(&mut served).await, (Vec::new(), Err(ErrorKind::ConnectionReset)));
    closed(&bench).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_is_sent_on_a_forgotten_link_vanishes() {
    let (bench, hub) = bench(vec![at("nat", NOW, idle_after(ms(1_500), Forgotten::Vanish))]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    tokio::time::sleep(ms(1_800)).await;
    device.write_all(&wire::PINGREQ).await.unwrap();
    let silent = tokio::time::timeout(ms(300), served.read(&mut [0; 1])).await;
    assert!(silent.is_err(), "{silent:?}");
    // Once both have given it up, nothing is left of it.
    device.shutdown().await.unwrap();
    served.shutdown().await.unwrap();
    closed(&bench).await;
    // New links pass.
    connected(&bench, &hub).await;
    bench.stop().await;
}

/// Whoever is not known yet is kept from the hub while a fault holds another device; its CONNECT shows who it is, in however
/// many reads it comes.
#[tokio::test]
async fn a_connect_in_pieces_shows_that_a_fault_is_of_another() {
    let hold = Span::fixed(Duration::from_secs(50));
    let (direction, toward) = (WaysWanted::Both, Toward::Both);
    let (fidelity, connects) = (FidelityWanted::Stall, Connects::Silence);
    let dark = Blackhole { direction, toward, hold, fidelity, connects };
    let (bench, hub) = bench(vec![after_connack("dark", NOW, Fault::Blackhole(dark))]).await;
    let (_dark, _served) = connected(&bench, &hub).await;
    applied(&bench).await;
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    device.set_nodelay(true).unwrap();
    let connect = wire::connect("d2", 60);
    for piece in connect.chunks(3) {
        device.write_all(piece).await.unwrap();
        tokio::time::sleep(ms(30)).await;
    }
    let accepted = tokio::time::timeout(SOON, hub.accept()).await.expect("the hub is dialled");
    expect(&mut accepted.unwrap().0, &connect).await;
    bench.stop().await;
}

/// A FIN that waits behind a fault is not carried to an end that a cut has left open: it hears nothing any more.
#[tokio::test]
async fn an_end_that_waits_is_not_carried_behind_a_cut() {
    let stall = Fault::Stall(Stall { direction: WaysWanted::Up, hold: Span::fixed(ms(3_000)) });
    let rst = Fault::Rst(close(Toward::Device, LegFate::HalfOpen));
    let rules = vec![after_connack("stall", NOW, stall), after_connack("rst", ms(1_500), rst)];
    let (bench, hub) = bench(rules).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    applied(&bench).await;
    device.shutdown().await.unwrap();
    let left = bench
        .until("cut", |event| match &event.what {
            What::LegCut { side: Side::Hub, fate, .. } => Some(*fate),
            _ => None,
        })
        .await;
    assert_eq!(left, LegFate::HalfOpen);
    let silent = tokio::time::timeout(ms(3_000), served.read(&mut [0; 1])).await;
    assert!(silent.is_err(), "{silent:?}");
    drop(served);
    closed(&bench).await;
    let events = bench.stop().await;
    assert_eq!(count(&events, |what| matches!(what, What::EndCarried { .. })), 0);
}

fn news(event: &Event) -> Option<RivalNews> {
    if let What::Rival { news, .. } = &event.what { Some(news.clone()) } else { None }
}

#[tokio::test]
async fn another_client_comes_with_the_devices_connect() {
    let takeover = Takeover { hold: Span::fixed(ms(3_000)), again: Some(ms(100)) };
    let (bench, hub) = bench(vec![after_connack("rival", ms(100), Fault::Takeover(takeover))]).await;
    let (_device, _served) = connected(&bench, &hub).await;
    let connect = wire::connect("d1", 60);
    let mut first = hub.accept().await.unwrap().0;
    expect(&mut first, &connect).await;
    first.write_all(&wire::CONNACK).await.unwrap();
    bench.until("acceptance", |event| news(event).filter(|news| *news == RivalNews::Accepted)).await;
    drop(first);
    bench
        .until("end", |event| news(event).filter(|news| *news == RivalNews::Ended { how: Ending::Fin }))
        .await;
    let mut second = hub.accept().await.unwrap().0;
    expect(&mut second, &connect).await;
    second.write_all(&[0x20, 2, 0, 5]).await.unwrap();
    bench.until("refusal", |event| news(event).filter(|news| *news == RivalNews::Refused { code: 5 })).await;
    let mut third = hub.accept().await.unwrap().0;
    expect(&mut third, &connect).await;
    third.write_all(&wire::CONNACK).await.unwrap();
    let (said, how) = rest(&mut third).await;
    assert_eq!((said.as_slice(), how), (&wire::DISCONNECT[..], Ok(())));
    bench.until("leave", |event| news(event).filter(|news| *news == RivalNews::Left)).await;
    bench.stop().await;
}

/// The other client meets the hub on the terms of its listener.
#[tokio::test]
async fn another_client_comes_over_tls_where_the_hub_has_that() {
    let pki = Pki::new();
    let takeover = Takeover { hold: Span::fixed(ms(3_000)), again: None };
    let plan = common::plan(vec![after_connack("rival", ms(100), Fault::Takeover(takeover))]);
    let terms = TlsPlan { mode: TlsMode::Originate, hub_ca: Some(pki.ca_file()), ..TlsPlan::default() };
    let (bench, hub) = tls::bench(plan, terms).await;
    let acceptor = pki.hub(&["127.0.0.1"], &[]);
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    let connect = wire::connect("d1", 60);
    device.write_all(&connect).await.unwrap();
    let mut served = tls::accept(&hub, &acceptor).await;
    expect(&mut served, &connect).await;
    served.write_all(&wire::CONNACK).await.unwrap();
    expect(&mut device, &wire::CONNACK).await;
    let mut rival = tls::accept(&hub, &acceptor).await;
    expect(&mut rival, &connect).await;
    rival.write_all(&wire::CONNACK).await.unwrap();
    let mut said = Vec::new();
    rival.read_to_end(&mut said).await.expect("close_notify before FIN");
    assert_eq!(said, wire::DISCONNECT);
    bench.until("leave", |event| news(event).filter(|news| *news == RivalNews::Left)).await;
    bench.stop().await;
}

/// The run does not wait for a rival, and the log ends with its end.
#[tokio::test]
async fn a_rival_ends_with_the_run() {
    let takeover = Takeover { hold: Span::fixed(Duration::from_secs(60)), again: None };
    let (bench, hub) = bench(vec![after_connack("rival", ms(100), Fault::Takeover(takeover))]).await;
    let (_device, _served) = connected(&bench, &hub).await;
    let mut rival = hub.accept().await.unwrap().0;
    expect(&mut rival, &wire::connect("d1", 60)).await;
    rival.write_all(&wire::CONNACK).await.unwrap();
    bench.until("acceptance", |event| news(event).filter(|news| *news == RivalNews::Accepted)).await;
    let events = bench.stop().await;
    assert_eq!(rest(&mut rival).await, (wire::DISCONNECT.to_vec(), Ok(())));
    assert_eq!(events.iter().filter_map(news).next_back(), Some(RivalNews::Left));
    assert!(matches!(events.last().unwrap().what, What::RunEnded { .. }));
}
