//! What is measured whatever window holds: attempts without an answer, the rhythm of ends, tokens, the fleet.

use super::cause::Cause;
use super::ends::fallen;
use super::fleet::{FleetResults, Loss};
use super::fold::Measures;
use super::judge::keep_alive_or;
use super::results::{LinkEnd, RunResults, Sample};
use super::tokens;
use super::value::Value;
use crate::base::{DeviceId, LinkId, RuleId, Time, WindowId};
use crate::profile::Metric;
use std::collections::BTreeMap;

impl RunResults {
    /// Their samples, from the ends that are known.
    pub(super) fn add_beside(&mut self, measures: &Measures, losses: &[Loss], end: Time) {
        let default = measures.plan.default_keep_alive;
        let of_link = fallen(measures);
        let cost: BTreeMap<LinkId, RuleId> = losses.iter().map(|loss| (loss.link, loss.rule)).collect();
        let mut samples = Vec::new();
        let mut last: Option<(DeviceId, Time, Option<RuleId>)> = None;
        // What was brought to its end with the command shows neither a wait nor a rhythm.
        let is_told = |end: &&LinkEnd| !matches!(end.cause, Cause::ToldToEnd { .. });
        for ended in self.ends.iter().filter(is_told) {
            let Some(link) = measures.links.get(&ended.link) else { continue };
            let keep_alive = keep_alive_or(link.keep_alive(), default);
            let device = Some(ended.device);
            let sample = |metric, span, window: Option<WindowId>, rule| {
                let value = Value::Exact(span);
                Sample { metric, value, device, window, rule, keep_alive }
            };
            if let Some(wait) =
                tokens::connack_wait(link).filter(|_| ended.over.is_none_or(|at| at >= measures.since))
            {
                let window = of_link.get(&ended.link).copied();
                let rule = window.and_then(|id| Some(measures.windows.get(&id)?.rule));
                samples.push(sample(Metric::ConnackWait, wait, window, rule));
            }
            let Some(over) = ended.over.filter(|_| ended.accepted.is_some()) else { continue };
            let rule = ended.cause.rule().or_else(|| cost.get(&ended.link).copied());
            if let Some((_, before, of)) = last.filter(|(device, _, _)| *device == ended.device) {
                let rule = rule.filter(|rule| of == Some(*rule));
                samples.push(sample(Metric::DisconnectInterval, over.since(before), None, rule));
            }
            last = Some((ended.device, over, rule));
        }
        for (id, device) in &self.devices {
            let keep_alive = device.reckoned;
            samples.extend(tokens::measures(measures, *id).into_iter().map(|(metric, value, rule)| Sample {
                metric,
                value,
                device: Some(*id),
                window: None,
                rule,
                keep_alive,
            }));
        }
        self.samples.extend(samples);
        self.fleet = FleetResults::of(measures, losses, end);
        self.samples.extend(self.fleet.samples(default));
    }
}
