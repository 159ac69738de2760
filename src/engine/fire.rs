//! Rules fire: firings are made, windows opened and closed.

use super::firing::{Firing, Window};
use super::io::PacketTicket;
use super::machine::{Engine, Timer};
use super::pick;
use crate::base::{DeviceId, FiringId, LinkId, RuleId, Span, Time, WindowId, time};
use crate::event::What;
use crate::fault::{Connects, Fault};
use crate::mqtt::PacketKind;
use crate::profile::{Rule, When, Who};
use crate::session::Device;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

impl Engine {
    pub(super) fn fire(&mut self, rule_id: RuleId, nth: u32, device: Option<DeviceId>) {
        self.fire_for(rule_id, nth, device, None);
    }

    /// A rule fires, and holds for this long, where it is to last and somebody said so.
    pub(super) fn fire_for(
        &mut self,
        rule_id: RuleId,
        nth: u32,
        device: Option<DeviceId>,
        asked: Option<Duration>,
    ) {
        let plan = Arc::clone(&self.plan);
        let Some(rule) = plan.rule(rule_id) else { return };
        let id = FiringId(self.next_firing);
        self.next_firing += 1;
        self.emit(What::Fired { firing: id, rule: rule_id, nth });
        if rule.fault.is_one_shot() {
            // It may cut links: what fell on them before holds there first.
            self.settle_devices();
        }
        let (at, first_new, windows) = (self.now, self.first_new, BTreeMap::new());
        let hold = asked.filter(|_| !rule.fault.is_one_shot()).map(Span::fixed).or(rule.fault.hold());
        let ends = hold.map(|hold| self.ends_of_each(hold, device)).unwrap_or_default();
        let (until_of_all, until) = (ends.first().copied(), ends.last().copied());
        let firing = Firing { rule: rule_id, nth, at, hold, until, until_of_all, device, first_new, windows };
        self.firings.insert(id, firing);
        self.fall_on_devices(id, rule_id, rule, device);
        if rule.fault.is_one_shot() {
            self.cut_unknown(rule, device);
            self.order_moments_unknown(id, rule_id, rule, device);
            self.firings.remove(id);
            self.changed();
            return;
        }
        for end in ends {
            let is_over = Some(end) == until;
            self.set_timer(end, if is_over { Timer::EndFiring(id) } else { Timer::HoldsOnFewer });
        }
        if rule.fault.is_of_handshakes() {
            self.strike_unknown();
        }
        self.settle_unknown();
        self.settle_listeners();
    }

    pub(super) fn fall_on_devices(
        &mut self,
        id: FiringId,
        rule_id: RuleId,
        rule: &Rule,
        only: Option<DeviceId>,
    ) {
        let hit: Vec<DeviceId> = self
            .those(only)
            .filter(|device| device.links.iter().any(|link| self.falls_on(rule_id, rule, device.id, *link)))
            .map(|device| device.id)
            .collect();
        for device in hit {
            self.open_window(id, rule, device);
            self.unsettled.insert(device);
        }
    }

    pub(super) fn falls_on(&self, rule_id: RuleId, rule: &Rule, device: DeviceId, link: LinkId) -> bool {
        let (Some(device), Some(link)) = (self.sessions.device(device), self.sessions.link(link)) else {
            return false;
        };
        pick::matches(self.seed, rule_id, &rule.who, device, link)
    }

    /// The one device, or all.
    fn those(&self, only: Option<DeviceId>) -> impl Iterator<Item = &Device> {
        let all = only.is_none().then(|| self.sessions.devices());
        only.and_then(|only| self.sessions.device(only)).into_iter().chain(all.into_iter().flatten())
    }

    /// The longest keep-alive that a firing may have to do with.
    pub(super) fn longest_keep_alive(&self, device: Option<DeviceId>) -> Duration {
        let default = self.plan.default_keep_alive;
        self.those(device).map(|known| known.keep_alive_or(default).0).max().unwrap_or(default)
    }

    /// When a firing that holds for so long from now is over, for each of those devices.
    fn ends_of_each(&self, hold: Span, device: Option<DeviceId>) -> BTreeSet<Time> {
        let default = self.plan.default_keep_alive;
        let mut ends: BTreeSet<Time> =
            self.those(device).map(|known| self.now + hold.resolve(known.keep_alive_or(default).0)).collect();
        if ends.is_empty() {
            ends.insert(self.now + hold.resolve(default));
        }
        ends
    }

    /// Whether a firing that is in force holds on this device, or would if it came.
    pub(super) fn holds_on(&self, firing: &Firing, device: &Device) -> bool {
        match firing.windows.get(&device.id) {
            Some(window) => self.windows.get(window).is_some_and(|window| !window.ending),
            None => {
                let keep_alive = device.keep_alive_or(self.plan.default_keep_alive).0;
                firing.hold.is_none_or(|hold| firing.at + hold.resolve(keep_alive) > self.now)
            }
        }
    }

    /// Lets the firings in force fall on the device of a link that was just identified.
    pub(super) fn join_firings(&mut self, link: LinkId) {
        if self.firings.is_empty() {
            return;
        }
        let Some(device) = self.sessions.device_of(link).map(|device| device.id) else { return };
        let plan = Arc::clone(&self.plan);
        let joined: Vec<(FiringId, RuleId)> = self
            .firings
            .that_may_hit(Some(device))
            .filter(|(_, firing)| !firing.windows.contains_key(&device))
            .map(|(id, firing)| (id, firing.rule))
            .collect();
        for (id, rule_id) in joined {
            let Some(rule) = plan.rule(rule_id) else { continue };
            if falls_on_later_links(&rule.fault) && self.falls_on(rule_id, rule, device, link) {
                self.open_window(id, rule, device);
            }
        }
    }

    pub(super) fn open_window(&mut self, id: FiringId, rule: &Rule, device_id: DeviceId) {
        let (Some(device), Some(firing)) = (self.sessions.device(device_id), self.firings.get_mut(id)) else {
            return;
        };
        let (rule_id, at, nth) = (firing.rule, firing.at, firing.nth);
        let (keep_alive, assumed) = device.keep_alive_or(self.plan.default_keep_alive);
        let mut until = firing.hold.map(|hold| at + hold.resolve(keep_alive));
        let before_connect = rule.fault.is_of_handshakes() || rule.fault.is_of_connects();
        if before_connect && device.keep_alive.is_none() {
            // Whoever is met before any CONNECT has no keep-alive of its own yet: the firing's end is its too.
            until = until.min(firing.until.or(until));
        }
        if let Some(end) = until.filter(|until| firing.until_of_all.is_some_and(|of_all| *until < of_all)) {
            firing.until_of_all = Some(end);
            let key = (end.max(self.now), self.next_timer);
            self.timers.insert(key, Timer::HoldsOnFewer);
            self.next_timer += 1;
        }
        let late = until.is_some_and(|until| until <= self.now);
        if late || !pick::chance(self.seed, rule_id, rule, device, nth) {
            return;
        }
        let window = WindowId(self.next_window);
        firing.windows.insert(device_id, window);
        let first_new = firing.first_new;
        let up_at_start: BTreeSet<LinkId> =
            device.links.iter().copied().filter(|link| *link < first_new).collect();
        let links = self.links_hit(&rule.who, device);
        let mut opened = Window::new(rule_id, device_id);
        opened.first_new = first_new;
        opened.up_at_start = up_at_start;
        opened.later_links = falls_on_later_links(&rule.fault);
        self.add_window(opened, id, until, (keep_alive, assumed));
        if let Some(until) = until {
            self.set_timer(until, Timer::EndWindow(window));
            self.order_rival(window, &rule.fault, &links, until);
        } else {
            self.order_cuts(window, &rule.fault, &links);
            self.order_moments(window, &rule.fault, &links);
        }
        if matches!(rule.fault, Fault::TokenExpiry(_)) {
            for link in links {
                self.watch_token(link);
            }
        }
    }

    /// Numbers a window and says that it is open.
    pub(super) fn add_window(
        &mut self,
        mut opened: Window,
        firing: FiringId,
        until: Option<Time>,
        (keep_alive, assumed): (Duration, bool),
    ) -> WindowId {
        let window = WindowId(self.next_window);
        self.next_window += 1;
        (opened.until, opened.keep_alive) = (until, keep_alive);
        let (rule, device) = (opened.rule, opened.device);
        self.windows.insert(window, opened);
        self.by_device.entry(device).or_default().insert(window);
        let keep_alive_ns = time::nanos(keep_alive);
        let hub_keep_alive_ns = self.hub_keep_alive_ns(device);
        self.emit(What::WindowOpened {
            window,
            firing,
            rule,
            device,
            until,
            keep_alive_ns,
            assumed,
            hub_keep_alive_ns,
        });
        window
    }

    /// The links of a device that a rule may fall on: it may be at other listeners, on other paths, too.
    fn links_hit(&self, who: &Who, device: &Device) -> Vec<LinkId> {
        let hit = |link: &LinkId| self.sessions.link(*link).is_some_and(|link| pick::may_match(who, link));
        device.links.iter().copied().filter(hit).collect()
    }

    pub(super) fn end_window(&mut self, id: WindowId) {
        let Some(window) = self.windows.get_mut(&id) else { return };
        window.ending = true;
        let device = window.device;
        self.dark.look_at(device);
        self.remember(id, device);
        self.unsettled.insert(device);
        self.lift_packets(id);
        self.close_if_lifted(id);
    }

    /// A window no longer holds on a link, or the link is gone.
    pub(super) fn lift(&mut self, id: WindowId, link: LinkId) {
        if let Some(window) = self.windows.get_mut(&id) {
            window.in_force.remove(&link);
            window.pending.retain(|(of, _)| *of != link);
        }
        self.close_if_lifted(id);
    }

    pub(super) fn close_if_lifted(&mut self, id: WindowId) {
        let Some(window) = self.windows.get(&id).filter(|window| window.is_lifted()) else { return };
        let device = window.device;
        let links = self.sessions.device(device).map(|known| known.links.as_slice()).unwrap_or_default();
        if links.iter().filter_map(|link| self.links.get(link)).any(|link| link.awaits(id)) {
            return;
        }
        self.windows.remove(&id);
        self.refusals.retain(|(of, _, _)| *of != id);
        if let Some(windows) = self.by_device.get_mut(&device) {
            windows.remove(&id);
        }
        self.emit(What::WindowClosed { window: id });
        self.changed();
    }

    pub(super) fn pull_triggers(&mut self, link: LinkId, kind: PacketKind, seq: u64) -> bool {
        let Some(device) = self.sessions.device_of(link) else { return false };
        let Some(live) = self.sessions.link(link) else { return false };
        let (seed, plan) = (self.seed, &self.plan);
        self.triggers.pull(plan, link, device.id, kind, seq, |id, rule| {
            pick::matches(seed, id, &rule.who, device, live)
        })
    }

    pub(super) fn passed(&mut self, link: LinkId, ticket: PacketTicket) {
        if ticket.held {
            self.emit(What::Forwarded { link, packet_seq: ticket.seq });
        }
        if ticket.wanted {
            self.packet_is_through(link, ticket.seq);
            self.arm(link, ticket.seq);
        }
    }

    /// Arms the rules that a packet pulled: it was passed on, or came to its end in brownout.
    pub(super) fn arm(&mut self, link: LinkId, seq: u64) {
        let plan = Arc::clone(&self.plan);
        for (rule, device) in self.triggers.passed(link, seq) {
            let Some(When::After { delay, .. }) = plan.rule(rule).map(|of| &of.when) else { continue };
            let keep_alive = self
                .sessions
                .device(device)
                .map_or(plan.default_keep_alive, |known| known.keep_alive_or(plan.default_keep_alive).0);
            self.set_timer(self.now + delay.resolve(keep_alive), Timer::FireOn { rule, device });
        }
    }
}

/// Whether a fault is a state of the path, which later links meet too.
fn falls_on_later_links(fault: &Fault) -> bool {
    match fault {
        Fault::Blackhole(blackhole) => blackhole.connects != Connects::Allow,
        Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::TlsHandshake(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Reject(_)
        | Fault::Packets(_) => true,
        Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Takeover(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_) => false,
    }
}
