//! How far the figures can be trusted.

use serde::Serialize;
use std::collections::BTreeMap;

/// How far the figures can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uncertainty {
    /// How many values of measures were kept one by one.
    pub values: u64,
    /// How many of them are brackets: the fault hid when it happened, both ends are kept.
    pub bracketed: u64,
    /// Of how many the fault hid whether they happened at all.
    pub hidden: u64,
    /// How many windows were really made in each way (`packet`, `stall`, `stream`), and how many not at all (`refused`); one
    /// made in two ways counts for both.
    pub fidelity: BTreeMap<&'static str, u64>,
    /// What is not in the figures, and why; empty where nothing was dropped.
    pub dropped: Vec<String>,
    /// The times of events.
    pub stamps: Stamps,
    /// How brownout itself was held up; `null` where it was not seen to be.
    pub held_up: Option<HeldUp>,
    /// Round trips and gaps are kept to within this share of each, in histograms.
    pub histogram_error: f64,
}

/// The times of events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stamps {
    /// The clock's resolution, in seconds.
    pub resolution_s: f64,
    /// What a stamp is of, and what it is off by.
    pub taken: &'static str,
    /// How far stamps were off where that was measured: an independent capture of another run.
    pub compared: &'static str,
}

/// How brownout itself was held up: the machine was too busy to run it, or it was stopped, or the machine suspended. Times
/// around then may be off by as much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeldUp {
    /// How often, over all runs.
    pub times: u64,
    /// The longest: at least so many seconds.
    pub worst_s: f64,
    /// In which run, from 1.
    pub worst_run: usize,
    /// When that was over, in the run.
    pub worst_until_s: f64,
}
