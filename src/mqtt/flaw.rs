//! What is wrong with a packet's form, so that its receiver has to refuse it: as far as that shows at its head.
//!
//! Invariant: what is told is a breach of a numbered rule (or of a table) of the link's version, by whoever sent the packet.
//! Deliberately absent: topics, texts and properties, which would have to be read of every PUBLISH that passes; and MQTT 3.1,
//! which leaves most of this open.

use super::framer::Frame;
use super::kind::{PacketKind, Version};
use super::packet::publish_flag as publish;
use super::peek;
use super::wire::Reader;
use crate::base::Direction;
use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// Its type is not one that this end sends.
    Way,
    /// The flags of its fixed header are not those of its type.
    Flags,
    /// A PUBLISH with both QoS bits set.
    Qos3,
    /// A PUBLISH of QoS 1 or 2, a SUBSCRIBE or an UNSUBSCRIBE with the packet identifier 0.
    NoIdentifier,
    /// A SUBSCRIBE whose options have reserved bits set.
    Options,
}

impl Flaw {
    /// All of them, in the order in which a packet is looked at.
    pub const ALL: [Flaw; 5] = [Flaw::Way, Flaw::Flags, Flaw::Qos3, Flaw::NoIdentifier, Flaw::Options];

    /// What is wrong with a packet that travels this way, if anything is; the first of it.
    pub fn of(direction: Direction, version: Version, frame: &Frame<'_>) -> Option<Flaw> {
        if version == Version::V31 {
            return None;
        }
        let Frame { kind, first_byte, head, .. } = *frame;
        let (flags, is_publish) = (first_byte & 0x0f, kind == PacketKind::Publish);
        let is_wrong = |flaw: &Flaw| match flaw {
            Flaw::Way => !is_sent(direction, version, kind),
            Flaw::Flags => !is_publish && flags != flags_of(kind),
            Flaw::Qos3 => is_publish && flags & publish::QOS == publish::QOS,
            Flaw::NoIdentifier => {
                let is_request = matches!(kind, PacketKind::Subscribe | PacketKind::Unsubscribe);
                (is_publish || is_request) && peek::packet_id(kind, first_byte, head) == Some(0)
            }
            Flaw::Options => kind == PacketKind::Subscribe && !has_sound_options(version, head),
        };
        Flaw::ALL.into_iter().find(is_wrong)
    }

    /// A bit of its own.
    pub fn bit(self) -> u8 {
        match self {
            Flaw::Way => 1,
            Flaw::Flags => 1 << 1,
            Flaw::Qos3 => 1 << 2,
            Flaw::NoIdentifier => 1 << 3,
            Flaw::Options => 1 << 4,
        }
    }

    /// The rule that was broken, by the end that sends this way.
    pub fn rule(self, direction: Direction, version: Version) -> &'static str {
        let is_v5 = version == Version::V5;
        match (self, is_v5, direction) {
            (Flaw::Flags, false, _) => "MQTT-2.2.2-1",
            (Flaw::Flags, true, _) => "MQTT-2.1.3-1",
            (Flaw::Way, false, _) => "MQTT 3.1.1 section 2.2.1",
            (Flaw::Way, true, _) => "MQTT 5.0 section 2.1.2",
            (Flaw::Qos3, _, _) => "MQTT-3.3.1-4",
            (Flaw::NoIdentifier, false, _) => "MQTT-2.3.1-1",
            (Flaw::NoIdentifier, true, Direction::Up) => "MQTT-2.2.1-3",
            (Flaw::NoIdentifier, true, Direction::Down) => "MQTT-2.2.1-4",
            (Flaw::Options, false, _) => "MQTT-3.8.3-4",
            (Flaw::Options, true, _) => "MQTT-3.8.3-5",
        }
    }

    /// In words, after the type of the packet.
    pub fn words(self) -> &'static str {
        match self {
            Flaw::Flags => "with flags that its type has not",
            Flaw::Way => "from the end that does not send it",
            Flaw::Qos3 => "of QoS 3",
            Flaw::NoIdentifier => "with packet identifier 0",
            Flaw::Options => "with reserved bits in its options",
        }
    }
}

/// What the flags of a type are; of PUBLISH, they say something.
fn flags_of(kind: PacketKind) -> u8 {
    match kind {
        PacketKind::Pubrel | PacketKind::Subscribe | PacketKind::Unsubscribe => 0b0010,
        PacketKind::Connect
        | PacketKind::Connack
        | PacketKind::Publish
        | PacketKind::Puback
        | PacketKind::Pubrec
        | PacketKind::Pubcomp
        | PacketKind::Suback
        | PacketKind::Unsuback
        | PacketKind::Pingreq
        | PacketKind::Pingresp
        | PacketKind::Disconnect
        | PacketKind::Auth => 0,
    }
}

/// Whether the end that sends this way sends packets of the type.
fn is_sent(direction: Direction, version: Version, kind: PacketKind) -> bool {
    match kind {
        PacketKind::Connect | PacketKind::Subscribe | PacketKind::Unsubscribe | PacketKind::Pingreq => {
            direction == Direction::Up
        }
        PacketKind::Connack | PacketKind::Suback | PacketKind::Unsuback | PacketKind::Pingresp => {
            direction == Direction::Down
        }
        PacketKind::Disconnect => direction == Direction::Up || version == Version::V5,
        PacketKind::Publish
        | PacketKind::Puback
        | PacketKind::Pubrec
        | PacketKind::Pubrel
        | PacketKind::Pubcomp
        | PacketKind::Auth => true,
    }
}

/// Whether the options of all filters that can be read have no reserved bit set: before MQTT 5, all but QoS 0 to 2.
fn has_sound_options(version: Version, head: &[u8]) -> bool {
    let mut reader = Reader::new(head);
    let mut read = || -> Option<bool> {
        reader.u16("packet identifier").ok()?;
        if version == Version::V5 {
            let length = reader.varint("property length").ok()?;
            reader.bytes(usize::try_from(length).ok()?, "properties").ok()?;
        }
        while reader.binary("topic filter").is_ok() {
            let options = reader.u8("options").ok()?;
            let is_sound = if version == Version::V5 { options & 0xc0 == 0 } else { options <= 2 };
            if !is_sound {
                return Some(false);
            }
        }
        None
    };
    read().unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::framer::{Framer, Piece};
    use Direction::{Down, Up};

    /// A packet behind the first of its way.
    fn flaw(direction: Direction, version: Version, packet: &[u8]) -> Option<Flaw> {
        let mut framer = Framer::new(direction);
        let first: &[u8] = match direction {
            Up => b"\x10\x0c\0\x04MQTT\x04\x02\0\x0a\0\0",
            Down => b"\x20\x02\0\0",
        };
        let mut scan = framer.scan(first);
        while scan.next_piece().is_some() {}
        framer.set_version(version);
        let mut scan = framer.scan(packet);
        let Some(Piece::Frame(frame)) = scan.next_piece() else { panic!("no packet: {packet:x?}") };
        Flaw::of(direction, version, &frame)
    }

    #[test]
    fn what_is_wrong_and_what_is_not() {
        let v311: [(Direction, &[u8], Option<Flaw>); 20] = [
            (Up, b"\x30\x03\0\x01a", None),
            (Up, b"\x32\x05\0\x01a\0\x01", None),
            (Down, b"\x3d\x05\0\x01a\0\x01", None),
            (Up, b"\x36\x05\0\x01a\0\x01", Some(Flaw::Qos3)),
            (Up, b"\x32\x05\0\x01a\0\0", Some(Flaw::NoIdentifier)),
            (Down, b"\x34\x05\0\x01a\0\0", Some(Flaw::NoIdentifier)),
            (Up, b"\x62\x02\0\x01", None),
            (Up, b"\x60\x02\0\x01", Some(Flaw::Flags)),
            (Up, b"\x42\x02\0\x01", Some(Flaw::Flags)),
            (Up, b"\x82\x06\0\x01\0\x01a\x02", None),
            (Up, b"\x83\x06\0\x01\0\x01a\x02", Some(Flaw::Flags)),
            (Up, b"\x82\x06\0\0\0\x01a\x02", Some(Flaw::NoIdentifier)),
            (Up, b"\x82\x06\0\x01\0\x01a\x03", Some(Flaw::Options)),
            (Up, b"\x82\x0a\0\x01\0\x01a\x02\0\x01b\x04", Some(Flaw::Options)),
            (Up, b"\xa2\x05\0\0\0\x01a", Some(Flaw::NoIdentifier)),
            (Up, b"\xc0\0", None),
            (Up, b"\xe0\0", None),
            (Down, b"\xe0\0", Some(Flaw::Way)),
            (Up, b"\x20\x02\0\0", Some(Flaw::Way)),
            (Down, b"\xc0\0", Some(Flaw::Way)),
        ];
        for (direction, packet, expected) in v311 {
            assert_eq!(flaw(direction, Version::V311, packet), expected, "{direction:?} {packet:x?}");
            assert_eq!(flaw(direction, Version::V31, packet), None);
        }
        let v5: [(Direction, &[u8], Option<Flaw>); 7] = [
            (Down, b"\xe0\0", None),
            (Up, b"\xf0\0", None),
            (Up, b"\xf1\0", Some(Flaw::Flags)),
            (Up, b"\x82\x07\0\x01\0\0\x01a\x2d", None),
            (Up, b"\x82\x07\0\x01\0\0\x01a\x41", Some(Flaw::Options)),
            (Up, b"\x82\x09\0\x01\x02\x0b\x01\0\x01a\x80", Some(Flaw::Options)),
            // What cannot be read is nothing that can be told.
            (Up, b"\x82\x04\0\x01\0\0", None),
        ];
        for (direction, packet, expected) in v5 {
            assert_eq!(flaw(direction, Version::V5, packet), expected, "{direction:?} {packet:x?}");
        }
    }
}
