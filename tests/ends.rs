//! Ends of links at awkward moments: carried as what they are, in order, and reported only where they happened.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::{Side, Span};
use brownout::event::{Event, What};
use brownout::fault::{
    Blackhole, Close, Connects, Delay, Ending, Fault, FidelityWanted, Latency, LegFate, Toward, WaysWanted,
};
use brownout::net::sys::info::tcp_info;
use brownout::net::sys::{TcpState, mute};
use common::machine::Machine;
use common::{Bench, after_connack, at, bench, connected, count, expect, find, hub, plan, wire};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NOW: Duration = Duration::ZERO;
/// Longer than what has to come takes on a busy machine.
const SOON: Duration = Duration::from_secs(25);

fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(SOON, stream.read(&mut [0; 1])).await;
    read.is_ok_and(|read| read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset))
}

/// Whether the connection goes for both directions. After a FIN, a read says the end of the stream for ever.
async fn goes(stream: &TcpStream) -> bool {
    for _ in 0..2_500 {
        if tcp_info(stream).unwrap().state == TcpState::Closed {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Both have come when they are read, so they leave as one; the other way stays open.
#[tokio::test]
async fn the_last_bytes_and_the_fin_behind_them_are_carried_together_and_half_close_stays_one() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    device.write_all(&wire::DISCONNECT).await.unwrap();
    device.shutdown().await.unwrap();
    let mut heard = Vec::new();
    served.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, wire::DISCONNECT);
    served.write_all(&wire::PINGRESP).await.unwrap();
    expect(&mut device, &wire::PINGRESP).await;
    drop(served);
    assert_eq!(device.read(&mut [0; 1]).await.unwrap(), 0);
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
    let events = bench.stop().await;
    let ends = events.iter().filter_map(|event| match &event.what {
        What::LegEnded { side, how, .. } => Some((*side, *how, true)),
        What::EndCarried { to, how, .. } => Some((*to, *how, false)),
        _ => None,
    });
    let (device, hub, fin) = (Side::Device, Side::Hub, Ending::Fin);
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [(device, fin, true), (hub, fin, false), (hub, fin, true), (device, fin, false)]
    );
}

/// Counts that say whether the hub is left unread, from this event on.
fn unread(since: u64, wanted: bool) -> impl FnMut(&Event) -> Option<u64> {
    move |event| match &event.what {
        What::Traffic(traffic) if event.seq >= since && traffic.unread.is_some() == wanted => Some(event.seq),
        _ => None,
    }
}

/// A device that does not read at first, and a hub that sends more than all sockets on the way hold; and the event that tells that
/// the hub is left unread.
async fn flooded() -> (Bench, TcpStream, TcpStream, u64) {
    const PUBLISHES: usize = 2_000;
    // QoS 0, topic t, 16 KiB in all behind the fixed header.
    let mut publish = vec![0x30, 0x80, 0x80, 0x01, 0, 1, b't'];
    publish.resize(4 + 16_384, 0);
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    let all = publish.len() * PUBLISHES;
    let flood = tokio::spawn(async move {
        for _ in 0..PUBLISHES {
            served.write_all(&publish).await.unwrap();
        }
        served
    });
    let seq = bench.until("a hub left unread", unread(0, true)).await;
    device.read_exact(&mut vec![0; all]).await.unwrap();
    (bench, device, flood.await.unwrap(), seq)
}

/// It is told that the hub is left unread, and with later counts that it is read again.
#[tokio::test]
async fn a_hub_is_left_unread_while_its_device_takes_no_more_and_that_is_told() {
    let (bench, mut device, mut served, seq) = flooded().await;
    // Counts are told a second apart.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    device.write_all(&wire::PINGREQ).await.unwrap();
    expect(&mut served, &wire::PINGREQ).await;
    bench.until("a hub read again", unread(seq, false)).await;
    bench.stop().await;
}

/// Before its end, lest that is taken for one that stood behind what was not read.
#[tokio::test]
async fn that_a_hub_is_read_again_is_told_before_its_end() {
    let (bench, _device, mut served, seq) = flooded().await;
    served.shutdown().await.unwrap();
    let hubs = |e: &Event| matches!(e.what, What::LegEnded { side: Side::Hub, .. }).then_some(e.seq);
    let ended = bench.until("end of the hub", hubs).await;
    let events = bench.stop().await;
    let told = events.iter().take_while(|event| event.seq < ended).filter_map(|event| match &event.what {
        What::Traffic(traffic) if event.seq >= seq => Some((traffic.unread, traffic.read_again)),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert!(told.last().is_some_and(|(unread, _)| unread.is_none()), "{told:?}");
    assert!(told.iter().any(|(_, read_again)| read_again.is_some()), "{told:?}");
}

/// The reset comes while nothing is read from the device any more.
#[tokio::test]
async fn a_reset_after_a_fin_is_carried_too() {
    for delay in [None, Some(Duration::from_millis(50))] {
        let latency = |delay| {
            Fault::Latency(Latency { direction: WaysWanted::Both, delay: Delay::fixed(delay), hold: None })
        };
        let (bench, hub) =
            bench(delay.map(|delay| at("slow", NOW, latency(delay))).into_iter().collect()).await;
        let (mut device, mut served) = connected(&bench, &hub).await;
        device.shutdown().await.unwrap();
        assert_eq!(served.read(&mut [0; 1]).await.unwrap(), 0);
        reset(device);
        assert!(goes(&served).await, "delay {delay:?}");
        bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
        bench.stop().await;
    }
}

/// As above, found by a write: the hub goes on speaking to a device that has gone.
#[tokio::test]
async fn a_reset_found_by_a_delayed_write_is_carried_behind_its_delay() {
    let latency = Fault::Latency(Latency {
        direction: WaysWanted::Both,
        delay: Delay::fixed(Duration::from_millis(50)),
        hold: None,
    });
    let (bench, hub) = bench(vec![at("slow", NOW, latency)]).await;
    let (device, mut served) = connected(&bench, &hub).await;
    // Closed whole: its TCP answers what comes from now on with RST.
    drop(device);
    assert_eq!(served.read(&mut [0; 1]).await.unwrap(), 0);
    served.write_all(&wire::PINGRESP).await.unwrap();
    assert!(goes(&served).await);
    bench.stop().await;
}

/// A hub that says why, and resets because of what it did not read: the reason still arrives, as it would without us.
#[tokio::test]
async fn what_the_hub_said_before_its_reset_is_passed_on_though_a_write_found_the_reset() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, served) = connected(&bench, &hub).await;
    // All in one go, so that the link finds the device's packet and the hub's reset at once.
    served.try_write(&wire::DISCONNECT).unwrap();
    reset(served);
    device.try_write(&wire::PINGREQ).unwrap();
    expect(&mut device, &wire::DISCONNECT).await;
    assert!(is_reset(&mut device).await);
    let events = bench.stop().await;
    let ended =
        count(&events, |what| matches!(what, What::LegEnded { side: Side::Hub, how: Ending::Reset, .. }));
    assert_eq!(ended, 1);
}

#[tokio::test]
async fn a_leg_left_half_open_can_be_closed_later() {
    let rst = Fault::Rst(Close { toward: Toward::Device, other: LegFate::HalfOpen, close_notify: true });
    let fin = Fault::Fin(Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true });
    let ms = Duration::from_millis;
    let rules = vec![after_connack("rst", ms(100), rst), after_connack("fin", ms(300), fin)];
    let (bench, hub) = bench(rules).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    assert!(is_reset(&mut device).await);
    let (machine, began) = (Machine::watched(), Instant::now());
    let read = tokio::time::timeout(SOON, served.read(&mut [0; 1])).await;
    assert_eq!(read.expect("FIN was told and not sent").unwrap(), 0);
    // Well before the leg has been heard out, which would say FIN too.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1) + machine.late().all, "{took:?}");
    let events = bench.stop().await;
    let fates: Vec<_> = events
        .iter()
        .filter_map(|e| match e.what {
            What::LegCut { side, fate, .. } => Some((side, fate)),
            _ => None,
        })
        .collect();
    let wanted =
        [(Side::Device, LegFate::Reset), (Side::Hub, LegFate::HalfOpen), (Side::Hub, LegFate::Close)];
    assert_eq!(fates, wanted);
}

/// The FIN that the hub has seen was the device's own.
#[tokio::test]
async fn a_fin_that_went_before_the_fault_is_not_the_faults() {
    let fin = Fault::Fin(Close { toward: Toward::Hub, other: LegFate::HalfOpen, close_notify: true });
    let (bench, hub) = bench(vec![after_connack("fin", Duration::from_secs(1), fin)]).await;
    let (mut device, mut served) = connected(&bench, &hub).await;
    device.shutdown().await.unwrap();
    assert_eq!(served.read(&mut [0; 1]).await.unwrap(), 0);
    bench.until("cut leg", |e| matches!(e.what, What::WindowClosed { .. }).then_some(())).await;
    let events = bench.stop().await;
    assert_eq!(count(&events, |what| matches!(what, What::LegCut { side: Side::Hub, .. })), 0);
}

/// A dial that was under way when the path went dark, and fails in the dark: the device must not hear of it.
#[tokio::test]
async fn a_dial_that_fails_in_the_dark_is_told_to_the_device_when_the_path_heals() {
    // The dial's SYN goes again after 1 s, and after 3.
    const HOLD: Duration = Duration::from_secs(4);
    let dark = Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward: Toward::Both,
        hold: Span::fixed(HOLD),
        fidelity: FidelityWanted::Stall,
        connects: Connects::Silence,
    });
    let (bench, hub) = bench(vec![at("dark", Duration::from_millis(800), dark)]).await;
    mute::mute(&hub, mute::Mechanism::Filter, None).unwrap();
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    let applied =
        bench.until("applied fault", |e| matches!(e.what, What::FaultApplied { .. }).then_some(e.at)).await;
    drop(hub);
    assert!(is_reset(&mut device).await);
    let events = bench.stop().await;
    find(&events, "unreachable hub", |e| {
        matches!(e.what, What::HubUnreachable { .. }).then(|| assert!(e.at.since(applied) < HOLD))
    });
    let carried = find(&events, "reset", |e| match e.what {
        What::EndCarried { to: Side::Device, how: Ending::Reset, .. } => Some(e.at.since(applied)),
        _ => None,
    });
    assert!(carried >= HOLD - Duration::from_millis(5), "reset in the dark, after {carried:?}");
}

#[tokio::test]
async fn links_end_before_the_run_does() {
    let hub = hub().await;
    let bench = Bench::start(plan(vec![]), hub.local_addr().unwrap()).await;
    let mut devices = Vec::new();
    for _ in 0..50 {
        devices.push(TcpStream::connect(bench.address).await.unwrap());
    }
    let events = bench.stop().await;
    assert!(matches!(events.last().unwrap().what, What::RunEnded { .. }));
    let opened = count(&events, |what| matches!(what, What::LinkOpened { .. }));
    let closed = count(&events, |what| matches!(what, What::LinkClosed { .. }));
    assert_eq!(opened, closed);
}
