//! Links that a middlebox forgets, since nothing has passed for too long (RFC 5382 section 5: a NAT may, after 2 h 4 min
//! at the earliest; many do so after minutes).
//!
//! A mapping that is forgotten stays forgotten for the life of the link, also past the end of the window that it was
//! forgotten in: what ends with the window is that further links can be. So nothing is ever said to be lifted from it.

use super::control::Control;
use super::firing::Window;
use super::machine::Engine;
use crate::base::{DeviceId, Direction, LinkId, WindowId};
use crate::fault::{Effects, Fault, Forgotten, IdleTimeout};
use std::time::Duration;

/// For how long nothing has to pass on a link of this window.
pub(super) fn patience(window: &Window, fault: &IdleTimeout) -> Duration {
    fault.after.resolve(window.keep_alive)
}

impl Engine {
    /// Nothing has passed on a link for as long as was last confirmed. The first rule that waits for no more forgets it.
    pub(super) fn idled(&mut self, link: LinkId) {
        let Some(control) = self.links.get(&link).filter(|it| it.forgotten().is_none() && !it.cut) else {
            return;
        };
        let Some(idle) = control.orders.as_ref().and_then(|orders| orders.idle) else { return };
        let by = self.windows_on(link).into_iter().find_map(|(id, window, rule)| match &rule.fault {
            Fault::IdleTimeout(fault) if patience(window, fault) <= idle => Some((id, fault.then)),
            _ => None,
        });
        let Some(by) = by else { return };
        if let Some(control) = self.links.get_mut(&link) {
            control.seldom().forgotten = Some(by);
        }
        self.settle_link(link);
        self.changed();
    }

    /// A window ends: what it has only just ordered to be forgotten, and what has not come about yet, is remembered.
    pub(super) fn remember(&mut self, id: WindowId, device: DeviceId) {
        let links = self.sessions.device(device).map(|known| known.links.as_slice()).unwrap_or_default();
        for link in links {
            let control = self.links.get_mut(link).filter(|it| it.is_gone_by(id) && !it.is_under(id));
            if let Some(control) = control {
                control.seldom().forgotten = None;
            }
        }
    }
}

impl Control {
    /// Adds what becomes of a link that was forgotten, and takes away what is only for those that were not.
    pub(super) fn add_forgotten(&self, effects: &mut Effects) {
        let Some((window, then)) = self.forgotten() else { return };
        effects.idle = None;
        match then {
            Forgotten::Vanish => {
                for direction in Direction::BOTH {
                    *effects.closed.get_mut(direction) = true;
                }
                effects.vanished = true;
            }
            Forgotten::Reset => effects.reset_senders = Some(window),
        }
    }

    /// Whether what is sent on it vanishes, by this window.
    pub(super) fn is_gone_by(&self, window: WindowId) -> bool {
        self.forgotten() == Some((window, Forgotten::Vanish))
    }
}
