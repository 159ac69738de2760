//! Samples on their way to a histogram: values at three significant digits with their counts, so that many fit in
//! one event and runs merge without loss.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Values in nanoseconds, each kept to within 0.1 %, and how often each was seen.
///
/// In JSON: a list of `[value, count]`, values ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Samples(#[serde(with = "pairs")] BTreeMap<u64, u64>);

impl Samples {
    /// Adds one value.
    pub fn add(&mut self, value: Duration) {
        *self.0.entry(round(crate::base::time::nanos(value))).or_default() += 1;
    }

    /// Adds all of these, in nanoseconds; they are sorted for that, which costs less than to find the place of each.
    pub fn add_all(&mut self, nanos: &mut [u64]) {
        nanos.iter_mut().for_each(|value| *value = round(*value));
        nanos.sort_unstable();
        let runs = nanos.chunk_by(|one, next| one == next).filter_map(|run| {
            let count = u64::try_from(run.len()).unwrap_or(u64::MAX);
            run.first().map(|value| (*value, count))
        });
        if self.0.is_empty() {
            self.0 = runs.collect();
        } else {
            runs.for_each(|(value, count)| *self.0.entry(value).or_default() += count);
        }
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Samples) {
        for (&value, &count) in &other.0 {
            *self.0.entry(value).or_default() += count;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The values with their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.0.iter().map(|(&nanos, &count)| (Duration::from_nanos(nanos), count))
    }
}

/// To three significant digits in binary: 1024 steps in each power of two, which is at most 0.1 % low.
fn round(nanos: u64) -> u64 {
    let spare = (64 - nanos.leading_zeros()).saturating_sub(11);
    nanos >> spare << spare
}

mod pairs {
    use crate::event::bounded::MOST;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(map: &BTreeMap<u64, u64>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<u64, u64>, D::Error> {
        let pairs = Vec::<(u64, u64)>::deserialize(from)?;
        Ok(pairs.into_iter().map(|(value, count)| (value, count.min(MOST))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_within_a_thousandth() {
        for nanos in [0, 1, 2047, 2048, 2049, 999_999_999, u64::MAX] {
            let kept = round(nanos);
            assert!(kept <= nanos && nanos - kept <= nanos / 1000, "{nanos} {kept}");
        }
    }

    #[test]
    fn many_at_once_are_the_same_as_one_by_one() {
        let (mut one, mut all) = (Samples::default(), Samples::default());
        for mut nanos in [vec![7, 5_000_001, 7, 0, 5_000_000], vec![], vec![5_000_002, 1, 7]] {
            nanos.iter().for_each(|value| one.add(Duration::from_nanos(*value)));
            all.add_all(&mut nanos);
        }
        assert_eq!(all, one);
        assert_eq!((all.count(), all.iter().count()), (8, 4));
    }

    #[test]
    fn merging_counts_each_value_once() {
        let mut all = Samples::default();
        let mut more = Samples::default();
        all.add(Duration::from_millis(1));
        more.add(Duration::from_millis(1));
        more.add(Duration::from_millis(2));
        all.merge(&more);
        assert_eq!(all.count(), 3);
        assert_eq!(all.iter().count(), 2);
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Samples>(&text).unwrap(), all);
    }
}
