//! A set of topic filters.

use crate::base::Few;
use crate::base::pack::{Pack, Reader, Writer};
use std::iter;

/// Topic filters, in order, each behind its length. A device has few: they stand side by side, and what most devices have, one
/// or two short ones, in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Few<30>);

impl Filters {
    /// Adds those filters that are not there.
    pub fn add<'a>(&mut self, filters: impl IntoIterator<Item = &'a str>) {
        let before = std::mem::take(self);
        let mut all: Vec<&str> = before.iter().collect();
        for filter in filters {
            all.push(filter);
        }
        // The sort is stable, and what was there is in order already.
        all.sort();
        all.dedup();
        *self = Filters::of(&all);
    }

    /// Takes these filters out.
    pub fn drop_all(&mut self, dropped: &[String]) {
        let before = std::mem::take(self);
        let stays = |filter: &&str| !dropped.iter().any(|other| other == filter);
        *self = Filters::of(&before.iter().filter(stays).collect::<Vec<_>>());
    }

    /// Takes all filters out.
    pub fn clear(&mut self) {
        *self = Filters::default();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether another set has all of them.
    pub fn is_subset(&self, other: &Filters) -> bool {
        let mut others = other.iter();
        self.iter().all(|filter| others.by_ref().find(|other| *other >= filter) == Some(filter))
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut left = &*self.0;
        iter::from_fn(move || {
            let (len, rest) = left.split_first_chunk()?;
            let (filter, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            left = rest;
            str::from_utf8(filter).ok()
        })
    }

    /// Of filters in order. None is longer than a packet can say: 65,535 bytes (MQTT 3.1.1, section 1.5.3).
    fn of(filters: &[&str]) -> Filters {
        let mut bytes = Vec::new();
        for filter in filters {
            if let Ok(len) = u16::try_from(filter.len()) {
                bytes.extend_from_slice(&len.to_le_bytes());
                bytes.extend_from_slice(filter.as_bytes());
            }
        }
        Filters(bytes.as_slice().into())
    }
}

impl Pack for Filters {
    fn pack(&self, to: &mut Writer) {
        self.0.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Filters> {
        Pack::unpack(from).map(Filters)
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
        assert!(set(&["c", "a"]).is_subset(&filters) && !set(&["d"]).is_subset(&filters));
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
        let all = set(&long.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(all.iter().eq(long.iter()));
        assert!(
            all.is_subset(&all) && set(&[&long[299]]).is_subset(&all) && !all.is_subset(&set(&[&long[7]]))
        );
        assert!(Filters::default().is_subset(&all) && !set(&["zzz"]).is_subset(&all));
    }
}
