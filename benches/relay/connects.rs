//! Short links, one after the other: TCP, CONNECT, CONNACK, DISCONNECT, and the same with TLS handshakes on both legs.
//!
//! Several devices at a time, so that what is in between always has work; a thread of the hub for each.

use crate::link::prepare;
use crate::route::{LIMIT, Route};
use crate::stats::float;
use crate::trace::{Meter, Taken};
use crate::wire;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How many devices connect at a time.
const DEVICES: usize = 12;

/// The CONNECT of each device: with one identifier for all, every link would take over those of the others. They are all as
/// long: the hub knows how much to read.
fn connects() -> Vec<Vec<u8>> {
    (0..DEVICES).map(|device| wire::connect(&format!("device{device:02}"))).collect()
}

/// What the hub saw.
#[derive(Default)]
struct Seen {
    connects: AtomicUsize,
    disconnects: AtomicUsize,
}

/// How many links there were, how many DISCONNECTs the hub saw, and what all took.
pub struct Connects {
    pub links: f64,
    pub disconnects: f64,
    /// Seconds until the last device had written its DISCONNECT.
    pub wall: f64,
    pub taken: Taken,
}

/// For so long.
pub fn through(route: &Route, span: Duration) -> Connects {
    let (seen, connects) = (Seen::default(), connects());
    let meter = Meter::begin(route);
    let began = Instant::now();
    let until = began + span;
    let (links, wall) = thread::scope(|scope| {
        for _ in 0..DEVICES {
            scope.spawn(|| serve(route, &connects, &seen));
        }
        let devices: Vec<_> =
            connects.iter().map(|connect| scope.spawn(|| visits(route, connect, until))).collect();
        let links = devices.into_iter().map(|device| device.join().unwrap()).sum();
        let wall = began.elapsed().as_secs_f64();
        end(route, links, &seen);
        (links, wall)
    });
    let disconnects = float(seen.disconnects.load(Relaxed));
    Connects { links: float(links), disconnects, wall, taken: meter.end() }
}

/// A device that comes and goes until it is time; how often.
fn visits(route: &Route, connect: &[u8], until: Instant) -> usize {
    let mut count = 0;
    while Instant::now() < until {
        visit(route, connect).unwrap_or_else(|error| panic!("{}, a device: {error}", route.name));
        count += 1;
    }
    count
}

fn visit(route: &Route, connect: &[u8]) -> io::Result<()> {
    if route.pki.is_some() {
        let mut device = route.tls_device(connect)?;
        device.write_all(&wire::DISCONNECT)?;
        device.conn.send_close_notify();
        return device.flush();
    }
    let mut device = TcpStream::connect(route.address)?;
    prepare(&device)?;
    device.write_all(connect)?;
    device.read_exact(&mut [0; wire::CONNACK.len()])?;
    device.write_all(&wire::DISCONNECT)
}

/// One of the hub's threads: links until one comes that says nothing when all is over.
fn serve(route: &Route, connects: &[Vec<u8>], seen: &Seen) {
    let mut rest = Vec::new();
    loop {
        rest.clear();
        if route.pki.is_some() {
            let Ok(mut hub) = route.tls_hub(connects) else { return };
            seen.connects.fetch_add(1, Relaxed);
            // A missing close_notify is an error here, after the bytes that came.
            let _ = hub.read_to_end(&mut rest);
        } else {
            let Ok(mut hub) = route.accept(connects) else { return };
            seen.connects.fetch_add(1, Relaxed);
            hub.write_all(&wire::CONNACK).unwrap();
            match hub.read_to_end(&mut rest) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => panic!("{}, the hub: {error}", route.name),
            }
        }
        seen.disconnects.fetch_add(usize::from(rest == wire::DISCONNECT), Relaxed);
    }
}

/// Lets the hub's threads see the end of the last links, then stops them: by what is no CONNECT.
fn end(route: &Route, links: usize, seen: &Seen) {
    let began = Instant::now();
    // A link whose DISCONNECT is lost ends too, but is not told from one that goes on: so this has a limit.
    while seen.disconnects.load(Relaxed) < links && began.elapsed() < LIMIT / 20 {
        thread::sleep(Duration::from_millis(1));
    }
    let hub = route.hub.local_addr().unwrap();
    for _ in 0..DEVICES {
        if let Ok(mut socket) = TcpStream::connect(hub) {
            let _ = socket.write_all(&[0; 64]);
        }
    }
}
