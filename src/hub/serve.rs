//! The hub's listener: one task for accepting, one for the timers, one for each connection (see `socket`).
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
use super::io::{ConnId, Input, Output};
use super::machine::Hub;
use super::socket::connection;
use crate::net::clock::Clock;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

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
    start(listener, None, config, clock, sink, shutdown)
}

/// As [`serve`], behind TLS: a connection's MQTT begins when its handshake is done.
///
/// # Errors
/// The listener's own address cannot be read.
pub fn serve_tls(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    config: HubConfig,
    clock: Clock,
    sink: HubSink,
    shutdown: watch::Receiver<bool>,
) -> io::Result<HubHandle> {
    start(listener, Some(acceptor), config, clock, sink, shutdown)
}

fn start(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    config: HubConfig,
    clock: Clock,
    sink: HubSink,
    shutdown: watch::Receiver<bool>,
) -> io::Result<HubHandle> {
    let address = listener.local_addr()?;
    let core = Arc::new(Core::new(config, acceptor, clock, sink));
    Ok(HubHandle { address, task: tokio::spawn(run(listener, core, shutdown)) })
}

pub(super) struct Core {
    clock: Clock,
    sink: HubSink,
    /// TLS with devices; `None`: plain.
    pub acceptor: Option<TlsAcceptor>,
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
pub(super) enum End {
    Close,
    Reset,
}

/// The connection task's end of an [`Outlet`].
pub(super) struct Inlets {
    pub bytes: mpsc::UnboundedReceiver<Vec<u8>>,
    pub end: oneshot::Receiver<End>,
}

impl State {
    fn drain(&mut self, sink: &HubSink) {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, bytes } => {
                    if let Some(outlet) = self.outlets.get(&conn) {
                        // A task that is gone, or cannot write any more, reports the end.
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
    pub fn new(config: HubConfig, acceptor: Option<TlsAcceptor>, clock: Clock, sink: HubSink) -> Core {
        let state = Mutex::new(State { hub: Hub::new(config), outlets: HashMap::new() });
        Core { clock, sink, acceptor, state, sooner: Notify::new() }
    }

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

    pub fn input(&self, input: Input<'_>) {
        self.with(|state| state.hub.handle(self.clock.now(), input));
    }

    pub fn open(&self, conn: ConnId, peer: String) -> Inlets {
        let (bytes, bytes_in) = mpsc::unbounded_channel();
        let (end, end_in) = oneshot::channel();
        self.with(|state| {
            state.outlets.insert(conn, Outlet { bytes, end });
            state.hub.handle(self.clock.now(), Input::Opened { conn, peer, tls: self.acceptor.is_some() });
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
