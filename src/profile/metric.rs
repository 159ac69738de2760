//! The measures by name, with what they count in and from where to where they go: the one list that profiles,
//! reports and the reference are made from.

use crate::base::Side;
use crate::fault::{Close, Fault, LegFate, PacketAction};
use std::fmt;

/// What a measure counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Time.
    Time,
    /// A number of things.
    Count,
}

macro_rules! metrics {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:ident, $meaning:literal, $sample:literal;)*) => {
        /// A measure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric { $(#[doc = $meaning] $variant,)* }

        impl Metric {
            /// All of them, in the order of reports.
            pub const ALL: &[Metric] = &[$(Metric::$variant),*];

            /// Its name in profiles and reports.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)* }
            }

            /// What it counts in.
            pub fn unit(self) -> Unit {
                match self { $(Metric::$variant => Unit::$unit,)* }
            }

            /// From where to where it goes.
            pub fn meaning(self) -> &'static str {
                match self { $(Metric::$variant => $meaning,)* }
            }

            /// What there is one sample for each of.
            pub fn sample(self) -> &'static str {
                match self { $(Metric::$variant => $sample,)* }
            }
        }
    };
}

metrics! {
    DeviceDetection = "device_detection", Time,
        "from the start of the fault to the first sign that the device knows: its FIN, RST, DISCONNECT or WebSocket close, or its next connect; none of those counts once the hub's end was passed on to it",
        "window in which the device noticed, or had a keep-alive's time to";
    HubDetection = "hub_detection", Time,
        "from the start of the fault to the first sign that the hub knows: its FIN, RST, DISCONNECT or WebSocket close; none of those counts once the device's end was passed on to it",
        "window in which the hub noticed, or had a keep-alive's time to";
    DeviceSilence = "device_silence", Time,
        "from the device's last packet to the same sign",
        "window in which the device noticed";
    HubSilence = "hub_silence", Time,
        "from the last packet that the hub was sent to the hub's sign (its keep-alive timer runs from there)",
        "window in which the hub noticed";
    SplitView = "split_view", Time,
        "from the first end's sign to the other's: one end believes in a link that the other has given up",
        "window in which both ends noticed";
    Downtime = "downtime", Time,
        "from the start of the fault to the next CONNACK that accepts the device",
        "window in which the link was lost";
    Recovery = "recovery", Time,
        "from the path restored (of a fault that leaves the path alone: from the fault) to the next CONNACK that accepts the device",
        "window in which the link was lost and the device was not back before the path was restored";
    Resubscribe = "resubscribe", Time,
        "where no session is present: from CONNACK to the SUBACK after which every earlier filter is held again",
        "reconnect to no session, of a device that held filters";
    FirstPublish = "first_publish", Time,
        "from the CONNACK of a reconnect to the first PUBLISH up",
        "reconnect on which a PUBLISH went up";
    FirstDelivery = "first_delivery", Time,
        "from the CONNACK of a reconnect to the first PUBLISH down",
        "reconnect on which a PUBLISH came down";
    ConnectGap = "connect_gap", Time,
        "from one connect attempt to the next, while down",
        "gap between two connects of an outage; where two windows share the outage, of each; of one that is not over, so many so far";
    ConnectAttempts = "connect_attempts", Count,
        "connect attempts from the sign that the device knows to the CONNACK that accepts it, for each outage",
        "outage: a window in which the link was lost or connects were refused, or a loss outside of windows after which the device tried again; where two windows share the outage, of each; of one that is not over, so many so far";
    ConnectRate = "connect_rate", Count,
        "connects of all devices together in the busiest second, wherever it begins",
        "run";
    ControlGap = "control_gap", Time,
        "from the end of one packet of the device to the beginning of its next, on a sound path",
        "gap";
    KeepaliveViolations = "keepalive_violations", Count,
        "gaps on a sound path longer than the device's keep-alive by more than a tenth [MQTT-3.1.2-23]",
        "device that was ever accepted, and whose packets are seen";
    PingRtt = "ping_rtt", Time,
        "from PINGREQ to PINGRESP, at the device's leg; of a rule: where the PINGREQ came while its fault held",
        "PINGREQ that was answered";
    PublishRtt = "publish_rtt", Time,
        "from a PUBLISH of QoS 1 or 2 to its PUBACK or PUBCOMP, at the device's leg; of a rule: where the answer came while its fault held",
        "PUBLISH that was answered";
    ConnectTime = "connect_time", Time,
        "from brownout's SYN to the hub to the connection made",
        "connect to the hub that was answered";
    DeviceTlsTime = "device_tls_time", Time,
        "from the device's ClientHello to its TLS handshake done, less what a fault or the hub's leg made it wait",
        "TLS handshake with a device that was done";
    HubTlsTime = "hub_tls_time", Time,
        "from ClientHello to the TLS handshake with the hub done",
        "TLS handshake with the hub that was done";
    TlsResumed = "tls_resumed", Count,
        "1 for a TLS handshake that resumed an earlier session of the device, 0 for a full one",
        "TLS handshake with a device that was done";
    HubTlsResumed = "hub_tls_resumed", Count,
        "1 for a TLS handshake that resumed an earlier session with the hub, 0 for a full one",
        "TLS handshake with the hub that was done";
    HandshakeAttempts = "handshake_attempts", Count,
        "TLS handshakes that a device began while a `tls_handshake` fault held; behind an address that it shares, from 1 to all of them",
        "window of a `tls_handshake` fault";
    HandshakeGap = "handshake_gap", Time,
        "from one such handshake to the next",
        "gap between two such handshakes of a window";
    PacketsAltered = "packets_altered", Count,
        "packets that a fault of packets changed, dropped, delayed, doubled or cut",
        "window of a fault of packets";
    ConnectsRefused = "connects_refused", Count,
        "connects that a `refuse` or `reject` fault refused",
        "window of a `refuse` or `reject` fault; none where the listener was closed, and SYNs were not seen";
    ConnackWait = "connack_wait", Time,
        "from CONNECT to the device giving up, no CONNACK having come",
        "connect attempt that the device gave up without a CONNACK";
    DisconnectInterval = "disconnect_interval", Time,
        "from the end of one accepted link of a device to the end of its next",
        "such interval";
    TokenMargin = "token_margin", Time,
        "from a CONNECT with a fresh token to the expiry of the old one, where it came before that",
        "renewal before the expiry";
    TokenLate = "token_late", Time,
        "from the expiry of a token to the CONNECT with a fresh one, where it came after that",
        "renewal after the expiry";
    StaleTokens = "stale_tokens", Count,
        "CONNECTs whose token had expired; at most also those that showed the same password again after a `lifetime`",
        "device that showed a token, or whose links have a lifetime in its place";
    Qos0Lost = "qos0_lost", Count,
        "messages of QoS 0, both directions together, that were not passed on, and numbers that their payloads leave out (`sequence`), but for `dropped_offline`",
        "device with messages of QoS 0";
    Qos1Lost = "qos1_lost", Count,
        "messages of QoS 1, both directions together, that were acknowledged falsely, or that no receiver acknowledged and that were not sent again on a later link",
        "device with messages of QoS 1";
    Qos1Duplicated = "qos1_duplicated", Count,
        "times that a message of QoS 1 was passed on to its receiver again, both directions together",
        "device with messages of QoS 1";
    Qos2Lost = "qos2_lost", Count,
        "messages of QoS 2, as `qos1_lost`",
        "device with messages of QoS 2";
    Qos2Duplicated = "qos2_duplicated", Count,
        "times that a message of QoS 2 was passed on again to a receiver that may take it for a new one, both directions together",
        "device with messages of QoS 2";
    Retransmitted = "retransmitted", Count,
        "times that a message of QoS 1 or 2 was sent again by its sender, both directions together",
        "device with messages of QoS 1 or 2";
    InFlight = "in_flight", Count,
        "messages neither completed nor known to be lost when the run ended, both directions together",
        "device with messages, of a run that ended";
    SequenceGaps = "sequence_gaps", Count,
        "numbers that the payloads leave out (`sequence`), both directions together, but for `dropped_offline`",
        "device whose messages have numbers";
    QueuedOffline = "queued_offline", Count,
        "messages that the device had kept until it was back: after CONNACK they came more than ten times closer than usual; a new one that falls among them counts with them",
        "device that came back, and whose usual pace was known from five gaps of 50 ms or more";
    DroppedOffline = "dropped_offline", Count,
        "numbers that such messages leave out (`sequence`): dropped by the device, or gone astray as it lost its link",
        "such device whose messages have numbers";
    Dip = "dip", Count,
        "how many devices fewer were connected at the worst moment than at the most before it; who says DISCONNECT before anybody ended its link is not missed",
        "run in which a device was accepted";
    FleetRecovery = "fleet_recovery", Time,
        "from the path restored (of a one-shot: from the fault) until 99 % of the devices that a firing cost their links were accepted again",
        "firing that cost at least one device its link, and whose path was restored";
    ReconnectSpread = "reconnect_spread", Time,
        "from the first to the last CONNECT that brought a device back after such a firing",
        "such firing with at least two devices back";
}

impl Metric {
    /// The measure of that name.
    pub fn from_name(name: &str) -> Option<Metric> {
        Metric::ALL.iter().copied().find(|metric| metric.name() == name)
    }

    /// Why windows of such a fault never give a sample; `None` where they can.
    pub fn no_evidence(self, fault: &Fault) -> Option<&'static str> {
        let (is_of_handshakes, is_of_connects) = (fault.is_of_handshakes(), fault.is_of_connects());
        let not_broken = leaves_links_up(fault);
        let unless = |wanted: bool, why| (!wanted).then_some(why);
        match self {
            Metric::HubDetection | Metric::HubSilence | Metric::SplitView => {
                let unseen = ends_hub_leg(fault)
                    .then_some("the hub's leg is ended too, and of the hub nothing more is seen");
                if fault.breaks_link() { unseen } else { Some(not_broken) }
            }
            Metric::DeviceDetection | Metric::DeviceSilence => unless(fault.breaks_link(), not_broken),
            Metric::FleetRecovery | Metric::ReconnectSpread => unless(fault.breaks_link(), not_broken),
            Metric::Resubscribe | Metric::FirstPublish | Metric::FirstDelivery => {
                unless(fault.breaks_link(), not_broken)
            }
            Metric::ConnectGap | Metric::ConnectAttempts => {
                unless(fault.breaks_link() || is_of_connects, not_broken)
            }
            Metric::Downtime | Metric::Recovery => {
                unless(fault.breaks_link() || is_of_handshakes || is_of_connects, not_broken)
            }
            Metric::HandshakeAttempts | Metric::HandshakeGap => {
                unless(is_of_handshakes, "it is counted while a `tls_handshake` fault holds")
            }
            Metric::PacketsAltered => unless(
                fault.packets().is_some(),
                "it counts what a fault of packets does (`drop`, `delay`, `duplicate`, `edit`, `corrupt`, `cut`)",
            ),
            Metric::ConnectsRefused => unless(is_of_connects, "it counts what `refuse` and `reject` refuse"),
            Metric::TokenMargin | Metric::TokenLate | Metric::StaleTokens => {
                unless(matches!(fault, Fault::TokenExpiry(_)), "tokens are those of a `token_expiry` fault")
            }
            Metric::DisconnectInterval => unless(fault.breaks_link(), not_broken),
            Metric::ConnackWait => fault
                .is_one_shot()
                .then_some("it is over in one moment: no attempt of a device falls into it"),
            Metric::ConnectTime
            | Metric::DeviceTlsTime
            | Metric::HubTlsTime
            | Metric::TlsResumed
            | Metric::HubTlsResumed => Some("it is of every connect, whatever rule holds"),
            Metric::Qos0Lost
            | Metric::Qos1Lost
            | Metric::Qos1Duplicated
            | Metric::Qos2Lost
            | Metric::Qos2Duplicated
            | Metric::Retransmitted
            | Metric::InFlight
            | Metric::SequenceGaps
            | Metric::QueuedOffline
            | Metric::DroppedOffline => Some("it is of all messages of a device, whatever rule holds"),
            Metric::ConnectRate | Metric::Dip => Some("it is of all devices and rules together"),
            Metric::ControlGap | Metric::KeepaliveViolations => {
                Some("it is measured on a sound path, outside of faults")
            }
            Metric::PingRtt | Metric::PublishRtt => {
                let one_shot = "it is over in one moment: no round trip falls into it";
                let why = (is_of_handshakes || is_of_connects).then_some(not_broken);
                fault.is_one_shot().then_some(one_shot).or(why)
            }
        }
    }
}

/// Why a fault that does not break links shows nobody that a link is dead.
fn leaves_links_up(fault: &Fault) -> &'static str {
    match fault {
        Fault::TlsHandshake(_) => {
            "it falls on handshakes, not on links that are up: see `handshake_attempts`, `downtime` and `recovery`"
        }
        Fault::Refuse(_) | Fault::Reject(_) => {
            "it falls on connects, not on links that are up: see `connects_refused`, `downtime` and `recovery`"
        }
        Fault::Latency(_) => "latency leaves the link up: there is nothing to detect or recover from",
        _ => "it leaves the link up: there is nothing to detect or recover from",
    }
}

/// Whether a fault ends the hub's leg, so that the hub has nothing left to find out.
fn ends_hub_leg(fault: &Fault) -> bool {
    let ends = |close: Close| close.toward.hits(Side::Hub) || close.other != LegFate::HalfOpen;
    match fault {
        Fault::Rst(close) | Fault::Fin(close) => ends(*close),
        Fault::TlsAlert(alert) => alert.toward.hits(Side::Hub) || alert.other != LegFate::HalfOpen,
        Fault::Disconnect(disconnect) => {
            disconnect.toward.hits(Side::Hub) || disconnect.other != LegFate::HalfOpen
        }
        Fault::CutAfter(cut) => ends(cut.close),
        Fault::Packets(packets) => {
            matches!(packets.action, PacketAction::Cut(cut) if ends(cut.close))
        }
        // Done in the hub's name: its own leg is closed too.
        Fault::TokenExpiry(_) => true,
        Fault::TlsRecord(_)
        | Fault::Blackhole(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::TlsHandshake(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::IdleTimeout(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Inject(_) => false,
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
