//! What the hub saw: the other witness beside the proxy, for tests that compare the two.

use super::io::{ConnId, Security};
use crate::azure::Code;
use crate::base::Time;
use crate::base::span::show_fixed;
use crate::base::text::printable;
use crate::mqtt::Version;
use crate::mqtt::packet::reason;
use crate::tls::Alert;
use std::fmt;
use std::time::Duration;

/// One thing that the hub saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubEvent {
    /// When.
    pub at: Time,
    /// On which connection; `None` for what a session did without one.
    pub conn: Option<ConnId>,
    /// Whose; `None` before CONNECT.
    pub client_id: Option<String>,
    /// What.
    pub what: HubSaw,
    /// What Azure IoT Hub's resource log calls it; only of a hub that plays it, and where the log has a word.
    pub code: Option<Code>,
}

/// What the hub saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubSaw {
    /// A TCP connection came.
    Opened {
        /// The peer's address.
        peer: String,
    },
    /// The TLS handshake is done.
    Secured {
        /// What it came to.
        security: Security,
    },
    /// CONNECT was accepted.
    Connected {
        /// The device's version.
        version: Version,
        /// The keep-alive in force, in seconds; 0 is none.
        keep_alive: u16,
        /// Whether an earlier session goes on.
        session_present: bool,
    },
    /// CONNECT was refused.
    Refused {
        /// The CONNACK's code.
        code: u8,
        /// Why, for people.
        text: String,
    },
    /// The connection is over for the hub.
    Disconnected {
        /// Why.
        why: Departure,
    },
    /// The will was published.
    WillSent {
        /// Its topic.
        topic: String,
    },
    /// A message did not go to this session, or was not retained.
    Dropped {
        /// The message's topic.
        topic: String,
        /// Why not.
        why: Dropped,
    },
    /// The session and all it held is gone.
    SessionEnded,
}

/// Why a connection is over for the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The device said DISCONNECT.
    Disconnect {
        /// MQTT 5's reason; otherwise 0.
        reason: u8,
    },
    /// FIN without DISCONNECT.
    Closed,
    /// FIN without DISCONNECT and without TLS's close_notify.
    Unnotified,
    /// The device sent a TLS alert that ends the connection.
    Alert {
        /// Which.
        alert: Alert,
    },
    /// What came is not TLS, or does not decrypt.
    BadRecord,
    /// The TLS handshake failed.
    HandshakeFailed {
        /// Why, for people.
        why: String,
    },
    /// RST without DISCONNECT.
    Reset,
    /// The hub's kernel gave the connection up: no acknowledgement for too long.
    TcpTimeout,
    /// No packet for 1.5 keep-alives [MQTT-3.1.2-24 in 3.1.1, MQTT-3.1.2-22 in 5].
    KeepAliveTimeout {
        /// How long the device was silent.
        silent: Duration,
    },
    /// No CONNECT in time.
    ConnectTimeout,
    /// The token that CONNECT carried has expired; of a hub that plays Azure IoT Hub.
    TokenExpired,
    /// Another connection came with the same client identifier [MQTT-3.1.4-2; MQTT-3.1.4-3 in 5].
    TakenOver,
    /// CONNECT was refused; the event before says why.
    Refused,
    /// The device broke a rule.
    ProtocolError {
        /// The reason code that MQTT 5 has for it.
        reason: u8,
        /// Which rule.
        text: String,
    },
    /// It does not read what it is sent.
    TooSlow,
    /// The hub has too many connections.
    TooMany,
    /// The hub stops.
    ShuttingDown,
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The session's queue is full.
    QueueFull,
    /// QoS 0, and the device does not read fast enough.
    OutputFull,
    /// Larger than the device takes [MQTT-3.1.2-24 in 5].
    TooLarge,
    /// Too many retained messages.
    RetainedFull,
}

impl Departure {
    /// The reason of the DISCONNECT that an MQTT 5 device gets before it is closed; `None` where nothing is said.
    pub(super) fn farewell(&self) -> Option<u8> {
        match self {
            Departure::KeepAliveTimeout { .. } => Some(reason::KEEP_ALIVE_TIMEOUT),
            Departure::TakenOver => Some(reason::SESSION_TAKEN_OVER),
            Departure::ProtocolError { reason, .. } => Some(*reason),
            Departure::ShuttingDown => Some(reason::SERVER_SHUTTING_DOWN),
            Departure::Disconnect { .. }
            | Departure::Closed
            | Departure::Unnotified
            | Departure::Alert { .. }
            | Departure::BadRecord
            | Departure::HandshakeFailed { .. }
            | Departure::TokenExpired
            | Departure::Reset
            | Departure::TcpTimeout
            | Departure::ConnectTimeout
            | Departure::Refused
            | Departure::TooSlow
            | Departure::TooMany => None,
        }
    }
}

impl fmt::Display for HubEvent {
    /// One line, without the time: `conn 3 sensor-1: connected, MQTT 5, keep-alive 60 s, new session`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conn = self.conn.map(|conn| format!("conn {}", conn.0));
        let who: Vec<String> = conn.into_iter().chain(self.client_id.as_deref().map(printable)).collect();
        write!(f, "{}: {}", who.join(" "), self.what)?;
        self.code.map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

impl fmt::Display for HubSaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HubSaw::Opened { peer } => write!(f, "opened from {peer}"),
            HubSaw::Secured { security } => write!(f, "secured, {security}"),
            HubSaw::Connected { version, keep_alive, session_present } => {
                let session = if *session_present { "session resumed" } else { "new session" };
                write!(f, "connected, MQTT {version}, keep-alive {keep_alive} s, {session}")
            }
            HubSaw::Refused { code, text } => write!(f, "refused with {code:#04x}: {}", printable(text)),
            HubSaw::Disconnected { why } => write!(f, "gone: {why}"),
            HubSaw::WillSent { topic } => write!(f, "will sent to {}", printable(topic)),
            HubSaw::Dropped { topic, why } => write!(f, "message to {} dropped: {why}", printable(topic)),
            HubSaw::SessionEnded => f.write_str("session ended"),
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        f.write_str(if self.resumed { ", resumed" } else { ", new session" })?;
        f.write_str(if self.certified { ", with a certificate" } else { "" })
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Departure::Disconnect { reason: 0 } => f.write_str("DISCONNECT"),
            Departure::Disconnect { reason } => {
                let name = reason::name(*reason).unwrap_or("a reason that MQTT does not know");
                write!(f, "DISCONNECT {reason:#04x}, {name}")
            }
            Departure::Closed => f.write_str("closed without DISCONNECT"),
            Departure::Unnotified => f.write_str("closed without DISCONNECT and without close_notify"),
            Departure::Alert { alert } => write!(f, "TLS alert {alert}"),
            Departure::BadRecord => f.write_str("what came is not TLS, or does not decrypt"),
            Departure::HandshakeFailed { why } => write!(f, "the TLS handshake failed: {}", printable(why)),
            Departure::TokenExpired => f.write_str("its token has expired"),
            Departure::Reset => f.write_str("reset without DISCONNECT"),
            Departure::TcpTimeout => f.write_str("TCP gave up"),
            Departure::KeepAliveTimeout { silent } => {
                write!(f, "keep-alive timeout after {} of silence", show_fixed(*silent))
            }
            Departure::ConnectTimeout => f.write_str("no CONNECT in time"),
            Departure::TakenOver => f.write_str("taken over by another connection"),
            Departure::Refused => f.write_str("refused"),
            Departure::ProtocolError { text, .. } => write!(f, "protocol error: {}", printable(text)),
            Departure::TooSlow => f.write_str("does not read what it is sent"),
            Departure::TooMany => f.write_str("too many connections"),
            Departure::ShuttingDown => f.write_str("the hub stops"),
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dropped::QueueFull => "the session's queue is full",
            Dropped::OutputFull => "the device does not read fast enough",
            Dropped::TooLarge => "larger than the device takes",
            Dropped::RetainedFull => "too many retained messages",
        })
    }
}
