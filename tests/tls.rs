//! TLS end to end over loopback: passed through, ended, ended and begun again, begun; certificates made in the test.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::unit_arg, reason = "an assertion inside of what an event is searched with")]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::{Direction, Side};
use brownout::event::{Packet, TlsMode, TlsUp, What};
use brownout::fault::Ending;
use brownout::profile::{ClientCertificates, Route, TlsPlan};
use common::{expect, find, plan, wire};
use std::time::Duration;
use tls::{Pki, accept, bench, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn up(bench_events: &[brownout::event::Event], of: Side) -> TlsUp {
    find(bench_events, "handshake", |event| match &event.what {
        What::TlsEstablished { side, up, .. } if *side == of => Some((**up).clone()),
        _ => None,
    })
}

#[tokio::test]
async fn terminated_mqtt_is_seen_and_passes_both_ways() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let pki = Pki::new();
        let (bench, hub) = bench(plan(vec![]), pki.plan(TlsMode::Terminate)).await;
        let device = async {
            let mut device = connect(&bench, &pki.device_of(version), "hub.example").await.unwrap();
            device.write_all(&wire::connect("d1", 60)).await.unwrap();
            expect(&mut device, &wire::CONNACK).await;
            device
        };
        let served = async {
            let mut served = hub.accept().await.unwrap().0;
            expect(&mut served, &wire::connect("d1", 60)).await;
            served.write_all(&wire::CONNACK).await.unwrap();
            served
        };
        let (mut device, mut served) = tokio::join!(device, served);
        // More than any buffer holds, both ways, exact.
        let noise: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()[..2].to_vec()).collect();
        let (mut device_reads, mut device_writes) = tokio::io::split(&mut device);
        let (mut hub_reads, mut hub_writes) = served.split();
        let (mut got_up, mut got_down) = (vec![0; noise.len()], vec![0; noise.len()]);
        let moves = async {
            tokio::join!(
                async { device_writes.write_all(&noise).await.unwrap() },
                async { hub_writes.write_all(&noise).await.unwrap() },
                async { hub_reads.read_exact(&mut got_up).await.unwrap() },
                async { device_reads.read_exact(&mut got_down).await.unwrap() },
            )
        };
        tokio::time::timeout(Duration::from_secs(60), moves).await.expect("all of it passes");
        assert!(got_up == noise && got_down == noise, "bytes changed on the way");
        // close_notify and FIN arrive as the hub's FIN; its own is carried back with close_notify.
        device.shutdown().await.unwrap();
        assert_eq!(served.read(&mut [0; 10]).await.unwrap(), 0);
        drop(served);
        assert_eq!(device.read(&mut [0; 10]).await.unwrap(), 0, "close_notify, or this is an error");
        bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
        let events = bench.stop().await;
        find(&events, "ClientHello", |e| match &e.what {
            What::TlsHello { sni, passthrough: false, .. } => {
                Some(assert_eq!(sni.as_deref(), Some("hub.example")))
            }
            _ => None,
        });
        let expected =
            if version.version == rustls::ProtocolVersion::TLSv1_2 { "TLS 1.2" } else { "TLS 1.3" };
        let up = up(&events, Side::Device);
        assert_eq!((up.version.as_str(), up.resumed), (expected, false));
        find(&events, "CONNECT", |e| match &e.what {
            What::Packet { packet: Packet::Connect { client_id, .. }, .. } => {
                Some(assert_eq!(client_id, "d1"))
            }
            _ => None,
        });
        find(&events, "the device's end in order", |e| match &e.what {
            What::LegEnded { side: Side::Device, how, .. } => Some(assert_eq!(*how, Ending::Fin)),
            _ => None,
        });
    }
}

#[tokio::test]
async fn a_session_is_resumed() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let pki = Pki::new();
        let (bench, hub) = bench(plan(vec![]), pki.plan(TlsMode::Terminate)).await;
        let config = pki.device_of(version);
        for _ in 0..2 {
            let (device, served) = tokio::join!(connect(&bench, &config, "localhost"), hub.accept());
            let (mut device, mut served) = (device.unwrap(), served.unwrap().0);
            // Tickets come with the first bytes.
            device.write_all(&wire::PINGREQ).await.unwrap();
            expect(&mut served, &wire::PINGREQ).await;
            served.write_all(&wire::PINGRESP).await.unwrap();
            expect(&mut device, &wire::PINGRESP).await;
        }
        let events = bench.stop().await;
        let resumed: Vec<bool> = events
            .iter()
            .filter_map(|e| match &e.what {
                What::TlsEstablished { side: Side::Device, up, .. } => Some(up.resumed),
                _ => None,
            })
            .collect();
        assert_eq!(resumed, [false, true], "{version:?}");
    }
}

#[tokio::test]
async fn tls_again_to_the_hub_with_name_alpn_and_verification() {
    let (pki, hubs) = (Pki::new(), Pki::new());
    let tls = TlsPlan {
        hub_ca: Some(hubs.ca_file()),
        hub_name: Some("hub.example".into()),
        ..pki.plan(TlsMode::Reoriginate)
    };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let acceptor = hubs.hub(&["hub.example"], &["other", "mqtt"]);
    let mut config = (*pki.device()).clone();
    config.alpn_protocols = vec![b"unknown".to_vec(), b"mqtt".to_vec()];
    let config = std::sync::Arc::new(config);
    let (device, served) = tokio::join!(connect(&bench, &config, "localhost"), accept(&hub, &acceptor));
    let (mut device, mut served) = (device.unwrap(), served);
    assert_eq!(device.get_ref().1.alpn_protocol(), Some(&b"mqtt"[..]), "what the hub agreed to");
    assert_eq!(served.get_ref().1.server_name(), Some("hub.example"));
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    expect(&mut served, &wire::connect("d1", 60)).await;
    served.write_all(&wire::CONNACK).await.unwrap();
    expect(&mut device, &wire::CONNACK).await;
    served.shutdown().await.unwrap();
    assert_eq!(device.read(&mut [0; 10]).await.unwrap(), 0, "carried through in order");
    let events = bench.stop().await;
    for side in Side::BOTH {
        assert_eq!(up(&events, side).alpn.as_deref(), Some("mqtt"));
    }
    assert!(up(&events, Side::Hub).subject.is_some_and(|subject| subject.contains("hub.example")));
}

#[tokio::test]
async fn a_hub_that_cannot_be_verified_is_named_with_the_way_out() {
    let (pki, hubs) = (Pki::new(), Pki::new());
    let trusted = TlsPlan { hub_ca: Some(hubs.ca_file()), ..pki.plan(TlsMode::Reoriginate) };
    let cases = [
        (
            TlsPlan { hub_ca: Some(pki.ca_file()), ..trusted.clone() },
            vec!["127.0.0.1"],
            "UnknownCA",
            vec!["comes from", "--hub-ca", "--hub-insecure"],
        ),
        (
            trusted.clone(),
            vec!["other.example"],
            "BadCertificate",
            vec!["127.0.0.1", "other.example", "--hub-name"],
        ),
    ];
    for (tls, names, alert, words) in cases {
        let (bench, hub) = bench(plan(vec![]), tls).await;
        let acceptor = hubs.hub(&names, &[]);
        let serve = async {
            let (stream, _) = hub.accept().await.unwrap();
            acceptor.accept(stream).await.unwrap_err()
        };
        let device = async {
            let mut device = connect(&bench, &pki.device(), "localhost").await.unwrap();
            let _ = device.write_all(&wire::connect("d1", 60)).await;
            device.read(&mut [0; 1]).await.unwrap_err()
        };
        let (refused, device) = tokio::join!(serve, device);
        assert!(refused.to_string().contains(alert), "the hub is told by an alert: {refused}");
        assert_eq!(device.kind(), std::io::ErrorKind::ConnectionReset, "as if the hub were not there");
        let error = bench
            .until("failure", |e| match &e.what {
                What::TlsFailed { side: Side::Hub, error, .. } => Some(error.clone()),
                _ => None,
            })
            .await;
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        bench.stop().await;
    }
    // Switched off, it is taken.
    let tls = TlsPlan { hub_unverified: true, hub_ca: None, ..trusted };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let acceptor = hubs.hub(&["other.example"], &[]);
    let config = pki.device();
    let (device, mut served) = tokio::join!(connect(&bench, &config, "localhost"), accept(&hub, &acceptor));
    device.unwrap().write_all(&wire::PINGREQ).await.unwrap();
    expect(&mut served, &wire::PINGREQ).await;
    let events = bench.stop().await;
    find(&events, "listener told as unverified", |e| match &e.what {
        What::ListenerOpened { tls, .. } => Some(assert!(tls.hub_unverified)),
        _ => None,
    });
}

#[tokio::test]
async fn plain_devices_reach_a_tls_hub() {
    let hubs = Pki::new();
    let tls = TlsPlan {
        mode: TlsMode::Originate,
        hub_ca: Some(hubs.ca_file()),
        hub_name: Some("hub.example".into()),
        ..TlsPlan::default()
    };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let acceptor = hubs.hub(&["hub.example"], &[]);
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    // Sent before the handshake with the hub is done: it waits.
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    let mut served = accept(&hub, &acceptor).await;
    expect(&mut served, &wire::connect("d1", 60)).await;
    served.write_all(&wire::CONNACK).await.unwrap();
    expect(&mut device, &wire::CONNACK).await;
    device.shutdown().await.unwrap();
    assert_eq!(served.read(&mut [0; 10]).await.unwrap(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn passed_through_tls_is_routed_by_name_and_its_first_data_is_seen() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let hubs = Pki::new();
        let (second, acceptor) = (common::hub().await, hubs.hub(&["b.example"], &[]));
        let tls = TlsPlan {
            mode: TlsMode::Passthrough,
            routes: vec![Route { sni: "b.*".into(), upstream: second.local_addr().unwrap().to_string() }],
            ..TlsPlan::default()
        };
        let (bench, _first) = bench(plan(vec![]), tls).await;
        let config = hubs.device_of(version);
        let (device, served) =
            tokio::join!(connect(&bench, &config, "b.example"), accept(&second, &acceptor));
        let (mut device, mut served) = (device.unwrap(), served);
        device.write_all(&wire::connect("d1", 60)).await.unwrap();
        expect(&mut served, &wire::connect("d1", 60)).await;
        served.write_all(&wire::CONNACK).await.unwrap();
        expect(&mut device, &wire::CONNACK).await;
        let first = |wanted: Direction| {
            move |e: &brownout::event::Event| match &e.what {
                What::FirstData { direction, .. } if *direction == wanted => Some(e.at),
                _ => None,
            }
        };
        let up = bench.until("first data up", first(Direction::Up)).await;
        let down = bench.until("first data down", first(Direction::Down)).await;
        assert!(up < down);
        let events = bench.stop().await;
        find(&events, "ClientHello", |e| match &e.what {
            What::TlsHello { sni, passthrough: true, .. } => {
                Some(assert_eq!(sni.as_deref(), Some("b.example")))
            }
            _ => None,
        });
        find(&events, "a device named by its address", |e| match &e.what {
            What::DeviceNamed { name, .. } => Some(assert_eq!(name, "127.0.0.1")),
            _ => None,
        });
    }
}

#[tokio::test]
async fn a_client_hello_in_parts_finds_its_hub() {
    let (hubs, second) = (Pki::new(), common::hub().await);
    let tls = TlsPlan {
        mode: TlsMode::Passthrough,
        routes: vec![Route { sni: "b.*".into(), upstream: second.local_addr().unwrap().to_string() }],
        ..TlsPlan::default()
    };
    let (bench, _first) = bench(plan(vec![]), tls).await;
    let name = rustls::pki_types::ServerName::try_from("b.example").unwrap();
    let mut client = rustls::ClientConnection::new(hubs.device(), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    device.set_nodelay(true).unwrap();
    for part in [&hello[..5], &hello[5..50], &hello[50..]] {
        device.write_all(part).await.unwrap();
        // Apart enough to be read one by one.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let served = tokio::time::timeout(Duration::from_secs(20), second.accept());
    let mut served = served.await.expect("the rest of it is heard").unwrap().0;
    expect(&mut served, &hello).await;
    bench.stop().await;
}

#[tokio::test]
async fn certificates_of_devices_are_asked_for_and_told() {
    let pki = Pki::new();
    let (chain, key) = pki.issue("sensor-7");
    let tls = TlsPlan {
        client_certificates: ClientCertificates::Require,
        client_ca: Some(pki.ca_file()),
        ..pki.plan(TlsMode::Terminate)
    };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let config = pki.device_with(chain.as_ref(), key.as_ref());
    let (device, served) = tokio::join!(connect(&bench, &config, "localhost"), hub.accept());
    device.unwrap().write_all(&wire::PINGREQ).await.unwrap();
    expect(&mut served.unwrap().0, &wire::PINGREQ).await;
    // One without is turned away, with an alert (TLS 1.3 tells it at the first read).
    let mut without = connect(&bench, &pki.device(), "localhost").await.unwrap();
    let error = without.read(&mut [0; 1]).await.unwrap_err();
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    bench
        .until("failure", |e| matches!(e.what, What::TlsFailed { side: Side::Device, .. }).then_some(()))
        .await;
    let events = bench.stop().await;
    assert_eq!(up(&events, Side::Device).subject.as_deref(), Some("CN=sensor-7"));
}

#[tokio::test]
async fn the_hub_is_shown_the_certificate_that_goes_with_the_devices() {
    let (pki, hubs) = (Pki::new(), Pki::new());
    let (chain, key) = pki.issue("sensor-7");
    let (_, _) = hubs.issue("sensor-7");
    let tls = TlsPlan {
        client_certificates: ClientCertificates::Require,
        hub_ca: Some(hubs.ca_file()),
        hub_certificates: Some(hubs.path()),
        ..pki.plan(TlsMode::Reoriginate)
    };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        hubs.roots().into(),
        brownout::net::tls::provider(),
    );
    let (server_chain, server_key) = hubs.issue("127.0.0.1");
    let builder = rustls::ServerConfig::builder_with_provider(brownout::net::tls::provider());
    let config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            rustls::pki_types::pem::PemObject::pem_file_iter(server_chain)
                .unwrap()
                .map(Result::unwrap)
                .collect(),
            rustls::pki_types::pem::PemObject::from_pem_file(server_key).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let config = pki.device_with(chain.as_ref(), key.as_ref());
    let (device, mut served) = tokio::join!(connect(&bench, &config, "localhost"), accept(&hub, &acceptor));
    device.unwrap().write_all(&wire::PINGREQ).await.unwrap();
    expect(&mut served, &wire::PINGREQ).await;
    assert!(served.get_ref().1.peer_certificates().is_some());
    bench.stop().await;
}

/// With a certificate for each device, TLS with the hub has to wait for the device's: where none comes, there is none.
#[tokio::test]
async fn a_device_that_is_turned_away_is_not_announced_to_the_hub() {
    let (pki, hubs) = (Pki::new(), Pki::new());
    let tls = TlsPlan {
        client_certificates: ClientCertificates::Require,
        hub_ca: Some(hubs.ca_file()),
        hub_certificates: Some(hubs.path()),
        ..pki.plan(TlsMode::Reoriginate)
    };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let config = pki.device();
    for _ in 0..50 {
        let (device, served) = tokio::join!(connect(&bench, &config, "localhost"), hub.accept());
        let mut said = Vec::new();
        let (mut served, _) = served.unwrap();
        _ = served.read_to_end(&mut said).await;
        assert_eq!(said.len(), 0, "a ClientHello for nobody");
        drop(device);
    }
    bench.stop().await;
}

#[tokio::test]
async fn plain_mqtt_on_a_tls_port_and_the_reverse_are_named() {
    let pki = Pki::new();
    let (tls_bench, _hub) = bench(plan(vec![]), pki.plan(TlsMode::Terminate)).await;
    let mut device = TcpStream::connect(tls_bench.address).await.unwrap();
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    let mut got = Vec::new();
    device.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, [21, 3, 3, 0, 2, 2, 10], "the alert unexpected_message, then FIN");
    let error = tls_bench
        .until("failure", |e| match &e.what {
            What::TlsFailed { side: Side::Device, error, .. } => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(error.contains("plain MQTT"), "{error}");
    tls_bench.stop().await;

    let (plain, hub) = bench(plan(vec![]), TlsPlan::default()).await;
    let acceptor = pki.hub(&["localhost"], &[]);
    let config = pki.device();
    let (device, mut served) = tokio::join!(connect(&plain, &config, "localhost"), accept(&hub, &acceptor));
    device.unwrap().write_all(&wire::PINGREQ).await.unwrap();
    expect(&mut served, &wire::PINGREQ).await;
    let events = plain.stop().await;
    find(&events, "TLS that is passed through", |e| {
        matches!(e.what, What::TlsHello { passthrough: true, .. }).then_some(())
    });
}

#[tokio::test]
async fn a_hub_that_speaks_no_tls_is_named() {
    let tls = TlsPlan { mode: TlsMode::Originate, hub_unverified: true, ..TlsPlan::default() };
    let (bench, hub) = bench(plan(vec![]), tls).await;
    let mut device = TcpStream::connect(bench.address).await.unwrap();
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    let mut served = hub.accept().await.unwrap().0;
    // As a broker for plain MQTT does: it cannot read this, and closes.
    served.read_exact(&mut [0; 5]).await.unwrap();
    drop(served);
    let error = bench
        .until("failure", |e| match &e.what {
            What::TlsFailed { side: Side::Hub, error, .. } => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(error.contains("is that a port for TLS?") && error.contains("127.0.0.1:"), "{error}");
    let got =
        tokio::time::timeout(Duration::from_secs(20), device.read(&mut [0; 1])).await.expect("it is told");
    assert!(got.is_err() || got.is_ok_and(|read| read == 0), "nothing but the end");
    bench.stop().await;
}
