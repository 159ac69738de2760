//! The hub as one pure machine: what comes in, what goes out, who leaves and why.

use super::azure::code_of;
use super::config::HubConfig;
use super::event::{Departure, HubEvent, HubSaw};
use super::io::{ConnId, Input, Output, Security};
use super::link::{Link, Stage};
use super::retained::Retained;
use super::session::{Lasts, SessionId, Sessions};
use super::timers::{Expires, Timers};
use super::topics::Topics;
use crate::azure::Code;
use crate::base::Time;
use crate::base::span::show_fixed;
use crate::mqtt::inlet::BadPacket;
use crate::mqtt::packet::{Disconnect, reason};
use crate::mqtt::{Packet, Version, encode};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The hub.
#[derive(Debug)]
pub struct Hub {
    pub(super) config: HubConfig,
    pub(super) now: Time,
    pub(super) links: BTreeMap<ConnId, Link>,
    pub(super) sessions: Sessions,
    pub(super) topics: Topics,
    pub(super) retained: Retained,
    pub(super) timers: Timers,
    out: VecDeque<Output>,
    /// Too slow; cut when the input is dealt with, so that cutting never nests.
    doomed: VecDeque<(ConnId, Departure)>,
    /// It has been told to stop.
    stops: bool,
}

impl Hub {
    /// A hub that nobody knows yet.
    pub fn new(config: HubConfig) -> Hub {
        Hub {
            config,
            now: Time::ZERO,
            links: BTreeMap::new(),
            sessions: Sessions::default(),
            topics: Topics::default(),
            retained: Retained::default(),
            timers: Timers::default(),
            out: VecDeque::new(),
            doomed: VecDeque::new(),
            stops: false,
        }
    }

    /// Takes what happened at `now`. What was due by then happens before it. Inputs for connections that the hub
    /// has closed are fine.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.tick(now);
        match input {
            Input::Opened { conn, peer, tls } => self.opened(conn, peer, tls),
            Input::Secured { conn, security } => self.secured(conn, security),
            Input::HandshakeFailed { conn, why } => self.depart(conn, Departure::HandshakeFailed { why }),
            Input::Bytes { conn, bytes } => self.bytes(conn, bytes),
            Input::Written { conn, count } => self.written(conn, count),
            Input::Closed { conn, how } => self.depart(conn, how.into()),
            Input::Stop => self.stop(),
        }
        self.cut_doomed();
    }

    /// The next thing to do; call until `None` after each [`Hub::handle`] and [`Hub::tick`].
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Hub::tick`] is wanted, at the latest; it may change with every call of the other functions.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.first()
    }

    /// Does all that is due at `now`. Needless calls are harmless.
    pub fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(what) = self.timers.take_due(self.now) {
            match what {
                Expires::Link(conn) => self.link_expired(conn),
                Expires::Token(conn) => self.depart(conn, Departure::TokenExpired),
                Expires::Will(session) => self.send_will(session),
                Expires::Session(session) => self.end_session(session),
            }
        }
        self.cut_doomed();
    }

    fn opened(&mut self, conn: ConnId, peer: String, tls: bool) {
        self.links.insert(conn, Link::new(self.now, self.config.max_packet, tls));
        self.log(Some(conn), None, HubSaw::Opened { peer });
        if self.stops {
            return self.depart(conn, Departure::ShuttingDown);
        }
        if self.links.len() > self.config.max_connections {
            return self.depart(conn, Departure::TooMany);
        }
        let patience = if tls { self.config.handshake_timeout } else { self.config.connect_timeout };
        self.timers.set(Expires::Link(conn), Some(self.now + patience));
    }

    fn secured(&mut self, conn: ConnId, security: Security) {
        let Some(link) = self.links.get_mut(&conn).filter(|link| link.stage == Stage::Securing) else {
            return;
        };
        link.stage = Stage::Greeting;
        link.certified = security.certified;
        self.timers.set(Expires::Link(conn), Some(self.now + self.config.connect_timeout));
        self.log(Some(conn), None, HubSaw::Secured { security });
    }

    fn bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.inlet.push(bytes);
        }
        while let Some(link) = self.links.get_mut(&conn) {
            match link.inlet.next_packet(link.version) {
                Ok(None) => return,
                Ok(Some(packet)) => self.packet(conn, packet),
                Err(bad) => self.unreadable(conn, &bad),
            }
        }
    }

    /// Deals with a packet; each one restarts the keep-alive.
    fn packet(&mut self, conn: ConnId, packet: Packet) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        link.last_packet = self.now;
        match (link.stage, packet) {
            (Stage::Greeting, Packet::Connect(connect)) => self.connect(conn, connect),
            (Stage::Greeting | Stage::Securing, other) => {
                let text = format!("{} before CONNECT [MQTT-3.1.0-1]", other.kind());
                self.fail(conn, reason::PROTOCOL_ERROR, text);
            }
            (Stage::Up(session), packet) => {
                self.timers.set(Expires::Link(conn), link.silent_at());
                self.session_packet(conn, session, packet);
            }
        }
    }

    fn session_packet(&mut self, conn: ConnId, session: SessionId, packet: Packet) {
        match packet {
            Packet::Publish(publish) => self.publish(conn, session, publish),
            Packet::Puback(ack) | Packet::Pubcomp(ack) => self.message_done(session, ack.packet_id),
            Packet::Pubrec(ack) => self.pubrec(conn, session, &ack),
            Packet::Pubrel(ack) => self.pubrel(conn, session, ack.packet_id),
            Packet::Subscribe(subscribe) => self.subscribe(conn, session, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(conn, session, &unsubscribe),
            Packet::Pingreq => self.send(conn, &Packet::Pingresp), // [MQTT-3.12.4-1]
            Packet::Disconnect(disconnect) => self.disconnect(conn, session, &disconnect),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => {
                self.fail(conn, reason::PROTOCOL_ERROR, "a second CONNECT [MQTT-3.1.0-2]".into())
            }
            Packet::Connack(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingresp
            | Packet::Auth(_) => {
                let text = format!("{} from a device", packet.kind());
                self.fail(conn, reason::PROTOCOL_ERROR, text);
            }
        }
    }

    fn disconnect(&mut self, conn: ConnId, session: SessionId, disconnect: &Disconnect) {
        if let (Some(seconds), Some(session)) =
            (disconnect.properties.session_expiry(), self.sessions.get_mut(session))
        {
            if session.lasts == Lasts::AsTheConnection && seconds > 0 {
                let text = "DISCONNECT gives a session expiry where CONNECT had none [section 3.14.2.2.2]";
                return self.fail(conn, reason::PROTOCOL_ERROR, text.into());
            }
            session.lasts = Lasts::of_interval(seconds);
        }
        self.depart(conn, Departure::Disconnect { reason: disconnect.reason });
    }

    fn link_expired(&mut self, conn: ConnId) {
        let Some(link) = self.links.get(&conn) else { return };
        let why = match link.stage {
            Stage::Securing => {
                let limit = show_fixed(self.config.handshake_timeout);
                Departure::HandshakeFailed { why: format!("it was not done within {limit}") }
            }
            Stage::Greeting => Departure::ConnectTimeout,
            Stage::Up(_) => Departure::KeepAliveTimeout { silent: self.now.since(link.last_packet) },
        };
        self.depart(conn, why);
    }

    fn unreadable(&mut self, conn: ConnId, bad: &BadPacket) {
        let Some(link) = self.links.get(&conn) else { return };
        if !matches!(link.stage, Stage::Up(_)) {
            return self.unreadable_connect(conn, bad);
        }
        let code = match bad {
            BadPacket::TooLarge { .. } => reason::PACKET_TOO_LARGE,
            BadPacket::Length | BadPacket::Malformed(_) => reason::MALFORMED_PACKET,
        };
        self.fail(conn, code, bad.to_string());
    }

    /// The device broke a rule: it is told why where its version can be, and closed.
    pub(super) fn fail(&mut self, conn: ConnId, reason: u8, text: String) {
        self.depart(conn, Departure::ProtocolError { reason, text });
    }

    /// The connection is over: farewell, close, and what the session makes of it.
    pub(super) fn depart(&mut self, conn: ConnId, why: Departure) {
        let Some(link) = self.links.get(&conn) else { return };
        let (stage, version) = (link.stage, link.version);
        if let (Stage::Up(_), Version::V5, Some(reason)) = (stage, version, why.farewell()) {
            self.send(conn, &Packet::Disconnect(Disconnect::because(reason)));
        }
        self.links.remove(&conn);
        self.timers.set(Expires::Link(conn), None);
        self.timers.set(Expires::Token(conn), None);
        self.out.push_back(if why == Departure::TooSlow {
            Output::Reset { conn }
        } else {
            Output::Close { conn }
        });
        let session = match stage {
            Stage::Up(session) => Some(session),
            Stage::Securing | Stage::Greeting => None,
        };
        let code = session.and(self.config.azure.as_ref()).and_then(|_| code_of(&why));
        self.log_coded(Some(conn), session, HubSaw::Disconnected { why: why.clone() }, code);
        if let Some(session) = session {
            self.session_left(session, &why);
        }
    }

    fn session_left(&mut self, id: SessionId, why: &Departure) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.conn = None;
        // [MQTT-3.1.2-10, MQTT-3.14.4-3]; a hub that stops says nothing for its devices.
        if matches!(why, Departure::Disconnect { reason: 0 } | Departure::ShuttingDown) {
            session.will = None;
        }
        let lasts = session.lasts;
        let delay = session.will.as_ref().map(|will| will.properties.will_delay().unwrap_or(0));
        match delay {
            None => {}
            Some(0) => self.send_will(id),
            // [MQTT-3.1.3-9 in 5]; the end of the session sends it, too.
            Some(delay) => {
                let at = self.now + Duration::from_secs(delay.into());
                self.timers.set(Expires::Will(id), Some(at));
            }
        }
        match lasts {
            Lasts::AsTheConnection => self.end_session(id),
            Lasts::After(span) => self.timers.set(Expires::Session(id), Some(self.now + span)),
            Lasts::Forever => {}
        }
    }

    /// Forgets the session and all it holds; a will that still waits is sent.
    pub(super) fn end_session(&mut self, id: SessionId) {
        self.send_will(id);
        self.timers.set(Expires::Session(id), None);
        self.log(None, Some(id), HubSaw::SessionEnded);
        if let Some(session) = self.sessions.remove(id) {
            session.filters.iter().for_each(|filter| self.topics.remove(filter, id));
        }
    }

    fn stop(&mut self) {
        self.stops = true;
        let all: Vec<ConnId> = self.links.keys().copied().collect();
        all.into_iter().for_each(|conn| self.depart(conn, Departure::ShuttingDown));
    }

    fn written(&mut self, conn: ConnId, count: usize) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        link.unsent = link.unsent.saturating_sub(count);
        if let Stage::Up(session) = link.stage {
            self.flush(session);
        }
    }

    /// Gives a packet out, or ends a connection whose device takes none of this size: it would wait for an answer that must not come.
    /// What cannot be written (a field too long, which nothing decoded can have) is left away.
    pub(super) fn send(&mut self, conn: ConnId, packet: &Packet) {
        let Some(link) = self.links.get(&conn) else { return };
        let mut bytes = Vec::new();
        if encode(packet, link.version, &mut bytes).is_err() {
            return;
        }
        let (size, most) = (bytes.len(), link.max_packet);
        if size > most {
            let kind = packet.kind();
            let text = format!(
                "its Maximum Packet Size, {most}, is less than the {size} bytes of {kind} [MQTT-3.1.2-24]"
            );
            self.doomed
                .push_back((conn, Departure::ProtocolError { reason: reason::PACKET_TOO_LARGE, text }));
        } else {
            self.send_bytes(conn, bytes);
        }
    }

    pub(super) fn send_bytes(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        let before = link.unsent;
        link.unsent += bytes.len();
        // A whole message may stand in front of the answers' room.
        let most = self.config.output_limit + self.config.max_packet + super::config::ANSWER_ROOM;
        if before <= most && link.unsent > most {
            self.doomed.push_back((conn, Departure::TooSlow));
        }
        self.out.push_back(Output::Send { conn, bytes });
    }

    fn cut_doomed(&mut self) {
        while let Some((conn, why)) = self.doomed.pop_front() {
            self.depart(conn, why);
        }
    }

    pub(super) fn log(&mut self, conn: Option<ConnId>, session: Option<SessionId>, what: HubSaw) {
        self.log_coded(conn, session, what, None);
    }

    pub(super) fn log_coded(
        &mut self,
        conn: Option<ConnId>,
        session: Option<SessionId>,
        what: HubSaw,
        code: Option<Code>,
    ) {
        let client_id = session.and_then(|id| self.sessions.get(id)).map(|session| session.client_id.clone());
        self.out.push_back(Output::Log(HubEvent { at: self.now, conn, client_id, what, code }));
    }
}
