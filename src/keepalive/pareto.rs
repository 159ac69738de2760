//! The Pareto front: the combinations that no other beats.
//!
//! One combination beats another if it is no worse in any of the figures weighed and better in one, under the same conditions. The
//! rules:
//! - only combinations of the same outages, path idle timeout and loss are held against each other: these are the path's, and
//!   what does well on an easy path is no better a setting. The front of a sweep is the fronts of all its conditions;
//! - of all figures the lesser is the better; a never is worse than any time, and as bad as another never;
//! - combinations that are alike in all figures do not beat each other: if one is on the front, so are the others;
//! - a combination of which one of the figures has no sample, or samples of too few outages ([`Figure::is_whole`]), is not weighed:
//!   it is not on the front, and beats none.

use super::figure::Figure;
use super::model::{Case, Row, Sweep, Terms};
use std::collections::BTreeMap;

/// What combinations are weighed by where nothing else is asked for: how soon the device knows, and what that costs.
pub const DEFAULT: [Figure; 4] = [Figure::DeviceP95, Figure::Data, Figure::WakeUps, Figure::Downtime];

/// The front of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// The combinations on it, by their places in [`Sweep::cases`], ascending.
    pub members: Vec<usize>,
    /// How many were not weighed, since one of the figures has no sample, or samples of too few outages.
    pub unweighed: usize,
}

/// The combinations that no other beats in these figures.
pub fn front(sweep: &Sweep, by: &[Figure]) -> Front {
    let mut front = Front::default();
    for places in conditions(sweep) {
        let weight = |nth: &usize| {
            let row = sweep.cases.get(*nth)?;
            let weights: Option<Vec<f64>> =
                by.iter().map(|figure| weight_of(*figure, row, &sweep.terms)).collect();
            weights.map(|weights| (*nth, weights))
        };
        let weighed: Vec<(usize, Vec<f64>)> = places.iter().filter_map(weight).collect();
        front.unweighed += places.len() - weighed.len();
        front.members.extend(unbeaten(weighed));
    }
    front.members.sort_unstable();
    front
}

fn weight_of(figure: Figure, row: &Row, terms: &Terms) -> Option<f64> {
    figure.of(row, terms).weight().filter(|_| figure.is_whole(&row.figures))
}

/// The combinations by their conditions: those of the same ones together, in the order of their first.
pub fn conditions(sweep: &Sweep) -> Vec<Vec<usize>> {
    let (mut known, mut groups): (BTreeMap<_, usize>, Vec<Vec<usize>>) = (BTreeMap::new(), Vec::new());
    for (nth, row) in sweep.cases.iter().enumerate() {
        let Case { outages, path_idle_ns, loss, .. } = &row.case;
        let group = *known.entry((outages, path_idle_ns, loss.to_bits())).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(places) => places.push(nth),
            None => groups.push(vec![nth]),
        }
    }
    groups
}

/// Of combinations with their figures those that no other beats.
fn unbeaten(mut weighed: Vec<(usize, Vec<f64>)>) -> Vec<usize> {
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
    kept.into_iter().map(|(nth, _)| *nth).collect()
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
    use crate::keepalive::model::Spread;
    use proptest::prelude::*;

    /// Of a few seconds of detection, `None` for a never, and so many wake-ups.
    fn one(detection: Option<u64>, wake_ups: u64) -> Row {
        let mut row = row(60, 90, 1);
        let (samples, never) = detection.map_or((Vec::new(), 1), |s| (vec![s * 1_000_000_000], 0));
        row.figures.device_detection = Spread::of(samples, never);
        row.figures.struck = 1;
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

    #[test]
    fn what_does_well_on_an_easy_path_beats_nothing_on_another() {
        let mut sweep = sweep_of(vec![one(Some(1), 1), one(Some(9), 9), one(Some(9), 10), one(Some(9), 9)]);
        for row in &mut sweep.cases[1..] {
            row.case.outages = "fixed:1h,every=6h".into();
        }
        sweep.cases[3].case.loss = 0.01;
        assert_eq!(conditions(&sweep), [vec![0], vec![1, 2], vec![3]]);
        assert_eq!(front(&sweep, &[Figure::DeviceP95, Figure::WakeUps]).members, [0, 1, 3]);
    }

    /// Of short outages a long keep-alive notices only those that it happens to meet soon.
    #[test]
    fn luck_beats_nothing() {
        let mut lucky = one(Some(1), 1);
        lucky.figures.struck = 12;
        let sweep = sweep_of(vec![lucky, one(Some(9), 9)]);
        let front = front(&sweep, &[Figure::DeviceP95, Figure::WakeUps]);
        assert_eq!(front, Front { members: vec![1], unweighed: 1 });
    }

    proptest! {
        #[test]
        fn no_member_is_beaten_and_every_other_is_by_a_member(
            figures in proptest::collection::vec((proptest::option::of(0..12_u64), 0..12_u64, 0..4_u64, 0..3_u8), 0..60)
        ) {
            let rows = figures.iter().map(|(detection, wake_ups, down, loss)| {
                let mut row = one(*detection, *wake_ups);
                row.figures.downtime_ns = down * 1_000_000_000;
                row.case.loss = f64::from(*loss) / 100.0;
                row
            });
            let sweep = sweep_of(rows.collect());
            let by = [Figure::DeviceP95, Figure::WakeUps, Figure::Downtime];
            let front = front(&sweep, &by);
            let weights: Vec<Vec<f64>> = sweep.cases.iter()
                .map(|row| by.iter().map(|figure| figure.of(row, &sweep.terms).weight().unwrap()).collect())
                .collect();
            for group in conditions(&sweep) {
                let beaten_by = |nth: usize, other: usize| beats(&weights[other], &weights[nth]);
                for nth in group.iter().copied() {
                    let is_member = front.members.contains(&nth);
                    prop_assert_eq!(!is_member, group.iter().any(|other| beaten_by(nth, *other)));
                    let mut members = group.iter().filter(|other| front.members.contains(other));
                    prop_assert!(is_member || members.any(|member| beaten_by(nth, *member)));
                }
            }
        }
    }
}
