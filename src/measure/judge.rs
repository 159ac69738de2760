//! From facts to results: each window judged, each device summed up.

use super::backoff::BackOff;
use super::cause::{Cause, cause};
use super::detection::{Noticed, Struck};
use super::facts::{DeviceFacts, Link, Showed, Window};
use super::firings;
use super::fleet::{FleetResults, Loss};
use super::fold::Measures;
use super::handshakes::{self, Judged};
use super::recovery::Outage;
use super::refusals::{self, Refused};
use super::results::{DeviceResults, OtherOutage, Outcome, RuleResults, RunResults, Sample, WindowResults};
use super::tls::Timings;
use super::tokens;
use super::value::Value;
use super::whole;
use super::wire::WireResults;
use crate::base::{Chance, DeviceId, Ends, FiringId, LinkId, RuleId, Side, Time, Ways, WindowId};
use crate::event::Count;
use crate::fault::{Fault, Mechanism};
use crate::profile::{Metric, When};
use crate::session::Device;
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
            explained.extend(struck.iter().map(|struck| struck.id));
            run.add_window(*id, window, &struck, &holds, &mut down, &mut losses);
            run.note_nothing_met(measures, *id, window, end);
        }
        run.add_other_outages(measures, &explained, end, &mut down);
        run.add_beside(measures, &losses, end);
        run.add_deliveries(|keep_alive| keep_alive_or(keep_alive, measures.plan.default_keep_alive));
        for (id, device) in &mut run.devices {
            device.down = device.is_followed(false).then(|| down.of(*id));
        }
        run.findings = whole::findings(measures, &run, end);
        run
    }

    /// A window with the links that its fault struck; the first is the window's own, others come later.
    fn add_window(
        &mut self,
        id: WindowId,
        window: &Window,
        struck: &[Struck<'_>],
        holds: &Holds,
        down: &mut Down,
        losses: &mut Vec<Loss>,
    ) {
        let mut judged = Vec::new();
        for struck in struck {
            let mut results = WindowResults::unjudged(window);
            let outage = results.judge(struck, self.devices.get(&window.device));
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
            down.add(window.device, start, outage, end);
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
                let over =
                    link.over_for_device().filter(|_| link.accepted().is_some() && !said_goodbye(link));
                let Some(over) = over.filter(|_| !explained.contains(link_id)) else { continue };
                let later = facts.links[nth + 1..].iter().filter_map(|later| measures.links.get(later));
                let outage = Outage::of(later);
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

impl WindowResults {
    fn unjudged(window: &Window) -> WindowResults {
        let mut means: Ends<Vec<Mechanism>> = Ends::default();
        for (of_leg, applied) in window
            .applied
            .iter()
            .flat_map(|applied| [(Side::Device, applied.means.device), (Side::Hub, applied.means.hub)])
        {
            let seen = means.get_mut(of_leg);
            seen.extend(applied.filter(|mechanism| !seen.contains(mechanism)));
        }
        WindowResults {
            rule: window.rule,
            device: window.device,
            start: window.start(),
            closed: window.restored(),
            keep_alive: window.keep_alive,
            hub_keep_alive: window.hub_keep_alive,
            assumed: window.assumed,
            fidelities: window.applied.iter().map(|applied| applied.fidelity).collect(),
            means,
            held_found: false,
            refused: window.refused.clone(),
            outcome: Outcome::NoLink,
            noticed: Ends::default(),
            downtime: None,
            recovery: None,
            connect_waited: false,
            held_by: BTreeSet::new(),
            attempts: 0,
            back_off: BackOff::UNCLEAR,
            end: None,
            round_trips: window.round_trips.clone(),
            dropped: window.dropped,
            handshakes: None,
            altered: None,
            refused_connects: None,
            wire: None,
            later: Vec::new(),
        }
    }

    /// Judges the window; answers with the outage, if the link was lost.
    fn judge<'a>(&mut self, struck: &Struck<'a>, device: Option<&DeviceResults>) -> Option<Outage<'a>> {
        self.noticed = struck.noticed();
        self.start = Some(struck.start);
        self.wire = struck.on_wire().filter(WireResults::is_eventful);
        // Where the link alone is broken, the path is there for the next one at once.
        if struck.for_good && !struck.fault.is_one_shot() {
            self.closed = Some(struck.start);
        }
        let is_lost = struck.is_lost(&self.noticed);
        if struck.leaves_links_up() {
            self.noticed = Ends::default();
        }
        let later = || answered(struck.later_links().map(|(_, link)| link));
        let cause = || cause_of(struck.measures, struck.link, later());
        if !is_lost {
            let otherwise = struck.ended_otherwise();
            self.outcome = if otherwise { Outcome::EndedOtherwise } else { Outcome::Survived };
            self.end = otherwise.then(cause);
            return None;
        }
        self.end = Some(cause());
        let outage =
            Outage::of(struck.later_links().map(|(_, link)| link)).with_unanswered(struck.unanswered());
        let back = outage.back.map(|(_, at)| at);
        if device.is_some_and(|device| !device.is_followed(back.is_some())) {
            // Its next connect would be the sign of whoever shows none before.
            if matches!(self.noticed.device.detection, Some(Value::Never { .. })) {
                self.noticed.device = Noticed::default();
            }
            self.outcome = Outcome::Unknown;
            return None;
        }
        let until = |from: Time| match back {
            Some(at) => Value::Exact(at.since(from)),
            None => Value::Never { watched: struck.end.since(from) },
        };
        self.downtime = Some(until(struck.start));
        self.recovery = self.closed.filter(|restored| back.is_none_or(|at| at >= *restored)).map(until);
        self.outcome = match (back, self.recovery) {
            (None, _) => Outcome::Gone,
            (Some(_), None) => Outcome::BackBefore,
            (Some(_), Some(_)) => Outcome::Back,
        };
        self.attempts = outage.count();
        self.back_off = outage.back_off();
        Some(outage)
    }

    /// The measures that the window has one value of.
    fn measures(&self) -> Vec<(Metric, Value)> {
        let Ends { device, hub } = &self.noticed;
        [
            (Metric::DeviceDetection, device.detection),
            (Metric::HubDetection, hub.detection),
            (Metric::DeviceSilence, device.silence),
            (Metric::HubSilence, hub.silence),
            (Metric::SplitView, self.split_view()),
            (Metric::Downtime, self.downtime),
            (Metric::Recovery, self.recovery),
        ]
        .into_iter()
        .filter_map(|(metric, value)| Some((metric, value?)))
        .collect()
    }
}

/// When faults that keep a device from coming back held on it.
#[derive(Debug, Default)]
struct Holds(BTreeMap<DeviceId, Vec<(RuleId, Time, Option<Time>)>>);

impl Holds {
    fn of(measures: &Measures) -> Holds {
        let mut holds = Holds::default();
        for window in measures.windows.values() {
            let fault = measures.plan.rule(window.rule).map(|rule| &rule.fault);
            let keeps_away = fault.is_some_and(|fault| {
                (fault.breaks_link() && !fault.is_one_shot())
                    || fault.is_of_handshakes()
                    || fault.is_of_connects()
            });
            if let Some(start) = window.start().filter(|_| keeps_away) {
                holds.0.entry(window.device).or_default().push((window.rule, start, window.closed));
            }
        }
        holds
    }

    /// The other rules of which one held on the window's device between these times.
    fn during(&self, window: &Window, from: Time, until: Time) -> BTreeSet<RuleId> {
        let of_device = self.0.get(&window.device).into_iter().flatten();
        let held = |start: Time, closed: Option<Time>| start < until && closed.is_none_or(|at| at > from);
        of_device
            .filter(|(rule, start, closed)| *rule != window.rule && held(*start, *closed))
            .map(|(rule, _, _)| *rule)
            .collect()
    }
}

/// When each device was down.
#[derive(Debug, Default)]
struct Down(BTreeMap<DeviceId, Vec<(Time, Time)>>);

impl Down {
    /// From this moment until the outage was over.
    fn add(&mut self, device: DeviceId, from: Time, outage: &Outage<'_>, end: Time) {
        let until = outage.back.map_or(end, |(_, at)| at);
        self.0.entry(device).or_default().push((from, until));
    }

    /// In all; what overlaps counts once.
    fn of(&mut self, device: DeviceId) -> Duration {
        let mut spans = self.0.remove(&device).unwrap_or_default();
        spans.sort_unstable();
        let (mut all, mut reached) = (Duration::ZERO, Time::ZERO);
        for (from, until) in spans {
            all += until.since(from.max(reached));
            reached = reached.max(until);
        }
        all
    }
}

fn rule(measures: &Measures, id: RuleId) -> RuleResults {
    let firings = &measures.firings;
    let fired = firings.fired.get(&id).copied().unwrap_or_default();
    let windows = measures.windows.values().filter(|window| window.rule == id);
    let fell: BTreeSet<FiringId> = windows.map(|window| window.firing).collect();
    let missed = firings.missed.iter().filter(|((rule, _), times)| *rule == id && **times > 0);
    RuleResults {
        fired,
        idle: fired.saturating_sub(count(fell.iter())),
        fell: self::fell(measures, id),
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

/// How a link ended; `answered`: the device's first link after it that had a CONNACK.
pub(super) fn cause_of(measures: &Measures, link: &Link, answered: Option<&Link>) -> Cause {
    let rule = link.cut.and_then(|(_, window)| Some(measures.windows.get(&window?)?.rule));
    let by = rule.and_then(|id| Some((id, &measures.plan.rule(id)?.fault)));
    let cause = cause(link, by, answered);
    if tokens::had_expired(measures, link, cause) {
        return Cause::TokenOver;
    }
    let stopped = measures.stopped.zip(link.signs.device).is_some_and(|(stopped, sign)| sign.at >= stopped);
    if stopped { cause.after_the_command() } else { cause }
}

/// How each of a device's links ended, which are there oldest first.
pub(super) fn causes_of(measures: &Measures, links: &[&Link]) -> Vec<Cause> {
    let (mut causes, mut answered) = (Vec::with_capacity(links.len()), None);
    for &link in links.iter().rev() {
        causes.push(cause_of(measures, link, answered));
        if link.connack.is_some() {
            answered = Some(link);
        }
    }
    causes.reverse();
    causes
}

/// The first of these that had a CONNACK.
pub(super) fn answered<'a>(mut later: impl Iterator<Item = &'a Link>) -> Option<&'a Link> {
    later.find(|newer| newer.connack.is_some())
}

fn said_goodbye(link: &Link) -> bool {
    link.signs.device.is_some_and(|sign| matches!(sign.showed, Showed::Disconnect(_)))
}

pub(super) fn keep_alive_or(keep_alive: Duration, default: Duration) -> Duration {
    if keep_alive.is_zero() { default } else { keep_alive }
}

fn devices(measures: &Measures) -> BTreeMap<DeviceId, DeviceResults> {
    let nothing = DeviceFacts::default();
    let of = |device: &Device| {
        let facts = measures.devices.get(&device.id).unwrap_or(&nothing);
        (device.id, device_results(measures, device, facts))
    };
    // Of a later part of a log, many devices are known by name alone.
    let is_told = |device: &&Device| {
        let id = device.id;
        measures.first == 0 || measures.devices.contains_key(&id) || measures.deliveries.knows(id)
    };
    measures.sessions.devices().filter(is_told).map(of).collect()
}

fn device_results(measures: &Measures, device: &Device, facts: &DeviceFacts) -> DeviceResults {
    let links: Vec<&Link> = facts.links.iter().filter_map(|id| measures.links.get(id)).collect();
    let mut passed: Ways<Count> = Ways::default();
    for link in &links {
        add(&mut passed.up, link.count.up);
        add(&mut passed.down, link.count.down);
    }
    let new: Vec<&Link> = links.iter().copied().filter(|link| !link.opened_before).collect();
    let mut timings = Timings::default();
    new.iter().for_each(|link| timings.add(link));
    let shown = |link: &&Link| link.wrapped.as_ref().and_then(|wrapped| wrapped.subject.clone());
    let subject = links.iter().rev().find_map(shown).or_else(|| facts.subject.clone());
    let is_passed = |link: &&&Link| link.wrapped.as_ref().is_some_and(|wrapped| wrapped.passed_through);
    let passed_through = count(new.iter().filter(is_passed));
    let mut causes = BTreeMap::new();
    for (cause, _) in causes_of(measures, &links).into_iter().zip(&links).filter(|(_, link)| !link.is_past) {
        *causes.entry(cause).or_default() += 1;
    }
    let mut hubs = BTreeMap::new();
    for to in new.iter().filter_map(|link| link.to.as_deref()) {
        *hubs.entry(to.to_owned()).or_default() += 1;
    }
    DeviceResults {
        name: device.name.to_string(),
        keep_alive: device.keep_alive.unwrap_or_default(),
        links: count(new.iter()),
        accepted: count(links.iter().filter(|link| link.accepted().is_some() && !link.accepted_before)),
        was_there: links.iter().any(|link| link.accepted().is_some() && !link.is_past),
        down: None,
        count: passed,
        ping_rtt: facts.ping_rtt.clone(),
        publish_rtt: facts.publish_rtt.clone(),
        sound: facts.sound.clone(),
        control_gap: facts.control_gap.clone(),
        violations: facts.violations,
        causes,
        hubs,
        timings,
        subject: subject.map(String::from),
        by_address: device.version.is_none(),
        version: device.version,
        unnamed: device.unnamed,
        several: device.version.is_none() && measures.crowds.is_one(device.id, links.iter().copied()),
        passed_through,
        rewritten: facts.rewritten,
        delivery: measures.deliveries.of(device.id),
    }
}

fn add(sum: &mut Count, more: Count) {
    sum.bytes += more.bytes;
    sum.packets += more.packets;
    sum.publishes += more.publishes;
}

fn count(items: impl Iterator) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
