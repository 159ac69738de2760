//! How much of a frame's body is its head, and what the first head of a link says.

use crate::mqtt::kind::{PacketKind, Version};
use crate::mqtt::wire::{Reader, Step, VarInt};

/// How many bytes of a body the head holds at most: 2 + 65,535 + 2, the longest topic name with its length and
/// packet identifier. Other packets are kept whole up to this, which no sensible CONNECT or SUBSCRIBE reaches.
pub const HEAD_LIMIT: usize = 65_539;

/// A fixed header, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub kind: PacketKind,
    pub first_byte: u8,
    pub header_len: u8,
    pub remaining_length: u32,
}

impl Header {
    /// The remaining length as a size.
    pub fn remaining(&self) -> usize {
        usize::try_from(self.remaining_length).unwrap_or(usize::MAX)
    }

    /// How long the head is, as far as the beginning of the body tells: more than `body` has if more is needed,
    /// and never less for a longer `body`.
    pub fn head_len(&self, version: Option<Version>, body: &[u8]) -> usize {
        let wanted = match self.kind {
            PacketKind::Publish => publish_head_len(self.first_byte, version, body),
            PacketKind::Connect
            | PacketKind::Connack
            | PacketKind::Puback
            | PacketKind::Pubrec
            | PacketKind::Pubrel
            | PacketKind::Pubcomp
            | PacketKind::Subscribe
            | PacketKind::Suback
            | PacketKind::Unsubscribe
            | PacketKind::Unsuback
            | PacketKind::Pingreq
            | PacketKind::Pingresp
            | PacketKind::Disconnect
            | PacketKind::Auth => HEAD_LIMIT,
        };
        wanted.min(HEAD_LIMIT).min(self.remaining())
    }
}

/// Topic name and packet identifier; in MQTT 5 also the properties, where a topic alias stands.
fn publish_head_len(first_byte: u8, version: Option<Version>, body: &[u8]) -> usize {
    let Some(topic_len) = body.first_chunk::<2>() else { return 2 };
    let id_len = if first_byte & 0x06 == 0 { 0 } else { 2 };
    let before = 2 + usize::from(u16::from_be_bytes(*topic_len)) + id_len;
    if version != Some(Version::V5) {
        return before;
    }
    let mut varint = VarInt::START;
    for byte in body.iter().skip(before) {
        match varint.push(*byte) {
            Step::More => {}
            Step::Done(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                return (before + usize::from(varint.seen)).saturating_add(length);
            }
            Step::TooLong => return before + usize::from(varint.seen),
        }
    }
    before + usize::from(varint.seen) + 1
}

/// Whether a CONNECT's head begins with a protocol name of MQTT, and the protocol level after it.
pub(super) fn protocol(head: &[u8]) -> (bool, Option<u8>) {
    let mut reader = Reader::new(head);
    let name = reader.binary("protocol name");
    let known = name
        .is_ok_and(|name| Version::ALL.into_iter().any(|version| version.protocol_name().as_bytes() == name));
    // mosquitto's bridges set the upper bit of the level.
    (known, reader.u8("protocol level").ok().map(|level| level & 0x7f))
}
