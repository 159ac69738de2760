//! The device as one pure machine: dialing, greeting, up, waiting.

use super::event::{DeviceDid, DeviceEvent, Sign};
use super::habits::{Habits, Leaving};
use super::io::{HowClosed, Input, Output};
use super::link::{Due, Link};
use super::token::{self, Token};
use crate::base::Time;
use crate::base::rand::name_hash;
use crate::base::span::show_fixed;
use crate::mqtt::inlet::{Inlet, LARGEST_PACKET};
use crate::mqtt::outbox::Outbox;
use crate::mqtt::packet::{Connack, Connect, Disconnect, reason};
use crate::mqtt::{Packet, Properties, Property, Version, encode};
use std::collections::{BTreeSet, VecDeque};

/// A simulated device.
#[derive(Debug)]
pub struct Device {
    pub(super) habits: Habits,
    seed: u64,
    /// Whom chance is drawn for.
    subject: u64,
    pub(super) now: Time,
    pub(super) state: State,
    out: VecDeque<Output>,
    /// Unacknowledged messages by their number; they outlive links.
    pub(super) outbox: Outbox<u64>,
    /// Messages of QoS 2 taken and not yet released; they outlive links.
    pub(super) received: BTreeSet<u16>,
    pub(super) counts: Counts,
    /// Whether the hub has granted its subscription in the session that goes on.
    pub(super) subscribed: bool,
    /// Bytes given out and not yet written, on this link.
    pub(super) unsent: usize,
    dialed_at: Time,
    /// Attempts that failed, and links that ended too soon, since the last link that stood long enough.
    failed: u32,
    /// When the latest link was accepted.
    accepted_at: Time,
    /// The token that it has, where it makes tokens.
    token: Option<Token>,
}

/// Counts over the device's whole life.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub attempts: u64,
    pub waits: u64,
    pub made: u64,
    pub published: u64,
    pub acked: u64,
    pub received: u64,
}

#[derive(Debug)]
pub(super) enum State {
    Waiting { until: Time },
    Dialing { deadline: Time },
    Greeting { deadline: Time, inlet: Inlet },
    Up(Link),
    Stopped,
}

impl Device {
    /// A device that dials at once, at the first [`Device::tick`].
    pub fn new(mut habits: Habits, seed: u64) -> Device {
        habits.workload = habits.workload.of(&habits.client_id);
        Device {
            seed,
            subject: name_hash(&habits.client_id),
            habits,
            now: Time::ZERO,
            state: State::Waiting { until: Time::ZERO },
            out: VecDeque::new(),
            outbox: Outbox::default(),
            received: BTreeSet::new(),
            counts: Counts::default(),
            subscribed: false,
            unsent: 0,
            dialed_at: Time::ZERO,
            failed: 0,
            accepted_at: Time::ZERO,
            token: None,
        }
    }

    /// Takes what happened at `now`; what was due by then happens before it.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.tick(now);
        match input {
            Input::Secured { version, resumed } => {
                if let State::Dialing { .. } = self.state {
                    self.log(DeviceDid::Secured { version, resumed });
                }
            }
            Input::Connected => self.greet(),
            Input::ConnectFailed { why } => {
                if let State::Dialing { .. } = self.state {
                    self.attempt_failed(why);
                }
            }
            Input::Bytes(bytes) => self.bytes(bytes),
            Input::Written(count) => self.unsent = self.unsent.saturating_sub(count),
            Input::Closed(how) => self.closed(how),
            Input::Stop => self.stop(),
        }
    }

    /// The next thing to do; call until `None` after each [`Device::handle`] and [`Device::tick`].
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Device::tick`] is wanted, at the latest; it may change with every call of the other functions.
    pub fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Dialing { deadline } | State::Greeting { deadline, .. } => Some(*deadline),
            State::Up(link) => {
                let link = link.next_due().map(|(at, _)| at);
                link.into_iter().chain(self.renew_at()).min()
            }
            State::Stopped => None,
        }
    }

    /// Whether it was told to stop and has; nothing comes from it any more.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// Does all that is due at `now`. Needless calls are harmless.
    pub fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
        while self.deadline().is_some_and(|deadline| deadline <= self.now) {
            match &self.state {
                State::Waiting { .. } => self.dial(),
                State::Dialing { .. } | State::Greeting { .. } => {
                    let why = format!("no CONNACK within {}", show_fixed(self.habits.connect_timeout));
                    self.attempt_failed(why);
                }
                State::Up(_) if self.renew_at().is_some_and(|at| at <= self.now) => self.renew(),
                State::Up(link) => {
                    let due = link.next_due().map(|(_, due)| due);
                    self.link_due(due);
                }
                State::Stopped => return,
            }
        }
    }

    fn link_due(&mut self, due: Option<Due>) {
        match due {
            Some(Due::GiveUp) => self.notice(Sign::PingTimeout),
            Some(Due::Ping) => {
                self.send(&Packet::Pingreq);
                if let State::Up(link) = &mut self.state {
                    link.pinged(self.now);
                }
            }
            Some(Due::Publish) => self.make_message(),
            None => {}
        }
    }

    fn dial(&mut self) {
        self.counts.attempts += 1;
        self.dialed_at = self.now;
        self.unsent = 0;
        // A timeout of nothing would never let it connect.
        let patience = self.habits.connect_timeout.max(super::backoff::LEAST_DELAY);
        self.state = State::Dialing { deadline: self.now + patience };
        self.log(DeviceDid::Dialing { attempt: self.counts.attempts });
        self.out.push_back(Output::Dial);
    }

    fn greet(&mut self) {
        let State::Dialing { deadline } = self.state else { return };
        // It tells no hub of a bound, and before MQTT 5 it could not.
        self.state = State::Greeting { deadline, inlet: Inlet::new(LARGEST_PACKET) };
        if let Some(sas) = &self.habits.sas {
            let held = self.token.take();
            self.token = Some(sas.for_connect(held, &self.habits.client_id, self.now));
        }
        self.send(&Packet::Connect(self.connect()));
    }

    /// When the token is to be renewed.
    fn renew_at(&self) -> Option<Time> {
        self.token.as_ref()?.renew_at
    }

    /// It leaves in order and dials again at once, for a fresh token.
    fn renew(&mut self) {
        let Some(token) = self.token.take() else { return };
        self.log(DeviceDid::Renews { left: token.expires.since(self.now) });
        self.send(&Packet::Disconnect(Disconnect::default()));
        self.out.push_back(Output::Close);
        self.begin_anew();
        self.state = State::Waiting { until: self.now };
    }

    fn connect(&self) -> Connect {
        let habits = &self.habits;
        let mut properties = Properties::NONE;
        if habits.version == Version::V5 && !habits.clean_session {
            let seconds = u32::try_from(habits.session_expiry.as_secs()).unwrap_or(u32::MAX);
            properties = properties.with(Property::SessionExpiry(seconds));
        }
        Connect {
            version: habits.version,
            clean_start: habits.clean_session,
            keep_alive: habits.keep_alive_secs(),
            properties,
            client_id: habits.client_id.clone(),
            will: habits.will.clone(),
            username: match &habits.sas {
                Some(sas) => Some(sas.username(&habits.client_id)),
                None => habits.username.clone(),
            },
            password: match &self.token {
                Some(token) => Some(token.password()),
                None => habits.password.clone(),
            },
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(inlet) = self.inlet() {
            inlet.push(bytes);
        }
        let version = self.habits.version;
        while let Some(inlet) = self.inlet() {
            match inlet.next_packet(version) {
                Ok(None) => return,
                Ok(Some(packet)) => self.packet(packet),
                Err(_) => self.broken(),
            }
        }
    }

    fn inlet(&mut self) -> Option<&mut Inlet> {
        match &mut self.state {
            State::Greeting { inlet, .. } => Some(inlet),
            State::Up(link) => Some(&mut link.inlet),
            State::Waiting { .. } | State::Dialing { .. } | State::Stopped => None,
        }
    }

    fn packet(&mut self, packet: Packet) {
        match (&mut self.state, packet) {
            (State::Up(link), packet) => {
                link.last_received = self.now;
                self.link_packet(packet);
            }
            (State::Greeting { .. }, Packet::Connack(connack)) if connack.code == reason::SUCCESS => {
                // [MQTT-3.2.2-4 in 5]; before, nothing is said of what the device is to do.
                if connack.session_present && self.habits.clean_session && self.habits.version == Version::V5
                {
                    self.attempt_failed(
                        "CONNACK says that a session goes on, and it asked for a new one".into(),
                    );
                } else {
                    self.accepted(&connack);
                }
            }
            (State::Greeting { .. }, Packet::Connack(connack)) => {
                self.log(DeviceDid::Refused { code: connack.code });
                if token::refuses_token(connack.code) {
                    self.token = None;
                }
                self.out.push_back(Output::Close);
                self.wait();
            }
            (State::Greeting { .. } | State::Waiting { .. } | State::Dialing { .. } | State::Stopped, _) => {
                self.broken()
            }
        }
    }

    /// What came is not what a hub sends.
    pub(super) fn broken(&mut self) {
        match self.state {
            State::Up(_) => self.notice(Sign::ProtocolError),
            State::Greeting { .. } | State::Dialing { .. } => {
                self.attempt_failed("the answer is not a CONNACK".into())
            }
            State::Waiting { .. } | State::Stopped => {}
        }
    }

    fn accepted(&mut self, connack: &Connack) {
        let State::Greeting { inlet, .. } = &mut self.state else { return };
        let inlet = std::mem::replace(inlet, Inlet::new(LARGEST_PACKET));
        let link = Link::new(&self.habits, inlet, self.now, &connack.properties);
        self.state = State::Up(link);
        self.accepted_at = self.now;
        let session_present = connack.session_present;
        self.log(DeviceDid::Connected { session_present, took: self.now.since(self.dialed_at) });
        self.begin_session(connack);
    }

    fn closed(&mut self, how: HowClosed) {
        match (&self.state, how) {
            (State::Up(_), HowClosed::Fin | HowClosed::Unnotified | HowClosed::Reset)
                if !self.habits.notices_close => {}
            (State::Up(_), how) => self.notice(how.into()),
            (State::Greeting { .. } | State::Dialing { .. }, how) => {
                self.attempt_failed(format!("before CONNACK: {}", Sign::from(how)));
            }
            (State::Waiting { .. } | State::Stopped, _) => {}
        }
    }

    /// The link is gone, and the device knows.
    pub(super) fn notice(&mut self, sign: Sign) {
        let State::Up(link) = &self.state else { return };
        let silent = self.now.since(link.last_received);
        self.log(DeviceDid::NoticedDead { sign, silent });
        self.out.push_back(Output::Close);
        self.begin_anew();
        self.wait();
    }

    /// The link is over; if it stood long enough, the back-off begins anew.
    fn begin_anew(&mut self) {
        if self.now.since(self.accepted_at) >= self.habits.settled {
            self.failed = 0;
        }
    }

    fn attempt_failed(&mut self, why: String) {
        self.log(DeviceDid::ConnectFailed { why });
        self.out.push_back(Output::Close);
        self.wait();
    }

    fn wait(&mut self) {
        let delay = self.habits.backoff.delay(self.failed, self.seed, self.subject, self.counts.waits);
        self.counts.waits += 1;
        self.log(DeviceDid::ReconnectIn { delay, failed: self.failed });
        self.failed = self.failed.saturating_add(1);
        self.state = State::Waiting { until: self.now + delay };
    }

    fn stop(&mut self) {
        match (&self.state, self.habits.leaving) {
            (State::Stopped, _) => return,
            (State::Up(_), Leaving::Disconnect) => {
                self.send(&Packet::Disconnect(Disconnect::default()));
                self.out.push_back(Output::Close);
            }
            (State::Up(_), Leaving::Reset) => self.out.push_back(Output::Reset),
            (State::Up(_), Leaving::Close)
            | (State::Waiting { .. } | State::Dialing { .. } | State::Greeting { .. }, _) => {
                self.out.push_back(Output::Close);
            }
        }
        self.state = State::Stopped;
        self.log(DeviceDid::Stopped);
    }

    /// Gives a packet out, and says whether it did: one that cannot be written (a client identifier of more than 65,535 bytes) or
    /// is larger than the hub takes is left away.
    pub(super) fn send(&mut self, packet: &Packet) -> bool {
        let mut bytes = Vec::new();
        if encode(packet, self.habits.version, &mut bytes).is_err() {
            return false;
        }
        let size = bytes.len();
        if let State::Up(link) = &self.state
            && let most = link.takes.packet
            && size > most
        {
            self.log(DeviceDid::Withheld { kind: packet.kind(), size, most });
            return false;
        }
        self.unsent += size;
        self.out.push_back(Output::Send(bytes));
        if let State::Up(link) = &mut self.state {
            link.sent(self.now);
        }
        true
    }

    pub(super) fn log(&mut self, did: DeviceDid) {
        self.out.push_back(Output::Log(DeviceEvent { at: self.now, did }));
    }
}
