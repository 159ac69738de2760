//! Things by their numbers, each in a box of its own.

use std::collections::{BTreeMap, btree_map};

/// A map for values that are large, of which there may be thousands.
///
/// A B-tree that is filled in order leaves its nodes half empty: that is room for nearly two of each value. Here it is room
/// for two pointers.
#[derive(Clone, Debug)]
pub struct Shelf<K, V> {
    boxes: BTreeMap<K, Box<V>>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Shelf<K, V> {
        Shelf { boxes: BTreeMap::new() }
    }
}

impl<K: Ord, V> Shelf<K, V> {
    /// The value of that key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.boxes.get(key).map(|held| &**held)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.boxes.get_mut(key).map(|held| &mut **held)
    }

    /// The same, made if there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.boxes.entry(key).or_default()
    }

    /// Whether there is a value of that key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.boxes.contains_key(key)
    }

    /// Puts a value in; the one before, if there was one, is gone.
    pub fn insert(&mut self, key: K, value: V) {
        self.boxes.insert(key, Box::new(value));
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.boxes.remove(key).map(|held| *held)
    }

    /// Drops the values that are not to stay, in the order of keys.
    pub fn retain(&mut self, mut stays: impl FnMut(&K, &mut V) -> bool) {
        self.boxes.retain(|key, held| stays(key, held));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// The keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.boxes.keys()
    }

    /// The values, in the order of keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.boxes.values().map(|held| &**held)
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.boxes.values_mut().map(|held| &mut **held)
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.boxes.iter())
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a Shelf<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

/// What goes over a [`Shelf`].
#[derive(Debug)]
pub struct Iter<'a, K, V>(btree_map::Iter<'a, K, Box<V>>);

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        self.0.next().map(|(key, held)| (key, &**held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map() {
        let mut shelf = Shelf::default();
        for key in [3, 1, 2] {
            shelf.insert(key, key * 10);
        }
        *shelf.get_or_default(4) += 1;
        shelf.retain(|key, _| *key != 2);
        assert_eq!(
            shelf.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(),
            [(1, 10), (3, 30), (4, 1)]
        );
        assert_eq!((shelf.remove(&3), shelf.remove(&3), shelf.len()), (Some(30), None, 2));
    }
}
