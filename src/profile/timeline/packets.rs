//! Faults of packets in sentences.

use super::faults::{ended, later};
use super::links::{bytes, ending_words};
use super::words::{Words, ordinal, times};
use crate::base::Chance;
use crate::base::units::to_u64;
use crate::fault::{Corrupt, Edit, Inject, Injection, PacketAction, PacketFault, PacketMatch, WaysWanted};

/// `each PUBACK from hub to device, with a chance of 50%, is dropped, for 30s`
pub(super) fn packets(PacketFault { what, action, hold }: &PacketFault, words: Words) -> String {
    let done = match action {
        PacketAction::Drop { acknowledge: false } => "is dropped".to_owned(),
        PacketAction::Drop { acknowledge: true } => {
            "is dropped, and acknowledged in the place of the end that never gets it".to_owned()
        }
        PacketAction::Delay(delay) => format!("comes later by {}", later(*delay, words)),
        PacketAction::Duplicate { copies } => {
            format!("is passed on {}", times(copies.saturating_add(1)))
        }
        PacketAction::Edit(edit) => format!("is changed ({edit})"),
        PacketAction::Corrupt(Corrupt::Payload) => "has one byte of its payload changed".to_owned(),
        PacketAction::Corrupt(Corrupt::Body) => "has one byte behind its fixed header changed".to_owned(),
        PacketAction::Corrupt(Corrupt::Anywhere) => "has one byte changed, wherever it is".to_owned(),
        PacketAction::Cut(cut) => {
            let (passed, ended) = (bytes(cut.after_bytes), ended(ending_words(cut.ending), cut.close));
            let (hold, which) = (words.hold(*hold), which(what));
            let which = which.trim_end_matches(',');
            return format!("{hold}, the link ends after the first {passed} of {which}: {ended}");
        }
    };
    format!("{} {done}, {}", which(what), words.hold(*hold))
}

/// Which packets: `each PUBLISH of QoS 1 from device to hub whose topic is like `a/#`, with a chance of 50%,`
fn which(what: &PacketMatch) -> String {
    let PacketMatch { packet, direction, topic, qos, dup, retain, nth, times: most, chance } = what;
    let is_publish = topic.is_some() || qos.is_some() || dup.is_some() || retain.is_some();
    let name = match packet {
        Some(packet) => packet.name(),
        None if is_publish => "PUBLISH",
        None => "packet",
    };
    let flag = |given: &Option<bool>, name| {
        given.map(|set| if set { format!("with {name}") } else { format!("without {name}") })
    };
    let qos = qos.map(|qos| format!(" of QoS {qos}")).unwrap_or_default();
    let flags: Vec<String> = [flag(dup, "DUP"), flag(retain, "RETAIN")].into_iter().flatten().collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" {}", flags.join(" and ")) };
    let way = match direction {
        WaysWanted::Up => " from device to hub",
        WaysWanted::Down => " from hub to device",
        WaysWanted::Both => "",
    };
    let topic = topic.as_ref().map(|filter| format!(" whose topic matches `{filter}`")).unwrap_or_default();
    let number = match nth {
        Some(nth) => format!("the {}", ordinal(*nth)),
        None => "each".to_owned(),
    };
    let of_link = if nth.is_some() { " of each link" } else { "" };
    let mut limits = Vec::new();
    if let Some(most) = most {
        limits.push(format!("at most {} in a firing", times(*most)));
    }
    if *chance != Chance::ALWAYS {
        limits.push(format!("with a chance of {chance}"));
    }
    let limits = if limits.is_empty() { String::new() } else { format!(", {},", limits.join(" and ")) };
    format!("{number} {name}{qos}{flags}{of_link}{way}{topic}{limits}")
}

/// A packet of brownout's own.
pub(super) fn inject(Inject { toward, what }: &Inject) -> String {
    let packet = match what {
        Injection::Pingreq | Injection::Pingresp => format!("a {}", what.word()),
        Injection::Ack { kind, packet_id } => format!("a {kind} of packet identifier {packet_id}"),
        Injection::Publish { topic, payload, qos, retain, packet_id } => {
            let retain = if *retain { ", RETAIN" } else { "" };
            let id =
                if qos.number() == 0 { String::new() } else { format!(", packet identifier {packet_id}") };
            let size = to_u64(payload.len());
            format!("a PUBLISH to `{topic}` (QoS {qos}{retain}{id}, {} of payload)", bytes(size))
        }
        Injection::Raw(raw) => {
            let size = to_u64(raw.len());
            let are = if size == 1 { "is" } else { "are" };
            return format!("{} {are} put into the stream to the {}", bytes(size), toward.word());
        }
    };
    format!("{packet} is put into the stream to the {}", toward.word())
}

/// What there is to know about a packet put in.
pub(super) fn more_inject(Inject { toward, what }: &Inject) -> Vec<String> {
    let (whom, other) = (toward.word(), toward.other().word());
    let mut told = vec![format!(
        "Made as stream, between two packets. The {other} knows nothing of it, and gets what the {whom} answers."
    )];
    if matches!(what, Injection::Raw(_)) {
        told.push("They are sent as they are: where they are no MQTT, a sound end closes the link.".into());
    }
    told
}

/// What there is to know about how packets are worked on.
pub(super) fn more(fault: &PacketFault) -> Vec<String> {
    let mut told = vec!["Made as stream: packets that came are worked on; TCP itself is sound.".to_owned()];
    let also = match &fault.action {
        PacketAction::Delay(_) => "What comes behind such a packet waits for it, as TCP keeps the order.",
        PacketAction::Drop { acknowledge: true } => {
            "That acknowledgement is a lie: the message is lost for good, and its sender cannot know."
        }
        PacketAction::Edit(Edit { keep_alive: Some(_), .. } | Edit { server_keep_alive: Some(_), .. }) => {
            "That changes what is tested: only the end that reads this field hears of the other keep-alive."
        }
        PacketAction::Corrupt(Corrupt::Anywhere) => {
            "Where the byte is of a length, nobody can follow the stream behind it."
        }
        PacketAction::Edit(_)
        | PacketAction::Corrupt(_)
        | PacketAction::Drop { acknowledge: false }
        | PacketAction::Duplicate { .. }
        | PacketAction::Cut(_) => return told,
    };
    told.push(also.to_owned());
    told
}
