//! What detection costs: each combination a point, detection by data and by wake-ups, the front to be seen and reached by keys.

use super::heat::title;
use crate::base::span::show_fixed;
use crate::keepalive::aspect::{Aspect, Axis, describe, varying};
use crate::keepalive::figure::{Figure, Form};
use crate::keepalive::forms::text::beaten;
use crate::keepalive::forms::{brief, bytes, number, shown};
use crate::keepalive::model::Sweep;
use crate::keepalive::pareto::{self, Front};
use crate::report::html::escape::text;
use std::fmt::Write;
use std::time::Duration;

/// Points of a picture, those of the front among them.
pub(super) const MOST_POINTS: usize = 2_000;
/// Of the front so many can be reached by keys.
const MOST_REACHED: usize = 100;
/// Labels of an axis.
const MOST_TICKS: f64 = 6.0;
/// From so many times the least on, an axis is logarithmic.
const LOG_FROM: f64 = 10.0;

/// In units of the picture: its size, and what stands around the plot.
const WIDE: f64 = 500.0;
const TALL: f64 = 340.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 46.0;
/// Where nevers are drawn.
const NEVER: f64 = 12.0;
/// Lines of fronts that are drawn.
const MOST_LINES: usize = 24;

/// Times, in seconds, that labels stand at.
const TIMES: [f64; 22] = [
    0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0,
    3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0,
];

/// The section's beginning: the table of the front ends it.
pub(super) fn section(sweep: &Sweep, axes: &[Axis], front: &Front) -> String {
    let costs = [Figure::Data, Figure::WakeUps];
    let pictures: String = costs
        .iter()
        .filter_map(|cost| Plot::of(*cost, sweep, axes, front))
        .map(|plot| plot.figure())
        .collect();
    let all = sweep.cases.len();
    let left_out = if all > MOST_POINTS {
        format!(
            "<p class=\"left-out\">Of {all} combinations at most {MOST_POINTS} are drawn: of the front the first {}, of the others \
             some at even steps.</p>\n",
            MOST_POINTS / 2
        )
    } else {
        String::new()
    };
    format!(
        "<section aria-labelledby=\"pareto\"><h2 id=\"pareto\">What detection costs</h2>\n\
         <p class=\"faint\">Each point is a combination that has a sample of both. <span class=\"key-member\" aria-hidden=\"true\"></span> on the front: {} \
         A line joins those that no \
         other with the same outages, path idle and loss beats in the two figures of a picture alone.</p>\n\
         <div class=\"plots\">\n{pictures}</div>\n<p id=\"point\" class=\"told\" role=\"status\"></p>\n{left_out}",
        text(&beaten(front))
    )
}

struct Plot<'a> {
    cost: Figure,
    sweep: &'a Sweep,
    aspects: Vec<Aspect>,
    points: Vec<Point>,
    across: Scale,
    up: Scale,
}

struct Point {
    nth: usize,
    cost: f64,
    /// Infinite for a never.
    detection: f64,
    is_member: bool,
    /// Its conditions, by number: what the front of a line is of.
    group: usize,
}

impl<'a> Plot<'a> {
    fn of(cost: Figure, sweep: &'a Sweep, axes: &[Axis], front: &Front) -> Option<Plot<'a>> {
        let mut groups = vec![0; sweep.cases.len()];
        for (group, places) in pareto::conditions(sweep).iter().enumerate() {
            for nth in places {
                groups[*nth] = group;
            }
        }
        let point = |nth: usize, is_member| {
            let row = sweep.cases.get(nth)?;
            let weight = |figure: Figure| figure.of(row, &sweep.terms).weight();
            Some(Point {
                nth,
                cost: weight(cost)?,
                detection: weight(Figure::DeviceP95)?,
                is_member,
                group: groups[nth],
            })
        };
        let is_all = sweep.cases.len() <= MOST_POINTS;
        let members = front.members.iter().take(if is_all { MOST_POINTS } else { MOST_POINTS / 2 });
        let others = (0..sweep.cases.len()).filter(|nth| front.members.binary_search(nth).is_err());
        let step = if is_all { 1 } else { sweep.cases.len().div_ceil(MOST_POINTS / 2) };
        let others = others.step_by(step).filter_map(|nth| point(nth, false));
        // Members last, so that they are drawn above the others.
        let points: Vec<Point> = others.chain(members.filter_map(|nth| point(*nth, true))).collect();
        let across = Scale::of(points.iter().map(|point| point.cost), LEFT + 10.0, WIDE - RIGHT - 10.0)?;
        let finite = points.iter().map(|point| point.detection).filter(|value| value.is_finite());
        let up = Scale::of(finite, TALL - BOTTOM - 10.0, TOP + 10.0);
        let up = up.or_else(|| Scale::of(std::iter::once(1.0), TALL - BOTTOM - 10.0, TOP + 10.0))?;
        Some(Plot { cost, sweep, aspects: varying(axes), points, across, up })
    }

    fn figure(&self) -> String {
        let (cost, detection) = (title(self.cost), title(Figure::DeviceP95));
        let name = format!("{detection} against {}", self.cost.name());
        let mut drawn = self.frame();
        drawn += &self.lines();
        let reached = self.points.iter().filter(|point| point.is_member).count().saturating_sub(MOST_REACHED);
        let mut members = 0;
        for point in &self.points {
            members += usize::from(point.is_member);
            drawn += &self.point(point, point.is_member && members > reached);
        }
        // Without nevers their lane is cut off.
        let from = if self.has_nevers() { 0.0 } else { TOP - 24.0 };
        format!(
            "<figure class=\"plot\"><figcaption>{name}</figcaption>\n\
             <svg viewBox=\"0 {from} {WIDE} {}\" role=\"group\" aria-label=\"{name}\">\n{drawn}\
             <text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{cost}{}</text>\n\
             <text class=\"axis\" x=\"{}\" y=\"{}\">{detection}{}</text>\n\
             </svg></figure>\n",
            TALL - from,
            WIDE - RIGHT,
            TALL - 6.0,
            scaled(&self.across),
            LEFT - 40.0,
            TOP - 8.0,
            scaled(&self.up),
        )
    }

    fn has_nevers(&self) -> bool {
        self.points.iter().any(|point| point.detection.is_infinite())
    }

    /// The grid with its labels, the lane of nevers.
    fn frame(&self) -> String {
        let mut out = String::new();
        let (right, bottom) = (WIDE - RIGHT, TALL - BOTTOM);
        for (at, label) in self.up.labels(Form::Time) {
            let y = place(at);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                place(at + 4.0)
            );
        }
        for (at, label) in self.across.labels(self.cost.form()) {
            let x = place(at);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                place(bottom + 16.0)
            );
        }
        if self.has_nevers() {
            let _ = writeln!(
                out,
                "<line class=\"never\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{NEVER}\" y2=\"{NEVER}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">never</text>",
                LEFT - 6.0,
                NEVER + 5.0
            );
        }
        out
    }

    /// What no other beats in these two figures, a line for each of the conditions: from step to step, since between two
    /// combinations there is none.
    fn lines(&self) -> String {
        let front = pareto::front(self.sweep, &[self.cost, Figure::DeviceP95]);
        let groups = pareto::conditions(self.sweep);
        let lines = groups.iter().enumerate().take(MOST_LINES);
        lines.map(|(nth, group)| self.line(nth, group, &front)).collect()
    }

    fn line(&self, nth: usize, group: &[usize], front: &Front) -> String {
        let of = |nth: &usize| {
            let row = self.sweep.cases.get(*nth)?;
            let weight = |figure: Figure| figure.of(row, &self.sweep.terms).weight();
            Some((weight(self.cost)?, weight(Figure::DeviceP95)?))
        };
        let members = group.iter().filter(|nth| front.members.binary_search(nth).is_ok());
        let mut best: Vec<(f64, f64)> = members.filter_map(of).filter(|(_, up)| up.is_finite()).collect();
        best.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        best.dedup();
        let mut path = String::new();
        for (nth, (cost, detection)) in best.iter().take(MOST_POINTS).enumerate() {
            let (x, y) = (place(self.across.at(*cost)), place(self.up.at(*detection)));
            let _ = if nth == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
        }
        if best.len() < 2 {
            return String::new();
        }
        format!("<path class=\"joined\" data-g=\"{nth}\" d=\"{path}\"/>\n")
    }

    fn point(&self, point: &Point, is_reached: bool) -> String {
        let Some(row) = self.sweep.cases.get(point.nth) else { return String::new() };
        let terms = &self.sweep.terms;
        let figure = |figure: Figure| format!("{} {}", figure.name(), shown(figure, row, terms));
        let told = format!(
            "{}: {}, {}",
            describe(&row.case, &self.aspects),
            figure(Figure::DeviceP95),
            figure(self.cost)
        );
        let told = text(&told);
        let x = place(self.across.at(point.cost));
        let y = if point.detection.is_infinite() { place(NEVER) } else { place(self.up.at(point.detection)) };
        let (class, radius) = if point.is_member { ("member", 5) } else { ("other", 3) };
        let reached = if is_reached {
            format!(" tabindex=\"0\" role=\"img\" aria-label=\"{told}\"")
        } else {
            String::new()
        };
        format!(
            "<circle class=\"{class}\" data-g=\"{}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{reached}><title>{told}</title></circle>\n",
            point.group
        )
    }
}

fn scaled(scale: &Scale) -> &'static str {
    if scale.is_log { " (log)" } else { "" }
}

/// From values to places.
struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
    is_log: bool,
}

impl Scale {
    /// `None` of no values.
    fn of(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Scale> {
        let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
            Some(ends.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
        });
        let (least, most) = ends?;
        Some(Scale { least, most, from, to, is_log: least > 0.0 && most / least >= LOG_FROM })
    }

    fn at(&self, value: f64) -> f64 {
        let share = if self.most <= self.least {
            0.5
        } else if self.is_log {
            (value / self.least).ln() / (self.most / self.least).ln()
        } else {
            (value - self.least) / (self.most - self.least)
        };
        self.from + share * (self.to - self.from)
    }

    /// Where labels stand, and what they say.
    fn labels(&self, form: Form) -> Vec<(f64, String)> {
        let candidates = if form == Form::Time { TIMES.to_vec() } else { round_numbers(self.most) };
        let inside: Vec<f64> =
            candidates.into_iter().filter(|value| (self.least..=self.most).contains(value)).collect();
        let inside = if inside.len() < 2 { vec![self.least, self.most] } else { inside };
        let mut labels: Vec<(f64, String)> = Vec::new();
        let apart = (self.to - self.from).abs() / (1.3 * MOST_TICKS);
        for value in inside {
            let (at, label) = (self.at(value), said(value, form));
            let is_free = labels.iter().all(|(other, said)| (other - at).abs() >= apart && *said != label);
            labels.extend(is_free.then_some((at, label)));
        }
        labels
    }
}

/// 1, 2 and 5 times the powers of ten up to a value.
fn round_numbers(most: f64) -> Vec<f64> {
    let powers =
        std::iter::successors(Some(0.01), |power| Some(power * 10.0)).take_while(|power| *power <= most);
    std::iter::once(0.0).chain(powers.take(24).flat_map(|power| [power, 2.0 * power, 5.0 * power])).collect()
}

fn said(value: f64, form: Form) -> String {
    match form {
        Form::Time if TIMES.contains(&value) => show_fixed(Duration::from_secs_f64(value)),
        Form::Time => brief(value),
        Form::Bytes => bytes(value).replace(".0 ", " "),
        Form::Number | Form::Share => number(value),
    }
}

/// To a tenth of a unit: less is not seen.
fn place(at: f64) -> String {
    let text = format!("{at:.1}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::aspect::axes;
    use crate::keepalive::figure::Reading;
    use crate::keepalive::fixtures::{row, sweep_of};

    #[test]
    fn labels_are_round_and_apart() {
        let scale = Scale::of([10.0, 86_400.0].into_iter(), 0.0, 300.0).unwrap();
        let labels: Vec<String> = scale.labels(Form::Time).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["10s", "1m", "5m", "20m", "2h", "12h"]);
    }

    #[test]
    fn one_combination_is_a_point_in_the_middle() {
        let sweep = sweep_of(vec![row(60, 70, 1)]);
        let front = pareto::front(&sweep, &pareto::DEFAULT);
        let plot = Plot::of(Figure::Data, &sweep, &axes(&sweep), &front).unwrap();
        assert_eq!(place(plot.across.at(plot.points[0].cost)), "274");
        assert_eq!(Figure::Data.of(&sweep.cases[0], &sweep.terms), Reading::Number(4_500_000.0));
    }
}
