//! The measures by name, with what they count in and from where to where they go: the one list that profiles,
//! reports and the reference are made from.

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
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:ident, $meaning:literal;)*) => {
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
        }
    };
}

metrics! {
    DeviceDetection = "device_detection", Time,
        "from the start of the fault to the first sign that the device knows: its FIN, RST or DISCONNECT, or its next connect";
    HubDetection = "hub_detection", Time,
        "from the start of the fault to the first sign that the hub knows: its FIN, RST or DISCONNECT";
    DeviceSilence = "device_silence", Time,
        "from the device's last packet to the same sign";
    HubSilence = "hub_silence", Time,
        "from the last packet that the hub was sent to the hub's sign (its keep-alive timer runs from there)";
    SplitView = "split_view", Time,
        "from the first end's sign to the other's: one end believes in a link that the other has given up";
    Downtime = "downtime", Time,
        "from the start of the fault to the next CONNACK that accepts the device";
    Recovery = "recovery", Time,
        "from the path restored to the next CONNACK that accepts the device";
    Resubscribe = "resubscribe", Time,
        "where no session is present: from CONNACK to the SUBACK after which every earlier filter is held again";
    FirstPublish = "first_publish", Time,
        "from the CONNACK of a reconnect to the first PUBLISH up";
    FirstDelivery = "first_delivery", Time,
        "from the CONNACK of a reconnect to the first PUBLISH down";
    ConnectGap = "connect_gap", Time,
        "from one connect attempt to the next, while down";
    ConnectAttempts = "connect_attempts", Count,
        "connect attempts from the sign that the device knows to the CONNACK that accepts it, for each outage";
    ConnectRate = "connect_rate", Count,
        "connects of all devices together in the busiest second";
    ControlGap = "control_gap", Time,
        "from one packet of the device to its next, on a sound path";
    KeepaliveViolations = "keepalive_violations", Count,
        "gaps on a sound path longer than the device's keep-alive by more than a tenth [MQTT-3.1.2-23]";
    PingRtt = "ping_rtt", Time,
        "from PINGREQ to PINGRESP, at the device's leg; of a rule: where the PINGREQ came while its fault held";
    PublishRtt = "publish_rtt", Time,
        "from a PUBLISH of QoS 1 or 2 to its PUBACK or PUBCOMP, at the device's leg; of a rule: where the answer came while its fault held";
}

impl Metric {
    /// The measure of that name.
    pub fn from_name(name: &str) -> Option<Metric> {
        Metric::ALL.iter().copied().find(|metric| metric.name() == name)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
