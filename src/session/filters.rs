//! A set of topic filters.

/// Topic filters, in order. A device has few: they stand in one list, as short as it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Box<[Box<str>]>);

impl Filters {
    /// Adds those filters that are not there.
    pub fn add<'a>(&mut self, filters: impl IntoIterator<Item = &'a str>) {
        let new: Vec<Box<str>> =
            filters.into_iter().filter(|filter| self.place(filter).is_err()).map(Box::from).collect();
        if !new.is_empty() {
            self.change(|filters| {
                filters.extend(new);
                filters.sort_unstable();
                filters.dedup();
            });
        }
    }

    /// Takes these filters out.
    pub fn drop_all(&mut self, dropped: &[String]) {
        if dropped.iter().any(|filter| self.place(filter).is_ok()) {
            self.change(|filters| filters.retain(|held| !dropped.iter().any(|filter| **filter == **held)));
        }
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
        self.iter().all(|filter| other.place(filter).is_ok())
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|filter| &**filter)
    }

    fn place(&self, filter: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|held| (**held).cmp(filter))
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<Box<str>>)) {
        let mut filters = std::mem::take(&mut self.0).into_vec();
        change(&mut filters);
        self.0 = filters.into_boxed_slice();
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
}
