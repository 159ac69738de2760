//! Connects while none comes to anything: the wait between them, its growth and its jitter.
//!
//! Whether a fault or the hub refuses is all the same: the wait is the device's. A link that was accepted and lived for a
//! second ends a series of failures, and so does one that the device left with DISCONNECT, having said what it had to say; one
//! that died at once does not.

use super::cases::{Cases, News, Size, seen, words};
use super::kind::Kind;
use crate::base::pack::{Pack, Reader, Writer, fields};
use crate::base::units::to_u64;
use crate::base::{DeviceId, Time};
use crate::measure::backoff::{self, Shape};
use crate::measure::finding::{Finding, Grade};
use std::collections::VecDeque;
use std::time::Duration;

/// From so many connects in a row on a device is judged.
const ATTEMPTS: usize = 10;

/// Gaps under this, at the median, are a tight loop.
const TIGHT: Duration = Duration::from_millis(100);

/// Waits under this, always the same, are no back-off worth the name.
const QUICK: Duration = Duration::from_secs(1);

/// How many waits of a device are remembered, the latest.
const MOST_WAITS: usize = 16;

/// A link that lived so long after its CONNACK was a success.
const LIVED: Duration = Duration::from_secs(1);

/// From so many devices on, waits that are all alike are a fleet's.
const FLEET: usize = 10;

/// A device's connects in a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Connects {
    /// The latest: when it was opened.
    opened: Option<Time>,
    /// When it was over for the device.
    over: Option<Time>,
    /// When a CONNACK accepted it.
    accepted: Option<Time>,
    /// Whether the device left it with DISCONNECT then.
    left: bool,
    /// None while each comes to something.
    row: Option<Box<Row>>,
    attempts: usize,
    /// Whether this series was told of.
    told: bool,
    /// The wait of the series before this one, if it was fixed and without jitter.
    fixed: Option<Duration>,
}

/// What lies between connects in a row.
#[derive(Clone, Debug, Default)]
struct Row {
    /// From one connect to the next.
    gaps: VecDeque<Duration>,
    /// From the end of one to the next.
    waits: VecDeque<Duration>,
}

fields! {
    Connects { opened, over, accepted, left, row, attempts, told, fixed }
    Row { gaps, waits }
}

impl Connects {
    /// The device opened a link.
    pub fn opens(&mut self, device: DeviceId, opened: Time, seq: u64, cases: &mut Cases) {
        let before = self.opened.replace(opened);
        let (over, accepted) = (self.over.take(), self.accepted.take());
        let has_lived = accepted.is_some_and(|accepted| over.unwrap_or(opened).since(accepted) >= LIVED);
        let has_left = std::mem::take(&mut self.left);
        if has_lived || has_left || before.is_none() {
            self.fixed = self.fixed();
            self.row = None;
            (self.attempts, self.told) = (1, false);
            return;
        }
        self.attempts += 1;
        let since = |from: Option<Time>| from.map_or(Duration::ZERO, |from| opened.since(from));
        let row = self.row.get_or_insert_default();
        keep(&mut row.gaps, since(before));
        keep(&mut row.waits, since(over.filter(|over| *over <= opened).or(before)));
        self.judge(device, opened, seq, cases);
    }

    /// Whether its latest link was over for the device at that moment: who still has one is not trying to connect.
    pub fn are_over(&self, at: Time) -> bool {
        self.over.is_some_and(|over| over <= at)
    }

    /// The device had the CONNACK that accepts its latest link.
    pub fn accepted(&mut self, at: Time) {
        self.accepted.get_or_insert(at);
    }

    /// It left its latest link, opened then, with DISCONNECT, both ends being there.
    pub fn leaves(&mut self, opened: Time) {
        self.left |= self.opened == Some(opened) && self.accepted.is_some();
    }

    /// Its latest link, opened then, is over for it.
    pub fn closes(&mut self, opened: Time, at: Time) {
        if self.opened == Some(opened) {
            self.over.get_or_insert(at);
        }
    }

    /// The wait of the latest series with waits, if it was fixed and without jitter. It is looked for when somebody asks: a
    /// device in a tight loop brings waits by the thousand.
    fn fixed(&self) -> Option<Duration> {
        let Some(row) = &self.row else { return self.fixed };
        let shape = backoff::classify(&without_gaps(&row.waits));
        (shape.shape == Shape::Fixed && !shape.jittered).then(|| median(&row.waits))
    }

    fn judge(&mut self, device: DeviceId, at: Time, seq: u64, cases: &mut Cases) {
        if self.told || self.attempts < ATTEMPTS {
            return;
        }
        let gap = self.row.as_ref().map_or(Duration::ZERO, |row| median(&row.gaps));
        let (kind, grade) = if gap < TIGHT {
            (Kind::TightLoop, Grade::Fail)
        } else if gap < QUICK && self.fixed().is_some() {
            (Kind::NoBackOff, Grade::Warn)
        } else {
            return;
        };
        self.told = true;
        let what = format!("connect {} in a row, {} after the one before", self.attempts, words(gap));
        let size = Size::new(gap, Duration::ZERO);
        cases.add(News { device: Some(device), kind, grade, rule: None, size, seen: seen(seq, at, what) });
    }
}

/// Whether many devices wait alike, each always the same.
pub(super) fn fleet<'a>(devices: impl Iterator<Item = &'a Connects>) -> Option<Finding> {
    let mut fixed: Vec<Duration> = devices.filter_map(Connects::fixed).collect();
    fixed.sort_unstable();
    let wait = *fixed.get(fixed.len() / 2)?;
    let alike = fixed.iter().filter(|other| other.abs_diff(wait) <= wait / 10).count();
    if alike < FLEET {
        return None;
    }
    let count = to_u64(alike);
    let kind = Kind::NoJitter;
    Some(Finding {
        id: kind.id(),
        class: kind.class(),
        grade: Grade::Warn,
        device: None,
        seen: kind.seen(count, Size::new(wait, Duration::ZERO)),
        evidence: Vec::new(),
        count,
        summed_up: 0,
        cause: kind.cause().to_owned(),
        advice: kind.advice().to_owned(),
        rule: None,
    })
}

/// The waits, those with connects in them that were not seen (one that was reset before its CONNECT says not whose it is) as
/// the shorter ones that they were; as they are where that would be more than one in four.
fn without_gaps(waits: &VecDeque<Duration>) -> Vec<Duration> {
    let median = median(waits);
    let part = |wait: &Duration| {
        let times = (2..=4u32).find(|times| wait.abs_diff(median * *times) <= median / 10);
        times.map(|times| *wait / times)
    };
    let gaps = waits.iter().filter_map(part).count();
    if gaps * 4 > waits.len() {
        return waits.iter().copied().collect();
    }
    waits.iter().map(|wait| part(wait).unwrap_or(*wait)).collect()
}

fn keep(spans: &mut VecDeque<Duration>, span: Duration) {
    if spans.len() == MOST_WAITS {
        spans.pop_front();
    }
    spans.push_back(span);
}

fn median(spans: &VecDeque<Duration>) -> Duration {
    let mut sorted: Vec<Duration> = spans.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
