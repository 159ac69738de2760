//! One window with one link that its fault struck.

use super::spans::Holds;
use crate::base::units::to_u64;
use crate::base::{Ends, Side, Time, WindowId};
use crate::fault::Mechanism;
use crate::measure::backoff::BackOff;
use crate::measure::cause::Cause;
use crate::measure::detection::Struck;
use crate::measure::ends::{answered, cause_of};
use crate::measure::facts::Window;
use crate::measure::recovery::Outage;
use crate::measure::results::{DeviceResults, Outcome, WindowResults};
use crate::measure::value::Value;
use crate::measure::wire::WireResults;
use crate::profile::Metric;
use std::collections::BTreeSet;

impl WindowResults {
    pub(super) fn unjudged(window: &Window) -> WindowResults {
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
            unhindered: None,
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
    pub(super) fn judge<'a>(
        &mut self,
        struck: &Struck<'a>,
        device: Option<&DeviceResults>,
    ) -> Option<Outage<'a>> {
        let (noticed, is_lost) = struck.shown();
        self.noticed = noticed;
        self.start = Some(struck.start);
        self.wire = struck.on_wire().filter(WireResults::is_eventful);
        // Where the link alone is broken, the path is there for the next one at once.
        if struck.for_good && !struck.fault.is_one_shot() {
            self.closed = Some(struck.start);
        }
        let later = || answered(struck.later_links().map(|(_, link)| link));
        let cause = || cause_of(struck.measures, struck.link, later());
        if !is_lost {
            // What is up when the run ends has outlived what held to the end.
            self.end = struck.ended_otherwise().then(cause).filter(|cause| *cause != Cause::WithTheRun);
            self.outcome = if self.end.is_some() { Outcome::EndedOtherwise } else { Outcome::Survived };
            return None;
        }
        self.end = Some(cause());
        let outage =
            Outage::of(struck.later_links().map(|(_, link)| link)).with_unanswered(struck.unanswered());
        let back = outage.back.map(|(_, at)| at);
        if device.is_some_and(|device| !device.is_followed(back.is_some())) {
            self.noticed.device = self.noticed.device.of_one_of_several();
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

    /// Connects of others at the device's address, or its own: whose handshakes failed they do not say.
    pub(super) fn add_nobodys(&mut self, outage: &mut Outage<'_>, struck: &Struck<'_>, holds: &Holds) {
        let until = outage.back.map_or(struck.end, |(link, _)| link.began());
        let begun = || holds.nobodys(struck.measures, self.device, struck.start, until);
        let Some(first) = begun().min() else { return };
        outage.may_have_made(to_u64(begun().count()));
        self.back_off = outage.back_off();
        self.noticed.device.connects_unseen(struck.start, first);
    }

    /// For how long its device could have been back, if it is not.
    pub(super) fn note_free(&mut self, id: WindowId, holds: &Holds, end: Time) {
        let restored = self.closed.filter(|_| self.outcome == Outcome::Gone);
        let free = restored.and_then(|restored| holds.free_from(id, self.device, restored, end));
        self.unhindered = free.map(|from| end.since(from));
    }

    /// The measures that the window has one value of.
    pub(super) fn measures(&self) -> Vec<(Metric, Value)> {
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
