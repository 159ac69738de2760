//! What the specification says of a peer, held against what it was seen to do.
//!
//! A fold over events that keeps, for each device, what its rules ask for. Nothing that a fault may have brought about is held
//! against anybody.

use super::finding::Finding;
use super::results::RunResults;
use crate::base::Time;
use crate::event::Event;
use crate::session::Sessions;

/// What was seen of the rules.
#[derive(Clone, Debug, Default)]
pub struct Conformance {}

impl Conformance {
    /// Takes in an event that `sessions` has taken in already.
    pub fn push(&mut self, _event: &Event, _sessions: &Sessions) {}

    /// What was found, as of this moment.
    pub fn findings(&self, _run: &RunResults, _end: Time) -> Vec<Finding> {
        Vec::new()
    }
}
