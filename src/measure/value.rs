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
    /// So many things so far: what they were counted of was not over when the watch was.
    AtLeast(u64),
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
            Value::AtLeast(count) => (float(count), f64::INFINITY),
        }
    }

    /// The value as exact or bracket, from two moments that may be one.
    pub fn bracket(after: Duration, before: Duration) -> Value {
        if after >= before { Value::Exact(before) } else { Value::Between { after, before } }
    }

    /// So many of it.
    #[must_use]
    pub fn times(self, number: u32) -> Value {
        let of = |span: Duration| span.saturating_mul(number);
        match self {
            Value::Exact(span) => Value::Exact(of(span)),
            Value::Between { after, before } => Value::Between { after: of(after), before: of(before) },
            Value::Never { watched } => Value::Never { watched: of(watched) },
            Value::Count(count) => Value::Count(count.saturating_mul(u64::from(number))),
            Value::AtLeast(count) => Value::AtLeast(count.saturating_mul(u64::from(number))),
        }
    }

    /// Both together; with a never it is never. A measure either counts or takes time, so the two do not meet.
    #[must_use]
    pub fn added(self, other: Value) -> Value {
        match (self, other) {
            (Value::Count(count), Value::Count(more)) => return Value::Count(count.saturating_add(more)),
            (Value::AtLeast(count), Value::Count(more) | Value::AtLeast(more))
            | (Value::Count(count), Value::AtLeast(more)) => {
                return Value::AtLeast(count.saturating_add(more));
            }
            (_, _) => {}
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
            Value::Count(_) | Value::AtLeast(_) => (Duration::ZERO, Some(Duration::ZERO)),
        }
    }

    /// Whether it never happened, as far as watched.
    pub fn is_never(self) -> bool {
        matches!(self, Value::Never { watched } if !watched.is_zero())
    }

    /// Whether the fault hid if and when it happened.
    pub fn is_hidden(self) -> bool {
        matches!(self, Value::Never { watched } if watched.is_zero())
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

/// The value of this percentile (above 0, up to 100) by nearest rank, of values sorted by [`Value::order`].
pub fn percentile(sorted: &[Value], percent: f64) -> Option<Value> {
    sorted.get(rank(sorted.len(), percent).checked_sub(1)?).copied()
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

    #[test]
    fn what_is_not_over_has_no_greatest_number() {
        let so_far = Value::AtLeast(2);
        assert_eq!(so_far.bounds(), (2.0, f64::INFINITY));
        assert_eq!((so_far.added(Value::Count(3)), so_far.times(2)), (Value::AtLeast(5), Value::AtLeast(4)));
        assert_eq!(Value::Count(3).added(so_far), Value::AtLeast(5));
    }

    #[test]
    fn never_sorts_after_everything() {
        let mut values = [Value::Never { watched: ms(1) }, Value::Exact(ms(9)), Value::Exact(ms(2))];
        values.sort_by(|a, b| a.order(*b));
        assert_eq!(values, [Value::Exact(ms(2)), Value::Exact(ms(9)), Value::Never { watched: ms(1) }]);
    }
}
