//! Outages with known timers: what each end notices, and when.

use super::*;
use crate::device::Sign;
use crate::hub::{Departure, HubSaw};

fn device_noticed(seen: &Seen) -> Vec<(Time, Sign)> {
    let signs = seen.device.iter().filter_map(|(at, _, did)| match did {
        DeviceDid::NoticedDead { sign, .. } => Some((*at, *sign)),
        _ => None,
    });
    signs.collect()
}

fn hub_noticed(seen: &Seen) -> Vec<(Time, Departure)> {
    let gone = seen.hub.iter().filter_map(|event| match &event.what {
        HubSaw::Disconnected { why } => Some((event.at, why.clone())),
        _ => None,
    });
    gone.collect()
}

/// The device is up at 0.08 s, and was so for the hub at 0.06 s; so it pings at 54.08, 108.08, ...
#[test]
fn a_blackhole_is_noticed_by_ping_timeout_and_by_keep_alive_and_a_half() {
    let seen = see(&scenario(habits(60), vec![at(secs(70), dark(secs(100), Connects::Vanish))], 400));
    assert_eq!(device_noticed(&seen), [(Time::from_millis(118_080), Sign::PingTimeout)]);
    let departure = Departure::KeepAliveTimeout { silent: secs(90) };
    assert_eq!(hub_noticed(&seen), [(Time::from_millis(144_100), departure)]);
}
