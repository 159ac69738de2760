//! The Mann-Whitney test: whether what is in the one sample tends to be greater than what is in the other.
//!
//! It asks for no distribution, and infinity, which stands for what never happened, is a value like others. The statistic is
//! the sum over the first sample of how many values are smaller less how many are greater; without ties it is
//! `2 U - n m`. Its distribution, where it does not matter which value is of which sample, is counted where that is
//! bounded, ties and all, and taken for normal else, with the variance that the ties leave.

use super::normal;
use crate::base::units::to_u64;
use crate::measure::value::float;

/// The most steps that counting may take: tens of milliseconds. It is enough for 35 against 35, or 5 against 900.
const MOST_STEPS: usize = 20_000_000;

/// What the test came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranks {
    /// How likely it is to see a difference at least as great where there is none, two-sided (twice the smaller tail).
    pub p: f64,
    /// Whether that was counted, and is no approximation.
    pub exact: bool,
    /// The share of pairs, one of each, in which the second sample's is greater; of pairs that are alike, half.
    pub greater: f64,
}

/// Tests `b` against `a`. Neither is empty.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Ranks {
    let all: Vec<f64> = a.iter().chain(b).copied().collect();
    let scores = scores(&all);
    let sum: i64 = scores.iter().take(a.len()).sum();
    let pairs = float_of(a.len()) * float_of(b.len());
    let greater = (1.0 - signed(sum) / pairs) / 2.0;
    match tails(&scores, a.len(), sum) {
        Some(p) => Ranks { p, exact: true, greater },
        None => Ranks { p: approximate(&scores, a.len(), sum), exact: false, greater },
    }
}

/// The least probability that samples of so many can come to: they overlap nowhere. It is 2 / C(a + b, a).
pub fn least(a: usize, b: usize) -> f64 {
    let factors = (1..=a.min(b)).map(|n| float_of(n) / float_of(a.max(b) + n));
    (2.0 * factors.product::<f64>()).min(1.0)
}

/// How many there have to be of each for the test to come out at this level at all.
pub fn needed(level: f64) -> usize {
    (1..1_000).find(|n| least(*n, *n) <= level).unwrap_or(1_000)
}

/// The greatest number of pairs of two samples of so many, without ties, that is exceeded from below with at most this
/// probability: P(U < it) <= probability.
pub fn critical(a: usize, b: usize, probability: f64) -> usize {
    let (pairs, all) = (float_of(a) * float_of(b), a + b);
    let ranks: Vec<f64> = (0..all).map(float_of).collect();
    let Some(counts) = counted(&scores(&ranks), a) else {
        let deviation = (pairs * (float_of(all) + 1.0) / 12.0).sqrt();
        let edge = (pairs / 2.0 - normal::distance(2.0 * probability) * deviation).floor().max(0.0);
        // Below the number of pairs, which is a product of two lengths.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped right before")]
        return edge as usize;
    };
    let whole: f64 = counts.iter().sum();
    // Without ties every second sum comes about: those of U = 0, 1, 2 ...
    let mut below = 0.0;
    let least = counts.iter().position(|count| *count > 0.0).unwrap_or(0);
    let tails = counts.iter().skip(least).step_by(2).map(|count| {
        below += count / whole;
        below
    });
    tails.take_while(|tail| *tail <= probability * (1.0 + 1e-12)).count()
}

/// For each, how many are smaller less how many are greater.
fn scores(all: &[f64]) -> Vec<i64> {
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    let score = |value: &f64| {
        let smaller = sorted.partition_point(|other| other < value);
        let greater = sorted.len() - sorted.partition_point(|other| other <= value);
        to_i64(smaller) - to_i64(greater)
    };
    all.iter().map(score).collect()
}

/// In how many ways each sum of `chosen` of the scores comes about, from the least that can be (- `offset`) on; `None` where
/// that takes too long.
fn counted(scores: &[i64], chosen: usize) -> Option<Vec<f64>> {
    let offset = chosen.checked_mul(scores.len())?;
    let width = offset.checked_mul(2)?.checked_add(1)?;
    let steps = width.checked_mul(chosen + 1)?.checked_mul(scores.len())?;
    if steps > MOST_STEPS {
        return None;
    }
    let mut ways = vec![vec![0.0; width]; chosen + 1];
    ways[0][offset] = 1.0;
    for score in scores {
        for have in (0..chosen).rev() {
            let (before, after) = ways.split_at_mut(have + 1);
            for (at, count) in before[have].iter().enumerate().filter(|(_, count)| **count > 0.0) {
                let sum = usize::try_from(to_i64(at) + score).ok()?;
                *after[0].get_mut(sum)? += count;
            }
        }
    }
    ways.pop()
}

/// Both tails, counted; the smaller sample is the one that is chosen.
fn tails(scores: &[i64], first: usize, sum: i64) -> Option<f64> {
    // All scores together are nothing, so that the other sample's sum is the opposite.
    let (chosen, sum) = if first * 2 <= scores.len() { (first, sum) } else { (scores.len() - first, -sum) };
    let counts = counted(scores, chosen)?;
    let at = usize::try_from(to_i64(chosen.checked_mul(scores.len())?) + sum).ok()?;
    let whole: f64 = counts.iter().sum();
    let below: f64 = counts.iter().take(at + 1).sum();
    let above: f64 = counts.iter().skip(at).sum();
    Some((2.0 * below.min(above) / whole).min(1.0))
}

fn approximate(scores: &[i64], first: usize, sum: i64) -> f64 {
    let (a, all) = (float_of(first), float_of(scores.len()));
    let squares: f64 = scores.iter().map(|score| signed(*score).powi(2)).sum();
    let variance = a * (all - a) / (all * (all - 1.0)) * squares;
    if variance <= 0.0 {
        return 1.0;
    }
    // Sums are two apart: one is half a step, the correction for continuity.
    normal::two_sided((signed(sum).abs() - 1.0).max(0.0) / variance.sqrt())
}

fn float_of(number: usize) -> f64 {
    float(to_u64(number))
}

fn signed(number: i64) -> f64 {
    let size = float(number.unsigned_abs());
    if number < 0 { -size } else { size }
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(seen: f64, expected: f64) -> bool {
        (seen - expected).abs() < 1e-9
    }

    /// Of Hollander and Wolfe, "Nonparametric Statistical Methods", table 4.1 (permeability of membranes): one-sided 0.1272.
    const TERM: [f64; 10] = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const EARLY: [f64; 5] = [1.15, 0.88, 0.90, 0.74, 1.21];

    /// The probabilities are those of SciPy 1.17: `mannwhitneyu(method="exact")`; with ties `permutation_test` of the sum of
    /// ranks over all permutations, two-sided.
    #[test]
    fn small_samples_are_counted() {
        for (a, b, p) in [
            (&[1.1, 2.2, 3.3, 4.4][..], &[5.5, 6.6, 7.7, 8.8][..], 2.0 / 70.0),
            (&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0], 1.0 / 9.0),
            (&TERM, &EARLY, 0.254_412_254_412_254_4),
            (&[1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0], &[2.0, 4.0, 5.0, 6.0, 6.0, 7.0], 0.096_736_596_736_596_73),
            (&[1.0, 1.0], &[1.0], 1.0),
        ] {
            let (there, back) = (mann_whitney(a, b), mann_whitney(b, a));
            assert!(there.exact && near(there.p, p), "{a:?} {b:?}: {there:?}");
            assert!(near(back.p, p) && near(back.greater, 1.0 - there.greater), "{back:?}");
        }
        assert!(near(mann_whitney(&TERM, &EARLY).greater, 15.0 / 50.0), "U is 35 of 50");
    }

    /// `mannwhitneyu(range(80), [v + 9.5 for v in range(70)], method="asymptotic")`, and with ties.
    #[test]
    fn large_samples_are_approximated() {
        let a: Vec<f64> = (0..80).map(f64::from).collect();
        let b: Vec<f64> = (0..70).map(|v| f64::from(v) + 9.5).collect();
        let large = mann_whitney(&a, &b);
        assert!(!large.exact && near(large.p, 0.236_114_075_452_547_8), "{large:?}");
        let (a, b) = ([1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0], [2.0, 4.0, 5.0, 6.0, 6.0, 7.0]);
        let all: Vec<f64> = a.iter().chain(&b).copied().collect();
        let scores = scores(&all);
        let tied = approximate(&scores, 7, scores[..7].iter().sum());
        assert!(near(tied, 0.108_528_302_285_729_9), "{tied}");
        assert!(near(mann_whitney(&[1.0; 90], &[1.0; 90]).p, 1.0));
    }

    #[test]
    fn what_never_happened_is_greater_than_anything_and_like_itself() {
        let never = f64::INFINITY;
        assert!(near(mann_whitney(&[1.0, 2.0, 3.0, 4.0], &[never; 4]).p, 2.0 / 70.0));
        assert!(near(mann_whitney(&[never; 4], &[never; 4]).p, 1.0));
    }

    #[test]
    fn samples_that_are_too_few_cannot_show_anything() {
        assert!(near(least(3, 3), 0.1) && near(least(4, 4), 2.0 / 70.0) && near(least(1, 5), 1.0 / 3.0));
        assert_eq!((needed(0.05), needed(0.005)), (4, 6));
    }

    /// Tables of the Mann-Whitney U at 0.05, two-sided: U = 8 of 5 and 10, 2 of 5 and 5, 1 of 4 and 6 ... has to be undercut
    /// by the ranks of the interval.
    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (a, b, table) in [(5, 10, 8), (5, 5, 2), (6, 6, 5), (8, 8, 13), (10, 10, 23), (20, 20, 127)] {
            assert_eq!(critical(a, b, 0.025), table + 1, "{a} {b}");
        }
        assert_eq!(critical(3, 3, 0.025), 0, "no interval at that level");
        assert!(critical(60, 60, 0.025).abs_diff(1_428) <= 2);
    }
}
