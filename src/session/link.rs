//! A live link, as far as events have told of it.

use crate::base::{DeviceId, Ends, ListenerId, Time};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// So many SUBSCRIBEs that wait for their SUBACK are known of a link, and so many filters of them all: more than a client sends
/// before it waits.
const MOST_ASKED: usize = 64;
const MOST_FILTERS: usize = 4096;

/// A live link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it came in.
    pub listener: ListenerId,
    /// The device's address and port; `None` where the event that told of it has something else.
    pub peer: Option<SocketAddr>,
    /// When it was accepted.
    pub opened: Time,
    /// Its device, once known.
    pub device: Option<DeviceId>,
    /// Its number among the device's links, from 1; 0 while the device is unknown.
    pub nth: u32,
    /// The server name that its ClientHello asked for.
    pub sni: Option<Box<str>>,
    /// The subject of the certificate that the device presented.
    pub subject: Option<Box<str>>,
    /// How far the TLS handshake with the device is.
    pub handshake: Handshake,
    /// When its CONNACK came, and the code; where TLS is passed through, when the first application data came from the
    /// hub, as accepted (0).
    pub connack: Option<(Time, u8)>,
    /// It had been accepted before that: a hub says CONNACK once [MQTT-3.2.0-2].
    pub accepted_before: bool,
    /// Whether the device sent DISCONNECT.
    pub disconnected: bool,
    /// The ends that have given it up.
    pub ended: Ends<bool>,
    /// The filters of each SUBSCRIBE that waits for its SUBACK, by packet identifier.
    pub(super) asked: BTreeMap<u16, Vec<String>>,
}

/// How far the TLS handshake of a device's leg is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handshake {
    /// No ClientHello has come; there may be no TLS.
    #[default]
    None,
    /// It is under way with brownout.
    UnderWay,
    /// It is done, or failed, or the device left.
    Over,
    /// It is the hub's: passed through.
    PassedThrough,
}

impl Link {
    /// Whether the device is connected over it, as far as both ends have shown.
    pub fn is_up(&self) -> bool {
        matches!(self.connack, Some((_, 0))) && !self.is_ended() && !self.disconnected
    }

    /// Whether an end has given it up.
    pub fn is_ended(&self) -> bool {
        self.ended.device || self.ended.hub
    }

    /// The device's address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.peer.map(|address| address.ip().to_canonical())
    }
}

impl Link {
    /// A SUBSCRIBE came. Of a device whose hub answers none, the first are known, and no more.
    pub(super) fn asks(&mut self, id: u16, filters: &[String]) {
        let waiting: usize = self.asked.values().map(Vec::len).sum();
        if self.asked.len() < MOST_ASKED && waiting + filters.len() <= MOST_FILTERS {
            self.asked.insert(id, filters.to_vec());
        }
    }

    /// A SUBACK came: what was asked for with this identifier. A link that waits for none keeps no memory for it.
    pub(super) fn answered(&mut self, id: u16) -> Vec<String> {
        let asked = self.asked.remove(&id).unwrap_or_default();
        if self.asked.is_empty() {
            self.asked = BTreeMap::new();
        }
        asked
    }

    pub(super) fn handshake_is_over(&mut self) {
        if self.handshake == Handshake::UnderWay {
            self.handshake = Handshake::Over;
        }
    }

    pub(super) fn new(listener: ListenerId, peer: &str, opened: Time) -> Link {
        Link {
            listener,
            peer: peer.parse().ok(),
            opened,
            device: None,
            nth: 0,
            sni: None,
            subject: None,
            handshake: Handshake::None,
            connack: None,
            accepted_before: false,
            disconnected: false,
            ended: Ends::default(),
            asked: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_subscribes_that_nobody_answers_the_first_are_known() {
        let mut link = Link::new(ListenerId(0), "10.0.0.1:4000", Time::ZERO);
        for id in 1..=100 {
            link.asks(id, &["a".to_owned()]);
        }
        assert_eq!(link.asked.len(), MOST_ASKED);
        assert_eq!(link.answered(64), ["a"]);
        assert_eq!(link.answered(65), [""; 0]);
        let many = vec![String::new(); MOST_FILTERS - MOST_ASKED + 2];
        link.asks(200, &many);
        assert_eq!(link.answered(200), [""; 0], "one too many");
        link.asks(201, &many[1..]);
        assert_eq!(link.answered(201).len(), many.len() - 1);
    }
}
