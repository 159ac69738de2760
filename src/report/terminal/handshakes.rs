//! The windows of a fault of TLS handshakes: how each device tried, how its attempts ended, and when it was back.

use super::windows::{longest, place, summary_row, value};
use super::{Legend, MOST_ROWS, WORST, header, many};
use crate::report::model::{HandshakeEnd, Handshakes, Outcome, Report, Rule, Window};
use crate::report::table::{Cell, Styling, Tone, fits, lay_out, paint, wrap};
use crate::report::words::{self, count, range, seconds};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Findings are told of by name, up to so many.
const MOST_NAMED: usize = 4;

/// One row a window and way in which its attempts ended; many are summed up, with the worst by name.
pub(super) fn table(
    report: &Report,
    rule: &Rule,
    windows: &[&Window],
    legend: &mut Legend,
    styling: Styling,
) -> String {
    let several_runs = report.runs.len() > 1;
    legend.attempts = true;
    legend.back |= windows.iter().any(|window| window.outcome == Outcome::Back);
    let mut out = String::new();
    if windows.len() > MOST_ROWS {
        out += &summed_up(rule, windows, styling);
        out += &format!("{}\n", paint("  the worst", Tone::Faint, styling));
        out += &one_by_one(&worst(windows), several_runs, styling);
    } else {
        out += &one_by_one(windows, several_runs, styling);
    }
    out += &took_bad_certificate(rule, windows);
    out + &gave_up(windows, several_runs)
}

/// How much is told of the attempts: what there is room for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Detail {
    /// How they ended and after how long, and the shape of the gaps.
    All,
    /// Without how long they took.
    Ends,
    /// Without the shape of the gaps too.
    Lengths,
    /// Without the gaps.
    Least,
}

fn one_by_one(windows: &[&Window], several_runs: bool, styling: Styling) -> String {
    let devices: BTreeSet<&str> = windows.iter().map(|window| window.device.as_str()).collect();
    let repeated = devices.len() < windows.len();
    let told = |detail| {
        let mut head = vec!["device", "at", "attempts", "gaps", "back", "each ended"];
        let rows = windows.iter().flat_map(|window| rows_of(window, place(window, several_runs), detail));
        let mut rows: Vec<Vec<Cell>> = rows.collect();
        if detail == Detail::Least {
            head.remove(3);
            rows.iter_mut().for_each(|row| drop(row.remove(3)));
        }
        if !repeated {
            head.remove(1);
            rows.iter_mut().for_each(|row| drop(row.remove(1)));
        }
        rows.insert(0, header(&head));
        rows
    };
    let details = [Detail::All, Detail::Ends, Detail::Lengths, Detail::Least];
    let detail = details.into_iter().find(|detail| fits(&told(*detail))).unwrap_or(Detail::Least);
    lay_out(&told(detail), styling)
}

/// A row for each way in which attempts ended; the first says whose they are.
fn rows_of(window: &Window, at: String, detail: Detail) -> Vec<Vec<Cell>> {
    let Some(handshakes) = &window.handshakes else { return Vec::new() };
    let whose = [
        Cell::plain(&window.device),
        Cell::new(at, Tone::Faint),
        attempts(handshakes, detail),
        Cell::plain(gaps(handshakes)),
        back(window),
    ];
    let several = handshakes.ends.len() > 1;
    let row = |(nth, end): (usize, &HandshakeEnd)| {
        let mut row = if nth == 0 { whose.to_vec() } else { vec![Cell::plain(""); whose.len()] };
        row.push(ended(handshakes, end, several, detail));
        row
    };
    handshakes.ends.iter().enumerate().map(row).collect()
}

/// `5, exponential`
fn attempts(handshakes: &Handshakes, detail: Detail) -> Cell {
    let attempts = handshakes.attempts;
    match handshakes.back_off.as_str() {
        "unclear" => Cell::plain(attempts.to_string()),
        "none" => Cell::new(format!("{attempts}, no back-off"), Tone::Bad),
        _ if matches!(detail, Detail::Lengths | Detail::Least) => Cell::plain(attempts.to_string()),
        shape => Cell::plain(format!("{attempts}, {shape}")),
    }
}

/// `1.0 to 8.0 s`
fn gaps(handshakes: &Handshakes) -> String {
    handshakes.least_gap_s.zip(handshakes.most_gap_s).map_or("-".into(), |(least, most)| range(least, most))
}

/// `alert certificate_expired, 2.1 ms`, or, of several ways, `3 alert certificate_expired, 2.0 to 2.4 ms`
fn ended(handshakes: &Handshakes, end: &HandshakeEnd, several: bool, detail: Detail) -> Cell {
    let times = if several { format!("{} ", end.attempts) } else { String::new() };
    let took = end.least_s.zip(end.most_s).filter(|_| detail == Detail::All);
    let took = took.map_or(String::new(), |(least, most)| format!(", {}", range(least, most)));
    let is_bad = handshakes.took_bad_certificate > 0 && end.end == "finished all the same";
    Cell::new(format!("{times}{}{took}", end.end), if is_bad { Tone::Bad } else { Tone::Normal })
}

/// When the device was back after the fault was over, or that it was before.
fn back(window: &Window) -> Cell {
    match window.outcome {
        Outcome::NoLink | Outcome::NothingMet => Cell::plain(""),
        Outcome::Unknown => Cell::new("not known", Tone::Faint),
        Outcome::Survived => Cell::new("kept link", Tone::Faint),
        Outcome::EndedOtherwise => Cell::new("ended otherwise", Tone::Faint),
        Outcome::BackBefore => Cell::plain("before"),
        Outcome::Gone if window.restored_s.is_none() => Cell::new("still on", Tone::Faint),
        Outcome::Gone => Cell::new("not back", Tone::Bad),
        Outcome::Back => value(window.recovery_s.as_ref()),
    }
}

/// The finding that matters most: `naive took a certificate that is expired, in 3 of 3 handshakes`.
fn took_bad_certificate(rule: &Rule, windows: &[&Window]) -> String {
    let mut by_device: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (device, handshakes) in windows.iter().filter_map(|w| Some((&w.device, w.handshakes.as_ref()?))) {
        let (took, of) = by_device.entry(device).or_default();
        *took += handshakes.took_bad_certificate;
        *of += handshakes.attempts;
    }
    by_device.retain(|_, (took, _)| *took > 0);
    let (took, of) = by_device.values().fold((0, 0), |(a, b), (took, of)| (a + took, b + of));
    let names: Vec<&str> = by_device.into_keys().collect();
    if names.is_empty() {
        return String::new();
    }
    let names = words::names(&names, MOST_NAMED, names.len());
    let handshakes = count(of, "handshake");
    wrap("  ", &format!("ACCEPTED THE BAD CERTIFICATE of {}: {names}, in {took} of {handshakes}", rule.id))
}

/// `naive gave up: its last attempt was at 12.0 s, none came in the 30.0 s that followed`
fn gave_up(windows: &[&Window], several_runs: bool) -> String {
    let quiet = |window: &&&Window| window.handshakes.as_ref().is_some_and(|it| it.gave_up_for_s.is_some());
    let all: Vec<&&Window> = windows.iter().filter(quiet).collect();
    let told = |window: &&&Window| {
        let handshakes = window.handshakes.as_ref()?;
        let run = if several_runs { format!(" in run {}", window.run) } else { String::new() };
        let (last, quiet) = (seconds(handshakes.last_s), seconds(handshakes.gave_up_for_s?));
        let device = &window.device;
        Some(format!(
            "{device} gave up{run}: last attempt at {last}, none in the {quiet} that followed under the fault"
        ))
    };
    let mut out: String =
        all.iter().take(MOST_NAMED).filter_map(told).map(|told| wrap("  ", &told)).collect();
    let more = all.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        out += &format!("  and {} gave up\n", many(more, "more device"));
    }
    out
}

/// Over many windows: a row a measure, and how the attempts ended.
fn summed_up(rule: &Rule, windows: &[&Window], styling: Styling) -> String {
    let devices: BTreeSet<&str> = windows.iter().map(|window| window.device.as_str()).collect();
    let told = [
        (Outcome::Gone, "not back"),
        (Outcome::Back, "back after the fault"),
        (Outcome::BackBefore, "back before"),
        (Outcome::Unknown, "not known"),
    ];
    let told = told
        .into_iter()
        .map(|(outcome, words)| (windows.iter().filter(|window| window.outcome == outcome).count(), words));
    let told: Vec<String> =
        told.filter(|(times, _)| *times > 0).map(|(times, words)| format!("{times} {words}")).collect();
    let (all, devices) = (many(windows.len(), "window"), many(devices.len(), "device"));
    let mut out = wrap("  ", &format!("{all} on {devices}: {}", told.join(", ")));
    let mut rows = vec![header(&["over all", "samples", "never", "p50", "p95", "max"])];
    for (metric, name) in [
        ("handshake_attempts", "attempts"),
        ("handshake_gap", "gap between"),
        ("downtime", "downtime"),
        ("recovery", "back"),
    ] {
        let Some(summary) = rule.measures.get(metric) else { continue };
        rows.push(summary_row(name, summary));
    }
    out += &lay_out(&rows, styling);
    out + &wrap("  ", &format!("attempts ended: {}", ends(windows)))
}

/// `120 alert certificate_expired, 3 FIN`
fn ends(windows: &[&Window]) -> String {
    let mut by_end: BTreeMap<&str, u64> = BTreeMap::new();
    for end in windows.iter().filter_map(|window| window.handshakes.as_ref()).flat_map(|it| &it.ends) {
        *by_end.entry(&end.end).or_default() += end.attempts;
    }
    let mut ends: Vec<(&str, u64)> = by_end.into_iter().collect();
    ends.sort_by_key(|(_, attempts)| Reverse(*attempts));
    let told: Vec<String> = ends.into_iter().map(|(end, attempts)| format!("{attempts} {end}")).collect();
    told.join(", ")
}

/// Those that were not back, then those that took the longest; of equals, those that tried the most.
fn worst<'a>(windows: &[&'a Window]) -> Vec<&'a Window> {
    let tried = |window: &Window| window.handshakes.as_ref().map_or(0, |it| it.attempts);
    let mut sorted = windows.to_vec();
    sorted.sort_by(|a, b| {
        let by_time = longest(b.recovery_s.as_ref()).total_cmp(&longest(a.recovery_s.as_ref()));
        by_time.then(tried(b).cmp(&tried(a)))
    });
    sorted.truncate(WORST);
    sorted
}
