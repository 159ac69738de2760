//! Faults of single packets: which they fall on, and what they come to.

use super::*;
use crate::base::WindowId;
use crate::fault::{
    Alteration, Corrupt, Edit, MidCut, PacketAction, PacketEnd, PacketFault, PacketMatch, Verdict,
};
use crate::mqtt::QoS;
use crate::profile::Repeat;

pub(super) const UP: Direction = Direction::Up;
pub(super) const DOWN: Direction = Direction::Down;
pub(super) const DROP: PacketAction = PacketAction::Drop { acknowledge: false };

pub(super) fn any() -> PacketMatch {
    PacketMatch::EVERY
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
    Packet::Connack {
        session_present: true,
        code,
        server_keep_alive: None,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    }
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
