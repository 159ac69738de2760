//! The small closed sets of MQTT: packet types, versions, qualities of service.

use crate::base::pack::{Pack, Reader, Writer, kinds};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A control packet type (MQTT 3.1.1, section 2.2.1; 5.0, section 2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum PacketKind {
    /// The device asks for a session.
    Connect = 1,
    /// The hub's answer to CONNECT.
    Connack = 2,
    /// A message, either way.
    Publish = 3,
    /// The answer to a PUBLISH of QoS 1.
    Puback = 4,
    /// The first answer to a PUBLISH of QoS 2.
    Pubrec = 5,
    /// The second step of a PUBLISH of QoS 2.
    Pubrel = 6,
    /// The last step of a PUBLISH of QoS 2.
    Pubcomp = 7,
    /// The device asks for topics.
    Subscribe = 8,
    /// The answer to SUBSCRIBE.
    Suback = 9,
    /// The device gives topics up.
    Unsubscribe = 10,
    /// The answer to UNSUBSCRIBE.
    Unsuback = 11,
    /// The device's sign of life.
    Pingreq = 12,
    /// The answer to PINGREQ.
    Pingresp = 13,
    /// The end, said aloud: by the device, and in MQTT 5 also by the hub.
    Disconnect = 14,
    /// A step of extended authentication; MQTT 5 only.
    Auth = 15,
}

impl PacketKind {
    /// All types, by number.
    pub const ALL: [PacketKind; 15] = [
        PacketKind::Connect,
        PacketKind::Connack,
        PacketKind::Publish,
        PacketKind::Puback,
        PacketKind::Pubrec,
        PacketKind::Pubrel,
        PacketKind::Pubcomp,
        PacketKind::Subscribe,
        PacketKind::Suback,
        PacketKind::Unsubscribe,
        PacketKind::Unsuback,
        PacketKind::Pingreq,
        PacketKind::Pingresp,
        PacketKind::Disconnect,
        PacketKind::Auth,
    ];

    /// The type in the upper half of a packet's first byte; `None` for the reserved type 0.
    pub fn from_first_byte(first: u8) -> Option<PacketKind> {
        let number = usize::from(first >> 4);
        number.checked_sub(1).and_then(|index| PacketKind::ALL.get(index)).copied()
    }

    /// The type's number, 1 to 15.
    pub const fn number(self) -> u8 {
        // The discriminants are written out above and the representation is u8.
        self as u8
    }

    /// One bit per type (bit 1 is CONNECT, bit 15 AUTH): for sets of types in a `u16`.
    pub const fn bit(self) -> u16 {
        1 << self.number()
    }

    /// The name as the specification writes it: `CONNECT`.
    pub fn name(self) -> &'static str {
        match self {
            PacketKind::Connect => "CONNECT",
            PacketKind::Connack => "CONNACK",
            PacketKind::Publish => "PUBLISH",
            PacketKind::Puback => "PUBACK",
            PacketKind::Pubrec => "PUBREC",
            PacketKind::Pubrel => "PUBREL",
            PacketKind::Pubcomp => "PUBCOMP",
            PacketKind::Subscribe => "SUBSCRIBE",
            PacketKind::Suback => "SUBACK",
            PacketKind::Unsubscribe => "UNSUBSCRIBE",
            PacketKind::Unsuback => "UNSUBACK",
            PacketKind::Pingreq => "PINGREQ",
            PacketKind::Pingresp => "PINGRESP",
            PacketKind::Disconnect => "DISCONNECT",
            PacketKind::Auth => "AUTH",
        }
    }

    /// The word for it in profiles: `connect`.
    pub fn word(self) -> String {
        self.name().to_ascii_lowercase()
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PacketKind {
    type Err = String;

    /// From the lower-case word of profiles.
    fn from_str(text: &str) -> Result<PacketKind, String> {
        PacketKind::ALL.into_iter().find(|kind| kind.word() == text).ok_or_else(|| {
            let words: Vec<String> = PacketKind::ALL.into_iter().map(PacketKind::word).collect();
            format!("`{text}` is not a packet type; write one of {}", words.join(", "))
        })
    }
}

/// A set of packet types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u16);

impl KindSet {
    /// Every type.
    pub const ALL: KindSet = KindSet(0xfffe);

    /// Whether it has no type.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the type is in it.
    pub fn has(self, kind: PacketKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Puts a type into it.
    pub fn insert(&mut self, kind: PacketKind) {
        self.0 |= kind.bit();
    }

    /// Puts those of another into it.
    pub fn extend(&mut self, other: KindSet) {
        self.0 |= other.0;
    }
}

impl From<PacketKind> for KindSet {
    fn from(kind: PacketKind) -> KindSet {
        KindSet(kind.bit())
    }
}

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Version {
    /// MQTT 3.1: protocol `MQIsdp`, level 3.
    #[serde(rename = "3.1")]
    V31,
    /// MQTT 3.1.1: protocol `MQTT`, level 4.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0: protocol `MQTT`, level 5.
    #[serde(rename = "5")]
    V5,
}

kinds! {
    Version { 0 = V31, 1 = V311, 2 = V5 }
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Version; 3] = [Version::V31, Version::V311, Version::V5];

    /// The version with this protocol level; `None` for levels other than 3, 4 and 5.
    pub fn from_level(level: u8) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.level() == level)
    }

    /// The protocol level in CONNECT: 3, 4 or 5.
    pub fn level(self) -> u8 {
        match self {
            Version::V31 => 3,
            Version::V311 => 4,
            Version::V5 => 5,
        }
    }

    /// The protocol name in CONNECT.
    pub fn protocol_name(self) -> &'static str {
        match self {
            Version::V31 => "MQIsdp",
            Version::V311 | Version::V5 => "MQTT",
        }
    }

    /// The version's number as people write it: `3.1.1`.
    pub fn number(self) -> &'static str {
        match self {
            Version::V31 => "3.1",
            Version::V311 => "3.1.1",
            Version::V5 => "5",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.number())
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        Version::ALL
            .into_iter()
            .find(|version| version.number() == text)
            .ok_or_else(|| format!("`{text}` is not an MQTT version; write 3.1, 3.1.1 or 5"))
    }
}

/// A quality of service; written as its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum QoS {
    /// QoS 0: sent once, acknowledged never.
    #[default]
    AtMostOnce,
    /// QoS 1: sent again until acknowledged.
    AtLeastOnce,
    /// QoS 2: four steps, one delivery.
    ExactlyOnce,
}

impl QoS {
    /// All of them, lowest first.
    pub const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

    /// From its number; `None` above 2.
    pub fn from_number(number: u8) -> Option<QoS> {
        QoS::ALL.get(usize::from(number)).copied()
    }

    /// Its number: 0, 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce => 1,
            QoS::ExactlyOnce => 2,
        }
    }
}

impl From<QoS> for u8 {
    fn from(qos: QoS) -> u8 {
        qos.number()
    }
}

impl TryFrom<u8> for QoS {
    type Error = String;

    fn try_from(number: u8) -> Result<QoS, String> {
        QoS::from_number(number).ok_or_else(|| format!("{number} is not a QoS; write 0, 1 or 2"))
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_number_and_by_word() {
        for (index, kind) in PacketKind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.number()), index + 1);
            assert_eq!(PacketKind::from_first_byte(kind.number() << 4 | 0x0f), Some(kind));
            assert_eq!(kind.word().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.word()));
        }
        assert_eq!(PacketKind::from_first_byte(0x0f), None);
        assert!("PUBLISH".parse::<PacketKind>().unwrap_err().contains("publish, puback"));
    }

    #[test]
    fn versions_are_known_by_level_and_by_number() {
        for version in Version::ALL {
            assert_eq!(Version::from_level(version.level()), Some(version));
            assert_eq!(version.to_string().parse(), Ok(version));
            assert_eq!(serde_json::to_string(&version).unwrap(), format!("\"{version}\""));
        }
        assert_eq!(Version::from_level(6), None);
    }

    #[test]
    fn qos_3_does_not_exist() {
        assert_eq!(QoS::from_number(2), Some(QoS::ExactlyOnce));
        assert_eq!(QoS::from_number(3), None);
        assert_eq!(serde_json::from_str::<QoS>("1").unwrap(), QoS::AtLeastOnce);
        assert!(serde_json::from_str::<QoS>("3").unwrap_err().to_string().contains("0, 1 or 2"));
    }
}
