//! What the measures of a run came to, and of several runs together.

use super::backoff::BackOff;
use super::cause::{Cause, cause};
use super::detection::{Noticed, Struck};
use super::facts::{DeviceFacts, Link, Window};
use super::fold::{Measures, Trouble};
use super::recovery::Outage;
use super::value::{Value, distance};
use crate::base::{DeviceId, Ends, LinkId, RuleId, Time, Ways, WindowId};
use crate::event::{Count, EndReason, RunStarted, Samples};
use crate::fault::{Fidelity, Mechanism};
use crate::profile::Metric;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The results of one or several runs of a plan, in the order of their beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// One entry a run.
    pub runs: Vec<RunResults>,
}

impl Results {
    /// Of one run.
    pub fn of(run: RunResults) -> Results {
        Results { runs: vec![run] }
    }

    /// Both together; whichever is merged into whichever, the result is the same.
    #[must_use]
    pub fn merge(mut self, other: Results) -> Results {
        self.runs.extend(other.runs);
        self.runs.sort_by_cached_key(RunResults::key);
        self
    }
}

/// The results of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResults {
    /// How it began; `None` for a log without its first event.
    pub started: Option<RunStarted>,
    /// Why it ended; `None` while it lasts, or for a log that was cut off.
    pub ended: Option<EndReason>,
    /// How long it lasted.
    pub lasted: Duration,
    /// How many events it had.
    pub events: u64,
    /// Its devices, by number.
    pub devices: BTreeMap<DeviceId, DeviceResults>,
    /// Its windows, by number.
    pub windows: BTreeMap<WindowId, WindowResults>,
    /// The samples of measures that are kept one by one.
    pub samples: Vec<Sample>,
    /// How often each rule fired.
    pub fired: BTreeMap<RuleId, u64>,
    /// The most connects of all devices in any one second.
    pub connect_rate: u64,
    /// Connects whose device was never known (no CONNECT came).
    pub nameless_links: u64,
    /// What went wrong around the measures.
    pub trouble: Trouble,
}

/// One sample of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Of what.
    pub metric: Metric,
    /// Its value.
    pub value: Value,
    /// Whose.
    pub device: DeviceId,
    /// In which window; `None` for an outage that no fault made.
    pub window: Option<WindowId>,
    /// Of which rule.
    pub rule: Option<RuleId>,
    /// The keep-alive that limits in keep-alives are resolved with.
    pub keep_alive: Duration,
}

/// A device over the run.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceResults {
    /// Its name.
    pub name: String,
    /// Its latest keep-alive; zero for none.
    pub keep_alive: Duration,
    /// How many links it opened.
    pub links: u64,
    /// How many of them a CONNACK accepted.
    pub accepted: u64,
    /// How long it was down in all: in windows that cost it its link, to the next CONNACK or the end.
    pub down: Duration,
    /// What passed.
    pub count: Ways<Count>,
    /// Round trips of its PINGREQs.
    pub ping_rtt: Samples,
    /// Round trips of its QoS 1 and 2 PUBLISH packets.
    pub publish_rtt: Samples,
    /// Gaps between its packets on a sound path.
    pub control_gap: Samples,
    /// Gaps over its keep-alive [MQTT-3.1.2-23].
    pub violations: u64,
    /// How its links ended, and how many so.
    pub causes: BTreeMap<Cause, u64>,
}

/// A fault window, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowResults {
    /// Its rule.
    pub rule: RuleId,
    /// Its device.
    pub device: DeviceId,
    /// From when the fault held; `None` if it fell on no link.
    pub start: Option<Time>,
    /// When the path was restored; `None` for a window that was open at the end.
    pub closed: Option<Time>,
    /// The keep-alive its spans were resolved with.
    pub keep_alive: Duration,
    /// Whether that is the stated default.
    pub assumed: bool,
    /// How it was really made.
    pub fidelities: BTreeSet<Fidelity>,
    /// By what means, by leg.
    pub means: Ends<Vec<Mechanism>>,
    /// Why it was not made on some links.
    pub refused: Vec<String>,
    /// What it did to the device's link.
    pub outcome: Outcome,
    /// What each end showed.
    pub noticed: Ends<Noticed>,
    /// From the start to the next CONNACK accepted, where the link was lost.
    pub downtime: Option<Value>,
    /// From the path restored to the next CONNACK accepted, where the device was not back before.
    pub recovery: Option<Value>,
    /// Connects until accepted (or until the end).
    pub attempts: u64,
    /// How the device waited between them.
    pub back_off: BackOff,
}

/// What a window did to its device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device had no link when it opened.
    NoLink,
    /// The link outlived it.
    Survived,
    /// The link was lost, and the device was back before the path was restored.
    BackBefore,
    /// The link was lost, and the device came back after the path was restored.
    Back,
    /// The link was lost, and the device was not back by the end.
    Gone,
}

impl RunResults {
    pub(super) fn of(measures: &Measures, end: Time) -> RunResults {
        let mut run = RunResults {
            started: measures.started.clone(),
            ended: measures.ended,
            lasted: end.elapsed(),
            events: measures.events,
            devices: devices(measures),
            windows: BTreeMap::new(),
            samples: Vec::new(),
            fired: measures.fired.clone(),
            connect_rate: measures.rate.peak(),
            nameless_links: count(measures.links.values().filter(|link| link.device.is_none())),
            trouble: measures.trouble.clone(),
        };
        let mut explained = BTreeSet::new();
        for (id, window) in &measures.windows {
            let struck = Struck::find(measures, window, end);
            explained.extend(struck.iter().map(|struck| struck.id));
            run.add_window(*id, window, struck);
        }
        run.add_other_outages(measures, &explained, end);
        run
    }

    /// The name of a device of this run.
    pub fn name(&self, device: DeviceId) -> &str {
        self.devices.get(&device).map_or("?", |device| &device.name)
    }

    /// What runs are sorted by; runs that share it all are alike for every report.
    fn key(&self) -> (Option<(String, u64)>, Duration, u64, String) {
        let began = self.started.as_ref().map(|run| (run.wall_clock.clone(), run.seed));
        (began, self.lasted, self.events, format!("{:?}", self.samples))
    }

    fn add_window(&mut self, id: WindowId, window: &Window, struck: Option<Struck<'_>>) {
        let mut results = WindowResults::unjudged(window);
        if let Some(struck) = struck {
            let outage = results.judge(&struck);
            let sample = |(metric, value)| Sample {
                metric,
                value,
                device: window.device,
                window: Some(id),
                rule: Some(window.rule),
                keep_alive: window.keep_alive,
            };
            self.samples.extend(results.measures().into_iter().map(sample));
            self.samples.extend(outage.iter().flat_map(|outage| outage.measures(struck.end)).map(sample));
            self.add_downtime(&results);
        }
        self.windows.insert(id, results);
    }

    fn add_downtime(&mut self, window: &WindowResults) {
        let down = match window.downtime {
            Some(Value::Exact(down) | Value::Never { watched: down }) => down,
            Some(Value::Between { .. } | Value::Count(_)) | None => Duration::ZERO,
        };
        if let Some(device) = self.devices.get_mut(&window.device) {
            device.down += down;
        }
    }

    /// Outages of links that no window explains: the attempts and what followed are measured all the same.
    fn add_other_outages(&mut self, measures: &Measures, explained: &BTreeSet<LinkId>, end: Time) {
        for (id, facts) in &measures.devices {
            for (nth, link_id) in facts.links.iter().enumerate() {
                let Some(link) = measures.links.get(link_id) else { continue };
                let lost =
                    link.accepted().is_some() && link.over_for_device().is_some() && !said_goodbye(link);
                if explained.contains(link_id) || !lost || nth + 1 == facts.links.len() {
                    continue;
                }
                let later = facts.links[nth + 1..].iter().filter_map(|later| measures.links.get(later));
                let sample = |(metric, value)| Sample {
                    metric,
                    value,
                    device: *id,
                    window: None,
                    rule: None,
                    keep_alive: keep_alive_or(link.keep_alive, measures.plan.default_keep_alive),
                };
                self.samples.extend(Outage::of(later).measures(end).into_iter().map(sample));
            }
        }
    }
}

impl WindowResults {
    fn unjudged(window: &Window) -> WindowResults {
        let mut means: Ends<Vec<Mechanism>> = Ends::default();
        for (of_leg, applied) in window.applied.iter().flat_map(|applied| {
            [(crate::base::Side::Device, applied.means.device), (crate::base::Side::Hub, applied.means.hub)]
        }) {
            let seen = means.get_mut(of_leg);
            seen.extend(applied.filter(|mechanism| !seen.contains(mechanism)));
        }
        WindowResults {
            rule: window.rule,
            device: window.device,
            start: window.start(),
            closed: window.closed,
            keep_alive: window.keep_alive,
            assumed: window.assumed,
            fidelities: window.applied.iter().map(|applied| applied.fidelity).collect(),
            means,
            refused: window.refused.clone(),
            outcome: Outcome::NoLink,
            noticed: Ends::default(),
            downtime: None,
            recovery: None,
            attempts: 0,
            back_off: BackOff::UNCLEAR,
        }
    }

    /// Judges the window; answers with the outage, if the link was lost.
    fn judge<'a>(&mut self, struck: &Struck<'a>) -> Option<Outage<'a>> {
        self.noticed = struck.noticed();
        if !struck.is_lost(&self.noticed) {
            self.outcome = Outcome::Survived;
            return None;
        }
        let outage = Outage::of(struck.later_links().map(|(_, link)| link));
        let back = outage.back.map(|(_, at)| at);
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
        let both = device.sign.and(hub.sign).and(device.detection.zip(hub.detection));
        [
            (Metric::DeviceDetection, device.detection),
            (Metric::HubDetection, hub.detection),
            (Metric::DeviceSilence, device.silence),
            (Metric::HubSilence, hub.silence),
            (Metric::SplitView, both.and_then(|(device, hub)| distance(device, hub))),
            (Metric::Downtime, self.downtime),
            (Metric::Recovery, self.recovery),
        ]
        .into_iter()
        .filter_map(|(metric, value)| Some((metric, value?)))
        .collect()
    }

    /// From one end's sign to the other's, where both are known.
    pub fn split_view(&self) -> Option<Value> {
        self.measures().into_iter().find(|(metric, _)| *metric == Metric::SplitView).map(|(_, value)| value)
    }
}

fn said_goodbye(link: &Link) -> bool {
    link.signs.device.is_some_and(|sign| matches!(sign.showed, super::facts::Showed::Disconnect(_)))
}

fn keep_alive_or(keep_alive: Duration, default: Duration) -> Duration {
    if keep_alive.is_zero() { default } else { keep_alive }
}

fn devices(measures: &Measures) -> BTreeMap<DeviceId, DeviceResults> {
    let nothing = DeviceFacts::default();
    let of = |device: &crate::session::Device| {
        let facts = measures.devices.get(&device.id).unwrap_or(&nothing);
        (device.id, device_results(measures, device, facts))
    };
    measures.sessions.devices().map(of).collect()
}

fn device_results(
    measures: &Measures,
    device: &crate::session::Device,
    facts: &DeviceFacts,
) -> DeviceResults {
    let links: Vec<&Link> = facts.links.iter().filter_map(|id| measures.links.get(id)).collect();
    let mut passed: Ways<Count> = Ways::default();
    for link in &links {
        add(&mut passed.up, link.count.up);
        add(&mut passed.down, link.count.down);
    }
    let mut causes = BTreeMap::new();
    for (nth, link) in links.iter().enumerate() {
        let newer = links[nth + 1..].iter().find(|newer| newer.connack.is_some()).map(|newer| newer.opened);
        let rule = link.cut.and_then(|(_, window)| Some(measures.windows.get(&window?)?.rule));
        *causes.entry(cause(link, rule, newer)).or_default() += 1;
    }
    DeviceResults {
        name: device.name.clone(),
        keep_alive: device.keep_alive.unwrap_or_default(),
        links: count(links.iter()),
        accepted: count(links.iter().filter(|link| link.accepted().is_some())),
        down: Duration::ZERO,
        count: passed,
        ping_rtt: facts.ping_rtt.clone(),
        publish_rtt: facts.publish_rtt.clone(),
        control_gap: facts.control_gap.clone(),
        violations: facts.violations,
        causes,
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
