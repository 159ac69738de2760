//! Patterns over a run: what its figures say together, with probable causes and what to do.
//!
//! Owns the findings that no single packet shows: dead links not found dead, ways back that are missing or too many at once,
//! the rhythm in which links end, hubs that turn devices away. Invariant: what a fault did is never held
//! against an end; how the end dealt with it is. Deliberately absent: rules of the specification (conformance), and how grave a
//! kind of finding is for whom (`Strictness`), and which of two that tell of one fact stays (measure/whole.rs).

mod back;
mod dead;
mod hub;
mod idle;
mod regular;
pub mod rhythm;
mod storm;
mod tls;
mod watch;

#[cfg(test)]
mod tests;

pub use dead::watched;
pub use watch::Watch;

use super::finding::{Class, Finding, Grade, MOST_EVIDENCE, Seen};
use super::results::{LinkEnd, RunResults, WindowResults};
use crate::base::units::to_u64;
use crate::base::{DeviceId, WindowId};
use crate::profile::Plan;
use crate::profile::strictness::Limits;
use std::collections::BTreeSet;
use std::time::Duration;

/// What there is to look at.
struct Scene<'a> {
    run: &'a RunResults,
    plan: &'a Plan,
    watch: &'a Watch,
    limits: Limits,
    /// Devices of which it was told one by one that they do not back off.
    named: BTreeSet<DeviceId>,
}

/// Every kind of finding that is made here.
const KINDS: [&Kind; 20] = [
    &back::NOT_BACK,
    &back::SLOW,
    &dead::NOT_DETECTED,
    &dead::SLOW,
    &dead::HUB_KEEPS,
    &dead::HUB_SLOW,
    &dead::KEEP_ALIVE_OFF,
    &hub::UNAVAILABLE,
    &hub::REFUSED,
    &hub::SOON,
    &hub::FIGHT,
    &idle::OVER_IDLE_TIMEOUT,
    &idle::BEYOND_HUB,
    &regular::AT_ONCE,
    &regular::REGULAR,
    &regular::RANDOM,
    &storm::STORM,
    &storm::NO_BACK_OFF,
    &tls::REFUSED,
    &tls::REFUSED_BY_HUB,
];

/// The names of all kinds.
#[cfg(test)]
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    KINDS.into_iter().map(|kind| kind.id)
}

/// What the results show, beside what single packets have shown.
pub fn findings(run: &RunResults, plan: &Plan, watch: &Watch, known: &[Finding]) -> Vec<Finding> {
    let is_loop = |finding: &&Finding| ["reconnect-loop", "no-back-off"].contains(&finding.id);
    let named = known.iter().filter(is_loop).filter_map(|finding| finding.device).collect();
    let scene = Scene { run, plan, watch, limits: plan.strictness().limits(), named };
    let mut found = dead::findings(&scene);
    found.extend(idle::findings(&scene));
    found.extend(back::findings(&scene));
    found.extend(storm::findings(&scene));
    found.extend(regular::findings(&scene));
    found.extend(hub::findings(&scene));
    found.extend(tls::findings(&scene));
    found
}

impl Scene<'_> {
    /// The ends of links that no fault had a part in.
    fn natural(&self) -> impl Iterator<Item = &LinkEnd> {
        self.run.ends.iter().filter(|end| end.under.is_none() && end.cause.rule().is_none())
    }

    /// The windows, and of each every link that its fault struck.
    fn windows(&self) -> impl Iterator<Item = (WindowId, &WindowResults)> {
        let windows = self.run.windows.iter();
        windows.flat_map(|(id, first)| std::iter::once(first).chain(&first.later).map(|judged| (*id, judged)))
    }

    /// How many devices a CONNACK has accepted; of a part of a log also before that part.
    fn fleet(&self) -> usize {
        self.run.devices.values().filter(|device| device.was_there).count()
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
        debug_assert!(KINDS.iter().any(|kind| kind.id == self.id), "{} is not in the list", self.id);
        let count = to_u64(evidence.len());
        evidence.truncate(MOST_EVIDENCE);
        Finding {
            id: self.id,
            class: self.class,
            grade,
            device,
            seen,
            evidence,
            count,
            summed_up: 0,
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
