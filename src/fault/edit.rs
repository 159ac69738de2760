//! The beginning of a packet, its fields changed and its lengths kept right.
//!
//! ```text
//!   fixed header │ head                      │ rest
//!   type  length │ topic, packet identifier… │ payload, which streams on unchanged
//!   └──────────── changed here ─────────────┘
//! ```

#[cfg(test)]
mod tests;

use super::packet::Edit;
use crate::mqtt::property::{self, PropertyId};
use crate::mqtt::wire::{Reader, VARINT_MAX, put_varint};
use crate::mqtt::{PacketKind, QoS, Version};

/// The packet identifier that a PUBLISH is given whose quality of service is raised from 0, unless the edit states one:
/// the greatest, since clients count up from 1.
pub const ADDED_PACKET_ID: u16 = u16::MAX;

/// The bits of a PUBLISH's first byte [section 3.3.1].
const DUP: u8 = 0x08;
const QOS: u8 = 0x06;
const RETAIN: u8 = 0x01;

/// Clean Session or Clean Start, of the connect flags [section 3.1.2.4].
const CLEAN: u8 = 0x02;

/// The beginning of a packet: all of the fixed header, and of the body as much as the framer has as its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Type and flags.
    pub first_byte: u8,
    /// Bytes of the body.
    pub remaining_length: u32,
    /// The body's beginning.
    pub head: Vec<u8>,
}

impl Beginning {
    /// The fixed header, its length in as few bytes as it takes, and the head.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first_byte];
        // It is kept to what four bytes can say.
        let length = usize::try_from(self.remaining_length.min(VARINT_MAX)).unwrap_or(0);
        let _ = put_varint(&mut bytes, length);
        bytes.extend_from_slice(&self.head);
        bytes
    }

    /// Changes the fields that the packet has. What was changed, each field to another value than it had; `None` where
    /// that is nothing, and the packet is as it was.
    ///
    /// A PUBLISH that falls to QoS 0 loses its DUP flag too [MQTT-3.3.1-2], unless the edit states it; one that rises
    /// from 0 gets the packet identifier that the edit states, or [`ADDED_PACKET_ID`].
    pub fn edit(&mut self, version: Version, edit: &Edit) -> Option<Edit> {
        let mut done = Edit::default();
        match PacketKind::from_first_byte(self.first_byte)? {
            PacketKind::Connect => self.connect(edit, &mut done),
            PacketKind::Connack => self.connack(version, edit, &mut done),
            PacketKind::Publish => self.publish(edit, &mut done),
            PacketKind::Puback | PacketKind::Pubrec | PacketKind::Pubrel | PacketKind::Pubcomp => {
                self.packet_id(edit, &mut done);
                self.reason(version, 2, edit, &mut done);
            }
            PacketKind::Subscribe | PacketKind::Unsubscribe => self.packet_id(edit, &mut done),
            PacketKind::Suback => {
                self.packet_id(edit, &mut done);
                self.codes(version, edit, &mut done);
            }
            PacketKind::Unsuback => {
                self.packet_id(edit, &mut done);
                if version == Version::V5 {
                    self.codes(version, edit, &mut done);
                }
            }
            PacketKind::Disconnect | PacketKind::Auth => self.reason(version, 0, edit, &mut done),
            PacketKind::Pingreq | PacketKind::Pingresp => {}
        }
        (done != Edit::default()).then_some(done)
    }

    /// Whether the head is the whole body.
    fn is_whole(&self) -> bool {
        u32::try_from(self.head.len()) == Ok(self.remaining_length)
    }

    fn connect(&mut self, edit: &Edit, done: &mut Edit) {
        let mut reader = Reader::new(&self.head);
        let Ok(name) = reader.binary("protocol name") else { return };
        // Behind the name: level, flags, keep-alive.
        let flags = 2 + name.len() + 1;
        if let (Some(clean), Some(byte)) = (edit.clean, self.head.get_mut(flags))
            && set(byte, with(*byte, CLEAN, clean))
        {
            done.clean = Some(clean);
        }
        if let Some(seconds) = edit.keep_alive
            && self.set_u16(flags + 1, seconds)
        {
            done.keep_alive = Some(seconds);
        }
    }

    fn connack(&mut self, version: Version, edit: &Edit, done: &mut Edit) {
        if let (Some(present), Some(byte)) = (edit.session_present, self.head.first_mut())
            && version != Version::V31
            && set(byte, with(*byte, 1, present))
        {
            done.session_present = Some(present);
        }
        if let (Some(code), Some(byte)) = (edit.code, self.head.get_mut(1))
            && set(byte, code)
        {
            done.code = Some(code);
        }
        if let Some(seconds) = edit.server_keep_alive
            && version == Version::V5
            && self.set_server_keep_alive(seconds)
        {
            done.server_keep_alive = Some(seconds);
        }
    }

    /// Replaces the Server Keep Alive, or adds it at the end of the properties.
    fn set_server_keep_alive(&mut self, seconds: u16) -> bool {
        let [high, low] = seconds.to_be_bytes();
        let value = [PropertyId::ServerKeepAlive.number(), high, low];
        if !self.is_whole() || self.head.len() < 2 {
            return false;
        }
        if self.head.len() == 2 {
            // Some hubs leave the property length away with the properties.
            self.head.push(3);
            self.head.extend_from_slice(&value);
            return self.measured();
        }
        let mut reader = Reader::new(&self.head[2..]);
        let Ok(length) = reader.varint("property length") else { return false };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Ok(block) = reader.bytes(length, "properties") else { return false };
        let rest = reader.rest();
        let mut changed = block.to_vec();
        match property::place_of(PropertyId::ServerKeepAlive, block) {
            Some(place) => drop(changed.splice(place, value)),
            None => changed.extend_from_slice(&value),
        }
        if changed == block {
            return false;
        }
        let mut head = self.head[..2].to_vec();
        if put_varint(&mut head, changed.len()).is_err() {
            return false;
        }
        head.extend_from_slice(&changed);
        head.extend_from_slice(rest);
        self.head = head;
        self.measured()
    }

    /// The body is the head, whose length has changed.
    fn measured(&mut self) -> bool {
        self.remaining_length = u32::try_from(self.head.len()).unwrap_or(VARINT_MAX);
        true
    }

    fn packet_id(&mut self, edit: &Edit, done: &mut Edit) {
        if let Some(id) = edit.packet_id
            && self.set_u16(0, id)
        {
            done.packet_id = Some(id);
        }
    }

    /// The reason code at `at`, added where it was left away.
    fn reason(&mut self, version: Version, at: usize, edit: &Edit, done: &mut Edit) {
        let Some(code) = edit.code.filter(|_| version == Version::V5) else { return };
        let left_away = self.is_whole() && self.head.len() == at;
        let changed = match self.head.get_mut(at) {
            Some(byte) => set(byte, code),
            // A reason code that is left away is 0.
            None if left_away && code != 0 => {
                self.head.push(code);
                self.measured()
            }
            None => false,
        };
        if changed {
            done.code = Some(code);
        }
    }

    /// The code of each topic filter.
    fn codes(&mut self, version: Version, edit: &Edit, done: &mut Edit) {
        let Some(code) = edit.code else { return };
        let mut reader = Reader::new(&self.head);
        let mut whole = reader.u16("packet identifier").is_ok();
        if version == Version::V5 {
            let length = reader.varint("property length").unwrap_or(VARINT_MAX);
            whole &= reader.bytes(usize::try_from(length).unwrap_or(usize::MAX), "properties").is_ok();
        }
        let codes = reader.rest().len();
        // Codes beyond the head would keep what they say.
        if !whole || !self.is_whole() {
            return;
        }
        let at = self.head.len() - codes;
        let mut changed = false;
        for byte in &mut self.head[at..] {
            changed |= set(byte, code);
        }
        if changed {
            done.code = Some(code);
        }
    }

    fn publish(&mut self, edit: &Edit, done: &mut Edit) {
        self.quality(edit, done);
        let has_id = self.first_byte & QOS != 0;
        if let (Some(id), Some(at)) = (edit.packet_id.filter(|_| has_id), self.id_at())
            && self.set_u16(at, id)
        {
            done.packet_id = Some(id);
        }
        for (wanted, bit, told) in [(edit.dup, DUP, &mut done.dup), (edit.retain, RETAIN, &mut done.retain)] {
            if let Some(on) = wanted
                && self.flag(bit, on)
            {
                *told = Some(on);
            }
        }
    }

    fn quality(&mut self, edit: &Edit, done: &mut Edit) {
        let (Some(qos), Some(had)) = (edit.qos, QoS::from_number((self.first_byte & QOS) >> 1)) else {
            return;
        };
        let Some(at) = self.id_at().filter(|_| qos != had) else { return };
        match (had, qos) {
            (QoS::AtMostOnce, QoS::AtLeastOnce | QoS::ExactlyOnce) => {
                if self.remaining_length > VARINT_MAX - 2 {
                    return;
                }
                let id = edit.packet_id.unwrap_or(ADDED_PACKET_ID);
                self.head.splice(at..at, id.to_be_bytes());
                self.remaining_length += 2;
                done.packet_id = Some(id);
            }
            (QoS::AtLeastOnce | QoS::ExactlyOnce, QoS::AtMostOnce) => {
                if self.head.len() < at + 2 {
                    return;
                }
                self.head.drain(at..at + 2);
                self.remaining_length = self.remaining_length.saturating_sub(2);
                if edit.dup.is_none() && self.flag(DUP, false) {
                    done.dup = Some(false);
                }
            }
            (QoS::AtMostOnce | QoS::AtLeastOnce | QoS::ExactlyOnce, _) => {}
        }
        self.first_byte = self.first_byte & !QOS | qos.number() << 1;
        done.qos = Some(qos);
    }

    /// Where the packet identifier of a PUBLISH is, or would be.
    fn id_at(&self) -> Option<usize> {
        let mut reader = Reader::new(&self.head);
        reader.binary("topic name").ok()?;
        Some(self.head.len() - reader.rest().len())
    }

    /// Sets a flag of the first byte. Whether that changed it.
    fn flag(&mut self, bit: u8, on: bool) -> bool {
        let changed = with(self.first_byte, bit, on);
        set(&mut self.first_byte, changed)
    }

    fn set_u16(&mut self, at: usize, value: u16) -> bool {
        let Some(place) = self.head.get_mut(at..).and_then(|from| from.first_chunk_mut::<2>()) else {
            return false;
        };
        let changed = *place != value.to_be_bytes();
        *place = value.to_be_bytes();
        changed
    }
}

/// The byte with these bits on or off.
fn with(byte: u8, bits: u8, on: bool) -> u8 {
    if on { byte | bits } else { byte & !bits }
}

/// Whether that changed it.
fn set(byte: &mut u8, value: u8) -> bool {
    std::mem::replace(byte, value) != value
}
