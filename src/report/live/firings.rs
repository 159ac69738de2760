//! Faults as they fire and end: on whom a firing falls, and how many had noticed when it is over.

use super::budget::Kind;
use super::{Live, at, packets};
use crate::base::text::printable;
use crate::base::{DeviceId, FiringId, RuleId, Time, WindowId};
use crate::event::What;
use crate::fault::Fault;
use crate::measure::{Measures, SoFar};
use crate::report::words::many;
use std::collections::BTreeSet;

/// So many devices of a firing are named; more are counted.
const MOST_NAMES: usize = 4;

/// A firing with windows still open.
#[derive(Clone, Debug)]
pub(super) struct Firing {
    pub rule: RuleId,
    at: Time,
    pub until: Option<Time>,
    devices: Vec<DeviceId>,
    windows: Vec<WindowId>,
    pub open: BTreeSet<WindowId>,
    /// How many TLS handshakes met it.
    pub met: usize,
    /// How many connects it refused.
    pub refused: u64,
    /// How many packets it worked on.
    pub altered: u64,
}

impl Firing {
    pub fn new(rule: RuleId, at: Time) -> Firing {
        let (devices, windows, open) = (Vec::new(), Vec::new(), BTreeSet::new());
        Firing { rule, at, until: None, devices, windows, open, met: 0, refused: 0, altered: 0 }
    }
}

impl Live {
    /// The line of a firing, once an event comes that does not open another of its windows.
    pub(super) fn told_fresh(&mut self, next: &What, measures: &Measures) -> Option<(Kind, Time, String)> {
        let fresh = self.fresh?;
        if matches!(next, What::WindowOpened { firing, .. } if *firing == fresh) {
            return None;
        }
        self.fresh = None;
        let firing = self.firings.get(&fresh)?;
        let on = match firing.devices.as_slice() {
            [] => format!("; {}", on_nobody(measures)),
            devices if devices.len() > MOST_NAMES => format!(" on {}", many(devices.len(), "device")),
            devices => format!(" on {}", names(devices, measures)),
        };
        let until = firing.until.map_or(String::new(), |until| format!(", until {}", at(until)));
        let (rule, fault) = (self.rule(firing.rule), self.fault(firing.rule));
        Some((Kind::Fired, firing.at, format!("{rule}: {fault}{on}{until}")))
    }

    pub(super) fn opened(
        &mut self,
        window: WindowId,
        firing_id: FiringId,
        device: DeviceId,
        until: Option<Time>,
    ) {
        let Some(firing) = self.firings.get_mut(&firing_id) else { return };
        firing.devices.push(device);
        firing.windows.push(window);
        firing.open.insert(window);
        firing.until = firing.until.max(until);
        self.windows.insert(window, (firing_id, device));
    }

    /// A window is over; the line of its firing, where it was the last.
    pub(super) fn closed(&mut self, now: Time, window: WindowId, measures: &Measures) -> Option<String> {
        let (number, device) = self.windows.remove(&window)?;
        self.handshakes.restored(device, window, now);
        let firing = self.firings.get_mut(&number)?;
        firing.open.remove(&window);
        if !firing.open.is_empty() {
            return None;
        }
        let firing = self.firings.remove(&number)?;
        let of = self.plan.rule(firing.rule)?;
        let id = &of.id;
        if of.fault.is_of_handshakes() {
            let met = many(firing.met, "handshake");
            return (firing.met > 0).then(|| format!("{id}: handshakes are sound again; it met {met}"));
        }
        if let Some(done) = packets::done(firing.refused, firing.altered) {
            return Some(format!("{id}: over; {done}"));
        }
        let found = firing.windows.iter().map(|window| measures.so_far(*window, now));
        let found: Vec<Vec<SoFar>> = found.filter(|found| !found.is_empty()).collect();
        if found.is_empty() || of.fault.is_one_shot() {
            return None;
        }
        let over = if of.fault.is_of_path() { "path restored" } else { "over" };
        let noticed = had_noticed(&found).filter(|_| !matches!(of.fault, Fault::Takeover(_)));
        let noticed =
            noticed.filter(|_| of.fault.breaks_link()).map_or(String::new(), |it| format!("; {it}"));
        Some(format!("{id}: {over}{noticed}"))
    }
}

/// How many devices of those whose link the fault found had noticed, each with its links: `2 of 4 devices had noticed`. Whose
/// link ended for something else had nothing to notice; of whom the kernel dropped what it said, that may be seen later.
fn had_noticed(found: &[Vec<SoFar>]) -> Option<String> {
    let is_watched = |link: &SoFar| link.is_lost || !link.ended_otherwise;
    let watched: Vec<&Vec<SoFar>> = found.iter().filter(|links| links.iter().any(is_watched)).collect();
    let has_noticed = |links: &[SoFar]| links.iter().any(|link| link.noticed.device.sign.is_some());
    let noticed = watched.iter().filter(|links| has_noticed(links)).count();
    let is_hidden = |links: &[SoFar]| !has_noticed(links) && links.iter().any(|link| link.is_hidden);
    let is_any_hidden = watched.iter().any(|links| is_hidden(links));
    let had = if is_any_hidden { "had been seen to notice" } else { "had noticed" };
    (!watched.is_empty()).then(|| format!("{noticed} of {} {had}", many(watched.len(), "device")))
}

/// A firing that falls on no device: none is connected, or none of those is meant.
fn on_nobody(measures: &Measures) -> String {
    match measures.sessions().connected() {
        0 => "no device is connected".into(),
        up => format!("it falls on none of {}", many(up, "device")),
    }
}

fn names(devices: &[DeviceId], measures: &Measures) -> String {
    let name = |id: &DeviceId| measures.sessions().device(*id).map(|device| printable(&device.name));
    devices.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}
