//! XML 1.0, as little of it as a report needs: elements, attributes, text.
//!
//! Text is of peers in part. What XML 1.0 forbids even as a reference (most control characters, U+FFFE, U+FFFF; section
//! 2.2, production `Char`) is written as its escape (`\u{1b}`), so that no client identifier can spoil the file.

use crate::base::text::printable;
use std::fmt::Write;

/// An element under construction.
#[derive(Clone, Debug)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    inside: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// An empty one.
    pub fn new(name: &'static str) -> Element {
        Element { name, attributes: Vec::new(), inside: Vec::new() }
    }

    /// With this attribute; the caller gives each name once.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Element {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// With this text inside.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Element {
        self.inside.push(Node::Text(text.into()));
        self
    }

    /// With this element inside.
    #[must_use]
    pub fn child(mut self, child: Element) -> Element {
        self.inside.push(Node::Element(child));
        self
    }

    /// With these elements inside.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.inside.extend(children.into_iter().map(Node::Element));
        self
    }

    /// As a document in UTF-8.
    pub fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, 0);
        out
    }

    /// Elements are indented; an element with text holds it as it is, without a blank more.
    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        // Writing to a string cannot fail.
        let _ = write!(out, "{indent}<{}", self.name);
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escaped(value, true));
        }
        if self.inside.is_empty() {
            out.push_str("/>\n");
            return;
        }
        out.push('>');
        let holds_text = self.inside.iter().any(|node| matches!(node, Node::Text(_)));
        if !holds_text {
            out.push('\n');
        }
        for node in &self.inside {
            match node {
                Node::Element(element) => element.write(out, depth + 1),
                Node::Text(text) => out.push_str(&escaped(text, false)),
            }
        }
        let _ = writeln!(out, "{}</{}>", if holds_text { "" } else { &indent }, self.name);
    }
}

/// Text of one line that does nothing but be read: GitLab, and a plugin of Jenkins, take `[[ATTACHMENT|path]]` in the
/// output of a test case for a file to show, and a client identifier may hold that.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if c == '[' && out.ends_with('[') {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The same, of each line of a text.
pub fn inert_lines(text: &str) -> String {
    text.lines().map(inert).collect::<Vec<_>>().join("\n")
}

/// The text as XML may hold it. In an attribute, white space would be read as a blank, and is written as a reference.
fn escaped(text: &str, in_attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' if !in_attribute => out.push(c),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            // A parser would make a line's end of it.
            '\r' => out.push_str("&#13;"),
            c if is_forbidden(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_forbidden_characters_cannot_get_out() {
        for (text, attribute, inside) in [
            ("a<b>&\"'", "a&lt;b&gt;&amp;&quot;&apos;", "a&lt;b&gt;&amp;&quot;&apos;"),
            ("]]>", "]]&gt;", "]]&gt;"),
            ("\u{0}\u{1b}[2J", "\\u{0}\\u{1b}[2J", "\\u{0}\\u{1b}[2J"),
            ("\u{fffe}\u{ffff}", "\\u{fffe}\\u{ffff}", "\\u{fffe}\\u{ffff}"),
            ("a\r\n\tb", "a&#13;&#10;&#9;b", "a&#13;\n\tb"),
            ("水 \u{85} \u{fffd} 🦀", "水 \u{85} \u{fffd} 🦀", "水 \u{85} \u{fffd} 🦀"),
        ] {
            assert_eq!(escaped(text, true), attribute);
            assert_eq!(escaped(text, false), inside);
        }
    }

    #[test]
    fn elements_stand_on_lines_of_their_own_and_text_stays_as_it_is() {
        let tree =
            Element::new("a").with("n", 1).child(Element::new("b").text("x\n y")).child(Element::new("c"));
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        assert_eq!(tree.document(), format!("{head}<a n=\"1\">\n  <b>x\n y</b>\n  <c/>\n</a>\n"));
    }
}
