//! What is kept of one link, so that somebody who comes later knows it as if they had been there: the events that made it
//! what it is.

use crate::base::{DeviceId, Direction};
use crate::event::{Event, Packet, What};
use std::collections::VecDeque;

/// The most events kept of the life of a link, but for its end: more than one that keeps to the protocol has.
const MOST_EVENTS: usize = 48;
/// The most SUBSCRIBEs kept of a link, the latest: each with its SUBACK.
const MOST_SUBSCRIPTIONS: usize = 64;
/// The most PINGREQs without an answer that are kept of a link.
const MOST_PINGS: usize = 64;
/// The most earlier links of a device that are kept for the subscriptions that its session holds from them.
const MOST_INHERITED: usize = 4;

/// The trail of one link.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    pub device: Option<DeviceId>,
    /// Whether a CONNACK accepted it, and if so whether with a session.
    pub accepted: Option<bool>,
    life: Vec<Event>,
    subscriptions: Vec<Subscription>,
    pings: VecDeque<Event>,
    /// Earlier links of the device, that its session holds subscriptions from.
    inherited: Vec<Trail>,
}

/// A SUBSCRIBE, or an UNSUBSCRIBE that took a part of one back.
#[derive(Clone, Debug)]
struct Subscription {
    asked: Event,
    granted: Option<Event>,
    /// What of it still holds.
    filters: Vec<String>,
}

impl Trail {
    /// Takes in an event of this link.
    pub fn push(&mut self, event: &Event) {
        match &event.what {
            What::LinkIdentified { device, .. } => {
                self.device = Some(*device);
                self.life.retain(|kept| !matches!(kept.what, What::LinkIdentified { .. }));
                self.keep(event);
            }
            What::Packet { direction, packet, dropped, passed, .. } => {
                let arrives = packet.passed_on(*dropped, passed.as_deref());
                self.packet(event, *direction, packet, arrives);
            }
            What::Forwarded { packet_seq, .. } => self.forwarded(event, *packet_seq),
            What::FirstData { direction: Direction::Down, .. } => {
                self.accepted.get_or_insert(false);
                self.keep(event);
            }
            What::LinkOpened { .. }
            | What::HubConnected { .. }
            | What::HubUnreachable { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { .. }
            | What::TlsFailed { .. }
            | What::FirstData { direction: Direction::Up, .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::FirstPublish { .. } => self.keep(event),
            What::LegEnded { .. }
            | What::EndCarried { .. }
            | What::EndWaits { .. }
            | What::LegCut { .. }
            | What::LinkClosed { .. } => self.add(event),
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::CommandStopped
            | What::CommandEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::Dropped { .. }
            | What::AcceptFailed { .. }
            | What::ConnectAstray { .. }
            | What::DeviceNamed { .. }
            | What::Altered { .. }
            | What::FaultMessage { .. }
            | What::Rival { .. }
            | What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::NotMqtt { .. }
            | What::Malformed { .. }
            | What::KeepaliveExceeded { .. }
            | What::Traffic(_)
            | What::Fired { .. }
            | What::Skipped { .. }
            | What::WindowOpened { .. }
            | What::FaultApplied { .. }
            | What::FaultRefused { .. }
            | What::FaultLifted { .. }
            | What::WindowClosed { .. }
            | What::HeldUp { .. }
            | What::CaptureClosed { .. }
            | What::Wire { .. } => {}
        }
    }

    /// Whether the device holds subscriptions from it.
    fn holds(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// An earlier link of the device, whose session goes on in this one.
    pub fn inherit(&mut self, mut earlier: Trail) {
        self.inherited.append(&mut earlier.inherited);
        if earlier.holds() {
            earlier.rest();
            self.inherited.push(earlier);
        }
        let over = self.inherited.len().saturating_sub(MOST_INHERITED);
        self.inherited.drain(..over);
    }

    /// Nothing more comes of it.
    pub fn rest(&mut self) {
        self.pings = VecDeque::new();
        self.life.shrink_to_fit();
    }

    /// Its events, in no order.
    pub fn events(&self) -> Vec<&Event> {
        let pairs = self.subscriptions.iter().flat_map(|pair| [Some(&pair.asked), pair.granted.as_ref()]);
        let own = self.life.iter().chain(pairs.flatten()).chain(&self.pings);
        own.chain(self.inherited.iter().flat_map(Trail::events)).collect()
    }

    fn keep(&mut self, event: &Event) {
        if self.life.len() < MOST_EVENTS {
            self.add(event);
        }
    }

    /// Of a link, half a dozen events are kept at once and then hardly any: there is no room kept for more.
    fn add(&mut self, event: &Event) {
        self.life.reserve_exact(1);
        self.life.push(event.clone());
    }

    fn packet(&mut self, event: &Event, direction: Direction, packet: &Packet, arrives: Option<&Packet>) {
        match (direction, packet) {
            (Direction::Up, Packet::Subscribe { filters, .. }) => self.subscribe(event, filters),
            (Direction::Up, Packet::Unsubscribe { filters }) => self.unsubscribe(event, filters),
            (Direction::Up, Packet::Pingreq) if self.pings.len() < MOST_PINGS => {
                self.pings.push_back(event.clone());
            }
            (Direction::Down, Packet::Pingresp) => _ = self.pings.pop_front(),
            (Direction::Down, Packet::Suback { id, .. }) => self.granted(event, *id),
            (Direction::Down, Packet::Connack { .. }) => {
                if let Some(Packet::Connack { code: 0, session_present, .. }) = arrives {
                    self.accepted = Some(*session_present);
                }
                self.keep(event);
            }
            (_, Packet::Connect { .. } | Packet::Disconnect { .. }) => self.keep(event),
            (Direction::Up | Direction::Down, _) => {}
        }
    }

    /// A packet that waited was passed on: told where the packet is.
    fn forwarded(&mut self, event: &Event, packet: u64) {
        let grants = self.subscriptions.iter().filter_map(|pair| pair.granted.as_ref());
        let mut kept = self.life.iter().chain(grants).chain(&self.pings);
        if kept.any(|kept| kept.seq == packet) {
            self.keep(event);
        }
    }

    fn subscribe(&mut self, event: &Event, filters: &[String]) {
        self.give_up(filters);
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            self.subscriptions.remove(0);
        }
        let filters = filters.to_vec();
        self.subscriptions.reserve_exact(1);
        self.subscriptions.push(Subscription { asked: event.clone(), granted: None, filters });
    }

    fn unsubscribe(&mut self, event: &Event, filters: &[String]) {
        if self.give_up(filters) && self.subscriptions.len() < MOST_SUBSCRIPTIONS {
            // Its filters hold for as long as what it took a part of does, and it is nobody's to give up.
            let held = vec![String::new()];
            self.subscriptions.push(Subscription { asked: event.clone(), granted: None, filters: held });
        }
    }

    /// These filters hold no more by what was asked before. Answers whether something of that still holds.
    fn give_up(&mut self, filters: &[String]) -> bool {
        let mut in_part = false;
        for pairs in self.inherited.iter_mut().map(|earlier| &mut earlier.subscriptions) {
            in_part |= less(pairs, filters);
        }
        self.inherited.retain(Trail::holds);
        less(&mut self.subscriptions, filters) || in_part
    }

    fn granted(&mut self, event: &Event, wanted: u16) {
        let is_asked = |pair: &&mut Subscription| {
            let What::Packet { packet: Packet::Subscribe { id, .. }, .. } = &pair.asked.what else {
                return false;
            };
            *id == wanted && pair.granted.is_none()
        };
        if let Some(pair) = self.subscriptions.iter_mut().find(is_asked) {
            pair.granted = Some(event.clone());
        }
    }
}

/// Takes the filters out; answers whether one of them was a part of what still holds.
fn less(pairs: &mut Vec<Subscription>, filters: &[String]) -> bool {
    let mut in_part = false;
    for pair in pairs.iter_mut() {
        let before = pair.filters.len();
        pair.filters.retain(|held| !filters.contains(held));
        in_part |= pair.filters.len() < before && !pair.filters.is_empty();
    }
    pairs.retain(|pair| !pair.filters.is_empty());
    in_part
}
