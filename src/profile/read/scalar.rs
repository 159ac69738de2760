//! One scalar held against its type.

mod protocol;

use crate::azure::Code;
use crate::base::span::{BadSpan, LONGEST, parse_fixed};
use crate::base::text::printable;
use crate::base::{Chance, Rate, Span};
use crate::mqtt::PacketKind;
use crate::mqtt::topic::{check_filter, check_name};
use crate::profile::address::{BadAddress, check_host, check_listen, check_upstream};
use crate::profile::codes::byte;
use crate::profile::metric::Metric;
use crate::profile::nearest::nearest;
use crate::profile::node::{Kind, Node};
use crate::profile::plan::{Comparison, Network};
use crate::profile::schema::{Type, Word};
use crate::tls::Alert;
use protocol::{azure_code, hex, rate, reason, seconds, topic};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A sound value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Word(&'static str),
    Bool(bool),
    Alert(Alert),
    /// A return or reason code.
    Code(u8),
    AzureCode(Code),
    Bytes(Vec<u8>),
    Rate(Rate),
    /// Whole seconds.
    Seconds(u16),
    Packet(PacketKind),
    Network(Network),
    Time(Duration),
    Span(Span),
    Count(u32),
    Number(f64),
    Chance(Chance),
    Metric(Metric),
    Limit(Comparison, String),
}

/// What is wrong with a value, and what to do.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub message: String,
    pub label: String,
    pub help: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Wrong {
        Wrong { message: message.into(), label: String::new(), help: None }
    }

    fn label(self, label: impl Into<String>) -> Wrong {
        Wrong { label: label.into(), ..self }
    }

    fn help(self, help: impl Into<String>) -> Wrong {
        Wrong { help: Some(help.into()), ..self }
    }
}

/// The leading bits of an IPv4 address written as IPv6 that are not of the address (RFC 4291 section 2.5.5.2).
const MAPPED: u8 = 96;

/// Longer names are hardly meant, and spoil every table.
const LONGEST_NAME: usize = 64;

/// The value of a key of this type. `name` is the key's.
pub(super) fn scalar(name: &str, ty: &Type, node: &Node) -> Result<Scalar, Wrong> {
    let Some(text) = node.scalar().map(str::trim).filter(|_| node.kind != Kind::Null) else {
        return Err(Wrong::new(format!("`{name}` takes {}, not {}", ty.words(), node.what())));
    };
    match ty {
        Type::Language => language(text),
        Type::Name => plain_name(text),
        Type::Bool => truth(name, text),
        Type::Alert => alert(name, text),
        Type::Reason => reason(name, text),
        Type::Code => byte(text)
            .map(Scalar::Code)
            .ok_or_else(|| Wrong::new(format!("`{name}` takes {}, not `{text}`", ty.words()))),
        Type::AzureCode => azure_code(name, text),
        Type::Filter => plain_text(name, ty, node).and_then(|filter| topic(name, filter, check_filter)),
        Type::Topic => plain_text(name, ty, node).and_then(|topic_name| topic(name, topic_name, check_name)),
        Type::Text => any_text(name, ty, node),
        Type::Hex => plain_text(name, ty, node).and_then(|_| hex(name, text)),
        Type::Rate => rate(name, text),
        Type::Seconds { zero } => seconds(name, *zero, text),
        Type::Host => sound(text, check_host(text)),
        Type::Sentence | Type::Glob | Type::Path => plain_text(name, ty, node),
        Type::Rule | Type::Listener => plain_text(name, ty, node).map(|_| Scalar::Text(text.to_owned())),
        Type::Address { port_zero } => address(text, *port_zero),
        Type::Network => network(text).map(Scalar::Network),
        Type::Word(words) => word(name, words, text),
        Type::Packet => packet(name, text),
        Type::Time { zero } => time(name, *zero, text),
        Type::Span { zero } => span(name, *zero, text),
        Type::Count { most } => count(name, 1..=*most, ty, node),
        Type::Offset { most } => count(name, 0..=*most, ty, node),
        Type::Number { most } => number(name, *most, ty, node),
        Type::Chance => chance(name, text),
        Type::Metric => metric(text),
        Type::Limit => limit(text),
        Type::One(_) | Type::Many { .. } | Type::List { .. } => {
            Err(Wrong::new(format!("`{name}` takes {}, not `{text}`", ty.words())))
        }
    }
}

fn language(text: &str) -> Result<Scalar, Wrong> {
    if text == "1" {
        return Ok(Scalar::Count(1));
    }
    Err(Wrong::new(format!("version `{text}` of the profile language is not known"))
        .help("this brownout reads version 1: write `brownout: 1`"))
}

fn plain_name(text: &str) -> Result<Scalar, Wrong> {
    let sound = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if sound && !text.is_empty() && text.len() <= LONGEST_NAME {
        return Ok(Scalar::Text(text.to_owned()));
    }
    Err(Wrong::new(format!("`{text}` is not a name"))
        .help(format!("a name is 1 to {LONGEST_NAME} lower-case letters, digits and dashes")))
}

/// As it stands there, with its spaces; not of spaces alone.
fn plain_text(name: &str, ty: &Type, node: &Node) -> Result<Scalar, Wrong> {
    match &node.kind {
        Kind::Text(text) if !text.trim().is_empty() => Ok(Scalar::Text(text.clone())),
        Kind::Text(_) => Err(Wrong::new(format!("`{name}` is empty; it takes {}", ty.words()))),
        // It may be written otherwise than it is quoted here: `1.10`, `0x1f`.
        Kind::Number { .. } => Err(Wrong::new(format!("`{name}` takes {}, not {}", ty.words(), node.what()))
            .help("if a text is meant, put it in quotes as it stands there")),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => {
            Err(Wrong::new(format!("`{name}` takes {}, not {}", ty.words(), node.what())))
        }
    }
}

fn address(text: &str, port_zero: bool) -> Result<Scalar, Wrong> {
    sound(text, if port_zero { check_listen(text) } else { check_upstream(text) })
}

fn sound(text: &str, checked: Result<(), BadAddress>) -> Result<Scalar, Wrong> {
    checked.map(|()| Scalar::Text(text.to_owned())).map_err(|bad| {
        let told = bad.to_string();
        let (message, help) = told.split_once("; ").unwrap_or((&told, "write host:port"));
        Wrong::new(message).help(help)
    })
}

/// What YAML 1.1 called a boolean is a text in YAML 1.2.
fn truth(name: &str, text: &str) -> Result<Scalar, Wrong> {
    match text {
        "true" => Ok(Scalar::Bool(true)),
        "false" => Ok(Scalar::Bool(false)),
        "yes" | "on" | "True" | "TRUE" => Err(not_a_word(name, text, Some("true"), &Type::Bool)),
        "no" | "off" | "False" | "FALSE" => Err(not_a_word(name, text, Some("false"), &Type::Bool)),
        _ => Err(not_a_word(name, text, None, &Type::Bool)),
    }
}

fn alert(name: &str, text: &str) -> Result<Scalar, Wrong> {
    text.parse().map(Scalar::Alert).map_err(|_| {
        let names = Type::Alert.choices();
        not_a_word(name, text, nearest(text, names.iter().map(String::as_str)), &Type::Alert)
    })
}

/// As it stands there; it may be empty.
fn any_text(name: &str, ty: &Type, node: &Node) -> Result<Scalar, Wrong> {
    if let Kind::Text(text) = &node.kind {
        Ok(Scalar::Text(text.clone()))
    } else {
        plain_text(name, ty, node)
    }
}

fn network(text: &str) -> Result<Network, Wrong> {
    let bad = |problem: &str| {
        Wrong::new(format!("`{text}` is not a network: {problem}")).help(
            "write a base address and how many leading bits count: 10.0.0.0/8, 2001:db8::/32; or one address",
        )
    };
    let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
    let base: IpAddr = base.parse().map_err(|_| bad(&format!("`{base}` is not an address")))?;
    let most = if base.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(prefix) => prefix
            .parse::<u8>()
            .ok()
            .filter(|prefix| *prefix <= most)
            .ok_or_else(|| bad(&format!("after `/` stands a number from 0 to {most}")))?,
    };
    match base {
        IpAddr::V6(mapped) if mapped.to_ipv4_mapped().is_some() => {
            // What is before is the same in all of them, and tells them from IPv6.
            let prefix = prefix.checked_sub(MAPPED).ok_or_else(|| {
                bad(&format!(
                    "`{base}` is an IPv4 address, and after `/` stands a number from {MAPPED} to {most}"
                ))
            })?;
            Ok(Network { base: base.to_canonical(), prefix })
        }
        base => Ok(Network { base, prefix }),
    }
}

fn word(name: &str, words: &'static [Word], text: &str) -> Result<Scalar, Wrong> {
    if let Some(found) = words.iter().find(|word| word.word == text) {
        return Ok(Scalar::Word(found.word));
    }
    let meant = nearest(text, words.iter().map(|word| word.word));
    Err(not_a_word(name, text, meant, &Type::Word(words)))
}

fn packet(name: &str, text: &str) -> Result<Scalar, Wrong> {
    text.parse().map(Scalar::Packet).map_err(|_| {
        let words = Type::Packet.choices();
        not_a_word(name, text, nearest(text, words.iter().map(String::as_str)), &Type::Packet)
    })
}

fn not_a_word(name: &str, text: &str, meant: Option<&str>, ty: &Type) -> Wrong {
    Wrong::new(format!("`{name}` cannot be `{text}`"))
        .label(did_you_mean(meant))
        .help(format!("write {}", ty.words()))
}

fn time(name: &str, zero: bool, text: &str) -> Result<Scalar, Wrong> {
    let help = "write a time with its unit: `500ms`, `10s`, `1m 30s`, `2h`";
    if text.contains("keep") {
        return Err(Wrong::new(format!("`{name}` takes a fixed time, not keep-alives: `{text}`")).help(help));
    }
    let time = parse_fixed(text).map_err(|problem| Wrong::new(format!("`{name}`: {problem}")).help(help))?;
    match time {
        time if time > LONGEST => Err(Wrong::new(format!("`{name}`: `{text}` is longer than a year"))),
        Duration::ZERO if !zero => Err(Wrong::new(format!("`{name}` is 0; it has to be longer"))),
        time => Ok(Scalar::Time(time)),
    }
}

fn span(name: &str, zero: bool, text: &str) -> Result<Scalar, Wrong> {
    let span = text.parse::<Span>().map_err(|bad| {
        let (message, help) = bad_span(&bad);
        Wrong::new(format!("`{name}`: {message}")).help(help)
    })?;
    if span.is_zero() && !zero {
        return Err(Wrong::new(format!("`{name}` is 0; it has to be longer")));
    }
    Ok(Scalar::Span(span))
}

/// What is wrong with a span, and what to write.
pub(super) fn bad_span(bad: &BadSpan) -> (String, String) {
    let told = bad.to_string();
    match told.split_once("; write ") {
        Some((message, help)) => (message.to_owned(), format!("write {help}")),
        None => (told, "write a time with its unit".to_owned()),
    }
}

fn count(name: &str, bounds: RangeInclusive<u32>, ty: &Type, node: &Node) -> Result<Scalar, Wrong> {
    let text = node.scalar().unwrap_or_default();
    match text.parse::<u32>() {
        Ok(count) if bounds.contains(&count) && matches!(node.kind, Kind::Number { .. }) => {
            Ok(Scalar::Count(count))
        }
        Ok(_) | Err(_) => Err(Wrong::new(format!("`{name}` takes {}, not `{text}`", ty.words()))),
    }
}

fn number(name: &str, most: f64, ty: &Type, node: &Node) -> Result<Scalar, Wrong> {
    if let Kind::Number { value, .. } = node.kind
        && value > 0.0
        && value <= most
    {
        return Ok(Scalar::Number(value));
    }
    Err(Wrong::new(format!("`{name}` takes {}, not `{}`", ty.words(), node.scalar().unwrap_or_default())))
}

fn chance(name: &str, text: &str) -> Result<Scalar, Wrong> {
    let chance: Chance = text.parse().map_err(|problem: String| {
        let (message, help) = problem.split_once("; ").unwrap_or((&problem, "write 1% to 100%"));
        Wrong::new(format!("`{name}`: {message}")).help(help)
    })?;
    if chance.get() > 0.0 {
        return Ok(Scalar::Chance(chance));
    }
    Err(Wrong::new(format!("`{name}` is {text}: the rule would never fall on anyone"))
        .help("take the rule out"))
}

fn metric(text: &str) -> Result<Scalar, Wrong> {
    if let Some(metric) = Metric::from_name(text) {
        return Ok(Scalar::Metric(metric));
    }
    let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    Err(Wrong::new(format!("there is no measure `{text}`"))
        .label(did_you_mean(nearest(text, names.iter().copied())))
        .help(format!("measures: {}", names.join(", "))))
}

fn limit(text: &str) -> Result<Scalar, Wrong> {
    Comparison::leading(text)
        .map(|(comparison, rest)| Scalar::Limit(comparison, rest.to_owned()))
        .ok_or_else(|| no_comparison(text))
}

/// `=<`, `=>`, `=` and the signs of typesetting are what is written for `<=`, `>=` and `==`.
fn no_comparison(text: &str) -> Wrong {
    const SLIPS: [(&str, &str); 5] = [("=<", "<="), ("=>", ">="), ("≤", "<="), ("≥", ">="), ("=", "==")];
    let wrong = Wrong::new(format!("`{text}` does not begin with a comparison"));
    match SLIPS.into_iter().find_map(|(slip, sign)| Some((sign, text.strip_prefix(slip)?.trim()))) {
        Some((sign, limit)) => {
            wrong.label(did_you_mean(Some(sign))).help(format!("write \"{sign} {limit}\""))
        }
        None => wrong.help(format!("write <=, <, >=, > or == before the limit: \"<= {text}\"")),
    }
}

/// For a label: ``did you mean `for`?``, or nothing.
pub(super) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("did you mean `{}`?", printable(name))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::node::Origin;

    fn read(ty: &Type, text: &str) -> Result<Scalar, String> {
        let node = Node::parse(text, Origin::File).unwrap();
        scalar("key", ty, &node).map_err(|wrong| wrong.message)
    }

    #[test]
    fn both_sides_of_every_edge() {
        for (ty, sound, wrong) in [
            (Type::Count { most: 10 }, ["1", "10"], ["0", "11"]),
            (Type::Count { most: 10 }, ["2", "3"], ["\"2\"", "2.5"]),
            (Type::Chance, ["100%", "0.001"], ["0%", "100.1%"]),
            (Type::Number { most: 100.0 }, ["0.1", "100"], ["0", "100.1"]),
            (Type::Time { zero: false }, ["1ns", "1h"], ["0s", "1 keepalive"]),
            (Type::Time { zero: true }, ["0", "0s"], ["10", "99999h"]),
            (Type::Span { zero: false }, ["1ns", "1 keepalive"], ["0 keepalive", "0s"]),
            (Type::Network, ["10.0.0.0/32", "::/0"], ["10.0.0.0/33", "::/129"]),
            (Type::Network, ["10.0.0.1", "::1"], ["10.0.0", "10.0.0.0/"]),
            (Type::Address { port_zero: true }, ["localhost:0", "'[::1]:1'"], ["localhost", "::1:1"]),
            (Type::Address { port_zero: false }, ["h:1", "h:65535"], ["h:0", "h:65536"]),
            (Type::Name, ["a", "1-b"], ["A", "a_b"]),
            (Type::Sentence, ["a", "'1'"], ["1", "' '"]),
            (Type::Limit, ["<= 1s", "==0"], ["1s", "=< 1s"]),
            (Type::Packet, ["connack", "pingreq"], ["CONNACK", "ping"]),
            (Type::Bool, ["true", "\"false\""], ["yes", "1"]),
            (Type::Alert, ["unknown_ca", "255"], ["unknown-ca", "256"]),
            (Type::Host, ["a.b-c.d", "::1"], ["a:1", "a..b"]),
            (Type::Reason, ["server_busy", "0x8b"], ["server-busy", "256"]),
            (Type::Code, ["0", "0xff"], ["-1", "0x100"]),
            (Type::AzureCode, ["404104", "429001"], ["404105", "server_error"]),
            (Type::Filter, ["a/+/#", "'#'"], ["a/#/b", "a+"]),
            (Type::Topic, ["a/b", "$a"], ["a/+", "' '"]),
            (Type::Text, ["a", "''"], ["1", "[]"]),
            (Type::Hex, ["d000", "\"d0 00\""], ["d0 0", "1000"]),
            (Type::Hex, ["\"1000\"", "0a"], ["xy", "''"]),
            (Type::Rate, ["64kbit/s", "100Gbit/s"], ["64", "0bit/s"]),
            (Type::Seconds { zero: false }, ["1s", "65535s"], ["0s", "65536s"]),
            (Type::Seconds { zero: true }, ["0s", "2m"], ["1500ms", "1 keepalive"]),
            (Type::Path, ["ca.pem", "/a b/c"], ["1", "''"]),
        ] {
            for text in sound {
                assert!(read(&ty, text).is_ok(), "{text}: {:?}", read(&ty, text));
            }
            for text in wrong {
                assert!(read(&ty, text).is_err(), "{text}");
            }
        }
    }

    /// A space is a character of a pattern, a topic, an identifier as others are; of a name that something has, it is none.
    #[test]
    fn texts_are_taken_as_they_stand() {
        let text = |text: &str| Ok(Scalar::Text(text.to_owned()));
        for ty in [Type::Sentence, Type::Glob, Type::Path, Type::Filter, Type::Topic, Type::Text] {
            assert_eq!(read(&ty, "' a '"), text(" a "), "{}", ty.words());
        }
        for ty in [Type::Name, Type::Rule, Type::Listener, Type::Host] {
            assert_eq!(read(&ty, "' a '"), text("a"), "{}", ty.words());
        }
        for ty in [Type::Sentence, Type::Glob, Type::Path, Type::Filter, Type::Topic, Type::Rule] {
            assert!(read(&ty, "'  '").unwrap_err().contains("is empty"), "{}", ty.words());
        }
    }

    #[test]
    fn a_network_of_one_address_counts_all_its_bits() {
        assert_eq!(network("10.0.0.1"), network("10.0.0.1/32"));
        assert_eq!(network("::1"), network("::1/128"));
    }

    /// A device's address is IPv4 then, however the system tells it.
    #[test]
    fn a_network_of_ipv4_written_as_ipv6_is_one_of_ipv4() {
        for (text, meant) in [
            ("::ffff:127.0.0.1", "127.0.0.1/32"),
            ("::ffff:7f00:1/128", "127.0.0.1/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(network(text), network(meant), "{text}");
        }
        let refused = network("::ffff:10.0.0.0/8").unwrap_err();
        assert!(refused.message.ends_with("after `/` stands a number from 96 to 128"), "{}", refused.message);
        assert!(network("::/0").is_ok());
    }
}
