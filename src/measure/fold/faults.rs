//! What is told of faults: where they fall and cut, and when they are over.

use super::Measures;
use crate::base::{DeviceId, Ends, LinkId, Side, Time, WindowId};
use crate::event::{Dropped, RivalNews};
use crate::fault::{Fault, Fidelity, LegFate, Mechanism};
use crate::measure::facts::{Applied, Window};
use crate::measure::{cause, handshakes};
use std::collections::BTreeMap;

impl Measures {
    /// A fault holds on a link.
    pub(super) fn fault_applied(&mut self, id: WindowId, applied: Applied) {
        self.at_window(id, |window| window.applied.push(applied));
        self.note_crowd(id);
        self.falls(applied.at, id, applied.link);
        if applied.means.device == Some(Mechanism::Record) {
            self.on(applied.link, |link| link.record_harmed(applied.at));
        }
        for side in Side::BOTH.into_iter().filter(|side| applied.mutes(*side)) {
            self.on(applied.link, |link| link.mutes(side, applied.at));
        }
    }

    /// It holds no more on this link. An end is heard again once no fault mutes it.
    pub(super) fn fault_lifted(&mut self, at: Time, id: WindowId, link: LinkId) {
        self.at_window(id, |window| window.lifts(at));
        self.on(link, |link| link.lifts(id));
        for side in Side::BOTH {
            let in_force = self.links.get(&link).map_or(&[][..], |link| &link.in_force);
            let is_muted_still = in_force.iter().any(|other| self.mutes(*other, link, side));
            if self.mutes(id, link, side) && !is_muted_still {
                self.on(link, |link| link.unmutes(side, at));
            }
        }
    }

    /// Whether the kernel drops what an end of a link sends for a window's fault.
    fn mutes(&self, window: WindowId, link: LinkId, side: Side) -> bool {
        let applied = self.windows.get(&window).map_or(&[][..], |window| &window.applied);
        applied.iter().rfind(|applied| applied.link == link).is_some_and(|applied| applied.mutes(side))
    }

    /// A fault falls on a device, of which only the address may be known.
    fn note_crowd(&mut self, id: WindowId) {
        let Some(device) = self.windows.get(&id).map(|window| window.device) else { return };
        if self.sessions.device(device).is_some_and(|device| device.version.is_some()) {
            return;
        }
        let Measures { crowds, devices, links, .. } = self;
        crowds.fault_falls(device, || {
            let ids = devices.get(&device).into_iter().flat_map(|facts| &facts.links);
            ids.filter_map(|id| links.get(id))
        });
    }

    /// What it means for the link; a one-shot is over as soon as it is told.
    fn falls(&mut self, at: Time, id: WindowId, link: LinkId) {
        let rule = self.windows.get(&id).and_then(|window| self.plan.rule(window.rule));
        let (Some(rule), Some(link)) = (rule, self.links.get_mut(&link)) else { return };
        if rule.fault.breaks_link() {
            link.broken = Some(at);
        }
        if handshakes::ends_it(&rule.fault) {
            link.cut.get_or_insert((at, Some(id)));
            link.cuts_off(Side::Device, at);
        }
        if matches!(rule.fault, Fault::HalfClose(_)) {
            link.cut.get_or_insert((at, Some(id)));
        }
        if !rule.fault.is_one_shot() {
            link.falls(id);
        }
    }

    /// What the kernel dropped on a leg belongs to the faults that hold there: a blackhole takes the place of a loss.
    pub(super) fn kernel_dropped(&mut self, link: LinkId, side: Side, what: Dropped) {
        let held = self.links.get(&link).map(|link| link.in_force.clone()).unwrap_or_default();
        let by = |windows: &BTreeMap<WindowId, Window>, id: &WindowId| {
            windows.get(id).and_then(|window| window.means_on(link, side))
        };
        let is_mute =
            |id: &WindowId| matches!(by(&self.windows, id), Some(Mechanism::Filter | Mechanism::MinTtl));
        let is_loss = |id: &WindowId| by(&self.windows, id) == Some(Mechanism::RandomFilter);
        let mutes: Vec<WindowId> = held.iter().copied().filter(is_mute).collect();
        let losses = || held.iter().copied().filter(is_loss).collect();
        for id in if mutes.is_empty() { losses() } else { mutes } {
            self.at_window(id, |window| window.dropped(side, what));
        }
    }

    pub(super) fn window_closed(&mut self, at: Time, id: WindowId) {
        let Some(window) = self.windows.get_mut(&id) else { return };
        window.closed = Some(at);
        self.fights.remove(&(window.device, id));
        // On one that is over, nothing held any more.
        for applied in &window.applied {
            if let Some(link) = self.links.awake_mut(&applied.link) {
                link.lifts(id);
            }
        }
    }

    pub(super) fn leg_cut(
        &mut self,
        at: Time,
        id: LinkId,
        side: Side,
        fate: LegFate,
        window: Option<WindowId>,
    ) {
        self.on(id, |link| {
            link.cut.get_or_insert((at, window));
            if side == Side::Device || link.fate.is_none() {
                link.fate = Some(fate);
            }
            match fate {
                LegFate::Reset
                | LegFate::Close
                | LegFate::Unnotified
                | LegFate::Alert(_)
                | LegFate::Truncated
                | LegFate::Rejected(_)
                | LegFate::Disconnected(_) => link.cuts_off(side, at),
                LegFate::HalfOpen | LegFate::ResetWhenSends => {}
            }
        });
    }

    /// Another client with the device's name: each time that the hub accepts it, it takes the link that the device has then.
    pub(super) fn rival(&mut self, at: Time, id: WindowId, news: &RivalNews) {
        match news {
            // None has been there before: it does not even come to the hub.
            RivalNews::Failed { error } => self.at_window(id, |window| {
                if window.applied.is_empty() && !window.refused.contains(error) {
                    window.refused.push(error.clone());
                }
            }),
            RivalNews::Accepted => self.at_window(id, |window| window.refused.clear()),
            RivalNews::Refused { .. } | RivalNews::Ended { .. } | RivalNews::Left => {}
        }
        let accepted = self.windows.get(&id).filter(|_| *news == RivalNews::Accepted);
        let Some(link_id) = accepted.and_then(|window| self.taken_over(at, window.device)) else { return };
        let Some(window) = self.windows.get_mut(&id) else { return };
        if !window.applied.iter().any(|applied| applied.link == link_id) {
            let means = Ends { device: None, hub: Some(Mechanism::Rival) };
            window.applied.push(Applied { link: link_id, at, fidelity: Fidelity::Stream, means });
        }
        let (rule, device) = (window.rule, window.device);
        self.on(link_id, |link| _ = link.rival.get_or_insert((at, rule)));
        // Each time that it comes back, it is the device's link of then that the hub closes.
        let links = self.devices.get(&device).map(|facts| facts.links.clone()).unwrap_or_default();
        let accepted = |id: &&LinkId| self.links.get(id).is_some_and(|link| link.accepted().is_some());
        if let Some(latest) = links.iter().rev().find(accepted) {
            self.on(*latest, |link| _ = link.rival.get_or_insert((at, rule)));
        }
    }

    /// The link of the device that a hub ends, or has just ended, when it accepts another client with its name: the newest
    /// that it had accepted, if that was there until then.
    fn taken_over(&self, at: Time, device: DeviceId) -> Option<LinkId> {
        let known = self.devices.get(&device)?.links.iter().rev();
        let mut links = known.filter_map(|id| Some((*id, self.links.get(id)?)));
        let (id, link) = links.find(|(_, link)| link.hub_accepted)?;
        let by_hub = link.signs.hub.map(|sign| sign.at).filter(|sign| cause::is_about(at, *sign));
        let was_there = match (link.over(), by_hub) {
            (None, _) => true,
            (Some(over), Some(ended)) => ended <= over,
            (Some(_), None) => false,
        };
        was_there.then_some(id)
    }
}
