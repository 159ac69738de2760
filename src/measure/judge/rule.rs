//! What a rule did.

use super::count;
use crate::base::{Chance, DeviceId, FiringId, RuleId};
use crate::measure::firings;
use crate::measure::fold::Measures;
use crate::measure::results::RuleResults;
use crate::profile::When;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn rule(measures: &Measures, id: RuleId) -> RuleResults {
    let firings = &measures.firings;
    let fired = firings.fired.get(&id).copied().unwrap_or_default();
    let windows = measures.windows.values().filter(|window| window.rule == id);
    let fallen: BTreeSet<FiringId> = windows.map(|window| window.firing).collect();
    let missed = firings.missed.iter().filter(|((rule, _), times)| *rule == id && **times > 0);
    RuleResults {
        fired,
        skipped: firings.skipped.get(&id).copied(),
        idle: fired.saturating_sub(count(fallen.iter())),
        fell: fell(measures, id),
        missed: missed.map(|((_, device), times)| (*device, *times)).collect(),
        vanished: firings.vanished.get(&id).cloned().unwrap_or_default(),
        vanished_packets: firings.dropped.get(&id).copied(),
        mute_refused: firings.refused.get(&id).cloned().unwrap_or_default(),
    }
}

/// How often a rule of its own link's packets fell on each device that it is known to be meant for.
fn fell(measures: &Measures, id: RuleId) -> BTreeMap<DeviceId, u64> {
    let rule = measures.plan.rule(id).filter(|rule| matches!(rule.when, When::After { .. }));
    let Some(rule) = rule.filter(|rule| rule.chance == Chance::ALWAYS) else { return BTreeMap::new() };
    let meant = measures.sessions.devices().filter(|device| firings::is_meant(rule, device));
    let mut fell: BTreeMap<DeviceId, u64> = meant.map(|device| (device.id, 0)).collect();
    for window in measures.windows.values().filter(|window| window.rule == id) {
        *fell.entry(window.device).or_default() += 1;
    }
    fell
}
