//! What is remarkable of single messages, as findings: by whose doing, and by which rule.
//!
//! Losses that a fault made (it dropped the message, acknowledged it in the hub's place, or cut its link at QoS 0) are nobody's.

use super::cases::{Cases, News, Size, seen};
use super::kind::Kind;
use crate::base::{DeviceId, Direction, Side, Time};
use crate::event::{Excuse, Loss, MessageNews};
use crate::measure::finding::Grade;
use crate::mqtt::Version;
use crate::session::ledger::AckKind;

/// A message, with what is known of its device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub at: Time,
    pub seq: u64,
    pub device: DeviceId,
    pub direction: Direction,
    pub qos: u8,
    pub id: Option<u16>,
    pub news: &'a MessageNews,
    /// How many more alike there were.
    pub more: u64,
    pub version: Version,
    /// A fault worked on packets of the device's.
    pub altered: bool,
    /// A fault fell on the device's link, or on the device a moment ago.
    pub disturbed: bool,
}

/// The finding that the news makes, if any.
pub(super) fn told(told: Told<'_>, cases: &mut Cases) {
    let Some((kind, grade, rule, sender)) = judge(told) else { return };
    let id = told.id.map(|id| format!(" (identifier {id})")).unwrap_or_default();
    let alike = if told.more > 0 { format!(", and {} more alike", told.more) } else { String::new() };
    let what = format!("QoS {} {}{id}: {}{alike}", told.qos, told.direction.word(), told.news);
    let news = News {
        device: (sender == Side::Device || kind.class() == crate::measure::Class::Loss)
            .then_some(told.device),
        kind,
        grade,
        rule,
        size: Size::default(),
        seen: seen(told.seq, told.at, what),
    };
    cases.add_all(news, told.news.messages() + told.more);
}

fn judge(told: Told<'_>) -> Option<(Kind, Grade, Option<&'static str>, Side)> {
    let (sender, receiver) = (told.direction.from(), told.direction.to());
    let numbered = |v311, v5| Some(if told.version == Version::V5 { v5 } else { v311 });
    Some(match told.news {
        MessageNews::DupWrong { dup: true } if told.qos == 0 => {
            (Kind::DupWrong, Grade::Fail, Some("MQTT-3.3.1-2"), sender)
        }
        // It may have been sent before where brownout did not see it.
        MessageNews::DupWrong { dup: true } => (Kind::DupWrong, Grade::Warn, Some("MQTT-3.3.1-1"), sender),
        MessageNews::DupWrong { dup: false } => (Kind::DupWrong, Grade::Fail, Some("MQTT-3.3.1-1"), sender),
        MessageNews::IdInUse { .. } if told.altered => return None,
        MessageNews::IdInUse { .. } => {
            let rule = match sender {
                Side::Device => numbered("MQTT-2.3.1-2", "MQTT-2.2.1-3"),
                Side::Hub => numbered("MQTT-2.3.1-4", "MQTT-2.2.1-4"),
            };
            (Kind::IdInUse, Grade::Fail, rule, sender)
        }
        MessageNews::UnknownAck { .. } if told.altered => return None,
        MessageNews::UnknownAck { packet } => {
            // PUBREL travels the way of its message, and what else acknowledges that the other.
            let by = if packet == AckKind::Pubrel.word() { sender } else { receiver };
            (Kind::UnknownAck, Grade::Warn, numbered("MQTT-2.3.1-6", "MQTT-2.2.1-5"), by)
        }
        MessageNews::ReceiveMaximum { .. } if told.altered => return None,
        MessageNews::ReceiveMaximum { .. } => {
            let rule = if sender == Side::Device { "MQTT-3.3.4-7" } else { "MQTT-3.3.4-9" };
            (Kind::ReceiveMaximum, Grade::Fail, Some(rule), sender)
        }
        MessageNews::Lost { why, .. } => {
            return lost(told, *why).map(|(kind, grade, rule)| (kind, grade, rule, sender));
        }
        MessageNews::GivenUp { .. } => (Kind::NotSentAgain, Grade::Fail, Some("MQTT-4.4.0-1"), sender),
        MessageNews::Gap { excuse, .. } => {
            let why = match excuse {
                Some(Excuse::SessionOver) if !told.altered => Loss::SessionOver,
                Some(Excuse::PerhapsExpired) => Loss::Expired,
                Some(Excuse::SessionOver) | None => Loss::Missing,
            };
            return lost(told, why).map(|(kind, grade, rule)| (kind, grade, rule, sender));
        }
        MessageNews::Duplicated { released: true, .. } if told.qos == 2 && !told.altered => {
            (Kind::Qos2Duplicated, Grade::Fail, numbered("MQTT-4.3.3-1", "MQTT-4.3.3-6"), sender)
        }
        MessageNews::Duplicated { .. }
        | MessageNews::Retransmitted { .. }
        | MessageNews::InFlight { .. }
        | MessageNews::Repeated { .. }
        | MessageNews::CaughtUp { .. } => return None,
    })
}

fn lost(told: Told<'_>, why: Loss) -> Option<(Kind, Grade, Option<&'static str>)> {
    match (told.qos, why) {
        (_, Loss::FalselyAcknowledged | Loss::Expired) => None,
        (0, _) if told.disturbed || told.altered => None,
        (0, _) => Some((Kind::Qos0Lost, Grade::Warn, None)),
        // The numbers may leave it out since a fault dropped it.
        (_, Loss::Missing | Loss::NotPassedOn) if told.altered => None,
        (_, Loss::SessionOver) => Some((Kind::MessagesLost, Grade::Warn, None)),
        (_, Loss::NeverSentAgain) => Some((Kind::MessagesLost, Grade::Fail, Some("MQTT-4.4.0-1"))),
        (_, Loss::Missing | Loss::NotPassedOn) => Some((Kind::MessagesLost, Grade::Fail, None)),
    }
}
