//! What a ledger is told.

use crate::base::{Direction, Time};
use crate::mqtt::{QoS, Version};

/// Something seen on a link of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its CONNECT arrived.
    Connect {
        /// Clean Session, or Clean Start.
        clean: bool,
        /// Its version.
        version: Version,
        /// How many messages of QoS 1 and 2 the device takes at once; MQTT 5 only.
        receive_maximum: Option<u16>,
    },
    /// A CONNACK that accepts was passed on to the device; this is what it says there.
    Accepted {
        /// Session Present.
        session_present: bool,
        /// How many messages of QoS 1 and 2 the hub takes at once; MQTT 5 only.
        receive_maximum: Option<u16>,
    },
    /// The device asks for a shared subscription: what the hub sends it then may go to another of the group instead.
    Shares,
    /// The device asks for RETAIN as it was published: what the hub sends it with RETAIN then need not be what it had retained.
    AsPublished,
    /// The device is a bridge to another hub: with each connect, each of the two is handed on what the other had retained.
    Bridges,
    /// A PUBLISH arrived whole.
    Arrived(Direction, Message),
    /// So many PUBLISH packets of QoS 0 arrived whole one after another, of which there is nothing to say but that: see
    /// [`Message::is_plain`].
    ArrivedPlain {
        /// Which way.
        direction: Direction,
        /// How many.
        messages: u32,
    },
    /// So many PUBLISH packets of QoS 0 were passed on whole, one after another.
    PassedPlain {
        /// Which way.
        direction: Direction,
        /// How many.
        messages: u32,
    },
    /// So many PUBLISH packets of QoS 0 were written to a receiver that had given its link up, and whether it got them will
    /// not be known.
    PassedUnknown {
        /// Which way.
        direction: Direction,
        /// How many.
        messages: u32,
    },
    /// Of the PUBLISH packets of QoS 0 that were passed on last, so many at most may not have come to their receiver, whose system
    /// had not acknowledged them when its leg went.
    Doubted {
        /// Which way.
        direction: Direction,
        /// How many.
        messages: u32,
    },
    /// The receiver's system had not acknowledged all that was passed on when its leg went: of the messages of QoS 1 and 2 that it
    /// has not answered itself, each may not have come.
    DoubtedInFlight {
        /// Which way.
        direction: Direction,
    },
    /// The leg of a sender went, and what told it that its messages had arrived may not have come to it: of the last that were
    /// passed on, so many at most, whose bytes its system had not acknowledged; and those since a moment before a reset, which its
    /// program may not have read.
    DoubtedAcks {
        /// Which way the messages go.
        direction: Direction,
        /// How many at most.
        unacknowledged: u32,
        /// From when on, where the leg was reset.
        since: Option<Time>,
    },
    /// A PUBLISH was passed on whole.
    Passed {
        /// Which way.
        direction: Direction,
        /// Its quality of service, as it arrived.
        qos: QoS,
        /// Its packet identifier, as it arrived; 0 at QoS 0.
        id: u16,
    },
    /// So many copies, made by a fault, of a PUBLISH that was passed on: by then it may have been answered.
    Copied {
        /// Which way.
        direction: Direction,
        /// Its quality of service, as it arrived.
        qos: QoS,
        /// Its packet identifier, as it arrived; 0 at QoS 0.
        id: u16,
        /// How many.
        copies: u32,
    },
    /// The same, written to a receiver that had given its link up, and whether it got them will not be known.
    CopiedUnknown {
        /// Which way.
        direction: Direction,
        /// Its quality of service, as it arrived.
        qos: QoS,
        /// How many.
        copies: u32,
    },
    /// An acknowledgement, or a PUBREL, arrived.
    AckArrived(Ack),
    /// An acknowledgement, or a PUBREL, was passed on; this is what it says there.
    AckPassed(Ack),
    /// A message was dropped, and its sender was told that it has arrived.
    FalselyAcknowledged {
        /// Which way the message went.
        direction: Direction,
        /// Its packet identifier.
        id: u16,
    },
    /// A fault changed a packet, or put one in: answers may come that nothing else explains.
    Meddled,
    /// A fault makes packets of the link wait or vanish, or does so no more.
    Disturbed(bool),
}

impl Entry {
    /// Whether it says that messages were passed on, or what tells their sender that they have arrived.
    pub fn has_passed(&self) -> bool {
        matches!(self, Entry::PassedPlain { .. } | Entry::Passed { .. } | Entry::AckPassed(_))
    }

    /// How many messages it says the sender was told have arrived.
    pub fn acks_passed(&self) -> u64 {
        match self {
            Entry::AckPassed(ack) => u64::from(ack.is_last()),
            _ => 0,
        }
    }

    /// How many messages of QoS 0 it says were passed on.
    pub fn passed_plain(&self) -> u64 {
        match self {
            Entry::PassedPlain { messages, .. } => u64::from(*messages),
            Entry::Passed { qos: QoS::AtMostOnce, .. } => 1,
            _ => 0,
        }
    }

    /// What is left to say of a packet where it is not known whether its receiver got it: of a message of QoS 1 or 2, and of
    /// acknowledgements, that it is still in flight, which needs no word.
    pub fn unknown(&self) -> Option<Entry> {
        match *self {
            Entry::PassedPlain { direction, messages } => Some(Entry::PassedUnknown { direction, messages }),
            Entry::Passed { direction, qos: QoS::AtMostOnce, .. } => {
                Some(Entry::PassedUnknown { direction, messages: 1 })
            }
            // Of QoS 2 its receiver knows them again.
            Entry::Copied { direction, qos: qos @ (QoS::AtMostOnce | QoS::AtLeastOnce), copies, .. } => {
                Some(Entry::CopiedUnknown { direction, qos, copies })
            }
            Entry::Connect { .. }
            | Entry::Accepted { .. }
            | Entry::Shares
            | Entry::AsPublished
            | Entry::Bridges
            | Entry::Arrived(..)
            | Entry::ArrivedPlain { .. }
            | Entry::PassedUnknown { .. }
            | Entry::Doubted { .. }
            | Entry::DoubtedInFlight { .. }
            | Entry::DoubtedAcks { .. }
            | Entry::Passed { .. }
            | Entry::Copied { .. }
            | Entry::CopiedUnknown { .. }
            | Entry::AckArrived(_)
            | Entry::AckPassed(_)
            | Entry::FalselyAcknowledged { .. }
            | Entry::Meddled
            | Entry::Disturbed(_) => None,
        }
    }

    /// Takes in what comes right behind it, where both are one entry of more messages. Messages of QoS 0 come by the
    /// hundred in a read.
    pub fn absorb(&mut self, next: &Entry) -> bool {
        match (self, next) {
            (
                Entry::ArrivedPlain { direction, messages },
                Entry::ArrivedPlain { direction: of, messages: more },
            )
            | (
                Entry::PassedPlain { direction, messages },
                Entry::PassedPlain { direction: of, messages: more },
            ) if *direction == *of => messages.checked_add(*more).map(|sum| *messages = sum).is_some(),
            (_, _) => false,
        }
    }
}

/// A PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its quality of service.
    pub qos: QoS,
    /// Its packet identifier; 0 at QoS 0.
    pub id: u16,
    /// DUP.
    pub dup: bool,
    /// RETAIN.
    pub retain: bool,
    /// Its Message Expiry Interval in seconds; MQTT 5 only.
    pub expiry: Option<u32>,
    /// A hash of topic and payload; 0 at QoS 0, where nothing is known again by what it says.
    pub hash: u64,
    /// A hash of the topic; 0 at QoS 0 without a number.
    pub topic: u64,
    /// The number in its payload.
    pub number: Option<u64>,
    /// Whether a fault drops it.
    pub dropped: bool,
}

impl Message {
    /// Whether it is like all others of QoS 0: without DUP, a number, or a fault that drops it.
    pub fn is_plain(&self) -> bool {
        self.qos == QoS::AtMostOnce && !self.dup && self.number.is_none() && !self.dropped
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which way the message goes that it is about.
    pub direction: Direction,
    /// Which of them.
    pub kind: AckKind,
    /// The message's packet identifier.
    pub id: u16,
    /// Whether its reason code is one of failure.
    pub refuses: bool,
}

impl Ack {
    /// Whether nothing more is to come of its message.
    pub fn is_last(&self) -> bool {
        match self.kind {
            AckKind::Puback | AckKind::Pubcomp => true,
            AckKind::Pubrec => self.refuses,
            AckKind::Pubrel => false,
        }
    }
}

/// Which acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AckKind {
    /// Of QoS 1, the last.
    Puback,
    /// Of QoS 2, the first.
    Pubrec,
    /// The sender's answer to PUBREC.
    Pubrel,
    /// Of QoS 2, the last.
    Pubcomp,
}

impl AckKind {
    /// Its name in lower case.
    pub fn word(self) -> &'static str {
        match self {
            AckKind::Puback => "puback",
            AckKind::Pubrec => "pubrec",
            AckKind::Pubrel => "pubrel",
            AckKind::Pubcomp => "pubcomp",
        }
    }

    /// The quality of service of the messages that it is about.
    pub fn qos(self) -> QoS {
        match self {
            AckKind::Puback => QoS::AtLeastOnce,
            AckKind::Pubrec | AckKind::Pubrel | AckKind::Pubcomp => QoS::ExactlyOnce,
        }
    }
}
