//! A device's socket: one task that does what the pure device says, and tells it what the socket says.

use super::event::DeviceEvent;
use super::habits::Habits;
use super::io::{Input, Output};
use super::machine::Device;
use super::socket::Open;
use super::tls::{self, DeviceTls};
use crate::base::Time;
use crate::net::clock::Clock;
use rustls::ClientConnection;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Bytes read at once; on the task's stack only while it reads.
const READ_SIZE: usize = 4096;

/// Reads before the task looks at its deadlines again, so that a busy topic cannot starve its pings.
const READS_AT_ONCE: usize = 16;

/// Where a device's events go.
pub type DeviceSink = Arc<dyn Fn(DeviceEvent) + Send + Sync>;

/// Where a device connects, and whether over TLS.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// TLS; `None`: plain.
    pub tls: Option<DeviceTls>,
}

impl From<String> for Target {
    /// Plain.
    fn from(address: String) -> Target {
        Target { address, tls: None }
    }
}

/// Runs a device against the hub at `target` until `shutdown` says `true` or its sender is gone.
///
/// Whatever the hub or the network does, it goes on by its habits; it ends by `shutdown` alone.
pub async fn run(
    habits: Habits,
    seed: u64,
    target: impl Into<Target>,
    clock: Clock,
    sink: DeviceSink,
    mut shutdown: watch::Receiver<bool>,
) {
    let (device, target) = (Device::new(habits, seed), target.into());
    let mut shell = Shell { device, socket: Socket::None, target, clock, sink };
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
    target: Target,
    clock: Clock,
    sink: DeviceSink,
}

enum Socket {
    None,
    Dialing(Pin<Box<dyn Future<Output = Dialed> + Send>>),
    Open(Open),
}

/// A connection, with its TLS if it has that; or why there is none.
pub(crate) type Dialed = Result<(TcpStream, Option<Box<ClientConnection>>), String>;

enum News {
    Stop,
    Deadline,
    Dialed(Dialed),
    /// The socket can be read or written, or both.
    Ready,
}

impl Socket {
    /// Waits for what the socket has to say; for ever where there is nothing to wait for.
    async fn news(&mut self) -> News {
        match self {
            Socket::None => std::future::pending().await,
            Socket::Dialing(dial) => News::Dialed(dial.await),
            Socket::Open(open) => {
                open.ready().await;
                News::Ready
            }
        }
    }
}

/// Connects, and over TLS shakes hands. The device bounds its time: it drops a dial that takes too long.
pub(crate) async fn dial(target: Target) -> Dialed {
    let stream = TcpStream::connect(&target.address).await.map_err(|error| error.to_string())?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let Some(tls) = target.tls else { return Ok((stream, None)) };
    let (connector, name) = tls.connector();
    match connector.connect(name, stream).await {
        Ok(secured) => {
            let (stream, connection) = secured.into_inner();
            Ok((stream, Some(Box::new(connection))))
        }
        Err(error) => Err(format!("the TLS handshake failed: {}", tls.explain(&error))),
    }
}

impl Shell {
    fn take(&mut self, news: News) {
        match news {
            News::Stop => self.tell(Input::Stop),
            News::Deadline => {} // The loop ticks.
            News::Dialed(Ok((stream, connection))) => self.dialed(stream, connection),
            News::Dialed(Err(why)) => {
                self.socket = Socket::None;
                self.tell(Input::ConnectFailed { why });
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

    fn dialed(&mut self, stream: TcpStream, connection: Option<Box<ClientConnection>>) {
        if let Some((version, resumed)) = connection.as_deref().map(tls::came_to) {
            self.tell(Input::Secured { version, resumed });
        }
        self.socket = Socket::Open(Open::new(stream, connection));
        self.tell(Input::Connected);
    }

    fn read(&mut self) {
        let mut buffer = [0; READ_SIZE];
        for _ in 0..READS_AT_ONCE {
            let Socket::Open(open) = &mut self.socket else { return };
            if open.read_ended {
                return;
            }
            match open.read(&mut buffer) {
                Some(Ok(count)) => self.tell(Input::Bytes(&buffer[..count])),
                Some(Err(how)) => self.tell(Input::Closed(how)),
                None => return,
            }
            self.carry_out();
        }
    }

    fn write(&mut self) {
        let Socket::Open(open) = &mut self.socket else { return };
        match open.write() {
            Ok(0) => {}
            Ok(count) => self.tell(Input::Written(count)),
            Err(how) => self.tell(Input::Closed(how)),
        }
    }

    /// Does what the device says, until it says nothing more.
    fn carry_out(&mut self) {
        while let Some(output) = self.device.poll() {
            match output {
                Output::Dial => {
                    let target = self.target.clone();
                    self.socket = Socket::Dialing(Box::pin(dial(target)));
                }
                Output::Send(bytes) => {
                    if let Socket::Open(open) = &mut self.socket {
                        open.give(&bytes);
                    }
                }
                Output::Close => self.close(),
                Output::Reset => self.reset(),
                Output::Log(event) => (self.sink)(event),
            }
        }
    }

    fn close(&mut self) {
        if let Socket::Open(open) = std::mem::replace(&mut self.socket, Socket::None) {
            open.close();
        }
    }

    fn reset(&mut self) {
        if let Socket::Open(open) = std::mem::replace(&mut self.socket, Socket::None) {
            open.reset();
        }
    }
}
