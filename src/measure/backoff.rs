//! The shape of a back-off, from the waits between connect attempts.
//!
//! The rule, in order (`n` waits, in the order they were made):
//!
//! 1. Fewer than 3 waits: `unclear`.
//! 2. Nine in ten of them under 50 ms: `none`.
//! 3. All within 10 % (or 50 ms) of their median: `fixed`.
//! 4. A straight line, after the transform that straightens the shape, meets at least 3 first waits to within 3 % and
//!    50 ms each and grows by a fifth or more in all; what follows is level (the cap). `linear` is straight as it
//!    is, `polynomial` (squares) in the square root, `exponential` in the logarithm; the best fit wins.
//! 5. Steps 3 and 4 again with 35 %: the same names, `jittered`; `growing, jittered` where more than one growing shape
//!    fits, which few jittered waits let: to tell them apart takes more than that.
//! 6. With 5 waits or more: `growing, jittered` where later waits are mostly longer (Kendall's tau at least 0.4) and the
//!    later half's median is at least twice the earlier's; `fixed, jittered` where there is no trend (tau within 0.3 of
//!    0). That is what full jitter looks like.
//! 7. Else `unclear`.

use std::fmt;
use std::time::Duration;

/// How the waits between attempts grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// No wait: again at once.
    None,
    /// Always the same.
    Fixed,
    /// More by the same time at each attempt.
    Linear,
    /// More by ever more, as squares.
    Polynomial,
    /// More by the same factor at each attempt.
    Exponential,
    /// More at each attempt, by what rule cannot be told.
    Growing,
    /// Too few attempts, or no pattern.
    Unclear,
}

/// A back-off, named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackOff {
    /// Its shape.
    pub shape: Shape,
    /// Whether it is scattered around that shape.
    pub jittered: bool,
}

impl BackOff {
    /// Nothing can be said.
    pub const UNCLEAR: BackOff = BackOff { shape: Shape::Unclear, jittered: false };
}

impl fmt::Display for BackOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match self.shape {
            Shape::None => "none",
            Shape::Fixed => "fixed",
            Shape::Linear => "linear",
            Shape::Polynomial => "polynomial",
            Shape::Exponential => "exponential",
            Shape::Growing => "growing",
            Shape::Unclear => "unclear",
        };
        write!(f, "{shape}{}", if self.jittered { ", jittered" } else { "" })
    }
}

/// A wait under this is none: about what a connect to a host in the same building takes.
const AT_ONCE_S: f64 = 0.05;
/// How far a clock-driven wait may be off: timers and the attempt's own connect time.
const PLAIN: f64 = 0.10;
/// How far a jittered wait may be off: SDKs jitter by 20 to 30 % where they do not draw from the whole range.
const JITTERED: f64 = 0.35;
/// How far a clock-driven wait may be off a growing shape: closer, since three waits with jitter meet a line to within 10 %
/// by chance.
const PLAIN_GROWTH: f64 = 0.03;
/// A shape that grows by less than this factor from end to end is not called growing.
const LEAST_GROWTH: f64 = 1.2;
/// The fewest waits that can show a shape.
const FEWEST: usize = 3;

/// Names the shape of these waits.
pub fn classify(waits: &[Duration]) -> BackOff {
    let waits: Vec<f64> = waits.iter().map(Duration::as_secs_f64).collect();
    let plain = |shape| BackOff { shape, jittered: false };
    let jittered = |shape| BackOff { shape, jittered: true };
    if waits.len() < FEWEST {
        return BackOff::UNCLEAR;
    }
    if waits.iter().filter(|wait| **wait < AT_ONCE_S).count() * 10 >= waits.len() * 9 {
        return plain(Shape::None);
    }
    shape_within(&waits, PLAIN)
        .map(plain)
        .or_else(|| shape_within(&waits, JITTERED).map(jittered))
        .or_else(|| trend(&waits).map(jittered))
        .unwrap_or(BackOff::UNCLEAR)
}

/// Steps 3 and 4 at this tolerance.
fn shape_within(waits: &[f64], tolerance: f64) -> Option<Shape> {
    if is_level(waits, median(waits), tolerance) {
        return Some(Shape::Fixed);
    }
    type Transform = fn(f64) -> f64;
    let shapes: [(Shape, Transform, Transform); 3] = [
        (Shape::Linear, |wait| wait, |line| line),
        (Shape::Polynomial, f64::sqrt, |line| line * line),
        (Shape::Exponential, f64::ln, f64::exp),
    ];
    let fits: Vec<(Shape, (usize, f64))> = shapes
        .into_iter()
        .filter_map(|(shape, straighten, back)| {
            Some((shape, growth_misfit(waits, straighten, back, tolerance)?))
        })
        .collect();
    if tolerance > PLAIN && fits.len() > 1 {
        return Some(Shape::Growing);
    }
    let best = fits.into_iter().min_by(|(_, a), (_, b)| a.0.cmp(&b.0).reverse().then(a.1.total_cmp(&b.1)));
    best.map(|(shape, _)| shape)
}

/// How many first waits the straightened line meets, and how far it is off at worst; `None` where it does not fit.
fn growth_misfit(
    waits: &[f64],
    straighten: fn(f64) -> f64,
    back: fn(f64) -> f64,
    tolerance: f64,
) -> Option<(usize, f64)> {
    (FEWEST..=waits.len()).rev().find_map(|growing| {
        let (first, rest) = waits.split_at(growing);
        let top = first.last().copied().unwrap_or_default();
        let cap = rest.iter().copied().fold(top, f64::max);
        let capped = is_level(rest, cap, tolerance) && top <= cap;
        let line = fit(&first.iter().map(|wait| straighten(wait.max(1e-9))).collect::<Vec<_>>());
        let fitted: Vec<f64> = line.into_iter().map(back).collect();
        let grown = fitted.last()? / fitted.first()?.max(1e-9);
        let worst = first.iter().zip(&fitted).map(|(wait, line)| misfit(*wait, *line)).fold(0.0, f64::max);
        let off = if tolerance > PLAIN { tolerance } else { PLAIN_GROWTH };
        (capped && grown >= LEAST_GROWTH && worst <= off).then_some((growing, worst))
    })
}

/// Whether every wait is at this level.
fn is_level(waits: &[f64], level: f64, tolerance: f64) -> bool {
    waits.iter().all(|wait| misfit(*wait, level) <= tolerance)
}

/// How far off, as a share of the expected; the first 50 ms are forgiven.
fn misfit(wait: f64, expected: f64) -> f64 {
    ((wait - expected).abs() - AT_ONCE_S).max(0.0) / expected.max(1e-9)
}

/// The straight line of least squares through the values at 0, 1, 2 ..., at those places.
fn fit(values: &[f64]) -> Vec<f64> {
    let places: Vec<f64> = (0u32..).map(f64::from).take(values.len()).collect();
    let (mid_place, mid_value) = (mean(&places), mean(values));
    let along: f64 = places.iter().map(|place| (place - mid_place).powi(2)).sum();
    let slope = places.iter().zip(values).map(|(p, v)| (p - mid_place) * (v - mid_value)).sum::<f64>()
        / along.max(f64::MIN_POSITIVE);
    places.iter().map(|place| mid_value + slope * (place - mid_place)).collect()
}

/// Step 6.
fn trend(waits: &[f64]) -> Option<Shape> {
    if waits.len() < 5 {
        return None;
    }
    let (earlier, later) = waits.split_at(waits.len() / 2);
    let tau = kendall(waits);
    if tau >= 0.4 && median(later) >= 2.0 * median(earlier) {
        Some(Shape::Growing)
    } else if tau.abs() <= 0.3 {
        Some(Shape::Fixed)
    } else {
        None
    }
}

/// Kendall's tau of the waits against their order: 1 where each is longer than all before, -1 where shorter.
fn kendall(waits: &[f64]) -> f64 {
    let pairs = waits.iter().enumerate().flat_map(|(i, a)| waits[i + 1..].iter().map(move |b| b - a));
    let signs: Vec<f64> = pairs.map(|d| if d == 0.0 { 0.0 } else { d.signum() }).collect();
    mean(&signs)
}

fn mean(values: &[f64]) -> f64 {
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX).max(1);
    values.iter().sum::<f64>() / f64::from(count)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(waits: &[f64]) -> String {
        classify(&waits.iter().map(|s| Duration::from_secs_f64(*s)).collect::<Vec<_>>()).to_string()
    }

    #[test]
    fn back_offs_of_the_field_get_their_names() {
        for (waits, name) in [
            (&[1.0, 1.0, 1.0][..], "fixed"),
            (&[1.001, 1.003, 1.002, 1.04], "fixed"),
            (&[6.0, 6.0, 6.01, 6.0], "fixed"),
            (&[10.1, 10.1, 10.1], "fixed"),
            (&[1.0, 4.0, 9.0, 16.0, 25.0], "polynomial"),
            (&[4.0, 9.0, 16.0], "polynomial"),
            (&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0], "exponential"),
            (&[2.0, 4.0, 8.0], "exponential"),
            (&[1.0, 2.0, 4.0, 8.0, 10.0, 10.0], "exponential"),
            (&[1.0, 2.0, 4.0, 5.0], "exponential"),
            (&[1.0, 2.0, 3.0, 4.0, 5.0], "linear"),
            (&[5.0, 10.0, 15.0, 20.0, 20.0, 20.0], "linear"),
            (&[1.1, 1.7, 4.6, 7.0, 18.0, 29.0], "exponential, jittered"),
            (&[0.6, 1.1, 3.7, 2.9, 11.4, 20.9, 9.3, 88.0], "growing, jittered"),
            // Four waits with jitter: lines, squares and powers all pass by.
            (&[1.0, 1.4, 2.9, 3.6], "growing, jittered"),
            (&[0.8, 1.7, 2.2, 4.4], "growing, jittered"),
            (&[71.0, 12.0, 103.0, 44.0, 5.0, 97.0, 31.0], "fixed, jittered"),
            (&[1.0, 1.3, 0.8, 1.2, 0.9], "fixed, jittered"),
            // Ever shorter is no back-off.
            (&[97.0, 71.0, 44.0, 31.0, 12.0, 5.0], "unclear"),
            (&[0.001, 0.0, 0.002, 0.001], "none"),
        ] {
            assert_eq!(named(waits), name, "{waits:?}");
        }
    }

    #[test]
    fn both_sides_of_the_edges() {
        assert_eq!(named(&[1.0, 1.0]), "unclear");
        assert_eq!(named(&[1.0, 1.0, 1.0]), "fixed");
        assert_eq!(named(&[0.049; 3]), "none");
        assert_eq!(named(&[0.050; 3]), "fixed");
        // 10 % and the forgiven 50 ms.
        assert_eq!(named(&[10.0, 10.0, 10.0, 11.04]), "fixed");
        assert_eq!(named(&[10.0, 10.0, 10.0, 11.06]), "fixed, jittered");
        assert_eq!(named(&[9.0, 1.0, 5.0, 0.2]), "unclear");
    }
}
