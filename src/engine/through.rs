//! When a run is through: no rule has anything left to do on any device that is there, and the devices were watched
//! for the plan's settling time after the last change.

use super::machine::{Engine, Timer};
use crate::base::{DeviceId, RuleId, Time};
use crate::event::EndReason;
use crate::profile::{Rule, When};
use crate::session::Device;
use std::collections::BTreeSet;

/// How far the run is.
#[derive(Debug)]
pub(super) struct Progress {
    /// When to look next whether the run is through.
    pub(super) look_at: Option<Time>,
    /// The last time that a window closed or a device was accepted.
    last_change: Time,
    /// Devices whose attempts met a fault, as far as their address tells: they may never be accepted.
    pub(super) struck: BTreeSet<DeviceId>,
    /// Devices whose attempts met one, as their CONNECT said.
    rejected: BTreeSet<DeviceId>,
    command: Command,
    finished: bool,
}

#[derive(Debug, PartialEq)]
enum Command {
    Absent,
    Running,
    Ended,
}

impl Progress {
    pub(super) fn new(with_command: bool) -> Progress {
        let command = if with_command { Command::Running } else { Command::Absent };
        Progress {
            look_at: None,
            last_change: Time::ZERO,
            struck: BTreeSet::new(),
            rejected: BTreeSet::new(),
            command,
            finished: false,
        }
    }

    /// A fault ended an attempt of this device to connect. `guessed`: only the address says that it was this one's.
    pub(super) fn turned_away(&mut self, device: DeviceId, guessed: bool) {
        if guessed { &mut self.struck } else { &mut self.rejected }.insert(device);
    }
}

impl Engine {
    /// Something happened that starts the watch anew.
    pub(super) fn changed(&mut self) {
        self.progress.last_change = self.now();
        self.look_later();
    }

    /// A link is gone: there may be nobody left to wait for.
    pub(super) fn link_gone(&mut self) {
        self.look_later();
        self.end_with_command();
    }

    pub(super) fn command_ended(&mut self) {
        self.progress.command = Command::Ended;
        self.look_later();
        self.end_with_command();
    }

    /// Sees to it that the run is looked at once it has settled. What comes before that only puts it off: who looks too early
    /// looks again.
    pub(super) fn look_later(&mut self) {
        // Nobody waits for the end of a run without rules, be there ever so many devices to look through.
        if self.progress.look_at.is_none() && !self.plan.rules.is_empty() {
            self.progress.look_at = Some(self.settled_at().max(self.now()));
        }
    }

    /// Finishes the run if it is due to be looked at, and through.
    pub(super) fn look(&mut self) {
        if self.progress.look_at.is_none_or(|at| at > self.now()) {
            return;
        }
        let settled = self.settled_at();
        if settled > self.now() {
            self.progress.look_at = Some(settled);
            return;
        }
        self.progress.look_at = None;
        if self.progress.command != Command::Running && self.is_exhausted() {
            self.finish_once(EndReason::Complete);
        }
    }

    /// Once the command has ended and no device is left, nothing more can happen.
    fn end_with_command(&mut self) {
        if self.progress.command == Command::Ended && self.sessions.links().next().is_none() {
            self.finish_once(EndReason::CommandEnded);
        }
    }

    fn finish_once(&mut self, reason: EndReason) {
        if !std::mem::replace(&mut self.progress.finished, true) {
            self.finish(reason);
        }
    }

    fn settled_at(&self) -> Time {
        let default = self.plan.default_keep_alive;
        let longest = self.sessions.devices().map(|device| device.keep_alive_or(default).0).max();
        self.progress.last_change + self.plan.settle.resolve(longest.unwrap_or(default))
    }

    fn is_exhausted(&self) -> bool {
        let firing_due = self.timers.values().any(|timer| match timer {
            // A firing in force may still fall on a device that comes.
            Timer::Fire { .. } | Timer::FireOn { .. } | Timer::FireAsked { .. } | Timer::EndFiring(_) => true,
            // A window that lasts as long as the run has something left to do until it has ended one link.
            Timer::Expire { window, .. } => self.windows.get(window).is_some_and(|window| !window.struck),
            Timer::EndWindow(_) | Timer::HoldsOnFewer | Timer::Duration => false,
        });
        let lasting = |window: &super::firing::Window| {
            self.plan.rule(window.rule).is_some_and(|rule| rule.fault.hold().is_none())
        };
        // What devices may ask for is never over: a run with no other rule watches on, as one without any does.
        self.plan.rules.iter().any(|rule| !matches!(rule.when, When::Asked(_)))
            && !firing_due
            && self.windows.values().all(lasting)
            && self.seen_enough()
            && self
                .plan
                .rules()
                .all(|(id, rule)| self.sessions.devices().all(|device| self.is_done_with(id, rule, device)))
    }

    fn seen_enough(&self) -> bool {
        let seen = self.sessions.devices().filter(|device| device.accepted > 0 || self.is_kept_out(device));
        let seen = seen.count();
        u32::try_from(seen).unwrap_or(u32::MAX) >= self.plan.devices
    }

    /// Whether a device was seen to be kept out: a fault met its CONNECT, or its attempts before that, and it is alone at
    /// its address.
    fn is_kept_out(&self, device: &Device) -> bool {
        let alone = |address| self.sessions.from_address(address).all(|other| other == device.id);
        let struck =
            self.progress.struck.contains(&device.id) && !device.was_two && device.address.is_some_and(alone);
        struck || self.progress.rejected.contains(&device.id)
    }

    fn is_done_with(&self, id: RuleId, rule: &Rule, device: &Device) -> bool {
        match rule.when {
            When::At { .. } | When::Spells(_) | When::Asked(_) => true,
            When::After { times, .. } => {
                let may_fall = device.links.iter().any(|link| self.falls_on(id, rule, device.id, *link));
                !may_fall || self.triggers.is_spent(id, device.id, times)
            }
        }
    }
}
