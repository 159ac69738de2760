//! What a row is: columns, ways, bars, and how one round of it is measured.

use crate::profiles::Rules;
use crate::route::Route;
use std::time::Duration;

/// One table.
pub struct Row {
    pub id: &'static str,
    pub title: &'static str,
    pub metrics: &'static [Metric],
    /// With which rules each build of brownout takes part.
    pub rules: &'static [Rules],
    pub others: Others,
    pub bars: &'static [Bar],
    /// One figure for each metric, of one round of so long.
    pub measure: fn(&Route, Duration) -> Figures,
    /// How long one round is; some have a length of their own.
    pub span: Duration,
    /// At most so many rounds, where they take long or are hardly apart.
    pub most_rounds: u32,
    /// Each round is of new processes, so that what one leaves in memory is not the next one's start.
    pub is_anew: bool,
    /// There is one more round, which counts system calls: the last metric.
    pub counts_calls: bool,
}

/// What most rows have.
pub const USUAL: Row = Row {
    id: "",
    title: "",
    metrics: &[],
    rules: &[Rules::None],
    others: Others::All,
    bars: &[],
    measure: |_, _| Vec::new(),
    span: Duration::from_millis(300),
    most_rounds: u32::MAX,
    is_anew: false,
    counts_calls: false,
};

/// A figure for each metric, where there is one.
pub type Figures = Vec<Option<f64>>;

/// Which ways a row has beside brownout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Others {
    All,
    /// Those that end TLS on both legs.
    Tls,
    /// HAProxy: the row takes long.
    HaProxy,
    /// The direct one.
    Direct,
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

/// What has to be reached.
pub struct Bar {
    /// The place of its metric.
    pub metric: usize,
    /// brownout with these rules.
    pub of: Rules,
    pub against: Against,
    pub limit: Limit,
}

/// What a limit is a multiple of.
#[derive(Clone, Copy)]
pub enum Against {
    /// HAProxy's figure, or that of what takes its place.
    Reference,
    /// The same build's without rules.
    NoRules,
    /// Nothing: the figure as it is, in the unit that is shown.
    Absolute,
}

#[derive(Clone, Copy)]
pub enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Limit {
    pub fn is_met(self, reached: f64) -> bool {
        match self {
            Limit::AtLeast(least) => reached >= least,
            Limit::AtMost(most) => reached <= most,
        }
    }
}

/// A rate, with its ratio.
pub const fn rate(name: &'static str, scale: f64, decimals: usize) -> Metric {
    Metric { name, scale, decimals, has_ratio: true, is_rate: true }
}

/// What something costs, with its ratio.
pub const fn cost(name: &'static str, scale: f64, decimals: usize) -> Metric {
    Metric { name, scale, decimals, has_ratio: true, is_rate: false }
}

/// A figure that is shown by itself.
pub const fn plain(name: &'static str, scale: f64, decimals: usize) -> Metric {
    Metric { name, scale, decimals, has_ratio: false, is_rate: false }
}

pub const fn bar(metric: usize, of: Rules, against: Against, limit: Limit) -> Bar {
    Bar { metric, of, against, limit }
}
