//! Runs of two machines that overlap by ten seconds.

use crate::base::{Direction, LinkId, Side, Time};
use crate::event::What;
use crate::fault::Ending;
use crate::measure::story::{Story, expect, plan};
use crate::measure::{Judgement, Results, Who, judge};
use crate::profile::{Comparison, Limit, Metric, Statistic};
use std::time::Duration;

fn begins(story: &mut Story, wall_clock: &str) {
    if let What::RunStarted(started) = &mut story.events[0].what {
        started.wall_clock = wall_clock.into();
    }
}

/// From 0 to 30 s: `a` from 1 s on, `b` from 25 s to 27 s.
fn first() -> Story {
    let mut story = Story::new();
    story.at(1_000).joins(1, 0, "a", 60).at(25_000).joins(2, 1, "b", 60);
    story.at(27_000).ends(2, Side::Device, Ending::Reset).closes(2).at(30_000).over();
    story
}

/// From the given moment on for 20 s: `c` from 5.4 s on, `b` from 8 s on.
fn second(wall_clock: &str) -> Story {
    let mut story = Story::new();
    begins(&mut story, wall_clock);
    story.at(5_400).joins(1, 0, "c", 60).at(8_000).joins(2, 1, "b", 60).at(20_000).over();
    story
}

fn merged(wall_clock: &str) -> Results {
    let plan = plan(Vec::new());
    second(wall_clock).results(&plan).merge(first().results(&plan))
}

#[test]
fn runs_that_overlap_are_one_fleet() {
    let results = merged("2026-01-01T00:00:20Z");
    assert_eq!(results.starts(), [Some(Duration::ZERO), Some(Duration::from_secs(20))]);
    let [fleet] = results.fleets().try_into().unwrap();
    assert_eq!(fleet.runs, [0, 1]);
    assert_eq!(fleet.connect_rate, 2, "b at 25.0 s and c at 25.4 s of the common time");
    assert_eq!(fleet.most, 3, "a, b and c, b over either machine");
    assert_eq!((fleet.dip, fleet.worst), (Some(1), Some(Time::from_secs(27))), "b, until it is back at 28 s");
}

/// TLS that is passed through shows no name: the same address on two machines at a time is of two networks, for all that is known.
#[test]
fn who_is_known_by_an_address_alone_is_another_on_each_machine() {
    let sees = |story: &mut Story, at: u64, until: Option<u64>| {
        story.at(at).greets(1).hello(1, true).is_of(1, 0, "10.0.0.5");
        story.tell(What::FirstData { link: LinkId(1), direction: Direction::Down });
        if let Some(until) = until {
            story.at(until).ends(1, Side::Device, Ending::Reset).closes(1);
        }
        story.at(30_000).over();
    };
    let of = |wall_clock: &str| {
        let (mut one, mut two) = (Story::new(), Story::new());
        begins(&mut two, wall_clock);
        sees(&mut one, 1_000, None);
        sees(&mut two, 2_000, Some(6_000));
        let plan = plan(Vec::new());
        one.results(&plan).merge(two.results(&plan))
    };
    let results = of("2026-01-01T00:00:10Z");
    let [fleet] = results.fleets().try_into().unwrap();
    assert_eq!((fleet.most, fleet.dip, fleet.worst), (2, Some(1), Some(Time::from_secs(16))));
    let who: Vec<Who<'_>> = results.devices().map(|(who, _)| who).collect();
    let of_run = |run| Who { name: "10.0.0.5", run };
    assert_eq!(who, [of_run(Some(0)), of_run(Some(1))]);
    // One run after another may be before the same network, as those of one machine are.
    let results = of("2026-01-01T00:00:30Z");
    let who: Vec<Who<'_>> = results.devices().map(|(who, _)| who).collect();
    assert_eq!(who, [of_run(None), of_run(None)]);
}

#[test]
fn who_comes_back_on_the_other_machine_at_once_was_never_missed() {
    let results = merged("2026-01-01T00:00:19Z");
    let [fleet] = results.fleets().try_into().unwrap();
    assert_eq!((fleet.most, fleet.dip), (3, Some(0)), "b goes and comes at 27 s");
}

#[test]
fn runs_one_after_the_other_are_fleets_of_their_own() {
    for (wall_clock, fleets) in
        [("2026-01-01T00:00:29.999Z", 1), ("2026-01-01T00:00:30Z", 2), ("yesterday", 2)]
    {
        assert_eq!(merged(wall_clock).fleets().len(), fleets, "{wall_clock}");
    }
    let results = merged("2026-01-01T00:00:30Z");
    let rates: Vec<u64> = results.fleets().iter().map(|fleet| fleet.connect_rate).collect();
    assert_eq!(rates, [1, 1]);
}

#[test]
fn what_lies_between_makes_one_fleet_of_both_ends() {
    let plan = plan(Vec::new());
    let results = merged("2026-01-01T00:00:25Z").merge(second("2026-01-01T00:00:40Z").results(&plan));
    let [fleet] = results.fleets().try_into().unwrap();
    assert_eq!(fleet.runs, [0, 1, 2]);
}

/// Expectations of the fleet have one sample a fleet.
#[test]
fn expectations_are_of_the_fleet_together() {
    for (wall_clock, rate, samples) in [("2026-01-01T00:00:20Z", 2.0, 1), ("2026-01-01T00:00:30Z", 1.0, 2)] {
        let of = |metric, limit| expect(metric, Statistic::Max, Comparison::Equal, Limit::Number(limit));
        let verdicts = judge(&[of(Metric::ConnectRate, rate), of(Metric::Dip, 1.0)], &merged(wall_clock));
        for verdict in verdicts {
            assert_eq!(
                (verdict.judgement, verdict.samples),
                (Judgement::Met, samples),
                "{wall_clock} {verdict:?}"
            );
        }
    }
}
