//! Whole reports, held against goldens, and what must hold of every report.

mod catalogue;
mod goldens;
mod live;
mod properties;
pub(in crate::report) mod stories;
mod tls;
mod verdicts;
