//! Wake-ups to a fraction of a millisecond, for the lanes: tokio's own timers count whole milliseconds.
//!
//! ```text
//!   AlarmSlot (one a link) --poll_until(when)--> BTreeMap<(Time, slot), Waker> --first--> one timerfd
//!          ^                                                                                  |
//!          '------------------- wake all that are due <--- one task <--- readable ------------'
//! ```
//!
//! The timerfd is armed for the first entry or for an earlier time, by whoever puts an earlier one in front or by the task
//! after it has woken those due. A slot has at most one entry, moved when it asks for another time and removed when it
//! is dropped; what it was armed for stays, so that slots that come and go cost no system call each. An early or needless
//! wake-up is harmless: a slot is ready by the clock alone.
//!
//! From the timer's interrupt to this task it takes the machine some 50 us when it sleeps, and a few when it is busy. So the
//! timerfd is armed by as much earlier as that last took, 60 us at most, and what is left is spun away:
//!
//! ```text
//!   armed for          task runs     due: those are woken
//!   ──┴────── wake-up ──────┴─ spins ─┴──────────────────▶ time
//!     '──────────── lead ─────────────'
//! ```

use super::clock::Clock;
use super::sys::TimerFd;
use crate::base::Time;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

/// The longest that the timer is armed before its time, and so the longest spin: a sleeping machine takes about as long
/// to wake, and a machine that takes longer is late by the rest.
const LEAD_LIMIT: Duration = Duration::from_micros(60);

/// How far one wake-up moves the lead: an eighth, so that a stall does not count for much.
const LEAD_MOVES: u32 = 8;

/// A handle to the run's alarm; clones share it. Its task ends with the last handle and slot.
#[derive(Clone, Debug)]
pub struct Alarm {
    owner: Arc<Owner>,
}

/// One waiter's place in the alarm: at most one time at once.
#[derive(Debug)]
pub struct AlarmSlot {
    owner: Arc<Owner>,
    number: u64,
    /// What it has asked for and not yet got.
    waits_for: Option<Time>,
}

/// Ends the task when nobody can wait any more.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    timer: AsyncFd<TimerFd>,
    waiters: Mutex<Waiters>,
    slots_made: AtomicU64,
}

/// Held for a few map operations and one system call, never across an await.
#[derive(Debug, Default)]
struct Waiters {
    by_time: BTreeMap<(Time, u64), Waker>,
    lead: Lead,
}

/// How long before its time the timer is armed.
#[derive(Debug, Default)]
struct Lead {
    by: Duration,
    /// What it is armed for, until that was met.
    armed: Option<Time>,
}

impl Lead {
    /// When to arm the timer for this time, not before now, as which it would fire; `None` where it is armed and fires before
    /// that.
    fn arm(&mut self, now: Time, when: Time) -> Option<Time> {
        let at = (when - self.by).max(now);
        if self.armed.is_some_and(|armed| armed <= at) {
            return None;
        }
        self.armed = Some(at);
        Some(at)
    }

    /// The timer's task runs: learns from that, if the timer is why. Whatever it was armed for, it is to be armed anew.
    fn woken(&mut self, now: Time) {
        let Some(armed) = self.armed.take().filter(|armed| *armed <= now) else { return };
        let took = now.since(armed).min(LEAD_LIMIT);
        self.by = self.by - self.by / LEAD_MOVES + took / LEAD_MOVES;
    }
}

impl Alarm {
    /// An alarm by this clock, with a task of its own. Must be called in a tokio runtime with I/O enabled.
    ///
    /// # Errors
    /// The kernel's, such as too many open files.
    pub fn start(clock: Clock) -> io::Result<Alarm> {
        let shared = Arc::new(Shared {
            clock,
            timer: TimerFd::new()?.watched()?,
            waiters: Mutex::new(Waiters::default()),
            slots_made: AtomicU64::new(0),
        });
        let task = tokio::spawn(run(Arc::clone(&shared))).abort_handle();
        Ok(Alarm { owner: Arc::new(Owner { shared, task }) })
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> Clock {
        self.owner.shared.clock
    }

    /// A new slot, waiting for nothing.
    pub fn slot(&self) -> AlarmSlot {
        let number = self.owner.shared.slots_made.fetch_add(1, Ordering::Relaxed);
        AlarmSlot { owner: Arc::clone(&self.owner), number, waits_for: None }
    }

    /// Sleeps until the clock says `when`; not at all if it has passed.
    pub async fn sleep_until(&self, when: Time) {
        let mut slot = self.slot();
        poll_fn(|cx| slot.poll_until(cx, when)).await;
    }
}

impl AlarmSlot {
    /// Ready once the clock says `when`, and never before; until then the task of `cx` is woken at that time.
    ///
    /// Each call takes the place of the one before: another time moves the slot, and the last waker counts.
    /// To wait for nothing, [`AlarmSlot::cancel`] it or drop it.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, when: Time) -> Poll<()> {
        let now = self.owner.shared.clock.now();
        if now >= when {
            self.cancel();
            return Poll::Ready(());
        }
        self.owner.shared.set(now, self.number, self.waits_for.replace(when), when, cx.waker());
        Poll::Pending
    }

    /// Waits for nothing any more.
    pub fn cancel(&mut self) {
        if let Some(when) = self.waits_for.take() {
            self.owner.shared.lock().by_time.remove(&(when, self.number));
        }
    }
}

impl Drop for AlarmSlot {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiters> {
        // A panic elsewhere leaves the map whole: each change is one map operation.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a slot from one time to another, and arms the timer if it is now the first.
    fn set(&self, now: Time, slot: u64, from: Option<Time>, to: Time, waker: &Waker) {
        let mut waiters = self.lock();
        if let Some(from) = from.filter(|&from| from != to) {
            waiters.by_time.remove(&(from, slot));
        }
        match waiters.by_time.get_mut(&(to, slot)) {
            Some(known) => known.clone_from(waker),
            None => {
                waiters.by_time.insert((to, slot), waker.clone());
                if waiters.first() == Some((to, slot)) {
                    self.arm(&mut waiters, now, to);
                }
            }
        }
    }

    /// Takes out those due, and arms the timer for the first that is not.
    fn take_due(&self) -> Vec<Waker> {
        self.spin();
        let mut waiters = self.lock();
        let now = self.clock.now();
        let mut due = Vec::new();
        while let Some(entry) = waiters.by_time.first_entry().filter(|entry| entry.key().0 <= now) {
            due.push(entry.remove());
        }
        if let Some((next, _)) = waiters.first() {
            self.arm(&mut waiters, now, next);
        }
        due
    }

    /// Spins until the first is due, if the timer was that much before its time.
    fn spin(&self) {
        let mut waiters = self.lock();
        let now = self.clock.now();
        let lead = waiters.lead.by;
        waiters.lead.woken(now);
        let first = waiters.first().map(|(when, _)| when);
        // Others may come to wait meanwhile.
        drop(waiters);
        let Some(first) = first.filter(|first| first.since(now) <= lead) else { return };
        while self.clock.now() < first {
            std::hint::spin_loop();
        }
    }

    /// Called with the lock held, so that the last arming is that of the first entry.
    fn arm(&self, waiters: &mut Waiters, now: Time, when: Time) {
        let Some(at) = waiters.lead.arm(now, when) else { return };
        if let Err(error) = self.timer.get_ref().arm(self.clock.monotonic(at)) {
            // Not seen on any kernel: the descriptor is ours and the time is valid.
            tracing::error!(%error, "the alarm's timer cannot be armed; delays will hang");
        }
    }
}

impl Waiters {
    fn first(&self) -> Option<(Time, u64)> {
        self.by_time.first_key_value().map(|(&key, _)| key)
    }
}

/// The alarm's task: sleeps on the timer, wakes those due.
async fn run(shared: Arc<Shared>) {
    loop {
        match shared.timer.readable().await {
            Ok(mut fired) => {
                fired.clear_ready();
                // Before those due are taken: what fires from here on makes it readable again.
                if let Err(error) = shared.timer.get_ref().clear() {
                    tracing::error!(%error, "the alarm's timer cannot be read");
                }
            }
            Err(_) => return, // The runtime shuts down.
        }
        shared.take_due().into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
