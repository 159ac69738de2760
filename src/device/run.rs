//! A device's socket: one task that does what the pure device says, and tells it what the socket says.

use super::event::DeviceEvent;
use super::habits::Habits;
use super::io::{HowClosed, Input, Output};
use super::machine::Device;
use crate::base::Time;
use crate::net::clock::Clock;
use crate::net::sys::reset;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Bytes read at once; on the task's stack only while it reads.
const READ_SIZE: usize = 4096;

/// Reads before the task looks at its deadlines again, so that a busy topic cannot starve its pings.
const READS_AT_ONCE: usize = 16;

/// Where a device's events go.
pub type DeviceSink = Arc<dyn Fn(DeviceEvent) + Send + Sync>;

/// Runs a device against the hub at `target` (`host:port`) until `shutdown` says `true` or its sender is gone.
///
/// Whatever the hub or the network does, it goes on by its habits; it ends by `shutdown` alone.
pub async fn run(
    habits: Habits,
    seed: u64,
    target: String,
    clock: Clock,
    sink: DeviceSink,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut shell = Shell { device: Device::new(habits, seed), socket: Socket::None, target, clock, sink };
    loop {
        shell.device.tick(clock.now());
        shell.carry_out();
        if shell.device.is_stopped() {
            return;
        }
        let deadline = shell.device.deadline();
        let news = tokio::select! {
            _ = shutdown.wait_for(|&stop| stop) => News::Stop,
            () = sleep_until(clock, deadline) => News::Deadline,
            news = shell.socket.news() => news,
        };
        shell.take(news);
    }
}

async fn sleep_until(clock: Clock, deadline: Option<Time>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(clock.instant(at).into()).await,
        None => std::future::pending().await,
    }
}

struct Shell {
    device: Device,
    socket: Socket,
    target: String,
    clock: Clock,
    sink: DeviceSink,
}

enum Socket {
    None,
    Dialing(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Open(Open),
}

struct Open {
    stream: TcpStream,
    outgoing: Vec<u8>,
    /// Nothing more is to be read; what is written still goes.
    read_ended: bool,
    write_failed: bool,
}

enum News {
    Stop,
    Deadline,
    Dialed(io::Result<TcpStream>),
    /// The socket can be read or written, or both.
    Ready,
}

impl Socket {
    /// Waits for what the socket has to say; for ever where there is nothing to wait for.
    async fn news(&mut self) -> News {
        match self {
            Socket::None => std::future::pending().await,
            Socket::Dialing(dial) => News::Dialed(dial.await),
            Socket::Open(open) => match open.interest() {
                // An error of the readiness itself shows again in the read or write after it.
                Some(interest) => {
                    let _ = open.stream.ready(interest).await;
                    News::Ready
                }
                None => std::future::pending().await,
            },
        }
    }
}

impl Open {
    fn interest(&self) -> Option<Interest> {
        match (self.read_ended, self.outgoing.is_empty() || self.write_failed) {
            (false, true) => Some(Interest::READABLE),
            (false, false) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::WRITABLE),
            (true, true) => None,
        }
    }

    /// Writes what goes without waiting; how many bytes.
    fn write(&mut self) -> io::Result<usize> {
        let mut written = 0;
        while written < self.outgoing.len() {
            match self.stream.try_write(&self.outgoing[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.write_failed = true;
                    self.outgoing = Vec::new();
                    return Err(error);
                }
            }
        }
        self.outgoing.drain(..written);
        if self.outgoing.is_empty() {
            // An idle device holds no buffer.
            self.outgoing = Vec::new();
        }
        Ok(written)
    }
}

impl Shell {
    fn take(&mut self, news: News) {
        match news {
            News::Stop => self.tell(Input::Stop),
            News::Deadline => {} // The loop ticks.
            News::Dialed(Ok(stream)) => self.dialed(stream),
            News::Dialed(Err(error)) => {
                self.socket = Socket::None;
                self.tell(Input::ConnectFailed { why: error.to_string() });
            }
            News::Ready => {
                self.read();
                self.write();
            }
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        self.device.handle(self.clock.now(), input);
    }

    fn dialed(&mut self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        self.socket =
            Socket::Open(Open { stream, outgoing: Vec::new(), read_ended: false, write_failed: false });
        self.tell(Input::Connected);
    }

    fn read(&mut self) {
        let mut buffer = [0; READ_SIZE];
        for _ in 0..READS_AT_ONCE {
            let Socket::Open(open) = &mut self.socket else { return };
            if open.read_ended {
                return;
            }
            let how = match open.stream.try_read(&mut buffer) {
                Ok(0) => HowClosed::Fin,
                Ok(count) => {
                    self.tell(Input::Bytes(&buffer[..count]));
                    self.carry_out();
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => read_failed(&error),
            };
            open.read_ended = true;
            self.tell(Input::Closed(how));
            self.carry_out();
        }
    }

    fn write(&mut self) {
        let Socket::Open(open) = &mut self.socket else { return };
        match open.write() {
            Ok(0) => {}
            Ok(count) => self.tell(Input::Written(count)),
            Err(error) if is_timeout(&error) => self.tell(Input::Closed(HowClosed::TimedOut)),
            Err(_) => self.tell(Input::Closed(HowClosed::WriteFailed)),
        }
    }

    /// Does what the device says, until it says nothing more.
    fn carry_out(&mut self) {
        while let Some(output) = self.device.poll() {
            match output {
                Output::Dial => {
                    let target = self.target.clone();
                    self.socket = Socket::Dialing(Box::pin(async move { TcpStream::connect(target).await }));
                }
                Output::Send(bytes) => {
                    if let Socket::Open(open) = &mut self.socket
                        && !open.write_failed
                    {
                        open.outgoing.extend_from_slice(&bytes);
                    }
                }
                Output::Close => self.close(),
                Output::Reset => self.reset(),
                Output::Log(event) => (self.sink)(event),
            }
        }
    }

    /// What still goes without waiting goes; then FIN, by the socket's drop.
    fn close(&mut self) {
        if let Socket::Open(mut open) = std::mem::replace(&mut self.socket, Socket::None) {
            // The device is done with this link, whatever comes of it.
            let _ = open.write();
        }
    }

    fn reset(&mut self) {
        if let Socket::Open(open) = std::mem::replace(&mut self.socket, Socket::None)
            && let Err(error) = reset::arm(&open.stream)
        {
            tracing::debug!(%error, "the reset was refused; it is a FIN");
        }
    }
}

fn read_failed(error: &io::Error) -> HowClosed {
    if is_timeout(error) { HowClosed::TimedOut } else { HowClosed::Reset }
}

/// Whether the kernel gave up, rather than the other side.
fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
    )
}
