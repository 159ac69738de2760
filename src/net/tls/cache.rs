//! A bounded cache: peers choose the keys, so the oldest entry goes when it is full.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values by key, at most so many; what was put in first goes first.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    bound: usize,
    held: Mutex<Held<K, V>>,
}

#[derive(Debug)]
struct Held<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// Holds at most `bound` values, at least 1.
    pub fn new(bound: usize) -> Cache<K, V> {
        let held = Held { values: HashMap::new(), order: VecDeque::new() };
        Cache { bound: bound.max(1), held: Mutex::new(held) }
    }

    /// The value of that key, made where it is missing. A failure to make it is not kept.
    ///
    /// The lock is not held while it is made: of two who make the same at once, both get the one that was put in first.
    pub fn get_or_make<E>(&self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(value) = self.lock().values.get(key) {
            return Ok(value.clone());
        }
        let made = make()?;
        let mut guard = self.lock();
        let held = &mut *guard;
        if let Some(value) = held.values.get(key) {
            return Ok(value.clone());
        }
        while held.values.len() >= self.bound {
            let Some(oldest) = held.order.pop_front() else { break };
            held.values.remove(&oldest);
        }
        held.order.push_back(key.clone());
        held.values.insert(key.clone(), made.clone());
        Ok(made)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().values.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held<K, V>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_what_failed_is_tried_again() {
        let cache: Cache<u8, u8> = Cache::new(2);
        assert_eq!(cache.get_or_make(&1, || Err("no")), Err("no"));
        for (key, value) in [(1, 10), (2, 20), (1, 11), (3, 30)] {
            let _ = cache.get_or_make::<()>(&key, || Ok(value));
        }
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.get_or_make::<()>(&2, || Err(())), Ok(20));
        assert_eq!(cache.get_or_make::<()>(&3, || Err(())), Ok(30));
        assert_eq!(cache.get_or_make::<()>(&1, || Ok(12)), Ok(12), "1 was the oldest");
    }
}
