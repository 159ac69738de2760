//! The table, continued: faults of single packets, and which packets they fall on.

use super::faults::{DELAY_KEYS, FOR_MAYBE, OTHER, TOWARD};
use super::links::ENDING;
use super::{Key, Place, Presence, Type, Word};

/// The faults that `what` belongs to.
pub(in crate::profile) const PACKET_FAULTS: [&str; 6] =
    ["drop", "delay", "duplicate", "edit", "corrupt", "cut"];

pub(super) const QOS: &[Word] = &[
    Word { word: "0", doc: "at most once" },
    Word { word: "1", doc: "at least once" },
    Word { word: "2", doc: "exactly once" },
];

/// Which packets.
pub(in crate::profile) static WHAT: Place = Place {
    name: "what",
    doc: "Which packets a fault of packets falls on (`drop`, `delay`, `duplicate`, `edit`, `corrupt`, `cut`): every \
          condition that is given must hold. Without any, every packet is meant.",
    one_of: &[],
    keys: &[
        Key {
            name: "packet",
            ty: Type::Packet,
            presence: Presence::Optional("any"),
            doc: "The type of packet.",
            example: "puback",
        },
        Key {
            name: "direction",
            ty: Type::Word(&[
                Word { word: "up", doc: "device to hub" },
                Word { word: "down", doc: "hub to device" },
                Word { word: "both", doc: "either way" },
            ]),
            presence: Presence::Default("both"),
            doc: "Which way it travels.",
            example: "down",
        },
        Key {
            name: "topic",
            ty: Type::Filter,
            presence: Presence::Optional("any, or none"),
            doc: "A topic filter that its topic matches (section 4.7); PUBLISH alone has one. Behind topic aliases, 1,024 names are known of each direction of a link, 64 KiB in all: any other matches no filter.",
            example: "plant/+/temperature",
        },
        Key {
            name: "qos",
            ty: Type::Word(QOS),
            presence: Presence::Optional("any"),
            doc: "The quality of service of a PUBLISH.",
            example: "1",
        },
        Key {
            name: "dup",
            ty: Type::Bool,
            presence: Presence::Optional("either"),
            doc: "The DUP flag of a PUBLISH.",
            example: "true",
        },
        Key {
            name: "retain",
            ty: Type::Bool,
            presence: Presence::Optional("either"),
            doc: "The RETAIN flag of a PUBLISH.",
            example: "true",
        },
        Key {
            name: "nth",
            ty: Type::Count { most: 1_000_000 },
            presence: Presence::Optional("each of them"),
            doc: "Only the packet with this number, of those that match on a link and direction while the rule holds, counted \
                  from 1 over all its firings; one that an earlier rule drops or cuts does not count.",
            example: "3",
        },
        Key {
            name: "times",
            ty: Type::Count { most: 1_000_000 },
            presence: Presence::Optional("as many as come"),
            doc: "How many packets at most in each firing on a device.",
            example: "2",
        },
        Key {
            name: "chance",
            ty: Type::Chance,
            presence: Presence::Default("100%"),
            doc: "Whether it falls on a packet that matches: drawn for each.",
            example: "50%",
        },
    ],
};

pub(super) static DROP: Place = Place {
    name: "drop",
    doc: "Packets are not passed on; `what` says which. With a PUBLISH of MQTT 5 that sets a topic alias the alias is gone too, and \
          a receiver may end the link of who uses it later.",
    one_of: &[],
    keys: &[
        Key {
            name: "acknowledge",
            ty: Type::Bool,
            presence: Presence::Default("false"),
            doc: "Whether brownout acknowledges a PUBLISH of QoS 1 or 2 in the place of the end that never gets it. That is \
                  a lie, and the message is lost for good.",
            example: "true",
        },
        FOR_MAYBE,
    ],
};

pub(super) static DELAY: Place = Place {
    name: "delay",
    doc: "Packets come later, and what is behind them waits, since TCP keeps the order: exactly one of `fixed`, \
          `uniform`, `normal`, `pareto`. `what` says which packets.",
    one_of: &["fixed", "uniform", "normal", "pareto"],
    keys: DELAY_KEYS,
};

pub(super) static DUPLICATE: Place = Place {
    name: "duplicate",
    doc: "Packets are passed on more than once; `what` says which.",
    one_of: &[],
    keys: &[
        Key {
            name: "copies",
            ty: Type::Count { most: 1000 },
            presence: Presence::Default("1"),
            doc: "How many times more.",
            example: "2",
        },
        FOR_MAYBE,
    ],
};

pub(super) static EDIT: Place = Place {
    name: "edit",
    doc: "Fields of packets are changed, at least one; lengths are kept right. A packet that has none of the fields passes \
          as it is. `what` says which packets.",
    one_of: &[],
    keys: &[
        field(
            "keep_alive",
            Type::Seconds { zero: true },
            "CONNECT: the keep-alive; 0s turns it off. The hub then waits for another one than the device keeps.",
            "4s",
        ),
        field(
            "server_keep_alive",
            Type::Seconds { zero: true },
            "CONNACK of MQTT 5: the Server Keep Alive, which the device has to use [MQTT-3.2.2-21].",
            "4s",
        ),
        field("clean", Type::Bool, "CONNECT: Clean Session, or Clean Start.", "true"),
        field("session_present", Type::Bool, "CONNACK: Session Present.", "false"),
        field(
            "code",
            Type::Code,
            "The return or reason code of CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT and AUTH; every code of \
             SUBACK and UNSUBACK. Before MQTT 5 only CONNACK and SUBACK have one.",
            "0x88",
        ),
        field("packet_id", Type::Count { most: 65_535 }, "The packet identifier, where there is one.", "7"),
        field("dup", Type::Bool, "PUBLISH: the DUP flag.", "true"),
        field("qos", Type::Word(QOS), "PUBLISH: the quality of service.", "0"),
        field("retain", Type::Bool, "PUBLISH: the RETAIN flag.", "true"),
        FOR_MAYBE,
    ],
};

const fn field(name: &'static str, ty: Type, doc: &'static str, example: &'static str) -> Key {
    Key { name, ty, presence: Presence::Optional("left as it is"), doc, example }
}

pub(super) static CORRUPT: Place = Place {
    name: "corrupt",
    doc: "One byte of packets is changed, so that TCP's checksum is right all the same; `what` says which.",
    one_of: &[],
    keys: &[
        Key {
            name: "where",
            ty: Type::Word(&[
                Word { word: "payload", doc: "in the payload of a PUBLISH: the packet stays valid" },
                Word { word: "body", doc: "behind the fixed header: the stream can be followed on" },
                Word { word: "anywhere", doc: "where it is a length, all that comes after is garbage" },
            ]),
            presence: Presence::Default("payload"),
            doc: "Where the byte may stand.",
            example: "body",
        },
        FOR_MAYBE,
    ],
};

pub(super) static CUT: Place = Place {
    name: "cut",
    doc: "The first bytes of a packet are passed on, and then the link ends; `what` says of which packet.",
    one_of: &[],
    keys: &[
        Key {
            name: "after_bytes",
            ty: Type::Count { most: 1_000_000_000 },
            presence: Presence::Default("1"),
            doc: "How many of its bytes are passed on; all of them where it is shorter.",
            example: "2",
        },
        ENDING,
        TOWARD,
        OTHER,
        FOR_MAYBE,
    ],
};
