//! Who wants which topic: the tree of topic filters, one level a step.
//!
//! Matching costs what the topic's levels cost, whatever the number of filters: a publish of one device does not
//! look at the filters of ten thousand others. It agrees with [`crate::mqtt::topic::matches`], and a test holds it
//! to that. Depth is bounded by [`super::config::MAX_LEVELS`], which the caller checks before it inserts.

use super::session::SessionId;
use crate::mqtt::QoS;
use crate::mqtt::topic::Shared;
use std::collections::{BTreeMap, HashMap};

/// What a session asked for with one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub qos: QoS,
    pub no_local: bool,
    pub retain_as_published: bool,
    pub identifier: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Topics {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    here: Takers,
}

/// Those whose filter ends at a node.
#[derive(Debug, Default)]
struct Takers {
    each: BTreeMap<SessionId, Wish>,
    /// By share name: one member gets each message [MQTT-4.8.2-4].
    shared: BTreeMap<Box<str>, Group>,
}

#[derive(Debug, Default)]
struct Group {
    members: Vec<(SessionId, Wish)>,
    /// Whose turn it is, as an index that may be past the end.
    turn: usize,
}

/// Who gets a message.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// By plain subscriptions, one entry for each filter that matches.
    pub each: Vec<(SessionId, Wish)>,
    /// By shared subscriptions: the one of each group whose turn it is.
    pub shared: Vec<(SessionId, Wish)>,
}

impl Topics {
    /// Adds or replaces the session's wish for the filter, which may be a shared one.
    pub fn insert(&mut self, filter: &str, session: SessionId, wish: Wish) {
        let (group, filter) = parts(filter);
        let mut node = &mut self.root;
        for level in filter.split('/') {
            node = node.children.entry(level.into()).or_default();
        }
        match group {
            None => {
                node.here.each.insert(session, wish);
            }
            Some(group) => node.here.shared.entry(group.into()).or_default().insert(session, wish),
        }
    }

    /// Takes the session's wish for the filter away; one that is not there is fine.
    pub fn remove(&mut self, filter: &str, session: SessionId) {
        let (group, filter) = parts(filter);
        let levels: Vec<&str> = filter.split('/').collect();
        self.root.remove(&levels, group, session);
    }

    /// Who gets a message to this topic name. Of a group it is the next member that `is_online`; if none is, the
    /// next member.
    pub fn matching(&mut self, name: &str, is_online: impl Fn(SessionId) -> bool) -> Matches {
        let levels: Vec<&str> = name.split('/').collect();
        let mut found = Matches::default();
        // A wildcard at the front matches no name that begins with `$` [MQTT-4.7.2-1].
        self.root.visit(&levels, !name.starts_with('$'), &mut |takers| {
            found.each.extend(takers.each.iter().map(|(&session, &wish)| (session, wish)));
            found.shared.extend(takers.shared.values_mut().filter_map(|group| group.next(&is_online)));
        });
        found
    }
}

/// The share name, if any, and the filter proper.
fn parts(filter: &str) -> (Option<&str>, &str) {
    match Shared::parse(filter) {
        Some(Shared { group, filter }) => (Some(group), filter),
        None => (None, filter),
    }
}

impl Node {
    fn visit(&mut self, levels: &[&str], wild: bool, see: &mut impl FnMut(&mut Takers)) {
        if wild && let Some(rest) = self.children.get_mut("#") {
            see(&mut rest.here);
        }
        let Some((level, rest)) = levels.split_first() else {
            return see(&mut self.here);
        };
        if let Some(child) = self.children.get_mut(*level) {
            child.visit(rest, true, see);
        }
        if wild && let Some(child) = self.children.get_mut("+") {
            child.visit(rest, true, see);
        }
    }

    fn remove(&mut self, levels: &[&str], group: Option<&str>, session: SessionId) {
        let Some((level, rest)) = levels.split_first() else {
            return self.here.remove(group, session);
        };
        if let Some(child) = self.children.get_mut(*level) {
            child.remove(rest, group, session);
            if child.is_empty() {
                self.children.remove(*level);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.each.is_empty() && self.here.shared.is_empty()
    }
}

impl Takers {
    fn remove(&mut self, group: Option<&str>, session: SessionId) {
        let Some(name) = group else {
            self.each.remove(&session);
            return;
        };
        if let Some(group) = self.shared.get_mut(name) {
            group.members.retain(|&(member, _)| member != session);
            if group.members.is_empty() {
                self.shared.remove(name);
            }
        }
    }
}

impl Group {
    fn insert(&mut self, session: SessionId, wish: Wish) {
        match self.members.iter_mut().find(|(member, _)| *member == session) {
            Some(member) => member.1 = wish,
            None => self.members.push((session, wish)),
        }
    }

    fn next(&mut self, is_online: impl Fn(SessionId) -> bool) -> Option<(SessionId, Wish)> {
        let count = self.members.len();
        let in_turn = || (0..count).map(|step| (self.turn + step) % count);
        let chosen =
            in_turn().find(|&index| is_online(self.members[index].0)).or_else(|| in_turn().next())?;
        self.turn = chosen + 1;
        self.members.get(chosen).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::topic;
    use proptest::prelude::*;

    const WISH: Wish =
        Wish { qos: QoS::AtLeastOnce, no_local: false, retain_as_published: false, identifier: None };

    fn names(found: &[(SessionId, Wish)]) -> Vec<u64> {
        found.iter().map(|(session, _)| session.0).collect()
    }

    #[test]
    fn a_group_takes_turns_and_skips_those_offline() {
        let mut topics = Topics::default();
        for session in 1..=3 {
            topics.insert("$share/g/a/+", SessionId(session), WISH);
        }
        let mut turn = |online: &[u64]| names(&topics.matching("a/b", |s| online.contains(&s.0)).shared);
        assert_eq!(
            [turn(&[1, 2, 3]), turn(&[1, 2, 3]), turn(&[1, 2, 3]), turn(&[1, 2, 3])],
            [[1], [2], [3], [1]]
        );
        assert_eq!([turn(&[1, 3]), turn(&[1, 3])], [[3], [1]]);
        assert_eq!(turn(&[]), [2]);
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut topics = Topics::default();
        for filter in ["a/b/#", "a/+", "$share/g/a/b", "a"] {
            topics.insert(filter, SessionId(1), WISH);
            topics.insert(filter, SessionId(1), WISH);
        }
        for filter in ["a", "a/b/#", "never/there", "$share/g/a/b", "a/+"] {
            topics.remove(filter, SessionId(1));
        }
        assert!(topics.root.is_empty());
    }

    proptest! {
        #[test]
        fn the_tree_and_the_plain_match_agree(filters in proptest::collection::vec("[ab+#/$]{1,7}", 1..8), name in "[ab/$]{1,7}") {
            let filters: Vec<_> = filters.into_iter().filter(|f| topic::check_plain_filter(f).is_ok()).collect();
            let mut topics = Topics::default();
            for (id, filter) in (0..).zip(&filters) {
                topics.insert(filter, SessionId(id), WISH);
            }
            let mut found = names(&topics.matching(&name, |_| true).each);
            found.sort_unstable();
            let expected: Vec<u64> = (0..).zip(&filters).filter(|(_, f)| topic::matches(f, &name)).map(|(id, _)| id).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
