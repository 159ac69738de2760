//! Devices over TLS, against the hub over TLS and against hubs that break it. Every wait is for an event, bounded.

use super::sockets::{Events, PATIENCE, is_connected, until};
use super::*;
use crate::hub::tls::{self as hub_tls, Devices};
use crate::hub::{Departure, HubConfig, HubEvent, HubHandle, HubSaw, serve_tls};
use crate::net::clock::Clock;
use crate::tls::Alert;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A CA, and one certificate of it that serves hub and device: of `localhost`.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(ca_name: &str) -> Files {
        let folder = TempDir::new().unwrap();
        let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, ca_name);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = Issuer::new(ca, ca_key);
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        for (name, text) in [("ca.pem", ca_pem), ("cert.pem", leaf.pem()), ("key.pem", key.serialize_pem())] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Files { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn acceptor(&self, devices: Devices<'_>) -> TlsAcceptor {
        hub_tls::load(&self.path("cert.pem"), &self.path("key.pem"), devices).unwrap().acceptor
    }

    fn trusting(&self) -> TlsSettings {
        let name = Some("localhost".to_owned());
        TlsSettings { trust: Trust::File(self.path("ca.pem")), server_name: name, identity: None }
    }
}

struct HubBench {
    hub: HubHandle,
    saw: mpsc::UnboundedReceiver<HubEvent>,
    stop: watch::Sender<bool>,
}

impl HubBench {
    async fn new(address: &str, acceptor: TlsAcceptor, config: HubConfig) -> HubBench {
        let listener = TcpListener::bind(address).await.unwrap();
        let (sender, saw) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let sink = Arc::new(move |event| drop(sender.send(event)));
        let hub = serve_tls(listener, acceptor, config, Clock::start(), sink, stopped).unwrap();
        HubBench { hub, saw, stop }
    }

    async fn gone(&mut self) -> Departure {
        let search = async {
            loop {
                if let HubSaw::Disconnected { why } = self.saw.recv().await.unwrap().what {
                    return why;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("it happens in time")
    }

    async fn stop(self) -> SocketAddr {
        let address = self.hub.address();
        self.stop.send(true).unwrap();
        tokio::time::timeout(PATIENCE, self.hub.stopped()).await.unwrap();
        address
    }
}

fn start(habits: Habits, address: SocketAddr, settings: &TlsSettings) -> (Events, watch::Sender<bool>) {
    let address = address.to_string();
    let tls = Some(DeviceTls::load(settings, &address).unwrap());
    let (sender, events) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let sink = Arc::new(move |event| drop(sender.send(event)));
    tokio::spawn(run(habits, 1, Target { address, tls }, Clock::start(), sink, stopped));
    (events, stop)
}

fn busy(workload: &str) -> Habits {
    let (workload, backoff) = (workload.parse().unwrap(), "fixed:20ms".parse().unwrap());
    Habits { workload, backoff, ..habits(Preset::Careful, 60) }
}

fn failure(did: &DeviceDid) -> bool {
    matches!(did, DeviceDid::ConnectFailed { .. })
}

#[tokio::test]
async fn a_device_outlives_its_hub_and_resumes_its_session() {
    let files = Files::new("a CA");
    let acceptor = files.acceptor(Devices::Anonymous);
    let mut first = HubBench::new("127.0.0.1:0", acceptor.clone(), HubConfig::default()).await;
    let address = first.hub.address();
    let (mut events, stop) = start(busy("publishing:a,every=5ms,qos=2"), address, &files.trusting());
    let secured = until(&mut events, |did| matches!(did, DeviceDid::Secured { .. })).await;
    assert_eq!(secured, DeviceDid::Secured { version: "TLS 1.3".into(), resumed: false });
    until(&mut events, |did| matches!(did, DeviceDid::Acked { total: 5 })).await;
    first.stop.send(true).unwrap();
    assert_eq!(first.gone().await, Departure::ShuttingDown);
    let noticed = until(&mut events, |did| matches!(did, DeviceDid::NoticedDead { .. })).await;
    assert!(
        matches!(noticed, DeviceDid::NoticedDead { sign: Sign::Fin, .. }),
        "close_notify comes: {noticed:?}"
    );
    first.stop().await;
    until(&mut events, failure).await;
    let second = HubBench::new(&address.to_string(), acceptor, HubConfig::default()).await;
    until(&mut events, |did| matches!(did, DeviceDid::Secured { resumed: true, .. })).await;
    until(&mut events, is_connected).await;
    stop.send(true).unwrap();
    until(&mut events, |did| *did == DeviceDid::Stopped).await;
    second.stop().await;
}

#[tokio::test]
async fn a_hub_that_is_not_trusted_is_a_failed_connect_that_backs_off() {
    let files = Files::new("a CA");
    let mut bench =
        HubBench::new("127.0.0.1:0", files.acceptor(Devices::Anonymous), HubConfig::default()).await;
    let address = bench.hub.address();
    let others = Files::new("another CA");
    let (mut events, _stop) = start(busy("idle"), address, &others.trusting());
    for _ in 0..2 {
        let DeviceDid::ConnectFailed { why } = until(&mut events, failure).await else { panic!() };
        assert!(why.contains("`CN=a CA`, which is not trusted"), "{why}");
        until(&mut events, |did| matches!(did, DeviceDid::ReconnectIn { .. })).await;
        let Departure::HandshakeFailed { why } = bench.gone().await else { panic!() };
        assert_eq!(why, "the device sent the alert unknown_ca");
    }
    let misnamed = TlsSettings { server_name: Some("hub.example".into()), ..files.trusting() };
    let (mut events, _stop) = start(busy("idle"), address, &misnamed);
    let DeviceDid::ConnectFailed { why } = until(&mut events, failure).await else { panic!() };
    assert!(why.contains("is for localhost, and not for hub.example"), "{why}");
    let careless = TlsSettings { trust: Trust::Anyone, ..misnamed };
    let (mut events, _stop) = start(busy("idle"), address, &careless);
    until(&mut events, is_connected).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_device_shows_its_certificate_where_it_is_asked() {
    let files = Files::new("a CA");
    let ca = files.path("ca.pem");
    let mut bench =
        HubBench::new("127.0.0.1:0", files.acceptor(Devices::MustPresent(&ca)), HubConfig::default()).await;
    let address = bench.hub.address();
    let (_events, stop) = start(busy("idle"), address, &files.trusting());
    assert!(matches!(bench.gone().await, Departure::HandshakeFailed { .. }));
    drop(stop);
    let identity = Some((files.path("cert.pem"), files.path("key.pem")));
    let (mut events, stop) = start(busy("idle"), address, &TlsSettings { identity, ..files.trusting() });
    until(&mut events, is_connected).await;
    let certified = async {
        loop {
            if let HubSaw::Secured { security } = bench.saw.recv().await.unwrap().what {
                return security.certified;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, certified).await.unwrap());
    stop.send(true).unwrap();
    assert_eq!(bench.gone().await, Departure::Disconnect { reason: 0 });
    bench.stop().await;
}

/// More than a record, more than the socket takes at once, and in both directions.
#[tokio::test]
async fn messages_of_any_size_pass() {
    let files = Files::new("a CA");
    let bench = HubBench::new("127.0.0.1:0", files.acceptor(Devices::Anonymous), HubConfig::default()).await;
    let address = bench.hub.address();
    let (mut taker, _stop_taker) = start(busy("subscribing:big"), address, &files.trusting());
    until(&mut taker, |did| matches!(did, DeviceDid::Subscribed { .. })).await;
    let giver = Habits { client_id: "giver".into(), ..busy("publishing:big,every=10ms,qos=1,size=262144") };
    let (mut events, _stop) = start(giver, address, &files.trusting());
    until(&mut events, |did| matches!(did, DeviceDid::Acked { total: 20 })).await;
    until(&mut taker, |did| matches!(did, DeviceDid::Received { total: 20 })).await;
    bench.stop().await;
}

/// A hub whose handshake and CONNACK are sound; the rest is the test's.
async fn accepted(listener: &TcpListener, acceptor: &TlsAcceptor) -> TlsStream<TcpStream> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = acceptor.accept(stream).await.unwrap();
    stream.read_u8().await.unwrap();
    stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

#[tokio::test]
async fn how_tls_ended_is_told_apart() {
    let files = Files::new("a CA");
    let acceptor = files.acceptor(Devices::Anonymous);
    for (ending, sign) in [
        ("close_notify", Sign::Fin),
        ("fin", Sign::Unnotified),
        ("rst", Sign::Reset),
        ("garbage", Sign::BadRecord),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut events, _stop) = start(busy("idle"), listener.local_addr().unwrap(), &files.trusting());
        let mut stream = accepted(&listener, &acceptor).await;
        until(&mut events, is_connected).await;
        match ending {
            "close_notify" => stream.shutdown().await.unwrap(),
            "fin" => stream.get_mut().0.shutdown().await.unwrap(),
            "garbage" => stream.get_mut().0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap(),
            _ => crate::net::sys::reset::arm(stream.get_ref().0).unwrap(),
        }
        let held = (ending != "rst").then_some(stream);
        let noticed = until(&mut events, |did| matches!(did, DeviceDid::NoticedDead { .. })).await;
        assert!(
            matches!(noticed, DeviceDid::NoticedDead { sign: seen, .. } if seen == sign),
            "{ending}: {noticed:?}"
        );
        if let ("garbage", Some(mut stream)) = (ending, held) {
            let told = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
            let told = told.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            assert!(matches!(told, Some(rustls::Error::AlertReceived(_))), "the hub is told: {told:?}");
        }
    }
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let acceptor = Files::new("a CA").acceptor(Devices::Anonymous);
    let config = HubConfig { handshake_timeout: Duration::from_millis(100), ..HubConfig::default() };
    let mut bench = HubBench::new("127.0.0.1:0", acceptor, config).await;
    let mut silent = TcpStream::connect(bench.hub.address()).await.unwrap();
    let Departure::HandshakeFailed { why } = bench.gone().await else { panic!() };
    assert_eq!(why, "it was not done within 100ms");
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "FIN");
    bench.stop().await;
}

#[tokio::test]
async fn the_hub_tells_how_tls_ended() {
    let files = Files::new("a CA");
    let acceptor = files.acceptor(Devices::Anonymous);
    let mut bench = HubBench::new("127.0.0.1:0", acceptor, HubConfig::default()).await;
    let address = bench.hub.address();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(&[0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 1, 0, 0]).await.unwrap();
    let mut got = Vec::new();
    plain.read_to_end(&mut got).await.unwrap();
    assert_eq!(got.first(), Some(&21), "an alert, then FIN: {got:x?}");
    assert!(matches!(bench.gone().await, Departure::HandshakeFailed { .. }));
    for (ending, why) in [
        ("fin", Departure::Unnotified),
        ("garbage", Departure::BadRecord),
        ("alert", Departure::Alert { alert: Alert::BAD_RECORD_MAC }),
    ] {
        let (connector, name) = DeviceTls::load(&files.trusting(), &address.to_string()).unwrap().connector();
        let mut stream = connector.connect(name, TcpStream::connect(address).await.unwrap()).await.unwrap();
        stream.write_all(&[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, b'd']).await.unwrap();
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).await.unwrap();
        match ending {
            "fin" => stream.get_mut().0.shutdown().await.unwrap(),
            "garbage" => stream.get_mut().0.write_all(b"PLAIN TEXT\r\n").await.unwrap(),
            _ => {
                // The device cannot open what the hub seals once a byte of it was changed on the way; rustls then
                // says so by an alert. Here the alert is made by feeding it a record of nothing.
                let mut record: &[u8] = &[
                    23, 3, 3, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    0, 0, 0, 0, 0, 0, 0, 0,
                ];
                let (socket, connection) = stream.get_mut();
                connection.read_tls(&mut record).unwrap();
                assert!(connection.process_new_packets().is_err());
                let mut alert = Vec::new();
                connection.write_tls(&mut alert).unwrap();
                socket.write_all(&alert).await.unwrap();
            }
        }
        assert_eq!(bench.gone().await, why, "{ending}");
    }
    bench.stop().await;
}
