//! A map that forgets what it has known longest.

use std::collections::{BTreeMap, VecDeque};

/// A map of so many keys at most.
#[derive(Debug)]
pub(super) struct Ring<K, V> {
    most: usize,
    map: BTreeMap<K, V>,
    /// In the order in which they came first.
    order: VecDeque<K>,
}

impl<K: Copy + Ord, V> Ring<K, V> {
    pub fn new(most: usize) -> Ring<K, V> {
        Ring { most, map: BTreeMap::new(), order: VecDeque::new() }
    }

    pub fn get(&self, key: K) -> Option<&V> {
        self.map.get(&key)
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.map.get_mut(&key)
    }

    /// Puts it in, in the place of what is known by this key.
    pub fn insert(&mut self, key: K, value: V) {
        if self.map.insert(key, value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
    }
}
