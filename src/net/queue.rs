//! The way of events out of the run: many producers, one consumer, none lost.

use crate::event::Event;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How many events may wait for the consumer: some 100 MB of them, minutes of a busy run. Beyond, producers wait:
/// the run slows down rather than lose an event.
const LIMIT: usize = 500_000;

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

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    closed: bool,
}

impl EventQueue {
    /// Adds an event; waits while the queue is full.
    pub fn push(&self, event: Event) {
        let inner = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self
            .0
            .drained
            .wait_while(inner, |inner| inner.events.len() >= LIMIT && !inner.closed)
            .unwrap_or_else(PoisonError::into_inner);
        inner.events.push_back(event);
        self.0.filled.notify_one();
    }

    /// No more events come, or are wanted; those queued can still be taken.
    pub fn close(&self) {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.filled.notify_all();
        self.0.drained.notify_all();
    }

    /// The same, waiting no longer than this.
    pub fn take_within(&self, limit: Duration) -> Taken {
        let inner = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut inner, _) = self
            .0
            .filled
            .wait_timeout_while(inner, limit, |inner| inner.events.is_empty() && !inner.closed)
            .unwrap_or_else(PoisonError::into_inner);
        self.0.drained.notify_all();
        let taken = std::mem::take(&mut inner.events);
        match (taken.is_empty(), inner.closed) {
            (false, _) => Taken::Events(taken),
            (true, true) => Taken::Closed,
            (true, false) => Taken::Nothing,
        }
    }

    /// All events that wait, once there is one; `None` when the queue is closed and empty. Blocks the thread.
    pub fn take(&self) -> Option<VecDeque<Event>> {
        let inner = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self
            .0
            .filled
            .wait_while(inner, |inner| inner.events.is_empty() && !inner.closed)
            .unwrap_or_else(PoisonError::into_inner);
        self.0.drained.notify_all();
        let taken = std::mem::take(&mut inner.events);
        (!taken.is_empty()).then_some(taken)
    }
}
