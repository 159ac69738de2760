//! Floor 3: measures, as a fold over events.
//!
//! Owns how long each end took to notice, how each device came back, how links ended, and whether the expectations
//! of the plan are met. [`Measures`] takes in events and keeps facts; [`Measures::results`] judges them. Invariant: a
//! value says no more than was seen: brackets and nevers stay what they are, and nothing is averaged. Deliberately
//! absent: words and layout (report/), any reading of files (cli/).
//!
//! ```text
//! events -> fold (facts) -> judge -> results -> expect (verdicts)
//!                             |
//!         detection, recovery, backoff, cause
//! ```
//!
//! Memory grows with the links and windows of the run (some 700 bytes a link, 200 more with TLS), not with its packets.

pub(crate) mod azure;
pub(crate) mod backoff;
mod beside;
pub(crate) mod cause;
pub(crate) mod compare;
mod conformance;
mod crowd;
mod delivery;
mod detection;
pub(crate) mod diagnosis;
pub(crate) mod distribution;
mod ends;
pub(crate) mod expect;
pub(crate) mod facts;
pub(crate) mod finding;
mod firings;
pub(crate) mod fleet;
mod fold;
pub(crate) mod handshakes;
mod held_up;
mod judge;
pub(crate) mod nameless;
mod packets;
mod rate;
mod recovery;
mod refusals;
pub(crate) mod results;
mod so_far;
pub(crate) mod tls;
pub(crate) mod together;
mod tokens;
pub(crate) mod told;
mod trouble;
pub(crate) mod value;
mod whole;
pub(crate) mod wire;

pub use backoff::{BackOff, Shape};
pub use cause::Cause;
pub use delivery::DeliveryResults;
pub use detection::Noticed;
pub use distribution::Distribution;
pub use expect::{Evidence, Judgement, Silence, Verdict, judge};
pub use facts::{RoundTrips, Showed, Sign};
pub use finding::{Class, Finding, Grade, Seen};
pub use fleet::{FiringResults, FleetResults, Held};
pub use fold::Measures;
pub use handshakes::{Attempt, AttemptEnd, Handshakes};
pub use held_up::HeldUp;
pub use packets::{Alterations, KeepAlive};
pub use rate::ConnectRate;
pub use results::{
    DeviceResults, LinkEnd, Outcome, Results, RuleResults, RunResults, Sample, Skipped, WindowResults,
};
pub use so_far::SoFar;
pub use tls::{Timings, TlsResults};
pub use together::{Fleet, Who};
pub use told::Ended;
pub use trouble::{Captured, Trouble};
pub use value::Value;

#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
mod tests;
