//! A firing of a rule, and its windows: one for each device it falls on.

use crate::base::{DeviceId, LinkId, RuleId, Time, WindowId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// One firing, in force until its longest window ends.
#[derive(Debug)]
pub struct Firing {
    /// Its rule.
    pub rule: RuleId,
    /// The how-manieth of the rule, for its scope.
    pub nth: u32,
    /// When.
    pub at: Time,
    /// When it falls on nobody new any more; `None` for a one-shot, and for one that lasts to the end of the run.
    pub until: Option<Time>,
    /// The one device it falls on; `None`: every device that matches, also one that comes later.
    pub device: Option<DeviceId>,
    /// The links that were there when it fired.
    pub links: Arc<BTreeSet<LinkId>>,
    /// Its windows by device; a device keeps its entry when its window closes.
    pub windows: BTreeMap<DeviceId, WindowId>,
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
    /// All links, of whomever, that were there when the firing began.
    pub older: Arc<BTreeSet<LinkId>>,
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
    /// Of this rule on this device, holding on no link.
    pub fn new(rule: RuleId, device: DeviceId) -> Window {
        Window {
            rule,
            device,
            until: None,
            keep_alive: Duration::ZERO,
            older: Arc::default(),
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
