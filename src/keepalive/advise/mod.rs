//! From what is wanted to a setting: keep-alive, ping time-out, back-off, with the price and the reasons.
//!
//! ```text
//!  Wish ──► detect, steady, wait: what each keep-alive does, in closed form
//!              │
//!              ├──► bounds   each target as the greatest or the least keep-alive that meets it
//!              ├──► choose   the cheapest keep-alive between them, or which targets exclude each other
//!              └──► fleet    the back-off ──► Advice ──► text, JSON
//! ```
//!
//! Owns the arithmetic and its words. Invariant: every figure in a sentence is one that the arithmetic used, and what
//! is only assumed is listed as such. Deliberately absent: any simulation of its own; [`simulate`] asks
//! [`super::evaluate`].

mod bounds;
mod budget;
mod choose;
mod detect;
mod fleet;
mod model;
mod reasons;
mod steady;
mod text;
mod verify;
mod wait;

pub use budget::{Budget, MONTH, show_bytes, show_count};
pub use choose::advise;
pub use model::{Advice, Candidate, DetectedBy, Miss, Setting, Simulated, VERSION, Wish};
pub use reasons::contradictions;
pub use text::text;
pub use verify::simulate;

#[cfg(test)]
mod tests;
