//! Live progress.

use super::stories::{dark_and_reset, fleet, four_devices, troubled};
use crate::base::Time;
use crate::measure::story::{Story, blackhole, plan};
use crate::profile::Plan;
use crate::report::Live;

fn told(plan: &Plan, story: &Story) -> String {
    let mut live = Live::new(plan);
    let lines: Vec<String> = story.events.iter().filter_map(|event| live.push(event)).collect();
    lines.join("\n") + "\n"
}

#[test]
fn the_moments_of_a_run() {
    insta::assert_snapshot!(told(&dark_and_reset(), &four_devices()));
}

#[test]
fn many_at_once_do_not_flood() {
    insta::assert_snapshot!(told(&plan(vec![("dark", blackhole("8s"))]), &fleet(40)));
}

#[test]
fn troubles_are_told() {
    insta::assert_snapshot!(told(&plan(vec![("dark", blackhole("8s"))]), &troubled()));
}

#[test]
fn the_state_at_a_time() {
    let mut live = Live::new(&dark_and_reset());
    let now = Time::from_millis(7_800);
    four_devices().events.iter().filter(|event| event.at <= now).for_each(|event| {
        live.push(event);
    });
    assert_eq!(
        live.status(now),
        [
            "1 of 4 devices connected; down: careful, naive, sleeper",
            "dark: blackhole toward both for 8s on 4 devices, 3.2 s left",
        ]
    );
}
