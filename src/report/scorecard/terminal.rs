//! The scorecard for a terminal of 80 columns.

use super::forms::{detected, lost, recovered, timing, totals};
use super::model::{Card, Row, Scorecard, Verdict};
use crate::report::table::{Cell as Text, Styling, Tone, cut, lay_out, paint, wrap};
use crate::report::words::{count, seconds, whole_seconds};

/// So many reasons of a run are told.
const MOST_REASONS: usize = 4;

/// So many of the last lines that a client wrote are shown.
const MOST_LINES: usize = 3;

/// The most characters of a cell.
const WIDEST: usize = 18;

/// The text.
pub fn render(card: &Scorecard, styling: Styling) -> String {
    let mut out = heading(&format!("brownout suite {}", card.suite), &card.summary, styling);
    let keep_alive = whole_seconds(card.keep_alive_s);
    let hub = card.hub.as_deref().unwrap_or("brownout's own, one for each run");
    out += &wrap("  ", &format!("client: {}", card.command.join(" ")));
    out += &wrap(
        "  ",
        &format!("keep-alive (K) {keep_alive}; hub: {hub}; seed {}; {}", card.seed, seconds(card.lasted_s)),
    );
    out += "\n";
    out += &table(card, styling);
    out += &wrap(
        "  ",
        "first: noticed after, from the start of the fault, in keep-alives, or told by FIN or RST; then: back after, from \
         the path restored, or from a fault that leaves the path alone; <: within so long, >: not in so long; the worst of \
         each run",
    );
    out += &classes(card, styling);
    out += &failures(card, styling);
    out += "\n";
    out += &wrap("timing: ", &timing(card));
    let result = if card.is_passed() { ("PASSED", Tone::Good) } else { ("NOT PASSED", Tone::Bad) };
    let interrupted = if card.interrupted { "; interrupted, so this is a part" } else { "" };
    out += &format!("{}  {}{interrupted}\n", paint(result.0, result.1, styling), totals(card));
    out
}

fn heading(name: &str, rest: &str, styling: Styling) -> String {
    let line = wrap(&format!("{name}  "), rest);
    line.replacen(name, &paint(name, Tone::Strong, styling), 1)
}

/// Two lines a row: verdict and times, and below what was lost and found, where there is something.
fn table(card: &Scorecard, styling: Styling) -> String {
    let faint = |text: &str| Text::new(text, Tone::Faint);
    let mut rows = vec![vec![faint("fault")]];
    rows[0].extend(card.workloads.iter().map(|word| faint(word)));
    for row in &card.rows {
        let mut first = vec![Text::plain(&row.entry)];
        let mut second = vec![Text::plain("")];
        for workload in &card.workloads {
            let found = row.cell(workload);
            first.push(found.map_or_else(|| faint("-"), verdict));
            second.push(found.map_or_else(|| faint(""), beneath));
        }
        rows.push(first);
        if row.cells.iter().any(|card| lost(&card.cell).is_some() || card.cell.findings > 0) {
            rows.push(second);
        }
    }
    lay_out(&rows, styling)
}

/// `pass 1.3 K, 0.4 s`
fn verdict(card: &Card) -> Text {
    let cell = &card.cell;
    let times = [detected(cell), recovered(cell)];
    let shown = times.map(|time| time.unwrap_or_else(|| "-".into()));
    let text = match shown.iter().all(|time| time == "-") {
        true => cell.verdict.word().to_owned(),
        false => format!("{} {}", cell.verdict.word(), shown.join(" ")),
    };
    // Three columns and the names fit into 80 with no more.
    let text = if text.chars().count() > WIDEST { close_up(&text) } else { text };
    Text::new(cut(&text, WIDEST), tone(cell.verdict))
}

/// `1.1K 1.8ms`: units without their blanks.
fn close_up(text: &str) -> String {
    text.replace(" K", "K").replace(" ms", "ms").replace(" s", "s")
}

fn beneath(card: &Card) -> Text {
    let cell = &card.cell;
    let findings = (cell.findings > 0).then(|| count(cell.findings, "finding"));
    let parts: Vec<String> = [lost(cell), findings].into_iter().flatten().collect();
    Text::new(cut(&parts.join(", "), 20), Tone::Faint)
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Warn => Tone::Strong,
        Verdict::NotApplicable | Verdict::NotRun => Tone::Faint,
        Verdict::Inconclusive | Verdict::Fail | Verdict::Error => Tone::Bad,
    }
}

/// The classes that are never mixed.
fn classes(card: &Scorecard, styling: Styling) -> String {
    let mut out = String::from("\n");
    for class in &card.classes {
        let (word, tone) = match class.grade {
            "pass" => ("pass", Tone::Good),
            "warn" => ("warn", Tone::Strong),
            "fail" => ("FAIL", Tone::Bad),
            grade => (grade, Tone::Faint),
        };
        let place =
            if class.runs.is_empty() { String::new() } else { format!(" in {}", class.runs.join(", ")) };
        let first = format!("{:<10} ", class.class.to_uppercase());
        let line = wrap(&first, &format!("{word}{place}"));
        out += &line.replacen(word, &paint(word, tone, styling), 1);
    }
    out
}

/// What did not pass, with where to read on; runs that failed alike are told once.
fn failures(card: &Scorecard, styling: Styling) -> String {
    let mut alike: Vec<Vec<(&Row, &Card)>> = Vec::new();
    for (row, card) in card.cards() {
        if matches!(card.cell.verdict, Verdict::Pass | Verdict::NotRun | Verdict::NotApplicable) {
            continue;
        }
        let same = |group: &&mut Vec<(&Row, &Card)>| {
            group.first().is_some_and(|(_, first)| {
                (first.cell.verdict, &first.cell.why) == (card.cell.verdict, &card.cell.why)
            })
        };
        match alike.iter_mut().find(same) {
            Some(group) => group.push((row, card)),
            None => alike.push(vec![(row, card)]),
        }
    }
    alike.iter().map(|group| failure(group, styling)).collect()
}

fn failure(group: &[(&Row, &Card)], styling: Styling) -> String {
    let Some(&(row, card)) = group.first() else { return String::new() };
    let cell = &card.cell;
    let name = format!("{}/{}", row.entry, card.workload);
    let word = paint(cell.verdict.word(), tone(cell.verdict), styling);
    let mut out = format!("\n{}  {word}\n{}", paint(&name, Tone::Strong, styling), wrap("  ", &row.summary));
    for why in cell.why.iter().take(MOST_REASONS) {
        out += &wrap("  - ", why);
    }
    if let Some(more) = cell.why.len().checked_sub(MOST_REASONS).filter(|more| *more > 0) {
        out += &format!("  - and {more} more\n");
    }
    let skipped = cell.output.len().saturating_sub(MOST_LINES);
    for line in cell.output.iter().skip(skipped) {
        out += &format!("  | {}\n", cut(line, 76));
    }
    if let Some(directory) = &card.directory {
        out += &wrap("  see ", directory);
    }
    let others: Vec<String> =
        group.iter().skip(1).map(|(row, card)| format!("{}/{}", row.entry, card.workload)).collect();
    if !others.is_empty() {
        out += &wrap("  the same in ", &others.join(", "));
    }
    out
}
