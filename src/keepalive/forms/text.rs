//! A sweep for a terminal: what it was, what varied, what came of it, what stands out.
//!
//! Few combinations have a row each; of many, those on the Pareto front do, and each keep-alive has a line from the least to the
//! most over its combinations.

use super::grid::{Column, Grid};
use super::remarks::remarks;
use super::{PARTIAL, PARTLY, conditions, extent, present, shown, worded};
use crate::keepalive::aspect::{Aspect, Axis, axes, varying};
use crate::keepalive::figure::{Figure, Reading};
use crate::keepalive::model::{Row, Sweep};
use crate::keepalive::pareto::{self, Front};
use crate::report::Styling;
use crate::report::table::{Tone, paint, width as columns_of};

/// Up to so many combinations have a row each.
const FEW: usize = 40;
/// So many of the front, and so many keep-alives, have a row.
const MOST_ROWS: usize = 24;
/// So many values of an axis are told.
const MOST_VALUES: usize = 12;
/// Narrower than this no table is.
const LEAST_WIDTH: usize = 40;

/// The text, in lines of at most `width` columns, with colour if asked for.
pub fn text(sweep: &Sweep, width: usize, colour: bool) -> String {
    let styling = if colour { Styling::Ansi } else { Styling::Plain };
    let page = Page { sweep, wide: width.max(LEAST_WIDTH), styling, axes: axes(sweep) };
    let mut out = page.head();
    if sweep.cases.is_empty() {
        return out + "\nNo combination was simulated.\n";
    }
    out += &page.axes();
    let front = pareto::front(sweep, &pareto::DEFAULT);
    out +=
        &if sweep.cases.len() <= FEW { page.all(&front) } else { page.front(&front) + &page.by_keep_alive() };
    out + &page.remarks()
}

struct Page<'a> {
    sweep: &'a Sweep,
    wide: usize,
    styling: Styling,
    axes: Vec<Axis>,
}

impl Page<'_> {
    fn head(&self) -> String {
        let first = format!("brownout keepalive sweep  {}", extent(self.sweep));
        self.toned("", &first, Tone::Strong) + &self.faint("  ", &conditions(&self.sweep.terms).join(", "))
    }

    /// What varies, and what is the same in all.
    fn axes(&self) -> String {
        let (vary, same): (Vec<&Axis>, Vec<&Axis>) = self.axes.iter().partition(|axis| axis.values.len() > 1);
        let told = |axis: &&Axis| {
            let values: Vec<&str> = axis.values.iter().take(MOST_VALUES).map(String::as_str).collect();
            let more = axis.values.len().saturating_sub(MOST_VALUES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            // Values with commas of their own are told apart by what stands between them.
            let between = if values.iter().any(|value| value.contains(',')) { "; " } else { ", " };
            (axis.aspect.name(), values.join(between) + &more + axis.note())
        };
        let same: Vec<String> =
            same.iter().map(told).map(|(name, value)| format!("{name} {value}")).collect();
        let mut out = String::new();
        if !same.is_empty() {
            out += &self.faint("  in all: ", &same.join(", "));
        }
        out.push('\n');
        for (name, values) in vary.iter().map(told) {
            out += &wrapped(&format!("{name:<13} "), &values, self.wide);
        }
        out
    }

    fn faint(&self, first: &str, text: &str) -> String {
        self.toned(first, text, Tone::Faint)
    }

    fn toned(&self, first: &str, text: &str, tone: Tone) -> String {
        let lines = wrapped(first, text, self.wide);
        lines.lines().map(|line| paint(line, tone, self.styling) + "\n").collect()
    }

    fn section(&self, title: &str, note: &str) -> String {
        let title = paint(title, Tone::Strong, self.styling);
        let note = if note.is_empty() { String::new() } else { self.faint("  ", note) };
        format!("\n{title}\n{note}")
    }

    /// Every combination; those on the front have a star.
    fn all(&self, front: &Front) -> String {
        let vary = varying(&self.axes);
        let vary = if vary.is_empty() { vec![Aspect::KeepAlive] } else { vary };
        let figures = present(self.sweep);
        let mut grid = Grid::default();
        grid.columns.extend(vary.iter().map(|aspect| name(*aspect)));
        grid.columns.push(Column { is_name: true, ..plain(["", ""], "front") });
        grid.columns.extend(figures.iter().map(|figure| column(*figure)));
        for (nth, row) in self.sweep.cases.iter().enumerate() {
            let star = if front.members.binary_search(&nth).is_ok() { "*" } else { "" };
            grid.rows.push(self.row(row, &vary, Some(star), &figures));
        }
        self.section("Combinations", &starred(front)) + &self.grid(&grid)
    }

    fn row(&self, row: &Row, vary: &[Aspect], star: Option<&str>, figures: &[Figure]) -> Vec<String> {
        let names = vary.iter().map(|aspect| aspect.of(&row.case));
        let star = star.map(str::to_owned);
        names.chain(star).chain(figures.iter().map(|figure| shown(*figure, row, &self.sweep.terms))).collect()
    }

    /// The combinations on the front.
    fn front(&self, front: &Front) -> String {
        let (vary, figures) = (varying(&self.axes), present(self.sweep));
        let mut grid = Grid::default();
        grid.columns.extend(vary.iter().map(|aspect| name(*aspect)));
        grid.columns.extend(figures.iter().map(|figure| column(*figure)));
        let mut members: Vec<&Row> =
            front.members.iter().filter_map(|nth| self.sweep.cases.get(*nth)).collect();
        members.sort_by(|a, b| self.first_weight(a).total_cmp(&self.first_weight(b)));
        grid.rows = members.iter().take(MOST_ROWS).map(|row| self.row(row, &vary, None, &figures)).collect();
        let title = format!("Pareto front: {} of {}", members.len(), self.sweep.cases.len());
        let more = members.len().saturating_sub(MOST_ROWS);
        let more =
            if more > 0 { self.faint("  ", &format!("and {more} more of the front")) } else { String::new() };
        self.section(&title, &beaten(front)) + &self.grid(&grid) + &more
    }

    fn first_weight(&self, row: &Row) -> f64 {
        Figure::DeviceP95.of(row, &self.sweep.terms).weight().unwrap_or(f64::INFINITY)
    }

    /// For each keep-alive the least and the most over its combinations.
    fn by_keep_alive(&self) -> String {
        const FIGURES: [(Figure, [&str; 2]); 4] = [
            (Figure::DeviceP95, ["device", "p95"]),
            (Figure::HubP95, ["hub", "p95"]),
            (Figure::Downtime, ["down", "/day"]),
            (Figure::Data, ["data", "/month"]),
        ];
        let mut grid = Grid::default();
        grid.columns.push(name(Aspect::KeepAlive));
        grid.columns.push(plain(["combi-", "nations"], "combinations"));
        for (place, (figure, [first, second])) in FIGURES.into_iter().enumerate() {
            for (head, word) in [(first, "least"), (second, "most")] {
                let name = format!("{} {word}", figure.name());
                grid.columns.push(Column { dispensable: place, ..plain([head, word], &name) });
            }
        }
        let Some(axis) = self.axes.iter().find(|axis| axis.aspect == Aspect::KeepAlive) else {
            return String::new();
        };
        for value in axis.values.iter().take(MOST_ROWS) {
            let of = |row: &&Row| Aspect::KeepAlive.of(&row.case) == *value;
            let rows: Vec<&Row> = self.sweep.cases.iter().filter(of).collect();
            let mut cells = vec![value.clone(), rows.len().to_string()];
            for (figure, _) in FIGURES {
                cells.extend(self.range(figure, &rows).map(|reading| worded(reading, figure.form())));
            }
            grid.rows.push(cells);
        }
        let more = axis.values.len().saturating_sub(MOST_ROWS);
        let more =
            if more > 0 { self.faint("  ", &format!("and {more} more keep-alives")) } else { String::new() };
        let note = "The least and the most over its combinations: of each combination one figure, and no percentile \
                    of percentiles; detection only where it is of all but a few outages.";
        self.section("By keep-alive", note) + &self.grid(&grid) + &more
    }

    /// The least and the greatest reading.
    fn range(&self, figure: Figure, rows: &[&Row]) -> [Reading; 2] {
        let whole = rows.iter().filter(|row| figure.is_whole(&row.figures));
        let readings = whole.map(|row| figure.of(row, &self.sweep.terms));
        let mut weighed: Vec<(f64, Reading)> =
            readings.filter_map(|reading| Some((reading.weight()?, reading))).collect();
        weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let of = |one: Option<&(f64, Reading)>| one.map_or(Reading::NoSample, |(_, reading)| *reading);
        [of(weighed.first()), of(weighed.last())]
    }

    fn grid(&self, grid: &Grid) -> String {
        let (mut lines, left_out) = grid.render(self.wide, self.styling);
        if lines.contains(PARTIAL) {
            lines += &self.faint("  ", PARTLY);
        }
        if left_out.is_empty() {
            return lines;
        }
        lines + &self.faint("  ", &format!("No room for: {} (they are in the CSV).", left_out.join(", ")))
    }

    fn remarks(&self) -> String {
        let all = remarks(self.sweep);
        if all.is_empty() {
            return String::new();
        }
        let lines: String = all.iter().map(|remark| wrapped("- ", remark, self.wide)).collect();
        self.section("What stands out", "") + &lines
    }
}

fn starred(front: &Front) -> String {
    format!("* on the Pareto front: {}", beaten(front))
}

/// What the front is of.
pub(super) fn beaten(front: &Front) -> String {
    let names: Vec<&str> = pareto::DEFAULT.iter().map(|figure| figure.name()).collect();
    let unweighed = match front.unweighed {
        0 => String::new(),
        one => format!(
            " {one} without a sample of one of these, or with one of too few outages, are not weighed."
        ),
    };
    format!(
        "with the same outages, path idle and loss no other is as good in {} and better in one.{unweighed}",
        names.join(", ")
    )
}

fn name(aspect: Aspect) -> Column {
    let head = match aspect {
        Aspect::Client => ["client", ""],
        Aspect::KeepAlive => ["keep-", "alive"],
        Aspect::PingTimeout => ["ping", "timeout"],
        Aspect::BackOff => ["back-off", ""],
        Aspect::Outages => ["outages", ""],
        Aspect::PathIdle => ["path", "idle"],
        Aspect::Loss => ["loss", ""],
    };
    Column { is_name: true, ..plain(head, aspect.name()) }
}

fn column(figure: Figure) -> Column {
    let (head, dispensable) = match figure {
        Figure::DeviceP95 => (["device", "p95"], 0),
        Figure::DeviceMax => (["device", "max"], 8),
        Figure::HubP95 => (["hub", "p95"], 3),
        Figure::Downtime => (["down", "/day"], 2),
        Figure::FalseDisconnects => (["false", "/day"], 5),
        Figure::Data => (["data", "/month"], 1),
        Figure::WakeUps => (["wakes", "/day"], 4),
        Figure::LateOrLost => (["late or", "lost"], 6),
        Figure::StormPeak => (["storm", "peak"], 7),
    };
    Column { dispensable, ..plain(head, figure.name()) }
}

fn plain(head: [&str; 2], name: &str) -> Column {
    Column { head: head.map(str::to_owned), name: name.to_owned(), is_name: false, dispensable: 0 }
}

/// The text in lines of at most so many columns, the later ones indented as far as the first.
pub(super) fn wrapped(first: &str, text: &str, wide: usize) -> String {
    let indent = columns_of(first);
    let (mut lines, mut line, mut used) = (String::new(), first.to_owned(), indent);
    let room = wide.saturating_sub(indent).max(1);
    for word in crate::base::text::printable(text).split(' ').flat_map(|word| pieces(word, room)) {
        let takes = columns_of(&word);
        if used > indent && used + 1 + takes > wide {
            lines += line.trim_end();
            lines.push('\n');
            (line, used) = (" ".repeat(indent), indent);
        }
        if used > indent {
            line.push(' ');
            used += 1;
        }
        line += &word;
        used += takes;
    }
    lines + line.trim_end() + "\n"
}

/// A word that no line has room for, in pieces.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        let takes = columns_of(c.encode_utf8(&mut [0; 4]));
        if used + takes > room {
            pieces.push(String::new());
            used = 0;
        }
        used += takes;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}
