//! What the end-to-end tests share: a proxy from a plan in code, and sockets that wait for what they need.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use brownout::base::{Chance, Span};
use brownout::event::{EndReason, Event, RunStarted, What};
use brownout::fault::Fault;
use brownout::mqtt::PacketKind;
use brownout::net::proxy::Config;
use brownout::net::{Clock, EventQueue, Proxy, StartError};
use brownout::profile::{ListenerPlan, Plan, Rule, When, Who};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub mod machine;

/// A proxy under test, with all its events.
pub struct Bench {
    pub proxy: Proxy,
    pub address: SocketAddr,
    pub events: Arc<Mutex<Vec<Event>>>,
    reader: std::thread::JoinHandle<()>,
    pub queue: EventQueue,
}

/// A rule that fires once by the run's time, on everyone.
pub fn at(id: &str, first: Duration, fault: Fault) -> Rule {
    Rule {
        id: id.into(),
        who: Who::EVERYONE,
        when: When::At { first, repeat: None },
        chance: Chance::ALWAYS,
        fault,
        logged_as: None,
    }
}

/// A rule that fires once so long after a packet of the device's link, on that device: however late the test gets there, as on a
/// machine that is busy, the packet comes first.
pub fn after(packet: PacketKind, id: &str, delay: Duration, fault: Fault) -> Rule {
    let when = When::After { packet, nth: 1, delay: Span::fixed(delay), times: 1 };
    Rule { when, ..at(id, delay, fault) }
}

/// The same after CONNACK, which is there to be read whatever the fault does.
pub fn after_connack(id: &str, delay: Duration, fault: Fault) -> Rule {
    after(PacketKind::Connack, id, delay, fault)
}

pub fn plan(rules: Vec<Rule>) -> Plan {
    Plan {
        name: "test".into(),
        summary: "A test.".into(),
        reproduces: None,
        listeners: Vec::new(),
        devices: 1,
        default_keep_alive: Duration::from_secs(60),
        settle: Span::fixed(Duration::from_millis(500)),
        duration: Some(Duration::from_secs(60)),
        server_keep_alive: None,
        sequence: None,
        fault_messages: None,
        strictness: None,
        rules,
        expectations: Vec::new(),
    }
}

impl Bench {
    pub async fn start(plan: Plan, hub: SocketAddr) -> Bench {
        Bench::with(
            plan,
            ListenerPlan {
                name: "main".into(),
                listen: "127.0.0.1:0".into(),
                upstream: hub.to_string(),
                tls: brownout::profile::TlsPlan::default(),
            },
        )
        .await
    }

    pub async fn with(plan: Plan, listener: ListenerPlan) -> Bench {
        Bench::beside(plan, listener, brownout::net::tap::Config::default()).await.unwrap()
    }

    /// The same with this tap.
    pub async fn beside(
        plan: Plan,
        listener: ListenerPlan,
        tap: brownout::net::tap::Config,
    ) -> Result<Bench, StartError> {
        let queue = EventQueue::default();
        let events = Arc::new(Mutex::new(Vec::new()));
        let config = Config {
            plan: Arc::new(plan),
            listeners: vec![listener],
            transparent: false,
            with_command: false,
            capture: None,
            tap,
            start: RunStarted {
                version: "test".into(),
                wall_clock: "2026-01-01T00:00:00Z".into(),
                seed: 1,
                profile_name: "test".into(),
                profile: String::new(),
                overrides: Vec::new(),
                azure_fault_messages: None,
                observer: false,
                part: 0,
            },
        };
        let proxy = Proxy::start(config, Clock::start(), queue.clone()).await?;
        let (source, sink) = (queue.clone(), Arc::clone(&events));
        let reader = std::thread::spawn(move || {
            while let Some(batch) = source.take() {
                sink.lock().unwrap().extend(batch);
            }
        });
        let address = proxy.addresses()[0];
        Ok(Bench { proxy, address, events, reader, queue })
    }

    /// Waits until an event matches, and hands out what the function made of it.
    pub async fn until<T>(&self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        let waited = tokio::time::timeout(Duration::from_secs(25), async {
            loop {
                if let Some(found) = self.events.lock().unwrap().iter().find_map(&mut find) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        waited.unwrap_or_else(|_| panic!("no {what} in 25 s; events: {:#?}", self.events.lock().unwrap()))
    }

    /// Ends the run, and hands out all its events.
    pub async fn stop(self) -> Vec<Event> {
        self.proxy.stop(EndReason::Interrupted).await;
        self.queue.close();
        self.reader.join().unwrap();
        Arc::try_unwrap(self.events).unwrap().into_inner().unwrap()
    }
}

pub async fn hub() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A device and the hub's side of its link, past the probe that every start makes.
pub async fn joined(bench: &Bench, hub: &TcpListener) -> (TcpStream, TcpStream) {
    let device = TcpStream::connect(bench.address).await.unwrap();
    device.set_nodelay(true).unwrap();
    let served = hub.accept().await.unwrap().0;
    served.set_nodelay(true).unwrap();
    (device, served)
}

pub async fn bench(rules: Vec<Rule>) -> (Bench, TcpListener) {
    let hub = hub().await;
    let bench = Bench::start(plan(rules), hub.local_addr().unwrap()).await;
    hub.accept().await.unwrap();
    (bench, hub)
}

/// A device that is connected: CONNECT and CONNACK have passed.
pub async fn connected(bench: &Bench, hub: &TcpListener) -> (TcpStream, TcpStream) {
    connected_as(bench, hub, "d1").await
}

/// The same under another name.
pub async fn connected_as(bench: &Bench, hub: &TcpListener, client: &str) -> (TcpStream, TcpStream) {
    let (mut device, mut served) = joined(bench, hub).await;
    let connect = wire::connect(client, 60);
    device.write_all(&connect).await.unwrap();
    expect(&mut served, &connect).await;
    served.write_all(&wire::CONNACK).await.unwrap();
    expect(&mut device, &wire::CONNACK).await;
    (device, served)
}

/// These bytes come next; none come for long is a failure, and not a test that hangs.
pub async fn expect(stream: &mut (impl AsyncReadExt + Unpin), bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut got)).await;
    read.unwrap_or_else(|_| panic!("{bytes:02x?} did not come, only {got:02x?}")).unwrap();
    assert_eq!(got, bytes);
}

/// The first event that matches, or a panic with all of them.
pub fn find<T>(events: &[Event], what: &str, find: impl FnMut(&Event) -> Option<T>) -> T {
    events.iter().find_map(find).unwrap_or_else(|| panic!("no {what} in {events:#?}"))
}

pub fn count(events: &[Event], matches: impl Fn(&What) -> bool) -> usize {
    events.iter().filter(|event| matches(&event.what)).count()
}

/// Bytes of MQTT written out, so that the tests do not rest on the codec they test.
pub mod wire {
    /// CONNECT, MQTT 3.1.1, clean session.
    pub fn connect(client: &str, keep_alive: u16) -> Vec<u8> {
        let mut body = b"\x00\x04MQTT\x04\x02".to_vec();
        body.extend(keep_alive.to_be_bytes());
        body.extend(u16::try_from(client.len()).unwrap().to_be_bytes());
        body.extend(client.as_bytes());
        let mut packet = vec![0x10, u8::try_from(body.len()).unwrap()];
        packet.extend(body);
        packet
    }
    pub const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
    pub const PINGREQ: [u8; 2] = [0xC0, 0];
    pub const PINGRESP: [u8; 2] = [0xD0, 0];
    pub const DISCONNECT: [u8; 2] = [0xE0, 0];
}
