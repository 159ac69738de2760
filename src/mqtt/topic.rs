//! Topic names and filters (section 4.7): validity, matching, shared subscriptions.

use std::fmt;

/// What is wrong with a topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicProblem {
    /// It has no character.
    Empty,
    /// It has more than 65,535 bytes.
    TooLong,
    /// It holds U+0000.
    NullCharacter,
    /// A name with `+` or `#` in it.
    Wildcard,
    /// A filter in which `#` is not the whole of the last level.
    MultiLevelPlace,
    /// A filter in which `+` is not the whole of its level.
    SingleLevelPlace,
    /// `$share/` without a share name, with a wildcard in it, or without a filter after it.
    Share,
}

impl fmt::Display for TopicProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TopicProblem::Empty => "is empty [MQTT-4.7.3-1]",
            TopicProblem::TooLong => "has more than 65535 bytes [MQTT-4.7.3-3]",
            TopicProblem::NullCharacter => "holds U+0000 [MQTT-4.7.3-2]",
            TopicProblem::Wildcard => "has a wildcard, which a topic name may not [MQTT-3.3.2-2]",
            TopicProblem::MultiLevelPlace => {
                "has a `#` that is not the whole of the last level [MQTT-4.7.1-2, MQTT-4.7.1-1]"
            }
            TopicProblem::SingleLevelPlace => {
                "has a `+` that is not the whole of its level [MQTT-4.7.1-3, MQTT-4.7.1-2]"
            }
            TopicProblem::Share => {
                "is not `$share/name/filter` with a name free of `/`, `+`, `#` [MQTT-4.8.2-1, MQTT-4.8.2-2]"
            }
        })
    }
}

/// Checks a topic name: what a PUBLISH may carry.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_name(name: &str) -> Result<(), TopicProblem> {
    check_text(name)?;
    if name.contains(['+', '#']) { Err(TopicProblem::Wildcard) } else { Ok(()) }
}

/// Checks a topic filter, shared or not: what a SUBSCRIBE may carry.
///
/// `$share/` has its meaning in every version here; a 3.1.1 hub that takes it literally is served by
/// [`check_plain_filter`].
///
/// # Errors
/// The first rule that it breaks.
pub fn check_filter(filter: &str) -> Result<(), TopicProblem> {
    check_text(filter)?;
    match Shared::parse(filter) {
        Some(shared) if shared.group.is_empty() || shared.group.contains(['+', '#']) => {
            Err(TopicProblem::Share)
        }
        Some(shared) if shared.filter.is_empty() => Err(TopicProblem::Share),
        Some(shared) => check_plain_filter(shared.filter),
        None if filter.starts_with(SHARE) => Err(TopicProblem::Share),
        None => check_plain_filter(filter),
    }
}

/// Checks a topic filter without giving `$share/` a meaning.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_plain_filter(filter: &str) -> Result<(), TopicProblem> {
    check_text(filter)?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicProblem::MultiLevelPlace);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicProblem::SingleLevelPlace);
        }
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), TopicProblem> {
    if text.is_empty() {
        Err(TopicProblem::Empty)
    } else if text.len() > usize::from(u16::MAX) {
        Err(TopicProblem::TooLong)
    } else if text.contains('\0') {
        Err(TopicProblem::NullCharacter)
    } else {
        Ok(())
    }
}

const SHARE: &str = "$share/";

/// A shared subscription `$share/group/filter` (MQTT 5, section 4.8.2), taken apart but not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared<'a> {
    /// Whom the messages are shared among.
    pub group: &'a str,
    /// Which messages.
    pub filter: &'a str,
}

impl<'a> Shared<'a> {
    /// The parts; `None` if it is no shared subscription.
    pub fn parse(filter: &'a str) -> Option<Shared<'a>> {
        let (group, filter) = filter.strip_prefix(SHARE)?.split_once('/')?;
        Some(Shared { group, filter })
    }
}

/// Whether a topic name matches a filter; of a shared subscription, whether it matches the filter in it.
///
/// A filter that begins with a wildcard matches no name that begins with `$` [MQTT-4.7.2-1]. `a/#` matches `a`.
/// Levels may be empty. A filter that is not valid matches what its valid levels say, and never panics.
pub fn matches(filter: &str, name: &str) -> bool {
    let filter = Shared::parse(filter).map_or(filter, |shared| shared.filter);
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            Some(_) | None => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_against_filters() {
        for (filter, name, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("#", "a/b/c", true),
            ("a/#", "a", true),
            ("a/#", "a/", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("+", "a", true),
            ("+", "", true),
            ("+", "/a", false),
            ("/+", "/a", true),
            ("+/+", "/a", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/+/c", "a//c", true),
            ("a/+/c", "a/b/b/c", false),
            ("a//c", "a/c", false),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("$SYS/+", "$SYS/uptime", true),
            ("a/+", "a/$b", true),
            ("$share/g/a/+", "a/b", true),
            ("$share/g/#", "a/b", true),
            ("$share/g/#", "$SYS/b", false),
            ("$share/g/a", "$share/g/a", false),
            ("straße/+/größe", "straße/ä/größe", true),
            ("+/日本", "日/日本", true),
            ("é", "e", false),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} {name}");
        }
    }

    #[test]
    fn filters_that_are_valid_and_that_are_not() {
        for (filter, expected) in [
            ("a/+/#", Ok(())),
            ("/", Ok(())),
            ("", Err(TopicProblem::Empty)),
            ("a#", Err(TopicProblem::MultiLevelPlace)),
            ("#/a", Err(TopicProblem::MultiLevelPlace)),
            ("a/#/", Err(TopicProblem::MultiLevelPlace)),
            ("a+", Err(TopicProblem::SingleLevelPlace)),
            ("+a/b", Err(TopicProblem::SingleLevelPlace)),
            ("a\0", Err(TopicProblem::NullCharacter)),
            ("$share/g/a/#", Ok(())),
            ("$share/g//", Ok(())),
            ("$share/g", Err(TopicProblem::Share)),
            ("$share/g/", Err(TopicProblem::Share)),
            ("$share//a", Err(TopicProblem::Share)),
            ("$share/g+/a", Err(TopicProblem::Share)),
            ("$share/g/a#", Err(TopicProblem::MultiLevelPlace)),
            ("$sharex/a", Ok(())),
        ] {
            assert_eq!(check_filter(filter), expected, "{filter}");
        }
        assert_eq!(check_plain_filter("$share/g"), Ok(()));
        assert_eq!(check_filter(&"x".repeat(65_535)), Ok(()));
        assert_eq!(check_filter(&"x".repeat(65_536)), Err(TopicProblem::TooLong));
    }

    #[test]
    fn names_that_are_valid_and_that_are_not() {
        assert_eq!(check_name("a/b/ü"), Ok(()));
        for name in ["#", "a/+", "a+b"] {
            assert_eq!(check_name(name), Err(TopicProblem::Wildcard));
        }
        assert_eq!(check_name(""), Err(TopicProblem::Empty));
    }

    proptest! {
        #[test]
        fn a_valid_name_matches_itself_and_nothing_panics(filter in "[a+#/$é]{0,12}", name in "[a/$é]{1,12}") {
            // A name may look like a shared subscription; then it is taken as one, and only then.
            prop_assume!(!name.starts_with(SHARE));
            prop_assert!(matches(&name, &name));
            let _ = (matches(&filter, &name), check_filter(&filter), check_name(&filter));
        }

        #[test]
        fn replacing_a_level_by_plus_still_matches(name in "[ab/é]{1,12}", at in 0usize..6) {
            let mut levels: Vec<&str> = name.split('/').collect();
            let at = at % levels.len();
            levels[at] = "+";
            prop_assert!(matches(&levels.join("/"), &name));
            levels.truncate(at);
            levels.push("#");
            prop_assert!(matches(&levels.join("/"), &name));
        }
    }
}
