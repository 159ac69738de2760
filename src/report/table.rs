//! Columns of text, at most [`WIDTH`] characters wide, in plain text or with ANSI styles.

use crate::base::text::printable;
use anstyle::{AnsiColor, Style};

/// The widest a line may be: a terminal of 80 columns.
pub const WIDTH: usize = 80;

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

/// Rows as lines: columns two spaces apart, indented by two; the last column is cut where it does not fit.
pub fn lay_out(rows: &[Vec<Cell>], styling: Styling) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().map(|row| line(row, &widths, styling)).collect()
}

fn line(row: &[Cell], widths: &[usize], styling: Styling) -> String {
    let mut line = String::new();
    let mut used = 0;
    for (cell, width) in row.iter().zip(widths) {
        let room = WIDTH.saturating_sub(used + 2).max(1);
        let text = cut(&cell.text, room);
        let pad = width.min(&room).saturating_sub(text.chars().count());
        line.push_str("  ");
        line.push_str(&paint(&text, cell.tone, styling));
        line.push_str(&" ".repeat(pad));
        used += 2 + text.chars().count() + pad;
    }
    format!("{}\n", line.trim_end())
}

/// The text in at most so many characters; what is cut off is shown as `~`.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}~")
}

/// The sentence in lines of at most [`WIDTH`]; the first begins with `first`, the others are indented as far.
pub fn wrap(first: &str, text: &str) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = vec![first.to_owned()];
    let mut empty = true;
    for word in words(text) {
        let used = lines.last().map_or(0, |line| line.chars().count());
        if !empty && used + 1 + word.chars().count() > WIDTH {
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
        let row = vec![Cell::plain("a".repeat(30)), Cell::plain("b".repeat(30)), Cell::plain("c".repeat(30))];
        let line = lay_out(&[row], Styling::Plain);
        assert_eq!(line.trim_end().chars().count(), WIDTH);
        assert!(line.ends_with("c~\n"), "{line}");
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
    }
}
