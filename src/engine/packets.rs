//! Faults of single packets: which windows a packet meets, and what net/ confirmed of it.
//!
//! Such a fault is no level: it holds on a link from the first packet that it was seen to work on, until its window ends and
//! no packet that it fell on is still in brownout. A packet meets a rule once: in the oldest of its windows that has `times`
//! left.
//!
//! What holds of draws: the same seed and the same packets on a link in a direction give the same verdicts there, in
//! whatever order links and directions take their turns, as long as a device's links keep theirs. `times` alone is counted
//! over the whole window: where several links, or both directions, draw on it, who comes first has it.

use super::machine::Engine;
use super::verdict::{self, Draws, LinkDraws};
use crate::azure::FaultRequest;
use crate::base::{Direction, Ends, LinkId, RuleId, WindowId, rand};
use crate::event::{Packet, What};
use crate::fault::{Alteration, Edit, Fidelity, Mechanism, PacketEnd, PacketFault, Verdict};
use crate::mqtt::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is kept of the packets of one link.
#[derive(Debug, Default)]
pub(super) struct Counts {
    key: Option<LinkDraws>,
    /// How many packets fitted each rule so far.
    fitted: BTreeMap<(RuleId, Direction), u64>,
}

/// What was already said that could not be done to packets.
pub(super) type Refusals = BTreeSet<(WindowId, LinkId, String)>;

/// A packet that the engine is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    /// Its link.
    pub link: LinkId,
    /// Which way it travels.
    pub direction: Direction,
    /// The number of its event.
    pub seq: u64,
    /// What it says.
    pub packet: &'a Packet,
    /// The topic name of a PUBLISH, as it is.
    pub topic: Option<&'a str>,
    /// What it asks of brownout.
    pub request: Option<&'a FaultRequest>,
}

impl Engine {
    /// What becomes of a packet, by the plan and by the windows open on its link; `None` for nothing but to be passed on. The
    /// windows that have a part in it wait for its confirmation.
    pub(super) fn judge(&mut self, arrival: Arrival<'_>) -> Option<Verdict> {
        if !self.judges || self.links.get(&arrival.link)?.cut {
            return None;
        }
        self.key_draws(arrival.link);
        if self.is_command(&arrival) {
            let end = Some((None, PacketEnd::Drop { acknowledge: true }));
            return Some(Verdict { end, ..Verdict::default() });
        }
        let mut verdict = Verdict::default();
        let edit = self.server_keep_alive(&arrival);
        verdict.edits.extend(edit.map(|edit| (None, edit)));
        let plan = Arc::clone(&self.plan);
        for (rule, windows) in self.packet_windows(arrival.link) {
            let Some(fault) = plan.rule(rule).and_then(|rule| rule.fault.packets()) else { continue };
            if let Some((window, draws)) = self.falls_on_packet(rule, fault, &windows, &arrival) {
                verdict::add(&mut verdict, window, &fault.action, &draws);
            }
            if verdict.end.is_some() {
                break;
            }
        }
        verdict::settle(&mut verdict);
        self.charge(&verdict, arrival.link, arrival.seq);
        (!verdict.is_clear()).then_some(verdict)
    }

    /// The windows of faults of packets that cover a link, by rule, in the order of rules.
    fn packet_windows(&self, link_id: LinkId) -> BTreeMap<RuleId, Vec<WindowId>> {
        let mut open: BTreeMap<RuleId, Vec<WindowId>> = BTreeMap::new();
        for (id, window, rule) in self.windows_on(link_id) {
            if rule.fault.packets().is_some() {
                open.entry(window.rule).or_default().push(id);
            }
        }
        open
    }

    /// Counts a packet that fits a rule, and tells the window in which the rule falls on it.
    fn falls_on_packet(
        &mut self,
        rule: RuleId,
        fault: &PacketFault,
        windows: &[WindowId],
        arrival: &Arrival<'_>,
    ) -> Option<(WindowId, Draws)> {
        let Arrival { link, direction, packet, topic, .. } = *arrival;
        if !verdict::fits(&fault.what, direction, packet, topic) {
            return None;
        }
        let counts = self.links.get_mut(&link)?.packets.get_or_insert_default();
        let count = counts.fitted.entry((rule, direction)).or_default();
        *count += 1;
        let draws = Draws { seed: self.seed, rule, link: counts.key?, direction, count: *count };
        let has_left = |id: &&WindowId| {
            let met = self.windows.get(*id).map(|window| window.met);
            met.is_some_and(|met| fault.what.times.is_none_or(|times| met < times))
        };
        let window = *windows.iter().find(has_left)?;
        draws.hit(&fault.what).then_some((window, draws))
    }

    fn charge(&mut self, verdict: &Verdict, link: LinkId, seq: u64) {
        for id in verdict.windows().flatten() {
            if let Some(window) = self.windows.get_mut(&id) {
                window.met = window.met.saturating_add(1);
                window.pending.insert((link, seq));
            }
        }
    }

    /// Fixes what the draws of a link are keyed with, once its device is known.
    fn key_draws(&mut self, link: LinkId) {
        let (Some(control), Some(device)) = (self.links.get_mut(&link), self.sessions.device_of(link)) else {
            return;
        };
        control.packets.get_or_insert_default().key.get_or_insert_with(|| LinkDraws {
            subject: rand::name_hash(&device.name),
            nth: self.sessions.link(link).map_or(0, |link| link.nth),
        });
    }

    /// What the plan's own keep-alive changes: in both directions, and only where a device can be told. One before MQTT 5
    /// keeps its own, and so its hub is told that too.
    fn server_keep_alive(&self, arrival: &Arrival<'_>) -> Option<Edit> {
        let seconds = self.plan.server_keep_alive?;
        match (arrival.direction, arrival.packet) {
            (Direction::Up, Packet::Connect { version: Version::V5, keep_alive, .. }) => {
                (*keep_alive != seconds).then(|| Edit { keep_alive: Some(seconds), ..Edit::default() })
            }
            (Direction::Down, Packet::Connack { code: 0, server_keep_alive, .. }) => {
                let version = self.sessions.device_of(arrival.link)?.version?;
                let told = *server_keep_alive == Some(seconds);
                (version == Version::V5 && !told)
                    .then(|| Edit { server_keep_alive: Some(seconds), ..Edit::default() })
            }
            (Direction::Up | Direction::Down, _) => None,
        }
    }

    /// A packet as it is passed on, where that is not as it came.
    pub(super) fn as_edited(
        &self,
        link: LinkId,
        packet: &Packet,
        verdict: Option<&Verdict>,
    ) -> Option<Packet> {
        let verdict = verdict.filter(|verdict| !verdict.edits.is_empty())?;
        let known = || self.sessions.device_of(link).and_then(|device| device.version);
        let version = match packet {
            Packet::Connect { version, .. } => *version,
            _ => known().unwrap_or(Version::V311),
        };
        let edits = verdict.edits.iter();
        let passed = edits.fold(packet.clone(), |packet, (_, edit)| packet.edited(edit, version));
        (passed != *packet).then_some(passed)
    }

    /// Net/ did this to a packet. The first time on a link, the fault holds there from then on.
    pub(super) fn altered(
        &mut self,
        link: LinkId,
        direction: Direction,
        seq: u64,
        window: Option<WindowId>,
        what: Alteration,
    ) {
        if let Some(id) = window {
            self.holds_packets(id, link, direction);
        }
        self.emit(What::Altered { link, direction, packet_seq: seq, window, what });
        match what {
            Alteration::Dropped { .. } => self.arm(link, seq),
            Alteration::CutShort { .. } => {
                if let Some(control) = self.links.get_mut(&link) {
                    control.cut = true;
                }
                self.arm(link, seq);
            }
            Alteration::Delayed { .. }
            | Alteration::Duplicated { .. }
            | Alteration::Edited { .. }
            | Alteration::Corrupted { .. } => {}
        }
        if let Some(id) = window {
            self.has_seen_off(id, link, seq);
        }
    }

    /// Whether a fault of packets was seen to work on a link: an end that it made is told as what it did there.
    pub(super) fn works_on(&self, id: WindowId, link: LinkId) -> bool {
        let window = self.windows.get(&id);
        window.is_some_and(|window| window.in_force.contains(&link) && self.is_of_packets(window.rule))
    }

    fn is_of_packets(&self, rule: RuleId) -> bool {
        self.plan.rule(rule).is_some_and(|rule| rule.fault.packets().is_some())
    }

    fn holds_packets(&mut self, id: WindowId, link: LinkId, direction: Direction) {
        let is_live = self.links.contains_key(&link);
        let Some(window) = self.windows.get_mut(&id).filter(|_| is_live) else { return };
        if window.in_force.insert(link) {
            let mut means = Ends::default();
            *means.get_mut(direction.from()) = Some(Mechanism::Packets);
            self.emit(What::FaultApplied { window: id, link, fidelity: Fidelity::Stream, means });
        }
    }

    /// What was asked for could not be done; that is said once for a window, link and reason.
    pub(super) fn not_altered(
        &mut self,
        link: LinkId,
        window: Option<WindowId>,
        seq: Option<u64>,
        error: String,
    ) {
        let Some(id) = window else { return };
        let Some(rule) = self.windows.get(&id).map(|window| window.rule) else { return };
        if self.refusals.insert((id, link, error.clone())) {
            self.emit(What::FaultRefused { window: id, link, error });
        }
        match seq {
            // Others that it fell on there may still be on their way.
            Some(seq) => self.has_spared(link, window, seq),
            None if self.is_of_packets(rule) => self.gives_up(id, link),
            None => self.lift(id, link),
        }
    }

    /// Nothing came of a rule on a packet: it does not count for `times`.
    pub(super) fn has_spared(&mut self, link: LinkId, window: Option<WindowId>, seq: u64) {
        let Some(id) = window else { return };
        let Some(of) = self.windows.get_mut(&id).filter(|of| of.pending.contains(&(link, seq))) else {
            return;
        };
        of.met = of.met.saturating_sub(1);
        self.has_seen_off(id, link, seq);
    }

    /// A packet went on its way: no window waits for it any more.
    pub(super) fn packet_is_through(&mut self, link: LinkId, seq: u64) {
        for id in self.waiting_for(link) {
            self.has_seen_off(id, link, seq);
        }
    }

    /// Nothing of a link passes any more: what windows wait for there does not come.
    pub(super) fn packets_are_lost(&mut self, link: LinkId) {
        for id in self.waiting_for(link) {
            self.gives_up(id, link);
        }
    }

    fn waiting_for(&self, link: LinkId) -> Vec<WindowId> {
        let Some(device) = self.sessions.device_of(link) else { return Vec::new() };
        let of_device = self.by_device.get(&device.id).into_iter().flatten();
        let windows = of_device.filter_map(|id| self.windows.get(id).map(|window| (*id, window)));
        windows.filter(|(_, window)| window.waits_on(link)).map(|(id, _)| id).collect()
    }

    /// A window waits no more for this packet; if it was to end, that may have been all.
    fn has_seen_off(&mut self, id: WindowId, link: LinkId, seq: u64) {
        let Some(window) = self.windows.get_mut(&id) else { return };
        window.pending.remove(&(link, seq));
        if window.ending {
            self.lift_packets(id);
        }
    }

    /// A window waits for no packet of a link any more.
    fn gives_up(&mut self, id: WindowId, link: LinkId) {
        let Some(window) = self.windows.get_mut(&id) else { return };
        window.pending.retain(|(of, _)| *of != link);
        if window.ending {
            self.lift_packets(id);
        }
    }

    /// A window is over: it is lifted from each link on which no packet that it fell on is still in brownout.
    pub(super) fn lift_packets(&mut self, id: WindowId) {
        let Some(window) = self.windows.get(&id) else { return };
        if !self.is_of_packets(window.rule) {
            return;
        }
        let done: Vec<LinkId> =
            window.in_force.iter().copied().filter(|link| !window.waits_on(*link)).collect();
        for link in &done {
            self.emit(What::FaultLifted { window: id, link: *link });
        }
        for link in done {
            self.lift(id, link);
        }
        self.close_if_lifted(id);
    }
}
