//! Connects that nobody can say whose they were: over before a CONNECT came, or what else tells a device.
//!
//! Owns when they began, by address. Invariant: bounded, and what is beyond the bound may have come at any time since.

use super::facts::Link;
use crate::base::{LinkId, Time};
use crate::session::Sessions;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// So many are known, of all addresses together.
const MOST: usize = 4096;

/// Who leaves sooner, by itself and without a word, has only looked whether the port is open. A device speaks first, and waits.
const SAYS_WITHIN: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Default)]
pub(super) struct Nameless {
    begun: BTreeMap<IpAddr, Vec<Time>>,
    known: usize,
    /// When the first came that is not known.
    full: Option<Time>,
}

impl Nameless {
    /// A link is about to be closed. Behind an address of one device it is that one's, or nobody's who is known.
    pub fn closes(&mut self, at: Time, id: LinkId, link: &Link, sessions: &Sessions) {
        let is_probe = link.cut.is_none() && at.since(link.opened) < SAYS_WITHIN;
        if link.device.is_some() || is_probe {
            return;
        }
        let address = sessions.link(id).and_then(|link| link.ip());
        let Some(address) = address.filter(|address| sessions.known_at(*address) > 1) else { return };
        let began = link.began();
        if self.known == MOST {
            self.full.get_or_insert(began);
            return;
        }
        self.known += 1;
        self.begun.entry(address).or_default().push(began);
    }

    /// When, in this time, connects came from this address.
    pub fn begun(&self, address: IpAddr, from: Time, until: Time) -> impl Iterator<Item = Time> {
        let known = self.begun.get(&address).into_iter().flatten().copied();
        let unknown = self.full.map(|full| full.max(from));
        known.chain(unknown).filter(move |at| (from..until).contains(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DeviceId, ListenerId, Ways};
    use crate::event::{Event, What};

    const ADDRESS: &str = "10.0.0.1";

    fn sessions(devices: u32) -> Sessions {
        let mut sessions = Sessions::default();
        for n in 0..=devices {
            let (link, device) = (LinkId(n.into()), DeviceId(n));
            let peer = format!("{ADDRESS}:{}", 1_000 + n);
            let mut told = vec![What::LinkOpened { link, listener: ListenerId(0), peer, to: None }];
            if n > 0 {
                told.push(What::DeviceNamed { device, name: format!("d{n}") });
                told.push(What::LinkIdentified { link, device });
                told.push(What::LinkClosed { link, undelivered: Ways::default() });
            }
            told.into_iter().for_each(|what| sessions.apply(&Event { seq: 0, at: Time::ZERO, what }));
        }
        sessions
    }

    fn begun(nameless: &Nameless, from: u64, until: u64) -> Vec<Time> {
        let (from, until) = (Time::from_millis(from), Time::from_millis(until));
        nameless.begun(ADDRESS.parse().unwrap(), from, until).collect()
    }

    fn closes(nameless: &mut Nameless, (opened, at): (u64, u64), sessions: &Sessions) {
        let link = Link::new(Time::from_millis(opened));
        nameless.closes(Time::from_millis(at), LinkId(0), &link, sessions);
    }

    #[test]
    fn a_connect_without_a_name_may_be_of_any_device_at_its_address() {
        for (devices, closed, expected) in [(1, 105, 0), (2, 105, 1), (2, 104, 0)] {
            let mut nameless = Nameless::default();
            closes(&mut nameless, (5, closed), &sessions(devices));
            assert_eq!(begun(&nameless, 5, 6).len(), expected, "{devices} {closed}");
            assert_eq!(begun(&nameless, 6, 9), []);
            assert_eq!(begun(&nameless, 4, 5), []);
            assert_eq!(nameless.begun("10.0.0.2".parse().unwrap(), Time::ZERO, Time::MAX).count(), 0);
        }
    }

    #[test]
    fn who_was_cut_off_at_once_could_not_say_its_name() {
        let (mut nameless, mut link) = (Nameless::default(), Link::new(Time::from_millis(5)));
        link.cut = Some((Time::from_millis(6), None));
        nameless.closes(Time::from_millis(6), LinkId(0), &link, &sessions(2));
        assert_eq!(begun(&nameless, 5, 6).len(), 1);
    }

    #[test]
    fn of_more_than_are_known_one_may_have_come_at_any_time() {
        let (mut nameless, sessions) = (Nameless::default(), sessions(2));
        for n in 0..=u64::try_from(MOST).unwrap() + 5 {
            closes(&mut nameless, (n, n + 100), &sessions);
        }
        assert_eq!(begun(&nameless, 4_095, 4_096), [Time::from_millis(4_095)]);
        assert_eq!(begun(&nameless, 4_096, 4_097), [Time::from_millis(4_096)]);
        assert_eq!(begun(&nameless, 9_000, 9_001), [Time::from_millis(9_000)]);
    }
}
