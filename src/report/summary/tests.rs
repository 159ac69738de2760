//! Goldens of the Markdown, and what no client identifier may do to it.

use super::*;
use crate::base::{DeviceId, Direction, Ways};
use crate::event::Delivery;
use crate::measure::Results;
use crate::report::junit::tests::with_findings;
use crate::report::tests::stories::{dark_and_reset, restless};

fn with_messages() -> Results {
    let mut results = with_findings();
    let mut counts: Ways<Delivery> = Ways::default();
    *counts.get_mut(Direction::Up) = Delivery {
        sent: [9, 40, 0],
        received: [7, 39, 0],
        completed: [0, 38, 0],
        lost: [2, 1, 0],
        ..Delivery::default()
    };
    if let Some(device) = results.runs[0].devices.get_mut(&DeviceId(0)) {
        device.delivery.counts = counts;
    }
    results
}

#[test]
fn a_run_with_everything() {
    insta::assert_snapshot!(render(&Report::new(&dark_and_reset(), &with_messages())));
}

#[test]
fn what_several_runs_were_set_to_is_told_once() {
    let mut one = with_messages();
    if let Some(started) = &mut one.runs[0].started {
        started.overrides = vec!["settle=4s".into(), "dark.delay=1s".into()];
    }
    let text = render(&Report::new(&dark_and_reset(), &one.clone().merge(one)));
    assert!(text.contains(", set settle=4s, set dark.delay=1s\n"), "{text}");
}

#[test]
fn names_are_text() {
    let mut results = with_messages();
    let name = "a|b`<script>\n# [x](http://y) \\| **c**";
    results.runs[0].devices.values_mut().for_each(|device| device.name = name.into());
    let text = render(&Report::new(&dark_and_reset(), &results));
    for wrong in ["a|b", "<script>", "](", "\\", "**c", "`"] {
        assert!(!text.contains(wrong), "{wrong} in {text}");
    }
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.for_each(|row| assert!(row.ends_with(" |"), "{row}"));
}

#[test]
fn a_summary_that_is_too_long_is_cut_openly() {
    let mut report = Report::new(&dark_and_reset(), &restless(3, 1).results(&dark_and_reset()));
    report.notes = vec!["x".repeat(1_000); 2_000];
    let text = render(&report);
    assert!(text.len() <= MOST_BYTES && text.ends_with(&format!("{CUT}\n")), "{}", text.len());
}
