//! The fold: events in, facts kept.

mod faults;
mod links;
mod packet;

use super::conformance::Conformance;
use super::crowd::Crowds;
use super::delivery::Deliveries;
use super::diagnosis::Watch;
use super::facts::{Applied, DeviceFacts, Link, Links, Window};
use super::firings::Firings;
use super::held_up::HeldUp;
use super::nameless::Nameless;
use super::packets::Fared;
use super::rate::ConnectRate;
use super::results::{Results, RunResults};
use super::tls::{Listener, TlsResults};
use super::trouble::{Captured, Trouble};
use super::wire::Wire;
use crate::base::{DeviceId, LinkId, Resting, Time, WindowId};
use crate::event::{EndReason, Event, RunStarted, What};
use crate::fault::Fault;
use crate::profile::Plan;
use crate::session::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The measures of one run, being made.
#[derive(Clone, Debug)]
pub struct Measures {
    pub(super) plan: Plan,
    pub(super) sessions: Sessions,
    pub(super) started: Option<RunStarted>,
    /// Where what is measured begins: the number of the first event, and the time. What was before is known and not counted.
    pub(super) first: u64,
    pub(super) since: Time,
    /// When the command beside the run was told to end: what shows from then on is no sign of a fault.
    pub(super) stopped: Option<Time>,
    pub(super) ended: Option<EndReason>,
    pub(super) events: u64,
    pub(super) links: Links,
    pub(super) devices: Resting<DeviceId, DeviceFacts>,
    pub(super) windows: BTreeMap<WindowId, Window>,
    /// The devices that another client fights with, by an open window of a `takeover`.
    pub(super) fights: BTreeSet<(DeviceId, WindowId)>,
    pub(super) crowds: Crowds,
    pub(super) firings: Firings,
    pub(super) rate: ConnectRate,
    pub(super) tls: TlsResults,
    pub(super) trouble: Trouble,
    pub(super) conformance: Conformance,
    pub(super) deliveries: Deliveries,
    pub(super) watch: Watch,
    pub(super) wire: Wire,
    pub(super) nameless: Nameless,
}

impl Measures {
    /// Of a run of this plan, before its first event.
    pub fn new(plan: &Plan) -> Measures {
        Measures {
            plan: plan.clone(),
            sessions: Sessions::default(),
            started: None,
            first: 0,
            since: Time::ZERO,
            stopped: None,
            ended: None,
            events: 0,
            links: Links::default(),
            devices: Resting::default(),
            windows: BTreeMap::new(),
            fights: BTreeSet::new(),
            crowds: Crowds::default(),
            firings: Firings::default(),
            rate: ConnectRate::default(),
            tls: TlsResults::default(),
            trouble: Trouble::default(),
            conformance: Conformance::default(),
            deliveries: Deliveries::default(),
            watch: Watch::default(),
            wire: Wire::default(),
            nameless: Nameless::default(),
        }
    }

    /// Takes in one event. Events come in order.
    pub fn push(&mut self, event: &Event) {
        if let What::LinkClosed { link: id, .. } = &event.what
            && let Some(link) = self.links.get(id)
        {
            self.nameless.closes(event.at, *id, link, &self.sessions);
        }
        self.sessions.apply(event);
        let is_new = event.seq >= self.first;
        self.events += u64::from(is_new);
        self.conformance.push(event, &self.sessions);
        self.deliveries.push(event, &self.sessions);
        self.watch.push(event);
        if !is_new {
            self.conformance.recalled(event.what.link(), self.since);
            self.watch.recalled(event.what.link());
        }
        let at = event.at;
        match &event.what {
            What::RunStarted(started) => {
                self.started = Some((**started).clone());
                (self.first, self.since) = (event.seq, at);
                // The event of a later part has the number of the one that follows.
                self.events = u64::from(started.part == 0);
            }
            What::CommandStopped => self.stopped = Some(at),
            What::RunEnded { reason } => self.ended = Some(*reason),
            What::LinkOpened { link, peer, to, .. } => {
                self.link_opened(at, *link, peer, to.as_deref(), is_new);
            }
            What::LinkIdentified { link, device } => self.identified(*link, *device),
            What::Packet { link, direction, packet, held, dropped, passed } => {
                let fared = Fared::of(packet, *dropped, passed.as_deref(), *held);
                self.packet(event.seq, at, *link, *direction, fared);
            }
            What::Altered { link, packet_seq, window: Some(id), what, .. } => {
                self.on(*link, |link| link.dropped_by(*packet_seq, *id));
                if let Some(window) = self.windows.get_mut(id) {
                    window.altered.get_or_insert_default().add(what);
                }
            }
            What::Rival { window, news, .. } => self.rival(at, *window, news),
            What::FaultMessage { ignored, .. } => {
                self.trouble.fault_messages += 1;
                ignored.iter().for_each(|why| self.trouble.ignored_messages.add(why.clone()));
            }
            What::Forwarded { link, packet_seq } => self.forwarded(at, *link, *packet_seq),
            What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::Altered { window: None, .. }
            | What::Malformed { .. } => {}
            What::FirstPublish { link, direction } => {
                self.on(*link, |link| *link.first.get_mut(*direction) = Some(at));
            }
            What::KeepaliveExceeded { link, gap_ns, took_ns } => {
                let (gap, took) = (Duration::from_nanos(*gap_ns), Duration::from_nanos(*took_ns));
                self.keep_alive_exceeded(*link, gap, at - took);
            }
            What::Traffic(traffic) => self.traffic(traffic),
            What::LegEnded { link, side, how, error, last } => {
                self.leg_ended(event, *link, *side, *how, error.as_deref(), *last);
            }
            What::EndCarried { link, to, .. } => self.on(*link, |link| link.told(*to, at)),
            What::EndWaits { link, to, unsent } => {
                self.on(*link, |link| link.end_waits(*to, at, *unsent > 0))
            }
            What::LegCut { link, side, fate, window, last } => {
                self.on(*link, |link| link.heard(*side, *last));
                self.leg_cut(at, *link, *side, *fate, *window);
            }
            What::LinkClosed { link, .. } => self.link_closed(at, *link, is_new),
            What::HubUnreachable { link, .. } => {
                self.trouble.hub_unreachable += u64::from(is_new);
                self.on(*link, |link| link.unreachable = true);
            }
            What::AcceptFailed { .. } => self.trouble.accept_failed += 1,
            What::ConnectAstray { .. } => self.trouble.astray += 1,
            What::HeldUp { late_ns } => {
                let once = HeldUp::once(at, Duration::from_nanos(*late_ns));
                self.trouble.held_up = self.trouble.held_up.into_iter().chain([once]).reduce(HeldUp::and);
            }
            What::CaptureClosed { dropped, error, .. } => {
                self.trouble.capture = Some(Captured { dropped: *dropped, error: error.clone() });
            }
            What::Wire { news } => {
                self.wire.push(at, news, &self.sessions);
                self.ended_on_wire(news);
            }
            What::NotMqtt { link, reason, .. } => {
                self.trouble.not_mqtt.add(reason.clone());
                self.on(*link, |link| link.foreign |= link.greeting.is_none());
            }
            What::HubConnected { link, took_ns, from: _ } => {
                self.on(*link, |link| link.hub_connect = Some(Duration::from_nanos(*took_ns)));
            }
            What::TlsHello { link, passthrough, .. } => {
                self.tls.passed_through += u64::from(*passthrough && is_new);
                self.on(*link, |link| {
                    link.wrapped().hello.get_or_insert(at);
                    link.wrapped().passed_through = *passthrough;
                });
            }
            What::TlsEstablished { link, side, up } => {
                if is_new {
                    self.tls.established(*side, up);
                }
                self.on(*link, |link| link.wrapped().established(at, *side, up));
            }
            What::TlsFailed { link, side, error } => self.tls_failed(at, *link, *side, error, is_new),
            What::FirstData { link, direction } => self.on(*link, |link| link.first_data(at, *direction)),
            What::WsUpgraded { path, protocol, .. } => {
                if is_new {
                    self.tls.web_sockets.add((path.clone(), protocol.clone()));
                }
            }
            What::WsClosed { link, direction, code } => self.on(*link, |link| {
                link.wrapped().closed.get_or_insert((at, direction.from(), *code));
            }),
            What::ListenerOpened { address, upstream, tls, .. } => {
                let listener = Listener { address: address.clone(), upstream: upstream.clone() };
                self.tls.listeners.push((listener, tls.clone()));
            }
            What::ListenerMuteRefused { listener, error } => {
                if !self.firings.mute_refused(*listener, error, &self.plan, &self.windows) {
                    self.trouble.mute_refused.push(error.clone());
                }
            }
            What::Fired { rule, .. } => self.firings.fired(*rule, &self.plan, &self.sessions),
            What::Skipped { rule, first, last, late_ns } => {
                let firings = u64::from(last.saturating_sub(*first)) + 1;
                self.firings.skipped(*rule, firings, Duration::from_nanos(*late_ns));
            }
            What::WindowOpened {
                window,
                firing,
                rule,
                device,
                until,
                keep_alive_ns,
                assumed,
                hub_keep_alive_ns,
            } => {
                self.firings.opened(*rule, *device);
                let keep_alive = Duration::from_nanos(*keep_alive_ns);
                let mut opened = Window::new(*firing, *rule, *device, at, *until, keep_alive, *assumed);
                opened.hub_keep_alive = hub_keep_alive_ns.map(Duration::from_nanos);
                self.windows.insert(*window, opened);
                if self.plan.rule(*rule).is_some_and(|rule| matches!(rule.fault, Fault::Takeover(_))) {
                    self.fights.insert((*device, *window));
                }
            }
            What::FaultApplied { window, link, fidelity, means } => {
                let applied = Applied { link: *link, at, fidelity: *fidelity, means: *means };
                self.fault_applied(*window, applied);
            }
            What::FaultLifted { window, link } => {
                self.fault_lifted(at, *window, *link);
            }
            What::FaultRefused { window, error, .. } => {
                self.at_window(*window, |window| window.refused.push(error.clone()));
            }
            What::WindowClosed { window } => self.window_closed(at, *window),
            What::ListenerMuted { listener, mechanism, from, dropped } => {
                self.firings.dropped(*listener, *dropped);
                match from {
                    None => self.firings.muted(*listener, *mechanism, &self.plan, &self.windows),
                    Some(sources) => self.firings.muted_to(*listener, *mechanism, sources),
                }
            }
            What::ListenerUnmuted { listener, dropped } => {
                self.firings.dropped(*listener, *dropped);
                self.firings.unmuted(*listener);
            }
            What::ListenerClosed { listener, dropped } => self.firings.dropped(*listener, *dropped),
            What::Dropped { link, side, what } => self.kernel_dropped(*link, *side, *what),
            What::CommandEnded { code } => {
                let is_failure = self.stopped.is_none() && *code != Some(0);
                self.trouble.command_failed = is_failure.then_some(*code);
            }
            What::DeviceNamed { .. } => {}
        }
        if !is_new && let Some(link) = event.what.link() {
            self.on(link, |link| link.accepted_before = link.accepted().is_some());
        }
    }

    /// Nothing is expected for a while, and all events until now were taken in: what is over takes as little memory as it can.
    pub fn pack_up(&mut self, now: Time) {
        self.sessions.pack_up();
        self.links.pack_up();
        self.devices.pack_up();
        self.conformance.pack_up(now);
        self.deliveries.pack_up();
        self.watch.pack_up();
    }

    /// The results, as of this moment: what has not happened by then has "never" happened while watched.
    pub fn results(&self, end: Time) -> Results {
        Results::of(RunResults::of(self, end))
    }

    fn on(&mut self, link: LinkId, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(&link) {
            change(link);
        }
    }

    fn at_window(&mut self, window: WindowId, change: impl FnOnce(&mut Window)) {
        if let Some(window) = self.windows.get_mut(&window) {
            change(window);
        }
    }

    fn device_of(&mut self, link: LinkId) -> Option<&mut DeviceFacts> {
        self.devices.get_mut(&self.links.get(&link)?.device?)
    }
}
