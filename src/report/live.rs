//! Live progress: notable moments as lines, and the state of things at any time.
//!
//! A pure fold. Devices that a firing hits at once are told together, and of what happens in one second only so much
//! is told; the report has it all.

use super::budget::Budget;
use super::words::{self, count, seconds};
use crate::base::text::printable;
use crate::base::{DeviceId, Direction, FiringId, LinkId, RuleId, Side, Time, WindowId};
use crate::event::{Event, Packet, What};
use crate::profile::Plan;
use crate::session::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The fold.
#[derive(Clone, Debug)]
pub struct Live {
    plan: Plan,
    sessions: Sessions,
    budget: Budget,
    /// A firing whose windows are still being opened: told when all are known.
    fresh: Option<FiringId>,
    firings: BTreeMap<FiringId, Firing>,
    windows: BTreeMap<WindowId, FiringId>,
    watches: BTreeMap<DeviceId, Watch>,
}

/// A firing with windows still open.
#[derive(Clone, Debug)]
struct Firing {
    rule: RuleId,
    at: Time,
    until: Option<Time>,
    devices: Vec<DeviceId>,
    open: BTreeSet<WindowId>,
}

/// A device that a fault fell on, until it is back.
#[derive(Clone, Debug)]
struct Watch {
    firing: FiringId,
    rule: RuleId,
    start: Option<Time>,
    restored: Option<Time>,
    links: BTreeSet<LinkId>,
    noticed: bool,
    hub_noticed: bool,
    told: bool,
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
        }
    }

    /// Takes in one event; answers with what is worth telling, a line or some.
    pub fn push(&mut self, event: &Event) -> Option<String> {
        self.sessions.apply(event);
        let fresh = self.told_fresh(&event.what);
        let moment =
            self.moment(event.at, &event.what).map(|moment| format!("{:>9}  {moment}", at(event.at)));
        let ends = matches!(event.what, What::RunEnded { .. } | What::CommandEnded { .. });
        let mut lines = Vec::new();
        for line in fresh.into_iter().chain(moment) {
            lines.extend(self.budget.left_out(event.at));
            if self.budget.allows() || ends {
                lines.push(line);
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Who is connected, and which faults are in force for how long still.
    pub fn status(&self, now: Time) -> Vec<String> {
        let devices: Vec<_> = self.sessions.devices().collect();
        let down: Vec<DeviceId> =
            devices.iter().filter(|device| !self.sessions.is_up(device)).map(|device| device.id).collect();
        let mut lines = vec![match down.len() {
            0 => format!("{} connected", many(devices.len(), "device")),
            _ => format!(
                "{} of {} connected; down: {}",
                devices.len() - down.len(),
                many(devices.len(), "device"),
                self.names(&down)
            ),
        }];
        for firing in self.firings.values().filter(|firing| !firing.open.is_empty()) {
            let left =
                firing.until.map_or("to the end".into(), |until| format!("{} left", span(until.since(now))));
            let on = many(firing.open.len(), "device");
            lines.push(format!("{}: {} on {on}, {left}", self.rule(firing.rule), self.fault(firing.rule)));
        }
        lines
    }

    /// The line of a firing, once an event comes that does not open another of its windows.
    fn told_fresh(&mut self, next: &What) -> Option<String> {
        let fresh = self.fresh?;
        if matches!(next, What::WindowOpened { firing, .. } if *firing == fresh) {
            return None;
        }
        self.fresh = None;
        let firing = self.firings.get(&fresh)?;
        let on = match firing.devices.as_slice() {
            [] => "nobody is there".to_owned(),
            devices => format!("on {}", self.names(devices)),
        };
        let until = firing.until.map_or(String::new(), |until| format!(", until {}", at(until)));
        let (rule, fault) = (self.rule(firing.rule), self.fault(firing.rule));
        Some(format!("{:>9}  {rule}: {fault} {on}{until}", at(firing.at)))
    }

    fn moment(&mut self, now: Time, what: &What) -> Option<String> {
        match what {
            What::Fired { firing, rule, .. } => {
                self.fresh = Some(*firing);
                self.firings.insert(*firing, Firing::new(*rule, now));
                None
            }
            What::WindowOpened { window, firing, device, until, .. } => {
                self.opened(*window, *firing, *device, *until);
                None
            }
            What::FaultApplied { window, link, .. } => {
                self.applied(now, *window, *link);
                None
            }
            What::FaultRefused { window, error, .. } => {
                let firing = self.firings.get(self.windows.get(window)?)?;
                Some(format!("{}: REFUSED: {}", self.rule(firing.rule), printable(error)))
            }
            What::WindowClosed { window } => self.closed(now, *window),
            What::LegEnded { link, side, how, .. } => self.sign(now, *link, *side, how.word()),
            What::Packet { link, direction, packet: Packet::Disconnect { .. }, .. } => {
                self.sign(now, *link, direction.from(), "DISCONNECT")
            }
            What::EndCarried { link, to: Side::Device, .. }
            | What::LegCut { link, side: Side::Device, .. } => {
                self.watch_of(*link)?.told = true;
                None
            }
            What::LinkIdentified { link, device } => self.connected(now, *link, *device),
            What::Packet { link, direction: Direction::Down, packet: Packet::Connack { code, .. }, held } => {
                if *held {
                    None
                } else {
                    self.answered(now, *link, *code)
                }
            }
            What::HubUnreachable { error, .. } => Some(format!("hub unreachable: {}", printable(error))),
            What::AcceptFailed { error, .. } => Some(format!("accept failed: {}", printable(error))),
            What::ListenerMuteRefused { error, .. } => Some(format!("mute REFUSED: {}", printable(error))),
            What::CommandEnded { code } => Some(code.map_or("command ended by a signal".into(), |code| {
                format!("command ended with code {code}")
            })),
            What::RunEnded { reason } => Some(format!("run ended: {}", reason.words())),
            What::RunStarted(_)
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerUnmuted { .. }
            | What::LinkOpened { .. }
            | What::HubConnected { .. }
            | What::DeviceNamed { .. }
            | What::Packet { .. }
            | What::Forwarded { .. }
            | What::FirstPublish { .. }
            | What::NotMqtt { .. }
            | What::KeepaliveExceeded { .. }
            | What::EndCarried { .. }
            | What::LegCut { .. }
            | What::Traffic(_)
            | What::LinkClosed { .. }
            | What::FaultLifted { .. } => None,
        }
    }

    fn opened(&mut self, window: WindowId, firing_id: FiringId, device: DeviceId, until: Option<Time>) {
        let Some(firing) = self.firings.get_mut(&firing_id) else { return };
        firing.devices.push(device);
        firing.open.insert(window);
        firing.until = firing.until.max(until);
        self.windows.insert(window, firing_id);
        self.watches.insert(device, Watch::new(firing_id, firing.rule));
    }

    fn applied(&mut self, now: Time, window: WindowId, link: LinkId) {
        let Some(firing) = self.windows.get(&window) else { return };
        let device = self.sessions.device_of(link).map(|device| device.id);
        let watch = device.and_then(|device| self.watches.get_mut(&device));
        if let Some(watch) = watch.filter(|watch| watch.firing == *firing) {
            // Links that come later are attempts, not what the fault found.
            if watch.start.is_none() {
                watch.links.insert(link);
            }
            watch.start.get_or_insert(now);
        }
    }

    fn closed(&mut self, now: Time, window: WindowId) -> Option<String> {
        let id = self.windows.remove(&window)?;
        let firing = self.firings.get_mut(&id)?;
        firing.open.remove(&window);
        if !firing.open.is_empty() {
            return None;
        }
        let firing = self.firings.remove(&id)?;
        let (mut all, mut noticed) = (0, 0);
        for watch in self.watches.values_mut().filter(|watch| watch.firing == id && watch.start.is_some()) {
            watch.restored = Some(now);
            all += 1;
            noticed += usize::from(watch.noticed);
        }
        let one_shot = self.plan.rule(firing.rule).is_some_and(|rule| rule.fault.is_one_shot());
        (all > 0 && !one_shot).then(|| {
            let rule = self.rule(firing.rule);
            format!("{rule}: path restored; {noticed} of {} had noticed", many(all, "device"))
        })
    }

    /// An end gave a link up.
    fn sign(&mut self, now: Time, link: LinkId, side: Side, how: &str) -> Option<String> {
        let name = printable(&self.sessions.device_of(link)?.name);
        let accepted = matches!(self.sessions.link(link)?.connack, Some((_, 0)));
        let watch = self.watch_of(link).filter(|watch| watch.links.contains(&link));
        let Some(watch) = watch else {
            // Attempts that fail are the report's to count.
            return accepted.then(|| format!("{name}: the {} ended the link ({how})", side.word()));
        };
        let first = match side {
            Side::Device => !watch.told && !std::mem::replace(&mut watch.noticed, true),
            Side::Hub => !std::mem::replace(&mut watch.hub_noticed, true),
        };
        let after = watch.start.map(|start| now.since(start))?;
        let rule = watch.rule;
        if !first {
            return None;
        }
        let who = match side {
            Side::Device => format!("{name} noticed"),
            Side::Hub => format!("hub gave {name} up"),
        };
        Some(format!("{who} after {} ({how}); {}", span(after), self.rule(rule)))
    }

    /// A device opened another link.
    fn connected(&mut self, now: Time, link: LinkId, device: DeviceId) -> Option<String> {
        let watch = self.watches.get_mut(&device).filter(|watch| !watch.links.contains(&link))?;
        let (start, rule) = (watch.start?, watch.rule);
        let one_shot = self.plan.rule(rule).is_some_and(|rule| rule.fault.is_one_shot());
        if (watch.told && !one_shot) || std::mem::replace(&mut watch.noticed, true) {
            return None;
        }
        let name = printable(&self.sessions.device(device)?.name);
        Some(format!("{name} noticed after {} (connects); {}", span(now.since(start)), self.rule(rule)))
    }

    /// The hub answered a CONNECT.
    fn answered(&mut self, now: Time, link: LinkId, code: u8) -> Option<String> {
        let device = self.sessions.device_of(link)?;
        let (id, name) = (device.id, printable(&device.name));
        if code != 0 {
            return Some(format!("{name} refused with code {code}"));
        }
        let keep_alive = device.keep_alive.filter(|keep_alive| !keep_alive.is_zero());
        if device.accepted == 1 {
            let keep_alive = keep_alive.map_or("no keep-alive".into(), |k| format!("keep-alive {}", span(k)));
            return Some(format!("{name} connected, {keep_alive}"));
        }
        let restored = self.watches.remove(&id).and_then(|watch| watch.restored);
        let after =
            restored.map(|restored| format!(", {} after the path was restored", span(now.since(restored))));
        Some(format!("{name} is back{}", after.unwrap_or_default()))
    }

    fn watch_of(&mut self, link: LinkId) -> Option<&mut Watch> {
        let device = self.sessions.device_of(link)?.id;
        self.watches.get_mut(&device)
    }

    fn names(&self, devices: &[DeviceId]) -> String {
        let name = |id: &DeviceId| self.sessions.device(*id).map(|device| printable(&device.name));
        let shown: Vec<String> = devices.iter().filter_map(name).take(4).collect();
        match devices.len().saturating_sub(shown.len()) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
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
        Firing { rule, at, until: None, devices: Vec::new(), open: BTreeSet::new() }
    }
}

impl Watch {
    fn new(firing: FiringId, rule: RuleId) -> Watch {
        Watch {
            firing,
            rule,
            start: None,
            restored: None,
            links: BTreeSet::new(),
            noticed: false,
            hub_noticed: false,
            told: false,
        }
    }
}

/// A time of the run: `12.34 s`.
fn at(time: Time) -> String {
    format!("{:.2} s", time.elapsed().as_secs_f64())
}

fn span(span: Duration) -> String {
    seconds(span.as_secs_f64())
}

fn many(number: usize, thing: &str) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), thing)
}
