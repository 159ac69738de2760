//! Values of measures: exact, a bracket, or never. A bracket keeps both ends and a never keeps how long was
//! watched; neither is ever averaged into a number.

use crate::base::time::nanos;
use std::cmp::Ordering;
use std::time::Duration;

/// What a measure came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Seen to happen.
    Exact(Duration),
    /// It happened somewhere between: the fault hid the moment.
    Between {
        /// Not before this.
        after: Duration,
        /// Not after this.
        before: Duration,
    },
    /// It did not happen while watched: if at all, it took longer.
    Never {
        /// How long was watched; zero where the fault hid it, so that nothing is known.
        watched: Duration,
    },
    /// A number of things, for measures that count.
    Count(u64),
    /// A number of things that is only known within bounds.
    CountBetween {
        /// So many at the least.
        least: u64,
        /// So many at the most; `None` where what they were counted of was not over when the watch was.
        most: Option<u64>,
    },
}

impl Value {
    /// The least and the greatest that the value can be, in nanoseconds or things; infinity for never.
    pub fn bounds(self) -> (f64, f64) {
        let of = |span: Duration| float(nanos(span));
        match self {
            Value::Exact(span) => (of(span), of(span)),
            Value::Between { after, before } => (of(after), of(before)),
            Value::Never { watched } => (of(watched), f64::INFINITY),
            Value::Count(count) => (float(count), float(count)),
            Value::CountBetween { least, most } => (float(least), most.map_or(f64::INFINITY, float)),
        }
    }

    /// The value as exact or bracket, from two moments that may be one.
    pub fn bracket(after: Duration, before: Duration) -> Value {
        if after >= before { Value::Exact(before) } else { Value::Between { after, before } }
    }

    /// A number of things, of which so many are known, and not whether these are more.
    pub fn at_least(known: u64, perhaps: u64) -> Value {
        match perhaps {
            0 => Value::Count(known),
            perhaps => Value::CountBetween { least: known, most: Some(known.saturating_add(perhaps)) },
        }
    }

    /// So many of it.
    #[must_use]
    pub fn times(self, number: u32) -> Value {
        let of = |span: Duration| span.saturating_mul(number);
        let counts = |count: u64| count.saturating_mul(u64::from(number));
        match self {
            Value::Exact(span) => Value::Exact(of(span)),
            Value::Between { after, before } => Value::Between { after: of(after), before: of(before) },
            Value::Never { watched } => Value::Never { watched: of(watched) },
            Value::Count(count) => Value::Count(counts(count)),
            Value::CountBetween { least, most } => {
                Value::CountBetween { least: counts(least), most: most.map(counts) }
            }
        }
    }

    /// Both together; with a never it is never. A measure either counts or takes time, so the two do not meet.
    #[must_use]
    pub fn added(self, other: Value) -> Value {
        if let Some(((least, most), (more, or_more))) = self.counts().zip(other.counts()) {
            let most = most.zip(or_more).map(|(most, more)| most.saturating_add(more));
            let least = least.saturating_add(more);
            return if most == Some(least) {
                Value::Count(least)
            } else {
                Value::CountBetween { least, most }
            };
        }
        let ((low, high), (other_low, other_high)) = (self.span(), other.span());
        let after = low.saturating_add(other_low);
        match high.zip(other_high) {
            Some((high, other_high)) => Value::bracket(after, high.saturating_add(other_high)),
            None => Value::Never { watched: after },
        }
    }

    /// The least and the greatest it can be as times; `None` for what never ends.
    fn span(self) -> (Duration, Option<Duration>) {
        match self {
            Value::Exact(span) => (span, Some(span)),
            Value::Between { after, before } => (after, Some(before)),
            Value::Never { watched } => (watched, None),
            Value::Count(_) | Value::CountBetween { .. } => (Duration::ZERO, Some(Duration::ZERO)),
        }
    }

    /// The least and the greatest number of things it can be; the greatest is `None` where there is none.
    fn counts(self) -> Option<(u64, Option<u64>)> {
        match self {
            Value::Count(count) => Some((count, Some(count))),
            Value::CountBetween { least, most } => Some((least, most)),
            Value::Exact(_) | Value::Between { .. } | Value::Never { .. } => None,
        }
    }

    /// Whether two ends of it are known that differ.
    pub fn is_bracket(self) -> bool {
        matches!(self, Value::Between { .. } | Value::CountBetween { most: Some(_), .. })
    }

    /// Whether it never happened, as far as watched.
    pub fn is_never(self) -> bool {
        matches!(self, Value::Never { watched } if !watched.is_zero())
    }

    /// Whether the fault hid if and when it happened.
    pub fn is_hidden(self) -> bool {
        matches!(self, Value::Never { watched } if watched.is_zero())
    }

    /// At the greatest this, and at the least the least of `low`, which is not above it. A never stays one.
    fn from(self, low: Value) -> Value {
        match self {
            Value::Exact(before) | Value::Between { before, .. } => Value::bracket(low.span().0, before),
            Value::Never { .. } => self,
            Value::Count(most) | Value::CountBetween { most: Some(most), .. } => {
                let least = low.counts().map_or(most, |(least, _)| least.min(most));
                Value::at_least(least, most - least)
            }
            Value::CountBetween { least, most: None } => {
                Value::CountBetween { least: low.counts().map_or(least, |(least, _)| least), most: None }
            }
        }
    }

    /// An order for lists: by the greatest it can be, then by the least.
    pub fn order(self, other: Value) -> Ordering {
        let ((low, high), (other_low, other_high)) = (self.bounds(), other.bounds());
        high.total_cmp(&other_high).then(low.total_cmp(&other_low))
    }
}

/// The distance between two values that are both known, wherever in their brackets they lie.
pub fn distance(a: Value, b: Value) -> Option<Value> {
    let ((a_low, a_high), (b_low, b_high)) = (a.span(), b.span());
    let (a_high, b_high) = (a_high?, b_high?);
    let near = a_low.saturating_sub(b_high).max(b_low.saturating_sub(a_high));
    let far = a_high.saturating_sub(b_low).max(b_high.saturating_sub(a_low));
    Some(Value::bracket(near, far))
}

/// The value at this rank, from 1, of values that were seen so often: it is known to lie between what has the rank among the
/// least that each can be, and what has it among the greatest. Where the latter is a never, it is that one.
pub fn at_rank(values: &[(Value, u64)], rank: u64) -> Option<Value> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|(a, _), (b, _)| a.order(*b));
    let high = nth(&sorted, rank)?;
    sorted.sort_by(|(a, _), (b, _)| a.bounds().0.total_cmp(&b.bounds().0));
    Some(high.from(nth(&sorted, rank)?))
}

fn nth(sorted: &[(Value, u64)], rank: u64) -> Option<Value> {
    let mut passed = 0;
    sorted.iter().find_map(|(value, count)| {
        passed += count;
        (passed >= rank && rank > 0).then_some(*value)
    })
}

/// The nearest rank of a percentile among `count` values, from 1; 0 where there is no value.
pub fn rank(count: usize, percent: f64) -> usize {
    // Counts are far below 2^53 and percent is in 0 to 100, so that the product is exact enough and fits. The
    // thousandth of a millionth keeps 95 % of 20 from becoming rank 20 by rounding.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped right after")]
    let rank = (float(count as u64) * percent / 100.0 - 1e-9).ceil().max(1.0) as usize;
    rank.min(count)
}

/// A count as a number; above 2^53 (104 days of nanoseconds) the last digits go.
pub fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "more digits than any clock here has")]
    let number = count as f64;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn distances_keep_brackets() {
        let between = |after, before| Value::Between { after: ms(after), before: ms(before) };
        for (a, b, expected) in [
            (Value::Exact(ms(3)), Value::Exact(ms(8)), Some(Value::Exact(ms(5)))),
            (Value::Exact(ms(8)), Value::Exact(ms(3)), Some(Value::Exact(ms(5)))),
            (between(0, 4), Value::Exact(ms(10)), Some(between(6, 10))),
            (between(0, 4), Value::Exact(ms(3)), Some(between(0, 3))),
            (Value::Never { watched: ms(1) }, Value::Exact(ms(1)), None),
        ] {
            assert_eq!(distance(a, b), expected, "{a:?} {b:?}");
        }
    }

    #[test]
    fn ranks_are_nearest_rank() {
        for (count, percent, expected) in
            [(0, 95.0, 0), (1, 1.0, 1), (20, 95.0, 19), (21, 95.0, 20), (10, 50.0, 5), (3, 100.0, 3)]
        {
            assert_eq!(rank(count, percent), expected, "{count} {percent}");
        }
    }

    /// Whatever each value is within its bounds, the one at the rank lies within what is told of it.
    #[test]
    fn a_rank_is_known_as_well_as_all_values_let_it_be() {
        let between = |after, before| Value::Between { after: ms(after), before: ms(before) };
        let (exact, hidden) = (|at| Value::Exact(ms(at)), Value::Never { watched: Duration::ZERO });
        let never = Value::Never { watched: ms(4) };
        let counts = |least, most| Value::CountBetween { least, most };
        for (values, expected) in [
            (vec![exact(9_000), exact(9_500), hidden], [between(0, 9_000), between(9_000, 9_500), hidden]),
            (
                vec![between(2_000, 8_600), between(3_000, 4_000), between(3_500, 5_000)],
                [between(2_000, 4_000), between(3_000, 5_000), between(3_500, 8_600)],
            ),
            (vec![exact(3), never, exact(5)], [exact(3), between(4, 5), never]),
            (vec![exact(7), exact(1), exact(4)], [exact(1), exact(4), exact(7)]),
            (
                vec![Value::Count(3), counts(1, None), counts(2, Some(5))],
                [counts(1, Some(3)), counts(2, Some(5)), counts(3, None)],
            ),
            (vec![Value::Count(3), Value::Count(2), Value::Count(2)], [2, 2, 3].map(Value::Count)),
        ] {
            let once: Vec<(Value, u64)> = values.iter().map(|value| (*value, 1)).collect();
            let told = [1, 2, 3].map(|rank| at_rank(&once, rank).unwrap());
            assert_eq!(told, expected);
            let often: Vec<(Value, u64)> = values.iter().map(|value| (*value, 7)).collect();
            assert_eq!([7, 8, 21].map(|rank| at_rank(&often, rank).unwrap()), expected);
            assert_eq!((at_rank(&once, 0), at_rank(&once, 4), at_rank(&[], 1)), (None, None, None));
        }
    }

    #[test]
    fn numbers_of_things_keep_their_bounds() {
        let counts = |least, most| Value::CountBetween { least, most };
        let (so_far, perhaps) = (counts(2, None), Value::at_least(2, 3));
        assert_eq!((so_far.bounds(), perhaps.bounds()), ((2.0, f64::INFINITY), (2.0, 5.0)));
        assert_eq!((so_far.times(2), perhaps.times(2)), (counts(4, None), counts(4, Some(10))));
        assert_eq!(Value::at_least(2, 0), Value::Count(2));
        for (a, b, expected) in [
            (Value::Count(1), Value::Count(2), Value::Count(3)),
            (Value::Count(3), so_far, counts(5, None)),
            (perhaps, so_far, counts(4, None)),
            (perhaps, Value::Count(1), counts(3, Some(6))),
        ] {
            assert_eq!((a.added(b), b.added(a)), (expected, expected), "{a:?} {b:?}");
        }
    }

    #[test]
    fn never_sorts_after_everything() {
        let mut values = [Value::Never { watched: ms(1) }, Value::Exact(ms(9)), Value::Exact(ms(2))];
        values.sort_by(|a, b| a.order(*b));
        assert_eq!(values, [Value::Exact(ms(2)), Value::Exact(ms(9)), Value::Never { watched: ms(1) }]);
    }
}
