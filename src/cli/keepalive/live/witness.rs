//! A connection to the hub beside the outages, on which nothing is said: it tells a hub that ends a silent link from one that
//! ends everything.

use crate::base::Time;
use crate::keepalive::live::{Presence, Trail};
use crate::net::Clock;
use crate::net::dial::{Upstream, dial};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A hub that has not taken a connect by then is not there: the first two repetitions of a SYN are over.
const DIAL: Duration = Duration::from_secs(5);

/// From a connect that came to nothing, or was undone at once, to the next.
const PAUSE: Duration = Duration::from_millis(250);

/// The same, at a hub that always undoes them.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// How often TCP probes it, in whole seconds as the kernel takes them (tcp(7)), and after so many without an answer it is
/// over: a path to the hub that is gone shows by nothing else.
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;

/// So long before it is over by that, nothing was heard any more: nothing for a probe's time, and then no answer.
const UNHEARD: Duration = Duration::from_secs(4);

/// The connection, dialled again whenever the hub ends it.
#[derive(Debug)]
pub struct Witness {
    presence: Arc<Mutex<Presence>>,
    clock: Clock,
    task: JoinHandle<()>,
}

impl Witness {
    /// Begins. Must be called in a tokio runtime.
    pub fn watch(upstream: &str) -> Witness {
        let (presence, clock) = (Arc::new(Mutex::new(Presence::default())), Clock::start());
        let task = tokio::spawn(stand(upstream.into(), Arc::clone(&presence), clock));
        Witness { presence, clock, task }
    }

    /// Why nothing that was seen of a run until then, by the run's clock, can be laid to its outage.
    pub fn trouble(&self, trail: &Trail, run: Clock, until: Time) -> Option<String> {
        let ours = |at: Time| self.clock.at_monotonic(run.monotonic(at));
        let from = ours(trail.accepted.unwrap_or(Time::ZERO));
        let beside = self.lock().trouble(from, ours(until), trail.hub_left.map(ours));
        trail.amiss.clone().or(beside)
    }

    /// Whether the hub does not let it stand.
    pub fn is_blind(&self) -> bool {
        self.lock().is_blind()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn stand(upstream: Upstream, presence: Arc<Mutex<Presence>>, clock: Clock) {
    let told = || presence.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let begun = clock.now();
        match dial(&upstream, DIAL).await {
            Ok(stream) => {
                told().opened(clock.now());
                let how = hold(stream).await;
                let ended = clock.now();
                if is_lost_path(how) {
                    told().unreachable(ended - UNHEARD, &format!("{upstream}: no answer"));
                } else {
                    told().ended(ended);
                }
                // At once: a hub that comes back is away for moments only.
                if ended.since(begun) >= PAUSE && !told().is_blind() {
                    continue;
                }
            }
            Err(error) => told().unreachable(begun, &format!("{upstream}: {error}")),
        }
        let pause = if told().is_blind() { LONG_PAUSE } else { PAUSE };
        tokio::time::sleep(pause).await;
    }
}

/// Whether a connection ended for want of answers, not by the hub. With an ICMP error beside, the kernel names that.
fn is_lost_path(how: ErrorKind) -> bool {
    matches!(how, ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
}

/// Until it is over: how. What the hub says is of no interest.
async fn hold(mut stream: TcpStream) -> ErrorKind {
    if let Err(error) = probed(&stream) {
        tracing::debug!("TCP keepalive of the connection beside the outages: {error}");
    }
    let mut unread = [0; 1024];
    loop {
        match stream.read(&mut unread).await {
            Ok(0) => return ErrorKind::UnexpectedEof,
            Ok(_) => {}
            Err(error) => return error.kind(),
        }
    }
}

fn probed(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(PROBE_EVERY).with_interval(PROBE_EVERY).with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}
