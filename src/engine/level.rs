//! Levels: what should hold on each link and listener, and what net/ confirmed of it.

use super::compose::{self, LinkKey};
use super::firing::Window;
use super::io::{Door, Granted, Order, Output};
use super::machine::Engine;
use super::pick;
use crate::base::{Chance, DeviceId, Direction, Ends, LinkId, ListenerId, Side, WindowId};
use crate::event::{LastPackets, What};
use crate::fault::{Bandwidth, Connects, Effects, Fault, Fidelity, LegFate, Mechanism, Refusal, Slice};
use crate::profile::Rule;
use crate::session::{Handshake, Link};
use std::collections::BTreeSet;

impl Engine {
    pub(super) fn settle_device(&mut self, device: DeviceId) {
        let links = self.sessions.device(device).map(|known| known.links.clone()).unwrap_or_default();
        for link in links {
            self.settle_link(link);
        }
    }

    pub(super) fn settle_unknown(&mut self) {
        let unknown: Vec<LinkId> =
            self.sessions.links().filter(|(_, link)| link.device.is_none()).map(|(id, _)| id).collect();
        for link in unknown {
            self.settle_link(link);
        }
    }

    /// Orders what should hold on a link, if that is not what was last ordered.
    pub(super) fn settle_link(&mut self, link: LinkId) {
        let (effects, windows) = self.desired(link);
        let Some(control) = self.links.get_mut(&link) else { return };
        let last = control.asked.back().map_or(&control.in_force, |(_, windows)| windows);
        if control.desired == effects && *last == windows {
            return;
        }
        control.desired = effects.clone();
        control.generation += 1;
        let generation = control.generation;
        control.asked.push_back((generation, windows));
        self.order(link, Order::Apply { generation, effects: Box::new(effects) });
    }

    pub(super) fn desired(&self, link_id: LinkId) -> (Effects, BTreeSet<WindowId>) {
        let mut effects = Effects::default();
        let mut holding = BTreeSet::new();
        let Some(link) = self.sessions.link(link_id) else { return (effects, holding) };
        let Some(device) = link.device.and_then(|id| self.sessions.device(id)) else {
            self.add_unknown(&mut effects, link);
            return (effects, holding);
        };
        for (id, window, rule) in self.windows_on(link_id) {
            let key = LinkKey { seed: self.seed, link_nth: link.nth, window: id };
            if rule.fault.is_of_handshakes() && !(is_shaking_hands(link) && effects.handshake.is_none()) {
                continue;
            }
            compose::add(&mut effects, window, &rule.fault, link_id, device, key);
            if rule.fault.is_level() {
                holding.insert(id);
            }
        }
        (effects, holding)
    }

    /// The windows that are to hold on a link of a device, with their rules, in the order of these and then of their own.
    pub(super) fn windows_on(&self, link_id: LinkId) -> Vec<(WindowId, &Window, &Rule)> {
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

    pub(super) fn add_unknown(&self, effects: &mut Effects, link: &Link) {
        for firing in self.firings.values() {
            let Some(rule) = self.plan.rule(firing.rule) else { continue };
            if pick::may_match(&rule.who, link) {
                let needs_connect = firing.device.is_some() || rule.needs_connect();
                compose::add_unknown(effects, &rule.fault, needs_connect);
            }
        }
    }

    pub(super) fn order(&mut self, link: LinkId, order: Order) {
        self.outputs.push_back(Output::Link(link, order));
    }

    pub(super) fn applied(&mut self, link: LinkId, generation: u64, granted: &Granted) {
        let Some(control) = self.links.get_mut(&link) else { return };
        let mut confirmed = Vec::new();
        while control.asked.front().is_some_and(|(asked, _)| *asked <= generation) {
            confirmed.extend(control.asked.pop_front().map(|(_, windows)| windows));
        }
        let Some(wanted) = confirmed.last().cloned() else { return };
        let before = std::mem::take(&mut control.in_force);
        let refusal = refusal(granted);
        let mut in_force = BTreeSet::new();
        for window in &wanted {
            match refusal {
                Some(error) if self.is_packet(*window, link) => self.refuse(*window, link, error.clone()),
                Some(_) | None => {
                    if before.contains(window) || self.confirm(*window, link, granted) {
                        in_force.insert(*window);
                    }
                }
            }
        }
        if let Some(control) = self.links.get_mut(&link) {
            control.in_force.clone_from(&in_force);
        }
        for window in before.difference(&in_force) {
            if !self.windows.get(window).is_some_and(|of| of.refused.contains(&link)) {
                self.emit(What::FaultLifted { window: *window, link });
            }
            self.lift(*window, link);
        }
        if refusal.is_some() {
            self.settle_link(link);
        }
        // A window that ended before it was confirmed waits for nothing more.
        for window in confirmed.into_iter().flatten() {
            self.close_if_lifted(window);
        }
    }

    /// Whether this window asks for packet fidelity on this link.
    pub(super) fn is_packet(&self, window: WindowId, link: LinkId) -> bool {
        self.windows.get(&window).is_some_and(|of| {
            of.was_up(link) && self.plan.rule(of.rule).is_some_and(|rule| rule.fault.wants_packet_fidelity())
        })
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

    pub(super) fn cut_done(
        &mut self,
        link: LinkId,
        window: Option<WindowId>,
        done: Ends<Option<LegFate>>,
        last: Ends<LastPackets>,
    ) {
        let is_news = |id: &WindowId| done != Ends::default() && !self.works_on(*id, link);
        if let Some(window) = window.filter(is_news) {
            let means = Ends { device: done.device.map(mechanism), hub: done.hub.map(mechanism) };
            self.emit(What::FaultApplied { window, link, fidelity: fidelity_of(&done), means });
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

    pub(super) fn settle_listeners(&mut self) {
        let wanted: Vec<(ListenerId, Door)> = self
            .listeners
            .iter()
            .filter(|(_, control)| !control.refused)
            .map(|(id, control)| (*id, control.asked, self.door(*id)))
            .filter(|(_, asked, door)| asked != door)
            .map(|(id, _, door)| (id, door))
            .collect();
        for (listener, door) in wanted {
            if let Some(control) = self.listeners.get_mut(&listener) {
                control.asked = door;
            }
            self.outputs.push_back(Output::Listener(listener, door));
        }
    }

    /// Connects vanish, or are refused, where a fault that asks for it falls on every device of the listener. What
    /// vanishes is not refused.
    pub(super) fn door(&self, listener: ListenerId) -> Door {
        let firings = self.firings.values().filter(|firing| firing.device.is_none());
        let rules = firings.filter_map(|firing| self.plan.rule(firing.rule));
        let of_all = rules.filter(|rule| rule.chance == Chance::ALWAYS && rule.who.is_everyone_at(listener));
        let mut door = Door::Open;
        for rule in of_all {
            match &rule.fault {
                Fault::Blackhole(blackhole) if blackhole.connects == Connects::Vanish => return Door::Mute,
                Fault::Refuse(refuse) if refuse.how == Refusal::Closed => door = Door::Closed,
                _ => {}
            }
        }
        door
    }

    pub(super) fn listener_done(&mut self, listener: ListenerId, outcome: Result<Option<Mechanism>, String>) {
        match outcome {
            Ok(Some(mechanism)) => self.emit(What::ListenerMuted { listener, mechanism }),
            Ok(None) => self.emit(What::ListenerUnmuted { listener }),
            Err(error) => {
                if let Some(control) = self.listeners.get_mut(&listener) {
                    control.refused = true;
                }
                self.emit(What::ListenerMuteRefused { listener, error });
            }
        }
    }
}

/// Whether a fault of handshakes can still fall on the link.
pub(super) fn is_shaking_hands(link: &Link) -> bool {
    link.handshake == Handshake::UnderWay
}

/// What the peers' TCP sees of a cut: RST, FIN and silence are its own; what TLS says, or leaves out, comes in a stream
/// that TCP carries and ends in order.
fn fidelity_of(done: &Ends<Option<LegFate>>) -> Fidelity {
    let is_of_stream = |side| match *done.get(side) {
        Some(
            LegFate::Unnotified
            | LegFate::Alert(_)
            | LegFate::Truncated
            | LegFate::Rejected(_)
            | LegFate::Disconnected(_),
        ) => true,
        Some(LegFate::Reset | LegFate::Close | LegFate::HalfOpen | LegFate::ResetWhenSends) | None => false,
    };
    if Side::BOTH.into_iter().any(is_of_stream) { Fidelity::Stream } else { Fidelity::Packet }
}

fn mechanism(fate: LegFate) -> Mechanism {
    match fate {
        LegFate::Reset => Mechanism::Linger,
        LegFate::Close => Mechanism::Shutdown,
        LegFate::Unnotified => Mechanism::Unnotified,
        LegFate::Alert(_) => Mechanism::Alert,
        LegFate::Truncated => Mechanism::Truncated,
        LegFate::Rejected(_) => Mechanism::Rejected,
        LegFate::Disconnected(_) => Mechanism::Disconnected,
        LegFate::HalfOpen | LegFate::ResetWhenSends => Mechanism::Parked,
    }
}

/// The first refusal among what the kernel said.
fn refusal(granted: &Granted) -> Option<&String> {
    Side::BOTH
        .into_iter()
        .find_map(|side| granted.mute.get(side).as_ref().and_then(|mute| mute.as_ref().err()))
}

/// How a holding fault was made, given what the kernel granted.
fn how(fault: &Fault, packet: bool, granted: &Granted) -> (Fidelity, Ends<Option<Mechanism>>) {
    let mut means = Ends::default();
    match fault {
        Fault::Blackhole(blackhole) => {
            let mut fidelity = Fidelity::Stall;
            for side in Side::BOTH.into_iter().filter(|side| blackhole.toward.hits(*side)) {
                let muted =
                    granted.mute.get(side).as_ref().and_then(|mute| mute.as_ref().ok()).filter(|_| packet);
                if muted.is_some() {
                    fidelity = Fidelity::Packet;
                }
                *means.get_mut(side) = Some(muted.copied().unwrap_or(Mechanism::Gate));
            }
            (fidelity, means)
        }
        Fault::Stall(stall) => {
            for direction in Direction::BOTH.into_iter().filter(|d| stall.direction.hits(*d)) {
                *means.get_mut(direction.from()) = Some(Mechanism::Gate);
            }
            (Fidelity::Stall, means)
        }
        Fault::Latency(latency) => {
            for direction in Direction::BOTH.into_iter().filter(|d| latency.direction.hits(*d)) {
                *means.get_mut(direction.from()) = Some(Mechanism::Lane);
            }
            (Fidelity::Stream, means)
        }
        Fault::TlsHandshake(_) => {
            means.device = Some(Mechanism::Handshake);
            (Fidelity::Stream, means)
        }
        Fault::Bandwidth(Bandwidth { direction: ways, .. }) | Fault::Slice(Slice { direction: ways, .. }) => {
            for direction in Direction::BOTH.into_iter().filter(|d| ways.hits(*d)) {
                *means.get_mut(direction.from()) = Some(Mechanism::Shaper);
            }
            (Fidelity::Stream, means)
        }
        Fault::Loss(loss) => {
            for side in Side::BOTH.into_iter().filter(|side| loss.toward.hits(*side)) {
                let granted = granted.loss.get(side).as_ref().and_then(|loss| loss.as_ref().ok());
                *means.get_mut(side) = granted.copied();
            }
            (Fidelity::Packet, means)
        }
        Fault::IdleTimeout(_) => {
            means = Ends { device: Some(Mechanism::Gate), hub: Some(Mechanism::Gate) };
            (Fidelity::Stall, means)
        }
        // These are confirmed by what they did, not by a state of the link.
        Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::CutAfter(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => (Fidelity::Packet, means),
    }
}
