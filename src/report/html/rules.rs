//! The faults: what each rule did, its measures, and all windows in one table.

use super::escape::text;
use super::table::{Cell, MOST_ROWS, Table, figures, to_sort_by, words};
use crate::base::units::to_u64;
use crate::report::model::{Figure, Missed, Outcome, Report, Rule, Summary, Window};
use crate::report::wire;
use crate::report::words::{self as say, count, figure, keep_alives, seconds};
use std::collections::BTreeSet;

/// So many devices are named that a rule missed.
const NAMED: usize = 4;

/// The measures that say most of a fault; the others are in report.json.
const MEASURES: [(&str, &str); 6] = [
    ("device_detection", "device noticed"),
    ("hub_detection", "hub noticed"),
    ("split_view", "split view"),
    ("downtime", "downtime"),
    ("recovery", "recovery"),
    ("connect_attempts", "connect attempts"),
];

pub(super) fn section(report: &Report) -> String {
    let rules: String = report.rules.iter().map(rule).collect();
    if rules.is_empty() {
        return String::new();
    }
    format!(
        "<section aria-labelledby=\"faults\"><h2 id=\"faults\">Faults</h2>\n{rules}</section>\n\
         <section aria-labelledby=\"windows-head\"><h2 id=\"windows-head\">Fault windows</h2>\n{}</section>\n",
        windows(report)
    )
}

fn rule(rule: &Rule) -> String {
    let means = if rule.means.is_empty() { String::new() } else { format!("; {}", rule.means.join("; ")) };
    let fidelity = if rule.fidelities.is_empty() { "not made".into() } else { rule.fidelities.join(", ") };
    let mut told = vec![format!("fired {}, fidelity: {fidelity}{means}", count(rule.fired, "time"))];
    told.extend(rule.refused.iter().map(|refused| format!("REFUSED: {refused}")));
    told.extend(rule.altered.iter().filter(|altered| altered.packets > 0).map(|altered| {
        let all = [
            (altered.dropped, "dropped"),
            (altered.falsely_acknowledged, "falsely acknowledged"),
            (altered.delayed, "delayed"),
            (altered.duplicated, "doubled"),
            (altered.edited, "edited"),
            (altered.corrupted, "corrupted"),
            (altered.cut, "cut"),
        ];
        let some = all.into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> = some.map(|(number, what)| format!("{number} {what}")).collect();
        format!("{}: {}", count(altered.packets, "packet"), parts.join(", "))
    }));
    told.extend(rule.connects_refused.filter(|n| *n > 0).map(|n| format!("refused {}", count(n, "connect"))));
    told.extend(wire::words(rule));
    told.extend(missed(&rule.missed));
    let facts: String = told.iter().map(|one| format!("<li>{}</li>", text(one))).collect();
    format!(
        "<div class=\"rule\"><h3><code>{}</code> <span class=\"faint\">{}</span></h3>\n<ul class=\"facts\">{facts}</ul>\n{}</div>\n",
        text(&rule.id),
        text(&rule.description),
        measures(rule),
    )
}

fn missed(missed: &[Missed]) -> Option<String> {
    let names: BTreeSet<&str> = missed.iter().map(|missed| missed.device.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let were = if names.len() == 1 { "was" } else { "were" };
    (!names.is_empty())
        .then(|| format!("{} {were} not connected when it fired", say::names(&names, NAMED, names.len())))
}

fn measures(rule: &Rule) -> String {
    let known = MEASURES.iter().filter_map(|(name, shown)| Some((*shown, rule.measures.get(name)?)));
    let rows: String = known.map(|(name, summary)| measure(name, summary)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads: String = ["min", "p50", "p95", "max", "samples", "brackets", "never"]
        .iter()
        .map(|head| format!("<th scope=\"col\" class=\"fig\">{head}</th>"))
        .collect();
    let label = format!("Measures of {}", text(&rule.id));
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table class=\"measures\">\n\
         <thead><tr><th scope=\"col\">measure</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )
}

fn measure(name: &str, summary: &Summary) -> String {
    let figures = [&summary.min, &summary.p50, &summary.p95, &summary.max].map(figure);
    let never = summary.never + summary.hidden;
    let counts = [summary.samples, summary.brackets, never].map(|count| count.to_string());
    let cells: String = figures
        .iter()
        .chain(&counts)
        .map(|shown| format!("<td class=\"fig\">{}</td>", text(shown)))
        .collect();
    format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>")
}

fn windows(report: &Report) -> String {
    let several = report.runs.len() > 1;
    let mut all: Vec<(&Rule, &Window)> =
        report.rules.iter().flat_map(|rule| rule.windows.iter().map(move |window| (rule, window))).collect();
    let of = all.len();
    if of == 0 {
        return "<p>There was none.</p>\n".into();
    }
    if of > MOST_ROWS {
        all.sort_by(|(_, a), (_, b)| badness(b).total_cmp(&badness(a)));
        all.truncate(MOST_ROWS);
    }
    let table = Table {
        id: "windows",
        caption: "Fault windows: one firing of a rule on one device".into(),
        columns: vec![
            words("device", "its client identifier"),
            words("rule", "whose fault"),
            figures("run", "which run"),
            figures("at", "from when the fault held, in the run"),
            figures("held for", "until the path was restored"),
            words("outcome", "what it did to the link"),
            figures(
                "device noticed",
                "from the start of the fault to the device's first sign; K: in keep-alives",
            ),
            figures("hub noticed", "from the start of the fault to the hub's first sign; K: in keep-alives"),
            figures("split view", "from one end's sign to the other's"),
            figures("downtime", "from the start of the fault to the next CONNACK accepted"),
            figures(
                "recovery",
                "from the path restored, or from a fault that leaves the path alone, to the next CONNACK accepted",
            ),
            figures("attempts", "connects until accepted"),
            words("back-off", "the shape of the waits between them"),
            words("link ended", "how the link that the fault found ended"),
        ],
        rows: all.into_iter().map(|(rule, window)| row(rule, window, several)).collect(),
        of,
    };
    table.without_empty_columns().html()
}

/// The more the worse, where not all can be shown.
fn badness(window: &Window) -> f64 {
    let outcome = match window.outcome {
        Outcome::Gone => 4e9,
        Outcome::Unknown => 3e9,
        Outcome::Back | Outcome::BackBefore => 2e9,
        Outcome::EndedOtherwise => 1e9,
        Outcome::Survived | Outcome::NoLink | Outcome::NothingMet => 0.0,
    };
    outcome + window.downtime_s.as_ref().map_or(0.0, upper)
}

fn row(rule: &Rule, window: &Window, several: bool) -> Vec<Cell> {
    let span = |span: Option<f64>| span.map_or(Cell::none(), |s| Cell::figure(seconds(s), s));
    let held = window.start_s.zip(window.restored_s).map(|(start, restored)| restored - start);
    let run = if several { Cell::number(to_u64(window.run)) } else { Cell::none() };
    let attempts = match window.connect_attempts {
        0 => Cell::none(),
        number => Cell::number(number),
    };
    let noticed = match &window.device_detection_s {
        _ if window.is_told() => Cell::text("told of the hub's end"),
        Some(detection) => sign(detection, window.device_detection_keepalives),
        None => Cell::none(),
    };
    vec![
        Cell::text(&window.device).class("name"),
        Cell::text(&rule.id),
        run,
        span(window.start_s),
        span(held.filter(|held| *held > 0.0)),
        outcome(window.outcome),
        noticed,
        window.hub_detection_s.as_ref().map_or(Cell::none(), |v| sign(v, window.hub_detection_keepalives)),
        window.split_view_s.as_ref().map_or(Cell::none(), value),
        window.downtime_s.as_ref().map_or(Cell::none(), value),
        window.recovery_s.as_ref().map_or(Cell::none(), value),
        attempts,
        if window.back_off == "unclear" { Cell::none() } else { Cell::text(&window.back_off) },
        window.link_end.as_ref().map_or(Cell::none(), Cell::text),
    ]
}

fn value(value: &Figure) -> Cell {
    let class = if matches!(value, Figure::Never { .. }) { "never" } else { "" };
    Cell::figure(figure(value), upper(value)).class(class)
}

/// A sign, in keep-alives too where it has that measure: `2.7 s, 1.3 K`.
fn sign(figure: &Figure, in_keep_alives: Option<f64>) -> Cell {
    let cell = value(figure);
    let shown =
        in_keep_alives.map_or(cell.shown.clone(), |k| format!("{}, {}", cell.shown, keep_alives(None, k)));
    Cell { shown, ..cell }
}

/// What a figure is sorted by: the upper end of a bracket, and what never happened after all that did.
fn upper(figure: &Figure) -> f64 {
    match figure {
        Figure::Seconds(exact) => *exact,
        Figure::Between { before_s, .. } => *before_s,
        Figure::Never { never_watched_s } => 1e8 + never_watched_s,
        Figure::CountBetween { at_most: Some(count), .. }
        | Figure::Count(count)
        | Figure::CountBetween { at_least: count, at_most: None } => to_sort_by(*count),
    }
}

fn outcome(outcome: Outcome) -> Cell {
    match outcome {
        Outcome::NoLink => Cell::text("no link").class("faint"),
        Outcome::NothingMet => Cell::text("nothing met it").class("faint"),
        Outcome::Survived => Cell::text("link held"),
        Outcome::EndedOtherwise => Cell::text("ended otherwise"),
        Outcome::BackBefore => Cell::text("lost, back before the path was"),
        Outcome::Back => Cell::text("lost, back"),
        Outcome::Gone => Cell::text("lost, not back").class("never"),
        Outcome::Unknown => Cell::text("unknown"),
    }
}
