//! The way from the links to the writer: bounded, and never waited for.

use crate::base::{Direction, Ends, LinkId, Side, Time};
use crate::net::Clock;
use crate::report::pcapng::{End, Where};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many bytes may wait: a busy second of a thousand devices.
const ROOM_BYTES: usize = 64 * 1024 * 1024;

/// So many reads and writes may wait, some 30 MB without their bytes.
const ROOM_ITEMS: usize = 200_000;

/// Beginnings, ends and comments, without which the rest cannot be read, find so much more room.
const ROOM_BESIDE: usize = 100_000;

/// A leg of a link.
pub(super) type LegId = (LinkId, Side);

/// Something for the file.
#[derive(Debug)]
pub(super) struct Item {
    /// When.
    pub(super) at: Time,
    /// What.
    pub(super) what: Moment,
}

/// What happened at a leg, or is to be said of it. Up is what the end that opened the connection says.
#[derive(Debug)]
pub(super) enum Moment {
    /// The connection is there.
    Opened { leg: LegId, client: SocketAddr, server: SocketAddr },
    /// Bytes, the first so far behind the beginning of their direction.
    Said { leg: LegId, direction: Direction, offset: u64, bytes: Vec<u8> },
    /// No more in this direction, after so many bytes.
    Ended { leg: LegId, direction: Direction, offset: u64, how: End, note: Option<String> },
    /// The socket is gone.
    Gone { leg: LegId },
    /// A comment.
    Remark { place: Where, text: String },
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    clock: Clock,
    waiting: Mutex<Waiting>,
    filled: Condvar,
    /// Nothing is wanted any more.
    off: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    items: Vec<Item>,
    bytes: usize,
    dropped: Ends<u64>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(clock: Clock) -> Queue {
        Queue { clock, waiting: Mutex::default(), filled: Condvar::new(), off: AtomicBool::new(false) }
    }

    /// Adds what happens now, if there is room.
    pub(super) fn push(&self, what: Moment) {
        if !self.off.load(Ordering::Relaxed) {
            let mut waiting = self.lock();
            // Under the lock, so that stamps and places agree.
            let at = self.clock.now();
            self.add(&mut waiting, Item { at, what });
        }
    }

    /// Adds what happened then, if there is room.
    pub(super) fn push_at(&self, at: Time, what: Moment) {
        if !self.off.load(Ordering::Relaxed) {
            self.add(&mut self.lock(), Item { at, what });
        }
    }

    /// Waits until something is there, then for `lag` more, and hands out all there is, the time by then, and whether more
    /// may come.
    pub(super) fn take(&self, lag: Duration) -> (Vec<Item>, Time, bool) {
        let empty = |waiting: &mut Waiting| waiting.items.is_empty() && !waiting.closed;
        let waiting = self.filled.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        let open = |waiting: &mut Waiting| !waiting.closed;
        let waited = self.filled.wait_timeout_while(waiting, lag, open);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        (std::mem::take(&mut waiting.items), self.clock.now(), !waiting.closed)
    }

    /// No more comes.
    pub(super) fn close(&self) {
        self.off.store(true, Ordering::Relaxed);
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Nothing is wanted any more; what waits is forgotten.
    pub(super) fn switch_off(&self) {
        self.off.store(true, Ordering::Relaxed);
        let mut waiting = self.lock();
        waiting.items = Vec::new();
        waiting.bytes = 0;
    }

    /// What found no room, by leg.
    pub(super) fn dropped(&self) -> Ends<u64> {
        self.lock().dropped
    }

    fn add(&self, waiting: &mut Waiting, item: Item) {
        let (bytes, beside) = match &item.what {
            Moment::Said { bytes, .. } => (bytes.len(), 0),
            Moment::Opened { .. } | Moment::Ended { .. } | Moment::Gone { .. } | Moment::Remark { .. } => {
                (0, ROOM_BESIDE)
            }
        };
        if waiting.closed {
            return;
        }
        if waiting.items.len() >= ROOM_ITEMS + beside || waiting.bytes + bytes > ROOM_BYTES {
            *waiting.dropped.get_mut(item.what.side()) += 1;
            return;
        }
        waiting.bytes += bytes;
        let first = waiting.items.is_empty();
        waiting.items.push(item);
        if first {
            self.filled.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment {
    /// The side of the leg; of a comment that belongs to none, the device's.
    pub(super) fn side(&self) -> Side {
        match self {
            Moment::Opened { leg: (_, side), .. }
            | Moment::Said { leg: (_, side), .. }
            | Moment::Ended { leg: (_, side), .. }
            | Moment::Gone { leg: (_, side) }
            | Moment::Remark { place: Where::Leg(_, side) | Where::EndOf(_, side), .. } => *side,
            Moment::Remark { place: Where::Next, .. } => Side::Device,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LinkId, Time};

    const LEG: LegId = (LinkId(1), Side::Hub);

    fn said(bytes: usize) -> Moment {
        Moment::Said { leg: LEG, direction: Direction::Up, offset: 0, bytes: vec![0; bytes] }
    }

    #[test]
    fn bytes_beyond_the_room_are_dropped_and_counted_and_ends_still_fit() {
        let queue = Queue::new(Clock::start());
        queue.push(said(ROOM_BYTES));
        queue.push(said(1));
        queue.push(Moment::Gone { leg: LEG });
        assert_eq!(queue.dropped(), Ends { device: 0, hub: 1 });
        let (items, _, more) = queue.take(Duration::ZERO);
        assert_eq!((items.len(), more), (2, true));
        // What was taken makes room.
        queue.push(said(ROOM_BYTES));
        assert_eq!(queue.dropped().hub, 1);
    }

    #[test]
    fn items_beyond_the_room_are_dropped_and_ends_have_room_of_their_own() {
        let queue = Queue::new(Clock::start());
        for _ in 0..ROOM_ITEMS + 1 {
            queue.push(said(0));
        }
        assert_eq!(queue.dropped().hub, 1);
        for _ in 0..ROOM_BESIDE + 1 {
            queue.push(Moment::Gone { leg: LEG });
        }
        assert_eq!(queue.dropped().hub, 2);
    }

    #[test]
    fn a_closed_queue_hands_out_what_waits_and_takes_no_more() {
        let queue = Queue::new(Clock::start());
        queue.push_at(Time::from_secs(1), said(1));
        queue.close();
        queue.push(said(1));
        let (items, _, more) = queue.take(Duration::from_secs(60));
        assert_eq!((items.len(), more), (1, false));
        assert_eq!(queue.dropped(), Ends::default());
    }
}
