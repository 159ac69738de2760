//! The forms of a sweep: text for a terminal, CSV, JSON, one HTML page; and of the verdicts on it, JUnit XML.
//!
//! All forms show the model and no more: a percentile of a combination is never made into one of several, nothing is averaged, a
//! figure without a sample is `-` and one that did not come about is `never`. Names are untrusted text in all of them.

mod csv;
mod grid;
mod html;
mod json;
mod junit;
mod remarks;
mod text;
mod verdicts;

#[cfg(test)]
mod tests;

pub use csv::csv;
pub use html::html;
pub use json::json;
pub use junit::junit;
pub use text::text;
pub use verdicts::verdicts;

use super::figure::{Figure, Form, Reading};
use super::model::{Row, Sweep, Terms};
use crate::base::span::show_fixed;
use std::time::Duration;

/// Behind a figure whose samples are of too few outages ([`Figure::is_whole`]).
const PARTIAL: &str = "\u{2020}";

/// What [`PARTIAL`] means.
const PARTLY: &str =
    "\u{2020} the other outages were over before they would have been noticed: it says little of the setting";

/// A figure of a combination in few characters: `-`, `never`, `31.2 s`, `4.5 MB`.
fn shown(figure: Figure, row: &Row, terms: &Terms) -> String {
    let reading = figure.of(row, terms);
    let partial = reading != Reading::NoSample && !figure.is_whole(&row.figures);
    worded(reading, figure.form()) + if partial { PARTIAL } else { "" }
}

/// Whether some figure of some combination is marked so.
fn has_partial(sweep: &Sweep) -> bool {
    sweep.cases.iter().any(|row| {
        let is_partial = |figure: &Figure| {
            figure.of(row, &sweep.terms) != Reading::NoSample && !figure.is_whole(&row.figures)
        };
        Figure::ALL.iter().any(is_partial)
    })
}

fn worded(reading: Reading, form: Form) -> String {
    match (reading, form) {
        (Reading::NoSample, _) => "-".into(),
        (Reading::Never, _) => "never".into(),
        (Reading::Time(time), _) => brief(time.as_secs_f64()),
        (Reading::Number(number), Form::Bytes) => bytes(number),
        (Reading::Number(number), Form::Share) => format!("{} %", self::number(number * 100.0)),
        (Reading::Number(number), Form::Number | Form::Time) => self::number(number),
    }
}

/// A time in at most six characters up to years: `412 ms`, `31.2 s`, `152 s`, `12.5 m`, `2.5 h`, `3.1 d`.
fn brief(seconds: f64) -> String {
    if seconds <= 0.0 {
        "0 s".into()
    } else if seconds < 0.9995 {
        format!("{:.0} ms", (seconds * 1e3).max(1.0))
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else if seconds < 599.5 {
        format!("{seconds:.0} s")
    } else if seconds < 99.95 * 60.0 {
        format!("{:.1} m", seconds / 60.0)
    } else if seconds < 99.95 * 3600.0 {
        format!("{:.1} h", seconds / 3600.0)
    } else {
        format!("{:.1} d", seconds / 86_400.0)
    }
}

/// Bytes, by powers of 1000: `512 B`, `4.5 MB`.
pub(super) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut units) = (bytes, UNITS.iter());
    let mut unit = units.next().unwrap_or(&"B");
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1000.0, next);
    }
    if value < 9.95 && *unit != "B" { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A number with three digits or more: `0.125`, `2.5`, `31.2`, `1440`.
pub(super) fn number(number: f64) -> String {
    let text = match number.abs() {
        size if size >= 99.95 => return format!("{number:.0}"),
        size if size >= 9.995 => format!("{number:.1}"),
        size if size >= 0.9995 => format!("{number:.2}"),
        size if size >= 0.000_999_5 => format!("{number:.3}"),
        0.0 => return "0".into(),
        _ => return "<0.001".into(),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What holds for all combinations, in parts: `hub azure`, `lte-m`, `round trip 120ms`, ...
fn conditions(terms: &Terms) -> Vec<String> {
    let span = |ns| show_fixed(Duration::from_nanos(ns));
    let mut all = vec![
        format!("hub {}", terms.hub),
        format!("access {}", terms.access),
        format!("round trip {}", span(terms.round_trip_ns)),
        if terms.tls { "TLS" } else { "no TLS" }.into(),
        format!("workload {}", terms.workload),
        format!("late after {}", span(terms.late_ns)),
    ];
    all.push(match terms.fleet {
        0 => "no fleet".into(),
        devices => format!("fleet of {devices}"),
    });
    all.push(format!("seed {}", terms.seed));
    all
}

/// `120 combinations, 24h of one device each`.
fn extent(sweep: &Sweep) -> String {
    let cases = crate::report::words::many(sweep.cases.len(), "combination");
    format!("{cases}, {} of one device each", show_fixed(Duration::from_nanos(sweep.terms.span_ns)))
}

/// The figures that some combination has a sample of.
fn present(sweep: &Sweep) -> Vec<Figure> {
    let has =
        |figure: &Figure| sweep.cases.iter().any(|row| figure.of(row, &sweep.terms) != Reading::NoSample);
    Figure::ALL.into_iter().filter(has).collect()
}
