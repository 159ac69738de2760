//! The tap: an observer of what arrives at this machine, also where sockets are deaf to it.
//!
//! Owns the packet sockets and their filters. What segments mean is told apart in `session/wire`. Invariant: a run never waits
//! for its tap: what finds no room in the kernel is lost, counted and told. Deliberately absent: what brownout sends, and the
//! MQTT of a capture (`net/capture`).
//!
//! ```text
//!   links: watch, unwatch, accepted ──┐
//!   packet sockets ──segments──▶ Observer ──news──▶ engine ──▶ events
//! ```
//!
//! What the kernel hands over: at the ports of devices and hubs, each SYN, FIN and RST, always; and all segments of the legs
//! that are made deaf or lossy, from just before that until 50 ms after. Of more than 32 such legs at once, all at the ports.
//! So healthy traffic costs the filter alone.

use super::Clock;
use super::core::Core;
use super::sys::info::tcp_info;
use super::sys::packet::PacketSocket;
use super::sys::stamp::real_time;
use crate::base::{LinkId, Side, Time};
use crate::engine::Input;
use crate::event::WireNews;
use crate::fault::tap::{Family, Flow, Interest, MOST_FLOWS, MOST_PORTS, SNAP, program};
use crate::session::wire::{Observer, Segment};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The room in the kernel for what is not read yet, unless another is asked for: some 5,000 small packets.
pub const ROOM: usize = 4 << 20;

/// So many packets are read of a socket before others have their turn.
const BATCH: usize = 1_024;

/// So many batches are read when a run is over: more than the room holds of small packets.
const LAST_BATCHES: usize = 64;

/// Whether there is to be a tap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// No.
    #[default]
    Off,
    /// Where this machine lets it.
    Auto,
    /// Yes, or no run.
    On,
}

/// What is asked of a tap.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Whether there is to be one.
    pub wanted: Wanted,
    /// The room in the kernel for what is not read yet, in bytes; `None`: [`ROOM`].
    pub room: Option<usize>,
    /// Ports that devices connect to beside those of the listeners, as where something redirects them.
    pub ports: Vec<u16>,
    /// Ports that hubs answer from beside those of the listeners' upstreams.
    pub hub_ports: Vec<u16>,
}

/// Why there is no tap.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The kernel wants a privilege.
    #[error("the tap needs CAP_NET_RAW ({0}): grant it with `setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep {path}`", path = own_path())]
    Unprivileged(io::Error),
    /// The kernel refused.
    #[error("the tap cannot be opened: {0}; without `--tap`, brownout works all the same")]
    Refused(io::Error),
}

/// A tap; clones share it.
#[derive(Clone)]
pub struct WireTap(Arc<Shared>);

struct Shared {
    clock: Clock,
    sockets: [AsyncFd<PacketSocket>; 2],
    state: Mutex<State>,
    /// Something became due sooner.
    sooner: Notify,
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

struct State {
    observer: Observer,
    /// What is always kept.
    signs: Interest,
    /// The flows that each socket keeps all of; more than [`MOST_FLOWS`] stand for all.
    kept: [Vec<Flow>; 2],
    /// Whether each socket's filter is for other ports than it should be.
    is_stale: [bool; 2],
    /// When each socket was last seen to be empty.
    emptied: [Time; 2],
    frames: u64,
    lost: u64,
    /// News of the tap itself.
    news: Vec<WireNews>,
}

impl WireTap {
    /// Opens one for these ports. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`TapError`].
    pub fn open(
        clock: Clock,
        config: &Config,
        ports: Vec<u16>,
        hub_ports: Vec<u16>,
    ) -> Result<WireTap, TapError> {
        let both = |mut ports: Vec<u16>, more: &[u16]| {
            ports.extend(more);
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        let signs = Interest {
            ports: both(ports, &config.ports),
            hub_ports: both(hub_ports, &config.hub_ports),
            flows: Vec::new(),
        };
        let room = config.room.unwrap_or(ROOM);
        let open = |family| {
            PacketSocket::open(family, &program(family, &signs), room).and_then(PacketSocket::watched)
        };
        let sockets = [open(Family::V4).map_err(TapError::of)?, open(Family::V6).map_err(TapError::of)?];
        let now = clock.now();
        let opened = WireNews::Opened { ports: signs.ports.clone(), hub_ports: signs.hub_ports.clone() };
        let state = State {
            observer: Observer::default(),
            signs,
            kept: Default::default(),
            is_stale: [false; 2],
            emptied: [now; 2],
            frames: 0,
            lost: 0,
            news: vec![opened],
        };
        Ok(WireTap(Arc::new(Shared { clock, sockets, state: Mutex::new(state), sooner: Notify::new() })))
    }

    /// A connection from this address was accepted: a device's, or by a hub on this machine brownout's own.
    pub fn accepted(&self, peer: SocketAddr) {
        let now = self.0.clock.now();
        self.lock().observer.accepted(now, canonical(peer));
    }

    /// A device was led here that dialled this port: from now on, what comes there is seen.
    pub fn led_from(&self, port: u16) {
        let mut state = self.lock();
        let State { signs, .. } = &mut *state;
        if signs.ports.contains(&port) || signs.ports.len().max(signs.hub_ports.len()) >= MOST_PORTS {
            return;
        }
        signs.ports.push(port);
        if !signs.hub_ports.contains(&port) {
            signs.hub_ports.push(port);
        }
        let opened = WireNews::Opened { ports: signs.ports.clone(), hub_ports: signs.hub_ports.clone() };
        state.news.push(opened);
        state.is_stale = [true; 2];
        self.filter(&mut state);
        drop(state);
        self.0.sooner.notify_one();
    }

    /// All that comes for this leg is seen from now on: it is about to be made deaf, or lossy.
    pub fn watch(&self, link: LinkId, side: Side, stream: &TcpStream) {
        let (Ok(peer), Ok(own)) = (stream.peer_addr(), stream.local_addr()) else { return };
        let to = match side {
            // What is on the wire may have been for another address and port, where it was redirected.
            Side::Device => None,
            Side::Hub => Some(canonical(own)),
        };
        let received = tcp_info(stream).ok().map(|info| info.bytes_received);
        let mut state = self.lock();
        // How it began may lie in the kernel still.
        self.take_in(&mut state);
        let flow = Flow { from: canonical(peer), to };
        state.observer.watch(self.0.clock.now(), link, side, flow, received);
        self.filter(&mut state);
        drop(state);
        self.0.sooner.notify_one();
    }

    /// The leg hears all again.
    pub fn unwatch(&self, link: LinkId, side: Side) {
        if self.lock().observer.unwatch(self.0.clock.now(), link, side) {
            self.0.sooner.notify_one();
        }
    }

    /// Reads on, as long as the run.
    pub async fn run(self, core: Arc<Core>) {
        loop {
            let more = self.read();
            self.tell(&core);
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let deadline = self.lock().observer.deadline();
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(self.0.clock.instant(at).into()).await,
                    None => std::future::pending().await,
                }
            };
            let [v4, v6] = &self.0.sockets;
            // What is forgotten here is read before anybody waits again.
            tokio::select! {
                Ok(mut ready) = v4.readable() => ready.clear_ready(),
                Ok(mut ready) = v6.readable() => ready.clear_ready(),
                () = due => {}
                () = self.0.sooner.notified() => {}
            }
        }
    }

    /// Reads what is left, and tells all there is to tell: the run is over.
    pub fn close(&self, core: &Core) {
        // A flood does not keep a run from its end.
        let _ = (0..LAST_BATCHES).find(|_| !self.read());
        let mut state = self.lock();
        let untold = state.observer.finish(self.0.clock.now());
        let closed = WireNews::Closed { frames: state.frames, lost: state.lost, untold };
        drop(state);
        self.tell(core);
        core.tell(Input::Wire(closed));
    }

    /// Reads what is there, in part if it is much: then there may be more.
    fn read(&self) -> bool {
        let mut state = self.lock();
        let read_until = self.take_in(&mut state);
        let now = self.0.clock.now();
        // What is due later than what was read may be in what was not.
        state.observer.tick(read_until.unwrap_or(now).min(now));
        self.filter(&mut state);
        read_until.is_some()
    }

    /// Reads what is there; where that is much, a part of it, and until when.
    fn take_in(&self, state: &mut State) -> Option<Time> {
        let mut read_until: Option<Time> = None;
        for (nth, socket) in self.0.sockets.iter().enumerate() {
            let until = state.read(nth, socket.get_ref(), self.0.clock);
            read_until = read_until.into_iter().chain(until).min();
        }
        read_until
    }

    fn tell(&self, core: &Core) {
        let mut state = self.lock();
        let mut news = std::mem::take(&mut state.news);
        news.extend(std::iter::from_fn(|| state.observer.poll()));
        // The engine's lock is never taken within this one.
        drop(state);
        news.into_iter().for_each(|news| core.tell(Input::Wire(news)));
    }

    /// Has the kernel keep all of the flows that are watched now.
    fn filter(&self, state: &mut State) {
        for (nth, family) in FAMILIES.into_iter().enumerate() {
            let flows = watched(&state.observer, family);
            let (Some(kept), Some(socket)) = (state.kept.get_mut(nth), self.0.sockets.get(nth)) else {
                continue;
            };
            let is_stale = state.is_stale.get_mut(nth).is_some_and(std::mem::take);
            let is_all = |flows: &[Flow]| flows.len() > MOST_FLOWS;
            if !is_stale && (*kept == flows || (is_all(kept) && is_all(&flows))) {
                continue;
            }
            kept.clone_from(&flows);
            if let Err(error) = keep(socket.get_ref(), family, Interest { flows, ..state.signs.clone() }) {
                tracing::warn!("the tap's filter stays as it is: {error}");
                state.news.push(WireNews::Lost { frames: 0, since: self.0.clock.now() });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Reads of one socket; where there may be more, the time of what was read last.
    fn read(&mut self, nth: usize, socket: &PacketSocket, clock: Clock) -> Option<Time> {
        let emptied = self.emptied.get(nth).copied()?;
        let (now, real_now) = (clock.now(), real_time());
        let mut buffer = [0; SNAP as usize];
        let (mut more, mut earliest, mut latest) = (true, None, emptied);
        for _ in 0..BATCH {
            match socket.receive(&mut buffer) {
                Ok((count, stamp)) => {
                    let at = stamp.map_or(now, |stamp| time_of(stamp, real_now, now));
                    // It came after the socket was last seen to be empty, whatever a clock that was set meanwhile says.
                    let at = at.clamp(emptied, clock.now());
                    earliest.get_or_insert(at);
                    latest = latest.max(at);
                    self.frames += 1;
                    if let Some(segment) = buffer.get(..count).and_then(|packet| Segment::parse(packet, at)) {
                        self.observer.segment(&canonical_segment(segment));
                    }
                }
                // An interface that goes down is told by an error that is read once.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    more = false;
                    break;
                }
            }
        }
        if let (false, Some(emptied)) = (more, self.emptied.get_mut(nth)) {
            *emptied = now;
        }
        let lost = u64::from(socket.lost().unwrap_or(0));
        if lost > 0 {
            self.lost += lost;
            self.news.push(WireNews::Lost { frames: lost, since: earliest.unwrap_or(emptied) });
        }
        more.then_some(latest)
    }
}

/// The flows of a family that are watched, up to the number that stands for all.
fn watched(observer: &Observer, family: Family) -> Vec<Flow> {
    let flows = observer.flows();
    match family {
        Family::V4 => flows.take_while(|flow| flow.from.is_ipv4()).take(MOST_FLOWS + 1).collect(),
        Family::V6 => {
            let mut last: Vec<Flow> =
                flows.rev().take_while(|flow| flow.from.is_ipv6()).take(MOST_FLOWS + 1).collect();
            last.reverse();
            last
        }
    }
}

/// Has the kernel keep this; where it has no room for so long a filter, a shorter one that keeps more.
fn keep(socket: &PacketSocket, family: Family, interest: Interest) -> io::Result<()> {
    let Some(flow) = interest.flows.first().copied() else { return socket.keep(&program(family, &interest)) };
    socket.keep(&program(family, &interest)).or_else(|_| {
        let all = Interest { flows: vec![flow; MOST_FLOWS + 1], ..interest };
        socket.keep(&program(family, &all))
    })
}

/// A reading of CLOCK_REALTIME as a time of the run.
fn time_of(stamp: Duration, real_now: Duration, now: Time) -> Time {
    match stamp.checked_sub(real_now) {
        Some(ahead) => now + ahead,
        None => now - (real_now - stamp),
    }
}

/// IPv4, where it is IPv4 in IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn canonical_segment(segment: Segment) -> Segment {
    Segment { from: canonical(segment.from), to: canonical(segment.to), ..segment }
}

fn own_path() -> String {
    std::env::current_exe().map_or_else(|_| "brownout".into(), |path| path.display().to_string())
}

impl TapError {
    fn of(error: io::Error) -> TapError {
        match error.kind() {
            io::ErrorKind::PermissionDenied => TapError::Unprivileged(error),
            _ => TapError::Refused(error),
        }
    }
}

impl fmt::Debug for WireTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireTap")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_readings_become_times_of_the_run() {
        let (real, now) = (Duration::from_secs(1_000), Time::from_secs(5));
        assert_eq!(time_of(Duration::from_millis(999_400), real, now), Time::from_millis(4_400));
        assert_eq!(time_of(Duration::from_millis(1_000_001), real, now), Time::from_millis(5_001));
        assert_eq!(time_of(Duration::ZERO, real, now), Time::ZERO);
    }
}
