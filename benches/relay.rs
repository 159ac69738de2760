//! What the way of a byte costs: the same traffic over one connection, through tokio's `copy_bidirectional`, and
//! through brownout without rules, with one that never fires, and through its lanes. `cargo bench --bench relay`; some
//! 40 s.
//!
//! The processor time of what is in between is the steadier figure: both ends share the machine with it, and whatever
//! else runs there slows them all.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use brownout::fault::{Delay, Fault, Latency, WaysWanted};
use brownout::profile::Rule;
use common::{Route, Way, at, machine, median, publish};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// How often each way is measured; the median counts.
const ROUNDS: usize = 5;

/// A time of the run that it does not live to see.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// PUBACK of packet identifier 1.
const PUBACK: [u8; 4] = [0x40, 2, 0, 1];

/// Traffic of one kind.
struct Work {
    name: &'static str,
    links: usize,
    /// On each link.
    messages: u32,
    kind: Kind,
}

enum Kind {
    /// QoS 0 without a pause, so many messages in one write.
    Stream { message: Vec<u8>, in_one_write: u32 },
    /// QoS 1, each after the PUBACK of the one before.
    RoundTrips,
}

/// One measurement.
struct Sample {
    wall: Duration,
    cpu: Duration,
}

fn main() {
    let before = machine();
    let works = [
        Work {
            name: "64 B, QoS 0, 8 links",
            links: 8,
            messages: 128_000,
            kind: Kind::Stream { message: publish(&[7; 59]), in_one_write: 64 },
        },
        Work {
            name: "64 KiB, QoS 0, 2 links",
            links: 2,
            messages: 3_000,
            kind: Kind::Stream { message: publish(&[7; 65_536]), in_one_write: 1 },
        },
        Work { name: "QoS 1 round trips, 1 link", links: 1, messages: 2_000, kind: Kind::RoundTrips },
    ];
    let routes = [
        Route::open("direct", Way::Direct),
        Route::open("copy", Way::Copy),
        Route::open("no rules", Way::Brownout(vec![])),
        Route::open("idle rule", Way::Brownout(vec![delay(NEVER, Duration::from_secs(1))])),
        Route::open("1 ms up", Way::Brownout(vec![delay(Duration::ZERO, Duration::from_millis(1))])),
    ];
    println!("\nMedians of {ROUNDS} rounds. {before}");
    for work in &works {
        let mut samples: Vec<Vec<Sample>> = routes.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            for (route, samples) in routes.iter().zip(&mut samples) {
                samples.push(work.through(route));
            }
        }
        show(work, &routes, &samples);
    }
    println!("\nAt the end {}", machine());
    routes.into_iter().for_each(Route::close);
}

/// A rule that delays what devices send, from this time of the run on.
fn delay(first: Duration, delay: Duration) -> Rule {
    let delay = Delay::fixed(delay);
    let latency = Latency { direction: WaysWanted::Up, delay, hold: None };
    at("delay", first, Fault::Latency(latency))
}

fn show(work: &Work, routes: &[Route], samples: &[Vec<Sample>]) {
    let all = f64::from(work.messages) * f64::from(u32::try_from(work.links).unwrap());
    let of = |samples: &[Sample], what: fn(&Sample) -> Duration| {
        median(samples.iter().map(|sample| what(sample).as_secs_f64()).collect()) / all * 1e9
    };
    let figures: Vec<_> =
        samples.iter().map(|samples| (of(samples, |s| s.wall), of(samples, |s| s.cpu))).collect();
    let (direct, copy) = (figures[0], figures[1]);
    println!("\n{}, nanoseconds a message", work.name);
    println!("{:10} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "wall", "/ direct", "/ copy", "cpu", "/ copy");
    for (route, (wall, cpu)) in routes.iter().zip(figures) {
        println!(
            "{:10} {wall:>9.0} {:>9.2} {:>9.2} {cpu:>9.0} {:>9.2}",
            route.name,
            wall / direct.0,
            wall / copy.0,
            cpu / copy.1,
        );
    }
}

impl Work {
    fn through(&self, route: &Route) -> Sample {
        let links: Vec<_> = (0..self.links).map(|n| route.connect(&format!("d{n}"))).collect();
        let (cpu, began) = (route.cpu(), Instant::now());
        thread::scope(|scope| {
            for (device, hub) in links {
                match &self.kind {
                    Kind::Stream { message, in_one_write } => {
                        scope.spawn(move || self.send(device, message, *in_one_write));
                        scope.spawn(move || {
                            drain(hub, message.len() * usize::try_from(self.messages).unwrap())
                        });
                    }
                    Kind::RoundTrips => {
                        scope.spawn(move || self.round_trips(device));
                        scope.spawn(move || answer(hub));
                    }
                }
            }
        });
        Sample { wall: began.elapsed(), cpu: route.cpu() - cpu }
    }

    fn send(&self, mut device: TcpStream, message: &[u8], in_one_write: u32) {
        let chunk = message.repeat(usize::try_from(in_one_write).unwrap());
        for _ in 0..self.messages / in_one_write {
            device.write_all(&chunk).unwrap();
        }
    }

    fn round_trips(&self, mut device: TcpStream) {
        let publish = publish_qos1();
        for _ in 0..self.messages {
            device.write_all(&publish).unwrap();
            device.read_exact(&mut [0; PUBACK.len()]).unwrap();
        }
    }
}

/// Reads until the device has ended, which must be after so many bytes.
fn drain(mut hub: TcpStream, bytes: usize) {
    let mut buffer = vec![0; 256 * 1024];
    let mut left = bytes;
    loop {
        match hub.read(&mut buffer).unwrap() {
            0 => return assert_eq!(left, 0, "bytes are missing"),
            read => left -= read,
        }
    }
}

/// Answers each PUBLISH with its PUBACK, until the device ends.
fn answer(mut hub: TcpStream) {
    let mut publish = publish_qos1();
    while hub.read_exact(&mut publish).is_ok() {
        hub.write_all(&PUBACK).unwrap();
    }
}

/// PUBLISH of QoS 1 and 64 bytes in all, packet identifier 1.
fn publish_qos1() -> Vec<u8> {
    let mut packet = b"\x32\x3e\x00\x01t\x00\x01".to_vec();
    packet.resize(64, 7);
    packet
}
