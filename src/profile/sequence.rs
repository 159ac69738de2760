//! Where the application's own sequence number stands in a payload, and the reading of it.

use crate::mqtt::topic;
use regex::bytes::Regex;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How much of a payload is looked at, in bytes: numbers stand at the beginning, and payloads may be of any length.
pub const LOOKED_AT: usize = 4096;

/// How deep a JSON pointer may lead.
const DEEPEST: usize = 32;

/// Where the number stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Only messages with such a topic have one; a topic filter.
    pub topic: Option<String>,
    /// Where in the payload.
    pub place: SequencePlace,
}

/// Where in a payload.
#[derive(Clone, Debug, PartialEq)]
pub enum SequencePlace {
    /// The parts of a JSON pointer (RFC 6901), unescaped.
    Json(Vec<String>),
    /// What the first group of a regular expression matches.
    Regex(Pattern),
    /// An unsigned integer in binary.
    Bytes {
        /// How many bytes stand before it.
        at: usize,
        /// Its bytes, 1 to 8.
        width: usize,
        /// Whether its greatest byte comes first.
        big_endian: bool,
    },
}

/// A regular expression over bytes; equal to another by its text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Classes such as `\d` are of ASCII.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let built = regex::bytes::RegexBuilder::new(text).unicode(false).size_limit(1 << 20).build();
        let regex = built.map_err(|error| match error {
            regex::Error::Syntax(told) => told.lines().last().unwrap_or_default().trim().to_owned(),
            other => other.to_string(),
        })?;
        if regex.captures_len() < 2 {
            return Err("it has no group: put the number in parentheses, as in `seq=(\\d+)`".into());
        }
        Ok(Pattern(regex))
    }
}

impl Sequence {
    /// Whether messages of this topic have a number.
    pub fn is_of(&self, name: &str) -> bool {
        self.topic.as_ref().is_none_or(|filter| topic::matches(filter, name))
    }

    /// The number in a payload, of which one byte more than the first [`LOOKED_AT`] is enough.
    pub fn read(&self, payload: &[u8]) -> Option<u64> {
        let payload = looked_at(payload);
        match &self.place {
            SequencePlace::Json(pointer) => json_number(pointer, payload),
            SequencePlace::Regex(Pattern(regex)) => {
                std::str::from_utf8(regex.captures(payload)?.get(1)?.as_bytes()).ok()?.parse().ok()
            }
            SequencePlace::Bytes { at, width, big_endian } => {
                let bytes = payload.get(*at..at.checked_add(*width)?)?;
                let put = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
                Some(if *big_endian { bytes.iter().fold(0, put) } else { bytes.iter().rev().fold(0, put) })
            }
        }
    }

    /// The greatest number that there can be, after which it begins anew; `None` where nothing says so.
    pub fn greatest(&self) -> Option<u64> {
        match self.place {
            SequencePlace::Bytes { width, .. } => {
                let bits = u32::try_from(width * 8).ok()?;
                Some(u64::MAX >> (u64::BITS - bits.clamp(1, u64::BITS)))
            }
            SequencePlace::Json(_) | SequencePlace::Regex(_) => None,
        }
    }
}

/// The first [`LOOKED_AT`] bytes, without a number that goes on behind them: it would be taken for a smaller one.
fn looked_at(payload: &[u8]) -> &[u8] {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
    let Some((first, [next, ..])) = payload.split_at_checked(LOOKED_AT) else { return payload };
    let digits =
        if is_of_number(next) { first.iter().rev().take_while(|byte| is_of_number(byte)).count() } else { 0 };
    &first[..first.len() - digits]
}

/// The parts of a JSON pointer; `None` where it is none, or leads too deep.
pub fn json_pointer(text: &str) -> Option<Vec<String>> {
    let parts = text.strip_prefix('/')?.split('/');
    let parts: Vec<String> = parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    (parts.len() <= DEEPEST).then_some(parts)
}

/// The number that a pointer leads to; what follows it need not be there, nor be JSON.
fn json_number(pointer: &[String], payload: &[u8]) -> Option<u64> {
    let mut found = None;
    let seed = Walk { pointer, found: &mut found };
    // What was found stands, whatever is wrong behind it.
    _ = seed.deserialize(&mut serde_json::Deserializer::from_slice(payload));
    found
}

struct Walk<'a> {
    pointer: &'a [String],
    found: &'a mut Option<u64>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the pointer leads through")
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if self.pointer.is_empty() {
            *self.found = Some(number);
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.pointer.is_empty() {
            *self.found = text.parse().ok();
        }
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match self.pointer.split_first() {
                Some((part, rest)) if *part == key => {
                    map.next_value_seed(Walk { pointer: rest, found: self.found })?;
                    return Err(M::Error::custom("done"));
                }
                Some(_) | None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let wanted =
            self.pointer.split_first().and_then(|(part, rest)| Some((part.parse::<usize>().ok()?, rest)));
        let Some((mut before, rest)) = wanted else { return Err(S::Error::custom("no such place")) };
        while before > 0 && list.next_element::<IgnoredAny>()?.is_some() {
            before -= 1;
        }
        list.next_element_seed(Walk { pointer: rest, found: self.found })?;
        Err(S::Error::custom("done"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(pointer: &str) -> Sequence {
        Sequence { topic: None, place: SequencePlace::Json(json_pointer(pointer).unwrap()) }
    }

    #[test]
    fn a_json_pointer_leads_through_mappings_and_lists() {
        let payload =
            br#"{"t": 21.5, "a/b": {"m~n": [1, {"seq": 7}, 9]}, "seq": 5, "text": "12", "below": -1}"#;
        for (pointer, number) in [
            ("/seq", Some(5)),
            ("/a~1b/m~0n/1/seq", Some(7)),
            ("/a~1b/m~0n/2", Some(9)),
            ("/a~1b/m~0n/3", None),
            ("/text", Some(12)),
            ("/t", None),
            ("/below", None),
            ("/none", None),
        ] {
            assert_eq!(json(pointer).read(payload), number, "{pointer}");
        }
        assert_eq!(json("/seq").read(b"[1]"), None);
        assert_eq!(json("/0").read(b"[1]"), Some(1));
        assert!(json_pointer("seq").is_none() && json_pointer(&"/a".repeat(33)).is_none());
        assert_eq!(json_pointer(&"/a".repeat(32)).unwrap().len(), DEEPEST);
    }

    #[test]
    fn what_stands_behind_the_number_need_not_be_there() {
        assert_eq!(json("/seq").read(br#"{"seq": 5, "blob": "xxxx"#), Some(5));
        let mut long = br#"{"seq": 5, "blob": ""#.to_vec();
        long.resize(2 * LOOKED_AT, b'x');
        assert_eq!(json("/seq").read(&long), Some(5));
        let mut late = vec![b' '; LOOKED_AT];
        late.extend(br#"{"seq": 5}"#);
        assert_eq!(json("/seq").read(&late), None);
    }

    /// A number that goes on behind what is looked at is none, rather than a smaller one.
    #[test]
    fn a_number_is_read_whole_or_not_at_all() {
        let regex =
            Sequence { topic: None, place: SequencePlace::Regex(Pattern::new(r#""seq":(\d+)"#).unwrap()) };
        for (behind, expected) in [(0, Some(123_456)), (1, None), (3, None), (6, None)] {
            let mut payload = b"{".to_vec();
            payload.resize(LOOKED_AT + behind - br#""seq":123456"#.len(), b' ');
            payload.extend(br#""seq":123456, "more": 1}"#);
            assert_eq!(json("/seq").read(&payload), expected, "{behind}");
            assert_eq!(regex.read(&payload), expected, "{behind}");
        }
    }

    #[test]
    fn expressions_are_alike_where_their_texts_are() {
        let pattern = |text| Pattern::new(text).unwrap();
        assert_eq!(pattern(r"seq=(\d+)"), pattern(r"seq=(\d+)"));
        assert_ne!(pattern(r"seq=(\d+)"), pattern(r"seq=([0-9]+)"));
    }

    #[test]
    fn the_first_group_of_an_expression_is_the_number() {
        let place = SequencePlace::Regex(Pattern::new(r"seq=(\d+)").unwrap());
        let sequence = Sequence { topic: Some("a/+".into()), place };
        assert_eq!(sequence.read(b"\xfftemp=21 seq=0042;"), Some(42));
        assert_eq!(sequence.read(b"seq=x"), None);
        assert!(sequence.is_of("a/b") && !sequence.is_of("a"));
        assert!(Pattern::new("seq=").is_err() && Pattern::new("(").is_err());
    }

    #[test]
    fn an_integer_in_binary_is_read_either_way() {
        let of = |at, width, big_endian| Sequence {
            topic: None,
            place: SequencePlace::Bytes { at, width, big_endian },
        };
        let payload = [9, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(of(1, 2, true).read(&payload), Some(0x0102));
        assert_eq!(of(1, 4, false).read(&payload), Some(0x0403_0201));
        assert_eq!(of(1, 8, true).read(&payload), Some(0x0102_0304_0506_0708));
        assert_eq!(of(2, 8, true).read(&payload), None);
        assert_eq!([1, 2, 8].map(|width| of(0, width, true).greatest().unwrap()), [255, 65_535, u64::MAX]);
    }
}
