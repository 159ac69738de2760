//! Heat maps, keep-alive by outage, a map for each figure. Each cell has its figure as text; its colour is one of [`STEPS`] of a
//! scale over the whole sweep, so that maps of different combinations can be compared.

use crate::keepalive::aspect::{Aspect, Axis, axes};
use crate::keepalive::figure::{Figure, Reading};
use crate::keepalive::forms::{PARTIAL, PARTLY, has_partial, worded};
use crate::keepalive::model::{Row, Sweep};
use crate::report::html::escape::text;
use serde_json::json;
use std::collections::BTreeMap;

/// Cells of one map, over all combinations of the further axes, that a page holds: some 100 bytes each.
pub(super) const MOST_CELLS: usize = 20_000;
/// Rows of a map.
const MOST_KEEP_ALIVES: usize = 64;
/// Columns of a map.
const MOST_OUTAGES: usize = 24;
/// Colours of a scale.
const STEPS: u8 = 9;
/// From so many times the least on, a scale is logarithmic.
const LOG_FROM: f64 = 10.0;

/// What has a map, where some combination has a sample of it.
const FIGURES: [Figure; 7] = [
    Figure::DeviceP95,
    Figure::DeviceMax,
    Figure::HubP95,
    Figure::Downtime,
    Figure::Data,
    Figure::WakeUps,
    Figure::FalseDisconnects,
];

/// A cell: the class of its colour (`0` to `8`, `n` never, `-` no sample), and its text.
type Cell = (char, String);

/// The maps of a sweep.
pub(super) struct Maps {
    scales: Vec<Scale>,
    keep_alives: Axis,
    outages: Axis,
    /// The axes that vary beside these two.
    further: Vec<Axis>,
    /// For each combination of the further axes the cells: figure by figure, row by row.
    cells: BTreeMap<usize, Vec<Option<Cell>>>,
    /// What is not in the page.
    left_out: Vec<String>,
    /// Whether a figure is of too few outages.
    has_partial: bool,
}

/// From figures to colours.
struct Scale {
    figure: Figure,
    /// The least and the greatest that is no never; `None` where there is none.
    ends: Option<(f64, f64)>,
}

impl Scale {
    fn of(figure: Figure, sweep: &Sweep) -> Scale {
        let all = sweep.cases.iter().filter_map(|row| figure.of(row, &sweep.terms).weight());
        let ends = all.filter(|value| value.is_finite()).fold(None, |ends: Option<(f64, f64)>, value| {
            Some(ends.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
        });
        Scale { figure, ends }
    }

    fn is_log(&self) -> bool {
        self.ends.is_some_and(|(least, most)| least > 0.0 && most / least >= LOG_FROM)
    }

    /// Which colour a value has.
    fn step(&self, value: f64) -> u8 {
        let Some((least, most)) = self.ends.filter(|(least, most)| most > least) else { return 0 };
        let place = if self.is_log() {
            (value / least).ln() / (most / least).ln()
        } else {
            (value - least) / (most - least)
        };
        (0..STEPS).rfind(|step| place * f64::from(STEPS) >= f64::from(*step)).unwrap_or(0)
    }

    fn of_row(&self, row: &Row, sweep: &Sweep) -> Cell {
        let (class, text) = self.cell(self.figure.of(row, &sweep.terms));
        let is_partial = class != '-' && !self.figure.is_whole(&row.figures);
        (class, if is_partial { text + PARTIAL } else { text })
    }

    fn cell(&self, reading: Reading) -> Cell {
        let class = match reading.weight() {
            None => '-',
            Some(value) if value.is_infinite() => 'n',
            Some(value) => char::from(b'0' + self.step(value)),
        };
        let text = if class == '-' { "\u{2013}".into() } else { worded(reading, self.figure.form()) };
        (class, text)
    }

    fn legend(&self) -> String {
        let Some((least, most)) = self.ends else {
            return String::new();
        };
        let end = |value: f64| match self.figure.form() {
            crate::keepalive::figure::Form::Time => super::super::brief(value),
            form => worded(Reading::Number(value), form),
        };
        let swatches: String = (0..STEPS).map(|step| format!("<i class=\"s{step}\"></i>")).collect();
        let kind = if self.is_log() { "logarithmic" } else { "linear" };
        if least < most {
            format!(
                "<p class=\"scale\"><span>{}</span><span class=\"steps\" aria-hidden=\"true\">{swatches}</span><span>{}</span> \
                 <span>{kind}, over the whole sweep</span></p>\n",
                text(&end(least)),
                text(&end(most))
            )
        } else {
            format!(
                "<p class=\"scale\"><span>the same wherever there is one: {}</span></p>\n",
                text(&end(least))
            )
        }
    }
}

impl Maps {
    pub(super) fn of(sweep: &Sweep) -> Maps {
        let scales = FIGURES.iter().map(|figure| Scale::of(*figure, sweep));
        let has = |scale: &Scale| {
            sweep.cases.iter().any(|row| scale.figure.of(row, &sweep.terms) != Reading::NoSample)
        };
        let scales = scales.filter(has).collect();
        let mut left_out = Vec::new();
        let (mut keep_alives, mut outages, mut further) = (None, None, Vec::new());
        for axis in axes(sweep) {
            match axis.aspect {
                Aspect::KeepAlive => keep_alives = Some(bounded(axis, MOST_KEEP_ALIVES, &mut left_out)),
                Aspect::Outages => outages = Some(bounded(axis, MOST_OUTAGES, &mut left_out)),
                Aspect::Client | Aspect::PingTimeout | Aspect::BackOff | Aspect::PathIdle | Aspect::Loss => {
                    further.extend(axis.is_choice().then_some(axis));
                }
            }
        }
        let none = |aspect| Axis { aspect, values: Vec::new(), follows: false };
        let keep_alives = keep_alives.unwrap_or_else(|| none(Aspect::KeepAlive));
        let outages = outages.unwrap_or_else(|| none(Aspect::Outages));
        let mut maps = Maps {
            scales,
            keep_alives,
            outages,
            further,
            cells: BTreeMap::new(),
            left_out,
            has_partial: has_partial(sweep),
        };
        maps.fill(sweep);
        maps
    }

    fn fill(&mut self, sweep: &Sweep) {
        let area = self.area();
        let most = (MOST_CELLS / area.max(1)).max(1);
        let place = |axis: &Axis| -> BTreeMap<String, usize> {
            axis.values.iter().enumerate().map(|(nth, value)| (value.clone(), nth)).collect()
        };
        let (rows, columns) = (place(&self.keep_alives), place(&self.outages));
        let further: Vec<BTreeMap<String, usize>> = self.further.iter().map(place).collect();
        let mut left = 0_usize;
        for row in &sweep.cases {
            let combination = self.further.iter().zip(&further).fold(0, |sum, (axis, places)| {
                sum * axis.values.len() + places.get(&axis.aspect.of(&row.case)).copied().unwrap_or(0)
            });
            if !self.cells.contains_key(&combination) && self.cells.len() == most {
                left += 1;
                continue;
            }
            let at =
                rows.get(&Aspect::KeepAlive.of(&row.case)).zip(columns.get(&Aspect::Outages.of(&row.case)));
            let Some((r, c)) = at else { continue };
            let cells = self.cells.entry(combination).or_insert_with(|| vec![None; area * self.scales.len()]);
            for (nth, scale) in self.scales.iter().enumerate() {
                let cell = cells.get_mut(nth * area + r * columns.len() + c);
                // Of combinations that are alike the first is shown.
                if let Some(cell @ None) = cell {
                    *cell = Some(scale.of_row(row, sweep));
                }
            }
        }
        if left > 0 {
            let (all, shown) = (sweep.cases.len(), sweep.cases.len() - left);
            self.left_out.push(format!(
                "Of {all} combinations the maps hold those of the first {most} choices of the further axes: {shown}. The CSV has all."
            ));
        }
    }

    /// Cells of a map.
    fn area(&self) -> usize {
        self.keep_alives.values.len() * self.outages.values.len()
    }

    /// What the script shows: for each combination of the further axes its cells, class and text in one.
    pub(super) fn json(&self) -> String {
        let flat = |cells: &Vec<Option<Cell>>| -> Vec<String> {
            cells
                .iter()
                .map(|cell| cell.as_ref().map_or(String::new(), |(class, text)| format!("{class}{text}")))
                .collect()
        };
        let combinations: BTreeMap<String, Vec<String>> =
            self.cells.iter().map(|(nth, cells)| (nth.to_string(), flat(cells))).collect();
        // With no choice there is nothing to show that does not stand in the page.
        let combinations = if self.further.is_empty() { BTreeMap::new() } else { combinations };
        json!({ "cells": combinations }).to_string()
    }

    pub(super) fn section(&self) -> String {
        let maps: String = (0..self.scales.len()).map(|nth| self.map(nth)).collect();
        let left_out: String = self.left_out.iter().map(|one| format!("<li>{}</li>", text(one))).collect();
        let left_out = if left_out.is_empty() {
            left_out
        } else {
            format!("<ul class=\"notes left-out\">{left_out}</ul>\n")
        };
        format!(
            "<section aria-labelledby=\"maps\"><h2 id=\"maps\">Keep-alive and outage</h2>\n{}\
             <p class=\"faint\">Rows: keep-alive; columns: outages. <span class=\"key never\">never</span> did not come about, \
             <span class=\"key\">\u{2013}</span> no sample; what is empty was \
             not simulated{}.</p>\n{left_out}<div class=\"maps\">\n{maps}</div></section>\n",
            self.tools(),
            if self.has_partial { format!("; {PARTLY}") } else { String::new() }
        )
    }

    /// The selects of the further axes, and what is shown.
    fn tools(&self) -> String {
        if self.further.is_empty() {
            return String::new();
        }
        let select = |axis: &Axis| {
            let options: String =
                axis.values.iter().map(|value| format!("<option>{}</option>", text(value))).collect();
            format!("<label>{} <select autocomplete=\"off\">{options}</select></label>\n", axis.aspect.name())
        };
        let selects: String = self.further.iter().map(select).collect();
        let first: Vec<String> = self
            .further
            .iter()
            .filter_map(|axis| Some(format!("{} {}", axis.aspect.name(), axis.values.first()?)))
            .collect();
        format!(
            "<noscript><p class=\"faint\">Choosing other values needs JavaScript; the CSV has all combinations.</p></noscript>\n\
             <div class=\"tools\" id=\"choices\" hidden>\n{selects}</div>\n\
             <p id=\"shown\" role=\"status\">Shown: {}</p>\n",
            text(&first.join(", "))
        )
    }

    fn map(&self, nth: usize) -> String {
        let Some(scale) = self.scales.get(nth) else { return String::new() };
        let (area, wide) = (self.area(), self.outages.values.len());
        let first = self.cells.get(&0).map_or(&[][..], Vec::as_slice);
        let heads: String = self
            .outages
            .values
            .iter()
            .map(|value| format!("<th scope=\"col\">{}</th>", breakable(value)))
            .collect();
        let row = |(r, value): (usize, &String)| {
            let cells = (0..wide).map(|c| td(first.get(nth * area + r * wide + c).and_then(Option::as_ref)));
            format!("<tr><th scope=\"row\">{}</th>{}</tr>\n", text(value), cells.collect::<String>())
        };
        let rows: String = self.keep_alives.values.iter().enumerate().map(row).collect();
        let (name, meaning) = (title(scale.figure), scale.figure.meaning());
        format!(
            "<figure class=\"map\"><figcaption><b>{name}</b> <span class=\"faint\">{meaning}</span></figcaption>\n\
             <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\"><table class=\"heat\">\n\
             <thead><tr><th scope=\"col\">keep-alive</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n{}</figure>\n",
            scale.legend()
        )
    }
}

/// Names that begin a line.
pub(super) fn title(figure: Figure) -> String {
    let name = figure.name();
    name.chars().take(1).flat_map(char::to_uppercase).chain(name.chars().skip(1)).collect()
}

/// A text that may be broken behind its commas and colons.
fn breakable(value: &str) -> String {
    text(value).replace(',', ",<wbr>").replace(':', ":<wbr>")
}

fn td(cell: Option<&Cell>) -> String {
    match cell {
        None => "<td class=\"void\"></td>".into(),
        Some((class, shown)) => format!("<td class=\"{}\">{}</td>", class_name(*class), text(shown)),
    }
}

fn class_name(class: char) -> String {
    match class {
        'n' => "never".into(),
        '-' => "none".into(),
        step => format!("s{step}"),
    }
}

fn bounded(mut axis: Axis, most: usize, left_out: &mut Vec<String>) -> Axis {
    if axis.values.len() > most {
        let all = axis.values.len();
        left_out.push(format!(
            "The maps show {most} of {all} values of {}. The CSV has all.",
            axis.aspect.name()
        ));
        axis.values.truncate(most);
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_from_the_least_to_the_most() {
        let linear = Scale { figure: Figure::WakeUps, ends: Some((10.0, 91.0)) };
        assert!(!linear.is_log());
        assert_eq!([10.0, 18.9, 19.0, 50.0, 91.0].map(|value| linear.step(value)), [0, 0, 1, 4, 8]);
        let log = Scale { figure: Figure::WakeUps, ends: Some((1.0, 1e9)) };
        assert!(log.is_log());
        assert_eq!([1.0, 9.0, 11.0, 1e8, 1e9].map(|value| log.step(value)), [0, 0, 1, 8, 8]);
        let zero = Scale { figure: Figure::WakeUps, ends: Some((0.0, 1e9)) };
        assert!(!zero.is_log());
        let one = Scale { figure: Figure::WakeUps, ends: Some((3.0, 3.0)) };
        assert_eq!(one.step(3.0), 0);
        assert_eq!(one.cell(Reading::Never), ('n', "never".into()));
        assert_eq!(one.cell(Reading::NoSample), ('-', "\u{2013}".into()));
    }
}
