//! The habits of a client: every choice that decides how it bears a broken link.

use super::backoff::Backoff;
use super::token::Sas;
use super::workload::Workload;
use crate::base::Secret;
use crate::mqtt::Version;
use crate::mqtt::packet::Will;
use std::time::Duration;

/// When a device sends PINGREQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingRule {
    /// When it has sent nothing for the ping interval: all that [MQTT-3.1.2-23] (5: [MQTT-3.1.2-20]) asks for, and
    /// blind to a half-open link while it publishes.
    WhenIdleOutgoing,
    /// When it has received nothing for the ping interval: sees a half-open link whatever it sends, and lets the hub's
    /// keep-alive run out while much comes and nothing goes.
    WhenIdleIncoming,
    /// When it has sent nothing, or received nothing, for the ping interval.
    WhenIdleEither,
    /// At every ping interval, whatever else it sends.
    EveryKeepAlive,
    /// Never.
    Never,
}

/// How a device ends its link when it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// DISCONNECT, then FIN.
    Disconnect,
    /// FIN without DISCONNECT.
    Close,
    /// RST without DISCONNECT, as some old SDKs and crashed applications do.
    Reset,
}

/// The habits of a device. Spans are whole times; presets make them from the keep-alive.
#[derive(Clone, Debug, PartialEq)]
pub struct Habits {
    /// Client identifier; in a fleet the device's number is put behind it.
    pub client_id: String,
    /// The version it speaks.
    pub version: Version,
    /// Keep-alive in CONNECT, whole seconds up to 65,535; zero is none, and no PINGREQ either.
    pub keep_alive: Duration,
    /// When it pings.
    pub ping: PingRule,
    /// The time that [`PingRule`] speaks of. Scaled with the keep-alive if an MQTT 5 hub sets another one.
    pub ping_interval: Duration,
    /// How long it waits for PINGRESP before it gives the link up; `None` never looks.
    pub ping_timeout: Option<Duration>,
    /// How often it looks at its clocks for pings and their answers, counted from CONNACK: what is due between two
    /// looks is done at the next. Zero: at once.
    pub check_every: Duration,
    /// How long TCP connect, CONNECT and CONNACK may take together.
    pub connect_timeout: Duration,
    /// How it waits before it dials again.
    pub backoff: Backoff,
    /// How long a link has to stand before the back-off begins anew; one that ends earlier counts as an attempt that failed.
    pub settled: Duration,
    /// Whether it asks for a clean session each time. If not, it resumes.
    pub clean_session: bool,
    /// Session Expiry Interval in CONNECT; MQTT 5 only.
    pub session_expiry: Duration,
    /// Whether it sees FIN and RST as they come. If not, it goes on until a write fails.
    pub notices_close: bool,
    /// How it ends its link when it is told to stop.
    pub leaving: Leaving,
    /// Unacknowledged messages of QoS 1 and 2 at once; at least 1, less if the hub's Receive Maximum says so.
    pub max_in_flight: u16,
    /// The will in CONNECT.
    pub will: Option<Will>,
    /// User name in CONNECT.
    pub username: Option<String>,
    /// Password in CONNECT.
    pub password: Option<Secret<Vec<u8>>>,
    /// The SAS tokens that it makes, in the place of user name and password.
    pub sas: Option<Sas>,
    /// What it does while the link is up.
    pub workload: Workload,
}

impl Habits {
    /// The keep-alive as CONNECT carries it.
    pub(super) fn keep_alive_secs(&self) -> u16 {
        u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX)
    }

    /// The keep-alive that spans in keep-alives go by: its own, or where it has none, 60 s (the most common default
    /// of clients).
    pub(super) fn span_keep_alive(&self) -> Duration {
        if self.keep_alive.is_zero() { Duration::from_secs(60) } else { self.keep_alive }
    }
}
