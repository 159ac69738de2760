//! Each device summed up.

use super::{count, keep_alive_or};
use crate::base::{DeviceId, Ways};
use crate::event::Count;
use crate::measure::ends::causes_of;
use crate::measure::facts::{DeviceFacts, Link};
use crate::measure::fold::Measures;
use crate::measure::results::DeviceResults;
use crate::measure::tls::Timings;
use crate::session::Device;
use std::collections::BTreeMap;

pub(super) fn devices(measures: &Measures) -> BTreeMap<DeviceId, DeviceResults> {
    let nothing = DeviceFacts::default();
    let of = |device: &Device| {
        let facts = measures.devices.get(&device.id).unwrap_or(&nothing);
        (device.id, summed_up(measures, device, facts))
    };
    // Of a later part of a log, many devices are known by name alone.
    let is_told = |device: &&Device| {
        let id = device.id;
        measures.first == 0 || measures.devices.contains_key(&id) || measures.deliveries.knows(id)
    };
    measures.sessions.devices().filter(is_told).map(of).collect()
}

fn summed_up(measures: &Measures, device: &Device, facts: &DeviceFacts) -> DeviceResults {
    let links: Vec<&Link> = facts.links.iter().filter_map(|id| measures.links.get(id)).collect();
    let mut passed: Ways<Count> = Ways::default();
    for link in &links {
        passed.up += link.count.up;
        passed.down += link.count.down;
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
    let keep_alive = device.keep_alive.unwrap_or_default();
    DeviceResults {
        name: device.name.to_string(),
        keep_alive,
        reckoned: keep_alive_or(keep_alive, measures.plan.default_keep_alive),
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
        without_mqtt: device.version.is_none() && !links.is_empty() && links.iter().all(|link| link.foreign),
        version: device.version,
        unnamed: device.unnamed,
        several: device.version.is_none() && measures.crowds.is_one(device.id, links.iter().copied()),
        passed_through,
        rewritten: facts.rewritten,
        delivery: measures.deliveries.of(device.id),
    }
}
