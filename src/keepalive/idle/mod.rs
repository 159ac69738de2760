//! The idle timeout of a path: which idle spans to try, and what their outcomes say.
//!
//! Owns the plan of probes ([`Plan`]), the search that asks for them and closes in ([`Search`]), what is known from the outcomes so
//! far ([`Known`]), and the answer with its words ([`Answer`]).
//!
//! A probe is a connection that is idle for a span and is then asked for a sign of life (PINGREQ). A wave is so many of them at
//! once: the first with spans from the shortest to the longest, each later one splitting the bracket that is left:
//!
//! ```text
//!  wave 1   10 s ── 20 ── 39 ── 78 ── 154 ── 304 ── 602 ── 1200 s     alive to 154, lost from 304
//!  wave 2                             │ 8 spans │                    alive to 237, lost from 254
//!  wave 3                                ││││                        alive to 239, lost from 241
//! ```
//!
//! Invariant: the answer is a bracket whose lower end some probe outlived and whose upper end some probe did not, however the path
//! behaves; where outcomes contradict each other the bracket is around all of them, and says so.
//!
//! Deliberately absent: connections and time (cli/keepalive/path).

mod answer;
mod known;
mod outcome;
mod plan;
mod search;
#[cfg(test)]
mod tests;
mod words;

pub use answer::{Answer, Beside, Circumstances, Company, Findings, Found, Probed, VERSION};
pub use known::{Edge, Known};
pub use outcome::{End, Evidence, Outcome, Void, Witness};
pub use plan::{BadPlan, CONNECTIONS, LONGEST, Plan, SHORTEST, Within};
pub use search::{Order, Search, State, Wave};
pub use words::seconds;
