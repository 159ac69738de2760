//! The machine itself: inputs in, events and orders out.

use super::control::Control;
use super::dark::Dark;
use super::doors::ListenerControl;
use super::firing::{Firings, Window};
use super::flags;
use super::identity::{name_of, written};
use super::io::{Input, Output};
use super::packets::Refusals;
use super::through::Progress;
use super::trigger::Triggers;
use super::wills::Wills;
use crate::base::{
    DeviceId, Direction, FiringId, LinkId, ListenerId, Print, RuleId, Shelf, Time, Ways, WindowId, time,
};
use crate::event::{EndReason, Event, RunStarted, What};
use crate::fault::Fault;
use crate::mqtt::PacketKind;
use crate::profile::{Plan, Sequence};
use crate::session::ledger::News;
use crate::session::{MOST_GONE, Sessions};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Decides which fault holds on which link, and says what happened.
#[derive(Debug)]
pub struct Engine {
    pub(super) plan: Arc<Plan>,
    pub(super) seed: u64,
    /// Whether `fidelity: auto` is made as packet, since a tap sees what that hides.
    pub(super) tapped: bool,
    /// Whether anything in the plan may change what becomes of a packet.
    pub(super) judges: bool,
    pub(super) now: Time,
    /// When the run began, in nanoseconds since 1970; `None` where that is not known, or before.
    pub(super) began: Option<i128>,
    pub(super) sessions: Sessions,
    /// How many devices without a link an observer remembers.
    most_gone: usize,
    pub(super) links: Shelf<LinkId, Control>,
    /// The number that comes after all links so far.
    pub(super) first_new: LinkId,
    pub(super) listeners: BTreeMap<ListenerId, ListenerControl>,
    pub(super) firings: Firings,
    pub(super) windows: BTreeMap<WindowId, Window>,
    pub(super) by_device: BTreeMap<DeviceId, BTreeSet<WindowId>>,
    pub(super) triggers: Triggers,
    pub(super) refusals: Refusals,
    pub(super) wills: Wills,
    /// Whether a rule gives links without a SAS token a lifetime.
    pub(super) has_lifetimes: bool,
    /// What each device was last accepted with, where that is so.
    pub(super) passwords: BTreeMap<DeviceId, Print>,
    pub(super) timers: BTreeMap<(Time, u64), Timer>,
    /// Devices whose windows have changed, and whose links are to be settled once all that is due at this moment is done.
    pub(super) unsettled: BTreeSet<DeviceId>,
    pub(super) progress: Progress,
    pub(super) dark: Dark,
    pub(super) outputs: VecDeque<Output>,
    pub(super) next_seq: u64,
    pub(super) next_timer: u64,
    pub(super) next_firing: u64,
    pub(super) next_window: u64,
}

/// What is to happen at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Timer {
    /// A rule that fires by the run's time; when the firing before this one was made, if it was.
    Fire { rule: RuleId, nth: u32, before: Option<Time> },
    /// A rule that fires on one device.
    FireOn { rule: RuleId, device: DeviceId },
    /// A rule that a device asked for fires on it; where it is to last, for this long.
    FireAsked { rule: RuleId, device: DeviceId, hold: Option<Duration> },
    /// A window is to end.
    EndWindow(WindowId),
    /// A firing falls on nobody new from now on.
    EndFiring(FiringId),
    /// One holds no more on some of those that it fell on.
    HoldsOnFewer,
    /// The token of a link expires, as this window has it.
    Expire { window: WindowId, link: LinkId },
    /// The plan's duration is over.
    Duration,
}

impl Engine {
    /// A machine for this plan. `with_command`: the run also waits for a command to end.
    pub fn new(plan: Arc<Plan>, seed: u64, with_command: bool) -> Engine {
        Engine {
            triggers: Triggers::new(&plan),
            progress: Progress::new(with_command),
            judges: flags::judges(&plan),
            has_lifetimes: flags::has_lifetimes(&plan),
            passwords: BTreeMap::new(),
            dark: Dark::new(&plan),
            plan,
            seed,
            tapped: false,
            now: Time::ZERO,
            began: None,
            sessions: Sessions::default(),
            most_gone: MOST_GONE,
            links: Shelf::default(),
            first_new: LinkId(0),
            listeners: BTreeMap::new(),
            firings: Firings::default(),
            windows: BTreeMap::new(),
            by_device: BTreeMap::new(),
            refusals: Refusals::new(),
            wills: Wills::default(),
            timers: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            outputs: VecDeque::new(),
            next_seq: 0,
            next_timer: 0,
            next_firing: 0,
            next_window: 0,
        }
    }

    /// Whether packets of this kind are to be told to [`Engine::packet`]. Constant over the run.
    pub fn wants(&self, kind: PacketKind) -> bool {
        self.triggers.wants(kind)
    }

    /// Whether a rule may send another client to the hub. Constant over the run.
    pub fn has_takeovers(&self) -> bool {
        self.plan.rules.iter().any(|rule| matches!(rule.fault, Fault::Takeover(_)))
    }

    /// Whether a rule may ask for a fault of packet fidelity. Constant over the run.
    pub fn may_mute(&self) -> bool {
        self.plan.rules.iter().any(|rule| self.mutes(&rule.fault))
    }

    /// Whether it is to drop ingress in the kernel.
    pub(super) fn mutes(&self, fault: &Fault) -> bool {
        fault.wants_packet_fidelity() || (self.tapped && fault.takes_packet_fidelity())
    }

    /// Where numbers stand in payloads. Constant over the run.
    pub fn sequence(&self) -> Option<&Sequence> {
        self.plan.sequence.as_ref()
    }

    /// The device of a live link, once it is known.
    pub fn device_of(&self, link: LinkId) -> Option<DeviceId> {
        self.sessions.device_of(link).map(|device| device.id)
    }

    /// The same, that remembers so many devices without a link where it observes, instead of [`MOST_GONE`].
    pub fn remembering(self, most_gone: usize) -> Engine {
        Engine { most_gone, ..self }
    }

    /// The same, beside a tap, which sees what a mute hides: `fidelity: auto` is then made as packet where it can be.
    pub fn beside_tap(self, tapped: bool) -> Engine {
        Engine { tapped, ..self }
    }

    /// The devices that an observer forgets once this link is closed: what there is to say of them is to be said before.
    pub fn forgets_with(&self, link: LinkId) -> Vec<DeviceId> {
        self.sessions.forgets_with(link)
    }

    /// No link is left: keeps little of those that were.
    pub fn pack_up(&mut self) {
        self.sessions.pack_up();
        self.links.shrink();
    }

    /// Takes in what net/ saw or did. `now` may lag behind an earlier call's: then that one's counts.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.advance(now);
        // What every link goes through. All else stands apart: what it has to drop costs a step for each field, in all arms.
        match input {
            Input::LinkOpened { link, listener, peer, to } => self.opened(link, listener, peer, to),
            Input::HubConnected { link, took, from } => {
                let from = from.map(written);
                self.emit(What::HubConnected { link, took_ns: time::nanos(took), from });
            }
            Input::Passed { link, ticket } => self.passed(link, ticket),
            Input::FirstPublish { link, direction } => self.emit(What::FirstPublish { link, direction }),
            Input::LegEnded { link, side, how, error, last } => {
                self.emit(What::LegEnded { link, side, how, error, last });
            }
            Input::EndCarried { link, to, how } => self.emit(What::EndCarried { link, to, how }),
            Input::Traffic(traffic) => self.emit(What::Traffic(traffic)),
            Input::LinkClosed { link, undelivered } => self.closed(link, undelivered),
            seldom => self.handle_seldom(seldom),
        }
        self.settle_sources();
    }

    /// What few links go through, and what is of no link.
    fn handle_seldom(&mut self, input: Input) {
        match input {
            Input::Started(start) => self.start(start),
            Input::ListenerOpened { listener, address, upstream, tls } => {
                self.listeners.insert(listener, ListenerControl::default());
                self.emit(What::ListenerOpened { listener, address, upstream, tls });
            }
            Input::ListenerDone { listener, outcome, dropped } => {
                self.listener_done(listener, outcome, dropped);
            }
            Input::ListenerClosed { listener, dropped } => {
                self.listeners.remove(&listener);
                self.emit(What::ListenerClosed { listener, dropped });
            }
            Input::AcceptFailed { listener, error } => self.emit(What::AcceptFailed { listener, error }),
            Input::ConnectAstray { listener, peer } => {
                self.emit(What::ConnectAstray { listener, peer: peer.to_string() });
            }
            Input::HubUnreachable { link, error } => self.emit(What::HubUnreachable { link, error }),
            Input::TlsHello { link, sni, alpn, passthrough } => {
                self.emit(What::TlsHello { link, sni, alpn, passthrough });
                self.greeted(link);
            }
            Input::TlsEstablished { link, side, up } => {
                self.emit(What::TlsEstablished { link, side, up });
                self.shook_hands(link, side);
            }
            Input::TlsFailed { link, side, error } => {
                self.emit(What::TlsFailed { link, side, error });
                self.shook_hands(link, side);
            }
            Input::FirstData { link, direction } => {
                self.emit(What::FirstData { link, direction });
                if direction == Direction::Down {
                    self.changed();
                }
            }
            Input::WsUpgraded { link, path, protocol } => {
                self.emit(What::WsUpgraded { link, path, protocol });
            }
            Input::WsClosed { link, direction, code } => self.emit(What::WsClosed { link, direction, code }),
            Input::Harmed { link, window, toward } => self.harmed(link, window, toward),
            Input::Altered { link, direction, seq, window, what } => {
                self.altered(link, direction, seq, window, what);
            }
            Input::NotAltered { link, window, seq, error } => self.not_altered(link, window, seq, error),
            Input::Unchanged { link, window, seq } => self.has_spared(link, window, seq),
            Input::Idle { link } => self.idled(link),
            Input::Injected { link, window, toward } => self.injected(link, window, toward),
            Input::HalfClosed { link, window, toward, done } => self.half_closed(link, window, toward, done),
            Input::Rival { link, window, news } => self.rival(link, window, news),
            Input::NotMqtt { link, direction, offset, reason } => {
                self.not_mqtt(link, direction, offset, reason)
            }
            Input::Malformed { link, direction, packet, flaw } => {
                self.emit(What::Malformed { link, direction, packet, flaw });
            }
            Input::Published { link, topic, retain, says } => self.published(link, &topic, retain, says),
            Input::UsesWillTopic { link } => self.uses_will_topic(link),
            Input::KeepaliveExceeded { link, silence } => {
                let (gap_ns, took_ns) = (time::nanos(silence.gap), time::nanos(silence.took));
                self.emit(What::KeepaliveExceeded { link, gap_ns, took_ns });
            }
            Input::Applied { link, generation, granted } => self.applied(link, generation, &granted),
            Input::CutDone { link, window, done, last } => self.cut_done(link, window, done, last),
            Input::Delivery { device, counts } => {
                let Ways { up, down } = *counts;
                self.emit(What::Delivery { device, up: Box::new(up), down: Box::new(down) });
            }
            Input::Message { device, news } => {
                let News { link, direction, qos, id, news, more } = *news;
                self.emit(What::Message { device, link, direction, qos: qos.number(), id, news, more });
            }
            Input::CommandStopped => self.emit(What::CommandStopped),
            Input::CommandEnded { code } => {
                self.emit(What::CommandEnded { code });
                self.command_ended();
            }
            Input::Wire(news) => self.emit(What::Wire { news }),
            Input::HeldUp { late } => self.emit(What::HeldUp { late_ns: time::nanos(late) }),
            Input::CaptureClosed { written, dropped, error } => {
                self.emit(What::CaptureClosed { written, dropped, error });
            }
            Input::Dropped { link, side, what } => self.emit(What::Dropped { link, side, what }),
            Input::EndWaits { link, to, unsent } => self.emit(What::EndWaits { link, to, unsent }),
            // Taken in before.
            Input::LinkOpened { .. }
            | Input::HubConnected { .. }
            | Input::Passed { .. }
            | Input::FirstPublish { .. }
            | Input::LegEnded { .. }
            | Input::EndCarried { .. }
            | Input::Traffic(_)
            | Input::LinkClosed { .. } => {}
            Input::Ended(reason) => self.emit(What::RunEnded { reason }),
        }
    }

    /// Does what is due by `now`. Harmless at any time.
    pub fn tick(&mut self, now: Time) {
        self.advance(now);
        self.do_what_is_due();
        self.settle_sources();
        self.look();
    }

    pub(super) fn do_what_is_due(&mut self) {
        while let Some((&key, _)) = self.timers.first_key_value() {
            if key.0 > self.now {
                break;
            }
            if let Some(timer) = self.timers.remove(&key) {
                self.timer(timer);
            }
        }
        // Asked at each packet, and mostly there is none.
        if !self.unsettled.is_empty() {
            self.settle_devices();
        }
    }

    /// The next output; `None` until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Engine::tick`] is next due. May change with every input.
    pub fn deadline(&self) -> Option<Time> {
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        timer.into_iter().chain(self.progress.look_at).min()
    }

    /// Whether no fault is in force anywhere: most of the time, and for the whole of a run without rules.
    pub(super) fn is_calm(&self) -> bool {
        self.windows.is_empty() && self.firings.is_empty()
    }

    /// Whether there is no fault to look for on a link, neither one in force nor one that went over it.
    pub(super) fn has_nothing_on(&self, link: LinkId) -> bool {
        self.is_calm() && self.links.get(&link).is_none_or(Control::is_untouched)
    }

    pub(super) fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// The time of the latest input.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn emit(&mut self, what: What) {
        let event = Box::new(Event { seq: self.next_seq, at: self.now, what });
        self.next_seq += 1;
        self.dark.note(&event.what, &self.sessions);
        self.sessions.apply(&event);
        self.dark.note(&event.what, &self.sessions);
        let follows = self.follow_will(event.seq, &event.what);
        self.outputs.push_back(Output::Event(event));
        if let Some(what) = follows {
            self.emit(what);
        }
    }

    pub(super) fn finish(&mut self, reason: EndReason) {
        self.outputs.push_back(Output::Finish(reason));
    }

    /// Its key, to take it back by.
    pub(super) fn set_timer(&mut self, at: Time, timer: Timer) -> (Time, u64) {
        let key = (at, self.next_timer);
        self.timers.insert(key, timer);
        self.next_timer += 1;
        key
    }

    fn start(&mut self, start: Box<RunStarted>) {
        self.began = super::tokens::since_1970(&start.wall_clock);
        if start.observer {
            self.sessions = Sessions::forgetful(self.most_gone);
        }
        self.emit(What::RunStarted(start));
        let plan = Arc::clone(&self.plan);
        for (rule, of) in plan.rules() {
            if of.when.is_by_clock() {
                self.schedule(rule, 1, None);
            }
        }
        if let Some(duration) = plan.duration {
            self.set_timer(Time::ZERO + duration, Timer::Duration);
        }
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Fire { rule, nth, before } => self.fire_by_clock(rule, nth, before),
            Timer::FireOn { rule, device } => {
                let nth = self.triggers.fire(rule, device);
                self.fire(rule, nth, Some(device));
            }
            Timer::FireAsked { rule, device, hold } => {
                let nth = self.triggers.fire(rule, device);
                self.fire_for(rule, nth, Some(device), hold);
            }
            Timer::EndWindow(window) => self.end_window(window),
            Timer::EndFiring(firing) => {
                self.firings.remove(firing);
                self.settle_unknown();
                self.settle_listeners();
                self.changed();
            }
            Timer::HoldsOnFewer => {
                self.settle_unknown();
                self.settle_listeners();
            }
            Timer::Expire { window, link } => self.expire(window, link),
            Timer::Duration => {
                self.fire_no_more();
                self.finish(EndReason::Duration);
            }
        }
    }

    fn not_mqtt(&mut self, link: LinkId, direction: Direction, offset: u64, reason: String) {
        self.emit(What::NotMqtt { link, direction, offset, reason });
        let nobodys = self.sessions.link(link).filter(|live| live.device.is_none());
        if let Some(name) = nobodys.map(|live| name_of(live, "")) {
            self.identify(link, &name);
            self.join_firings(link);
            self.refuse_link(link);
            self.settle_link(link);
        }
    }

    fn opened(&mut self, link: LinkId, listener: ListenerId, peer: SocketAddr, to: Option<SocketAddr>) {
        self.first_new = self.first_new.max(LinkId(link.0 + 1));
        self.links.insert(link, Control::new());
        self.emit(What::LinkOpened { link, listener, peer: written(peer), to: to.map(written) });
        self.refuse_link(link);
        self.settle_link(link);
    }

    fn closed(&mut self, link: LinkId, undelivered: Ways<u64>) {
        let windows = if self.windows.is_empty() { BTreeSet::new() } else { self.windows_with(link) };
        self.emit(What::LinkClosed { link, undelivered });
        self.forget_link(link, windows);
    }

    /// The windows that hold on a link, those that it did not come to confirm, and those of cuts that it did not come to make.
    fn windows_with(&self, link: LinkId) -> BTreeSet<WindowId> {
        let device = self.sessions.device_of(link);
        let of_device = device.and_then(|device| self.by_device.get(&device.id)).into_iter().flatten();
        let seldom = self.links.get(&link).and_then(|control| control.seldom.as_ref());
        of_device.chain(seldom.into_iter().flat_map(|seldom| &seldom.left)).copied().collect()
    }

    fn forget_link(&mut self, link: LinkId, windows: BTreeSet<WindowId>) {
        self.forget_will(link);
        let Some(control) = self.links.remove(&link) else { return };
        for window in windows {
            self.lift(window, link);
        }
        for key in control.seldom.iter().flat_map(|seldom| seldom.expiries.values()) {
            self.timers.remove(key);
        }
        self.triggers.forget(link);
        self.refusals.retain(|(_, of, _)| *of != link);
        self.link_gone();
    }
}
