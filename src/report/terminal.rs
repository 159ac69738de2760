//! The report for a terminal: at most 80 columns, the verdict first, differences between devices at a glance.

use super::model::{Device, Evidence, Expectation, Figure, Finding, Outcome, Report, Rule, Verdict, Window};
use super::table::{Cell, Styling, Tone, WIDTH, cut, lay_out, paint, wrap};
use super::words::{self, count, figure, keepalives, seconds, told, whole_seconds};
use std::collections::BTreeMap;

/// Up to so many windows of a rule are listed one by one; more are summed up, with the worst by name.
const MOST_ROWS: usize = 12;
/// So many of the worst are named.
const WORST: usize = 3;
/// So many pieces of evidence are named under an expectation.
const MOST_EVIDENCE: usize = 4;
/// So many devices are named beside a cause.
const NAMED: usize = 4;
/// Names are cut to this.
const NAME: usize = 20;

/// The whole report.
pub fn render(report: &Report, styling: Styling) -> String {
    let mut out = head(report, styling);
    out += &expectations(report, styling);
    for rule in &report.rules {
        out += &self::rule(rule, report.runs.len() > 1, styling);
    }
    out += &devices(report, styling);
    if !report.devices.is_empty() {
        out += &endings(report, styling);
    }
    out += &notes(report, styling);
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
        Verdict::NoExpectations => ("no expectations".into(), Tone::Faint),
    }
}

fn expectations(report: &Report, styling: Styling) -> String {
    if report.expectations.is_empty() {
        return String::new();
    }
    let mut out = heading("expectations", "", styling);
    let (met, unmet): (Vec<_>, Vec<_>) = report.expectations.iter().partition(|e| e.finding == Finding::Met);
    for expectation in unmet.into_iter().chain(met) {
        let (word, tone) = match expectation.finding {
            Finding::Met => ("met    ", Tone::Good),
            Finding::Unmet | Finding::Inconclusive | Finding::NoEvidence => ("UNMET  ", Tone::Bad),
        };
        let text = format!("{}{}", expectation.expectation, because(expectation, report.runs.len() > 1));
        let wrapped = wrap(&format!("  {word}"), &text);
        out += &wrapped.replacen(word, &paint(word, tone, styling), 1);
    }
    out
}

fn because(expectation: &Expectation, several_runs: bool) -> String {
    let samples = count(expectation.samples, "sample");
    match expectation.finding {
        Finding::Met => {
            let measured = expectation.measured.as_ref().map(told).unwrap_or_default();
            format!(": {measured} ({samples})")
        }
        Finding::NoEvidence => ": no evidence, nothing was seen that speaks to it".into(),
        Finding::Unmet => format!(": {}", evidence(expectation, several_runs)),
        Finding::Inconclusive => {
            format!(
                ": inconclusive, not seen long or sharply enough: {}",
                evidence(expectation, several_runs)
            )
        }
    }
}

/// The worst sample of each device, the worst first.
fn evidence(expectation: &Expectation, several_runs: bool) -> String {
    let mut worst: Vec<(&Evidence, u64)> = Vec::new();
    for evidence in &expectation.evidence {
        match worst.iter_mut().find(|(w, _)| (w.run, &w.device) == (evidence.run, &evidence.device)) {
            Some((_, count)) => *count += evidence.count,
            None => worst.push((evidence, evidence.count)),
        }
    }
    let shown: Vec<_> = worst.iter().take(MOST_EVIDENCE).collect();
    let left = expectation.against.saturating_sub(shown.iter().map(|(_, count)| count).sum());
    let mut parts = Vec::new();
    // A sum or a count is of no one device.
    if let Some(Figure::Count(_)) = expectation.measured.filter(|_| shown.len() != 1) {
        parts.extend(expectation.measured.iter().map(|total| format!("it is {}", told(total))));
    }
    parts.extend(shown.into_iter().map(|(evidence, count)| one_evidence(evidence, *count, several_runs)));
    if left > 0 {
        parts.push(format!("and {left} more"));
    }
    parts.join("; ")
}

fn one_evidence(evidence: &Evidence, times: u64, several_runs: bool) -> String {
    let who = evidence.device.as_deref().unwrap_or("all devices");
    let run = if several_runs { format!(" in run {}", evidence.run) } else { String::new() };
    let limit = evidence.limit_s.map(seconds).or_else(|| Some(evidence.limit?.to_string()));
    let limit = limit.map_or(String::new(), |limit| format!(", limit {limit}"));
    let times = if times > 1 { format!(", worst of {times}") } else { String::new() };
    format!("{who} {}{run}{limit}{times}", told(&evidence.value))
}

fn rule(rule: &Rule, several_runs: bool, styling: Styling) -> String {
    let means = if rule.means.is_empty() { String::new() } else { format!(" ({})", rule.means.join("; ")) };
    let mut out = heading(&rule.id, &format!("{}{means}", rule.description), styling);
    let windows: Vec<&Window> = rule.windows.iter().filter(|w| w.outcome != Outcome::NoLink).collect();
    if windows.is_empty() {
        return out + "  fell on no link\n";
    }
    if windows.len() <= MOST_ROWS {
        out += &window_table(&windows, several_runs, styling);
    } else {
        out += &summary_table(rule, styling);
        out += &worst(&windows, several_runs, styling);
    }
    out
}

/// One row a window. Where a device has several, each is told by its time, and the silences give way to it.
fn window_table(windows: &[&Window], several_runs: bool, styling: Styling) -> String {
    let repeated =
        windows.iter().any(|one| windows.iter().filter(|other| other.device == one.device).count() > 1);
    let mut head = vec!["device"];
    if repeated {
        head.push("at");
    }
    head.extend(["noticed", "hub noticed", "back", "reconnects"]);
    let mut rows = vec![header(&head)];
    for window in windows {
        let mut row = vec![Cell::plain(cut(&window.device, NAME))];
        if repeated {
            row.push(Cell::new(place(window, several_runs), Tone::Faint));
        }
        row.extend(window_cells(window, !repeated));
        rows.push(row);
    }
    lay_out(&rows, styling)
}

fn place(window: &Window, several_runs: bool) -> String {
    let at = window.start_s.map_or(String::new(), seconds);
    if several_runs { format!("run {} {at}", window.run) } else { at }
}

fn window_cells(window: &Window, with_silence: bool) -> Vec<Cell> {
    let sign = |detection: Option<&Figure>, silence: Option<f64>| {
        value_cell(detection, silence.filter(|_| with_silence))
    };
    vec![
        sign(window.device_detection_s.as_ref(), window.device_silence_keepalives),
        sign(window.hub_detection_s.as_ref(), window.hub_silence_keepalives),
        back(window),
        reconnects(window),
    ]
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

/// A value, with the silence before it in keep-alives: `3.1 s, 2.1 K`.
fn value_cell(value: Option<&Figure>, silence: Option<f64>) -> Cell {
    match value {
        None => Cell::new("-", Tone::Faint),
        Some(never @ Figure::Never { .. }) => Cell::new(figure(never), Tone::Bad),
        Some(seen @ (Figure::Seconds(_) | Figure::Between { .. } | Figure::Count(_))) => {
            let silence = silence.map_or(String::new(), |silence| format!(", {}", keepalives(silence)));
            Cell::plain(format!("{}{silence}", figure(seen)))
        }
    }
}

/// When the device was back: after the path was restored, or before it was.
fn back(window: &Window) -> Cell {
    match window.outcome {
        Outcome::NoLink => Cell::plain(""),
        Outcome::Survived if window.restored_s.is_none() => Cell::new("still on", Tone::Faint),
        Outcome::Survived => Cell::new("kept link", Tone::Faint),
        Outcome::BackBefore => Cell::plain("before"),
        Outcome::Gone => Cell::new("not back", Tone::Bad),
        Outcome::Back => value_cell(window.recovery_s.as_ref(), None),
    }
}

/// Over many windows: one row a measure.
fn summary_table(rule: &Rule, styling: Styling) -> String {
    let shown = [
        ("device_detection", "noticed"),
        ("hub_detection", "hub noticed"),
        ("split_view", "split view"),
        ("downtime", "downtime"),
        ("recovery", "back after"),
        ("resubscribe", "resubscribed"),
        ("connect_attempts", "connects"),
        ("connect_gap", "gap between"),
    ];
    let mut rows = vec![header(&["over all", "samples", "never", "p50", "p95", "max"])];
    for (metric, name) in shown {
        let Some(summary) = rule.measures.get(metric) else { continue };
        let never = if summary.never > 0 { Tone::Bad } else { Tone::Faint };
        rows.push(vec![
            Cell::plain(name),
            Cell::plain(summary.samples.to_string()),
            Cell::new(summary.never.to_string(), never),
            value_cell(Some(&summary.p50), None),
            value_cell(Some(&summary.p95), None),
            value_cell(Some(&summary.max), None),
        ]);
    }
    lay_out(&rows, styling)
}

/// The worst few of many, by the longer of the times they took to notice and to come back.
fn worst(windows: &[&Window], several_runs: bool, styling: Styling) -> String {
    let upper = |value: Option<&Figure>| match value {
        None => -1.0,
        Some(Figure::Seconds(exact) | Figure::Between { before_s: exact, .. }) => *exact,
        Some(Figure::Never { .. }) => f64::INFINITY,
        Some(Figure::Count(_)) => 0.0,
    };
    let by = |w: &Window| upper(w.recovery_s.as_ref()).max(upper(w.device_detection_s.as_ref()));
    let mut sorted = windows.to_vec();
    sorted.sort_by(|a, b| by(b).total_cmp(&by(a)).then(a.device.cmp(&b.device)));
    sorted.truncate(WORST);
    paint("  the worst", Tone::Faint, styling) + "\n" + &window_table(&sorted, several_runs, styling)
}

fn devices(report: &Report, styling: Styling) -> String {
    if report.devices.is_empty() {
        return heading("devices", "none was seen", styling);
    }
    let fleet = &report.fleet;
    let busiest = format!("busiest second: {}", count(fleet.connect_rate, "connect"));
    let mut out = heading("devices", &busiest, styling);
    let mut rows = vec![header(&["device", "keep-alive", "links", "down", "ping p50", "p99", "late"])];
    let mut shown: Vec<&Device> = report.devices.iter().collect();
    if shown.len() > MOST_ROWS {
        shown.sort_by(|a, b| b.down_s.total_cmp(&a.down_s).then(a.name.cmp(&b.name)));
        shown.truncate(WORST);
        out += &format!("  the {WORST} longest down of {}\n", report.devices.len());
    }
    rows.extend(shown.into_iter().map(device_row));
    out += &lay_out(&rows, styling);
    if fleet.keepalive_violations > 0 {
        out += &wrap("  ", "late: gaps longer than the keep-alive on a sound path [MQTT-3.1.2-23]");
    }
    out
}

fn device_row(device: &Device) -> Vec<Cell> {
    let keep_alive =
        if device.keep_alive_s > 0.0 { whole_seconds(device.keep_alive_s) } else { "none".into() };
    let rtt = |of: fn(&super::model::Quantiles) -> f64| {
        device.ping_rtt.as_ref().map_or("-".into(), |ping| seconds(of(ping)))
    };
    let late = if device.keepalive_violations > 0 { Tone::Bad } else { Tone::Faint };
    vec![
        Cell::plain(cut(&device.name, NAME)),
        Cell::plain(keep_alive),
        Cell::plain(device.links.to_string()),
        Cell::plain(seconds(device.down_s)),
        Cell::plain(rtt(|ping| ping.p50_s)),
        Cell::plain(rtt(|ping| ping.p99_s)),
        Cell::new(device.keepalive_violations.to_string(), late),
    ]
}

/// How links ended, the most frequent way first, with the devices.
fn endings(report: &Report, styling: Styling) -> String {
    let mut by_cause: BTreeMap<&str, (u64, Vec<&str>)> = BTreeMap::new();
    for device in &report.devices {
        for (cause, count) in &device.ends {
            let (all, names) = by_cause.entry(cause).or_default();
            *all += count;
            names.push(&device.name);
        }
    }
    let mut sorted: Vec<(&str, (u64, Vec<&str>))> = by_cause.into_iter().collect();
    sorted.sort_by(|(a, (a_count, _)), (b, (b_count, _))| b_count.cmp(a_count).then(a.cmp(b)));
    let mut out = heading("how links ended", "", styling);
    let rows: Vec<Vec<Cell>> = sorted
        .into_iter()
        .map(|(cause, (all, names))| {
            let who = Cell::new(words::names(&names, NAMED), Tone::Faint);
            vec![Cell::plain(all.to_string()), Cell::plain(cause), who]
        })
        .collect();
    out += &lay_out(&rows, styling);
    out
}

fn notes(report: &Report, styling: Styling) -> String {
    let mut windows = report.rules.iter().flat_map(|rule| &rule.windows);
    let legend = windows.any(|w| w.device_silence_keepalives.is_some() || w.hub_silence_keepalives.is_some());
    let legend = legend.then_some(
        "\"3.1 s, 2.1 K\": noticed 3.1 s after the fault began, after 2.1 keep-alives of silence; back: after \
         the path was restored",
    );
    let notes: Vec<&str> = report.notes.iter().map(String::as_str).chain(legend).collect();
    if notes.is_empty() {
        return String::new();
    }
    let notes = notes.into_iter().map(|note| wrap("  - ", note));
    heading("what to know", "", styling) + &notes.collect::<String>()
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
