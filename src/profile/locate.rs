//! Where in the text a node stands.
//!
//! The YAML reader tells places only in its errors. So the path to the node is walked again, and the walk fails on
//! purpose at the node: the place of that error is the place of the node. Nothing is kept for the many nodes that
//! nobody asks about. Of a long text, only as much is read as the walk takes: fifty problems of it are fifty walks.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::ops::Range;

/// So much of a text is read at first, and four times as much whenever that was not enough. Profiles are shorter, mostly.
const READ_AT_FIRST: usize = 64 * 1024;

/// Which part of an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The key of the last step.
    Key,
    /// The node itself.
    Value,
}

/// A text in which places are looked for.
#[derive(Debug)]
pub(super) struct Places<'t> {
    text: &'t str,
    /// So much of it was read for the place before; problems come in the order of the text, mostly.
    read: usize,
}

impl<'t> Places<'t> {
    pub(super) fn of(text: &'t str) -> Places<'t> {
        Places { text, read: READ_AT_FIRST }
    }

    /// The bytes of the node that `path` leads to: at each step the number of the item, or of the entry. For a node
    /// that an alias stands for, this is where it is written out. `written` is the scalar's text, where known.
    pub(super) fn locate(
        &mut self,
        path: &[usize],
        part: Part,
        written: Option<&str>,
    ) -> Option<Range<usize>> {
        let start = after_anchor(self.text, self.start(path, part)?);
        let rest = self.text.get(start..)?;
        Some(start..start + length(rest, written))
    }

    /// Where the node begins.
    fn start(&mut self, path: &[usize], part: Part) -> Option<usize> {
        while let Some(first) = first_lines(self.text, self.read) {
            let has_arrived = Cell::new(false);
            let place = walk(first, path, part, &has_arrived);
            // The end that the text has here is none of its own: neither are the errors that come of it, nor a value of
            // nothing.
            if has_arrived.get() {
                return place;
            }
            self.read *= 4;
        }
        walk(self.text, path, part, &Cell::new(false))
    }
}

/// The lines within so many bytes, where that is not all: what YAML makes of a line does not depend on later ones, but for the
/// end of what goes on in them.
fn first_lines(text: &str, read: usize) -> Option<&str> {
    let bytes = text.as_bytes().get(..read)?;
    let end = bytes.iter().rposition(|byte| *byte == b'\n')?;
    text.get(..=end)
}

fn walk(text: &str, path: &[usize], part: Part, has_arrived: &Cell<bool>) -> Option<usize> {
    let walk = Walk { path, part, has_arrived };
    let error = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    error.location().map(|place| place.index())
}

struct Walk<'a> {
    path: &'a [usize],
    part: Part,
    has_arrived: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.path.is_empty() {
            deserializer.deserialize_any(Arrived(self.has_arrived))
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the way on")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((&number, rest)) = self.path.split_first() else { return Ok(()) };
        for _ in 0..number {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Walk { path: rest, ..self }).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((&number, rest)) = self.path.split_first() else { return Ok(()) };
        for _ in 0..number {
            if map.next_entry::<IgnoredAny, IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        if rest.is_empty() && self.part == Part::Key {
            return map.next_key_seed(Walk { path: &[], ..self }).map(drop);
        }
        // Past the end there is no value, and asking for one is an error of ours.
        if map.next_key::<IgnoredAny>()?.is_none() {
            return Ok(());
        }
        map.next_value_seed(Walk { path: rest, ..self })
    }
}

/// Takes nothing: whatever stands here is the error that was looked for.
struct Arrived<'a>(&'a Cell<bool>);

impl Visitor<'_> for Arrived<'_> {
    type Value = ();

    /// Asked for the words of that error.
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.set(true);
        f.write_str("to fail here")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom("nothing stands here"))
    }
}

/// Past an anchor (`&name`) before a node.
fn after_anchor(text: &str, start: usize) -> usize {
    let Some(rest) = text.get(start..).filter(|rest| rest.starts_with('&')) else { return start };
    let name = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    let gap = rest[name..].find(|c: char| !c.is_whitespace()).unwrap_or(0);
    start + name + gap
}

/// How many bytes of the line the node at the beginning of `rest` takes; at least one character where there is one.
fn length(rest: &str, written: Option<&str>) -> usize {
    let line = rest.lines().next().unwrap_or_default();
    if let Some(written) = written.filter(|written| !written.is_empty() && line.starts_with(written)) {
        return written.len();
    }
    let length = match line.chars().next() {
        Some(quote @ ('"' | '\'')) => line[1..].find(quote).map_or(line.len(), |end| end + 2),
        Some('{' | '[') => flow_length(line),
        Some(_) => plain_length(line),
        None => 0,
    };
    length.max(line.chars().next().map_or(0, char::len_utf8))
}

/// To the bracket that closes the first one, or to the end of the line.
fn flow_length(line: &str) -> usize {
    let mut open = 0_i32;
    for (at, c) in line.char_indices() {
        match c {
            '{' | '[' => open += 1,
            '}' | ']' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at + 1;
        }
    }
    line.trim_end().len()
}

/// To what ends a plain scalar: a comment, a colon, or in flow style a comma or bracket.
fn plain_length(line: &str) -> usize {
    let ends = [" #", ": ", ",", "}", "]"].into_iter().filter_map(|end| line.find(end));
    let end = ends.min().unwrap_or(line.len());
    line[..end].trim_end().trim_end_matches(':').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "naïve: 'Größe ü'\nrules:\n  - id: dark # why\n    fault: { blackhole: { for: 0s, x: &a [1] } }\nlast: *a\n";

    #[test]
    fn finds_keys_and_values_by_their_numbers() {
        for (path, part, found) in [
            (&[0][..], Part::Key, "naïve"),
            (&[0], Part::Value, "'Größe ü'"),
            (&[1], Part::Key, "rules"),
            (&[1, 0], Part::Value, "id"),
            (&[1, 0, 0], Part::Value, "dark"),
            (&[1, 0, 1, 0], Part::Key, "blackhole"),
            (&[1, 0, 1, 0], Part::Value, "{ for: 0s, x: &a [1] }"),
            (&[1, 0, 1, 0, 0], Part::Value, "0s"),
            (&[1, 0, 1, 0, 1], Part::Value, "[1]"),
            (&[2], Part::Value, "[1]"),
        ] {
            let span = Places::of(TEXT).locate(path, part, None).unwrap();
            assert_eq!(&TEXT[span], found, "{path:?} {part:?}");
        }
        assert_eq!(Places::of(TEXT).locate(&[7], Part::Value, None), None);
    }

    /// Of a text that is cut anywhere, a node is found where it is found in the whole, or not at all.
    #[test]
    fn a_part_of_a_text_leads_nowhere_else() {
        let text = "a:\n\n  - b: 1\n    c: |\n      d\n      e\n\n    f:\n\n    # none\n    g: { h: [1,\n      2], i: \"j\n      k\" }\nl: &m\n  n: o\n    p\nq: *m\nr:\n";
        let paths: &[&[usize]] =
            &[&[0], &[0, 0], &[0, 0, 0], &[0, 0, 1], &[0, 0, 2], &[0, 0, 3, 0], &[0, 0, 3, 0, 1]];
        let more: &[&[usize]] = &[&[0, 0, 3, 1], &[1], &[1, 0], &[2], &[3], &[4]];
        let mut found = 0;
        for (path, part) in paths.iter().chain(more).flat_map(|path| [(path, Part::Key), (path, Part::Value)])
        {
            let whole = walk(text, path, part, &Cell::new(false));
            for read in 0..text.len() {
                let Some(first) = first_lines(text, read) else { continue };
                let has_arrived = Cell::new(false);
                let place = walk(first, path, part, &has_arrived);
                assert!(!has_arrived.get() || place == whole, "{path:?} {part:?} in {first:?}");
                found += usize::from(has_arrived.get());
            }
        }
        assert!(found > 1_000, "{found}");
    }

    #[test]
    fn a_long_text_is_read_as_far_as_it_takes() {
        let text: String = (0..30_000).map(|nth| format!("key{nth}: {nth}\n")).collect();
        let mut places = Places::of(&text);
        for nth in [0, 9_000, 29_999, 10] {
            let key = format!("key{nth}");
            assert_eq!(places.locate(&[nth], Part::Key, None).map(|span| &text[span]), Some(&*key));
        }
        assert_eq!(places.locate(&[30_000], Part::Key, None), None);
    }

    #[test]
    fn a_known_text_is_marked_whole() {
        let text = "summary: one, two: and three\n";
        let known = Some("one, two and three");
        let span = Places::of("summary: one, two and three").locate(&[0], Part::Value, known).unwrap();
        assert_eq!(span.len(), 18);
        let span = Places::of(text).locate(&[0], Part::Value, None);
        assert!(span.is_none_or(|span| span.end <= text.len()));
    }
}
