//! The report for a terminal: at most 80 columns, the verdict first, differences between devices at a glance.

mod azure;
mod delivery;
mod devices;
pub(super) mod expectations;
mod findings;
mod fleet;
mod handshakes;
mod round_trips;
mod rules;
mod tls;
mod windows;

use super::ending;
use super::model::{Report, Verdict};
use super::table::{Cell, Styling, Tone, WIDTH, cut, paint, width, wrap};
use super::words::{self, many, names, seconds};
use crate::event::EndReason;

/// Up to so many windows or devices are listed one by one; more are summed up, with the worst by name.
const MOST_ROWS: usize = 12;
/// So many runs are told of one by one in the head.
const MOST_RUNS: usize = 6;
/// So many of the worst are named.
const WORST: usize = 3;

/// The whole report.
pub fn render(report: &Report, styling: Styling) -> String {
    let mut legend = Legend::default();
    let mut out = head(report, styling);
    out += &findings::verdicts(report, styling);
    out += &findings::section(report, styling);
    out += &expectations::section(report, styling);
    for rule in &report.rules {
        out += &rules::section(report, rule, &mut legend, styling);
    }
    legend.devices = !report.devices.is_empty();
    legend.messages = report.fleet.delivery.is_some();
    legend.brackets = report.rules.iter().flat_map(|rule| rule.measures.values()).any(|m| m.brackets > 0);
    out += &tls::section(report, styling);
    out += &devices::section(report, styling);
    out += &devices::hubs(report, styling);
    out += &delivery::section(report, styling);
    out += &fleet::section(report, styling);
    out += &devices::endings(report, styling);
    out += &azure::section(report, styling);
    out += &findings::uncertainty(report, styling);
    out += &notes(report, legend, styling);
    out
}

fn head(report: &Report, styling: Styling) -> String {
    let lasted: f64 = report.runs.iter().map(|run| run.lasted_s).sum();
    let runs = match report.runs.as_slice() {
        [run] => run.seed.map_or(String::new(), |seed| format!(", seed {seed}")),
        runs => format!(", {}", many(runs.len(), "run")),
    };
    let name = cut(&report.profile.name, 40);
    let what = format!("brownout  {name}, {}{runs}, {}", seconds(lasted), words::devices(&report.fleet));
    let (verdict, tone) = verdict(report);
    let gap = WIDTH.saturating_sub(width(&what) + width(&verdict));
    let between = if gap >= 2 { " ".repeat(gap) } else { "\n".into() };
    let first =
        format!("{}{between}{}\n", paint(&what, Tone::Strong, styling), paint(&verdict, tone, styling));
    first + &beside(report, styling)
}

/// What made these runs differ from the profile as it is written and left to its end.
fn beside(report: &Report, styling: Styling) -> String {
    let several = report.runs.len() > 1;
    let mut told: Vec<String> = Vec::new();
    let seeds: Vec<String> = report
        .runs
        .iter()
        .filter_map(|run| run.seed)
        .map(|seed| seed.to_string())
        .filter(|_| several)
        .collect();
    if !seeds.is_empty() {
        told.push(format!("seeds {}", few(&seeds)));
    }
    told.extend(ended(report));
    let mut sets: Vec<String> = Vec::new();
    for run in report.runs.iter().filter(|run| !run.overrides.is_empty()) {
        let set = run.overrides.join(", ");
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    if !sets.is_empty() {
        told.push(format!("set: {}", sets.join(" or ")));
    }
    if told.is_empty() {
        return String::new();
    }
    let text = wrap("  ", &told.join("; "));
    text.lines().map(|line| paint(line, Tone::Faint, styling) + "\n").collect()
}

/// How runs ended that did not end by themselves: `ended by its duration`, or `2 runs ended by its duration`.
fn ended(report: &Report) -> Vec<String> {
    let reasons = [EndReason::Interrupted, EndReason::CommandEnded, EndReason::Duration];
    let told = |reason: EndReason| {
        let runs: Vec<String> = report
            .runs
            .iter()
            .filter(|run| run.ended == Some(reason))
            .map(|run| run.run.to_string())
            .collect();
        let which = if report.runs.len() > 1 { format!("run {} ", few(&runs)) } else { String::new() };
        (!runs.is_empty()).then(|| which + ending::words(reason))
    };
    reasons.into_iter().filter_map(told).collect()
}

/// The first of them: `1, 2, 3 and 4 more`.
fn few(all: &[String]) -> String {
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    names(&all, MOST_RUNS, all.len())
}

fn verdict(report: &Report) -> (String, Tone) {
    let all = report.expectations.len();
    match report.verdict {
        Verdict::Passed => (format!("PASSED: {all} of {all} met"), Tone::Good),
        Verdict::Failed if report.unmet() == 0 => {
            (format!("FAILED: {}", report.failed().join(", ").to_uppercase()), Tone::Bad)
        }
        Verdict::Failed => (format!("FAILED: {} of {all} unmet", report.unmet()), Tone::Bad),
        Verdict::NotThrough if all == 0 => ("NOT THROUGH".into(), Tone::Bad),
        Verdict::NotThrough => {
            (format!("NOT THROUGH: {} of {all} met so far", all - report.unmet()), Tone::Bad)
        }
        Verdict::NoExpectations => ("no expectations".into(), Tone::Faint),
    }
}

/// Which columns and notations the tables above have used.
#[derive(Clone, Copy, Debug, Default)]
struct Legend {
    /// A span in keep-alives: a number and `K`.
    keep_alives: bool,
    /// `noticed`
    noticed: bool,
    /// `told`, in the place of a time until it noticed
    told: bool,
    /// `silent`
    silent: bool,
    /// `back`
    back: bool,
    /// `before`, in the place of a time until it was back
    before: bool,
    /// `attempts`, `gaps` and `each ended`
    attempts: bool,
    /// `down` and `late`
    devices: bool,
    /// `again`, `twice` and `in flight`
    messages: bool,
    /// A number `to` a number.
    brackets: bool,
}

impl Legend {
    /// What they mean.
    fn notes(self) -> impl Iterator<Item = &'static str> {
        [
            (self.keep_alives || self.silent, "K: keep-alives of the device"),
            (
                self.noticed && self.keep_alives,
                "noticed: from the start of the fault to the first sign, in time and in K",
            ),
            (self.noticed && !self.keep_alives, "noticed: from the start of the fault to the first sign"),
            (self.told, "told: the hub's end was passed on to the device before it was seen to have noticed"),
            (self.silent, "silent: age of the last packet to the hub when it gave up [MQTT-3.1.2-24]"),
            (
                self.attempts,
                "attempts: TLS handshakes that met the fault; gaps: from one ClientHello to the next; each ended: how, \
                 and how long after its ClientHello",
            ),
            (
                self.back,
                "back: from the path restored, or from a fault that leaves the path alone, to the CONNACK that accepts the device",
            ),
            (self.before, "before: back already before the path was restored"),
            (self.devices, "down: time without an accepted link, over all outages"),
            (self.devices, "late: gaps longer than the keep-alive on a sound path [MQTT-3.1.2-23]"),
            (
                self.messages,
                "again: times that one was sent again; twice: times that one was passed on again to a receiver that may take it for new",
            ),
            (
                self.messages,
                "lost: not passed on, nor sent again on a later link; left out by numbers in payloads; or acknowledged falsely",
            ),
            (self.brackets, "a value \"a to b\" lies between the two; the fault hid where"),
        ]
        .into_iter()
        .filter_map(|(used, note)| used.then_some(note))
    }
}

fn notes(report: &Report, legend: Legend, styling: Styling) -> String {
    let item = |note: &str| wrap("  - ", note);
    let mut items: String = report.notes.iter().map(|note| item(note)).collect();
    items.extend(legend.notes().map(item));
    if items.is_empty() { items } else { heading("what to know", "", styling) + &items }
}

fn heading(name: &str, rest: &str, styling: Styling) -> String {
    let line = wrap(&format!("{name}  "), rest);
    format!("\n{}\n", line.trim_end().replacen(name, &paint(name, Tone::Strong, styling), 1))
}

fn header(names: &[&str]) -> Vec<Cell> {
    names.iter().map(|name| Cell::new(*name, Tone::Faint)).collect()
}
