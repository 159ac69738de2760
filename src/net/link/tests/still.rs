//! What a link does by itself, driven by hand: orders and literal times, no sockets.

use super::orders::plan_of_packets;
use super::*;
use crate::base::{Chance, Rate, WindowId};
use crate::fault::{
    Fault, Forgotten, IdleTimeout, Inject, Injection, LegFate, PacketAction, PacketFault, PacketMatch, Shape,
};
use crate::mqtt::PacketKind;
use crate::net::pump::Marks;
use crate::net::queue::Taken;
use crate::profile::{Rule, When, Who};

const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d1";
const CONNACK: &[u8] = b"\x20\x02\x00\x00";

/// A link under this plan, in a runtime for its alarm.
fn with_still(plan: Arc<Plan>, test: impl FnOnce(&mut Link, &EventQueue)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let alarm = Alarm::start(Clock::start()).unwrap();
    let (mut link, queue) = still(&alarm, plan);
    test(&mut link, &queue);
}

/// A device's CONNECT has come at this time, and been accepted.
fn connect(link: &mut Link, at: Time) {
    for (direction, bytes) in [(Direction::Up, CONNECT), (Direction::Down, CONNACK)] {
        let mut marks = Marks::default();
        link.scan(at, direction, bytes, &mut marks);
        link.went(at, direction, bytes.len(), &marks.noted, &marks.plain);
    }
}

/// How many events of this kind were told so far, since that was last asked.
fn told(queue: &EventQueue, is_one: impl Fn(&What) -> bool) -> usize {
    match queue.take_within(Some(Duration::ZERO)) {
        Taken::Events(events) => events.iter().filter(|event| is_one(&event.what)).count(),
        Taken::Nothing | Taken::Closed => 0,
    }
}

/// All that came while a gate was closed is not let through at once when it opens: a line carries nothing ahead.
#[test]
fn what_a_closed_gate_kept_back_is_not_made_up_for_on_a_slow_line() {
    let rate: Rate = "80kbit/s".parse().unwrap();
    let effects = |closed| Effects {
        closed: Ways { up: closed, down: closed },
        shapes: Ways { up: vec![Shape::Rate(rate)], down: vec![Shape::Rate(rate)] },
        ..Effects::default()
    };
    with_still(plan(), |link, _| {
        link.apply(1, effects(false));
        let (came, opened) = (Time::from_secs(1_000), Time::from_secs(2_000));
        for direction in Direction::BOTH {
            let pump = link.pumps.get_mut(direction);
            pump.hold(came, &[0; 1_000], 0, &[], &[]);
            assert_eq!(pump.ready(came), 0, "the first piece is on the line");
        }
        link.apply(2, effects(true));
        link.apply(3, effects(false));
        for direction in Direction::BOTH {
            let pump = link.pumps.get_mut(direction);
            assert_eq!(pump.ready(opened), 100);
            pump.wrote(opened, 100, |_| {});
            assert_eq!(pump.ready(opened), 0, "{direction:?}: the next takes its time");
            assert_eq!(pump.deadline(), Some(opened + Duration::from_millis(10)));
        }
    });
}

/// Packets of brownout's own take the room that what is read has, and no more; as that is passed on, they follow in order.
#[test]
fn packets_of_its_own_wait_for_room() {
    const PACKET: usize = 64 * 1024;
    with_still(plan_of_packets(), |link, _| {
        link.sniff = Sniff::Bytes;
        for nth in 0..32 {
            let inject = Inject { toward: Side::Hub, what: Injection::Raw(vec![nth; PACKET]) };
            link.inject(WindowId(0), &inject);
        }
        let waiting = |link: &Link| link.pumps.up.theatre.as_ref().unwrap().waiting.len();
        let room = link.pumps.up.lane.room(0);
        assert!(link.put_in(Direction::Up));
        assert!(!link.put_in(Direction::Up), "there is no room");
        assert_eq!((link.pumps.up.lane.len(), waiting(link)), (room, 32 - room / PACKET));
        let now = link.now();
        link.pumps.up.wrote(now, room, |_| {});
        // What waits in the other direction takes of it: of eight parts one was its own.
        let half = room / 7 * 4;
        link.pumps.down.hold(now, &vec![0; half], 0, &[], &[]);
        assert!(link.put_in(Direction::Up));
        assert_eq!(link.pumps.up.lane.len(), half);
        assert_eq!(usize::from(link.pumps.up.lane.ready(link.now())[0]), room / PACKET);
        assert_eq!(waiting(link), 32 - (room + half) / PACKET);
    });
}

/// What the device may have said last before a reset is not known, and so not for how long it was silent.
#[test]
fn a_last_silence_is_told_where_the_device_ended_it_in_order_and_once() {
    let (connected, later) = (Time::from_secs(1), Time::from_secs(1_000));
    for (side, how, was_told, expected) in [
        (Side::Device, Ending::Fin, false, 1),
        (Side::Device, Ending::Unnotified, false, 1),
        (Side::Device, Ending::Alert, false, 1),
        (Side::Device, Ending::Reset, false, 0),
        (Side::Device, Ending::Fin, true, 0),
        (Side::Hub, Ending::Fin, false, 0),
    ] {
        with_still(plan(), |link, queue| {
            connect(link, connected);
            link.legs.get_mut(side).end_told = was_told;
            link.tell_last_silence(later, side, how);
            let told = told(queue, |what| matches!(what, What::KeepaliveExceeded { .. }));
            assert_eq!(told, expected, "{side:?} {how:?} {was_told}");
        });
    }
}

/// Nothing passes there for good, so that a middlebox has nothing to forget.
#[test]
fn a_link_that_is_cut_is_not_forgotten_for_being_idle() {
    let fault = Fault::IdleTimeout(IdleTimeout {
        after: Span::fixed(Duration::ZERO),
        then: Forgotten::Vanish,
        hold: None,
    });
    let rule = Rule {
        id: "nat".into(),
        who: Who::EVERYONE,
        when: When::After {
            packet: PacketKind::Connack,
            nth: 1,
            delay: Span::fixed(Duration::ZERO),
            times: 1,
        },
        chance: Chance::ALWAYS,
        fault,
        logged_as: None,
    };
    for (cut, expected) in [(None, 1), (Some(Side::Device), 0), (Some(Side::Hub), 0)] {
        with_still(Arc::new(Plan { rules: vec![rule.clone()], ..Plan::clone(&plan()) }), |link, queue| {
            connect(link, Time::from_millis(1));
            link.core.tick();
            link.obey();
            if let Some(side) = cut {
                link.legs.get_mut(side).severed = true;
            }
            assert!(link.tcp.deadline().is_some(), "it is watched");
            link.see_idle();
            assert_eq!(told(queue, |what| matches!(what, What::FaultApplied { .. })), expected, "{cut:?}");
        });
    }
}

/// What waits when a link ends: behind a gate, and in a packet whose head is not there yet.
#[test]
fn what_waits_when_a_link_ends_counts_as_never_passed_on() {
    for is_cut in [false, true] {
        with_still(plan_of_packets(), |link, queue| {
            link.apply(1, Effects { closed: Ways { up: true, down: true }, ..Effects::default() });
            for (direction, waits, held) in
                [(Direction::Up, 300, &CONNECT[..6]), (Direction::Down, 70, &CONNACK[..1])]
            {
                link.pumps.get_mut(direction).hold(Time::from_millis(2), &vec![0; waits], 0, &[], &[]);
                let mut out = Output::NONE;
                link.operate(Time::from_millis(2), direction, held, &mut out);
                assert_eq!(out.bytes, b"");
            }
            if is_cut {
                link.cut(Cut { window: None, legs: Ends { device: LegFate::Reset, hub: LegFate::Reset } });
                assert!(link.pumps.up.lane.is_empty() && link.pumps.down.lane.is_empty());
            }
            link.close();
            let lost = Ways { up: 306, down: 71 };
            let is_all =
                |what: &What| matches!(what, What::LinkClosed { undelivered, .. } if *undelivered == lost);
            assert_eq!(told(queue, is_all), 1, "{is_cut}");
        });
    }
}

/// The copies that a fault makes are noted each by itself, or together where they are many: those that a cut leaves behind must
/// not count as passed, nor those before it as lost.
#[test]
fn copies_that_a_fault_makes_are_noted_where_they_end() {
    const PUBLISH: &[u8] = b"\x32\x06\x00\x01a\x00\x07x";
    for (packet, copies, expected) in [
        (PUBLISH, 1, vec![1, 1]),
        (PUBLISH, 16, vec![1; 17]),
        (PUBLISH, 17, [vec![1], vec![2; 8], vec![1]].concat()),
        (PUBLISH, 1_000, [vec![1], vec![63; 15], vec![55]].concat()),
        // Of what is no message nothing counts.
        (b"\xc0\x00", 5, vec![1, 5]),
    ] {
        let fault = Fault::Packets(PacketFault {
            what: PacketMatch::EVERY,
            action: PacketAction::Duplicate { copies },
            hold: None,
        });
        let when =
            When::After { packet: PacketKind::Connack, nth: 1, delay: Span::fixed(Duration::ZERO), times: 1 };
        let rule = Rule {
            id: "twice".into(),
            who: Who::EVERYONE,
            when,
            chance: Chance::ALWAYS,
            fault,
            logged_as: None,
        };
        with_still(Arc::new(Plan { rules: vec![rule], ..Plan::clone(&plan_of_packets()) }), |link, _| {
            let mut out = Output::NONE;
            for (direction, bytes) in [(Direction::Up, CONNECT), (Direction::Down, CONNACK)] {
                out.clear();
                link.operate(Time::from_millis(1), direction, bytes, &mut out);
                link.went(Time::from_millis(1), direction, bytes.len(), &out.marks, &[]);
            }
            link.core.tick();
            link.obey();
            out.clear();
            link.operate(Time::from_millis(2), Direction::Up, packet, &mut out);
            let starts = [0].into_iter().chain(out.marks.iter().map(|mark| mark.end));
            let packets = out.marks.iter().zip(starts).map(|(mark, start)| (mark.end - start) / packet.len());
            assert_eq!(packets.collect::<Vec<_>>(), expected, "{copies}");
            assert_eq!(out.bytes, packet.repeat(1 + copies as usize));
            let noted = out.marks.iter().filter_map(|mark| mark.note.ticket).count();
            assert_eq!(noted, 2, "the packet's own, and one with the last of the copies");
        });
    }
}
