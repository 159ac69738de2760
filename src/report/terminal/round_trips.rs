//! The windows of a fault that leaves links up (latency): whether they held, and how long round trips took.

use super::windows::{ended_otherwise, place};
use super::{MOST_ROWS, WORST, header, many};
use crate::report::model::{Device, Figure, Outcome, Quantiles, Report, Rule, Window};
use crate::report::table::{Cell, Styling, Tone, lay_out, paint, wrap};
use crate::report::words::{seconds, told};
use std::collections::{BTreeMap, BTreeSet};

/// Links that were lost are told of one by one, up to so many.
const MOST_LOST: usize = 4;

/// One row a window and kind of round trip; many are summed up, with the worst by name.
pub(super) fn table(report: &Report, rule: &Rule, windows: &[&Window], styling: Styling) -> String {
    let mut out = String::new();
    let mut shown = windows.to_vec();
    if windows.len() > MOST_ROWS {
        out += &summed_up(report, rule, windows, styling);
        out += &format!("{}\n", paint("  the worst", Tone::Faint, styling));
        shown.sort_by(|a, b| is_lost(b).cmp(&is_lost(a)).then(slowest(b).total_cmp(&slowest(a))));
        shown.truncate(WORST);
    }
    out += &one_by_one(report, &shown, styling);
    let lost: Vec<&&Window> = windows.iter().filter(|window| is_lost(window)).collect();
    let several_runs = report.runs.len() > 1;
    out.extend(lost.iter().take(MOST_LOST).map(|window| wrap("  ", &how_lost(window, several_runs))));
    match lost.len().saturating_sub(MOST_LOST) {
        0 => out,
        more => out + &format!("  and {more} more\n"),
    }
}

fn one_by_one(report: &Report, windows: &[&Window], styling: Styling) -> String {
    let names: BTreeSet<&str> = windows.iter().map(|window| window.device.as_str()).collect();
    let repeated = names.len() < windows.len();
    let devices: BTreeMap<&str, &Device> =
        report.devices.iter().map(|device| (device.name.as_str(), device)).collect();
    let mut head = vec!["device", "at", "link", "round trip", "times", "p50", "max", "no-fault p50"];
    let mut rows: Vec<Vec<Cell>> = windows
        .iter()
        .flat_map(|window| {
            let at = place(window, report.runs.len() > 1);
            rows_of(window, at, devices.get(window.device.as_str()).copied())
        })
        .collect();
    if !repeated {
        head.remove(1);
        rows.iter_mut().for_each(|row| drop(row.remove(1)));
    }
    rows.insert(0, header(&head));
    lay_out(&rows, styling)
}

/// A row for pings, and one for publishes where there are any; the second leaves out whose they are.
fn rows_of(window: &Window, at: String, device: Option<&Device>) -> Vec<Vec<Cell>> {
    let link = match window.outcome {
        Outcome::EndedOtherwise => Cell::new(ended_otherwise(window), Tone::Faint),
        _ if is_lost(window) => Cell::new("lost", Tone::Bad),
        _ => Cell::new("held", Tone::Good),
    };
    let whose = [Cell::plain(&window.device), Cell::new(at, Tone::Faint), link];
    let without = |of: fn(&Device) -> Option<&Quantiles>| device.and_then(of);
    let mut rows = vec![(
        whose.to_vec(),
        "ping",
        window.ping_rtt.as_ref(),
        without(|device| device.ping_rtt_outside_faults.as_ref()),
    )];
    if window.publish_rtt.is_some() {
        rows.push((
            vec![Cell::plain(""); whose.len()],
            "publish",
            window.publish_rtt.as_ref(),
            without(|device| device.publish_rtt_outside_faults.as_ref()),
        ));
    }
    let row = |(mut row, kind, under, without): (Vec<Cell>, _, Option<&Quantiles>, Option<&Quantiles>)| {
        row.extend([
            Cell::plain(kind),
            Cell::plain(under.map_or(0, |under| under.count).to_string()),
            time(under.map(|under| under.p50_s)),
            time(under.map(|under| under.max_s)),
            time(without.map(|without| without.p50_s)),
        ]);
        row
    };
    rows.into_iter().map(row).collect()
}

fn summed_up(report: &Report, rule: &Rule, windows: &[&Window], styling: Styling) -> String {
    let held =
        windows.iter().filter(|window| !is_lost(window) && window.outcome != Outcome::EndedOtherwise).count();
    let mut rows = vec![header(&["over all", "times", "p50", "p95", "max", "no-fault p50"])];
    let fleet = &report.fleet;
    for (kind, under, without) in [
        ("ping", &rule.ping_rtt, &fleet.ping_rtt_outside_faults),
        ("publish", &rule.publish_rtt, &fleet.publish_rtt_outside_faults),
    ] {
        let Some(under) = under else { continue };
        rows.push(vec![
            Cell::plain(kind),
            Cell::plain(under.count.to_string()),
            time(Some(under.p50_s)),
            time(Some(under.p95_s)),
            time(Some(under.max_s)),
            time(without.as_ref().map(|without| without.p50_s)),
        ]);
    }
    let rows = if rows.len() > 1 { lay_out(&rows, styling) } else { "  no round trip was seen\n".into() };
    format!("  {held} of {} held\n{rows}", many(windows.len(), "link"))
}

fn time(value: Option<f64>) -> Cell {
    value.map_or_else(|| Cell::new("-", Tone::Faint), |value| Cell::plain(seconds(value)))
}

fn is_lost(window: &Window) -> bool {
    match window.outcome {
        Outcome::NoLink
        | Outcome::NothingMet
        | Outcome::Survived
        | Outcome::EndedOtherwise
        | Outcome::Unknown => false,
        Outcome::BackBefore | Outcome::Back | Outcome::Gone => true,
    }
}

fn slowest(window: &Window) -> f64 {
    let max = |of: &Option<Quantiles>| of.as_ref().map_or(0.0, |of| of.max_s);
    max(&window.ping_rtt).max(max(&window.publish_rtt))
}

/// `typical lost its link after 2.1 s (closed without DISCONNECT by the device), down for 1.0 s`
fn how_lost(window: &Window, several_runs: bool) -> String {
    let run = if several_runs { format!(" in run {}", window.run) } else { String::new() };
    let at = [&window.device_detection_s, &window.hub_detection_s].into_iter().flatten().map(upper);
    let after = at.min_by(f64::total_cmp).map_or(String::new(), |after| format!(" after {}", seconds(after)));
    let end = window.link_end.as_ref().map_or(String::new(), |end| format!(" ({end})"));
    let down = match window.downtime_s.as_ref() {
        None => String::new(),
        Some(Figure::Never { never_watched_s }) => {
            format!(", not back in the {} until the end", seconds(*never_watched_s))
        }
        Some(down) => format!(", back {} after the fault began", told(down)),
    };
    format!("{} lost its link{after}{run}{end}{down}", window.device)
}

fn upper(figure: &Figure) -> f64 {
    match figure {
        Figure::Seconds(exact) | Figure::Between { before_s: exact, .. } => *exact,
        Figure::Never { .. } => f64::INFINITY,
        Figure::Count(_) | Figure::CountBetween { .. } => 0.0,
    }
}
