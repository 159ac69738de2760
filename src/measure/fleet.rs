//! All devices together: how many were connected, how many fewer after a fault, and how long until they were back.

use super::backoff::BackOff;
use super::detection::Struck;
use super::facts::Link;
use super::fold::Measures;
use super::results::{Outcome, Sample, WindowResults};
use super::value::Value;
use crate::base::units::to_u64;
use crate::base::{DeviceId, FiringId, LinkId, RuleId, Side, Time, WindowId};
use crate::fault::Fault;
use crate::profile::Metric;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The share of devices that have to be back, in percent.
const NEARLY_ALL: usize = 99;

/// The fleet of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FleetResults {
    /// The most devices that were connected at once.
    pub most: u64,
    /// How many fewer were connected at the worst moment than at the most before it; who said DISCONNECT is not missed.
    /// `None` where none was ever accepted.
    pub dip: Option<u64>,
    /// When that moment was.
    pub worst: Option<Time>,
    /// The firings that cost devices their links.
    pub firings: Vec<FiringResults>,
    /// When each link was opened, in order.
    pub connects: Vec<Time>,
    /// When each device was connected.
    pub held: BTreeMap<DeviceId, Vec<Held>>,
}

/// A span over which a device was connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// From when.
    pub from: Time,
    /// Until when; `None` for a link that was there to the end of the run.
    pub until: Option<Time>,
    /// Whether the device then said DISCONNECT.
    pub by_choice: bool,
}

/// What a firing did to the fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct FiringResults {
    /// Its rule.
    pub rule: RuleId,
    /// The last of its windows.
    pub window: WindowId,
    /// The longest keep-alive of the devices.
    pub keep_alive: Duration,
    /// When its fault fell on the first of them.
    pub start: Time,
    /// How many devices it cost their links.
    pub lost: u64,
    /// How many of them were back by the end.
    pub back: u64,
    /// From the path restored until 99 % of them were back; `None` where it was not restored.
    pub recovery: Option<Value>,
    /// From the first to the last CONNECT that brought one back; `None` with fewer than two.
    pub spread: Option<Value>,
    /// From the first link's end to the last one's.
    pub lost_within: Duration,
    /// How they waited between connects, and how many so.
    pub back_offs: BTreeMap<String, u64>,
}

/// A link that a firing cost a device.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    pub window: WindowId,
    pub device: DeviceId,
    pub rule: RuleId,
    /// The link, and when it was over.
    pub link: LinkId,
    pub over: Time,
    pub start: Time,
    /// When the path was there again for new links.
    pub restored: Option<Time>,
    /// When the device was accepted, and its CONNECT of that link.
    pub back: Option<(Time, Time)>,
    pub back_off: BackOff,
}

impl Loss {
    /// Of a window that cost its device this link.
    pub fn of(
        window: WindowId,
        results: &WindowResults,
        struck: &Struck<'_>,
        back: Option<(&Link, Time)>,
    ) -> Option<Loss> {
        let is_lost = matches!(results.outcome, Outcome::Back | Outcome::BackBefore | Outcome::Gone);
        is_lost.then(|| Loss {
            window,
            device: results.device,
            rule: results.rule,
            link: struck.id,
            over: struck.link.over().unwrap_or(struck.start),
            start: struck.start,
            restored: results.closed,
            back: back.map(|(link, at)| (at, link.greeting.map_or(link.opened, |greeting| greeting.at))),
            back_off: results.back_off,
        })
    }
}

impl FleetResults {
    pub(super) fn of(measures: &Measures, losses: &[Loss], end: Time) -> FleetResults {
        let mut fleet = FleetResults::default();
        fleet.count(measures, end);
        let mut by_firing: BTreeMap<FiringId, Vec<&Loss>> = BTreeMap::new();
        for loss in losses {
            if let Some(window) = measures.windows.get(&loss.window) {
                by_firing.entry(window.firing).or_default().push(loss);
            }
        }
        fleet.firings = by_firing.values().filter_map(|losses| firing(measures, losses, end)).collect();
        fleet
    }

    /// As samples; `default` is the keep-alive for those without one.
    pub(super) fn samples(&self, default: Duration) -> Vec<Sample> {
        let dip = self.dip.map(|dip| Sample {
            metric: Metric::Dip,
            value: Value::Count(dip),
            device: None,
            window: None,
            rule: None,
            keep_alive: default,
        });
        let of = |firing: &FiringResults| {
            let sample = |metric, value: Option<Value>| {
                let (window, rule, keep_alive) = (Some(firing.window), Some(firing.rule), firing.keep_alive);
                value.map(|value| Sample { metric, value, device: None, window, rule, keep_alive })
            };
            [sample(Metric::FleetRecovery, firing.recovery), sample(Metric::ReconnectSpread, firing.spread)]
        };
        dip.into_iter().chain(self.firings.iter().flat_map(of).flatten()).collect()
    }

    /// Follows the number of devices that are connected.
    fn count(&mut self, measures: &Measures, end: Time) {
        let opened = measures.links.values().map(|link| link.opened);
        self.connects = opened.filter(|at| *at >= measures.since).collect();
        self.connects.sort_unstable();
        for (id, facts) in measures.devices.iter() {
            let links = facts.links.iter().filter_map(|id| measures.links.get(id));
            self.held.insert(*id, held(links, measures.since, end));
        }
        let Connected { most, dip, worst } = Connected::of(self.held.values().flatten());
        (self.most, self.dip, self.worst) = (most, dip, worst);
    }
}

/// How many were connected at once, and how many fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Connected {
    pub most: u64,
    pub dip: Option<u64>,
    pub worst: Option<Time>,
}

impl Connected {
    /// Of these spans. What has no end is there to the last.
    pub fn of<'a>(spans: impl Iterator<Item = &'a Held>) -> Connected {
        let mut changes: Vec<(Time, i64, bool)> = Vec::new();
        for Held { from, until, by_choice } in spans {
            changes.push((*from, 1, false));
            changes.extend(until.map(|at| (at, -1, *by_choice)));
        }
        // At the same moment who comes is counted before who goes: they were there together.
        changes.sort_by_key(|(at, by, _)| (*at, -by));
        let mut connected = Connected::default();
        let (mut now, mut most, mut worst) = (0_i64, 0_i64, 0_i64);
        for (at, by, by_choice) in &changes {
            now += by;
            most = if *by_choice { (most - 1).max(now) } else { most.max(now) };
            connected.most = connected.most.max(u64::try_from(now).unwrap_or(0));
            if most - now > worst {
                worst = most - now;
                connected.worst = Some(*at);
            }
        }
        connected.dip = (!changes.is_empty()).then(|| u64::try_from(worst).unwrap_or(0));
        connected
    }
}

/// From when to when a device was connected, over all its links, as far as that is of the time from `since` on.
fn held<'a>(links: impl Iterator<Item = &'a Link>, since: Time, end: Time) -> Vec<Held> {
    let of = |link: &Link| {
        let until = link.over().filter(|_| has_ended(link));
        // Nobody had given the link up before.
        let by_choice = link.took_leave() && until == link.over_for_device();
        Some(Held { from: link.accepted()?, until, by_choice })
    };
    // A link that was given up may be accepted later than the next.
    let mut spans: Vec<Held> = links.filter_map(of).collect();
    spans.sort_by_key(|span| span.from);
    let mut spans = united(spans.into_iter());
    spans.retain(|span| span.until.is_none_or(|at| at >= since));
    for span in &mut spans {
        span.from = span.from.max(since);
        span.until = span.until.filter(|at| *at < end);
    }
    spans
}

/// Spans of one device, in the order of their beginnings, as one where the older is still there, or goes at the same moment.
pub(super) fn united(spans: impl Iterator<Item = Held>) -> Vec<Held> {
    let mut united: Vec<Held> = Vec::new();
    for span in spans {
        match united.last_mut() {
            Some(last) if last.until.is_none_or(|at| at >= span.from) => {
                last.until = last.until.zip(span.until).map(|(before, after)| before.max(after));
                last.by_choice = span.by_choice;
            }
            _ => united.push(span),
        }
    }
    united
}

/// Whether an end, or a fault, ended it: not the run.
fn has_ended(link: &Link) -> bool {
    link.cut.is_some() || Side::BOTH.into_iter().any(|side| link.signs.get(side).is_some())
}

fn firing(measures: &Measures, losses: &[&Loss], end: Time) -> Option<FiringResults> {
    let last = losses.iter().max_by_key(|loss| loss.window)?;
    let window = measures.windows.get(&last.window)?;
    let fault = &measures.plan.rule(window.rule)?.fault;
    let lost: BTreeSet<DeviceId> = losses.iter().map(|loss| loss.device).collect();
    // Of a device that lost several links, the first counts; they are in order of their starts.
    let mut first: BTreeMap<DeviceId, &Loss> = BTreeMap::new();
    for loss in losses {
        first.entry(loss.device).or_insert(loss);
    }
    let mut back: Vec<(Time, Time)> = first.values().filter_map(|loss| loss.back).collect();
    back.sort_unstable();
    let mut asked: Vec<Time> = back.iter().map(|(_, asked)| *asked).collect();
    asked.sort_unstable();
    let spread = asked.first().zip(asked.last()).filter(|_| asked.len() >= 2);
    let needed = (lost.len() * NEARLY_ALL).div_ceil(100);
    let recovery = restored(fault, &first).map(|restored| match back.get(needed.saturating_sub(1)) {
        Some((at, _)) => Value::Exact(at.since(restored)),
        None => Value::Never { watched: end.since(restored) },
    });
    let ends = || first.values().map(|loss| loss.over);
    let mut back_offs = BTreeMap::new();
    for loss in first.values() {
        *back_offs.entry(loss.back_off.to_string()).or_default() += 1;
    }
    Some(FiringResults {
        rule: window.rule,
        window: last.window,
        keep_alive: losses.iter().filter_map(|l| Some(measures.windows.get(&l.window)?.keep_alive)).max()?,
        start: losses.iter().map(|loss| loss.start).min()?,
        lost: to_u64(lost.len()),
        back: to_u64(back.len()),
        recovery,
        spread: spread.map(|(first, last)| Value::Exact(last.since(*first))),
        lost_within: ends().max()?.since(ends().min()?),
        back_offs,
    })
}

/// When the path was there again for the last of them; of a one-shot, its moment.
fn restored(fault: &Fault, losses: &BTreeMap<DeviceId, &Loss>) -> Option<Time> {
    let of = |loss: &&Loss| if fault.is_one_shot() { Some(loss.start) } else { loss.restored };
    losses.values().map(of).collect::<Option<Vec<Time>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_in_the_moment_that_another_goes_was_there_with_it() {
        let held = |from, until: Option<u64>| Held {
            from: Time::from_secs(from),
            until: until.map(Time::from_secs),
            by_choice: false,
        };
        for (comes, expected) in [(5, (2, Some(1))), (6, (1, Some(1)))] {
            let Connected { most, dip, .. } = Connected::of([held(0, Some(5)), held(comes, None)].iter());
            assert_eq!((most, dip), expected, "{comes}");
        }
    }
}
