//! Goldens of both forms.

use super::*;
use crate::event::What;
use crate::measure::story::Story;
use crate::report::junit::tests::with_findings;
use crate::report::tests::stories::{dark_and_reset, fleet, four_devices};

const SETTINGS: Settings = Settings { alpha: 0.05, margin: 0.05 };

fn compared(a: &Results, b: &Results) -> Compared {
    let compared = Compared::new(&dark_and_reset(), a, b, SETTINGS);
    for line in compared.to_text(Styling::Plain).lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line}");
        assert_eq!(line.trim_end(), line, "blanks at the end");
    }
    compared
}

/// The same with everything of devices so much later.
fn later(mut story: Story, millis: u64) -> Story {
    let late = crate::base::Time::from_millis(4_900);
    for event in story.events.iter_mut().filter(|event| event.at > late) {
        event.at = crate::base::Time::from_nanos(event.at.as_nanos() + millis * 1_000_000);
    }
    if let What::RunStarted(started) = &mut story.events[0].what {
        started.seed = 43;
        started.wall_clock = "2026-01-02T00:00:00.25Z".into();
    }
    story
}

#[test]
fn a_fleet_that_notices_later() {
    let plan = dark_and_reset();
    let all = compared(&fleet(20).results(&plan), &later(fleet(20), 2_500).results(&plan));
    assert!(!all.is_no_worse());
    insta::assert_snapshot!(all.to_text(Styling::Plain));
    insta::assert_snapshot!(all.to_json().unwrap());
}

#[test]
fn few_devices_whose_findings_are_new() {
    let plan = dark_and_reset();
    let all = compared(&four_devices().results(&plan), &with_findings());
    assert!(all.is_no_worse(), "{all:?}");
    insta::assert_snapshot!(all.to_text(Styling::Plain));
}

#[test]
fn nothing_at_all() {
    let mut empty = Story::new();
    empty.at(5_000).over();
    let plan = dark_and_reset();
    insta::assert_snapshot!(compared(&empty.results(&plan), &empty.results(&plan)).to_text(Styling::Plain));
}
