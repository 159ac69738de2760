//! CONNECT: who gets in, with which session.

use super::azure;
use super::event::{Departure, HubSaw};
use super::io::ConnId;
use super::machine::Hub;
use super::session::{Lasts, SessionId};
use super::timers::Expires;
use crate::azure::Code;
use crate::mqtt::inlet::BadPacket;
use crate::mqtt::packet::{Connack, Connect, reason};
use crate::mqtt::{DecodeError, Packet, Properties, Property, Version};
use std::time::Duration;

/// Why a CONNECT is refused: the code before MQTT 5, the code of MQTT 5, and the words.
pub(super) struct Refusal {
    pub v3: u8,
    pub v5: u8,
    pub text: String,
    pub code: Option<Code>,
}

impl Hub {
    pub(super) fn connect(&mut self, conn: ConnId, mut connect: Connect) {
        // First: Azure IoT Hub has one code for all that it does not let in.
        let expires = match self.admit(conn, &connect) {
            Ok(expires) => expires,
            Err(refusal) => return self.refuse(conn, connect.version, refusal),
        };
        if let Some(refusal) = self.refusal(&connect) {
            return self.refuse(conn, connect.version, refusal);
        }
        let assigned = connect.client_id.is_empty();
        if assigned {
            connect.client_id = self.sessions.assign_name();
        }
        let (session, session_present) = self.open_session(conn, &connect);
        let keep_alive = self.keep_alive(&connect);
        let (patience, looks) = (self.patience(keep_alive), self.config.patience.looks(keep_alive));
        let Some(link) = self.links.get_mut(&conn) else { return };
        link.greet(&connect, patience, looks, session);
        link.whole_seconds = self.config.patience.whole_seconds;
        self.timers.set(Expires::Link(conn), link.silent_at());
        self.timers.set(Expires::Token(conn), expires);
        let properties = self.grants(&connect, assigned);
        self.send(conn, &Packet::Connack(Connack { session_present, code: reason::SUCCESS, properties }));
        let version = connect.version;
        self.log(Some(conn), Some(session), HubSaw::Connected { version, keep_alive, session_present });
        self.flush(session);
    }

    fn refusal(&self, connect: &Connect) -> Option<Refusal> {
        let anonymous = connect.client_id.is_empty();
        if connect.properties.authentication_method().is_some() {
            let text = "extended authentication is not offered".to_owned();
            let (v3, v5) = (reason::v3::NOT_AUTHORIZED, reason::BAD_AUTHENTICATION_METHOD);
            return Some(Refusal { v3, v5, text, code: None });
        }
        let may_be_anonymous = match connect.version {
            Version::V31 => false,
            Version::V311 => connect.clean_start,
            Version::V5 => true,
        };
        if anonymous && !may_be_anonymous {
            let text = "the client identifier is empty [MQTT-3.1.3-8]".to_owned();
            let (v3, v5) = (reason::v3::IDENTIFIER_REJECTED, reason::CLIENT_IDENTIFIER_NOT_VALID);
            return Some(Refusal { v3, v5, text, code: None });
        }
        let is_new = self.sessions.named(&connect.client_id).is_none();
        if is_new && self.sessions.len() >= self.config.max_sessions {
            let text = format!("the hub has {} sessions", self.sessions.len());
            return Some(Refusal {
                v3: reason::v3::SERVER_UNAVAILABLE,
                v5: reason::QUOTA_EXCEEDED,
                text,
                code: None,
            });
        }
        None
    }

    fn refuse(&mut self, conn: ConnId, version: Version, refusal: Refusal) {
        let code = if version == Version::V5 { refusal.v5 } else { refusal.v3 };
        if let Some(link) = self.links.get_mut(&conn) {
            link.version = version;
        }
        let connack = Connack { session_present: false, code, properties: Properties::NONE };
        self.send(conn, &Packet::Connack(connack));
        self.log_coded(Some(conn), None, HubSaw::Refused { code, text: refusal.text }, refusal.code);
        self.depart(conn, Departure::Refused);
    }

    /// A first packet that cannot be read is answered where the version asks for it [MQTT-3.1.2-2], else closed.
    pub(super) fn unreadable_connect(&mut self, conn: ConnId, bad: &BadPacket) {
        let (v3, v5) = (reason::v3::UNACCEPTABLE_PROTOCOL, reason::UNSUPPORTED_PROTOCOL_VERSION);
        match bad {
            BadPacket::Malformed(DecodeError::Value { field: "protocol level", value, .. }) => {
                // Bridges of mosquitto set the upper bit in those before MQTT 5, and do without where they are told so.
                let level = value & 0x7f;
                let version =
                    if level > u32::from(Version::V5.level()) { Version::V5 } else { Version::V311 };
                self.refuse(conn, version, Refusal { v3, v5, text: bad.to_string(), code: None });
            }
            BadPacket::Malformed(_) | BadPacket::Length | BadPacket::TooLarge { .. } => {
                self.fail(conn, reason::MALFORMED_PACKET, bad.to_string());
            }
        }
    }

    /// Takes the device's session up, or makes one; whoever else holds it is closed [MQTT-3.1.4-2; MQTT-3.1.4-3 in 5].
    fn open_session(&mut self, conn: ConnId, connect: &Connect) -> (SessionId, bool) {
        let name = &connect.client_id;
        let holder = self.sessions.named(name).and_then(|id| self.sessions.get(id)).and_then(|s| s.conn);
        if let Some(holder) = holder {
            self.depart(holder, Departure::TakenOver);
        }
        // Asked again: the session may have ended with its connection.
        let mut earlier = self.sessions.named(name);
        if let (Some(id), true) = (earlier, connect.clean_start) {
            self.end_session(id); // [MQTT-3.1.2-6; MQTT-3.1.2-4 in 5]
            earlier = None;
        }
        let id = earlier.unwrap_or_else(|| self.sessions.make(name));
        self.timers.set(Expires::Session(id), None);
        self.timers.set(Expires::Will(id), None); // [MQTT-3.1.3-9 in 5]
        let window = connect.properties.receive_maximum().unwrap_or(u16::MAX).min(self.config.max_inflight);
        if let Some(session) = self.sessions.get_mut(id) {
            session.conn = Some(conn);
            session.lasts = Lasts::of_connect(connect);
            session.will = connect.will.clone();
            session.outbox.resume(window);
        }
        (id, earlier.is_some())
    }

    fn keep_alive(&self, connect: &Connect) -> u16 {
        match (connect.version, self.config.server_keep_alive) {
            (Version::V5, Some(ours)) => ours,
            (Version::V5, None) | (Version::V31 | Version::V311, _) => connect.keep_alive,
        }
    }

    /// How long a device may be silent.
    fn patience(&self, keep_alive: u16) -> Option<Duration> {
        let patience = self.config.patience.of(keep_alive);
        if self.config.azure.is_some() { Some(azure::patience(patience)) } else { patience }
    }

    /// What an MQTT 5 device is told of the hub's bounds (section 3.2.2.3); the encoder leaves it away before 5.
    fn grants(&self, connect: &Connect, assigned: bool) -> Properties {
        let config = &self.config;
        let mut grants = Properties(vec![
            Property::ReceiveMaximum(config.receive_maximum.max(1)),
            Property::MaximumPacketSize(u32::try_from(config.max_packet).unwrap_or(u32::MAX)),
            Property::TopicAliasMaximum(config.topic_alias_maximum),
        ]);
        grants.0.extend(assigned.then(|| Property::AssignedClientId(connect.client_id.clone())));
        grants.0.extend(config.server_keep_alive.map(Property::ServerKeepAlive));
        grants
    }
}
