//! What is in flight, by packet identifier: a table for the few that a client has under way at once, which costs a step or
//! two a packet and next to no memory while it is empty; and a map for those beyond.
//!
//! An entry's place is its identifier modulo the size of the table, or the next free one behind it. Identifiers are handed
//! out in turn, so most stand in their own place. A peer that picks them to collide makes a row of the whole table, which is
//! why that has a limit.

use std::collections::BTreeMap;

/// The smallest table that has any room. An empty one of this size is kept, so that one message after another costs no
/// allocation.
const LEAST: usize = 4;

/// How many stand in the table at most; those beyond, while it is full, are in the map. More than clients have in flight by
/// default, and few enough to be looked through.
const MOST: usize = 192;

/// Values by packet identifier: at most 65,536, as there are no more identifiers.
#[derive(Clone, Debug)]
pub(super) struct Numbered<T> {
    /// None, or a power of two of them up to 256, at most three quarters taken.
    places: Box<[Option<(u16, T)>]>,
    taken: usize,
    beyond: BTreeMap<u16, T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { places: Box::default(), taken: 0, beyond: BTreeMap::new() }
    }
}

impl<T> Numbered<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.taken + self.beyond.len()
    }

    /// The value of an identifier.
    pub fn get(&self, id: u16) -> Option<&T> {
        match self.find(id) {
            Some(at) => self.places[at].as_ref().map(|(_, value)| value),
            None => self.beyond.get(&id),
        }
    }

    /// The value of an identifier.
    pub fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        match self.find(id) {
            Some(at) => self.places[at].as_mut().map(|(_, value)| value),
            None => self.beyond.get_mut(&id),
        }
    }

    /// Gives an identifier this value, whatever it had.
    pub fn insert(&mut self, id: u16, value: T) {
        match self.get_mut(id) {
            Some(known) => *known = value,
            None => self.put(id, value),
        }
    }

    /// Gives an identifier this value, if it has none.
    pub fn insert_new(&mut self, id: u16, value: T) {
        if self.get(id).is_none() {
            self.put(id, value);
        }
    }

    /// Takes out the value of an identifier.
    pub fn remove(&mut self, id: u16) -> Option<T> {
        let Some(at) = self.find(id) else { return self.beyond.remove(&id) };
        let (_, value) = self.places[at].take()?;
        self.taken -= 1;
        self.close_up(at);
        if self.places.len() > LEAST && self.taken * 8 <= self.places.len() {
            self.resize(self.places.len() / 2);
        }
        Some(value)
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten().map(|(_, value)| value).chain(self.beyond.values())
    }

    /// All values, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten().map(|(_, value)| value).chain(self.beyond.values_mut())
    }

    /// All values, in no order.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.places.into_iter().flatten().map(|(_, value)| value).chain(self.beyond.into_values())
    }

    fn find(&self, id: u16) -> Option<usize> {
        if self.taken == 0 {
            return None;
        }
        let mut at = self.own_place(id);
        while let Some((known, _)) = &self.places[at] {
            if *known == id {
                return Some(at);
            }
            at = self.next(at);
        }
        None
    }

    /// An identifier that has no value gets one.
    fn put(&mut self, id: u16, value: T) {
        if self.taken >= MOST {
            self.beyond.insert(id, value);
            return;
        }
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.resize((self.places.len() * 2).max(LEAST));
        }
        self.taken += 1;
        self.place(id, value);
    }

    fn place(&mut self, id: u16, value: T) {
        let mut at = self.own_place(id);
        while self.places[at].is_some() {
            at = self.next(at);
        }
        self.places[at] = Some((id, value));
    }

    /// A place has come free: those behind it that stand there only because it was taken move up.
    fn close_up(&mut self, mut free: usize) {
        let last = self.places.len() - 1;
        let mut at = self.next(free);
        while let Some((id, _)) = &self.places[at] {
            let own = self.own_place(*id);
            if at.wrapping_sub(own) & last >= at.wrapping_sub(free) & last {
                self.places.swap(free, at);
                free = at;
            }
            at = self.next(at);
        }
    }

    fn resize(&mut self, size: usize) {
        let room = std::iter::repeat_with(|| None).take(size).collect();
        let before = std::mem::replace(&mut self.places, room);
        for (id, value) in before.into_iter().flatten() {
            self.place(id, value);
        }
    }

    fn own_place(&self, id: u16) -> usize {
        usize::from(id) & (self.places.len() - 1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few identifiers, many of which share a place, and the last ones, whose rows run over the end; beside so many others
        /// that the table is full or soon will be, or none.
        #[test]
        fn it_holds_what_a_map_holds(
            others in prop::sample::select(vec![0, MOST - 8, MOST + 8]),
            steps in prop::collection::vec((0_u8..4, 0_u16..40, any::<bool>()), 1..400),
        ) {
            let mut table = Numbered::default();
            let mut map = BTreeMap::new();
            for id in (1000..).take(others) {
                table.insert(id, 0);
                map.insert(id, 0);
            }
            for (value, (what, low, high)) in steps.into_iter().enumerate() {
                let id = if high { u16::MAX - low * 8 } else { low };
                match what {
                    0 => {
                        table.insert(id, value);
                        map.insert(id, value);
                    }
                    1 => {
                        table.insert_new(id, value);
                        map.entry(id).or_insert(value);
                    }
                    _ => prop_assert_eq!(table.remove(id), map.remove(&id)),
                }
                prop_assert_eq!(table.get(id), map.get(&id));
                prop_assert_eq!(table.get_mut(id), map.get_mut(&id));
                prop_assert_eq!(table.len(), map.len());
            }
            let mut values: Vec<usize> = table.values().copied().collect();
            values.sort_unstable();
            let mut known: Vec<usize> = map.into_values().collect();
            known.sort_unstable();
            prop_assert_eq!(values, known);
        }
    }

    #[test]
    fn every_identifier_has_room_and_the_room_is_given_back() {
        let mut table = Numbered::default();
        (0..=u16::MAX).for_each(|id| table.insert(id, id));
        assert_eq!((table.len(), table.places.len(), table.taken), (65_536, 256, MOST));
        assert!((0..=u16::MAX).all(|id| table.get(id) == Some(&id)));
        assert!((0..=u16::MAX).all(|id| table.remove(id) == Some(id)));
        assert_eq!((table.len(), table.places.len()), (0, LEAST));
    }
}
