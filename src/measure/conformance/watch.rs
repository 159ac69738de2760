//! What is kept of one live link: who speaks there, what was said, and whether a fault had a part in it.

use super::ping::Pings;
use super::session::Asked;
use crate::base::{DeviceId, Direction, Ends, LinkId, ListenerId, Side, Time, WindowId};
use crate::event::{LastPackets, Packet};
use crate::fault::Mechanism;
use crate::mqtt::Version;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How many packets that wait in brownout are remembered of a link; what waits beyond that counts as passed on.
const MOST_WAITING: usize = 64;

/// A live link.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub id: LinkId,
    pub opened: Time,
    pub listener: ListenerId,
    pub ip: Option<IpAddr>,
    /// The hub that its device dialled, where the kernel led it to brownout.
    pub to: Option<Box<str>>,
    pub device: Option<DeviceId>,
    /// What its CONNECT said.
    pub greeting: Option<Greeting>,
    /// When the CONNACK that accepts it came from the hub.
    pub hub_accepted: Option<Time>,
    /// When it was passed on to the device.
    pub accepted: Option<Time>,
    /// Which end said DISCONNECT.
    pub goodbye: Ends<bool>,
    /// When each end gave it up, or was told.
    pub over: Ends<Option<Time>>,
    /// When the last packet for the hub was passed on.
    pub hub_heard: Option<Time>,
    /// When bytes last came for it of a packet that was not there whole.
    pub under_way: Option<Time>,
    /// What the hub says is left unread, because the device takes no more.
    unread: bool,
    /// When it was first known to be read again.
    read_again: Option<Time>,
    /// When the last packet of the device came.
    pub device_heard: Option<Time>,
    pub faults: Faults,
    pub pings: Pings,
    pub asked: BTreeMap<u16, Asked>,
    pub session: super::session::Session,
    waiting: BTreeMap<u64, (Direction, Said)>,
}

/// What a CONNECT said.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    pub version: Version,
    /// Whether it gave a client identifier.
    pub named: bool,
    /// Whether the hub is asked for a clean start.
    pub clean: bool,
    /// As CONNECT and CONNACK say keep-alives, in seconds.
    asked: u16,
    own: u16,
    hubs: u16,
    /// The Session Expiry Interval that the hub was asked for, in seconds.
    pub session_expiry: Option<u32>,
    /// What was left as a will.
    pub will: Option<Box<Left>>,
}

impl Greeting {
    /// The keep-alive that the device asked for.
    pub fn asked(&self) -> Duration {
        seconds(self.asked)
    }

    /// The one that it goes by: the hub's, where it was told one.
    pub fn own(&self) -> Duration {
        seconds(self.own)
    }

    /// The one that the hub goes by.
    pub fn hubs(&self) -> Duration {
        seconds(self.hubs)
    }
}

/// A will, as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub topic: String,
    pub delay: Duration,
}

/// What a packet means once it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Connack { code: u8, session_present: bool },
    Pingreq,
    Pingresp,
    Subscribe { id: u16 },
    Suback { refused: bool },
    Disconnect { reason: u8 },
    Other,
}

/// What faults did to a link.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    in_force: Vec<WindowId>,
    touched: bool,
    cut: bool,
    /// Packets of its were dropped, changed, doubled or put in.
    pub altered: bool,
    /// The kernel drops, or has dropped, what this end sends: its signs are not seen when they come.
    pub muted: Ends<bool>,
    /// What the hub is sent trickles.
    pub slowed: bool,
    /// Since the last fault was lifted, a packet was passed on at once each way.
    proven: [bool; 2],
}

impl Said {
    pub fn of(packet: &Packet) -> Said {
        match packet {
            Packet::Connack { code, session_present, .. } => {
                Said::Connack { code: *code, session_present: *session_present }
            }
            Packet::Pingreq => Said::Pingreq,
            Packet::Pingresp => Said::Pingresp,
            Packet::Subscribe { id, .. } => Said::Subscribe { id: *id },
            Packet::Suback { codes, .. } => Said::Suback { refused: codes.iter().any(|code| *code >= 0x80) },
            Packet::Disconnect { reason } => Said::Disconnect { reason: *reason },
            Packet::Connect { .. }
            | Packet::Publish { .. }
            | Packet::Puback
            | Packet::Pubrec
            | Packet::Pubrel
            | Packet::Pubcomp
            | Packet::Unsubscribe { .. }
            | Packet::Unsuback
            | Packet::Auth { .. }
            | Packet::Unreadable { .. } => Said::Other,
        }
    }
}

impl Faults {
    pub fn falls(&mut self, window: WindowId, means: Ends<Option<Mechanism>>) {
        self.touch();
        self.in_force.push(window);
        for side in Side::BOTH {
            let mechanism = *means.get(side);
            let hides = [Mechanism::Filter, Mechanism::MinTtl, Mechanism::RandomFilter];
            *self.muted.get_mut(side) |= mechanism.is_some_and(|by| hides.contains(&by));
            self.altered |= matches!(mechanism, Some(Mechanism::Packets | Mechanism::Injected));
            self.slowed |= matches!(mechanism, Some(Mechanism::Shaper));
        }
    }

    pub fn lifts(&mut self, window: WindowId) {
        self.in_force.retain(|held| *held != window);
        self.proven = [false; 2];
    }

    pub fn cut(&mut self) {
        self.touch();
        self.cut = true;
    }

    pub fn touch(&mut self) {
        self.touched = true;
        self.proven = [false; 2];
    }

    fn passes(&mut self, direction: Direction) {
        if self.in_force.is_empty() {
            self.proven[usize::from(direction == Direction::Up)] = true;
        }
    }

    /// Whether no fault has ever fallen on it.
    pub fn is_pristine(&self) -> bool {
        !self.touched
    }

    /// Whether what happens on it now is its ends' own doing: no fault holds, and since the last one packets passed both ways.
    pub fn is_sound(&self) -> bool {
        let proven = !self.touched || self.proven.iter().all(|proven| *proven);
        self.in_force.is_empty() && !self.cut && proven
    }

    /// Whether a fault holds on it now, or has cut it.
    pub fn hold(&self) -> bool {
        self.cut || !self.in_force.is_empty()
    }
}

impl Watch {
    pub fn new(id: LinkId, listener: ListenerId, ip: Option<IpAddr>, opened: Time) -> Watch {
        Watch {
            id,
            opened,
            listener,
            ip,
            to: None,
            device: None,
            greeting: None,
            hub_accepted: None,
            accepted: None,
            goodbye: Ends::default(),
            over: Ends::default(),
            hub_heard: None,
            under_way: None,
            unread: false,
            read_again: None,
            device_heard: None,
            faults: Faults::default(),
            pings: Pings::default(),
            asked: BTreeMap::new(),
            session: super::session::Session::default(),
            waiting: BTreeMap::new(),
        }
    }

    /// The version that its rules are numbered by.
    pub fn version(&self) -> Version {
        self.greeting.as_ref().map_or(Version::V311, |greeting| greeting.version)
    }

    /// The rule's number in the link's version.
    pub fn rule(&self, v311: &'static str, v5: &'static str) -> Option<&'static str> {
        Some(if self.version() == Version::V5 { v5 } else { v311 })
    }

    /// The keep-alive that the device goes by; zero for none or not known.
    pub fn keep_alive(&self) -> Duration {
        self.greeting.as_ref().map_or(Duration::ZERO, Greeting::own)
    }

    /// Whether both ends are there, as far as they have shown.
    pub fn is_up(&self) -> bool {
        let nobody_left = self.goodbye == Ends::default() && self.over == Ends::default();
        self.accepted.is_some() && nobody_left && !self.faults.cut
    }

    /// Takes in the CONNECT: as the device said it, and as the hub is told.
    pub fn greets(&mut self, packet: &Packet, passed: Option<&Packet>) {
        let Packet::Connect { version, client_id, keep_alive, will, terms, .. } = packet else { return };
        let own = *keep_alive;
        let (hubs, clean) = match passed {
            Some(Packet::Connect { keep_alive, clean, .. }) => (*keep_alive, *clean),
            Some(_) | None => (own, true),
        };
        let left = |will: &crate::event::Will| Left {
            topic: will.topic.clone(),
            delay: Duration::from_secs(u64::from(will.delay.unwrap_or(0))),
        };
        let will = will.as_ref().filter(|_| passed.is_some()).map(|will| Box::new(left(will)));
        let (version, named) = (*version, !client_id.is_empty());
        let session_expiry = terms.session_expiry;
        self.greeting = Some(Greeting { version, named, clean, asked: own, own, hubs, session_expiry, will });
    }

    /// Takes in a CONNACK: as the hub said it, and as the device is told.
    pub fn answered(&mut self, at: Time, packet: &Packet, passed: Option<&Packet>) {
        let Some(greeting) = &mut self.greeting else { return };
        if let Packet::Connack { code, server_keep_alive, .. } = packet {
            if *code == 0 {
                self.hub_accepted.get_or_insert(at);
            }
            greeting.hubs = server_keep_alive.unwrap_or(greeting.hubs);
        }
        if let Some(Packet::Connack { server_keep_alive: Some(told), .. }) = passed {
            greeting.own = *told;
        }
    }

    /// The hub may have its reasons not to publish the will.
    pub fn excuses_will(&mut self) {
        self.greeting.iter_mut().for_each(|greeting| greeting.will = None);
    }

    /// A packet came.
    pub fn arrives(&mut self, at: Time, direction: Direction) {
        if direction == Direction::Up {
            self.device_heard = Some(at);
        }
    }

    /// A packet waits in brownout, under this number. False if there is no room to remember it.
    pub fn waits(&mut self, seq: u64, direction: Direction, said: Said) -> bool {
        let has_room = self.waiting.len() < MOST_WAITING;
        if has_room {
            self.waiting.insert(seq, (direction, said));
        }
        has_room
    }

    pub fn release(&mut self, seq: u64) -> Option<(Direction, Said)> {
        let waited = self.waiting.remove(&seq);
        release_if_empty(&mut self.waiting);
        waited
    }

    /// A packet was passed on.
    pub fn passes(&mut self, at: Time, direction: Direction) {
        self.faults.passes(direction);
        if direction == Direction::Up {
            self.hub_heard = Some(at);
        }
    }

    /// News of the last packets from and to an end.
    pub fn heard(&mut self, side: Side, last: LastPackets) {
        match side {
            Side::Device => self.device_heard = self.device_heard.max(last.from),
            Side::Hub => self.hub_heard = self.hub_heard.max(last.to),
        }
    }

    /// What the hub says is left unread since then, or is read.
    pub fn leaves_unread(&mut self, at: Time, since: Option<Time>) {
        if self.unread && since.is_none() {
            self.read_again = Some(at);
        }
        self.unread = since.is_some();
    }

    /// Whether what the hub says is left unread now.
    pub fn is_unread(&self) -> bool {
        self.unread
    }

    /// For how long the hub, asked at `since`, has not answered as of `at`; `None` where its answer may be in what is left
    /// unread.
    pub fn hub_kept_waiting(&self, since: Time, at: Time) -> Option<Duration> {
        let since = self.read_again.map_or(since, |again| again.max(since));
        (!self.unread).then(|| at.since(since))
    }

    /// A part of the log begins at this moment, and an event from before it was taken in: what came between such events is
    /// not known, and no silence.
    pub fn goes_on(&mut self, at: Time) {
        self.session.goes_on(at);
        for heard in [&mut self.hub_heard, &mut self.device_heard] {
            *heard = heard.map(|heard| heard.max(at));
        }
    }

    pub fn is_over(&mut self, side: Side, at: Time) {
        self.over.get_mut(side).get_or_insert(at);
    }
}

/// An empty map may keep room for its last eleven entries; a link that waits for nothing is not to.
pub(super) fn release_if_empty<K, V>(map: &mut BTreeMap<K, V>) {
    if map.is_empty() {
        *map = BTreeMap::new();
    }
}

fn seconds(seconds: u16) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
