//! The TCP connection of a leg: bytes as they are on the wire.

use super::unheard::Acknowledged;
use crate::fault::Ending;
use crate::net::readiness::is_write_closed;
use crate::net::sys::hangup::hang_up;
use crate::net::sys::info::{TcpState, tcp_info};
use crate::net::sys::reset;
use crate::net::sys::segment::{self, Segment};
use crate::net::sys::stamp;
use crate::net::sys::unacked::unacked;
use socket2::SockRef;
use std::io;
use std::net::{IpAddr, Shutdown};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop;

/// A TCP connection, or none.
#[derive(Debug, Default)]
pub struct Wire {
    stream: Option<TcpStream>,
    /// tokio believes that there is nothing to read, but nobody has looked.
    unread: bool,
    /// tokio believes that nothing can be written, but nobody has tried.
    unwritten: bool,
    /// How many bytes were written.
    written: u64,
    /// FIN has been said.
    shut: bool,
    /// FIN is among what the peer has to acknowledge.
    fin: bool,
    /// What shares a segment with what is written.
    segment: Segment,
    /// The kernel keeps what was written for what follows.
    kept: bool,
    /// The kernel notes when what is read came.
    stamped: bool,
    /// How long before it was read the last of what was read last had come, where that was noted.
    ago: Option<Duration>,
}

impl Wire {
    /// Over a connected socket.
    pub fn connected(stream: TcpStream) -> Wire {
        Wire { stream: Some(stream), ..Wire::default() }
    }

    /// Whether there is a socket.
    pub fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether FIN has been said.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// The socket, to set its options.
    pub fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// The address of this machine that the peer sees.
    pub fn local_ip(&self) -> Option<IpAddr> {
        self.stream.as_ref()?.local_addr().ok().map(|address| address.ip())
    }

    /// Reads what is there. 0 bytes: the peer has no more to say.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        if self.unread {
            // Not through tokio, so its share of the worker is to be asked for.
            ready!(coop::poll_proceed(cx)).made_progress();
            self.ago = None;
            match io::Read::read(&mut &*SockRef::from(&*stream), buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unread = false,
                result => return Poll::Ready(result),
            }
        }
        if self.stamped {
            return poll_receive(stream, cx, buffer).map_ok(|(count, ago)| {
                self.ago = ago;
                count
            });
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Reads what is known to be there, be it that the peer has no more to say; `None` where nothing is. That costs no system
    /// call, and wakes nobody later.
    pub fn read_known(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let stream = self.stream.as_ref().filter(|_| !self.unread && !self.stamped)?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            result => Some(result),
        }
    }

    /// Whether the kernel is to note when what is read came.
    pub fn stamp(&mut self, wanted: bool) {
        let Some(stream) = self.stream.as_ref().filter(|_| self.stamped != wanted) else { return };
        self.stamped = wanted && stamp::stamp(stream, true).is_ok();
        if !self.stamped {
            let _ = stamp::stamp(stream, false);
            self.ago = None;
        }
    }

    /// How long before it was read the last of what was read last had come, where the kernel has noted that.
    pub fn ago(&self) -> Option<Duration> {
        self.ago
    }

    /// What is written from now on shares its segment with this, each time.
    pub fn segment(&mut self, segment: Segment) {
        self.segment = segment;
    }

    /// Whether that is nothing.
    pub fn is_alone(&self) -> bool {
        self.segment == Segment::Alone
    }

    /// Nothing follows what was [written for that](Segment::WithNext): it goes now.
    pub fn push(&mut self) {
        if let Some(stream) = self.stream.as_ref().filter(|_| self.kept) {
            // Fails only where the connection is gone already, which reading will tell.
            let _ = segment::push(stream);
        }
        self.kept = false;
    }

    /// How many bytes were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How far the peer's TCP has acknowledged what was written; `None` where the socket is gone, or the kernel does not say.
    pub fn acknowledged(&self) -> Option<Acknowledged> {
        let stream = self.stream.as_ref()?;
        // In this order: nothing is acknowledged once it is gone.
        let is_final = tcp_info(stream).ok()?.state == TcpState::Closed;
        let unacked = self.unacknowledged()?;
        Some(Acknowledged { until: self.written.saturating_sub(unacked), is_final })
    }

    /// How many bytes of what was written the peer's TCP has not acknowledged; `None` as for [`Wire::acknowledged`].
    pub fn unacknowledged(&self) -> Option<u64> {
        Some(unacked(self.stream.as_ref()?).ok()?.saturating_sub(u64::from(self.fin)))
    }

    /// Writes what the peer takes at once.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let put = self.poll_put(cx, bytes);
        if let Poll::Ready(Ok(count)) = &put {
            self.wrote(*count);
        }
        put
    }

    fn wrote(&mut self, count: usize) {
        self.written += u64::try_from(count).unwrap_or(0);
    }

    fn poll_put(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        self.kept = self.segment == Segment::WithNext;
        if self.unwritten {
            ready!(coop::poll_proceed(cx)).made_progress();
            match segment::send(&*stream, bytes, self.segment) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unwritten = false,
                result => return Poll::Ready(result),
            }
        }
        match self.segment {
            Segment::Any => Pin::new(stream).poll_write(cx, bytes),
            segment => poll_send(stream, cx, bytes, segment),
        }
    }

    /// Writes what the kernel takes now, asking nobody: how much that was.
    ///
    /// # Errors
    /// The system's; that there is no room is none.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stream) = &self.stream else { return Ok(0) };
        // What it does not take is tried again by whoever polls, who must then not believe that there is no room.
        self.unwritten = true;
        let sent = match SockRef::from(stream).send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }?;
        self.wrote(sent);
        Ok(sent)
    }

    /// After the peer's FIN, while it may still be written to: whether the connection is gone all the same. Wakes the
    /// task when that changes.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stream) = &mut self.stream else { return Poll::Pending };
        loop {
            let told = ready!(stream.poll_write_ready(cx));
            // We have not said FIN, so one of the peer's closes nothing for writing.
            if told.is_err() || is_write_closed(stream) {
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

    /// Says FIN, once: the peer hears no more, but may go on speaking.
    pub fn shut(&mut self) {
        if let Some(stream) = self.stream.as_ref().filter(|_| !self.shut) {
            // Fails only where the connection is gone already, which reading will tell.
            self.fin = SockRef::from(stream).shutdown(Shutdown::Write).is_ok();
        }
        (self.shut, self.kept) = (true, false);
    }

    /// Says FIN to a peer that has said it, and lets the socket go.
    pub fn close(&mut self) {
        self.stream = None;
        (self.shut, self.kept) = (true, false);
    }

    /// Says RST, at once. The socket is gone then.
    pub fn reset(&mut self) {
        if let Some(Ok(socket)) = self.stream.take().map(TcpStream::into_std) {
            let _ = reset::reset(socket);
        }
    }

    /// Lets the socket go without ceremony.
    pub fn drop_socket(&mut self) {
        self.stream = None;
    }
}

fn poll_receive(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<(usize, Option<Duration>)>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        match stream.try_io(Interest::READABLE, || stamp::receive(stream, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

fn poll_send(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    bytes: &[u8],
    segment: Segment,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, || segment::send(stream, bytes, segment)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}
