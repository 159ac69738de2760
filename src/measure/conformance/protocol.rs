//! The protocol itself: CONNECT first and once, packets that can be read.

use super::cases::{Cases, Names, News, Size, seen};
use super::kind::Kind;
use super::watch::Watch;
use crate::base::{Direction, Time};
use crate::event::Packet;
use crate::measure::finding::Grade;
use crate::mqtt::{Flaw, PacketKind};
use crate::ws::HIDDEN;

/// What brownout says of TLS that is passed through and turns out to be none: no rule of MQTT.
const NOT_TLS: &str = "TLS records";

/// A packet came, before it is taken in.
pub(super) fn arrives(
    watch: &Watch,
    at: Time,
    seq: u64,
    direction: Direction,
    packet: &Packet,
    names: Names<'_>,
    cases: &mut Cases,
) {
    let device = if direction == Direction::Up { watch.device } else { None };
    let size = Size::default();
    match packet {
        Packet::Connect { .. } if watch.greeting.is_some() => {
            let (kind, grade, rule) = (Kind::SecondConnect, Grade::Fail, Some("MQTT-3.1.0-2"));
            let seen = seen(seq, at, "CONNECT on a link that has had one");
            cases.add(News { device, kind, grade, rule, size, seen });
        }
        Packet::Unreadable { kind } => {
            let what = format!("{} of {}", kind.to_uppercase(), names.shown(watch));
            let (kind, grade, rule) = (Kind::Unreadable, Grade::Warn, None);
            cases.add(News { device, kind, grade, rule, size, seen: seen(seq, at, what) });
        }
        _ => {}
    }
}

/// A packet came whose form its receiver has to refuse.
pub(super) fn malformed(
    watch: &Watch,
    at: Time,
    seq: u64,
    direction: Direction,
    packet: PacketKind,
    flaw: Flaw,
    cases: &mut Cases,
) {
    cases.add(News {
        device: if direction == Direction::Up { watch.device } else { None },
        kind: Kind::Malformed,
        grade: Grade::Fail,
        rule: Some(flaw.rule(direction, watch.version())),
        size: Size::default(),
        seen: seen(seq, at, format!("{} {}", packet.name(), flaw.words())),
    });
}

/// From here on, what came is not MQTT.
pub(super) fn not_mqtt(
    watch: &Watch,
    at: Time,
    seq: u64,
    direction: Direction,
    reason: &str,
    cases: &mut Cases,
) {
    let is_nobodys = [NOT_TLS, HIDDEN].iter().any(|why| reason.contains(why));
    if is_nobodys || !watch.faults.is_pristine() {
        return;
    }
    let rules = ["MQTT-3.1.0-1", "MQTT-3.1.2-1", "MQTT-3.2.0-1"];
    let rule = rules.into_iter().find(|rule| reason.contains(rule));
    cases.add(News {
        device: if direction == Direction::Up { watch.device } else { None },
        kind: Kind::NotMqtt,
        grade: Grade::Warn,
        rule,
        size: Size::default(),
        seen: seen(seq, at, reason.to_owned()),
    });
}
