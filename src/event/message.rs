//! What is told of messages: their counts, and what is remarkable of one.

use super::bounded;
use crate::base::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Messages in one direction of a device, by quality of service (0, 1, 2), since the last such count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Seen from their sender for the first time.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub sent: [u64; 3],
    /// Passed on to their receiver whole, for the first time. Once it has given its link up, that takes that its system has
    /// acknowledged them.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub received: [u64; 3],
    /// Whose sender was told what became of them: PUBACK or PUBCOMP passed on, or a PUBREC that refuses. Nothing at QoS 0.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub completed: [u64; 3],
    /// Sent again by their sender: each time.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub retransmitted: [u64; 3],
    /// Passed on to their receiver again: each time. At QoS 2, only where the receiver may take it for a new one.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub duplicated: [u64; 3],
    /// That their receiver never got; see [`Loss`] for how that is known. At QoS 0, also those that the numbers in the
    /// payloads leave out ([`Delivery::missing`]).
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub lost: [u64; 3],
    /// Neither completed nor known to be lost when the run ended; told with its end, or when their sender gave them up, which had
    /// never learned that their receiver has them. At QoS 0, those that still waited in brownout.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub in_flight: [u64; 3],
    /// Left behind in flight by links that ended, beyond what is followed, or by a device that an observer has forgotten, or
    /// passed on, not acknowledged, and given up by their sender, or come late on a link that the device had left, or of QoS 0
    /// and under way to an end that had given its link up when that was closed: what became of them is not known. Each may be
    /// one more that is lost.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub unfollowed: [u64; 3],
    /// Told as received before, and perhaps not: their receiver's system had not acknowledged them when its leg went, or no CONNACK
    /// accepted the device on their link. At QoS 1 and 2, of those that were not sent again since.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub doubted: [u64; 3],
    /// Told as duplicated, before or now, and perhaps not: one of both times is as doubtful.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub doubted_again: [u64; 3],
    /// Told as completed before, and perhaps not: their sender's system had not acknowledged what told it so when its leg went, or a
    /// reset came so soon that its program may not have read it. Of those that were not sent again since.
    #[serde(default, skip_serializing_if = "is_none_at_all", deserialize_with = "bounded::counts")]
    pub doubted_completed: [u64; 3],
    /// In a sum: what was doubted so of those received, at QoS 1 and 2; never in an event.
    #[serde(skip)]
    pub perhaps_received: [u64; 3],
    /// The same of those duplicated.
    #[serde(skip)]
    pub perhaps_duplicated: [u64; 3],
    /// The same of those completed.
    #[serde(skip)]
    pub perhaps_completed: [u64; 3],
    /// Whose payload had a number, as the profile's `sequence` reads it.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub numbered: u64,
    /// Numbers that the payloads leave out, but for those in `dropped`.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub missing: u64,
    /// Numbers that came before, in messages that were not known to be sent again.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub repeated: u64,
    /// Reconnects of which it could be told whether the device sent what it had kept: its usual pace was known.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub catch_ups: u64,
    /// Messages that the device had kept while it was away, and sent when it was back.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub queued: u64,
    /// Those of `catch_ups` whose messages had numbers.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub numbered_catch_ups: u64,
    /// Numbers that what it had kept leaves out: messages that it dropped, or that went astray as it lost its link.
    #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
    pub dropped: u64,
}

fn is_none_at_all(counts: &[u64; 3]) -> bool {
    *counts == [0; 3]
}

impl Delivery {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Delivery::default()
    }

    /// Adds the counts of another, later one. What that doubts is of those that were received no more, and not known.
    pub fn add(&mut self, more: &Delivery) {
        let pairs = [
            (&mut self.sent, more.sent),
            (&mut self.received, more.received),
            (&mut self.completed, more.completed),
            (&mut self.retransmitted, more.retransmitted),
            (&mut self.duplicated, more.duplicated),
            (&mut self.lost, more.lost),
            (&mut self.in_flight, more.in_flight),
            (&mut self.unfollowed, more.unfollowed),
            (&mut self.perhaps_received, more.perhaps_received),
            (&mut self.perhaps_duplicated, more.perhaps_duplicated),
            (&mut self.perhaps_completed, more.perhaps_completed),
        ];
        for (sum, more) in pairs {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        // What became of one at QoS 0 is not known; others have counts of their own for what became of them.
        let [_, one, two] = &mut self.perhaps_received;
        doubt(&mut self.received, [&mut self.unfollowed[0], one, two], more.doubted);
        doubt(&mut self.duplicated, self.perhaps_duplicated.each_mut(), more.doubted_again);
        doubt(&mut self.completed, self.perhaps_completed.each_mut(), more.doubted_completed);
        let pairs = [
            (&mut self.numbered, more.numbered),
            (&mut self.missing, more.missing),
            (&mut self.repeated, more.repeated),
            (&mut self.catch_ups, more.catch_ups),
            (&mut self.queued, more.queued),
            (&mut self.numbered_catch_ups, more.numbered_catch_ups),
            (&mut self.dropped, more.dropped),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
    }
}

/// Of what was counted, so many are only perhaps.
fn doubt(counted: &mut [u64; 3], perhaps: [&mut u64; 3], doubted: [u64; 3]) {
    for ((counted, perhaps), doubted) in counted.iter_mut().zip(perhaps).zip(doubted) {
        let doubted = doubted.min(*counted);
        *counted -= doubted;
        *perhaps += doubted;
    }
}

/// What is remarkable of one message. Counts are exact; of each kind, only the first five of each second of a device are
/// told one by one, and then those that are alike in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum MessageNews {
    /// Its sender sent it again.
    Retransmitted {
        /// When it was first seen.
        first: Time,
        /// Whether DUP was set.
        dup: bool,
        /// Whether it has another packet identifier now.
        renumbered: bool,
    },
    /// Its receiver was passed it again.
    Duplicated {
        /// When it was first passed on.
        first: Time,
        /// Of QoS 2: its sender had released it (PUBREL) in the same session, and may not send it again. In another session
        /// it is a new message, for all that the standard says.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        released: bool,
    },
    /// It is lost.
    Lost {
        /// When it was first seen.
        first: Time,
        /// How that is known.
        why: Loss,
    },
    /// It was passed on, its sender never had the last acknowledgement, and did not send it again in a session that goes on;
    /// that is known as with [`Loss::NeverSentAgain`]. Its receiver may have it.
    GivenUp {
        /// When it was first seen.
        first: Time,
    },
    /// The run ended, and it is neither completed nor known to be lost.
    InFlight {
        /// When it was first seen.
        first: Time,
    },
    /// DUP is 1 on a message that was not sent before, or 0 on one that was [MQTT-3.3.1-1, MQTT-3.3.1-2].
    DupWrong {
        /// What it is.
        dup: bool,
    },
    /// A new message has the packet identifier of one that is still in flight [MQTT-2.3.1-2 in 3.1.1, MQTT-2.2.1-3 in 5].
    IdInUse {
        /// When the other one was first seen.
        first: Time,
    },
    /// An acknowledgement of a message that is not in flight. The direction is that of the message that it would be of.
    UnknownAck {
        /// `puback`, `pubrec`, `pubrel`, `pubcomp`.
        packet: String,
    },
    /// More messages are in flight than the receiver said it takes [MQTT-3.3.4-7, MQTT-3.3.4-9].
    ReceiveMaximum {
        /// How many are.
        in_flight: u32,
        /// How many may be.
        allowed: u16,
    },
    /// The numbers in the payload leave some out.
    Gap {
        /// The first number that is missing.
        from: u64,
        /// The last.
        to: u64,
        /// Why nobody may have had to send them; `None` where nothing says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        excuse: Option<Excuse>,
    },
    /// The number in the payload is one that came before.
    Repeated {
        /// Which.
        number: u64,
    },
    /// After it had come back, a device sent what it had kept in the meantime.
    CaughtUp {
        /// How many messages.
        queued: u64,
        /// How many it had dropped, by the numbers in the payloads; `None` where there are none.
        dropped: Option<u64>,
    },
}

/// Why nobody may have had to send what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excuse {
    /// Toward a device, and its session was over in between: what was published then the hub did not owe it.
    SessionOver,
    /// Messages of that topic expire, and nothing came of it for longer than that (MQTT 5).
    PerhapsExpired,
}

/// How it is known that a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// QoS 0, and it was not passed on: a fault dropped it, its link ended first, or its receiver had ended the link and
    /// refused it.
    NotPassedOn,
    /// Its sender was told that it had arrived, and it had not: a false acknowledgement.
    FalselyAcknowledged,
    /// It was in flight, and had not been passed on, when its link ended; on a later link that was accepted its
    /// sender sent new messages, or lived on for seconds, and did not send it again; and that link is over too, or the
    /// run is.
    NeverSentAgain,
    /// The same, but its session was over: a clean start, or no session present. Nobody had to send it again.
    SessionOver,
    /// The same, and its expiry interval was over by then (MQTT 5): nobody had to send it again.
    Expired,
    /// The numbers in the payloads leave it out.
    Missing,
}

impl MessageNews {
    /// Of how many messages it is.
    pub fn messages(&self) -> u64 {
        match self {
            MessageNews::Gap { from, to, .. } => {
                to.saturating_sub(*from).saturating_add(1).min(bounded::MOST)
            }
            MessageNews::Retransmitted { .. }
            | MessageNews::Duplicated { .. }
            | MessageNews::Lost { .. }
            | MessageNews::GivenUp { .. }
            | MessageNews::InFlight { .. }
            | MessageNews::DupWrong { .. }
            | MessageNews::IdInUse { .. }
            | MessageNews::UnknownAck { .. }
            | MessageNews::ReceiveMaximum { .. }
            | MessageNews::Repeated { .. }
            | MessageNews::CaughtUp { .. } => 1,
        }
    }
}

impl fmt::Display for MessageNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageNews::Retransmitted { first, dup, renumbered } => {
                let dup = if *dup { "" } else { " without DUP" };
                let renumbered = if *renumbered { ", under another identifier" } else { "" };
                write!(f, "sent again{dup}{renumbered} (first at {first})")
            }
            MessageNews::Duplicated { first, released } => {
                let released = if *released { ", after PUBREL" } else { "" };
                write!(f, "passed on again{released} (first at {first})")
            }
            MessageNews::Lost { first, why } => write!(f, "lost: {} (first seen at {first})", why.words()),
            MessageNews::GivenUp { first } => {
                write!(
                    f,
                    "not completed, and never sent again; its receiver may have it (first seen at {first})"
                )
            }
            MessageNews::InFlight { first } => write!(f, "still in flight (first seen at {first})"),
            MessageNews::DupWrong { dup } => write!(f, "DUP is {}, wrongly", u8::from(*dup)),
            MessageNews::IdInUse { first } => {
                write!(f, "its identifier is that of a message in flight (first seen at {first})")
            }
            MessageNews::UnknownAck { packet } => {
                write!(f, "{} of a message that is not in flight", packet.to_uppercase())
            }
            MessageNews::ReceiveMaximum { in_flight, allowed } => {
                write!(f, "{in_flight} in flight, and the receiver takes {allowed}")
            }
            MessageNews::Gap { from, to, excuse } => {
                let excuse = excuse.map(Excuse::words).unwrap_or_default();
                write!(f, "numbers {from} to {to} are missing{excuse}")
            }
            MessageNews::Repeated { number } => write!(f, "number {number} came before"),
            MessageNews::CaughtUp { queued, dropped: None } => write!(f, "sent {queued} that it had kept"),
            MessageNews::CaughtUp { queued, dropped: Some(dropped) } => {
                write!(f, "sent {queued} that it had kept; it had dropped {dropped}")
            }
        }
    }
}

impl Excuse {
    fn words(self) -> &'static str {
        match self {
            Excuse::SessionOver => "; the session was over before",
            Excuse::PerhapsExpired => "; they may have expired",
        }
    }
}

impl Loss {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Loss::NotPassedOn => "not passed on",
            Loss::FalselyAcknowledged => "acknowledged, and not passed on",
            Loss::NeverSentAgain => "not completed, and never sent again",
            Loss::SessionOver => "not completed, not sent again, and its session was over",
            Loss::Expired => "not completed, not sent again, and expired by then",
            Loss::Missing => "left out by the numbers in the payloads",
        }
    }
}
