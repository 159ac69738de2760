//! Fisher's exact test of two proportions: so many of all here, so many of all there.

use super::normal;
use crate::measure::value::float;
use std::f64::consts::PI;

/// So many tables are gone through; where there are more, the normal approximation is exact enough (it is of millions).
const MOST_TABLES: u64 = 2_000_000;

/// Tables as likely as the one seen, but for rounding, count as likely (as in R and SciPy).
const ALIKE: f64 = 1e-7;

/// How likely tables at least as unlikely as this one are, where both proportions are one and the sums of rows and columns are
/// as they are. `some` is never more than its `all`.
pub fn fisher(some: [u64; 2], all: [u64; 2]) -> f64 {
    let [a, b] = all;
    let total = some[0].saturating_add(some[1]);
    let likely = |here: u64| choose(a, here) + choose(b, total - here);
    let (least, most) = (total.saturating_sub(b), total.min(a));
    if most.saturating_sub(least) > MOST_TABLES {
        return approximate(some, all);
    }
    let seen = likely(some[0].clamp(least, most));
    let whole = choose(a.saturating_add(b), total);
    let tables = (least..=most).map(likely).filter(|table| *table <= seen + ALIKE);
    tables.map(|table| (table - whole).exp()).sum::<f64>().min(1.0)
}

/// By the distance of the two proportions in standard deviations.
fn approximate(some: [u64; 2], all: [u64; 2]) -> f64 {
    let ([some_a, some_b], [a, b]) = (some.map(float), all.map(float));
    let of_all = (some_a + some_b) / (a + b);
    let deviation = (of_all * (1.0 - of_all) * (1.0 / a + 1.0 / b)).sqrt();
    if deviation > 0.0 { normal::two_sided((some_a / a - some_b / b) / deviation) } else { 1.0 }
}

/// The least that [`fisher`] can come to with as many of all: nothing in the one, and in the other as many as can be.
pub fn least(some: [u64; 2], all: [u64; 2]) -> f64 {
    let total = some[0].saturating_add(some[1]);
    let at = |here: u64| fisher([here, total - here], all);
    at(total.saturating_sub(all[1])).min(at(total.min(all[0])))
}

/// The logarithm of the binomial coefficient.
fn choose(all: u64, some: u64) -> f64 {
    ln_factorial(all) - ln_factorial(some) - ln_factorial(all.saturating_sub(some))
}

/// The logarithm of the factorial: by its product, then by Stirling's series, whose error is below 1e-14 from there.
fn ln_factorial(number: u64) -> f64 {
    if number < 32 {
        return (2..=number).map(|n| float(n).ln()).sum();
    }
    let n = float(number);
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + (2.0 * PI * n).ln() / 2.0 + series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last column is `scipy.stats.fisher_exact` of SciPy 1.17; 0.2105 is 4/19 and 1.08e-5 is 2/C(20,10).
    #[test]
    fn tables_are_as_likely_as_elsewhere() {
        for (some, all, expected) in [
            ([3, 0], [10, 10], 0.210_526_315_789_473_67),
            ([8, 1], [10, 6], 0.034_965_034_965_034_975),
            ([3, 0], [1000, 1000], 0.249_624_812_406_203_07),
            ([100, 140], [1000, 1000], 0.007_185_428_108_075_2),
            ([10, 0], [10, 10], 1.082_508_822_446_903e-05),
            ([0, 0], [10, 10], 1.0),
            ([0, 0], [0, 0], 1.0),
            ([5, 7], [5, 7], 1.0),
        ] {
            let p = fisher(some, all);
            assert!((p - expected).abs() <= 1e-9 * expected, "{some:?} of {all:?}: {p}");
            assert!((fisher([some[1], some[0]], [all[1], all[0]]) - p).abs() < 1e-12, "{some:?}");
        }
    }

    #[test]
    fn many_are_approximated() {
        let some = [2_500_000, 2_503_000];
        let p = fisher(some, [5_000_000, 5_000_000]);
        assert!((p - 0.057_779).abs() < 1e-4, "z = 1.897: {p}");
    }

    #[test]
    fn so_little_can_show_nothing() {
        assert!((least([1, 0], [10, 10]) - 1.0).abs() < 1e-12);
        assert!((least([3, 0], [10, 10]) - 4.0 / 19.0).abs() < 1e-12);
        assert!(least([5, 1], [10, 10]) < 0.05);
    }
}
