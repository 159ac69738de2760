//! What the script draws from: the timelines and the spread of figures, as JSON with short keys.
//!
//! Times are whole microseconds. A lane's segments (`s`) and marks (`m`) are flat lists of pairs: the time since the one
//! before, then what it is, by its place in `states` or `kinds`; of marks, the count times [`COUNT_BY`] is added to it.

use super::escape;
use crate::base::Time;
use crate::base::text::printable;
use crate::report::model::{Expectation, Figure, Judgement, Report, Rule, Window};
use crate::report::timeline::{Bins, Counts, Kind, Lane, Level, Mark, State, Timeline};
use crate::report::words::in_run;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// More than there are kinds of marks.
pub(super) const COUNT_BY: u64 = 64;

/// So many values of a measure are drawn.
const MOST_VALUES: usize = 20_000;

/// All of it, ready to stand in a `script` element.
pub(super) fn json(report: &Report, timelines: &[Timeline]) -> String {
    let kinds: Vec<Value> = Kind::ALL.iter().map(|kind| json!([kind.words(), kind.from()])).collect();
    let data = json!({
        "kinds": kinds,
        "countBy": COUNT_BY,
        "dip": dip(report),
        "timelines": timelines.iter().map(|timeline| self::timeline(report, timeline)).collect::<Vec<_>>(),
        "rules": report.rules.iter().map(|rule| self::rule(report, rule)).collect::<Vec<_>>(),
    });
    escape::json(&data.to_string())
}

/// How deep, when, and of which runs: in the time of the one, or of several since the first of them began.
fn dip(report: &Report) -> Value {
    let fleet = &report.fleet;
    json!(fleet.dip.zip(fleet.dip_at_s).map(|(depth, at_s)| (depth, at_s, &fleet.dip_runs)))
}

/// The number in the report of the run that a timeline is of.
pub(super) fn run_of(report: &Report, timeline: &Timeline) -> Option<usize> {
    let (clock, seed) = timeline.began()?;
    let is_it = |run: &&crate::report::model::Run| {
        (run.wall_clock.as_deref(), run.seed, run.events) == (Some(clock), Some(seed), timeline.events())
    };
    report.runs.iter().find(is_it).map(|run| run.run)
}

fn timeline(report: &Report, timeline: &Timeline) -> Value {
    let run = run_of(report, timeline);
    let places: BTreeMap<_, _> = timeline.lanes().zip(0_u64..).map(|((id, _), place)| (id, place)).collect();
    let rules: BTreeMap<u64, usize> = report
        .rules
        .iter()
        .zip(0..)
        .flat_map(|(rule, at)| rule.windows.iter().map(move |window| (window, at)))
        .filter(|(window, _)| Some(window.run) == run)
        .map(|(window, at)| (window.window, at))
        .collect();
    let windows: Vec<Value> = timeline
        .windows()
        .all()
        .filter_map(|(id, shade)| {
            let (lane, rule) = (places.get(&shade.device)?, rules.get(&id.0));
            let closed = shade.closed.map(micros);
            Some(json!([
                rule,
                lane,
                micros(shade.held.unwrap_or(shade.opened)),
                closed,
                shade.held.is_some(),
                shade.firing.0
            ]))
        })
        .collect();
    let apart: BTreeSet<&str> = report.devices.iter().map(|device| device.name.as_str()).collect();
    json!({
        "run": run,
        "after": report.runs.iter().find(|one| Some(one.run) == run).and_then(|one| one.starts_after_s),
        "start": micros(timeline.start()),
        "end": micros(timeline.end()),
        "lanes": timeline.lanes().map(|(_, one)| lane(one, run, &apart)).collect::<Vec<_>>(),
        "windows": windows,
        "level": level(timeline.fleet().level()),
        "counts": counts(timeline.fleet().counts()),
    })
}

/// `who`: where devices of several runs have its name and are not the same, which of them it is.
fn lane(lane: &Lane, run: Option<usize>, devices: &BTreeSet<&str>) -> Value {
    let mut told = json!({ "n": printable(&lane.name), "s": segments(lane), "m": marks(&lane.marks()) });
    let apart = run.map(|run| in_run(&lane.name, run)).filter(|who| devices.contains(who.as_str()));
    if let Some(who) = apart {
        told["who"] = json!(printable(&who));
    }
    told
}

fn segments(lane: &Lane) -> Vec<u64> {
    let mut before = 0;
    let mut flat = Vec::with_capacity(lane.segments().len() * 2);
    for segment in lane.segments() {
        let at = micros(segment.from);
        flat.extend([at.saturating_sub(before), place(&State::ALL, &segment.state)]);
        before = at;
    }
    flat
}

fn marks(marks: &[Mark]) -> Vec<u64> {
    let mut before = 0;
    let mut flat = Vec::with_capacity(marks.len() * 2);
    for mark in marks {
        let at = micros(mark.at);
        flat.extend([
            at.saturating_sub(before),
            place(Kind::ALL, &mark.kind()).saturating_add(COUNT_BY.saturating_mul(mark.count())),
        ]);
        before = at;
    }
    flat
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().zip(0..).find(|(each, _)| *each == one).map_or(0, |(_, place)| place)
}

fn level(bins: &Bins<Level>) -> Value {
    let of = |value: fn(&Level) -> u64| bins.bins().iter().map(value).collect::<Vec<_>>();
    json!({ "w": span(bins.width()), "low": of(|b| b.low), "high": of(|b| b.high), "last": of(|b| b.last) })
}

fn counts(bins: &Bins<Counts>) -> Value {
    let of = |value: fn(&Counts) -> u64| bins.bins().iter().map(value).collect::<Vec<_>>();
    json!({
        "w": span(bins.width()),
        "connects": of(|b| b.connects),
        "busiest": of(|b| b.busiest),
        "accepted": of(|b| b.accepted),
        "up": of(|b| b.up),
        "down": of(|b| b.down),
    })
}

/// A rule with the values of its windows, and the limits that they are held against.
fn rule(report: &Report, rule: &Rule) -> Value {
    let values = |of: fn(&Window) -> Option<Figure>| -> Vec<Value> {
        rule.windows.iter().filter_map(of).take(MOST_VALUES).map(value).collect()
    };
    let limits: Vec<Value> =
        report.expectations.iter().filter(|one| is_of(one, rule)).filter_map(limit).collect();
    json!({
        "id": printable(&rule.id),
        "fault": rule.fault,
        "device_detection": values(|window| window.device_detection_s),
        "hub_detection": values(|window| window.hub_detection_s),
        "recovery": values(|window| window.recovery_s),
        "limits": limits,
    })
}

fn is_of(expectation: &Expectation, rule: &Rule) -> bool {
    expectation.of.as_ref().is_none_or(|of| *of == rule.id)
}

fn limit(expectation: &Expectation) -> Option<Value> {
    let is_met = expectation.judgement == Judgement::Met;
    let is_drawn = matches!(expectation.metric, "device_detection" | "hub_detection" | "recovery");
    (is_drawn && !expectation.limits_s.is_empty()).then(|| {
        let words = printable(&expectation.expectation);
        json!({ "metric": expectation.metric, "words": words, "met": is_met, "at": expectation.limits_s })
    })
}

/// A number, or the two ends of a bracket, or `{never: how long it was watched}`.
fn value(figure: Figure) -> Value {
    match figure {
        Figure::Seconds(exact) => json!(exact),
        Figure::Between { after_s, before_s } => json!([after_s, before_s]),
        Figure::Never { never_watched_s } => json!({ "never": never_watched_s }),
        Figure::CountBetween { at_least, at_most: Some(at_most) } => json!([at_least, at_most]),
        Figure::Count(count) | Figure::CountBetween { at_least: count, at_most: None } => json!(count),
    }
}

fn micros(time: Time) -> u64 {
    time.as_nanos() / 1_000
}

fn span(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
