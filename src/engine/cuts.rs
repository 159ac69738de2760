//! Links that faults end: ordered, and told of once the link says what was done.

use super::io::Order;
use super::machine::Engine;
use super::means::{fidelity_of, mechanism};
use super::pick;
use crate::base::{DeviceId, Ends, LinkId, Side, WindowId};
use crate::event::{LastPackets, What};
use crate::fault::{Cut, Fault, Forgotten, LegFate, RecordFault, TlsRecord};
use crate::profile::Rule;

impl Engine {
    pub(super) fn order_cuts(&mut self, window_id: WindowId, fault: &Fault, links: &[LinkId]) {
        let Some(legs) = cut_of(fault) else { return };
        if let Some(window) = self.windows.get_mut(&window_id) {
            window.in_force.extend(links);
            window.ending = true;
        }
        for link in links {
            self.order_cut(*link, Cut { window: Some(window_id), legs });
        }
    }

    /// Cuts a link; its window waits for that, or for the link's end.
    pub(super) fn turn_away(&mut self, link: LinkId, window: WindowId, legs: Ends<LegFate>) {
        if let Some(of) = self.windows.get_mut(&window) {
            of.in_force.insert(link);
        }
        self.order_cut(link, Cut { window: Some(window), legs });
    }

    pub(super) fn is_cut(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|control| control.cut)
    }

    /// Cuts links whose device is not known, where the rule asks for nothing that only CONNECT can tell.
    pub(super) fn cut_unknown(&mut self, rule: &Rule, device: Option<DeviceId>) {
        let Some(legs) = cut_of(&rule.fault) else { return };
        for link in self.unknown_hit(rule, device) {
            self.order_cut(link, Cut { window: None, legs });
        }
    }

    /// The links whose device is not known that a one-shot falls on all the same.
    pub(super) fn unknown_hit(&self, rule: &Rule, device: Option<DeviceId>) -> Vec<LinkId> {
        if device.is_some() || rule.needs_connect() {
            return Vec::new();
        }
        let hit = self.sessions.unknown().filter(|(_, link)| pick::may_match(&rule.who, link));
        hit.map(|(id, _)| id).collect()
    }

    pub(super) fn order_cut(&mut self, link: LinkId, cut: Cut) {
        if let Some(control) = self.links.get_mut(&link) {
            control.cut = true;
            self.order(link, Order::Cut(cut));
        }
    }

    pub(super) fn cut_done(
        &mut self,
        link: LinkId,
        window: Option<WindowId>,
        done: Ends<Option<LegFate>>,
        last: Ends<LastPackets>,
    ) {
        let is_made = done != Ends::default();
        if let Some(control) = self.links.get_mut(&link).filter(|_| is_made) {
            control.cut = true;
        }
        // What a window has forgotten stays forgotten, and is reset when it is over, too.
        let stays = |window: &WindowId| {
            self.links.get(&link).and_then(|of| of.forgotten()) == Some((*window, Forgotten::Reset))
        };
        let open = window.filter(|window| is_made && (self.windows.contains_key(window) || stays(window)));
        if let Some(window) = open {
            if !self.works_on(window, link) {
                let means = Ends { device: done.device.map(mechanism), hub: done.hub.map(mechanism) };
                self.emit(What::FaultApplied { window, link, fidelity: fidelity_of(&done), means });
            }
            self.struck(window, link);
        }
        for side in Side::BOTH {
            if let Some(fate) = *done.get(side) {
                self.emit(What::LegCut { link, side, fate, window, last: *last.get(side) });
            }
        }
        if let Some(window) = window {
            self.lift(window, link);
        }
        self.packets_are_lost(link);
    }

    /// A window has cut a link. Where it goes on, what comes of that is watched from here; a device that it lets not come
    /// in may never be accepted.
    fn struck(&mut self, id: WindowId, link: LinkId) {
        let Some(window) = self.windows.get_mut(&id) else { return };
        window.struck = true;
        let (device, rule) = (window.device, window.rule);
        let goes_on = self.plan.rule(rule).is_some_and(|rule| !rule.fault.is_one_shot());
        if goes_on && self.sessions.link(link).is_some_and(|link| link.connack.is_none()) {
            let guessed = self.links.get(&link).is_some_and(|control| control.by_address);
            self.progress.turned_away(device, guessed);
        }
        self.changed();
    }
}

/// What a one-shot does to each leg.
fn cut_of(fault: &Fault) -> Option<Ends<LegFate>> {
    match fault {
        Fault::Rst(close) => Some(close.legs(LegFate::Reset)),
        Fault::Fin(close) => {
            Some(close.legs(if close.close_notify { LegFate::Close } else { LegFate::Unnotified }))
        }
        Fault::TlsAlert(alert) => Some(alert.legs()),
        Fault::Disconnect(disconnect) => Some(disconnect.legs()),
        Fault::TlsRecord(TlsRecord { toward, what: RecordFault::Truncated }) => {
            let mut legs = Ends { device: LegFate::HalfOpen, hub: LegFate::HalfOpen };
            *legs.get_mut(*toward) = LegFate::Truncated;
            Some(legs)
        }
        Fault::TlsRecord(TlsRecord { what: RecordFault::Damaged(_), .. })
        | Fault::TlsHandshake(_)
        | Fault::Blackhole(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => None,
    }
}
