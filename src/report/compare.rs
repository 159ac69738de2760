//! Two sides of a profile, held against each other: the model of what is said, and, serialised, its JSON.
//!
//! Keys follow those of the report: `_s` are seconds. A time that has no number (what never happened, an interval without an
//! end) is `null`.

mod text;

use super::build::{figure, seconds};
use super::model::{Figure, Judgement, Report};
use super::{Styling, words};
use crate::base::text::printable;
use crate::base::units::to_u64;
use crate::base::{Direction, RuleId};
use crate::measure::compare::{self, Comparison, Conclusion, Settings, ShareOf, Summary, Test};
use crate::measure::{self, Class, Results};
use crate::profile::{Metric, Plan, Unit};
use serde::Serialize;
use std::collections::BTreeSet;

/// The version of the JSON form; it changes when a key changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// A comparison of two sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The version of this form: `FORMAT`.
    pub format: u32,
    /// The name of the profile of both.
    pub profile: String,
    /// How much got worse: measures, proportions, expectations that were met and are not any more.
    pub worse: usize,
    /// The level.
    pub alpha: f64,
    /// The share of the median that a time has to be shifted by to count.
    pub margin: f64,
    /// How many tests the correction counts.
    pub tests: usize,
    /// The first side.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// The measures, those that got worse first.
    pub measures: Vec<Measure>,
    /// The proportions, likewise.
    pub proportions: Vec<Proportion>,
    /// The expectations, in the order of the profile.
    pub expectations: Vec<Expected>,
    /// The findings of either side, by their names.
    pub findings: Vec<Found>,
    /// What to know: sentences.
    pub notes: Vec<String>,
}

/// A side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// How many runs.
    pub runs: usize,
    /// Their seeds.
    pub seeds: Vec<u64>,
    /// When they began.
    pub wall_clocks: Vec<String>,
    /// How long they lasted, in all.
    pub lasted_s: f64,
    /// How many devices there were.
    pub devices: usize,
    /// Whether its expectations are met.
    pub met: bool,
    /// What fails beside them: `command`, and by a strictness that was asked for the names of classes.
    pub failed: Vec<&'static str>,
}

/// A measure of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// Its name.
    pub metric: &'static str,
    /// Its rule; `null` for what is of none, or of all.
    pub of: Option<String>,
    /// `worse`, `better`, `differs`, `within_margin`, `not_shown`, `undecided`, `too_few`, `one_sided`.
    pub conclusion: &'static str,
    /// Where there are too few: so many values of each measure on each side are enough to show a difference.
    pub needed: Option<usize>,
    /// Whether the test is on the medians of devices.
    pub by_device: bool,
    /// The first side's samples.
    pub a: Samples,
    /// The second's.
    pub b: Samples,
    /// The test; `null` where a side has no sample.
    pub test: Option<Tested>,
}

/// The samples of a side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// How many.
    pub samples: u64,
    /// How many values the test is on.
    pub tested: usize,
    /// How many are brackets.
    pub brackets: u64,
    /// How many never happened.
    pub never: u64,
    /// Of how many the fault hid whether they happened.
    pub hidden: u64,
    /// The median.
    pub p50: Option<Figure>,
    /// The 95th percentile.
    pub p95: Option<Figure>,
    /// The greatest.
    pub max: Option<Figure>,
}

/// A Mann-Whitney test, with the shift of Hodges and Lehmann. Where brackets leave it open, both ends are told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// The probability, two-sided, as great as brackets let it be.
    pub p: f64,
    /// As small as they let it be.
    pub p_at_best: f64,
    /// Corrected by Holm; `null` for a test that is not part of the family.
    pub p_corrected: Option<f64>,
    /// Whether it was counted, and is no approximation.
    pub exact: bool,
    /// The share of pairs in which B is greater, pairs that are alike counted half: the least and the most.
    pub b_greater: [f64; 2],
    /// By how much B is greater, in seconds or things: the least and the most.
    pub shift: [Option<f64>; 2],
    /// The interval of the shift at the level, not corrected.
    pub interval: [Option<f64>; 2],
    /// `s` for times, `1` for things.
    pub unit: &'static str,
}

/// A proportion of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// Of what, in words.
    pub of: String,
    /// `worse`, `better`, `differs`, `undecided`, `not_shown`.
    pub conclusion: &'static str,
    /// How many on the first side, and of how many.
    pub a: [u64; 2],
    /// On the second.
    pub b: [u64; 2],
    /// So many more on the first side of which it is not known, and on the second.
    pub perhaps: [u64; 2],
    /// Fisher's exact test, two-sided, as great as what is not known lets it be.
    pub p: f64,
    /// As small as that lets it be.
    pub p_at_best: f64,
    /// Corrected by Holm; `null` for a test that could not come out at the level whatever it saw.
    pub p_corrected: Option<f64>,
}

/// An expectation on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expected {
    /// In words.
    pub expectation: String,
    /// `worse` if it was met and is not any more, `better`, or `same`.
    pub change: &'static str,
    /// How it came out on the first side.
    pub a: Judgement,
    /// On the second.
    pub b: Judgement,
}

/// A kind of finding on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its name.
    pub id: String,
    /// Its class.
    pub class: String,
    /// `new`, `gone`, `same`.
    pub change: &'static str,
    /// On how many devices of the first side, and how often in all. Of a kind that is on more than a hundred devices, they
    /// are not named, and of several runs it is at least so many.
    pub a: [u64; 2],
    /// Of the second.
    pub b: [u64; 2],
    /// Whether it is of the whole fleet, or of the hub, on the first side, and on the second.
    pub fleet: [bool; 2],
}

/// A kind of finding on a side.
#[derive(Clone, Copy, Debug, Default)]
struct On {
    devices: u64,
    times: u64,
    fleet: bool,
}

impl Compared {
    /// Holds `b` against `a`, both results of runs of this plan.
    pub fn new(plan: &Plan, a: &Results, b: &Results, settings: Settings) -> Compared {
        let comparison = Comparison::of(plan, a, b, settings);
        let reports = [Report::new(plan, a), Report::new(plan, b)];
        let mut measures: Vec<Measure> = comparison.measures.iter().map(|m| measure(plan, m)).collect();
        measures.sort_by_key(|measure| place(measure.conclusion));
        let mut proportions: Vec<Proportion> =
            comparison.shares.iter().map(|s| proportion(plan, s)).collect();
        proportions.sort_by_key(|proportion| place(proportion.conclusion));
        Compared {
            format: FORMAT,
            profile: plan.name.clone(),
            worse: comparison.worse(),
            alpha: settings.alpha,
            margin: settings.margin,
            tests: comparison.family,
            notes: notes(&comparison, &reports, settings),
            a: side(&reports[0]),
            b: side(&reports[1]),
            measures,
            proportions,
            expectations: expectations(plan, &comparison),
            findings: findings([a, b]),
        }
    }

    /// Whether nothing got worse.
    pub fn is_no_worse(&self) -> bool {
        self.worse == 0
    }

    /// As JSON, indented, with a newline at the end.
    ///
    /// # Errors
    /// The serializer's.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// As text for a terminal, at most 80 columns wide.
    pub fn to_text(&self, styling: Styling) -> String {
        text::render(self, styling)
    }
}

fn side(report: &Report) -> Side {
    Side {
        runs: report.runs.len(),
        seeds: report.runs.iter().filter_map(|run| run.seed).collect(),
        wall_clocks: report.runs.iter().filter_map(|run| run.wall_clock.clone()).collect(),
        lasted_s: report.runs.iter().map(|run| run.lasted_s).sum(),
        devices: report.fleet.devices,
        met: report.unmet() == 0,
        failed: report.failed(),
    }
}

fn word(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Worse => "worse",
        Conclusion::Better => "better",
        Conclusion::Differs => "differs",
        Conclusion::WithinMargin => "within_margin",
        Conclusion::NotShown => "not_shown",
        Conclusion::Undecided => "undecided",
        Conclusion::TooFew { .. } => "too_few",
        Conclusion::OneSided => "one_sided",
    }
}

/// The order in which conclusions are told.
fn place(conclusion: &str) -> usize {
    let order =
        ["worse", "better", "differs", "undecided", "one_sided", "within_margin", "not_shown", "too_few"];
    order.iter().position(|known| *known == conclusion).unwrap_or(order.len())
}

fn measure(plan: &Plan, measure: &compare::Measure) -> Measure {
    let [a, b] = &measure.sides;
    Measure {
        metric: measure.metric.name(),
        of: measure.of.map(|rule| words::rule_name(plan, rule)),
        conclusion: word(measure.conclusion),
        needed: if let Conclusion::TooFew { needed } = measure.conclusion { Some(needed) } else { None },
        by_device: measure.by_device,
        a: samples(a),
        b: samples(b),
        test: measure.test.as_ref().map(|test| tested(measure.metric, test)),
    }
}

fn samples(side: &Summary) -> Samples {
    Samples {
        samples: side.count,
        tested: side.tested,
        brackets: side.brackets,
        never: side.never,
        hidden: side.hidden,
        p50: side.median.map(figure),
        p95: side.p95.map(figure),
        max: side.worst.map(figure),
    }
}

fn tested(metric: Metric, test: &Test) -> Tested {
    let (unit, scale) = match metric.unit() {
        Unit::Time => ("s", 1e9),
        Unit::Count => ("1", 1.0),
    };
    let ends = |(least, most): (f64, f64)| {
        [least, most].map(|end| Some(end / scale).filter(|number| number.is_finite()))
    };
    Tested {
        p: test.p,
        p_at_best: test.p_at_best,
        p_corrected: test.corrected,
        exact: test.exact,
        b_greater: [test.greater.0, test.greater.1],
        shift: ends(test.shift),
        interval: ends(test.interval),
        unit,
    }
}

fn proportion(plan: &Plan, share: &compare::Share) -> Proportion {
    let pair = |side: usize| [share.some[side], share.all[side]];
    Proportion {
        of: share_words(plan, share.of),
        conclusion: word(share.conclusion),
        a: pair(0),
        b: pair(1),
        perhaps: share.perhaps,
        p: share.p,
        p_at_best: share.p_at_best,
        p_corrected: share.corrected,
    }
}

fn share_words(plan: &Plan, of: ShareOf) -> String {
    let way = |direction| match direction {
        Direction::Up => "from devices",
        Direction::Down => "for devices",
    };
    match of {
        ShareOf::Never(metric, rule) => format!("{}: never", named(plan, metric, rule)),
        ShareOf::Resumed(metric) => format!("{metric}: resumed"),
        ShareOf::Lost(direction, qos) => format!("QoS {qos} messages {}: lost", way(direction)),
        ShareOf::Duplicated(direction, qos) => format!("QoS {qos} messages {}: duplicated", way(direction)),
        ShareOf::Met(nth) => {
            let told = plan.expectations.get(nth).map(|expectation| words::expectation(plan, expectation));
            format!("runs that met {}", told.unwrap_or_default())
        }
    }
}

fn named(plan: &Plan, metric: Metric, of: Option<RuleId>) -> String {
    let of = of.map_or(String::new(), |rule| format!(" of {}", words::rule_name(plan, rule)));
    format!("{metric}{of}")
}

fn expectations(plan: &Plan, comparison: &Comparison) -> Vec<Expected> {
    let pairs = plan.expectations.iter().zip(&comparison.expectations);
    let of = |(expectation, [a, b]): (_, &[measure::Judgement; 2])| Expected {
        expectation: words::expectation(plan, expectation),
        change: match (a.is_met(), b.is_met()) {
            (true, false) => "worse",
            (false, true) => "better",
            (true, true) | (false, false) => "same",
        },
        a: super::build::judgement(*a),
        b: super::build::judgement(*b),
    };
    pairs.map(of).collect()
}

fn findings(sides: [&Results; 2]) -> Vec<Found> {
    let all = sides.into_iter().flat_map(|side| &side.runs).flat_map(|run| &run.findings);
    let kinds: BTreeSet<(&str, Class)> = all.map(|finding| (finding.id, finding.class)).collect();
    let found = |(id, class): (&str, Class)| {
        let [a, b] = sides.map(|side| On::of(side, id, class));
        let change = match (a.times, b.times) {
            (0, _) => "new",
            (_, 0) => "gone",
            (_, _) => "same",
        };
        Found {
            id: id.to_owned(),
            class: class.word().to_owned(),
            change,
            a: [a.devices, a.times],
            b: [b.devices, b.times],
            fleet: [a.fleet, b.fleet],
        }
    };
    kinds.into_iter().map(found).collect()
}

impl On {
    fn of(side: &Results, id: &str, class: Class) -> On {
        let (mut on, mut names, mut most) = (On::default(), BTreeSet::new(), 0);
        for run in &side.runs {
            let mut of_run = 0;
            for finding in run.findings.iter().filter(|finding| (finding.id, finding.class) == (id, class)) {
                on.times += finding.count;
                on.fleet |= finding.device.is_none() && finding.summed_up == 0;
                of_run += if finding.device.is_some() { 1 } else { finding.summed_up };
                names.extend(finding.device.map(|device| run.name(device)));
            }
            most = most.max(of_run);
        }
        on.devices = most.max(to_u64(names.len()));
        on
    }
}

fn notes(comparison: &Comparison, reports: &[Report; 2], settings: Settings) -> Vec<String> {
    let mut notes = Vec::new();
    for (side, report) in ["A", "B"].into_iter().zip(reports) {
        notes.extend(report.not_through.as_ref().map(|why| format!("{side} was not through, {why}")));
        let open = report.runs.iter().filter(|run| run.ended.is_none()).count();
        let open = words::many(open, "run");
        let is_open = report.runs.iter().any(|run| run.ended.is_none());
        notes.extend(
            is_open.then(|| format!("{side}: {open} had not ended: figures are as of the last event")),
        );
    }
    notes.push(format!(
        "p: how likely such a difference is by chance alone (Mann-Whitney by ranks, Fisher for proportions, two-sided), \
         corrected by Holm for {}; shown at {}",
        words::many(comparison.family, "test"),
        settings.alpha,
    ));
    let is_used = |wanted: fn(&compare::Measure) -> bool| comparison.measures.iter().any(wanted);
    if is_used(|measure| measure.by_device && measure.test.is_some()) {
        notes.push("medians of devices: of many samples of one device, which are alike for reasons of their own, the \
                    test takes the median".into());
    }
    let is_open = comparison.shares.iter().any(|share| share.perhaps != [0, 0]);
    if is_open || is_used(|measure| measure.sides.iter().any(|side| side.brackets + side.hidden > 0)) {
        notes.push("brackets: the test takes them as they are least in favour of a difference; \"undecided\" where it \
                    would come out otherwise".into());
    }
    notes.extend(versions(reports));
    if reports.iter().any(|report| report.runs.len() == 1) {
        notes.push("a side of one run: what was otherwise on that day is in the difference, too; give several runs of \
                    each (a directory of their reports)".into());
    }
    notes
}

/// Sides that brownout itself made otherwise.
fn versions(reports: &[Report; 2]) -> Option<String> {
    let of = |report: &Report| -> BTreeSet<String> {
        report.runs.iter().filter_map(|run| run.version.as_deref().map(printable)).collect()
    };
    let [a, b] = reports.each_ref().map(of);
    let told = |versions: BTreeSet<String>| Vec::from_iter(versions).join(" and ");
    (a != b).then(|| {
        format!(
            "A was run by brownout {}, B by {}: what they do otherwise is in the difference, too",
            told(a),
            told(b)
        )
    })
}

/// A shift in words: `+1.2 s`, `-3`.
fn signed(number: f64, unit: &str) -> String {
    let sign = if number < 0.0 { "-" } else { "+" };
    let size = number.abs();
    match unit {
        "s" => {
            format!("{sign}{}", words::seconds(seconds(std::time::Duration::from_secs_f64(size.min(1e9)))))
        }
        _ => format!("{sign}{size}"),
    }
}

#[cfg(test)]
mod tests;
