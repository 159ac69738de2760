//! The YAML tree as it stands in the file: duplicate keys kept, so that both can be pointed at.

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The most nodes a profile may have, aliases followed: far past 1000 rules, far below what hurts. A few lines of
/// aliases of aliases ask for billions.
const MOST_NODES: usize = 200_000;

/// The most brackets that may be open at once: far more than the reader follows (128), and few enough that libyaml, which looks at
/// all that are open for each that follows, is done at once.
const MOST_OPEN: usize = 1000;

/// Where a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The profile's text.
    File,
    /// The override of that number.
    Set(usize),
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub kind: Kind,
    pub origin: Origin,
}

/// What a node is. Numbers keep their shortest text, since a version `3.1` is read as a number too.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number { text: String, value: f64 },
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Whether more brackets are open somewhere than may be; those in texts and comments count, too.
fn is_too_deep(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MOST_OPEN
    })
}

impl Node {
    /// Reads the one document of a text.
    pub(super) fn parse(text: &str, origin: Origin) -> Result<Node, serde_yaml::Error> {
        if is_too_deep(text) {
            return Err(de::Error::custom(format!("more than {MOST_OPEN} brackets are open")));
        }
        let budget = Cell::new(MOST_NODES);
        Seed { budget: &budget, origin }.deserialize(serde_yaml::Deserializer::from_str(text))
    }

    /// A text node.
    pub(super) fn text(text: &str, origin: Origin) -> Node {
        Node { kind: Kind::Text(text.to_owned()), origin }
    }

    /// The text of a scalar as it would be written; `None` for a list and a mapping.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Null => Some(""),
            Kind::Bool(true) => Some("true"),
            Kind::Bool(false) => Some("false"),
            Kind::Number { text, .. } | Kind::Text(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// What it is, for messages: `a list`.
    pub(super) fn what(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".into(),
            Kind::Bool(value) => format!("`{value}`"),
            Kind::Number { text, .. } => format!("the number {text}"),
            Kind::Text(_) => "a text".into(),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a mapping".into(),
        }
    }

    /// The value of a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.scalar() == Some(key)).map(|(_, value)| value)
    }

    /// The entries of a mapping; empty for anything else.
    pub(super) fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    /// The items of a list; empty for anything else.
    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null | Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) | Kind::Map(_) => &[],
        }
    }

    /// Puts a value under a chain of keys; mappings on the way are made where there is nothing.
    pub(super) fn set(&mut self, keys: &[String], value: Node) {
        let Some((key, rest)) = keys.split_first() else {
            *self = value;
            return;
        };
        if self.kind == Kind::Null {
            self.kind = Kind::Map(Vec::new());
        }
        let Kind::Map(entries) = &mut self.kind else { return };
        let origin = value.origin;
        match entries.iter_mut().find(|(name, _)| name.scalar() == Some(key)) {
            Some((_, child)) => child.set(rest, value),
            None => {
                let mut child = Node { kind: Kind::Null, origin };
                child.set(rest, value);
                entries.push((Node::text(key, origin), child));
            }
        }
    }
}

/// Builds nodes until the budget is used up.
#[derive(Clone, Copy)]
struct Seed<'b> {
    budget: &'b Cell<usize>,
    origin: Origin,
}

impl Seed<'_> {
    fn node<E: de::Error>(self, kind: Kind) -> Result<Node, E> {
        let left = self.budget.get().checked_sub(1).ok_or_else(|| {
            E::custom(format!("the profile has more than {MOST_NODES} values, its aliases followed"))
        })?;
        self.budget.set(left);
        Ok(Node { kind, origin: self.origin })
    }

    fn number<E: de::Error>(self, text: String) -> Result<Node, E> {
        let value = text.parse().unwrap_or(f64::NAN);
        self.node(Kind::Number { text, value })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.node(Kind::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.number(value.to_string())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        self.number(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        self.number(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        self.number(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        self.number(value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        self.node(Kind::Text(text.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.node(Kind::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.node(Kind::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        self.node(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(self)? {
            entries.push((key, map.next_value_seed(self)?));
        }
        self.node(Kind::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(de::Error::custom(
            "a YAML tag (`!...`) has no meaning in a profile; quote the value if it is a text",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_and_aliases_are_kept_as_they_stand() {
        let root = Node::parse("a: &x [1, 3.1.1]\na: *x\n", Origin::File).unwrap();
        assert_eq!(root.entries().len(), 2);
        assert_eq!(root.entries()[0].1, root.entries()[1].1);
        assert_eq!(root.get("a").unwrap().items()[1].scalar(), Some("3.1.1"));
    }

    #[test]
    fn a_few_lines_cannot_ask_for_billions() {
        let list = format!("[{}]", vec!["x"; 1000].join(", "));
        let text = format!("a: &a {list}\nb: [{}]\n", vec!["*a"; 1000].join(", "));
        let error = Node::parse(&text, Origin::File).unwrap_err().to_string();
        assert!(error.contains("more than 200000 values"), "{error}");
        let deep = "[".repeat(1000);
        assert!(Node::parse(&deep, Origin::File).unwrap_err().to_string().contains("recursion limit"));
    }
}
