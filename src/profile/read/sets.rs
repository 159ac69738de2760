//! Overrides: `--set rule.param=value` and `--set settle=5s`, put into the tree before it is checked.

use super::scalar::did_you_mean;
use crate::profile::nearest::nearest;
use crate::profile::node::{Kind, Node, Origin};
use crate::profile::problem::Sink;
use crate::profile::schema::{
    FAULT, PACKET_FAULTS, PERCENTILE, PROFILE, Place, RULE, SEQUENCE, Type, WHAT, WHEN, WHO, code_list,
};
use std::ops::Range;
use std::str::FromStr;

/// The key of the profile that has keys of its own which can be set.
const SEQUENCE_KEY: &str = "sequence";

/// One value that the command line puts in the place of the profile's.
///
/// `rule.key=value` looks for the key in the rule's fault, then in its `what`, where the fault is of packets, in its
/// `when`, its `who`, and the rule itself;
/// `rule.when.key=value` says where. Without a dot it is a key of the profile: `settle=5s`; `sequence.json=/seq` is one too,
/// unless a rule is called so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    text: String,
    equals: usize,
}

/// What is wrong with the form of an override.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an override; write key=value: `dark.for=30s`, `dark.when.delay=1s`, `settle=5s`")]
pub struct BadOverride(String);

impl FromStr for Override {
    type Err = BadOverride;

    fn from_str(text: &str) -> Result<Override, BadOverride> {
        let bad = || BadOverride(crate::base::text::printable(text));
        let equals = text.find('=').ok_or_else(bad)?;
        let sound = text[..equals].split('.').all(|part| !part.trim().is_empty());
        if sound { Ok(Override { text: text.to_owned(), equals }) } else { Err(bad()) }
    }
}

impl Override {
    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn path(&self) -> Vec<&str> {
        self.text[..self.equals].split('.').map(str::trim).collect()
    }

    pub(in crate::profile) fn path_span(&self) -> Range<usize> {
        0..self.equals
    }

    pub(in crate::profile) fn value_span(&self) -> Range<usize> {
        let value = &self.text[self.equals + 1..];
        if value.is_empty() { self.equals..self.text.len() } else { self.equals + 1..self.text.len() }
    }

    /// The bytes of one part of the path.
    fn part_span(&self, number: usize) -> Range<usize> {
        let before: usize = self.text[..self.equals].split('.').take(number).map(|part| part.len() + 1).sum();
        let length = self.text[before..self.equals].split('.').next().map_or(0, str::len);
        before..before + length
    }

    /// The value as a node: YAML in braces or brackets, else a plain scalar, so that `*` needs no quotes here.
    fn value(&self, origin: Origin) -> Result<Node, String> {
        let text = self.text[self.equals + 1..].trim();
        if text.starts_with(['{', '[', '"', '\'']) {
            return Node::parse(text, origin).map_err(|error| error.to_string());
        }
        // `nan` and `-inf` are words.
        let has_digits = text.contains(|letter: char| letter.is_ascii_digit());
        let kind = match text.parse::<f64>().ok().filter(|_| has_digits) {
            Some(value) => Kind::Number { text: text.to_owned(), value },
            None => Kind::Text(text.to_owned()),
        };
        Ok(Node { kind, origin })
    }
}

/// Puts an override into the tree, or tells why it cannot be.
pub(super) fn apply(root: &mut Node, number: usize, set: &Override, sink: &mut Sink) {
    let value = match set.value(Origin::Set(number)) {
        Ok(value) => value,
        Err(problem) => {
            sink.set_error(number, set.value_span(), format!("the value is not YAML: {problem}"));
            return;
        }
    };
    let path = set.path();
    match target(root, &path) {
        Ok(Target::Profile(keys)) => root.set(&keys, value),
        Ok(Target::Rule(index, keys)) => {
            if let Some(rule) = rule_mut(root, index) {
                rule.set(&keys, value);
            }
        }
        Err(Miss { part, message, meant, help }) => {
            sink.set_error(number, set.part_span(part), message)
                .label(did_you_mean(meant.as_deref()))
                .help(help);
        }
    }
}

/// What an override means.
enum Target {
    /// The keys that lead there from the profile.
    Profile(Vec<String>),
    /// The rule of this number, and the keys that lead on from there.
    Rule(usize, Vec<String>),
}

/// Why an override means nothing.
struct Miss {
    part: usize,
    message: String,
    meant: Option<String>,
    help: String,
}

fn target(root: &Node, path: &[&str]) -> Result<Target, Miss> {
    match path {
        [] => Err(miss(0, "", Vec::new(), "the profile")),
        ["expect", ..] if !rule_ids(root).contains(&"expect") => Err(Miss {
            part: 0,
            message: "expectations cannot be set on the command line".into(),
            meant: None,
            help: "change them in the profile itself".into(),
        }),
        [key] => profile_key(root, key).map(|key| Target::Profile(vec![key])),
        [SEQUENCE_KEY, key, rest @ ..] if !rule_ids(root).contains(&SEQUENCE_KEY) => {
            let home = Home { keys: vec![SEQUENCE_KEY.to_owned()], place: &SEQUENCE, node: None };
            home.descend(key, rest, 1).map(Target::Profile)
        }
        [id, rest @ ..] => {
            let index = rule_index(root, id)?;
            rule_keys(&rules(root)[index], rest).map(|keys| Target::Rule(index, keys))
        }
    }
}

fn profile_key(root: &Node, key: &str) -> Result<String, Miss> {
    let settable =
        PROFILE.keys.iter().filter(|key| key.ty.place().is_none() && !matches!(key.ty, Type::Language));
    let names: Vec<&str> = settable.map(|key| key.name).collect();
    if names.contains(&key) {
        return Ok(key.to_owned());
    }
    let mut missed = miss(0, key, names, "the profile");
    if rule_ids(root).contains(&key) {
        missed.message = format!("`{key}` is a rule; say which of its keys is meant");
        missed.help = format!("write for example `{key}.for=30s`");
    } else if let Some(id) = rule_with(root, key) {
        missed.meant = Some(format!("{id}.{key}"));
    }
    Err(missed)
}

/// The first rule that says something under this key, or else that could.
fn rule_with<'n>(root: &'n Node, key: &str) -> Option<&'n str> {
    let can = |rule: &&Node| rule_keys(rule, &[key]).is_ok();
    let does =
        |rule: &&Node| homes(rule).iter().any(|home| home.node.is_some_and(|node| node.get(key).is_some()));
    let rules = rules(root);
    let rule = rules.iter().filter(can).find(does).or_else(|| rules.iter().find(can))?;
    rule.get("id")?.scalar()
}

/// Each once.
fn rule_ids(root: &Node) -> Vec<&str> {
    let mut ids = Vec::new();
    for id in rules(root).iter().filter_map(|rule| rule.get("id")?.scalar()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn rules(root: &Node) -> &[Node] {
    root.get("rules").map(Node::items).unwrap_or_default()
}

fn rule_index(root: &Node, id: &str) -> Result<usize, Miss> {
    rules(root).iter().position(|rule| rule.get("id").and_then(Node::scalar) == Some(id)).ok_or_else(|| {
        let ids = rule_ids(root);
        let help = if ids.is_empty() {
            "the profile has no rules".into()
        } else {
            format!("rules: {}", ids.join(", "))
        };
        let meant = nearest(id, ids).map(str::to_owned);
        Miss { part: 0, message: format!("there is no rule `{id}`"), meant, help }
    })
}

/// The keys from a rule to what `path` means.
fn rule_keys(rule: &Node, path: &[&str]) -> Result<Vec<String>, Miss> {
    let homes = homes(rule);
    match path {
        ["fault", key, rest @ ..] => {
            let kind = homes.iter().find(|home| home.keys.len() == 2);
            let (home, key, rest) = match (kind, rest) {
                (Some(home), [inner, rest @ ..]) if home.keys[1] == *key => (home, inner, rest),
                (Some(home), rest) => (home, key, rest),
                (None, _) => return Err(miss(2, key, FAULT.names().collect(), "`fault`")),
            };
            home.descend(key, rest, path.len() - rest.len())
        }
        [place @ ("what" | "when" | "who"), key, rest @ ..] => homes
            .iter()
            .find(|home| home.keys == [*place])
            .map_or_else(|| Err(miss(2, key, Vec::new(), place)), |home| home.descend(key, rest, 2)),
        [key, rest @ ..] => {
            let given = homes.iter().find(|home| home.node.is_some_and(|node| node.get(key).is_some()));
            let home = given.or_else(|| homes.iter().find(|home| home.place.key(key).is_some()));
            let all = homes.iter().flat_map(|home| home.place.names()).collect();
            home.map_or_else(|| Err(miss(1, key, all, "this rule")), |home| home.descend(key, rest, 1))
        }
        [] => Err(miss(0, "", Vec::new(), "this rule")),
    }
}

/// A place of a rule where a key may be looked for.
struct Home<'n> {
    keys: Vec<String>,
    place: &'static Place,
    node: Option<&'n Node>,
}

/// The places of a rule in the order of looking: fault, what (of faults of packets), when, who, the rule.
fn homes(rule: &Node) -> Vec<Home<'_>> {
    let fault = rule.get("fault").and_then(|fault| {
        let (kind, node) = fault.entries().first()?;
        let place = FAULT.key(kind.scalar()?)?.ty.place()?;
        Some(Home { keys: vec!["fault".into(), kind.scalar()?.to_owned()], place, node: Some(node) })
    });
    let inner = |name: &str, place| Home { keys: vec![name.to_owned()], place, node: rule.get(name) };
    let of_packets = fault.as_ref().is_some_and(|home| PACKET_FAULTS.contains(&home.place.name));
    let what = of_packets.then(|| inner("what", &WHAT));
    let rest =
        [inner("when", &WHEN), inner("who", &WHO), Home { keys: Vec::new(), place: &RULE, node: Some(rule) }];
    fault.into_iter().chain(what).chain(rest).collect()
}

impl Home<'_> {
    /// The keys from the rule down; `part` is the number of `rest`'s first part in the override's path.
    fn descend(&self, key: &str, rest: &[&str], part: usize) -> Result<Vec<String>, Miss> {
        let mut keys = self.keys.clone();
        let mut place = self.place;
        for (depth, name) in [key].into_iter().chain(rest.iter().copied()).enumerate() {
            let Some(known) = place.key(name) else {
                return Err(miss(part + depth, name, place.names().collect(), &format!("`{}`", place.name)));
            };
            keys.push(name.to_owned());
            match known.ty.place() {
                Some(inner) => place = inner,
                None if depth < rest.len() => {
                    return Err(miss(part + depth + 1, rest[depth], Vec::new(), &format!("`{name}`")));
                }
                None => {}
            }
        }
        Ok(keys)
    }
}

fn miss(part: usize, name: &str, known: Vec<&str>, place: &str) -> Miss {
    let mut known: Vec<&str> = known.into_iter().filter(|name| *name != PERCENTILE).collect();
    known.sort_unstable();
    known.dedup();
    let help = match known.as_slice() {
        [] => "there are no keys below it".to_owned(),
        known => format!("keys that can be set: {}", code_list(known)),
    };
    let meant = nearest(name, known).map(str::to_owned);
    Miss { part, message: format!("there is no key `{name}` in {place}"), meant, help }
}

fn rule_mut(root: &mut Node, index: usize) -> Option<&mut Node> {
    let Kind::Map(entries) = &mut root.kind else { return None };
    let (_, rules) = entries.iter_mut().find(|(key, _)| key.scalar() == Some("rules"))?;
    let Kind::List(items) = &mut rules.kind else { return None };
    items.get_mut(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &str) -> Result<Vec<String>, String> {
        let text = "rules:\n  - id: dark\n    when: { after: connack, for: 1s }\n    fault: { blackhole: {} }\n\
                    \x20 - id: slow\n    fault: { latency: {} }\n\
                    \x20 - id: lost\n    when: { after: connack, times: 2 }\n    fault: { drop: {} }\n";
        let root = Node::parse(text, Origin::File).unwrap();
        match target(&root, &path.split('.').collect::<Vec<_>>()) {
            Ok(Target::Rule(_, keys)) => Ok(keys),
            Ok(Target::Profile(keys)) => Ok(keys),
            Err(miss) => Err(format!("{} {:?}", miss.message, miss.meant)),
        }
    }

    #[test]
    fn keys_are_looked_for_in_fault_when_who_and_rule() {
        for (path, found) in [
            ("settle", &["settle"][..]),
            ("dark.toward", &["fault", "blackhole", "toward"]),
            ("dark.delay", &["when", "delay"]),
            ("dark.for", &["when", "for"]),
            ("slow.for", &["fault", "latency", "for"]),
            ("dark.client", &["who", "client"]),
            ("dark.chance", &["when", "chance"]),
            ("dark.when.delay", &["when", "delay"]),
            ("dark.fault.for", &["fault", "blackhole", "for"]),
            ("dark.fault.blackhole.for", &["fault", "blackhole", "for"]),
            ("dark.fault", &["fault"]),
            ("server_keepalive", &["server_keepalive"]),
            ("sequence.json", &["sequence", "json"]),
            ("lost.packet", &["what", "packet"]),
            ("lost.chance", &["what", "chance"]),
            ("lost.times", &["when", "times"]),
            ("lost.what.times", &["what", "times"]),
            ("lost.acknowledge", &["fault", "drop", "acknowledge"]),
            ("lost.logged_as", &["logged_as"]),
            ("slow.uniform.min", &["fault", "latency", "uniform", "min"]),
        ] {
            assert_eq!(keys(path).unwrap(), found, "{path}");
        }
    }

    #[test]
    fn misses_name_what_was_meant() {
        for (path, message) in [
            ("settl", "there is no key `settl` in the profile Some(\"settle\")"),
            ("dark", "`dark` is a rule; say which of its keys is meant None"),
            ("delay", "there is no key `delay` in the profile Some(\"dark.delay\")"),
            ("latency", "there is no key `latency` in the profile None"),
            ("fixed", "there is no key `fixed` in the profile Some(\"slow.fixed\")"),
            ("expect", "expectations cannot be set on the command line None"),
            ("expect.max", "expectations cannot be set on the command line None"),
            ("drak.for", "there is no rule `drak` Some(\"dark\")"),
            ("dark.dealy", "there is no key `dealy` in this rule Some(\"delay\")"),
            ("dark.when.towards", "there is no key `towards` in `when` None"),
            ("slow.uniform.mim", "there is no key `mim` in `uniform` Some(\"min\")"),
            ("dark.what.nth", "there is no key `nth` in what None"),
            ("dark.for.x", "there is no key `x` in `for` None"),
        ] {
            assert_eq!(keys(path).unwrap_err(), message);
        }
    }

    #[test]
    fn a_number_has_digits() {
        let value = |set: &str| set.parse::<Override>().unwrap().value(Origin::Set(0)).unwrap().kind;
        for text in ["nan", "NaN", "inf", "infinity", "-inf", "e5", "1s"] {
            assert_eq!(value(&format!("dark.client={text}")), Kind::Text(text.to_owned()));
        }
        for text in ["1", "-1", "+1.5", ".5", "1e3"] {
            assert!(matches!(value(&format!("dark.times={text}")), Kind::Number { .. }), "{text}");
        }
    }

    #[test]
    fn an_override_has_a_key_and_a_value() {
        assert_eq!("dark.for= 1s".parse::<Override>().unwrap().path(), ["dark", "for"]);
        for text in ["dark.for", "=1", "dark.=1", ".x=1", ""] {
            assert!(text.parse::<Override>().unwrap_err().to_string().contains("write key=value"), "{text}");
        }
    }
}
