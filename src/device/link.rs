//! A link that is up: its clocks for pings, their answers, and the workload.

use super::habits::{Habits, PingRule};
use super::workload::{LEAST_INTERVAL, Workload};
use crate::base::Time;
use crate::mqtt::inlet::Inlet;
use crate::mqtt::{Properties, QoS};
use std::time::Duration;

/// How late a message may be and is still made, so that its rate is kept where timers wake in whole milliseconds and a machine is
/// busy. Those of a longer pause are left out.
const MOST_LATE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Link {
    pub inlet: Inlet,
    /// What the hub takes.
    pub takes: Takes,
    pub last_received: Time,
    ping: PingRule,
    ping_interval: Duration,
    ping_timeout: Option<Duration>,
    check_every: Duration,
    up_since: Time,
    last_sent: Time,
    last_ping: Time,
    /// When the first PINGREQ that is not answered was sent.
    unanswered_since: Option<Time>,
    publish_every: Option<Duration>,
    next_publish: Time,
}

/// What a hub takes, by its CONNACK (MQTT 5 section 3.2.2.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Takes {
    /// Maximum QoS [MQTT-3.2.2-11].
    pub qos: QoS,
    /// Maximum Packet Size in bytes [MQTT-3.2.2-15].
    pub packet: usize,
}

impl Takes {
    /// All, where nothing is said of it.
    fn of(grants: &Properties) -> Takes {
        let qos = grants.maximum_qos().and_then(QoS::from_number).unwrap_or(QoS::ExactlyOnce);
        let packet = grants.maximum_packet_size().and_then(|most| usize::try_from(most).ok());
        Takes { qos, packet: packet.unwrap_or(usize::MAX) }
    }
}

/// What is due on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// PINGRESP did not come in time.
    GiveUp,
    Ping,
    Publish,
}

impl Link {
    /// A link that is up from `now` on. The hub's keep-alive, where its CONNACK grants another [MQTT-3.2.2-21], scales the ping
    /// interval.
    pub fn new(habits: &Habits, inlet: Inlet, now: Time, grants: &Properties) -> Link {
        let own = habits.span_keep_alive();
        let theirs = grants.server_keep_alive();
        let keep_alive = theirs.map_or(habits.keep_alive, |secs| Duration::from_secs(secs.into()));
        let scale = keep_alive.as_secs_f64() / own.as_secs_f64();
        Link {
            inlet,
            takes: Takes::of(grants),
            last_received: now,
            ping: if keep_alive.is_zero() { PingRule::Never } else { habits.ping },
            ping_interval: habits.ping_interval.mul_f64(scale),
            ping_timeout: habits.ping_timeout,
            check_every: habits.check_every,
            up_since: now,
            last_sent: now,
            last_ping: now,
            unanswered_since: None,
            publish_every: publish_every(habits),
            next_publish: now,
        }
    }

    /// What is due next, and when; of things due together, giving up comes first.
    pub fn next_due(&self) -> Option<(Time, Due)> {
        let give_up = self
            .unanswered_since
            .zip(self.ping_timeout)
            .map(|(since, timeout)| (self.looked_at(since + timeout), Due::GiveUp));
        // A PINGREQ counts as both: until it is answered, or a further interval is over, nothing more is asked.
        let idle_since = match self.ping {
            PingRule::Never => None,
            PingRule::WhenIdleOutgoing => Some(self.last_sent),
            PingRule::WhenIdleIncoming => Some(self.last_received.max(self.last_ping)),
            PingRule::WhenIdleEither => Some(self.last_received.max(self.last_ping).min(self.last_sent)),
            PingRule::EveryKeepAlive => Some(self.last_ping),
        };
        let ping = idle_since.map(|since| (self.looked_at(since + self.ping_interval), Due::Ping));
        let publish = self.publish_every.map(|_| (self.next_publish, Due::Publish));
        [give_up, ping, publish].into_iter().flatten().min_by_key(|&(at, _)| at)
    }

    /// The first look at the clocks at `due` or after it.
    fn looked_at(&self, due: Time) -> Time {
        if self.check_every.is_zero() {
            return due;
        }
        let looks = due.since(self.up_since).as_nanos().div_ceil(self.check_every.as_nanos());
        // Past 2^32 looks a device is beyond every run.
        self.up_since + self.check_every.saturating_mul(u32::try_from(looks).unwrap_or(u32::MAX))
    }

    pub fn sent(&mut self, now: Time) {
        self.last_sent = now;
    }

    pub fn pinged(&mut self, now: Time) {
        self.last_ping = now;
        self.unanswered_since.get_or_insert(now);
    }

    pub fn answered(&mut self) {
        self.unanswered_since = None;
    }

    /// The next publish keeps its beat, unless that was too long ago.
    pub fn published(&mut self, now: Time) {
        let every = self.publish_every.unwrap_or(LEAST_INTERVAL);
        let on_beat = self.next_publish + every;
        self.next_publish = if now.since(on_beat) <= MOST_LATE { on_beat } else { now + every };
    }
}

fn publish_every(habits: &Habits) -> Option<Duration> {
    match &habits.workload {
        Workload::Publishing { every, .. } => {
            Some(every.resolve(habits.span_keep_alive()).max(LEAST_INTERVAL))
        }
        Workload::Idle | Workload::Subscribing { .. } => None,
    }
}
