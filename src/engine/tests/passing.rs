//! Faults of single packets: what is said of them, when they hold, and what comes of a packet that does not arrive.

use super::packets::{DOWN, DROP, UP, any, connack, cut, delay, done, edit, fault, held, of, publish};
use super::*;
use crate::base::WindowId;
use crate::fault::{Alteration, Corrupt, Edit, Fidelity, PacketAction, PacketEnd, PacketMatch};

fn told(run: &Run) -> (bool, bool, Option<Packet>) {
    let last = run.events.iter().rev().find_map(|event| match &event.what {
        What::Packet { held, dropped, passed, .. } => Some((*held, *dropped, passed.as_deref().cloned())),
        _ => None,
    });
    last.unwrap()
}

#[test]
fn the_event_of_a_packet_says_what_becomes_of_it() {
    let retain = edit(Edit { retain: Some(true), ..Edit::default() });
    let retained = Packet::Publish { topic: "t".into(), qos: 1, dup: false, retain: true };
    let cases = [
        (delay(100), (true, false, None)),
        (DROP, (false, true, None)),
        (retain, (false, false, Some(retained))),
        (edit(Edit { keep_alive: Some(4), ..Edit::default() }), (false, false, None)),
        (PacketAction::Corrupt(Corrupt::Body), (false, false, None)),
        (PacketAction::Duplicate { copies: 1 }, (false, false, None)),
        (cut(2), (false, true, None)),
    ];
    for (action, expected) in cases {
        let mut run = Run::new(plan(vec![rule(at(0), fault(of(PacketKind::Publish), action.clone()))]));
        let link = run.device(1, "d", 60);
        run.to(10);
        let beside = Beside::default();
        let (ticket, _) = run.engine.packet(run.now, link, UP, publish(1), beside, false);
        run.drain();
        assert_eq!(told(&run), expected, "{action:?}");
        assert_eq!(ticket.held, expected.0, "{action:?}");
    }
}

/// The device has what it gets: a CONNACK that is edited counts as what it says then.
#[test]
fn an_edited_connack_is_what_it_says_then() {
    for (sent, told, accepted) in [(0, 5, 0), (5, 0, 1)] {
        let action = edit(Edit { code: Some(told), ..Edit::default() });
        let rules = vec![
            rule(at(0), fault(of(PacketKind::Connack), action)),
            rule(after(PacketKind::Connack, "1s", 1), rst()),
        ];
        let mut run = Run::new(plan(rules));
        run.to(10);
        let link = run.open(1);
        run.connect(link, "d", 60);
        run.say(link, DOWN, connack(sent));
        run.to(2000);
        assert_eq!(run.engine.sessions.by_name("d").unwrap().accepted, accepted);
        assert_eq!(run.cuts().len(), usize::try_from(accepted).unwrap(), "{sent} as {told}");
    }
}

/// The packet is the device's, whatever becomes of it; the rule that waits for it is armed when its end is confirmed.
#[test]
fn a_dropped_packet_of_the_devices_pulls_rules_once_it_is_dropped() {
    let rules = vec![
        rule(at(0), fault(of(PacketKind::Publish), DROP)),
        rule(after(PacketKind::Publish, "1s", 1), rst()),
    ];
    let mut run = Run::new(plan(rules));
    let link = run.device(1, "d", 60);
    run.to(10);
    let (ticket, verdict) = run.engine.packet(run.now, link, UP, publish(0), Beside::default(), false);
    run.to(500);
    let (window, what) = done(&verdict.unwrap())[0];
    run.tell(Input::Altered { link, direction: UP, seq: ticket.seq, window, what });
    run.to(1499);
    assert_eq!(run.cuts(), []);
    run.to(1500);
    assert_eq!(run.cuts(), [(1500, link)]);
}

/// A packet that is delayed beyond its window's end is the window's all the same: its fault is not over before.
#[test]
fn a_window_waits_for_the_packets_that_it_fell_on() {
    let mut run = Run::new(plan(vec![rule(at(1000), held(of(PacketKind::Pingreq), delay(5000), "2s"))]));
    let link = run.device(1, "d", 60);
    run.to(1500);
    let (ticket, verdict) = run.engine.packet(run.now, link, UP, Packet::Pingreq, Beside::default(), false);
    run.to(6500);
    assert_eq!(run.times(is_applied), [0u64; 0]);
    assert_eq!(run.times(is_closed), [0u64; 0]);
    assert!(run.say(link, UP, Packet::Pingreq).is_clear(), "it falls on nothing new");
    let (window, what) = done(&verdict.unwrap())[0];
    run.tell(Input::Altered { link, direction: UP, seq: ticket.seq, window, what });
    assert_eq!(run.times(is_applied), [6500]);
    assert_eq!(run.times(is_closed), [6500]);
    let means = run.events.iter().find_map(|event| match event.what {
        What::FaultApplied { means, fidelity, .. } => Some((means, fidelity)),
        _ => None,
    });
    let up = Ends { device: Some(Mechanism::Packets), hub: None };
    assert_eq!(means, Some((up, Fidelity::Stream)), "on the leg of the sender");
}

#[test]
fn a_window_does_not_wait_for_what_cannot_come() {
    let gone: [fn(&mut Run, LinkId); 3] = [
        |run, link| run.close(link),
        |run, link| {
            let both = Ends { device: Some(LegFate::HalfOpen), hub: Some(LegFate::Reset) };
            run.tell(Input::CutDone { link, window: None, done: both, last: Ends::default() });
        },
        |run, link| {
            run.tell(Input::NotAltered {
                link,
                window: Some(WindowId(0)),
                seq: None,
                error: "no payload".into(),
            });
        },
    ];
    for lose in gone {
        let mut run = Run::new(plan(vec![rule(at(1000), held(of(PacketKind::Pingreq), DROP, "2s"))]));
        let link = run.device(1, "d", 60);
        run.to(1500);
        run.engine.packet(run.now, link, UP, Packet::Pingreq, Beside::default(), false);
        run.to(2000);
        lose(&mut run, link);
        run.to(3000);
        assert_eq!((run.times(is_closed), run.times(is_applied)), (vec![3000], vec![]));
    }
}

#[test]
fn a_link_that_is_gone_holds_no_window_open() {
    let mut run = Run::new(plan(vec![rule(at(1000), held(of(PacketKind::Pingreq), DROP, "2s"))]));
    let link = run.device(1, "d", 60);
    run.to(1500);
    assert!(run.drops(link, UP, Packet::Pingreq));
    run.close(link);
    run.to(3000);
    assert_eq!(run.times(is_closed), [3000]);
    assert_eq!(run.times(|what| matches!(what, What::FaultLifted { .. })), [0u64; 0]);
}

#[test]
fn what_could_not_be_done_is_said_once() {
    let mut run = Run::new(plan(vec![rule(at(0), fault(any(), PacketAction::Corrupt(Corrupt::Payload)))]));
    let (link, other) = (run.device(1, "d", 60), run.device(2, "d", 60));
    run.to(10);
    let window = Some(WindowId(0));
    for (link, error) in [(link, "a"), (link, "a"), (link, "b"), (other, "a"), (link, "a")] {
        run.tell(Input::NotAltered { link, window, seq: None, error: error.into() });
    }
    assert_eq!(run.times(|what| matches!(what, What::FaultRefused { .. })).len(), 3);
    run.tell(Input::NotAltered { link, window: Some(WindowId(99)), seq: None, error: "a".into() });
    run.tell(Input::NotAltered { link, window: None, seq: None, error: "a".into() });
    assert_eq!(run.times(|what| matches!(what, What::FaultRefused { .. })).len(), 3);
    [link, other].into_iter().for_each(|link| run.close(link));
    assert!(run.engine.refusals.is_empty(), "nothing is kept of links that have gone");
}

/// The end of a link amid a packet is one fault, told once: when its bytes had gone. Nothing that comes after is judged.
#[test]
fn a_cut_amid_a_packet_is_told_once() {
    let mut run = Run::new(plan(vec![rule(at(1000), held(any(), cut(3), "2s"))]));
    let link = run.device(1, "d", 60);
    run.to(1500);
    let verdict = run.say(link, UP, publish(1));
    let Some((window, PacketEnd::Cut(mid))) = verdict.end else { panic!("{verdict:?}") };
    let legs = mid.legs();
    let done = Ends { device: Some(legs.device), hub: Some(legs.hub) };
    run.tell(Input::CutDone { link, window, done, last: Ends::default() });
    assert_eq!(run.times(is_applied), [1500]);
    assert_eq!(run.times(|what| matches!(what, What::LegCut { window: Some(_), .. })), [1500, 1500]);
    assert!(run.say(link, UP, publish(1)).is_clear());
    run.to(3000);
    assert_eq!(run.times(is_closed), [3000]);
}

/// A device that a fault of packets keeps out for good was seen all the same: the run does not wait for it for ever.
#[test]
fn a_device_that_never_gets_an_acceptance_was_seen() {
    let refused = edit(Edit { code: Some(5), ..Edit::default() });
    for (action, through) in [(DROP, true), (refused, true), (delay(10), false)] {
        let mut run = Run::new(plan(vec![rule(at(0), fault(of(PacketKind::Connack), action.clone()))]));
        run.to(10);
        let link = run.open(1);
        run.connect(link, "d", 60);
        run.say(link, DOWN, connack(if through { 0 } else { 5 }));
        run.close(link);
        run.to(60_000);
        assert_eq!(run.finished.is_some(), through, "{action:?}");
    }
}

/// What could not be done to one packet says nothing of another that is still on its way.
#[test]
fn a_refusal_of_one_packet_leaves_the_others_of_its_window_alone() {
    let corrupt = PacketAction::Corrupt(Corrupt::Payload);
    let mut run = Run::new(plan(vec![rule(at(1000), held(any(), corrupt, "2s"))]));
    let link = run.device(1, "d", 60);
    run.to(1500);
    let first = run.engine.packet(run.now, link, UP, publish(0), Beside::default(), true).0;
    let second = run.engine.packet(run.now, link, UP, Packet::Pingreq, Beside::default(), true).0;
    let window = Some(WindowId(0));
    let error = "this PINGREQ has no payload".to_owned();
    run.tell(Input::NotAltered { link, window, seq: Some(second.seq), error });
    run.to(4000);
    assert_eq!(run.times(is_closed), [0u64; 0], "the first has not gone");
    run.tell(Input::Altered {
        link,
        direction: UP,
        seq: first.seq,
        window,
        what: Alteration::Corrupted { offset: 5 },
    });
    assert_eq!((run.times(is_applied), run.times(is_closed)), (vec![4000], vec![4000]));
}

/// A packet of which nothing was changed does not count for `times`.
#[test]
fn what_changes_nothing_uses_up_nothing() {
    let what = PacketMatch { times: Some(1), ..of(PacketKind::Pingreq) };
    let mut run = Run::new(plan(vec![rule(at(1000), fault(what, edit(Edit::default())))]));
    let link = run.device(1, "d", 60);
    run.to(1500);
    for _ in 0..3 {
        let (ticket, verdict) =
            run.engine.packet(run.now, link, UP, Packet::Pingreq, Beside::default(), false);
        assert!(verdict.is_some(), "it falls on the next");
        run.tell(Input::Unchanged { link, window: Some(WindowId(0)), seq: ticket.seq });
        // Twice told is once spared.
        run.tell(Input::Unchanged { link, window: Some(WindowId(0)), seq: ticket.seq });
    }
    assert!(run.engine.packet(run.now, link, UP, Packet::Pingreq, Beside::default(), false).1.is_some());
    assert!(run.engine.packet(run.now, link, UP, Packet::Pingreq, Beside::default(), false).1.is_none());
}
