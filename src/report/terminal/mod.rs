//! The report for a terminal: at most 80 columns, the verdict first, differences between devices at a glance.

mod devices;
mod expectations;
mod round_trips;
mod rules;
mod windows;

use super::model::{Report, Verdict};
use super::table::{Cell, Styling, Tone, WIDTH, cut, paint, wrap};
use super::words::{count, seconds};

/// Up to so many windows or devices are listed one by one; more are summed up, with the worst by name.
const MOST_ROWS: usize = 12;
/// So many of the worst are named.
const WORST: usize = 3;

/// The whole report.
pub fn render(report: &Report, styling: Styling) -> String {
    let mut legend = Legend::default();
    let mut out = head(report, styling);
    out += &expectations::section(report, styling);
    for rule in &report.rules {
        out += &rules::section(report, rule, &mut legend, styling);
    }
    out += &devices::section(report, styling);
    out += &devices::endings(report, styling);
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
    let what =
        format!("brownout  {name}, {}{runs}, {}", seconds(lasted), many(report.fleet.devices, "device"));
    let (verdict, tone) = verdict(report);
    let gap = WIDTH.saturating_sub(what.chars().count() + verdict.chars().count());
    let between = if gap >= 2 { " ".repeat(gap) } else { "\n".into() };
    format!("{}{between}{}\n", paint(&what, Tone::Strong, styling), paint(&verdict, tone, styling))
}

fn verdict(report: &Report) -> (String, Tone) {
    let all = report.expectations.len();
    match report.verdict {
        Verdict::Passed => (format!("PASSED: {all} of {all} met"), Tone::Good),
        Verdict::Failed => (format!("FAILED: {} of {all} unmet", report.unmet()), Tone::Bad),
        Verdict::NotThrough if all == 0 => ("NOT THROUGH".into(), Tone::Bad),
        Verdict::NotThrough => {
            (format!("NOT THROUGH: {} of {all} met so far", all - report.unmet()), Tone::Bad)
        }
        Verdict::NoExpectations => ("no expectations".into(), Tone::Faint),
    }
}

/// Which notations the tables above have used.
#[derive(Clone, Copy, Debug, Default)]
struct Legend {
    /// `6.6 s = 3.3 K`
    keep_alives: bool,
    /// `1.8 s, silent 1.5 K`
    silent: bool,
    /// `back`
    back: bool,
}

impl Legend {
    /// What they mean.
    fn notes(self) -> impl Iterator<Item = &'static str> {
        let keep_alives = "\"6.6 s = 3.3 K\": the sign came 6.6 s after the fault began, which is 3.3 keep-alives of \
                           the device";
        let silent = "\"silent 1.5 K\": when the hub gave up, the last packet that it had been sent was 1.5 \
                      keep-alives old; its timer runs from there [MQTT-3.1.2-24]";
        let back = "back: from the path restored to the CONNACK that accepts the device";
        [(self.keep_alives, keep_alives), (self.silent, silent), (self.back, back)]
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

fn many(number: usize, thing: &str) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), thing)
}
