//! Samples on their way to a histogram: values at three significant digits with their counts, so that many fit in
//! one event and runs merge without loss.

use super::bounded::MOST;
use crate::base::pack::{Pack, Reader, Writer};
use crate::base::units::to_u64;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many values stand in a list; more are a tree, which takes room for eleven at least.
const FEW: usize = 6;

/// Values in nanoseconds, each kept to within 0.1 %, and how often each was seen.
///
/// In JSON: a list of `[value, count]`, values ascending.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<(u64, u64)>")]
pub struct Samples(
    /// None where there is no value: each device has several of these, and most stay empty.
    Option<Box<Pairs>>,
);

/// Values with their counts, ascending.
#[derive(Clone, Debug)]
enum Pairs {
    Few(Vec<(u64, u64)>),
    Many(BTreeMap<u64, u64>),
}

impl Samples {
    /// Adds one value.
    pub fn add(&mut self, value: Duration) {
        self.add_many(value, 1);
    }

    /// Adds one value so many times.
    pub fn add_many(&mut self, value: Duration, times: u64) {
        if times > 0 {
            self.pairs().add(round(crate::base::time::nanos(value)), times);
        }
    }

    /// Adds all of these, in nanoseconds; they are sorted for that, which costs less than to find the place of each.
    pub fn add_all(&mut self, nanos: &mut [u64]) {
        nanos.iter_mut().for_each(|value| *value = round(*value));
        nanos.sort_unstable();
        let is_list = nanos.len() <= FEW;
        let runs = nanos.chunk_by(|one, next| one == next).filter_map(|run| {
            let count = to_u64(run.len());
            run.first().map(|value| (*value, count))
        });
        if self.is_empty() && !is_list {
            *self = Samples::from(runs.collect::<Vec<_>>());
        } else {
            runs.for_each(|(value, count)| self.pairs().add(value, count));
        }
    }

    /// How many different values there are.
    pub fn values(&self) -> usize {
        self.0.as_ref().map_or(0, |pairs| pairs.len())
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Samples) {
        other.raw().for_each(|(value, count)| self.pairs().add(value, count));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.raw().next().is_none()
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.raw().map(|(_, count)| count).sum()
    }

    /// The values with their counts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.raw().map(|(nanos, count)| (Duration::from_nanos(nanos), count))
    }
}

impl Pack for Samples {
    fn pack(&self, to: &mut Writer) {
        self.values().pack(to);
        self.raw().for_each(|pair| pair.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Samples> {
        Vec::unpack(from).map(Samples::of)
    }
}

impl Samples {
    fn of(pairs: Vec<(u64, u64)>) -> Samples {
        let pairs = match pairs.len() {
            0 => return Samples::default(),
            1..=FEW => Pairs::Few(pairs),
            _ => Pairs::Many(pairs.into_iter().collect()),
        };
        Samples(Some(Box::new(pairs)))
    }

    fn pairs(&mut self) -> &mut Pairs {
        self.0.get_or_insert_with(|| Box::new(Pairs::Few(Vec::new())))
    }

    fn raw(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().flat_map(|pairs| pairs.iter())
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Samples) -> bool {
        self.raw().eq(other.raw())
    }
}

impl Eq for Samples {}

impl Pairs {
    fn add(&mut self, value: u64, count: u64) {
        match self {
            Pairs::Few(few) => match few.binary_search_by_key(&value, |(known, _)| *known) {
                Ok(place) => few[place].1 += count,
                Err(place) if few.len() < FEW => {
                    few.reserve_exact(1);
                    few.insert(place, (value, count));
                }
                Err(_) => {
                    let all = few.drain(..).chain([(value, count)]).collect();
                    *self = Pairs::Many(all);
                }
            },
            Pairs::Many(many) => *many.entry(value).or_default() += count,
        }
    }

    fn len(&self) -> usize {
        match self {
            Pairs::Few(few) => few.len(),
            Pairs::Many(many) => many.len(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (few, many) = match self {
            Pairs::Few(few) => (few.as_slice(), None),
            Pairs::Many(many) => (&[][..], Some(many)),
        };
        few.iter().copied().chain(many.into_iter().flatten().map(|(value, count)| (*value, *count)))
    }
}

impl Serialize for Samples {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.raw())
    }
}

impl From<Vec<(u64, u64)>> for Samples {
    /// As a log gives them: the last count of a value counts, none is more than a second can have.
    fn from(pairs: Vec<(u64, u64)>) -> Samples {
        let all: BTreeMap<u64, u64> =
            pairs.into_iter().map(|(value, count)| (value, count.min(MOST))).collect();
        Samples::of(all.into_iter().collect())
    }
}

/// To three significant digits in binary: 1024 steps in each power of two, which is at most 0.1 % low.
fn round(nanos: u64) -> u64 {
    let spare = (64 - nanos.leading_zeros()).saturating_sub(11);
    nanos >> spare << spare
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
    fn few_and_many_are_the_same() {
        for most in [0, 1, 5, 6, 7, 40] {
            let mut samples = Samples::default();
            // From the middle outwards, each twice.
            let values: Vec<u64> = (0..most).map(|n| if n % 2 == 0 { 100 + n } else { 100 - n }).collect();
            values.iter().chain(&values).for_each(|value| samples.add(Duration::from_nanos(*value)));
            let mut told: Vec<(Duration, u64)> =
                values.iter().map(|value| (Duration::from_nanos(*value), 2)).collect();
            told.sort_unstable();
            assert_eq!(samples.iter().collect::<Vec<_>>(), told);
            assert_eq!(Samples::from(samples.raw().collect::<Vec<_>>()), samples);
            let mut to = Writer::default();
            samples.pack(&mut to);
            assert_eq!(Samples::unpack(&mut Reader::new(&to.finish())), Some(samples));
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
