//! Columns of text, at most [`WIDTH`] columns wide, in plain text or with ANSI styles.
//!
//! Names may be of any script: what counts is how many columns a terminal shows them in (Unicode Standard Annex 11), two for
//! most of East Asia and for emoji, none for an accent.

use crate::base::text::printable;
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// The widest a line may be: a terminal of 80 columns.
pub const WIDTH: usize = 80;
/// The most of a device's name that is shown.
pub const NAME: usize = 24;
/// So much of it lets most fleets be told apart; columns are left out rather than less be shown.
const FAIR_NAME: usize = 14;
/// The least that is left of it.
const LEAST_NAME: usize = 8;

/// The most characters that are shown in a column: accents take none, and could be without end.
const MOST_IN_COLUMN: usize = 4;

/// How many columns of a terminal the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Whether the text takes at most so many columns, and is not piled up in them.
fn is_within(text: &str, most: usize) -> bool {
    text.chars().nth(most.saturating_mul(MOST_IN_COLUMN)).is_none() && width(text) <= most
}

/// The longest beginning that is within so many columns, by whole characters.
fn beginning(text: &str, most: usize) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let within =
        ends.take(most.saturating_mul(MOST_IN_COLUMN)).take_while(|end| width(&text[..*end]) <= most);
    &text[..within.last().unwrap_or(0)]
}

/// The longest ending that is.
fn ending(text: &str, most: usize) -> &str {
    let starts = text.char_indices().rev().map(|(at, _)| at);
    let within =
        starts.take(most.saturating_mul(MOST_IN_COLUMN)).take_while(|start| width(&text[*start..]) <= most);
    &text[within.last().unwrap_or(text.len())..]
}

/// Whether styles are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Styling {
    /// Text alone.
    Plain,
    /// With ANSI escapes.
    Ansi,
}

/// What a piece of text is meant to say by its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Normal,
    /// A heading.
    Strong,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Secondary.
    Faint,
}

/// A piece of text with its tone.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Text in this tone; names come from peers, so control characters are made visible.
    pub fn new(text: impl Into<String>, tone: Tone) -> Cell {
        Cell { text: printable(&text.into()), tone }
    }

    /// Text that says nothing by its looks.
    pub fn plain(text: impl Into<String>) -> Cell {
        Cell::new(text, Tone::Normal)
    }

    /// How many columns of a terminal it takes.
    pub fn columns(&self) -> usize {
        width(&self.text)
    }

    /// With so many columns before it that it takes this many.
    pub fn flush_right(mut self, columns: usize) -> Cell {
        self.text.insert_str(0, &" ".repeat(columns.saturating_sub(self.columns())));
        self
    }
}

/// The text with its style.
pub fn paint(text: &str, tone: Tone, styling: Styling) -> String {
    let style = match tone {
        Tone::Normal => return text.to_owned(),
        Tone::Strong => Style::new().bold(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Faint => Style::new().dimmed(),
    };
    match styling {
        Styling::Plain => text.to_owned(),
        Styling::Ansi => format!("{style}{text}{style:#}"),
    }
}

/// Rows as lines: columns two spaces apart, indented by two. The first column, of names, is at most [`NAME`] wide and
/// gives way to the others down to [`LEAST_NAME`]; what does not fit even so is cut.
pub fn lay_out(rows: &[Vec<Cell>], styling: Styling) -> String {
    let mut widths = widths(rows);
    let excess = total(&widths).saturating_sub(WIDTH);
    if let Some(first) = widths.first_mut() {
        *first = first.saturating_sub(excess).max(LEAST_NAME.min(*first));
    }
    rows.iter().map(|row| line(row, &widths, styling)).collect()
}

/// Whether rows fit into a line with names that can still be told apart.
pub fn fits(rows: &[Vec<Cell>]) -> bool {
    let mut widths = widths(rows);
    if let Some(first) = widths.first_mut() {
        *first = (*first).min(FAIR_NAME);
    }
    total(&widths) <= WIDTH
}

fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| width(&cell.text)).max().unwrap_or(0);
        if column == 0 { widest.min(NAME) } else { widest }
    };
    (0..columns).map(of).collect()
}

fn total(widths: &[usize]) -> usize {
    widths.iter().map(|width| width + 2).sum()
}

fn line(row: &[Cell], widths: &[usize], styling: Styling) -> String {
    let mut line = String::new();
    let mut used = 0;
    for (nth, (cell, wide)) in row.iter().zip(widths).enumerate() {
        let room = WIDTH.saturating_sub(used + 2).max(1);
        let text = if nth == 0 { cut_name(&cell.text, *wide) } else { cut(&cell.text, room) };
        let pad = wide.min(&room).saturating_sub(width(&text));
        line.push_str("  ");
        line.push_str(&paint(&text, cell.tone, styling));
        line.push_str(&" ".repeat(pad));
        used += 2 + width(&text) + pad;
    }
    format!("{}\n", line.trim_end())
}

/// The text in at most so many columns; what is cut off is shown as `~`.
pub fn cut(text: &str, most: usize) -> String {
    if is_within(text, most) {
        return text.to_owned();
    }
    format!("{}~", beginning(text, most.saturating_sub(1)))
}

/// The name in at most so many columns. Names of devices often begin alike and differ at their ends, so that it is
/// the middle that goes.
pub fn cut_name(name: &str, most: usize) -> String {
    if is_within(name, most) || most < 3 {
        return cut(name, most);
    }
    let last = (most - 1).div_ceil(2);
    format!("{}~{}", beginning(name, most - 1 - last), ending(name, last))
}

/// The sentence in lines of at most [`WIDTH`]; the first begins with `first`, the others are indented as far.
pub fn wrap(first: &str, text: &str) -> String {
    let indent = " ".repeat(width(first));
    let mut lines = vec![first.to_owned()];
    let mut empty = true;
    let room = WIDTH.saturating_sub(indent.len()).max(1);
    for word in words(text).iter().flat_map(|word| pieces(word, room)) {
        let used = lines.last().map_or(0, |line| width(line));
        if !empty && used + 1 + width(&word) > WIDTH {
            lines.push(indent.clone());
            empty = true;
        }
        if let Some(line) = lines.last_mut() {
            if !empty {
                line.push(' ');
            }
            line.push_str(&word);
        }
        empty = false;
    }
    lines.join("\n") + "\n"
}

/// A word that no line has room for, in pieces; others as they are.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let (mut rest, mut pieces) = (word, Vec::new());
    while !is_within(rest, room) {
        // One character is more than nothing, whatever it takes.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let (piece, after) = rest.split_at(beginning(rest, room).len().max(first));
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then(|| rest.to_owned()));
    pieces
}

/// The words of a text; a number and its unit are one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace().map(printable) {
        let unit = ["us", "ms", "s", "m", "h", "K"].contains(&word.trim_end_matches([',', ';', ':', ')']));
        match words.last_mut().filter(|last| unit && last.ends_with(|c: char| c.is_ascii_digit())) {
            Some(number) => *number = format!("{number} {word}"),
            None => words.push(word),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let row = |widths: [usize; 3]| {
            let row: Vec<Cell> =
                ["a", "b", "c"].iter().zip(widths).map(|(text, n)| Cell::plain(text.repeat(n))).collect();
            lay_out(&[row], Styling::Plain)
        };
        let line = row([30, 40, 30]);
        assert_eq!(line.trim_end().chars().count(), WIDTH);
        assert!(line.starts_with("  aaa~aaaa  bbb") && line.ends_with("c~\n"), "{line}");
    }

    /// Characters of two columns, of none, and of two made of two.
    #[test]
    fn columns_are_counted_and_not_characters() {
        let accents = format!("e{}", "\u{301}".repeat(500));
        for name in
            ["水".repeat(60), "\u{2764}\u{fe0f}".repeat(60), format!("{accents}水"), "🇩🇪-sensor".repeat(9)]
        {
            for most in 1..=NAME {
                let (cut, cut_name) = (cut(&name, most), cut_name(&name, most));
                assert!(width(&cut) <= most && width(&cut_name) <= most, "{most}: {cut} {cut_name}");
                assert!(cut.chars().count() <= MOST_IN_COLUMN * NAME && cut.contains('~'), "{cut}");
            }
            let rows = [vec![Cell::plain(&name), Cell::plain("x")], vec![Cell::plain("a"), Cell::plain("x")]];
            let text = lay_out(&rows, Styling::Plain);
            let places: Vec<usize> = text.lines().map(|line| width(line.trim_end_matches('x'))).collect();
            assert_eq!(places[0], places[1], "{text}");
            let wrapped = wrap("- ", &format!("{name} and {name}"));
            assert!(wrapped.lines().all(|line| width(line) <= WIDTH), "{wrapped}");
        }
        assert_eq!(cut_name("水水水水水", 8), "水~水水");
    }

    #[test]
    fn names_give_way_before_anything_else_does() {
        let row = |name: &str, rest: usize| vec![Cell::plain(name), Cell::plain("b".repeat(rest))];
        let shown = |name, rest| lay_out(&[row(name, rest)], Styling::Plain);
        assert!(shown("factory-7/line-3/sensor-000123", 10).starts_with("  factory-7/l~ensor-000123  b"));
        assert!(shown("factory-7/line-3/sensor-000123", 60).starts_with("  factory~r-000123  b"));
        assert!(shown("short", 71).contains("  short  bbb"));
        for (rest, expected) in [(62, true), (63, false)] {
            assert_eq!(fits(&[row("factory-7/line-3/sensor-000123", rest)]), expected, "{rest}");
        }
    }

    #[test]
    fn styles_do_not_move_columns() {
        let rows =
            [vec![Cell::new("ab", Tone::Bad), Cell::plain("x")], vec![Cell::plain("abc"), Cell::plain("x")]];
        assert_eq!(lay_out(&rows, Styling::Plain), "  ab   x\n  abc  x\n");
        assert_eq!(lay_out(&rows, Styling::Ansi).matches("   x").count(), 1);
    }

    #[test]
    fn no_name_can_move_the_cursor() {
        let row = vec![Cell::plain("a\x1b[2J")];
        assert_eq!(lay_out(&[row], Styling::Plain), "  a\\u{1b}[2J\n");
        assert!(!wrap("- ", "a \x1b[2J b").contains('\x1b'));
    }

    #[test]
    fn sentences_wrap_under_themselves() {
        let text = "word ".repeat(30);
        let wrapped = wrap("- ", &text);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(wrapped.lines().nth(1).unwrap().starts_with("  word"));
        let long = wrap("- ", &format!("at {}", "x".repeat(200)));
        assert!(long.lines().all(|line| line.chars().count() <= WIDTH), "{long}");
        assert_eq!(long.matches('x').count(), 200);
    }
}
