//! Several devices behind one address: where no CONNECT names a device its address does, and whose way back a link is cannot
//! be told once there are more.

use super::facts::Link;
use crate::base::{DeviceId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// So long after it has come anew, nobody sends on its older link any more.
const A_WHILE: Duration = Duration::from_secs(1);

/// Of devices that only an address tells, whether several were seen behind it before the first fault fell there: what the
/// kernel of one holds back for an older link may come after that.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowds(BTreeMap<DeviceId, bool>);

impl Crowds {
    /// A fault falls on an address, that has had these links so far, oldest first.
    pub fn fault_falls<'a, L: Iterator<Item = &'a Link>>(
        &mut self,
        address: DeviceId,
        links: impl FnOnce() -> L,
    ) {
        self.0.entry(address).or_insert_with(|| take_turns(links()));
    }

    /// Whether several devices are behind an address, that has had these links, oldest first.
    pub fn is_one<'a>(&self, address: DeviceId, links: impl Iterator<Item = &'a Link>) -> bool {
        self.0.get(&address).copied().unwrap_or_else(|| take_turns(links))
    }
}

/// Whether these are links of several devices: one still sends when a later one has been there for a while. Who comes anew may
/// close its older link a little later.
fn take_turns<'a>(mut links: impl Iterator<Item = &'a Link>) -> bool {
    let mut latest = Time::ZERO;
    links.any(|link| {
        let sends_on = latest > link.opened + A_WHILE;
        latest = link.last.device.from.unwrap_or_default().max(latest);
        sends_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that was opened then, and on which the device last sent then.
    fn link(opened: u64, last: u64) -> Link {
        let mut link = Link::new(Time::from_millis(opened));
        link.last.device.from = Some(Time::from_millis(last));
        link
    }

    #[test]
    fn who_sends_on_an_older_link_for_more_than_a_second_is_another_device() {
        let crowd = |links: &[Link]| Crowds::default().is_one(DeviceId(0), links.iter());
        assert!(!crowd(&[link(0, 60_000)]), "one link");
        assert!(!crowd(&[link(0, 2_000), link(3_000, 9_000)]), "one after the other");
        assert!(!crowd(&[link(0, 4_000), link(3_000, 9_000)]), "what was under way");
        assert!(crowd(&[link(0, 4_001), link(3_000, 9_000)]));
    }

    #[test]
    fn what_was_seen_before_a_fault_fell_stands() {
        let (alone, overlapping) = ([link(0, 1_000)], [link(0, 9_000), link(3_000, 9_000)]);
        let mut crowds = Crowds::default();
        crowds.fault_falls(DeviceId(0), || alone.iter());
        crowds.fault_falls(DeviceId(1), || overlapping.iter());
        // A later fault changes nothing.
        crowds.fault_falls(DeviceId(0), || overlapping.iter());
        assert!(!crowds.is_one(DeviceId(0), overlapping.iter()));
        assert!(crowds.is_one(DeviceId(1), alone.iter()));
    }
}
