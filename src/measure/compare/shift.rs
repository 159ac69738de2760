//! By how much the one sample is greater than the other: the shift of Hodges and Lehmann, with an interval.

use super::ranks::critical;

/// Of samples with more values, so many are taken, evenly from the least to the greatest: it moves the shift by the
/// distance of two neighbours at most.
const MOST_VALUES: usize = 500;

/// A shift. Infinities stand for what never happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The median of the differences of all pairs.
    pub estimate: f64,
    /// It is not less than this, at the level asked for; infinite where so few values have no bound.
    pub low: f64,
    /// It is not more than this.
    pub high: f64,
}

/// From `a` to `b`; the interval misses the shift no more often than `level`. Neither is empty.
pub fn shift(a: &[f64], b: &[f64], level: f64) -> Shift {
    let (a, b) = (thinned(a), thinned(b));
    let mut differences: Vec<f64> = a.iter().flat_map(|a| b.iter().map(|b| difference(*a, *b))).collect();
    differences.sort_by(f64::total_cmp);
    let count = differences.len();
    let at = |place: usize| differences.get(place).copied().unwrap_or(f64::NAN);
    let (lower, upper) = (at((count - 1) / 2), at(count / 2));
    let estimate = if lower == upper { lower } else { lower.midpoint(upper) };
    match critical(a.len(), b.len(), level / 2.0) {
        0 => Shift { estimate, low: f64::NEG_INFINITY, high: f64::INFINITY },
        rank => Shift { estimate, low: at(rank - 1), high: at(count - rank) },
    }
}

/// What never happened is like what never happened.
fn difference(a: f64, b: f64) -> f64 {
    if a.is_infinite() && b.is_infinite() { 0.0 } else { b - a }
}

fn thinned(values: &[f64]) -> Vec<f64> {
    if values.len() <= MOST_VALUES {
        return values.to_vec();
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    (0..MOST_VALUES).map(|nth| sorted[nth * last / (MOST_VALUES - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hollander and Wolfe, table 4.1: the estimate is 0.305 (from early to term), the interval from the 9th to the 42nd of
    /// the 50 differences.
    #[test]
    fn as_in_the_book() {
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        let Shift { estimate, low, high } = shift(&early, &term, 0.05);
        assert!((estimate - 0.305).abs() < 1e-9, "{estimate}");
        assert!((low + 0.15).abs() < 1e-9 && (high - 0.76).abs() < 1e-9, "{low} {high}");
    }

    #[test]
    fn a_shift_of_everything_is_that_shift() {
        let a: Vec<f64> = (0..2_000).map(f64::from).collect();
        let b: Vec<f64> = a.iter().map(|value| value + 7.0).collect();
        let Shift { estimate, low, high } = shift(&a, &b, 0.05);
        assert!((estimate - 7.0).abs() <= 4.0 && low < 7.0 && 7.0 < high, "{estimate} {low} {high}");
    }

    #[test]
    fn few_values_have_no_interval_and_nevers_no_number() {
        let of_few = shift(&[1.0, 2.0], &[4.0, 5.0], 0.05);
        assert!(
            (of_few.estimate - 3.0).abs() < 1e-12 && of_few.low.is_infinite() && of_few.high.is_infinite()
        );
        assert_eq!(shift(&[1.0, 2.0], &[f64::INFINITY; 2], 0.05).estimate, f64::INFINITY);
        assert!(shift(&[f64::INFINITY], &[f64::INFINITY], 0.05).estimate.abs() < f64::EPSILON);
    }
}
