//! What a live run has shown so far of its device: how it connected, where in its ping cycle the outage fell, and whether
//! there is anything left to wait for.

use crate::base::{Direction, LinkId, Side, Time};
use crate::event::{Event, Packet, What, WireNews};
use crate::fault::Fidelity;
use crate::mqtt::Version;
use crate::mqtt::packet::reason;
use std::time::Duration;

/// The fold. It follows the first link that is accepted, and the outage that falls on that device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// The first CONNECT, as the device sent it.
    pub connect: Option<Connect>,
    /// The first CONNACK that accepted it.
    pub accepted: Option<Time>,
    /// The link that has it.
    link: Option<LinkId>,
    /// Its last packet from the device.
    last_up: Option<Time>,
    /// When an end left it.
    ended: Option<Time>,
    /// PINGREQs on it.
    pub pings: u32,
    /// From its last packet before to the first of them.
    pub lull: Option<Duration>,
    /// The outage, as it fell on that link.
    pub struck: Option<Struck>,
    /// Why it was not made there.
    pub refused: Option<String>,
    /// When the path was restored.
    pub restored: Option<Time>,
    /// A PINGREQ on the same link after that.
    asked: bool,
    /// Its PINGRESP: both ends kept the link.
    pub kept: Option<Time>,
    /// When the device was accepted on another link after the outage began; the latest that stands.
    pub back: Option<Time>,
    /// That link.
    back_on: Option<LinkId>,
    /// The latest link that an end has left.
    left: Option<LinkId>,
    /// Links that were opened.
    pub links: u32,
    /// When the hub ended the link that is followed, as far as that was seen when it happened.
    pub hub_left: Option<Time>,
    /// What the hub did to a device that it had accepted once, and that no outage makes it do: the first of it.
    pub amiss: Option<String>,
}

/// What a device asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The version that it speaks.
    pub version: Version,
    /// Its client identifier; empty where the hub is to give one.
    pub client_id: String,
    /// Its keep-alive, in seconds.
    pub keep_alive: u16,
}

/// An outage that fell on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck {
    /// When.
    pub at: Time,
    /// How it was made.
    pub fidelity: Fidelity,
    /// The link's last packet from the device before, of those that are told one by one (all but PUBLISH and its like).
    pub last_up: Option<Time>,
}

impl Struck {
    /// How far the device was in its silence.
    pub fn silent(&self) -> Option<Duration> {
        self.last_up.map(|last| self.at.since(last))
    }
}

impl Trail {
    /// Takes in an event.
    pub fn push(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::LinkOpened { .. } => self.links = self.links.saturating_add(1),
            What::Packet { link, direction, packet, dropped: false, .. } => {
                self.packet(at, *link, *direction, packet);
            }
            What::FaultApplied { link, fidelity, .. } if self.is_of(*link) && self.struck.is_none() => {
                self.struck = Some(Struck { at, fidelity: *fidelity, last_up: self.last_up });
            }
            What::FaultRefused { link, error, .. } if self.is_of(*link) => {
                self.refused = Some(error.clone());
            }
            What::HubUnreachable { error, .. } => {
                self.is_amiss(|| format!("the hub could not be reached meanwhile ({error})"));
            }
            What::Wire { news: WireNews::Ended { link, side: Side::Hub, seen, .. } } => {
                self.hub_ended(*seen, *link);
            }
            What::LegEnded { link, side, .. } => {
                if *side == Side::Hub {
                    self.hub_ended(at, *link);
                }
                self.left = Some(*link);
                if self.is_of(*link) {
                    self.ended.get_or_insert(at);
                }
                self.ended(*link);
            }
            What::WindowClosed { .. } if self.struck.is_some() && self.restored.is_none() => {
                self.restored = Some(at);
            }
            _ => {}
        }
    }

    fn packet(&mut self, at: Time, link: LinkId, direction: Direction, packet: &Packet) {
        match packet {
            Packet::Connect { version, client_id, keep_alive, .. } if self.connect.is_none() => {
                let client_id = client_id.clone();
                self.connect = Some(Connect { version: *version, client_id, keep_alive: *keep_alive });
                (self.link, self.last_up) = (Some(link), Some(at));
            }
            Packet::Connack { code, .. } if *code == reason::SUCCESS => self.connack(at, link),
            Packet::Connack { code, .. } if is_of_the_hubs_state(*code) => {
                self.is_amiss(|| format!("the hub refused a CONNECT of the device (code {code})"));
            }
            Packet::Disconnect { reason } if direction == Direction::Down && is_of_its_own(*reason) => {
                self.is_amiss(|| format!("the hub ended a link with DISCONNECT ({})", named(*reason)));
            }
            _ if !self.is_of(link) => {}
            packet => self.other(at, direction, packet),
        }
    }

    fn connack(&mut self, at: Time, link: LinkId) {
        if self.accepted.is_none() {
            // What became of links before is no matter.
            if !self.is_of(link) {
                (self.hub_left, self.ended) = (None, None);
            }
            (self.accepted, self.link) = (Some(at), Some(link));
        } else if self.struck.is_some() && !self.is_of(link) && self.left != Some(link) {
            (self.back, self.back_on) = (Some(at), Some(link));
        }
    }

    /// Before the device was accepted, nothing of an outage can be spoiled.
    fn is_amiss(&mut self, what: impl FnOnce() -> String) {
        if self.accepted.is_some() {
            self.amiss.get_or_insert_with(what);
        }
    }

    fn hub_ended(&mut self, at: Time, link: LinkId) {
        if self.is_of(link) {
            self.hub_left.get_or_insert(at);
        }
    }

    /// A link that was given up as soon as it was accepted is not where a device is back.
    fn ended(&mut self, link: LinkId) {
        if self.back_on == Some(link) {
            (self.back, self.back_on) = (None, None);
        }
    }

    /// A packet of the link that is followed.
    fn other(&mut self, at: Time, direction: Direction, packet: &Packet) {
        if matches!(packet, Packet::Pingreq) {
            self.lull = self.lull.or(self.silence(at));
        }
        if direction == Direction::Up {
            self.last_up = Some(at);
        }
        let is_restored = self.restored.is_some();
        match packet {
            Packet::Pingreq => {
                self.pings = self.pings.saturating_add(1);
                self.asked |= is_restored;
            }
            Packet::Pingresp if self.asked => {
                self.kept.get_or_insert(at);
            }
            _ => {}
        }
    }

    fn is_of(&self, link: LinkId) -> bool {
        self.link == Some(link)
    }

    /// From the last packet of the accepted device to `now`, or to the end of its link.
    pub fn silence(&self, now: Time) -> Option<Duration> {
        let last = self.accepted.max(self.last_up).filter(|_| self.accepted.is_some())?;
        let until = self.ended.map_or(now, |ended| ended.min(now));
        (until >= last).then(|| until.since(last))
    }

    /// Whether the device that was accepted has left, or was left.
    pub fn is_left(&self) -> bool {
        self.accepted.is_some() && self.ended.is_some()
    }

    /// When all was seen: the link is known to live on after the outage, or the device is back on another.
    pub fn seen_all(&self) -> Option<Time> {
        let restored = self.restored?;
        self.kept.or(self.back).map(|at| at.max(restored))
    }
}

/// Whether a hub that ends a link for this reason (MQTT 5) does so neither for silence nor for a newer link. An unspecified error may
/// be either.
fn is_of_its_own(code: u8) -> bool {
    code > reason::UNSPECIFIED_ERROR
        && ![reason::KEEP_ALIVE_TIMEOUT, reason::SESSION_TAKEN_OVER].contains(&code)
}

/// Whether a hub refuses a CONNECT for how it is itself. A version, a name or a token that it does not take are the device's.
fn is_of_the_hubs_state(code: u8) -> bool {
    [
        reason::v3::SERVER_UNAVAILABLE,
        reason::SERVER_UNAVAILABLE,
        reason::SERVER_BUSY,
        reason::USE_ANOTHER_SERVER,
        reason::SERVER_MOVED,
        reason::CONNECTION_RATE_EXCEEDED,
    ]
    .contains(&code)
}

fn named(code: u8) -> String {
    reason::name(code).map_or_else(|| format!("{code:#04x}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ends, ListenerId, WindowId};
    use crate::event::LastPackets;
    use crate::fault::{Ending, Mechanism};

    /// Events at these milliseconds.
    fn told(events: &[(u64, What)]) -> Trail {
        let mut trail = Trail::default();
        for (seq, (millis, what)) in (0..).zip(events) {
            trail.push(&Event { seq, at: Time::from_millis(*millis), what: what.clone() });
        }
        trail
    }

    fn packet(link: u64, direction: Direction, packet: Packet) -> What {
        What::Packet { link: LinkId(link), direction, held: false, dropped: false, passed: None, packet }
    }

    fn opened(link: u64) -> What {
        let (link, listener, peer) = (LinkId(link), ListenerId(0), "10.0.0.1:40000".to_owned());
        What::LinkOpened { link, listener, peer, to: None }
    }

    fn connect(link: u64, keep_alive: u16) -> What {
        let connect = Packet::Connect {
            version: Version::V311,
            client_id: "d".into(),
            keep_alive,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: crate::event::SessionTerms::default(),
        };
        packet(link, Direction::Up, connect)
    }

    fn connack(link: u64) -> What {
        let connack = Packet::Connack {
            session_present: false,
            code: 0,
            server_keep_alive: None,
            assigned_client_id: None,
            terms: crate::event::SessionTerms::default(),
        };
        packet(link, Direction::Down, connack)
    }

    fn applied(link: u64) -> What {
        let means = Ends { device: Some(Mechanism::Gate), hub: Some(Mechanism::Gate) };
        What::FaultApplied { window: WindowId(0), link: LinkId(link), fidelity: Fidelity::Stall, means }
    }

    fn left(link: u64) -> What {
        left_by(link, Side::Device)
    }

    fn left_by(link: u64, side: Side) -> What {
        What::LegEnded {
            link: LinkId(link),
            side,
            how: Ending::Fin,
            error: None,
            last: LastPackets::default(),
        }
    }

    fn begun() -> Vec<(u64, What)> {
        vec![
            (10, opened(1)),
            (20, connect(1, 4)),
            (30, connack(1)),
            (4_020, packet(1, Direction::Up, Packet::Pingreq)),
            (4_030, packet(1, Direction::Down, Packet::Pingresp)),
            (5_000, applied(1)),
        ]
    }

    #[test]
    fn an_outage_is_placed_in_the_silence_of_its_device() {
        let trail = told(&begun());
        assert_eq!(trail.connect.as_ref().map(|connect| connect.keep_alive), Some(4));
        assert_eq!(trail.accepted, Some(Time::from_millis(30)));
        assert_eq!(trail.struck.and_then(|struck| struck.silent()), Some(Duration::from_millis(980)));
        assert_eq!((trail.pings, trail.seen_all()), (1, None));
    }

    #[test]
    fn silence_is_of_an_accepted_device_and_ends_with_its_link() {
        let at = Time::from_millis;
        assert_eq!(told(&begun()[..2]).silence(at(900)), None);
        let trail = told(&begun()[..3]);
        assert_eq!((trail.silence(at(1_030)), trail.lull), (Some(Duration::from_secs(1)), None));
        assert_eq!(told(&begun()).lull, Some(Duration::from_millis(3_990)));
        let mut events = begun()[..3].to_vec();
        events.push((2_030, left(1)));
        let trail = told(&events);
        assert_eq!((trail.silence(at(9_000)), trail.is_left()), (Some(Duration::from_secs(2)), true));
    }

    #[test]
    fn a_link_that_pings_after_the_outage_was_kept() {
        let mut events = begun();
        events.push((8_020, packet(1, Direction::Up, Packet::Pingreq)));
        events.push((9_000, What::WindowClosed { window: WindowId(0) }));
        // The answer to what was sent in the dark says nothing yet.
        events.push((9_100, packet(1, Direction::Down, Packet::Pingresp)));
        assert_eq!(told(&events).seen_all(), None);
        events.push((13_100, packet(1, Direction::Up, Packet::Pingreq)));
        events.push((13_110, packet(1, Direction::Down, Packet::Pingresp)));
        assert_eq!(told(&events).seen_all(), Some(Time::from_millis(13_110)));
    }

    #[test]
    fn a_device_that_is_back_is_on_another_link() {
        let mut events = begun();
        events.extend([
            (9_000, opened(2)),
            (9_001, connect(2, 7)),
            (9_500, What::WindowClosed { window: WindowId(0) }),
        ]);
        assert_eq!(told(&events).seen_all(), None);
        events.push((9_600, connack(2)));
        let trail = told(&events);
        assert_eq!(
            (trail.back, trail.seen_all()),
            (Some(Time::from_millis(9_600)), Some(Time::from_millis(9_600)))
        );
        assert_eq!((trail.links, trail.connect.map(|connect| connect.keep_alive)), (2, Some(4)));
    }

    #[test]
    fn a_link_that_is_left_at_once_is_not_where_a_device_is_back() {
        let mut events = begun();
        events.push((9_500, What::WindowClosed { window: WindowId(0) }));
        // Given up before its CONNACK, and after it.
        events.extend([(9_600, opened(2)), (9_601, connect(2, 4)), (9_601, left(2)), (9_602, connack(2))]);
        assert_eq!(told(&events).seen_all(), None);
        events.extend([(9_700, opened(3)), (9_701, connect(3, 4)), (9_702, connack(3)), (9_800, left(3))]);
        assert_eq!(told(&events).seen_all(), None);
        events.extend([(10_700, opened(4)), (10_701, connect(4, 4)), (10_702, connack(4))]);
        assert_eq!(told(&events).seen_all(), Some(Time::from_millis(10_702)));
    }

    #[test]
    fn what_a_hub_does_for_reasons_of_its_own_is_told() {
        let then = |what: What| {
            let mut events = begun();
            events.extend([(5_500, opened(2)), (6_000, what)]);
            told(&events).amiss
        };
        let unreachable = || What::HubUnreachable { link: LinkId(2), error: "hub: refused".into() };
        let disconnect = |direction, reason| packet(1, direction, Packet::Disconnect { reason });
        assert_eq!(
            then(unreachable()).as_deref(),
            Some("the hub could not be reached meanwhile (hub: refused)")
        );
        let shutting_down = then(disconnect(Direction::Down, reason::SERVER_SHUTTING_DOWN));
        assert_eq!(
            shutting_down.as_deref(),
            Some("the hub ended a link with DISCONNECT (Server shutting down)")
        );
        for (direction, reason) in [
            (Direction::Down, reason::KEEP_ALIVE_TIMEOUT),
            (Direction::Down, reason::SESSION_TAKEN_OVER),
            (Direction::Up, reason::SERVER_SHUTTING_DOWN),
        ] {
            assert_eq!(then(disconnect(direction, reason)), None);
        }
        let mut refused = connack(2);
        let mut refused_with = |because| {
            if let What::Packet { packet: Packet::Connack { code, .. }, .. } = &mut refused {
                *code = because;
            }
            then(refused.clone())
        };
        assert!(refused_with(reason::SERVER_UNAVAILABLE).unwrap().contains("code 136"));
        assert!(refused_with(reason::v3::SERVER_UNAVAILABLE).unwrap().contains("code 3"));
        for of_the_device in
            [reason::v3::NOT_AUTHORIZED, reason::v3::UNACCEPTABLE_PROTOCOL, reason::NOT_AUTHORIZED]
        {
            assert_eq!(refused_with(of_the_device), None);
        }
        // Nobody was there yet.
        assert_eq!(told(&[(10, opened(1)), (20, unreachable())]).amiss, None);
    }

    #[test]
    fn a_hub_has_left_when_the_wire_or_the_socket_shows_it_first() {
        let of = |more: &[(u64, What)]| told(&[&begun()[..], more].concat()).hub_left;
        let seen = Time::from_millis(8_990);
        let (link, side, how) = (LinkId(1), Side::Hub, Ending::Fin);
        let wire = What::Wire { news: WireNews::Ended { link, side, how, seen } };
        assert_eq!(of(&[(9_000, wire), (9_500, left_by(1, Side::Hub))]), Some(seen));
        assert_eq!(of(&[(9_500, left_by(1, Side::Hub))]), Some(Time::from_millis(9_500)));
        assert_eq!(of(&[(9_400, opened(2)), (9_500, left_by(2, Side::Hub)), (9_600, left(1))]), None);
    }
}
