//! Floor 3: from a profile's text to a checked plan.
//!
//! Owns the profile language: its keys, their reading with every problem told at once, the checked [`Plan`], and
//! the plan told in words. Invariant: a [`Plan`] has nothing left to check; whoever holds one can run it.
//! Deliberately absent: files and the command line (cli/), and anything that happens when a rule fires (engine/).

pub mod metric;
pub mod plan;

pub use metric::{Metric, Unit};
pub use plan::{
    Comparison, Expectation, Limit, ListenerPlan, Network, Plan, Repeat, Rule, Statistic, When, Who,
};
