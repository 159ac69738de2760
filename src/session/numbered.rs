//! What is in flight, by packet identifier: a table for the few that a client has under way at once, which costs a step or
//! two a packet and no memory to speak of while it is empty.
//!
//! An entry's place is its identifier modulo the size of the table, or the next free one behind it. Identifiers are handed
//! out in turn, so most stand in their own place. A peer that picks them to collide gains little: of 65,536 identifiers only
//! so many share their low bits, which keeps a row of neighbours under some 400 entries.

/// The smallest table that has any room. An empty one of this size is kept, so that one message after another costs no
/// allocation.
const LEAST: usize = 4;

/// Values by packet identifier; at most 65,536 of them.
#[derive(Clone, Debug)]
pub(super) struct Numbered<T> {
    /// None, or a power of two of them, at most three quarters taken.
    places: Box<[Option<(u16, T)>]>,
    taken: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { places: Box::default(), taken: 0 }
    }
}

impl<T> Numbered<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.taken
    }

    /// The value of an identifier.
    pub fn get(&self, id: u16) -> Option<&T> {
        self.places[self.find(id)?].as_ref().map(|(_, value)| value)
    }

    /// The value of an identifier.
    pub fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        let at = self.find(id)?;
        self.places[at].as_mut().map(|(_, value)| value)
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
        if self.find(id).is_none() {
            self.put(id, value);
        }
    }

    /// Takes out the value of an identifier.
    pub fn remove(&mut self, id: u16) -> Option<T> {
        let at = self.find(id)?;
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
        self.places.iter().flatten().map(|(_, value)| value)
    }

    /// All values, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten().map(|(_, value)| value)
    }

    /// All values, in no order.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.places.into_iter().flatten().map(|(_, value)| value)
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
    use std::collections::BTreeMap;

    fn longest_row<T>(table: &Numbered<T>) -> usize {
        let rows = table.places.split(Option::is_none);
        rows.map(<[_]>::len).max().unwrap_or_default()
    }

    proptest! {
        /// Few identifiers, many of which share a place, and the last ones, whose rows run over the end.
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0_u8..4, 0_u16..40, any::<bool>()), 1..400)) {
            let mut table = Numbered::default();
            let mut map = BTreeMap::new();
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
        assert_eq!((table.len(), table.places.len()), (65_536, 131_072));
        assert!((0..=u16::MAX).all(|id| table.get(id) == Some(&id)));
        assert!((0..=u16::MAX).all(|id| table.remove(id) == Some(id)));
        assert_eq!((table.len(), table.places.len()), (0, LEAST));
    }

    #[test]
    fn identifiers_that_collide_on_purpose_make_rows_of_some_hundreds_at_most() {
        for bits in 0..16 {
            let mut table = Numbered::default();
            (0..=u16::MAX >> bits).for_each(|n| table.insert(n << bits, ()));
            assert!(longest_row(&table) <= 400, "{bits}: {}", longest_row(&table));
        }
    }
}
