//! Things by their numbers, most of which are at rest: those as packed bytes, side by side.

use super::pack::{Pack, Reader, Writer};
use super::shelf::Key;
use super::{Shelf, Store};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::iter;

/// So many that came to rest last are not packed yet: something may still be told of them, or asked, and who comes back at once
/// costs nothing.
const LATELY: usize = 64;

/// How many packed things may be looked at before what was unpacked for that goes.
const LOOKED_AT: usize = 1024;

/// What can be at rest.
pub trait Rest: Pack {
    /// Whether it can be now: nothing is under way, and it is not so large that packing it again and again costs more than it
    /// takes.
    fn may_rest(&self) -> bool;
}

/// A map of things by keys that mostly come in ascending order. One that is at rest wakes where it is changed.
#[derive(Clone, Debug)]
pub struct Resting<K: Copy, V> {
    live: Shelf<K, V>,
    at_rest: Store<K>,
    /// Those to be packed, the first one first.
    leaving: VecDeque<K>,
    /// Those at rest that somebody has looked at.
    looked_at: LookedAt<K, V>,
}

impl<K: Copy, V> Default for Resting<K, V> {
    fn default() -> Resting<K, V> {
        Resting {
            live: Shelf::default(),
            at_rest: Store::default(),
            leaving: VecDeque::new(),
            looked_at: LookedAt::default(),
        }
    }
}

impl<K: Key, V: Rest> Resting<K, V> {
    /// The value of that key.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.live.get(key).or_else(|| self.look(key, self.at_rest.get(key)?))
    }

    /// The same, to be changed: it wakes.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.wake(key);
        self.live.get_mut(key)
    }

    /// The same, unless it is at rest.
    pub fn awake_mut(&mut self, key: &K) -> Option<&mut V> {
        self.live.get_mut(key)
    }

    /// The same, made if there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.wake(&key);
        self.live.get_or_default(key)
    }

    /// The value of that key while it is not at rest, or its bytes.
    pub fn peek(&self, key: &K) -> Option<Result<&V, Reader<'_>>> {
        self.live.get(key).map(Ok).or_else(|| Some(Err(Reader::new(self.at_rest.get(key)?))))
    }

    /// Whether there is a value of that key.
    #[inline]
    pub fn contains_key(&self, key: &K) -> bool {
        self.live.contains_key(key) || self.at_rest.contains_key(key)
    }

    /// Puts a value in; the one before, if there was one, is gone.
    pub fn insert(&mut self, key: K, value: V) {
        self.forget(&key);
        self.live.insert(key, value);
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.wake(key);
        self.live.remove(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.live.len() + self.at_rest.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (mut live, mut at_rest) = (self.live.iter().peekable(), self.at_rest.iter().peekable());
        iter::from_fn(move || match (live.peek(), at_rest.peek()) {
            (Some((first, _)), Some((other, _))) if first > other => self.next(at_rest.next()?),
            (Some(_), _) => live.next(),
            (None, _) => self.next(at_rest.next()?),
        })
    }

    /// The values, in the order of keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The keys, ascending.
    pub fn keys(&self) -> Vec<K> {
        let mut all: Vec<K> =
            self.live.keys().chain(self.at_rest.iter().map(|(key, _)| key)).copied().collect();
        all.sort_unstable();
        all
    }

    /// Nothing is expected of it for a while. Packs those of which this was said before, and nothing came since.
    pub fn rest(&mut self, key: K) {
        if self.leaving.back() != Some(&key) {
            self.leaving.push_back(key);
        }
        while self.leaving.len() > LATELY {
            let Some(first) = self.leaving.pop_front() else { break };
            // Many more may wait, where they were woken since.
            if !self.leaving.iter().take(LATELY).any(|later| *later == first) {
                self.pack(first);
            }
        }
        self.looked_at.forget_many();
    }

    /// Nothing is expected of any for a while: packs all of which [`Resting::rest`] was said.
    pub fn pack_up(&mut self) {
        while let Some(first) = self.leaving.pop_front() {
            self.pack(first);
        }
        self.leaving.shrink_to_fit();
        self.live.shrink();
        self.at_rest.shrink();
        self.looked_at = LookedAt::default();
    }

    fn pack(&mut self, key: K) {
        let Some(value) = self.live.get(&key).filter(|value| value.may_rest()) else { return };
        let mut to = Writer::default();
        value.pack(&mut to);
        if self.at_rest.insert(key, &to.finish()) {
            self.live.remove(&key);
        }
    }

    /// It is not at rest; if it stays untouched, it soon will be again.
    #[inline]
    fn wake(&mut self, key: &K) {
        if !self.live.contains_key(key) && !self.at_rest.is_empty() {
            self.unpack(key);
        }
    }

    fn unpack(&mut self, key: &K) {
        // What was packed here can be unpacked.
        let packed = self.at_rest.get(key).and_then(|packed| V::unpack(&mut Reader::new(packed)));
        if let Some(value) = packed {
            self.forget(key);
            self.live.insert(*key, value);
            self.leaving.push_back(*key);
        }
    }

    fn forget(&mut self, key: &K) {
        if self.at_rest.remove(key) {
            self.looked_at.forget(key);
        }
    }

    fn look<'a>(&'a self, key: &K, packed: &[u8]) -> Option<&'a V> {
        self.looked_at.get_or(*key, || V::unpack(&mut Reader::new(packed)))
    }

    fn next<'a>(&'a self, (key, packed): (&'a K, &[u8])) -> Option<(&'a K, &'a V)> {
        Some((key, self.look(key, packed)?))
    }
}

/// Values that stay where they are while others come.
#[derive(Clone, Debug)]
struct LookedAt<K, V> {
    places: RefCell<BTreeMap<K, usize>>,
    /// How many places were taken, those of what is forgotten too.
    taken: Cell<usize>,
    /// Each slice has room for twice as many as the one before.
    slices: OnceCell<Box<Slices<V>>>,
}

type Slices<V> = [OnceCell<Box<[OnceCell<V>]>>; 48];

impl<K, V> Default for LookedAt<K, V> {
    fn default() -> LookedAt<K, V> {
        LookedAt { places: RefCell::default(), taken: Cell::new(0), slices: OnceCell::new() }
    }
}

impl<K: Ord + Copy, V> LookedAt<K, V> {
    fn get_or(&self, key: K, make: impl FnOnce() -> Option<V>) -> Option<&V> {
        let known = self.places.borrow().get(&key).copied();
        let Some(place) = known else {
            let value = make()?;
            let place = self.taken.replace(self.taken.get() + 1);
            self.places.borrow_mut().insert(key, place);
            return Some(self.at(place)?.get_or_init(|| value));
        };
        self.at(place)?.get()
    }

    fn at(&self, place: usize) -> Option<&OnceCell<V>> {
        let nth = (place + 1).ilog2();
        let slices = self.slices.get_or_init(|| Box::new([const { OnceCell::new() }; 48]));
        let room = 1_usize << nth;
        let slice = slices.get(usize::try_from(nth).ok()?)?;
        slice.get_or_init(|| iter::repeat_with(OnceCell::new).take(room).collect()).get(place + 1 - room)
    }

    /// What is changed has to be unpacked anew.
    fn forget(&mut self, key: &K) {
        self.places.get_mut().remove(key);
    }

    fn forget_many(&mut self) {
        if self.taken.get() > LOOKED_AT {
            *self = LookedAt::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Odd ones cannot rest.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Thing(Box<u64>);

    impl Pack for Thing {
        fn pack(&self, to: &mut Writer) {
            self.0.pack(to);
        }

        fn unpack(from: &mut Reader<'_>) -> Option<Thing> {
            u64::unpack(from).map(|number| Thing(Box::new(number)))
        }
    }

    impl Rest for Thing {
        fn may_rest(&self) -> bool {
            self.0.is_multiple_of(2)
        }
    }

    proptest! {
        /// They come and go in any order, are looked at and changed while they rest.
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0_u8..10, 0_u32..300), 1..900)) {
            let (mut resting, mut map) = (Resting::default(), BTreeMap::new());
            for (number, (what, key)) in (1_u64..).zip(steps) {
                let thing = || Thing(Box::new(number));
                match what {
                    0..=2 => {
                        resting.insert(key, thing());
                        map.insert(key, thing());
                    }
                    3..=5 => resting.rest(key),
                    6 => {
                        prop_assert_eq!(resting.get(&key), map.get(&key));
                        let peeked = resting.peek(&key).and_then(|found| match found {
                            Ok(thing) => Some(thing.clone()),
                            Err(mut bytes) => Thing::unpack(&mut bytes),
                        });
                        prop_assert_eq!(peeked.as_ref(), map.get(&key));
                    }
                    7 => prop_assert_eq!(resting.remove(&key), map.remove(&key)),
                    8 => resting.pack_up(),
                    _ => {
                        *resting.get_or_default(key).0 += 1;
                        *map.entry(key).or_default().0 += 1;
                        prop_assert_eq!(resting.get_mut(&key), map.get_mut(&key));
                    }
                }
                prop_assert_eq!(resting.len(), map.len());
                prop_assert_eq!(resting.contains_key(&key), map.contains_key(&key));
            }
            prop_assert!(resting.iter().eq(map.iter()));
            prop_assert!(resting.keys().iter().eq(map.keys()));
        }
    }

    #[test]
    fn those_that_are_gone_rest_and_one_that_comes_back_at_once_does_not() {
        let mut resting = Resting::default();
        for key in (0..1_000_u32).map(|key| key * 2) {
            resting.insert(key, Thing(Box::new(key.into())));
            resting.rest(key);
            resting.get_mut(&0).into_iter().for_each(|thing| *thing.0 += 2);
            resting.rest(0);
        }
        assert!(resting.live.len() <= LATELY + 1 && resting.live.contains_key(&0));
        assert!(resting.awake_mut(&2).is_none() && resting.awake_mut(&0).is_some(), "nobody is woken");
        assert_eq!(resting.get(&0), Some(&Thing(Box::new(2_000))));
        assert_eq!((resting.len(), resting.values().count()), (1_000, 1_000));
        resting.pack_up();
        assert_eq!((resting.live.len(), resting.len()), (0, 1_000));
        assert_eq!(resting.get(&0), Some(&Thing(Box::new(2_000))));
    }
}
