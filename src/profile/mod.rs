//! Floor 3: from a profile's text to a checked plan.
//!
//! Owns the profile language: its keys, their reading with every problem told at once, the checked [`Plan`], and
//! the plan told in words. Invariant: a [`Plan`] has nothing left to check; whoever holds one can run it.
//! Deliberately absent: files and the command line (cli/), and anything that happens when a rule fires (engine/).

mod address;
pub(crate) mod codes;
pub(crate) mod honour;
mod locate;
pub(crate) mod metric;
pub(crate) mod nearest;
mod node;
pub mod plan;
pub(crate) mod problem;
pub(crate) mod reach;
mod read;
pub(crate) mod render;
pub(crate) mod schema;
pub mod sequence;
pub mod shipped;
pub(crate) mod strictness;
pub(crate) mod suite;
pub(crate) mod timeline;
mod tls;

#[cfg(test)]
mod tests;

pub use address::{BadAddress, check_host, check_listen, check_upstream};
pub use metric::{Metric, Unit};
pub use plan::{
    ClientCertificates, Comparison, Expectation, Limit, ListenerPlan, Network, Plan, Repeat, Route, Rule,
    Spell, Statistic, TlsPlan, When, Who,
};
pub use problem::{Mark, Problem, Problems, Severity, Source};
pub use reach::{OutOfReach, out_of_reach};
pub use read::{BadOverride, Checked, LARGEST, Override, read, suite as read_suite};
pub use render::render;
pub use schema::fault_examples;
pub use sequence::{Sequence, SequencePlace};
pub use strictness::{Strictness, Weight};
pub use suite::{Entry, Suite, Workload};
pub use tls::{DEFAULT_CA, TlsKey, TlsParts, TlsTrouble, Wording, mode_word};
