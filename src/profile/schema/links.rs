//! The table, continued: faults of TCP connections beside those of [`faults`](super::faults).

use super::faults::{DIRECTION, FOR, FOR_MAYBE, OTHER, TOWARD};
use super::{Key, Place, Presence, Type, Word};

/// How legs are ended.
pub(super) const ENDING: Key = Key {
    name: "ending",
    ty: Type::Word(&[Word { word: "reset", doc: "RST" }, Word { word: "close", doc: "FIN" }]),
    presence: Presence::Default("reset"),
    doc: "How the legs end.",
    example: "close",
};

pub(super) static HALF_CLOSE: Place = Place {
    name: "half_close",
    doc: "One end is told FIN, as if the other had nothing more to say; what it says itself still goes on to the other. \
          A sound end answers with FIN or DISCONNECT: MQTT has no half-open mode.",
    one_of: &[],
    keys: &[Key {
        name: "toward",
        ty: Type::Word(&[
            Word { word: "device", doc: "the device is told; what the hub says is thrown away" },
            Word { word: "hub", doc: "the hub is told; what the device says is thrown away" },
        ]),
        presence: Presence::Default("device"),
        doc: "Who is told.",
        example: "hub",
    }],
};

pub(super) static REFUSE: Place = Place {
    name: "refuse",
    doc: "Connects are refused; links that are up are left alone.",
    one_of: &[],
    keys: &[
        Key {
            name: "how",
            ty: Type::Word(&[
                Word {
                    word: "closed",
                    doc: "the SYN is answered with RST, where the fault falls on every device of a listener; else as \
                          `reset`, since a SYN does not say whose it is",
                },
                Word { word: "reset", doc: "TCP is accepted, and reset as soon as it is known whose it is" },
            ]),
            presence: Presence::Default("closed"),
            doc: "How they are refused.",
            example: "reset",
        },
        FOR,
    ],
};

pub(super) static BANDWIDTH: Place = Place {
    name: "bandwidth",
    doc: "Bytes pass at a rate, each link and direction by itself. Of several rules, the lowest rate holds.",
    one_of: &[],
    keys: &[
        Key {
            name: "rate",
            ty: Type::Rate,
            presence: Presence::Required,
            doc: "How fast: bit/s, kbit/s, Mbit/s, Gbit/s, or B/s, kB/s, MB/s; k is 1000.",
            example: "64kbit/s",
        },
        DIRECTION,
        FOR_MAYBE,
    ],
};

pub(super) static LOSS: Place = Place {
    name: "loss",
    doc: "TCP segments of a leg's peer are dropped on arrival, so that its TCP sends them again. The kernel draws: these \
          draws do not follow from the seed of the run.",
    one_of: &[],
    keys: &[
        Key {
            name: "chance",
            ty: Type::Chance,
            presence: Presence::Required,
            doc: "How likely each segment is lost.",
            example: "10%",
        },
        TOWARD,
        FOR_MAYBE,
    ],
};

pub(super) static SLICE: Place = Place {
    name: "slice",
    doc: "Bytes pass in small pieces, each a write of its own: packets arrive in parts, as on a link with a small MTU.",
    one_of: &[],
    keys: &[
        Key {
            name: "size",
            ty: Type::Count { most: 1_000_000 },
            presence: Presence::Required,
            doc: "Bytes of a piece at most.",
            example: "1",
        },
        Key {
            name: "gap",
            ty: Type::Time { zero: true },
            presence: Presence::Default("0s"),
            doc: "From one piece to the next at least.",
            example: "10ms",
        },
        DIRECTION,
        FOR_MAYBE,
    ],
};

pub(super) static CUT_AFTER: Place = Place {
    name: "cut_after",
    doc: "Each link ends once so many bytes have passed while this holds; the last of them is passed on, and none after.",
    one_of: &[],
    keys: &[
        Key {
            name: "bytes",
            ty: Type::Count { most: 1_000_000_000 },
            presence: Presence::Required,
            doc: "How many bytes of the stream, TLS not counted where it is brownout's own.",
            example: "1000",
        },
        Key {
            name: "direction",
            ty: Type::Word(&[
                Word { word: "up", doc: "device to hub" },
                Word { word: "down", doc: "hub to device" },
            ]),
            presence: Presence::Default("up"),
            doc: "Which way they travel.",
            example: "down",
        },
        ENDING,
        TOWARD,
        OTHER,
        FOR_MAYBE,
    ],
};

pub(super) static IDLE_TIMEOUT: Place = Place {
    name: "idle_timeout",
    doc: "A NAT or load balancer forgets a link on which nothing passes either way for a time. New links pass.",
    one_of: &[],
    keys: &[
        Key {
            name: "after",
            ty: Type::Span { zero: false },
            presence: Presence::Required,
            doc: "For how long nothing has to pass.",
            example: "4m",
        },
        Key {
            name: "then",
            ty: Type::Word(&[
                Word { word: "vanish", doc: "later packets vanish" },
                Word {
                    word: "reset",
                    doc: "whoever sends is answered with RST; the other end hears nothing until it sends too",
                },
            ]),
            presence: Presence::Default("vanish"),
            doc: "What becomes of packets on a link that is forgotten.",
            example: "reset",
        },
        FOR_MAYBE,
    ],
};
