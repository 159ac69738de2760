//! What a hub grants and how much it holds: every bound of it, with its reason.

use super::azure::Azure;
use std::time::Duration;

/// The largest packet taken by default: 1 MiB, four times what Azure IoT Hub and eight times what AWS IoT take.
pub const MAX_PACKET: usize = 1024 * 1024;

/// A connection that has not sent a whole CONNECT after this long is closed. MQTT says "a reasonable amount of time"
/// (section 3.1.4) and no more.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection whose TLS handshake is not done after this long is closed: as long as most TLS servers wait.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most levels of a topic filter. Real ones have under ten; the bound keeps the filter tree shallow enough to
/// walk by recursion.
pub const MAX_LEVELS: usize = 128;

/// Room for answers (CONNACK, PUBACK, PINGRESP ...) beyond [`HubConfig::output_limit`]: a peer that makes the hub
/// answer this much and reads nothing is cut off.
pub const ANSWER_ROOM: usize = 256 * 1024;

/// The settings of a hub. [`HubConfig::default`] serves a laboratory with thousands of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// Seconds; takes the place of the device's own keep-alive in MQTT 5 [MQTT-3.2.2-21]. Older versions cannot be
    /// told, and keep theirs.
    pub server_keep_alive: Option<u16>,
    /// Bytes of the largest packet taken, header included. Told to MQTT 5 devices [MQTT-3.2.2-15].
    pub max_packet: usize,
    /// How long a new connection's TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a new connection may wait with its CONNECT; over TLS from the handshake's end.
    pub connect_timeout: Duration,
    /// Connections at once; further ones are closed as they come.
    pub max_connections: usize,
    /// Sessions at once, with or without a connection; further ones are refused as unavailable.
    pub max_sessions: usize,
    /// Subscriptions of one session; further ones are refused in the SUBACK (0x97, before MQTT 5 0x80).
    pub max_subscriptions: usize,
    /// Messages of QoS 1 and 2 that wait for one session. A full queue refuses the newest, so that what the device
    /// gets has no gap before the end; each refusal is an event.
    pub max_queued: usize,
    /// Bytes of topic and payload that wait for one session; as `max_queued`.
    pub max_queued_bytes: usize,
    /// Messages of QoS 1 and 2 under way to one device at once; less if its Receive Maximum says so.
    pub max_inflight: u16,
    /// Receive Maximum: messages of QoS 2 that one device may have open [MQTT-3.3.4-9].
    pub receive_maximum: u16,
    /// The highest topic alias that a device may use.
    pub topic_alias_maximum: u16,
    /// Retained messages; new topics beyond it are not retained, which is an event.
    pub max_retained: usize,
    /// Bytes that wait to be written to one device. Beyond it messages of QoS 0 are dropped (an event) and others
    /// wait in the session's queue; with [`ANSWER_ROOM`] more the connection is reset as too slow.
    pub output_limit: usize,
    /// Takes what Azure IoT Hub's MQTT endpoint takes, and nothing else; `None`: a broker of any topic.
    pub azure: Option<Azure>,
}

impl Default for HubConfig {
    fn default() -> HubConfig {
        HubConfig {
            server_keep_alive: None,
            max_packet: MAX_PACKET,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            max_connections: 100_000,
            max_sessions: 200_000,
            max_subscriptions: 1_000,
            max_queued: 1_000,
            max_queued_bytes: 16 * MAX_PACKET,
            max_inflight: 100,
            receive_maximum: 1_000,
            topic_alias_maximum: 32,
            max_retained: 10_000,
            output_limit: 2 * MAX_PACKET,
            azure: None,
        }
    }
}
