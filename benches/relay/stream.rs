//! QoS 0 without a pause: each device writes as fast as it may, the hub counts.
//!
//! The hub's side has the kernel discard what came (MSG_TRUNC, tcp(7)): its bytes are counted and their order is TCP's,
//! so that they need not be copied once more on the core that all devices share.

use crate::link::Link;
use crate::route::Route;
use crate::stats::float;
use crate::trace::{Meter, Taken};
use socket2::SockRef;
use std::io::Write;
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Taken off a socket in one call at most.
const DISCARD: usize = 1 << 20;

/// So many links, each with this message over and over, so many in one write, for so long.
pub struct Stream {
    pub links: usize,
    pub message: Vec<u8>,
    pub in_one_write: usize,
    pub span: Duration,
}

impl Stream {
    /// How many messages came through, and what that took.
    pub fn through(&self, route: &Route) -> (f64, Taken) {
        let links = route.links(self.links);
        let chunk = self.message.repeat(self.in_one_write);
        let meter = Meter::begin(route);
        let until = Instant::now() + self.span;
        let bytes: usize = thread::scope(|scope| {
            let links: Vec<_> = links
                .iter()
                .map(|link| (scope.spawn(|| send(link, &chunk, until)), scope.spawn(|| drain(&link.hub))))
                .collect();
            links
                .into_iter()
                .map(|(sent, came)| agreed(route, sent.join().unwrap(), came.join().unwrap()))
                .sum()
        });
        (float(bytes / self.message.len()), meter.end())
    }
}

/// As many bytes as were sent, which came.
fn agreed(route: &Route, sent: usize, came: usize) -> usize {
    assert_eq!(sent, came, "{}: bytes sent, and bytes that came", route.name);
    came
}

/// Writes until it is time, then ends; how many bytes.
fn send(link: &Link, chunk: &[u8], until: Instant) -> usize {
    let mut sent = 0;
    while Instant::now() < until {
        (&link.device).write_all(chunk).unwrap();
        sent += chunk.len();
    }
    link.device.shutdown(Shutdown::Write).unwrap();
    sent
}

/// Discards until the end; how many bytes.
pub fn drain(hub: &TcpStream) -> usize {
    let socket = SockRef::from(hub);
    let mut nowhere = vec![MaybeUninit::uninit(); DISCARD];
    let mut came = 0;
    loop {
        match socket.recv_with_flags(&mut nowhere, libc::MSG_TRUNC).unwrap() {
            0 => return came,
            read => came += read,
        }
    }
}
