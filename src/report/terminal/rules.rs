//! One section a rule: what it did, to whom, and whom it missed.

use super::{Legend, handshakes, heading, round_trips, windows};
use crate::report::model::{Missed, Outcome, Report, Rule, Window};
use crate::report::table::{Styling, wrap};
use crate::report::words::{self, count};
use std::collections::BTreeMap;

/// So many devices are named that a rule missed.
const NAMED: usize = 4;

/// The fault that falls on handshakes, not on links.
const HANDSHAKES: &str = "tls_handshake";

/// The section of a rule.
pub(super) fn section(report: &Report, rule: &Rule, legend: &mut Legend, styling: Styling) -> String {
    let means = if rule.means.is_empty() { String::new() } else { format!(" ({})", rule.means.join("; ")) };
    let mut out = heading(&rule.id, &format!("{}{means}", rule.description), styling);
    let windows = by_device(report, rule);
    out += &match (windows.is_empty(), rule.fault) {
        (true, HANDSHAKES) => "  met no TLS handshake\n".into(),
        (true, _) => "  fell on no link\n".into(),
        (false, HANDSHAKES) => handshakes::table(report, rule, &windows, legend, styling),
        (false, "latency") => round_trips::table(report, rule, &windows, styling),
        (false, _) => windows::table(report, rule, &windows, legend, styling),
    };
    out + &missed(rule)
}

/// The windows that fell on a link: device by device in the order in which they appeared, each in order of time.
fn by_device<'a>(report: &Report, rule: &'a Rule) -> Vec<&'a Window> {
    let places: BTreeMap<&str, usize> =
        report.devices.iter().zip(0..).map(|(device, place)| (device.name.as_str(), place)).collect();
    let mut windows: Vec<&Window> = rule.windows.iter().filter(|w| w.outcome != Outcome::NoLink).collect();
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
    let all =
        rule.missed.iter().map(|missed| &missed.device).collect::<std::collections::BTreeSet<_>>().len();
    let names = words::names(&names, NAMED, all);
    wrap("  ", &format!("{names} {were} not connected when {} fired{times}", rule.id))
}
