//! A device's open connection: what goes out and what comes in, in plain or over TLS, without waiting for either.

use super::io::HowClosed;
use crate::net::sys::reset;
use crate::tls::Alert;
use rustls::ClientConnection;
use std::io::{self, ErrorKind, Read, Write};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes given to TLS before what it made of them is written: one record.
const RECORD: usize = 16 * 1024;

/// An open connection.
pub(crate) struct Open {
    stream: TcpStream,
    tls: Option<Tls>,
    outgoing: Vec<u8>,
    /// Nothing more is to be read; what is written still goes.
    pub read_ended: bool,
    write_failed: bool,
}

struct Tls {
    connection: Box<ClientConnection>,
    /// Bytes of MQTT in records that the kernel has not taken.
    sealed: usize,
    /// There may be more to read that the kernel does not know of.
    opened: bool,
}

impl Open {
    pub fn new(stream: TcpStream, connection: Option<Box<ClientConnection>>) -> Open {
        let tls = connection.map(|connection| Tls { connection, sealed: 0, opened: true });
        Open { stream, tls, outgoing: Vec::new(), read_ended: false, write_failed: false }
    }

    /// Its socket, to ask the kernel about.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until it can be read or written, as is wanted; for ever where nothing is.
    pub async fn ready(&self) {
        if !self.read_ended && self.tls.as_ref().is_some_and(|tls| tls.opened) {
            return tokio::task::yield_now().await;
        }
        match self.interest() {
            // An error of the readiness itself shows again in the read or write after it.
            Some(interest) => drop(self.stream.ready(interest).await),
            None => std::future::pending().await,
        }
    }

    fn interest(&self) -> Option<Interest> {
        let sealed = self.tls.as_ref().is_some_and(|tls| tls.connection.wants_write());
        match (self.read_ended, (self.outgoing.is_empty() && !sealed) || self.write_failed) {
            (false, true) => Some(Interest::READABLE),
            (false, false) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::WRITABLE),
            (true, true) => None,
        }
    }

    /// Puts bytes behind what waits to be written.
    pub fn give(&mut self, bytes: &[u8]) {
        if !self.write_failed {
            self.outgoing.extend_from_slice(bytes);
        }
    }

    /// Reads what is there: how many bytes, or that the link is over. `None`: nothing is there yet.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<Result<usize, HowClosed>> {
        let read = match &mut self.tls {
            None => plain_read(&self.stream, buffer),
            Some(tls) => tls.read(&self.stream, buffer),
        };
        if let Some(Err(_)) = read {
            self.read_ended = true;
        }
        read
    }

    /// Writes what goes without waiting: how many bytes of MQTT the kernel has taken.
    pub fn write(&mut self) -> Result<usize, HowClosed> {
        if self.write_failed {
            return Ok(0);
        }
        let written = match &mut self.tls {
            None => plain_write(&self.stream, &mut self.outgoing),
            Some(tls) => tls.write(&self.stream, &mut self.outgoing),
        };
        if self.outgoing.is_empty() {
            // An idle device holds no buffer.
            self.outgoing = Vec::new();
        }
        written.map_err(|error| {
            self.write_failed = true;
            self.outgoing = Vec::new();
            if is_timeout(&error) { HowClosed::TimedOut } else { HowClosed::WriteFailed }
        })
    }

    /// What still goes without waiting goes, over TLS with close_notify behind it; then FIN.
    pub fn close(mut self) {
        // The device is done with this link, whatever comes of it.
        let _ = self.write();
        if let Some(tls) = &mut self.tls
            && !self.write_failed
            && self.outgoing.is_empty()
        {
            tls.connection.send_close_notify();
            let _ = tls.flush(&self.stream);
        }
    }

    /// RST.
    pub fn reset(self) {
        if let Err(error) = reset::arm(&self.stream) {
            tracing::debug!(%error, "the reset was refused; it is a FIN");
        }
    }
}

fn plain_read(stream: &TcpStream, buffer: &mut [u8]) -> Option<Result<usize, HowClosed>> {
    match stream.try_read(buffer) {
        Ok(0) => Some(Err(HowClosed::Fin)),
        Ok(count) => Some(Ok(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => Some(Err(read_failed(&error))),
    }
}

fn plain_write(stream: &TcpStream, outgoing: &mut Vec<u8>) -> io::Result<usize> {
    let mut written = 0;
    while written < outgoing.len() {
        match stream.try_write(&outgoing[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    outgoing.drain(..written);
    Ok(written)
}

impl Tls {
    fn read(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> Option<Result<usize, HowClosed>> {
        loop {
            match self.connection.reader().read(buffer) {
                // close_notify was read.
                Ok(0) => return Some(Err(HowClosed::Fin)),
                Ok(count) => return Some(Ok(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The stream ended without it.
                Err(_) => return Some(Err(HowClosed::Unnotified)),
            }
            match self.connection.read_tls(&mut NoWait(stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.opened = false;
                    return None;
                }
                Err(error) => return Some(Err(read_failed(&error))),
            }
            self.opened = true;
            if let Err(error) = self.connection.process_new_packets() {
                // Tells the hub why, as TLS asks for.
                let _ = self.flush(stream);
                return Some(Err(match error {
                    rustls::Error::AlertReceived(alert) => HowClosed::Alert(Alert(u8::from(alert))),
                    _ => HowClosed::BadRecord,
                }));
            }
        }
    }

    /// Seals a record at a time, each when the one before is with the kernel.
    fn write(&mut self, stream: &TcpStream, outgoing: &mut Vec<u8>) -> io::Result<usize> {
        let mut written = 0;
        loop {
            if !self.flush(stream)? {
                return Ok(written);
            }
            written += std::mem::take(&mut self.sealed);
            if outgoing.is_empty() {
                return Ok(written);
            }
            let most = outgoing.len().min(RECORD);
            self.sealed = self.connection.writer().write(&outgoing[..most])?;
            if self.sealed == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            outgoing.drain(..self.sealed);
        }
    }

    /// Writes the records that wait; whether all went.
    fn flush(&mut self, stream: &TcpStream) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut NoWait(stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// A socket as rustls wants it, that never waits.
struct NoWait<'a>(&'a TcpStream);

impl Read for NoWait<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for NoWait<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_failed(error: &io::Error) -> HowClosed {
    if is_timeout(error) { HowClosed::TimedOut } else { HowClosed::Reset }
}

/// Whether the kernel gave up, rather than the other side.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
}
