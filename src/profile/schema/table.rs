//! The table: the profile, its listeners, rules, conditions and expectations.

use super::faults::FAULT;
use super::packets::WHAT;
use super::tls::TLS;
use super::{Key, PERCENTILE, Place, Presence, Type, Word};
use crate::profile::strictness::Strictness;

/// The most rules of a profile.
pub(in crate::profile) const MOST_RULES: usize = 1000;

/// The whole profile.
pub(in crate::profile) static PROFILE: Place = Place {
    name: "profile",
    doc: "A profile is one YAML document of at most 1 MiB.",
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
            doc: "The profile's name, as reports show it.",
            example: "keepalive-blackhole",
        },
        Key {
            name: "summary",
            ty: Type::Sentence,
            presence: Presence::Required,
            doc: "What the profile does, in one sentence.",
            example: "The path goes dark for longer than the keep-alive.",
        },
        Key {
            name: "reproduces",
            ty: Type::Sentence,
            presence: Presence::Optional("nothing is said"),
            doc: "The symptom of the field that the profile brings about.",
            example: "\"Azure IoT Hub error 404104, cause 2a: connectivity lost for longer than the MQTT keep-alive\"",
        },
        Key {
            name: "listeners",
            ty: Type::Many { place: &LISTENER, most: 100 },
            presence: Presence::Optional("the command line says where to listen"),
            doc: "Where devices connect, and where that leads.",
            example: "[{ name: main, listen: \"127.0.0.1:1883\", upstream: \"broker:1883\" }]",
        },
        Key {
            name: "devices",
            ty: Type::Count { most: 1_000_000 },
            presence: Presence::Default("1"),
            doc: "How many devices must have been seen before the run can be through.",
            example: "4",
        },
        Key {
            name: "default_keepalive",
            ty: Type::Time { zero: false },
            presence: Presence::Default("60s"),
            doc: "The keep-alive that spans are reckoned with for a device that has none (keep-alive 0).",
            example: "60s",
        },
        Key {
            name: "settle",
            ty: Type::Span { zero: true },
            presence: Presence::Default("1 keepalive + 10s"),
            doc: "How long to watch on after the last path was restored, so that recovery is seen.",
            example: "1 keepalive + 10s",
        },
        Key {
            name: "duration",
            ty: Type::Time { zero: false },
            presence: Presence::Optional("the run ends when it is through"),
            doc: "The longest that the run may last.",
            example: "5m",
        },
        Key {
            name: "server_keepalive",
            ty: Type::Seconds { zero: false },
            presence: Presence::Optional("each device's own"),
            doc: "The keep-alive that both ends are told in the place of the device's: the hub in CONNECT, the device in \
                  the CONNACK of MQTT 5. A device before MQTT 5 cannot be told, and keeps its own. It makes runs short, \
                  and it changes what is tested.",
            example: "4s",
        },
        Key {
            name: "sequence",
            ty: Type::One(&SEQUENCE),
            presence: Presence::Optional("gaps are not looked for"),
            doc: "Where the application's own sequence number stands in payloads: it tells of messages that vanished \
                  where brownout cannot see.",
            example: "{ json: /seq }",
        },
        Key {
            name: "strictness",
            ty: Type::Word(STRICTNESSES),
            presence: Presence::Optional("`standard`, and findings do not change the exit code"),
            doc: "What devices and hub are judged by, beside the expectations. Where it is given, a class of findings that \
                  fails makes the run fail.",
            example: "azure",
        },
        Key {
            name: "rules",
            ty: Type::Many { place: &RULE, most: MOST_RULES },
            presence: Presence::Optional("nothing is broken: brownout only watches"),
            doc: "What is broken, when, and for whom.",
            example: "[{ id: cut, when: { after: connack, delay: 5s }, fault: { rst: {} } }]",
        },
        Key {
            name: "expect",
            ty: Type::Many { place: &EXPECT, most: MOST_RULES },
            presence: Presence::Optional("the run passes whatever is measured"),
            doc: "What the measures are expected to be; one that no sample speaks to is unmet.",
            example: "[{ metric: recovery, p95: \"<= 30s\" }]",
        },
    ],
};

/// Where numbers stand in payloads.
pub(in crate::profile) static SEQUENCE: Place = Place {
    name: "sequence",
    doc: "A number that grows by one with each message of a topic. The first 4 KiB of a payload are looked at, and \
          numbers are followed for each device, direction and topic (256 topics at most) from one link to the next. One that \
          comes late closes its gap for 5 s. A device that begins with 0 or 1 on a new link counts anew.",
    one_of: &["json", "regex", "byte"],
    keys: &[
        Key {
            name: "json",
            ty: Type::Sentence,
            presence: Presence::Optional("see `regex` and `byte`"),
            doc: "A JSON pointer (RFC 6901) to the number, which may also stand in quotes.",
            example: "/seq",
        },
        Key {
            name: "regex",
            ty: Type::Sentence,
            presence: Presence::Optional("see `json` and `byte`"),
            doc: "A regular expression whose first group is the number in decimal; `\\d` and the like are of ASCII.",
            example: "'seq=(\\d+)'",
        },
        Key {
            name: "byte",
            ty: Type::Offset { most: 4095 },
            presence: Presence::Optional("see `json` and `regex`"),
            doc: "How many bytes of the payload stand before the number, an unsigned integer in binary.",
            example: "4",
        },
        Key {
            name: "width",
            ty: Type::Count { most: 8 },
            presence: Presence::Default("4"),
            doc: "With `byte`: how many bytes the number has; after its greatest value it begins with 0.",
            example: "2",
        },
        Key {
            name: "order",
            ty: Type::Word(&[
                Word { word: "big", doc: "the greatest byte first" },
                Word { word: "little", doc: "the smallest byte first" },
            ]),
            presence: Presence::Default("big"),
            doc: "With `byte`: the order of its bytes.",
            example: "little",
        },
        Key {
            name: "topic",
            ty: Type::Filter,
            presence: Presence::Optional("every topic"),
            doc: "Only messages whose topic this filter matches (section 4.7) have a number.",
            example: "\"telemetry/#\"",
        },
    ],
};

const STRICTNESSES: &[Word] = &[
    Word { word: Strictness::Standard.word(), doc: "what a careful engineer would mind, on any hub" },
    Word { word: Strictness::Strict311.word(), doc: "the MUSTs of MQTT 3.1.1" },
    Word { word: Strictness::Strict5.word(), doc: "the MUSTs of MQTT 5.0" },
    Word { word: Strictness::Azure.word(), doc: "what Azure IoT Hub minds" },
    Word { word: Strictness::DeviceAdvisor.word(), doc: "what AWS IoT Core Device Advisor minds" },
];

static LISTENER: Place = Place {
    name: "listeners",
    doc: "Where devices connect, and where that leads.",
    one_of: &[],
    keys: &[
        Key {
            name: "name",
            ty: Type::Name,
            presence: Presence::Required,
            doc: "The name by which `who` can mean this listener.",
            example: "main",
        },
        Key {
            name: "listen",
            ty: Type::Address { port_zero: true },
            presence: Presence::Required,
            doc: "The address and port to listen on.",
            example: "\"127.0.0.1:1883\"",
        },
        Key {
            name: "upstream",
            ty: Type::Address { port_zero: false },
            presence: Presence::Required,
            doc: "The host and port of the hub.",
            example: "\"broker:1883\"",
        },
        Key {
            name: "tls",
            ty: Type::One(&TLS),
            presence: Presence::Optional("no TLS"),
            doc: "Where TLS begins and ends.",
            example: "{ mode: terminate, ca: brownout-ca }",
        },
    ],
};

/// A rule.
pub(in crate::profile) static RULE: Place = Place {
    name: "rules",
    doc: "A rule says on whom (`who`) and when (`when`) a fault falls, and on which packets (`what`) where it is \
          one of packets. Each time it does is a firing.",
    one_of: &[],
    keys: &[
        Key {
            name: "id",
            ty: Type::Name,
            presence: Presence::Required,
            doc: "The rule's name: in reports, in `of`, and in `--set id.key=value`.",
            example: "dark",
        },
        Key {
            name: "who",
            ty: Type::One(&WHO),
            presence: Presence::Optional("every device"),
            doc: "On whom the fault may fall; every condition given must hold.",
            example: "{ client: \"sensor-*\", share: 30% }",
        },
        Key {
            name: "when",
            ty: Type::One(&WHEN),
            presence: Presence::Optional("a fault that holds begins with the run; one of a moment needs it"),
            doc: "When the rule fires.",
            example: "{ after: connack, delay: 5s, times: 3 }",
        },
        Key {
            name: "what",
            ty: Type::One(&WHAT),
            presence: Presence::Optional("every packet, for a fault of packets"),
            doc: "Which packets a fault of packets falls on.",
            example: "{ packet: puback, direction: down }",
        },
        CHANCE,
        Key {
            name: "fault",
            ty: Type::One(&FAULT),
            presence: Presence::Required,
            doc: "What is done: one fault.",
            example: "{ blackhole: { for: 1.5 keepalive + 10s } }",
        },
        Key {
            name: "logged_as",
            ty: Type::AzureCode,
            presence: Presence::Optional("as the wire tells"),
            doc: "As what Azure IoT Hub would log a link that it ends or a connect that it refuses.",
            example: "404104",
        },
    ],
};

/// On whom.
pub(in crate::profile) static WHO: Place = Place {
    name: "who",
    doc: "Every condition that is given must hold. Without any, every device is meant.",
    one_of: &[],
    keys: &[
        Key {
            name: "client",
            ty: Type::Glob,
            presence: Presence::Optional("any"),
            doc: "The client identifier.",
            example: "\"sensor-*\"",
        },
        Key {
            name: "username",
            ty: Type::Glob,
            presence: Presence::Optional("any, or none"),
            doc: "The user name; a device without one is not meant.",
            example: "\"plant-7/*\"",
        },
        Key {
            name: "address",
            ty: Type::Network,
            presence: Presence::Optional("any"),
            doc: "The network that the device's address lies in.",
            example: "10.0.0.0/8",
        },
        Key {
            name: "version",
            ty: Type::Word(VERSIONS),
            presence: Presence::Optional("any"),
            doc: "The MQTT version of its CONNECT.",
            example: "3.1.1",
        },
        Key {
            name: "listener",
            ty: Type::Listener,
            presence: Presence::Optional("any"),
            doc: "The listener that the device came to.",
            example: "main",
        },
        Key {
            name: "sni",
            ty: Type::Glob,
            presence: Presence::Optional("any, or none"),
            doc: "The server name that the device's TLS asks for (SNI); a device that asks for none is not meant.",
            example: "\"*.eu.example.com\"",
        },
        Key {
            name: "subject",
            ty: Type::Glob,
            presence: Presence::Optional("any, or none"),
            doc: "The subject of the certificate that the device presents, as RFC 4514 writes it; a device without one \
                  is not meant.",
            example: "\"CN=sensor-*,O=Plant\"",
        },
        Key {
            name: "share",
            ty: Type::Chance,
            presence: Presence::Default("100%"),
            doc: "This share of the devices, drawn once for each device and rule.",
            example: "30%",
        },
    ],
};

const VERSIONS: &[Word] = &[
    Word { word: "3.1", doc: "MQTT 3.1" },
    Word { word: "3.1.1", doc: "MQTT 3.1.1" },
    Word { word: "5", doc: "MQTT 5.0" },
];

/// When.
pub(in crate::profile) static WHEN: Place = Place {
    name: "when",
    doc: "Either on the run's clock, for all devices at once (`at`, `every`), or on each device's own, after a \
          packet of its link (`after`).",
    one_of: &[],
    keys: &[
        Key {
            name: "at",
            ty: Type::Time { zero: true },
            presence: Presence::Optional("with `every`: the first firing is one `every` after the beginning"),
            doc: "The time of the first firing, from the beginning of the run.",
            example: "10s",
        },
        Key {
            name: "every",
            ty: Type::Time { zero: false },
            presence: Presence::Optional("the rule fires once"),
            doc: "From one firing to the next. Those whose time passed while brownout itself was held up are not made up for: the last of them is made, the others are skipped, and told.",
            example: "30s",
        },
        Key {
            name: "jitter",
            ty: Type::Time { zero: true },
            presence: Presence::Default("0s"),
            doc: "Each firing after the first is moved by up to this much, either way; less than `every`.",
            example: "5s",
        },
        Key {
            name: "after",
            ty: Type::Packet,
            presence: Presence::Optional("the rule is on the run's clock"),
            doc: "The type of packet, either way, on the device's own link.",
            example: "connack",
        },
        Key {
            name: "nth",
            ty: Type::Count { most: 1_000_000 },
            presence: Presence::Default("1"),
            doc: "With `after`: which packet of that type on the link, counted from 1.",
            example: "2",
        },
        Key {
            name: "delay",
            ty: Type::Span { zero: true },
            presence: Presence::Default("0s"),
            doc: "With `after`: how long after that packet.",
            example: "5s",
        },
        Key {
            name: "times",
            ty: Type::Count { most: 1_000_000 },
            presence: Presence::Optional(
                "with `after` once for each device; with `every` as long as the run lasts",
            ),
            doc: "How often at most: with `after` for each device, with `every` in all, skipped ones among them.",
            example: "3",
        },
        Key {
            name: "for",
            ty: Type::Span { zero: false },
            presence: Presence::Optional("`for` stands in the fault"),
            doc: "How long the fault holds; the same as `for` in the fault.",
            example: "1.5 keepalive + 10s",
        },
        CHANCE,
    ],
};

/// May stand in `when` or beside it.
const CHANCE: Key = Key {
    name: "chance",
    ty: Type::Chance,
    presence: Presence::Optional("100%"),
    doc: "Whether a firing falls on a device: drawn for each device and firing; stands in `when` or beside it.",
    example: "50%",
};

static EXPECT: Place = Place {
    name: "expect",
    doc: "A measure, and what its samples are expected to be: at least one statistic. An expectation that no \
          sample speaks to is unmet. A limit is a span for measures of time, where keep-alives are those of the \
          sample's own device, and a number for measures that count and for `count`.",
    one_of: &[],
    keys: &[
        Key {
            name: "metric",
            ty: Type::Metric,
            presence: Presence::Required,
            doc: "The measure.",
            example: "recovery",
        },
        Key {
            name: "of",
            ty: Type::Rule,
            presence: Presence::Optional("all samples"),
            doc: "Only samples of this rule's fault windows.",
            example: "dark",
        },
        Key {
            name: "client",
            ty: Type::Glob,
            presence: Presence::Optional("all devices"),
            doc: "Only samples of devices with such a client identifier.",
            example: "\"careful*\"",
        },
        statistic("min", "The smallest sample.", "\">= 1s\""),
        statistic("max", "The greatest sample.", "\"<= 2 keepalive + 1s\""),
        statistic("p50", "The median.", "\"<= 5s\""),
        statistic("p75", "What three of four samples do not exceed.", "\"<= 5s\""),
        statistic("p90", "What nine of ten samples do not exceed.", "\"<= 10s\""),
        statistic("p95", "What 95 of 100 samples do not exceed.", "\"<= 1.5 keepalive\""),
        statistic("p99", "What 99 of 100 samples do not exceed.", "\"<= 30s\""),
        statistic(PERCENTILE, "Any other percentile, such as `p99.9`.", "\"<= 30s\""),
        statistic("sum", "All samples added.", "\"<= 5m\""),
        statistic("count", "How many samples there are.", "\">= 4\""),
    ],
};

const fn statistic(name: &'static str, doc: &'static str, example: &'static str) -> Key {
    Key { name, ty: Type::Limit, presence: Presence::Optional("not looked at"), doc, example }
}
