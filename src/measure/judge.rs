//! From facts to results: each window judged, each device summed up.

mod devices;
mod rule;
mod spans;
mod window;

use super::cause::Cause;
use super::detection::Struck;
use super::ends::cause_of;
use super::facts::Window;
use super::fleet::{FleetResults, Loss};
use super::fold::Measures;
use super::handshakes::{self, Judged};
use super::recovery::Outage;
use super::refusals::{self, Refused};
use super::results::{OtherOutage, Outcome, RunResults, Sample, WindowResults};
use super::value::Value;
use super::whole;
use crate::base::units::to_u64;
use crate::base::{LinkId, Time, WindowId};
use crate::fault::Fault;
use crate::profile::Metric;
use devices::devices;
use rule::rule;
use spans::{Down, Holds};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl RunResults {
    pub(super) fn of(measures: &Measures, end: Time) -> RunResults {
        let mut run = RunResults {
            started: measures.started.clone(),
            ended: measures.ended,
            lasted: end.since(measures.since),
            events: measures.events,
            devices: devices(measures),
            windows: BTreeMap::new(),
            samples: Vec::new(),
            rules: measures.plan.rules().map(|(id, _)| (id, rule(measures, id))).collect(),
            connect_rate: measures.rate.peak(),
            nameless_links: count(
                measures.links.values().filter(|link| link.device.is_none() && !link.opened_before),
            ),
            ends: Vec::new(),
            outages: Vec::new(),
            fleet: FleetResults::default(),
            tls: measures.tls.clone(),
            trouble: measures.trouble.clone(),
            wire: measures.wire.totals(),
            findings: Vec::new(),
            undecided: measures.conformance.undecided(end),
        };
        let new = measures.links.values().filter(|link| !link.opened_before);
        new.for_each(|link| run.tls.timings.add(link));
        run.tls.listeners.sort_by(|(a, _), (b, _)| a.cmp(b));
        run.add_ends(measures, end);
        // Faults are judged by what had happened until then.
        let end = measures.stopped.map_or(end, |stopped| stopped.min(end));
        let (mut explained, mut down) = (BTreeSet::new(), Down::default());
        let mut losses = Vec::new();
        let holds = Holds::of(measures);
        for (id, window) in &measures.windows {
            let fault = measures.plan.rule(window.rule).map(|rule| &rule.fault);
            if let Some(what) = fault.and_then(handshakes::what_of) {
                run.add_handshakes(
                    *id,
                    window,
                    handshakes::judge(measures, window, what, end),
                    end,
                    &mut down,
                );
                continue;
            }
            if fault.is_some_and(Fault::is_of_connects) {
                let refused = refusals::judge(measures, *id, window, end);
                explained.extend(refused.before);
                run.add_refusals(*id, window, refused, end, &mut down);
                continue;
            }
            let struck = Struck::all(measures, *id, window, end);
            explained.extend(run.add_window(*id, window, &struck, &holds, &mut down, &mut losses));
            run.note_nothing_met(measures, *id, window, end);
        }
        run.note_who_is_free_to_come(&holds, end);
        run.add_other_outages(measures, &explained, end, &mut down);
        run.add_beside(measures, &losses, end);
        run.add_deliveries();
        for (id, device) in &mut run.devices {
            device.down = device.is_followed(false).then(|| down.of(*id));
        }
        run.findings = whole::findings(measures, &run, end);
        run
    }

    /// A window with the links that its fault struck; the first is the window's own, others come later. Hands out those that
    /// were lost to it: one that outlived it may be lost later, as any other.
    fn add_window(
        &mut self,
        id: WindowId,
        window: &Window,
        struck: &[Struck<'_>],
        holds: &Holds,
        down: &mut Down,
        losses: &mut Vec<Loss>,
    ) -> Vec<LinkId> {
        let (mut judged, mut lost) = (Vec::new(), Vec::new());
        for struck in struck {
            let mut results = WindowResults::unjudged(window);
            let mut outage = results.judge(struck, self.devices.get(&window.device));
            lost.extend(results.outcome.is_a_loss().then_some(struck.id));
            if let Some(outage) = &mut outage {
                results.add_nobodys(outage, struck, holds);
            }
            if let Some(sign) = results.noticed.device.sign.filter(|sign| !struck.has_tap(sign.at)) {
                let unseen = holds.unseen(window.device, struck.start, sign.at);
                unseen
                    .into_iter()
                    .for_each(|from| results.noticed.device.connects_unseen(struck.start, from));
            }
            results.held_found = struck.held_found();
            let back = outage.as_ref().and_then(|outage| outage.back);
            if let Some((restored, (_, back))) =
                results.closed.zip(back).filter(|_| results.outcome == Outcome::Back)
            {
                results.connect_waited = struck.has_waited();
                results.held_by = holds.during(window, restored, back);
            }
            if let Some(outage) = &outage {
                down.add(window.device, struck.start, outage, struck.end);
            }
            let of_hub = window.hub_keep_alive.unwrap_or(window.keep_alive);
            self.samples.extend(results.measures().into_iter().map(|(metric, value)| {
                let by_hub = matches!(metric, Metric::HubDetection | Metric::HubSilence);
                let keep_alive = if by_hub { of_hub } else { window.keep_alive };
                Sample { keep_alive, ..Sample::of(id, window, metric, value) }
            }));
            let more = outage.iter().flat_map(|outage| outage.measures(struck.end));
            self.samples.extend(more.map(|(metric, value)| Sample::of(id, window, metric, value)));
            losses.extend(Loss::of(id, &results, struck, back));
            judged.push(results);
        }
        let mut judged = judged.into_iter();
        let mut results = judged.next().unwrap_or_else(|| WindowResults::unjudged(window));
        results.later = judged.collect();
        self.windows.insert(id, results);
        lost
    }

    /// A window of a fault of connects.
    fn add_refusals(
        &mut self,
        id: WindowId,
        window: &Window,
        refused: Refused<'_>,
        end: Time,
        down: &mut Down,
    ) {
        let mut results = WindowResults::unjudged(window);
        let outage = refused.outage.iter().flat_map(|outage| outage.measures(end));
        let samples = refused.measures().into_iter().chain(outage);
        self.samples.extend(samples.map(|(metric, value)| Sample::of(id, window, metric, value)));
        if let (Some(outage), Some(start)) = (&refused.outage, refused.start) {
            results.attempts = outage.count();
            results.back_off = outage.back_off();
            down.add(window.device, refused.down_since.unwrap_or(start), outage, end);
        }
        results.start = refused.start.or(results.start);
        results.outcome = refused.outcome;
        (results.downtime, results.recovery) = (refused.downtime, refused.recovery);
        results.refused_connects = refused.connects;
        self.windows.insert(id, results);
    }

    /// A fault that waits for what it falls on, and met nothing on a device that had a link, did not miss the device.
    fn note_nothing_met(&mut self, measures: &Measures, id: WindowId, window: &Window, end: Time) {
        let Some(rule) = measures.plan.rule(window.rule) else { return };
        if rule.fault.packets().is_some() {
            let altered = window.altered.as_deref().cloned().unwrap_or_default();
            let value = Value::Count(altered.packets());
            self.samples.push(Sample::of(id, window, Metric::PacketsAltered, value));
            if let Some(results) = self.windows.get_mut(&id) {
                results.altered = Some(altered);
            }
        }
        let waits = !rule.fault.is_one_shot()
            && (!rule.fault.is_level() || matches!(rule.fault, Fault::IdleTimeout(_)));
        if !waits || window.start().is_some() || !window.refused.is_empty() {
            return;
        }
        let until = window.closed.unwrap_or(end);
        let ids = measures.devices.get(&window.device).into_iter().flat_map(|facts| &facts.links);
        let mut links = ids.filter_map(|id| measures.links.get(id));
        if links.any(|link| link.opened <= until && link.is_open_at(window.opened))
            && let Some(results) = self.windows.get_mut(&id)
        {
            results.outcome = Outcome::NothingMet;
        }
    }

    /// For how long those that are not back could have been.
    fn note_who_is_free_to_come(&mut self, holds: &Holds, end: Time) {
        for (id, window) in &mut self.windows {
            window.note_free(*id, holds, end);
            window.later.iter_mut().for_each(|later| later.note_free(*id, holds, end));
        }
    }

    /// A window of a fault of handshakes.
    fn add_handshakes(
        &mut self,
        id: WindowId,
        window: &Window,
        judged: Option<Judged<'_>>,
        end: Time,
        down: &mut Down,
    ) {
        let mut results = WindowResults::unjudged(window);
        if let Some(judged) = judged {
            let sample = |(metric, value)| Sample::of(id, window, metric, value);
            self.samples.extend(judged.measures().into_iter().map(sample));
            if let Some(outage) = &judged.outage {
                results.attempts = outage.count();
                down.add(window.device, judged.start, outage, end);
            }
            results.outcome = judged.outcome;
            (results.downtime, results.recovery) = (judged.downtime, judged.recovery);
            results.back_off = judged.handshakes.back_off;
            results.handshakes = Some(judged.handshakes);
        }
        self.windows.insert(id, results);
    }

    /// Outages of links that no window explains: the attempts and what followed are measured all the same.
    fn add_other_outages(
        &mut self,
        measures: &Measures,
        explained: &BTreeSet<LinkId>,
        end: Time,
        down: &mut Down,
    ) {
        for (id, facts) in measures.devices.iter() {
            for (nth, link_id) in facts.links.iter().enumerate() {
                let Some(link) = measures.links.get(link_id) else { continue };
                let over = link.over_for_device().filter(|_| link.accepted().is_some() && !link.took_leave());
                let Some(over) = over.filter(|_| !explained.contains(link_id)) else { continue };
                let later = facts.links[nth + 1..].iter().filter_map(|later| measures.links.get(later));
                let outage = Outage::of(later);
                // Nobody waited for a link that was accepted when the device had long gone on.
                if outage.back.is_some_and(|(_, at)| link.accepted().is_some_and(|accepted| at < accepted)) {
                    continue;
                }
                // What is up to the end of the run is down at no time.
                if outage.count() == 0 && cause_of(measures, link, None) == Cause::WithTheRun {
                    continue;
                }
                if self.devices.get(id).is_some_and(|device| !device.is_followed(outage.back.is_some())) {
                    continue;
                }
                down.add(*id, over.max(measures.since), &outage, end);
                let is_past = outage.back.is_some_and(|(_, at)| at < measures.since);
                if outage.count() == 0 || is_past {
                    continue;
                }
                // Of an outage that began before, not all attempts were seen.
                let is_whole = |(metric, _): &(Metric, Value)| {
                    over >= measures.since || *metric != Metric::ConnectAttempts
                };
                let (attempts, back_off) = (outage.count(), outage.back_off());
                self.outages.push(OtherOutage { device: *id, link: *link_id, over, attempts, back_off });
                let sample = |(metric, value)| Sample {
                    metric,
                    value,
                    device: Some(*id),
                    window: None,
                    rule: None,
                    keep_alive: keep_alive_or(link.keep_alive(), measures.plan.default_keep_alive),
                };
                self.samples.extend(outage.measures(end).into_iter().filter(is_whole).map(sample));
            }
        }
    }
}

impl Sample {
    fn of(id: WindowId, window: &Window, metric: Metric, value: Value) -> Sample {
        Sample {
            metric,
            value,
            device: Some(window.device),
            window: Some(id),
            rule: Some(window.rule),
            keep_alive: window.keep_alive,
        }
    }
}

pub(super) fn keep_alive_or(keep_alive: Duration, default: Duration) -> Duration {
    if keep_alive.is_zero() { default } else { keep_alive }
}

fn count(items: impl Iterator) -> u64 {
    to_u64(items.count())
}
