//! QoS 0 without a pause over TLS. Each message is a record of its own where it fits into one.
//!
//! All records are made before the clock starts, and what comes is counted as it is, encrypted: else devices and hub
//! would do as much cryptography as what is measured. That the right bytes come is seen on the first messages of each
//! link, which the hub decrypts; that none is missing, by the count.

use crate::route::Route;
use crate::stats::float;
use crate::stream::drain;
use crate::tls::TlsLink;
use crate::trace::{Meter, Taken};
use rustls::ClientConnection;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

/// The hub decrypts and compares so many on each link.
const COMPARED: usize = 32;

/// What a record carries at most, and what it takes beside that at least: header, type, tag (RFC 8446, section 5).
const MOST: usize = 16_384;
const RECORD: usize = 5 + 1 + 16;

/// So many links, each with this message over and over.
pub struct TlsStream {
    pub links: usize,
    pub message: Vec<u8>,
    /// On each link.
    pub messages: usize,
}

impl TlsStream {
    /// How many messages came through, and what that took.
    pub fn through(&self, route: &Route) -> (f64, Taken) {
        let mut links: Vec<_> = (0..self.links).map(|n| route.tls_link(&format!("d{n}"))).collect();
        links.iter_mut().for_each(|link| self.compare(link));
        let ready: Vec<_> = links.iter_mut().map(|link| self.encrypted(&mut link.device.conn)).collect();
        let meter = Meter::begin(route);
        thread::scope(|scope| {
            for (link, bytes) in links.iter().zip(&ready) {
                scope.spawn(|| send(&link.device.sock, bytes));
                scope.spawn(|| self.all_came(drain(&link.hub.sock)));
            }
        });
        (float(self.links * self.messages), meter.end())
    }

    fn compare(&self, link: &mut TlsLink) {
        let mut came = vec![0; self.message.len()];
        for _ in 0..COMPARED {
            link.device.write_all(&self.message).unwrap();
            link.hub.read_exact(&mut came).unwrap();
            assert_eq!(came, self.message, "other bytes came than were sent");
        }
    }

    /// All records of a link, its close_notify last.
    fn encrypted(&self, connection: &mut ClientConnection) -> Vec<u8> {
        let records = self.message.len().div_ceil(MOST) * RECORD;
        let mut bytes = Vec::with_capacity((self.message.len() + records) * self.messages + 64);
        connection.set_buffer_limit(None);
        for _ in 0..self.messages {
            connection.writer().write_all(&self.message).unwrap();
            while connection.wants_write() {
                connection.write_tls(&mut bytes).unwrap();
            }
        }
        connection.send_close_notify();
        while connection.wants_write() {
            connection.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    fn all_came(&self, bytes: usize) {
        let plain = self.message.len() * self.messages;
        let least = plain + plain.div_ceil(MOST) * RECORD;
        assert!(bytes >= least, "{bytes} bytes of records came for {plain} of messages");
    }
}

fn send(mut device: &TcpStream, bytes: &[u8]) {
    device.write_all(bytes).unwrap();
    device.shutdown(Shutdown::Write).unwrap();
}
