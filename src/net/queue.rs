//! The way of events out of the run: many producers, one consumer, none lost.

use crate::event::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How many events may wait for the consumer: some 100 MB of them, minutes of a busy run. Beyond, producers wait:
/// the run slows down rather than lose an event.
const LIMIT: usize = 500_000;

/// From the first event that waits on, for how long others are waited for, so that a busy run wakes the consumer some 40 times
/// a second and not for each event: on one core, each wake-up would interrupt a link.
const GATHER: Duration = Duration::from_millis(25);

/// So many events are not waited on any longer: a burst is written down while it lasts, in steps of about a millisecond, for which
/// the links wait where there is one core.
const GATHERED: usize = 1024;

/// A queue of events; clones share it.
#[derive(Clone, Debug, Default)]
pub struct EventQueue(Arc<Shared>);

/// What was taken out of a queue.
#[derive(Debug)]
pub enum Taken {
    /// All events that waited.
    Events(VecDeque<Event>),
    /// None came in the time.
    Nothing,
    /// None will come.
    Closed,
}

/// Who takes events out of a queue, on a thread of its own. If it panics, the queue is closed: nobody waits for what nobody
/// takes, and the run is known to be unheard.
#[derive(Debug)]
pub struct Consumer<T>(JoinHandle<T>);

/// The consumer of a queue panicked; what it said.
#[derive(Debug)]
pub struct Panicked(pub String);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    filled: Condvar,
    drained: Condvar,
    /// The consumer is gone before its time.
    unheard: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    closed: bool,
    /// Its consumer panicked.
    unheard: bool,
    /// With how many events the consumer is to be woken; 0: it does not wait.
    wake_at: usize,
    /// How many producers wait for room.
    blocked: usize,
}

impl EventQueue {
    /// Has its events taken by this, on a thread of its own, which ends when the queue is closed and empty.
    pub fn consume<T: Send + 'static>(
        &self,
        take: impl FnOnce(&EventQueue) -> T + Send + 'static,
    ) -> Consumer<T> {
        let queue = self.clone();
        Consumer(thread::spawn(move || {
            let attendance = Attendance(queue);
            take(&attendance.0)
        }))
    }

    /// Waits until the consumer is gone before its time.
    pub async fn unheard(&self) {
        loop {
            let told = self.0.unheard.notified();
            if self.lock().unheard {
                return;
            }
            told.await;
        }
    }

    /// Adds an event; waits while the queue is full. Once it is closed, the event is not wanted.
    pub fn push(&self, event: Event) {
        let mut inner = self.lock();
        while inner.events.len() >= LIMIT && !inner.closed {
            inner.blocked += 1;
            inner = self.0.drained.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.blocked -= 1;
        }
        if inner.closed {
            return;
        }
        inner.events.push_back(event);
        // To notify costs a system call whether anybody waits or not.
        if inner.events.len() == inner.wake_at {
            self.0.filled.notify_one();
        }
    }

    /// No more events come, or are wanted; those queued can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.0.filled.notify_all();
        self.0.drained.notify_all();
    }

    /// None is expected for a while: keeps no room for more than wait.
    pub fn shrink(&self) {
        self.lock().events.shrink_to_fit();
    }

    /// The same as [`EventQueue::take`], waiting no longer than this for the first event, if that is said.
    pub fn take_within(&self, limit: Option<Duration>) -> Taken {
        let inner = self.wait(self.lock(), 1, limit);
        if inner.events.is_empty() {
            return if inner.closed { Taken::Closed } else { Taken::Nothing };
        }
        Taken::Events(self.gather(inner))
    }

    /// All events that wait, a moment after there is one; `None` when the queue is closed and empty. Blocks the thread.
    pub fn take(&self) -> Option<VecDeque<Event>> {
        let inner = self.wait(self.lock(), 1, None);
        let taken = self.gather(inner);
        (!taken.is_empty()).then_some(taken)
    }

    fn gather(&self, inner: MutexGuard<'_, Inner>) -> VecDeque<Event> {
        let mut inner = self.wait(inner, GATHERED, Some(GATHER));
        if inner.blocked > 0 {
            self.0.drained.notify_all();
        }
        // As many as came this time find room, without being moved as they come.
        let room = VecDeque::with_capacity(inner.events.len().min(GATHERED));
        std::mem::replace(&mut inner.events, room)
    }

    /// Waits until there are so many events, the queue is closed, or the time is up.
    fn wait<'a>(
        &self,
        mut inner: MutexGuard<'a, Inner>,
        events: usize,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, Inner> {
        let until = limit.map(|limit| Instant::now() + limit);
        while inner.events.len() < events && !inner.closed {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            inner.wake_at = events;
            let filled = &self.0.filled;
            inner = match left {
                Some(left) => filled.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0,
                None => filled.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
        inner.wake_at = 0;
        inner
    }

    /// Nobody takes what waits.
    fn abandon(&self) {
        let mut inner = self.lock();
        (inner.closed, inner.unheard) = (true, true);
        let lost = std::mem::take(&mut inner.events);
        drop(inner);
        drop(lost);
        self.0.drained.notify_all();
        self.0.unheard.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Consumer<T> {
    /// Waits until it is through.
    ///
    /// # Errors
    /// It panicked, and took no more from then on.
    pub fn finish(self) -> Result<T, Panicked> {
        self.0.join().map_err(|panic| {
            let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
            Panicked(said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
        })
    }
}

/// Held by the consumer's thread.
struct Attendance(EventQueue);

impl Drop for Attendance {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::event::{EndReason, What};

    fn event(seq: u64) -> Event {
        Event { seq, at: Time::ZERO, what: What::RunEnded { reason: EndReason::Complete } }
    }

    #[test]
    fn a_full_load_is_taken_without_waiting_for_more_and_in_order() {
        let queue = EventQueue::default();
        let events = u64::try_from(GATHERED).unwrap();
        let producer = queue.clone();
        // The consumer may wait already, or not yet.
        let pushing = thread::spawn(move || (0..events).for_each(|seq| producer.push(event(seq))));
        let mut taken = Vec::new();
        while taken.len() < GATHERED {
            taken.extend(queue.take().unwrap().into_iter().map(|event| event.seq));
        }
        pushing.join().unwrap();
        assert_eq!(taken, (0..events).collect::<Vec<_>>());
    }

    #[test]
    fn who_waits_for_room_goes_on_once_there_is_some() {
        let queue = EventQueue::default();
        let events = u64::try_from(LIMIT).unwrap() + 1;
        let producer = queue.clone();
        let pushing = thread::spawn(move || (0..events).for_each(|seq| producer.push(event(seq))));
        while queue.lock().blocked == 0 {
            thread::yield_now();
        }
        assert_eq!(queue.take().map(|events| events.len()), Some(LIMIT));
        pushing.join().unwrap();
        assert_eq!(queue.take().map(|events| events.len()), Some(1));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_then_ends() {
        let queue = EventQueue::default();
        queue.push(event(1));
        queue.close();
        assert_eq!(queue.take().map(|events| events.len()), Some(1));
        assert!(queue.take().is_none());
        assert!(matches!(queue.take_within(Some(Duration::from_secs(60))), Taken::Closed));
    }

    #[tokio::test]
    async fn a_consumer_that_panics_leaves_nobody_waiting_and_nothing_behind() {
        let queue = EventQueue::default();
        let consumer = queue.consume(|queue| {
            let first = queue.take().and_then(|mut events| events.pop_front()).map(|event| event.seq);
            assert_eq!(first, Some(1), "the first is 1");
        });
        (2..).take(LIMIT).for_each(|seq| queue.push(event(seq)));
        tokio::time::timeout(Duration::from_secs(60), queue.unheard()).await.unwrap();
        // More than there is room for.
        (0..=u64::try_from(LIMIT).unwrap()).for_each(|seq| queue.push(event(seq)));
        assert_eq!(queue.lock().events.len(), 0);
        assert!(consumer.finish().unwrap_err().0.contains("the first is 1"));
    }

    #[tokio::test]
    async fn a_consumer_that_is_through_was_heard() {
        let queue = EventQueue::default();
        let consumer = queue.consume(|queue| queue.take().map(|events| events.len()));
        queue.push(event(1));
        queue.close();
        assert_eq!(consumer.finish().unwrap(), Some(1));
        assert!(tokio::time::timeout(Duration::ZERO, queue.unheard()).await.is_err());
    }

    #[test]
    fn who_waits_for_no_event_is_let_go_in_time() {
        assert!(matches!(EventQueue::default().take_within(Some(Duration::ZERO)), Taken::Nothing));
    }
}
