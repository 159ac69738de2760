//! Another client that takes a device's link over.

use super::io::Order;
use super::machine::Engine;
use crate::base::{Ends, LinkId, Time, WindowId};
use crate::event::{RivalNews, What};
use crate::fault::{Fault, Fidelity, Mechanism};
use crate::session::Link;

impl Engine {
    /// Sends the other client, with the CONNECT of the device's latest link that is up; where none is, there is nothing to
    /// take over. The window holds for its span, whatever becomes of the link.
    pub(super) fn order_rival(&mut self, window: WindowId, fault: &Fault, links: &[LinkId], until: Time) {
        let Fault::Takeover(takeover) = fault else { return };
        let is_up =
            |link: &&LinkId| self.sessions.link(**link).is_some_and(Link::is_up) && !self.is_cut(**link);
        let Some(link) = links.iter().rev().find(is_up).copied() else { return };
        self.order(link, Order::Rival { window, until, again: takeover.again });
    }

    /// News of it. Once the hub has accepted it, the fault is there: also where the hub was quicker to end the link.
    pub(super) fn rival(&mut self, link: LinkId, window: WindowId, news: RivalNews) {
        let accepted = news == RivalNews::Accepted;
        self.emit(What::Rival { window, link, news });
        let Some(of) = self.windows.get_mut(&window) else { return };
        if accepted && !std::mem::replace(&mut of.struck, true) {
            let means = Ends { device: None, hub: Some(Mechanism::Rival) };
            self.emit(What::FaultApplied { window, link, fidelity: Fidelity::Stream, means });
        }
    }
}
