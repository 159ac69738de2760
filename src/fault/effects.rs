//! What the active faults add up to on one link: the state that net/ brings the link into, and keeps.
//!
//! Effects are levels, not edges: the engine says what should hold now, net/ makes it so and answers with what the
//! kernel granted. Composition, tested in engine/: gates close if any fault closes them, mutes and delays add up in
//! the order of the rules.

use super::delay::Delay;
use super::packet::PacketMatch;
use super::parameters::{ConnackCode, HandshakeFault};
use crate::base::{Chance, Direction, Ends, Rate, RuleId, RuleSet, Side, Ways, WindowId, rand};
use crate::mqtt::{KindSet, PacketKind};
use crate::tls::{Alert, Damage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The faults in force on one link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Whether the hub may not be dialled yet (a connect that is met with silence).
    pub hold_dial: bool,
    /// Directions in which nothing passes; bytes wait, none is lost.
    pub closed: Ways<bool>,
    /// Whether nothing will ever pass any more: the link is over once both ends have given it up.
    pub vanished: bool,
    /// Legs whose ingress the kernel is to drop.
    pub mute: Ends<bool>,
    /// Delays, in the order of their rules; they add.
    pub delays: Ways<Vec<RuleDelay>>,
    /// What the TLS handshake with the device meets, if it is under way.
    pub handshake: Option<HandshakeFault>,
    /// Rates and pieces, in the order of their rules: the tightest wins.
    pub shapes: Ways<Vec<Shape>>,
    /// How likely the kernel is to drop each segment of this leg's peer.
    pub loss: Ends<Option<Chance>>,
    /// How many bytes may still pass before the link ends: the first rule's.
    pub budgets: Ways<Option<Budget>>,
    /// For how long nothing has to pass, either way, before the engine is told [`Input::Idle`](crate) of it.
    pub idle: Option<Duration>,
    /// The middlebox that has forgotten this link answers the next bytes, from whichever end, with RST to that end alone:
    /// a cut of this window with `Reset` on the sender's leg and [`LegFate::ResetWhenSends`] on the other.
    pub reset_senders: Option<WindowId>,
    /// Packets that the engine is to be told of, and asked about, on this link.
    pub asks: Ways<Asks>,
}

/// Packets that the engine is to be told of, and asked about, in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// All of these kinds.
    pub kinds: KindSet,
    /// Of PUBLISH at least those whose topic name the filter of one of these rules matches.
    pub by_topic: RuleSet,
}

impl Asks {
    /// Asks for what may fit a rule. Only a PUBLISH has a topic.
    pub fn add(&mut self, rule: RuleId, what: &PacketMatch) {
        match what.packet {
            None | Some(PacketKind::Publish) if what.topic.is_some() => self.by_topic.insert(rule),
            kind => self.kinds.extend(kind.map_or(KindSet::ALL, KindSet::from)),
        }
    }
}

/// How bytes are let through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// At this rate.
    Rate(Rate),
    /// In pieces.
    Slice {
        /// Bytes at most.
        size: u32,
        /// From one to the next.
        gap: Duration,
    },
}

/// The bytes that may pass before a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The window it belongs to.
    pub window: WindowId,
    /// How many, counted from when it came into force.
    pub bytes: u64,
    /// What then becomes of each leg.
    pub legs: Ends<LegFate>,
}

impl Effects {
    /// Whether nothing is in force.
    pub fn is_clear(&self) -> bool {
        *self == Effects::default()
    }
}

/// One rule's delay in one direction, with the key of its draws.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleDelay {
    /// The rule.
    pub rule: RuleId,
    /// How late.
    pub delay: Delay,
    /// The seed of the run.
    pub seed: u64,
    /// The hash of the device's name.
    pub subject: u64,
    /// The number of this link among the device's: frames of a later link draw anew.
    pub link_nth: u32,
}

impl RuleDelay {
    /// The delay of the `frame`th frame of this link in this direction.
    pub fn of(&self, direction: Direction, frame: u64) -> Duration {
        let side = match direction {
            Direction::Up => 0,
            Direction::Down => 1,
        };
        let key = |draw: u64| rand::Key {
            seed: self.seed,
            purpose: (u64::from(self.rule.0) << 8) | (side << 4) | draw,
            subject: self.subject,
            nth: (u64::from(self.link_nth) << 40) ^ frame,
        };
        self.delay.sample([0, 1, 2].map(|draw| rand::unit(key(draw))))
    }
}

/// How a leg is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// FIN: the stream ends in order; with TLS, after close_notify.
    Fin,
    /// FIN without close_notify, where there is TLS: what came may not be all (RFC 8446 section 6.1).
    Unnotified,
    /// A fatal TLS alert.
    Alert,
    /// RST: the connection is gone at once.
    Reset,
    /// A close frame of WebSocket: its FIN comes behind the other's answer, or after seconds without one (RFC 6455 section 7.1). A
    /// sign, and no way to end a connection.
    WsClose,
}

impl Ending {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Ending::Fin => "FIN",
            Ending::Unnotified => "FIN without close_notify",
            Ending::Alert => "TLS alert",
            Ending::Reset => "RST",
            Ending::WsClose => "WebSocket close",
        }
    }
}

/// What becomes of a leg when a fault ends its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegFate {
    /// RST.
    Reset,
    /// FIN; where the leg has TLS, after close_notify.
    Close,
    /// FIN without close_notify, where the leg has TLS.
    Unnotified,
    /// This TLS alert, then FIN.
    Alert(Alert),
    /// Part of a TLS record, then FIN.
    Truncated,
    /// This CONNACK, then FIN.
    Rejected(ConnackCode),
    /// DISCONNECT with this reason code, then FIN; to a device before MQTT 5, FIN alone.
    Disconnected(u8),
    /// Nothing: it stays up with nobody behind it, until its end gives up.
    HalfOpen,
    /// As `HalfOpen`, and RST once its end sends something.
    ResetWhenSends,
}

impl LegFate {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            LegFate::Reset => "RST",
            LegFate::Close => "FIN",
            LegFate::Unnotified => "FIN without close_notify",
            LegFate::Alert(_) => "TLS alert, then FIN",
            LegFate::Truncated => "part of a TLS record, then FIN",
            LegFate::Rejected(_) => "CONNACK that refuses, then FIN",
            LegFate::Disconnected(_) => "DISCONNECT, then FIN",
            LegFate::HalfOpen => "left half-open",
            LegFate::ResetWhenSends => "left half-open, RST when it sends",
        }
    }
}

/// A one-shot: end the legs of a link, each as said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The window it belongs to; `None` for a link whose device is not known.
    pub window: Option<WindowId>,
    /// What to do to each leg.
    pub legs: Ends<LegFate>,
}

impl Cut {
    /// What to do to this leg.
    pub fn on(&self, side: Side) -> LegFate {
        *self.legs.get(side)
    }
}

/// A one-shot: damage the next record of application data that goes to one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Harm {
    /// The window it belongs to; `None` for a link whose device is not known.
    pub window: Option<WindowId>,
    /// Who gets the record.
    pub toward: Side,
    /// What happens to it.
    pub damage: Damage,
}

/// How a fault was really made, in the sense of what the peer's TCP sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Packets vanish in the kernel; nothing is acknowledged.
    Packet,
    /// Bytes are held; TCP acknowledges until its windows are full.
    Stall,
    /// Bytes that came are worked on; TCP itself is sound.
    Stream,
}

impl Fidelity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Fidelity::Packet => "packet",
            Fidelity::Stall => "stall",
            Fidelity::Stream => "stream",
        }
    }
}

/// The means by which a fault was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// Classic BPF `ret 0` on the socket (SO_ATTACH_FILTER).
    Filter,
    /// IP_MINTTL or IPV6_MINHOPCOUNT 255 on the socket.
    MinTtl,
    /// Bytes held in brownout.
    Gate,
    /// Bytes delayed in brownout.
    Lane,
    /// SO_LINGER zero and close: RST.
    Linger,
    /// Shutdown of the sending half: FIN.
    Shutdown,
    /// The leg left as it is with nothing behind it.
    Parked,
    /// Shutdown of the sending half without close_notify, on a leg with TLS.
    Unnotified,
    /// A TLS alert, then FIN.
    Alert,
    /// Part of a TLS record, then FIN.
    Truncated,
    /// A TLS record that was changed on its way.
    Record,
    /// What brownout did as the device's TLS server.
    Handshake,
    /// Classic BPF with a random drop on the socket (SO_ATTACH_FILTER).
    RandomFilter,
    /// Bytes let through at a rate, or in pieces.
    Shaper,
    /// Packets dropped, changed, delayed or doubled in brownout.
    Packets,
    /// A packet of brownout's own.
    Injected,
    /// Shutdown of the sending half, while the other direction goes on.
    HalfShut,
    /// The listening socket closed: SYNs are answered with RST.
    Closed,
    /// A CONNACK that refuses, then FIN.
    Rejected,
    /// DISCONNECT, then FIN.
    Disconnected,
    /// A connection of brownout's own to the hub, with the device's CONNECT.
    Rival,
}

impl Mechanism {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Mechanism::Filter => "socket filter",
            Mechanism::MinTtl => "minimum TTL",
            Mechanism::Gate => "bytes held",
            Mechanism::Lane => "delay lane",
            Mechanism::Linger => "RST",
            Mechanism::Shutdown => "FIN",
            Mechanism::Parked => "left half-open",
            Mechanism::Unnotified => "FIN without close_notify",
            Mechanism::Alert => "TLS alert, then FIN",
            Mechanism::Truncated => "part of a TLS record, then FIN",
            Mechanism::Record => "TLS record damaged",
            Mechanism::Handshake => "TLS handshake",
            Mechanism::RandomFilter => "random socket filter",
            Mechanism::Shaper => "bytes let through slowly",
            Mechanism::Packets => "packets worked on",
            Mechanism::Injected => "packet injected",
            Mechanism::HalfShut => "FIN, the other direction goes on",
            Mechanism::Closed => "listener closed",
            Mechanism::Rejected => "CONNACK that refuses, then FIN",
            Mechanism::Disconnected => "DISCONNECT, then FIN",
            Mechanism::Rival => "another client with the device's name",
        }
    }
}
