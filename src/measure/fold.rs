//! The fold: events in, facts kept.

use super::cause;
use super::conformance::Conformance;
use super::crowd::Crowds;
use super::delivery::Deliveries;
use super::diagnosis::Watch;
use super::facts::{Applied, Connack, Delivery, DeviceFacts, Link, Links, RoundTrip, Showed, Window};
use super::firings::Firings;
use super::handshakes;
use super::held_up::HeldUp;
use super::packets::{Greeting, KeepAlive};
use super::rate::ConnectRate;
use super::results::{Results, RunResults};
use super::tls::{Listener, Tally, TlsResults};
use super::wire::Wire;
use crate::base::{DeviceId, Direction, Ends, LinkId, Resting, RuleId, Side, Time, WindowId};
use crate::event::{Dropped, EndReason, Event, Packet, RivalNews, RunStarted, Traffic, What};
use crate::fault::{Ending, Fault, Fidelity, LegFate, Mechanism};
use crate::profile::Plan;
use crate::session::Sessions;
use crate::tls::Alert;
use std::collections::BTreeMap;
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
    pub(super) crowds: Crowds,
    pub(super) firings: Firings,
    pub(super) rate: ConnectRate,
    pub(super) tls: TlsResults,
    pub(super) trouble: Trouble,
    pub(super) conformance: Conformance,
    pub(super) deliveries: Deliveries,
    pub(super) watch: Watch,
    pub(super) wire: Wire,
}

/// What went wrong around the measures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Connects that could not be accepted.
    pub accept_failed: u64,
    /// Seconds in which connects came to brownout itself that had to be led on, and could not be.
    pub astray: u64,
    /// Links for which the hub could not be reached.
    pub hub_unreachable: u64,
    /// Messages that asked for a fault, and were honoured or ignored.
    pub fault_messages: u64,
    /// Why such messages were ignored.
    pub ignored_messages: Tally<String>,
    /// Why streams were not MQTT.
    pub not_mqtt: Tally<String>,
    /// Listeners that could not be muted, with the reason, where no rule is known to have asked for it.
    pub mute_refused: Vec<String>,
    /// How brownout itself was held up, if it was.
    pub held_up: Option<HeldUp>,
    /// What came of the capture, where there was one.
    pub capture: Option<Captured>,
}

/// A capture of the run's MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Reads and writes that are not in it for lack of room.
    pub dropped: u64,
    /// Why it ends before the run, if it does.
    pub error: Option<String>,
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
            crowds: Crowds::default(),
            firings: Firings::default(),
            rate: ConnectRate::default(),
            tls: TlsResults::default(),
            trouble: Trouble::default(),
            conformance: Conformance::default(),
            deliveries: Deliveries::default(),
            watch: Watch::default(),
            wire: Wire::default(),
        }
    }

    /// Takes in one event. Events come in order.
    pub fn push(&mut self, event: &Event) {
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
                if is_new {
                    self.rate.connect(at);
                }
                let mut opened = Link::new(at);
                opened.to = to.as_deref().map(Box::from);
                opened.opened_before = !is_new;
                opened.dialled = self.wire.accepted(at, *link, peer);
                self.links.insert(*link, opened);
            }
            What::LinkIdentified { link, device } => self.identified(*link, *device),
            What::Packet { link, direction, packet, held, dropped, passed } => {
                let passed = if *dropped { None } else { Some(passed.as_deref().unwrap_or(packet)) };
                self.packet(event.seq, at, *link, *direction, Fared { packet, passed, held: *held });
            }
            What::Altered { window, what, .. } => {
                if let Some(window) = window.and_then(|window| self.windows.get_mut(&window)) {
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
            | What::Malformed { .. } => {}
            What::FirstPublish { link, direction } => {
                self.on(*link, |link| *link.first.get_mut(*direction) = Some(at));
            }
            What::KeepaliveExceeded { link, .. } => self.keep_alive_exceeded(*link),
            What::Traffic(traffic) => self.traffic(traffic),
            What::LegEnded { link, side, how, error, last } => {
                self.leaves(*link, *side);
                self.on(*link, |link| {
                    link.sign(*side, at, Showed::Ended(*how), Some(*last));
                    link.heard(*side, *last);
                    if let Some(alert) = alert(*how, error.as_deref()) {
                        link.wrapped().alert.get_mut(*side).get_or_insert(alert);
                    }
                });
            }
            What::EndCarried { link, to, .. } => self.on(*link, |link| link.told(*to, at)),
            What::LegCut { link, side, fate, window, last } => {
                self.on(*link, |link| link.heard(*side, *last));
                self.cut(at, *link, *side, *fate, *window);
            }
            What::LinkClosed { link, .. } => {
                self.on(*link, |link| {
                    link.close(at);
                    link.is_past = !is_new;
                });
                self.forget_certificate(*link);
                self.links.rest(*link);
                let device = self.links.get(link).and_then(|link| link.device);
                device.into_iter().for_each(|device| self.devices.rest(device));
            }
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
            What::NotMqtt { reason, .. } => self.trouble.not_mqtt.add(reason.clone()),
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
            }
            What::FaultApplied { window, link, fidelity, means } => {
                let applied = Applied { link: *link, at, fidelity: *fidelity, means: *means };
                self.at_window(*window, |window| window.applied.push(applied));
                self.note_crowd(*window);
                self.falls(at, *window, *link);
            }
            What::FaultLifted { window, link } => {
                self.at_window(*window, |window| window.lifts(at));
                self.on(*link, |link| link.lifts(*window));
            }
            What::FaultRefused { window, error, .. } => {
                self.at_window(*window, |window| window.refused.push(error.clone()));
            }
            What::WindowClosed { window } => self.closed(at, *window),
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
            What::Dropped { link, side, what } => self.kernel_dropped(*link, *side, *what),
            What::CommandEnded { .. } | What::DeviceNamed { .. } => {}
        }
        if !is_new && let Some(link) = event.what.link() {
            self.on(link, |link| link.accepted_before = link.accepted().is_some());
        }
    }

    /// Nothing is expected for a while: what is over takes as little memory as it can.
    pub fn pack_up(&mut self) {
        self.sessions.pack_up();
        self.links.pack_up();
        self.devices.pack_up();
        self.conformance.pack_up();
        self.deliveries.pack_up();
    }

    /// The results, as of this moment: what has not happened by then has "never" happened while watched.
    pub fn results(&self, end: Time) -> Results {
        Results::of(RunResults::of(self, end))
    }

    /// The devices and links as of the last event, to be lent to another fold of the same events.
    pub fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
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

    /// Of a link that a fault has cut, and that its device may not know of yet, nothing more is heard: that is no silence
    /// of the device's.
    fn keep_alive_exceeded(&mut self, id: LinkId) {
        let is_cut = self.links.get(&id).is_some_and(|link| link.cut.is_some());
        if let Some(device) = self.device_of(id).filter(|_| !is_cut) {
            device.violations += 1;
        }
    }

    fn device_of(&mut self, link: LinkId) -> Option<&mut DeviceFacts> {
        self.devices.get_mut(&self.links.get(&link)?.device?)
    }

    fn identified(&mut self, link_id: LinkId, device: DeviceId) {
        self.wire.identified(link_id, device);
        let Some(link) = self.links.get_mut(&link_id) else { return };
        let before = link.device.replace(device).and_then(|before| self.devices.get_mut(&before));
        if let Some(before) = before {
            before.links.retain(|held| *held != link_id);
        }
        let links = &mut self.devices.get_or_default(device).links;
        // Numbers are in the order of opening; links may be identified in another, though seldom far from it.
        let later = links.iter().rev().take_while(|held| **held > link_id).count();
        if links.len() == links.capacity() {
            links.reserve_exact((links.len() / 4).max(1));
        }
        links.insert(links.len() - later, link_id);
    }

    fn packet(&mut self, seq: u64, at: Time, id: LinkId, direction: Direction, fared: Fared<'_>) {
        let delivery = self.read(at, id, direction, fared);
        let Some(link) = self.links.get_mut(&id) else { return };
        link.arrived(at, direction);
        match (fared.passed, fared.held) {
            (None, _) => {}
            (Some(_), true) => link.hold(seq, direction, delivery),
            (Some(_), false) => self.deliver(at, id, direction, delivery),
        }
    }

    fn forwarded(&mut self, at: Time, id: LinkId, seq: u64) {
        let waited = self.links.get_mut(&id).and_then(|link| link.release(seq));
        if let Some((direction, delivery)) = waited {
            self.deliver(at, id, direction, delivery);
        }
    }

    fn deliver(&mut self, at: Time, id: LinkId, direction: Direction, delivery: Delivery) {
        let round_trip = self.links.get_mut(&id).and_then(|link| link.delivered(at, direction, delivery));
        let Some(RoundTrip { took, windows, sound }) = round_trip else { return };
        for window in windows {
            self.at_window(window, |window| window.round_trips.ping.add(took));
        }
        if let Some(device) = self.device_of(id) {
            device.ping_rtt.add(took);
            if sound {
                device.sound.ping.add(took);
            }
        }
    }

    /// A fault falls on a device, of which only the address may be known.
    fn note_crowd(&mut self, id: WindowId) {
        let Some(device) = self.windows.get(&id).map(|window| window.device) else { return };
        if self.sessions.device(device).is_some_and(|device| device.version.is_some()) {
            return;
        }
        let Measures { crowds, devices, links, .. } = self;
        crowds.fault_falls(device, || {
            let ids = devices.get(&device).into_iter().flat_map(|facts| &facts.links);
            ids.filter_map(|id| links.get(id))
        });
    }

    /// A fault holds on a link; a one-shot is over as soon as it is told.
    fn falls(&mut self, at: Time, id: WindowId, link: LinkId) {
        let rule = self.windows.get(&id).and_then(|window| self.plan.rule(window.rule));
        let (Some(rule), Some(link)) = (rule, self.links.get_mut(&link)) else { return };
        if rule.fault.breaks_link() {
            link.broken = Some(at);
        }
        if handshakes::ends_it(&rule.fault) {
            link.cut.get_or_insert((at, Some(id)));
            link.told(Side::Device, at);
        }
        if matches!(rule.fault, Fault::HalfClose(_)) {
            link.cut.get_or_insert((at, Some(id)));
        }
        if !rule.fault.is_one_shot() {
            link.falls(id);
        }
    }

    /// What the kernel dropped on a leg belongs to the faults that hold there: a blackhole takes the place of a loss.
    fn kernel_dropped(&mut self, link: LinkId, side: Side, what: Dropped) {
        let held = self.links.get(&link).map(|link| link.in_force.clone()).unwrap_or_default();
        let by = |windows: &BTreeMap<WindowId, Window>, id: &WindowId| {
            windows.get(id).and_then(|window| window.means_on(link, side))
        };
        let is_mute =
            |id: &WindowId| matches!(by(&self.windows, id), Some(Mechanism::Filter | Mechanism::MinTtl));
        let is_loss = |id: &WindowId| by(&self.windows, id) == Some(Mechanism::RandomFilter);
        let mutes: Vec<WindowId> = held.iter().copied().filter(is_mute).collect();
        let losses = || held.iter().copied().filter(is_loss).collect();
        for id in if mutes.is_empty() { losses() } else { mutes } {
            self.at_window(id, |window| window.dropped(side, what));
        }
    }

    /// TLS of brownout's own failed on a leg; of a hub that it was never up with, the hub could not be reached.
    fn tls_failed(&mut self, at: Time, link: LinkId, side: Side, error: &str, is_new: bool) {
        if is_new {
            self.tls.failures.add((side, error.to_owned()));
        }
        let Some(link) = self.links.get_mut(&link) else { return };
        let never_up = link.wrapped().up.get(side).is_none();
        link.wrapped().failed.get_or_insert((at, side));
        if side == Side::Hub && never_up && is_new {
            self.trouble.hub_unreachable += 1;
        }
    }

    /// A link that closed leaves the name of its certificate with its device.
    fn forget_certificate(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let subject = link.wrapped.as_mut().and_then(|wrapped| wrapped.subject.take());
        let device = link.device.and_then(|device| self.devices.get_mut(&device));
        if let Some((subject, device)) = subject.zip(device) {
            device.subject = Some(subject);
        }
    }

    fn closed(&mut self, at: Time, id: WindowId) {
        let Some(window) = self.windows.get_mut(&id) else { return };
        window.closed = Some(at);
        // On one that is over, nothing held any more.
        for applied in &window.applied {
            if let Some(link) = self.links.awake_mut(&applied.link) {
                link.lifts(id);
            }
        }
    }

    /// What a packet that has arrived says, and what its delivery will mean. The device's own are taken as it said them;
    /// for it, what it is given.
    fn read(&mut self, at: Time, id: LinkId, direction: Direction, fared: Fared<'_>) -> Delivery {
        let Some(link) = self.links.get_mut(&id) else { return Delivery::Other };
        let given = if direction == Direction::Up { Some(fared.packet) } else { fared.passed };
        // What a fault makes of a CONNACK stands for what the hub would have said.
        let said = fared.passed.unwrap_or(fared.packet);
        link.hub_accepted |= direction == Direction::Down && matches!(said, Packet::Connack { code: 0, .. });
        if let Packet::Disconnect { reason } = fared.packet {
            link.goodbye_lost |= direction == Direction::Up && fared.passed.is_none();
            link.sign(direction.from(), at, Showed::Disconnect(*reason), None);
            return Delivery::Disconnect;
        }
        match (direction, given) {
            (Direction::Up, Some(asked @ Packet::Connect { .. })) => {
                link.greeting = Greeting::of(at, asked, fared.passed.unwrap_or(asked));
                self.note_keep_alive(id);
                return Delivery::Connect;
            }
            (Direction::Down, Some(Packet::Connack { code, session_present, .. })) => {
                link.connack = Some(Connack { at, delivered: None, code: *code });
                if let Some(greeting) = &mut link.greeting {
                    greeting.keep_alive.answered(fared.packet, fared.passed.unwrap_or(fared.packet));
                }
                let device = link.device.and_then(|device| self.devices.get(&device));
                if let Some(device) = device.filter(|_| *code == 0 && !session_present) {
                    link.owed.clone_from(&device.wanted);
                }
                self.note_keep_alive(id);
                return Delivery::Connack;
            }
            (Direction::Up, Some(Packet::Pingreq)) => link.ping(at),
            (Direction::Down, Some(Packet::Pingresp)) => return Delivery::Pingresp,
            (Direction::Down, Some(Packet::Suback { .. })) => return self.granted(id),
            (Direction::Up, Some(Packet::Unsubscribe { filters })) => self.given_up(id, filters),
            (Direction::Up | Direction::Down, _) => {}
        }
        Delivery::Other
    }

    /// A keep-alive that was made another on the way is the device's affair, and every report's.
    fn note_keep_alive(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let rewritten = link.greeting.map(|greeting| greeting.keep_alive).filter(|k| k.is_rewritten());
        let Some(rewritten) = rewritten else { return };
        if let Some(device) = link.device.and_then(|device| self.devices.get_mut(&device)) {
            // A client may take what it was told for its own from then on: what it asked for first is what it came with.
            let asked = device.rewritten.map_or(rewritten.asked, |first| first.asked);
            device.rewritten = Some(KeepAlive { asked, ..rewritten });
        }
    }

    /// An end gives its link up: if it is the device, a fault that leaves links up may hold on it.
    pub(super) fn leaves(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if side == Side::Hub || link.signs.device.is_some() {
            return;
        }
        let rules = link.in_force.iter().filter_map(|id| {
            let rule = self.windows.get(id)?.rule;
            let fault = &self.plan.rule(rule)?.fault;
            // Faults that keep links from being set up are why one is given up.
            Some((rule, fault.breaks_link() || fault.is_of_handshakes() || fault.is_of_connects()))
        });
        let rules: Vec<(RuleId, bool)> = rules.collect();
        let is_broken = rules.iter().any(|(_, breaks)| *breaks);
        link.left_under = rules.last().filter(|_| !is_broken).map(|(rule, _)| *rule);
    }

    /// Another client with the device's name: each time that the hub accepts it, it takes the link that the device has then.
    fn rival(&mut self, at: Time, id: WindowId, news: &RivalNews) {
        let accepted = self.windows.get(&id).filter(|_| *news == RivalNews::Accepted);
        let Some(link_id) = accepted.and_then(|window| self.taken_over(at, window.device)) else { return };
        let Some(window) = self.windows.get_mut(&id) else { return };
        if !window.applied.iter().any(|applied| applied.link == link_id) {
            let means = Ends { device: None, hub: Some(Mechanism::Rival) };
            window.applied.push(Applied { link: link_id, at, fidelity: Fidelity::Stream, means });
        }
        let (rule, device) = (window.rule, window.device);
        self.on(link_id, |link| _ = link.rival.get_or_insert((at, rule)));
        // Each time that it comes back, it is the device's link of then that the hub closes.
        let links = self.devices.get(&device).map(|facts| facts.links.clone()).unwrap_or_default();
        let accepted = |id: &&LinkId| self.links.get(id).is_some_and(|link| link.accepted().is_some());
        if let Some(latest) = links.iter().rev().find(accepted) {
            self.on(*latest, |link| _ = link.rival.get_or_insert((at, rule)));
        }
    }

    /// The link of the device that a hub ends, or has just ended, when it accepts another client with its name: the newest
    /// that it had accepted, if that was there until then.
    fn taken_over(&self, at: Time, device: DeviceId) -> Option<LinkId> {
        let known = self.devices.get(&device)?.links.iter().rev();
        let mut links = known.filter_map(|id| Some((*id, self.links.get(id)?)));
        let (id, link) = links.find(|(_, link)| link.hub_accepted)?;
        let by_hub = link.signs.hub.map(|sign| sign.at).filter(|sign| cause::is_about(at, *sign));
        let was_there = match (link.over(), by_hub) {
            (None, _) => true,
            (Some(over), Some(ended)) => ended <= over,
            (Some(_), None) => false,
        };
        was_there.then_some(id)
    }

    /// After a SUBACK: what the device holds now is what it wants, and may be all that it is owed.
    fn granted(&mut self, id: LinkId) -> Delivery {
        let Some(link) = self.links.get(&id) else { return Delivery::Other };
        let (Some(device), Some(held)) = (link.device, self.sessions.device_of(id)) else {
            return Delivery::Other;
        };
        if let Some(facts) = self.devices.get_mut(&device) {
            facts.wanted.add(held.filters.iter());
        }
        if link.owed.is_empty() || !link.owed.is_subset(&held.filters) {
            return Delivery::Other;
        }
        Delivery::Resubscribed
    }

    fn given_up(&mut self, id: LinkId, filters: &[String]) {
        if let Some(device) = self.device_of(id) {
            device.wanted.drop_all(filters);
        }
        self.on(id, |link| {
            if link.resubscribed.is_none() {
                link.owed.drop_all(filters);
            }
        });
    }

    fn traffic(&mut self, traffic: &Traffic) {
        self.on(traffic.link, |link| {
            link.heard(Side::Device, traffic.last.device);
            link.heard(Side::Hub, traffic.last.hub);
            for (direction, more) in [(Direction::Up, traffic.up), (Direction::Down, traffic.down)] {
                let count = link.count.get_mut(direction);
                count.bytes += more.bytes;
                count.packets += more.packets;
                count.publishes += more.publishes;
            }
        });
        let timed = self.links.get_mut(&traffic.link).filter(|_| !traffic.publish_rtt.is_empty());
        let (windows, sound) = timed.map(Link::timed).unwrap_or_default();
        for window in windows {
            self.at_window(window, |window| window.round_trips.publish.merge(&traffic.publish_rtt));
        }
        if let Some(device) = self.device_of(traffic.link) {
            device.control_gap.merge(&traffic.control_gap);
            device.publish_rtt.merge(&traffic.publish_rtt);
            if sound {
                device.sound.publish.merge(&traffic.publish_rtt);
            }
        }
    }

    fn cut(&mut self, at: Time, id: LinkId, side: Side, fate: LegFate, window: Option<WindowId>) {
        self.on(id, |link| {
            link.cut.get_or_insert((at, window));
            if side == Side::Device || link.fate.is_none() {
                link.fate = Some(fate);
            }
            match fate {
                LegFate::Reset
                | LegFate::Close
                | LegFate::Unnotified
                | LegFate::Alert(_)
                | LegFate::Truncated
                | LegFate::Rejected(_)
                | LegFate::Disconnected(_) => link.told(side, at),
                LegFate::HalfOpen | LegFate::ResetWhenSends => {}
            }
        });
    }
}

/// The alert that an end's leg ended with, by the name that its event gives.
fn alert(how: Ending, error: Option<&str>) -> Option<Alert> {
    match how {
        Ending::Alert => error?.parse().ok(),
        Ending::Fin | Ending::Unnotified | Ending::Reset => None,
    }
}

/// A packet that has arrived, and how it fares.
#[derive(Clone, Copy, Debug)]
struct Fared<'a> {
    /// As it came.
    packet: &'a Packet,
    /// As it is passed on; `None` where a fault lets it go no further.
    passed: Option<&'a Packet>,
    /// Whether it waits.
    held: bool,
}
