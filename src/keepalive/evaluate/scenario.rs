//! The scenario of a case: its plan is made here, as a profile would make it.

use super::{Bench, Setting};
use crate::base::{Chance, RuleId, Span, Time};
use crate::fault::{
    Blackhole, Connects, Fault, FidelityWanted, Forgotten, IdleTimeout, Loss, Toward, WaysWanted,
};
use crate::keepalive::axes::span_keep_alive;
use crate::keepalive::outages::Spell;
use crate::profile::{self, Plan, Rule, When, Who};
use crate::sim::Scenario;
use std::sync::Arc;
use std::time::Duration;

impl Setting {
    /// One device that begins and ends then, and meets these outages.
    pub fn scenario(
        &self,
        bench: &Bench,
        spells: &[Spell],
        (begin, until): (Time, Time),
        seed: u64,
    ) -> Scenario {
        Scenario {
            devices: vec![self.habits.clone()],
            begin: vec![begin],
            hub: bench.manner.config(),
            link: self.link,
            plan: Arc::new(self.plan(spells)),
            seed,
            until,
        }
    }

    /// The number of the rule by which the path forgets; the one after that of the outages.
    pub fn forgets(&self) -> Option<RuleId> {
        self.path_idle.map(|_| RuleId(1))
    }

    fn plan(&self, spells: &[Spell]) -> Plan {
        let outages = rule("outage", When::Spells(spells.iter().map(in_plan).collect()), self.fault());
        let forgets = self.path_idle.map(|after| {
            let first = When::At { first: Duration::ZERO, repeat: None };
            let idle = IdleTimeout { after: Span::fixed(after), then: Forgotten::Vanish, hold: None };
            rule("forgets", first, Fault::IdleTimeout(idle))
        });
        Plan {
            name: "keepalive-sweep".into(),
            summary: "Outages and an idle timeout.".into(),
            reproduces: None,
            listeners: Vec::new(),
            devices: 1,
            default_keep_alive: span_keep_alive(0),
            settle: Span::ZERO,
            duration: None,
            server_keep_alive: None,
            sequence: None,
            fault_messages: None,
            strictness: None,
            rules: std::iter::once(outages).chain(forgets).collect(),
            expectations: Vec::new(),
        }
    }

    /// What holds in an outage.
    fn fault(&self) -> Fault {
        if self.outages.is_dark() {
            Fault::Blackhole(Blackhole {
                toward: Toward::Both,
                direction: WaysWanted::Both,
                // Each spell has its own.
                hold: Span::ZERO,
                fidelity: FidelityWanted::Packet,
                connects: Connects::Vanish,
            })
        } else {
            Fault::Loss(Loss { toward: Toward::Both, chance: self.outages.loss(), hold: None })
        }
    }
}

fn in_plan(spell: &Spell) -> profile::Spell {
    profile::Spell { at: spell.start.elapsed(), hold: spell.length }
}

/// A rule that falls on every device.
fn rule(id: &str, when: When, fault: Fault) -> Rule {
    Rule { id: id.into(), who: Who::EVERYONE, when, chance: Chance::ALWAYS, fault, logged_as: None }
}
