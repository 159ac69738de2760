//! PUBLISH (section 3.3).

use crate::mqtt::error::{DecodeError, EncodeError};
use crate::mqtt::kind::{PacketKind, QoS, Version};
use crate::mqtt::property::{Place, Properties, PropertyId};
use crate::mqtt::topic::{self, TopicProblem};
use crate::mqtt::wire::{Reader, put_binary};

/// The bits of a PUBLISH's first byte.
pub(in crate::mqtt) mod flag {
    pub const DUP: u8 = 0x08;
    pub const QOS: u8 = 0x06;
    pub const RETAIN: u8 = 0x01;
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// It was sent before; always `false` with QoS 0 [MQTT-3.3.1-2].
    pub dup: bool,
    /// Its quality of service.
    pub qos: QoS,
    /// Up: keep it. Down: it was kept.
    pub retain: bool,
    /// Where to; empty in MQTT 5 only, where a topic alias stands for it.
    pub topic: String,
    /// From 1, and there exactly when the QoS is 1 or 2.
    pub packet_id: Option<u16>,
    /// MQTT 5 only.
    pub properties: Properties,
    /// The message.
    pub payload: Vec<u8>,
}

impl Publish {
    pub(super) fn read(
        version: Version,
        first_byte: u8,
        reader: &mut Reader<'_>,
    ) -> Result<Publish, DecodeError> {
        let (qos, dup) = read_flags(first_byte)?;
        let topic = reader.text("topic name")?;
        let packet_id = if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id()?) };
        let properties = match version {
            Version::V5 => Properties::read(reader, Place::Packet(PacketKind::Publish))?,
            Version::V31 | Version::V311 => Properties::NONE,
        };
        check_topic(topic, &properties)?;
        Ok(Publish {
            dup,
            qos,
            retain: first_byte & flag::RETAIN != 0,
            topic: topic.to_owned(),
            packet_id,
            properties,
            payload: reader.rest().to_vec(),
        })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, "topic name", self.topic.as_bytes())?;
        match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, None) => {}
            (QoS::AtLeastOnce | QoS::ExactlyOnce, Some(id)) if id != 0 => {
                out.extend_from_slice(&id.to_be_bytes());
            }
            (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => return Err(EncodeError::PacketId),
        }
        if version == Version::V5 {
            self.properties.write(out)?;
        }
        out.extend_from_slice(&self.payload);
        Ok(())
    }

    pub(super) fn flags(&self) -> u8 {
        let dup = if self.dup { flag::DUP } else { 0 };
        dup | self.qos.number() << 1 | u8::from(self.retain)
    }
}

fn read_flags(first_byte: u8) -> Result<(QoS, bool), DecodeError> {
    let bad = |field, allowed, rule| DecodeError::Value { field, value: first_byte.into(), allowed, rule };
    let qos = QoS::from_number((first_byte & flag::QOS) >> 1)
        .ok_or_else(|| bad("first byte of PUBLISH", "QoS 0, 1 or 2", "MQTT-3.3.1-4"))?;
    let dup = first_byte & flag::DUP != 0;
    if dup && qos == QoS::AtMostOnce {
        return Err(bad("first byte of PUBLISH", "DUP 0 with QoS 0", "MQTT-3.3.1-2"));
    }
    Ok((qos, dup))
}

fn check_topic(topic: &str, properties: &Properties) -> Result<(), DecodeError> {
    let aliased = properties.0.iter().any(|property| property.id() == PropertyId::TopicAlias);
    match topic::check_name(topic) {
        Ok(()) => Ok(()),
        Err(TopicProblem::Empty) if aliased => Ok(()),
        Err(problem) => Err(DecodeError::Topic { field: "topic name", text: topic.to_owned(), problem }),
    }
}
