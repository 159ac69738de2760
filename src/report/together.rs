//! What a reader should know of runs that count as one fleet.

use super::words::{names, seconds};
use crate::measure::Results;
use std::collections::{BTreeMap, BTreeSet};

/// The most runs, and the most names, that a note lists.
const MOST: usize = 5;

/// For each fleet of several runs, that it is one, and what that rests on.
pub(super) fn notes(results: &Results) -> Vec<String> {
    let starts = results.starts();
    let fleets = results.fleets().into_iter().filter(|fleet| fleet.runs.len() > 1);
    fleets
        .flat_map(|fleet| [Some(clocks(&fleet.runs, &starts)), shared(results, &fleet.runs)])
        .flatten()
        .collect()
}

fn clocks(runs: &[usize], starts: &[Option<std::time::Duration>]) -> String {
    let start = |run: &usize| starts.get(*run).copied().flatten().unwrap_or_default();
    let mut begun: Vec<(std::time::Duration, usize)> = runs.iter().map(|run| (start(run), run + 1)).collect();
    begun.sort_unstable();
    let first = begun.first().copied().unwrap_or_default();
    let told = |(at, run): &(std::time::Duration, usize)| {
        format!("run {run} {} later", seconds(at.saturating_sub(first.0).as_secs_f64()))
    };
    let others: Vec<String> = begun.iter().skip(1).map(told).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    format!(
        "runs that overlap in time count as one fleet: busiest second, most connected and dip are over all of them; by \
         their wall clocks run {} began first, {}; how far those clocks are apart is not known (NTP: mostly some \
         milliseconds), and these figures are no sharper than that",
        first.1,
        names(&others, MOST, others.len()),
    )
}

/// Devices that several of these runs saw.
fn shared(results: &Results, runs: &[usize]) -> Option<String> {
    let mut seen: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for at in runs {
        let devices = results.runs.get(*at).into_iter().flat_map(|run| run.devices.values());
        devices.for_each(|device| {
            seen.entry(&device.name).or_default().insert(*at);
        });
    }
    let shared: Vec<&str> =
        seen.into_iter().filter(|(_, runs)| runs.len() > 1).map(|(name, _)| name).collect();
    (!shared.is_empty()).then(|| {
        format!(
            "several of these runs saw {}: connected is a device that is so anywhere; windows, time down and recovery are as \
             each run saw them",
            names(&shared, MOST, shared.len())
        )
    })
}
