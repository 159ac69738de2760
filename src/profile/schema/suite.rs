//! The table of suite files: a set of profiles for one client, and what it does meanwhile.

use super::packets::QOS;
use super::{Key, Place, Presence, Type, Word};

/// The most entries of a suite: at 3 workloads each, and 16 at once, far more than anybody waits for.
const MOST_ENTRIES: usize = 200;

/// The most overrides of an entry.
const MOST_SETS: usize = 100;

/// What a client does.
pub(in crate::profile) const WORKLOADS: &[Word] = &[
    Word { word: "idle", doc: "it stays connected, and does nothing else" },
    Word { word: "pub", doc: "it publishes faster than its keep-alive" },
    Word { word: "sub", doc: "it subscribes to a topic that is busier than its keep-alive" },
];

const NEEDS: &[Word] = &[Word { word: "mqtt5", doc: "a client that speaks MQTT 5" }];

/// A whole suite.
pub(in crate::profile) static SUITE: Place = Place {
    name: "suite",
    doc: "A suite is one YAML document of at most 1 MiB.",
    one_of: &[],
    keys: &[
        Key {
            name: "brownout",
            ty: Type::Language,
            presence: Presence::Required,
            doc: "The version of the profile language.",
            example: "1",
        },
        Key {
            name: "name",
            ty: Type::Name,
            presence: Presence::Required,
            doc: "The suite's name, as the scorecard shows it.",
            example: "client",
        },
        Key {
            name: "summary",
            ty: Type::Sentence,
            presence: Presence::Required,
            doc: "What the suite is for, in one sentence.",
            example: "What breaks real clients.",
        },
        Key {
            name: "keepalive",
            ty: Type::Seconds { zero: false },
            presence: Presence::Default("4s"),
            doc: "The keep-alive that the client is told to use.",
            example: "4s",
        },
        Key {
            name: "workloads",
            ty: Type::List { of: &Type::Word(WORKLOADS), most: 3 },
            presence: Presence::Optional("all three"),
            doc: "What the client does, of entries that do not say it themselves.",
            example: "[idle, pub]",
        },
        Key {
            name: "qos",
            ty: Type::Word(QOS),
            presence: Presence::Default("1"),
            doc: "The quality of service of messages, of entries that do not say it themselves.",
            example: "1",
        },
        Key {
            name: "interval",
            ty: Type::Span { zero: false },
            presence: Presence::Default("0.25 keepalive"),
            doc: "The time from one message to the next; shorter than the keep-alive.",
            example: "1s",
        },
        Key {
            name: "limit",
            ty: Type::Span { zero: false },
            presence: Presence::Default("20 keepalive + 60s"),
            doc: "The longest that a run may last, of profiles without a `duration`.",
            example: "2m",
        },
        Key {
            name: "entries",
            ty: Type::Many { place: &ENTRY, most: MOST_ENTRIES },
            presence: Presence::Required,
            doc: "The profiles, in the order of the scorecard.",
            example: "[{ profile: lost-pingresp, workloads: [idle] }]",
        },
    ],
};

/// One entry.
static ENTRY: Place = Place {
    name: "entries",
    doc: "A profile, and with which workloads it is run.",
    one_of: &[],
    keys: &[
        Key {
            name: "profile",
            ty: Type::Sentence,
            presence: Presence::Required,
            doc: "The name of a shipped profile, or a file, from the current directory.",
            example: "lost-pingresp",
        },
        Key {
            name: "name",
            ty: Type::Name,
            presence: Presence::Optional("that of the profile"),
            doc: "What the entry is called in the scorecard; entries of one profile need it.",
            example: "way-up-dead",
        },
        Key {
            name: "set",
            ty: Type::List { of: &Type::Sentence, most: MOST_SETS },
            presence: Presence::Optional("the profile as it is"),
            doc: "Values in the place of the profile's, as with `--set`.",
            example: "[\"dark.delay=1s\"]",
        },
        Key {
            name: "duration",
            ty: Type::Span { zero: false },
            presence: Presence::Optional("that of the profile"),
            doc: "How long a run lasts; unlike the profile's own, it may count in keep-alives.",
            example: "7 keepalive",
        },
        Key {
            name: "workloads",
            ty: Type::List { of: &Type::Word(WORKLOADS), most: 3 },
            presence: Presence::Optional("those of the suite"),
            doc: "What the client does: a run for each.",
            example: "[pub]",
        },
        Key {
            name: "qos",
            ty: Type::Word(QOS),
            presence: Presence::Optional("that of the suite"),
            doc: "The quality of service of messages.",
            example: "0",
        },
        Key {
            name: "needs",
            ty: Type::Word(NEEDS),
            presence: Presence::Optional("any client"),
            doc: "What the client has to be; the entry says nothing of others.",
            example: "mqtt5",
        },
    ],
};
