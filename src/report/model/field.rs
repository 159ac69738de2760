//! What faults did to packets, what became of the fleet, and what a hub's log would say, in the report model.

use super::Figure;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was done to packets, each counted once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Altered {
    /// How many in all.
    pub packets: u64,
    /// Not passed on.
    pub dropped: u64,
    /// Of those, acknowledged falsely.
    pub falsely_acknowledged: u64,
    /// Made to wait.
    pub delayed: u64,
    /// Passed on more than once.
    pub duplicated: u64,
    /// With fields changed.
    pub edited: u64,
    /// Those changes, each once.
    pub edits: Vec<String>,
    /// With a byte changed.
    pub corrupted: u64,
    /// With the link ended amid them.
    pub cut: u64,
}

/// What a firing did to the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetFiring {
    /// The run, from 1.
    pub run: usize,
    /// The rule.
    pub rule: String,
    /// When its fault fell on the first of them, in the run.
    pub at_s: f64,
    /// How many devices lost their links.
    pub lost: u64,
    /// From the first loss to the last, in seconds.
    pub lost_within_s: f64,
    /// How many were back by the end.
    pub back: u64,
    /// From the path restored until 99 % of them were back.
    pub recovery_s: Option<Figure>,
    /// From the first to the last CONNECT that brought one back.
    pub reconnect_spread_s: Option<Figure>,
    /// How they waited between connects, and how many so.
    pub back_offs: BTreeMap<String, u64>,
}

/// What the resource log of Azure IoT Hub would say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Azure {
    /// Its entries, by kind, the most frequent first.
    pub entries: Vec<AzureEntry>,
    /// When they came, in sentences.
    pub patterns: Vec<String>,
}

/// Entries of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AzureEntry {
    /// `deviceDisconnect`, or `deviceConnect` for a connect that was refused.
    pub operation: &'static str,
    /// The error; `null` for a disconnect without one, and for a refusal that no known code stands for.
    pub code: Option<u32>,
    /// Its name.
    pub name: Option<&'static str>,
    /// Whether it is only the nearest that is known.
    pub nearest: bool,
    /// How many.
    pub count: u64,
}
