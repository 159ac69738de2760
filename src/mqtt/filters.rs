//! Many topic filters at once: which rules a topic name may concern, at a cost that grows with the name's levels and not
//! with the number of filters.
//!
//! ```text
//!   a/+/c  R0      a ──▶ + ──▶ c {R0}
//!   a/#    R1      │ {# R1}
//!   b      R2      b {R2}
//! ```
//!
//! It is asked about the bytes of a name as they lie in a packet, before anything is made of them. It never misses a filter
//! that [`topic::matches`](super::topic::matches); it may name one in vain ([`DEPTH`], [`FilterTree::insert`]).

use super::topic::Shared;
use crate::base::{RuleId, RuleSet};

/// How many levels of a filter are kept: what follows matches anything.
pub const DEPTH: usize = 32;

/// Topic filters of rules.
#[derive(Clone, Debug)]
pub struct FilterTree {
    /// The first is where every name begins.
    nodes: Vec<Node>,
    /// Rules whose filter may match any name, as far as bytes tell.
    unsure: Vec<RuleId>,
}

/// What may follow after some levels.
#[derive(Clone, Debug, Default)]
struct Node {
    /// By the next level, in order.
    named: Vec<(Box<[u8]>, usize)>,
    /// Whatever the next level is (`+`).
    any: Option<usize>,
    /// Filters that end here.
    ending: Vec<RuleId>,
    /// Filters that match whatever follows, and if nothing does (`#`).
    rest: Vec<RuleId>,
}

impl Default for FilterTree {
    fn default() -> FilterTree {
        FilterTree { nodes: vec![Node::default()], unsure: Vec::new() }
    }
}

impl FilterTree {
    /// Puts the filter of a rule into it. Of a name that is no UTF-8 others see replacement characters (U+FFFD): a filter with
    /// one in it is taken to match every name.
    pub fn insert(&mut self, filter: &str, rule: RuleId) {
        if filter.contains(char::REPLACEMENT_CHARACTER) {
            return self.unsure.push(rule);
        }
        let filter = Shared::parse(filter).map_or(filter, |shared| shared.filter);
        let mut at = 0;
        for (depth, level) in filter.split('/').enumerate() {
            if level == "#" || depth == DEPTH {
                return self.nodes[at].rest.push(rule);
            }
            at = self.next(at, level);
        }
        self.nodes[at].ending.push(rule);
    }

    /// Where a level of a filter leads.
    fn next(&mut self, at: usize, level: &str) -> usize {
        let new = self.nodes.len();
        let node = &mut self.nodes[at];
        let next = if level == "+" {
            *node.any.get_or_insert(new)
        } else {
            match node.named.binary_search_by(|(name, _)| name.as_ref().cmp(level.as_bytes())) {
                Ok(known) => node.named[known].1,
                Err(place) => {
                    node.named.insert(place, (level.as_bytes().into(), new));
                    new
                }
            }
        };
        if next == new {
            self.nodes.push(Node::default());
        }
        next
    }

    /// Whether the filter of one of these rules may match the name. Looks at no more than `DEPTH` levels.
    pub fn may_match(&self, name: &[u8], rules: &RuleSet) -> bool {
        // A wildcard at the beginning matches no name that begins with `$` [MQTT-4.7.2-1].
        let is_wild = name.first() != Some(&b'$');
        has_any(rules, &self.unsure) || self.leads_on(0, Some(name), rules, is_wild)
    }

    fn leads_on(&self, at: usize, left: Option<&[u8]>, rules: &RuleSet, is_wild: bool) -> bool {
        let node = &self.nodes[at];
        if is_wild && has_any(rules, &node.rest) {
            return true;
        }
        let Some(left) = left else { return has_any(rules, &node.ending) };
        let (level, left) = match left.iter().position(|byte| *byte == b'/') {
            Some(end) => (&left[..end], Some(&left[end + 1..])),
            None => (left, None),
        };
        let named = node.named.binary_search_by(|(name, _)| name.as_ref().cmp(level));
        let named = named.ok().map(|place| node.named[place].1);
        let any = node.any.filter(|_| is_wild);
        named.into_iter().chain(any).any(|next| self.leads_on(next, left, rules, true))
    }
}

fn has_any(rules: &RuleSet, of: &[RuleId]) -> bool {
    of.iter().any(|rule| rules.has(*rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::topic;
    use proptest::prelude::*;

    fn tree(filters: &[&str]) -> (FilterTree, RuleSet) {
        let (mut tree, mut all) = (FilterTree::default(), RuleSet::default());
        for (rule, filter) in (0..).map(RuleId).zip(filters) {
            tree.insert(filter, rule);
            all.insert(rule);
        }
        (tree, all)
    }

    #[test]
    fn only_rules_that_are_asked_for_count() {
        let (tree, all) = tree(&["a/b", "a/+", "c/#"]);
        let mut second = RuleSet::default();
        second.insert(RuleId(1));
        assert!(tree.may_match(b"c", &all) && !tree.may_match(b"c", &second));
        assert!(tree.may_match(b"a/b", &second) && tree.may_match(b"a/c", &second));
        assert!(!tree.may_match(b"a", &all) && !tree.may_match(b"a/b", &RuleSet::default()));
    }

    #[test]
    fn levels_beyond_those_kept_match_anything_and_no_name_is_too_deep() {
        let deep = |levels: usize| vec!["x"; levels].join("/");
        let (filter, other) = (deep(DEPTH), format!("{}/y", deep(DEPTH)));
        let (exact, all) = tree(&[&filter]);
        assert!(exact.may_match(filter.as_bytes(), &all));
        assert!(!exact.may_match(deep(DEPTH - 1).as_bytes(), &all));
        let (capped, all) = tree(&[&other]);
        assert!(capped.may_match(other.as_bytes(), &all) && capped.may_match(deep(40).as_bytes(), &all));
        assert!(!capped.may_match(deep(DEPTH - 1).as_bytes(), &all));
        assert!(capped.may_match(&b"x/".repeat(30_000), &all));
    }

    #[test]
    fn a_name_that_is_no_text_is_found_as_others_see_it() {
        let (tree, all) = tree(&["a/\u{fffd}"]);
        assert!(topic::matches("a/\u{fffd}", &String::from_utf8_lossy(b"a/\xff")));
        assert!(tree.may_match(b"a/\xff", &all));
    }

    proptest! {
        /// What the engine goes by is [`topic::matches`] of the name as text.
        #[test]
        fn it_says_what_each_filter_says_by_itself(
            filters in prop::collection::vec("(\\$share/g/)?[ab+#/$é]{0,9}", 0..12),
            name in prop::collection::vec(prop::sample::select(b"ab/$\xc3\xa9\xff".to_vec()), 0..9),
            asked in any::<u16>(),
        ) {
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            let (tree, _) = tree(&filters);
            let mut rules = RuleSet::default();
            (0..16).filter(|rule| asked >> rule & 1 == 1).for_each(|rule| rules.insert(RuleId(rule)));
            let text = String::from_utf8_lossy(&name);
            let matches = (0..).zip(&filters).any(|(rule, filter)| {
                asked >> rule & 1 == 1 && topic::matches(filter, &text)
            });
            prop_assert_eq!(tree.may_match(&name, &rules), matches, "{:?} {}", filters, text);
        }
    }
}
