//! Floor 4: what is said about a run.
//!
//! Owns the one report model and its forms: JSON, text for a terminal, live progress. Invariant: every form shows the
//! same model, and the model is a fold over events, so that a log renders the same report again. Deliberately absent:
//! any measuring (measure/), any file or terminal (cli/).

mod azure;
mod build;
pub(crate) mod compare;
mod dropped;
mod ending;
pub(crate) mod html;
pub(crate) mod junit;
pub(crate) mod live;
pub(crate) mod model;
mod notes;
pub mod observe;
pub mod pcapng;
pub(crate) mod resource_log;
pub mod scorecard;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod terminal;
pub mod timeline;
mod tls;
mod together;
mod uncertainty;
mod verdicts;
mod wire;
pub(crate) mod words;

pub use compare::Compared;
pub use ending::left_undone;
pub use live::Live;
pub use model::Report;
pub use observe::Observation;
pub use resource_log::ResourceLog;
pub use table::Styling;
pub use timeline::Timeline;

#[cfg(test)]
mod tests;
