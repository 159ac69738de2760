//! QoS 1 at an even pace: each PUBLISH is timed from its write until its PUBACK is read.
//!
//! One thread is all devices and the hub. It never sleeps, so that its own wake-ups are not in what is measured.

use crate::link::Link;
use crate::route::{LIMIT, Route};
use crate::trace::{Meter, Taken};
use crate::wire;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

const MESSAGE: usize = 64;
const PUBACK: usize = 4;

/// So many links, so many messages a second over all of them.
pub struct RoundTrips {
    pub links: usize,
    pub rate: u32,
    pub span: Duration,
}

/// A link, and its messages under way.
struct Open {
    link: Link,
    next_id: u16,
    /// When each was written, and its packet identifier.
    sent: VecDeque<(Instant, u16)>,
    /// Bytes of a packet that has not wholly come, at the hub and at the device.
    at_hub: Vec<u8>,
    at_device: Vec<u8>,
}

impl RoundTrips {
    /// Each round trip in microseconds, and what they took.
    pub fn through(&self, route: &Route) -> (Vec<f64>, Taken) {
        let mut links: Vec<_> = route.links(self.links).into_iter().map(Open::new).collect();
        let mut poll = watch(&links);
        let meter = Meter::begin(route);
        let times = self.trips(&mut links, &mut poll);
        (times, meter.end())
    }

    fn trips(&self, links: &mut [Open], poll: &mut Poll) -> Vec<f64> {
        let (began, mut sent, mut times) = (Instant::now(), 0_u32, Vec::new());
        let mut events = Events::with_capacity(256);
        loop {
            let is_over = began.elapsed() >= self.span;
            if is_over && times.len() == usize::try_from(sent).unwrap() {
                return times;
            }
            assert!(began.elapsed() < self.span + LIMIT, "{sent} PUBLISH, {} PUBACK", times.len());
            if !is_over && began.elapsed() >= Duration::from_secs(1) * sent / self.rate {
                let turn = usize::try_from(sent).unwrap() % links.len();
                links[turn].publish();
                sent += 1;
            }
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            for event in &events {
                let Token(token) = event.token();
                links[token / 2].ready(token % 2 == 0, &mut times);
            }
            if events.is_empty() {
                thread::yield_now();
            }
        }
    }
}

/// Of the link n, token 2n is the hub's socket, and 2n + 1 the device's.
fn watch(links: &[Open]) -> Poll {
    let poll = Poll::new().unwrap();
    for (n, open) in links.iter().enumerate() {
        for (which, socket) in [&open.link.hub, &open.link.device].into_iter().enumerate() {
            socket.set_nonblocking(true).unwrap();
            let mut source = SourceFd(&socket.as_raw_fd());
            poll.registry().register(&mut source, Token(2 * n + which), Interest::READABLE).unwrap();
        }
    }
    poll
}

impl Open {
    fn new(link: Link) -> Open {
        Open { link, next_id: 1, sent: VecDeque::new(), at_hub: Vec::new(), at_device: Vec::new() }
    }

    fn publish(&mut self) {
        let (id, message) = (self.next_id, wire::publish_qos1(MESSAGE, self.next_id));
        self.next_id = id.checked_add(1).unwrap_or(1);
        self.sent.push_back((Instant::now(), id));
        (&self.link.device).write_all(&message).unwrap();
    }

    fn ready(&mut self, is_hub: bool, times: &mut Vec<f64>) {
        if is_hub {
            read(&mut self.link.hub, &mut self.at_hub);
            self.acknowledge();
        } else {
            read(&mut self.link.device, &mut self.at_device);
            self.acknowledged(times);
        }
    }

    fn acknowledge(&mut self) {
        let whole = self.at_hub.len() / MESSAGE * MESSAGE;
        for message in self.at_hub.drain(..whole).as_slice().chunks(MESSAGE) {
            let id = u16::from_be_bytes([message[wire::ID_AT], message[wire::ID_AT + 1]]);
            self.link.hub.write_all(&wire::puback(id)).unwrap();
        }
    }

    fn acknowledged(&mut self, times: &mut Vec<f64>) {
        let whole = self.at_device.len() / PUBACK * PUBACK;
        for puback in self.at_device.drain(..whole).as_slice().chunks(PUBACK) {
            let (written, id) = self.sent.pop_front().expect("more PUBACK than PUBLISH");
            assert_eq!(puback, wire::puback(id), "PUBACKs come in order");
            times.push(written.elapsed().as_secs_f64() * 1e6);
        }
    }
}

/// Reads what has come: readiness is told once.
fn read(socket: &mut impl Read, into: &mut Vec<u8>) {
    let mut chunk = [0; 4096];
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => panic!("the link has ended"),
            Ok(read) => {
                into.extend(&chunk[..read]);
                // A short read has emptied the socket: what comes after it is told anew (epoll(7)).
                if read < chunk.len() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}
