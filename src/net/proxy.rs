//! The proxy: listeners, and the run from its start to its end.

use super::alarm::Alarm;
use super::capture::{Outcome, Recording, SHOWN_PORT};
use super::core::Core;
use super::dial::dial;
use super::door::{self, Keeper};
use super::leg::Leg;
use super::link::Link;
use super::punctual::Watch;
use super::sys::limit::explain;
use super::sys::transparent::is_unpermitted;
use super::sys::{mute, reset};
use super::tap::{self, TapError, WireTap};
use super::terms::Terms;
use super::tls::{KeyLog, TlsError};
use super::transparent::{self, Course};
use super::{Clock, EventQueue};
use crate::base::{Ends, ListenerId, Side, Time};
use crate::engine::{Engine, Input};
use crate::event::{EndReason, RunStarted};
use crate::profile::{ListenerPlan, Plan};
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long accepting rests when the system has no descriptor or memory for it; links that end meanwhile free some.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// How often at most the same listener's failure to accept is told.
const ACCEPT_TELL_EVERY: Duration = Duration::from_secs(1);

/// How long the hub may take to answer when it is looked for at the start.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// How long links may take to say their last words when the run ends.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    core: Arc<Core>,
    events: EventQueue,
    addresses: Vec<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
    watch: Watch,
    warnings: Vec<String>,
    recording: Option<Recording>,
    /// Of the listeners of transparent mode.
    guards: Vec<StdListener>,
    tap: Option<WireTap>,
    no_tap: Option<TapError>,
}

/// What a run is made of.
#[derive(Debug)]
pub struct Config {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where to listen and where that leads; at least one.
    pub listeners: Vec<ListenerPlan>,
    /// Whether connects come to the listeners that were going elsewhere: their links lead there, whatever `upstream` says.
    pub transparent: bool,
    /// Whether the run also waits for a command to end.
    pub with_command: bool,
    /// The first event; its seed is the run's.
    pub start: RunStarted,
    /// The file that the MQTT of every link is written to, for Wireshark. It is emptied.
    pub capture: Option<File>,
    /// Whether what arrives is seen below the sockets, too.
    pub tap: tap::Config,
}

/// Why a proxy could not start. Each names what the environment refused, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener's address is none, or not of this machine.
    #[error("cannot listen on {address}: {source}; {hint}")]
    Listen {
        /// As given.
        address: String,
        /// What to do.
        hint: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The kernel does not permit transparent mode.
    #[error("{}", transparent::unpermitted())]
    Unpermitted,
    /// The hub does not answer.
    #[error(
        "the hub at {upstream} cannot be reached: {source}; start it first, or correct the upstream address \
         (`--upstream HOST:PORT`)"
    )]
    Hub {
        /// As given.
        upstream: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A certificate, key or CA cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The capture cannot be begun.
    #[error("cannot write the capture: {0}; give another file with --pcap")]
    Capture(io::Error),
    /// There is no tap, and there is to be one.
    #[error("{0}")]
    Tap(#[from] TapError),
    /// The system gives no timer.
    #[error("cannot make a timer: {0}; raise the limit of open files (`ulimit -n`)")]
    Timer(io::Error),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}; raise the limit of processes (`ulimit -u`)")]
    Thread(io::Error),
}

impl Proxy {
    /// Looks for each hub, binds each listener, and starts to accept. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]: nothing is running then.
    pub async fn start(config: Config, clock: Clock, events: EventQueue) -> Result<Proxy, StartError> {
        let key_log = Arc::new(KeyLog::from_environment()?);
        let mut terms = Vec::new();
        let mut warnings = Vec::new();
        for listener in &config.listeners {
            let (loaded, warned) = Terms::load(listener, &key_log)?;
            terms.push(Arc::new(loaded));
            warnings.extend(warned);
        }
        if let Some(path) = key_log.active().filter(|_| terms.iter().any(|terms| terms.told().key_log)) {
            warnings.push(format!(
                "SSLKEYLOGFILE is set: the secrets of every TLS session go to {}; whoever has that file can read the \
                 traffic",
                path.display()
            ));
        }
        for listener in config.listeners.iter().filter(|_| !config.transparent) {
            probe(&listener.upstream).await?;
        }
        let alarm = Alarm::start(clock).map_err(StartError::Timer)?;
        let mut bound = Vec::new();
        let mut guards = Vec::new();
        for listener in &config.listeners {
            let socket = bind(&listener.listen, config.transparent).await?;
            if config.transparent {
                guards.push(guard(&listener.listen, &socket)?);
            }
            bound.push((listener.clone(), socket));
        }
        let (tap, no_tap) = open_tap(&config.tap, &bound, clock)?;
        let recording = match config.capture {
            None => None,
            Some(file) => {
                warnings.push(CAPTURED.to_owned());
                let legs = captured_legs(&bound);
                let started = Recording::start(file, &config.plan, &config.start, &legs, clock);
                Some(started.map_err(StartError::Capture)?)
            }
        };
        let engine = Engine::new(Arc::clone(&config.plan), config.start.seed, config.with_command);
        let core = Core::new(engine.beside_tap(tap.is_some()), clock, events.clone()).beside_tap(tap.clone());
        let core = Arc::new(core.captured(recording.as_ref().map(Recording::capture)));
        core.tell(Input::Started(Box::new(config.start)));
        let watch = Watch::start(Arc::clone(&core)).map_err(StartError::Thread)?;
        let (addresses, tasks) = (Vec::new(), Vec::new());
        let mut proxy =
            Proxy { core, events, addresses, tasks, warnings, recording, guards, tap, no_tap, watch };
        if let Some(tap) = proxy.tap.clone() {
            let core = Arc::clone(&proxy.core);
            proxy.tasks.push(tokio::spawn(tap.run(core)));
        }
        for (id, ((plan, socket), terms)) in (0..).map(ListenerId).zip(bound.into_iter().zip(terms)) {
            proxy
                .open(id, &plan, terms, socket, &alarm, config.transparent)
                .map_err(|source| listen_error(&plan.listen, source))?;
        }
        let core = Arc::clone(&proxy.core);
        proxy.tasks.push(tokio::spawn(async move { core.keep_time(&alarm).await }));
        Ok(proxy)
    }

    /// The addresses of the listeners, in order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What should be told before anything else: certificates about to expire, keys that others can read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether there is a tap.
    pub fn has_tap(&self) -> bool {
        self.tap.is_some()
    }

    /// Why there is no tap, where one was wanted if it could be had.
    pub fn no_tap(&self) -> Option<&TapError> {
        self.no_tap.as_ref()
    }

    /// Waits until the run is to end: its plan is through, its time is over, its command has ended and nothing is left, or
    /// nobody records it any more.
    pub async fn finished(&self) -> EndReason {
        tokio::select! {
            reason = self.core.finished() => reason,
            () = self.events.unheard() => EndReason::Interrupted,
        }
    }

    /// The command beside the run is about to be told to end.
    pub fn command_stopped(&self) {
        self.core.tell(Input::CommandStopped);
    }

    /// The command beside the run has ended.
    pub fn command_ended(&self, code: Option<i32>) {
        self.core.tell(Input::CommandEnded { code });
    }

    /// Closes listeners and links, and writes the last event. Why the capture is not complete, if it is not.
    pub async fn stop(self, reason: EndReason) -> Option<io::Error> {
        for task in self.tasks {
            task.abort();
            // Until it is gone it may still accept.
            let _ = task.await;
        }
        // Before links end: who comes back then is not to be accepted and left alone.
        self.core.close_listeners();
        drop(self.guards);
        self.core.stop();
        self.watch.stop().await;
        let emptied = async {
            while self.core.links() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(STOP_LIMIT, emptied).await.is_err() {
            tracing::warn!("{} links did not end in {} s", self.core.links(), STOP_LIMIT.as_secs());
        }
        if let Some(tap) = &self.tap {
            tap.close(&self.core);
        }
        let error = match self.recording {
            Some(recording) => close_capture(&self.core, recording).await,
            None => None,
        };
        self.core.end(reason);
        error
    }

    fn open(
        &mut self,
        id: ListenerId,
        plan: &ListenerPlan,
        terms: Arc<Terms>,
        socket: StdListener,
        alarm: &Alarm,
        is_transparent: bool,
    ) -> io::Result<()> {
        let address = socket.local_addr()?;
        let ever_muted = Arc::new(AtomicBool::new(false));
        let keeper = Keeper::new(socket.as_fd().try_clone_to_owned()?, Arc::clone(&ever_muted));
        let closed = keeper.closed();
        let listener = door::watch_again(&socket)?;
        self.addresses.push(address);
        let upstream = plan.upstream.clone();
        self.core.open_listener(id, keeper, address.to_string(), upstream, terms.told());
        let door = Door {
            id,
            core: Arc::clone(&self.core),
            alarm: alarm.clone(),
            terms,
            ever_muted,
            socket,
            transparent: is_transparent.then(|| address.port()),
            stray_told: None,
        };
        self.tasks.push(tokio::spawn(door.accept(listener, closed)));
        Ok(())
    }
}

/// What a listener gives each link on its way.
struct Door {
    id: ListenerId,
    core: Arc<Core>,
    alarm: Alarm,
    terms: Arc<Terms>,
    ever_muted: Arc<AtomicBool>,
    socket: StdListener,
    /// Its port, where connects come that were going elsewhere.
    transparent: Option<u16>,
    /// When a connect was last told of that was going nowhere else.
    stray_told: Option<Time>,
}

impl Door {
    /// Accepts for ever: no error ends a listener.
    async fn accept(mut self, mut listener: TcpListener, mut closed: watch::Receiver<bool>) {
        let mut told = None;
        loop {
            match self.welcome_all(&listener, closed.clone()).await {
                None => listener = self.open_again(listener, &mut closed).await,
                Some(error) => self.rest(&error, &mut told).await,
            }
        }
    }

    /// Accepts until that fails; `None`: until the listener is closed.
    async fn welcome_all(
        &mut self,
        listener: &TcpListener,
        mut closed: watch::Receiver<bool>,
    ) -> Option<io::Error> {
        // Asked about anew each time, beside what wakes this task when it changes: to wait anew each time costs more.
        let seen = closed.clone();
        // It is asked once, so tokio must not put it off for others' sake.
        let mut changed = pin!(tokio::task::unconstrained(closed.changed()));
        let mut waits = false;
        poll_fn(|cx| {
            loop {
                let is_news = if waits {
                    seen.has_changed().unwrap_or(false)
                } else {
                    // Core, which the sender belongs to, lives as long as this.
                    matches!(changed.as_mut().poll(cx), Poll::Ready(Ok(())))
                };
                if is_news {
                    return Poll::Ready(None);
                }
                waits = true;
                match ready!(listener.poll_accept(cx)) {
                    Ok((stream, peer)) => self.welcome(stream, peer),
                    Err(error) => return Poll::Ready(Some(error)),
                }
            }
        })
        .await
    }

    /// Waits while the listener is closed, and watches it anew.
    async fn open_again(&self, listener: TcpListener, closed: &mut watch::Receiver<bool>) -> TcpListener {
        let mut told = None;
        // Watched no longer: it would say without end that it is closed.
        drop(listener);
        let _ = closed.wait_for(|closed| !closed).await;
        loop {
            match door::watch_again(&self.socket) {
                Ok(listener) => return listener,
                Err(error) => self.rest(&error, &mut told).await,
            }
        }
    }

    /// Accepting failed: it rests for a while.
    async fn rest(&self, error: &io::Error, told: &mut Option<Time>) {
        let now = self.core.clock().now();
        if told.is_none_or(|told| now.since(told) >= ACCEPT_TELL_EVERY) {
            *told = Some(now);
            self.core.tell(Input::AcceptFailed { listener: self.id, error: explain(error) });
        }
        tokio::time::sleep(ACCEPT_REST).await;
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (peer, course) = match self.transparent.map(|own| Course::of(&stream, own, peer)) {
            None => (peer, None),
            Some(Some(course)) => (transparent::plain(peer), Some(course)),
            Some(None) => return self.turn_away(stream, transparent::plain(peer)),
        };
        if self.ever_muted.load(Ordering::Acquire) {
            door::unmute_accepted(&stream);
        }
        let ttl = self.core.may_mute().then(|| mute::syn_ttl(&stream)).flatten();
        let (id, mailbox) = self.core.open_link(self.id, peer, course.map(|course| course.to));
        let tap = self.core.tap(id, Side::Device, &stream);
        let device = Leg::connected(stream, ttl).tapped(tap);
        let (core, terms) = (Arc::clone(&self.core), Arc::clone(&self.terms));
        // In a box, for tokio moves a task's future about when it begins and ends.
        let mut link = Box::new(Link::new(id, core, mailbox, device, terms, self.alarm.slot()));
        link.bind(course);
        tokio::spawn(poll_fn(move |cx| link.poll(cx)));
    }

    /// Who connects to a transparent listener itself has nowhere to be led.
    fn turn_away(&mut self, stream: TcpStream, peer: SocketAddr) {
        let _ = reset::arm(&stream);
        drop(stream);
        self.core.accepted(peer);
        let now = self.core.clock().now();
        if self.stray_told.is_none_or(|told| now.since(told) >= ACCEPT_TELL_EVERY) {
            self.stray_told = Some(now);
            tracing::warn!(
                "{peer} connected to brownout itself, and was reset: with --transparent, devices connect to their hub"
            );
            self.core.tell(Input::ConnectAstray { listener: self.id, peer });
        }
    }
}

/// A tap at the ports of the listeners and their hubs; where it is only wanted if it can be had, why it cannot.
fn open_tap(
    wanted: &tap::Config,
    bound: &[(ListenerPlan, StdListener)],
    clock: Clock,
) -> Result<(Option<WireTap>, Option<TapError>), TapError> {
    if wanted.wanted == tap::Wanted::Off {
        return Ok((None, None));
    }
    let ports = bound.iter().filter_map(|(_, socket)| Some(socket.local_addr().ok()?.port())).collect();
    let hub_port = |plan: &ListenerPlan| plan.upstream.rsplit_once(':')?.1.parse().ok();
    let hub_ports = bound.iter().filter_map(|(plan, _)| hub_port(plan)).collect();
    match (WireTap::open(clock, wanted, ports, hub_ports), wanted.wanted) {
        (Ok(tap), _) => Ok((Some(tap), None)),
        (Err(error), tap::Wanted::Auto) => Ok((None, Some(error))),
        (Err(error), tap::Wanted::On | tap::Wanted::Off) => Err(error),
    }
}

/// What is told of a capture before the run.
const CAPTURED: &str = "--pcap: the MQTT of every link is written as plain text, passwords and payload included; whoever has \
                        that file can read them";

/// What the two sides of a capture are, in words.
fn captured_legs(bound: &[(ListenerPlan, StdListener)]) -> Ends<String> {
    let join =
        |parts: Vec<String>| format!("{}; the servers' ports are shown as {SHOWN_PORT}", parts.join(", "));
    let listen = |socket: &StdListener| socket.local_addr().map_or_else(|_| "?".into(), |at| at.to_string());
    let device = bound.iter().map(|(plan, socket)| {
        let tls = if plan.tls.mode.serves() { " (TLS taken off)" } else { "" };
        format!("devices to brownout at {}{tls}", listen(socket))
    });
    let hub = bound.iter().map(|(plan, _)| {
        let tls = if plan.tls.mode.dials() { " (TLS taken off)" } else { "" };
        match plan.upstream.as_str() {
            transparent::ANYWHERE => format!("brownout to the hub that the device dialled{tls}"),
            upstream => format!("brownout to the hub at {upstream}{tls}"),
        }
    });
    Ends { device: join(device.collect()), hub: join(hub.collect()) }
}

/// Waits for the capture to be written, and tells what came of it.
async fn close_capture(core: &Core, recording: Recording) -> Option<io::Error> {
    let joined = tokio::task::spawn_blocking(move || recording.finish()).await;
    let Outcome { written, dropped, error } = joined.unwrap_or_else(|failed| Outcome {
        error: Some(io::Error::other(failed.to_string())),
        ..Outcome::default()
    });
    let told = error.as_ref().map(ToString::to_string);
    core.tell(Input::CaptureClosed { written, dropped: dropped.device + dropped.hub, error: told });
    error
}

/// Looks whether a hub answers: one connection, closed at once.
async fn probe(upstream: &str) -> Result<(), StartError> {
    let answered = dial(&upstream.into(), PROBE_LIMIT).await.map(drop);
    answered.map_err(|source| StartError::Hub { upstream: upstream.to_owned(), source })
}

async fn bind(address: &str, is_transparent: bool) -> Result<StdListener, StartError> {
    let error = |source| listen_error(address, source);
    let resolved = lookup_host(address).await.map_err(error)?.next();
    let resolved = resolved.ok_or_else(|| error(io::Error::other("the name has no address")))?;
    if !is_transparent {
        return door::bind(resolved).map_err(error);
    }
    transparent::bind(resolved)
        .map_err(|source| if is_unpermitted(&source) { StartError::Unpermitted } else { error(source) })
}

/// The guard of a transparent listener.
fn guard(listen: &str, socket: &StdListener) -> Result<StdListener, StartError> {
    let address = || format!("the port after {listen}, which transparent mode takes, too");
    transparent::bind_guard(socket).map_err(|source| listen_error(&address(), source))
}

fn listen_error(address: &str, source: io::Error) -> StartError {
    let hint = match source.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has the port: stop it, or take another (port 0 takes a free one)"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: take a higher one, or grant it"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has the address: 0.0.0.0 listens on all"
        }
        _ => "give ADDRESS:PORT, such as 127.0.0.1:1884",
    };
    StartError::Listen { address: address.to_owned(), hint, source }
}
