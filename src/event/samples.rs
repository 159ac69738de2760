//! Samples on their way to a histogram: values at three significant digits with their counts, so that many fit in
//! one event and runs merge without loss.

use super::bounded::MOST;
use crate::base::pack::{Pack, Reader, Writer};
use crate::base::time::nanos;
use crate::base::units::to_u64;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many steps a power of two has: a value is at most 0.1 % low.
const STEPS: u64 = 1024;

/// The lower bits of a number hold how often a value was seen, the others which value it is.
const COUNT_BITS: u32 = 48;
const MOST_COUNT: u64 = (1 << COUNT_BITS) - 1;

/// Values in nanoseconds, each kept to within 0.1 %, and how often each was seen.
///
/// In JSON: a list of `[value, count]`, values ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<(u64, u64)>")]
pub struct Samples(
    /// None where there is no value: each device has several of these, and most stay empty.
    Option<Box<Pairs>>,
);

/// Values with their counts, ascending, eight bytes each: the number of the value, and in the lower bits its count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pairs(Vec<u64>);

impl Samples {
    /// Adds one value.
    pub fn add(&mut self, value: Duration) {
        self.add_many(value, 1);
    }

    /// Adds one value so many times.
    pub fn add_many(&mut self, value: Duration, times: u64) {
        if times > 0 {
            self.pairs_mut().add(number(nanos(value)), times);
        }
    }

    /// Adds all of these, in nanoseconds; they are sorted for that, which costs less than to find the place of each.
    pub fn add_all(&mut self, nanos: &mut [u64]) {
        nanos.iter_mut().for_each(|value| *value = number(*value));
        nanos.sort_unstable();
        let runs = nanos.chunk_by(|one, next| one == next);
        self.add_ascending(runs.filter_map(|run| Some((*run.first()?, to_u64(run.len())))));
    }

    /// How many different values there are.
    pub fn values(&self) -> usize {
        self.pairs().len()
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Samples) {
        self.add_ascending(other.pairs().iter().map(|pair| unpair(*pair)));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs().is_empty()
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
    /// Adds values by their numbers, which come in ascending order.
    fn add_ascending(&mut self, all: impl Iterator<Item = (u64, u64)>) {
        let mut from = 0;
        for (number, count) in all.filter(|(_, count)| *count > 0) {
            from = self.pairs_mut().add_from(from, number, count);
        }
    }

    fn of(pairs: Vec<(u64, u64)>) -> Samples {
        let mut samples = Samples::default();
        pairs.into_iter().for_each(|(nanos, count)| samples.add_many(Duration::from_nanos(nanos), count));
        samples
    }

    fn pairs_mut(&mut self) -> &mut Pairs {
        self.0.get_or_insert_default()
    }

    fn pairs(&self) -> &[u64] {
        self.0.as_ref().map_or(&[], |pairs| &pairs.0)
    }

    fn raw(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.pairs().iter().map(|pair| {
            let (number, count) = unpair(*pair);
            (value(number), count)
        })
    }
}

impl Pairs {
    fn add(&mut self, number: u64, count: u64) {
        self.add_from(0, number, count);
    }

    /// Adds a value that stands at this place or behind it; where it stands.
    fn add_from(&mut self, from: usize, number: u64, count: u64) -> usize {
        let Pairs(pairs) = self;
        let place = from + pairs[from..].partition_point(|pair| pair >> COUNT_BITS < number);
        match pairs.get_mut(place) {
            Some(pair) if *pair >> COUNT_BITS == number => {
                *pair = paired(number, (*pair & MOST_COUNT).saturating_add(count));
            }
            _ => {
                if pairs.len() == pairs.capacity() {
                    pairs.reserve_exact((pairs.len() / 4).max(1));
                }
                pairs.insert(place, paired(number, count));
            }
        }
        place
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

/// Value and count in one number; a count past all counting is the greatest there is.
fn paired(number: u64, count: u64) -> u64 {
    number << COUNT_BITS | count.min(MOST_COUNT)
}

fn unpair(pair: u64) -> (u64, u64) {
    (pair >> COUNT_BITS, pair & MOST_COUNT)
}

/// Which of all values that are kept this one is, in nanoseconds: those below 2,048 are their own number, and from there on each
/// power of two has [`STEPS`]. Below 2^16 for all that 64 bits hold.
fn number(nanos: u64) -> u64 {
    let spare = (64 - nanos.leading_zeros()).saturating_sub(STEPS.ilog2() + 1);
    u64::from(spare) * STEPS + (nanos >> spare)
}

/// The least value of that number, in nanoseconds.
fn value(number: u64) -> u64 {
    match (number / STEPS).checked_sub(2) {
        Some(power) => (STEPS + number % STEPS) << (power + 1),
        None => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_within_a_thousandth() {
        for nanos in [0, 1, 2047, 2048, 2049, 999_999_999, u64::MAX] {
            let kept = value(number(nanos));
            assert!(kept <= nanos && nanos - kept <= nanos / 1000, "{nanos} {kept}");
            assert_eq!(number(kept), number(nanos));
        }
    }

    #[test]
    fn numbers_ascend_without_a_gap_and_fit_beside_a_count() {
        for number in 0..number(u64::MAX) {
            assert!(value(number) < value(number + 1), "{number}");
            assert_eq!(super::number(value(number + 1)), number + 1);
        }
        assert!(number(u64::MAX) < 1 << (64 - COUNT_BITS));
    }

    #[test]
    fn a_count_past_all_counting_stays_of_its_value() {
        let mut samples = Samples::default();
        samples.add_many(Duration::from_nanos(7), u64::MAX);
        samples.add_many(Duration::from_nanos(7), u64::MAX);
        assert_eq!(samples.raw().collect::<Vec<_>>(), [(7, MOST_COUNT)]);
    }

    #[test]
    fn values_come_ascending_and_are_had_back() {
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
