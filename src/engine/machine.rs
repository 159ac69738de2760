//! The machine itself: inputs in, events and orders out.

use super::firing::{Firing, Window};
use super::io::{Door, Input, Output};
use super::packets::{Counts, Refusals};
use super::pick;
use super::through::Progress;
use super::trigger::Triggers;
use crate::base::{DeviceId, Direction, FiringId, LinkId, ListenerId, RuleId, Side, Time, WindowId, time};
use crate::event::{EndReason, Event, RunStarted, What};
use crate::fault::Effects;
use crate::mqtt::PacketKind;
use crate::profile::{Plan, When};
use crate::session::Sessions;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Decides which fault holds on which link, and says what happened.
#[derive(Debug)]
pub struct Engine {
    pub(super) plan: Arc<Plan>,
    pub(super) seed: u64,
    pub(super) now: Time,
    pub(super) sessions: Sessions,
    pub(super) links: BTreeMap<LinkId, Control>,
    pub(super) listeners: BTreeMap<ListenerId, ListenerControl>,
    pub(super) firings: BTreeMap<FiringId, Firing>,
    pub(super) windows: BTreeMap<WindowId, Window>,
    pub(super) by_device: BTreeMap<DeviceId, BTreeSet<WindowId>>,
    pub(super) triggers: Triggers,
    pub(super) refusals: Refusals,
    pub(super) timers: BTreeMap<(Time, u64), Timer>,
    pub(super) progress: Progress,
    pub(super) outputs: VecDeque<Output>,
    pub(super) next_seq: u64,
    pub(super) next_timer: u64,
    pub(super) next_firing: u64,
    pub(super) next_window: u64,
}

/// What is known and asked of one live link.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) desired: Effects,
    pub(super) generation: u64,
    /// The windows behind each generation that is not confirmed yet, oldest first.
    pub(super) asked: VecDeque<(u64, BTreeSet<WindowId>)>,
    pub(super) in_force: BTreeSet<WindowId>,
    /// It was ordered to be cut: nothing passes any more.
    pub(super) cut: bool,
    /// Its device was told by its address alone; CONNECT may say that it is another.
    pub(super) by_address: bool,
    /// Windows of the device that it was taken to be of before, which it may still have to be lifted from.
    pub(super) left: BTreeSet<WindowId>,
    /// Harms ordered before its device was known, oldest first.
    pub(super) harms: VecDeque<UnknownHarm>,
    /// Its packets come in WebSocket frames.
    pub(super) is_websocket: bool,
    /// What faults of packets count.
    pub(super) packets: Counts,
}

/// A firing that damages a record of a link whose device is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnknownHarm {
    pub(super) firing: FiringId,
    pub(super) rule: RuleId,
    pub(super) toward: Side,
}

#[derive(Debug, Default)]
pub(super) struct ListenerControl {
    pub(super) asked: Door,
    pub(super) refused: bool,
}

/// What is to happen at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Timer {
    /// A rule that fires by the run's time.
    Fire { rule: RuleId, nth: u32 },
    /// A rule that fires on one device.
    FireOn { rule: RuleId, device: DeviceId },
    /// A rule that a device asked for fires on it; where it is to last, for this long.
    FireAsked { rule: RuleId, device: DeviceId, hold: Option<Duration> },
    /// A window is to end.
    EndWindow(WindowId),
    /// A firing falls on nobody new from now on.
    EndFiring(FiringId),
    /// The plan's duration is over.
    Duration,
}

impl Engine {
    /// A machine for this plan. `with_command`: the run also waits for a command to end.
    pub fn new(plan: Arc<Plan>, seed: u64, with_command: bool) -> Engine {
        Engine {
            triggers: Triggers::new(&plan),
            progress: Progress::new(with_command),
            plan,
            seed,
            now: Time::ZERO,
            sessions: Sessions::default(),
            links: BTreeMap::new(),
            listeners: BTreeMap::new(),
            firings: BTreeMap::new(),
            windows: BTreeMap::new(),
            by_device: BTreeMap::new(),
            refusals: Refusals::new(),
            timers: BTreeMap::new(),
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

    /// Takes in what net/ saw or did. `now` may lag behind an earlier call's: then that one's counts.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.advance(now);
        match input {
            Input::Started(start) => self.start(start),
            Input::ListenerOpened { listener, address, upstream, tls } => {
                self.listeners.insert(listener, ListenerControl::default());
                self.emit(What::ListenerOpened { listener, address, upstream, tls });
            }
            Input::ListenerDone { listener, outcome } => self.listener_done(listener, outcome),
            Input::AcceptFailed { listener, error } => self.emit(What::AcceptFailed { listener, error }),
            Input::LinkOpened { link, listener, peer } => {
                self.links.insert(link, Control::new());
                self.emit(What::LinkOpened { link, listener, peer: peer.to_string() });
                self.settle_link(link);
            }
            Input::HubConnected { link, took } => {
                self.emit(What::HubConnected { link, took_ns: time::nanos(took) });
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
                if let Some(control) = self.links.get_mut(&link) {
                    control.is_websocket = true;
                }
            }
            Input::WsClosed { link, direction, code } => self.emit(What::WsClosed { link, direction, code }),
            Input::Harmed { link, window, toward, last: _ } => self.harmed(link, window, toward),
            Input::Altered { link, direction, seq, window, what } => {
                self.altered(link, direction, seq, window, what);
            }
            Input::NotAltered { link, window, error } => self.not_altered(link, window, error),
            Input::Idle { .. } | Input::Injected { .. } | Input::HalfClosed { .. } | Input::Rival { .. } => {}
            Input::Passed { link, ticket } => self.passed(link, ticket),
            Input::FirstPublish { link, direction } => self.emit(What::FirstPublish { link, direction }),
            Input::NotMqtt { link, direction, offset, reason } => {
                self.not_mqtt(link, direction, offset, reason)
            }
            Input::KeepaliveExceeded { link, gap } => {
                self.emit(What::KeepaliveExceeded { link, gap_ns: time::nanos(gap) });
            }
            Input::LegEnded { link, side, how, error, last } => {
                self.emit(What::LegEnded { link, side, how, error, last });
            }
            Input::EndCarried { link, to, how } => self.emit(What::EndCarried { link, to, how }),
            Input::Applied { link, generation, granted } => self.applied(link, generation, &granted),
            Input::CutDone { link, window, done, last } => self.cut_done(link, window, done, last),
            Input::Traffic(traffic) => self.emit(What::Traffic(traffic)),
            Input::LinkClosed { link, undelivered } => {
                let device = self.sessions.device_of(link).map(|device| device.id);
                self.emit(What::LinkClosed { link, undelivered });
                self.forget_link(link, device);
            }
            Input::CommandEnded { code } => {
                self.emit(What::CommandEnded { code });
                self.command_ended();
            }
            Input::Ended(reason) => self.emit(What::RunEnded { reason }),
        }
    }

    /// Does what is due by `now`. Harmless at any time.
    pub fn tick(&mut self, now: Time) {
        self.advance(now);
        self.do_what_is_due();
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

    pub(super) fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// The time of the latest input.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn emit(&mut self, what: What) {
        let event = Event { seq: self.next_seq, at: self.now, what };
        self.next_seq += 1;
        self.sessions.apply(&event);
        self.outputs.push_back(Output::Event(Box::new(event)));
    }

    pub(super) fn finish(&mut self, reason: EndReason) {
        self.outputs.push_back(Output::Finish(reason));
    }

    pub(super) fn set_timer(&mut self, at: Time, timer: Timer) {
        self.timers.insert((at, self.next_timer), timer);
        self.next_timer += 1;
    }

    fn start(&mut self, start: Box<RunStarted>) {
        self.emit(What::RunStarted(start));
        let plan = Arc::clone(&self.plan);
        for (rule, of) in plan.rules() {
            if let When::At { .. } = of.when {
                self.schedule(rule, 1);
            }
        }
        if let Some(duration) = plan.duration {
            self.set_timer(Time::ZERO + duration, Timer::Duration);
        }
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Fire { rule, nth } => {
                self.fire(rule, nth, None);
                self.schedule(rule, nth + 1);
            }
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
                self.firings.remove(&firing);
                self.settle_unknown();
                self.settle_listeners();
                self.changed();
            }
            Timer::Duration => self.finish(EndReason::Duration),
        }
    }

    /// Sets the timer for the `nth` firing of a rule that fires by the run's time, if there is one.
    fn schedule(&mut self, rule: RuleId, nth: u32) {
        let Some(When::At { first, repeat }) = self.plan.rule(rule).map(|of| of.when.clone()) else { return };
        let at = match repeat {
            _ if nth == 1 => first,
            Some(repeat) if repeat.times.is_none_or(|times| nth <= times) => {
                let even = first + repeat.every * (nth - 1);
                let jitter = pick::jitter(self.seed, rule, nth);
                let shift = repeat.jitter.mul_f64(jitter.abs());
                if jitter < 0.0 { even.saturating_sub(shift) } else { even + shift }
            }
            Some(_) | None => return,
        };
        self.set_timer(Time::ZERO + at, Timer::Fire { rule, nth });
    }

    fn not_mqtt(&mut self, link: LinkId, direction: Direction, offset: u64, reason: String) {
        self.emit(What::NotMqtt { link, direction, offset, reason });
        if self.sessions.link(link).is_some_and(|live| live.device.is_none()) {
            self.identify(link, &self.address_name(link));
            self.join_firings(link);
            self.settle_link(link);
        }
    }

    fn forget_link(&mut self, link: LinkId, device: Option<DeviceId>) {
        let Some(control) = self.links.remove(&link) else { return };
        // Those that hold on it, those that it did not come to confirm, and cuts that it did not come to make.
        let of_device = device.and_then(|device| self.by_device.get(&device)).into_iter().flatten().copied();
        let windows: BTreeSet<WindowId> = of_device.chain(control.left).collect();
        for window in windows {
            self.lift(window, link);
        }
        self.triggers.forget(link);
        self.refusals.retain(|(_, of, _)| *of != link);
        self.link_gone();
    }
}

impl Control {
    fn new() -> Control {
        Control {
            desired: Effects::default(),
            generation: 0,
            asked: VecDeque::new(),
            in_force: BTreeSet::new(),
            cut: false,
            by_address: false,
            left: BTreeSet::new(),
            harms: VecDeque::new(),
            is_websocket: false,
            packets: Counts::default(),
        }
    }

    /// Whether bytes of this direction wait, once all that was ordered is done.
    pub(super) fn holds(&self, direction: Direction) -> bool {
        let Effects {
            hold_dial: _,
            closed,
            mute: _,
            delays,
            handshake: _,
            shapes,
            loss: _,
            budgets: _,
            idle: _,
            asks: _,
        } = &self.desired;
        self.cut
            || *closed.get(direction)
            || !delays.get(direction).is_empty()
            || !shapes.get(direction).is_empty()
    }

    pub(super) fn awaits(&self, window: WindowId) -> bool {
        self.asked.iter().any(|(_, windows)| windows.contains(&window))
    }
}
