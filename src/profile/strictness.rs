//! What a run is judged by, beside its expectations: how grave each kind of finding is, and where "slow" begins.
//!
//! Every number that a verdict rests on stands in this file, with its source. Verdicts of different strictness may
//! differ openly: what one vendor's suite demands, another specification forbids. A kind of finding that has no row
//! is as grave as what found it says.

use crate::mqtt::Version;
use std::time::Duration;

/// What a run is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// What a careful engineer would mind, on any hub.
    #[default]
    Standard,
    /// The MUSTs of MQTT 3.1.1, of devices that speak it (and of MQTT 3.1, its forerunner).
    Strict311,
    /// The MUSTs of MQTT 5.0, of devices that speak it.
    Strict5,
    /// What Azure IoT Hub minds.
    Azure,
    /// What the qualification suite of AWS IoT Core Device Advisor minds.
    DeviceAdvisor,
}

/// How grave findings of a kind are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As grave as they were found to be, by the limits.
    AsFound,
    /// They are not told.
    Ignored,
    /// Never more than a warning.
    Warn,
    /// Always a failure.
    Fail,
}

/// Where "slow" and "many" begin. Spans in tenths of a keep-alive (K).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A device that takes longer to find its link dead is slow.
    pub device_slow: u32,
    /// One that takes longer than this is as good as blind.
    pub device_blind: u32,
    /// The same of a hub, from the last packet that it was sent.
    pub hub_slow: u32,
    /// The same.
    pub hub_blind: u32,
    /// How much longer a hub may take, since it looks at its timers only now and then.
    pub hub_looks_each: Duration,
    /// A device that takes longer to come back, the path being there, is slow.
    pub slow_recovery: Duration,
    /// This share of a fleet, in percent, that connects anew within one second is a storm.
    pub storm_share: u64,
    /// So many connects in a second are more than the hub takes, whatever the fleet.
    pub storm_rate: Option<u64>,
    /// The keep-alives that the hub goes by, in seconds; others are cut down or raised.
    pub keep_alives: Option<(u16, u16)>,
}

/// A kind of finding, and how grave it is by each strictness in the order of [`Strictness::ALL`].
struct Row {
    finding: &'static str,
    weights: [Weight; 5],
    why: &'static str,
}

use Weight::{AsFound as F0, Fail as FF, Ignored as NO, Warn as WW};

const MUST: &str = "a MUST of the specification; Azure and Device Advisor tell of it as it was found";
const MUST_OF_HUBS: &str = "a MUST of the specification; Device Advisor judges devices alone";

const SEEN_FROM_OUTSIDE: &str = "a rule of the specification whose breach is inferred from outside, where others may have had \
                                 a part: as it was found";
const SYMPTOM: &str =
    "no rule of MQTT; a symptom that Azure's troubleshooting of 404104 and of connects tells apart";

/// The table. Columns: standard, strict-3.1.1, strict-5, azure, device-advisor.
const ROWS: &[Row] = &[
    row(
        "dead-link-not-detected",
        [F0, WW, WW, F0, FF],
        "MQTT asks no device to wait for PINGRESP within a time (3.1.1 section 3.1.2.10 says SHOULD, 5.0 too), so that no \
         strict verdict fails for it; Device Advisor fails a device that goes on without PINGRESP (test \
         MQTT_No_Ack_PingResp)",
    ),
    row(
        "slow-detection",
        [F0, WW, WW, F0, F0],
        "no specification sets a limit; sound clients notice within 1.0 to 2.2 K",
    ),
    row(
        "hub-keeps-dead-link",
        [F0, FF, FF, F0, WW],
        "a server MUST end a link after 1.5 K of silence [MQTT-3.1.2-24 in 3.1.1, MQTT-3.1.2-22 in 5.0]; Device Advisor \
         judges devices alone",
    ),
    row(
        "hub-slow-detection",
        [F0, F0, F0, F0, WW],
        "the same; brokers look at their timers only each few seconds",
    ),
    row(
        "keep-alive-off",
        [F0, NO, NO, FF, FF],
        "keep-alive 0 is allowed by MQTT; Azure's troubleshooting of 404104 rests on it, and AWS IoT Core takes it for its \
         greatest, 1200 s",
    ),
    row(
        "keep-alive-beyond-hub",
        [NO, NO, NO, F0, F0],
        "Azure: 1.5 times the client's value, at most 1767 s; AWS IoT Core: 30 to 1200 s (quotas)",
    ),
    row(
        "keep-alive-over-idle-timeout",
        [F0, NO, NO, F0, F0],
        "no rule of MQTT; Azure's load balancer forgets idle links after 4 minutes by default, AWS's NLB after 350 s",
    ),
    row(
        "fleet-without-back-off",
        [F0, NO, NO, F0, FF],
        "no rule of MQTT; Azure asks for exponential back-off with jitter; Device Advisor's tests of CONNACK not sent and of \
         reconnects demand back-off with jitter",
    ),
    row(
        "reconnect-storm",
        [F0, NO, NO, F0, WW],
        "no rule of MQTT; Azure throttles connects (S1: 100 a second, 429001); Device Advisor looks at one device at a time",
    ),
    row("slow-recovery", [F0, NO, NO, F0, F0], "no rule of MQTT; the longest back-off in use is 120 s"),
    row("device-not-back", [F0, NO, NO, F0, FF], "no rule of MQTT; Device Advisor waits for the reconnect"),
    // What single packets show (conformance). A MUST that was not kept fails whoever goes by the specification.
    row("keepalive-exceeded", [F0, FF, FF, F0, F0], MUST),
    row("server-keepalive-ignored", [F0, FF, FF, F0, F0], MUST),
    row("packet-id-in-use", [F0, FF, FF, F0, F0], MUST),
    row("dup-wrong", [F0, FF, FF, F0, F0], MUST),
    row("receive-maximum-exceeded", [F0, FF, FF, F0, F0], MUST),
    row("second-connect", [F0, FF, FF, F0, F0], MUST),
    row("unreadable-packet", [F0, FF, FF, F0, F0], MUST),
    row("malformed-packet", [F0, FF, FF, F0, F0], MUST),
    row("keepalive-not-enforced", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("session-present-on-refusal", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("session-present-on-clean-start", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("suback-codes", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("second-link-accepted", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("pingresp-not-awaited", [F0, WW, WW, F0, FF], "as for `dead-link-not-detected`"),
    row(
        "closed-without-disconnect",
        [F0, NO, NO, F0, F0],
        "no MUST of MQTT; Azure logs 404104 for it, and sends the will",
    ),
    row(
        "lost-subscriptions",
        [F0, WW, WW, F0, F0],
        "no MUST of MQTT, and nothing comes any more all the same",
    ),
    row("reconnect-loop", [F0, NO, NO, F0, FF], "as for `fleet-without-back-off`"),
    row("no-back-off", [F0, NO, NO, F0, FF], "as for `fleet-without-back-off`"),
    row(
        "no-jitter",
        [F0, NO, NO, F0, WW],
        "no rule of MQTT; Device Advisor passes a strictly exponential back-off with a warning",
    ),
    row("pingreq-unanswered", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("subscribe-unanswered", [F0, FF, FF, F0, WW], MUST_OF_HUBS),
    row("keepalive-too-strict", [F0, F0, F0, F0, WW], SEEN_FROM_OUTSIDE),
    row("will-not-delivered", [F0, F0, F0, F0, WW], SEEN_FROM_OUTSIDE),
    row("will-after-disconnect", [F0, F0, F0, F0, WW], SEEN_FROM_OUTSIDE),
    row("session-forgotten", [F0, F0, F0, F0, WW], SEEN_FROM_OUTSIDE),
    row("unknown-acknowledgement", [F0, F0, F0, F0, F0], SEEN_FROM_OUTSIDE),
    row("not-mqtt", [F0, F0, F0, F0, F0], "whoever speaks something else is judged by no suite of MQTT"),
    row("subscription-refusal-ignored", [F0, NO, NO, F0, F0], "no rule of MQTT says what is to be done"),
    row(
        "messages-lost",
        [F0, F0, F0, F0, F0],
        "to send again what is not acknowledged is a MUST where the session goes on [MQTT-4.4.0-1], and none where it does not: that is a warning, and names no rule",
    ),
    row("messages-not-sent-again", [F0, FF, FF, F0, F0], MUST),
    row("qos0-messages-lost", [F0, NO, NO, F0, F0], "QoS 0 promises nothing"),
    row("qos2-duplicated", [F0, FF, FF, F0, F0], MUST),
    // Patterns over the run (diagnosis).
    row(
        "many-disconnects-at-once",
        [F0, NO, NO, F0, WW],
        "no rule of MQTT; Device Advisor looks at one device at a time",
    ),
    row("regular-disconnects", [F0, NO, NO, F0, F0], SYMPTOM),
    row("random-disconnects", [F0, NO, NO, F0, F0], SYMPTOM),
    row("refused-again-and-again", [F0, NO, NO, F0, F0], SYMPTOM),
    row("ended-soon-after-connect", [F0, NO, NO, F0, F0], SYMPTOM),
    row("client-id-fight", [F0, NO, NO, F0, F0], SYMPTOM),
    row("hub-unavailable", [F0, NO, NO, F0, WW], "no rule of MQTT, and nothing that a device does"),
    row(
        "tls-handshake-refused",
        [F0, NO, NO, F0, F0],
        "no rule of MQTT: a device and brownout's certificate, or its terms",
    ),
    row(
        "hub-refuses-tls",
        [F0, NO, NO, F0, WW],
        "no rule of MQTT: the hub and what brownout shows it of TLS",
    ),
];

const fn row(finding: &'static str, weights: [Weight; 5], why: &'static str) -> Row {
    Row { finding, weights, why }
}

/// A tenth beyond 2 K is what timers and networks take; sound clients were measured at 1.0 to 2.2 K, and a client that
/// needs over 3 K waits for something else than its keep-alive. Hubs: 1.5 K; mosquitto looks each 5 s (1.5 K to 1.5 K +
/// 6 s).
const STANDARD: Limits = Limits {
    device_slow: 22,
    device_blind: 30,
    hub_slow: 20,
    hub_blind: 30,
    hub_looks_each: Duration::from_secs(6),
    // The longest back-off in use is 120 s, and a quarter for jitter.
    slow_recovery: Duration::from_secs(150),
    storm_share: 50,
    storm_rate: None,
    keep_alives: None,
};

impl Strictness {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Strictness; 5] = [
        Strictness::Standard,
        Strictness::Strict311,
        Strictness::Strict5,
        Strictness::Azure,
        Strictness::DeviceAdvisor,
    ];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Strictness::Standard => "standard",
            Strictness::Strict311 => "strict-3.1.1",
            Strictness::Strict5 => "strict-5",
            Strictness::Azure => "azure",
            Strictness::DeviceAdvisor => "device-advisor",
        }
    }

    /// The strictness of that name.
    pub fn from_word(word: &str) -> Option<Strictness> {
        Strictness::ALL.into_iter().find(|strictness| strictness.word() == word)
    }

    /// Whether it has a say on devices of this version; of others the standard has, and what that finds is a warning at most.
    pub fn judges(self, version: Version) -> bool {
        match self {
            Strictness::Standard | Strictness::Azure | Strictness::DeviceAdvisor => true,
            Strictness::Strict311 => version < Version::V5,
            Strictness::Strict5 => version == Version::V5,
        }
    }

    /// The kinds of findings that have a row.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.finding)
    }

    /// How grave findings of this kind are.
    pub fn weight(self, finding: &str) -> Weight {
        let row = ROWS.iter().find(|row| row.finding == finding);
        let column = Strictness::ALL.iter().position(|strictness| *strictness == self);
        row.zip(column).and_then(|(row, column)| row.weights.get(column).copied()).unwrap_or(Weight::AsFound)
    }

    /// Why findings of this kind are as grave as they are, by this strictness and by the others.
    pub fn reason(finding: &str) -> Option<&'static str> {
        ROWS.iter().find(|row| row.finding == finding).map(|row| row.why)
    }

    /// Where "slow" and "many" begin.
    pub fn limits(self) -> Limits {
        match self {
            Strictness::Standard | Strictness::Strict311 | Strictness::Strict5 => STANDARD,
            // The hub takes 100 new connections a second and unit on S1, and goes by 1.5 K, at most 1767 s.
            Strictness::Azure => Limits { storm_rate: Some(100), keep_alives: Some((1, 1177)), ..STANDARD },
            // AWS IoT Core goes by keep-alives of 30 to 1200 s.
            Strictness::DeviceAdvisor => Limits { keep_alives: Some((30, 1200)), ..STANDARD },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_name_and_its_column() {
        for strictness in Strictness::ALL {
            assert_eq!(Strictness::from_word(strictness.word()), Some(strictness));
        }
        assert_eq!(Strictness::from_word("strict"), None);
        let weights = Strictness::ALL.map(|strictness| strictness.weight("keep-alive-off"));
        assert_eq!(weights, [F0, NO, NO, FF, FF]);
        assert_eq!(Strictness::Strict5.weight("of-no-row"), Weight::AsFound);
    }

    #[test]
    fn a_specification_judges_its_own_version_alone() {
        assert!(Strictness::Strict311.judges(Version::V311) && Strictness::Strict311.judges(Version::V31));
        assert!(!Strictness::Strict311.judges(Version::V5) && !Strictness::Strict5.judges(Version::V311));
        assert!(Strictness::Azure.judges(Version::V5) && Strictness::Standard.judges(Version::V31));
    }

    #[test]
    fn each_kind_has_one_row_with_a_reason() {
        let mut kinds: Vec<&str> = ROWS.iter().map(|row| row.finding).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), ROWS.len());
        assert!(kinds.iter().all(|kind| Strictness::reason(kind).is_some_and(|why| why.len() > 10)));
    }
}
