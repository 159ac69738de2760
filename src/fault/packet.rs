//! Faults of single MQTT packets: which they fall on, what they do, and what several rules come to.
//!
//! ```text
//!   packet ──▶ edits (in the order of rules) ──▶ corruption ──▶ delays add ──▶ the first end: drop or cut
//!                                                                              │ none: copies
//!                                                                              ▼
//!                                                                           passed on
//! ```

use super::delay::Delay;
use super::effects::LegFate;
use super::parameters::{Close, WaysWanted};
use crate::base::span::show_fixed;
use crate::base::{Chance, Ends, Side, Span, WindowId};
use crate::mqtt::{PacketKind, QoS};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A fault of packets: while it holds, each packet that matches meets it.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketFault {
    /// Which packets.
    pub what: PacketMatch,
    /// What becomes of them.
    pub action: PacketAction,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// Which packets a fault falls on. Every condition that is given must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketMatch {
    /// Its type.
    pub packet: Option<PacketKind>,
    /// Which way it travels.
    pub direction: WaysWanted,
    /// A topic filter that its topic matches [section 4.7]; PUBLISH alone has one.
    pub topic: Option<String>,
    /// The quality of service of a PUBLISH.
    pub qos: Option<QoS>,
    /// The DUP flag of a PUBLISH.
    pub dup: Option<bool>,
    /// The RETAIN flag of a PUBLISH.
    pub retain: Option<bool>,
    /// Only the packet with this number of those that match while the rule holds, on each link and direction, from 1; `None`: each.
    pub nth: Option<u32>,
    /// How many at most in each window; `None`: as many as come.
    pub times: Option<u32>,
    /// Whether it falls on a packet that matches: drawn for each.
    pub chance: Chance,
}

impl PacketMatch {
    /// Every packet, both ways.
    pub const EVERY: PacketMatch = PacketMatch {
        packet: None,
        direction: WaysWanted::Both,
        topic: None,
        qos: None,
        dup: None,
        retain: None,
        nth: None,
        times: None,
        chance: Chance::ALWAYS,
    };
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum PacketAction {
    /// It is not passed on.
    Drop {
        /// Whether brownout acknowledges it in the place of the end that never gets it: a PUBLISH of QoS 1 with PUBACK, one
        /// of QoS 2 with PUBREC and then PUBCOMP. That is a lie, and the message is lost for good.
        acknowledge: bool,
    },
    /// It comes later, and what comes behind it waits: TCP keeps the order.
    Delay(Delay),
    /// It is passed on more than once.
    Duplicate {
        /// How many times more, at least 1.
        copies: u32,
    },
    /// Fields of it are changed; lengths are kept right.
    Edit(Edit),
    /// One byte of it is changed, so that TCP's checksum is right all the same.
    Corrupt(Corrupt),
    /// Its first bytes are passed on, and then the link ends.
    Cut(MidCut),
}

impl PacketAction {
    /// Its key in a profile.
    pub fn name(&self) -> &'static str {
        match self {
            PacketAction::Drop { .. } => "drop",
            PacketAction::Delay(_) => "delay",
            PacketAction::Duplicate { .. } => "duplicate",
            PacketAction::Edit(_) => "edit",
            PacketAction::Corrupt(_) => "corrupt",
            PacketAction::Cut(_) => "cut",
        }
    }
}

/// Fields to be changed, each in the packets that have it; a packet that has none of them passes as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// CONNECT: the keep-alive, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<u16>,
    /// CONNACK of MQTT 5: the Server Keep Alive, in seconds; added where there is none [MQTT-3.2.2-21].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_keep_alive: Option<u16>,
    /// CONNECT: Clean Session, or Clean Start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<bool>,
    /// CONNACK: Session Present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_present: Option<bool>,
    /// The return or reason code of CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT and AUTH; every code of SUBACK and
    /// UNSUBACK. Before MQTT 5 only CONNACK and SUBACK have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// The packet identifier, where there is one; not 0 [MQTT-2.2.1-3].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_id: Option<u16>,
    /// PUBLISH: DUP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dup: Option<bool>,
    /// PUBLISH: the quality of service; from 0 to more, a packet identifier is added, and from more to 0 it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<QoS>,
    /// PUBLISH: RETAIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<bool>,
}

/// Which byte of a packet is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corrupt {
    /// One of the payload: the packet stays valid. PUBLISH alone has one.
    Payload,
    /// Any one behind the fixed header: the stream can be followed on.
    Body,
    /// Any one: where it is a length, all that comes after is garbage.
    Anywhere,
}

/// A link ended amid a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MidCut {
    /// How many bytes of it are passed on before, all of them where it is shorter.
    pub after_bytes: u32,
    /// How the legs end: `Reset` or `Close`.
    pub ending: LegFate,
    /// Which of them, and what becomes of the other.
    pub close: Close,
}

impl MidCut {
    /// What becomes of each leg.
    pub fn legs(self) -> Ends<LegFate> {
        self.close.legs(self.ending)
    }
}

/// What several faults come to on one packet. `None` for a window: the plan's own `server_keepalive`, or a command to
/// brownout that is swallowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// In order; a later one goes over an earlier one.
    pub edits: Vec<(Option<WindowId>, Edit)>,
    /// One byte changed, with an even draw of [0, 1) for the place and one for the value.
    pub corruptions: Vec<(WindowId, Corrupt, [f64; 2])>,
    /// They add.
    pub delays: Vec<(WindowId, Duration)>,
    /// How many times more it is passed on; none where there is an end.
    pub copies: Vec<(WindowId, u32)>,
    /// The first one.
    pub end: Option<(Option<WindowId>, PacketEnd)>,
}

impl Verdict {
    /// Whether nothing happens to the packet.
    pub fn is_clear(&self) -> bool {
        *self == Verdict::default()
    }

    /// The window of each of its parts, in the order in which they work.
    pub fn windows(&self) -> impl Iterator<Item = Option<WindowId>> + '_ {
        let edits = self.edits.iter().map(|(window, _)| *window);
        let corruptions = self.corruptions.iter().map(|(window, ..)| Some(*window));
        let delays = self.delays.iter().map(|(window, _)| Some(*window));
        let copies = self.copies.iter().map(|(window, _)| Some(*window));
        let end = self.end.iter().map(|(window, _)| *window);
        edits.chain(corruptions).chain(delays).chain(copies).chain(end)
    }
}

/// How a packet ends in brownout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PacketEnd {
    /// It is not passed on; see [`PacketAction::Drop`].
    Drop {
        /// Whether it is acknowledged falsely.
        acknowledge: bool,
    },
    /// The link ends amid it.
    Cut(MidCut),
}

/// What was really done to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "snake_case")]
pub enum Alteration {
    /// It was not passed on.
    Dropped {
        /// Whether it was acknowledged falsely.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        acknowledged: bool,
    },
    /// It was made to wait.
    Delayed {
        /// For how long.
        by_ns: u64,
    },
    /// It was passed on more than once.
    Duplicated {
        /// How many times more.
        copies: u32,
    },
    /// Fields were changed.
    Edited {
        /// Which, to what.
        edit: Edit,
    },
    /// One byte was changed.
    Corrupted {
        /// Its place in the packet, from 0.
        offset: u32,
    },
    /// The link was ended amid it.
    CutShort {
        /// How many bytes of it were passed on.
        after_bytes: u32,
    },
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alteration::Dropped { acknowledged: false } => f.write_str("dropped"),
            Alteration::Dropped { acknowledged: true } => f.write_str("dropped, and acknowledged falsely"),
            Alteration::Delayed { by_ns } => {
                write!(f, "delayed by {}", show_fixed(Duration::from_nanos(*by_ns)))
            }
            Alteration::Duplicated { copies } => write!(f, "passed on {} times", copies.saturating_add(1)),
            Alteration::Edited { edit } => write!(f, "edited ({edit})"),
            Alteration::Corrupted { offset } => write!(f, "corrupted at byte {offset}"),
            Alteration::CutShort { after_bytes } => write!(f, "cut short after {after_bytes} bytes"),
        }
    }
}

impl fmt::Display for Edit {
    /// `keep_alive 4, session_present false`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Edit { keep_alive, server_keep_alive, clean, session_present, code, packet_id, dup, qos, retain } =
            self;
        let number = |value: &Option<u16>| value.map(|value| value.to_string());
        let truth = |value: &Option<bool>| value.map(|value| value.to_string());
        let told: Vec<String> = [
            ("keep_alive", number(keep_alive)),
            ("server_keep_alive", number(server_keep_alive)),
            ("clean", truth(clean)),
            ("session_present", truth(session_present)),
            ("code", code.map(|code| code.to_string())),
            ("packet_id", number(packet_id)),
            ("dup", truth(dup)),
            ("qos", qos.map(|qos| qos.number().to_string())),
            ("retain", truth(retain)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name} {value}")))
        .collect();
        f.write_str(&told.join(", "))
    }
}

/// One packet put into a stream, between two others.
#[derive(Clone, Debug, PartialEq)]
pub struct Inject {
    /// Who gets it.
    pub toward: Side,
    /// What.
    pub what: Injection,
}

/// A packet of brownout's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// PINGREQ.
    Pingreq,
    /// PINGRESP.
    Pingresp,
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack {
        /// Which.
        kind: PacketKind,
        /// The packet identifier.
        packet_id: u16,
    },
    /// PUBLISH.
    Publish {
        /// The topic name.
        topic: String,
        /// The payload.
        payload: Vec<u8>,
        /// The quality of service.
        qos: QoS,
        /// RETAIN.
        retain: bool,
        /// The packet identifier, where the quality of service asks for one.
        packet_id: u16,
    },
    /// These bytes, MQTT or not.
    Raw(Vec<u8>),
}

impl Injection {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Injection::Pingreq => "PINGREQ",
            Injection::Pingresp => "PINGRESP",
            Injection::Ack { kind, .. } => kind.name(),
            Injection::Publish { .. } => "PUBLISH",
            Injection::Raw(_) => "bytes",
        }
    }
}
