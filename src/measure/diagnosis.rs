//! Patterns over a run: what its figures say together, with probable causes and what to do.

use super::finding::Finding;
use super::results::RunResults;
use crate::profile::Plan;

/// What the results show.
pub fn findings(_run: &RunResults, _plan: &Plan) -> Vec<Finding> {
    Vec::new()
}
