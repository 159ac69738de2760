//! A sweep as CSV (RFC 4180): a line of names, a line for each combination, lines end in CR LF.
//!
//! Units stand in the names: `_s` seconds to the nanosecond, `_per_day`, `_per_month` (30 days). An empty field is a figure
//! without a sample, `never` one that did not come about, and also a ping timeout or an idle timeout that never comes; a keep-alive
//! of 0 is none.

use crate::keepalive::figure::{DAY, MONTH, Metric, Reading, Statistic};
use crate::keepalive::model::{Row, Spread, Sweep};
use std::time::Duration;

/// The CSV.
pub fn csv(sweep: &Sweep) -> String {
    let names: Vec<String> = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let spreads = SPREADS.iter().flat_map(|metric| {
        ["count", "never", "min_s", "p50_s", "p95_s", "max_s"].map(|part| format!("{}_{part}", metric.name()))
    });
    let head: Vec<String> = names.into_iter().chain(spreads).collect();
    let rows = sweep.cases.iter().map(|row| {
        let plain = COLUMNS.iter().map(|(_, of)| of(row, sweep));
        plain.chain(SPREADS.iter().flat_map(|metric| spread(*metric, row))).collect::<Vec<String>>()
    });
    std::iter::once(head).chain(rows).map(|cells| line(&cells)).collect()
}

type Field = fn(&Row, &Sweep) -> String;

/// The measures that are made of samples: six columns each, at the end.
const SPREADS: [Metric; 4] =
    [Metric::DeviceDetection, Metric::HubDetection, Metric::SplitView, Metric::Recovery];

const COLUMNS: &[(&str, Field)] = &[
    ("keepalive_s", |row, _| row.case.keep_alive.to_string()),
    ("client", |row, _| row.case.client.clone()),
    ("ping_timeout_s", |row, _| optional(row.case.ping_timeout_ns)),
    ("back_off", |row, _| row.case.back_off.clone()),
    ("outages", |row, _| row.case.outages.clone()),
    ("path_idle_s", |row, _| optional(row.case.path_idle_ns)),
    ("loss", |row, _| row.case.loss.to_string()),
    ("hub", |_, sweep| sweep.terms.hub.clone()),
    ("access", |_, sweep| sweep.terms.access.clone()),
    ("seed", |_, sweep| sweep.terms.seed.to_string()),
    ("simulated_s", |_, sweep| seconds(sweep.terms.span_ns)),
    ("outages_begun", |row, _| row.figures.outages.to_string()),
    ("outages_struck", |row, _| row.figures.struck.to_string()),
    ("downtime_s_per_day", |row, sweep| rate(Metric::Downtime, row, sweep, DAY)),
    ("false_disconnects_per_day", |row, sweep| rate(Metric::FalseDisconnects, row, sweep, DAY)),
    ("forgotten_per_day", |row, sweep| rate(Metric::Forgotten, row, sweep, DAY)),
    ("data_bytes_per_month", |row, sweep| rate(Metric::Data, row, sweep, MONTH)),
    ("wake_ups_per_day", |row, sweep| rate(Metric::WakeUps, row, sweep, DAY)),
    ("awake_s_per_day", |row, sweep| rate(Metric::Awake, row, sweep, DAY)),
    ("downtime_s", |row, _| seconds(row.figures.downtime_ns)),
    ("false_disconnects", |row, _| total(Metric::FalseDisconnects, row)),
    ("forgotten", |row, _| total(Metric::Forgotten, row)),
    ("connects", |row, _| row.figures.connects.to_string()),
    ("bytes_up", |row, _| row.figures.bytes_up.to_string()),
    ("bytes_down", |row, _| row.figures.bytes_down.to_string()),
    ("wake_ups", |row, _| row.figures.wake_ups.to_string()),
    ("awake_s", |row, _| seconds(row.figures.awake_ns)),
    ("messages_due", |row, _| row.figures.messages.due.to_string()),
    ("messages_sent", |row, _| row.figures.messages.sent.to_string()),
    ("messages_late", |row, _| total(Metric::MessagesLate, row)),
    ("messages_lost", |row, _| total(Metric::MessagesLost, row)),
    ("messages_withheld", |row, _| total(Metric::MessagesWithheld, row)),
    ("storm_peak", |row, _| total(Metric::StormPeak, row)),
];

fn optional(ns: Option<u64>) -> String {
    ns.map_or_else(|| "never".into(), seconds)
}

/// Exact, without zeros at the end.
fn seconds(ns: u64) -> String {
    let (whole, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn total(metric: Metric, row: &Row) -> String {
    metric.total(&row.figures).map_or(String::new(), |total| total.to_string())
}

fn rate(metric: Metric, row: &Row, sweep: &Sweep, long: Duration) -> String {
    match metric.per(row, &sweep.terms, long) {
        Reading::NoSample => String::new(),
        Reading::Never => "never".into(),
        Reading::Time(time) => time.as_secs_f64().to_string(),
        Reading::Number(number) => number.to_string(),
    }
}

fn spread(metric: Metric, row: &Row) -> Vec<String> {
    let none = Spread::default();
    let spread = metric.spread(&row.figures).unwrap_or(&none);
    let values = Statistic::ALL.map(|statistic| match statistic.of(spread) {
        Reading::NoSample | Reading::Number(_) => String::new(),
        Reading::Never => "never".into(),
        Reading::Time(time) => seconds(crate::base::time::nanos(time)),
    });
    [spread.count.to_string(), spread.never.to_string()].into_iter().chain(values).collect()
}

fn line(cells: &[String]) -> String {
    let fields: Vec<String> = cells.iter().map(|cell| field(cell)).collect();
    fields.join(",") + "\r\n"
}

/// In quotes where it needs them, quotes doubled.
fn field(text: &str) -> String {
    let edge = text.starts_with(' ') || text.ends_with(' ');
    if edge || text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 4180, section 2, as a reader has it.
    fn read(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\r' if !quoted && rest.peek() == Some(&'\n') => {
                    rest.next();
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                c => cell.push(c),
            }
        }
        assert!(row.is_empty() && cell.is_empty() && !quoted, "a line is open at the end");
        rows
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(cells in proptest::collection::vec("[a-z,\"\r\n 水é]{0,8}", 1..6)) {
            prop_assert_eq!(read(&line(&cells)), vec![cells]);
        }

        #[test]
        fn every_line_has_every_field(client in ".{0,12}", outages in "[,\"\r\nx]{0,6}") {
            let mut sweep = crate::keepalive::fixtures::small();
            sweep.cases[1].case.client = client.clone();
            sweep.cases[2].case.outages = outages.clone();
            let rows = read(&csv(&sweep));
            prop_assert_eq!(rows.len(), 7);
            let fields = COLUMNS.len() + 6 * SPREADS.len();
            prop_assert!(rows.iter().all(|row| row.len() == fields));
            prop_assert_eq!((&rows[2][1], &rows[3][4]), (&client, &outages));
        }
    }

    #[test]
    fn seconds_are_exact() {
        for (ns, expected) in [
            (0, "0"),
            (1, "0.000000001"),
            (1_500_000_000, "1.5"),
            (90_000_000_000, "90"),
            (600_000_000_000, "600"),
        ] {
            assert_eq!(seconds(ns), expected);
        }
    }
}
