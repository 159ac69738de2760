//! The rhythm in which links end: many at once, one device's at regular intervals, or at random.
//!
//! The one mechanism for it: findings are made of the ends that no fault had a part in, and what a hub would log of all.

use crate::base::DeviceId;
use crate::measure::results::LinkEnd;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A pattern is regular, or random, from so many intervals on.
pub const LEAST_INTERVALS: usize = 3;
/// Regular intervals differ by no more than this share of the shortest: one in ten.
const ALIKE: u32 = 10;
/// Ends within this span come at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// So many devices at least make a crowd.
pub const CROWD: usize = 3;

/// How the links of one device end.
#[derive(Clone, Debug)]
pub struct Rhythm<'a> {
    /// Whose.
    pub device: DeviceId,
    /// The ends, oldest first.
    pub ends: Vec<&'a LinkEnd>,
    /// Whether they come at regular intervals.
    pub regular: bool,
    /// The shortest interval, the median, the longest.
    pub intervals: [Duration; 3],
}

/// Ends close together of at least half of the devices that these ends are of, and of a crowd. Oldest first, as are the
/// ends given.
pub fn crowds<'a>(ends: &[&'a LinkEnd]) -> Vec<Vec<&'a LinkEnd>> {
    let all: BTreeSet<DeviceId> = ends.iter().map(|end| end.device).collect();
    let mut crowds = Vec::new();
    // Those from `from` up to `to` are within the span, and of so many devices.
    let (mut from, mut to) = (0, 0);
    let mut inside: BTreeMap<DeviceId, u32> = BTreeMap::new();
    while let Some((first, at)) = ends.get(from).and_then(|first| Some((first, first.over?))) {
        let is_near = |end: &&&LinkEnd| end.over.is_some_and(|over| over.since(at) <= AT_ONCE);
        while let Some(near) = ends.get(to).filter(is_near) {
            *inside.entry(near.device).or_default() += 1;
            to += 1;
        }
        if inside.len() >= CROWD && inside.len() * 2 >= all.len() {
            crowds.push(ends.get(from..to).unwrap_or_default().to_vec());
            inside.clear();
            from = to;
            continue;
        }
        if let Some(times) = inside.get_mut(&first.device) {
            *times -= 1;
            if *times == 0 {
                inside.remove(&first.device);
            }
        }
        from += 1;
    }
    crowds
}

/// The rhythm of each device that has enough ends to show one.
pub fn rhythms<'a>(ends: &[&'a LinkEnd]) -> Vec<Rhythm<'a>> {
    let mut by_device: BTreeMap<DeviceId, Vec<&LinkEnd>> = BTreeMap::new();
    ends.iter().for_each(|end| by_device.entry(end.device).or_default().push(end));
    by_device.into_iter().filter_map(|(device, ends)| rhythm(device, ends)).collect()
}

fn rhythm(device: DeviceId, ends: Vec<&LinkEnd>) -> Option<Rhythm<'_>> {
    let mut gaps: Vec<Duration> = ends.windows(2).filter_map(gap).collect();
    gaps.sort_unstable();
    let (least, most) = (*gaps.first()?, *gaps.last()?);
    let median = *gaps.get(gaps.len() / 2)?;
    let regular = most.saturating_sub(least) * ALIKE <= least;
    (gaps.len() >= LEAST_INTERVALS).then_some(Rhythm {
        device,
        ends,
        regular,
        intervals: [least, median, most],
    })
}

fn gap(pair: &[&LinkEnd]) -> Option<Duration> {
    Some(pair.get(1)?.over?.since(pair.first()?.over?))
}
