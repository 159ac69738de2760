//! One section a rule: what it did, to whom, and whom it missed.

use super::{Legend, handshakes, heading, round_trips, windows};
use crate::report::model::{Altered, Missed, Outcome, Report, Rule, Window};
use crate::report::table::{Styling, wrap};
use crate::report::words::{self, count};
use std::collections::{BTreeMap, BTreeSet};

/// So many devices are named that a rule missed.
const NAMED: usize = 4;

/// The fault that falls on handshakes, not on links.
const HANDSHAKES: &str = "tls_handshake";

/// The section of a rule.
pub(super) fn section(report: &Report, rule: &Rule, legend: &mut Legend, styling: Styling) -> String {
    let means = if rule.means.is_empty() { String::new() } else { format!(" ({})", rule.means.join("; ")) };
    let mut out = heading(&rule.id, &format!("{}{means}", rule.description), styling);
    let windows = by_device(report, rule);
    let idle = nothing_met(rule, windows.is_empty());
    out += &done(rule);
    out += &match (windows.is_empty(), rule.fault) {
        (true, HANDSHAKES) => "  met no TLS handshake\n".into(),
        (true, _) if !idle.is_empty() => String::new(),
        (true, _) => "  fell on no link\n".into(),
        (false, HANDSHAKES) => handshakes::table(report, rule, &windows, legend, styling),
        (false, "latency" | "bandwidth" | "loss" | "slice") => {
            round_trips::table(report, rule, &windows, styling)
        }
        (false, _) => windows::table(report, rule, &windows, legend, styling),
    };
    out + &idle + &missed(rule)
}

/// What was done: `dropped 12 packets (3 falsely acknowledged)`, `refused 4 connects`.
fn done(rule: &Rule) -> String {
    let mut told: Vec<String> = rule.altered.iter().flat_map(altered).collect();
    told.extend(
        rule.connects_refused
            .filter(|times| *times > 0)
            .map(|times| format!("refused {}", count(times, "connect"))),
    );
    if told.is_empty() { String::new() } else { wrap("  ", &told.join(", ")) }
}

fn altered(altered: &Altered) -> Vec<String> {
    let false_ones = altered.falsely_acknowledged;
    let lies = if false_ones > 0 { format!(" ({false_ones} falsely acknowledged)") } else { String::new() };
    let edits =
        if altered.edits.is_empty() { String::new() } else { format!(" ({})", altered.edits.join("; ")) };
    [
        (altered.dropped, "dropped", lies),
        (altered.delayed, "delayed", String::new()),
        (altered.duplicated, "doubled", String::new()),
        (altered.edited, "edited", edits),
        (altered.corrupted, "corrupted", String::new()),
        (altered.cut, "cut", String::new()),
    ]
    .into_iter()
    .filter(|(number, _, _)| *number > 0)
    .map(|(number, what, more)| format!("{what} {}{more}", count(number, "packet")))
    .collect()
}

/// On whom its fault waited in vain: `no packet met it`, or, of some, `no packet met it on a, b`.
fn nothing_met(rule: &Rule, on_all: bool) -> String {
    let idle = rule.windows.iter().filter(|window| window.outcome == Outcome::NothingMet);
    let names: BTreeSet<&str> = idle.map(|window| window.device.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let on = if on_all { String::new() } else { format!(" on {}", words::names(&names, NAMED, names.len())) };
    if names.is_empty() {
        String::new()
    } else {
        wrap("  ", &format!("{}{on}", words::nothing_met(rule.fault)))
    }
}

/// The windows that fell on a link: device by device in the order in which they appeared, each in order of time.
fn by_device<'a>(report: &Report, rule: &'a Rule) -> Vec<&'a Window> {
    let places: BTreeMap<&str, usize> =
        report.devices.iter().zip(0..).map(|(device, place)| (device.name.as_str(), place)).collect();
    let mut windows: Vec<&Window> =
        rule.windows.iter().filter(|w| !matches!(w.outcome, Outcome::NoLink | Outcome::NothingMet)).collect();
    windows.sort_by_key(|window| (places.get(window.device.as_str()), window.run, window.window));
    windows
}

/// Who was not there: `oblivious was not connected when reset fired`.
fn missed(rule: &Rule) -> String {
    let mut names: Vec<&str> = Vec::new();
    for Missed { device, .. } in &rule.missed {
        if !names.contains(&device.as_str()) && names.len() <= NAMED {
            names.push(device);
        }
    }
    let firings: u64 = rule.missed.iter().map(|missed| missed.firings).sum();
    let (were, times) = match (names.len(), rule.fired) {
        (0, _) => return String::new(),
        (1, 1) => ("was", String::new()),
        (1, _) => ("was", format!(" ({} of {})", firings, count(rule.fired, "time"))),
        (_, _) => ("were", String::new()),
    };
    let all = rule.missed.iter().map(|missed| &missed.device).collect::<BTreeSet<_>>().len();
    let names = words::names(&names, NAMED, all);
    wrap("  ", &format!("{names} {were} not connected when {} fired{times}", rule.id))
}
