//! Whole packets, owned: what the embedded hub and the simulated devices speak.
//!
//! Owns the model of every packet of MQTT 3.1, 3.1.1 and 5, its strict decoding and its encoding. Invariant:
//! `decode(encode(p)) == p` for every packet that fits its version; fields that a version lacks (properties, most
//! reason codes) are not written for it and read as their defaults. Deliberately absent: finding where a packet
//! ends (see [`super::framer`]), and the state of a session.
//!
//! Reason codes and return codes are plain bytes, named in [`reason`], because a fault-injecting hub must be able
//! to say, and a device to hear, ones that no specification knows.

mod ack;
mod connect;
mod publish;
pub mod reason;
mod subscribe;
#[cfg(test)]
mod tests;

pub use ack::{Ack, Auth, Disconnect};
pub(in crate::mqtt) use connect::flag as connect_flag;
pub use connect::{Connack, Connect, Will};
pub use publish::Publish;
pub(in crate::mqtt) use publish::flag as publish_flag;
pub(in crate::mqtt) use subscribe::option as subscribe_option;
pub use subscribe::{Suback, Subscribe, Subscription, Unsubscribe};

use super::error::{DecodeError, EncodeError};
use super::kind::{PacketKind, Version};
use super::wire::{Reader, put_varint};

/// A control packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The device asks for a session.
    Connect(Connect),
    /// The hub's answer to CONNECT.
    Connack(Connack),
    /// A message.
    Publish(Publish),
    /// The answer to a PUBLISH of QoS 1.
    Puback(Ack),
    /// The first answer to a PUBLISH of QoS 2.
    Pubrec(Ack),
    /// The second step of a PUBLISH of QoS 2.
    Pubrel(Ack),
    /// The last step of a PUBLISH of QoS 2.
    Pubcomp(Ack),
    /// The device asks for topics.
    Subscribe(Subscribe),
    /// The answer to SUBSCRIBE.
    Suback(Suback),
    /// The device gives topics up.
    Unsubscribe(Unsubscribe),
    /// The answer to UNSUBSCRIBE, of the same shape as SUBACK.
    Unsuback(Suback),
    /// The device's sign of life.
    Pingreq,
    /// The answer to PINGREQ.
    Pingresp,
    /// The end.
    Disconnect(Disconnect),
    /// A step of extended authentication; MQTT 5 only.
    Auth(Auth),
}

impl Packet {
    /// The packet's type.
    pub fn kind(&self) -> PacketKind {
        match self {
            Packet::Connect(_) => PacketKind::Connect,
            Packet::Connack(_) => PacketKind::Connack,
            Packet::Publish(_) => PacketKind::Publish,
            Packet::Puback(_) => PacketKind::Puback,
            Packet::Pubrec(_) => PacketKind::Pubrec,
            Packet::Pubrel(_) => PacketKind::Pubrel,
            Packet::Pubcomp(_) => PacketKind::Pubcomp,
            Packet::Subscribe(_) => PacketKind::Subscribe,
            Packet::Suback(_) => PacketKind::Suback,
            Packet::Unsubscribe(_) => PacketKind::Unsubscribe,
            Packet::Unsuback(_) => PacketKind::Unsuback,
            Packet::Pingreq => PacketKind::Pingreq,
            Packet::Pingresp => PacketKind::Pingresp,
            Packet::Disconnect(_) => PacketKind::Disconnect,
            Packet::Auth(_) => PacketKind::Auth,
        }
    }
}

/// Reads a packet from its first byte and its body (all that follows the remaining length).
///
/// `version` is the link's; a CONNECT brings its own, and `version` is not looked at.
///
/// # Errors
/// The first rule of the specification that it breaks.
pub fn decode(version: Version, first_byte: u8, body: &[u8]) -> Result<Packet, DecodeError> {
    let kind = PacketKind::from_first_byte(first_byte).ok_or(DecodeError::ReservedType { first_byte })?;
    check_flags(version, kind, first_byte & 0x0f)?;
    let reader = &mut Reader::new(body);
    let packet = match kind {
        PacketKind::Connect => Packet::Connect(Connect::read(reader)?),
        PacketKind::Connack => Packet::Connack(Connack::read(version, reader)?),
        PacketKind::Publish => Packet::Publish(Publish::read(version, first_byte, reader)?),
        PacketKind::Puback => Packet::Puback(Ack::read(version, kind, reader)?),
        PacketKind::Pubrec => Packet::Pubrec(Ack::read(version, kind, reader)?),
        PacketKind::Pubrel => Packet::Pubrel(Ack::read(version, kind, reader)?),
        PacketKind::Pubcomp => Packet::Pubcomp(Ack::read(version, kind, reader)?),
        PacketKind::Subscribe => Packet::Subscribe(Subscribe::read(version, reader)?),
        PacketKind::Suback => Packet::Suback(Suback::read(version, kind, reader)?),
        PacketKind::Unsubscribe => Packet::Unsubscribe(Unsubscribe::read(version, reader)?),
        PacketKind::Unsuback => Packet::Unsuback(Suback::read(version, kind, reader)?),
        PacketKind::Pingreq => Packet::Pingreq,
        PacketKind::Pingresp => Packet::Pingresp,
        PacketKind::Disconnect => Packet::Disconnect(Disconnect::read(version, reader)?),
        PacketKind::Auth => Packet::Auth(Auth::read(version, reader)?),
    };
    reader.finish()?;
    Ok(packet)
}

/// Appends the packet as bytes; on an error `out` is as it was.
///
/// `version` is the link's; a CONNECT is written in its own version.
///
/// # Errors
/// What the version cannot say, or what is too long for its field or for a packet.
pub fn encode(packet: &Packet, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut body = Vec::new();
    write_body(packet, version, &mut body)?;
    put_header(out, packet.kind().number() << 4 | flags(packet), body.len())?;
    out.extend_from_slice(&body);
    Ok(())
}

/// Appends a fixed header; on an error `out` is as it was.
fn put_header(out: &mut Vec<u8>, first_byte: u8, length: usize) -> Result<(), EncodeError> {
    let before = out.len();
    out.push(first_byte);
    put_varint(out, length).inspect_err(|_| out.truncate(before))
}

fn write_body(packet: &Packet, version: Version, body: &mut Vec<u8>) -> Result<(), EncodeError> {
    let kind = packet.kind();
    match packet {
        Packet::Connect(connect) => connect.write(body),
        Packet::Connack(connack) => connack.write(version, body),
        Packet::Publish(publish) => publish.write(version, body),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            ack.write(version, body)
        }
        Packet::Subscribe(subscribe) => subscribe.write(version, body),
        Packet::Suback(suback) | Packet::Unsuback(suback) => suback.write(version, kind, body),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.write(version, body),
        Packet::Pingreq | Packet::Pingresp => Ok(()),
        Packet::Disconnect(disconnect) => disconnect.write(version, body),
        Packet::Auth(auth) => auth.write(version, body),
    }
}

fn flags(packet: &Packet) -> u8 {
    match packet {
        Packet::Publish(publish) => publish.flags(),
        Packet::Connect(_)
        | Packet::Connack(_)
        | Packet::Puback(_)
        | Packet::Pubrec(_)
        | Packet::Pubrel(_)
        | Packet::Pubcomp(_)
        | Packet::Subscribe(_)
        | Packet::Suback(_)
        | Packet::Unsubscribe(_)
        | Packet::Unsuback(_)
        | Packet::Pingreq
        | Packet::Pingresp
        | Packet::Disconnect(_)
        | Packet::Auth(_) => fixed_flags(packet.kind()),
    }
}

/// The lower half of the first byte of every type but PUBLISH.
fn fixed_flags(kind: PacketKind) -> u8 {
    let two = PacketKind::Pubrel.bit() | PacketKind::Subscribe.bit() | PacketKind::Unsubscribe.bit();
    if two & kind.bit() != 0 { 0x02 } else { 0x00 }
}

fn check_flags(version: Version, kind: PacketKind, flags: u8) -> Result<(), DecodeError> {
    let expected = fixed_flags(kind);
    // MQTT 3.1 marks repeated PUBREL, SUBSCRIBE and UNSUBSCRIBE with DUP (its sections 3.6, 3.8, 3.10).
    let significant = if version == Version::V31 && expected == 0x02 { flags & !0x08 } else { flags };
    if kind == PacketKind::Publish || significant == expected {
        Ok(())
    } else {
        Err(DecodeError::Flags { kind, flags })
    }
}
