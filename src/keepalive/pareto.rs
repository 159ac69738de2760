//! The Pareto front: the combinations that no other beats.
//!
//! One combination beats another if it is no worse in any of the figures weighed and better in one. The rules:
//! - of all figures the lesser is the better; a never is worse than any time, and as bad as another never;
//! - combinations that are alike in all figures do not beat each other: if one is on the front, so are the others;
//! - a combination of which one of the figures has no sample is not weighed: it is not on the front, and beats none.

use super::figure::Figure;
use super::model::Sweep;

/// What combinations are weighed by where nothing else is asked for: how soon the device knows, and what that costs.
pub const DEFAULT: [Figure; 4] = [Figure::DeviceP95, Figure::Data, Figure::WakeUps, Figure::Downtime];

/// The front of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// The combinations on it, by their places in [`Sweep::cases`], ascending.
    pub members: Vec<usize>,
    /// How many were not weighed, since one of the figures has no sample.
    pub unweighed: usize,
}

/// The combinations that no other beats in these figures.
pub fn front(sweep: &Sweep, by: &[Figure]) -> Front {
    let weights =
        |row| -> Option<Vec<f64>> { by.iter().map(|figure| figure.of(row, &sweep.terms).weight()).collect() };
    let mut weighed: Vec<(usize, Vec<f64>)> = sweep
        .cases
        .iter()
        .map(weights)
        .enumerate()
        .filter_map(|(nth, weight)| Some((nth, weight?)))
        .collect();
    let unweighed = sweep.cases.len() - weighed.len();
    // None that comes later in this order can beat one that came before, so that what is kept stays.
    weighed.sort_by(|(_, a), (_, b)| order(a, b));
    let mut kept: Vec<&(usize, Vec<f64>)> = Vec::new();
    for one in &weighed {
        // Alike ones stand side by side; of those that beat it, one is kept, since beating is transitive.
        let is_alike = kept.last().is_some_and(|last| last.1 == one.1);
        if is_alike || !kept.iter().any(|other| beats(&other.1, &one.1)) {
            kept.push(one);
        }
    }
    let mut members: Vec<usize> = kept.iter().map(|(nth, _)| *nth).collect();
    members.sort_unstable();
    Front { members, unweighed }
}

fn order(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

/// Whether the one is no worse in any figure and better in one.
fn beats(one: &[f64], other: &[f64]) -> bool {
    one.iter().zip(other).all(|(one, other)| one <= other)
        && one.iter().zip(other).any(|(one, other)| one < other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::fixtures::{row, sweep_of};
    use crate::keepalive::model::{Row, Spread};
    use proptest::prelude::*;

    /// Of a few seconds of detection, `None` for a never, and so many wake-ups.
    fn one(detection: Option<u64>, wake_ups: u64) -> Row {
        let mut row = row(60, 90, 1);
        let (samples, never) = detection.map_or((Vec::new(), 1), |s| (vec![s * 1_000_000_000], 0));
        row.figures.device_detection = Spread::of(samples, never);
        row.figures.wake_ups = wake_ups;
        row
    }

    #[test]
    fn ties_nevers_and_what_has_no_sample() {
        let mut none = one(Some(1), 1);
        none.figures.device_detection = Spread::default();
        let sweep = sweep_of(vec![
            one(Some(9), 5),
            one(Some(5), 9),
            one(Some(9), 5),
            one(Some(9), 6),
            one(None, 4),
            one(None, 4),
            one(None, 5),
            none,
        ]);
        let front = front(&sweep, &[Figure::DeviceP95, Figure::WakeUps]);
        assert_eq!(front, Front { members: vec![0, 1, 2, 4, 5], unweighed: 1 });
        assert_eq!(super::front(&sweep_of(Vec::new()), &DEFAULT), Front::default());
    }

    proptest! {
        #[test]
        fn no_member_is_beaten_and_every_other_is_by_a_member(
            figures in proptest::collection::vec((proptest::option::of(0..12_u64), 0..12_u64, 0..4_u64), 0..60)
        ) {
            let rows = figures.iter().map(|(detection, wake_ups, down)| {
                let mut row = one(*detection, *wake_ups);
                row.figures.downtime_ns = down * 1_000_000_000;
                row
            });
            let sweep = sweep_of(rows.collect());
            let by = [Figure::DeviceP95, Figure::WakeUps, Figure::Downtime];
            let front = front(&sweep, &by);
            let weights: Vec<Vec<f64>> = sweep.cases.iter()
                .map(|row| by.iter().map(|figure| figure.of(row, &sweep.terms).weight().unwrap()).collect())
                .collect();
            for (nth, weight) in weights.iter().enumerate() {
                let is_member = front.members.contains(&nth);
                prop_assert_eq!(!is_member, weights.iter().any(|other| beats(other, weight)));
                prop_assert!(is_member || front.members.iter().any(|member| beats(&weights[*member], weight)));
            }
        }
    }
}
