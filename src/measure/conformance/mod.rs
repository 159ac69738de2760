//! What the specification says of a peer, held against what it was seen to do.
//!
//! A fold over events that keeps, for each live link and each device, what the rules ask for; one file for each family of
//! rules. Invariant: nothing that a fault may have brought about is held against anybody, and what was not watched is not
//! judged. Deliberately absent: patterns over the run (diagnosis), figures (the measures beside).
//!
//! ```text
//!   event ──▶ mod ──▶ devices, packets, ends (whose, passed on or not) ──▶ the families: keep_alive, ping, session, ...
//!                        │                                                    │
//!                      watch (of the link)                                  cases (findings so far)
//! ```
//!
//! Memory: some 1 KB for each live link, 100 bytes for each of at most [`devices::MOST_DEVICES`] devices, 30 where it is at rest,
//! 200 for each of at most [`cases::MOST_CASES`] cases.

mod cases;
mod connects;
mod devices;
mod ends;
mod farewell;
mod keep_alive;
mod kept;
mod kind;
mod messages;
mod packets;
mod ping;
mod protocol;
mod session;
#[cfg(test)]
mod tests;
mod watch;
mod wills;

pub use keep_alive::counted;

use super::finding::Finding;
use super::packets::Fared;
use super::results::RunResults;
use crate::base::units::to_u64;
use crate::base::{DeviceId, Direction, LinkId, Resting, Shelf, Side, Time, WindowId};
use crate::event::{Event, RivalNews, What};
use crate::fault::Mechanism;
use crate::session::Sessions;
use cases::{Cases, Names};
use devices::Habits;
use ends::settle;
use farewell::Farewells;
use session::Rivals;
use std::collections::BTreeMap;
use std::time::Duration;
use watch::Watch;
use wills::Wills;

/// What was seen of the rules.
#[derive(Clone, Debug, Default)]
pub struct Conformance {
    links: Shelf<LinkId, Watch>,
    devices: Resting<DeviceId, Habits>,
    windows: BTreeMap<WindowId, DeviceId>,
    rivals: Rivals,
    wills: Wills,
    farewells: Farewells,
    cases: Cases,
    /// Links that were over with the run before it was known whether their devices subscribe again.
    undecided: u64,
    /// The command was told to end: what devices do since is not told of.
    is_stopped: bool,
}

/// An event's number and time, with what it is told to.
#[derive(Clone, Copy, Debug)]
struct Now {
    seq: u64,
    at: Time,
}

/// The names of all kinds.
#[cfg(test)]
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    kind::Kind::ALL.into_iter().map(kind::Kind::id)
}

impl Conformance {
    /// Takes in an event that `sessions` has taken in already.
    pub fn push(&mut self, event: &Event, sessions: &Sessions) {
        let now = Now { seq: event.seq, at: event.at };
        self.due(now.at, sessions);
        match &event.what {
            What::LinkOpened { link, listener, to, .. } => {
                let ip = sessions.link(*link).and_then(crate::session::Link::ip);
                let mut watch = Watch::new(*link, *listener, ip, now.at);
                watch.to = to.as_deref().map(Box::from);
                self.links.insert(*link, watch);
            }
            What::LinkIdentified { link, device } => self.identified(now, *link, *device, sessions),
            What::Packet { link, direction, held, dropped, passed, packet } => {
                let fared = Fared::of(packet, *dropped, passed.as_deref(), *held);
                self.packet(now, *link, *direction, fared, sessions);
            }
            What::FirstData { link, direction: Direction::Down } => self.has_spoken(now, *link),
            What::Forwarded { link, packet_seq } => self.forwarded(now, *link, *packet_seq, sessions),
            What::Traffic(traffic) => {
                if let Some(watch) = self.links.get_mut(&traffic.link) {
                    watch.heard(Side::Device, traffic.last.device);
                    watch.heard(Side::Hub, traffic.last.hub);
                    watch.under_way = watch.under_way.max(traffic.under_way);
                    watch.leaves_unread(now.at, traffic.unread);
                }
            }
            What::KeepaliveExceeded { link, gap_ns, took_ns } => {
                let (gap, took) = (Duration::from_nanos(*gap_ns), Duration::from_nanos(*took_ns));
                self.was_silent(now, *link, gap, took, sessions);
            }
            What::NotMqtt { link, direction, reason, .. } => {
                if let Some(watch) = self.links.get(link) {
                    protocol::not_mqtt(watch, now.at, now.seq, *direction, reason, &mut self.cases);
                }
            }
            What::Malformed { link, direction, packet, flaw } => {
                if let Some(watch) = self.links.get(link) {
                    protocol::malformed(watch, now.at, now.seq, *direction, *packet, *flaw, &mut self.cases);
                }
            }
            What::Message { device, link, direction, qos, id, news, more } => {
                let (version, altered) = self.habits_of(*device);
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
                    more: *more,
                    version,
                    altered,
                    disturbed,
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
            What::EndWaits { link, to: Side::Hub, unsent: 1.. } => {
                let device = self.links.get(link).and_then(|watch| watch.device);
                device.into_iter().for_each(|device| self.wills.is_unsure(device));
            }
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
                self.disturb(now, *link, |watch| {
                    watch.faults.falls(*window, *means);
                    if means.hub == Some(Mechanism::Injected) {
                        // It may have been DISCONNECT, as bytes: only the profile says.
                        watch.excuses_will();
                    }
                });
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
            What::Rival { window, link, news, .. } => {
                self.disturb(now, *link, |watch| watch.faults.touch());
                let device = self.windows.get(window).copied();
                device
                    .filter(|_| *news == RivalNews::Accepted)
                    .into_iter()
                    .for_each(|id| self.is_taken_over(id));
            }
            What::CommandStopped => self.stopped(now),
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::Dropped { .. }
            | What::AcceptFailed { .. }
            | What::ConnectAstray { .. }
            | What::HubConnected { .. }
            | What::HubUnreachable { .. }
            | What::DeviceNamed { .. }
            | What::FaultMessage { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { .. }
            | What::TlsFailed { .. }
            | What::FirstData { direction: Direction::Up, .. }
            | What::FirstPublish { .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::Delivery { .. }
            | What::Fired { .. }
            | What::Skipped { .. }
            | What::FaultRefused { .. }
            | What::EndWaits { .. }
            | What::Wire { .. }
            | What::HeldUp { .. }
            | What::CaptureClosed { .. } => {}
        }
    }

    /// See [`Resting::pack_up`]; what fell due without an event is told.
    pub fn pack_up(&mut self, now: Time) {
        self.farewells.due(now, &mut self.cases);
        self.devices.pack_up();
        self.links.shrink();
    }

    /// An event of an earlier part of the log was taken in, since its link lives: what it shows was told in that part, and what
    /// waited for something then is not waited for any more.
    pub fn recalled(&mut self, link: Option<LinkId>, since: Time) {
        self.cases = Cases::default();
        self.farewells = Farewells::default();
        self.rivals = Rivals::default();
        self.wills = Wills::default();
        self.undecided = 0;
        if let Some(watch) = link.and_then(|link| self.links.get_mut(&link)) {
            watch.goes_on(since);
        }
    }

    /// What was found, as of this moment.
    pub fn findings(&self, run: &RunResults, end: Time) -> Vec<Finding> {
        let mut cases = self.cases.clone();
        self.farewells.clone().tell(&mut cases);
        for watch in self.links.values() {
            settle(&mut watch.clone(), end, Names::Run(run), &mut cases);
        }
        let mut findings = cases.findings();
        findings.extend(connects::fleet(self.devices.values().map(|habits| &habits.connects)));
        findings
    }

    /// How many devices are back without their session, as of this moment, so shortly that it is not known whether they
    /// subscribe again.
    pub fn undecided(&self, end: Time) -> u64 {
        let is_undecided = |watch: &&Watch| !self.is_stopped && session::is_undecided(watch, end);
        self.undecided + to_u64(self.links.values().filter(is_undecided).count())
    }

    /// What falls due by itself.
    fn due(&mut self, at: Time, sessions: &Sessions) {
        self.wills.due(at, &mut self.cases);
        self.farewells.due(at, &mut self.cases);
        let links = &self.links;
        let rule = |first: LinkId| {
            let watch = links.get(&first).filter(|watch| watch.is_up())?;
            let name = sessions.device(watch.device?)?.name.to_string();
            watch.rule("MQTT-3.1.4-2", "MQTT-3.1.4-3").map(|rule| (rule, name))
        };
        self.rivals.due(at, rule, &mut self.cases);
    }
}
