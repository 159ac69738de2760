//! What a device costs while nothing goes wrong: its packets, bytes, and the radio's time, from its habits alone.

use super::budget::MONTH;
use super::detect::publishes_every;
use crate::base::Time;
use crate::device::{Habits, PingRule, Workload};
use crate::keepalive::access::{Access, Radio};
use crate::mqtt::packet::Publish;
use crate::mqtt::{Packet, QoS, encode};
use std::time::Duration;

/// Headers of a segment: IPv4 (20), TCP (20), time stamps and padding (12), as most systems send them (RFC 9293,
/// RFC 7323).
pub const HEADERS: u32 = 52;
/// A SYN has maximum segment size, window scale and SACK beside (20 in all).
const SYN: u32 = 60;
/// Bytes of PINGREQ, PINGRESP (section 3.12, 3.13).
const PING: u32 = 2;
/// Bytes of PUBACK, PUBREC, PUBREL, PUBCOMP without properties.
const ACK: u32 = 4;
/// What a TLS 1.3 record adds: header (5), content type (1), tag (16) (RFC 8446, section 5.2).
pub const RECORD: u32 = 22;
/// A TLS 1.3 handshake's messages: hello (300), the hub's flight with two certificates (2,200), the device's Finished (64).
const HANDSHAKE: u32 = 300 + 2_200 + 64;
/// CONNECT with names and password, and CONNACK.
const GREETING: u32 = 100;
/// Data of a segment (Ethernet's 1,500 less [`HEADERS`]).
const MOST_DATA: u32 = 1_448;

/// The fold goes over so many packets of the device: rates are then exact to a thousandth.
const EVENTS: u32 = 4_000;

/// What a device does in [`MONTH`] on a sound path.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Steady {
    /// PINGREQs.
    pub pings: f64,
    /// Messages.
    pub messages: f64,
    /// Bytes of IP, both ways.
    pub bytes: f64,
    /// Times that the radio wakes up.
    pub wake_ups: f64,
    /// Share of the time that it is awake, 0 to 1.
    pub awake: f64,
    /// The longest that the path hears nothing of the device; `None`: for ever.
    pub longest_gap: Option<Duration>,
}

/// Bytes of IP that one PINGREQ costs with its answer and what acknowledges that.
pub fn ping_bytes(tls: bool) -> u32 {
    2 * (HEADERS + PING + record(tls)) + HEADERS
}

/// Bytes of IP that a connect costs, about: TCP's handshake, TLS where it is spoken, CONNECT and CONNACK, the old
/// connection's end.
pub fn connect_bytes(tls: bool) -> u32 {
    let tcp = 2 * SYN + HEADERS;
    // Hello, a flight of two segments, Finished, and three acknowledgements.
    let tls = if tls { HANDSHAKE + 7 * HEADERS + 2 * RECORD } else { 0 };
    tcp + tls + GREETING + 3 * HEADERS + 4 * HEADERS
}

/// Bytes of IP that one message costs with all its acknowledgements; 0 where none is published.
pub fn message_bytes(habits: &Habits, tls: bool) -> u32 {
    let Workload::Publishing { topic, qos, size, .. } = &habits.workload else { return 0 };
    let publish = Publish {
        qos: *qos,
        topic: topic.replace("{client}", &habits.client_id),
        packet_id: (*qos != QoS::AtMostOnce).then_some(1),
        payload: vec![0; *size],
        ..Publish::default()
    };
    let mut bytes = Vec::new();
    if encode(&Packet::Publish(publish), habits.version, &mut bytes).is_err() {
        return 0;
    }
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(record(tls));
    let answers = match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 3,
    };
    let data = length.saturating_add(HEADERS * length.div_ceil(MOST_DATA));
    // The last answer, or the message itself, is acknowledged by TCP alone.
    data + answers * (HEADERS + ACK + record(tls)) + HEADERS
}

fn record(tls: bool) -> u32 {
    if tls { RECORD } else { 0 }
}

/// What these habits cost.
pub fn steady(habits: &Habits, access: &Access, round_trip: Duration, tls: bool) -> Steady {
    let mut line = Line::new(habits, access, round_trip);
    let mut events = 0;
    while events < EVENTS && line.step() {
        events += 1;
    }
    let span = line.now.elapsed().as_secs_f64();
    if events == 0 || span <= 0.0 {
        return Steady { longest_gap: None, ..Steady::default() };
    }
    let times = MONTH.as_secs_f64() / span;
    let (pings, messages) = (f64::from(line.pings) * times, f64::from(line.messages) * times);
    #[expect(clippy::cast_precision_loss, reason = "as many as there are events")]
    let wake_ups = line.radio.wake_ups() as f64 * times;
    Steady {
        pings,
        messages,
        bytes: pings * f64::from(ping_bytes(tls)) + messages * f64::from(message_bytes(habits, tls)),
        // A radio that woke once and never slept again did not wake up.
        wake_ups: if line.radio.wake_ups() <= 1 { 0.0 } else { wake_ups },
        awake: (line.radio.awake().as_secs_f64() / span).min(1.0),
        longest_gap: Some(line.longest_gap),
    }
}

/// A device's packets in time, as [`crate::device`]'s links make them, each answered in a round trip.
struct Line<'a> {
    habits: &'a Habits,
    round_trip: Duration,
    every: Option<Duration>,
    is_answered: bool,
    radio: Radio,
    now: Time,
    last_sent: Time,
    last_received: Time,
    last_ping: Time,
    next_publish: Time,
    longest_gap: Duration,
    pings: u32,
    messages: u32,
}

impl Line<'_> {
    fn new<'a>(habits: &'a Habits, access: &Access, round_trip: Duration) -> Line<'a> {
        let every = publishes_every(habits).map(|every| every.max(Duration::from_millis(1)));
        let is_answered =
            matches!(&habits.workload, Workload::Publishing { qos, .. } if *qos != QoS::AtMostOnce);
        Line {
            habits,
            round_trip,
            every,
            is_answered,
            radio: Radio::new(access),
            now: Time::ZERO,
            last_sent: Time::ZERO,
            last_received: Time::ZERO,
            last_ping: Time::ZERO,
            next_publish: Time::ZERO + every.unwrap_or_default(),
            longest_gap: Duration::ZERO,
            pings: 0,
            messages: 0,
        }
    }

    /// The next packet; `false` if none ever comes.
    fn step(&mut self) -> bool {
        let publish = self.every.map(|_| self.next_publish);
        match (self.next_ping(), publish) {
            (None, None) => return false,
            (Some(ping), publish) if publish.is_none_or(|publish| ping <= publish) => {
                self.passes(ping);
                self.pings += 1;
                self.last_ping = ping;
                self.last_received = ping + self.round_trip;
            }
            (_, Some(publish)) => {
                self.passes(publish);
                self.messages += 1;
                self.next_publish = publish + self.every.unwrap_or_default();
                if self.is_answered {
                    self.last_received = publish + self.round_trip;
                }
            }
            (Some(_), None) => return false,
        }
        true
    }

    fn passes(&mut self, at: Time) {
        self.longest_gap = self.longest_gap.max(at.since(self.last_sent));
        // An answer that is still on its way when the next packet goes is part of the same burst.
        self.radio.active(at);
        self.radio.active(at + self.round_trip);
        (self.now, self.last_sent) = (at, at);
    }

    fn next_ping(&self) -> Option<Time> {
        let habits = self.habits;
        if habits.keep_alive.is_zero() {
            return None;
        }
        let received = self.last_received.max(self.last_ping);
        let since = match habits.ping {
            PingRule::Never => return None,
            PingRule::WhenIdleOutgoing => self.last_sent,
            PingRule::WhenIdleIncoming => received,
            PingRule::WhenIdleEither => received.min(self.last_sent),
            PingRule::EveryKeepAlive => self.last_ping,
        };
        let due = since + habits.ping_interval;
        let look = habits.check_every.as_nanos();
        let late = u128::from(due.as_nanos()).checked_rem(look).filter(|&late| late > 0);
        Some(late.map_or(due, |late| due + Duration::from_nanos(u64::try_from(look - late).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::clients::Client;

    fn of(client: &str, keep_alive: u64, workload: &str, access: &str) -> Steady {
        let habits = Client::named(client).unwrap().habits("d", Duration::from_secs(keep_alive));
        let habits = Habits { workload: workload.parse().unwrap(), ..habits };
        steady(&habits, Access::named(access).unwrap(), Duration::from_millis(100), false)
    }

    /// In a month of 2,592,000 s.
    #[test]
    fn an_idle_device_pings_at_its_interval() {
        let idle = of("paho-python", 60, "idle", "lte-m");
        assert_eq!((idle.pings.round(), idle.messages, idle.bytes.round()), (43_200.0, 0.0, 6_912_000.0));
        assert_eq!(idle.wake_ups.round(), 43_200.0);
        assert_eq!(idle.longest_gap, Some(Duration::from_secs(60)));
        assert!((idle.awake - 11.676 / 60.0).abs() < 1e-4, "{}", idle.awake);
        let after_the_answer = of("mqtt.js", 60, "idle", "lte-m");
        assert!((after_the_answer.pings - 2_592_000.0 / 60.1).abs() < 1.0, "{}", after_the_answer.pings);
    }

    #[test]
    fn a_radio_that_is_pinged_within_its_tail_never_sleeps() {
        let awake = of("careful", 12, "idle", "lte-m");
        assert_eq!((awake.wake_ups, awake.awake), (0.0, 1.0));
        assert_eq!(of("careful", 12, "idle", "ethernet").wake_ups, 0.0);
    }

    #[test]
    fn messages_put_pings_off_where_the_rule_says_so() {
        for (client, workload, pings) in [
            ("typical", "publishing:t,every=10s,qos=1", 0.0),
            ("paho-python", "publishing:t,every=10s,qos=1", 0.0),
            // 60 s after the answer, at the next whole second.
            ("paho-python", "publishing:t,every=10s,qos=0", 42_492.0),
            ("rumqttc", "publishing:t,every=10s,qos=1", 43_200.0),
            // Each 100 s one message, and one ping 60 s after it.
            ("paho-python", "publishing:t,every=100s,qos=1", 25_920.0),
        ] {
            let steady = of(client, 60, workload, "ethernet");
            assert!((steady.pings - pings).abs() < 15.0, "{client}, {workload}: {}", steady.pings);
        }
    }

    #[test]
    fn a_device_that_never_sends_costs_nothing_and_is_silent_for_ever() {
        assert_eq!(of("careful", 0, "idle", "wifi"), Steady::default());
    }

    #[test]
    fn bytes_are_those_of_the_packets_with_their_headers() {
        assert_eq!((ping_bytes(false), ping_bytes(true)), (160, 204));
        let habits = Client::named("careful").unwrap().habits("d", Duration::from_secs(60));
        let message = |workload: &str| {
            message_bytes(&Habits { workload: workload.parse().unwrap(), ..habits.clone() }, false)
        };
        // 2 of header, 2 + 1 of topic, 10 of payload, 2 of packet identifier.
        assert_eq!(message("publishing:t,size=10,qos=0"), 52 + 15 + 52);
        assert_eq!(message("publishing:t,size=10,qos=1"), 52 + 17 + 56 + 52);
        assert_eq!(message("publishing:t,size=10,qos=2"), 52 + 17 + 3 * 56 + 52);
        assert_eq!(message("idle"), 0);
    }
}
