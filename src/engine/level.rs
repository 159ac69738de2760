//! Levels: what should hold on each link, and what net/ confirmed of it.

use super::compose::{self, LinkKey};
use super::control::{Asked, Orders};
use super::firing::{Firing, Window};
use super::io::{Granted, Order, Output};
use super::machine::Engine;
use super::means::how;
use super::pick;
use crate::base::{DeviceId, LinkId, Side, Ways, WindowId};
use crate::event::What;
use crate::fault::{Effects, Fault};
use crate::profile::Rule;
use crate::session::{Handshake, Link};
use std::collections::BTreeSet;

impl Engine {
    /// Settles the links of devices whose windows have changed: once for all that changed at one moment, since each change costs a
    /// look at all windows of a device.
    pub(super) fn settle_devices(&mut self) {
        while let Some(device) = self.unsettled.pop_first() {
            self.settle_device(device);
        }
    }

    fn settle_device(&mut self, device: DeviceId) {
        let links = self.sessions.device(device).map(|known| known.links.clone()).unwrap_or_default();
        for link in links {
            self.settle_link(link);
        }
    }

    pub(super) fn settle_unknown(&mut self) {
        let unknown: Vec<LinkId> = self.sessions.unknown().map(|(id, _)| id).collect();
        for link in unknown {
            self.settle_link(link);
        }
    }

    /// Orders what should hold on a link, if that is not what was last ordered.
    pub(super) fn settle_link(&mut self, link: LinkId) {
        if self.has_nothing_on(link) {
            return;
        }
        if self.is_cut(link) && self.sessions.device_of(link).is_none() {
            return;
        }
        let (mut effects, mut windows) = self.desired(link);
        if !is_dark(&effects) && self.sees_light(link) {
            (effects, windows) = self.desired(link);
        }
        let Some(control) = self.links.get_mut(&link) else { return };
        if control.orders.is_none() && windows.is_empty() && effects == Effects::default() {
            return;
        }
        let orders = control.orders.get_or_insert_default();
        let last = orders.asked.back().map_or(&orders.in_force, |asked| &asked.windows);
        if orders.desired == effects && *last == windows {
            return;
        }
        orders.desired.clone_from(&effects);
        orders.generation += 1;
        let generation = orders.generation;
        orders.asked.push_back(Asked { generation, windows, idle: effects.idle });
        self.order(link, Order::Apply { generation, effects: Box::new(effects) });
    }

    /// Whether the path of a link lets nothing pass, in one direction at least.
    pub(super) fn is_in_the_dark(&self, link: LinkId) -> bool {
        is_dark(&self.desired(link).0)
    }

    pub(super) fn desired(&self, link_id: LinkId) -> (Effects, BTreeSet<WindowId>) {
        let mut effects = Effects::default();
        let mut holding = BTreeSet::new();
        let Some(link) = self.sessions.link(link_id) else { return (effects, holding) };
        let Some(device) = link.device.and_then(|id| self.sessions.device(id)) else {
            self.add_unknown(&mut effects, link_id, link);
            return (effects, holding);
        };
        let control = self.links.get(&link_id);
        for (id, window, rule) in self.windows_on(link_id) {
            let (link_nth, mutes) = (link.nth, self.mutes(&rule.fault));
            let key = LinkKey { seed: self.seed, link_nth, window: id, mutes };
            if rule.fault.is_of_handshakes() && !(is_shaking_hands(link) && effects.handshake.is_none()) {
                continue;
            }
            if control.is_some_and(|control| control.cut && !control.knows(id)) {
                // It is ending: it comes under nothing new.
                continue;
            }
            compose::add(&mut effects, window, &rule.fault, link_id, device, key);
            let is_idle = matches!(rule.fault, Fault::IdleTimeout(_));
            if rule.fault.is_level() && (!is_idle || control.is_some_and(|control| control.is_gone_by(id))) {
                holding.insert(id);
            }
        }
        if let Some(control) = control {
            control.add_forgotten(&mut effects);
        }
        (effects, holding)
    }

    /// The windows that are to hold on a link of a device, with their rules, in the order of these and then of their own.
    pub(super) fn windows_on(&self, link_id: LinkId) -> Vec<(WindowId, &Window, &Rule)> {
        if self.windows.is_empty() {
            return Vec::new();
        }
        let Some(link) = self.sessions.link(link_id) else { return Vec::new() };
        let of_device = link.device.and_then(|device| self.by_device.get(&device));
        let mut windows: Vec<(WindowId, &Window, &Rule)> = of_device
            .into_iter()
            .flatten()
            .filter_map(|id| {
                let window = self.windows.get(id).filter(|window| window.covers(link_id))?;
                let rule = self.plan.rule(window.rule).filter(|rule| pick::may_match(&rule.who, link))?;
                Some((*id, window, rule))
            })
            .collect();
        windows.sort_by_key(|(id, window, _)| (window.rule, *id));
        windows
    }

    pub(super) fn add_unknown(&self, effects: &mut Effects, link_id: LinkId, link: &Link) {
        // Of the firings on single devices, the oldest of a rule spares the fewest links; else they are alike here.
        for firing in self.firings.of_everyone().chain(self.firings.oldest_of_some()) {
            let Some(rule) = self.plan.rule(firing.rule) else { continue };
            let is_spared = matches!(rule.fault, Fault::Refuse(_)) && link_id < firing.first_new;
            if pick::may_match(&rule.who, link) && !is_spared {
                let needs_connect =
                    firing.device.is_some() || rule.needs_connect() || self.may_be_over(firing, link);
                compose::add_unknown(effects, &rule.fault, needs_connect);
            }
        }
    }

    /// Whether a firing holds no more on a device that this link may be of, by its address.
    fn may_be_over(&self, firing: &Firing, link: &Link) -> bool {
        if firing.until_of_all.is_none_or(|until| until > self.now()) {
            return false;
        }
        let there = link.ip().into_iter().flat_map(|address| self.sessions.from_address(address));
        there.filter_map(|id| self.sessions.device(id)).any(|device| !self.holds_on(firing, device))
    }

    pub(super) fn order(&mut self, link: LinkId, order: Order) {
        self.outputs.push_back(Output::Link(link, order));
    }

    pub(super) fn applied(&mut self, link: LinkId, generation: u64, granted: &Granted) {
        let Some(orders) = self.orders(link) else { return };
        let mut confirmed = Vec::new();
        while orders.asked.front().is_some_and(|asked| asked.generation <= generation) {
            let Some(asked) = orders.asked.pop_front() else { break };
            orders.idle = asked.idle;
            confirmed.push(asked.windows);
        }
        let Some(wanted) = confirmed.last().cloned() else { return };
        let before = std::mem::take(&mut orders.in_force);
        let mut in_force = BTreeSet::new();
        let mut is_refused = false;
        for window in &wanted {
            if let Some(error) = self.kernel_refusal(*window, link, granted) {
                self.refuse(*window, link, error);
                is_refused = true;
            } else if before.contains(window) || self.confirm(*window, link, granted) {
                in_force.insert(*window);
            }
        }
        if let Some(orders) = self.orders(link) {
            orders.in_force.clone_from(&in_force);
        }
        for window in before.difference(&in_force) {
            let was_refused = self.windows.get(window).is_some_and(|of| of.refused.contains(&link));
            let stays_gone = self.links.get(&link).is_some_and(|control| control.is_gone_by(*window));
            if !was_refused && !stays_gone {
                self.emit(What::FaultLifted { window: *window, link });
            }
            self.lift(*window, link);
        }
        if is_refused {
            self.settle_link(link);
        }
        // A window that ended before it was confirmed waits for nothing more.
        for window in confirmed.into_iter().flatten() {
            self.close_if_lifted(window);
        }
    }

    fn orders(&mut self, link: LinkId) -> Option<&mut Orders> {
        self.links.get_mut(&link)?.orders.as_deref_mut()
    }

    /// Whether this window is made at packet fidelity on this link, where the kernel grants that.
    pub(super) fn is_packet(&self, window: WindowId, link: LinkId) -> bool {
        self.asks(window, link, |fault| self.mutes(fault))
    }

    /// Whether this window's fault is of this kind, and found the link up.
    fn asks(&self, window: WindowId, link: LinkId, is_so: impl FnOnce(&Fault) -> bool) -> bool {
        let of = self.windows.get(&window).filter(|of| of.was_up(link));
        of.and_then(|of| self.plan.rule(of.rule)).is_some_and(|rule| is_so(&rule.fault))
    }

    /// What the kernel said against what this window asks of it on this link.
    fn kernel_refusal(&self, window: WindowId, link: LinkId, granted: &Granted) -> Option<String> {
        // What only takes packet fidelity where it can be had is made as a stall instead.
        if self.asks(window, link, Fault::wants_packet_fidelity) {
            return Side::BOTH
                .into_iter()
                .find_map(|side| granted.mute.get(side).as_ref()?.as_ref().err().cloned());
        }
        let rule = self.windows.get(&window).and_then(|of| self.plan.rule(of.rule))?;
        let Fault::Loss(loss) = &rule.fault else { return None };
        let mut hit = Side::BOTH.into_iter().filter(|side| loss.toward.hits(*side));
        hit.find_map(|side| granted.loss.get(side).as_ref()?.as_ref().err().cloned())
    }

    pub(super) fn refuse(&mut self, window: WindowId, link: LinkId, error: String) {
        if let Some(of) = self.windows.get_mut(&window) {
            of.refused.insert(link);
        }
        self.emit(What::FaultRefused { window, link, error });
    }

    /// Says that the window holds on the link; false where it has closed since it was ordered.
    pub(super) fn confirm(&mut self, id: WindowId, link: LinkId, granted: &Granted) -> bool {
        let packet = self.is_packet(id, link);
        let Some(window) = self.windows.get_mut(&id) else { return false };
        window.in_force.insert(link);
        let Some(rule) = self.plan.rule(window.rule) else { return false };
        let (fidelity, means) = how(&rule.fault, packet, granted);
        if rule.fault.is_of_handshakes() {
            self.progress.struck.insert(window.device);
        }
        self.emit(What::FaultApplied { window: id, link, fidelity, means });
        true
    }
}

/// Whether a fault of handshakes can still fall on the link.
pub(super) fn is_shaking_hands(link: &Link) -> bool {
    link.handshake == Handshake::UnderWay
}

fn is_dark(effects: &Effects) -> bool {
    effects.closed != Ways::default()
}
