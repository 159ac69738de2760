//! One TCP connection: what can be done to it, and what it has been through.

use super::sys::hangup::{hang_up, is_gone};
use super::sys::{mute, reset};
use crate::fault::{Ending, LegFate, Mechanism};
use socket2::SockRef;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

/// One leg of a link.
#[derive(Debug, Default)]
pub struct Leg {
    stream: Option<TcpStream>,
    /// The TTL that the peer's SYN came with.
    ttl: Option<u8>,
    muted: Option<mute::Mechanism>,
    /// More may come from the peer.
    pub reading: bool,
    /// More may be sent to the peer.
    pub writing: bool,
    /// A fault has cut the leg off: what comes is thrown away.
    pub severed: bool,
    /// The peer's giving up has been told.
    pub end_told: bool,
    /// A write has shown that the peer is gone. What it said before is still read.
    pub broken: bool,
    /// FIN has been said.
    shut: bool,
    /// A fault has closed it, and it is heard out.
    lingering: bool,
    /// tokio believes that there is nothing to read, but nobody has looked.
    unread: bool,
    /// tokio believes that nothing can be written, but nobody has tried.
    unwritten: bool,
}

impl Leg {
    /// A leg over a connected socket.
    pub fn connected(stream: TcpStream, ttl: Option<u8>) -> Leg {
        Leg { stream: Some(stream), ttl, reading: true, writing: true, ..Leg::default() }
    }

    /// Whether there is a socket.
    pub fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether nothing can come or go any more.
    pub fn is_over(&self) -> bool {
        self.stream.is_none() || (!self.reading && !self.writing)
    }

    /// Reads what is there. 0 bytes: the peer has no more to say.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if self.unread {
            // Not through tokio, so its share of the worker is to be asked for.
            ready!(coop::poll_proceed(cx)).made_progress();
            match io::Read::read(&mut &*SockRef::from(&*stream), buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unread = false,
                result => return Poll::Ready(result),
            }
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes what the peer takes at once.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if self.unwritten {
            ready!(coop::poll_proceed(cx)).made_progress();
            match SockRef::from(&*stream).send(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unwritten = false,
                result => return Poll::Ready(result),
            }
        }
        Pin::new(stream).poll_write(cx, bytes)
    }

    /// After the peer's FIN, while it may still be written to: whether the connection is gone all the same. Wakes the
    /// task when that changes.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        loop {
            ready!(stream.poll_write_ready(cx)).ok();
            if is_gone(&*stream).unwrap_or(true) {
                return Poll::Ready(());
            }
            // It can be written to, which is no news: forget it until the next change, but try when there is
            // something to write.
            self.unwritten = true;
            let _ = stream.try_io::<()>(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into()));
        }
    }

    /// While nothing is read: whether the peer has hung up all the same. Wakes the task when that changes.
    pub fn poll_hang_up(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        loop {
            ready!(stream.poll_read_ready(cx)).ok();
            if let Ok(Some(ending)) = hang_up(&*stream) {
                return Poll::Ready(ending);
            }
            // Something is there that nobody will read now: forget it until the next change, but look for it first
            // when reading goes on.
            self.unread = true;
            let _ = stream.try_io::<()>(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
        }
    }

    /// Says FIN: the peer hears no more, but may go on speaking.
    pub fn shut(&mut self) {
        if let Some(stream) = self.stream.as_ref().filter(|_| !self.shut) {
            // Fails only where the connection is gone already, which reading will tell.
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
        }
        self.shut = true;
        self.writing = false;
    }

    /// Says RST, at once. The socket is gone then.
    pub fn reset(&mut self) {
        if let Some(Ok(socket)) = self.stream.take().map(TcpStream::into_std) {
            let _ = reset::reset(socket);
        }
        self.reading = false;
        self.writing = false;
    }

    /// Lets the socket go without ceremony.
    pub fn drop_socket(&mut self) {
        self.stream = None;
        self.reading = false;
        self.writing = false;
    }

    /// Brings the leg to this fate, for a fault. What was done, or `None` where it had gone before.
    pub fn cut(&mut self, fate: LegFate) -> Option<LegFate> {
        if self.is_over() || self.broken {
            self.drop_socket();
            return None;
        }
        // A FIN is said once: what an end or an earlier fault has said is not this one's.
        let done = fate != LegFate::Close || !self.shut;
        match fate {
            LegFate::Reset => self.reset(),
            LegFate::Close | LegFate::Unnotified | LegFate::Alert(_) | LegFate::Truncated => self.shut(),
            LegFate::HalfOpen => self.writing = false,
        }
        self.lingering = self.lingering || fate == LegFate::Close;
        self.severed = true;
        done.then_some(fate)
    }

    /// It has been heard out for long enough, if a fault closed it.
    pub fn linger_over(&mut self) {
        if self.lingering {
            self.drop_socket();
        }
    }

    /// Mutes the leg or lets it hear again, as wanted; the mechanism where it is mute now.
    ///
    /// `None` where there is no socket, or nothing was wanted and nothing had been done.
    pub fn mute(&mut self, wanted: bool) -> Option<Result<Mechanism, String>> {
        let stream = self.stream.as_ref()?;
        match (wanted, self.muted) {
            (true, None) => match mute::mute(stream, mute::Mechanism::Filter, self.ttl) {
                Ok(mechanism) => self.muted = Some(mechanism),
                Err(error) => return Some(Err(error.to_string())),
            },
            (false, Some(mechanism)) => {
                if let Err(error) = mute::unmute(stream, mechanism) {
                    return Some(Err(error.to_string()));
                }
                self.muted = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
        self.muted.map(|mechanism| Ok(mechanism.into()))
    }
}

/// How a failed read or write shows the peer's end, and the system's word where it was not RST from the wire.
pub fn ending_of(error: &io::Error) -> (Ending, Option<String>) {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => (Ending::Reset, None),
        _ => (Ending::Reset, Some(error.to_string())),
    }
}
