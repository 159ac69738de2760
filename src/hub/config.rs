//! What a hub grants and how much it holds: every bound of it, with its reason.

use super::azure::Azure;
use std::time::Duration;

/// The largest packet taken by default: 1 MiB, four times what Azure IoT Hub and eight times what AWS IoT take.
pub const MAX_PACKET: usize = 1024 * 1024;

/// A connection that has not sent a whole CONNECT after this long is closed. MQTT says "a reasonable amount of time"
/// (section 3.1.4) and no more. It is longer than clients wait for CONNACK (60 s at most): where their CONNECT is swallowed on
/// the way, it is they who have to give up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(90);

/// A connection whose TLS handshake is not done after this long is closed: as long as most TLS servers wait.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most levels of a topic filter. Real ones have under ten; the bound keeps the filter tree shallow enough to
/// walk by recursion.
pub const MAX_LEVELS: usize = 128;

/// Room for answers (CONNACK, PUBACK, PINGRESP ...) beyond [`HubConfig::output_limit`]: a peer that makes the hub
/// answer this much and reads nothing is cut off.
pub const ANSWER_ROOM: usize = 256 * 1024;

/// How long a hub bears a device's silence, as a rule for its keep-alive K; [`Patience::MQTT`] is the standard's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Thousandths of K: 1,500 is one and a half.
    pub per_mille: u32,
    /// What comes on top.
    pub grace: Duration,
    /// Whether it goes by a clock of whole seconds, as programs that call `time(2)` do: fractions of K and of the moment of
    /// the last packet are cut off.
    pub whole_seconds: bool,
    /// How often the hub looks, counted from the run's beginning: a silence that is too long is seen at the next
    /// look. Zero: at once.
    pub looked_at_every: Duration,
    /// Thousandths of K that this is at most; 0: it has no part in it.
    pub looked_at_per_mille: u32,
    /// The least K that is gone by; a smaller one, but for 0, counts as this.
    pub least: u16,
    /// The greatest K that is gone by.
    pub most: u16,
    /// What a K of 0 counts as; 0: none, and the device may be silent for ever [MQTT-3.1.2-23].
    pub instead_of_none: u16,
    /// No silence is borne for longer, whatever K is.
    pub at_most: Option<Duration>,
}

impl Patience {
    /// One and a half keep-alives, exactly [MQTT-3.1.2-24 in 3.1.1, MQTT-3.1.2-22 in 5].
    pub const MQTT: Patience = Patience {
        per_mille: 1_500,
        grace: Duration::ZERO,
        whole_seconds: false,
        looked_at_every: Duration::ZERO,
        looked_at_per_mille: 0,
        least: 1,
        most: u16::MAX,
        instead_of_none: 0,
        at_most: None,
    };

    /// How long a device with this keep-alive may be silent; `None`: for ever. What looking seldom adds is not in it.
    pub fn of(&self, keep_alive: u16) -> Option<Duration> {
        let counted = self.counted(keep_alive);
        let by_keep_alive = Duration::from_millis(u64::from(counted) * u64::from(self.per_mille));
        let by_keep_alive = match self.whole_seconds {
            true => Duration::from_secs(by_keep_alive.as_secs()),
            false => by_keep_alive,
        };
        let borne = (counted > 0).then(|| by_keep_alive.saturating_add(self.grace));
        match (borne, self.at_most) {
            (Some(borne), Some(most)) => Some(borne.min(most)),
            (borne, most) => borne.or(most),
        }
    }

    /// How often it looks after a device with this keep-alive; zero: at once.
    pub fn looks(&self, keep_alive: u16) -> Duration {
        let by_keep_alive =
            Duration::from_millis(u64::from(self.counted(keep_alive)) * u64::from(self.looked_at_per_mille));
        if by_keep_alive.is_zero() { self.looked_at_every } else { self.looked_at_every.min(by_keep_alive) }
    }

    /// The keep-alive that is gone by; 0: none.
    fn counted(&self, keep_alive: u16) -> u16 {
        match keep_alive {
            0 => self.instead_of_none,
            given => given.clamp(self.least, self.most.max(self.least)),
        }
    }
}

/// The settings of a hub. [`HubConfig::default`] serves a laboratory with thousands of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubConfig {
    /// Seconds; takes the place of the device's own keep-alive in MQTT 5 [MQTT-3.2.2-21]. Older versions cannot be
    /// told, and keep theirs.
    pub server_keep_alive: Option<u16>,
    /// How long it bears silence. [`Azure`]'s ceiling holds beside it.
    pub patience: Patience,
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
    /// Messages of QoS 1 and 2 that wait for one session, those that have expired not counted. A full queue refuses the
    /// newest, so that what the device gets has no gap before the end; each refusal is an event.
    pub max_queued: usize,
    /// Bytes of topics, properties and payloads that wait for one session; as `max_queued`.
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
            patience: Patience::MQTT,
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
