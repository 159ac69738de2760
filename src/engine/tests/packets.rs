//! Faults of single packets: which they fall on, what they come to, and what is said of them.

use super::*;
use crate::base::WindowId;
use crate::fault::{
    Alteration, Corrupt, Edit, Fidelity, MidCut, PacketAction, PacketEnd, PacketFault, PacketMatch, Verdict,
};
use crate::mqtt::QoS;

const UP: Direction = Direction::Up;
const DOWN: Direction = Direction::Down;
const DROP: PacketAction = PacketAction::Drop { acknowledge: false };

fn any() -> PacketMatch {
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

fn of(kind: PacketKind) -> PacketMatch {
    PacketMatch { packet: Some(kind), ..any() }
}

fn fault(what: PacketMatch, action: PacketAction) -> Fault {
    Fault::Packets(PacketFault { what, action, hold: None })
}

fn held(what: PacketMatch, action: PacketAction, hold: &str) -> Fault {
    Fault::Packets(PacketFault { what, action, hold: Some(span(hold)) })
}

fn delay(millis: u64) -> PacketAction {
    PacketAction::Delay(Delay::fixed(Duration::from_millis(millis)))
}

fn cut(after_bytes: u32) -> PacketAction {
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: true };
    PacketAction::Cut(MidCut { after_bytes, ending: LegFate::Reset, close })
}

fn edit(edit: Edit) -> PacketAction {
    PacketAction::Edit(edit)
}

fn publish(qos: u8) -> Packet {
    Packet::Publish { topic: "t".into(), qos, dup: false, retain: false }
}

fn connack(code: u8) -> Packet {
    Packet::Connack { session_present: true, code, server_keep_alive: None, assigned_client_id: None }
}

/// Net/ that does at once what a verdict says, and confirms it.
impl Run {
    fn ask(&mut self, link: LinkId, direction: Direction, packet: Packet, topic: &str) -> Verdict {
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

    fn say(&mut self, link: LinkId, direction: Direction, packet: Packet) -> Verdict {
        self.ask(link, direction, packet, "t")
    }

    fn drops(&mut self, link: LinkId, direction: Direction, packet: Packet) -> bool {
        matches!(self.say(link, direction, packet).end, Some((_, PacketEnd::Drop { .. })))
    }
}

/// What net/ says of a verdict that it carried out.
fn done(verdict: &Verdict) -> Vec<(Option<WindowId>, Alteration)> {
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
