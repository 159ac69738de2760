//! The embedded hub against a client that is not ours: rumqttc, over loopback, MQTT 3.1.1 and 5.
//!
//! Every wait is for something that happens (a packet at the client, an event of the hub), bounded by [`PATIENCE`].

#[path = "common/machine.rs"]
mod machine;

use brownout::base::Time;
use brownout::hub::tls::{Devices, load};
use brownout::hub::{Departure, HubConfig, HubEvent, HubHandle, HubSaw, serve, serve_tls};
use brownout::net::clock::Clock;
use machine::Machine;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rumqttc::{TlsConfiguration, Transport};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Longer than anything here takes on a busy machine; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(25);

/// The hub keeps 1.5 keep-alives to within 100 ms; as much again is for a machine that runs other tests, and what it shows to be late.
const TOLERANCE: Duration = Duration::from_millis(200);

/// A hub on a free port, and what it saw.
struct Bench {
    hub: HubHandle,
    events: mpsc::UnboundedReceiver<HubEvent>,
    stop: watch::Sender<bool>,
}

impl Bench {
    async fn new(config: HubConfig) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let (sender, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let sink = Arc::new(move |event| drop(sender.send(event)));
        let hub = serve(listener, config, Clock::start(), sink, stopped).expect("a listener has an address");
        Bench { hub, events, stop }
    }

    /// The same over TLS, and how a client that trusts it connects.
    async fn secured(config: HubConfig) -> (Bench, Transport) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a directory");
        let (chain, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&chain, cert.pem()).expect("written");
        std::fs::write(&key, signing_key.serialize_pem()).expect("written");
        let tls = load(&chain, &key, Devices::Anonymous).expect("a certificate and its key");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let (sender, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let sink = Arc::new(move |event| drop(sender.send(event)));
        let hub = serve_tls(listener, tls.acceptor, config, Clock::start(), sink, stopped);
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("it can be trusted");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let transport = Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(client)));
        (Bench { hub: hub.expect("a listener has an address"), events, stop }, transport)
    }

    fn port(&self) -> u16 {
        self.hub.address().port()
    }

    /// The next event about this client that `pick` takes.
    async fn saw<T>(&mut self, client_id: &str, pick: impl Fn(&HubEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the hub runs");
                if event.client_id.as_deref() == Some(client_id)
                    && let Some(found) = pick(&event)
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("the hub sees it in time")
    }

    async fn saw_gone(&mut self, client_id: &str) -> (Time, Departure) {
        self.saw(client_id, |event| match &event.what {
            HubSaw::Disconnected { why } => Some((event.at, why.clone())),
            _ => None,
        })
        .await
    }

    async fn saw_connected(&mut self, client_id: &str) -> Time {
        self.saw(client_id, |event| matches!(event.what, HubSaw::Connected { .. }).then_some(event.at)).await
    }

    async fn stop(self) {
        self.stop.send(true).expect("the hub runs");
        tokio::time::timeout(PATIENCE, self.hub.stopped()).await.expect("the hub stops");
    }
}

/// What a client got, whatever its version.
#[derive(Debug, PartialEq)]
enum Got {
    Connack {
        session_present: bool,
    },
    Suback,
    Puback,
    Pubcomp,
    /// `topic payload`, with `retain` and `dup`.
    Message(String),
    Over,
}

/// What a client got, as its event loop's own task sees it.
struct Peer {
    got: mpsc::UnboundedReceiver<Got>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Skips what comes before it.
    async fn until(&mut self, wanted: Got) {
        let search = async {
            while let Some(got) = self.got.recv().await {
                if got == wanted {
                    return;
                }
            }
            panic!("{wanted:?} never came");
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("{wanted:?} in time"));
    }

    async fn message(&mut self) -> String {
        let search = async {
            loop {
                match self.got.recv().await.expect("the client runs") {
                    Got::Message(text) => return text,
                    Got::Over => panic!("the connection is over"),
                    Got::Connack { .. } | Got::Suback | Got::Puback | Got::Pubcomp => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.expect("a message in time")
    }

    /// Drops the connection: FIN without DISCONNECT.
    async fn drop_link(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn message(topic: &[u8], payload: &[u8], retain: bool, dup: bool) -> Got {
    let mut text = format!("{} {}", String::from_utf8_lossy(topic), String::from_utf8_lossy(payload));
    text += if retain { " retain" } else { "" };
    text += if dup { " dup" } else { "" };
    Got::Message(text)
}

/// The same client and the same tests for both versions; rumqttc has a set of types for each.
macro_rules! for_version {
    ($version:ident, $api:path, $packets:path, $qos:path, $kept:expr, $config:expr) => {
        mod $version {
            use super::*;
            use $api::{AsyncClient, Event, EventLoop, MqttOptions};
            use $packets::{LastWill, Packet};
            use $qos as QoS;

            fn options(client_id: &str, port: u16) -> MqttOptions {
                MqttOptions::new(client_id, "127.0.0.1", port)
            }

            fn kept(client_id: &str, port: u16) -> MqttOptions {
                let mut options = options(client_id, port);
                $kept(&mut options);
                options
            }

            fn start(options: MqttOptions) -> (AsyncClient, Peer) {
                let (client, event_loop) = AsyncClient::new(options, 100);
                let (sender, got) = mpsc::unbounded_channel();
                (client, Peer { got, task: tokio::spawn(run(event_loop, sender)) })
            }

            async fn run(mut event_loop: EventLoop, sender: mpsc::UnboundedSender<Got>) {
                loop {
                    let got = match event_loop.poll().await {
                        Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                            Got::Connack { session_present: connack.session_present }
                        }
                        Ok(Event::Incoming(Packet::SubAck(_))) => Got::Suback,
                        Ok(Event::Incoming(Packet::PubAck(_))) => Got::Puback,
                        Ok(Event::Incoming(Packet::PubComp(_))) => Got::Pubcomp,
                        Ok(Event::Incoming(Packet::Publish(p))) => {
                            message(p.topic.as_ref(), &p.payload, p.retain, p.dup)
                        }
                        Ok(_) => continue,
                        Err(_) => Got::Over,
                    };
                    let over = got == Got::Over;
                    if sender.send(got).is_err() || over {
                        return;
                    }
                }
            }

            async fn connected(options: MqttOptions, session_present: bool) -> (AsyncClient, Peer) {
                let (client, mut peer) = start(options);
                peer.until(Got::Connack { session_present }).await;
                (client, peer)
            }

            #[tokio::test]
            async fn messages_of_every_qos_arrive_and_are_acknowledged() {
                let mut bench = Bench::new(HubConfig::default()).await;
                let (client, mut peer) = connected(options("d", bench.port()), false).await;
                client.subscribe("a/+", QoS::ExactlyOnce).await.unwrap();
                peer.until(Got::Suback).await;
                client.publish("a/0", QoS::AtMostOnce, false, "zero").await.unwrap();
                assert_eq!(peer.message().await, "a/0 zero");
                client.publish("a/1", QoS::AtLeastOnce, false, "one").await.unwrap();
                peer.until(Got::Puback).await;
                assert_eq!(peer.message().await, "a/1 one");
                client.publish("a/2", QoS::ExactlyOnce, false, "two").await.unwrap();
                assert_eq!(peer.message().await, "a/2 two");
                peer.until(Got::Pubcomp).await;
                client.disconnect().await.unwrap();
                assert_eq!(bench.saw_gone("d").await.1, Departure::Disconnect { reason: 0 });
                bench.stop().await;
            }

            #[tokio::test]
            async fn a_session_is_resumed_with_what_was_missed() {
                let mut bench = Bench::new(HubConfig::default()).await;
                let (client, mut peer) = connected(kept("away", bench.port()), false).await;
                client.subscribe("news", QoS::ExactlyOnce).await.unwrap();
                peer.until(Got::Suback).await;
                peer.drop_link().await;
                assert_eq!(bench.saw_gone("away").await.1, Departure::Closed);
                let (source, mut acks) = connected(options("source", bench.port()), false).await;
                for text in ["one", "two", "three"] {
                    source.publish("news", QoS::AtLeastOnce, false, text).await.unwrap();
                    acks.until(Got::Puback).await;
                }
                let (_client, mut peer) = connected(kept("away", bench.port()), true).await;
                for text in ["news one", "news two", "news three"] {
                    assert_eq!(peer.message().await, text);
                }
                bench.stop().await;
            }

            #[tokio::test]
            async fn a_will_and_a_retained_message_reach_a_listener() {
                let mut bench = Bench::new(HubConfig::default()).await;
                let mut with_will = options("d", bench.port());
                with_will.set_last_will(last_will());
                let (client, mut device) = connected(with_will, false).await;
                client.publish("state", QoS::AtLeastOnce, true, "online").await.unwrap();
                device.until(Got::Puback).await;
                let (listener, mut peer) = connected(options("listener", bench.port()), false).await;
                listener.subscribe("#", QoS::AtLeastOnce).await.unwrap();
                assert_eq!(peer.message().await, "state online retain");
                device.drop_link().await;
                assert_eq!(peer.message().await, "will gone");
                assert_eq!(bench.saw_gone("d").await.1, Departure::Closed);
                bench.stop().await;
            }

            #[tokio::test]
            async fn another_connection_takes_over() {
                let mut bench = Bench::new(HubConfig::default()).await;
                let (_first, mut old) = connected(options("d", bench.port()), false).await;
                let (_second, _new) = connected(options("d", bench.port()), false).await;
                assert_eq!(bench.saw_gone("d").await.1, Departure::TakenOver);
                old.until(Got::Over).await;
                bench.stop().await;
            }

            /// The client's event loop is not polled after CONNACK, so it sends nothing: keep-alive 1 s, closed at 1.5.
            #[tokio::test]
            async fn a_silent_client_is_closed_after_one_and_a_half_keep_alives() {
                let mut bench = Bench::new($config).await;
                let mut options = options("silent", bench.port());
                // rumqttc's shortest for MQTT 5 is 5 s; there the hub's 1 s is in force.
                options.set_keep_alive(Duration::from_secs(if stringify!($version) == "v5" { 5 } else { 1 }));
                let (_client, mut event_loop) = AsyncClient::new(options, 10);
                let first = event_loop.poll().await.unwrap();
                assert!(matches!(first, Event::Incoming(Packet::ConnAck(_))), "{first:?}");
                let machine = Machine::watched();
                let connected = bench.saw_connected("silent").await;
                let (gone, why) = bench.saw_gone("silent").await;
                assert!(matches!(why, Departure::KeepAliveTimeout { .. }), "{why:?}");
                let silence = gone.since(connected);
                let expected = Duration::from_millis(1_500);
                assert!(
                    silence >= expected && silence <= expected + TOLERANCE + machine.late().all,
                    "closed after {silence:?}"
                );
                bench.stop().await;
            }

            /// A client that pings in time stays: three keep-alives of idleness.
            #[tokio::test]
            async fn an_idle_client_that_pings_is_not_closed() {
                let bench = Bench::new($config).await;
                let mut options = options("idle", bench.port());
                options.set_keep_alive(Duration::from_secs(if stringify!($version) == "v5" { 5 } else { 1 }));
                let (client, mut peer) = connected(options, false).await;
                let seen = tokio::time::timeout(Duration::from_secs(3), peer.got.recv()).await;
                assert!(seen.is_err(), "{seen:?}");
                client.publish("a", QoS::AtLeastOnce, false, "still here").await.unwrap();
                peer.until(Got::Puback).await;
                bench.stop().await;
            }

            #[tokio::test]
            async fn over_tls_it_is_the_same_hub() {
                let (mut bench, transport) = Bench::secured(HubConfig::default()).await;
                let mut options = options("secured", bench.port());
                options.set_transport(transport);
                let (client, mut peer) = connected(options, false).await;
                client.subscribe("a", QoS::AtLeastOnce).await.unwrap();
                peer.until(Got::Suback).await;
                client.publish("a", QoS::AtLeastOnce, false, "x".repeat(10_000)).await.unwrap();
                peer.until(Got::Puback).await;
                assert_eq!(peer.message().await, format!("a {}", "x".repeat(10_000)));
                peer.drop_link().await;
                let why = bench.saw_gone("secured").await.1;
                assert_eq!(why, Departure::Unnotified, "rumqttc drops its socket without close_notify");
                bench.stop().await;
            }

            fn last_will() -> LastWill {
                last_will_of!($version, LastWill, QoS)
            }
        }
    };
}

macro_rules! last_will_of {
    (v311, $will:ident, $qos:ident) => {
        $will::new("will", "gone", $qos::AtLeastOnce, false)
    };
    (v5, $will:ident, $qos:ident) => {
        $will::new("will", "gone", $qos::AtLeastOnce, false, None)
    };
}

for_version!(
    v311,
    rumqttc,
    rumqttc,
    rumqttc::QoS,
    |options: &mut MqttOptions| {
        options.set_clean_session(false);
    },
    HubConfig::default()
);

for_version!(
    v5,
    rumqttc::v5,
    rumqttc::v5::mqttbytes::v5,
    rumqttc::v5::mqttbytes::QoS,
    |options: &mut MqttOptions| {
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
    },
    HubConfig { server_keep_alive: Some(1), ..HubConfig::default() }
);
