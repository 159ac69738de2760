//! PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH: an identifier at most, and in MQTT 5 a reason.
//!
//! MQTT 5 lets the end of each be left away (sections 3.4.2.1, 3.14.2.1, 3.15.2.1): no reason is 0x00, no property
//! length is no properties. We write the shortest form that says the same.

use crate::mqtt::error::{DecodeError, EncodeError};
use crate::mqtt::kind::{PacketKind, Version};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::wire::Reader;

/// A step of the exchange for a PUBLISH of QoS 1 or 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The PUBLISH's identifier, from 1.
    pub packet_id: u16,
    /// Reason code; MQTT 5 only, otherwise 0.
    pub reason: u8,
    /// MQTT 5 only.
    pub properties: Properties,
}

impl Ack {
    /// The step that says success.
    pub fn success(packet_id: u16) -> Ack {
        Ack { packet_id, reason: 0, properties: Properties::NONE }
    }

    pub(super) fn read(
        version: Version,
        kind: PacketKind,
        reader: &mut Reader<'_>,
    ) -> Result<Ack, DecodeError> {
        let packet_id = reader.packet_id()?;
        let (reason, properties) = read_reason(version, kind, reader)?;
        Ok(Ack { packet_id, reason, properties })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.packet_id.to_be_bytes());
        write_reason(version, self.reason, &self.properties, out)
    }
}

/// The end, said aloud; down in MQTT 5 only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnect {
    /// Reason code; MQTT 5 only, otherwise 0: normal.
    pub reason: u8,
    /// MQTT 5 only.
    pub properties: Properties,
}

impl Disconnect {
    /// With a reason and no properties.
    pub fn because(reason: u8) -> Disconnect {
        Disconnect { reason, properties: Properties::NONE }
    }

    pub(super) fn read(version: Version, reader: &mut Reader<'_>) -> Result<Disconnect, DecodeError> {
        let (reason, properties) = read_reason(version, PacketKind::Disconnect, reader)?;
        Ok(Disconnect { reason, properties })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        write_reason(version, self.reason, &self.properties, out)
    }
}

/// A step of extended authentication; MQTT 5 only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// Reason code: success, continue, or re-authenticate.
    pub reason: u8,
    /// Method and data stand here.
    pub properties: Properties,
}

impl Auth {
    pub(super) fn read(version: Version, reader: &mut Reader<'_>) -> Result<Auth, DecodeError> {
        let kind = PacketKind::Auth;
        if version != Version::V5 {
            return Err(DecodeError::NotInVersion { kind, version });
        }
        let (reason, properties) = read_reason(version, kind, reader)?;
        Ok(Auth { reason, properties })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if version != Version::V5 {
            return Err(EncodeError::NotInVersion { kind: PacketKind::Auth, version });
        }
        write_reason(version, self.reason, &self.properties, out)
    }
}

fn read_reason(
    version: Version,
    kind: PacketKind,
    reader: &mut Reader<'_>,
) -> Result<(u8, Properties), DecodeError> {
    if version != Version::V5 || reader.is_empty() {
        return Ok((0, Properties::NONE));
    }
    let reason = reader.u8("reason code")?;
    let properties = match reader.is_empty() {
        true => Properties::NONE,
        false => Properties::read(reader, Place::Packet(kind))?,
    };
    Ok((reason, properties))
}

fn write_reason(
    version: Version,
    reason: u8,
    properties: &Properties,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if version != Version::V5 || (reason == 0 && properties.is_empty()) {
        return Ok(());
    }
    out.push(reason);
    if properties.is_empty() { Ok(()) } else { properties.write(out) }
}
