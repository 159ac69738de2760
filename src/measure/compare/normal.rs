//! The normal distribution, as far as tests of significance need it.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Up to here the series is exact enough, and quick; from here the continued fraction is.
const SERIES_UP_TO: f64 = 3.0;
/// Terms of each: the last ones are below the precision of the number.
const TERMS: u32 = 120;

/// The probability that a standard normal number is at least so far from 0, to either side.
pub fn two_sided(z: f64) -> f64 {
    let z = z.abs();
    if z.is_nan() {
        return 1.0;
    }
    if z < SERIES_UP_TO { 1.0 - inner(z) } else { outer(z) }
}

/// The distance from 0 that is exceeded, to either side, with this probability (above 0, below 1).
pub fn distance(probability: f64) -> f64 {
    let (mut near, mut far) = (0.0, 40.0);
    // Halved so often, the span is below the precision of the number.
    for _ in 0..80 {
        let middle = (near + far) / 2.0;
        if two_sided(middle) > probability { near = middle } else { far = middle }
    }
    (near + far) / 2.0
}

/// Within `z` of 0: erf(z / sqrt 2) by its Taylor series in a form without cancellation (Abramowitz and Stegun 7.1.6).
fn inner(z: f64) -> f64 {
    let x = z * FRAC_1_SQRT_2;
    let (mut term, mut sum) = (x, x);
    for n in 1..TERMS {
        term *= 2.0 * x * x / (2.0 * f64::from(n) + 1.0);
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// Beyond `z`: twice Mills' ratio times the density, by Laplace's continued fraction (Abramowitz and Stegun 26.2.14).
fn outer(z: f64) -> f64 {
    let fraction = (1..TERMS).rev().fold(z, |below, n| z + f64::from(n) / below);
    2.0 * (-z * z / 2.0).exp() / (2.0 * PI).sqrt() / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last column is `2 * scipy.stats.norm.sf(z)` of SciPy 1.17.
    #[test]
    fn tails_are_those_of_the_tables() {
        for (z, expected) in [
            (0.0, 1.0),
            (0.1, 0.920_344_325_445_942),
            (1.0, 0.317_310_507_862_914_15),
            (1.959_963_984_540_054, 0.05),
            (3.0, 0.002_699_796_063_260_186_6),
            (-5.0, 5.733_031_437_583_866e-07),
            (8.0, 1.244_192_114_854_348e-15),
        ] {
            let p = two_sided(z);
            assert!((p - expected).abs() <= 1e-9 * expected, "{z}: {p}");
        }
        assert!((distance(0.05) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!(two_sided(2.999_999_9) - two_sided(3.000_000_1) < 1e-8, "the two ways meet");
    }
}
