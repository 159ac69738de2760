//! When memory is given back: once most links have gone, and no other has come or gone for a while.

use crate::event::{Event, What};
use crate::net::sys::memory;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// So many links that closed leave behind what is worth the while.
const MANY: u64 = 512;

/// So long none may come or go: giving back makes others wait to allocate, which must not fall on devices that come back.
const QUIET: Duration = Duration::from_secs(10);

/// So long at most a worker waits for the others, and what comes for its links meanwhile with it.
const TOGETHER: Duration = Duration::from_millis(2);

/// So long at most all of them are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The links of a run as they come and go, as one who gives memory back sees them.
#[derive(Debug, Default)]
pub struct Quiet {
    links: u64,
    /// How many closed since memory was last given back.
    closed: u64,
    /// A link came or went since it was last asked how long to wait.
    moved: bool,
    /// When such was last known.
    latest: Option<Instant>,
    /// The runtime on which links run.
    workers: Option<Handle>,
}

impl Quiet {
    /// Of links that run on the runtime in which this is called.
    pub fn new() -> Quiet {
        Quiet { workers: Handle::try_current().ok(), ..Quiet::default() }
    }

    /// Takes in an event.
    pub fn push(&mut self, event: &Event) {
        match event.what {
            What::LinkOpened { .. } => self.links += 1,
            What::LinkClosed { .. } => {
                self.links = self.links.saturating_sub(1);
                self.closed += 1;
            }
            _ => return,
        }
        self.moved = true;
    }

    /// How long it has to stay as quiet as it is until memory is given back; `None`: nothing is to be given back.
    pub fn left(&mut self, now: Instant) -> Option<Duration> {
        if std::mem::take(&mut self.moved) {
            self.latest = Some(now);
        }
        let latest = self.latest.filter(|_| self.closed >= MANY && self.links <= self.closed / 4)?;
        Some((latest + QUIET).saturating_duration_since(now))
    }

    /// Gives memory back, and waits for many to go anew.
    pub fn give_back(&mut self) {
        let kept = match &self.workers {
            Some(workers) => on_each(workers, TOGETHER, PATIENCE, memory::take_kept),
            None => vec![memory::take_kept()],
        };
        memory::give_back(kept);
        self.closed = 0;
    }
}

/// Does it on each worker of the runtime, and here, and returns what came of it for those that were in time. A worker that has
/// done it waits for the others, so that none does it twice, and another not at all.
fn on_each<T: Send + 'static>(
    workers: &Handle,
    together: Duration,
    patience: Duration,
    act: fn() -> T,
) -> Vec<T> {
    let all = workers.metrics().num_workers() + 1;
    let met = Arc::new(Met { done: Mutex::new((0, Vec::new())), changed: Condvar::new() });
    for _ in 1..all {
        let met = Arc::clone(&met);
        workers.spawn(async move { drop(met.with(act(), all, together)) });
    }
    let mut done = met.with(act(), all, patience);
    std::mem::take(&mut done.1)
}

/// Threads that have done something: how many, and what came of it.
struct Met<T> {
    done: Mutex<(usize, Vec<T>)>,
    changed: Condvar,
}

impl<T> Met<T> {
    /// Adds what one has done, and waits for the others.
    fn with(&self, made: T, all: usize, limit: Duration) -> MutexGuard<'_, (usize, Vec<T>)> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.0 += 1;
        done.1.push(made);
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(done, limit, |done| done.0 < all);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::mpsc;
    use std::thread;
    use tokio::runtime::Builder;

    const LONG: Duration = Duration::from_secs(60);

    fn with(links: u64, closed: u64) -> Quiet {
        Quiet { links, closed, moved: true, ..Quiet::default() }
    }

    #[test]
    fn memory_is_given_back_once_when_many_have_gone_and_it_stays_quiet() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quiet = with(128, 512);
        assert_eq!(quiet.left(at(0)), Some(QUIET));
        assert_eq!(quiet.left(at(7)), Some(Duration::from_secs(3)));
        quiet.moved = true;
        assert_eq!(quiet.left(at(9)), Some(QUIET), "somebody came");
        assert_eq!(quiet.left(at(20)), Some(Duration::ZERO));
        quiet.give_back();
        assert_eq!(quiet.left(at(40)), None);
    }

    #[test]
    fn few_that_went_and_many_that_are_left_keep_it() {
        assert_eq!(with(0, 511).left(Instant::now()), None);
        assert_eq!(with(129, 512).left(Instant::now()), None);
        assert_eq!(Quiet::default().left(Instant::now()), None);
    }

    #[test]
    fn each_thread_does_it_once() {
        let runtime = Builder::new_multi_thread().worker_threads(3).build().unwrap();
        let threads = on_each(runtime.handle(), LONG, LONG, || thread::current().id());
        assert_eq!((threads.len(), threads.iter().collect::<HashSet<_>>().len()), (4, 4));
    }

    #[test]
    fn nobody_waits_long_for_a_worker_that_is_busy() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (free, busy) = mpsc::channel::<()>();
        runtime.spawn(async move { _ = busy.recv() });
        let threads = on_each(runtime.handle(), TOGETHER, TOGETHER, || thread::current().id());
        assert_eq!(threads, [thread::current().id()]);
        drop(free);
    }
}
