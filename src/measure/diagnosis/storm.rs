//! Too many connects at once: storms, and fleets without back-off.

use super::{Kind, Scene, many};
use crate::base::DeviceId;
use crate::base::units::to_u64;
use crate::measure::backoff::{BackOff, Shape};
use crate::measure::finding::{Class, Finding, Grade, MOST_EVIDENCE, Seen};
use crate::measure::results::LinkEnd;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const STORM: Kind = Kind::new("reconnect-storm", Class::Recovery);
pub(super) const NO_BACK_OFF: Kind = Kind::new("fleet-without-back-off", Class::Recovery);

/// A fleet of fewer devices makes no storm.
pub const LEAST_FLEET: usize = 20;
/// So many connects of each device in a second are a storm of any fleet's: who doubles a first wait of 200 ms makes four.
const KNOCKS_EACH: usize = 5;
/// So many devices without back-off are a fleet's habit, not one device's.
pub const LEAST_ALIKE: usize = 3;
/// What fits into a storm's busiest moment.
const BUSY: Duration = Duration::from_secs(1);

pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = storm(scene).into_iter().collect();
    found.extend(no_back_off(scene));
    found
}

/// The busiest second of reconnects.
struct Peak<'a> {
    connects: &'a [&'a LinkEnd],
    devices: usize,
}

fn storm(scene: &Scene<'_>) -> Option<Finding> {
    let again = reconnects(&scene.run.ends);
    let peak = busiest(&again)?;
    // In a part of a log, some may not have been accepted yet.
    let fleet = scene.fleet().max(peak.devices);
    let (most, limits) = (peak.connects.len(), scene.limits);
    let share = u64::try_from(peak.devices * 100 / fleet.max(1)).unwrap_or(0);
    let over_rate = limits.storm_rate.is_some_and(|rate| to_u64(most) > rate);
    let is_large = fleet >= LEAST_FLEET;
    let grade = if over_rate || (is_large && most >= fleet * KNOCKS_EACH) {
        Grade::Fail
    } else if is_large && share >= limits.storm_share {
        Grade::Warn
    } else {
        return None;
    };
    let first = peak.connects.first()?.opened;
    let told = format!(
        "{} within a second at {first} s, by {} of {fleet} devices.",
        many(most, "reconnect"),
        peak.devices
    );
    let in_step = match most >= fleet * KNOCKS_EACH {
        true => "the devices lost their links together, and knock again and again with hardly a wait",
        false => {
            "the devices lost their links together, and none waits a time of its own before it comes back"
        }
    };
    let throttled = limits.storm_rate.filter(|_| over_rate);
    let cause = throttled.map_or_else(
        || in_step.to_owned(),
        |rate| format!("the hub takes {rate} new connections a second and throttles the rest (429001)"),
    );
    let mut finding = STORM.found(grade, None, told, shown(peak.connects));
    finding.count = to_u64(most);
    Some(finding.because(cause, "draw the first wait at random too, from a range that grows with the fleet"))
}

fn shown(connects: &[&LinkEnd]) -> Vec<Seen> {
    let seen = |end: &&LinkEnd| Seen { seq: end.opened_seq, at: end.opened, what: "connects anew".into() };
    connects.iter().take(MOST_EVIDENCE).map(seen).collect()
}

/// The links that devices opened after their first, by time.
fn reconnects(ends: &[LinkEnd]) -> Vec<&LinkEnd> {
    let mut known: BTreeSet<DeviceId> = BTreeSet::new();
    let mut again: Vec<&LinkEnd> = ends.iter().filter(|end| !known.insert(end.device)).collect();
    again.sort_by_key(|end| end.opened);
    again
}

fn busiest<'a>(again: &'a [&'a LinkEnd]) -> Option<Peak<'a>> {
    let mut first = 0;
    let mut best = 0..0;
    for (last, end) in again.iter().enumerate() {
        while end.opened.since(again[first].opened) >= BUSY {
            first += 1;
        }
        if last + 1 - first > best.len() {
            best = first..last + 1;
        }
    }
    let connects = again.get(best).filter(|connects| !connects.is_empty())?;
    let devices: BTreeSet<DeviceId> = connects.iter().map(|end| end.device).collect();
    Some(Peak { connects, devices: devices.len() })
}

/// How each device waited, in each outage that shows it.
fn back_offs(scene: &Scene<'_>) -> BTreeMap<DeviceId, Vec<(BackOff, Seen)>> {
    let mut known: BTreeMap<DeviceId, Vec<(BackOff, Seen)>> = BTreeMap::new();
    let words = |back_off: BackOff, attempts: u64| format!("back-off: {back_off} ({attempts} attempts)");
    for outage in scene.run.outages.iter().filter(|outage| outage.back_off.shape != Shape::Unclear) {
        let noted = scene.watch.link(outage.link);
        let what = words(outage.back_off, outage.attempts);
        let seen = Seen { seq: noted.over.unwrap_or(noted.opened), at: outage.over, what };
        known.entry(outage.device).or_default().push((outage.back_off, seen));
    }
    for (id, window) in scene.windows() {
        let Some(at) = window.start.filter(|_| window.back_off.shape != Shape::Unclear) else { continue };
        let what = words(window.back_off, window.attempts);
        let seen = Seen { seq: scene.watch.window(id, window.start), at, what };
        known.entry(window.device).or_default().push((window.back_off, seen));
    }
    known
}

/// Devices that come back at once, or in step, whatever cost them their links.
fn no_back_off(scene: &Scene<'_>) -> Option<Finding> {
    let known = back_offs(scene);
    let all = known.len();
    let has_none = |shown: &Vec<(BackOff, Seen)>| shown.iter().all(|(back_off, _)| !backs_off(*back_off));
    let without = known.into_iter().filter(|(_, shown)| has_none(shown));
    let (named, without): (Vec<_>, Vec<_>) = without.partition(|(device, _)| scene.named.contains(device));
    // Whose loop is told by itself counts for the habit of the fleet, and is not told once more.
    if without.len() < LEAST_ALIKE || (without.len() + named.len()) * 2 < all {
        return None;
    }
    let without: Vec<Vec<(BackOff, Seen)>> = without.into_iter().map(|(_, shown)| shown).collect();
    let at_once = without.iter().flatten().any(|(back_off, _)| back_off.shape == Shape::None);
    let grade = if at_once { Grade::Fail } else { Grade::Warn };
    let told = format!(
        "{} of the {all} devices whose waits show a pattern came back at once, or in step, attempt after attempt.",
        without.len()
    );
    let first = without.iter().filter_map(|shown| shown.first()).map(|(_, seen)| seen.clone());
    let mut seen: Vec<Seen> = first.collect();
    seen.sort_by_key(|seen: &Seen| (seen.at, seen.seq));
    Some(NO_BACK_OFF.found(grade, None, told, seen).because(
        "the client reconnects in a loop with no wait, or with one that never grows and is the same for all",
        "wait longer after each failure, up to a cap, and draw each wait at random",
    ))
}

fn backs_off(back_off: BackOff) -> bool {
    match back_off.shape {
        Shape::None => false,
        Shape::Fixed => back_off.jittered,
        Shape::Linear | Shape::Polynomial | Shape::Exponential | Shape::Growing | Shape::Unclear => true,
    }
}
