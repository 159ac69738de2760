//! How each link of a run ended: what its events show, and what the run knows beside them.

use super::azure;
use super::cause::{Cause, cause};
use super::facts::{Link, Window};
use super::fold::Measures;
use super::results::{LinkEnd, RunResults};
use super::tokens;
use crate::base::{LinkId, Time, WindowId};
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
}

/// The last window whose fault held on each link.
pub(super) fn fallen(measures: &Measures) -> BTreeMap<LinkId, WindowId> {
    let of = |(id, window): (&WindowId, &Window)| -> Vec<(LinkId, WindowId)> {
        window.applied.iter().map(|applied| (applied.link, *id)).collect()
    };
    measures.windows.iter().flat_map(of).collect()
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
