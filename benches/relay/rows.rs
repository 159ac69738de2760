//! The rows: what is measured, by which ways, and the bars.

use crate::paced::Paced;
use crate::profiles::Rules;
use crate::round_trips::RoundTrips;
use crate::route::Route;
use crate::stats::{float, percentile};
use crate::stream::Stream;
use crate::trace::Taken;
use crate::wire;
use std::time::Duration;

/// One table.
pub struct Row {
    pub id: &'static str,
    pub title: &'static str,
    pub metrics: &'static [Metric],
    /// With which rules brownout takes part.
    pub rules: &'static [Rules],
    /// The other ways: the first ones always, the rest too.
    pub ways: Others,
    pub bars: &'static [Bar],
    /// One figure for each metric, of one round of so long.
    pub measure: fn(&Route, Duration) -> Figures,
    /// How long one round is.
    pub span: Duration,
    /// There is one more round, that counts system calls.
    pub counts_calls: bool,
}

pub type Figures = Vec<Option<f64>>;

/// Which other ways a row has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Others {
    All,
    /// brownout alone, beside the direct way.
    DirectOnly,
}

/// A column.
pub struct Metric {
    pub name: &'static str,
    /// Figures are shown divided by this.
    pub scale: f64,
    pub decimals: usize,
    /// Its ratio to the reference is shown.
    pub has_ratio: bool,
    /// More of it is better, and the generator bounds it.
    pub is_rate: bool,
}

/// What the issue asks for.
pub struct Bar {
    pub metric: usize,
    pub of: Rules,
    pub against: Against,
    pub limit: Limit,
}

#[derive(Clone, Copy)]
pub enum Against {
    /// HAProxy, or what takes its place.
    Reference,
    /// The same build without rules.
    NoRules,
    /// A figure as it is.
    Absolute,
}

#[derive(Clone, Copy)]
pub enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

const fn rate(name: &'static str, scale: f64, decimals: usize) -> Metric {
    Metric { name, scale, decimals, has_ratio: true, is_rate: true }
}

const fn cost(name: &'static str, decimals: usize) -> Metric {
    Metric { name, scale: 1.0, decimals, has_ratio: true, is_rate: false }
}

const fn plain(name: &'static str, decimals: usize) -> Metric {
    Metric { name, scale: 1.0, decimals, has_ratio: false, is_rate: false }
}

const fn bar(metric: usize, of: Rules, against: Against, limit: Limit) -> Bar {
    Bar { metric, of, against, limit }
}

use Against::{Absolute, NoRules, Reference};
use Limit::{AtLeast, AtMost};

const MESSAGES: [Metric; 2] = [rate("k msgs/s", 1e3, 0), cost("CPU ns/msg", 0)];
const THREE: &[Rules] = &[Rules::None, Rules::Idle, Rules::Zero];

/// All of them.
pub const ROWS: &[Row] = &[
    Row {
        id: "64b",
        title: "64 B, QoS 0, pipelined, 8 links",
        metrics: &MESSAGES,
        rules: THREE,
        ways: Others::All,
        bars: &[
            bar(0, Rules::None, Reference, AtLeast(1.0)),
            bar(0, Rules::Idle, NoRules, AtLeast(0.9)),
            bar(0, Rules::Zero, NoRules, AtLeast(0.9)),
        ],
        measure: |route, span| stream(route, span, 64, 64),
        span: Duration::from_millis(300),
        counts_calls: false,
    },
    Row {
        id: "1k",
        title: "1 KiB, QoS 0, pipelined, 8 links",
        metrics: &[rate("k msgs/s", 1e3, 0), cost("CPU ps/B", 0)],
        rules: THREE,
        ways: Others::All,
        bars: &[
            bar(0, Rules::None, Reference, AtLeast(1.3)),
            bar(1, Rules::None, Reference, AtMost(0.7)),
            bar(0, Rules::Idle, NoRules, AtLeast(0.9)),
            bar(0, Rules::Zero, NoRules, AtLeast(0.9)),
        ],
        measure: |route, span| bytes(stream(route, span, 1024, 16), 1024.0, 1.0),
        span: Duration::from_millis(300),
        counts_calls: false,
    },
    Row {
        id: "64k",
        title: "64 KiB, QoS 0, pipelined, 8 links",
        metrics: &[rate("MB/s", 1e6, 0), cost("CPU ps/B", 0)],
        rules: THREE,
        ways: Others::All,
        bars: &[
            bar(0, Rules::None, Reference, AtLeast(1.18)),
            bar(1, Rules::None, Reference, AtMost(0.55)),
            bar(0, Rules::Idle, NoRules, AtLeast(0.9)),
            bar(0, Rules::Zero, NoRules, AtLeast(0.9)),
        ],
        measure: |route, span| bytes(stream(route, span, 65_536, 1), 65_536.0, 65_536.0),
        span: Duration::from_millis(300),
        counts_calls: false,
    },
    Row {
        id: "paced",
        title: "64 B, QoS 0, 100,000 messages/s over 50 links",
        metrics: &[plain("k msgs/s", 1), cost("CPU ns/msg", 0), plain("syscalls/msg", 2)],
        rules: THREE,
        ways: Others::All,
        bars: &[bar(1, Rules::None, Reference, AtMost(1.0)), bar(2, Rules::None, Absolute, AtMost(2.5))],
        measure: paced,
        span: Duration::from_millis(500),
        counts_calls: true,
    },
    Row {
        id: "qos1",
        title: "64 B, QoS 1 round trips, 20,000/s over 50 links",
        metrics: &[plain("k msgs/s", 1), cost("p50 us", 0), cost("p99 us", 0), cost("CPU ns/msg", 0)],
        rules: THREE,
        ways: Others::All,
        bars: &[
            bar(1, Rules::None, Reference, AtMost(1.05)),
            bar(2, Rules::None, Reference, AtMost(1.3)),
            bar(3, Rules::None, Reference, AtMost(1.0)),
        ],
        measure: round_trips,
        span: Duration::from_millis(500),
        counts_calls: false,
    },
];

/// Messages a second, and nanoseconds of processor each.
fn stream(route: &Route, span: Duration, len: usize, in_one_write: usize) -> Figures {
    let stream = Stream { links: 8, message: wire::publish(len), in_one_write, span };
    let (messages, taken) = stream.through(route);
    vec![Some(messages / taken.wall), cpu(messages, taken)]
}

/// Nanoseconds of processor for each; nothing for the direct way.
fn cpu(messages: f64, taken: Taken) -> Option<f64> {
    Some(taken.cpu / messages * 1e9).filter(|cpu| *cpu > 0.0)
}

/// The same with processor time for each byte in picoseconds, and the rate in so many units a message.
fn bytes(figures: Figures, message: f64, units: f64) -> Figures {
    vec![figures[0].map(|rate| rate * units), figures[1].map(|cpu| cpu * 1e3 / message)]
}

fn paced(route: &Route, span: Duration) -> Figures {
    let (messages, taken) = Paced { links: 50, rate: 100_000, span }.through(route);
    vec![Some(messages / taken.wall), cpu(messages, taken), taken.calls.map(|calls| calls / messages)]
}

fn round_trips(route: &Route, span: Duration) -> Figures {
    let (mut times, taken) = RoundTrips { links: 50, rate: 20_000, span }.through(route);
    let messages = float(times.len());
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    vec![Some(messages / taken.wall), Some(p50), Some(p99), cpu(messages, taken)]
}
