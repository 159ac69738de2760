//! What is to happen, soonest first.

use crate::base::Time;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Things by their time; of one time, in the order in which they were put in.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    order: u64,
    what: T,
}

impl<T> Queue<T> {
    pub fn new() -> Queue<T> {
        Queue { heap: BinaryHeap::new(), next: 0 }
    }

    pub fn push(&mut self, at: Time, what: T) {
        self.heap.push(Entry { at, order: self.next, what });
        self.next += 1;
    }

    /// The time of the first.
    pub fn first(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes out the first, if its time has come.
    pub fn take_due(&mut self, now: Time) -> Option<T> {
        if self.first()? > now {
            return None;
        }
        self.heap.pop().map(|entry| entry.what)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// The soonest is the greatest, as the heap has it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_comes_first_and_of_one_time_the_first_put_in() {
        let mut queue = Queue::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b')] {
            queue.push(Time::from_nanos(at), what);
        }
        assert_eq!(queue.take_due(Time::ZERO), None);
        let taken: String = std::iter::from_fn(|| queue.take_due(Time::from_nanos(5))).collect();
        assert_eq!((taken.as_str(), queue.first()), ("abcd", None));
    }
}
