//! What the peers of TLS legs may do: end, fall silent, flood or break off at each step. Every link ends, nothing is
//! told that did not happen, and what was sent arrives.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::{Side, Span};
use brownout::event::{Event, TlsMode, What};
use brownout::fault::{
    BadCertificate, Blackhole, Connects, Ending, Fault, FidelityWanted, HandshakeFault, HandshakeStage,
    LegFate, RecordFault, Stall, TlsHandshake, TlsRecord, Toward, WaysWanted,
};
use brownout::mqtt::PacketKind;
use brownout::profile::{Route, Rule, TlsPlan, Who};
use brownout::tls::Damage;
use common::{Bench, after, at, count, expect, find, plan, wire};
use rustls::pki_types::ServerName;
use std::io::Write as _;
use std::time::Duration;
use tls::{Pki, accept, bench, connect, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn closed(bench: &Bench) {
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
}

/// How the device's leg is told to have ended, if it is.
fn device_end(events: &[Event]) -> Option<Ending> {
    events.iter().find_map(|e| match &e.what {
        What::LegEnded { side: Side::Device, how, .. } => Some(*how),
        _ => None,
    })
}

/// TLS on both legs, hub verified.
fn both(pki: &Pki) -> TlsPlan {
    TlsPlan {
        hub_ca: Some(pki.ca_file()),
        hub_name: Some("hub.example".into()),
        ..pki.plan(TlsMode::Reoriginate)
    }
}

/// The bytes of a ClientHello for this name.
fn client_hello(pki: &Pki, name: &str) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = rustls::ClientConnection::new(pki.device(), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

#[tokio::test]
async fn a_device_that_ends_at_any_step_of_its_handshake_ends_its_link() {
    for mode in [TlsMode::Terminate, TlsMode::Reoriginate, TlsMode::Originate, TlsMode::Passthrough] {
        for reset in [false, true] {
            for step in 0..3 {
                let pki = Pki::new();
                let (bench, hub) = bench(plan(vec![]), TlsPlan { mode, ..both(&pki) }).await;
                let acceptor = pki.hub(&["hub.example"], &[]);
                let serving = tokio::spawn(async move {
                    let (mut stream, _) = hub.accept().await.unwrap();
                    match mode {
                        TlsMode::Terminate => {
                            let _ = stream.read_to_end(&mut Vec::new()).await;
                        }
                        _ => {
                            if let Ok(mut stream) = acceptor.accept(stream).await {
                                let _ = stream.read_to_end(&mut Vec::new()).await;
                            }
                        }
                    }
                });
                let mut device = TcpStream::connect(bench.address).await.unwrap();
                bench.until("hub leg", |e| matches!(e.what, What::HubConnected { .. }).then_some(())).await;
                if step > 0 {
                    device.write_all(&client_hello(&pki, "hub.example")).await.unwrap();
                }
                if step > 1 && mode != TlsMode::Originate {
                    // The server's first flight, or a part of it.
                    assert!(device.read(&mut [0; 5000]).await.unwrap() > 5);
                }
                if reset {
                    device.set_zero_linger().unwrap();
                    drop(device);
                } else {
                    device.shutdown().await.unwrap();
                    // It hears the other side out.
                    let mut rest = Vec::new();
                    let rest = device.read_to_end(&mut rest);
                    let _ = tokio::time::timeout(Duration::from_secs(20), rest)
                        .await
                        .unwrap_or_else(|_| panic!("{mode:?}, step {step}: the device waits for ever"));
                }
                closed(&bench).await;
                let events = bench.stop().await;
                if let Some(how) = device_end(&events) {
                    assert_eq!(how == Ending::Reset, reset, "{mode:?}, step {step}: {events:#?}");
                }
                serving.abort();
            }
        }
    }
}

#[tokio::test]
async fn a_hub_that_ends_in_mid_handshake_ends_the_link() {
    for reset in [false, true] {
        for alpn in [false, true] {
            let pki = Pki::new();
            let (bench, hub) = bench(plan(vec![]), both(&pki)).await;
            let serving = tokio::spawn(async move {
                let (mut stream, _) = hub.accept().await.unwrap();
                stream.read_exact(&mut [0; 40]).await.unwrap();
                tokio::time::sleep(ms(200)).await;
                if reset {
                    stream.set_zero_linger().unwrap();
                } else {
                    stream.shutdown().await.unwrap();
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            });
            let mut config = (*pki.device()).clone();
            config.alpn_protocols = if alpn { vec![b"mqtt".to_vec()] } else { Vec::new() };
            // With ALPN the device waits for what the hub agrees to; without, it is up before.
            if let Ok(mut device) = connect(&bench, &config.into(), "hub.example").await {
                assert!(!alpn);
                let _ = device.write_all(&wire::connect("d1", 60)).await;
                let _ = device.read_to_end(&mut Vec::new()).await;
                let _ = device.shutdown().await;
            }
            closed(&bench).await;
            serving.await.unwrap();
            let events = bench.stop().await;
            let hub_end = find(&events, "the hub's end", |e| match &e.what {
                What::LegEnded { side: Side::Hub, how, .. } => Some(*how),
                _ => None,
            });
            assert_eq!(hub_end == Ending::Reset, reset);
            assert_ne!(device_end(&events), Some(Ending::Reset), "the device never said RST: {events:#?}");
        }
    }
}

/// What a handshake waits for, while an end of it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// A fault, before ServerHello or behind it.
    Stalled(HandshakeStage),
    /// The hub, for the protocol that it agrees to.
    ForHub,
    /// The device, for what to ask the hub for.
    ForDevice,
}

/// Nothing is read of a handshake that waits; that an end has gone is seen all the same, and told then.
#[tokio::test]
async fn an_end_that_gives_up_while_its_handshake_waits_is_told_then() {
    for waits in [
        Waits::Stalled(HandshakeStage::BeforeServerHello),
        Waits::Stalled(HandshakeStage::AfterServerHello),
        Waits::ForHub,
        Waits::ForDevice,
    ] {
        for ending in [Ending::Fin, Ending::Reset] {
            let pki = Pki::new();
            let hold = Span::fixed(Duration::from_secs(600));
            let stall = |stage| {
                let what = HandshakeFault::Stall(stage);
                at("stall", Duration::ZERO, Fault::TlsHandshake(TlsHandshake { what, hold }))
            };
            let (rules, mode) = match waits {
                Waits::Stalled(stage) => (vec![stall(stage)], TlsMode::Terminate),
                Waits::ForHub | Waits::ForDevice => (vec![], TlsMode::Reoriginate),
            };
            let is_stalled = !rules.is_empty();
            let (bench, hub) = bench(plan(rules), TlsPlan { mode, ..both(&pki) }).await;
            if is_stalled {
                bench.until("firing", |e| matches!(e.what, What::Fired { .. }).then_some(())).await;
            }
            let mut device = TcpStream::connect(bench.address).await.unwrap();
            let served = hub.accept().await.unwrap().0;
            if waits != Waits::ForDevice {
                let mut config = (*pki.device()).clone();
                config.alpn_protocols = vec![b"mqtt".to_vec()];
                let name = ServerName::try_from("hub.example").unwrap();
                let mut tls = rustls::ClientConnection::new(config.into(), name).unwrap();
                let mut hello = Vec::new();
                tls.write_tls(&mut hello).unwrap();
                device.write_all(&hello).await.unwrap();
                bench.until("hello", |e| matches!(e.what, What::TlsHello { .. }).then_some(())).await;
            }
            if is_stalled {
                bench.until("stall", |e| matches!(e.what, What::FaultApplied { .. }).then_some(())).await;
            }
            let (side, mut gives_up, _other) = match waits {
                Waits::ForDevice => (Side::Hub, served, device),
                Waits::Stalled(_) | Waits::ForHub => (Side::Device, device, served),
            };
            if ending == Ending::Fin {
                gives_up.shutdown().await.unwrap();
            } else {
                gives_up.set_zero_linger().unwrap();
            }
            let _kept = (ending == Ending::Fin).then_some(gives_up);
            let end = |event: &Event| match &event.what {
                What::LegEnded { side: of, how, .. } if *of == side => Some(*how),
                _ => None,
            };
            let what = format!("{ending:?} of {side:?} while {waits:?}");
            assert_eq!(bench.until(&what, end).await, ending, "{what}");
            bench.stop().await;
        }
    }
}

#[tokio::test]
async fn a_hub_that_refuses_by_alert_while_the_device_waits_makes_no_reset_of_the_device() {
    let pki = Pki::new();
    let (bench, hub) = bench(plan(vec![]), both(&pki)).await;
    let acceptor = pki.hub(&["hub.example"], &["other"]);
    let mut config = (*pki.device()).clone();
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let config = config.into();
    let serve = async {
        let (stream, _) = hub.accept().await.unwrap();
        acceptor.accept(stream).await.unwrap_err()
    };
    let (device, _) = tokio::join!(connect(&bench, &config, "hub.example"), serve);
    device.unwrap_err();
    closed(&bench).await;
    let events = bench.stop().await;
    assert_ne!(device_end(&events), Some(Ending::Reset), "{events:#?}");
}

#[tokio::test]
async fn much_data_right_behind_finished_passes() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let pki = Pki::new();
        let (bench, hub) = bench(plan(vec![]), pki.plan(TlsMode::Terminate)).await;
        let name = ServerName::try_from("hub.example").unwrap();
        let mut tls = rustls::ClientConnection::new(pki.device_of(version), name).unwrap();
        let sent: Vec<u8> = (0..60_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let came = tokio::task::spawn_blocking(move || {
            let mut device = std::net::TcpStream::connect(bench.address).unwrap();
            device.set_nodelay(true).unwrap();
            // All that is said after the server's last word goes in one write, data and all.
            while tls.is_handshaking() {
                let mut out = Vec::new();
                while tls.wants_write() {
                    tls.write_tls(&mut out).unwrap();
                }
                if !out.is_empty() {
                    device.write_all(&out).unwrap();
                }
                tls.read_tls(&mut device).unwrap();
                tls.process_new_packets().unwrap();
            }
            tls.set_buffer_limit(None);
            tls.writer().write_all(&sent).unwrap();
            let mut out = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut out).unwrap();
            }
            device.write_all(&out).unwrap();
            (device, tls, sent, bench)
        });
        let (mut served, _) = hub.accept().await.unwrap();
        let (device, _tls, sent, bench) = came.await.unwrap();
        let mut got = vec![0; sent.len()];
        let read = tokio::time::timeout(Duration::from_secs(20), served.read_exact(&mut got)).await;
        drop(device);
        let events = bench.stop().await;
        assert!(read.is_ok_and(|read| read.is_ok()) && got == sent, "{version:?}: {events:#?}");
    }
}

#[tokio::test]
async fn what_a_device_sends_before_the_hub_is_there_arrives_and_so_does_its_end() {
    for notify in [false, true] {
        for data in [false, true] {
            let pki = Pki::new();
            let (bench, hub) = bench(plan(vec![]), both(&pki)).await;
            let mut device = connect(&bench, &pki.device(), "hub.example").await.unwrap();
            if data {
                device.write_all(&wire::connect("d1", 60)).await.unwrap();
            }
            if notify {
                device.shutdown().await.unwrap();
            } else {
                device.get_mut().0.shutdown().await.unwrap();
            }
            tokio::time::sleep(ms(100)).await;
            let mut served = accept(&hub, &pki.hub(&["hub.example"], &[])).await;
            if data {
                expect(&mut served, &wire::connect("d1", 60)).await;
            }
            let end = tokio::time::timeout(Duration::from_secs(20), served.read(&mut [0; 1])).await.unwrap();
            assert_eq!(end.ok(), notify.then_some(0), "close_notify is carried, or left out");
            let _ = served.shutdown().await;
            closed(&bench).await;
            bench.stop().await;
        }
    }
}

#[tokio::test]
async fn a_routed_hello_in_pieces_is_passed_through() {
    let pki = Pki::new();
    let second = common::hub().await;
    let tls = TlsPlan {
        mode: TlsMode::Passthrough,
        routes: vec![Route { sni: "b.*".into(), upstream: second.local_addr().unwrap().to_string() }],
        ..TlsPlan::default()
    };
    let (bench, _first) = bench(plan(vec![]), tls).await;
    let hello = client_hello(&pki, "b.example");
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    device.set_nodelay(true).unwrap();
    for byte in &hello {
        device.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let arrived = async {
        let mut served = second.accept().await.unwrap().0;
        expect(&mut served, &hello).await;
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.expect("the hub is dialled");
    bench.stop().await;
}

#[tokio::test]
async fn an_end_without_close_notify_waits_for_a_dial_too() {
    let pki = Pki::new();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let hub = socket.listen(1).unwrap();
    let bench = start(plan(vec![]), pki.plan(TlsMode::Terminate), hub.local_addr().unwrap()).await;
    hub.accept().await.unwrap();
    // Its queue is full: the next SYN is dropped, and comes again after a second.
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(ms(100), TcpStream::connect(hub.local_addr().unwrap())).await
    {
        queued.push(stream.unwrap());
    }
    let mut device = connect(&bench, &pki.device(), "hub.example").await.unwrap();
    device.get_mut().0.shutdown().await.unwrap();
    tokio::time::sleep(ms(100)).await;
    for _ in 0..queued.len() {
        hub.accept().await.unwrap();
    }
    let (mut served, _) = hub.accept().await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(20), served.read(&mut [0; 1])).await;
    assert_eq!(end.expect("the end is carried on").unwrap(), 0);
    drop((served, queued));
    closed(&bench).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_fault_of_one_client_keeps_no_other_from_its_handshake() {
    let pki = Pki::new();
    let hold = Span::fixed(Duration::from_secs(60));
    let (fidelity, connects) = (FidelityWanted::Stall, Connects::Silence);
    let dark = Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward: Toward::Both,
        hold,
        fidelity,
        connects,
    });
    let who = Who { client: Some("other".into()), ..Who::EVERYONE };
    let rule = Rule { who, ..at("dark", Duration::ZERO, dark) };
    let (bench, hub) = bench(plan(vec![rule]), both(&pki)).await;
    bench.until("firing", |e| matches!(e.what, What::Fired { .. }).then_some(())).await;
    let mut config = (*pki.device()).clone();
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let config = config.into();
    let acceptor = pki.hub(&["hub.example"], &["mqtt"]);
    let talk = async {
        let mut device = connect(&bench, &config, "hub.example").await.unwrap();
        device.write_all(&wire::connect("d1", 60)).await.unwrap();
        let mut served = accept(&hub, &acceptor).await;
        expect(&mut served, &wire::connect("d1", 60)).await;
        assert_eq!(device.get_ref().1.alpn_protocol(), served.get_ref().1.alpn_protocol());
    };
    tokio::time::timeout(Duration::from_secs(20), talk).await.expect("it is not the fault's device");
    bench.stop().await;
}

#[tokio::test]
async fn close_notify_is_no_record_to_be_damaged() {
    let pki = Pki::new();
    let fault = TlsRecord { toward: Side::Hub, what: RecordFault::Damaged(Damage::Mac) };
    let (bench, hub) =
        bench(plan(vec![after(PacketKind::Connect, "harm", ms(200), Fault::TlsRecord(fault))]), both(&pki))
            .await;
    let (config, acceptor) = (pki.device(), pki.hub(&["hub.example"], &[]));
    let (device, mut served) = tokio::join!(connect(&bench, &config, "hub.example"), accept(&hub, &acceptor));
    let mut device = device.unwrap();
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    expect(&mut served, &wire::connect("d1", 60)).await;
    bench.until("window", |e| matches!(e.what, What::WindowOpened { .. }).then_some(())).await;
    tokio::time::sleep(ms(50)).await;
    device.shutdown().await.unwrap();
    assert_eq!(served.read(&mut [0; 1]).await.unwrap(), 0);
    drop(served);
    closed(&bench).await;
    let events = bench.stop().await;
    assert_eq!(count(&events, |what| matches!(what, What::FaultApplied { .. })), 0);
}

#[tokio::test]
async fn what_is_no_tls_is_not_told_as_a_truncated_record() {
    let fault = TlsRecord { toward: Side::Device, what: RecordFault::Truncated };
    let tls = TlsPlan { mode: TlsMode::Passthrough, ..TlsPlan::default() };
    let (bench, hub) = bench(plan(vec![at("cut", ms(1_500), Fault::TlsRecord(fault))]), tls).await;
    let (mut device, mut served) = common::joined(&bench, &hub).await;
    // It begins as a record does.
    device.write_all(b"\x16\x03\x01\xff\xff????").await.unwrap();
    expect(&mut served, b"\x16\x03\x01\xff\xff????").await;
    served.write_all(b"????????").await.unwrap();
    expect(&mut device, b"????????").await;
    let mut rest = Vec::new();
    device.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "nothing is put between what is no record");
    drop(device);
    let fate = bench
        .until("cut", |e| match &e.what {
            What::LegCut { side: Side::Device, fate, .. } => Some(*fate),
            _ => None,
        })
        .await;
    assert_eq!(fate, LegFate::Close);
    bench.stop().await;
}

#[tokio::test]
async fn time_in_the_dark_is_not_the_hubs() {
    let pki = Pki::new();
    let stall = Fault::Stall(Stall { direction: WaysWanted::Both, hold: Span::fixed(ms(2_500)) });
    let (bench, hub) = bench(plan(vec![at("dark", ms(300), stall)]), both(&pki)).await;
    let config = pki.device();
    let acceptor = pki.hub(&["hub.example"], &[]);
    let serve = async {
        let (stream, _) = hub.accept().await.unwrap();
        bench.until("fault", |e| matches!(e.what, What::FaultApplied { .. }).then_some(())).await;
        acceptor.accept(stream).await.unwrap()
    };
    let device = async {
        let mut device = connect(&bench, &config, "hub.example").await.unwrap();
        device.write_all(&wire::connect("d1", 60)).await.unwrap();
        device
    };
    let (_device, _served) = tokio::join!(device, serve);
    let took = bench
        .until("handshake", |e| match &e.what {
            What::TlsEstablished { side: Side::Hub, up, .. } => Some(up.took_ns),
            _ => None,
        })
        .await;
    assert!(took < 1_500_000_000, "{took} ns");
    bench.stop().await;
}

#[tokio::test]
async fn a_fault_of_what_follows_a_hello_is_not_told_where_the_hello_was_refused() {
    let faults = [
        HandshakeFault::Certificate(BadCertificate::Expired),
        HandshakeFault::Abort(Ending::Fin),
        HandshakeFault::Stall(HandshakeStage::AfterServerHello),
    ];
    for what in faults {
        let pki = Pki::new();
        let hold = Span::fixed(Duration::from_secs(60));
        let rule = at("shake", Duration::ZERO, Fault::TlsHandshake(TlsHandshake { what, hold }));
        let (bench, _hub) = bench(plan(vec![rule]), pki.plan(TlsMode::Terminate)).await;
        bench.until("firing", |e| matches!(e.what, What::Fired { .. }).then_some(())).await;
        let mut hello = client_hello(&pki, "hub.example");
        // Record, message, version, random, session: then the cipher suites, of which it shall know none.
        let suites = 5 + 4 + 2 + 32 + 1 + 32;
        let count_of = usize::from(u16::from_be_bytes([hello[suites], hello[suites + 1]]));
        hello[suites + 2..suites + 2 + count_of].fill(0xfa);
        let mut device = TcpStream::connect(bench.address).await.unwrap();
        device.write_all(&hello).await.unwrap();
        let mut alert = Vec::new();
        device.read_to_end(&mut alert).await.unwrap();
        assert_eq!(alert[..7], [21, 3, 3, 0, 2, 2, 40], "{what:?}: handshake_failure");
        drop(device);
        closed(&bench).await;
        let events = bench.stop().await;
        assert_eq!(count(&events, |what| matches!(what, What::FaultApplied { .. })), 0, "{events:#?}");
        find(&events, "failure", |e| {
            matches!(e.what, What::TlsFailed { side: Side::Device, .. }).then_some(())
        });
    }
}

#[tokio::test]
async fn a_record_to_a_hub_that_was_not_there_yet_is_damaged_when_it_is() {
    for mode in [TlsMode::Passthrough, TlsMode::Reoriginate] {
        let pki = Pki::new();
        let fault = TlsRecord { toward: Side::Hub, what: RecordFault::Damaged(Damage::Mac) };
        let (bench, hub) =
            bench(plan(vec![at("harm", ms(1_000), Fault::TlsRecord(fault))]), TlsPlan { mode, ..both(&pki) })
                .await;
        // It is there when the rule fires, and has said nothing.
        let stream = TcpStream::connect(bench.address).await.unwrap();
        bench.until("firing", |e| matches!(e.what, What::Fired { .. }).then_some(())).await;
        tokio::time::sleep(ms(50)).await;
        let acceptor = pki.hub(&["hub.example"], &[]);
        let served = tokio::spawn(async move {
            let (stream, _) = hub.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await?;
            stream.read(&mut [0; 100]).await
        });
        let name = ServerName::try_from("hub.example").unwrap();
        let device = tokio_rustls::TlsConnector::from(pki.device()).connect(name, stream).await;
        if let Ok(mut device) = device {
            let _ = device.write_all(&wire::connect("d1", 60)).await;
        }
        let error = served.await.unwrap().unwrap_err();
        assert!(error.to_string().to_lowercase().contains("decrypt"), "{mode:?}: {error}");
        bench.until("damage", |e| matches!(e.what, What::FaultApplied { .. }).then_some(())).await;
        bench.stop().await;
    }
}
