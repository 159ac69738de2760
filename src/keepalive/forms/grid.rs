//! Tables of so many columns of a terminal: names to the left, figures to the right, what has no room left out and said.

use crate::base::text::printable;
use crate::report::Styling;
use crate::report::table::{Tone, cut, cut_name, paint, width};
use std::collections::BTreeSet;

/// The least of a name that is shown.
const LEAST_NAME: usize = 8;
/// So many figures stay while names can be cut no more without looking alike.
const FIGURES: usize = 3;
/// The most.
const MOST_NAME: usize = 28;
/// Between columns, and before the first.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its two lines of head.
    pub head: [String; 2],
    /// What it is, where it is left out.
    pub name: String,
    /// Names stay, whatever room there is.
    pub is_name: bool,
    /// Which goes first where there is no room: the greatest.
    pub dispensable: usize,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

/// How names are cut so that they can still be told apart.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// At their end, or in their middle.
    at_end: bool,
    /// Narrower than this, two would look alike.
    least: usize,
}

impl Cut {
    /// The narrowest that tells these names apart.
    fn among(names: &BTreeSet<String>) -> Cut {
        let mut ways =
            (LEAST_NAME..MOST_NAME).flat_map(|least| [true, false].map(|at_end| Cut { at_end, least }));
        let tells_apart = |way: &Cut| {
            let cut: BTreeSet<String> = names.iter().map(|name| way.of(name, way.least)).collect();
            cut.len() == names.len()
        };
        ways.find(tells_apart).unwrap_or(Cut { at_end: false, least: MOST_NAME })
    }

    fn of(self, name: &str, most: usize) -> String {
        if self.at_end { cut(name, most) } else { cut_name(name, most) }
    }
}

impl Grid {
    /// The lines, and the names of the columns that were left out.
    pub fn render(&self, wide: usize, styling: Styling) -> (String, Vec<String>) {
        let mut widths = self.widths();
        let cuts = self.cuts();
        let mut shown = vec![true; self.columns.len()];
        let mut left_out = Vec::new();
        while total(&widths, &shown) > wide {
            let fitted = self.narrower(|nth| cuts[nth].least, &mut widths, &shown)
                || self.leave_out(FIGURES, &mut shown, &mut left_out)
                || self.narrower(|_| LEAST_NAME, &mut widths, &shown)
                || self.leave_out(0, &mut shown, &mut left_out);
            if !fitted {
                break;
            }
        }
        self.wider(wide, &mut widths, &shown);
        let line = |cells: &[&str]| {
            // What is cut cannot be painted.
            let fits = total(&widths, &shown) <= wide;
            let line = self.line(cells, &widths, &cuts, &shown, if fits { styling } else { Styling::Plain });
            if fits { line } else { cut(&line, wide) }
        };
        let mut out = String::new();
        for half in 0..2 {
            let heads: Vec<&str> = self.columns.iter().map(|column| column.head[half].as_str()).collect();
            let text = line(&heads);
            if !text.is_empty() {
                out += &paint(&text, Tone::Faint, styling);
                out.push('\n');
            }
        }
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            out += &line(&cells);
            out.push('\n');
        }
        (out, left_out)
    }

    /// How the names of each column are cut.
    fn cuts(&self) -> Vec<Cut> {
        let of = |nth: usize| {
            let names = self.rows.iter().filter_map(|row| row.get(nth)).map(|name| printable(name));
            Cut::among(&names.collect())
        };
        (0..self.columns.len()).map(of).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |nth: usize, column: &Column| {
            let cells = self.rows.iter().filter_map(|row| row.get(nth)).map(String::as_str);
            let all = cells.chain(column.head.iter().map(String::as_str)).map(width);
            all.max().unwrap_or(0).min(if column.is_name { MOST_NAME } else { usize::MAX })
        };
        self.columns.iter().enumerate().map(|(nth, column)| widest(nth, column)).collect()
    }

    /// Leaves out the most dispensable figure, where there are more than so many.
    fn leave_out(&self, least: usize, shown: &mut [bool], left_out: &mut Vec<String>) -> bool {
        let there: Vec<(usize, &Column)> =
            self.columns.iter().enumerate().filter(|(nth, column)| shown[*nth] && !column.is_name).collect();
        let dispensable = there.iter().max_by_key(|(_, column)| column.dispensable);
        let Some((nth, column)) = dispensable.copied().filter(|_| there.len() > least) else { return false };
        shown[nth] = false;
        left_out.push(column.name.clone());
        true
    }

    /// Takes a column from the widest name that has more than so many.
    fn narrower(&self, least: impl Fn(usize) -> usize, widths: &mut [usize], shown: &[bool]) -> bool {
        let is_long = |nth: &usize| shown[*nth] && self.columns[*nth].is_name && widths[*nth] > least(*nth);
        let Some(widest) = (0..self.columns.len()).filter(is_long).max_by_key(|nth| widths[*nth]) else {
            return false;
        };
        widths[widest] -= 1;
        true
    }

    /// Gives what room is left back to the names, the narrowest first.
    fn wider(&self, wide: usize, widths: &mut [usize], shown: &[bool]) {
        let whole = self.widths();
        while total(widths, shown) < wide {
            let is_cut = |nth: &usize| shown[*nth] && widths[*nth] < whole[*nth];
            let Some(narrowest) = (0..self.columns.len()).filter(is_cut).min_by_key(|nth| widths[*nth])
            else {
                break;
            };
            widths[narrowest] += 1;
        }
    }

    fn line(
        &self,
        cells: &[&str],
        widths: &[usize],
        cuts: &[Cut],
        shown: &[bool],
        styling: Styling,
    ) -> String {
        let mut line = String::new();
        for (nth, column) in self.columns.iter().enumerate().filter(|(nth, _)| shown[*nth]) {
            let cell = cells.get(nth).copied().unwrap_or_default();
            let text = printable(cell);
            let text = if column.is_name { cuts[nth].of(&text, widths[nth]) } else { text };
            let pad = " ".repeat(widths[nth].saturating_sub(width(&text)));
            line += &" ".repeat(GAP);
            let is_never = text == "never" && !column.is_name;
            let tone = if is_never { Tone::Bad } else { Tone::Normal };
            let text = paint(&text, tone, styling);
            line += &if column.is_name { format!("{text}{pad}") } else { format!("{pad}{text}") };
        }
        line.trim_end().to_owned()
    }
}

fn total(widths: &[usize], shown: &[bool]) -> usize {
    widths.iter().zip(shown).filter(|(_, shown)| **shown).map(|(width, _)| width + GAP).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_so_that_they_differ() {
        let cut = |names: [&str; 2]| {
            let way = Cut::among(&names.iter().map(|name| (*name).to_owned()).collect());
            names.map(|name| way.of(name, way.least))
        };
        assert_eq!(cut(["fixed:1m,every=6h", "fixed:1h,every=6h"]), ["fixed:1m~", "fixed:1h~"]);
        assert_eq!(cut(["azure-iot-device-1", "azure-iot-device-2"]), ["azu~ce-1", "azu~ce-2"]);
        assert_eq!(cut(["none", "fixed:5m,every=6h"]), ["none", "fixed:5~"]);
    }
}
