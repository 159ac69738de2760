//! Things by their numbers, side by side in a few large pieces of memory.

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// About how large the first piece is, in bytes.
const PIECE: usize = 4096;

/// So many keys at the end are looked through before all others.
const LATE: usize = 15;

/// The first two are that large, and each one after is as large as all before it, up to so many times the first: what comes
/// free in a large shelf is whole pages, which the system gets back.
const LARGEST: usize = 16;

/// How many pieces are smaller than the largest or the first of those, and how many times the first they are together.
const GROWING: usize = 6;
const GROWN: usize = 2 * LARGEST;

/// The place of a key whose value was taken out.
const NOWHERE: u32 = u32::MAX;

/// For so many keys that were asked for of late it is known where their values are.
const KNOWN: usize = 16;

/// What things are known by on a shelf.
pub trait Key: Ord + Copy {
    /// Its number: keys that are in use together mostly have numbers next to each other.
    fn number(self) -> u64;
}

/// A map for values that are large, of which there may be thousands, by keys that mostly come in ascending order.
///
/// Each value takes its own size, and sixteen bytes at most to be found: no header of the allocator's, and no half-empty nodes
/// of a tree. Places that become free are taken again, the first one first, so that values stay close together however their
/// keys lie apart; and a piece in which nothing is left is given back.
#[derive(Clone, Debug)]
pub struct Shelf<K: Copy, V> {
    /// Keys, ascending, with the places of their values. One that was taken out stays here for a while, with [`NOWHERE`].
    index: Vec<(K, u32)>,
    pieces: Vec<Piece<V>>,
    /// Places that came free, in pieces that are there, or were.
    free: BinaryHeap<Reverse<u32>>,
    /// The first place that no value has stood in.
    fresh: u32,
    len: usize,
    found: Found<K>,
}

/// Which value of which piece.
type Place = (usize, usize);

/// Who was asked for of late, and where that is: mostly, it is asked for again. Each has the one cell that its number says.
#[derive(Clone, Debug)]
struct Found<K: Copy>([Cell<Option<(K, Place)>>; KNOWN]);

impl<K: Copy> Default for Found<K> {
    fn default() -> Found<K> {
        Found([const { Cell::new(None) }; KNOWN])
    }
}

impl<K: Key> Found<K> {
    #[inline]
    fn of(&self, key: K) -> &Cell<Option<(K, Place)>> {
        let [low, ..] = key.number().to_le_bytes();
        &self.0[usize::from(low) % KNOWN]
    }
}

/// Some places, or none where all values went.
#[derive(Clone, Debug)]
struct Piece<V> {
    places: Box<[Option<V>]>,
    taken: usize,
}

impl<K: Copy, V> Default for Shelf<K, V> {
    fn default() -> Shelf<K, V> {
        Shelf {
            index: Vec::new(),
            pieces: Vec::new(),
            free: BinaryHeap::new(),
            fresh: 0,
            len: 0,
            found: Found::default(),
        }
    }
}

impl<K: Key, V> Shelf<K, V> {
    /// How many values stand in the first piece.
    const ROOM: usize = {
        let fit = PIECE / (size_of::<Option<V>>() + 1);
        if fit < 4 { 4 } else { fit }
    };

    /// The value of that key.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        let (piece, at) = self.place(key)?;
        self.pieces.get(piece)?.places.get(at)?.as_ref()
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (piece, at) = self.place(key)?;
        self.pieces.get_mut(piece)?.places.get_mut(at)?.as_mut()
    }

    /// The same, made if there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let (piece, at) = match self.place(&key) {
            Some(place) => place,
            None => Self::split(self.put_new(self.find(&key), key, V::default())),
        };
        self.pieces[piece].places[at].get_or_insert_default()
    }

    /// Whether there is a value of that key.
    #[inline]
    pub fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_some()
    }

    /// Puts a value in; the one before, if there was one, is gone.
    pub fn insert(&mut self, key: K, value: V) {
        let found = self.find(&key);
        match self.taken(found).and_then(|place| self.at_mut(place)) {
            Some(held) => *held = value,
            None => _ = self.put_new(found, key, value),
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let nth = self.find(key).ok()?;
        let place = std::mem::replace(&mut self.index[nth].1, NOWHERE);
        self.found.of(*key).set(None);
        if place == NOWHERE {
            return None;
        }
        let value = self.vacate(place);
        self.len -= 1;
        self.tidy();
        value
    }

    /// Drops the values that are not to stay, in the order of keys.
    pub fn retain(&mut self, mut stays: impl FnMut(&K, &mut V) -> bool) {
        self.found = Found::default();
        for nth in 0..self.index.len() {
            let (key, place) = self.index[nth];
            if self.at_mut(place).is_some_and(|value| !stays(&key, value)) {
                self.index[nth].1 = NOWHERE;
                self.vacate(place);
                self.len -= 1;
            }
        }
        self.tidy();
    }

    /// No more comes for a while: keeps no room for it.
    pub fn shrink(&mut self) {
        if self.len == 0 {
            *self = Shelf::default();
        }
        self.index.shrink_to_fit();
        self.free.shrink_to_fit();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.index.iter().filter(|(_, place)| *place != NOWHERE).map(|(key, _)| key)
    }

    /// The values, in the order of keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.index.iter().filter_map(|(_, place)| self.at(*place))
    }

    /// The same, to be changed, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.pieces.iter_mut().flat_map(|piece| piece.places.iter_mut().flatten())
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { index: self.index.iter(), shelf: self }
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        // What is asked for is mostly of late.
        let Some((newest, last)) =
            self.index.len().checked_sub(1).map(|last| (self.index[last].0.cmp(key), last))
        else {
            return Err(0);
        };
        match newest {
            Ordering::Less => Err(last + 1),
            Ordering::Equal => Ok(last),
            Ordering::Greater => {
                let late = last.saturating_sub(LATE);
                let is_late = self.index[late].0 <= *key;
                let (from, part) =
                    if is_late { (late, &self.index[late..]) } else { (0, &self.index[..late]) };
                let found = part.binary_search_by(|(held, _)| held.cmp(key));
                found.map(|nth| from + nth).map_err(|nth| from + nth)
            }
        }
    }

    /// Which piece its value is in, and where.
    #[inline]
    fn place(&self, key: &K) -> Option<Place> {
        match self.found.of(*key).get() {
            Some((found, place)) if found == *key => Some(place),
            _ => self.search(key),
        }
    }

    fn search(&self, key: &K) -> Option<Place> {
        let place = Self::split(self.taken(self.find(key))?);
        self.found.of(*key).set(Some((*key, place)));
        Some(place)
    }

    /// The place of a key that was looked for, if it has a value.
    fn taken(&self, found: Result<usize, usize>) -> Option<u32> {
        let (_, place) = self.index[found.ok()?];
        (place != NOWHERE).then_some(place)
    }

    fn at(&self, place: u32) -> Option<&V> {
        let (piece, at) = Self::split(place);
        self.pieces.get(piece)?.places.get(at)?.as_ref()
    }

    fn at_mut(&mut self, place: u32) -> Option<&mut V> {
        let (piece, at) = Self::split(place);
        self.pieces.get_mut(piece)?.places.get_mut(at)?.as_mut()
    }

    /// Which piece, and where in it. [`NOWHERE`] is in none: that would be the last of four thousand million.
    fn split(place: u32) -> Place {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let piece = match place / Self::ROOM {
            0 => 0,
            rooms @ 1..GROWN => 1 + usize::try_from(rooms.ilog2()).unwrap_or(0),
            rooms => GROWING + (rooms - GROWN) / LARGEST,
        };
        (piece, place - Self::before(piece))
    }

    /// How many places stand before a piece.
    fn before(piece: usize) -> usize {
        let rooms = match piece {
            0 => 0,
            1..GROWING => 1 << (piece - 1),
            _ => GROWN + (piece - GROWING) * LARGEST,
        };
        rooms * Self::ROOM
    }

    /// How many places a piece has.
    fn room(piece: usize) -> usize {
        Self::before(piece + 1) - Self::before(piece)
    }

    /// A key that has no value, and was looked for, gets one.
    fn put_new(&mut self, found: Result<usize, usize>, key: K, value: V) -> u32 {
        let place = self.free.pop().map_or_else(|| self.next_fresh(), |Reverse(place)| place);
        let (nth, at) = Self::split(place);
        let piece = &mut self.pieces[nth];
        if piece.places.is_empty() {
            piece.places = empty(Self::room(nth));
        }
        piece.places[at] = Some(value);
        piece.taken += 1;
        self.len += 1;
        match found {
            Ok(nth) => self.index[nth].1 = place,
            Err(nth) => self.enter(nth, (key, place)),
        }
        place
    }

    /// A place that no value has stood in, in one piece more if need be.
    fn next_fresh(&mut self) -> u32 {
        let place = self.fresh;
        self.fresh = self.fresh.saturating_add(1);
        let (nth, _) = Self::split(place);
        if nth == self.pieces.len() {
            self.pieces.push(Piece { places: empty(Self::room(nth)), taken: 0 });
        }
        place
    }

    fn enter(&mut self, nth: usize, entry: (K, u32)) {
        // By a quarter: there are many shelves, and most of them grow as long as a run lasts.
        if self.index.len() == self.index.capacity() {
            self.index.reserve_exact((self.index.len() / 4).max(4));
        }
        self.index.insert(nth, entry);
    }

    fn vacate(&mut self, place: u32) -> Option<V> {
        let (nth, at) = Self::split(place);
        let piece = self.pieces.get_mut(nth)?;
        let value = piece.places.get_mut(at)?.take();
        piece.taken -= 1;
        if piece.taken == 0 && self.pieces.len() > 1 {
            self.pieces[nth].places = Box::default();
        }
        self.free.push(Reverse(place));
        value
    }

    /// Forgets keys that were taken out, where half of all were.
    fn tidy(&mut self) {
        if self.len == 0 && self.pieces.len() > 1 {
            *self = Shelf::default();
        } else if self.len == 0 {
            self.index.clear();
        } else if self.index.len() > self.len * 2 + 4 {
            self.index.retain(|(_, place)| *place != NOWHERE);
            self.index.shrink_to(self.len + self.len / 4 + 4);
        }
    }
}

fn empty<V>(room: usize) -> Box<[Option<V>]> {
    std::iter::repeat_with(|| None).take(room).collect()
}

impl<'a, K: Key, V> IntoIterator for &'a Shelf<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

/// What goes over a [`Shelf`].
#[derive(Debug)]
pub struct Iter<'a, K: Copy, V> {
    index: std::slice::Iter<'a, (K, u32)>,
    shelf: &'a Shelf<K, V>,
}

impl<'a, K: Key, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<(&'a K, &'a V)> {
        let shelf = self.shelf;
        self.index.find_map(|(key, place)| Some((key, shelf.at(*place)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Key for u32 {
        fn number(self) -> u64 {
            self.into()
        }
    }

    fn same(shelf: &Shelf<u32, [u64; 60]>, map: &BTreeMap<u32, [u64; 60]>) -> bool {
        shelf.len() == map.len()
            && shelf.iter().eq(map.iter())
            && shelf.keys().rev().eq(map.keys().rev())
            && shelf.values().rev().eq(map.values().rev())
            && (0..70).all(|key| shelf.get(&key) == map.get(&key))
    }

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0_u8..7, 0_u32..64), 1..300)) {
            let (mut shelf, mut map) = (Shelf::default(), BTreeMap::new());
            for (value, (what, key)) in (1..).zip(steps) {
                prop_assert_eq!(shelf.get(&key), map.get(&key), "asked for before it changes");
                match what {
                    0..=2 => {
                        shelf.insert(key, [value; 60]);
                        map.insert(key, [value; 60]);
                    }
                    3 | 4 => prop_assert_eq!(shelf.remove(&key), map.remove(&key)),
                    5 => shelf.shrink(),
                    _ => {
                        shelf.retain(|held, value| held % 3 != key % 3 || value[0] % 2 == 0);
                        map.retain(|held, value| held % 3 != key % 3 || value[0] % 2 == 0);
                    }
                }
                prop_assert!(same(&shelf, &map));
                let mut all: Vec<u64> = shelf.values_mut().map(|value| value[0]).collect();
                all.sort_unstable();
                let mut known: Vec<u64> = map.values().map(|value| value[0]).collect();
                known.sort_unstable();
                prop_assert_eq!(all, known);
            }
        }
    }

    #[test]
    fn one_is_made_where_there_is_none() {
        let mut shelf = Shelf::default();
        *shelf.get_or_default(4) += 1;
        *shelf.get_or_default(4) += 1;
        assert_eq!((shelf.get(&4), shelf.contains_key(&3), shelf.len()), (Some(&2), false, 1));
    }

    /// Where one comes as the last has gone, no memory goes to and fro.
    #[test]
    fn the_only_piece_stays() {
        let mut shelf: Shelf<u32, [u64; 60]> = Shelf::default();
        shelf.insert(0, [1; 60]);
        let place = shelf.get(&0).map(std::ptr::from_ref);
        for key in 1..1_000 {
            shelf.remove(&(key - 1));
            assert_eq!((shelf.len(), shelf.pieces.len(), shelf.index.len()), (0, 1, 0));
            shelf.insert(key, [1; 60]);
            assert_eq!(shelf.get(&key).map(std::ptr::from_ref), place);
        }
        shelf.remove(&999);
        shelf.shrink();
        assert_eq!((shelf.pieces.len(), shelf.index.capacity(), shelf.free.capacity()), (0, 0, 0));
    }

    #[test]
    fn every_place_stands_in_one_piece() {
        type Held = Shelf<u32, [u64; 60]>;
        let mut places = (0..40).flat_map(|piece| (0..Held::room(piece)).map(move |at| (piece, at)));
        assert!((0..40 * 4).all(|place| Some(Held::split(place)) == places.next()));
        let sizes: Vec<usize> = (0..9).map(|piece| Held::room(piece) / Held::ROOM).collect();
        assert_eq!(sizes, [1, 1, 2, 4, 8, 16, 16, 16, 16]);
    }

    /// Of a thousand that came and went, a few stay: in as few pieces as they need, and the rest was given back.
    #[test]
    fn what_is_left_lies_close_together() {
        type Held = Shelf<u32, [u64; 60]>;
        let room = |shelf: &Held| shelf.pieces.iter().map(|piece| piece.places.len()).sum::<usize>();
        let mut shelf = Held::default();
        for key in 0..10_000 {
            shelf.insert(key, [1; 60]);
            if key >= 10 && key % 1_000 != 0 {
                shelf.remove(&(key - 10));
            }
        }
        assert!(room(&shelf) <= 4 * Held::ROOM, "{} places for {}", room(&shelf), shelf.len());
        assert!(shelf.index.len() <= shelf.len() * 2 + 4);
        let all: Vec<u32> = shelf.keys().copied().collect();
        all.iter().for_each(|key| _ = shelf.remove(key));
        assert_eq!((shelf.len(), shelf.pieces.len(), shelf.index.capacity()), (0, 0, 0));
    }
}
