//! GitHub-flavoured Markdown, as little of it as a summary needs: headings, paragraphs, lists, tables.
//!
//! Text is of peers in part, so that all of it is escaped: as numeric character references, which no parser takes for
//! structure, neither of a table's row nor of the text in a cell (CommonMark, "Entity and numeric character references").
//! A backslash would not do: inside a table's row readers differ in what they make of `\\|`.

use crate::base::text::printable;
use std::fmt::Write;

/// A document under construction.
#[derive(Clone, Debug, Default)]
pub struct Markdown {
    text: String,
}

impl Markdown {
    /// A heading; `depth` from 1 to 6.
    pub fn heading(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{} {}\n", "#".repeat(depth), text);
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}\n");
    }

    /// A list; nothing where there is nothing.
    pub fn list(&mut self, items: impl IntoIterator<Item = String>) {
        let before = self.text.len();
        for item in items {
            let _ = writeln!(self.text, "- {item}");
        }
        if self.text.len() > before {
            self.text.push('\n');
        }
    }

    /// A table; nothing where there are no rows. Columns whose heading ends in `:` are of numbers, to the right.
    pub fn table(&mut self, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        let heads: Vec<&str> = columns.iter().map(|column| column.trim_end_matches(':')).collect();
        let marks = columns.iter().map(|column| if column.ends_with(':') { "---:" } else { "---" });
        let _ =
            writeln!(self.text, "| {} |\n| {} |", heads.join(" | "), marks.collect::<Vec<_>>().join(" | "));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
        self.text.push('\n');
    }

    /// All of it, in at most so many bytes.
    pub fn within(self, most: usize, instead: &str) -> String {
        within(self.text, most, instead)
    }
}

/// At most so many bytes of it: what is over goes line by line from the end, and `instead` is put in its place.
pub fn within(text: String, most: usize, instead: &str) -> String {
    if text.len() <= most {
        return text;
    }
    let room = most.saturating_sub(instead.len() + 2);
    let fits = |end: &usize| *end <= room;
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    let end = ends.take_while(fits).last().unwrap_or(0);
    format!("{}\n{instead}\n", &text[..end])
}

/// The text as it is shown, and nothing else: no markup, no HTML, no link, no end of a cell.
pub fn escaped(text: &str) -> String {
    let text = printable(text);
    let mut out = String::with_capacity(text.len());
    let (mut before, mut is_number) = (None, false);
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        if is_markup(c, before, is_number, letters.peek().copied()) {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
        is_number = c.is_ascii_digit() && (is_number || before.is_none());
        before = Some(c);
    }
    out
}

/// Whether a character would be markup between these two; `is_number`: all that is before it are digits.
fn is_markup(c: char, before: Option<char>, is_number: bool, after: Option<char>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '&' | '<' | '>' | '"' | '`' | '\\' | '*' | '[' | ']' | '|' | '~' | '@' | '$' | '#' => true,
        // Amid a word it is no emphasis: `device_detection` stays readable.
        '_' => !is_word(before) || !is_word(after),
        // A scheme, and a shorthand of an emoji.
        ':' => after == Some('/') || is_word(after),
        '.' => is_number && !is_word(after) || matches!(before, Some('w' | 'W')),
        ')' => is_number,
        // A list, or a line under a heading.
        '+' | '-' | '=' => before.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_markup() {
        for (text, shown) in [
            ("a|b", "a&#124;b"),
            ("<img src=x>", "&#60;img src=x&#62;"),
            ("`x` **b** _i_", "&#96;x&#96; &#42;&#42;b&#42;&#42; &#95;i&#95;"),
            ("device_detection of dark, p95 <= 1.5 s", "device_detection of dark, p95 &#60;= 1.5 s"),
            ("[x](javascript:y)", "&#91;x&#93;(javascript&#58;y)"),
            ("https://x.y www.z", "https&#58;//x.y www&#46;z"),
            ("# 1. - #12", "&#35; 1. - &#35;12"),
            ("12. x", "12&#46; x"),
            ("2.1 s", "2.1 s"),
            ("1) x", "1&#41; x"),
            ("- x", "&#45; x"),
            ("&amp; \\| $x$ @all :+1:", "&#38;amp; &#92;&#124; &#36;x&#36; &#64;all :+1:"),
            ("a\nb\u{1b}", "a&#92;nb&#92;u{1b}"),
            ("水", "水"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    /// A client identifier may be that long, and each of a hundred findings may name another.
    #[test]
    fn a_long_number_takes_no_longer_than_a_long_word() {
        let number = "1".repeat(65_535);
        for _ in 0..100 {
            assert_eq!(escaped(&format!("{number}.")), format!("{number}&#46;"));
        }
    }

    #[test]
    fn what_does_not_fit_goes_by_whole_lines_and_is_told() {
        let mut markdown = Markdown::default();
        markdown.table(&["a", "n:"], (0..100).map(|n| vec![n.to_string(), "x".into()]));
        let whole = markdown.clone().within(10_000, "cut");
        assert!(
            whole.starts_with("| a | n |\n| --- | ---: |\n| 0 | x |\n") && whole.ends_with("| 99 | x |\n\n")
        );
        let cut = markdown.within(100, "cut");
        assert!(cut.len() <= 100 && cut.ends_with(" | x |\n\ncut\n"), "{cut}");
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let mut markdown = Markdown::default();
        markdown.table(&["a"], Vec::new());
        markdown.list(Vec::new());
        assert_eq!(markdown.within(10, ""), "");
    }
}
