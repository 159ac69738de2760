//! The kinds of findings: their names, classes, and what is said of them.

use super::cases::{Size, words};
use crate::measure::finding::Class;

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The device sent nothing for longer than its keep-alive.
    KeepaliveExceeded,
    /// The device went by its own keep-alive, where the hub had told it a shorter one.
    ServerKeepaliveIgnored,
    /// The hub kept the link of a silent device.
    KeepaliveNotEnforced,
    /// The hub ended a link as silent before a keep-alive was over.
    KeepaliveTooStrict,
    /// The device went on without its PINGRESP.
    PingrespNotAwaited,
    /// The hub did not answer PINGREQ.
    PingreqUnanswered,
    /// The device closed without DISCONNECT.
    ClosedWithoutDisconnect,
    /// The hub did not publish a will.
    WillNotDelivered,
    /// The hub published a will after DISCONNECT.
    WillAfterDisconnect,
    /// The device did not subscribe again.
    LostSubscriptions,
    /// The device went on without a subscription that it was refused.
    RefusalIgnored,
    /// A CONNACK that refuses says that there is a session.
    SessionPresentOnRefusal,
    /// A CONNACK to a clean start says that there is a session.
    SessionPresentOnCleanStart,
    /// The hub has no session where it is to have one.
    SessionForgotten,
    /// A SUBACK has another number of codes than its SUBSCRIBE has filters.
    SubackCodes,
    /// The hub did not answer SUBSCRIBE.
    SubscribeUnanswered,
    /// The hub let two links of one client identifier live.
    SecondLinkAccepted,
    /// A second CONNECT on a link.
    SecondConnect,
    /// What a peer sends is not MQTT.
    NotMqtt,
    /// A packet that cannot be read.
    Unreadable,
    /// A packet whose form its receiver has to refuse.
    Malformed,
    /// Connects in a tight loop.
    TightLoop,
    /// Connects at a fixed pace, quickly.
    NoBackOff,
    /// Many devices wait alike, without jitter.
    NoJitter,
    /// DUP is wrong.
    DupWrong,
    /// A packet identifier is in use.
    IdInUse,
    /// An acknowledgement of nothing.
    UnknownAck,
    /// More in flight than the receiver takes.
    ReceiveMaximum,
    /// Messages of QoS 1 or 2 are lost.
    MessagesLost,
    /// Messages of QoS 1 or 2 that their sender had no acknowledgement of are not sent again.
    NotSentAgain,
    /// Messages of QoS 0 are lost.
    Qos0Lost,
    /// Messages of QoS 2 arrived twice.
    Qos2Duplicated,
}

impl Kind {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Kind; 32] = [
        Kind::KeepaliveExceeded,
        Kind::ServerKeepaliveIgnored,
        Kind::KeepaliveNotEnforced,
        Kind::KeepaliveTooStrict,
        Kind::PingrespNotAwaited,
        Kind::PingreqUnanswered,
        Kind::ClosedWithoutDisconnect,
        Kind::WillNotDelivered,
        Kind::WillAfterDisconnect,
        Kind::LostSubscriptions,
        Kind::RefusalIgnored,
        Kind::SessionPresentOnRefusal,
        Kind::SessionPresentOnCleanStart,
        Kind::SessionForgotten,
        Kind::SubackCodes,
        Kind::SubscribeUnanswered,
        Kind::SecondLinkAccepted,
        Kind::SecondConnect,
        Kind::NotMqtt,
        Kind::Unreadable,
        Kind::Malformed,
        Kind::TightLoop,
        Kind::NoBackOff,
        Kind::NoJitter,
        Kind::DupWrong,
        Kind::IdInUse,
        Kind::UnknownAck,
        Kind::ReceiveMaximum,
        Kind::MessagesLost,
        Kind::NotSentAgain,
        Kind::Qos0Lost,
        Kind::Qos2Duplicated,
    ];

    /// Its name in reports.
    pub fn id(self) -> &'static str {
        match self {
            Kind::KeepaliveExceeded => "keepalive-exceeded",
            Kind::ServerKeepaliveIgnored => "server-keepalive-ignored",
            Kind::KeepaliveNotEnforced => "keepalive-not-enforced",
            Kind::KeepaliveTooStrict => "keepalive-too-strict",
            Kind::PingrespNotAwaited => "pingresp-not-awaited",
            Kind::PingreqUnanswered => "pingreq-unanswered",
            Kind::ClosedWithoutDisconnect => "closed-without-disconnect",
            Kind::WillNotDelivered => "will-not-delivered",
            Kind::WillAfterDisconnect => "will-after-disconnect",
            Kind::LostSubscriptions => "lost-subscriptions",
            Kind::RefusalIgnored => "subscription-refusal-ignored",
            Kind::SessionPresentOnRefusal => "session-present-on-refusal",
            Kind::SessionPresentOnCleanStart => "session-present-on-clean-start",
            Kind::SessionForgotten => "session-forgotten",
            Kind::SubackCodes => "suback-codes",
            Kind::SubscribeUnanswered => "subscribe-unanswered",
            Kind::SecondLinkAccepted => "second-link-accepted",
            Kind::SecondConnect => "second-connect",
            Kind::NotMqtt => "not-mqtt",
            Kind::Unreadable => "unreadable-packet",
            Kind::Malformed => "malformed-packet",
            Kind::TightLoop => "reconnect-loop",
            Kind::NoBackOff => "no-back-off",
            Kind::NoJitter => "no-jitter",
            Kind::DupWrong => "dup-wrong",
            Kind::IdInUse => "packet-id-in-use",
            Kind::UnknownAck => "unknown-acknowledgement",
            Kind::ReceiveMaximum => "receive-maximum-exceeded",
            Kind::MessagesLost => "messages-lost",
            Kind::NotSentAgain => "messages-not-sent-again",
            Kind::Qos0Lost => "qos0-messages-lost",
            Kind::Qos2Duplicated => "qos2-duplicated",
        }
    }

    /// What it is about.
    pub fn class(self) -> Class {
        match self {
            Kind::PingrespNotAwaited => Class::Detection,
            Kind::ClosedWithoutDisconnect
            | Kind::LostSubscriptions
            | Kind::RefusalIgnored
            | Kind::TightLoop
            | Kind::NoBackOff
            | Kind::NoJitter => Class::Recovery,
            Kind::MessagesLost | Kind::NotSentAgain | Kind::Qos0Lost | Kind::Qos2Duplicated => Class::Loss,
            Kind::KeepaliveExceeded
            | Kind::ServerKeepaliveIgnored
            | Kind::KeepaliveNotEnforced
            | Kind::KeepaliveTooStrict
            | Kind::PingreqUnanswered
            | Kind::WillNotDelivered
            | Kind::WillAfterDisconnect
            | Kind::SessionPresentOnRefusal
            | Kind::SessionPresentOnCleanStart
            | Kind::SessionForgotten
            | Kind::SubackCodes
            | Kind::SubscribeUnanswered
            | Kind::SecondLinkAccepted
            | Kind::SecondConnect
            | Kind::NotMqtt
            | Kind::Unreadable
            | Kind::Malformed
            | Kind::DupWrong
            | Kind::IdInUse
            | Kind::UnknownAck
            | Kind::ReceiveMaximum => Class::Violation,
        }
    }

    /// What was seen, `count` times, at worst `worst`.
    pub(super) fn seen(self, count: u64, worst: Size) -> String {
        let often = often(count);
        let (span, of, times) = (words(worst.span), words(worst.of), worst.times());
        match self {
            Kind::KeepaliveExceeded => format!(
                "It sent nothing for longer than its keep-alive of {of} {often}; at worst for {span} \
                 ({times} keep-alives)."
            ),
            Kind::ServerKeepaliveIgnored => format!(
                "The hub told it a keep-alive of {of}, and it sent nothing for longer {often}, at worst for \
                 {span}: it goes by the one that it had asked for."
            ),
            Kind::KeepaliveNotEnforced => format!(
                "It kept the link of a device that it heard nothing of {often}, at worst for {span} ({times} \
                 keep-alives); 1.5 are allowed."
            ),
            Kind::KeepaliveTooStrict => format!(
                "It ended the link of a device that was within its keep-alive of {of} {often}, at most {span} \
                 after the device's last packet."
            ),
            Kind::PingrespNotAwaited => format!(
                "It waited {span} ({times} keep-alives) for a PINGRESP and did not give the link up ({often})."
            ),
            Kind::PingreqUnanswered => {
                format!("It left a PINGREQ without PINGRESP {often}, for {span} or longer.")
            }
            Kind::ClosedWithoutDisconnect => {
                format!(
                    "It closed its connection without DISCONNECT {often}, with nothing wrong with the link."
                )
            }
            Kind::WillNotDelivered => format!(
                "A device's link ended without DISCONNECT, and its will did not come to a device that is \
                 subscribed to it ({often}; watched for {span})."
            ),
            Kind::WillAfterDisconnect => {
                format!("A device said DISCONNECT, and its will's topic was published {often} all the same.")
            }
            Kind::LostSubscriptions => format!(
                "It came back to a hub without a session for it and did not subscribe again {often}; watched \
                 for {span}."
            ),
            Kind::RefusalIgnored => format!(
                "The hub refused it a subscription {often}, and it went on without asking again; watched for \
                 {span}."
            ),
            Kind::SessionPresentOnRefusal => {
                format!("Its CONNACK refused a device and had session present set {often}.")
            }
            Kind::SessionPresentOnCleanStart => {
                format!("Its CONNACK to a CONNECT with a clean start had session present set {often}.")
            }
            Kind::SessionForgotten => format!(
                "It accepted a device without a clean start, and had no session of it any more {often}, though that had not \
                 run out."
            ),
            Kind::SubackCodes => {
                format!("Its SUBACK had another number of codes than the SUBSCRIBE had filters {often}.")
            }
            Kind::SubscribeUnanswered => {
                format!("It left a SUBSCRIBE without SUBACK {often}, for {span} or longer.")
            }
            Kind::SecondLinkAccepted => format!(
                "It accepted a second link with the client identifier of a device whose first link it left \
                 open {often}; watched for {span}."
            ),
            Kind::SecondConnect => format!("It sent a second CONNECT on the same link {often}."),
            Kind::NotMqtt => format!("It sent bytes that are not MQTT {often}."),
            Kind::Unreadable => format!("It sent a packet whose contents cannot be read {often}."),
            Kind::Malformed => format!(
                "It sent packets that their receiver has to refuse: {often}, counting each flaw once a link."
            ),
            Kind::TightLoop => format!(
                "It connected in a tight loop {often}, every {span} at the median, while no connect came to \
                 anything."
            ),
            Kind::NoBackOff => format!(
                "It connected every {span} at the median, ten times or more and with no longer waits, while no \
                 connect came to anything ({often})."
            ),
            Kind::NoJitter => {
                format!("{count} devices waited {span} between connects, each and always the same.")
            }
            Kind::DupWrong => format!("It set DUP wrongly {often}."),
            Kind::IdInUse => {
                format!("It gave a new message the packet identifier of one still in flight {often}.")
            }
            Kind::UnknownAck => {
                format!("It acknowledged or released a message that was not in flight {often}.")
            }
            Kind::ReceiveMaximum => {
                format!("It had more messages in flight than the receiver said it takes {often}.")
            }
            Kind::MessagesLost => format!("Messages of QoS 1 or 2 were lost: {often}."),
            Kind::NotSentAgain => {
                format!("Messages of QoS 1 or 2 without an acknowledgement were not sent again: {often}.")
            }
            Kind::Qos0Lost => {
                format!("Messages of QoS 0 were lost with nothing wrong with the link: {often}.")
            }
            Kind::Qos2Duplicated => format!("Messages of QoS 2 were passed on twice: {often}."),
        }
    }

    /// Its probable cause.
    pub(super) fn cause(self) -> &'static str {
        match self {
            Kind::KeepaliveExceeded => {
                "The client's loop is blocked or starved, its timer starts at the wrong moment, or the device sleeps."
            }
            Kind::ServerKeepaliveIgnored => "The client does not read Server Keep Alive from CONNACK.",
            Kind::KeepaliveNotEnforced => "The hub has no keep-alive timer, or a much coarser one.",
            Kind::KeepaliveTooStrict => {
                "The hub's timer is shorter than the keep-alive, or not every packet restarts it."
            }
            Kind::PingrespNotAwaited => {
                "The client sends PINGREQ and does not look for the answer, or leaves the end to TCP, which takes \
                 minutes."
            }
            Kind::PingreqUnanswered => {
                "The hub is overloaded, or a middlebox behind brownout swallows packets."
            }
            Kind::ClosedWithoutDisconnect => {
                "The application closes the socket, or its process ends, without telling the client to disconnect."
            }
            Kind::WillNotDelivered => {
                "The hub does not publish wills, or its access rules keep this one from who may subscribe to it."
            }
            Kind::WillAfterDisconnect => {
                "The hub publishes the will in spite of DISCONNECT, or somebody behind it published on the same topic."
            }
            Kind::LostSubscriptions => {
                "The client subscribes once at its start, not after each CONNACK without session present."
            }
            Kind::RefusalIgnored => "The client does not look at the codes in SUBACK.",
            Kind::SessionPresentOnRefusal | Kind::SessionPresentOnCleanStart => {
                "The hub looks its session up before it decides."
            }
            Kind::SessionForgotten => {
                "The hub keeps sessions in memory alone and was started anew, keeps them for a time of its own, or is of several \
                 nodes that do not share them; or another way to it led to a clean start."
            }
            Kind::SubackCodes => "The hub drops or merges filters that it does not grant.",
            Kind::SubscribeUnanswered => {
                "The hub is overloaded, or drops subscriptions that it does not grant without a word."
            }
            Kind::SecondLinkAccepted => {
                "The hub does not compare client identifiers, or not across its nodes, or makes them unique by itself."
            }
            Kind::SecondConnect => "The client connects anew over a connection that it has already.",
            Kind::NotMqtt => {
                "Something else speaks here: TLS or HTTP on a plain port, a health check, a scanner; or the stream broke."
            }
            Kind::Unreadable | Kind::Malformed => "The sender builds the packet wrongly.",
            Kind::TightLoop => {
                "The client connects again at once, or forgets its back-off as soon as it is accepted."
            }
            Kind::NoBackOff => "The client waits the same short time however often it fails.",
            Kind::NoJitter => "All devices have the same fixed retry interval.",
            Kind::DupWrong => "The sender does not tell a retransmission from a new message.",
            Kind::IdInUse => "The sender counts identifiers up and does not look which are in flight.",
            Kind::UnknownAck => "It answers twice, or with the wrong identifier.",
            Kind::ReceiveMaximum => {
                "The sender does not read Receive Maximum, or does not count what is in flight."
            }
            Kind::MessagesLost | Kind::NotSentAgain => {
                "The sender does not keep messages until they are acknowledged, or drops them when it connects anew, as it may \
                 where the session ends with the link."
            }
            Kind::Qos0Lost => "A link ended before they were passed on, or the sender dropped them.",
            Kind::Qos2Duplicated => {
                "The sender sends PUBLISH again after its PUBREL, where it ought to send PUBREL again."
            }
        }
    }

    /// What to do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Kind::KeepaliveExceeded => {
                "Run the client's loop often enough; send PINGREQ well before the keep-alive is over."
            }
            Kind::ServerKeepaliveIgnored => "Use the Server Keep Alive in place of the one in CONNECT.",
            Kind::KeepaliveNotEnforced => {
                "Do not count on this hub to notice dead devices; set TCP keepalive or a time-out at the hub."
            }
            Kind::KeepaliveTooStrict => "Make PINGREQ more frequent than what the hub is seen to allow.",
            Kind::PingrespNotAwaited => {
                "Close the connection when PINGRESP has not come within a reasonable time, at most a keep-alive."
            }
            Kind::PingreqUnanswered => "Look at the hub's load and log at that time.",
            Kind::ClosedWithoutDisconnect => {
                "Disconnect before closing; else the hub takes it for a fault and publishes the will."
            }
            Kind::WillNotDelivered => "Check the hub's access rules for the will's topic, then the hub.",
            Kind::WillAfterDisconnect => {
                "Look who published on that topic; if nobody did, report it to the hub's maker."
            }
            Kind::LostSubscriptions => "Subscribe in the handler of CONNACK whenever session present is 0.",
            Kind::RefusalIgnored => {
                "Check each code in SUBACK; from 0x80 on the subscription does not exist."
            }
            Kind::SessionPresentOnRefusal
            | Kind::SessionPresentOnCleanStart
            | Kind::SubackCodes
            | Kind::SubscribeUnanswered => "Report it to the hub's maker; have the client not depend on it.",
            Kind::SessionForgotten => {
                "Look at the hub's persistence and at how long it keeps sessions; have the client subscribe again where session \
                 present is 0."
            }
            Kind::SecondLinkAccepted => {
                "Do not count on this hub to end an old link when its device comes back; check for duplicate identifiers."
            }
            Kind::SecondConnect => {
                "Open a new connection for each CONNECT; a hub has to end the link at a second one."
            }
            Kind::NotMqtt => {
                "Look who connects there; if it is a device, check its port and its TLS setting."
            }
            Kind::Unreadable | Kind::Malformed => {
                "Compare the packet with the specification; a capture shows its bytes."
            }
            Kind::TightLoop | Kind::NoBackOff => {
                "Wait between connects: longer each time up to a limit, with jitter."
            }
            Kind::NoJitter => "Draw each wait at random, so that a fleet does not come back all at once.",
            Kind::DupWrong => "Set DUP on a retransmission, and on nothing else.",
            Kind::IdInUse => "Skip identifiers that wait for their acknowledgement.",
            Kind::UnknownAck => "Answer each packet once, with its own identifier.",
            Kind::ReceiveMaximum => "Hold messages back until earlier ones are acknowledged.",
            Kind::MessagesLost | Kind::NotSentAgain => {
                "Keep each message until PUBACK or PUBCOMP, and send it again after a reconnect, with DUP, in a session that \
                 goes on."
            }
            Kind::Qos0Lost => "Use QoS 1 for what may not be lost.",
            Kind::Qos2Duplicated => {
                "Keep how far each message of QoS 2 has come, across reconnects too, and go on from there."
            }
        }
    }
}

fn often(count: u64) -> String {
    match count {
        1 => "once".into(),
        2 => "twice".into(),
        more => format!("{more} times"),
    }
}
