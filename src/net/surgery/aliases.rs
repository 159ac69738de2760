//! What topic aliases stand for in one direction of a link (MQTT 5, section 3.3.2.3.4).

use std::collections::BTreeMap;

/// How many aliases are remembered: what common hubs allow is 10 to 65,535; those beyond are unknown, and match no filter.
pub const ALIASES_LIMIT: usize = 1024;

/// How many bytes of topic names are remembered, all aliases together.
pub const BYTES_LIMIT: usize = 64 * 1024;

/// The topic names that aliases stand for.
#[derive(Debug, Default)]
pub struct Aliases {
    known: BTreeMap<u16, Box<str>>,
    bytes: usize,
}

impl Aliases {
    /// The topic name of a PUBLISH with this alias; empty `topic` where the alias stands for it. `None` where it is not
    /// known.
    pub fn resolve<'a>(&'a mut self, topic: &'a str, alias: Option<u16>) -> Option<&'a str> {
        match (topic.is_empty(), alias) {
            (true, Some(alias)) => self.known.get(&alias).map(AsRef::as_ref),
            (true, None) => None,
            (false, Some(alias)) => {
                self.learn(alias, topic);
                Some(topic)
            }
            (false, None) => Some(topic),
        }
    }

    fn learn(&mut self, alias: u16, topic: &str) {
        // What it stood for is forgotten even if the new name has no room.
        if let Some(before) = self.known.remove(&alias) {
            self.bytes -= before.len();
        }
        if self.known.len() < ALIASES_LIMIT && self.bytes + topic.len() <= BYTES_LIMIT {
            self.bytes += topic.len();
            self.known.insert(alias, topic.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_stands_for_the_last_name_it_was_given() {
        let mut aliases = Aliases::default();
        assert_eq!(aliases.resolve("", Some(1)), None);
        assert_eq!(aliases.resolve("", None), None);
        assert_eq!(aliases.resolve("a", Some(1)), Some("a"));
        assert_eq!(aliases.resolve("b", None), Some("b"));
        assert_eq!(aliases.resolve("", Some(1)), Some("a"));
        aliases.resolve("c", Some(1));
        assert_eq!(aliases.resolve("", Some(1)), Some("c"));
    }

    #[test]
    fn what_has_no_room_is_unknown_and_not_what_it_was() {
        let mut aliases = Aliases::default();
        let long = "x".repeat(BYTES_LIMIT / 2);
        aliases.resolve(&long, Some(1));
        aliases.resolve("short", Some(2));
        let longer = "x".repeat(BYTES_LIMIT / 2 + 1);
        aliases.resolve(&longer, Some(2));
        assert_eq!(aliases.resolve("", Some(2)), None);
        aliases.resolve(&long, Some(2));
        assert_eq!(aliases.resolve("", Some(2)), Some(long.as_str()));
        assert_eq!(aliases.resolve("", Some(1)), Some(long.as_str()));
        let mut aliases = Aliases::default();
        for alias in 1..=u16::try_from(ALIASES_LIMIT).unwrap() + 1 {
            aliases.resolve("t", Some(alias));
        }
        assert_eq!(aliases.resolve("", Some(1024)), Some("t"));
        assert_eq!(aliases.resolve("", Some(1025)), None);
    }
}
