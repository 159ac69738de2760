//! One section a rule: what it did, to whom, and whom it missed.

use super::{Legend, handshakes, heading, round_trips, windows};
use crate::report::model::{Altered, Figure, Missed, Outcome, Report, Rule, Summary, Window};
use crate::report::table::{Styling, wrap};
use crate::report::wire;
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
    out += &wire::words(rule).map(|told| wrap("  ", &told)).unwrap_or_default();
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
    told.extend(tokens(rule));
    if told.is_empty() { String::new() } else { wrap("  ", &told.join(", ")) }
}

/// Of a `token_expiry` fault: `3 fresh tokens in time, 1.0 to 1.2 s before expiry`, `6 fresh tokens late, by 163 to 178 ms`,
/// `up to 6 stale tokens by one device`, `0 to 2 stale tokens`.
fn tokens(rule: &Rule) -> Vec<String> {
    let of = |metric| rule.measures.get(metric);
    let spread = |summary: &Summary| match (&summary.min, &summary.max) {
        (Figure::Seconds(least), Figure::Seconds(most)) => words::range(*least, *most),
        (_, most) => words::figure(most),
    };
    let fresh = |summary: &Summary| count(summary.samples, "fresh token");
    let in_time = of("token_margin").map(|s| format!("{} in time, {} before expiry", fresh(s), spread(s)));
    let late = of("token_late").map(|s| format!("{} late, by {}", fresh(s), spread(s)));
    let stale = of("stale_tokens").and_then(|summary| match summary.max {
        Figure::Count(most) if most > 0 => {
            let by = if summary.samples > 1 { "up to " } else { "" };
            let whom = if summary.samples > 1 { " by one device" } else { "" };
            Some(format!("{by}{}{whom}", count(most, "stale token")))
        }
        // The same password again.
        bracket @ Figure::CountBetween { .. } => Some(format!("{} stale tokens", words::figure(&bracket))),
        _ => None,
    });
    in_time.into_iter().chain(late).chain(stale).collect()
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
