//! Faults of single packets: which they fall on, what they come to, and what is said of them.

use super::*;
use crate::base::WindowId;
use crate::fault::{
    Alteration, Corrupt, Edit, Fidelity, MidCut, PacketAction, PacketEnd, PacketFault, PacketMatch, Verdict,
};
use crate::mqtt::QoS;
use crate::profile::Repeat;

pub(super) const UP: Direction = Direction::Up;
pub(super) const DOWN: Direction = Direction::Down;
pub(super) const DROP: PacketAction = PacketAction::Drop { acknowledge: false };

pub(super) fn any() -> PacketMatch {
    PacketMatch {
        packet: None,
        direction: WaysWanted::Both,
        topic: None,
        qos: None,
        dup: None,
        retain: None,
        nth: None,
        times: None,
        chance: Chance::ALWAYS,
    }
}

pub(super) fn of(kind: PacketKind) -> PacketMatch {
    PacketMatch { packet: Some(kind), ..any() }
}

pub(super) fn fault(what: PacketMatch, action: PacketAction) -> Fault {
    Fault::Packets(PacketFault { what, action, hold: None })
}

pub(super) fn held(what: PacketMatch, action: PacketAction, hold: &str) -> Fault {
    Fault::Packets(PacketFault { what, action, hold: Some(span(hold)) })
}

pub(super) fn delay(millis: u64) -> PacketAction {
    PacketAction::Delay(Delay::fixed(Duration::from_millis(millis)))
}

pub(super) fn cut(after_bytes: u32) -> PacketAction {
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };
    PacketAction::Cut(MidCut { after_bytes, ending: LegFate::Reset, close })
}

pub(super) fn edit(edit: Edit) -> PacketAction {
    PacketAction::Edit(edit)
}

pub(super) fn publish(qos: u8) -> Packet {
    Packet::Publish { topic: "t".into(), qos, dup: false, retain: false }
}

pub(super) fn connack(code: u8) -> Packet {
    Packet::Connack { session_present: true, code, server_keep_alive: None, assigned_client_id: None }
}

/// Net/ that does at once what a verdict says, and confirms it.
impl Run {
    pub(super) fn ask(&mut self, link: LinkId, direction: Direction, packet: Packet, topic: &str) -> Verdict {
        let beside = Beside { topic: Some(topic), request: None };
        let (ticket, verdict) = self.engine.packet(self.now, link, direction, packet, beside, false);
        self.drain();
        let verdict = verdict.map(|verdict| *verdict).unwrap_or_default();
        for (window, what) in done(&verdict) {
            self.tell(Input::Altered { link, direction, seq: ticket.seq, window, what });
        }
        if verdict.end.is_none() && (ticket.wanted || ticket.held) {
            self.tell(Input::Passed { link, ticket });
        }
        verdict
    }

    pub(super) fn say(&mut self, link: LinkId, direction: Direction, packet: Packet) -> Verdict {
        self.ask(link, direction, packet, "t")
    }

    pub(super) fn drops(&mut self, link: LinkId, direction: Direction, packet: Packet) -> bool {
        matches!(self.say(link, direction, packet).end, Some((_, PacketEnd::Drop { .. })))
    }
}

/// What net/ says of a verdict that it carried out.
pub(super) fn done(verdict: &Verdict) -> Vec<(Option<WindowId>, Alteration)> {
    let edits = verdict.edits.iter().map(|(window, edit)| (*window, Alteration::Edited { edit: *edit }));
    let corruptions =
        verdict.corruptions.iter().map(|(window, _, _)| (Some(*window), Alteration::Corrupted { offset: 1 }));
    let delays = verdict.delays.iter().map(|(window, by)| {
        (Some(*window), Alteration::Delayed { by_ns: u64::try_from(by.as_nanos()).unwrap() })
    });
    let copies = verdict
        .copies
        .iter()
        .map(|(window, copies)| (Some(*window), Alteration::Duplicated { copies: *copies }));
    let end = verdict.end.iter().map(|(window, end)| match end {
        PacketEnd::Drop { acknowledge } => (*window, Alteration::Dropped { acknowledged: *acknowledge }),
        PacketEnd::Cut(cut) => (*window, Alteration::CutShort { after_bytes: cut.after_bytes }),
    });
    edits.chain(corruptions).chain(delays).chain(copies).chain(end).collect()
}

#[test]
fn a_window_falls_on_packets_from_its_first_nanosecond_to_its_last() {
    let mut run = Run::new(plan(vec![rule(at(1000), held(of(PacketKind::Pingreq), DROP, "2s"))]));
    let link = run.device(1, "d", 60);
    let second = Duration::from_secs(1);
    let edges = [
        (ms(1000) - Duration::from_nanos(1), false),
        (ms(1000), true),
        (ms(3000) - Duration::from_nanos(1), true),
        (ms(3000), false),
        (ms(3000) + second, false),
    ];
    for (at, falls) in edges {
        run.now = at;
        assert_eq!(run.drops(link, UP, Packet::Pingreq), falls, "{at:?}");
    }
    assert_eq!(run.times(is_applied), [1000], "once, with the first packet");
    assert_eq!(run.times(|what| matches!(what, What::FaultLifted { .. })), [3000]);
    assert_eq!(run.times(is_closed), [3000]);
    assert_eq!(run.times(|what| matches!(what, What::Altered { .. })).len(), 2);
}

#[test]
fn a_dropped_connack_accepts_nobody() {
    let mut run = Run::new(plan(vec![
        rule(at(0), held(of(PacketKind::Connack), DROP, "5s")),
        rule(after(PacketKind::Connack, "1s", 1), rst()),
    ]));
    run.to(10);
    let link = run.open(1);
    run.connect(link, "d", 60);
    assert!(run.drops(link, DOWN, connack(0)));
    run.to(4000);
    assert_eq!(run.cuts(), [], "the device has no CONNACK to count from");
    let (up, accepted) = {
        let device = run.engine.sessions.by_name("d").unwrap();
        (run.engine.sessions.is_up(device), device.accepted)
    };
    assert_eq!((up, accepted), (false, 0));
    run.to(5000);
    assert!(!run.drops(link, DOWN, connack(0)));
    run.to(6000);
    assert_eq!(run.cuts(), [(6000, link)]);
}

/// Each condition, with a packet that meets it and one that just does not.
#[test]
fn each_condition_is_met_or_not() {
    let topic = |filter: &str| PacketMatch { topic: Some(filter.into()), ..any() };
    let with = |dup, retain| Packet::Publish { topic: "t".into(), qos: 0, dup, retain };
    let unreadable = || Packet::Unreadable { kind: "publish".into() };
    let up = PacketMatch { direction: WaysWanted::Up, ..any() };
    let qos = |qos| PacketMatch { qos: Some(qos), ..any() };
    let dup = |dup| PacketMatch { dup: Some(dup), ..any() };
    let retain = |retain| PacketMatch { retain: Some(retain), ..any() };
    let cases: Vec<(&str, PacketMatch, Direction, Packet, &str, bool)> = vec![
        ("anything", any(), DOWN, Packet::Pingresp, "", true),
        ("kind", of(PacketKind::Puback), UP, Packet::Puback, "", true),
        ("another kind", of(PacketKind::Puback), UP, Packet::Pubrec, "", false),
        ("an unreadable one's kind", of(PacketKind::Publish), UP, unreadable(), "", true),
        ("an unreadable one's QoS", qos(QoS::AtMostOnce), UP, unreadable(), "t", false),
        ("direction", up.clone(), UP, Packet::Puback, "", true),
        ("the other direction", up, DOWN, Packet::Puback, "", false),
        ("topic", topic("a/+"), UP, publish(0), "a/b", true),
        ("another topic", topic("a/+"), UP, publish(0), "a/b/c", false),
        ("the topic, not the shown one", topic("t"), UP, publish(0), "a", false),
        ("topic of what has none", topic("#"), UP, Packet::Puback, "a", false),
        ("$ and a wildcard", topic("#"), UP, publish(0), "$SYS/up", false),
        ("$ and a first level", topic("$SYS/#"), UP, publish(0), "$SYS/up", true),
        ("a share, as its filter", topic("$share/g/a/+"), UP, publish(0), "a/b", true),
        ("a share, another topic", topic("$share/g/a/+"), UP, publish(0), "b/b", false),
        ("QoS", qos(QoS::AtLeastOnce), UP, publish(1), "t", true),
        ("QoS below", qos(QoS::AtLeastOnce), UP, publish(0), "t", false),
        ("QoS above", qos(QoS::AtLeastOnce), UP, publish(2), "t", false),
        ("QoS of what has none", qos(QoS::AtMostOnce), UP, Packet::Pingreq, "", false),
        ("DUP", dup(true), UP, with(true, false), "t", true),
        ("no DUP", dup(true), UP, with(false, true), "t", false),
        ("DUP unwanted", dup(false), UP, with(true, false), "t", false),
        ("RETAIN", retain(true), UP, with(false, true), "t", true),
        ("no RETAIN", retain(true), UP, with(true, false), "t", false),
        ("RETAIN unwanted", retain(false), UP, with(false, false), "t", true),
    ];
    for (case, what, direction, packet, topic, meets) in cases {
        let mut run = Run::new(plan(vec![rule(at(0), fault(what, DROP))]));
        let link = run.device(1, "d", 60);
        run.to(10);
        assert_eq!(run.ask(link, direction, packet, topic).end.is_some(), meets, "{case}");
    }
}

#[test]
fn a_topic_that_is_not_known_meets_no_filter() {
    let what = PacketMatch { topic: Some("#".into()), ..any() };
    let mut run = Run::new(plan(vec![rule(at(0), fault(what, DROP))]));
    let link = run.device(1, "d", 60);
    run.to(10);
    let (_, verdict) = run.engine.packet(run.now, link, UP, publish(0), Beside::default(), false);
    assert_eq!(verdict, None);
}

#[test]
fn the_nth_packet_is_of_each_link_and_direction() {
    let what = PacketMatch { nth: Some(3), ..of(PacketKind::Publish) };
    let mut run = Run::new(plan(vec![rule(at(0), fault(what, DROP))]));
    run.to(10);
    let (one, other) = (run.device(1, "d", 60), run.device(2, "e", 60));
    let mut dropped =
        |link, direction| -> Vec<bool> { (0..5).map(|_| run.drops(link, direction, publish(0))).collect() };
    let third = [false, false, true, false, false];
    assert_eq!(dropped(one, UP), third);
    assert_eq!(dropped(one, DOWN), third, "what went up does not count");
    assert_eq!(dropped(other, UP), third);
    // What does not fit does not count.
    let later = run.device(3, "d", 60);
    let packets = [publish(0), Packet::Pingreq, publish(0), Packet::Pingreq, publish(0), publish(0)];
    let met: Vec<bool> = packets.into_iter().map(|packet| run.drops(later, UP, packet)).collect();
    assert_eq!(met, [false, false, false, false, true, false]);
}

#[test]
fn times_is_of_each_window() {
    let what = PacketMatch { times: Some(2), ..of(PacketKind::Pingreq) };
    let every = Repeat { every: Duration::from_secs(2), jitter: Duration::ZERO, times: Some(2) };
    let when = When::At { first: Duration::from_secs(1), repeat: Some(every) };
    let mut run = Run::new(plan(vec![rule(when, held(what, DROP, "1s"))]));
    let (link, other) = (run.device(1, "d", 60), run.device(2, "e", 60));
    for start in [1000, 3000] {
        run.to(start);
        let met: Vec<bool> = (0..4).map(|_| run.drops(link, UP, Packet::Pingreq)).collect();
        assert_eq!(met, [true, true, false, false], "at {start}");
        assert!(run.drops(other, UP, Packet::Pingreq), "each device has a window of its own");
    }
}

/// Two windows of one rule are one fault: a packet meets it once, and the second takes over when the first is spent.
#[test]
fn a_packet_meets_a_rule_once() {
    let what = PacketMatch { times: Some(1), ..of(PacketKind::Pingreq) };
    let every = Repeat { every: Duration::from_secs(1), jitter: Duration::ZERO, times: Some(2) };
    let when = When::At { first: Duration::from_secs(1), repeat: Some(every) };
    let mut run = Run::new(plan(vec![rule(when, held(what, delay(10), "5s"))]));
    let link = run.device(1, "d", 60);
    run.to(2500);
    let windows = [0; 3].map(|_| {
        let verdict = run.say(link, UP, Packet::Pingreq);
        verdict.delays.iter().map(|(window, _)| window.0).collect::<Vec<u64>>()
    });
    assert_eq!(windows, [vec![0], vec![1], vec![]]);
}

#[test]
fn each_action_has_its_place_in_a_verdict() {
    let edits = Edit { code: Some(5), ..Edit::default() };
    let window = WindowId(0);
    let alone = Verdict::default;
    let PacketAction::Cut(mid) = cut(3) else { panic!() };
    let cases: Vec<(PacketAction, Verdict)> = vec![
        (DROP, Verdict { end: Some((Some(window), PacketEnd::Drop { acknowledge: false })), ..alone() }),
        (
            PacketAction::Drop { acknowledge: true },
            Verdict { end: Some((Some(window), PacketEnd::Drop { acknowledge: true })), ..alone() },
        ),
        (delay(250), Verdict { delays: vec![(window, Duration::from_millis(250))], ..alone() }),
        (PacketAction::Duplicate { copies: 2 }, Verdict { copies: vec![(window, 2)], ..alone() }),
        (edit(edits), Verdict { edits: vec![(Some(window), edits)], ..alone() }),
        (cut(3), Verdict { end: Some((Some(window), PacketEnd::Cut(mid))), ..alone() }),
    ];
    for (action, expected) in cases {
        let mut run = Run::new(plan(vec![rule(at(0), fault(of(PacketKind::Publish), action.clone()))]));
        let link = run.device(1, "d", 60);
        run.to(10);
        assert_eq!(run.say(link, UP, publish(1)), expected, "{action:?}");
    }
    let corrupt = PacketAction::Corrupt(Corrupt::Body);
    let mut run = Run::new(plan(vec![rule(at(0), fault(of(PacketKind::Publish), corrupt))]));
    let link = run.device(1, "d", 60);
    run.to(10);
    let [one, other] = [0; 2].map(|_| run.say(link, UP, publish(1)).corruptions[0]);
    assert_eq!((one.0, one.1), (window, Corrupt::Body));
    assert_ne!(one.2, other.2, "each packet draws anew");
    assert_ne!(one.2[0], one.2[1]);
}

/// The order of composition: edits, corruptions and delays add up; an end takes the copies with it, a drop all else; and
/// rules behind an end do not see the packet.
#[test]
fn the_first_end_is_the_last_that_a_packet_meets() {
    let publishes = || of(PacketKind::Publish);
    let retain = |retain| edit(Edit { retain: Some(retain), ..Edit::default() });
    let before = [
        retain(true),
        delay(100),
        PacketAction::Corrupt(Corrupt::Payload),
        PacketAction::Duplicate { copies: 1 },
        retain(false),
        delay(50),
    ];
    let all = |end: Option<PacketAction>| {
        let behind = [cut(9), DROP, delay(1000)];
        let actions = before
            .clone()
            .into_iter()
            .chain(end.into_iter().flat_map(|end| std::iter::once(end).chain(behind.clone())));
        let rules = actions.map(|action| rule(at(0), fault(publishes(), action))).collect();
        let mut run = Run::new(plan(rules));
        let link = run.device(1, "d", 60);
        run.to(10);
        let verdict = run.say(link, UP, publish(1));
        let applied = run.times(is_applied).len();
        (verdict, applied)
    };
    let (full, applied) = all(None);
    assert_eq!(full.edits.len() + full.delays.len() + full.corruptions.len() + full.copies.len(), 6);
    assert_eq!(full.edits[0].1.retain, Some(true), "in the order of rules");
    assert_eq!(applied, 6);
    let (dropped, applied) = all(Some(DROP));
    let end = Some((Some(WindowId(6)), PacketEnd::Drop { acknowledge: false }));
    assert_eq!((dropped, applied), (Verdict { end, ..Verdict::default() }, 1));
    let (short, applied) = all(Some(cut(3)));
    assert!(matches!(short.end, Some((Some(WindowId(6)), PacketEnd::Cut(MidCut { after_bytes: 3, .. })))));
    assert_eq!(short, Verdict { copies: Vec::new(), end: short.end, ..full });
    assert_eq!(applied, 6);
}

#[test]
fn a_packet_that_ended_does_not_count_behind_its_end() {
    let first = PacketMatch { times: Some(2), ..of(PacketKind::Pingreq) };
    let second = PacketMatch { nth: Some(1), ..of(PacketKind::Pingreq) };
    let rules = vec![rule(at(0), fault(first, DROP)), rule(at(0), fault(second, delay(5)))];
    let mut run = Run::new(plan(rules));
    let link = run.device(1, "d", 60);
    run.to(10);
    let delayed = [0; 4].map(|_| run.say(link, UP, Packet::Pingreq).delays.len());
    assert_eq!(delayed, [0, 0, 1, 0], "the third packet is the first that gets there");
}

/// What an end left nothing of is not charged to the rules before it.
#[test]
fn a_delay_that_came_to_nothing_leaves_its_times() {
    let first = PacketMatch { times: Some(1), ..of(PacketKind::Pingreq) };
    let second = PacketMatch { nth: Some(1), ..of(PacketKind::Pingreq) };
    let rules = vec![rule(at(0), fault(first, delay(5))), rule(at(0), fault(second, DROP))];
    let mut run = Run::new(plan(rules));
    let link = run.device(1, "d", 60);
    run.to(10);
    let delayed = [0; 3].map(|_| run.say(link, UP, Packet::Pingreq).delays.len());
    assert_eq!(delayed, [0, 1, 0]);
}

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
            run.tell(Input::NotAltered { link, window: Some(WindowId(0)), error: "no payload".into() });
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
        run.tell(Input::NotAltered { link, window, error: error.into() });
    }
    assert_eq!(run.times(|what| matches!(what, What::FaultRefused { .. })).len(), 3);
    run.tell(Input::NotAltered { link, window: Some(WindowId(99)), error: "a".into() });
    run.tell(Input::NotAltered { link, window: None, error: "a".into() });
    assert_eq!(run.times(|what| matches!(what, What::FaultRefused { .. })).len(), 3);
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

/// What is not done to packets in WebSocket frames must not be told as if it were: a CONNACK that was to be dropped accepts.
#[test]
fn packets_in_websocket_are_left_alone_and_that_is_said_once() {
    let mut run = Run::new(plan(vec![rule(at(0), held(of(PacketKind::Connack), DROP, "5s"))]));
    run.to(10);
    let link = run.open(1);
    run.tell(Input::WsUpgraded { link, path: "/mqtt".into(), protocol: None });
    run.connect(link, "d", 60);
    for _ in 0..3 {
        assert!(run.say(link, DOWN, connack(0)).is_clear());
        assert_eq!(told(&run), (false, false, None));
    }
    assert_eq!(run.engine.sessions.by_name("d").unwrap().accepted, 3);
    assert_eq!(run.times(|what| matches!(what, What::FaultRefused { .. })).len(), 1);
    assert!(run.effects(link).is_clear(), "nothing is asked there any more");
    run.to(5000);
    assert_eq!((run.times(is_applied), run.times(is_closed)), (vec![], vec![5000]));
}
