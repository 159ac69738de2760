//! The keep-alives that each end is told, where the plan or a rule makes them others than the device's own.

use super::packets::{DOWN, DROP, UP, edit, fault, held, of};
use super::*;
use crate::fault::{Edit, Verdict};

fn connect(version: Version, keep_alive: u16) -> Packet {
    Packet::Connect {
        version,
        client_id: "d".into(),
        keep_alive,
        clean: true,
        username: None,
        token_expiry: None,
        password: None,
        same_password: false,
        will: None,
        terms: crate::event::SessionTerms::default(),
    }
}

fn accept(code: u8, server_keep_alive: Option<u16>) -> Packet {
    Packet::Connack {
        session_present: false,
        code,
        server_keep_alive,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    }
}

fn of_plan(seconds: u16, rules: Vec<Rule>) -> Plan {
    Plan { server_keep_alive: Some(seconds), ..plan(rules) }
}

fn edits(verdict: &Verdict) -> Vec<Edit> {
    verdict.edits.iter().map(|(_, edit)| *edit).collect()
}

/// The keep-alive of the device, and that of its hub.
fn keep_alives(run: &Run) -> (Option<u64>, Option<u64>) {
    let device = run.engine.sessions.by_name("d").unwrap();
    let seconds = |keep_alive: Option<Duration>| keep_alive.map(|span| span.as_secs());
    (seconds(device.keep_alive), seconds(device.hub_keep_alive))
}

fn to_hub(seconds: u16) -> Edit {
    Edit { keep_alive: Some(seconds), ..Edit::default() }
}

fn to_device(seconds: u16) -> Edit {
    Edit { server_keep_alive: Some(seconds), ..Edit::default() }
}

#[test]
fn the_plans_keep_alive_is_told_to_both_ends_of_mqtt_5_alone() {
    let (up, down) = (to_hub(30), to_device(30));
    let cases = [
        (Version::V5, 60, accept(0, None), vec![up], vec![down], (30, 30)),
        (Version::V5, 30, accept(0, Some(30)), vec![], vec![], (30, 30)),
        (Version::V5, 60, accept(0, Some(20)), vec![up], vec![down], (30, 20)),
        (Version::V5, 60, accept(0x87, None), vec![up], vec![], (60, 30)),
        (Version::V311, 60, accept(0, None), vec![], vec![], (60, 60)),
        (Version::V31, 60, accept(0, None), vec![], vec![], (60, 60)),
    ];
    for (version, own, connack, in_connect, in_connack, (device, hub)) in cases {
        let mut run = Run::new(of_plan(30, vec![]));
        let link = run.open(1);
        let verdict = run.say(link, UP, connect(version, own));
        assert!(verdict.edits.iter().all(|(window, _)| window.is_none()));
        assert_eq!(edits(&verdict), in_connect, "{version:?} {own}");
        let verdict = run.say(link, DOWN, connack.clone());
        assert_eq!(edits(&verdict), in_connack, "{version:?} {connack:?}");
        assert_eq!(keep_alives(&run), (Some(device), Some(hub)), "{version:?} {connack:?}");
        let altered = run.times(|what| matches!(what, What::Altered { window: None, .. }));
        assert_eq!(altered.len(), in_connect.len() + in_connack.len());
    }
}

/// A device whose server keep-alive does not arrive keeps its own, and its hub does not.
#[test]
fn a_dropped_connack_tells_the_device_nothing() {
    let mut run = Run::new(of_plan(30, vec![rule(at(0), fault(of(PacketKind::Connack), DROP))]));
    run.to(10);
    let link = run.open(1);
    run.say(link, UP, connect(Version::V5, 60));
    let verdict = run.say(link, DOWN, accept(0, Some(20)));
    assert!(verdict.edits.is_empty() && verdict.end.is_some(), "a drop leaves nothing to edit");
    assert_eq!(keep_alives(&run), (Some(60), Some(20)));
}

#[test]
fn a_rule_goes_over_the_plan() {
    let slower = edit(to_hub(90));
    let mut run = Run::new(of_plan(30, vec![rule(at(0), fault(of(PacketKind::Connect), slower))]));
    run.to(10);
    let link = run.open(1);
    let verdict = run.say(link, UP, connect(Version::V5, 60));
    assert_eq!(edits(&verdict), [to_hub(30), to_hub(90)]);
    assert_eq!(keep_alives(&run), (Some(60), Some(90)));
}

fn hub_keep_alives(run: &Run) -> Vec<Option<u64>> {
    let opened = run.events.iter().filter_map(|event| match event.what {
        What::WindowOpened { hub_keep_alive_ns, .. } => Some(hub_keep_alive_ns),
        _ => None,
    });
    opened.map(|nanos| nanos.map(|nanos| nanos / 1_000_000_000)).collect()
}

/// A window says which keep-alive the hub goes by, where that is not the device's: also the window whose rule makes it so
/// in the CONNECT that opens it.
#[test]
fn a_window_says_what_the_hub_was_told() {
    let rules = vec![
        rule(at(0), held(of(PacketKind::Connect), edit(to_hub(4)), "5s")),
        rule(at(2000), dark("1s", Connects::Silence)),
    ];
    let mut run = Run::new(plan(rules.clone()));
    run.to(10);
    let link = run.open(1);
    run.say(link, UP, connect(Version::V311, 60));
    run.say(link, DOWN, accept(0, None));
    run.to(2500);
    assert_eq!(hub_keep_alives(&run), [Some(4), Some(4)]);
    assert_eq!(keep_alives(&run), (Some(60), Some(4)));
    // The same to a device whose own is the same.
    let mut run = Run::new(plan(rules));
    run.to(10);
    let link = run.open(1);
    run.say(link, UP, connect(Version::V311, 4));
    run.to(2500);
    assert_eq!(hub_keep_alives(&run), [None, None]);
}

/// A fold over the log comes to what the engine came to: the event of the CONNECT was put right before anyone saw it.
#[test]
fn the_log_tells_the_same_keep_alives() {
    let mut run = Run::new(plan(vec![rule(at(0), fault(of(PacketKind::Connect), edit(to_hub(4))))]));
    run.to(10);
    let link = run.open(1);
    run.say(link, UP, connect(Version::V311, 60));
    let mut folded = crate::session::Sessions::default();
    run.events.iter().for_each(|event| folded.apply(event));
    let device = folded.by_name("d").unwrap();
    let seconds = Duration::from_secs;
    assert_eq!((device.keep_alive, device.hub_keep_alive), (Some(seconds(60)), Some(seconds(4))));
}
