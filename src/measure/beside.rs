//! What is measured whatever window holds: how each link ended, attempts without an answer, the rhythm of ends, tokens, the
//! fleet.

use super::azure;
use super::cause::Cause;
use super::facts::{Link, Window};
use super::fleet::{FleetResults, Loss};
use super::fold::Measures;
use super::judge::{causes_of, keep_alive_or};
use super::results::{LinkEnd, RunResults, Sample};
use super::tokens;
use super::value::Value;
use crate::base::{DeviceId, LinkId, RuleId, Time, WindowId};
use crate::profile::Metric;
use std::collections::BTreeMap;

impl RunResults {
    /// How each link ended, with what a hub would log of it.
    pub(super) fn add_ends(&mut self, measures: &Measures, end: Time) {
        let under = fallen(measures);
        for (device, facts) in measures.devices.iter() {
            let (ids, links): (Vec<LinkId>, Vec<&Link>) =
                facts.links.iter().filter_map(|id| Some((*id, measures.links.get(id)?))).unzip();
            let causes = causes_of(measures, &links);
            let new = ids.iter().zip(links).zip(causes).filter(|((_, link), _)| !link.is_past);
            for ((id, link), cause) in new {
                let accepted = link.accepted();
                let of_end =
                    azure::End { cause, accepted: link.hub_accepted, goodbye_lost: link.goodbye_lost };
                let under = under.get(id).and_then(|window| Some(measures.windows.get(window)?.rule));
                let noted = measures.watch.link(*id);
                let is_over = !matches!(cause, Cause::StillOpen | Cause::WithTheRun);
                self.ends.push(LinkEnd {
                    link: *id,
                    device: *device,
                    opened: link.opened,
                    accepted,
                    over: link.over().filter(|at| is_over && *at <= end),
                    opened_seq: noted.opened,
                    over_seq: noted.over.filter(|_| is_over),
                    under,
                    cause,
                    logged: azure::code_of(of_end, &measures.plan),
                });
            }
        }
    }

    /// What is measured whatever window holds: attempts without an answer, the rhythm of ends, tokens, the fleet.
    pub(super) fn add_beside(&mut self, measures: &Measures, losses: &[Loss], end: Time) {
        let default = measures.plan.default_keep_alive;
        let of_link = fallen(measures);
        let cost: BTreeMap<LinkId, RuleId> = losses.iter().map(|loss| (loss.link, loss.rule)).collect();
        let mut samples = Vec::new();
        let mut last: Option<(DeviceId, Time, Option<RuleId>)> = None;
        for ended in &self.ends {
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
            let keep_alive = keep_alive_or(device.keep_alive, default);
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

/// The last window whose fault held on each link.
fn fallen(measures: &Measures) -> BTreeMap<LinkId, WindowId> {
    let of = |(id, window): (&WindowId, &Window)| -> Vec<(LinkId, WindowId)> {
        window.applied.iter().map(|applied| (applied.link, *id)).collect()
    };
    measures.windows.iter().flat_map(of).collect()
}
