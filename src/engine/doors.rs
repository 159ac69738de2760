//! Listeners: whether connects arrive, vanish or are refused there.
//!
//! Where a blackhole that asks for it falls on everyone, all SYNs vanish. Where it falls on some, those from their addresses
//! do: a SYN says no more than its address. So an address is in the dark only if every device known there is. Who is behind
//! it and was never seen shares its lot; a device that was never seen is in the dark with nobody's address.

use super::firing::Window;
use super::io::{Door, Output};
use super::machine::Engine;
use crate::base::{Chance, DeviceId, ListenerId, RuleId};
use crate::event::{Sources, What};
use crate::fault::filter::fitting;
use crate::fault::{Connects, Fault, Mechanism, Refusal};
use crate::profile::Rule;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::net::IpAddr;

/// What a listener was asked to be.
#[derive(Debug, Default)]
pub(super) struct ListenerControl {
    asked: Door,
    /// What it was before, in case that is refused.
    before: Door,
    /// What the system does not let it be.
    refused: Vec<Door>,
}

impl Engine {
    /// Orders what connects to each listener are to meet, if that is not what was last ordered.
    pub(super) fn settle_listeners(&mut self) {
        let wanted: Vec<(ListenerId, Door)> = self
            .listeners
            .iter()
            .map(|(id, control)| (*id, control, self.door(*id)))
            .map(|(id, control, door)| {
                (id, control, if control.is_refused(&door) { Door::Open } else { door })
            })
            .filter(|(_, control, door)| control.asked != *door)
            .map(|(id, _, door)| (id, door))
            .collect();
        for (listener, door) in wanted {
            if let Some(control) = self.listeners.get_mut(&listener) {
                control.before = std::mem::replace(&mut control.asked, door.clone());
            }
            self.outputs.push_back(Output::Listener(listener, door));
        }
    }

    /// The same, where whom connects are to vanish for may have changed.
    pub(super) fn settle_sources(&mut self) {
        if std::mem::take(&mut self.sources_changed) && self.plan.rules.iter().any(can_select) {
            self.settle_listeners();
        }
    }

    /// Connects vanish, or are refused, where a fault that asks for it falls on every device of the listener; else those of
    /// devices in the dark vanish. What vanishes is not refused.
    pub(super) fn door(&self, listener: ListenerId) -> Door {
        let rules = self.firings.of_everyone().filter_map(|firing| self.plan.rule(firing.rule));
        let of_all = rules.filter(|rule| rule.chance == Chance::ALWAYS && rule.who.is_everyone_at(listener));
        let mut door = Door::Open;
        for rule in of_all {
            match &rule.fault {
                Fault::Blackhole(blackhole) if blackhole.connects == Connects::Vanish => return Door::Mute,
                Fault::Refuse(refuse) if refuse.how == Refusal::Closed => door = Door::Closed,
                _ => {}
            }
        }
        let (dark, _) = self.in_the_dark(listener);
        if dark.is_empty() { door } else { Door::MuteTo(dark.into()) }
    }

    /// The addresses of a listener's devices in the dark, ascending, and what there is to say of them. What a filter has no
    /// room for is left out.
    fn in_the_dark(&self, listener: ListenerId) -> (Vec<IpAddr>, Sources) {
        let mut dark: BTreeMap<IpAddr, BTreeSet<DeviceId>> = BTreeMap::new();
        let mut rules: BTreeSet<RuleId> = BTreeSet::new();
        for (address, window) in self.windows.values().filter_map(|window| self.hides(listener, window)) {
            dark.entry(address).or_default().insert(window.device);
            rules.insert(window.rule);
        }
        let known = dark.len();
        let is_alone = |address: IpAddr, devices: &BTreeSet<DeviceId>| {
            self.sessions.from_address(address).all(|device| devices.contains(&device))
        };
        dark.retain(|address, devices| is_alone(*address, devices));
        let mut dark: Vec<IpAddr> = dark.into_keys().collect();
        let alone = dark.len();
        dark.truncate(fitting(&dark));
        let sources = Sources {
            addresses: count(dark.len()),
            shared: count(known - alone),
            beyond: count(alone - dark.len()),
            rules: rules.into_iter().collect(),
        };
        (dark, sources)
    }

    /// The address of a window's device, if it asks that connects from there vanish at this listener.
    fn hides<'a>(&self, listener: ListenerId, window: &'a Window) -> Option<(IpAddr, &'a Window)> {
        let is_over = window.ending || window.until.is_some_and(|until| until <= self.now());
        let rule = self.plan.rule(window.rule).filter(|_| !is_over)?;
        let at_another = rule.who.listener.is_some_and(|wanted| wanted != listener);
        let address = self.sessions.device(window.device)?.address?;
        let from_another = rule.who.address.is_some_and(|network| !network.contains(address));
        (can_select(rule) && !at_another && !from_another).then_some((address, window))
    }

    /// What came of it. A door that the system refuses is not asked for again: connects are met with silence, or with a
    /// reset, in its place. That it opens again is asked for as often as there is a reason to.
    pub(super) fn listener_done(
        &mut self,
        listener: ListenerId,
        outcome: Result<Option<Mechanism>, String>,
        dropped: Option<u64>,
    ) {
        let asked = self.listeners.get(&listener).map(|control| &control.asked);
        let from = matches!(asked, Some(Door::MuteTo(_))).then(|| self.in_the_dark(listener).1);
        match outcome {
            Ok(Some(mechanism)) => self.emit(What::ListenerMuted { listener, mechanism, from, dropped }),
            Ok(None) => self.emit(What::ListenerUnmuted { listener, dropped }),
            Err(error) => {
                if let Some(control) = self.listeners.get_mut(&listener) {
                    let asked = std::mem::replace(&mut control.asked, control.before.clone());
                    if asked != Door::Open {
                        control.refused.push(asked);
                    }
                }
                self.emit(What::ListenerMuteRefused { listener, error });
            }
        }
    }
}

impl ListenerControl {
    /// Whether the system has refused such a door, to whomever it was.
    fn is_refused(&self, door: &Door) -> bool {
        self.refused.iter().any(|refused| discriminant(refused) == discriminant(door))
    }
}

/// Whether a rule asks that connects of its devices vanish, and a source address is enough to tell them: not what their TLS
/// is to show.
fn can_select(rule: &Rule) -> bool {
    let vanishes = matches!(&rule.fault, Fault::Blackhole(of) if of.connects == Connects::Vanish);
    vanishes && rule.who.sni.is_none() && rule.who.subject.is_none()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
