//! The scorecard of a suite: what each fault did to a client under each workload, one cell a run, and its forms.
//!
//! Owns the model, the verdict of a cell, and the forms: terminal, JSON, JUnit, HTML, Markdown. Invariant: a cell passes
//! only where its run was through and showed what was expected. Deliberately absent: how runs are made (cli/).

mod forms;
mod html;
mod judge;
mod junit;
mod markdown;
mod model;
mod terminal;

pub use html::render as html;
pub use judge::{Case, ClientEnd, Judged, Told, judge};
pub use junit::render as junit;
pub use markdown::render as markdown;
pub use model::{Card, Cell, ClassGrade, FORMAT, Row, Scorecard, Timing, Verdict};
pub use terminal::render as terminal;

#[cfg(test)]
mod tests;
