//! The whole way of a message: socket, link, engine, ledger, socket. One thread; device and hub are at the other ends of the
//! sockets, and count the same without brownout between them, which is the floor.

use crate::Part;
use crate::common::{Bench, at, plan, publish, wire};
use brownout::fault::{Fault, PacketAction, PacketFault, PacketMatch};
use brownout::mqtt::PacketKind;
use brownout::profile::Rule;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const DIRECT: &str = "the same sockets without brownout";

const RULELESS: &str = "without rules";

pub const PARTS: &[Part] = &[
    Part {
        name: "relay-64",
        unit: "PUBLISH of 64 B, QoS 0, 256 in a write",
        work: |count| run(Some(vec![]), 64, count),
        floor: (DIRECT, |count| run(None, 64, count)),
        round: 400_000,
    },
    Part {
        name: "relay-topics",
        unit: "the same, 100 rules by topics that do not match",
        work: |count| run(Some(by_topic()), 64, count),
        floor: (RULELESS, |count| run(Some(vec![]), 64, count)),
        round: 400_000,
    },
    Part {
        name: "relay-16k",
        unit: "PUBLISH of 16 KiB, QoS 0, alone",
        work: |count| run(Some(vec![]), 16 * 1024, count),
        floor: (DIRECT, |count| run(None, 16 * 1024, count)),
        round: 20_000,
    },
    Part {
        name: "relay-qos1",
        unit: "PUBLISH of 64 B, QoS 1, and its PUBACK",
        work: |count| round_trips(Some(vec![]), count),
        floor: (DIRECT, |count| round_trips(None, count)),
        round: 20_000,
    },
    Part {
        name: "qos1-topics",
        unit: "the same, 100 rules by topics that do not match",
        work: |count| round_trips(Some(by_topic()), count),
        floor: (RULELESS, |count| round_trips(Some(vec![]), count)),
        round: 20_000,
    },
    Part {
        name: "relay-link",
        unit: "link: TCP, CONNECT, CONNACK, DISCONNECT",
        work: |count| links(Some(vec![]), count),
        floor: (DIRECT, |count| links(None, count)),
        round: 2_000,
    },
];

/// What of a stream is written at once.
const WRITE: usize = 16 * 1024;

struct Ends {
    device: TcpStream,
    hub: TcpStream,
    bench: Option<Bench>,
}

fn on_one_thread<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A hub, where its devices connect, and what is in between, with its rules.
async fn way(through: Option<Vec<Rule>>) -> (TcpListener, SocketAddr, Option<Bench>) {
    let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hub.local_addr().unwrap();
    let Some(rules) = through else { return (hub, address, None) };
    let bench = Bench::start(plan(rules), address).await;
    drop(hub.accept().await.unwrap()); // The probe that every start makes.
    (hub, bench.address, Some(bench))
}

async fn connected(through: Option<Vec<Rule>>) -> Ends {
    let (hub, address, bench) = way(through).await;
    let mut device = TcpStream::connect(address).await.unwrap();
    let mut hub = hub.accept().await.unwrap().0;
    let connect = wire::connect("device", 60);
    device.write_all(&connect).await.unwrap();
    hub.read_exact(&mut vec![0; connect.len()]).await.unwrap();
    hub.write_all(&wire::CONNACK).await.unwrap();
    device.read_exact(&mut [0; wire::CONNACK.len()]).await.unwrap();
    Ends { device, hub, bench }
}

impl Ends {
    async fn close(self) {
        drop((self.device, self.hub));
        if let Some(bench) = self.bench {
            bench.stop().await;
        }
    }
}

/// A hundred rules of packets, none of whose topics occurs.
fn by_topic() -> Vec<Rule> {
    let rule = |n| {
        let what = PacketMatch {
            packet: Some(PacketKind::Publish),
            topic: Some(format!("other/{n}/#")),
            ..PacketMatch::EVERY
        };
        let action = PacketAction::Drop { acknowledge: false };
        at(&format!("other-{n}"), Duration::ZERO, Fault::Packets(PacketFault { what, action, hold: None }))
    };
    (0..100).map(rule).collect()
}

/// So many messages of this size, QoS 0, each write read before the next; through brownout with these rules, or directly.
fn run(through: Option<Vec<Rule>>, size: usize, count: u32) {
    on_one_thread(async {
        let mut ends = connected(through).await;
        let message = publish(&vec![7; size - 5]);
        let each = (WRITE / message.len()).max(1);
        let (write, mut read) = (message.repeat(each), vec![0; message.len() * each]);
        for _ in 0..count.div_ceil(u32::try_from(each).unwrap()) {
            let (sent, heard) = tokio::join!(ends.device.write_all(&write), ends.hub.read_exact(&mut read));
            sent.and(heard.map(drop)).unwrap();
        }
        assert_eq!(read, write);
        ends.close().await;
    });
}

fn round_trips(through: Option<Vec<Rule>>, count: u32) {
    on_one_thread(async {
        let mut ends = connected(through).await;
        let mut message = vec![0x32, 62, 0, 1, b't', 0, 0];
        message.resize(64, 7);
        let mut heard = vec![0; message.len()];
        for n in 0..count {
            let id = u16::try_from(n % 65_535).unwrap() + 1;
            message[5..7].copy_from_slice(&id.to_be_bytes());
            ends.device.write_all(&message).await.unwrap();
            ends.hub.read_exact(&mut heard).await.unwrap();
            let [high, low] = id.to_be_bytes();
            ends.hub.write_all(&[0x40, 2, high, low]).await.unwrap();
            ends.device.read_exact(&mut [0; 4]).await.unwrap();
        }
        assert_eq!(heard, message);
        ends.close().await;
    });
}

/// So many links of one device, each after the last; the hub says FIN when it has read the device's.
fn links(through: Option<Vec<Rule>>, count: u32) {
    on_one_thread(async {
        let (listener, address, bench) = way(through).await;
        let connect = wire::connect("device", 60);
        let mut heard = Vec::new();
        for _ in 0..count {
            let mut device = TcpStream::connect(address).await.unwrap();
            device.write_all(&connect).await.unwrap();
            let mut hub = listener.accept().await.unwrap().0;
            heard.resize(connect.len(), 0);
            hub.read_exact(&mut heard).await.unwrap();
            hub.write_all(&wire::CONNACK).await.unwrap();
            device.read_exact(&mut [0; wire::CONNACK.len()]).await.unwrap();
            device.write_all(&wire::DISCONNECT).await.unwrap();
            drop(device);
            heard.clear();
            hub.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, wire::DISCONNECT);
        }
        if let Some(bench) = bench {
            bench.stop().await;
        }
    });
}
