//! What the specification says of a peer, held against what it was seen to do.
//!
//! A fold over events that keeps, for each live link and each device, what the rules ask for; one file for each family of
//! rules. Invariant: nothing that a fault may have brought about is held against anybody, and what was not watched is not
//! judged. Deliberately absent: patterns over the run (diagnosis), figures (the measures beside).
//!
//! ```text
//!   event ──▶ mod (whose, which way, passed on or not) ──▶ the families: keep_alive, ping, session, wills, ...
//!                        │                                        │
//!                      watch (of the link)                      cases (findings so far)
//! ```
//!
//! Memory: some 1 KB for each live link, 700 bytes for each of at most [`MOST_DEVICES`] devices, 1 KB for each of at most
//! [`cases::MOST_CASES`] cases.

mod cases;
mod connects;
mod farewell;
mod keep_alive;
mod kind;
mod messages;
mod ping;
mod protocol;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod wills;

use super::finding::Finding;
use super::results::RunResults;
use crate::base::{DeviceId, Direction, Ends, LinkId, Side, Time, WindowId};
use crate::event::{Event, Packet, What};
use crate::fault::{Ending, LegFate};
use crate::mqtt::Version;
use crate::session::Sessions;
use cases::Cases;
use connects::Connects;
use farewell::Farewells;
use session::Rivals;
use std::collections::BTreeMap;
use std::time::Duration;
use watch::{Said, Watch};
use wills::Wills;

/// How many devices are remembered: beyond that, those without a link are forgotten, the first seen first. What is known of
/// one that was forgotten begins anew when it comes back.
pub const MOST_DEVICES: usize = 20_000;

/// Room is made at multiples of this.
const ROOM_EVERY: usize = 1_000;

/// For how long after a fault's window opened on a device, or closed, what it does with any of its links may be its answer.
const AFTERMATH: Duration = Duration::from_secs(2);

/// What was seen of the rules.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    links: BTreeMap<LinkId, Watch>,
    devices: BTreeMap<DeviceId, Habits>,
    windows: BTreeMap<WindowId, DeviceId>,
    rivals: Rivals,
    wills: Wills,
    farewells: Farewells,
    cases: Cases,
}

/// What is kept of a device across its links.
#[derive(Clone, Debug, Default)]
struct Habits {
    /// Whether it holds subscriptions that it has to make again where there is no session.
    holds: bool,
    version: Option<Version>,
    clean: bool,
    /// Packets of its were dropped, changed, doubled or put in.
    altered: bool,
    /// How many windows are open on it.
    windows: u32,
    /// When one last opened or closed.
    struck: Option<Time>,
    early: keep_alive::Early,
    connects: Connects,
}

/// An event's number and time, with what it is told to.
#[derive(Clone, Copy, Debug)]
struct Now {
    seq: u64,
    at: Time,
}

impl Conformance {
    /// Takes in an event that `sessions` has taken in already.
    pub fn push(&mut self, event: &Event, sessions: &Sessions) {
        let now = Now { seq: event.seq, at: event.at };
        self.due(now.at, sessions);
        match &event.what {
            What::LinkOpened { link, listener, .. } => {
                let ip = sessions.link(*link).and_then(crate::session::Link::ip);
                self.links.insert(*link, Watch::new(*link, *listener, ip, now.at));
            }
            What::LinkIdentified { link, device } => self.identified(now, *link, *device, sessions),
            What::Packet { link, direction, held, dropped, passed, packet } => {
                let passed = (!dropped).then(|| passed.as_deref().unwrap_or(packet));
                self.packet(now, *link, *direction, packet, passed, *held, sessions);
            }
            What::Forwarded { link, packet_seq } => self.forwarded(now, *link, *packet_seq, sessions),
            What::Traffic(traffic) => {
                if let Some(watch) = self.links.get_mut(&traffic.link) {
                    watch.heard(Side::Device, traffic.last.device);
                    watch.heard(Side::Hub, traffic.last.hub);
                }
            }
            What::KeepaliveExceeded { link, gap_ns } => {
                let gap = Duration::from_nanos(*gap_ns);
                self.was_silent(now, *link, gap, sessions);
            }
            What::NotMqtt { link, direction, reason, .. } => {
                if let Some(watch) = self.links.get(link) {
                    protocol::not_mqtt(watch, now.at, now.seq, *direction, reason, &mut self.cases);
                }
            }
            What::Message { device, link, direction, qos, id, news } => {
                let (version, altered, clean) = self.habits_of(*device);
                let link = link.and_then(|link| self.links.get(&link));
                let disturbed = link.is_none_or(|link| !link.faults.is_pristine());
                let disturbed = disturbed || self.is_struck(*device, now.at);
                let Now { seq, at } = now;
                let (device, direction, qos, id) = (*device, *direction, *qos, *id);
                let told = messages::Told {
                    at,
                    seq,
                    device,
                    direction,
                    qos,
                    id,
                    news,
                    version,
                    altered,
                    disturbed,
                    clean,
                };
                messages::told(told, &mut self.cases);
            }
            What::WillDelivered { device, .. } => {
                self.wills.delivered(*device, now.at, now.seq, &mut self.cases);
            }
            What::LegEnded { link, side, how, last, .. } => {
                if let Some(watch) = self.links.get_mut(link) {
                    watch.heard(*side, *last);
                }
                self.leg_ended(now, *link, *side, *how, sessions);
            }
            What::EndCarried { link, to, .. } => self.told(now, *link, *to, sessions),
            What::LegCut { link, side, fate, last, .. } => {
                if let Some(watch) = self.links.get_mut(link) {
                    watch.heard(*side, *last);
                }
                self.cut(now, *link, *side, *fate, sessions);
            }
            What::LinkClosed { link, .. } => self.closed(now, *link, sessions),
            What::WindowOpened { window, device, .. } => {
                self.windows.insert(*window, *device);
                self.strike(*device, now.at, 1);
            }
            What::WindowClosed { window } => {
                if let Some(device) = self.windows.remove(window) {
                    self.strike(device, now.at, -1);
                }
            }
            What::FaultApplied { window, link, means, .. } => {
                self.disturb(now, *link, |watch| watch.faults.falls(*window, *means));
            }
            What::FaultLifted { window, link } => self.lifted(now, *window, *link, sessions),
            What::Altered { link, .. } => {
                self.disturb(now, *link, |watch| {
                    watch.faults.touch();
                    watch.faults.altered = true;
                });
                self.note_altered(*link);
            }
            What::CommandEnded { code } => self.farewells.command_ended(now.at, *code),
            What::Rival { link, .. } => self.disturb(now, *link, |watch| watch.faults.touch()),
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::AcceptFailed { .. }
            | What::HubConnected { .. }
            | What::HubUnreachable { .. }
            | What::DeviceNamed { .. }
            | What::FaultMessage { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { .. }
            | What::TlsFailed { .. }
            | What::FirstData { .. }
            | What::FirstPublish { .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::Delivery { .. }
            | What::Fired { .. }
            | What::FaultRefused { .. }
            | What::CaptureClosed { .. } => {}
        }
    }

    /// What was found, as of this moment.
    pub fn findings(&self, run: &RunResults, end: Time) -> Vec<Finding> {
        let mut cases = self.cases.clone();
        self.farewells.clone().tell(&mut cases);
        for watch in self.links.values() {
            let name = watch.device.map_or("?", |device| run.name(device));
            settle(&mut watch.clone(), end, name, &mut cases);
        }
        let mut findings = cases.findings();
        findings.extend(connects::fleet(self.devices.values().map(|habits| &habits.connects)));
        findings
    }

    /// What falls due by itself.
    fn due(&mut self, at: Time, sessions: &Sessions) {
        self.wills.due(at, &mut self.cases);
        self.farewells.due(at, &mut self.cases);
        let links = &self.links;
        let rule = |first: LinkId| {
            let watch = links.get(&first).filter(|watch| watch.is_up())?;
            let name = sessions.device(watch.device?)?.name.clone();
            watch.rule("MQTT-3.1.4-2", "MQTT-3.1.4-3").map(|rule| (rule, name))
        };
        self.rivals.due(at, rule, &mut self.cases);
    }

    fn habits_of(&self, device: DeviceId) -> (Version, bool, bool) {
        let habits = self.devices.get(&device);
        let version = habits.and_then(|habits| habits.version).unwrap_or(Version::V311);
        (version, habits.is_some_and(|habits| habits.altered), habits.is_none_or(|habits| habits.clean))
    }

    /// Whether a fault has just fallen on the device, or been lifted from it, or holds.
    fn is_struck(&self, device: DeviceId, at: Time) -> bool {
        self.devices.get(&device).is_some_and(|habits| {
            habits.windows > 0 || habits.struck.is_some_and(|struck| at.since(struck) < AFTERMATH)
        })
    }

    fn strike(&mut self, device: DeviceId, at: Time, more: i32) {
        let habits = self.devices.entry(device).or_default();
        habits.windows = habits.windows.saturating_add_signed(more);
        habits.struck = Some(at);
    }

    fn note_altered(&mut self, link: LinkId) {
        let device = self.links.get(&link).and_then(|watch| watch.device);
        if let Some(device) = device {
            self.devices.entry(device).or_default().altered = true;
        }
    }

    /// A fault falls on a link, or is lifted.
    fn disturb(&mut self, now: Now, link: LinkId, change: impl FnOnce(&mut Watch)) {
        self.wills.forget(link);
        self.rivals.forget(link);
        if let Some(watch) = self.links.get_mut(&link) {
            change(watch);
            watch.pings.excuse_hub();
            watch.asked.clear();
            watch.session.watch_anew(now.at);
        }
    }

    fn lifted(&mut self, now: Now, window: WindowId, link: LinkId, sessions: &Sessions) {
        if let Some(watch) = self.links.get_mut(&link).filter(|watch| watch.over.hub.is_none()) {
            let name = sessions.device_of(link).map_or("?", |device| device.name.as_str());
            keep_alive::kept(watch, now.at, now.seq, name, &mut self.cases);
            // What it had kept back reaches the hub now.
            watch.hub_heard = watch.hub_heard.map(|heard| heard.max(now.at));
        }
        self.disturb(now, link, |watch| watch.faults.lifts(window));
    }

    /// The device sent nothing for so long, on a sound path, and so the hub heard nothing.
    fn was_silent(&mut self, now: Now, link: LinkId, gap: Duration, sessions: &Sessions) {
        let Some(watch) = self.links.get_mut(&link) else { return };
        let name = sessions.device_of(link).map_or("?", |device| device.name.as_str());
        keep_alive::exceeded(watch, now.at, now.seq, gap, &mut self.cases);
        if watch.faults.is_sound() && watch.over == Ends::default() {
            keep_alive::silent(watch, now.at, now.seq, gap, name, &mut self.cases);
            watch.hub_heard = Some(now.at);
        }
    }

    fn identified(&mut self, now: Now, link: LinkId, device: DeviceId, sessions: &Sessions) {
        self.make_room();
        // Who connects anew has given its other links up, whether it closed them or not.
        let links = sessions.device(device).into_iter().flat_map(|device| &device.links);
        for other in links.filter(|other| **other != link) {
            if let Some(watch) = self.links.get_mut(other) {
                ping::device_waited(watch, now.at, &mut self.cases);
                session::settle(watch, now.at, &mut self.cases);
            }
        }
        let Some(watch) = self.links.get_mut(&link) else { return };
        watch.device = Some(device);
        let habits = self.devices.entry(device).or_default();
        habits.connects.opens(device, watch.opened, now.seq, &mut self.cases);
    }

    /// Forgets devices where there are too many.
    fn make_room(&mut self) {
        // Where all of them have links, there is nothing to forget: it is not looked for at each connect.
        if self.devices.len() < MOST_DEVICES || !self.devices.len().is_multiple_of(ROOM_EVERY) {
            return;
        }
        let live: std::collections::BTreeSet<DeviceId> =
            self.links.values().filter_map(|watch| watch.device).collect();
        let mut spare = MOST_DEVICES / 2;
        self.devices.retain(|id, habits| {
            let stays = live.contains(id) || habits.windows > 0 || spare == 0;
            spare -= usize::from(!stays);
            stays
        });
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event")]
    fn packet(
        &mut self,
        now: Now,
        link: LinkId,
        direction: Direction,
        packet: &Packet,
        passed: Option<&Packet>,
        held: bool,
        sessions: &Sessions,
    ) {
        self.arrives(now, link, direction, packet, passed, sessions);
        let Some(watch) = self.links.get_mut(&link) else { return };
        match passed.map(Said::of) {
            None => watch.faults.touch(),
            Some(said) if held && watch.waits(now.seq, direction, said) => {}
            Some(said) => self.passes(now, link, direction, said, sessions),
        }
    }

    /// What a packet shows of its sender.
    fn arrives(
        &mut self,
        now: Now,
        link: LinkId,
        direction: Direction,
        packet: &Packet,
        passed: Option<&Packet>,
        sessions: &Sessions,
    ) {
        let Some(watch) = self.links.get_mut(&link) else { return };
        let (Now { seq, at }, cases) = (now, &mut self.cases);
        let name = sessions.device_of(link).map_or("?", |device| device.name.as_str());
        protocol::arrives(watch, at, seq, direction, packet, name, cases);
        watch.arrives(at, direction);
        match (direction, packet) {
            (Direction::Up, Packet::Connect { version, clean, .. }) => {
                if watch.greeting.is_none() {
                    watch.greets(packet, passed);
                }
                if let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device)) {
                    (habits.version, habits.clean) = (Some(*version), *clean);
                }
            }
            (Direction::Up, Packet::Pingreq) => watch.pings.sent(at, seq),
            (Direction::Up, Packet::Subscribe { id, filters }) => {
                watch.session.minds();
                session::asks(watch, *id, filters.len());
            }
            (Direction::Up, Packet::Unsubscribe { .. }) => {
                watch.session.minds();
                let is_left = sessions.device_of(link).is_some_and(|device| !device.filters.is_empty());
                if let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device)) {
                    habits.holds &= is_left;
                }
            }
            (Direction::Up, Packet::Disconnect { .. }) => {
                settle(watch, at, name, cases);
                watch.goodbye.device = true;
            }
            (Direction::Down, Packet::Connack { code, .. }) => {
                session::connack(watch, at, seq, packet, name, cases);
                watch.answered(at, packet, passed);
                if *code == 0 {
                    self.takes_over(now, link, sessions);
                }
            }
            (Direction::Down, Packet::Pingresp) => watch.pings.excuse_hub(),
            (Direction::Down, Packet::Suback { .. }) => session::answers(watch, at, seq, packet, name, cases),
            (Direction::Down, Packet::Disconnect { reason }) => {
                keep_alive::timed_out(watch, at, seq, *reason, name, cases);
                watch.goodbye.hub = true;
            }
            (Direction::Up | Direction::Down, _) => {}
        }
    }

    fn forwarded(&mut self, now: Now, link: LinkId, packet_seq: u64, sessions: &Sessions) {
        let waited = self.links.get_mut(&link).and_then(|watch| watch.release(packet_seq));
        if let Some((direction, said)) = waited {
            self.passes(now, link, direction, said, sessions);
        }
    }

    /// A packet was passed on.
    fn passes(&mut self, now: Now, link: LinkId, direction: Direction, said: Said, sessions: &Sessions) {
        let Some(watch) = self.links.get_mut(&link) else { return };
        let Now { seq, at } = now;
        watch.passes(at, direction);
        let habits = watch.device.and_then(|device| self.devices.get_mut(&device));
        match (direction, said) {
            (Direction::Down, Said::Connack { code: 0, session_present }) => {
                watch.accepted.get_or_insert(at);
                let Some(habits) = habits else { return };
                habits.connects.accepted(at);
                session::accepted(watch, at, seq, session_present, habits.holds);
            }
            (Direction::Down, Said::Pingresp) => ping::device_waited(watch, at, &mut self.cases),
            (Direction::Down, Said::Suback { refused }) => {
                session::granted(watch, at, seq, refused);
                if let Some(habits) = habits {
                    habits.holds |= sessions.device_of(link).is_some_and(|device| !device.filters.is_empty());
                }
            }
            (Direction::Up, Said::Pingreq) if watch.faults.is_sound() => watch.pings.passed(at, seq),
            (Direction::Up, Said::Subscribe { id }) if watch.faults.is_sound() => {
                session::asked(watch, at, seq, id)
            }
            (Direction::Up, Said::Disconnect { reason }) => {
                // Who says DISCONNECT begins anew when it comes back.
                habits.into_iter().for_each(|habits| habits.holds = false);
                self.hub_knows(now, link, reason == 0, sessions);
            }
            (Direction::Up | Direction::Down, _) => {}
        }
    }

    /// The hub has accepted a link of a client identifier: it is to end another that it has of it.
    fn takes_over(&mut self, now: Now, link: LinkId, sessions: &Sessions) {
        let Some(watch) = self.links.get(&link) else { return };
        let Some(device) = watch.device.filter(|_| watch.greeting.as_ref().is_some_and(|of| of.named)) else {
            return;
        };
        self.wills.is_back(device, now.at);
        let links = sessions.device(device).into_iter().flat_map(|device| &device.links);
        let first = links.filter_map(|first| self.links.get(first)).find(|first| {
            let is_older = first.id < link && first.listener == watch.listener;
            is_older && first.is_up() && first.faults.is_pristine()
        });
        if let Some(first) = first {
            self.rivals.add(device, first.id, now.at, now.seq);
        }
    }

    fn leg_ended(&mut self, now: Now, link: LinkId, side: Side, how: Ending, sessions: &Sessions) {
        let Now { seq, at } = now;
        let device = self.links.get(&link).and_then(|watch| watch.device);
        let struck = device.is_some_and(|device| self.is_struck(device, at));
        let elsewhere =
            device.and_then(|device| sessions.device(device)).is_some_and(|device| device.links.len() > 1);
        let Some(watch) = self.links.get_mut(&link) else { return };
        let name = sessions.device_of(link).map_or("?", |device| device.name.as_str());
        let habits = device.and_then(|device| self.devices.get_mut(&device));
        match side {
            Side::Device => {
                if let Some(news) = farewell::left(watch, at, seq, how, struck || elsewhere) {
                    self.farewells.add(news, &mut self.cases);
                }
            }
            Side::Hub if !struck => {
                if let Some(habits) = habits {
                    keep_alive::hub_left(watch, at, seq, name, &mut habits.early, &mut self.cases);
                }
            }
            Side::Hub => {}
        }
        self.ends(now, link, side, sessions);
    }

    /// The end of one leg was carried to this one.
    fn told(&mut self, now: Now, link: LinkId, to: Side, sessions: &Sessions) {
        self.ends(now, link, to, sessions);
    }

    /// This end knows that the link is over.
    fn ends(&mut self, now: Now, link: LinkId, side: Side, sessions: &Sessions) {
        self.rivals.forget(link);
        self.wills.forget(link);
        let Some(watch) = self.links.get_mut(&link) else { return };
        let name = sessions.device_of(link).map_or("?", |device| device.name.as_str());
        if side == Side::Device {
            settle(watch, now.at, name, &mut self.cases);
            let device = watch.device.and_then(|device| self.devices.get_mut(&device));
            device.into_iter().for_each(|habits| habits.connects.closes(watch.opened, now.at));
        } else {
            ping::hub_waited(watch, now.at, name, &mut self.cases);
            session::unanswered(watch, now.at, name, &mut self.cases);
        }
        let is_news = watch.over.get(side).is_none();
        watch.is_over(side, now.at);
        if side == Side::Hub && is_news {
            self.hub_knows(now, link, false, sessions);
        }
    }

    fn cut(&mut self, now: Now, link: LinkId, side: Side, fate: LegFate, sessions: &Sessions) {
        self.disturb(now, link, |watch| watch.faults.cut());
        let is_told = !matches!(fate, LegFate::HalfOpen | LegFate::ResetWhenSends);
        if is_told {
            self.ends(now, link, side, sessions);
        } else if let Some(watch) = self.links.get_mut(&link) {
            // What the hub does with a leg that leads nowhere is not seen.
            watch.faults.muted.hub |= side == Side::Hub;
        }
    }

    /// The hub knows of the link's end, `graceful`: by DISCONNECT that takes the will back.
    fn hub_knows(&mut self, now: Now, link: LinkId, graceful: bool, sessions: &Sessions) {
        let will = self.links.get_mut(&link).and_then(|watch| {
            let known = watch.clone();
            watch.greeting.as_mut()?.will.take()?;
            Some(known)
        });
        if let Some(watch) = will {
            self.wills.ends(&watch, now.at, now.seq, graceful, &self.links, sessions);
        }
    }

    fn closed(&mut self, now: Now, link: LinkId, sessions: &Sessions) {
        self.rivals.forget(link);
        self.wills.forget(link);
        let Some(mut watch) = self.links.remove(&link) else { return };
        let name = watch.device.and_then(|id| sessions.device(id)).map_or("?", |device| device.name.as_str());
        settle(&mut watch, now.at, name, &mut self.cases);
        keep_alive::kept(&watch, now.at, now.seq, name, &mut self.cases);
        let named = watch.device.or_else(|| self.only_one_at(&watch, sessions));
        let Some(device) = named else { return };
        let connects = &mut self.devices.entry(device).or_default().connects;
        if watch.device.is_none() {
            connects.opens(device, watch.opened, now.seq, &mut self.cases);
        }
        connects.closes(watch.opened, now.at);
    }

    /// The device that a link without CONNECT is taken to be of: the only one at its address.
    fn only_one_at(&self, watch: &Watch, sessions: &Sessions) -> Option<DeviceId> {
        let mut known = sessions.from_address(watch.ip?);
        let only = known.next()?.id;
        (known.next().is_none() && self.devices.contains_key(&only)).then_some(only)
    }
}

/// What the ends of a link were waited for, as of this moment.
fn settle(watch: &mut Watch, at: Time, name: &str, cases: &mut Cases) {
    if watch.over.device.is_none() && watch.goodbye == Ends::default() {
        ping::device_waited(watch, at, cases);
        session::settle(watch, at, cases);
    }
    if watch.over.hub.is_none() {
        ping::hub_waited(watch, at, name, cases);
        session::unanswered(watch, at, name, cases);
    }
}
