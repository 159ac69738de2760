//! Floor 8: choosing a keep-alive, and proving it.
//!
//! Owns the parameters of a sweep, what becomes of each combination of them in simulated time, the ways to show that, and what
//! is advised; how the idle timeout of a path is closed in on; and how a live run is held against a prediction.
//!
//! Invariant: figures are folds over what a simulated run shows ([`crate::sim::Sight`]) or a real one measured; a figure that
//! nothing speaks to is `None`, and a device that never notices counts as `never`, not as a time. Pure: threads, files and
//! sockets are in cli/keepalive.
//!
//! Deliberately absent: any machine of its own for devices, hubs or faults.

pub(crate) mod access;
pub mod advise;
pub(crate) mod aspect;
pub mod axes;
pub mod clients;
pub mod evaluate;
pub mod expect;
pub(crate) mod figure;
pub mod forms;
pub(crate) mod hubs;
pub mod idle;
pub mod live;
pub mod model;
pub(crate) mod outages;
pub(crate) mod pareto;
pub(crate) mod tally;

#[cfg(test)]
mod fixtures;
