//! Listeners: whether connects arrive, vanish or are refused there.

use super::io::{Door, Output};
use super::machine::Engine;
use crate::base::{Chance, ListenerId};
use crate::event::What;
use crate::fault::{Connects, Fault, Mechanism, Refusal};

impl Engine {
    /// Orders what connects to each listener are to meet, if that is not what was last ordered.
    pub(super) fn settle_listeners(&mut self) {
        let wanted: Vec<(ListenerId, Door)> = self
            .listeners
            .iter()
            .map(|(id, control)| (*id, control, self.door(*id)))
            .map(|(id, control, door)| {
                (id, control, if control.refused.contains(&door) { Door::Open } else { door })
            })
            .filter(|(_, control, door)| control.asked != *door)
            .map(|(id, _, door)| (id, door))
            .collect();
        for (listener, door) in wanted {
            if let Some(control) = self.listeners.get_mut(&listener) {
                control.before = std::mem::replace(&mut control.asked, door);
            }
            self.outputs.push_back(Output::Listener(listener, door));
        }
    }

    /// Connects vanish, or are refused, where a fault that asks for it falls on every device of the listener. What
    /// vanishes is not refused.
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
        door
    }

    /// What came of it. A door that the system refuses is not asked for again: connects are met with silence, or with a
    /// reset, in its place. That it opens again is asked for as often as there is a reason to.
    pub(super) fn listener_done(&mut self, listener: ListenerId, outcome: Result<Option<Mechanism>, String>) {
        match outcome {
            Ok(Some(mechanism)) => self.emit(What::ListenerMuted { listener, mechanism }),
            Ok(None) => self.emit(What::ListenerUnmuted { listener }),
            Err(error) => {
                if let Some(control) = self.listeners.get_mut(&listener) {
                    if control.asked != Door::Open {
                        control.refused.push(control.asked);
                    }
                    control.asked = control.before;
                }
                self.emit(What::ListenerMuteRefused { listener, error });
            }
        }
    }
}
