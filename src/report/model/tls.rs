//! TLS and WebSocket in the report model.

use super::Quantiles;
use crate::base::Side;
use crate::event::TlsMode;
use serde::Serialize;

/// What a device did while its TLS handshakes met a fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Handshakes {
    /// How many handshakes met the fault.
    pub attempts: u64,
    /// The shortest time from one ClientHello to the next; `null` for a single attempt, and where they may be of several
    /// devices.
    pub least_gap_s: Option<f64>,
    /// The longest such time.
    pub most_gap_s: Option<f64>,
    /// The shape of those gaps.
    pub back_off: String,
    /// How they ended, the most frequent way first.
    pub ends: Vec<HandshakeEnd>,
    /// When the last of them began, in the run.
    pub last_s: f64,
    /// For how long after its last attempt the device tried no more while the fault held, where that is more than twice
    /// its longest gap; else `null`.
    pub gave_up_for_s: Option<f64>,
    /// How many were finished with a certificate that a device should refuse.
    pub took_bad_certificate: u64,
}

/// A way in which handshakes ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HandshakeEnd {
    /// In words: `finished all the same`, `alert certificate_expired`, `FIN`, `RST`, `waited for the end of the fault` ...
    pub end: String,
    /// How many ended so.
    pub attempts: u64,
    /// The shortest time from ClientHello to that; `null` where it has not ended.
    pub least_s: Option<f64>,
    /// The longest.
    pub most_s: Option<f64>,
}

/// What was seen of TLS and WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tls {
    /// The listeners with what of TLS holds there.
    pub listeners: Vec<TlsListener>,
    /// The handshakes with devices; `null` without any.
    pub with_devices: Option<TlsLeg>,
    /// The handshakes with the hub; `null` without any.
    pub with_hub: Option<TlsLeg>,
    /// Links whose TLS was passed through.
    pub links_passed_through: u64,
    /// How often brownout's TLS on a leg failed, the most frequent reason first.
    pub failures: Vec<TlsFailure>,
    /// How often it failed for reasons beyond those, which were too many to keep.
    pub other_failures: u64,
    /// The WebSockets, by path and subprotocol.
    pub web_sockets: Vec<WebSocket>,
    /// How many there were beyond those.
    pub other_web_sockets: u64,
}

/// A listener with what of TLS holds there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsListener {
    /// Its address.
    pub address: String,
    /// Where its links lead.
    pub upstream: String,
    /// `none`, `passthrough`, `terminate`, `reoriginate`, `originate`.
    pub mode: TlsMode,
    /// Whether the hub's certificate was not verified.
    pub hub_unverified: bool,
    /// Whether session secrets were written to SSLKEYLOGFILE.
    pub key_log: bool,
}

/// The TLS handshakes with one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TlsLeg {
    /// How many were done.
    pub handshakes: u64,
    /// How many of them resumed an earlier session.
    pub resumed: u64,
    /// From ClientHello to the handshake done.
    pub time: Option<Quantiles>,
    /// How many were done by version and cipher suite, the most frequent first.
    pub suites: Vec<Suite>,
}

/// A version of TLS with a cipher suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suite {
    /// `TLS 1.2`, `TLS 1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// How many handshakes agreed on them.
    pub handshakes: u64,
}

/// A reason for which TLS failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsFailure {
    /// On whose leg.
    pub side: Side,
    /// What was wrong, in words.
    pub error: String,
    /// How often.
    pub times: u64,
}

/// Links that spoke WebSocket alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebSocket {
    /// The path that was asked for, secrets of its query taken out.
    pub path: String,
    /// The subprotocol that the hub chose.
    pub protocol: Option<String>,
    /// How many.
    pub links: u64,
}
