//! The tree held against the table: unknown, doubled and missing keys, and values of the wrong type.

use super::scalar::{Scalar, did_you_mean, scalar};
use crate::azure::Code;
use crate::base::{Chance, Rate, Span};
use crate::mqtt::PacketKind;
use crate::profile::nearest::nearest;
use crate::profile::node::{Kind, Node, Origin};
use crate::profile::plan::Network;
use crate::profile::problem::{Sink, Spot};
use crate::profile::schema::{Key, PERCENTILE, Place, Presence, Type, code_list, percent, places};
use crate::tls::Alert;
use std::time::Duration;

/// The keys given at one place, with their values where these are sound. What is not sound has been told.
pub(super) struct Fields {
    place: &'static Place,
    path: Vec<usize>,
    given: Vec<Given>,
    /// Whether there are keys that are not known; they may be slips of those that seem to be missing.
    strangers: bool,
}

/// A key that is given.
pub(super) struct Given {
    /// As it is written.
    pub name: String,
    path: Vec<usize>,
    key: &'static Key,
    item: Option<Item>,
}

enum Item {
    Scalar(Scalar),
    List(Vec<(Scalar, Vec<usize>)>),
    One(Fields),
    Many(Vec<Fields>),
}

/// The fields of a mapping; `None`, and told, where it is none.
pub(super) fn fields(place: &'static Place, node: &Node, path: &[usize], sink: &mut Sink) -> Option<Fields> {
    match &node.kind {
        Kind::Map(_) | Kind::Null => {}
        Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) | Kind::List(_) => {
            let message = format!("{} takes a mapping of keys, not {}", place.called(), node.what());
            let help = chosen(place, node).unwrap_or_else(|| {
                let allowed = place.names().collect::<Vec<_>>().join(", ");
                format!("allowed here: {allowed}; for example {}", example(place))
            });
            sink.error(Spot::value(path), message).help(help);
            return None;
        }
    }
    let mut fields = Fields { place, path: path.to_vec(), given: Vec::new(), strangers: false };
    for (number, (key, value)) in node.entries().iter().enumerate() {
        let path = [path, &[number]].concat();
        match fields.entry(key, value, path, sink) {
            Some(given) => fields.given.push(given),
            None => fields.strangers = true,
        }
    }
    fields.check_presence(sink);
    Some(fields)
}

impl Fields {
    fn entry(&self, key: &Node, value: &Node, path: Vec<usize>, sink: &mut Sink) -> Option<Given> {
        let Some(name) = key.scalar() else {
            sink.error(Spot::key(&path), format!("a key is a word, not {}", key.what()));
            return None;
        };
        let Some(known) = self.place.key(name) else {
            unknown(self.place, name, &path, sink);
            return None;
        };
        if let Some(first) = self.given.iter().find(|given| given.name == name) {
            sink.error(Spot::key(&path), format!("`{name}` stands twice in {}", self.place.called()))
                .label("again here")
                .also(Spot::key(&first.path), "first here");
            return None;
        }
        let item = item(name, &known.ty, value, &path, sink);
        Some(Given { name: name.to_owned(), path, key: known, item })
    }

    fn check_presence(&self, sink: &mut Sink) {
        for key in self.place.keys.iter().filter(|key| key.is_required() && !self.has(key.name)) {
            self.missing(key.name, sink);
        }
        let chosen: Vec<&Given> =
            self.given.iter().filter(|given| self.place.one_of.contains(&given.key.name)).collect();
        let wanted = code_list(self.place.one_of);
        match chosen.as_slice() {
            [] if !self.place.one_of.is_empty() && !self.strangers => {
                let message = format!("`{}` takes exactly one of {wanted}; there is none", self.place.name);
                let found = sink.error(self.spot(), message);
                if let Some(key) = self.place.one_of.first().and_then(|name| self.place.key(name)) {
                    found.help(format!("write for example `{}: {}`", key.name, key.example));
                }
            }
            [first, second, ..] => {
                sink.error(
                    Spot::key(&second.path),
                    format!("`{}` takes exactly one of {wanted}", self.place.name),
                )
                .label("a second one")
                .also(Spot::key(&first.path), "the first");
            }
            [] | [_] => {}
        }
    }

    /// Tells that a key is missing.
    pub(super) fn missing(&self, name: &str, sink: &mut Sink) {
        let found = sink.error(self.spot(), format!("`{name}` is missing in {}", self.place.called()));
        if let Some(key) = self.place.key(name) {
            found.help(format!("write for example `{name}: {}`; {}", key.example, lower_first(key.doc)));
        }
    }

    /// Whether the key is given, soundly or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    /// The keys that are given, in the order of the text.
    pub(super) fn all(&self) -> impl Iterator<Item = &Given> {
        self.given.iter()
    }

    /// Where the place stands: its key, or its beginning.
    pub(super) fn spot(&self) -> Spot {
        Spot::value(&self.path)
    }

    /// Where the key stands; where it is not given, the place.
    pub(super) fn key_spot(&self, name: &str) -> Spot {
        self.given(name).map_or_else(|| self.spot(), |given| Spot::key(&given.path))
    }

    /// Where the key's value stands; where it is not given, the place.
    pub(super) fn value_spot(&self, name: &str) -> Spot {
        self.given(name).map_or_else(|| self.spot(), |given| Spot::value(&given.path))
    }

    fn given(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }

    /// The value of a key, or its default.
    fn scalar(&self, name: &str) -> Option<Scalar> {
        let key = self.place.key(name);
        debug_assert!(key.is_some(), "`{name}` is not in the table of `{}`", self.place.name);
        match self.given(name) {
            Some(given) => given.scalar().cloned(),
            None => default(key?),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        if let Scalar::Text(text) = self.scalar(name)? { Some(text) } else { None }
    }

    pub(super) fn word(&self, name: &str) -> Option<&'static str> {
        if let Scalar::Word(word) = self.scalar(name)? { Some(word) } else { None }
    }

    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        if let Scalar::Bool(truth) = self.scalar(name)? { Some(truth) } else { None }
    }

    pub(super) fn alert(&self, name: &str) -> Option<Alert> {
        if let Scalar::Alert(alert) = self.scalar(name)? { Some(alert) } else { None }
    }

    /// A return or reason code.
    pub(super) fn code(&self, name: &str) -> Option<u8> {
        if let Scalar::Code(code) = self.scalar(name)? { Some(code) } else { None }
    }

    pub(super) fn azure_code(&self, name: &str) -> Option<Code> {
        if let Scalar::AzureCode(code) = self.scalar(name)? { Some(code) } else { None }
    }

    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        if let Scalar::Bytes(bytes) = self.scalar(name)? { Some(bytes) } else { None }
    }

    pub(super) fn rate(&self, name: &str) -> Option<Rate> {
        if let Scalar::Rate(rate) = self.scalar(name)? { Some(rate) } else { None }
    }

    /// A time in whole seconds.
    pub(super) fn seconds(&self, name: &str) -> Option<u16> {
        if let Scalar::Seconds(seconds) = self.scalar(name)? { Some(seconds) } else { None }
    }

    pub(super) fn packet(&self, name: &str) -> Option<PacketKind> {
        if let Scalar::Packet(packet) = self.scalar(name)? { Some(packet) } else { None }
    }

    pub(super) fn network(&self, name: &str) -> Option<Network> {
        if let Scalar::Network(network) = self.scalar(name)? { Some(network) } else { None }
    }

    pub(super) fn time(&self, name: &str) -> Option<Duration> {
        if let Scalar::Time(time) = self.scalar(name)? { Some(time) } else { None }
    }

    pub(super) fn span(&self, name: &str) -> Option<Span> {
        if let Scalar::Span(span) = self.scalar(name)? { Some(span) } else { None }
    }

    pub(super) fn count(&self, name: &str) -> Option<u32> {
        if let Scalar::Count(count) = self.scalar(name)? { Some(count) } else { None }
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        if let Scalar::Number(number) = self.scalar(name)? { Some(number) } else { None }
    }

    pub(super) fn chance(&self, name: &str) -> Option<Chance> {
        if let Scalar::Chance(chance) = self.scalar(name)? { Some(chance) } else { None }
    }

    pub(super) fn metric(&self, name: &str) -> Option<crate::profile::Metric> {
        if let Scalar::Metric(metric) = self.scalar(name)? { Some(metric) } else { None }
    }

    /// The fields of a mapping that is given.
    pub(super) fn one(&self, name: &str) -> Option<&Fields> {
        if let Some(Item::One(fields)) = &self.given(name)?.item { Some(fields) } else { None }
    }

    /// The values of a list, each with its place; `None` where it is not given, or none.
    pub(super) fn list(&self, name: &str) -> Option<impl Iterator<Item = (&Scalar, Spot)>> {
        let Some(Item::List(list)) = &self.given(name)?.item else { return None };
        Some(list.iter().map(|(scalar, path)| (scalar, Spot::value(path))))
    }

    /// The items of a list; empty where it is not given.
    pub(super) fn many(&self, name: &str) -> &[Fields] {
        match self.given(name).and_then(|given| given.item.as_ref()) {
            Some(Item::Many(list)) => list,
            Some(Item::Scalar(_) | Item::List(_) | Item::One(_)) | None => &[],
        }
    }
}

impl Given {
    pub(super) fn scalar(&self) -> Option<&Scalar> {
        if let Some(Item::Scalar(scalar)) = &self.item { Some(scalar) } else { None }
    }

    /// Where its value stands.
    pub(super) fn spot(&self) -> Spot {
        Spot::value(&self.path)
    }
}

fn item(name: &str, ty: &'static Type, value: &Node, path: &[usize], sink: &mut Sink) -> Option<Item> {
    match ty {
        Type::One(place) => fields(place, value, path, sink).map(Item::One),
        Type::Many { place, most } => many(name, place, *most, value, path, sink).map(Item::Many),
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
        | Type::Limit => sound(name, ty, value, path, sink).map(Item::Scalar),
        Type::List { of, most } => list(name, of, *most, value, path, sink).map(Item::List),
    }
}

/// The value, where it is one; else that is told.
fn sound(name: &str, ty: &Type, value: &Node, path: &[usize], sink: &mut Sink) -> Option<Scalar> {
    match scalar(name, ty, value) {
        Ok(scalar) => Some(scalar),
        Err(wrong) => {
            let found = sink.error(Spot::value(path), wrong.message);
            found.label(wrong.label);
            if let Some(help) = wrong.help {
                found.help(help);
            }
            None
        }
    }
}

/// The sound ones of a list of values, each with its path.
fn list(
    name: &str,
    of: &Type,
    most: usize,
    value: &Node,
    path: &[usize],
    sink: &mut Sink,
) -> Option<Vec<(Scalar, Vec<usize>)>> {
    match &value.kind {
        Kind::List(items) if items.len() <= most => Some(
            items
                .iter()
                .enumerate()
                .map(|(number, item)| (item, [path, &[number]].concat()))
                .filter_map(|(item, path)| Some((sound(name, of, item, &path, sink)?, path)))
                .collect(),
        ),
        Kind::List(items) => {
            let message = format!("`{name}` has {} items; at most {most} are allowed", items.len());
            sink.error(Spot::key(path), message);
            None
        }
        Kind::Null | Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) | Kind::Map(_) => {
            let message = format!("`{name}` takes a list, not {}", value.what());
            sink.error(Spot::value(path), message).help("write the values in brackets: `[a, b]`");
            None
        }
    }
}

fn many(
    name: &str,
    place: &'static Place,
    most: usize,
    value: &Node,
    path: &[usize],
    sink: &mut Sink,
) -> Option<Vec<Fields>> {
    match &value.kind {
        Kind::List(items) if items.len() > most => {
            let message = format!("`{name}` has {} items; at most {most} are allowed", items.len());
            sink.error(Spot::key(path), message);
            None
        }
        Kind::List(items) => Some(
            items
                .iter()
                .enumerate()
                .filter_map(|(number, item)| fields(place, item, &[path, &[number]].concat(), sink))
                .collect(),
        ),
        Kind::Null => Some(Vec::new()),
        Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) | Kind::Map(_) => {
            let message = format!("`{name}` takes a list, not {}", value.what());
            sink.error(Spot::value(path), message).help("begin each item with `- `");
            None
        }
    }
}

fn default(key: &Key) -> Option<Scalar> {
    match key.presence {
        Presence::Default(text) => scalar(key.name, &key.ty, &Node::parse(text, Origin::File).ok()?).ok(),
        Presence::Required | Presence::Optional(_) => None,
    }
}

fn unknown(place: &'static Place, name: &str, path: &[usize], sink: &mut Sink) {
    if sink.is_full() {
        sink.error(Spot::key(path), "unknown key");
        return;
    }
    let meant = nearest(name, place.names().filter(|known| *known != PERCENTILE));
    let elsewhere: Vec<&str> =
        places().into_iter().filter(|other| other.key(name).is_some()).map(|other| other.name).collect();
    let label = match (meant, elsewhere.as_slice()) {
        _ if place.key(PERCENTILE).is_some() && percent(name).is_some() => {
            "percentiles are above 0 and up to 100".into()
        }
        (Some(meant), _) => did_you_mean(Some(meant)),
        (None, []) => String::new(),
        (None, elsewhere) => format!("it belongs in {}", code_list(elsewhere).replace(", ", " or ")),
    };
    let mut help = format!("allowed here: {}", place.names().collect::<Vec<_>>().join(", "));
    if name == "<<" {
        help = "merge keys are not part of YAML 1.2; write the keys out, or use an alias for the whole value"
            .into();
    }
    sink.error(Spot::key(path), format!("unknown key `{name}` in {}", place.called()))
        .label(label)
        .help(help);
}

/// What to write where one of the place's choices stands there as a bare word: `fault: rst`.
fn chosen(place: &Place, node: &Node) -> Option<String> {
    let key = place.key(node.scalar()?).filter(|key| place.one_of.contains(&key.name))?;
    let inner = key.ty.place()?;
    let needs_none = inner.keys.iter().all(|key| matches!(key.presence, Presence::Default(_)));
    let example = if needs_none { "{}" } else { key.example };
    Some(format!("write `{}: {{ {}: {example} }}`", place.name, key.name))
}

fn example(place: &Place) -> String {
    let first = place.keys.iter().find(|key| key.is_required()).or(place.keys.first());
    first.map(|key| format!("`{}: {}`", key.name, key.example)).unwrap_or_default()
}

fn lower_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect::<String>().trim_end_matches('.').to_owned()
}
