//! How late a latency rule releases: messages carry when they were written, and the hub sees when they come.
//!
//! One thread is all devices and the hub. It does not sleep, so that what is measured has no wake-up of its own in it.

use crate::link::Link;
use crate::route::{LIMIT, Route};
use crate::wire;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

const MESSAGE: usize = 64;

/// The stamp is the end of the message.
const STAMP: usize = 8;

/// So many links in turn, so many messages a second over all of them.
pub struct Delayed {
    pub links: usize,
    pub rate: u32,
    pub span: Duration,
    /// What the rule says.
    pub delay: Duration,
}

impl Delayed {
    /// By how many microseconds each message came later than it should; below zero: early.
    pub fn through(&self, route: &Route) -> Vec<f64> {
        let mut links = route.links(self.links);
        links.iter().for_each(|link| link.hub.set_nonblocking(true).unwrap());
        let (began, mut sent, mut errors) = (Instant::now(), 0_u32, Vec::new());
        while began.elapsed() < self.span || errors.len() < usize::try_from(sent).unwrap() {
            assert!(began.elapsed() < self.span + LIMIT, "messages are missing");
            if began.elapsed() < self.span && began.elapsed() >= Duration::from_secs(1) * sent / self.rate {
                let turn = usize::try_from(sent).unwrap() % links.len();
                send(&mut links[turn], began);
                sent += 1;
            }
            errors.extend(links.iter_mut().flat_map(|link| came(link, began, self.delay)));
        }
        errors
    }
}

fn send(link: &mut Link, began: Instant) {
    let mut message = wire::publish(MESSAGE);
    let stamp = u64::try_from(began.elapsed().as_nanos()).unwrap();
    message[MESSAGE - STAMP..].copy_from_slice(&stamp.to_be_bytes());
    link.device.write_all(&message).unwrap();
}

/// What has come on a link, in whole messages: each is one write, of one segment.
fn came(link: &mut Link, began: Instant, delay: Duration) -> Vec<f64> {
    let mut bytes = [0; 16 * MESSAGE];
    let read = match link.hub.read(&mut bytes) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let now = began.elapsed();
    assert!(read > 0 && read.is_multiple_of(MESSAGE), "a message came in parts");
    let stamp = |message: &[u8]| u64::from_be_bytes(message[MESSAGE - STAMP..].try_into().unwrap());
    let due = |message: &[u8]| Duration::from_nanos(stamp(message)) + delay;
    bytes[..read]
        .chunks(MESSAGE)
        .map(|message| (now.as_secs_f64() - due(message).as_secs_f64()) * 1e6)
        .collect()
}
