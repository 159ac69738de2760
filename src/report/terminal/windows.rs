//! The windows of a fault that breaks links: who noticed, and who came back.

use super::{Legend, MOST_ROWS, WORST, header, many};
use crate::report::model::{Figure, Outcome, Report, Rule, Summary, Window};
use crate::report::table::{Cell, NAME, Styling, Tone, cut_name, fits, lay_out, paint};
use crate::report::words::{figure, keep_alives, seconds};
use std::collections::BTreeSet;

/// One row a window; many are summed up, with the worst by name.
pub(super) fn table(
    report: &Report,
    rule: &Rule,
    windows: &[&Window],
    legend: &mut Legend,
    styling: Styling,
) -> String {
    let several_runs = report.runs.len() > 1;
    if windows.len() <= MOST_ROWS {
        return one_by_one(windows, several_runs, legend, styling);
    }
    let mut out = outcomes(windows);
    if windows.iter().all(|window| is_uneventful(window)) {
        return out;
    }
    out += &summed_up(rule, legend, styling);
    out += &format!("{}\n", paint("  the worst", Tone::Faint, styling));
    out + &one_by_one(&worst(windows), several_runs, legend, styling)
}

/// Whether there is no figure to tell: the link was neither lost nor watched for long enough to be missed.
fn is_uneventful(window: &Window) -> bool {
    matches!(window.outcome, Outcome::Survived | Outcome::EndedOtherwise)
        && window.device_detection_s.is_none()
        && window.hub_detection_s.is_none()
}

/// How much each sign is told of: what there is room for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Detail {
    /// Times, in keep-alives too, and the hub's silence.
    Silence,
    /// Times, in keep-alives too.
    KeepAlives,
    /// Times.
    Times,
}

fn one_by_one(windows: &[&Window], several_runs: bool, legend: &mut Legend, styling: Styling) -> String {
    let devices: BTreeSet<&str> = windows.iter().map(|window| window.device.as_str()).collect();
    let repeated = devices.len() < windows.len();
    let at = |window: &Window| if repeated { place(window, several_runs) } else { String::new() };
    let told = |detail| rows(windows, &at, detail);
    let details = [Detail::Silence, Detail::KeepAlives, Detail::Times];
    let detail = details.into_iter().find(|detail| fits(&told(*detail))).unwrap_or(Detail::Times);
    let used = |of: fn(&Window) -> Option<f64>| windows.iter().any(|window| of(window).is_some());
    legend.noticed = true;
    legend.keep_alives |= detail != Detail::Times && windows.iter().any(|window| in_keep_alives(window));
    legend.told |= windows.iter().any(|window| window.is_told());
    legend.silent |= detail == Detail::Silence && used(|window| window.hub_silence_keepalives);
    legend.back |= windows.iter().any(|window| window.outcome == Outcome::Back);
    legend.before |= windows.iter().any(|window| window.outcome == Outcome::BackBefore);
    lay_out(&told(detail), styling)
}

/// The rows, without columns that say nothing.
fn rows(windows: &[&Window], at: &dyn Fn(&Window) -> String, detail: Detail) -> Vec<Vec<Cell>> {
    let mut rows = vec![header(&["device", "at", "noticed", "hub noticed", "back", "reconnects"])];
    rows.extend(windows.iter().map(|window| {
        vec![
            Cell::plain(&window.device),
            Cell::new(at(window), Tone::Faint),
            device_sign(window, detail),
            hub_sign(window, detail),
            back(window),
            reconnects(window),
        ]
    }));
    let with_hub = windows.iter().any(|window| window.hub_detection_s.is_some());
    let with_at = windows.iter().any(|window| !at(window).is_empty());
    for row in &mut rows {
        let mut keep = [true, with_at, true, with_hub, true, true].into_iter();
        row.retain(|_| keep.next().unwrap_or(true));
    }
    rows
}

/// When the window's fault began: `3.0 s`, or `run 1 3.0 s`.
pub(super) fn place(window: &Window, several_runs: bool) -> String {
    let at = window.start_s.map_or(String::new(), seconds);
    if several_runs { format!("run {} {at}", window.run) } else { at }
}

/// Whether a sign of the window is told in keep-alives.
fn in_keep_alives(window: &Window) -> bool {
    worth_telling(window.device_detection_keepalives).is_some()
}

/// `6.6 s = 3.3 K`, or `told`.
fn device_sign(window: &Window, detail: Detail) -> Cell {
    if window.is_told() {
        return Cell::new("told", Tone::Faint);
    }
    let count = worth_telling(window.device_detection_keepalives).filter(|_| detail != Detail::Times);
    let count = count.zip(window.device_detection_s.as_ref()).map(|(upper, detection)| match detection {
        Figure::Between { after_s, .. } => {
            format!(" = {}", keep_alives(Some(after_s / window.keep_alive_s), upper))
        }
        Figure::Seconds(_) | Figure::Never { .. } | Figure::Count(_) | Figure::CountBetween { .. } => {
            format!(" = {}", keep_alives(None, upper))
        }
    });
    sign(window.device_detection_s.as_ref(), count)
}

/// `1.8 s, silent 1.5 K`
fn hub_sign(window: &Window, detail: Detail) -> Cell {
    let silence =
        window.hub_silence_keepalives.filter(|_| detail == Detail::Silence && !window.keep_alive_assumed);
    let silence = silence.map(|silence| format!(", silent {}", keep_alives(None, silence)));
    sign(window.hub_detection_s.as_ref(), silence)
}

/// A count of keep-alives that rounds to nothing says nothing.
fn worth_telling(count: Option<f64>) -> Option<f64> {
    count.filter(|count| *count >= 0.05)
}

fn sign(detection: Option<&Figure>, more: Option<String>) -> Cell {
    match detection {
        Some(seen @ (Figure::Seconds(_) | Figure::Between { .. })) => {
            Cell::plain(figure(seen) + &more.unwrap_or_default())
        }
        other => value(other),
    }
}

/// A figure as a cell.
pub(super) fn value(value: Option<&Figure>) -> Cell {
    match value {
        None => Cell::new("-", Tone::Faint),
        Some(hidden @ Figure::Never { never_watched_s: ..=0.0 }) => Cell::new(figure(hidden), Tone::Faint),
        Some(never @ Figure::Never { .. }) => Cell::new(figure(never), Tone::Bad),
        Some(
            seen @ (Figure::Seconds(_)
            | Figure::Between { .. }
            | Figure::Count(_)
            | Figure::CountBetween { .. }),
        ) => Cell::plain(figure(seen)),
    }
}

/// When the device was back: so long after the path was restored, or before it was.
fn back(window: &Window) -> Cell {
    match window.outcome {
        Outcome::NoLink | Outcome::NothingMet => Cell::plain(""),
        Outcome::EndedOtherwise => Cell::new(ended_otherwise(window), Tone::Faint),
        Outcome::Survived if window.restored_s.is_none() => Cell::new("still on", Tone::Faint),
        Outcome::Survived => Cell::new("kept link", Tone::Faint),
        Outcome::BackBefore => Cell::plain("before"),
        Outcome::Unknown => Cell::new("not known", Tone::Faint),
        Outcome::Gone => Cell::new("not back", Tone::Bad),
        Outcome::Back => value(window.recovery_s.as_ref()),
    }
}

/// `cut by reset`
pub(super) fn ended_otherwise(window: &Window) -> String {
    let rule = window.link_end.as_ref().and_then(|end| end.strip_prefix("injected by "));
    rule.map_or_else(|| "ended otherwise".into(), |rule| format!("cut by {}", cut_name(rule, NAME)))
}

/// How often the device connected, and how it waited in between: `4, exponential`.
fn reconnects(window: &Window) -> Cell {
    match (window.connect_attempts, window.back_off.as_str()) {
        (0, _) => Cell::plain(""),
        (connects, "unclear") => Cell::plain(connects.to_string()),
        (connects, "none") => Cell::new(format!("{connects}, no back-off"), Tone::Bad),
        (connects, shape) => Cell::plain(format!("{connects}, {shape}")),
    }
}

/// `40 windows on 40 devices: 36 back, 4 kept their link`
fn outcomes(windows: &[&Window]) -> String {
    let devices: BTreeSet<&str> = windows.iter().map(|window| window.device.as_str()).collect();
    let told = [
        (Outcome::Gone, "not back"),
        (Outcome::Back, "back"),
        (Outcome::BackBefore, "back before the path was"),
        (Outcome::Survived, "kept the link"),
        (Outcome::EndedOtherwise, "ended otherwise"),
        (Outcome::Unknown, "not known"),
    ];
    let told: Vec<String> = told
        .into_iter()
        .map(|(outcome, words)| (windows.iter().filter(|window| window.outcome == outcome).count(), words))
        .filter(|(times, _)| *times > 0)
        .map(|(times, words)| format!("{times} {words}"))
        .collect();
    let (windows, devices) = (many(windows.len(), "window"), many(devices.len(), "device"));
    format!("  {windows} on {devices}: {}\n", told.join(", "))
}

/// Over many windows: one row a measure.
fn summed_up(rule: &Rule, legend: &mut Legend, styling: Styling) -> String {
    let shown = [
        ("device_detection", "noticed"),
        ("hub_detection", "hub noticed"),
        ("split_view", "split view"),
        ("downtime", "downtime"),
        ("recovery", "back"),
        ("resubscribe", "resubscribed"),
        ("connect_attempts", "connects"),
        ("connect_gap", "gap between"),
    ];
    let mut rows = vec![header(&["over all", "samples", "never", "p50", "p95", "max"])];
    for (metric, name) in shown {
        let Some(summary) = rule.measures.get(metric) else { continue };
        legend.back |= metric == "recovery";
        rows.push(summary_row(name, summary));
    }
    lay_out(&rows, styling)
}

/// The samples of a measure, under the name that the table has for it.
pub(super) fn summary_row(name: &str, summary: &Summary) -> Vec<Cell> {
    let never = if summary.never > 0 { Tone::Bad } else { Tone::Faint };
    vec![
        Cell::plain(name),
        Cell::plain(summary.samples.to_string()),
        Cell::new(summary.never.to_string(), never),
        value(Some(&summary.p50)),
        value(Some(&summary.p95)),
        value(Some(&summary.max)),
    ]
}

/// In seconds, what a time is at most, to sort windows by: longer than any where it was never over, and shorter than all where
/// there is none.
pub(super) fn longest(value: Option<&Figure>) -> f64 {
    match value {
        None => -1.0,
        Some(Figure::Seconds(exact) | Figure::Between { before_s: exact, .. }) => *exact,
        Some(Figure::Never { .. }) => f64::INFINITY,
        Some(Figure::Count(_) | Figure::CountBetween { .. }) => 0.0,
    }
}

/// The worst few of many, by the longer of the times they took to notice and to come back.
fn worst<'a>(windows: &[&'a Window]) -> Vec<&'a Window> {
    let by = |w: &Window| longest(w.recovery_s.as_ref()).max(longest(w.device_detection_s.as_ref()));
    let mut sorted = windows.to_vec();
    sorted.sort_by(|a, b| by(b).total_cmp(&by(a)));
    sorted.truncate(WORST);
    sorted
}
