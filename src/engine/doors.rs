//! Listeners: whether connects arrive, vanish or are refused there.
//!
//! Where a blackhole that asks for it falls on everyone, all SYNs vanish. Where it falls on some, those from their addresses
//! do ([`super::dark`]).

use super::dark::Shade;
use super::firing::Firing;
use super::io::{Door, Output};
use super::machine::Engine;
use crate::base::{Chance, ListenerId};
use crate::event::What;
use crate::fault::{Connects, Fault, Mechanism, Refusal};
use std::mem::discriminant;

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
        self.see_the_dark();
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
        if self.dark.has_changed() {
            self.settle_listeners();
        }
    }

    /// Connects vanish, or are refused, where a fault that asks for it falls on every device of the listener; else those of
    /// devices in the dark vanish. What vanishes is not refused.
    pub(super) fn door(&self, listener: ListenerId) -> Door {
        // Where it is over for one of them, their addresses or their CONNECT tell who it still holds on.
        let of_all = |firing: &&Firing| firing.until_of_all.is_none_or(|until| until > self.now());
        let rules =
            self.firings.of_everyone().filter(of_all).filter_map(|firing| self.plan.rule(firing.rule));
        let of_all = rules.filter(|rule| rule.chance == Chance::ALWAYS && rule.who.is_everyone_at(listener));
        let mut door = Door::Open;
        for rule in of_all {
            match &rule.fault {
                Fault::Blackhole(blackhole) if blackhole.connects == Connects::Vanish => return Door::Mute,
                Fault::Refuse(refuse) if refuse.how == Refusal::Closed => door = Door::Closed,
                _ => {}
            }
        }
        match self.dark.at(listener) {
            Some(shade) if !shade.is_empty() => Door::MuteTo(shade.addresses().into()),
            Some(_) | None => door,
        }
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
        let shade = self.dark.at(listener).filter(|_| matches!(asked, Some(Door::MuteTo(_))));
        let from = shade.map(Shade::sources);
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
