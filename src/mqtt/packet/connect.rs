//! CONNECT and CONNACK (sections 3.1, 3.2).

use crate::base::Secret;
use crate::mqtt::error::{DecodeError, EncodeError};
use crate::mqtt::kind::{PacketKind, QoS, Version};
use crate::mqtt::property::{Place, Properties};
use crate::mqtt::topic;
use crate::mqtt::wire::{Reader, put_binary};

/// The bits of the connect flags (section 3.1.2.3).
pub(in crate::mqtt) mod flag {
    pub const RESERVED: u8 = 0x01;
    pub const CLEAN_START: u8 = 0x02;
    pub const WILL: u8 = 0x04;
    pub const WILL_QOS: u8 = 0x18;
    pub const WILL_RETAIN: u8 = 0x20;
    pub const PASSWORD: u8 = 0x40;
    pub const USER_NAME: u8 = 0x80;
}

/// The device asks for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The version that the device speaks from here on.
    pub version: Version,
    /// Clean Session (3.1, 3.1.1) or Clean Start (5).
    pub clean_start: bool,
    /// Seconds; 0 turns the mechanism off.
    pub keep_alive: u16,
    /// MQTT 5 only.
    pub properties: Properties,
    /// May be empty: the hub then chooses one, or refuses.
    pub client_id: String,
    /// What the hub says when the device is gone without DISCONNECT.
    pub will: Option<Will>,
    /// Who connects.
    pub username: Option<String>,
    /// The secret; without a user name in MQTT 5 only [MQTT-3.1.2-22].
    pub password: Option<Secret<Vec<u8>>>,
}

/// The message that the hub publishes for a device that is gone (section 3.1.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where to.
    pub topic: String,
    /// The message.
    pub payload: Vec<u8>,
    /// With what QoS.
    pub qos: QoS,
    /// Whether the hub retains it.
    pub retain: bool,
    /// MQTT 5 only; Will Delay Interval stands here ([`Properties::will_delay`], seconds, default 0).
    pub properties: Properties,
}

impl Connect {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Connect, DecodeError> {
        let version = read_protocol(reader)?;
        let flags = reader.u8("connect flags")?;
        check_flags(version, flags)?;
        let keep_alive = reader.u16("keep-alive")?;
        let properties = match version {
            Version::V5 => Properties::read(reader, Place::Packet(PacketKind::Connect))?,
            Version::V31 | Version::V311 => Properties::NONE,
        };
        // In MQTT 3.1 the remaining length takes precedence over the flags of user name and password (its section 3.1).
        let is_there = |flag: u8, reader: &Reader<'_>| {
            flags & flag != 0 && !(version == Version::V31 && reader.is_empty())
        };
        Ok(Connect {
            version,
            clean_start: flags & flag::CLEAN_START != 0,
            keep_alive,
            properties,
            client_id: reader.text("client identifier")?.to_owned(),
            will: if flags & flag::WILL != 0 { Some(Will::read(version, flags, reader)?) } else { None },
            username: match is_there(flag::USER_NAME, reader) {
                false => None,
                true => Some(reader.text("user name")?.to_owned()),
            },
            password: match is_there(flag::PASSWORD, reader) {
                false => None,
                true => Some(Secret(reader.binary("password")?.to_owned())),
            },
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, "protocol name", self.version.protocol_name().as_bytes())?;
        out.extend_from_slice(&[self.version.level(), self.flags()]);
        out.extend_from_slice(&self.keep_alive.to_be_bytes());
        if self.version == Version::V5 {
            self.properties.write(out)?;
        }
        put_binary(out, "client identifier", self.client_id.as_bytes())?;
        if let Some(will) = &self.will {
            will.write(self.version, out)?;
        }
        if let Some(username) = &self.username {
            put_binary(out, "user name", username.as_bytes())?;
        }
        if let Some(password) = &self.password {
            put_binary(out, "password", password)?;
        }
        Ok(())
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        let mut set = |on: bool, bits: u8| flags |= if on { bits } else { 0 };
        set(self.clean_start, flag::CLEAN_START);
        set(self.username.is_some(), flag::USER_NAME);
        set(self.password.is_some(), flag::PASSWORD);
        if let Some(will) = &self.will {
            set(true, flag::WILL | will.qos.number() << 3);
            set(will.retain, flag::WILL_RETAIN);
        }
        flags
    }
}

fn read_protocol(reader: &mut Reader<'_>) -> Result<Version, DecodeError> {
    let name = reader.binary("protocol name")?;
    let level = reader.u8("protocol level")?;
    let version = Version::from_level(level).ok_or(DecodeError::Value {
        field: "protocol level",
        value: level.into(),
        allowed: "3, 4 or 5",
        rule: "MQTT-3.1.2-2",
    })?;
    if name == version.protocol_name().as_bytes() {
        Ok(version)
    } else {
        Err(DecodeError::ProtocolName { name: String::from_utf8_lossy(name).into_owned(), level })
    }
}

fn check_flags(version: Version, flags: u8) -> Result<(), DecodeError> {
    let bad = |allowed, rule| {
        Err(DecodeError::Value { field: "connect flags byte", value: flags.into(), allowed, rule })
    };
    if flags & flag::RESERVED != 0 {
        return bad("reserved bit 0", "MQTT-3.1.2-3");
    }
    if flags & flag::WILL == 0 && flags & (flag::WILL_QOS | flag::WILL_RETAIN) != 0 {
        return bad("will QoS 0 and will retain 0 without a will", "MQTT-3.1.2-11, MQTT-3.1.2-13");
    }
    if flags & flag::WILL_QOS == flag::WILL_QOS {
        return bad("will QoS 0, 1 or 2", "MQTT-3.1.2-14, MQTT-3.1.2-12");
    }
    if version != Version::V5 && flags & (flag::USER_NAME | flag::PASSWORD) == flag::PASSWORD {
        return Err(DecodeError::PasswordAlone);
    }
    Ok(())
}

impl Will {
    fn read(version: Version, flags: u8, reader: &mut Reader<'_>) -> Result<Will, DecodeError> {
        let properties = match version {
            Version::V5 => Properties::read(reader, Place::Will)?,
            Version::V31 | Version::V311 => Properties::NONE,
        };
        let field = "will topic";
        let topic = reader.text(field)?;
        topic::check_name(topic).map_err(|problem| DecodeError::Topic {
            field,
            text: topic.to_owned(),
            problem,
        })?;
        Ok(Will {
            topic: topic.to_owned(),
            payload: reader.binary("will payload")?.to_owned(),
            // 3 is refused with the flags.
            qos: QoS::from_number((flags & flag::WILL_QOS) >> 3).unwrap_or_default(),
            retain: flags & flag::WILL_RETAIN != 0,
            properties,
        })
    }

    fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if version == Version::V5 {
            self.properties.write(out)?;
        }
        put_binary(out, "will topic", self.topic.as_bytes())?;
        put_binary(out, "will payload", &self.payload)
    }
}

/// The hub's answer to CONNECT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connack {
    /// Whether the hub goes on with an earlier session; does not exist in MQTT 3.1.
    pub session_present: bool,
    /// Return code or reason code; 0 is accepted.
    pub code: u8,
    /// MQTT 5 only.
    pub properties: Properties,
}

impl Connack {
    pub(super) fn read(version: Version, reader: &mut Reader<'_>) -> Result<Connack, DecodeError> {
        let flags = reader.u8("connect acknowledge flags")?;
        // In MQTT 3.1 the whole byte is reserved, and not to be looked at.
        if version != Version::V31 && flags > 1 {
            return Err(DecodeError::Value {
                field: "connect acknowledge flags",
                value: flags.into(),
                allowed: "0 or 1",
                rule: "MQTT-3.2.2-1",
            });
        }
        let session_present = version != Version::V31 && flags == 1;
        let code = reader.u8("return code")?;
        if session_present && code != 0 {
            return Err(DecodeError::Value {
                field: "return code beside session present",
                value: code.into(),
                allowed: "0",
                rule: "MQTT-3.2.2-4, MQTT-3.2.2-6",
            });
        }
        let properties = match version {
            Version::V5 => Properties::read(reader, Place::Packet(PacketKind::Connack))?,
            Version::V31 | Version::V311 => Properties::NONE,
        };
        Ok(Connack { session_present, code, properties })
    }

    pub(super) fn write(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let session_present = version != Version::V31 && self.session_present;
        out.extend_from_slice(&[u8::from(session_present), self.code]);
        if version == Version::V5 { self.properties.write(out) } else { Ok(()) }
    }
}
