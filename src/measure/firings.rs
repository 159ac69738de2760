//! What rules did beside falling on links: how often they fired, whom they missed, which listeners went mute for them.

use super::facts::Window;
use super::results::Skipped;
use crate::base::text::glob;
use crate::base::{Chance, DeviceId, ListenerId, RuleId, WindowId};
use crate::event::Sources;
use crate::fault::{Connects, Fault, Mechanism, Refusal};
use crate::profile::{Plan, Rule, Who};
use crate::session::{Device, Sessions};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The firings of a run, by rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Firings {
    /// How often each rule fired.
    pub fired: BTreeMap<RuleId, u64>,
    /// Firings by the run's clock that were left out.
    pub skipped: BTreeMap<RuleId, Skipped>,
    /// How many firings found this known device without any link, and did not fall on a later one either.
    pub missed: BTreeMap<(RuleId, DeviceId), u64>,
    /// By what means connects vanished for a rule.
    pub vanished: BTreeMap<RuleId, Vec<Mechanism>>,
    /// Why they did not.
    pub refused: BTreeMap<RuleId, Vec<String>>,
    /// Packets of connects that the kernel dropped at listeners muted for a rule, where it counts them.
    pub dropped: BTreeMap<RuleId, u64>,
    muted: BTreeMap<ListenerId, Mechanism>,
    /// The rules that a listener is muted for.
    muted_for: BTreeMap<ListenerId, BTreeSet<RuleId>>,
    latest: Option<RuleId>,
    /// Whom the last firing of each rule has missed so far.
    missing: BTreeMap<RuleId, BTreeSet<DeviceId>>,
}

impl Firings {
    pub fn fired(&mut self, id: RuleId, plan: &Plan, sessions: &Sessions) {
        *self.fired.entry(id).or_default() += 1;
        self.latest = Some(id);
        let Some(rule) = plan.rule(id) else { return };
        // A fault of handshakes or of connects waits for who comes: it misses nobody.
        let waits = rule.fault.is_of_handshakes() || rule.fault.is_of_connects();
        let is_by_clock = rule.when.is_by_clock() && !waits;
        let is_missed = |device: &&Device| is_by_clock && device.links.is_empty() && is_meant(rule, device);
        let missing: BTreeSet<DeviceId> = sessions.devices().filter(is_missed).map(|d| d.id).collect();
        for device in &missing {
            *self.missed.entry((id, *device)).or_default() += 1;
        }
        self.missing.insert(id, missing);
        let muted: Vec<(ListenerId, Mechanism)> = self.muted.iter().map(|(id, by)| (*id, *by)).collect();
        for (_, by) in muted.into_iter().filter(|(listener, by)| asks_for(rule, *listener, Some(*by))) {
            self.note_vanished(id, by);
        }
        for listener in self.muted.keys().filter(|listener| asks_for(rule, **listener, None)) {
            self.muted_for.entry(*listener).or_default().insert(id);
        }
    }

    pub fn skipped(&mut self, id: RuleId, firings: u64, late: Duration) {
        let skipped = self.skipped.entry(id).or_default();
        skipped.firings += firings;
        skipped.late = skipped.late.max(late);
    }

    /// A firing fell on the device; where it had no link at first, on a later one.
    pub fn opened(&mut self, rule: RuleId, device: DeviceId) {
        if !self.missing.get_mut(&rule).is_some_and(|missing| missing.remove(&device)) {
            return;
        }
        if let Some(times) = self.missed.get_mut(&(rule, device)) {
            *times -= 1;
        }
    }

    pub fn muted(
        &mut self,
        listener: ListenerId,
        by: Mechanism,
        plan: &Plan,
        windows: &BTreeMap<WindowId, Window>,
    ) {
        self.muted.insert(listener, by);
        let asking = self.asking(listener, Some(by), plan, windows);
        for rule in &asking {
            self.note_vanished(*rule, by);
        }
        self.muted_for.insert(listener, asking.into_iter().collect());
    }

    /// Connects from some addresses vanish.
    pub fn muted_to(&mut self, listener: ListenerId, by: Mechanism, sources: &Sources) {
        for rule in &sources.rules {
            self.note_vanished(*rule, by);
        }
        self.muted_for.insert(listener, sources.rules.iter().copied().collect());
    }

    pub fn unmuted(&mut self, listener: ListenerId) {
        self.muted.remove(&listener);
        self.muted_for.remove(&listener);
    }

    /// The kernel has dropped so much at a listener that is mute, or was until now.
    pub fn dropped(&mut self, listener: ListenerId, dropped: Option<u64>) {
        let Some(dropped) = dropped else { return };
        for rule in self.muted_for.get(&listener).into_iter().flatten() {
            *self.dropped.entry(*rule).or_default() += dropped;
        }
    }

    /// Answers whether a rule is known that asked for it.
    pub fn mute_refused(
        &mut self,
        listener: ListenerId,
        error: &str,
        plan: &Plan,
        windows: &BTreeMap<WindowId, Window>,
    ) -> bool {
        let asking = self.asking(listener, None, plan, windows);
        for rule in &asking {
            self.refused.entry(*rule).or_default().push(error.to_owned());
        }
        !asking.is_empty()
    }

    /// The rules in force that the listener is muted for: the one that fired last, and those with open windows.
    fn asking(
        &self,
        listener: ListenerId,
        by: Option<Mechanism>,
        plan: &Plan,
        windows: &BTreeMap<WindowId, Window>,
    ) -> Vec<RuleId> {
        let is_open = |id| windows.values().any(|window| window.rule == id && window.closed.is_none());
        let asking = plan.rules().filter(|(_, rule)| asks_for(rule, listener, by)).map(|(id, _)| id);
        asking.filter(|id| self.latest == Some(*id) || is_open(*id)).collect()
    }

    fn note_vanished(&mut self, rule: RuleId, by: Mechanism) {
        let means = self.vanished.entry(rule).or_default();
        if !means.contains(&by) {
            means.push(by);
        }
    }
}

/// Whether a firing would have fallen on the device, had it been connected. False where that cannot be told of a
/// device without a link: by address, listener and TLS, and by a draw.
pub(super) fn is_meant(rule: &Rule, device: &Device) -> bool {
    let Who { client, username, version, address, listener, sni, subject, share } = &rule.who;
    let is_of_its_link = address.is_some() || listener.is_some() || sni.is_some() || subject.is_some();
    let is_known = !is_of_its_link && *share == Chance::ALWAYS && rule.chance == Chance::ALWAYS;
    let matches = |pattern: &Option<String>, text: Option<&str>| {
        pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| glob(pattern, text)))
    };
    is_known
        && matches(client, Some(&device.name))
        && matches(username, device.username.as_deref())
        && version.is_none_or(|version| device.version == Some(version))
}

/// Whether the rule asks that connects to this listener vanish or are refused there, and may have it (see the engine's levels).
fn asks_for(rule: &Rule, listener: ListenerId, by: Option<Mechanism>) -> bool {
    let is_close = by.map(|by| by == Mechanism::Closed);
    let is_asked = match &rule.fault {
        Fault::Blackhole(blackhole) => blackhole.connects == Connects::Vanish && is_close != Some(true),
        Fault::Refuse(refuse) => refuse.how == Refusal::Closed && is_close != Some(false),
        _ => false,
    };
    is_asked && rule.when.is_by_clock() && rule.chance == Chance::ALWAYS && rule.who.is_everyone_at(listener)
}
