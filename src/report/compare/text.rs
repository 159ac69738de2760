//! The comparison for a terminal: at most 80 columns, what got worse first.

use super::{Compared, Expected, Found, Measure, Proportion, Samples, Side, Tested, signed};
use crate::base::units::to_u64;
use crate::report::model::{Figure, Judgement};
use crate::report::table::{Cell, Styling, Tone, WIDTH, cut, lay_out, paint, width, wrap};
use crate::report::words::{self, count, figure, seconds};

/// So many seeds of a side are told.
const MOST_SEEDS: usize = 6;

pub(super) fn render(all: &Compared, styling: Styling) -> String {
    let mut out = head(all, styling);
    out += &expectations(all, styling);
    out += &measures(all, styling);
    out += &proportions(all, styling);
    out += &findings(all, styling);
    let notes: String = all.notes.iter().map(|note| wrap("  - ", note)).collect();
    out + &heading("what to know", styling) + &notes
}

fn head(all: &Compared, styling: Styling) -> String {
    let what = format!("brownout  {}, B against A", cut(&all.profile, 40));
    let (verdict, tone) = match all.worse {
        0 => ("nothing shown to be worse".to_owned(), Tone::Good),
        worse => (format!("WORSE: {worse}"), Tone::Bad),
    };
    let gap = WIDTH.saturating_sub(width(&what) + width(&verdict));
    let between = if gap >= 2 { " ".repeat(gap) } else { "\n".into() };
    let first =
        format!("{}{between}{}\n", paint(&what, Tone::Strong, styling), paint(&verdict, tone, styling));
    let is_asked = !all.expectations.is_empty();
    first + &side("  A  ", &all.a, is_asked) + &side("  B  ", &all.b, is_asked)
}

/// `is_asked`: whether the profile has expectations.
fn side(name: &str, side: &Side, is_asked: bool) -> String {
    let number = |number: usize| to_u64(number);
    let mut told =
        vec![count(number(side.runs), "run"), seconds(side.lasted_s), count(number(side.devices), "device")];
    let came = if side.met { "expectations met" } else { "not all expectations met" };
    told.extend(is_asked.then(|| came.to_owned()));
    told.extend((!side.failed.is_empty()).then(|| format!("failed: {}", side.failed.join(", "))));
    let seeds: Vec<String> = side.seeds.iter().take(MOST_SEEDS).map(ToString::to_string).collect();
    told.extend((!seeds.is_empty()).then(|| format!("seed {}", seeds.join(", "))));
    told.extend(side.wall_clocks.first().map(|at| format!("from {}", to_the_second(at))));
    wrap(name, &told.join(", "))
}

/// `2026-01-01T00:00:00Z` of a time with a fraction.
fn to_the_second(at: &str) -> String {
    at.split_once('.').map_or_else(|| at.to_owned(), |(whole, _)| format!("{whole}Z"))
}

fn heading(name: &str, styling: Styling) -> String {
    format!("\n{}\n", paint(name, Tone::Strong, styling))
}

fn tone(conclusion: &str) -> Tone {
    match conclusion {
        "worse" | "new" => Tone::Bad,
        "better" | "gone" => Tone::Good,
        "differs" | "undecided" => Tone::Strong,
        _ => Tone::Faint,
    }
}

/// Only those that are not met on both sides alike.
fn expectations(all: &Compared, styling: Styling) -> String {
    if all.expectations.is_empty() {
        return String::new();
    }
    let changed: Vec<&Expected> =
        all.expectations.iter().filter(|expected| expected.change != "same").collect();
    let same = all.expectations.len() - changed.len();
    let line = |expected: &&Expected| {
        let word = format!("  {:<7}", expected.change);
        let text =
            format!("{}: {}, was {}", expected.expectation, judgement(expected.b), judgement(expected.a));
        wrap(&word, &text).replacen(&word, &paint(&word, tone(expected.change), styling), 1)
    };
    let mut out = heading("expectations", styling);
    out += &changed.iter().map(line).collect::<String>();
    if same > 0 {
        out += &format!("  {same} as before\n");
    }
    out
}

fn judgement(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Met => "met",
        Judgement::Unmet => "unmet",
        Judgement::Inconclusive => "inconclusive",
        Judgement::NoEvidence => "without evidence",
    }
}

/// Of what differs, each measure with its name, what came of it, a line for each side, and the shift; of others a line each.
fn measures(all: &Compared, styling: Styling) -> String {
    let quiet = |measure: &&Measure| ["not_shown", "too_few"].contains(&measure.conclusion);
    let (quiet, told): (Vec<&Measure>, Vec<&Measure>) = all.measures.iter().partition(quiet);
    let mut out = heading("measures that differ, or may", styling) + &differing(&told, all.alpha, styling);
    let (few, alike): (Vec<&Measure>, Vec<&Measure>) =
        quiet.into_iter().partition(|measure| measure.conclusion == "too_few");
    if !alike.is_empty() {
        out += &(heading("no difference shown", styling) + &short(&alike, styling));
    }
    if let Some(needed) = few.iter().find_map(|measure| measure.needed) {
        let title = format!("too few to show any difference ({needed} and {needed} of each are enough)");
        out += &(heading(&title, styling) + &short(&few, styling));
    }
    out
}

fn differing(told: &[&Measure], alpha: f64, styling: Styling) -> String {
    if told.is_empty() {
        return "  none, by more than chance\n".into();
    }
    let head = ["", "samples", "median", "p95", "worst"].map(|name| Cell::new(name, Tone::Faint)).to_vec();
    let sides = told.iter().flat_map(|measure| [row("  A", &measure.a), row("  B", &measure.b)]);
    let rows: Vec<Vec<Cell>> = std::iter::once(head).chain(sides).collect();
    let table = lay_out(&rows, styling);
    let mut lines = table.split_inclusive('\n');
    let mut out = lines.next().unwrap_or_default().to_owned();
    for measure in told {
        out += &title(measure, styling);
        out.extend(lines.by_ref().take(2));
        out += &measure.test.as_ref().map(|test| shift(test, alpha)).unwrap_or_default();
    }
    out
}

/// A line each: how many values the test was on, the medians, the probability.
fn short(all: &[&Measure], styling: Styling) -> String {
    let head = ["A", "B", "A median", "B median", "p", "measure"];
    let row = |measure: &&Measure| {
        let median = |side: &Samples| side.p50.as_ref().map_or("-".into(), figure);
        let p = measure.test.as_ref().map_or("-".into(), |test| digits(test.p_corrected.unwrap_or(test.p)));
        let cells = [
            measure.a.tested.to_string(),
            measure.b.tested.to_string(),
            median(&measure.a),
            median(&measure.b),
            p,
            name(measure),
        ];
        cells.map(Cell::plain).to_vec()
    };
    let head = head.map(|name| Cell::new(name, Tone::Faint)).to_vec();
    let rows: Vec<Vec<Cell>> = std::iter::once(head).chain(all.iter().map(row)).collect();
    lay_out(&rows, styling)
}

fn name(measure: &Measure) -> String {
    let of = measure.of.as_ref().map_or(String::new(), |rule| format!(" of {rule}"));
    let medians = if measure.by_device { ", medians of devices" } else { "" };
    format!("{}{of}{medians}", measure.metric)
}

fn row(name: &str, side: &Samples) -> Vec<Cell> {
    let shown = |value: &Option<Figure>| Cell::plain(value.as_ref().map_or("-".into(), figure));
    vec![
        Cell::plain(name),
        Cell::plain(side.samples.to_string()),
        shown(&side.p50),
        shown(&side.p95),
        shown(&side.max),
    ]
}

fn title(measure: &Measure, styling: Styling) -> String {
    let conclusion = match measure.conclusion {
        "worse" => "WORSE",
        "within_margin" => "within the margin",
        "one_sided" => "on one side only",
        other => other,
    };
    let name = cut(&name(measure), WIDTH.saturating_sub(width(conclusion) + 4));
    let gap = WIDTH.saturating_sub(2 + width(&name) + width(conclusion));
    format!("  {name}{}{}\n", " ".repeat(gap), paint(conclusion, tone(measure.conclusion), styling))
}

/// `B - A: +2.0 s, 95 %: +1.9 s to +2.1 s, p 0.00011`
fn shift(test: &Tested, alpha: f64) -> String {
    let unit = test.unit;
    let told = |[least, most]: [Option<f64>; 2]| match (least, most) {
        (Some(least), Some(most)) if signed(least, unit) == signed(most, unit) => signed(least, unit),
        (least, most) => {
            let end = |end: Option<f64>| end.map_or_else(|| "no bound".to_owned(), |end| signed(end, unit));
            format!("{} to {}", end(least), end(most))
        }
    };
    let mut parts = match test.shift {
        [None, None] => Vec::new(),
        shift => vec![format!("B - A: {}", told(shift))],
    };
    if test.interval.iter().any(Option::is_some) {
        parts.push(format!("{} %: {}", covered(alpha), told(test.interval)));
    }
    parts.push(probability(test.p, test.p_corrected));
    wrap("       ", &parts.join(", "))
}

/// How much of a hundred an interval at this level covers, to as many digits as the level has.
fn covered(alpha: f64) -> f64 {
    ((1.0 - alpha) * 1e12).round() / 1e10
}

/// `p 0.031`; corrected where it is part of the family.
fn probability(p: f64, corrected: Option<f64>) -> String {
    match corrected {
        Some(corrected) => format!("p {}", digits(corrected)),
        None => format!("p {} alone", digits(p)),
    }
}

/// Two digits of a probability.
fn digits(p: f64) -> String {
    if p < 0.0001 {
        "< 0.0001".into()
    } else if p < 0.001 {
        format!("{p:.5}")
    } else {
        format!("{p:.3}")
    }
}

/// Those that are not nothing, or all, on both sides.
fn proportions(all: &Compared, styling: Styling) -> String {
    let is_told = |proportion: &&Proportion| {
        let [a, b] = [proportion.a, proportion.b];
        let is_open = proportion.perhaps != [0, 0];
        let is_part = (a[0] > 0 || b[0] > 0) && (a[0] < a[1] || b[0] < b[1]);
        proportion.conclusion != "not_shown" || is_open || is_part
    };
    let told: Vec<&Proportion> = all.proportions.iter().filter(is_told).collect();
    if told.is_empty() {
        return String::new();
    }
    let line = |proportion: &&Proportion| {
        let Proportion { of, a, b, perhaps, p, p_corrected, conclusion, .. } = proportion;
        let came = match *conclusion {
            "worse" => "WORSE",
            "not_shown" => "no difference shown",
            other => other,
        };
        let text = format!(
            "{of}: A {} of {}, B {} of {}, {}",
            words::perhaps(a[0], perhaps[0]),
            a[1],
            words::perhaps(b[0], perhaps[1]),
            b[1],
            probability(*p, *p_corrected)
        );
        wrap("  ", &format!("{text}: {came}")).replacen("WORSE", &paint("WORSE", Tone::Bad, styling), 1)
    };
    heading("proportions", styling) + &told.iter().map(line).collect::<String>()
}

fn findings(all: &Compared, styling: Styling) -> String {
    if all.findings.is_empty() {
        return String::new();
    }
    let head = ["finding", "class", "", "A", "B"].map(|name| Cell::new(name, Tone::Faint)).to_vec();
    let times = |[devices, times]: [u64; 2], fleet: bool| {
        Cell::plain(match times {
            0 => "-".to_owned(),
            times if fleet => format!("{times} in all"),
            times => format!("{times} on {}", count(devices, "device")),
        })
    };
    let row = |found: &Found| {
        let change = Cell::new(found.change, tone(found.change));
        vec![
            Cell::plain(&found.id),
            Cell::plain(&found.class),
            change,
            times(found.a, found.fleet[0]),
            times(found.b, found.fleet[1]),
        ]
    };
    let rows: Vec<Vec<Cell>> = std::iter::once(head).chain(all.findings.iter().map(row)).collect();
    heading("findings", styling) + &lay_out(&rows, styling)
}
