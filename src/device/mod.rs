//! Floor 6: simulated devices, MQTT clients with stated habits, to break links under.
//!
//! Owns how a client pings, waits, gives up, backs off, resends and resubscribes, as data in [`Habits`].
//!
//! ```text
//!            Dial             Connected            CONNACK 0
//!  Waiting ───────► Dialing ────────────► Greeting ──────────► Up
//!     ^                │ failed, too late    │ refused, too late │ dead link noticed, closed
//!     └────────────────┴──────────back-off───┴───────────────────┘          Stop ──► Stopped
//! ```
//!
//! Invariant: [`Device`] is a pure machine; all chance is drawn by (seed, client identifier, nth), so that a fleet
//! behaves alike however its tasks interleave. [`run()`] and [`fleet()`] are the thin shells of sockets around it.
//!
//! Deliberately absent: from the machine TLS, which is the shell's alone; and any knowledge of the proxy: these are real
//! clients and see what such see.

mod backoff;
mod event;
mod fleet;
mod habits;
mod io;
mod link;
mod machine;
mod presets;
mod run;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod traffic;
mod workload;

pub use backoff::{Backoff, BadBackoff, Growth, Jitter, LONGEST_DELAY};
pub use event::{DeviceDid, DeviceEvent, Sign};
pub use fleet::{Fleet, FleetSink, fleet};
pub use habits::{Habits, Leaving, PingRule};
pub use io::{HowClosed, Input, Output};
pub use machine::Device;
pub use presets::Preset;
pub(crate) use run::dial;
pub use run::{DeviceSink, Target, run};
pub(crate) use socket::Open;
pub use tls::{DeviceTls, TlsSettings, Trust};
pub use token::{Renew, Sas};
pub use workload::{BadWorkload, Workload};
