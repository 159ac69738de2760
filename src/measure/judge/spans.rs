//! Since when, and until when: what kept devices away, and when they were down.

use crate::base::{DeviceId, RuleId, Time, WindowId};
use crate::fault::Fault;
use crate::measure::facts::{Link, Window};
use crate::measure::fold::Measures;
use crate::measure::handshakes::is_shared;
use crate::measure::recovery::Outage;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// When faults that keep a device from coming back held on it.
#[derive(Debug, Default)]
pub(super) struct Holds {
    by_device: BTreeMap<DeviceId, Vec<Hold>>,
    /// Those for which its listener was closed, or dropped its SYNs.
    unseen: BTreeMap<DeviceId, Vec<(Time, Option<Time>)>>,
    /// When connects came whose handshakes failed behind an address of several devices.
    nobodys: Vec<Vec<Time>>,
    /// Which of those may be a device's own.
    shares: BTreeMap<DeviceId, Vec<usize>>,
}

/// A window that keeps its device away.
#[derive(Clone, Copy, Debug)]
struct Hold {
    window: WindowId,
    rule: RuleId,
    /// From the first link that it held on, or from its beginning where connects could not be seen.
    from: Time,
    until: Option<Time>,
}

impl Holds {
    pub fn of(measures: &Measures) -> Holds {
        let mut holds = Holds::default();
        for (id, window) in &measures.windows {
            let is_unseen = measures.firings.vanished.contains_key(&window.rule);
            if is_unseen {
                holds.unseen.entry(window.device).or_default().push((window.opened, window.closed));
            }
            let fault = measures.plan.rule(window.rule).map(|rule| &rule.fault);
            let is_before_connect = |fault: &Fault| fault.is_of_handshakes() || fault.is_of_connects();
            if fault.is_some_and(is_before_connect) && is_shared(measures, window.device) {
                holds.add_nobodys(measures, window);
            }
            let keeps_away = fault.is_some_and(|fault| {
                (fault.breaks_link() && !fault.is_one_shot())
                    || fault.is_of_handshakes()
                    || fault.is_of_connects()
            });
            let start = window.start().or(is_unseen.then_some(window.opened));
            if let Some(from) = start.filter(|_| keeps_away) {
                let hold = Hold { window: *id, rule: window.rule, from, until: window.closed };
                holds.by_device.entry(window.device).or_default().push(hold);
            }
        }
        holds
    }

    fn add_nobodys(&mut self, measures: &Measures, window: &Window) {
        let links = window.applied.iter().filter_map(|applied| measures.links.get(&applied.link));
        let begun: Vec<Time> = links.map(Link::began).collect();
        let address = measures.sessions.device(window.device).and_then(|device| device.address);
        for device in address.into_iter().flat_map(|address| measures.sessions.from_address(address)) {
            self.shares.entry(device).or_default().push(self.nobodys.len());
        }
        self.nobodys.push(begun);
    }

    /// When, in this time, connects came that may be the device's own, and whose they were cannot be told.
    pub fn nobodys(
        &self,
        measures: &Measures,
        device: DeviceId,
        from: Time,
        until: Time,
    ) -> impl Iterator<Item = Time> {
        let shared = self.shares.get(&device).into_iter().flatten();
        let begun = shared.filter_map(|at| self.nobodys.get(*at)).flatten().copied();
        let address = measures.sessions.device(device).and_then(|device| device.address);
        let nameless = address.map(|address| measures.nameless.begun(address, from, until));
        begun.filter(move |at| (from..until).contains(at)).chain(nameless.into_iter().flatten())
    }

    /// The other rules of which one held on the window's device between these times.
    pub fn during(&self, window: &Window, from: Time, until: Time) -> BTreeSet<RuleId> {
        let others = self.on(window.device, from, until).filter(|hold| hold.rule != window.rule);
        others.map(|hold| hold.rule).collect()
    }

    /// From when on no window but this one kept its device away, after `from`; `None` where one still does at `until`.
    pub fn free_from(&self, window: WindowId, device: DeviceId, from: Time, until: Time) -> Option<Time> {
        let mut others = self.on(device, from, until).filter(|hold| hold.window != window);
        others.try_fold(from, |free, hold| Some(free.max(hold.until?)))
    }

    fn on(&self, device: DeviceId, from: Time, until: Time) -> impl Iterator<Item = &Hold> {
        let of_device = self.by_device.get(&device).into_iter().flatten();
        of_device.filter(move |hold| held(hold.from, hold.until, from, until))
    }

    /// From when on, in this time, connects of the device could not be seen.
    pub fn unseen(&self, device: DeviceId, from: Time, until: Time) -> Option<Time> {
        let of_device = self.unseen.get(&device).into_iter().flatten();
        of_device
            .filter(|(start, closed)| held(*start, *closed, from, until))
            .map(|(start, _)| from.max(*start))
            .min()
    }
}

/// Whether what held from `start` until it was over did so at any time between these.
fn held(start: Time, closed: Option<Time>, from: Time, until: Time) -> bool {
    start < until && closed.is_none_or(|at| at > from)
}

/// When each device was down.
#[derive(Debug, Default)]
pub(super) struct Down(BTreeMap<DeviceId, Vec<(Time, Time)>>);

impl Down {
    /// From this moment until the outage was over.
    pub fn add(&mut self, device: DeviceId, from: Time, outage: &Outage<'_>, end: Time) {
        let until = outage.back.map_or(end, |(_, at)| at);
        self.0.entry(device).or_default().push((from, until));
    }

    /// In all; what overlaps counts once.
    pub fn of(&mut self, device: DeviceId) -> Duration {
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
