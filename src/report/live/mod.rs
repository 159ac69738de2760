//! Live progress: notable moments as lines, and the state of things at any time.
//!
//! A pure fold. Devices that a firing hits at once are told together, and of each kind of moment only so much is told
//! in a second; the report has it all.

mod budget;
mod handshakes;
mod links;
mod packets;
mod status;
mod wait;

use self::budget::{Budget, Kind};
use self::handshakes::Handshakes;
use self::wait::Wait;
use crate::base::text::printable;
use crate::base::{DeviceId, Direction, Ends, FiringId, LinkId, RuleId, Side, Time, WindowId};
use crate::event::{EndReason, Event, LastPackets, Packet, What};
use crate::fault::{Ending, Fault, Mechanism};
use crate::profile::Plan;
use crate::report::table::wrap;
use crate::report::words::{self, count, many, seconds};
use crate::session::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many devices of a firing are named; more are counted.
const MOST_NAMES: usize = 4;

/// The fold.
#[derive(Clone, Debug)]
pub struct Live {
    plan: Plan,
    sessions: Sessions,
    budget: Budget,
    /// A firing whose windows are still being opened: told when all are known.
    fresh: Option<FiringId>,
    firings: BTreeMap<FiringId, Firing>,
    windows: BTreeMap<WindowId, (FiringId, DeviceId)>,
    watches: BTreeMap<DeviceId, Watch>,
    /// Handshakes that meet a fault.
    handshakes: Handshakes,
    /// The codes of CONNACKs that wait in brownout, by their link and the number of their event.
    held: BTreeMap<(LinkId, u64), u8>,
    /// Links whose end has been told, until they close.
    ended: BTreeSet<LinkId>,
    /// Addresses behind which there are several devices, whose identifiers are not known: several of their links were up at once.
    crowds: BTreeSet<DeviceId>,
    /// Who said DISCONNECT before the hub had answered its CONNECT.
    early: BTreeMap<LinkId, Side>,
    /// The command beside the run was told to end.
    stopped: bool,
    /// How many firings were left out.
    skipped: u64,
    /// Nobody has connected yet.
    wait: Wait,
}

/// A firing with windows still open.
#[derive(Clone, Debug)]
struct Firing {
    rule: RuleId,
    at: Time,
    until: Option<Time>,
    devices: Vec<DeviceId>,
    open: BTreeSet<WindowId>,
    /// How many devices it found up.
    struck: usize,
    /// On how many of those another fault fell before they had noticed.
    displaced: usize,
    /// How many of those have noticed.
    noticed: usize,
    /// How many connects it refused.
    refused: u64,
    /// How many packets it worked on.
    altered: u64,
}

/// What a system sends again may be under way for so much longer than the dark lasted.
const RETRANSMISSION_GRACE: Duration = Duration::from_secs(1);

/// A device that a fault found up, until it is back.
#[derive(Clone, Debug)]
struct Watch {
    firing: FiringId,
    rule: RuleId,
    start: Time,
    link: LinkId,
    restored: Option<Time>,
    noticed: bool,
    /// The device is among those of the firing that have noticed.
    counted: bool,
    hub_noticed: bool,
    told: Ends<bool>,
    /// The fault itself ended the device's leg: what it answers is no sign, and its next connect is.
    cut: bool,
    /// Another fault did: neither is one.
    cut_by_another: bool,
    /// The ends whose packets are dropped in the kernel: they may have noticed before it is seen.
    muted: Ends<bool>,
    /// The ends that were heard of so long after the path was restored that they go on over the link: what they do then is not
    /// the fault's.
    went_on: Ends<bool>,
    back: bool,
}

impl Live {
    /// Of a run of this plan.
    pub fn new(plan: &Plan) -> Live {
        Live {
            plan: plan.clone(),
            sessions: Sessions::default(),
            budget: Budget::default(),
            fresh: None,
            firings: BTreeMap::new(),
            windows: BTreeMap::new(),
            watches: BTreeMap::new(),
            handshakes: Handshakes::default(),
            held: BTreeMap::new(),
            ended: BTreeSet::new(),
            crowds: BTreeSet::new(),
            early: BTreeMap::new(),
            stopped: false,
            skipped: 0,
            wait: Wait::default(),
        }
    }

    /// Takes in one event; answers with what is worth telling, a line or some.
    pub fn push(&mut self, event: &Event) -> Option<String> {
        self.sessions.apply(event);
        self.tell(event)
    }

    /// The same beside another fold, whose devices and links are borrowed for as long as this takes: it has taken the event
    /// in. To be used from the first event on, or never.
    pub fn push_beside(&mut self, event: &Event, sessions: &mut Sessions) -> Option<String> {
        std::mem::swap(&mut self.sessions, sessions);
        let told = self.tell(event);
        std::mem::swap(&mut self.sessions, sessions);
        told
    }

    /// When there is something to tell though nothing happens.
    pub fn deadline(&self) -> Option<Time> {
        self.wait.deadline()
    }

    /// At the deadline: what there is to tell. Before it, nothing.
    pub fn tick(&mut self, now: Time) -> Option<String> {
        let text = self.wait.tick(now, self.plan.duration.is_some())?;
        Some(line(now, &text))
    }

    fn tell(&mut self, event: &Event) -> Option<String> {
        self.wait.push(&event.what);
        let fresh = self.told_fresh(&event.what);
        let moment = self.moment(event).map(|(kind, text)| (kind, event.at, text));
        let is_over = matches!(event.what, What::RunEnded { .. });
        let mut lines = Vec::new();
        lines.extend(self.budget.left_out(event.at, is_over));
        for (kind, since, text) in fresh.into_iter().chain(moment) {
            if self.budget.allows(kind) {
                lines.push(line(since, &text));
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The line of a firing, once an event comes that does not open another of its windows.
    fn told_fresh(&mut self, next: &What) -> Option<(Kind, Time, String)> {
        let fresh = self.fresh?;
        if matches!(next, What::WindowOpened { firing, .. } if *firing == fresh) {
            return None;
        }
        self.fresh = None;
        let firing = self.firings.get(&fresh)?;
        let on = match firing.devices.as_slice() {
            [] => format!("; {}", self.on_nobody()),
            devices if devices.len() > MOST_NAMES => format!(" on {}", many(devices.len(), "device")),
            devices => format!(" on {}", self.names(devices)),
        };
        let until = firing.until.map_or(String::new(), |until| format!(", until {}", at(until)));
        let (rule, fault) = (self.rule(firing.rule), self.fault(firing.rule));
        Some((Kind::Fired, firing.at, format!("{rule}: {fault}{on}{until}")))
    }

    /// A firing that falls on no device: none is connected, or none of those is meant.
    fn on_nobody(&self) -> String {
        match self.sessions.connected() {
            0 => "no device is connected".into(),
            up => format!("it falls on none of {}", many(up, "device")),
        }
    }

    fn moment(&mut self, event: &Event) -> Option<(Kind, String)> {
        let now = event.at;
        match &event.what {
            What::Fired { firing, rule, .. } => {
                self.fresh = Some(*firing);
                self.firings.insert(*firing, Firing::new(*rule, now));
                None
            }
            What::Skipped { rule, first, last, late_ns } => {
                self.skipped += u64::from(last.saturating_sub(*first)) + 1;
                let which = if first == last {
                    format!("firing {first}")
                } else {
                    format!("firings {first} to {last}")
                };
                let were = if first == last { "was" } else { "were" };
                let late = seconds(Duration::from_nanos(*late_ns).as_secs_f64());
                let rule = self.rule(*rule);
                Some((Kind::Skipped, format!("{rule}: {which} {were} skipped: brownout was {late} late")))
            }
            What::WindowOpened { window, firing, device, until, .. } => {
                self.opened(*window, *firing, *device, *until);
                None
            }
            What::FaultApplied { window, link, means, .. } => {
                if means.device == Some(Mechanism::Handshake) {
                    return self.handshake_met(now, *window, *link);
                }
                self.applied(now, *window, *link, *means);
                None
            }
            What::FaultRefused { window, error, .. } => {
                let (firing, _) = self.windows.get(window)?;
                let firing = self.firings.get(firing)?;
                Some((Kind::Trouble, format!("{}: REFUSED: {}", self.rule(firing.rule), printable(error))))
            }
            What::WindowClosed { window } => Some((Kind::Restored, self.closed(now, *window)?)),
            // They were told to.
            What::LegEnded { .. } | What::Packet { packet: Packet::Disconnect { .. }, .. }
                if self.stopped =>
            {
                None
            }
            What::LegEnded { link, side, how, error, .. } => {
                let how = how_words(*how, error.as_deref());
                // What follows a DISCONNECT that came before the CONNACK is its consequence.
                if let Some(side) = self.early.remove(link) {
                    return self.sign(now, *link, side, "DISCONNECT");
                }
                match side {
                    Side::Device if self.handshakes.is_met(*link) => self.handshake_left(now, *link, &how),
                    Side::Device | Side::Hub => self.sign(now, *link, *side, &how),
                }
            }
            What::Packet { link, direction, packet: Packet::Disconnect { .. }, .. } => {
                if self.sessions.link(*link).is_some_and(|link| link.connack.is_none()) {
                    self.early.insert(*link, direction.from());
                }
                self.sign(now, *link, direction.from(), "DISCONNECT")
            }
            What::EndCarried { link, to: side, .. } => {
                *self.watch_of(*link).filter(|watch| watch.link == *link)?.told.get_mut(*side) = true;
                None
            }
            What::EndWaits { link, to, unsent } => {
                let watch = self.watch_of(*link).filter(|watch| watch.link == *link)?;
                *watch.told.get_mut(*to) = *unsent == 0;
                None
            }
            What::LegCut { link, side, fate, window, .. } => self.cut(*link, *side, *fate, *window),
            What::Altered { window, what, .. } => self.altered(*window, what),
            What::Rival { window, news, .. } => self.rival(*window, news),
            What::FaultLifted { window, .. } => {
                self.lifted(now, *window);
                None
            }
            What::LinkIdentified { link, device } => self.connected(now, *link, *device),
            What::Packet {
                link,
                direction: Direction::Down,
                packet: packet @ Packet::Connack { .. },
                held,
                dropped,
                passed,
            } => {
                let code = packets::code_passed(packet, *dropped, passed.as_deref())?;
                // A finding, and no news of its device.
                self.sessions.link(*link).filter(|link| !link.accepted_before)?;
                if *held {
                    self.held.insert((*link, event.seq), code);
                    None
                } else {
                    self.answered(now, *link, code)
                }
            }
            What::Forwarded { link, packet_seq } => {
                let code = self.held.remove(&(*link, *packet_seq))?;
                self.answered(now, *link, code)
            }
            What::LinkClosed { link, .. } => {
                while let Some((&held, _)) = self.held.range((*link, 0)..=(*link, u64::MAX)).next() {
                    self.held.remove(&held);
                }
                self.ended.remove(link);
                self.early.remove(link);
                self.handshakes.forget(*link);
                None
            }
            What::TlsEstablished { link, side: Side::Device, .. } => self.handshake_done(now, *link),
            What::FirstData { link, direction: Direction::Down } => self.answered(now, *link, 0),
            What::HubUnreachable { error, .. } => trouble("hub unreachable", error),
            What::AcceptFailed { error, .. } => trouble("accept failed", error),
            What::ConnectAstray { peer, .. } => trouble("a connect to brownout itself was reset", peer),
            What::ListenerMuteRefused { error, .. } => trouble("mute REFUSED", error),
            What::NotMqtt { direction: Direction::Up, reason, .. } => {
                trouble("a device cannot be read as MQTT", reason)
            }
            What::TlsFailed { side, error, .. } => {
                trouble(&format!("TLS with the {} failed", side.word()), error)
            }
            What::HeldUp { late_ns } => Some((
                Kind::HeldUp,
                format!(
                    "brownout itself was held up for {} or more: times may be off by as much",
                    seconds(Duration::from_nanos(*late_ns).as_secs_f64())
                ),
            )),
            What::CommandStopped => {
                self.stopped = true;
                // What devices do from now on is no sign of a fault, in the report neither.
                self.watches.clear();
                None
            }
            What::Traffic(traffic) => {
                let watch = self.watch_of(traffic.link).filter(|watch| watch.link == traffic.link)?;
                watch.heard(traffic.last);
                None
            }
            What::CommandEnded { code } => Some((
                Kind::Over,
                code.map_or("command ended by a signal".into(), |code| {
                    format!("command ended with code {code}")
                }),
            )),
            What::RunEnded { reason } => Some((Kind::Over, format!("run ended: {}", self.why(*reason)))),
            What::RunStarted(_)
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::CaptureClosed { .. }
            | What::Wire { .. }
            | What::ListenerUnmuted { .. }
            | What::Dropped { .. }
            | What::LinkOpened { .. }
            | What::HubConnected { .. }
            | What::DeviceNamed { .. }
            | What::Packet { .. }
            | What::FaultMessage { .. }
            | What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::FirstPublish { .. }
            | What::NotMqtt { direction: Direction::Down, .. }
            | What::Malformed { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { side: Side::Hub, .. }
            | What::FirstData { direction: Direction::Up, .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::KeepaliveExceeded { .. } => None,
        }
    }

    fn why(&self, reason: EndReason) -> String {
        match (reason, self.skipped) {
            (EndReason::Complete, 1..) => {
                format!("nothing more is to come of any rule, but {} skipped", count(self.skipped, "firing"))
            }
            (reason, _) => reason.words().to_owned(),
        }
    }

    fn opened(&mut self, window: WindowId, firing_id: FiringId, device: DeviceId, until: Option<Time>) {
        let Some(firing) = self.firings.get_mut(&firing_id) else { return };
        firing.devices.push(device);
        firing.open.insert(window);
        firing.until = firing.until.max(until);
        self.windows.insert(window, (firing_id, device));
    }

    /// A fault holds on a link. Links that were not up are attempts, not what the fault found.
    fn applied(&mut self, now: Time, window: WindowId, link: LinkId, means: Ends<Option<Mechanism>>) {
        let Some(&(id, device)) = self.windows.get(&window) else { return };
        let Some(firing) = self.firings.get_mut(&id) else { return };
        let is_up = self.sessions.link(link).is_some_and(crate::session::Link::is_up);
        let of_each = self.plan.rule(firing.rule).is_some_and(|rule| rule.fault.falls_on_each_link());
        let same = self.watches.get(&device).filter(|watch| watch.firing == id);
        let is_known = same.is_some_and(|watch| watch.link == link || !of_each);
        if !is_up || is_known {
            return;
        }
        let counted = same.is_some_and(|watch| watch.counted);
        firing.struck += usize::from(same.is_none());
        let watch = Watch { counted, ..Watch::new(id, firing.rule, now, link, means) };
        let before = self.watches.insert(device, watch);
        let displaced = before.filter(|watch| !watch.noticed && watch.firing != id);
        if let Some(other) = displaced.and_then(|watch| self.firings.get_mut(&watch.firing)) {
            other.displaced += 1;
        }
    }

    /// The path is restored with the first link that it is restored on.
    fn lifted(&mut self, now: Time, window: WindowId) {
        let Some((id, device)) = self.windows.get(&window) else { return };
        if let Some(watch) = self.watches.get_mut(device).filter(|watch| watch.firing == *id) {
            watch.restored.get_or_insert(now);
        }
    }

    fn closed(&mut self, now: Time, window: WindowId) -> Option<String> {
        let (number, device) = self.windows.remove(&window)?;
        if let Some(watch) = self.watches.get_mut(&device).filter(|watch| watch.firing == number) {
            watch.restored.get_or_insert(now);
            // A slow path over which the link held leaves nothing to notice.
            let breaks = self.plan.rule(watch.rule).is_some_and(|rule| rule.fault.breaks_link());
            if !breaks && !watch.noticed && !watch.hub_noticed {
                self.watches.remove(&device);
            }
        }
        self.handshakes.restored(device, window, now);
        let firing = self.firings.get_mut(&number)?;
        firing.open.remove(&window);
        if !firing.open.is_empty() {
            return None;
        }
        let firing = self.firings.remove(&number)?;
        let of = self.plan.rule(firing.rule)?;
        if of.fault.is_of_handshakes() {
            return (firing.struck > 0).then(|| {
                format!("{}: handshakes are sound again; it met {}", of.id, many(firing.struck, "handshake"))
            });
        }
        let id = &of.id;
        if let Some(done) = packets::done(firing.refused, firing.altered) {
            return Some(format!("{id}: over; {done}"));
        }
        if firing.struck == 0 || of.fault.is_one_shot() {
            return None;
        }
        if matches!(of.fault, Fault::Takeover(_)) {
            return Some(format!("{id}: over"));
        }
        let watched = firing.struck.saturating_sub(firing.displaced);
        if !of.fault.breaks_link() || watched == 0 {
            return Some(format!("{id}: path restored"));
        }
        let struck = many(watched, "device");
        // Packets of these were dropped: that they had noticed may be seen from now on only.
        let is_hidden = |watch: &Watch| watch.firing == number && !watch.noticed && watch.muted.device;
        let mut watches = firing.devices.iter().filter_map(|device| self.watches.get(device));
        let noticed = if watches.any(is_hidden) { "had been seen to notice" } else { "had noticed" };
        Some(format!("{id}: path restored; {} of {struck} {noticed}", firing.noticed))
    }

    fn names(&self, devices: &[DeviceId]) -> String {
        let name = |id: &DeviceId| self.sessions.device(*id).map(|device| printable(&device.name));
        devices.iter().filter_map(name).collect::<Vec<_>>().join(", ")
    }

    fn rule(&self, rule: RuleId) -> String {
        words::rule_name(&self.plan, rule)
    }

    fn fault(&self, rule: RuleId) -> String {
        self.plan.rule(rule).map(|rule| words::fault(&rule.fault)).unwrap_or_default()
    }
}

impl Firing {
    fn new(rule: RuleId, at: Time) -> Firing {
        let (devices, open) = (Vec::new(), BTreeSet::new());
        let (struck, displaced, noticed, refused, altered) = (0, 0, 0, 0, 0);
        Firing { rule, at, until: None, devices, open, struck, displaced, noticed, refused, altered }
    }
}

impl Watch {
    fn new(
        firing: FiringId,
        rule: RuleId,
        start: Time,
        link: LinkId,
        means: Ends<Option<Mechanism>>,
    ) -> Watch {
        let is_mute = |by: Option<Mechanism>| matches!(by, Some(Mechanism::Filter | Mechanism::MinTtl));
        Watch {
            firing,
            rule,
            start,
            link,
            restored: None,
            noticed: false,
            counted: false,
            hub_noticed: false,
            told: Ends::default(),
            cut: false,
            cut_by_another: false,
            muted: Ends { device: is_mute(means.device), hub: is_mute(means.hub) },
            went_on: Ends::default(),
            back: false,
        }
    }

    /// Its ends were last heard of then. What a fault kept back may come for as long again after it.
    fn heard(&mut self, last: Ends<LastPackets>) {
        let Some(restored) = self.restored.filter(|_| !self.cut && !self.cut_by_another) else { return };
        let latest = restored + restored.since(self.start) + RETRANSMISSION_GRACE;
        for side in Side::BOTH {
            *self.went_on.get_mut(side) |= last.get(side).from.is_some_and(|from| from > latest);
        }
    }

    /// How long after the start this end showed that it knows: `after 2.0 s`, or, its packets having been dropped,
    /// `by 2.0 s at the latest`.
    fn when(&self, side: Side, now: Time) -> String {
        let after = span(now.since(self.start));
        if *self.muted.get(side) { format!("by {after} at the latest") } else { format!("after {after}") }
    }
}

/// How an end ended its leg, a TLS alert by its name.
fn how_words(how: Ending, error: Option<&str>) -> String {
    match (how, error) {
        (Ending::Alert, Some(alert)) => format!("alert {}", printable(alert)),
        (Ending::Alert, None) | (Ending::Fin | Ending::Unnotified | Ending::Reset, _) => how.word().into(),
    }
}

fn trouble(what: &str, error: &str) -> Option<(Kind, String)> {
    Some((Kind::Trouble, format!("{what}: {}", printable(error))))
}

/// What is told of a moment, wrapped behind its time.
fn line(since: Time, text: &str) -> String {
    wrap(&format!("{:>9}  ", at(since)), text).trim_end().to_owned()
}

/// A time of the run: `12.34 s`.
fn at(time: Time) -> String {
    format!("{:.2} s", time.elapsed().as_secs_f64())
}

fn span(span: Duration) -> String {
    seconds(span.as_secs_f64())
}
