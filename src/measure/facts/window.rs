//! What is remembered of fault windows.

use super::RoundTrips;
use crate::base::{DeviceId, Ends, FiringId, LinkId, RuleId, Side, Time};
use crate::event::Dropped;
use crate::fault::{Fidelity, Mechanism};
use crate::measure::packets::Alterations;
use std::time::Duration;

/// A fault on one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The link.
    pub link: LinkId,
    /// From when it held.
    pub at: Time,
    /// What the peers' TCP sees.
    pub fidelity: Fidelity,
    /// By what means, by leg.
    pub means: Ends<Option<Mechanism>>,
}

impl Applied {
    /// Whether the kernel drops all that this end sends.
    pub fn mutes(self, side: Side) -> bool {
        matches!(self.means.get(side), Some(Mechanism::Filter | Mechanism::MinTtl))
    }
}

/// A fault window: one firing on one device.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its firing.
    pub firing: FiringId,
    /// Its rule.
    pub rule: RuleId,
    /// Its device.
    pub device: DeviceId,
    /// When it was opened; the fault's start is [`Window::start`].
    pub opened: Time,
    /// When it was to end; `None` for a one-shot, or with the run.
    until: Option<Time>,
    /// When, at its end, it was first lifted from a link.
    lifted: Option<Time>,
    /// When it was over on every link.
    pub closed: Option<Time>,
    /// The keep-alive that spans were resolved with.
    pub keep_alive: Duration,
    /// The keep-alive that the hub was told, where that is another.
    pub hub_keep_alive: Option<Duration>,
    /// Whether that is the stated default.
    pub assumed: bool,
    /// On which links it held.
    pub applied: Vec<Applied>,
    /// Why it did not on others.
    pub refused: Vec<String>,
    /// Round trips while it held: of PINGREQs that came, and of PUBLISHes whose answer came.
    pub round_trips: RoundTrips,
    /// What it did to packets, where it did anything.
    pub altered: Option<Box<Alterations>>,
    /// What the kernel dropped for it of what each end sent, where it counts that.
    pub dropped: Ends<Option<Dropped>>,
}

impl Window {
    pub(in crate::measure) fn new(
        firing: FiringId,
        rule: RuleId,
        device: DeviceId,
        opened: Time,
        until: Option<Time>,
        keep_alive: Duration,
        assumed: bool,
    ) -> Window {
        Window {
            firing,
            rule,
            device,
            opened,
            until,
            lifted: None,
            closed: None,
            keep_alive,
            hub_keep_alive: None,
            assumed,
            applied: Vec::new(),
            refused: Vec::new(),
            round_trips: RoundTrips::default(),
            altered: None,
            dropped: Ends::default(),
        }
    }

    /// By what means it was last made on a leg of this link.
    pub(in crate::measure) fn means_on(&self, link: LinkId, side: Side) -> Option<Mechanism> {
        *self.applied.iter().rev().find(|applied| applied.link == link)?.means.get(side)
    }

    /// The kernel dropped this for it.
    pub(in crate::measure) fn dropped(&mut self, side: Side, what: Dropped) {
        let so_far = self.dropped.get_mut(side).get_or_insert_default();
        so_far.segments += what.segments;
        so_far.passed += what.passed;
    }

    /// It was lifted from a link.
    pub(in crate::measure) fn lifts(&mut self, at: Time) {
        if self.until.is_some_and(|until| at >= until) {
            self.lifted.get_or_insert(at);
        }
    }

    /// When the path was restored: at the first link on which it was. A device may be back over that one before a busy
    /// machine has come to lift the fault from the others too.
    pub fn restored(&self) -> Option<Time> {
        self.closed.map(|closed| self.lifted.map_or(closed, |lifted| lifted.min(closed)))
    }

    /// When the fault held first; `None` if it held on no link.
    pub fn start(&self) -> Option<Time> {
        self.applied.iter().map(|applied| applied.at).min()
    }
}
