//! The language, once: every key of every place. The reader, the nearest names, the reference and the JSON Schema
//! are all made from this table, so that no key can be in one and not in the other.

mod examples;
mod faults;
mod json;
mod links;
mod mqtt;
mod packets;
mod reference;
mod suite;
mod table;
mod tls;

pub use examples::fault_examples;
pub(super) use examples::{WHOLE, whole_rule};
pub(super) use faults::FAULT;
pub use json::json_schema;
pub(super) use packets::{PACKET_FAULTS, WHAT};
pub use reference::reference;
pub(super) use suite::SUITE;
pub(super) use table::{PROFILE, RULE, SEQUENCE, WHEN, WHO};

use super::codes::DISCONNECTS;
use super::metric::Metric;
use crate::azure::Code;
use crate::mqtt::PacketKind;
use crate::tls::Alert;

/// A place where keys may stand.
pub(super) struct Place {
    /// The key that leads there, or a word for it.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [Key],
    /// Keys of which exactly one stands there; empty where there is no such choice.
    pub one_of: &'static [&'static str],
}

/// A key of a place.
pub(super) struct Key {
    /// As it is written. [`PERCENTILE`] stands for every `p50`, `p99.9` and so on.
    pub name: &'static str,
    pub ty: Type,
    pub presence: Presence,
    /// What it says, in one sentence.
    pub doc: &'static str,
    /// A value as it could stand in a profile.
    pub example: &'static str,
}

/// The key that stands for every percentile.
pub(super) const PERCENTILE: &str = "pNN";

/// Whether a key has to be there, and what holds where it is not.
pub(super) enum Presence {
    Required,
    /// The value that it then has, as it would be written.
    Default(&'static str),
    /// What then holds, in words.
    Optional(&'static str),
}

/// What may stand as a value.
pub(super) enum Type {
    /// The version of the language: 1.
    Language,
    /// Lower-case letters, digits and dashes.
    Name,
    /// Any text that is not empty.
    Sentence,
    /// A text with `*` and `?`.
    Glob,
    /// A file or a directory.
    Path,
    /// A host name or an IP address, without a port.
    Host,
    /// `true` or `false`.
    Bool,
    /// A TLS alert by name or number.
    Alert,
    /// A reason code of DISCONNECT by word or number.
    Reason,
    /// A return or reason code by number: 0 to 255.
    Code,
    /// An error code of Azure IoT Hub.
    AzureCode,
    /// A topic filter [section 4.7].
    Filter,
    /// A topic name [section 4.7].
    Topic,
    /// Any text, an empty one too.
    Text,
    /// Bytes in hexadecimal.
    Hex,
    /// A data rate.
    Rate,
    /// A time in whole seconds, as MQTT says keep-alives.
    Seconds { zero: bool },
    /// Host and port.
    Address { port_zero: bool },
    /// A network in CIDR form, or one address.
    Network,
    /// One of these words.
    Word(&'static [Word]),
    /// A packet type, in lower case.
    Packet,
    /// A fixed time.
    Time { zero: bool },
    /// A time, also in keep-alives.
    Span { zero: bool },
    /// A whole number from 1.
    Count { most: u32 },
    /// A whole number from 0.
    Offset { most: u32 },
    /// A number above 0.
    Number { most: f64 },
    /// A probability or a share.
    Chance,
    /// The `id` of a rule.
    Rule,
    /// The `name` of a listener.
    Listener,
    /// A measure.
    Metric,
    /// A comparison with a limit.
    Limit,
    /// A list of such values; only suites have any.
    List { of: &'static Type, most: usize },
    /// A mapping with the keys of a place.
    One(&'static Place),
    /// A list of such.
    Many { place: &'static Place, most: usize },
}

/// A word that may stand, and what it says.
pub(super) struct Word {
    pub word: &'static str,
    pub doc: &'static str,
}

impl Place {
    /// What it is called in messages: `` `blackhole` ``, or `this rule` for an item of a list.
    pub(super) fn called(&self) -> String {
        match self.name {
            "profile" => "the profile".into(),
            "listeners" => "this listener".into(),
            "rules" => "this rule".into(),
            "expect" => "this expectation".into(),
            "suite" => "the suite".into(),
            "entries" => "this entry".into(),
            name => format!("`{name}`"),
        }
    }

    /// The key that a name stands for.
    pub(super) fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.is(name))
    }

    /// The names of its keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Key {
    /// Whether a name as written means this key.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name || (self.name == PERCENTILE && percentile(name).is_some())
    }

    pub(super) fn is_required(&self) -> bool {
        matches!(self.presence, Presence::Required)
    }
}

/// The percentage of a key such as `p50` or `p99.9`: above 0, at most 100.
pub(super) fn percentile(name: &str) -> Option<f64> {
    percent(name).filter(|percent| *percent > 0.0 && *percent <= 100.0)
}

/// The number of a key that is written as a percentile is, whether or not there is such a one: `p101`.
pub(super) fn percent(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    digits.parse().ok().filter(|_| plain)
}

impl Type {
    /// What may stand, for messages: `takes a time with its unit, such as ...`.
    pub(super) fn words(&self) -> String {
        match self {
            Type::Language => "1, the version of the language".into(),
            Type::Name => "a name of lower-case letters, digits and dashes".into(),
            Type::Sentence => "a text".into(),
            Type::Glob => "a text in which `*` stands for any characters and `?` for one".into(),
            Type::Path => "a path, absolute or from the current directory".into(),
            Type::Host => "a host name or an IP address".into(),
            Type::Bool => "`true` or `false`".into(),
            Type::Alert => {
                "a TLS alert by its name, such as `handshake_failure`, or by its number, 0 to 255".into()
            }
            Type::Reason => {
                "a reason code of DISCONNECT by its word, such as `server_shutting_down`, or by its number, 0 to 255 or \
                 0x00 to 0xff"
                    .into()
            }
            Type::Code => "a number from 0 to 255, also as 0x00 to 0xff".into(),
            Type::AzureCode => format!("one of {}", azure_codes()),
            Type::Filter => "a topic filter, in which `+` stands for one level and `#` for all that follow".into(),
            Type::Topic => "a topic name, without wildcards".into(),
            Type::Text => "a text, which may be empty".into(),
            Type::Hex => "bytes in hexadecimal, such as \"d0 00\"".into(),
            Type::Rate => "a rate such as `64kbit/s` or `16kB/s`, at most 100Gbit/s".into(),
            Type::Seconds { zero: true } => "a time in whole seconds, 0s to 65535s".into(),
            Type::Seconds { zero: false } => "a time in whole seconds, 1s to 65535s".into(),
            Type::Address { port_zero: true } => "an address and port; port 0 takes a free one".into(),
            Type::Address { port_zero: false } => "a host and port".into(),
            Type::Network => "a network such as `10.0.0.0/8`, or one address".into(),
            Type::Word(_) | Type::Packet => format!("one of {}", code_list(self.choices())),
            Type::Time { zero: true } => "a time with its unit".into(),
            Type::Time { zero: false } => "a time with its unit, above 0".into(),
            Type::Span { zero: true } => "a time with its unit, keep-alives, or both".into(),
            Type::Span { zero: false } => "a time with its unit, keep-alives, or both, above 0".into(),
            Type::Count { most } => format!("a whole number from 1 to {most}"),
            Type::Offset { most } => format!("a whole number from 0 to {most}"),
            Type::Number { most } => format!("a number above 0, up to {most}"),
            Type::Chance => "0% to 100%, or a number from 0 to 1; above 0".into(),
            Type::Rule => "the `id` of a rule".into(),
            Type::Listener => "the `name` of a listener".into(),
            Type::Metric => "a measure".into(),
            Type::List { of, most } => format!("a list, at most {most}, each {}", of.words()),
            Type::Limit => "a comparison (`<=`, `<`, `>=`, `>`, `==`) and a limit".into(),
            Type::One(place) => format!("a mapping of the keys of `{}`", place.name),
            Type::Many { place, most } => format!("a list of {}, at most {most}", place.name),
        }
    }

    /// The words that may stand, where only some may.
    pub(super) fn choices(&self) -> Vec<String> {
        match self {
            Type::Word(words) => words.iter().map(|word| word.word.to_owned()).collect(),
            Type::Packet => PacketKind::ALL.into_iter().map(PacketKind::word).collect(),
            Type::Metric => Metric::ALL.iter().map(|metric| metric.name().to_owned()).collect(),
            Type::Bool => vec!["true".into(), "false".into()],
            Type::Alert => Alert::ALL.iter().map(Alert::to_string).collect(),
            Type::Reason => DISCONNECTS.into_iter().map(|(word, _)| word.to_owned()).collect(),
            Type::AzureCode => Code::ALL.into_iter().map(|code| code.number().to_string()).collect(),
            Type::Code
            | Type::Filter
            | Type::Topic
            | Type::Text
            | Type::Hex
            | Type::Rate
            | Type::Seconds { .. }
            | Type::Language
            | Type::Name
            | Type::Sentence
            | Type::Glob
            | Type::Path
            | Type::Host
            | Type::Address { .. }
            | Type::Network
            | Type::Time { .. }
            | Type::Span { .. }
            | Type::Count { .. }
            | Type::Offset { .. }
            | Type::Number { .. }
            | Type::Chance
            | Type::Rule
            | Type::Listener
            | Type::Limit
            | Type::List { .. }
            | Type::One(_)
            | Type::Many { .. } => Vec::new(),
        }
    }

    /// The place that the value is made of, where it has keys of its own.
    pub(super) fn place(&self) -> Option<&'static Place> {
        match self {
            Type::One(place) | Type::Many { place, .. } => Some(place),
            Type::Language
            | Type::Name
            | Type::Sentence
            | Type::Glob
            | Type::Path
            | Type::Host
            | Type::Bool
            | Type::Alert
            | Type::Reason
            | Type::Code
            | Type::AzureCode
            | Type::Filter
            | Type::Topic
            | Type::Text
            | Type::Hex
            | Type::Rate
            | Type::Seconds { .. }
            | Type::Address { .. }
            | Type::Network
            | Type::Word(_)
            | Type::Packet
            | Type::Time { .. }
            | Type::Span { .. }
            | Type::Count { .. }
            | Type::Offset { .. }
            | Type::Number { .. }
            | Type::Chance
            | Type::Rule
            | Type::Listener
            | Type::Metric
            | Type::List { .. }
            | Type::Limit => None,
        }
    }
}

/// Every place, each once, the outer before the inner.
pub(super) fn places() -> Vec<&'static Place> {
    places_from(&PROFILE)
}

/// Every place of a suite's file, from the outside in.
pub(super) fn suite_places() -> Vec<&'static Place> {
    places_from(&SUITE)
}

fn places_from(outermost: &'static Place) -> Vec<&'static Place> {
    let mut found: Vec<&'static Place> = vec![outermost];
    let mut next = 0;
    while let Some(place) = found.get(next).copied() {
        for inner in place.keys.iter().filter_map(|key| key.ty.place()) {
            if !found.iter().any(|known| std::ptr::eq(*known, inner)) {
                found.push(inner);
            }
        }
        next += 1;
    }
    found
}

/// Each error code of Azure IoT Hub with its name.
fn azure_codes() -> String {
    let named = Code::ALL.into_iter().map(|code| format!("{} ({})", code.number(), code.name()));
    named.collect::<Vec<_>>().join(", ")
}

/// `a`, `b`, `c`
pub(super) fn code_list(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}
