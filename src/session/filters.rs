//! A set of topic filters.

use crate::base::Few;
use crate::base::pack::{Pack, Reader, Writer};
use std::collections::BTreeSet;
use std::{iter, mem};

/// So many bytes at most stand side by side. Beyond, each change would cost what all changes before it cost.
const SIDE_BY_SIDE: usize = 1024;

/// Topic filters, in order. A device has few: they stand side by side, each behind its length, and what most devices have, one
/// or two short ones, in place. Many have each a place of its own.
#[derive(Clone, Debug)]
pub struct Filters(Held);

#[derive(Clone, Debug)]
enum Held {
    Few(Few<30>),
    Many(BTreeSet<Box<str>>),
}

impl Default for Filters {
    fn default() -> Filters {
        Filters(Held::Few(Few::default()))
    }
}

impl PartialEq for Filters {
    fn eq(&self, other: &Filters) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Filters {}

impl Filters {
    /// Adds those filters that are not there.
    pub fn add<'a>(&mut self, filters: impl IntoIterator<Item = &'a str>) {
        match self.changing() {
            Held::Many(held) => held.extend(filters.into_iter().map(Box::from)),
            Held::Few(held) => {
                let before = mem::take(held);
                let mut all: Vec<&str> = side_by_side(&before).collect();
                for filter in filters {
                    all.push(filter);
                }
                // The sort is stable, and what was there is in order already.
                all.sort();
                all.dedup();
                *held = packed(all);
            }
        }
    }

    /// Takes these filters out.
    pub fn drop_all(&mut self, dropped: &[String]) {
        match self.changing() {
            Held::Many(held) => dropped.iter().for_each(|filter| _ = held.remove(filter.as_str())),
            Held::Few(held) => {
                let before = mem::take(held);
                let stays = |filter: &&str| !dropped.iter().any(|other| other == filter);
                *held = packed(side_by_side(&before).filter(stays));
            }
        }
    }

    /// Takes all filters out.
    pub fn clear(&mut self) {
        *self = Filters::default();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Held::Few(held) => held.is_empty(),
            Held::Many(held) => held.is_empty(),
        }
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (few, many) = match &self.0 {
            Held::Few(held) => (Some(side_by_side(held)), None),
            Held::Many(held) => (None, Some(held.iter().map(AsRef::as_ref))),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten())
    }

    /// As it is best changed: many have each a place of its own.
    fn changing(&mut self) -> &mut Held {
        if matches!(&self.0, Held::Few(held) if held.len() > SIDE_BY_SIDE) {
            let many = self.iter().map(Box::from).collect();
            self.0 = Held::Many(many);
        }
        &mut self.0
    }
}

fn side_by_side(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let mut left = bytes;
    iter::from_fn(move || {
        let (len, rest) = left.split_first_chunk()?;
        let (filter, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        left = rest;
        str::from_utf8(filter).ok()
    })
}

/// Filters in order, side by side. None is longer than a packet can say: 65,535 bytes (MQTT 3.1.1, section 1.5.3).
fn packed<'a>(filters: impl IntoIterator<Item = &'a str>) -> Few<30> {
    let mut bytes = Vec::new();
    for filter in filters {
        if let Ok(len) = u16::try_from(filter.len()) {
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(filter.as_bytes());
        }
    }
    bytes.as_slice().into()
}

impl Pack for Filters {
    fn pack(&self, to: &mut Writer) {
        match &self.0 {
            Held::Few(held) => held.pack(to),
            Held::Many(_) => packed(self.iter()).pack(to),
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Filters> {
        Pack::unpack(from).map(|held| Filters(Held::Few(held)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(filters: &[&str]) -> Filters {
        let mut set = Filters::default();
        set.add(filters.iter().copied());
        set
    }

    #[test]
    fn it_is_a_set() {
        let mut filters = set(&["b", "a", "b", "c"]);
        assert_eq!(filters.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        filters.drop_all(&["b".to_owned(), "d".to_owned()]);
        assert_eq!(filters, set(&["a", "c"]));
        filters.add(set(&["d", "a"]).iter());
        assert_eq!(filters, set(&["a", "c", "d"]));
        filters.clear();
        assert!(filters.is_empty());
    }

    #[test]
    fn many_and_long_ones_have_room() {
        let long: Vec<String> = (0..300).map(|n| format!("{n:03}/{}", "x".repeat(n))).collect();
        let mut all = set(&long.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(all.iter().eq(long.iter()));
        let mut by_themselves = Filters::default();
        long.iter().rev().for_each(|filter| by_themselves.add([filter.as_str()]));
        assert_eq!(by_themselves, all);
        all.drop_all(&long[1..]);
        assert_eq!(all, set(&[&long[0]]));
        assert!(size_of::<Filters>() <= 32);
    }

    #[test]
    fn many_rest_as_they_were() {
        for number in [1, 100, 10_000] {
            let all: Vec<String> = (0..number).map(|n| format!("t/{n}/+")).collect();
            let before = set(&all.iter().map(String::as_str).collect::<Vec<_>>());
            let mut to = Writer::default();
            before.pack(&mut to);
            let bytes = to.finish();
            let mut after = Filters::unpack(&mut Reader::new(&bytes)).unwrap();
            assert_eq!(after, before);
            after.add(["t"]);
            assert_eq!((after.iter().count(), after.iter().next()), (number + 1, Some("t")));
        }
    }
}
