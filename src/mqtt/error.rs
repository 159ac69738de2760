//! What can be wrong with a packet, and by which rule.
//!
//! Where MQTT 3.1.1 and 5 number the same rule differently, both numbers stand, 3.1.1's first.

use super::kind::{PacketKind, Version};
use super::topic::TopicProblem;

/// What the peer that sent a packet did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The packet ends inside a field.
    #[error("the packet ends inside the {field}")]
    Truncated {
        /// The field that is cut off.
        field: &'static str,
    },
    /// The packet goes on after its last field.
    #[error("{count} bytes are left after the last field")]
    LeftOver {
        /// How many bytes.
        count: usize,
    },
    /// The packet type is 0.
    #[error("the packet type of first byte {first_byte:#04x} is reserved")]
    ReservedType {
        /// The packet's first byte.
        first_byte: u8,
    },
    /// The packet type came with a later version.
    #[error("{kind} does not exist in MQTT {version}")]
    NotInVersion {
        /// The packet's type.
        kind: PacketKind,
        /// The version of the link.
        version: Version,
    },
    /// The lower half of the first byte is not what the type demands.
    #[error("the flags of {kind} are {flags:#03x} [MQTT-2.2.2-2, MQTT-2.1.3-1]")]
    Flags {
        /// The packet's type.
        kind: PacketKind,
        /// The lower four bits of the first byte.
        flags: u8,
    },
    /// A text is not well-formed UTF-8.
    #[error("the {field} is not well-formed UTF-8 [MQTT-1.5.3-1, MQTT-1.5.4-1]")]
    NotUtf8 {
        /// The field.
        field: &'static str,
    },
    /// A text holds the null character.
    #[error("the {field} holds U+0000 [MQTT-1.5.3-2, MQTT-1.5.4-2]")]
    NullCharacter {
        /// The field.
        field: &'static str,
    },
    /// A variable byte integer goes on after four bytes, or is longer than it need be.
    #[error("the {field} is not a variable byte integer of the fewest bytes, at most four [MQTT-1.5.5-1]")]
    VarInt {
        /// The field.
        field: &'static str,
    },
    /// A field has a value that is not allowed.
    #[error("the {field} is {value:#x}; allowed is {allowed} [{rule}]")]
    Value {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u32,
        /// What it may hold.
        allowed: &'static str,
        /// The rule's number, or the section where the rule has none.
        rule: &'static str,
    },
    /// The protocol name is not the one of the protocol level.
    #[error(
        "the protocol name is `{name}` at level {level}; it is MQIsdp at 3, MQTT at 4 and 5 [MQTT-3.1.2-1]"
    )]
    ProtocolName {
        /// The name, lossy.
        name: String,
        /// The protocol level beside it.
        level: u8,
    },
    /// A password without a user name, which only MQTT 5 allows.
    #[error("there is a password and no user name [MQTT-3.1.2-22]")]
    PasswordAlone,
    /// A request that asks for nothing.
    #[error("{kind} has no topic filter [MQTT-3.8.3-3, MQTT-3.8.3-2; MQTT-3.10.3-2]")]
    NoFilters {
        /// SUBSCRIBE or UNSUBSCRIBE.
        kind: PacketKind,
    },
    /// A topic name or filter that is not valid.
    #[error("the {field} `{text}` {problem}")]
    Topic {
        /// The field.
        field: &'static str,
        /// The name or filter.
        text: String,
        /// What is wrong with it.
        problem: TopicProblem,
    },
    /// A property identifier that MQTT 5 does not define.
    #[error("the property identifier {number:#04x} is not known [section 2.2.2.2]")]
    UnknownProperty {
        /// The identifier.
        number: u32,
    },
    /// A property that this packet may not carry.
    #[error("the property {name} does not belong in {place} [section 2.2.2.2]")]
    PropertyPlace {
        /// The property.
        name: &'static str,
        /// The packet, or the will.
        place: &'static str,
    },
    /// A property that may stand once stands twice.
    #[error("the property {name} stands twice in {place} [section 2.2.2.2]")]
    PropertyTwice {
        /// The property.
        name: &'static str,
        /// The packet, or the will.
        place: &'static str,
    },
}

/// Why a packet of ours cannot be written: our own mistake, or a value of the profile that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A text or binary field is longer than its 16-bit length can say.
    #[error("the {field} has {length} bytes; at most 65535 fit")]
    FieldTooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// The packet is longer than its remaining length can say.
    #[error("the packet has {length} bytes after its header; at most 268435455 fit")]
    PacketTooLong {
        /// The remaining length in bytes.
        length: usize,
    },
    /// A PUBLISH of QoS 1 or 2 without packet identifier, or one of QoS 0 with it.
    #[error(
        "PUBLISH has a packet identifier other than 0 exactly when its QoS is 1 or 2 [MQTT-2.3.1-1, MQTT-2.3.1-5]"
    )]
    PacketId,
    /// The packet type came with a later version.
    #[error("{kind} does not exist in MQTT {version}")]
    NotInVersion {
        /// The packet's type.
        kind: PacketKind,
        /// The version to write for.
        version: Version,
    },
}
