//! What the benches share: the ways that bytes can take between two sockets of this process, and how figures are shown.
//!
//! Every way is measured in the same run, in turn, over several rounds: on a busy machine only the comparison says
//! anything. A way in between runs on worker threads of its own, named after it, so that its processor time can be
//! told from that of the sockets' two ends, which are blocking threads.

#![allow(dead_code, unused_imports, reason = "each bench uses a part")]
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../tests/common/mod.rs"]
mod proxy;

pub use proxy::{Bench, at, plan, wire};

use brownout::profile::Rule;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How bytes get from the device's socket to the hub's.
pub enum Way {
    /// One connection, nothing in between.
    Direct,
    /// tokio's `copy_bidirectional`: what a proxy costs that looks at nothing.
    Copy,
    /// brownout with these rules.
    Brownout(Vec<Rule>),
}

/// A way that is open.
pub struct Route {
    pub name: &'static str,
    hub: TcpListener,
    address: SocketAddr,
    between: Between,
}

enum Between {
    Nothing,
    Copy(Runtime),
    Brownout(Runtime, Box<Bench>),
}

impl Route {
    /// Opens a way. At most 15 bytes of the name tell its threads (prctl(2), PR_SET_NAME).
    pub fn open(name: &'static str, way: Way) -> Route {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = hub.local_addr().unwrap();
        let (address, between) = match way {
            Way::Direct => (upstream, Between::Nothing),
            Way::Copy => {
                let runtime = runtime(name);
                (runtime.block_on(copying(upstream)), Between::Copy(runtime))
            }
            Way::Brownout(rules) => {
                let runtime = runtime(name);
                let bench = runtime.block_on(Bench::start(plan(rules), upstream));
                hub.accept().unwrap(); // The probe that every start makes.
                (bench.address, Between::Brownout(runtime, Box::new(bench)))
            }
        };
        Route { name, hub, address, between }
    }

    /// A device's socket and the hub's side of its link, past CONNECT and CONNACK.
    pub fn connect(&self, client: &str) -> (TcpStream, TcpStream) {
        let mut device = TcpStream::connect(self.address).unwrap();
        let mut hub = self.hub.accept().unwrap().0;
        for socket in [&device, &hub] {
            socket.set_nodelay(true).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        let connect = wire::connect(client, 60);
        device.write_all(&connect).unwrap();
        hub.read_exact(&mut vec![0; connect.len()]).unwrap();
        hub.write_all(&wire::CONNACK).unwrap();
        device.read_exact(&mut [0; wire::CONNACK.len()]).unwrap();
        (device, hub)
    }

    /// Processor time of what is in between, so far.
    pub fn cpu(&self) -> Duration {
        match self.between {
            Between::Nothing => Duration::ZERO,
            Between::Copy(_) | Between::Brownout(..) => cpu_of_threads(self.name),
        }
    }

    /// Ends what is in between.
    pub fn close(self) {
        if let Between::Brownout(runtime, bench) = self.between {
            runtime.block_on(bench.stop());
        }
    }
}

/// As many workers as the tool itself takes: one a processor.
fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().enable_all().thread_name(name).build().unwrap()
}

async fn copying(upstream: SocketAddr) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut device, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut hub = tokio::net::TcpStream::connect(upstream).await?;
                device.set_nodelay(true)?;
                hub.set_nodelay(true)?;
                tokio::io::copy_bidirectional(&mut device, &mut hub).await
            });
        }
    });
    address
}

/// What the threads of this name have had of the processors (proc(5), schedstat: nanoseconds first).
fn cpu_of_threads(name: &str) -> Duration {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let read = |file| fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim_end() == name {
            nanos += read("schedstat").split(' ').next().map_or(0, |first| first.parse().unwrap_or(0));
        }
    }
    Duration::from_nanos(nanos)
}

/// Resident memory of this process in bytes (proc(5)).
pub fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// A PUBLISH of QoS 0 on topic `t` with this payload.
pub fn publish(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x30];
    let mut left = 3 + payload.len();
    while left > 0x7f {
        packet.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    packet.push(u8::try_from(left).unwrap());
    packet.extend(b"\x00\x01t");
    packet.extend(payload);
    packet
}

/// The value that this many hundredths do not exceed, of at least one.
pub fn percentile(sorted: &[Duration], hundredths: usize) -> Duration {
    sorted[(sorted.len() * hundredths / 100).min(sorted.len() - 1)]
}

/// The middle one of at least one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// What else this machine does, for the reader of the figures.
pub fn machine() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{processors} processors, load {}", load.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
