//! What stands out in a sweep, in sentences: only what its figures show.

use super::number;
use crate::keepalive::aspect::{Aspect, axes, describe, varying};
use crate::keepalive::clients::Client;
use crate::keepalive::figure::{DAY, Figure, Metric, Reading};
use crate::keepalive::model::{Row, Sweep};
use crate::measure::value::float;
use std::collections::BTreeMap;

/// With fewer samples the 95th percentile by nearest rank is the greatest.
const FEW_SAMPLES: u64 = 20;

/// The sentences, the gravest first.
pub(super) fn remarks(sweep: &Sweep) -> Vec<String> {
    if sweep.cases.is_empty() {
        return Vec::new();
    }
    let told = Told { sweep, aspects: varying(&axes(sweep)) };
    let all = [
        told.refused(),
        told.never(Metric::DeviceDetection, "the device"),
        told.never(Metric::HubDetection, "the hub"),
        told.forgotten(),
        told.rate(Metric::FalseDisconnects, "links were given up though the path was sound"),
        told.rate(Metric::MessagesLost, "messages that were handed to a link never arrived"),
        told.partly(),
        told.not_struck(),
        told.few_samples(),
    ];
    all.into_iter().flatten().collect()
}

struct Told<'a> {
    sweep: &'a Sweep,
    aspects: Vec<Aspect>,
}

impl Told<'_> {
    fn having(&self, is_so: impl Fn(&Row) -> bool) -> Vec<&Row> {
        self.sweep.cases.iter().filter(|row| is_so(row)).collect()
    }

    /// `12 of 120 combinations`.
    fn of(&self, some: &[&Row]) -> String {
        let all = self.sweep.cases.len();
        match (some.len(), all) {
            (1, 1) => "the only combination".into(),
            (one, all) if one == all => format!("all {all} combinations"),
            (one, all) => format!("{one} of {all} combinations"),
        }
    }

    fn worst<'a>(rows: &[&'a Row], weight: impl Fn(&Row) -> f64) -> Option<&'a Row> {
        // The first of those that are alike.
        rows.iter().rev().max_by(|a, b| weight(a).total_cmp(&weight(b))).copied()
    }

    fn refused(&self) -> Option<String> {
        let takes = |row: &Row| {
            let takes = Client::named(&row.case.client).ok()?.takes;
            takes.refuses(row.case.keep_alive).then_some(takes)
        };
        let rows = self.having(|row| takes(row).is_some());
        let clients: BTreeMap<_, _> =
            rows.iter().filter_map(|row| Some((row.case.client.as_str(), takes(row)?))).collect();
        let clients: Vec<String> =
            clients.into_iter().map(|(client, takes)| format!("{client} takes {takes}")).collect();
        let some = !clients.is_empty();
        some.then(|| {
            format!(
                "In {} the client refuses the keep-alive ({}): they are of no real device.",
                self.of(&rows),
                clients.join(", ")
            )
        })
    }

    fn never(&self, metric: Metric, who: &str) -> Option<String> {
        let counts =
            |row: &Row| metric.spread(&row.figures).map_or((0, 0), |spread| (spread.never, spread.count));
        let rows = self.having(|row| counts(row).0 > 0);
        let share = |row: &Row| float(counts(row).0) / float(counts(row).1.max(1));
        let worst = Self::worst(&rows, share)?;
        let (never, count) = counts(worst);
        Some(format!(
            "In {} {who} did not notice every outage before the link was over otherwise or the run ended. Most often with {}: \
             {never} of {count}.",
            self.of(&rows),
            describe(&worst.case, &self.aspects)
        ))
    }

    fn forgotten(&self) -> Option<String> {
        let rows = self.having(|row| row.figures.forgotten > 0);
        let worst = Self::worst(&rows, |row| float(row.figures.forgotten))?;
        let above = rows.iter().filter(|row| is_above(row)).count();
        let above = match above {
            0 => String::new(),
            some if some == rows.len() => {
                "; in all of these the keep-alive is not below the path's idle timeout, or there is none"
                    .into()
            }
            some => format!(
                "; in {some} of these the keep-alive is not below the path's idle timeout, or there is none"
            ),
        };
        Some(format!(
            "In {} the path forgot links that were idle{above}. Most often with {}: {} a day.",
            self.of(&rows),
            describe(&worst.case, &self.aspects),
            self.a_day(Metric::Forgotten, worst)
        ))
    }

    fn rate(&self, metric: Metric, what: &str) -> Option<String> {
        let total = |row: &Row| metric.total(&row.figures).unwrap_or(0);
        let rows = self.having(|row| total(row) > 0);
        let worst = Self::worst(&rows, |row| float(total(row)))?;
        Some(format!(
            "In {} {what}. Most with {}: {} a day.",
            self.of(&rows),
            describe(&worst.case, &self.aspects),
            self.a_day(metric, worst)
        ))
    }

    fn a_day(&self, metric: Metric, row: &Row) -> String {
        match metric.per(row, &self.sweep.terms, DAY) {
            Reading::Number(rate) => number(rate),
            Reading::NoSample | Reading::Never | Reading::Time(_) => "-".into(),
        }
    }

    fn partly(&self) -> Option<String> {
        let detected = |row: &Row| row.figures.device_detection.count;
        let rows = self.having(|row| detected(row) > 0 && !Figure::DeviceP95.is_whole(&row.figures));
        let share = |row: &Row| -float(detected(row)) / float(row.figures.struck.max(1));
        let worst = Self::worst(&rows, share)?;
        Some(format!(
            "In {} many outages were over before the device would have noticed: its detection is of the rest, and says little of the \
             setting. Fewest with {}: {} of {}.",
            self.of(&rows),
            describe(&worst.case, &self.aspects),
            detected(worst),
            worst.figures.struck
        ))
    }

    fn not_struck(&self) -> Option<String> {
        let rows = self.having(|row| row.figures.struck == 0);
        let some = !rows.is_empty();
        some.then(|| {
            format!("In {} no outage met a link: nothing is known of detection there.", self.of(&rows))
        })
    }

    fn few_samples(&self) -> Option<String> {
        let is_few = |row: &Row| (1..FEW_SAMPLES).contains(&row.figures.device_detection.count);
        let rows = self.having(is_few);
        let some = !rows.is_empty();
        some.then(|| {
            format!(
                "In {} there are fewer than {FEW_SAMPLES} samples of the device's detection: their p95 is the greatest of them. \
                 Simulate longer for more.",
                self.of(&rows)
            )
        })
    }
}

/// Whether the path forgets a link before the keep-alive has anything sent.
fn is_above(row: &Row) -> bool {
    let keep_alive = u64::from(row.case.keep_alive) * 1_000_000_000;
    row.case.path_idle_ns.is_some_and(|idle| keep_alive == 0 || keep_alive >= idle)
}
