//! Floor 7: the whole of a run without sockets and without waiting: devices, paths, brownout's engine and the hub, in virtual
//! time.
//!
//! Owns what net/ and the kernels of three machines do in a real run: connections with their retransmission, what the
//! engine orders about them, and the order in which things happen.
//!
//! ```text
//!  Device ◄──► its TCP ◄──path──► brownout: framer, Engine ◄──► its TCP ◄──path──► Hub
//!                 └───────────────┴──────────── Sight ─────────────────────────────┘
//! ```
//!
//! Invariant: the machines are those of real runs, and know no difference; the same [`Scenario`] gives the same sights. Nothing
//! here measures: [`Sight`]s are what figures are folds over.
//!
//! Deliberately absent: any figure (keepalive/), any clock.

mod arrivals;
mod check;
mod path;
mod queue;
mod relay;
mod scenario;
mod shake;
mod sight;
mod tcp;
mod ways;
mod world;

#[cfg(test)]
mod tests;

use crate::base::Time;

pub use check::check;
pub use scenario::{Kernel, Link, Scenario};
pub use sight::{Carried, Sight};

/// Runs a scenario to its end and shows what happens, in order of time.
///
/// # Errors
/// Nothing is run: what of the plan cannot be simulated, as [`check()`] has it.
pub fn run(scenario: &Scenario, saw: &mut dyn FnMut(Time, Sight<'_>)) -> Result<(), String> {
    check(&scenario.plan)?;
    world::World::new(scenario, saw).run();
    Ok(())
}
