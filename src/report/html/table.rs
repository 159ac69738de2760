//! Tables of the page. They are read without a script; with it, they are sorted by their heads, filtered and paged.

use super::escape::text;
use crate::report::words::many;

/// A long table holds at most so many rows; the worst ones, if there are more.
pub const MOST_ROWS: usize = 2_000;

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name in the page.
    pub id: &'static str,
    /// What it shows.
    pub caption: String,
    /// The heads of its columns.
    pub columns: Vec<Column>,
    /// Its rows; each has a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows there would be; more than there are if some are left out.
    pub of: usize,
}

/// The head of a column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it means, for those who ask.
    pub meaning: &'static str,
    /// Whether its cells are figures.
    pub is_figure: bool,
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What it shows.
    pub shown: String,
    /// What it is sorted by, where that is a number.
    pub value: Option<f64>,
    /// Its class, for its looks.
    pub class: &'static str,
}

impl Cell {
    /// A text.
    pub fn text(shown: impl Into<String>) -> Cell {
        Cell { shown: shown.into(), ..Cell::default() }
    }

    /// A figure.
    pub fn figure(shown: impl Into<String>, value: f64) -> Cell {
        Cell { shown: shown.into(), value: Some(value), class: "" }
    }

    /// A number of things.
    pub fn number(number: u64) -> Cell {
        Cell::figure(number.to_string(), to_sort_by(number))
    }

    /// Nothing to say.
    pub fn none() -> Cell {
        Cell { shown: "\u{2013}".into(), value: None, class: "none" }
    }

    /// The same with another look.
    #[must_use]
    pub fn class(self, class: &'static str) -> Cell {
        Cell { class, ..self }
    }

    fn html(&self, is_figure: bool) -> String {
        let value = self.value.map_or(String::new(), |value| format!(" data-v=\"{value}\""));
        let class = [self.class, if is_figure { "fig" } else { "" }].join(" ");
        let class = match class.trim() {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        format!("<td{class}{value}>{}</td>", text(&self.shown))
    }
}

/// A column of texts.
pub const fn words(name: &'static str, meaning: &'static str) -> Column {
    Column { name, meaning, is_figure: false }
}

/// A number as cells are sorted by it.
#[expect(clippy::cast_precision_loss, reason = "to sort by: those that it takes for equal are nearly so")]
pub fn to_sort_by(number: u64) -> f64 {
    number as f64
}

/// A column of figures.
pub const fn figures(name: &'static str, meaning: &'static str) -> Column {
    Column { name, meaning, is_figure: true }
}

impl Table {
    /// Takes out the columns in which no cell says anything.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Table {
        let says =
            |at: usize| self.rows.iter().any(|row| row.get(at).is_some_and(|cell| cell.class != "none"));
        let keep: Vec<bool> = (0..self.columns.len()).map(|at| at == 0 || says(at)).collect();
        for row in &mut self.rows {
            let mut keep = keep.iter();
            row.retain(|_| keep.next().copied().unwrap_or(true));
        }
        let mut keep = keep.iter();
        self.columns.retain(|_| keep.next().copied().unwrap_or(true));
        self
    }

    /// The table, with what is left out.
    pub fn html(&self) -> String {
        let heads: String = self.columns.iter().map(head).collect();
        let rows: String = self.rows.iter().map(|row| self.row(row)).collect();
        let left = self.of.saturating_sub(self.rows.len());
        let left_out = if left == 0 {
            String::new()
        } else {
            let more = many(left, "more row");
            format!("<p class=\"left-out\">The worst {} rows; report.json has {more}.</p>\n", self.rows.len())
        };
        let (id, caption) = (self.id, text(&self.caption));
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
             <table class=\"sortable\" id=\"{id}\"><caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n\
             <tbody>\n{rows}</tbody></table>\n</div>\n{left_out}"
        )
    }

    fn row(&self, row: &[Cell]) -> String {
        let cells: String =
            row.iter().zip(&self.columns).map(|(cell, column)| cell.html(column.is_figure)).collect();
        format!("<tr>{cells}</tr>\n")
    }
}

fn head(column: &Column) -> String {
    let class = if column.is_figure { " class=\"fig\"" } else { "" };
    format!("<th scope=\"col\"{class} title=\"{}\">{}</th>", text(column.meaning), text(column.name))
}
