//! What the machine takes away from a test: threads that only sleep, and how late they wake.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(10);

/// Enough that one of them is on each core.
const THREADS: usize = 4;

/// Watches from now on. A bound on how long something takes is one for a machine that lets it: later by what this says is no fault.
pub struct Machine {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Late>>,
}

/// How late the threads woke.
#[derive(Clone, Copy, Debug, Default)]
pub struct Late {
    /// Once, at most: so far may a moment be off.
    pub worst: Duration,
    /// In all, of the thread that fared worst: so much longer may what takes many steps take.
    pub all: Duration,
}

impl Machine {
    pub fn watched() -> Machine {
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..THREADS).map(|_| {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let mut late = Late::default();
                while !over.load(Ordering::Relaxed) {
                    let due = Instant::now() + TICK;
                    std::thread::sleep(TICK);
                    let by = due.elapsed();
                    late = Late { worst: late.worst.max(by), all: late.all + by };
                }
                late
            })
        });
        let threads = threads.collect();
        Machine { over, threads }
    }

    /// How late it was up to now: a thread that is held up at present is waited for.
    pub fn late(self) -> Late {
        self.over.store(true, Ordering::Relaxed);
        let all = self.threads.into_iter().map(|thread| thread.join().expect("it only sleeps"));
        let late =
            all.fold(Late::default(), |a, b| Late { worst: a.worst.max(b.worst), all: a.all.max(b.all) });
        println!("the machine: {late:?}");
        late
    }
}
