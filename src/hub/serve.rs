//! The hub's sockets: one task for accepting, one for the timers, one for each connection.
//!
//! ```text
//!  accept ─────► connection task ──Bytes, Written, Closed──► Mutex<Hub> ──poll──┬─► each connection's outlet
//!                read half │ write half ◄───────────────────────────────────────┘   and the sink of events
//! ```
//!
//! The lock is held for one input and its outputs, so that what the hub gives out keeps its order; no await is
//! inside it. The outlets are unbounded channels whose content the pure hub bounds: it counts what is written.

use super::config::HubConfig;
use super::event::HubEvent;
use super::io::{ConnId, HowClosed, Input, Output};
use super::machine::Hub;
use crate::net::clock::Clock;
use crate::net::sys::reset;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Bytes read at once.
const READ_SIZE: usize = 4096;

/// How long a closed connection may take to drain and to see the peer's FIN before it is dropped.
const LINGER: Duration = Duration::from_secs(2);

/// The pause after an accept that failed, so that a want of descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where the hub's events go; called with the hub's lock held, so it must be quick and must not call the hub.
pub type HubSink = Arc<dyn Fn(HubEvent) + Send + Sync>;

/// A hub that runs.
#[derive(Debug)]
pub struct HubHandle {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HubHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has stopped: all devices told and closed, the port free.
    pub async fn stopped(self) {
        // A panic in it was already printed; it is stopped all the same.
        let _ = self.task.await;
    }
}

/// Serves devices on the listener until `shutdown` says `true` or its sender is gone.
///
/// # Errors
/// The listener's own address cannot be read.
pub fn serve(
    listener: TcpListener,
    config: HubConfig,
    clock: Clock,
    sink: HubSink,
    shutdown: watch::Receiver<bool>,
) -> io::Result<HubHandle> {
    let address = listener.local_addr()?;
    let core = Arc::new(Core { clock, sink, state: Mutex::new(State::new(config)), sooner: Notify::new() });
    Ok(HubHandle { address, task: tokio::spawn(run(listener, core, shutdown)) })
}

struct Core {
    clock: Clock,
    sink: HubSink,
    state: Mutex<State>,
    /// The first deadline came nearer.
    sooner: Notify,
}

struct State {
    hub: Hub,
    outlets: HashMap<ConnId, Outlet>,
}

/// The way to a connection's task. Dropping it means FIN after what was given.
struct Outlet {
    bytes: mpsc::UnboundedSender<Vec<u8>>,
    end: oneshot::Sender<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    Reset,
}

/// The connection task's end of an [`Outlet`].
struct Inlets {
    bytes: mpsc::UnboundedReceiver<Vec<u8>>,
    end: oneshot::Receiver<End>,
}

impl State {
    fn new(config: HubConfig) -> State {
        State { hub: Hub::new(config), outlets: HashMap::new() }
    }

    fn drain(&mut self, sink: &HubSink) {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, bytes } => {
                    if let Some(outlet) = self.outlets.get(&conn) {
                        // A task that is gone has reported its end already.
                        let _ = outlet.bytes.send(bytes);
                    }
                }
                Output::Close { conn } => self.end(conn, End::Close),
                Output::Reset { conn } => self.end(conn, End::Reset),
                Output::Log(event) => sink(event),
            }
        }
    }

    fn end(&mut self, conn: ConnId, end: End) {
        if let Some(outlet) = self.outlets.remove(&conn) {
            let _ = outlet.end.send(end);
        }
    }
}

impl Core {
    /// Runs the pure hub once and passes its outputs on.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves the maps whole; the hub goes on for the others.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.hub.deadline();
        let result = act(&mut state);
        state.drain(&self.sink);
        let after = state.hub.deadline();
        if after.is_some() && (before.is_none() || after < before) {
            self.sooner.notify_one();
        }
        result
    }

    fn input(&self, input: Input<'_>) {
        self.with(|state| state.hub.handle(self.clock.now(), input));
    }

    fn open(&self, conn: ConnId, peer: String) -> Inlets {
        let (bytes, bytes_in) = mpsc::unbounded_channel();
        let (end, end_in) = oneshot::channel();
        self.with(|state| {
            state.outlets.insert(conn, Outlet { bytes, end });
            state.hub.handle(self.clock.now(), Input::Opened { conn, peer });
        });
        Inlets { bytes: bytes_in, end: end_in }
    }
}

async fn run(listener: TcpListener, core: Arc<Core>, mut shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &core, &mut connections) => {}
        () = keep_time(&core) => {}
        _ = shutdown.wait_for(|&stop| stop) => {}
    }
    drop(listener);
    core.input(Input::Stop);
    // Bounded by LINGER, which each connection keeps.
    while connections.join_next().await.is_some() {}
}

/// Accepts for ever; an accept that fails ends nothing.
async fn accept(listener: &TcpListener, core: &Arc<Core>, connections: &mut JoinSet<()>) {
    for number in 0.. {
        let (stream, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    tracing::warn!(%error, "the hub could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(Arc::clone(core), ConnId(number), stream, peer.to_string()));
    }
}

/// Calls the hub at its deadlines.
async fn keep_time(core: &Core) {
    loop {
        let deadline = core.with(|state| {
            state.hub.tick(core.clock.now());
            state.hub.deadline()
        });
        let sleep = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(core.clock.instant(at).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            () = core.sooner.notified() => {}
        }
    }
}

async fn connection(core: Arc<Core>, conn: ConnId, mut stream: TcpStream, peer: String) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, conn = conn.0, "TCP_NODELAY was refused");
    }
    let Inlets { bytes, end } = core.open(conn, peer);
    let (read, write) = stream.split();
    let both = async {
        tokio::join!(read_all(&core, conn, read), write_all(&core, conn, write, bytes));
        End::Close
    };
    // The halves end by themselves; a peer that neither reads nor closes is cut off by the end's own time.
    let ended = tokio::select! {
        ended = both => ended,
        ended = cut_off(end) => ended,
    };
    if ended == End::Reset
        && let Err(error) = reset::arm(&stream)
    {
        tracing::debug!(%error, conn = conn.0, "the reset was refused; it is a FIN");
    }
}

/// When a connection that the hub has ended is dropped at the latest.
async fn cut_off(end: oneshot::Receiver<End>) -> End {
    match end.await {
        Ok(End::Reset) => End::Reset,
        Ok(End::Close) => {
            tokio::time::sleep(LINGER).await;
            End::Close
        }
        Err(_) => std::future::pending().await,
    }
}

async fn read_all(core: &Core, conn: ConnId, mut read: ReadHalf<'_>) {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match read.read(&mut buffer).await {
            Ok(0) => return core.input(Input::Closed { conn, how: HowClosed::Fin }),
            Ok(count) => core.input(Input::Bytes { conn, bytes: &buffer[..count] }),
            Err(error) => return core.input(Input::Closed { conn, how: how_closed(&error) }),
        }
    }
}

async fn write_all(
    core: &Core,
    conn: ConnId,
    mut write: WriteHalf<'_>,
    mut outlet: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(bytes) = outlet.recv().await {
        if let Err(error) = write.write_all(&bytes).await {
            return core.input(Input::Closed { conn, how: how_closed(&error) });
        }
        core.input(Input::Written { conn, count: bytes.len() });
    }
    // FIN. Refused only where the connection is gone.
    let _ = write.shutdown().await;
}

/// What an error of a socket says about the other side.
fn how_closed(error: &io::Error) -> HowClosed {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            HowClosed::TimedOut
        }
        _ => HowClosed::Reset,
    }
}
