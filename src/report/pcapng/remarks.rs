//! What comments say: fault windows and what was done in them, each with the place that it belongs to.

use crate::base::text::printable;
use crate::base::{DeviceId, Ends, LinkId, RuleId, Side, Time, WindowId};
use crate::event::{Event, Packet, What};
use crate::fault::Mechanism;
use crate::mqtt::PacketKind;
use crate::profile::Plan;
use std::collections::{BTreeMap, VecDeque};

/// Of so many packets the kind is remembered, until it is told what became of them: a fault is told at most as late as its
/// delay, and beyond that without the kind.
const KINDS_KEPT: usize = 1024;

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// When what it tells of happened.
    pub at: Time,
    /// Where it belongs.
    pub place: Where,
    /// `12.345 s: fault "dark" began on sensor-1 (blackhole, stall)`
    pub text: String,
}

/// Where a comment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// To this leg, at its time.
    Leg(LinkId, Side),
    /// To the FIN or RST that brownout said there at about its time.
    EndOf(LinkId, Side),
    /// To whatever comes next: there is no such leg any more.
    Next,
}

/// The fold of events into remarks.
#[derive(Debug)]
pub struct Remarks {
    /// Of each rule its name and that of its fault.
    rules: Vec<(String, &'static str)>,
    names: BTreeMap<DeviceId, String>,
    windows: BTreeMap<WindowId, Window>,
    kinds: VecDeque<(u64, PacketKind)>,
}

/// A window that is open.
#[derive(Debug)]
struct Window {
    rule: RuleId,
    device: DeviceId,
    /// The legs on which its beginning was told, and its end is still to be.
    on: BTreeMap<LinkId, Ends<bool>>,
    /// Its beginning was told on some leg.
    told: bool,
    /// Its end was, on some leg.
    end_told: bool,
}

impl Remarks {
    /// Of a run of this plan.
    pub fn new(plan: &Plan) -> Remarks {
        let rules = plan.rules.iter().map(|rule| (rule.id.clone(), rule.fault.name())).collect();
        Remarks { rules, names: BTreeMap::new(), windows: BTreeMap::new(), kinds: VecDeque::new() }
    }

    /// Takes in an event; what is to be said of it.
    pub fn push(&mut self, event: &Event) -> Vec<Remark> {
        let at = event.at;
        let said = |place, text: String| Remark { at, place, text: format!("{} s: {text}", at) };
        match &event.what {
            What::DeviceNamed { device, name } => {
                self.names.insert(*device, printable(name));
                Vec::new()
            }
            What::Packet { packet, .. } => {
                self.remember(event.seq, packet);
                Vec::new()
            }
            What::WindowOpened { window, rule, device, .. } => {
                let (rule, device) = (*rule, *device);
                let open = Window { rule, device, on: BTreeMap::new(), told: false, end_told: false };
                self.windows.insert(*window, open);
                Vec::new()
            }
            What::FaultApplied { window, link, fidelity, means } => {
                let sides = self.begun(*window, *link, *means);
                let how = self.windows.get(window).map_or("", |open| self.fault(open.rule));
                let text =
                    format!("fault {} ({how}, {})", self.phrase(*window, " began on "), fidelity.word());
                sides.into_iter().map(|side| said(Where::Leg(*link, side), text.clone())).collect()
            }
            What::FaultRefused { window, link, error } => {
                let text = format!("fault {} NOT MADE: {}", self.on(*window), printable(error));
                vec![said(Where::Leg(*link, Side::Device), text)]
            }
            What::FaultLifted { window, link } => {
                let text = format!("fault {}", self.phrase(*window, " ended on "));
                let sides = self.lifted(*window, *link);
                sides.into_iter().map(|side| said(Where::Leg(*link, side), text.clone())).collect()
            }
            What::WindowClosed { window } => {
                let text = format!("fault {}", self.phrase(*window, " ended on "));
                let closed = self.windows.remove(window);
                let untold = closed.is_some_and(|window| window.told && !window.end_told);
                untold.then(|| said(Where::Next, text)).into_iter().collect()
            }
            What::LegCut { link, side, fate, window, .. } => {
                let which = window.map_or("of no window".to_owned(), |window| self.on(window));
                vec![said(Where::EndOf(*link, *side), format!("fault {which}: {}", fate.words()))]
            }
            What::Altered { link, direction, packet_seq, window, what } => {
                let kind = self.kind(*packet_seq).map_or("a packet".to_owned(), |kind| kind.to_string());
                let which =
                    window.map_or("the profile".to_owned(), |window| format!("fault {}", self.on(window)));
                let toward = direction.to();
                let text = format!("{which}: {kind} toward the {} {what}", toward.word());
                vec![said(Where::Leg(*link, toward), text)]
            }
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::CommandStopped
            | What::CommandEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::Dropped { .. }
            | What::AcceptFailed { .. }
            | What::ConnectAstray { .. }
            | What::LinkOpened { .. }
            | What::HubConnected { .. }
            | What::HubUnreachable { .. }
            | What::LinkIdentified { .. }
            | What::FaultMessage { .. }
            | What::Rival { .. }
            | What::Forwarded { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { .. }
            | What::TlsFailed { .. }
            | What::FirstData { .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::FirstPublish { .. }
            | What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::NotMqtt { .. }
            | What::Malformed { .. }
            | What::KeepaliveExceeded { .. }
            | What::LegEnded { .. }
            | What::EndCarried { .. }
            | What::EndWaits { .. }
            | What::HeldUp { .. }
            | What::CaptureClosed { .. }
            | What::Wire { .. }
            | What::Traffic(_)
            | What::Fired { .. }
            | What::Skipped { .. } => Vec::new(),
            What::LinkClosed { link, .. } => {
                for window in self.windows.values_mut() {
                    window.on.remove(link);
                }
                Vec::new()
            }
        }
    }

    /// The legs on which the beginning of a fault is to be told: those that it works on; none where it ends legs, which is
    /// told with their end.
    fn begun(&mut self, window: WindowId, link: LinkId, means: Ends<Option<Mechanism>>) -> Vec<Side> {
        let Some(window) = self.windows.get_mut(&window) else { return Vec::new() };
        if means.device.or(means.hub).is_some_and(ends_leg) {
            return Vec::new();
        }
        let mut sides: Vec<Side> = Side::BOTH.into_iter().filter(|side| means.get(*side).is_some()).collect();
        if sides.is_empty() {
            sides = Side::BOTH.to_vec();
        }
        window.told = true;
        let on = Ends { device: sides.contains(&Side::Device), hub: sides.contains(&Side::Hub) };
        window.on.insert(link, on);
        sides
    }

    fn lifted(&mut self, window: WindowId, link: LinkId) -> Vec<Side> {
        let Some(window) = self.windows.get_mut(&window) else { return Vec::new() };
        let Some(on) = window.on.remove(&link) else { return Vec::new() };
        window.end_told = true;
        Side::BOTH.into_iter().filter(|side| *on.get(*side)).collect()
    }

    /// `"dark" on sensor-1`
    fn on(&self, window: WindowId) -> String {
        self.phrase(window, " on ")
    }

    /// `"dark" began on sensor-1`
    fn phrase(&self, window: WindowId, between: &str) -> String {
        let Some(open) = self.windows.get(&window) else { return format!("of {window}") };
        let rule = self.rules.get(usize::from(open.rule.0));
        let rule = rule.map_or_else(|| open.rule.to_string(), |(name, _)| printable(name));
        let device = self.names.get(&open.device).cloned();
        format!("\"{rule}\"{between}{}", device.unwrap_or_else(|| open.device.to_string()))
    }

    fn fault(&self, rule: RuleId) -> &'static str {
        self.rules.get(usize::from(rule.0)).map_or("fault", |(_, fault)| fault)
    }

    fn remember(&mut self, seq: u64, packet: &Packet) {
        let Some(kind) = packet.kind() else { return };
        if self.kinds.len() == KINDS_KEPT {
            self.kinds.pop_front();
        }
        self.kinds.push_back((seq, kind));
    }

    fn kind(&self, seq: u64) -> Option<PacketKind> {
        self.kinds.iter().rev().find(|(of, _)| *of == seq).map(|(_, kind)| *kind)
    }
}

/// Whether what this does to a leg is its end, which is told as [`What::LegCut`].
fn ends_leg(mechanism: Mechanism) -> bool {
    match mechanism {
        Mechanism::Linger
        | Mechanism::Shutdown
        | Mechanism::Parked
        | Mechanism::Unnotified
        | Mechanism::Alert
        | Mechanism::Truncated
        | Mechanism::Rejected
        | Mechanism::Disconnected => true,
        Mechanism::Filter
        | Mechanism::MinTtl
        | Mechanism::Gate
        | Mechanism::Lane
        | Mechanism::Record
        | Mechanism::Handshake
        | Mechanism::RandomFilter
        | Mechanism::Shaper
        | Mechanism::Packets
        | Mechanism::Injected
        | Mechanism::HalfShut
        | Mechanism::Closed
        | Mechanism::Rival => false,
    }
}
