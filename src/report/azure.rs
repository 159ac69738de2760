//! As Azure IoT Hub would log it: how many entries of each error, and the pattern in which they came.

use super::model::{Azure, AzureEntry};
use super::words::{self, count, many, range, seconds};
use crate::base::DeviceId;
use crate::base::text::printable;
use crate::base::units::to_u64;
use crate::measure::azure::{Entry, Operation};
use crate::measure::diagnosis::rhythm::{Rhythm, crowds, rhythms};
use crate::measure::{Cause, LinkEnd, Results, RunResults};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Up to so many patterns of a kind are told one by one; of more, the first.
const MOST_TOLD: usize = 4;

/// The section; `None` where no link ended with an error, and no connect was refused.
pub(super) fn azure(results: &Results) -> Option<Azure> {
    let mut by_kind: BTreeMap<Entry, u64> = BTreeMap::new();
    for entry in results.runs.iter().flat_map(|run| &run.ends).filter_map(|end| end.logged) {
        *by_kind.entry(entry).or_default() += 1;
    }
    if by_kind.keys().all(|entry| entry.code.is_none()) {
        return None;
    }
    let mut entries: Vec<AzureEntry> = by_kind.into_iter().map(of_kind).collect();
    entries.sort_by_key(|entry| (entry.code.is_none(), Reverse(entry.count)));
    let several = results.runs.len() > 1;
    let patterns = results.runs.iter().zip(1..).flat_map(|(run, number)| {
        let which = if several { format!("run {number}, ") } else { String::new() };
        patterns(run).into_iter().map(move |told| format!("{which}{told}"))
    });
    Some(Azure { entries, patterns: patterns.collect() })
}

fn of_kind((entry, count): (Entry, u64)) -> AzureEntry {
    AzureEntry {
        operation: entry.operation.name(),
        code: entry.code.map(|code| code.number()),
        name: entry.code.map(|code| code.name()),
        nearest: entry.nearest,
        count,
    }
}

/// The patterns of disconnects with an error: many at once, then each device's own.
fn patterns(run: &RunResults) -> Vec<String> {
    let mut lost: Vec<&LinkEnd> = run.ends.iter().filter(|end| is_lost(end)).collect();
    lost.sort_by_key(|end| end.over);
    let mut told = Vec::new();
    let mut in_crowds: BTreeSet<DeviceId> = BTreeSet::new();
    let crowds = crowds(&lost);
    for crowd in crowds.iter().take(MOST_TOLD) {
        told.push(of_crowd(run, crowd));
    }
    in_crowds.extend(crowds.iter().flatten().map(|end| end.device));
    let (mut regular, mut random) = (Vec::new(), Vec::new());
    let is_one = |device| run.devices.get(&device).is_none_or(|device| !device.several);
    for rhythm in rhythms(&lost).into_iter().filter(|rhythm| is_one(rhythm.device)) {
        let name = printable(run.name(rhythm.device));
        if rhythm.regular {
            regular.push(of_regular(&name, &rhythm));
        } else if !in_crowds.contains(&rhythm.device) {
            let [least, _, most] = rhythm.intervals;
            let between = range(least.as_secs_f64(), most.as_secs_f64());
            random.push(format!("{name}: at random ({between} apart, {})", times(rhythm.ends.len())));
        }
    }
    for (kind, how) in [(regular, "at regular intervals"), (random, "at random")] {
        let shown = if kind.len() > MOST_TOLD { 1 } else { kind.len() };
        let more = to_u64(kind.len() - shown);
        told.extend(kind.into_iter().take(shown));
        told.extend((more > 0).then(|| format!("and {} {how}", count(more, "more device"))));
    }
    told
}

fn is_lost(end: &LinkEnd) -> bool {
    let is_error = |entry: Entry| entry.operation == Operation::Disconnect && entry.code.is_some();
    let is_wanted = matches!(end.cause, Cause::ToldToEnd { .. });
    end.over.is_some() && !is_wanted && end.logged.is_some_and(is_error)
}

/// `sensor-1: every 65 s (64.9 to 65.2 s, 5 times), at token expiry`
fn of_regular(name: &str, rhythm: &Rhythm<'_>) -> String {
    let [least, median, most] = rhythm.intervals;
    let expired =
        rhythm.ends.iter().all(|end| matches!(end.cause, Cause::TokenExpired(_) | Cause::TokenOver));
    let why = if expired { ", at token expiry" } else { "" };
    let every = words::whole_seconds(median.as_secs_f64());
    // The range says nothing more where it reads like the median.
    let [shown, from, to] = [median, least, most].map(|gap| seconds(gap.as_secs_f64()));
    let between = if from == shown && to == shown {
        String::new()
    } else {
        format!("{}, ", range(least.as_secs_f64(), most.as_secs_f64()))
    };
    format!("{name}: every {every} ({between}{}){why}", times(rhythm.ends.len()))
}

/// `all at once: 20 of 20 devices within 0.4 s, at 12.0 s`
fn of_crowd(run: &RunResults, crowd: &[&LinkEnd]) -> String {
    let devices: BTreeSet<DeviceId> = crowd.iter().map(|end| end.device).collect();
    let accepted = run.devices.values().filter(|device| device.was_there).count();
    let first = crowd.first().and_then(|end| end.over).unwrap_or_default();
    let last = crowd.last().and_then(|end| end.over).unwrap_or_default();
    let within = seconds(last.since(first).as_secs_f64());
    let all = if devices.len() == accepted { "all" } else { "many" };
    let at = seconds(first.elapsed().as_secs_f64());
    format!("{all} at once: {} of {accepted} devices within {within}, at {at}", devices.len())
}

fn times(number: usize) -> String {
    many(number, "time")
}
