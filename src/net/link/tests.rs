mod attention;
mod orders;
mod plain;
mod still;

use super::*;
use crate::base::{ListenerId, Span};
use crate::engine::Engine;
use crate::event::{Event, TlsMode, What};
use crate::net::alarm::Alarm;
use crate::net::tls::{Authority, KeyLog};
use crate::net::{Clock, EventQueue};
use crate::profile::{ListenerPlan, Plan, TlsPlan};
use std::future::poll_fn;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a handshake may take here.
const PATIENCE: Duration = Duration::from_millis(200);

fn plan() -> Arc<Plan> {
    Arc::new(Plan {
        name: "test".into(),
        summary: "A test.".into(),
        reproduces: None,
        listeners: Vec::new(),
        devices: 1,
        default_keep_alive: Duration::from_secs(60),
        settle: Span::fixed(Duration::from_millis(500)),
        duration: None,
        rules: Vec::new(),
        expectations: Vec::new(),
        fault_messages: None,
        strictness: None,
        server_keep_alive: None,
        sequence: None,
    })
}

/// A link without sockets, which nobody polls, and what is told of it.
fn still(alarm: &Alarm, plan: Arc<Plan>) -> (Link, EventQueue) {
    let queue = EventQueue::default();
    let core = Arc::new(Core::new(Engine::new(plan, 1, false), alarm.clock(), queue.clone()));
    let listener = ListenerPlan {
        name: "main".into(),
        listen: String::new(),
        upstream: "127.0.0.1:1".into(),
        tls: TlsPlan::default(),
    };
    let (terms, _) = Terms::load(&listener, &Arc::new(KeyLog::from_environment().unwrap())).unwrap();
    let (id, mailbox) = core.open_link(ListenerId(0), "127.0.0.1:2".parse().unwrap(), None);
    (Link::new(id, core, mailbox, Leg::default(), Arc::new(terms), alarm.slot()), queue)
}

/// A link with TLS on both legs, whose hub and device do nothing that is not written here; what is told of it.
async fn told_of(hello: &'static [u8]) -> Vec<Event> {
    let directory = tempfile::TempDir::new().unwrap();
    Authority::create(directory.path()).unwrap();
    let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    let listener = ListenerPlan {
        name: "main".into(),
        listen: String::new(),
        upstream: hub.local_addr().unwrap().to_string(),
        tls: TlsPlan {
            mode: TlsMode::Reoriginate,
            ca: Some(path),
            hub_unverified: true,
            ..TlsPlan::default()
        },
    };
    let (mut terms, _) = Terms::load(&listener, &Arc::new(KeyLog::from_environment().unwrap())).unwrap();
    terms.patience = PATIENCE;
    let (clock, queue) = (Clock::start(), EventQueue::default());
    let alarm = Alarm::start(clock).unwrap();
    let core = Arc::new(Core::new(Engine::new(plan(), 1, false), clock, queue.clone()));
    let mut device = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = door.accept().await.unwrap();
    let (id, mailbox) = core.open_link(ListenerId(0), peer, None);
    let leg = Leg::connected(accepted, None);
    let mut link = Link::new(id, core, mailbox, leg, Arc::new(terms), alarm.slot());
    device.write_all(hello).await.unwrap();
    let (served, _) = tokio::join!(hub.accept(), async {
        let over = tokio::time::timeout(Duration::from_secs(25), poll_fn(|cx| link.poll(cx)));
        over.await.expect("the link ends");
    });
    drop(served);
    let mut rest = Vec::new();
    let _ = device.read_to_end(&mut rest).await;
    drop(link);
    queue.close();
    queue.take().unwrap_or_default().into()
}

fn failures(events: &[Event]) -> Vec<(Side, &str)> {
    events
        .iter()
        .filter_map(|event| match &event.what {
            What::TlsFailed { side, error, .. } => Some((*side, error.as_str())),
            _ => None,
        })
        .collect()
}

/// What rustls says first, to a server of any name.
fn client_hello() -> &'static [u8] {
    let builder = rustls::ClientConfig::builder_with_provider(crate::net::tls::provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let name = rustls::pki_types::ServerName::try_from("hub.example").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello.leak()
}

#[tokio::test]
async fn a_device_that_says_no_hello_is_given_up_once() {
    let events = told_of(b"").await;
    assert_eq!(failures(&events), [(Side::Device, "no ClientHello came in 0 s")]);
}

#[tokio::test]
async fn a_device_that_does_not_end_its_hello_is_given_up_once() {
    let events = told_of(b"\x16\x03\x01\x01\x00\x01").await;
    assert_eq!(failures(&events), [(Side::Device, "no ClientHello came in 0 s")]);
}

/// A hub of this machine that accepts nobody, and whose queue is full.
fn full_hub() -> (socket2::Socket, SocketAddr, Vec<std::net::TcpStream>) {
    let hub = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    hub.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    hub.listen(0).unwrap();
    let to = hub.local_addr().unwrap().as_socket().unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&to, Duration::from_millis(200)).ok();
    let waiting = std::iter::from_fn(connect).take(100).collect();
    (hub, to, waiting)
}

#[tokio::test]
async fn a_hub_that_does_not_take_a_connect_is_given_up() {
    let (_hub, to, _waiting) = full_hub();
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = ListenerPlan {
        name: "main".into(),
        listen: String::new(),
        upstream: to.to_string(),
        tls: TlsPlan::default(),
    };
    let (mut terms, _) = Terms::load(&listener, &Arc::new(KeyLog::from_environment().unwrap())).unwrap();
    terms.dial_limit = PATIENCE;
    let (clock, queue) = (Clock::start(), EventQueue::default());
    let alarm = Alarm::start(clock).unwrap();
    let core = Arc::new(Core::new(Engine::new(plan(), 1, false), clock, queue.clone()));
    let _device = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = door.accept().await.unwrap();
    let (id, mailbox) = core.open_link(ListenerId(0), peer, None);
    let mut link =
        Link::new(id, core, mailbox, Leg::connected(accepted, None), Arc::new(terms), alarm.slot());
    let begun = clock.now();
    let over = tokio::time::timeout(Duration::from_secs(25), poll_fn(|cx| link.poll(cx)));
    over.await.expect("the link ends");
    assert!(clock.now().since(begun) >= PATIENCE);
    drop(link);
    queue.close();
    let words = queue.take().unwrap_or_default().into_iter().find_map(|event| match event.what {
        What::HubUnreachable { error, .. } => Some(error),
        _ => None,
    });
    assert_eq!(words, Some(format!("{to}: no answer in 0 s")));
}

#[tokio::test]
async fn a_hub_that_does_not_answer_is_given_up_once() {
    let events = told_of(client_hello()).await;
    assert_eq!(failures(&events), [(Side::Hub, "the handshake did not come to its end in 0 s")]);
}
