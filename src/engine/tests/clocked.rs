//! Rules by the run's clock, where brownout comes to their firings late.

use super::*;
use crate::profile::{Repeat, Spell};

fn every(millis: u64, times: Option<u32>) -> When {
    let every = Duration::from_millis(millis);
    When::At { first: every, repeat: Some(Repeat { every, jitter: Duration::ZERO, times }) }
}

impl Run {
    /// brownout comes to nothing until then.
    fn held_up(&mut self, until: u64) -> &mut Run {
        self.now = ms(until);
        self.engine.tick(self.now);
        self.drain();
        self
    }

    /// When which firing was made.
    fn fired(&self) -> Vec<(u64, u32)> {
        self.told(|what| match what {
            What::Fired { nth, .. } => Some(*nth),
            _ => None,
        })
    }

    /// When which were skipped, and how late the first was.
    fn skipped(&self) -> Vec<(u64, (u32, u32, u64))> {
        self.told(|what| match what {
            What::Skipped { first, last, late_ns, .. } => Some((*first, *last, late_ns / 1_000_000)),
            _ => None,
        })
    }

    fn told<T>(&self, wanted: impl Fn(&What) -> Option<T>) -> Vec<(u64, T)> {
        let told = |event: &Event| Some((event.at.as_nanos() / 1_000_000, wanted(&event.what)?));
        self.events.iter().filter_map(told).collect()
    }
}

#[test]
fn of_firings_that_are_due_together_the_last_is_made() {
    let mut run = Run::new(plan(vec![rule(every(10_000, Some(6)), slow(50, Some("2s")))]));
    run.device(1, "a", 5);
    run.to(15_000).held_up(41_000).to(80_000);
    assert_eq!(run.fired(), [(10_000, 1), (41_000, 4), (50_000, 5), (60_000, 6)]);
    assert_eq!(run.skipped(), [(41_000, (2, 3, 21_000))]);
    assert_eq!(run.times(|what| matches!(what, What::WindowOpened { .. })), [10_000, 41_000, 50_000, 60_000]);
    assert_eq!(run.finished, Some((ms(64_000), EndReason::Complete)));
}

/// However late, one of them is made: a rule that fires once, or for the last time, is not left out.
#[test]
fn what_is_due_alone_is_made_late() {
    let mut run = Run::new(plan(vec![rule(at(1_000), rst()), rule(every(1_000, Some(3)), rst())]));
    run.device(1, "a", 5);
    run.held_up(9_000);
    assert_eq!(run.fired(), [(9_000, 1), (9_000, 3)]);
    assert_eq!(run.skipped(), [(9_000, (1, 2, 8_000))]);
}

/// One that is made so late that it holds still when the next is due, or nearly so, stands for that too.
#[test]
fn a_late_firing_and_the_next_are_not_one_upon_the_other() {
    let late = |hold: Option<&str>, until| {
        let fault = hold.map_or(rst(), |hold| slow(50, Some(hold)));
        let mut run = Run::new(plan(vec![rule(every(10_000, None), fault)]));
        run.device(1, "a", 5);
        run.held_up(until).to(31_000);
        (run.fired(), run.skipped())
    };
    let both = |until| (vec![(until, 1), (20_000, 2), (30_000, 3)], vec![]);
    let next_skipped = |until| (vec![(until, 1), (30_000, 3)], vec![(20_000, (2, 2, until - 10_000))]);
    for (hold, edge) in [(Some("2s"), 14_000), (Some("8s"), 11_000), (Some("10s"), 11_000), (None, 15_000)] {
        assert_eq!(late(hold, edge), both(edge), "{hold:?}");
        assert_eq!(late(hold, edge + 1), next_skipped(edge + 1), "{hold:?}");
    }
}

#[test]
fn what_waits_for_the_clock_no_longer_than_a_machine_may_take_is_not_skipped() {
    let mut run = Run::new(plan(vec![rule(every(80, None), rst())]));
    run.device(1, "a", 5);
    run.held_up(130).to(160).held_up(289).to(330);
    assert_eq!(run.fired(), [(130, 1), (160, 2), (289, 3), (320, 4)]);
    assert_eq!(run.skipped(), []);
}

/// At the end of its duration a run has nothing more to do, however many firings were due before.
#[test]
fn behind_the_end_of_the_duration_nothing_is_made() {
    let mut plan = plan(vec![rule(every(10_000, None), rst()), rule(at(55_000), rst())]);
    plan.duration = Some(Duration::from_secs(60));
    let mut run = Run::new(plan);
    run.device(1, "a", 5);
    run.to(25_000).held_up(95_000).to(120_000);
    assert_eq!(run.fired(), [(10_000, 1), (20_000, 2)]);
    assert_eq!(run.skipped(), [(95_000, (3, 5, 65_000)), (95_000, (6, 6, 35_000)), (95_000, (1, 1, 40_000))]);
    assert_eq!(run.finished, Some((ms(95_000), EndReason::Duration)));
}

#[test]
fn spells_are_skipped_alike() {
    let spell = |at, hold| Spell { at: Duration::from_secs(at), hold: Duration::from_secs(hold) };
    let spells = When::Spells([spell(1, 2), spell(10, 5), spell(20, 3), spell(40, 1)].into());
    let mut run = Run::new(plan(vec![rule(spells, slow(50, Some("1s")))]));
    run.device(1, "a", 5);
    run.to(5_000).held_up(22_000).to(50_000);
    assert_eq!(run.fired(), [(1_000, 1), (22_000, 3), (40_000, 4)]);
    assert_eq!(run.skipped(), [(22_000, (2, 2, 12_000))]);
    assert_eq!(run.times(is_closed), [3_000, 25_000, 41_000]);
}

/// Firings that jitter brings to one moment are no matter of how late brownout is.
#[test]
fn jitter_alone_skips_nothing() {
    let (every, jitter) = (Duration::from_secs(10), Duration::from_millis(9_999));
    let when = When::At { first: every, repeat: Some(Repeat { every, jitter, times: Some(200) }) };
    let mut run = Run::new(plan(vec![rule(when, rst())]));
    run.device(1, "a", 5);
    run.to(3_000_000);
    assert_eq!(run.fired().len(), 200);
    assert_eq!(run.skipped(), []);
    let at_once = run.fired().windows(2).filter(|two| two[0].0 == two[1].0).count();
    assert!(at_once > 0, "some overtake");
}

/// It is made whatever the number of firings that were missed.
#[test]
fn a_rule_that_fires_more_often_than_a_machine_can_does_not_fall_behind() {
    let nanosecond = Duration::from_nanos(1);
    let when = When::At {
        first: nanosecond,
        repeat: Some(Repeat { every: nanosecond, jitter: Duration::ZERO, times: None }),
    };
    let mut run = Run::new(plan(vec![rule(when, rst())]));
    run.device(1, "a", 5);
    run.held_up(100).held_up(10_000);
    assert_eq!(run.fired().len(), 2);
    assert_eq!(run.skipped().len(), 2);
}
