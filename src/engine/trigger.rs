//! Rules that wait for a packet of the device's own link.
//!
//! A rule is pulled when the nth packet of its kind arrives, and armed when that packet has been passed on: "after
//! CONNACK" means that the device has it. CONNACK counts only where it accepts. What a fault drops on its way to the device
//! does not count; what it drops of the device's own does, and arms the rule once it is dropped.

use crate::base::{DeviceId, LinkId, RuleId};
use crate::event::Packet;
use crate::mqtt::{KindSet, PacketKind};
use crate::profile::{Plan, Rule, When};
use std::collections::BTreeMap;

/// The state of all rules that wait for packets.
#[derive(Debug)]
pub struct Triggers {
    /// What rules wait for.
    wanted: KindSet,
    /// Packets seen, by link and kind; kinds that a rule waits for only.
    seen: BTreeMap<(LinkId, u8), u32>,
    /// Rules pulled by a packet (its event's number) that was not passed on yet.
    pulled: BTreeMap<(LinkId, u64), Vec<(RuleId, DeviceId)>>,
    spent: BTreeMap<(RuleId, DeviceId), Spent>,
}

/// How often a rule was pulled for a device, and how often it fired.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    pulled: u32,
    fired: u32,
}

/// Kinds that the measures want, whatever the rules are: all but the PUBLISH family.
const ALWAYS: [PacketKind; 10] = [
    PacketKind::Connect,
    PacketKind::Connack,
    PacketKind::Subscribe,
    PacketKind::Suback,
    PacketKind::Unsubscribe,
    PacketKind::Unsuback,
    PacketKind::Pingreq,
    PacketKind::Pingresp,
    PacketKind::Disconnect,
    PacketKind::Auth,
];

impl Triggers {
    /// Nothing seen yet.
    pub fn new(plan: &Plan) -> Triggers {
        let mut wanted = KindSet::default();
        for rule in &plan.rules {
            match rule.when {
                When::After { packet, .. } => wanted.insert(packet),
                When::At { .. } | When::Spells(_) | When::Asked(_) => {}
            }
        }
        Triggers { wanted, seen: BTreeMap::new(), pulled: BTreeMap::new(), spent: BTreeMap::new() }
    }

    /// Whether packets of this kind matter to a rule or a measure.
    pub fn wants(&self, kind: PacketKind) -> bool {
        ALWAYS.contains(&kind) || self.wanted.has(kind)
    }

    /// The kind that a packet counts as, if a rule waits for it.
    pub fn kind_of(&self, packet: &Packet) -> Option<PacketKind> {
        let kind = match packet {
            Packet::Connack { code, .. } if *code != 0 => return None,
            Packet::Unreadable { .. } => return None,
            known => known.kind()?,
        };
        self.wanted.has(kind).then_some(kind)
    }

    /// Counts a packet, and pulls the rules that waited for it. True if any did.
    pub fn pull(
        &mut self,
        plan: &Plan,
        link: LinkId,
        device: DeviceId,
        kind: PacketKind,
        seq: u64,
        falls_on: impl Fn(RuleId, &Rule) -> bool,
    ) -> bool {
        let seen = self.seen.entry((link, kind.number())).or_default();
        *seen = seen.saturating_add(1);
        let mut pulled = Vec::new();
        for (id, rule) in plan.rules() {
            let When::After { packet, nth, times, .. } = rule.when else { continue };
            if packet != kind || nth != *seen {
                continue;
            }
            let spent = self.spent.get(&(id, device)).copied().unwrap_or_default();
            if spent.pulled < times && falls_on(id, rule) {
                self.spent.entry((id, device)).or_default().pulled += 1;
                pulled.push((id, device));
            }
        }
        if pulled.is_empty() {
            return false;
        }
        self.pulled.insert((link, seq), pulled);
        true
    }

    /// The packet was passed on: the rules that it pulled are armed.
    pub fn passed(&mut self, link: LinkId, seq: u64) -> Vec<(RuleId, DeviceId)> {
        self.pulled.remove(&(link, seq)).unwrap_or_default()
    }

    /// A rule fires on a device; the number of the firing there, from 1.
    pub fn fire(&mut self, rule: RuleId, device: DeviceId) -> u32 {
        let spent = self.spent.entry((rule, device)).or_default();
        spent.fired += 1;
        spent.fired
    }

    /// Whether a rule has fired on a device as often as it may.
    pub fn is_spent(&self, rule: RuleId, device: DeviceId, times: u32) -> bool {
        self.spent.get(&(rule, device)).is_some_and(|spent| spent.fired >= times)
    }

    /// A link is gone: rules pulled by packets that it never passed on may be pulled again.
    pub fn forget(&mut self, link: LinkId) {
        while let Some((&key, _)) = self.seen.range((link, 0)..=(link, u8::MAX)).next() {
            self.seen.remove(&key);
        }
        while let Some((&key, _)) = self.pulled.range((link, 0)..=(link, u64::MAX)).next() {
            for pulled in self.pulled.remove(&key).unwrap_or_default() {
                if let Some(spent) = self.spent.get_mut(&pulled) {
                    spent.pulled -= 1;
                }
            }
        }
    }
}
