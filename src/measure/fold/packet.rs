//! What is told of a packet: what it says as it arrives, and what its delivery means.

use super::Measures;
use crate::base::{Direction, LinkId, Time};
use crate::event::Packet;
use crate::measure::facts::{Connack, Delivery, Link, RoundTrip, Showed};
use crate::measure::packets::{Fared, Greeting, KeepAlive};

impl Measures {
    pub(super) fn packet(&mut self, seq: u64, at: Time, id: LinkId, direction: Direction, fared: Fared<'_>) {
        let delivery = self.read(at, id, direction, fared);
        let Some(link) = self.links.get_mut(&id) else { return };
        link.arrived(at, direction);
        match (fared.passed, fared.held) {
            (None, _) => link.drops(seq, at, fared.packet),
            (Some(_), true) => link.hold(seq, direction, delivery),
            (Some(_), false) => self.deliver(at, id, direction, delivery),
        }
    }

    pub(super) fn forwarded(&mut self, at: Time, id: LinkId, seq: u64) {
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
                let untold = link.greeting.is_some_and(Greeting::may_go_on_untold);
                if *code == 0 && !session_present && !untold {
                    self.has_no_session(id);
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

    /// The hub has no session of a device: it owes the filters that it held, unless it had left its last link with DISCONNECT,
    /// and begins anew.
    fn has_no_session(&mut self, id: LinkId) {
        let device = self.links.get(&id).and_then(|link| link.device);
        let Some(facts) = device.and_then(|device| self.devices.get_mut(&device)) else { return };
        let before = facts.links.iter().rev().filter(|before| **before < id);
        let mut before = before.filter_map(|before| self.links.get(before));
        if before.find(|link| link.accepted().is_some()).is_some_and(Link::took_leave) {
            facts.wanted.clear();
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.owes(&facts.wanted);
        }
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

    /// After a SUBACK: what the device holds now is what it wants, and may be all that it is owed.
    fn granted(&mut self, id: LinkId) -> Delivery {
        let (granted, Some(link)) = (self.sessions.granted(), self.links.get_mut(&id)) else {
            return Delivery::Other;
        };
        if let Some(facts) = link.device.and_then(|device| self.devices.get_mut(&device)) {
            facts.wanted.add(granted.iter().map(String::as_str));
        }
        if link.gives_back(granted) { Delivery::Resubscribed } else { Delivery::Other }
    }

    fn given_up(&mut self, id: LinkId, filters: &[String]) {
        if let Some(device) = self.device_of(id) {
            device.wanted.drop_all(filters);
        }
        self.on(id, |link| {
            if link.resubscribed.is_none() {
                link.owes_no_more(filters);
            }
        });
    }
}
