//! QoS 0 at an even pace, over the links in turn: what a message costs that comes alone.

use crate::link::Link;
use crate::route::{LIMIT, Route};
use crate::stats::float;
use crate::trace::{Meter, Taken};
use crate::wire;
use socket2::SockRef;
use std::io::{ErrorKind, Write};
use std::mem::MaybeUninit;
use std::thread;
use std::time::{Duration, Instant};

const MESSAGE: usize = 64;

/// So many links, so many messages a second over all of them.
pub struct Paced {
    pub links: usize,
    pub rate: u32,
    pub span: Duration,
}

impl Paced {
    /// How many messages came through, and what that took.
    pub fn through(&self, route: &Route) -> (f64, Taken) {
        self.over(route, &route.links(self.links))
    }

    /// The same over links that are there already.
    pub fn over(&self, route: &Route, links: &[Link]) -> (f64, Taken) {
        links.iter().for_each(|link| link.hub.set_nonblocking(true).unwrap());
        let meter = Meter::begin(route);
        let messages = self.send(links);
        (float(messages), meter.end())
    }

    /// One thread for all: a message that is due, and a look at a hub's socket, in turn.
    fn send(&self, links: &[Link]) -> usize {
        let message = wire::publish(MESSAGE);
        let (began, mut came, mut sent) = (Instant::now(), 0, 0_u32);
        while began.elapsed() < self.span {
            let link = &links[usize::try_from(sent).unwrap() % links.len()];
            wait(began + Duration::from_secs(1) * sent / self.rate);
            (&link.device).write_all(&message).unwrap();
            // What came of the message before, by now.
            came += discard(link);
            sent += 1;
        }
        let sent = usize::try_from(sent).unwrap();
        while came < sent * message.len() {
            assert!(began.elapsed() < self.span + LIMIT, "messages are missing");
            came += links.iter().map(discard).sum::<usize>();
        }
        assert_eq!(came, sent * message.len(), "bytes came that nobody sent");
        sent
    }
}

/// Until then, without sleeping: a sleep ends tens of microseconds late.
fn wait(until: Instant) {
    while Instant::now() < until {
        thread::yield_now();
    }
}

/// Takes what a hub's socket holds; how many bytes.
fn discard(link: &Link) -> usize {
    let mut nowhere = [MaybeUninit::uninit(); 4096];
    match SockRef::from(&link.hub).recv_with_flags(&mut nowhere, libc::MSG_TRUNC) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}
