//! A firing of a rule, and its windows: one for each device it falls on.

use crate::base::{DeviceId, FiringId, LinkId, RuleId, Span, Time, WindowId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One firing, in force until its longest window ends.
#[derive(Debug)]
pub struct Firing {
    /// Its rule.
    pub rule: RuleId,
    /// Its number among the rule's, for its scope.
    pub nth: u32,
    /// When.
    pub at: Time,
    /// How long it holds, of each device's own keep-alive: as its rule says, or as who asked for it does. `None` for a
    /// one-shot, and for one that lasts to the end of the run.
    pub hold: Option<Span>,
    /// When it falls on nobody new any more; `None` for a one-shot, and for one that lasts to the end of the run.
    pub until: Option<Time>,
    /// Until when it holds on each device that is known, since spans are of their keep-alives: at most `until`.
    pub until_of_all: Option<Time>,
    /// The one device it falls on; `None`: every device that matches, also one that comes later.
    pub device: Option<DeviceId>,
    /// The first link that was not there yet when it fired: links are numbered in the order of opening.
    pub first_new: LinkId,
    /// Its windows by device; a device keeps its entry when its window closes.
    pub windows: BTreeMap<DeviceId, WindowId>,
}

/// The firings in force, found by whom they fall on.
#[derive(Debug, Default)]
pub struct Firings {
    all: BTreeMap<FiringId, Firing>,
    /// Those that fall on every device that matches.
    of_everyone: BTreeSet<FiringId>,
    /// Those that fall on one.
    of_device: BTreeMap<DeviceId, BTreeSet<FiringId>>,
    /// The same by their rule.
    of_some: BTreeMap<RuleId, BTreeSet<FiringId>>,
}

impl Firings {
    /// Adds one.
    pub fn insert(&mut self, id: FiringId, firing: Firing) {
        match firing.device {
            None => _ = self.of_everyone.insert(id),
            Some(device) => {
                self.of_device.entry(device).or_default().insert(id);
                self.of_some.entry(firing.rule).or_default().insert(id);
            }
        }
        self.all.insert(id, firing);
    }

    /// It is over.
    pub fn remove(&mut self, id: FiringId) {
        let Some(firing) = self.all.remove(&id) else { return };
        let Some(device) = firing.device else {
            self.of_everyone.remove(&id);
            return;
        };
        take_out(&mut self.of_device, device, id);
        take_out(&mut self.of_some, firing.rule, id);
    }

    /// Whether none is in force.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one of that number.
    pub fn get_mut(&mut self, id: FiringId) -> Option<&mut Firing> {
        self.all.get_mut(&id)
    }

    /// Those that fall on every device that matches.
    pub fn of_everyone(&self) -> impl Iterator<Item = &Firing> {
        self.of_everyone.iter().filter_map(|id| self.all.get(id))
    }

    /// Those that may fall on a device, oldest first; `None`: on one that is not known yet.
    pub fn that_may_hit(&self, device: Option<DeviceId>) -> impl Iterator<Item = (FiringId, &Firing)> {
        let its = device.and_then(|device| self.of_device.get(&device)).into_iter().flatten();
        let ids: BTreeSet<FiringId> = self.of_everyone.iter().chain(its).copied().collect();
        ids.into_iter().filter_map(|id| Some((id, self.all.get(&id)?)))
    }

    /// Of those that fall on one device each, the oldest of each rule.
    pub fn oldest_of_some(&self) -> impl Iterator<Item = &Firing> {
        self.of_some.values().filter_map(|ids| self.all.get(ids.first()?))
    }
}

fn take_out<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<FiringId>>, key: K, id: FiringId) {
    if let Some(ids) = sets.get_mut(&key) {
        ids.remove(&id);
        if ids.is_empty() {
            sets.remove(&key);
        }
    }
}

/// A firing on one device.
#[derive(Debug)]
pub struct Window {
    /// Its rule.
    pub rule: RuleId,
    /// Its device.
    pub device: DeviceId,
    /// When it is to end; `None` for a one-shot or with the run.
    pub until: Option<Time>,
    /// The keep-alive that spans are resolved with.
    pub keep_alive: Duration,
    /// The first link, of whomever, that was not there yet when the firing began.
    pub first_new: LinkId,
    /// Links of its device that were up when the firing began.
    pub up_at_start: BTreeSet<LinkId>,
    /// Whether it falls on later links too.
    pub later_links: bool,
    /// Links on which the kernel refused it.
    pub refused: BTreeSet<LinkId>,
    /// Links on which it is confirmed to hold.
    pub in_force: BTreeSet<LinkId>,
    /// How many packets it fell on, where it is of packets.
    pub met: u32,
    /// Packets that it fell on, by link and number of the event, which are still in brownout.
    pub pending: BTreeSet<(LinkId, u64)>,
    /// Whether it is being lifted: it closes when it holds on no link any more.
    pub ending: bool,
    /// Whether it has done to one link at least what it is for, where that comes in a moment of its own.
    pub struck: bool,
}

impl Window {
    /// Whether it is over, and holds nothing any more.
    pub fn is_lifted(&self) -> bool {
        self.ending && self.in_force.is_empty() && self.pending.is_empty()
    }

    /// Of this rule on this device, holding on no link.
    pub fn new(rule: RuleId, device: DeviceId) -> Window {
        Window {
            rule,
            device,
            until: None,
            keep_alive: Duration::ZERO,
            first_new: LinkId(0),
            up_at_start: BTreeSet::new(),
            later_links: false,
            refused: BTreeSet::new(),
            in_force: BTreeSet::new(),
            met: 0,
            pending: BTreeSet::new(),
            ending: false,
            struck: false,
        }
    }

    /// Whether the link was up when the firing began.
    pub fn was_up(&self, link: LinkId) -> bool {
        self.up_at_start.contains(&link)
    }

    /// Whether a packet of this link that it fell on is still in brownout.
    pub fn waits_on(&self, link: LinkId) -> bool {
        self.pending.range((link, 0)..=(link, u64::MAX)).next().is_some()
    }

    /// Whether it is to hold on this link of its device.
    pub fn covers(&self, link: LinkId) -> bool {
        !self.ending && !self.refused.contains(&link) && (self.later_links || self.was_up(link))
    }
}
