//! Runs on one axis of time: when each began after the earliest, by its machine's wall clock, and which of them were one
//! fleet: runs that overlap in time, such as those of several machines before the same hub.
//!
//! The clocks of machines differ by what their synchronisation leaves (NTP: mostly some milliseconds on a local network,
//! tens over the Internet, without it anything). Logs do not tell how much, so that it is in no figure: what is of several
//! machines together is as good as their clocks agree.

use super::fleet::{Connected, Held, united};
use super::rate::ConnectRate;
use super::results::{DeviceResults, Results, RunResults};
use crate::base::Time;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The fleet of a run, or of several that overlap in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// The runs, by their places in [`Results`], at least one.
    pub runs: Vec<usize>,
    /// The most connects in any second.
    pub connect_rate: u64,
    /// The most devices that were connected at once.
    pub most: u64,
    /// How many fewer were connected at the worst moment than at the most before it; `None` where none was accepted.
    pub dip: Option<u64>,
    /// When that was, after the first of the runs began.
    pub worst: Option<Time>,
}

/// A device over several runs: who has the same name is the same. Not so in runs that overlap, of several machines, where it did
/// not give itself that name: its address may be of another network there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who<'a> {
    /// Its name.
    pub name: &'a str,
    /// The run that it is of, by its place in [`Results`], where it is another's in others.
    pub run: Option<usize>,
}

impl Results {
    /// Each device of each run, in their order, and who it is.
    pub fn devices(&self) -> impl Iterator<Item = (Who<'_>, &DeviceResults)> {
        let fleets = groups(&self.runs, &self.starts()).into_iter();
        let together: BTreeSet<usize> = fleets.filter(|runs| runs.len() > 1).flatten().collect();
        self.runs.iter().enumerate().flat_map(move |(place, run)| {
            let run_of = together.contains(&place).then_some(place);
            run.devices.values().map(move |device| (who(device, run_of), device))
        })
    }

    /// For each run, how long after the earliest it began; `None` for a run whose wall clock is not known.
    pub fn starts(&self) -> Vec<Option<Duration>> {
        let clocks: Vec<Option<Timestamp>> = self.runs.iter().map(began).collect();
        let earliest = clocks.iter().flatten().min().copied();
        let since = |at: Timestamp| Duration::try_from(at.duration_since(earliest?)).ok();
        clocks.into_iter().map(|clock| since(clock?)).collect()
    }

    /// The fleets, in the order of their first runs.
    pub fn fleets(&self) -> Vec<Fleet> {
        let starts = self.starts();
        let groups = groups(&self.runs, &starts).into_iter();
        let fleet = |runs: Vec<usize>| match runs.as_slice() {
            [alone] => Fleet::alone(*alone, &self.runs),
            _ => self.together(runs, &starts),
        };
        groups.map(fleet).collect()
    }

    fn together(&self, runs: Vec<usize>, starts: &[Option<Duration>]) -> Fleet {
        let start = |at: usize| starts.get(at).copied().flatten().unwrap_or_default();
        let first = runs.iter().map(|at| start(*at)).min().unwrap_or_default();
        let all: Vec<(&RunResults, Duration)> = runs
            .iter()
            .filter_map(|at| Some((self.runs.get(*at)?, start(*at).saturating_sub(first))))
            .collect();
        let Connected { most, dip, worst } = Connected::of(spans(&all).iter());
        Fleet { runs, connect_rate: connect_rate(&all), most, dip, worst }
    }
}

impl Fleet {
    fn alone(place: usize, runs: &[RunResults]) -> Fleet {
        let run = runs.get(place);
        Fleet {
            runs: vec![place],
            connect_rate: run.map_or(0, |run| run.connect_rate),
            most: run.map_or(0, |run| run.fleet.most),
            dip: run.and_then(|run| run.fleet.dip),
            worst: run.and_then(|run| run.fleet.worst),
        }
    }
}

/// `run`: where it is one of several that overlap.
fn who(device: &DeviceResults, run: Option<usize>) -> Who<'_> {
    Who { name: &device.name, run: run.filter(|_| !device.says_who_it_is()) }
}

/// By its own wall clock.
fn began(run: &RunResults) -> Option<Timestamp> {
    run.started.as_ref()?.wall_clock.parse().ok()
}

/// Runs that overlap, each with any other of its group or over others between; a run without a wall clock is alone.
fn groups(runs: &[RunResults], starts: &[Option<Duration>]) -> Vec<Vec<usize>> {
    let all = runs.iter().zip(starts).enumerate();
    let mut known: Vec<(Duration, Duration, usize)> =
        all.clone().filter_map(|(at, (run, start))| Some(((*start)?, run.lasted, at))).collect();
    known.sort_unstable();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut until = Duration::ZERO;
    for (start, lasted, at) in known {
        match groups.last_mut().filter(|_| start < until) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
        until = until.max(start.saturating_add(lasted));
    }
    groups.extend(all.filter(|(_, (_, start))| start.is_none()).map(|(at, _)| vec![at]));
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    groups
}

fn connect_rate(runs: &[(&RunResults, Duration)]) -> u64 {
    let connects = runs.iter().flat_map(|(run, after)| run.fleet.connects.iter().map(|at| *at + *after));
    let mut connects: Vec<Time> = connects.collect();
    connects.sort_unstable();
    let mut rate = ConnectRate::default();
    connects.into_iter().for_each(|at| rate.connect(at));
    rate.peak()
}

/// When each device was connected over any of the machines. Where a run ends its devices are seen no more: as
/// who says DISCONNECT, they are not missed.
fn spans(runs: &[(&RunResults, Duration)]) -> Vec<Held> {
    let mut by_name: BTreeMap<Who<'_>, Vec<Held>> = BTreeMap::new();
    let last = runs.iter().map(|(run, after)| run.lasted.saturating_add(*after)).max().unwrap_or_default();
    for (place, (run, after)) in runs.iter().enumerate() {
        let ends = run.lasted.saturating_add(*after);
        let unseen = (ends < last).then_some(Time::ZERO + ends);
        for (device, held) in &run.fleet.held {
            let moved = held.iter().map(|span| Held {
                from: span.from + *after,
                until: span.until.map(|at| at + *after).or(unseen),
                by_choice: span.by_choice || span.until.is_none(),
            });
            let who = run.devices.get(device).map(|device| who(device, Some(place)));
            let who = who.unwrap_or(Who { name: "?", run: Some(place) });
            by_name.entry(who).or_default().extend(moved);
        }
    }
    by_name.values_mut().for_each(|spans| spans.sort_by_key(|span| span.from));
    by_name.into_values().flat_map(|spans| united(spans.into_iter())).collect()
}
