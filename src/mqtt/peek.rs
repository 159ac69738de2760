//! What the proxy reads of a frame's head: borrowed where it can be, lenient, never judging.
//!
//! Each view takes what can be read and leaves the rest at its default; `None` means that not even the fields at
//! the packet's beginning are there. Texts that are not UTF-8 are shown lossily. The packet is forwarded as it came
//! in any case; whoever wants it judged uses [`super::packet::decode`].

use super::kind::{PacketKind, QoS, Version};
use super::packet::connect_flag as connect;
use super::packet::publish_flag as publish;
use super::packet::subscribe_option as option;
use super::property::Properties;
use super::wire::Reader;
use crate::base::Secret;
use std::borrow::Cow;

/// A CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectView<'a> {
    /// The protocol level's low seven bits: 3, 4, 5, or one that does not exist.
    pub level: u8,
    /// The level's version, if it exists.
    pub version: Option<Version>,
    /// mosquitto's mark of a bridge: the level's upper bit.
    pub bridge: bool,
    /// Clean Session (3.1, 3.1.1) or Clean Start (5).
    pub clean_start: bool,
    /// Seconds; 0 turns the mechanism off. A Server Keep Alive may replace it.
    pub keep_alive: u16,
    /// Seconds; absent before MQTT 5, and where the device gives none (then 0 is meant).
    pub session_expiry: Option<u32>,
    /// Empty if the device leaves the choice to the hub, or if nothing of it can be read; its beginning, where the head cuts it
    /// off: see `complete`.
    pub client_id: Cow<'a, str>,
    /// How many messages of QoS 1 and 2 it takes at once; MQTT 5 only.
    pub receive_maximum: Option<u16>,
    /// Whether the flags say that there is a will.
    pub has_will: bool,
    /// The will, if it can be read.
    pub will: Option<WillView<'a>>,
    /// The user name, where Azure's carries hub and device.
    pub username: Option<Cow<'a, str>>,
    /// Whether the flags say that there is a password.
    pub has_password: bool,
    /// The password, for the expiry of a token in it. A secret: never log it.
    pub password: Option<Secret<&'a [u8]>>,
    /// Whether every field that the flags promise could be read.
    pub complete: bool,
}

/// The will in a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WillView<'a> {
    /// Its topic.
    pub topic: Cow<'a, str>,
    /// Its quality of service, as its two bits say.
    pub qos: u8,
    /// Will Delay Interval of MQTT 5, in seconds.
    pub delay: Option<u32>,
    /// Its payload.
    pub payload: &'a [u8],
}

/// Whether a CONNECT is that of a bridge between hubs, as mosquitto marks it before MQTT 5: by the upper bit of the level.
pub fn is_bridge(head: &[u8]) -> bool {
    connect_view(head).is_some_and(|view| view.bridge)
}

/// Reads a CONNECT; `None` if it ends before its keep-alive.
pub fn connect_view(head: &[u8]) -> Option<ConnectView<'_>> {
    let mut reader = Reader::new(head);
    reader.binary("protocol name").ok()?;
    let level = reader.u8("protocol level").ok()?;
    let flags = reader.u8("connect flags").ok()?;
    let version = Version::from_level(level & 0x7f);
    let mut view = ConnectView {
        level: level & 0x7f,
        version,
        bridge: level & 0x80 != 0,
        clean_start: flags & connect::CLEAN_START != 0,
        keep_alive: reader.u16("keep-alive").ok()?,
        session_expiry: None,
        client_id: Cow::Borrowed(""),
        receive_maximum: None,
        has_will: flags & connect::WILL != 0,
        will: None,
        username: None,
        has_password: flags & connect::PASSWORD != 0,
        password: None,
        complete: false,
    };
    view.complete = view.read_payload(flags, &mut reader).is_some();
    Some(view)
}

impl<'a> ConnectView<'a> {
    fn read_payload(&mut self, flags: u8, reader: &mut Reader<'a>) -> Option<()> {
        let v5 = self.version == Some(Version::V5);
        if v5 {
            let properties = Properties::read_leniently(reader);
            self.session_expiry = properties.session_expiry();
            self.receive_maximum = properties.receive_maximum();
        }
        // An identifier that the head cuts off is known by what is there of it.
        let (client_id, is_whole) = reader.begun("client identifier").ok()?;
        self.client_id = String::from_utf8_lossy(client_id);
        if !is_whole {
            return None;
        }
        if self.has_will {
            let delay = if v5 { Properties::read_leniently(reader).will_delay() } else { None };
            let topic = lossy(reader)?;
            let payload = reader.binary("will payload").ok()?;
            self.will = Some(WillView { topic, qos: flags >> 3 & 3, delay, payload });
        }
        if flags & connect::USER_NAME != 0 {
            self.username = Some(lossy(reader)?);
        }
        if self.has_password {
            self.password = Some(Secret(reader.binary("password").ok()?));
        }
        Some(())
    }
}

fn lossy<'a>(reader: &mut Reader<'a>) -> Option<Cow<'a, str>> {
    reader.binary("text").ok().map(String::from_utf8_lossy)
}

/// A CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnackView {
    /// Whether the hub goes on with an earlier session; never in MQTT 3.1.
    pub session_present: bool,
    /// Return code or reason code; 0 is accepted.
    pub code: u8,
    /// Seconds; replaces the device's keep-alive [MQTT-3.2.2-21].
    pub server_keep_alive: Option<u16>,
    /// Seconds; replaces the device's session expiry.
    pub session_expiry: Option<u32>,
    /// How many messages of QoS 1 and 2 the hub takes at once; MQTT 5 only.
    pub receive_maximum: Option<u16>,
    /// The client identifier that the hub chose.
    pub assigned_client_id: Option<String>,
    /// The hub's own words.
    pub reason_string: Option<String>,
}

/// Reads a CONNACK; `None` if it is shorter than two bytes.
pub fn connack_view(version: Version, head: &[u8]) -> Option<ConnackView> {
    let mut reader = Reader::new(head);
    let flags = reader.u8("flags").ok()?;
    let code = reader.u8("code").ok()?;
    let properties = properties(version, &mut reader);
    Some(ConnackView {
        session_present: version != Version::V31 && flags & 1 != 0,
        code,
        server_keep_alive: properties.server_keep_alive(),
        session_expiry: properties.session_expiry(),
        receive_maximum: properties.receive_maximum(),
        assigned_client_id: properties.assigned_client_id(),
        reason_string: properties.reason_string(),
    })
}

fn properties(version: Version, reader: &mut Reader<'_>) -> Properties {
    match version {
        Version::V5 => Properties::read_leniently(reader),
        Version::V31 | Version::V311 => Properties::NONE,
    }
}

/// A PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishView<'a> {
    /// The quality of service; `None` if its bits say 3.
    pub qos: Option<QoS>,
    /// Sent before.
    pub dup: bool,
    /// Up: keep it. Down: it was kept.
    pub retain: bool,
    /// Empty where a topic alias stands for it.
    pub topic: Cow<'a, str>,
    /// There with QoS 1 and 2.
    pub packet_id: Option<u16>,
    /// The number that stands for the topic, or that the topic is given; MQTT 5 only.
    pub topic_alias: Option<u16>,
    /// Where the payload begins in the body; absent if the head ends before that can be known. In MQTT 5, the
    /// framer must have known the version.
    pub payload_at: Option<u32>,
}

/// Reads a PUBLISH; `None` if it ends inside its topic.
pub fn publish_view(version: Version, first_byte: u8, head: &[u8]) -> Option<PublishView<'_>> {
    let mut reader = Reader::new(head);
    let qos_bits = (first_byte & publish::QOS) >> 1;
    let topic = lossy(&mut reader)?;
    let packet_id = if qos_bits == 0 { None } else { reader.u16("packet identifier").ok() };
    let (topic_alias, payload_at) = after_packet_id(version, head, &mut reader);
    Some(PublishView {
        qos: QoS::from_number(qos_bits),
        dup: first_byte & publish::DUP != 0,
        retain: first_byte & publish::RETAIN != 0,
        topic,
        packet_id,
        topic_alias,
        payload_at: payload_at.filter(|_| qos_bits == 0 || packet_id.is_some()),
    })
}

fn after_packet_id(version: Version, head: &[u8], reader: &mut Reader<'_>) -> (Option<u16>, Option<u32>) {
    let mut after = reader.clone();
    let whole = match version {
        Version::V5 => after.varint("property length").ok().is_some_and(|length| {
            after.bytes(usize::try_from(length).unwrap_or(usize::MAX), "properties").is_ok()
        }),
        Version::V31 | Version::V311 => true,
    };
    let at = u32::try_from(head.len() - after.rest().len()).ok();
    (properties(version, reader).topic_alias(), at.filter(|_| whole))
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckView {
    /// The PUBLISH's identifier.
    pub packet_id: u16,
    /// 0 where there is none; from 0x80 a failure.
    pub reason: u8,
}

/// Reads a PUBACK, PUBREC, PUBREL or PUBCOMP; `None` if it is shorter than two bytes.
pub fn ack_view(version: Version, head: &[u8]) -> Option<AckView> {
    let mut reader = Reader::new(head);
    let packet_id = reader.u16("packet identifier").ok()?;
    let reason = match version {
        Version::V5 => reader.u8("reason code").unwrap_or(0),
        Version::V31 | Version::V311 => 0,
    };
    Some(AckView { packet_id, reason })
}

/// A SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeView {
    /// The request's identifier.
    pub packet_id: u16,
    /// The filters that could be read, each with the QoS asked for (`None` if its bits say 3).
    pub filters: Vec<(String, Option<QoS>)>,
    /// Whether any of them asks for RETAIN as it was published; MQTT 5 only.
    pub as_published: bool,
    /// Whether one of these asks for nothing that the device itself has published, too, as bridges do; MQTT 5 only.
    pub bridges: bool,
}

/// Reads a SUBSCRIBE; `None` if it is shorter than two bytes.
pub fn subscribe_view(version: Version, head: &[u8]) -> Option<SubscribeView> {
    let (packet_id, mut reader) = request(version, head)?;
    let (mut as_published, mut bridges) = (false, false);
    let next = || {
        let filter = lossy(&mut reader)?.into_owned();
        let options = reader.u8("options").ok()?;
        let is_as_published = version == Version::V5 && options & option::RETAIN_AS_PUBLISHED != 0;
        as_published |= is_as_published;
        bridges |= is_as_published && options & option::NO_LOCAL != 0;
        Some((filter, QoS::from_number(options & 0x03)))
    };
    let filters = std::iter::from_fn(next).collect();
    Some(SubscribeView { packet_id, filters, as_published, bridges })
}

fn request(version: Version, head: &[u8]) -> Option<(u16, Reader<'_>)> {
    let mut reader = Reader::new(head);
    let packet_id = reader.u16("packet identifier").ok()?;
    properties(version, &mut reader);
    Some((packet_id, reader))
}

/// An UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubscribeView {
    /// The request's identifier.
    pub packet_id: u16,
    /// The filters that could be read.
    pub filters: Vec<String>,
}

/// Reads an UNSUBSCRIBE; `None` if it is shorter than two bytes.
pub fn unsubscribe_view(version: Version, head: &[u8]) -> Option<UnsubscribeView> {
    let (packet_id, mut reader) = request(version, head)?;
    let next = || lossy(&mut reader).map(Cow::into_owned);
    Some(UnsubscribeView { packet_id, filters: std::iter::from_fn(next).collect() })
}

/// A SUBACK or UNSUBACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubackView<'a> {
    /// The request's identifier.
    pub packet_id: u16,
    /// One for each filter, in the request's order; from 0x80 a failure. An UNSUBACK has none before MQTT 5.
    pub codes: &'a [u8],
}

/// Reads a SUBACK or UNSUBACK; `None` if it is shorter than two bytes.
pub fn suback_view(version: Version, head: &[u8]) -> Option<SubackView<'_>> {
    let (packet_id, mut reader) = request(version, head)?;
    Some(SubackView { packet_id, codes: reader.rest() })
}

/// A DISCONNECT or AUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonView {
    /// 0 where there is none.
    pub reason: u8,
    /// The sender's own words.
    pub reason_string: Option<String>,
    /// Where else to connect.
    pub server_reference: Option<String>,
}

/// Reads an MQTT 5 DISCONNECT or AUTH; `None` before MQTT 5, where a DISCONNECT has no reason.
///
/// `E0 00` is reason 0x00, `E0 01 xx` is reason xx without properties [section 3.14.2.1].
pub fn reason_view(version: Version, head: &[u8]) -> Option<ReasonView> {
    if version != Version::V5 {
        return None;
    }
    let mut reader = Reader::new(head);
    let reason = reader.u8("reason code").unwrap_or(0);
    let properties = Properties::read_leniently(&mut reader);
    Some(ReasonView {
        reason,
        reason_string: properties.reason_string(),
        server_reference: properties.server_reference(),
    })
}

/// The packet identifier of a PUBLISH, past its topic, which is not looked at: this is asked of every PUBLISH that
/// passes.
fn publish_id(first_byte: u8, head: &[u8]) -> Option<u16> {
    if first_byte & publish::QOS == 0 {
        return None;
    }
    let mut reader = Reader::new(head);
    reader.binary("topic name").ok()?;
    reader.u16("packet identifier").ok()
}

/// The packet identifier at the head of a frame of any type; `None` for types without one, and if it is cut off.
pub fn packet_id(kind: PacketKind, first_byte: u8, head: &[u8]) -> Option<u16> {
    match kind {
        PacketKind::Publish => publish_id(first_byte, head),
        PacketKind::Puback
        | PacketKind::Pubrec
        | PacketKind::Pubrel
        | PacketKind::Pubcomp
        | PacketKind::Subscribe
        | PacketKind::Suback
        | PacketKind::Unsubscribe
        | PacketKind::Unsuback => Reader::new(head).u16("packet identifier").ok(),
        PacketKind::Connect
        | PacketKind::Connack
        | PacketKind::Pingreq
        | PacketKind::Pingresp
        | PacketKind::Disconnect
        | PacketKind::Auth => None,
    }
}

#[cfg(test)]
mod tests;
