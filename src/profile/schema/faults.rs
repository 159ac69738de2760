//! The table, continued: the faults.

use super::links::{BANDWIDTH, CUT_AFTER, HALF_CLOSE, IDLE_TIMEOUT, LOSS, REFUSE, SLICE};
use super::mqtt::{DISCONNECT, INJECT, REJECT, TAKEOVER, TOKEN_EXPIRY};
use super::packets::{CORRUPT, CUT, DELAY, DROP, DUPLICATE, EDIT};
use super::tls::{TLS_ALERT, TLS_HANDSHAKE, TLS_RECORD};
use super::{Key, Place, Presence, Type, Word};

/// One fault.
pub(in crate::profile) static FAULT: Place = Place {
    name: "fault",
    doc: "Exactly one fault.",
    one_of: &[
        "blackhole",
        "rst",
        "fin",
        "half_close",
        "refuse",
        "stall",
        "latency",
        "bandwidth",
        "loss",
        "slice",
        "cut_after",
        "idle_timeout",
        "tls_handshake",
        "tls_alert",
        "tls_record",
        "token_expiry",
        "takeover",
        "reject",
        "disconnect",
        "inject",
        "drop",
        "delay",
        "duplicate",
        "edit",
        "corrupt",
        "cut",
    ],
    keys: &[
        fault("blackhole", &BLACKHOLE, "The path goes dark: nothing passes.", "{ for: 1.5 keepalive + 10s }"),
        fault("rst", &RST, "TCP reset without DISCONNECT.", "{ toward: device, other: half_open }"),
        fault("fin", &FIN, "TCP close (FIN) without DISCONNECT.", "{}"),
        fault(
            "half_close",
            &HALF_CLOSE,
            "One end is told FIN; the other direction goes on.",
            "{ toward: device }",
        ),
        fault("refuse", &REFUSE, "Connects are refused.", "{ for: 30s }"),
        fault("stall", &STALL, "Bytes stop; TCP acknowledges until its windows are full.", "{ for: 10s }"),
        fault("latency", &LATENCY, "Bytes come later.", "{ fixed: 300ms, jitter: 50ms }"),
        fault("bandwidth", &BANDWIDTH, "Bytes pass at a rate.", "{ rate: 64kbit/s }"),
        fault("loss", &LOSS, "TCP segments are lost, and sent again by their sender.", "{ chance: 10% }"),
        fault("slice", &SLICE, "Bytes pass in small pieces.", "{ size: 1 }"),
        fault("cut_after", &CUT_AFTER, "Each link ends once so many bytes have passed.", "{ bytes: 1000 }"),
        fault(
            "idle_timeout",
            &IDLE_TIMEOUT,
            "A NAT or load balancer forgets a link on which nothing passes.",
            "{ after: 4m }",
        ),
        fault(
            "tls_handshake",
            &TLS_HANDSHAKE,
            "TLS handshakes with devices go wrong.",
            "{ stall: before_server_hello, for: 30s }",
        ),
        fault(
            "tls_alert",
            &TLS_ALERT,
            "A fatal TLS alert on a live link, then FIN.",
            "{ alert: internal_error }",
        ),
        fault("tls_record", &TLS_RECORD, "One TLS record of a live link is damaged.", "{ damage: mac }"),
        fault(
            "token_expiry",
            &TOKEN_EXPIRY,
            "The hub closes links whose SAS token has expired.",
            "{ lifetime: 1h }",
        ),
        fault(
            "takeover",
            &TAKEOVER,
            "Another client with the device's name connects to the hub.",
            "{ for: 30s }",
        ),
        fault(
            "reject",
            &REJECT,
            "CONNECT is answered with a CONNACK that refuses.",
            "{ code: server_unavailable, for: 30s }",
        ),
        fault("disconnect", &DISCONNECT, "DISCONNECT with a reason, then FIN.", "{ reason: server_busy }"),
        fault("inject", &INJECT, "A packet of brownout's own.", "{ ping: pingreq, toward: hub }"),
        fault("drop", &DROP, "Packets are not passed on.", "{ for: 30s }"),
        fault("delay", &DELAY, "Packets come later, and all that is behind them.", "{ fixed: 2s }"),
        fault("duplicate", &DUPLICATE, "Packets are passed on more than once.", "{ copies: 1 }"),
        fault("edit", &EDIT, "Fields of packets are changed.", "{ session_present: false }"),
        fault("corrupt", &CORRUPT, "One byte of packets is changed.", "{ where: payload }"),
        fault("cut", &CUT, "A link ends amid a packet.", "{ after_bytes: 1 }"),
    ],
};

const fn fault(name: &'static str, place: &'static Place, doc: &'static str, example: &'static str) -> Key {
    Key { name, ty: Type::One(place), presence: Presence::Optional("another fault is given"), doc, example }
}

static BLACKHOLE: Place = Place {
    name: "blackhole",
    doc: "The path goes dark for a time: nothing passes, and nobody is told. Whichever leg it falls on, what one end \
          sends does not reach the other; the leg it falls on is the one whose end goes unacknowledged under \
          `fidelity: packet`, the other end's TCP is acknowledged by brownout until its window is full. One way only \
          (`direction`), what the sender sends is lost, and what the other sends reaches it: under `fidelity: packet` \
          the sender goes unacknowledged, as on such a path; the other hears nothing, but its TCP is acknowledged by \
          brownout, since a filter can only drop what arrives.",
    one_of: &[],
    keys: &[
        TOWARD,
        Key {
            doc: "The direction of travel in which it is lost. One way only, it is lost on its sender's leg, so that \
                  `toward` is not needed. Connects do not come about in any case.",
            ..DIRECTION
        },
        FOR,
        Key {
            name: "fidelity",
            ty: Type::Word(&[
                Word {
                    word: "auto",
                    doc: "the truest that still shows when each end gave up: `packet` where a tap sees the dropped \
                          packets (`--tap`) and the machine lets it, else `stall`",
                },
                Word {
                    word: "packet",
                    doc: "what arrives is dropped in the kernel, so that TCP goes unacknowledged; refused, and \
                          said so, where the machine does not let it",
                },
                Word {
                    word: "stall",
                    doc: "bytes are held, and TCP acknowledges until its windows are full; works everywhere",
                },
            ]),
            presence: Presence::Default("auto"),
            doc: "How true to a real blackhole it is to be.",
            example: "stall",
        },
        Key {
            name: "connects",
            ty: Type::Word(&[
                Word {
                    word: "vanish",
                    doc: "their SYNs vanish: all of a listener, where the fault falls on each of its devices; else \
                          those from source addresses at which every device seen so far is in the dark (a socket filter: \
                          takes CAP_NET_ADMIN, holds 2039 addresses of IPv4 or 453 of IPv6; not with `sni` or \
                          `subject`, which a SYN does not show); the rest as `silence`",
                },
                Word {
                    word: "silence",
                    doc: "TCP is accepted, and CONNECT is met with silence until the blackhole ends",
                },
                Word { word: "allow", doc: "new links pass; only links that were up when it began go dark" },
            ]),
            presence: Presence::Default("silence"),
            doc: "What becomes of connects meanwhile.",
            example: "vanish",
        },
    ],
};

static RST: Place = Place {
    name: "rst",
    doc: "The TCP connection is reset, without an MQTT DISCONNECT.",
    one_of: &[],
    keys: &[TOWARD, OTHER],
};

static FIN: Place = Place {
    name: "fin",
    doc: "The TCP connection is closed in order (FIN), without an MQTT DISCONNECT.",
    one_of: &[],
    keys: &[
        TOWARD,
        OTHER,
        Key {
            name: "close_notify",
            ty: Type::Bool,
            presence: Presence::Default("true"),
            doc: "Whether a leg with TLS of brownout's own says close_notify before FIN (RFC 8446 section 6.1); where \
                  TLS is passed through, none can be sent.",
            example: "false",
        },
    ],
};

static STALL: Place = Place {
    name: "stall",
    doc: "Bytes stop for a time and none is lost; TCP acknowledges until its windows are full.",
    one_of: &[],
    keys: &[DIRECTION, FOR],
};

static LATENCY: Place = Place {
    name: "latency",
    doc: "Bytes come later: exactly one of `fixed`, `uniform`, `normal`, `pareto`. Each delay is one way; where \
          both directions are delayed, a round trip takes two.",
    one_of: &["fixed", "uniform", "normal", "pareto"],
    keys: &[FIXED_OR_NONE, UNIFORMLY, NORMALLY, BY_PARETO, JITTER, DIRECTION, FOR_MAYBE],
};

/// The shapes of a delay.
const FIXED: Key = Key {
    name: "fixed",
    ty: Type::Time { zero: false },
    presence: Presence::Optional("another shape is given"),
    doc: "The same delay for all: a long cable, a satellite.",
    example: "300ms",
};
/// Zero is the control of a series of runs whose latency is `--set`.
const FIXED_OR_NONE: Key = Key {
    ty: Type::Time { zero: true },
    doc: "The same delay for all: a long cable, a satellite. 0s is the control of a series: the path as it is.",
    ..FIXED
};
const UNIFORMLY: Key =
    shape("uniform", &UNIFORM, "Every delay between two is as likely.", "{ min: 50ms, max: 200ms }");
const NORMALLY: Key =
    shape("normal", &NORMAL, "Bell-shaped about a mean.", "{ mean: 100ms, deviation: 20ms }");
const BY_PARETO: Key = shape(
    "pareto",
    &PARETO,
    "Mostly short, now and then very long: queues, cellular links.",
    "{ scale: 50ms, shape: 1.5, max: 10s }",
);
const JITTER: Key = Key {
    name: "jitter",
    ty: Type::Time { zero: true },
    presence: Presence::Default("0s"),
    doc: "Each delay is moved by an even draw from minus to plus this, and not below zero.",
    example: "50ms",
};

/// The keys of [`DELAY`], which has no direction of its own: its `what` says that.
pub(super) const DELAY_KEYS: &[Key] = &[FIXED, UNIFORMLY, NORMALLY, BY_PARETO, JITTER, FOR_MAYBE];

const fn shape(name: &'static str, place: &'static Place, doc: &'static str, example: &'static str) -> Key {
    Key { name, ty: Type::One(place), presence: Presence::Optional("another shape is given"), doc, example }
}

static UNIFORM: Place = Place {
    name: "uniform",
    doc: "Every delay between the two is as likely: a poll interval, a radio that wakes up now and then.",
    one_of: &[],
    keys: &[
        time("min", true, "The shortest; not above `max`.", "50ms"),
        time("max", false, "The longest.", "200ms"),
    ],
};

static NORMAL: Place = Place {
    name: "normal",
    doc: "Bell-shaped about a mean: many small causes. A draw below zero counts as zero.",
    one_of: &[],
    keys: &[
        time("mean", false, "The mean.", "100ms"),
        time("deviation", true, "The standard deviation.", "20ms"),
    ],
};

static PARETO: Place = Place {
    name: "pareto",
    doc: "Mostly short, now and then very long. The chance that a delay is longer than `d` is \
          `(scale / d) ^ shape`: of `scale: 50ms, shape: 1.5`, one in 31 is over half a second.",
    one_of: &[],
    keys: &[
        time("scale", false, "The shortest, and the most likely; not above `max`.", "50ms"),
        Key {
            name: "shape",
            ty: Type::Number { most: 100.0 },
            presence: Presence::Required,
            doc: "How fast the tail falls; real links show 1.5 to 3.",
            example: "1.5",
        },
        time("max", false, "The longest: a longer draw counts as this.", "10s"),
    ],
};

const fn time(name: &'static str, zero: bool, doc: &'static str, example: &'static str) -> Key {
    Key { name, ty: Type::Time { zero }, presence: Presence::Required, doc, example }
}

pub(super) const TOWARD: Key = Key {
    name: "toward",
    ty: Type::Word(&[
        Word { word: "device", doc: "the device's leg" },
        Word { word: "hub", doc: "the hub's leg" },
        Word { word: "both", doc: "both legs" },
    ]),
    presence: Presence::Default("both"),
    doc: "The leg that it falls on.",
    example: "device",
};

pub(super) const OTHER: Key = Key {
    name: "other",
    ty: Type::Word(&[
        Word { word: "reset", doc: "RST" },
        Word { word: "close", doc: "FIN" },
        Word { word: "half_open", doc: "nothing: it stays up with nobody behind it, until its end gives up" },
    ]),
    presence: Presence::Default("half_open"),
    doc: "What becomes of the other leg, where `toward` names one.",
    example: "close",
};

pub(super) const DIRECTION: Key = Key {
    name: "direction",
    ty: Type::Word(&[
        Word { word: "up", doc: "device to hub" },
        Word { word: "down", doc: "hub to device" },
        Word { word: "both", doc: "both directions" },
    ]),
    presence: Presence::Default("both"),
    doc: "The direction of travel that it works on.",
    example: "up",
};

/// Holds to the end of the run without it; may stand in `when` too.
pub(super) const FOR_MAYBE: Key = Key {
    name: "for",
    ty: Type::Span { zero: false },
    presence: Presence::Optional("to the end of the run"),
    doc: "How long it holds; stands here or in `when`.",
    example: "10s",
};

/// Required, but may stand in `when` instead: the reader looks there first.
pub(super) const FOR: Key = Key {
    name: "for",
    ty: Type::Span { zero: false },
    presence: Presence::Optional("`for` stands in `when`"),
    doc: "How long it holds; stands here or in `when`.",
    example: "1.5 keepalive + 10s",
};
