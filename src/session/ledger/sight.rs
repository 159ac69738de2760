//! What a ledger is told of packets, read as they pass: hashes of payloads, not payloads.
//!
//! At QoS 0 nothing is known again by what it says, and so nothing is hashed but the topics of numbers. Else a PUBLISH that
//! lies in one read is hashed in one step, where it lies; only one that is split over reads is hashed piece by
//! piece. Nothing of a payload is kept but, where the profile has a `sequence` and a PUBLISH is split, its first 4 KiB.

use super::entry::{Ack, AckKind, Message};
use crate::base::{Direction, Ways};
use crate::mqtt::framer::Frame;
use crate::mqtt::wire::Reader;
use crate::mqtt::{PacketKind, Properties, QoS, Version, peek};
use crate::profile::Sequence;
use crate::profile::sequence::LOOKED_AT;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

/// Sees the PUBLISH packets of one link. Owns no memory between packets but topic aliases.
#[derive(Debug, Default)]
pub struct Sight {
    /// What topic aliases stand for: at most 65,535 of 16 bytes, by the protocol; hubs allow some ten.
    aliases: Option<Box<Ways<BTreeMap<u16, Topic>>>>,
    under: Ways<Option<Box<Under>>>,
}

#[derive(Clone, Copy, Debug)]
struct Topic {
    hash: u64,
    has_number: bool,
}

/// A PUBLISH whose last byte is still to come.
struct Under {
    /// None at QoS 0.
    hasher: Option<Xxh3>,
    /// The beginning of its payload, where it has a number.
    kept: Vec<u8>,
    has_number: bool,
}

impl std::fmt::Debug for Under {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Under").finish_non_exhaustive()
    }
}

impl Sight {
    /// Looks at a PUBLISH whose head is there. Where its end is not, its hash and number come with [`Sight::finish`].
    pub fn look(
        &mut self,
        direction: Direction,
        version: Version,
        frame: &Frame<'_>,
        sequence: Option<&Sequence>,
    ) -> Option<Message> {
        let qos = QoS::from_number(frame.first_byte >> 1 & 3)?;
        let mut reader = Reader::new(frame.head);
        let name = reader.binary("topic name").ok()?;
        let id = if qos == QoS::AtMostOnce { 0 } else { reader.u16("packet identifier").ok()? };
        if id == 0 && qos != QoS::AtMostOnce {
            // No identifier at all [MQTT-2.2.1-3]: nothing could be said of its message that is sure.
            return None;
        }
        let Asides { alias, expiry } = asides(version, &mut reader);
        let topic = self.topic(direction, name, alias, sequence, qos);
        let is_followed = qos != QoS::AtMostOnce;
        let rest = reader.rest();
        let mut message = Message {
            qos,
            id,
            dup: frame.first_byte & 8 != 0,
            retain: frame.first_byte & 1 != 0,
            expiry,
            hash: 0,
            topic: topic.hash,
            number: None,
            dropped: false,
        };
        if !is_followed && !topic.has_number {
            return Some(message);
        }
        if frame.ended && rest.is_empty() {
            message.hash = if is_followed { xxh3_64_with_seed(frame.rest, topic.hash) } else { 0 };
            message.number = sequence.filter(|_| topic.has_number).and_then(|s| s.read(frame.rest));
            return Some(message);
        }
        let hasher = is_followed.then(|| Xxh3::with_seed(topic.hash));
        *self.under.get_mut(direction) =
            Some(Box::new(Under { hasher, kept: Vec::new(), has_number: topic.has_number }));
        self.feed(direction, rest);
        self.feed(direction, frame.rest);
        if frame.ended {
            self.finish(direction, &mut message, sequence);
        }
        Some(message)
    }

    /// More of the payload of the PUBLISH under way, if one is.
    pub fn feed(&mut self, direction: Direction, bytes: &[u8]) {
        if let Some(under) = self.under.get_mut(direction) {
            if let Some(hasher) = &mut under.hasher {
                hasher.update(bytes);
            }
            if under.has_number {
                // One more shows whether a number ends there.
                let room = (LOOKED_AT + 1).saturating_sub(under.kept.len());
                under.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            }
        }
    }

    /// The last byte of the PUBLISH under way has come.
    pub fn finish(&mut self, direction: Direction, message: &mut Message, sequence: Option<&Sequence>) {
        let Some(under) = self.under.get_mut(direction).take() else { return };
        message.hash = under.hasher.map_or(0, |hasher| hasher.digest());
        message.number = sequence.filter(|_| under.has_number).and_then(|s| s.read(&under.kept));
    }

    fn topic(
        &mut self,
        direction: Direction,
        name: &[u8],
        alias: Option<u16>,
        sequence: Option<&Sequence>,
        qos: QoS,
    ) -> Topic {
        if let (true, Some(alias)) = (name.is_empty(), alias) {
            let unknown = Topic { hash: u64::from(alias), has_number: false };
            let known = self.aliases.as_ref().and_then(|aliases| aliases.get(direction).get(&alias));
            return known.copied().unwrap_or(unknown);
        }
        let has_number = sequence.is_some_and(|sequence| sequence.is_of(&String::from_utf8_lossy(name)));
        // Of QoS 0 it is asked for where a number counts by topic, and where an alias may stand for it later.
        let is_asked = qos != QoS::AtMostOnce || has_number || alias.is_some();
        let topic = Topic { hash: if is_asked { xxh3_64(name) } else { 0 }, has_number };
        if let Some(alias) = alias {
            self.aliases.get_or_insert_default().get_mut(direction).insert(alias, topic);
        }
        topic
    }
}

/// What the properties of a PUBLISH say that is asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Asides {
    /// Topic Alias.
    alias: Option<u16>,
    /// Message Expiry Interval in seconds.
    expiry: Option<u32>,
}

/// Reads over the properties of a PUBLISH of MQTT 5.
fn asides(version: Version, reader: &mut Reader<'_>) -> Asides {
    let none = Asides::default();
    if version != Version::V5 {
        return none;
    }
    let mut after = reader.clone();
    let Ok(length) = after.varint("property length") else { return none };
    let is_whole = usize::try_from(length).is_ok_and(|length| after.bytes(length, "properties").is_ok());
    if !is_whole {
        return none;
    }
    let properties = if length > 0 { Properties::read_leniently(reader) } else { Properties::NONE };
    *reader = after;
    Asides { alias: properties.topic_alias(), expiry: properties.message_expiry() }
}

/// What an acknowledgement says; `direction` is the way that it goes itself.
pub fn ack(direction: Direction, version: Version, kind: PacketKind, head: &[u8]) -> Option<Ack> {
    let kind = match kind {
        PacketKind::Puback => AckKind::Puback,
        PacketKind::Pubrec => AckKind::Pubrec,
        PacketKind::Pubrel => AckKind::Pubrel,
        PacketKind::Pubcomp => AckKind::Pubcomp,
        PacketKind::Connect
        | PacketKind::Connack
        | PacketKind::Publish
        | PacketKind::Subscribe
        | PacketKind::Suback
        | PacketKind::Unsubscribe
        | PacketKind::Unsuback
        | PacketKind::Pingreq
        | PacketKind::Pingresp
        | PacketKind::Disconnect
        | PacketKind::Auth => return None,
    };
    let view = peek::ack_view(version, head)?;
    let direction = match (kind, direction) {
        (AckKind::Pubrel, direction) => direction,
        (AckKind::Puback | AckKind::Pubrec | AckKind::Pubcomp, Direction::Up) => Direction::Down,
        (AckKind::Puback | AckKind::Pubrec | AckKind::Pubcomp, Direction::Down) => Direction::Up,
    };
    Some(Ack { direction, kind, id: view.packet_id, refuses: view.reason >= 0x80 })
}
