//! Patterns over a run: what its figures say together, with probable causes and what to do.
//!
//! Owns the findings that no single packet shows: dead links not found dead, ways back that are missing or too many at once,
//! the rhythm in which links end, hubs that turn devices away. Invariant: what a fault did is never held
//! against an end; how the end dealt with it is. Deliberately absent: rules of the specification (conformance), and how grave a
//! kind of finding is for whom ([`Strictness`]).

mod back;
mod dead;
mod hub;
mod idle;
mod regular;
pub mod rhythm;
mod storm;
mod watch;

#[cfg(test)]
mod tests;

pub use dead::watched;
pub use watch::Watch;

use super::finding::{Class, Finding, Grade, MOST_EVIDENCE, Seen};
use super::results::{LinkEnd, RunResults};
use crate::base::DeviceId;
use crate::profile::strictness::Limits;
use crate::profile::{Plan, Strictness, Weight};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of a kind of finding, so many devices are told one by one; the others are summed up in one more finding.
pub const MOST_OF_A_KIND: usize = 100;

/// What there is to look at.
struct Scene<'a> {
    run: &'a RunResults,
    plan: &'a Plan,
    watch: &'a Watch,
    limits: Limits,
}

/// What the results show.
pub fn findings(run: &RunResults, plan: &Plan, watch: &Watch) -> Vec<Finding> {
    let scene = Scene { run, plan, watch, limits: plan.strictness().limits() };
    let mut found = dead::findings(&scene);
    found.extend(idle::findings(&scene));
    found.extend(back::findings(&scene));
    found.extend(storm::findings(&scene));
    found.extend(regular::findings(&scene));
    found.extend(hub::findings(&scene));
    found
}

/// Findings as grave as the strictness of the plan has them, and no more of a kind than are told.
pub fn weighed(found: Vec<Finding>, run: &RunResults, plan: &Plan) -> Vec<Finding> {
    let of = |finding: Finding| weigh(finding, run, plan.strictness());
    summed_up(found.into_iter().filter_map(of).collect())
}

fn weigh(finding: Finding, run: &RunResults, strictness: Strictness) -> Option<Finding> {
    let version = finding.device.and_then(|device| run.devices.get(&device)?.version);
    let has_a_say = version.is_none_or(|version| strictness.judges(version));
    let strictness = if has_a_say { strictness } else { Strictness::Standard };
    let grade = match strictness.weight(finding.id) {
        Weight::AsFound => finding.grade,
        Weight::Ignored => return None,
        Weight::Warn => finding.grade.min(Grade::Warn),
        Weight::Fail => Grade::Fail,
    };
    Some(Finding { grade, ..finding })
}

/// The first of each kind, and the others in one.
fn summed_up(mut found: Vec<Finding>) -> Vec<Finding> {
    found
        .sort_by_key(|finding| (std::cmp::Reverse(finding.grade), finding.class, finding.id, finding.device));
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rest: BTreeMap<&str, (u64, Finding)> = BTreeMap::new();
    let mut kept = Vec::new();
    for finding in found {
        let of_kind = shown.entry(finding.id).or_default();
        *of_kind += 1;
        if *of_kind <= MOST_OF_A_KIND {
            kept.push(finding);
            continue;
        }
        let (devices, sum) =
            rest.entry(finding.id).or_insert_with(|| (0, Finding { count: 0, ..finding.clone() }));
        *devices += 1;
        sum.count += finding.count;
    }
    kept.extend(rest.into_values().map(|(devices, sum)| Finding {
        device: None,
        seen: format!("The same of {devices} more devices."),
        evidence: Vec::new(),
        ..sum
    }));
    kept
}

impl Scene<'_> {
    /// The ends of links that no fault had a part in.
    fn natural(&self) -> impl Iterator<Item = &LinkEnd> {
        self.run.ends.iter().filter(|end| end.under.is_none() && end.cause.rule().is_none())
    }

    /// Devices that a CONNACK accepted at least once.
    fn fleet(&self) -> usize {
        self.run.devices.values().filter(|device| device.accepted > 0).count()
    }
}

/// A finding, from its kind on.
struct Kind {
    id: &'static str,
    class: Class,
    rule: Option<&'static str>,
}

impl Kind {
    const fn new(id: &'static str, class: Class) -> Kind {
        Kind { id, class, rule: None }
    }

    fn found(
        &self,
        grade: Grade,
        device: Option<DeviceId>,
        seen: String,
        mut evidence: Vec<Seen>,
    ) -> Finding {
        let count = u64::try_from(evidence.len()).unwrap_or(u64::MAX);
        evidence.truncate(MOST_EVIDENCE);
        Finding {
            id: self.id,
            class: self.class,
            grade,
            device,
            seen,
            evidence,
            count,
            cause: String::new(),
            advice: String::new(),
            rule: self.rule,
        }
    }
}

impl Finding {
    fn because(self, cause: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { cause: sentence(&cause.into()), advice: sentence(&advice.into()), ..self }
    }
}

impl LinkEnd {
    /// The event that shows it.
    fn shown(&self) -> Seen {
        Seen {
            seq: self.over_seq.unwrap_or(self.opened_seq),
            at: self.over.unwrap_or(self.opened),
            what: self.cause.to_string(),
        }
    }
}

/// `It waits for it` from `it waits for it`, with a stop at the end.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(Some('.')).collect()
}

/// `4.0 s (2.0 K)`
fn in_keep_alives(span: Duration, keep_alive: Duration) -> String {
    let ratio = span.as_secs_f64() / keep_alive.as_secs_f64().max(f64::MIN_POSITIVE);
    format!("{} ({ratio:.1} K)", told(span))
}

/// Seconds, with a digit after the point where they are few.
fn told(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else if seconds < 7_199.5 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.1} h", seconds / 3_600.0)
    }
}

/// Whether the span is longer than so many tenths of a keep-alive.
fn exceeds(span: Duration, tenths: u32, keep_alive: Duration) -> bool {
    span.saturating_mul(10) > keep_alive.saturating_mul(tenths)
}

/// `1 link`, `3 links`
fn many(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
