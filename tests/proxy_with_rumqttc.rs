//! The whole way end to end with a client that is not ours: rumqttc, the proxy, and the embedded hub, or the hub that
//! BROWNOUT_TEST_HUB names (`host:port`), as when mosquitto is tried.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(unsafe_code, reason = "to look at the client's own socket, and to drop the test's own capabilities")]

mod common;

use brownout::base::{Chance, Side, Span};
use brownout::event::{Event, Packet, What};
use brownout::fault::{
    Blackhole, Close, Connects, Ending, Fault, Fidelity, FidelityWanted, LegFate, Mechanism, Toward,
    WaysWanted,
};
use brownout::hub::{HubConfig, serve};
use brownout::measure::{Measures, Value};
use brownout::mqtt::PacketKind;
use brownout::net::Clock;
use brownout::net::sys::info::tcp_info;
use brownout::profile::{Metric, Plan, Rule, When, Who};
use common::machine::Machine;
use common::{Bench, find, plan};
use rumqttc::{AsyncClient, ConnectionError, Event as Client, EventLoop, Incoming, MqttOptions, QoS};
use socket2::SockRef;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(30);
/// Names a hub in the embedded one's place.
const TEST_HUB: &str = "BROWNOUT_TEST_HUB";

/// The hub that this file is run against; the sender keeps an embedded one alive.
async fn hub() -> (SocketAddr, watch::Sender<bool>) {
    let (stop, stopped) = watch::channel(false);
    if let Ok(named) = std::env::var(TEST_HUB) {
        return (named.to_socket_addrs().unwrap().next().unwrap(), stop);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hub = serve(listener, HubConfig::default(), Clock::start(), Arc::new(|_| {}), stopped).unwrap();
    (hub.address(), stop)
}

fn client(to: SocketAddr, name: &str, keep_alive: u64) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(name, to.ip().to_string(), to.port());
    options.set_keep_alive(Duration::from_secs(keep_alive));
    options.set_clean_session(false);
    AsyncClient::new(options, 100)
}

async fn until(events: &mut EventLoop, wanted: impl Fn(&Client) -> bool) {
    let wait = async { while !wanted(&events.poll().await.expect("the link holds")) {} };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

fn is_connack(event: &Client) -> bool {
    matches!(event, Client::Incoming(Incoming::ConnAck(_)))
}

/// The error that ends the link, and when.
async fn failure(events: &mut EventLoop) -> (ConnectionError, Instant) {
    let wait = async {
        loop {
            if let Err(error) = events.poll().await {
                return (error, Instant::now());
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the link ends in time")
}

fn after_connack(fault: Fault, delay: &str) -> Plan {
    let when =
        When::After { packet: PacketKind::Connack, nth: 1, delay: delay.parse::<Span>().unwrap(), times: 1 };
    plan(vec![Rule {
        id: "r".into(),
        who: Who::EVERYONE,
        when,
        chance: Chance::ALWAYS,
        fault,
        logged_as: None,
    }])
}

fn dark(fidelity: FidelityWanted, hold: &str) -> Fault {
    let hold = hold.parse().unwrap();
    Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward: Toward::Both,
        hold,
        fidelity,
        connects: Connects::Silence,
    })
}

/// The client's own socket: the one of this process that leads to the proxy.
fn socket_to(proxy: SocketAddr) -> OwnedFd {
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    numbers
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .find_map(|number: i32| {
            // SAFETY: the descriptor was just listed as open; it is only duplicated, and one that has been closed
            // meanwhile fails to be.
            let fd = unsafe { BorrowedFd::borrow_raw(number) };
            let socket = fd.try_clone_to_owned().ok()?;
            let peer = SockRef::from(&socket).peer_addr().ok()?.as_socket()?;
            (peer == proxy).then_some(socket)
        })
        .expect("the client has a socket to the proxy")
}

/// Takes from this thread the capabilities that would let it mute by filter (capset(2)).
fn drop_capabilities() {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    let none = [0u32; 6];
    // SAFETY: both point to what capset(2) version 3 reads, and outlive the call; only this thread is touched.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    assert_eq!(result, 0, "dropping capabilities needs none");
}

#[tokio::test]
async fn without_privileges_the_devices_tcp_really_goes_unacknowledged_and_heals_without_loss() {
    drop_capabilities();
    let (hub, _stop) = hub().await;
    let bench = Bench::start(after_connack(dark(FidelityWanted::Packet, "3s"), "1s"), hub).await;
    let (sender, mut events) = client(bench.address, "unprivileged", 60);
    until(&mut events, is_connack).await;
    sender.subscribe("echo/unprivileged", QoS::AtLeastOnce).await.unwrap();
    until(&mut events, |event| matches!(event, Client::Incoming(Incoming::SubAck(_)))).await;
    let socket = socket_to(bench.address);
    let means = bench
        .until("applied fault", |event| match event.what {
            What::FaultApplied { fidelity: Fidelity::Packet, means, .. } => Some(means),
            _ => None,
        })
        .await;
    assert_eq!((means.device, means.hub), (Some(Mechanism::MinTtl), Some(Mechanism::MinTtl)));
    for number in 0..20u8 {
        sender.publish("echo/unprivileged", QoS::AtLeastOnce, false, [number]).await.unwrap();
    }
    let (mut worst, mut got) = (tcp_info(&socket).unwrap(), Vec::new());
    let healing = async {
        while got.len() < 20 {
            if let Ok(event) = tokio::time::timeout(Duration::from_millis(20), events.poll()).await
                && let Client::Incoming(Incoming::Publish(publish)) =
                    event.expect("the link outlives the dark")
            {
                got.push(publish.payload[0]);
            }
            let info = tcp_info(&socket).unwrap();
            if info.retransmits > worst.retransmits {
                worst = info;
            }
        }
    };
    tokio::time::timeout(PATIENCE, healing).await.expect("it heals");
    assert!(worst.unacked > 0 && worst.retransmits > 0, "the kernel acknowledged in the dark: {worst:?}");
    assert_eq!(got, (0..20).collect::<Vec<u8>>(), "every message once and in order");
    bench.stop().await;
}

#[tokio::test]
async fn a_reset_reaches_the_client_as_econnreset() {
    let (hub, _stop) = hub().await;
    let rst = Fault::Rst(Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false });
    let bench = Bench::start(after_connack(rst, "500ms"), hub).await;
    let (_client, mut events) = client(bench.address, "reset", 60);
    until(&mut events, is_connack).await;
    let (error, _) = failure(&mut events).await;
    // rumqttc wraps the error by where it met it; the system's is at the bottom.
    let mut bottom: &(dyn std::error::Error + 'static) = &error;
    let reset = loop {
        if let Some(io) = bottom.downcast_ref::<std::io::Error>() {
            break io.kind() == ErrorKind::ConnectionReset;
        }
        bottom = bottom.source().unwrap_or_else(|| panic!("not an error of the socket: {error:?}"));
    };
    assert!(reset, "{error:?}");
    until(&mut events, is_connack).await;
    bench.until("second CONNACK", second_connack()).await;
    bench.stop().await;
}

fn second_connack() -> impl FnMut(&Event) -> Option<()> {
    let mut seen = std::collections::BTreeSet::new();
    move |event| {
        let is = matches!(event.what, What::Packet { packet: Packet::Connack { .. }, .. });
        if is {
            seen.insert(event.seq);
        }
        (seen.len() >= 2).then_some(())
    }
}

#[tokio::test]
async fn detection_and_recovery_are_what_the_client_itself_saw() {
    const KEEP_ALIVE: Duration = Duration::from_secs(5);
    let (hub, _stop) = hub().await;
    // Not a multiple of 5 s: rumqttc gives up on a CONNACK after that, and the heal must not fall on such a moment.
    let plan = after_connack(dark(FidelityWanted::Auto, "18s"), "500ms");
    let machine = Machine::watched();
    let bench = Bench::start(plan.clone(), hub).await;
    let (_client, mut events) = client(bench.address, "measured", KEEP_ALIVE.as_secs());
    until(&mut events, is_connack).await;
    let applied = bench
        .until("applied fault", |event| matches!(event.what, What::FaultApplied { .. }).then(Instant::now))
        .await;
    let (_, noticed) = failure(&mut events).await;
    // It knocks until it is let in.
    let back = async {
        loop {
            match events.poll().await {
                Ok(event) if is_connack(&event) => return Instant::now(),
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    };
    let back = tokio::time::timeout(PATIENCE, back).await.expect("it comes back");
    let restored = bench
        .until("closed window", |event| matches!(event.what, What::WindowClosed { .. }).then_some(event.at))
        .await;
    let log = bench.stop().await;
    // Both ends of a span may be late.
    let late = machine.late().worst * 2;
    let mut measures = Measures::new(&plan);
    for event in &log {
        measures.push(event);
    }
    let results = measures.results(log.last().unwrap().at);
    let of = |metric| {
        let samples = &results.runs[0].samples;
        samples.iter().find(|sample| sample.metric == metric && sample.rule.is_some()).unwrap().value
    };
    let exact = |metric| match of(metric) {
        Value::Exact(span) => span,
        other => panic!("{metric} is {other:?}"),
    };
    let start = find(&log, "fault", |e| matches!(e.what, What::FaultApplied { .. }).then_some(e.at));
    let ended = find(&log, "sign", |e| {
        let sign =
            matches!(e.what, What::LegEnded { side: Side::Device, how: Ending::Fin | Ending::Reset, .. });
        sign.then_some(e.at)
    });
    assert_eq!(exact(Metric::DeviceDetection), ended.since(start));
    close(exact(Metric::DeviceDetection), noticed.duration_since(applied), late, "detection");
    close(exact(Metric::Recovery) + restored.since(start), back.duration_since(applied), late, "recovery");
    // The hub, whichever it is, keeps 1.5 keep-alives [MQTT-3.1.2-24]; mosquitto looks each 5 s, and counts whole seconds,
    // so that its 7.5 s may be 7.
    let silence = exact(Metric::HubSilence);
    let early = Duration::from_millis(if std::env::var_os(TEST_HUB).is_some() { 550 } else { 50 });
    assert!(silence >= KEEP_ALIVE.mul_f64(1.5) - early, "{silence:?}");
    assert!(silence <= KEEP_ALIVE.mul_f64(1.5) + Duration::from_secs(7) + late, "{silence:?}");
}

/// Two stamps of one thing by two programs on a busy machine, which was late by as much.
fn close(ours: Duration, theirs: Duration, late: Duration, what: &str) {
    let apart = ours.abs_diff(theirs);
    assert!(apart < Duration::from_millis(150) + late, "{what}: ours {ours:?}, the client's {theirs:?}");
}
