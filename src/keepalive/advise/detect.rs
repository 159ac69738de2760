//! How long each end needs at most to notice that the link is gone, in closed form: an outage that swallows packets
//! and answers nothing begins at the worst moment.

use crate::device::{Habits, PingRule, Workload};
use crate::keepalive::hubs::Manner;
use std::time::Duration;

/// The parts of the longest time that a device needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceTime {
    /// Until it pings.
    pub ping_interval: Duration,
    /// Until it gives up waiting for the answer.
    pub ping_timeout: Duration,
    /// By how much each of the two may be late, because it looks at its clocks only so often.
    pub look: Duration,
    /// For how long an answer that put the ping off may have been under way when the outage began.
    pub under_way: Duration,
}

impl DeviceTime {
    /// All of it.
    pub fn total(self) -> Duration {
        self.ping_interval + self.ping_timeout + self.look * 2 + self.under_way
    }
}

/// What the device needs at most; `None`: it may never notice by itself.
///
/// The link is lost right after an answer came; where what comes puts the ping off, right after it passed, with half a round
/// trip to go. A device that goes by what it sends, too, goes by that unless it publishes. It pings when its interval is over,
/// and gives up when its time-out is; each may be late by one look at the clocks. An outgoing packet that puts the ping off
/// makes it blind.
pub fn device(habits: &Habits, round_trip: Duration) -> Option<DeviceTime> {
    let ping_timeout = habits.ping_timeout?;
    let sees = match habits.ping {
        PingRule::Never => false,
        PingRule::WhenIdleOutgoing => {
            publishes_every(habits).is_none_or(|every| every > habits.ping_interval + habits.check_every)
        }
        PingRule::WhenIdleIncoming | PingRule::WhenIdleEither | PingRule::EveryKeepAlive => true,
    };
    let goes_by_answers = match habits.ping {
        PingRule::WhenIdleIncoming => true,
        PingRule::WhenIdleEither => publishes_every(habits).is_some(),
        PingRule::WhenIdleOutgoing | PingRule::EveryKeepAlive | PingRule::Never => false,
    };
    (sees && !habits.keep_alive.is_zero()).then_some(DeviceTime {
        ping_interval: between_pings(habits),
        ping_timeout,
        look: habits.check_every,
        under_way: if goes_by_answers { round_trip / 2 } else { Duration::ZERO },
    })
}

/// The longest from one PINGREQ to the next. Where messages put pings off, those between two messages come at the
/// interval, and the first after a message that much later: a message each 5 s and an interval of 4 s leave 5 s.
fn between_pings(habits: &Habits) -> Duration {
    let interval = habits.ping_interval;
    let every = publishes_every(habits).filter(|_| habits.ping == PingRule::WhenIdleOutgoing);
    let Some(every) = every.filter(|_| !interval.is_zero()) else { return interval };
    let pings = every.as_nanos().div_ceil(interval.as_nanos()).saturating_sub(1);
    let before_the_last = u32::try_from(pings.saturating_sub(1)).unwrap_or(u32::MAX);
    every.saturating_sub(interval.saturating_mul(before_the_last)).max(interval)
}

/// What the hub needs at most; `None`: it bears silence for ever.
pub fn hub(manner: &Manner, keep_alive: u16) -> Option<Duration> {
    manner.silence_borne(keep_alive)
}

/// How often the device publishes for good; one that publishes so many times is idle ever after.
pub fn publishes_every(habits: &Habits) -> Option<Duration> {
    match &habits.workload {
        Workload::Publishing { every, times: None, .. } => Some(every.resolve(habits.keep_alive)),
        Workload::Publishing { times: Some(_), .. } | Workload::Idle | Workload::Subscribing { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::clients::Client;

    fn seconds(client: &str, keep_alive: u64, workload: &str) -> Option<f64> {
        let habits = Client::named(client).unwrap().habits("d", Duration::from_secs(keep_alive));
        let workload = workload.parse().unwrap();
        let round_trip = Duration::from_secs(1);
        device(&Habits { workload, ..habits }, round_trip).map(|time| time.total().as_secs_f64())
    }

    #[test]
    fn the_sum_of_the_intervals_is_what_a_device_needs() {
        for (client, workload, expected) in [
            ("careful", "idle", Some(55.0)),
            ("typical", "idle", Some(114.0)),
            ("naive", "idle", Some(234.0)),
            ("oblivious", "idle", None),
            ("paho-python", "idle", Some(122.0)),
            // The answer that it goes by is under way for half a second.
            ("mqtt.js", "idle", Some(90.5)),
            ("typical", "publishing:t,every=10s", None),
            ("typical", "publishing:t,every=10s,times=3", Some(114.0)),
            ("typical", "publishing:t,every=55s", Some(115.0)),
            // Pings 54 s and 108 s after a message, and 54 s after the next: at 54, 108, 174 s.
            ("typical", "publishing:t,every=120s", Some(126.0)),
            ("paho-python", "publishing:t,every=10s,qos=0", Some(122.5)),
            ("careful", "publishing:t,every=10s", Some(55.0)),
        ] {
            assert_eq!(seconds(client, 60, workload), expected, "{client}, {workload}");
        }
        assert_eq!(seconds("careful", 0, "idle"), None);
    }
}
