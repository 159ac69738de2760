//! What lives at a moment, as the events that made it so: what a later part of a long log begins with, and what a fold is
//! fed that begins anew amid a run.
//!
//! ```text
//!   events of a run ──▶ Snapshot ──begin(part)──▶ run_started, then of all that lives: the events that tell of it,
//!                                                 with their numbers and times
//! ```
//!
//! Kept are the listeners; the names of devices, as many as [`Sessions`] remembers; of each live link its [`Trail`]; and of
//! devices that were seen lately, the latest link that was accepted and is gone, until they are accepted again: outages,
//! takeovers and tokens are told from it. What a packet counted or timed is not kept: that is the earlier part's.

use super::trail::Trail;
use super::{MOST_GONE, Sessions};
use crate::base::{DeviceId, LinkId, ListenerId, Time};
use crate::event::{Event, RunStarted, What, WireNews};
use std::collections::{BTreeMap, BTreeSet};

/// Of so many devices that have no accepted link, the latest one that they had is kept; the one that went first is dropped
/// first.
pub const MOST_LATELY: usize = 5_000;

/// The fold.
#[derive(Clone, Debug)]
pub struct Snapshot {
    start: Option<Box<RunStarted>>,
    sessions: Sessions,
    listeners: BTreeMap<ListenerId, Event>,
    /// That there is a tap.
    tap: Option<Event>,
    links: BTreeMap<LinkId, Trail>,
    lately: BTreeMap<DeviceId, (Time, Trail)>,
    order: BTreeSet<(Time, DeviceId)>,
    most_lately: usize,
}

impl Default for Snapshot {
    fn default() -> Snapshot {
        Snapshot::keeping(MOST_GONE, MOST_LATELY)
    }
}

impl Snapshot {
    /// That remembers so many devices without a link, and of so many the latest link.
    pub fn keeping(most_gone: usize, most_lately: usize) -> Snapshot {
        Snapshot {
            start: None,
            sessions: Sessions::forgetful(most_gone),
            listeners: BTreeMap::new(),
            tap: None,
            links: BTreeMap::new(),
            lately: BTreeMap::new(),
            order: BTreeSet::new(),
            most_lately,
        }
    }

    /// Takes in one event. Events come in order.
    pub fn push(&mut self, event: &Event) {
        self.sessions.apply(event);
        match &event.what {
            What::RunStarted(start) => self.start = Some(start.clone()),
            What::Wire { news: WireNews::Opened { .. } } => self.tap = Some(event.clone()),
            What::ListenerOpened { listener, .. } => _ = self.listeners.insert(*listener, event.clone()),
            what => {
                if let Some(link) = what.link() {
                    self.of_link(link, event);
                }
            }
        }
    }

    /// The devices and live links that it follows.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The beginning of this part of the log, whose first new event has the number `seq`: `run_started` with that number and
    /// the time at which the part begins, then what lives then, in the order of its numbers. Nothing before the run began.
    pub fn begin(&self, part: u32, seq: u64, at: Time) -> Vec<Event> {
        let Some(start) = &self.start else { return Vec::new() };
        let start = RunStarted { part, ..(**start).clone() };
        let machinery = self.tap.iter().chain(self.listeners.values()).cloned();
        let mut events: Vec<Event> = machinery.chain(self.names()).collect();
        let trails = self.links.values().chain(self.lately.values().map(|(_, trail)| trail));
        events.extend(trails.flat_map(Trail::events).cloned());
        events.sort_by_key(|event| event.seq);
        events.insert(0, Event { seq, at, what: What::RunStarted(Box::new(start)) });
        events
    }

    fn names(&self) -> impl Iterator<Item = Event> + '_ {
        self.sessions.devices().map(|device| {
            let (seq, at) = device.named;
            Event { seq, at, what: What::DeviceNamed { device: device.id, name: device.name.to_string() } }
        })
    }

    fn of_link(&mut self, id: LinkId, event: &Event) {
        if matches!(event.what, What::LinkOpened { .. }) {
            self.links.insert(id, Trail::default());
        }
        let Some(trail) = self.links.get_mut(&id) else { return };
        let before = trail.accepted;
        trail.push(event);
        if let (None, Some(with_session), Some(device)) = (before, trail.accepted, trail.device) {
            self.accepted(id, device, with_session);
        }
        if matches!(event.what, What::LinkClosed { .. }) {
            self.closed(event.at, id);
        }
    }

    /// The device is there again: the link that it had before is of no more use, but for what its session holds.
    fn accepted(&mut self, id: LinkId, device: DeviceId, with_session: bool) {
        let Some((at, earlier)) = self.lately.remove(&device) else { return };
        self.order.remove(&(at, device));
        if let Some(trail) = self.links.get_mut(&id).filter(|_| with_session) {
            trail.inherit(earlier);
        }
    }

    fn closed(&mut self, at: Time, id: LinkId) {
        let Some(mut trail) = self.links.remove(&id) else { return };
        let Some((device, true)) = trail.device.map(|device| (device, trail.accepted.is_some())) else {
            return;
        };
        let is_accepted = |id: &&LinkId| self.links.get(id).is_some_and(|other| other.accepted.is_some());
        let others = self.sessions.device(device).map(|known| known.links.as_slice()).unwrap_or_default();
        let Some(newest_id) = others.iter().filter(is_accepted).max().copied() else {
            trail.rest();
            self.keep_lately(at, device, trail);
            return;
        };
        let goes_on = |newest: &&mut Trail| newest.accepted == Some(true);
        if let Some(newest) = self.links.get_mut(&newest_id).filter(goes_on).filter(|_| id < newest_id) {
            newest.inherit(trail);
        }
    }

    fn keep_lately(&mut self, at: Time, device: DeviceId, trail: Trail) {
        if let Some((before, _)) = self.lately.insert(device, (at, trail)) {
            self.order.remove(&(before, device));
        }
        self.order.insert((at, device));
        while self.order.len() > self.most_lately {
            if let Some((_, first)) = self.order.pop_first() {
                self.lately.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Direction, Ways};
    use crate::event::{Packet, SessionTerms};

    /// Device and link of this number come and go at this second.
    fn comes_and_goes(nth: u64, seq: &mut u64) -> Vec<Event> {
        let (link, device) = (LinkId(nth), DeviceId(u32::try_from(nth).unwrap()));
        let connack = Packet::Connack {
            session_present: false,
            code: 0,
            server_keep_alive: None,
            assigned_client_id: None,
            terms: SessionTerms::default(),
        };
        let whats = [
            What::LinkOpened { link, listener: ListenerId(0), peer: format!("10.0.0.{nth}:1"), to: None },
            What::DeviceNamed { device, name: format!("d{nth}") },
            What::LinkIdentified { link, device },
            What::Packet {
                link,
                direction: Direction::Down,
                held: false,
                dropped: false,
                passed: None,
                packet: connack,
            },
            What::LinkClosed { link, undelivered: Ways::default() },
        ];
        let mut numbered = |what| {
            *seq += 1;
            Event { seq: *seq, at: Time::from_secs(nth), what }
        };
        whats.into_iter().map(&mut numbered).collect()
    }

    #[test]
    fn who_is_forgotten_is_known_before_the_link_closes_that_is_one_too_many() {
        let mut sessions = Sessions::forgetful(3);
        let (mut seq, mut said) = (0, Vec::new());
        for nth in 0..6 {
            for event in comes_and_goes(nth, &mut seq) {
                let before: Vec<DeviceId> = sessions.devices().map(|device| device.id).collect();
                let told = match event.what {
                    What::LinkClosed { link, .. } => sessions.forgets_with(link),
                    _ => Vec::new(),
                };
                sessions.apply(&event);
                let gone = before.into_iter().filter(|id| sessions.device(*id).is_none());
                assert_eq!(told, gone.collect::<Vec<_>>());
                said.extend(told);
            }
        }
        assert_eq!(said, [0, 1, 2].map(DeviceId));
        // Nobody is forgotten as a link that was taken for one device's turns out to be another's: it may be the one
        // that went first.
        let link = LinkId(9);
        let back = [
            What::LinkOpened { link, listener: ListenerId(0), peer: "10.0.0.9:1".into(), to: None },
            What::DeviceNamed { device: DeviceId(6), name: "10.0.0.9".into() },
            What::LinkIdentified { link, device: DeviceId(6) },
            What::LinkIdentified { link, device: DeviceId(3) },
        ];
        for what in back {
            sessions.apply(&Event { seq, at: Time::from_secs(10), what });
        }
        assert_eq!(sessions.device_of(link).map(|device| device.id), Some(DeviceId(3)));
        assert_eq!((sessions.forgotten(), sessions.forgets_with(link)), (3, vec![DeviceId(4)]));
        // A device that goes on over another link is not gone with this one.
        let other = LinkId(10);
        let opened =
            What::LinkOpened { link: other, listener: ListenerId(0), peer: "10.0.0.9:2".into(), to: None };
        for what in [opened, What::LinkIdentified { link: other, device: DeviceId(3) }] {
            sessions.apply(&Event { seq, at: Time::from_secs(11), what });
        }
        assert_eq!(sessions.forgets_with(link), []);
    }

    #[test]
    fn those_that_went_first_are_forgotten_first() {
        let mut snapshot = Snapshot::keeping(3, 2);
        let mut seq = 0;
        for nth in 0..10 {
            comes_and_goes(nth, &mut seq).iter().for_each(|event| snapshot.push(event));
        }
        let sessions = snapshot.sessions();
        let names: Vec<&str> = sessions.devices().map(|device| &*device.name).collect();
        assert_eq!(names, ["d7", "d8", "d9"]);
        assert_eq!((sessions.forgotten(), sessions.next_device()), (7, DeviceId(10)));
        assert!(sessions.by_name("d6").is_none());
        let address = |last| std::net::IpAddr::from([10, 0, 0, last]);
        assert_eq!(
            (sessions.from_address(address(6)).count(), sessions.from_address(address(7)).count()),
            (0, 1)
        );
        assert_eq!(snapshot.lately.keys().copied().collect::<Vec<_>>(), [DeviceId(8), DeviceId(9)]);
        // Who is back is known by the number that it had.
        let link = LinkId(20);
        let back = [
            What::LinkOpened { link, listener: ListenerId(0), peer: "10.0.0.7:2".into(), to: None },
            What::LinkIdentified { link, device: DeviceId(7) },
        ];
        for what in back {
            seq += 1;
            snapshot.push(&Event { seq, at: Time::from_secs(20), what });
        }
        comes_and_goes(10, &mut seq).iter().for_each(|event| snapshot.push(event));
        let names: Vec<&str> = snapshot.sessions().devices().map(|device| &*device.name).collect();
        assert_eq!(names, ["d7", "d8", "d9", "d10"], "one that is there is not forgotten");
    }
}
