//! TLS in events: where it begins and ends, and what a handshake came to.

use serde::{Deserialize, Serialize};

/// What of TLS holds at a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsTerms {
    /// Which legs have TLS of brownout's own, or whether it is passed through.
    pub mode: TlsMode,
    /// Whether the hub's certificate is not verified, because somebody asked for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hub_unverified: bool,
    /// Whether session secrets are written to SSLKEYLOGFILE.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key_log: bool,
}

impl TlsTerms {
    /// Whether there is nothing to say.
    pub fn is_plain(&self) -> bool {
        *self == TlsTerms::default()
    }
}

/// Where TLS begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Bytes are passed through as they are; what is TLS in them stays closed.
    #[default]
    None,
    /// As `None`, and TLS is expected: rules cannot ask for MQTT.
    Passthrough,
    /// TLS with devices, plain to the hub.
    Terminate,
    /// TLS with devices, and TLS again to the hub.
    Reoriginate,
    /// Plain with devices, TLS to the hub.
    Originate,
}

impl TlsMode {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            TlsMode::None => "no TLS",
            TlsMode::Passthrough => "TLS passed through",
            TlsMode::Terminate => "TLS with devices, plain to the hub",
            TlsMode::Reoriginate => "TLS with devices, and TLS again to the hub",
            TlsMode::Originate => "plain with devices, TLS to the hub",
        }
    }

    /// Whether brownout is the TLS server of devices.
    pub fn serves(self) -> bool {
        matches!(self, TlsMode::Terminate | TlsMode::Reoriginate)
    }

    /// Whether brownout is a TLS client of the hub.
    pub fn dials(self) -> bool {
        matches!(self, TlsMode::Reoriginate | TlsMode::Originate)
    }
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsUp {
    /// From ClientHello to the handshake done, as brownout saw it; of the device's leg, without what a fault or the hub's
    /// leg made it wait.
    pub took_ns: u64,
    /// `TLS 1.2`, `TLS 1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The protocol agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn: Option<String>,
    /// The subject of the certificate that the peer presented, as RFC 4514 writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}
