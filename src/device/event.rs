//! What a device did and noticed: its own account, beside the proxy's.

use crate::base::Time;
use crate::base::span::show_fixed;
use crate::mqtt::packet::reason;
use crate::mqtt::{PacketKind, QoS};
use crate::tls::Alert;
use std::fmt;
use std::time::Duration;

/// One thing that a device did or noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEvent {
    /// When.
    pub at: Time,
    /// What.
    pub did: DeviceDid,
}

/// What a device did or noticed. Counts run over the device's whole life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceDid {
    /// It began to connect.
    Dialing {
        /// The number of the attempt, from 1.
        attempt: u64,
    },
    /// It could not connect.
    ConnectFailed {
        /// The system's or TLS's word, or what was too late.
        why: String,
    },
    /// The TLS handshake is done.
    Secured {
        /// `TLS 1.2`, `TLS 1.3`.
        version: String,
        /// Whether an earlier session was resumed.
        resumed: bool,
    },
    /// The hub refused it.
    Refused {
        /// The CONNACK's code.
        code: u8,
    },
    /// CONNACK accepted.
    Connected {
        /// Whether the hub goes on with an earlier session.
        session_present: bool,
        /// Since it began to dial.
        took: Duration,
    },
    /// It noticed that the link is gone.
    NoticedDead {
        /// By what.
        sign: Sign,
        /// Since the last packet from the hub.
        silent: Duration,
    },
    /// It will dial again.
    ReconnectIn {
        /// After this long.
        delay: Duration,
        /// The number of the back-off's step since the last link that stood long enough, from 0.
        failed: u32,
    },
    /// It sent PUBLISH.
    Published {
        /// How many it has sent, resends included.
        total: u64,
        /// Whether it was a resend with DUP.
        dup: bool,
    },
    /// PUBACK or PUBCOMP came, and the hub has the message.
    Acked {
        /// How many of its messages are acknowledged.
        total: u64,
    },
    /// PUBACK or PUBREC came, and the hub does not take the message; MQTT 5 only.
    Rejected {
        /// The reason.
        code: u8,
    },
    /// The hub's Maximum QoS is less than that of its messages, which go with that from now on (MQTT 5 section 3.2.2.3.4).
    QosLowered {
        /// Its own.
        from: QoS,
        /// The hub's.
        to: QoS,
    },
    /// It did not send a packet that is larger than the hub takes [MQTT-3.2.2-15 in 5].
    Withheld {
        /// Of which kind.
        kind: PacketKind,
        /// Its length in bytes.
        size: usize,
        /// The hub's Maximum Packet Size.
        most: usize,
    },
    /// A message came; of QoS 2, once.
    Received {
        /// How many.
        total: u64,
    },
    /// It subscribed, and the hub answered.
    Subscribed {
        /// The SUBACK's code.
        code: u8,
    },
    /// It leaves the hub, to come back at once with a fresh token.
    Renews {
        /// How long the one it has would still live.
        left: Duration,
    },
    /// It said DISCONNECT and is done.
    Stopped,
}

/// By what a device noticed that its link is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// FIN.
    Fin,
    /// FIN without TLS's close_notify.
    Unnotified,
    /// A TLS alert.
    Alert {
        /// Which.
        alert: Alert,
    },
    /// What came is not TLS, or does not decrypt.
    BadRecord,
    /// RST.
    Reset,
    /// Its kernel gave the connection up.
    TcpTimeout,
    /// A write failed.
    WriteFailed,
    /// No PINGRESP in time.
    PingTimeout,
    /// The hub said DISCONNECT; MQTT 5 only.
    HubDisconnect {
        /// The reason.
        reason: u8,
    },
    /// What came is not MQTT, or not what a hub may send.
    ProtocolError,
}

impl fmt::Display for DeviceDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceDid::Dialing { attempt } => write!(f, "dialing, attempt {attempt}"),
            DeviceDid::ConnectFailed { why } => write!(f, "could not connect: {why}"),
            DeviceDid::Secured { version, resumed } => {
                write!(f, "secured, {version}, {}", if *resumed { "resumed" } else { "new session" })
            }
            DeviceDid::Refused { code } => write!(f, "refused with {code:#04x}"),
            DeviceDid::Connected { session_present, took } => {
                let session = if *session_present { "session resumed" } else { "new session" };
                write!(f, "connected in {}, {session}", show_fixed(*took))
            }
            DeviceDid::NoticedDead { sign, silent } => {
                write!(f, "link gone: {sign}; the hub was silent for {}", show_fixed(*silent))
            }
            DeviceDid::ReconnectIn { delay, .. } => write!(f, "dials again in {}", show_fixed(*delay)),
            DeviceDid::Published { total, dup } => {
                write!(f, "published {total}{}", if *dup { ", again with DUP" } else { "" })
            }
            DeviceDid::Acked { total } => write!(f, "acknowledged {total}"),
            DeviceDid::Rejected { code } => write!(f, "message rejected, {}", reason_text(*code)),
            DeviceDid::QosLowered { from, to } => {
                write!(f, "publishes with QoS {to}, not {from}: the hub takes no more")
            }
            DeviceDid::Withheld { kind, size, most } => {
                write!(f, "{kind} of {size} bytes not sent: the hub takes {most} at most")
            }
            DeviceDid::Received { total } => write!(f, "received {total}"),
            DeviceDid::Subscribed { code } => write!(f, "subscribed, {code:#04x}"),
            DeviceDid::Renews { left } => {
                write!(f, "renews its token {} before it expires", show_fixed(*left))
            }
            DeviceDid::Stopped => f.write_str("stopped"),
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sign::Fin => f.write_str("FIN"),
            Sign::Unnotified => f.write_str("FIN without close_notify"),
            Sign::Alert { alert } => write!(f, "TLS alert {alert}"),
            Sign::BadRecord => f.write_str("what came is not TLS, or does not decrypt"),
            Sign::Reset => f.write_str("RST"),
            Sign::TcpTimeout => f.write_str("TCP gave up"),
            Sign::WriteFailed => f.write_str("a write failed"),
            Sign::PingTimeout => f.write_str("no PINGRESP in time"),
            Sign::HubDisconnect { reason } => {
                write!(f, "DISCONNECT {}", reason_text(*reason))
            }
            Sign::ProtocolError => f.write_str("what came is not MQTT"),
        }
    }
}

/// `0x97, Quota exceeded`.
fn reason_text(code: u8) -> String {
    format!("{code:#04x}, {}", reason::name(code).unwrap_or("a reason that MQTT does not know"))
}
