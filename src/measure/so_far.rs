//! What is known of a fault's window while the run goes on: what live lines tell, by the rules that the report judges by.

use super::detection::{Noticed, Struck};
use super::fold::Measures;
use crate::base::{DeviceId, Ends, LinkId, Time, WindowId};
use crate::session::Sessions;

/// A window with a link that its fault found up, as far as events have told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoFar {
    /// The link.
    pub link: LinkId,
    /// When the fault began to hold.
    pub start: Time,
    /// When the path was restored, if it was.
    pub restored: Option<Time>,
    /// Nothing of the fault is ever lifted from the link, and the path is there for the next one at once.
    pub for_good: bool,
    /// The fault ended the link, or made an end give it up.
    pub is_lost: bool,
    /// The link ended for something else while the fault held.
    pub ended_otherwise: bool,
    /// The device may have noticed with its sign dropped in the kernel, and not been seen to.
    pub is_hidden: bool,
    /// What both ends have shown.
    pub noticed: Ends<Noticed>,
}

impl Measures {
    /// The links that a window's fault found up, as the report would have them if the run ended now: of a fault that falls on each
    /// link by itself every one, oldest first, else one at most; of one of connects or handshakes, which falls on attempts, none.
    /// What an event told may still turn out otherwise by a later one,
    /// as where a tap tells of a sign that nobody else saw.
    pub fn so_far(&self, window: WindowId, now: Time) -> Vec<SoFar> {
        let Some(facts) = self.windows.get(&window) else { return Vec::new() };
        let fault = self.plan.rule(facts.rule).map(|rule| &rule.fault);
        if fault.is_none_or(|fault| fault.is_of_connects() || fault.is_of_handshakes()) {
            return Vec::new();
        }
        let end = self.stopped.map_or(now, |stopped| stopped.min(now));
        let is_several = self.is_several(facts.device);
        let of = |struck: Struck<'_>| {
            let (mut noticed, is_lost) = struck.shown();
            if is_several {
                noticed.device = noticed.device.of_one_of_several();
            }
            SoFar {
                link: struck.id,
                start: struck.start,
                restored: facts.restored(),
                for_good: struck.for_good,
                is_lost,
                ended_otherwise: struck.ended_otherwise(),
                is_hidden: struck.hides_the_device(),
                noticed,
            }
        };
        Struck::all(self, window, facts, end).into_iter().map(of).collect()
    }

    /// Whether a device that only an address tells is several, as they were seen to send in turn.
    pub fn is_several(&self, device: DeviceId) -> bool {
        let Some(known) = self.sessions.device(device).filter(|known| known.version.is_none()) else {
            return false;
        };
        let ids = self.devices.get(&known.id).into_iter().flat_map(|facts| &facts.links);
        self.crowds.is_one(known.id, ids.filter_map(|id| self.links.get(id)))
    }

    /// The devices and links as of the last event.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }
}
