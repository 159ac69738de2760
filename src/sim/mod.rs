//! Floor 6: the whole of a run without sockets and without waiting: devices, paths, brownout's engine and the hub, in virtual
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

mod scenario;
mod sight;

pub use scenario::{Kernel, Link, Scenario};
pub use sight::{Carried, Sight};
