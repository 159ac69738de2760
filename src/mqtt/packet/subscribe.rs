//! SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK (sections 3.8 to 3.11).

use crate::mqtt::error::{DecodeError, EncodeError};
use crate::mqtt::kind::{PacketKind, QoS, Version};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::topic::{self, Shared};
use crate::mqtt::wire::{Reader, put_binary};

/// The bits of the subscription options (section 3.8.3.1).
pub(in crate::mqtt) mod option {
    pub const QOS: u8 = 0x03;
    pub const NO_LOCAL: u8 = 0x04;
    pub const RETAIN_AS_PUBLISHED: u8 = 0x08;
    pub const RETAIN_HANDLING: u8 = 0x30;
    pub const RESERVED: u8 = 0xc0;
}

/// The device asks for topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// From 1.
    pub packet_id: u16,
    /// MQTT 5 only.
    pub properties: Properties,
    /// At least one.
    pub filters: Vec<Subscription>,
}

/// One filter of a SUBSCRIBE with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The topic filter; it may be a shared subscription.
    pub filter: String,
    /// The highest QoS that the device wants.
    pub qos: QoS,
    /// Not its own messages; MQTT 5 only.
    pub no_local: bool,
    /// The RETAIN flag as it was published; MQTT 5 only.
    pub retain_as_published: bool,
    /// Retained messages: 0 send, 1 send if the subscription is new, 2 do not; MQTT 5 only.
    pub retain_handling: u8,
}

impl Subscription {
    /// A filter with a QoS and no other options.
    pub fn new(filter: impl Into<String>, qos: QoS) -> Subscription {
        Subscription { filter: filter.into(), qos, ..Subscription::default() }
    }

    fn read(version: Version, reader: &mut Reader<'_>) -> Result<Subscription, DecodeError> {
        let filter = read_filter(version, reader)?;
        let options = reader.u8("subscription options")?;
        check_options(version, &filter, options)?;
        Ok(Subscription {
            filter,
            // 3 is refused with the options.
            qos: QoS::from_number(options & option::QOS).unwrap_or_default(),
            no_local: options & option::NO_LOCAL != 0,
            retain_as_published: options & option::RETAIN_AS_PUBLISHED != 0,
            retain_handling: (options & option::RETAIN_HANDLING) >> 4,
        })
    }

    fn options(&self, version: Version) -> u8 {
        let mut options = self.qos.number();
        if version == Version::V5 {
            options |= if self.no_local { option::NO_LOCAL } else { 0 };
            options |= if self.retain_as_published { option::RETAIN_AS_PUBLISHED } else { 0 };
            options |= (self.retain_handling << 4) & option::RETAIN_HANDLING;
        }
        options
    }
}

fn check_options(version: Version, filter: &str, options: u8) -> Result<(), DecodeError> {
    let bad = |allowed, rule| {
        Err(DecodeError::Value { field: "subscription options", value: options.into(), allowed, rule })
    };
    if options & option::QOS == 3 {
        return bad("QoS 0, 1 or 2", "MQTT-3.8.3-4, section 3.8.3.1");
    }
    if version != Version::V5 {
        return if options > 2 { bad("reserved bits 0", "MQTT-3.8.3-4") } else { Ok(()) };
    }
    if options & option::RESERVED != 0 {
        return bad("reserved bits 0", "MQTT-3.8.3-5");
    }
    if options & option::RETAIN_HANDLING == option::RETAIN_HANDLING {
        return bad("retain handling 0, 1 or 2", "section 3.8.3.1");
    }
    if options & option::NO_LOCAL != 0 && Shared::parse(filter).is_some() {
        return bad("no local 0 on a shared subscription", "MQTT-3.8.3-4");
    }
    Ok(())
}

/// A filter, checked; `$share/` has a meaning in MQTT 5 only.
fn read_filter(version: Version, reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let field = "topic filter";
    let text = reader.text(field)?;
    let checked = match version {
        Version::V5 => topic::check_filter(text),
        Version::V31 | Version::V311 => topic::check_plain_filter(text),
    };
    match checked {
        Ok(()) => Ok(text.to_owned()),
        Err(problem) => Err(DecodeError::Topic { field, text: text.to_owned(), problem }),
    }
}

impl Subscribe {
    pub(super) fn read(version: Version, reader: &mut Reader<'_>) -> Result<Subscribe, DecodeError> {
        let kind = PacketKind::Subscribe;
        let (packet_id, properties) = read_start(version, kind, reader)?;
        let filters = read_list(kind, reader, |reader| Subscription::read(version, reader))?;
        Ok(Subscribe { packet_id, properties, filters })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        write_start(version, self.packet_id, &self.properties, out)?;
        for subscription in &self.filters {
            put_binary(out, "topic filter", subscription.filter.as_bytes())?;
            out.push(subscription.options(version));
        }
        Ok(())
    }
}

/// The device gives topics up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// From 1.
    pub packet_id: u16,
    /// MQTT 5 only.
    pub properties: Properties,
    /// At least one.
    pub filters: Vec<String>,
}

impl Unsubscribe {
    pub(super) fn read(version: Version, reader: &mut Reader<'_>) -> Result<Unsubscribe, DecodeError> {
        let kind = PacketKind::Unsubscribe;
        let (packet_id, properties) = read_start(version, kind, reader)?;
        let filters = read_list(kind, reader, |reader| read_filter(version, reader))?;
        Ok(Unsubscribe { packet_id, properties, filters })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        write_start(version, self.packet_id, &self.properties, out)?;
        self.filters.iter().try_for_each(|filter| put_binary(out, "topic filter", filter.as_bytes()))
    }
}

/// The answer to SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suback {
    /// The request's.
    pub packet_id: u16,
    /// MQTT 5 only.
    pub properties: Properties,
    /// One for each filter, in the request's order: the granted QoS, or from 0x80 a failure. An UNSUBACK has
    /// them in MQTT 5 only.
    pub codes: Vec<u8>,
}

impl Suback {
    pub(super) fn read(
        version: Version,
        kind: PacketKind,
        reader: &mut Reader<'_>,
    ) -> Result<Suback, DecodeError> {
        let (packet_id, properties) = read_start(version, kind, reader)?;
        let codes = if has_codes(version, kind) { reader.rest().to_vec() } else { Vec::new() };
        let reserved = codes.iter().find(|code| version != Version::V5 && !matches!(code, 0..=2 | 0x80));
        match reserved {
            Some(code) => Err(DecodeError::Value {
                field: "SUBACK return code",
                value: u32::from(*code),
                allowed: "0, 1, 2 or 0x80",
                rule: "MQTT-3.9.3-2",
            }),
            None => Ok(Suback { packet_id, properties, codes }),
        }
    }

    pub(super) fn write(
        &self,
        version: Version,
        kind: PacketKind,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        write_start(version, self.packet_id, &self.properties, out)?;
        if has_codes(version, kind) {
            out.extend_from_slice(&self.codes);
        }
        Ok(())
    }
}

fn has_codes(version: Version, kind: PacketKind) -> bool {
    version == Version::V5 || kind == PacketKind::Suback
}

fn read_start(
    version: Version,
    kind: PacketKind,
    reader: &mut Reader<'_>,
) -> Result<(u16, Properties), DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = match version {
        Version::V5 => Properties::read(reader, Place::Packet(kind))?,
        Version::V31 | Version::V311 => Properties::NONE,
    };
    Ok((packet_id, properties))
}

fn write_start(
    version: Version,
    packet_id: u16,
    properties: &Properties,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    out.extend_from_slice(&packet_id.to_be_bytes());
    if version == Version::V5 { properties.write(out) } else { Ok(()) }
}

fn read_list<T>(
    kind: PacketKind,
    reader: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut list = Vec::new();
    while !reader.is_empty() {
        list.push(one(reader)?);
    }
    if list.is_empty() { Err(DecodeError::NoFilters { kind }) } else { Ok(list) }
}
