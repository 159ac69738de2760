//! Whose connects are to vanish at a listener, by source address: kept up to date as windows open and end and devices move,
//! so that a device more costs no look at all the others.
//!
//! A SYN says no more than its address. So an address is in the dark only if every device known there is. Who is behind it
//! and was never seen shares its lot; a device that was never seen is in the dark with nobody's address.

use super::machine::Engine;
use crate::base::{DeviceId, ListenerId, RuleId, Time};
use crate::event::{Sources, What};
use crate::fault::filter::fitting;
use crate::fault::{Connects, Fault};
use crate::profile::{Plan, Rule};
use crate::session::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Who is in the dark.
#[derive(Debug)]
pub(super) struct Dark {
    /// Whether any rule of the plan can bring that about.
    possible: bool,
    shades: BTreeMap<ListenerId, Shade>,
    /// What is to be looked at again: devices whose windows or address have changed, and addresses that a device has come to
    /// or left.
    devices: BTreeSet<DeviceId>,
    addresses: BTreeSet<IpAddr>,
    /// When devices in the dark are to be looked at again, since a window of theirs is over.
    ends: BTreeSet<(Time, DeviceId)>,
}

/// Who is in the dark at a listener.
#[derive(Debug, Default)]
pub(super) struct Shade {
    devices: BTreeMap<DeviceId, Hidden>,
    /// How many of them are at each address.
    at: BTreeMap<IpAddr, usize>,
    /// Where nobody else is known.
    alone: BTreeSet<IpAddr>,
    /// How many of them each rule hides.
    rules: BTreeMap<RuleId, usize>,
}

/// A device in the dark.
#[derive(Debug)]
struct Hidden {
    address: IpAddr,
    by: BTreeSet<RuleId>,
}

impl Dark {
    pub fn new(plan: &Plan) -> Dark {
        Dark {
            possible: plan.rules.iter().any(can_select),
            shades: BTreeMap::new(),
            devices: BTreeSet::new(),
            addresses: BTreeSet::new(),
            ends: BTreeSet::new(),
        }
    }

    /// Notes who is to be looked at again for this. Asked before and after `sessions` has taken it in: the address that a
    /// device leaves has changed, too.
    pub fn note(&mut self, what: &What, sessions: &Sessions) {
        match what {
            What::WindowOpened { device, .. } => self.look_at(*device),
            What::LinkIdentified { device, .. } if self.possible => {
                self.look_at(*device);
                self.addresses.extend(sessions.device(*device).and_then(|device| device.address));
            }
            _ => {}
        }
    }

    /// The windows of a device are not what they were.
    pub fn look_at(&mut self, device: DeviceId) {
        if self.possible {
            self.devices.insert(device);
        }
    }

    /// Whether anything is to be looked at again.
    pub fn has_changed(&self) -> bool {
        !self.devices.is_empty()
    }

    /// Who is in the dark at a listener, as last looked at.
    pub fn at(&self, listener: ListenerId) -> Option<&Shade> {
        self.shades.get(&listener)
    }
}

impl Shade {
    /// Whether no address is in the dark.
    pub fn is_empty(&self) -> bool {
        self.alone.is_empty()
    }

    /// The addresses in the dark, ascending. What a filter has no room for is left out.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut dark: Vec<IpAddr> = self.alone.iter().copied().collect();
        dark.truncate(fitting(&dark));
        dark
    }

    /// What there is to say of them.
    pub fn sources(&self) -> Sources {
        let addresses = self.addresses().len();
        Sources {
            addresses: count(addresses),
            shared: count(self.at.len() - self.alone.len()),
            beyond: count(self.alone.len() - addresses),
            rules: self.rules.keys().copied().collect(),
        }
    }

    /// A device is hidden so, or not any more. Answers with the addresses to be judged anew.
    fn set(&mut self, device: DeviceId, hidden: Option<Hidden>) -> [Option<IpAddr>; 2] {
        let to = hidden.as_ref().map(|hidden| hidden.address);
        if let Some(hidden) = &hidden {
            *self.at.entry(hidden.address).or_default() += 1;
            hidden.by.iter().for_each(|rule| *self.rules.entry(*rule).or_default() += 1);
        }
        let before = match hidden {
            Some(hidden) => self.devices.insert(device, hidden),
            None => self.devices.remove(&device),
        };
        if let Some(before) = &before {
            take_one(&mut self.at, before.address);
            before.by.iter().for_each(|rule| take_one(&mut self.rules, *rule));
        }
        [before.map(|before| before.address), to]
    }

    /// So many devices are known at an address.
    fn judge(&mut self, address: IpAddr, known: usize) {
        if self.at.get(&address).is_some_and(|hidden| *hidden == known) {
            self.alone.insert(address);
        } else {
            self.alone.remove(&address);
        }
    }
}

impl Engine {
    /// Looks again at who may have come into the dark, or out of it.
    pub(super) fn see_the_dark(&mut self) {
        if !self.dark.possible {
            return;
        }
        while let Some((_, device)) = self.dark.ends.first().copied().filter(|(at, _)| *at <= self.now) {
            self.dark.ends.pop_first();
            self.dark.devices.insert(device);
        }
        let devices = std::mem::take(&mut self.dark.devices);
        let mut addresses = std::mem::take(&mut self.dark.addresses);
        let listeners: Vec<ListenerId> = self.listeners.keys().copied().collect();
        for listener in &listeners {
            for device in &devices {
                let hidden = self.hidden(*listener, *device);
                let shade = self.dark.shades.entry(*listener).or_default();
                addresses.extend(shade.set(*device, hidden).into_iter().flatten());
            }
        }
        for address in addresses {
            let known = self.sessions.known_at(address);
            self.dark.shades.values_mut().for_each(|shade| shade.judge(address, known));
        }
    }

    /// By which rules connects of a device are to vanish at a listener, and from where, if that is so.
    fn hidden(&mut self, listener: ListenerId, id: DeviceId) -> Option<Hidden> {
        let address = self.sessions.device(id)?.address?;
        let mut by = BTreeSet::new();
        for window in self.by_device.get(&id)?.iter().filter_map(|window| self.windows.get(window)) {
            let hides = |rule: &Rule| can_select(rule) && is_meant(rule, listener, address);
            let is_over = window.ending || window.until.is_some_and(|until| until <= self.now);
            if !is_over && self.plan.rule(window.rule).is_some_and(hides) {
                self.dark.ends.extend(window.until.map(|until| (until, id)));
                by.insert(window.rule);
            }
        }
        (!by.is_empty()).then_some(Hidden { address, by })
    }
}

/// Whether a rule asks that connects of its devices vanish, and a source address is enough to tell them: not what their TLS
/// is to show.
fn can_select(rule: &Rule) -> bool {
    let vanishes = matches!(&rule.fault, Fault::Blackhole(of) if of.connects == Connects::Vanish);
    vanishes && rule.who.sni.is_none() && rule.who.subject.is_none()
}

/// Whether a rule may fall on what comes to this listener from this address.
fn is_meant(rule: &Rule, listener: ListenerId, address: IpAddr) -> bool {
    rule.who.listener.is_none_or(|wanted| wanted == listener)
        && rule.who.address.is_none_or(|network| network.contains(address))
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
