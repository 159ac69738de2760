//! Wake-ups to a fraction of a millisecond, for the lanes: tokio's own timers count whole milliseconds.
//!
//! ```text
//!   AlarmSlot (one a link) --poll_until(when)--> BTreeMap<(Time, slot), Waker> --first--> one timerfd
//!          ^                                                                                  |
//!          '------------------- wake all that are due <--- one task <--- readable ------------'
//! ```
//!
//! The timerfd is armed for the first entry, by whoever puts an earlier one in front or by the task after it
//! has woken those due. A slot has at most one entry, moved when it asks for another time and removed when it
//! is dropped. An early or needless wake-up is harmless: a slot is ready by the clock alone.

use super::clock::Clock;
use super::sys::TimerFd;
use crate::base::Time;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

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
}

/// Held for a few map operations and one system call, never across an await.
#[derive(Debug, Default)]
struct Waiters {
    by_time: BTreeMap<(Time, u64), Waker>,
    slots_made: u64,
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
        let mut waiters = self.owner.shared.lock();
        waiters.slots_made += 1;
        AlarmSlot { owner: Arc::clone(&self.owner), number: waiters.slots_made, waits_for: None }
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
        if self.owner.shared.clock.now() >= when {
            self.cancel();
            return Poll::Ready(());
        }
        self.owner.shared.set(self.number, self.waits_for.replace(when), when, cx.waker());
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
    fn set(&self, slot: u64, from: Option<Time>, to: Time, waker: &Waker) {
        let mut waiters = self.lock();
        if let Some(from) = from.filter(|&from| from != to) {
            waiters.by_time.remove(&(from, slot));
        }
        match waiters.by_time.get_mut(&(to, slot)) {
            Some(known) => known.clone_from(waker),
            None => {
                waiters.by_time.insert((to, slot), waker.clone());
                if waiters.first() == Some((to, slot)) {
                    self.arm(to);
                }
            }
        }
    }

    /// Takes out those due, and arms the timer for the first that is not.
    fn take_due(&self) -> Vec<Waker> {
        let mut waiters = self.lock();
        let now = self.clock.now();
        let mut due = Vec::new();
        while let Some(entry) = waiters.by_time.first_entry().filter(|entry| entry.key().0 <= now) {
            due.push(entry.remove());
        }
        if let Some((next, _)) = waiters.first() {
            self.arm(next);
        }
        due
    }

    /// Called with the lock held, so that the last arming is that of the first entry.
    fn arm(&self, when: Time) {
        if let Err(error) = self.timer.get_ref().arm(self.clock.monotonic(when)) {
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
