//! When devices were without a link that they had not given back with DISCONNECT: from the moment that a device knew, or was
//! told, to the next CONNACK that accepted it, over as many attempts and intervals as it takes.

use crate::base::units::to_u64;
use crate::base::{DeviceId, Direction, LinkId, Side, Time};
use crate::event::{Event, Packet, What};
use crate::session::Sessions;
use std::collections::BTreeMap;
use std::time::Duration;

/// The fold. Grows with the devices that [`Sessions`] remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Outages {
    down: BTreeMap<DeviceId, Time>,
}

impl Outages {
    /// Takes in an event of a link, that `before` has not taken in. Answers with an outage that is over.
    pub fn push(&mut self, event: &Event, link: LinkId, before: &Sessions) -> Option<(Duration, String)> {
        let device = before.device_of(link)?;
        if event.what.accepts() {
            let since = self.down.remove(&device.id)?;
            return Some((event.at.since(since), device.name.to_string()));
        }
        let live = before.link(link)?;
        let is_newest = !device.links.iter().any(|other| *other > link && has_been_accepted(before, *other));
        if tells_device(event) && has_been_accepted(before, link) && is_newest && !live.disconnected {
            self.down.entry(device.id).or_insert(event.at);
        }
        None
    }

    /// How many devices are down, and the one that has been for longest, with how long.
    pub fn still(&self, at: Time, sessions: &Sessions) -> (u64, Option<(Duration, String)>) {
        let longest = self.down.iter().min_by_key(|(_, since)| **since);
        let named =
            longest.and_then(|(id, since)| Some((at.since(*since), sessions.device(*id)?.name.to_string())));
        (to_u64(self.down.len()), named)
    }

    /// Devices that are forgotten are waited for no longer.
    pub fn forget(&mut self, sessions: &Sessions) {
        self.down.retain(|id, _| sessions.device(*id).is_some());
    }
}

fn has_been_accepted(sessions: &Sessions, link: LinkId) -> bool {
    sessions.link(link).is_some_and(|link| matches!(link.connack, Some((_, 0))))
}

/// Whether the device shows by it that it gives its link up, or is told. A link that closes and nothing else ends with the
/// run: nobody is down by that.
fn tells_device(event: &Event) -> bool {
    matches!(
        event.what,
        What::LegEnded { side: Side::Device, .. }
            | What::EndCarried { to: Side::Device, .. }
            | What::LegCut { side: Side::Device, .. }
            | What::Packet {
                direction: Direction::Down,
                packet: Packet::Disconnect { .. },
                dropped: false,
                ..
            }
    )
}
