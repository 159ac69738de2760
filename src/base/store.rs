//! Bytes by their numbers, side by side in a few large pieces of memory.

use super::pack::{push_number, take_number};

/// A piece is at most so large, but for one that a single thing fills, and the place of a thing says which and where.
const PIECE: usize = 1 << PIECE_BITS;
const PIECE_BITS: u32 = 16;

/// A length takes so many bytes at most.
const HEAD: usize = 10;

/// The place of a key whose bytes were taken out.
const NOWHERE: u32 = u32::MAX;

/// A map from keys, which mostly come in ascending order, to bytes, which mostly stay: twelve bytes and the length for each, and
/// no box of its own. A box that stays keeps the page that it lies in, and thousands of them lie scattered among what comes and
/// goes with links.
#[derive(Clone, Debug)]
pub struct Store<K> {
    /// Ascending; one whose bytes were taken out stays here for a while, with [`NOWHERE`].
    keys: Vec<K>,
    places: Vec<u32>,
    /// Each thing is its length and its bytes. Only the last piece grows.
    pieces: Vec<Vec<u8>>,
    /// How many keys have bytes.
    len: usize,
    /// How many bytes are of nothing any more.
    waste: usize,
}

impl<K> Default for Store<K> {
    fn default() -> Store<K> {
        Store { keys: Vec::new(), places: Vec::new(), pieces: Vec::new(), len: 0, waste: 0 }
    }
}

impl<K: Ord + Copy> Store<K> {
    /// The bytes of that key.
    pub fn get(&self, key: &K) -> Option<&[u8]> {
        self.at(self.places[self.find(key).ok()?])
    }

    /// Whether there are bytes of that key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok_and(|nth| self.places[nth] != NOWHERE)
    }

    /// Puts bytes in; those before, if there were any, are gone. `false`: there is no room, with 4 GB.
    pub fn insert(&mut self, key: K, bytes: &[u8]) -> bool {
        self.remove(&key);
        let Some(place) = self.append(bytes) else { return false };
        match self.find(&key) {
            Ok(nth) => self.places[nth] = place,
            Err(nth) => {
                // By a quarter, as shelves do.
                if self.keys.len() == self.keys.capacity() {
                    let more = (self.keys.len() / 4).max(4);
                    self.keys.reserve_exact(more);
                    self.places.reserve_exact(more);
                }
                self.keys.insert(nth, key);
                self.places.insert(nth, place);
            }
        }
        self.len += 1;
        true
    }

    /// Takes bytes out. Whether there were any.
    pub fn remove(&mut self, key: &K) -> bool {
        let Ok(nth) = self.find(key) else { return false };
        let place = std::mem::replace(&mut self.places[nth], NOWHERE);
        let Some(bytes) = self.at(place) else { return false };
        self.waste += bytes.len() + 1;
        self.len -= 1;
        self.tidy();
        true
    }

    /// How many keys have bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keys and bytes, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &[u8])> {
        self.keys.iter().zip(&self.places).filter_map(|(key, place)| Some((key, self.at(*place)?)))
    }

    /// No more comes for a while: keeps no room for it.
    pub fn shrink(&mut self) {
        self.keys.shrink_to_fit();
        self.places.shrink_to_fit();
        if let Some(last) = self.pieces.last_mut() {
            last.shrink_to_fit();
        }
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        match self.keys.last() {
            Some(last) if last < key => Err(self.keys.len()),
            _ => self.keys.binary_search(key),
        }
    }

    fn at(&self, place: u32) -> Option<&[u8]> {
        let (piece, at) = split(place);
        let mut from = self.pieces.get(piece)?.get(at..)?;
        let len = usize::try_from(take_number(&mut from)?).ok()?;
        from.get(..len)
    }

    /// Where it now stands.
    fn append(&mut self, bytes: &[u8]) -> Option<u32> {
        let whole = HEAD + bytes.len();
        if self.pieces.last().is_none_or(|last| last.len() + whole > PIECE) {
            self.pieces.push(Vec::new());
        }
        let nth = u32::try_from(self.pieces.len() - 1).ok().filter(|nth| *nth < NOWHERE >> PIECE_BITS)?;
        let last = self.pieces.last_mut()?;
        if last.capacity() - last.len() < whole {
            // The first grows as it fills, and one that was shrunk; the others are whole from the start.
            let room = if nth == 0 || !last.is_empty() { (last.len() * 2).min(PIECE) } else { PIECE };
            last.reserve_exact(room.saturating_sub(last.len()).max(whole));
        }
        let at = u32::try_from(last.len()).ok()?;
        push_number(u64::try_from(bytes.len()).ok()?, last);
        last.extend_from_slice(bytes);
        Some(nth << PIECE_BITS | at)
    }

    /// Where a quarter of all bytes is of nothing, the others move together.
    fn tidy(&mut self) {
        if self.len == 0 {
            // Where one comes as the last has gone, no memory goes to and fro.
            match self.pieces.as_mut_slice() {
                [only] => only.clear(),
                _ => *self = Store::default(),
            }
            self.keys.clear();
            self.places.clear();
            self.waste = 0;
            return;
        }
        let all: usize = self.pieces.iter().map(Vec::len).sum();
        if self.waste < PIECE || self.waste < all / 4 {
            return;
        }
        let mut tidy = Store {
            keys: Vec::with_capacity(self.len),
            places: Vec::with_capacity(self.len),
            ..Store::default()
        };
        self.iter().for_each(|(key, bytes)| _ = tidy.insert(*key, bytes));
        *self = tidy;
    }
}

/// Which piece, and where in it. [`NOWHERE`] is in none.
fn split(place: u32) -> (usize, usize) {
    let of = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    (of(place >> PIECE_BITS), of(place & ((1 << PIECE_BITS) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(
            steps in prop::collection::vec((0_u8..5, 0_u32..64, prop_oneof![0_usize..300, 60_000_usize..70_000]), 1..200),
        ) {
            let (mut store, mut map) = (Store::default(), BTreeMap::new());
            for (value, (what, key, len)) in (0..=u8::MAX).cycle().zip(steps) {
                if what == 0 {
                    prop_assert_eq!(store.remove(&key), map.remove(&key).is_some());
                } else if what == 1 {
                    store.shrink();
                } else {
                    prop_assert!(store.insert(key, &vec![value; len]));
                    map.insert(key, vec![value; len]);
                }
                prop_assert_eq!(store.len(), map.len());
                prop_assert!(store.iter().eq(map.iter().map(|(key, bytes)| (key, bytes.as_slice()))));
                for key in 0..64 {
                    prop_assert_eq!(store.get(&key), map.get(&key).map(Vec::as_slice));
                    prop_assert_eq!(store.contains_key(&key), map.contains_key(&key));
                }
            }
        }
    }

    #[test]
    fn each_takes_its_bytes_and_little_more() {
        let mut store = Store::default();
        (0..10_000_u64).for_each(|key| assert!(store.insert(key, &[7; 100])));
        let bytes: usize = store.pieces.iter().map(Vec::capacity).sum();
        assert!(bytes + 12 * store.keys.capacity() < 10_000 * 120, "{bytes} bytes");
        store.shrink();
        let bytes: usize = store.pieces.iter().map(Vec::capacity).sum();
        assert!(bytes < 10_000 * 102 && store.keys.capacity() == 10_000, "{bytes} bytes");
    }

    /// Who comes and goes leaves bytes of nothing, which are not for ever.
    #[test]
    fn what_was_taken_out_takes_no_room() {
        let mut store = Store::default();
        for key in (0..1_000_u64).cycle().take(100_000) {
            store.remove(&key);
            assert!(store.insert(key, &[7; 100]));
        }
        let bytes: usize = store.pieces.iter().map(Vec::capacity).sum();
        assert!(bytes < 1_000 * 100 * 4 / 3 + 3 * PIECE && store.keys.len() == 1_000, "{bytes} bytes");
        (0..1_000).for_each(|key| assert!(store.remove(&key)));
        assert!(store.is_empty() && store.pieces.len() <= 1 && store.keys.capacity() < 100);
    }
}
