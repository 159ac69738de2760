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
        .flat_map(|fleet| {
            let runs = &fleet.runs;
            [Some(clocks(runs, &starts)), shared(results, runs), apart(results, runs)]
        })
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

/// The names that several of these runs saw, of devices that gave them to themselves, or of those that did not.
fn in_several<'a>(results: &'a Results, runs: &[usize], by_themselves: bool) -> Vec<&'a str> {
    let mut seen: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for at in runs {
        let devices = results.runs.get(*at).into_iter().flat_map(|run| run.devices.values());
        devices.filter(|device| device.says_who_it_is() == by_themselves).for_each(|device| {
            seen.entry(&device.name).or_default().insert(*at);
        });
    }
    seen.into_iter().filter(|(_, runs)| runs.len() > 1).map(|(name, _)| name).collect()
}

/// Addresses at which several of these runs saw a device.
fn apart(results: &Results, runs: &[usize]) -> Option<String> {
    let apart = in_several(results, runs, false);
    (!apart.is_empty()).then(|| {
        format!(
            "several of these runs saw {}, which gave no identifier: counted as a device of each run, since each machine may have \
             another network before it",
            names(&apart, MOST, apart.len())
        )
    })
}

/// Devices that several of these runs saw.
fn shared(results: &Results, runs: &[usize]) -> Option<String> {
    let shared = in_several(results, runs, true);
    (!shared.is_empty()).then(|| {
        format!(
            "several of these runs saw {}: connected is a device that is so anywhere; windows, time down and recovery are as \
             each run saw them",
            names(&shared, MOST, shared.len())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Direction, LinkId};
    use crate::event::What;
    use crate::measure::story::{Story, plan};
    use crate::report::Report;

    /// A device of which only the address is seen, and one with a name.
    fn passed_through(wall_clock: &str) -> Results {
        let mut story = Story::new();
        if let What::RunStarted(started) = &mut story.events[0].what {
            started.wall_clock = wall_clock.into();
        }
        story.at(1_000).greets(1).hello(1, true).is_of(1, 0, "10.0.0.5");
        story.tell(What::FirstData { link: LinkId(1), direction: Direction::Down });
        story.joins(2, 1, "pump", 60).at(30_000).over();
        story.results(&plan(Vec::new()))
    }

    #[test]
    fn an_address_on_two_machines_is_two_devices_and_a_name_is_one() {
        let of = |wall_clock: &str| {
            let results = passed_through("2026-01-01T00:00:00Z").merge(passed_through(wall_clock));
            Report::new(&plan(Vec::new()), &results)
        };
        let names = |report: &Report| -> Vec<String> {
            report.devices.iter().map(|device| device.name.clone()).collect()
        };
        let together = of("2026-01-01T00:00:10Z");
        assert_eq!(names(&together), ["10.0.0.5 (run 1)", "pump", "10.0.0.5 (run 2)"]);
        assert_eq!((together.fleet.devices, together.fleet.most_connected), (3, 3));
        let notes = together.notes.join("\n");
        assert!(notes.contains("several of these runs saw 10.0.0.5, which gave no identifier"), "{notes}");
        assert!(notes.contains("several of these runs saw pump: "), "{notes}");
        let later = of("2026-01-01T00:00:30Z");
        assert_eq!((names(&later).len(), later.fleet.devices), (2, 2), "one after the other");
    }
}
