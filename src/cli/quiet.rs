//! When memory is given back: once most links have gone, and no other has come or gone for a while.

use crate::event::{Event, What};
use crate::net::sys::memory;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
        if let Some(workers) = &self.workers {
            on_each(workers, TOGETHER, PATIENCE, memory::gather);
        }
        memory::give_back();
        self.closed = 0;
    }
}

/// Does it on each worker of the runtime, and here. A worker that has done it waits for the others, so that none does it twice, and
/// another not at all.
fn on_each(workers: &Handle, together: Duration, patience: Duration, act: fn()) {
    let all = workers.metrics().num_workers() + 1;
    let done = Arc::new((Mutex::new(0), Condvar::new()));
    let meet = move |limit| {
        act();
        let (count, changed) = &*done;
        let mut here = count.lock().unwrap_or_else(PoisonError::into_inner);
        *here += 1;
        changed.notify_all();
        drop(changed.wait_timeout_while(here, limit, |here| *here < all));
    };
    for _ in 1..all {
        let meet = meet.clone();
        workers.spawn(async move { meet(together) });
    }
    meet(patience);
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
        static THREADS: Mutex<Vec<thread::ThreadId>> = Mutex::new(Vec::new());
        let runtime = Builder::new_multi_thread().worker_threads(3).build().unwrap();
        on_each(runtime.handle(), LONG, LONG, || THREADS.lock().unwrap().push(thread::current().id()));
        let threads = THREADS.lock().unwrap();
        assert_eq!((threads.len(), threads.iter().collect::<HashSet<_>>().len()), (4, 4));
    }

    #[test]
    fn nobody_waits_long_for_a_worker_that_is_busy() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (free, busy) = mpsc::channel::<()>();
        runtime.spawn(async move { _ = busy.recv() });
        on_each(runtime.handle(), TOGETHER, TOGETHER, || {});
        drop(free);
    }
}
