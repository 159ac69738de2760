//! The table, continued: faults of MQTT that end links, refuse them, or put packets into them.

use super::faults::{FOR, FOR_MAYBE};
use super::packets::QOS;
use super::{Key, Place, Presence, Type, Word};

pub(super) static TOKEN_EXPIRY: Place = Place {
    name: "token_expiry",
    doc: "brownout does in the hub's name what Azure IoT Hub does: it closes the link of a device whose SAS token (`se=` in \
          the password of its CONNECT) has expired, and refuses a CONNECT with a token that has.",
    one_of: &[],
    keys: &[
        Key {
            name: "lifetime",
            ty: Type::Span { zero: false },
            presence: Presence::Optional("a link whose CONNECT has no SAS token lasts for ever"),
            doc: "How long a link lasts whose CONNECT has no SAS token, from its CONNACK on. Whoever comes back is let in, since \
                  a password may be one that does not expire; one that is the same again after the lifetime is no fresh token in \
                  the report, and may be a stale one (`stale_tokens` is a bracket then).",
            example: "1h",
        },
        Key {
            name: "grace",
            ty: Type::Time { zero: true },
            presence: Presence::Default("0s"),
            doc: "How long after the expiry the link is still left up.",
            example: "10s",
        },
        FOR_MAYBE,
    ],
};

pub(super) static TAKEOVER: Place = Place {
    name: "takeover",
    doc: "Another client connects to the hub with the device's own CONNECT, so that the hub closes the device's link \
          [MQTT-3.1.4-2]. A device that comes back takes its name over in turn.",
    one_of: &[],
    keys: &[
        Key {
            name: "again",
            ty: Type::Time { zero: true },
            presence: Presence::Optional("it does not"),
            doc: "How long after the other client has lost its link it connects again.",
            example: "1s",
        },
        FOR,
    ],
};

pub(super) static REJECT: Place = Place {
    name: "reject",
    doc: "CONNECT is answered with a CONNACK that refuses, then FIN; the hub hears nothing of it. Links that are up are \
          left alone.",
    one_of: &[],
    keys: &[
        Key {
            name: "code",
            ty: Type::Word(&[
                Word { word: "unsupported_version", doc: "return code 1; reason code 0x84 in MQTT 5" },
                Word { word: "identifier_rejected", doc: "return code 2; reason code 0x85 in MQTT 5" },
                Word { word: "server_unavailable", doc: "return code 3; reason code 0x88 in MQTT 5" },
                Word { word: "bad_credentials", doc: "return code 4; reason code 0x86 in MQTT 5" },
                Word { word: "not_authorized", doc: "return code 5; reason code 0x87 in MQTT 5" },
                Word { word: "server_busy", doc: "return code 3; reason code 0x89 in MQTT 5" },
                Word { word: "banned", doc: "return code 5; reason code 0x8a in MQTT 5" },
                Word { word: "quota_exceeded", doc: "return code 3; reason code 0x97 in MQTT 5" },
                Word { word: "connection_rate_exceeded", doc: "return code 3; reason code 0x9f in MQTT 5" },
                Word { word: "use_another_server", doc: "return code 3; reason code 0x9c in MQTT 5" },
            ]),
            presence: Presence::Required,
            doc: "What the CONNACK says.",
            example: "server_unavailable",
        },
        FOR,
    ],
};

pub(super) static DISCONNECT: Place = Place {
    name: "disconnect",
    doc: "DISCONNECT as from the other end, then FIN. Before MQTT 5 the hub has no such packet: there a device gets FIN \
          alone, and a hub a DISCONNECT without a reason.",
    one_of: &[],
    keys: &[
        Key {
            name: "reason",
            ty: Type::Reason,
            presence: Presence::Default("server_shutting_down"),
            doc: "The reason code of MQTT 5.",
            example: "session_taken_over",
        },
        Key {
            name: "toward",
            ty: Type::Word(&[
                Word { word: "device", doc: "the device's leg" },
                Word { word: "hub", doc: "the hub's leg" },
                Word { word: "both", doc: "both legs" },
            ]),
            presence: Presence::Default("device"),
            doc: "The leg that gets it.",
            example: "hub",
        },
        Key {
            name: "other",
            ty: Type::Word(&[
                Word { word: "reset", doc: "RST" },
                Word { word: "close", doc: "FIN" },
                Word {
                    word: "half_open",
                    doc: "nothing: it stays up with nobody behind it, until its end gives up",
                },
            ]),
            presence: Presence::Default("close"),
            doc: "What becomes of the other leg, where `toward` names one.",
            example: "half_open",
        },
    ],
};

pub(super) static INJECT: Place = Place {
    name: "inject",
    doc: "A packet of brownout's own, put into the stream between two others: exactly one of `ping`, `ack`, `publish`, \
          `raw`. The other end knows nothing of it; an answer goes on to it.",
    one_of: &["ping", "ack", "publish", "raw"],
    keys: &[
        Key {
            name: "ping",
            ty: Type::Word(&[
                Word { word: "pingreq", doc: "PINGREQ" },
                Word { word: "pingresp", doc: "PINGRESP" },
            ]),
            presence: Presence::Optional("another is given"),
            doc: "A PINGREQ or PINGRESP.",
            example: "pingresp",
        },
        Key {
            name: "ack",
            ty: Type::One(&ACK),
            presence: Presence::Optional("another is given"),
            doc: "An acknowledgement.",
            example: "{ packet: puback, packet_id: 7 }",
        },
        Key {
            name: "publish",
            ty: Type::One(&PUBLISH),
            presence: Presence::Optional("another is given"),
            doc: "A PUBLISH.",
            example: "{ topic: plant/7/command, payload: stop }",
        },
        Key {
            name: "raw",
            ty: Type::Hex,
            presence: Presence::Optional("another is given"),
            doc: "These bytes, MQTT or not, at most 65536; behind what is not MQTT, nobody can follow the stream.",
            example: "\"d0 00\"",
        },
        Key {
            name: "toward",
            ty: Type::Word(&[
                Word { word: "device", doc: "the device, as from the hub" },
                Word { word: "hub", doc: "the hub, as from the device" },
            ]),
            presence: Presence::Default("device"),
            doc: "Who gets it.",
            example: "hub",
        },
    ],
};

static ACK: Place = Place {
    name: "ack",
    doc: "An acknowledgement of a PUBLISH, asked for or not.",
    one_of: &[],
    keys: &[
        Key {
            name: "packet",
            ty: Type::Word(&[
                Word { word: "puback", doc: "PUBACK" },
                Word { word: "pubrec", doc: "PUBREC" },
                Word { word: "pubrel", doc: "PUBREL" },
                Word { word: "pubcomp", doc: "PUBCOMP" },
            ]),
            presence: Presence::Required,
            doc: "Which.",
            example: "puback",
        },
        Key {
            name: "packet_id",
            ty: Type::Count { most: 65_535 },
            presence: Presence::Required,
            doc: "The packet identifier that it acknowledges.",
            example: "7",
        },
    ],
};

static PUBLISH: Place = Place {
    name: "publish",
    doc: "A PUBLISH of brownout's own.",
    one_of: &[],
    keys: &[
        Key {
            name: "topic",
            ty: Type::Topic,
            presence: Presence::Required,
            doc: "The topic name.",
            example: "plant/7/command",
        },
        Key {
            name: "payload",
            ty: Type::Text,
            presence: Presence::Default("\"\""),
            doc: "The payload, as UTF-8.",
            example: "stop",
        },
        Key {
            name: "qos",
            ty: Type::Word(QOS),
            presence: Presence::Default("0"),
            doc: "The quality of service.",
            example: "1",
        },
        Key {
            name: "retain",
            ty: Type::Bool,
            presence: Presence::Default("false"),
            doc: "The RETAIN flag.",
            example: "true",
        },
        Key {
            name: "packet_id",
            ty: Type::Count { most: 65_535 },
            presence: Presence::Default("1"),
            doc: "The packet identifier; of QoS 1 and 2 only.",
            example: "7",
        },
    ],
};
