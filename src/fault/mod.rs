//! Floor 2: faults as data, and the pure parts that carry them out.
//!
//! Owns the delay model and the delay lane. Invariant: everything here is a function of its arguments; time,
//! random numbers and bytes come in, and nothing is done but what is handed back. Deliberately absent:
//! sockets, clocks, and who is hit when (the engine's business).

pub mod delay;
pub mod lane;
