//! What was found so far: one case for each device and kind, with how often, how grave, and the events that show it.

use super::kind::Kind;
use super::watch::Watch;
use crate::base::shelf::Key;
use crate::base::{DeviceId, Shelf, Time};
use crate::measure::finding::{Finding, Grade, MOST_EVIDENCE, Seen};
use crate::measure::results::RunResults;
use crate::session::Sessions;
use std::borrow::Cow;
use std::time::Duration;

/// How many cases are kept apart, 200 bytes each where one event shows it, up to 1 KB. Beyond that, a device that has none yet
/// of a kind is counted in one case of that kind that names no device.
pub const MOST_CASES: usize = 10_000;

/// Of how much of a name an event's words show, in characters.
const SHOWN: usize = 40;

/// The findings, being made.
#[derive(Clone, Debug, Default)]
pub(super) struct Cases {
    known: Shelf<(Option<DeviceId>, Kind), Case>,
}

impl Key for (Option<DeviceId>, Kind) {
    fn number(self) -> u64 {
        self.0.map_or(0, Key::number)
    }
}

#[derive(Clone, Debug)]
struct Case {
    grade: Grade,
    rule: Option<&'static str>,
    count: u64,
    worst: Size,
    /// The evidence: most cases have one event.
    first: Sight,
    more: Box<[Sight]>,
}

/// What will be a [`Seen`]: thousands of devices may show the same, in the same words.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub seq: u64,
    pub at: Time,
    pub what: Cow<'static, str>,
}

/// Where the names of devices are looked up, once there is something to tell of one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names<'a> {
    /// While the run goes on.
    Live(&'a Sessions),
    /// In its results.
    Run(&'a RunResults),
}

impl Names<'_> {
    /// The name of a link's device, as an event's words show it.
    pub(super) fn shown(self, watch: &Watch) -> String {
        let name = watch.device.and_then(|device| match self {
            Names::Live(sessions) => sessions.device(device).map(|device| &*device.name),
            Names::Run(run) => Some(run.name(device)),
        });
        shown(name.unwrap_or("?"))
    }
}

/// How much it was, where a kind has a measure: a span, and what it is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    /// What was seen.
    pub span: Duration,
    /// What it is held against: a keep-alive, mostly.
    pub of: Duration,
}

/// Something to add.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// Whose; `None` for the hub and the fleet.
    pub device: Option<DeviceId>,
    pub kind: Kind,
    pub grade: Grade,
    pub rule: Option<&'static str>,
    pub size: Size,
    /// The event that shows it.
    pub seen: Sight,
}

impl Cases {
    pub(super) fn add(&mut self, news: News) {
        self.add_all(news, 1);
    }

    /// Adds so many that are alike, and that one event shows.
    pub(super) fn add_all(&mut self, news: News, times: u64) {
        let News { device, kind, grade, rule, size, seen } = news;
        let mut key = (device, kind);
        if self.known.len() >= MOST_CASES && !self.known.contains_key(&key) {
            key.0 = None;
        }
        let Some(case) = self.known.get_mut(&key) else {
            let more = Box::default();
            return self
                .known
                .insert(key, Case { grade, rule, count: times, worst: size, first: seen, more });
        };
        case.count += times;
        case.worst = case.worst.max(size);
        if grade > case.grade {
            (case.grade, case.rule) = (grade, rule);
        }
        if case.more.len() + 1 < MOST_EVIDENCE {
            let mut more = std::mem::take(&mut case.more).into_vec();
            more.reserve_exact(1);
            more.push(seen);
            case.more = more.into_boxed_slice();
        }
    }

    /// As findings, in the order of devices.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let of = |((device, kind), case): (&(Option<DeviceId>, Kind), &Case)| Finding {
            id: kind.id(),
            class: kind.class(),
            grade: case.grade,
            device: *device,
            seen: kind.seen(case.count, case.worst),
            evidence: std::iter::once(&case.first).chain(&case.more).map(Sight::seen).collect(),
            count: case.count,
            summed_up: 0,
            cause: kind.cause().to_owned(),
            advice: kind.advice().to_owned(),
            rule: case.rule,
        };
        self.known.iter().map(of).collect()
    }
}

/// An event, with words for what it shows.
pub(super) fn seen(seq: u64, at: Time, what: impl Into<Cow<'static, str>>) -> Sight {
    Sight { seq, at, what: what.into() }
}

impl Sight {
    pub(super) fn seen(&self) -> Seen {
        Seen { seq: self.seq, at: self.at, what: self.what.to_string() }
    }
}

/// A peer's name in an event's words, cut where it is long.
pub(super) fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name.to_owned(),
    }
}

/// `350 ms`, `4.2 s`, `152 s`.
pub(super) fn words(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..100_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => format!("{} s", span.as_secs()),
    }
}

impl Size {
    pub(super) fn new(span: Duration, of: Duration) -> Size {
        Size { span, of }
    }

    /// How many times what it is held against, with one digit.
    pub(super) fn times(self) -> String {
        format!("{:.1}", self.span.as_secs_f64() / self.of.as_secs_f64().max(0.001))
    }
}
