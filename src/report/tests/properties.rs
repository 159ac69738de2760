//! What must hold of every report: a log renders it again, and runs merge in any order.

use super::live::Beside;
use super::stories::{dark_and_reset, fleet, four_devices, slow_and_dark, slow_path, troubled};
use super::tls::{bad_and_silent, certificates};
use crate::base::{Direction, LinkId, ListenerId, Side, Time};
use crate::event::{Event, Packet, Samples, What};
use crate::fault::{Ending, Mechanism};
use crate::measure::story::{Story, plan};
use crate::measure::{Measures, Results};
use crate::profile::Plan;
use crate::report::{Report, Styling, Timeline, html, terminal};
use proptest::prelude::*;
use std::time::Duration;

/// A step of an unlikely run: whatever comes, in any order.
fn step(story: &mut Story, (kind, device, pause): (u8, u32, u64)) {
    let link = u64::from(device) + 10 * (story.seq() / 40);
    let now = story.events.last().unwrap().at.as_nanos() / 1_000_000;
    story.at(now + pause);
    let name = ["a", "b", "c", "d"][usize::try_from(device % 4).unwrap()];
    match kind % 28 {
        0 | 1 => story.joins(link, device, name, 2),
        2 => story.connecting(link, device, name, 2, true),
        3 => story.up(link, Packet::Pingreq),
        4 => story.down(link, Packet::Pingresp),
        5 => story.ends(link, Side::Device, Ending::Fin),
        6 => story.ends(link, Side::Hub, Ending::Reset),
        7 => story.carried(link, Side::Device),
        8 => story.closes(link),
        9 => story.opens(link, u16::from(kind) % 3, device, 2),
        10 => story.applies(link, link, Mechanism::Gate),
        11 => story.heals(link),
        12 => story.connack(link, false, kind % 2),
        13 => story.applies(link, link, Mechanism::MinTtl),
        14 => story.lifts(link, link),
        15 => story.tell(What::ListenerMuted {
            listener: ListenerId(0),
            mechanism: Mechanism::MinTtl,
            from: None,
            dropped: None,
        }),
        16 => story.traffic(link, 1, rtt(pause)),
        17 => story.hello(link, pause % 2 == 0),
        18 => story.shakes_hands(link, Side::Device, pause, kind > 100),
        19 => story.shakes_hands(link, Side::Hub, pause, false),
        20 => story.meets(link, device, name, link),
        21 => story.alerts(link, Side::Device, "unknown_ca"),
        22 => story.is_of(link, device + 1, name),
        23 => story.tell(What::FirstData { link: LinkId(link), direction: Direction::Down }),
        24 => story.tell(What::WsClosed { link: LinkId(link), direction: Direction::Up, code: Some(1000) }),
        25 => story.tell(What::TlsFailed { link: LinkId(link), side: Side::Hub, error: name.repeat(99) }),
        26 => story.tell(What::WsUpgraded { link: LinkId(link), path: name.repeat(99), protocol: None }),
        _ => story.tell(What::HubUnreachable { link: LinkId(link), error: String::new() }),
    };
}

fn rtt(millis: u64) -> Samples {
    let mut samples = Samples::default();
    samples.add(Duration::from_millis(millis));
    samples
}

fn unlikely() -> impl Strategy<Value = Story> {
    let steps = prop::collection::vec((any::<u8>(), 0..5u32, 0..3_000u64), 0..120);
    (steps, prop::option::weighted(0.1, 0..120_usize)).prop_map(|(steps, from)| {
        let mut story = Story::new();
        steps.into_iter().for_each(|next| step(&mut story, next));
        // A log may say of its events that they are of the last moment that there is.
        let late = from.and_then(|from| story.events.get_mut(from..)).unwrap_or_default();
        late.iter_mut().for_each(|event| event.at = Time::MAX);
        story
    })
}

fn report(plan: &Plan, events: &[Event]) -> Report {
    let mut measures = Measures::new(plan);
    events.iter().for_each(|event| measures.push(event));
    Report::new(plan, &measures.results(events.last().unwrap().at))
}

fn read_back(events: &[Event]) -> Vec<Event> {
    let lines = events.iter().map(|event| serde_json::to_string(event).unwrap());
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

#[test]
fn a_log_renders_its_report_again() {
    let plan = dark_and_reset();
    for story in [four_devices(), fleet(20), troubled(), slow_path(), certificates()] {
        assert_eq!(report(&plan, &story.events), report(&plan, &read_back(&story.events)));
    }
}

#[test]
fn runs_merge_in_any_order() {
    let plan = dark_and_reset();
    let runs = [four_devices(), fleet(20), troubled()].map(|story| story.results(&plan));
    let merged = |order: [usize; 3]| {
        let all = order.map(|at| runs[at].clone()).into_iter().reduce(Results::merge).unwrap();
        Report::new(&plan, &all)
    };
    let first = merged([0, 1, 2]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(merged(order), first, "{order:?}");
    }
}

proptest! {
    #[test]
    fn no_run_is_too_odd_to_report(story in unlikely(), which in 0..3) {
        let plan = [slow_and_dark, dark_and_reset, bad_and_silent][usize::try_from(which).unwrap()]();
        let told = report(&plan, &story.events);
        prop_assert_eq!(&told, &report(&plan, &read_back(&story.events)));
        prop_assert!(told.to_json().is_ok());
        for line in terminal::render(&told, Styling::Plain).lines() {
            prop_assert!(line.chars().count() <= 80, "{}", line);
        }
        let mut timeline = Timeline::default();
        story.events.iter().for_each(|event| timeline.push(event));
        prop_assert!(html::render(&told, &[timeline]).ends_with("</html>\n"));
        let mut live = Beside::new(&plan);
        for event in &story.events {
            live.push(event);
            let status = live.status(event.at);
            prop_assert!((1..=6).contains(&status.len()));
        }
    }

    #[test]
    fn merging_two_is_the_same_both_ways(one in unlikely(), other in unlikely()) {
        let plan = plan(Vec::new());
        let (one, other) = (one.results(&plan), other.results(&plan));
        prop_assert_eq!(one.clone().merge(other.clone()), other.merge(one));
    }
}
