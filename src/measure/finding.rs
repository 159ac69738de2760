//! What is found out about a run, beside its figures: what is wrong, how that is known, what to do.

use crate::base::{DeviceId, Time};

/// What a finding is about. Classes are never mixed in one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A MUST of the specification was not kept.
    Violation,
    /// How an end found out that the link was dead.
    Detection,
    /// How a device came back.
    Recovery,
    /// What became of messages.
    Loss,
}

impl Class {
    /// All of them, in the order of reports.
    pub const ALL: [Class; 4] = [Class::Violation, Class::Detection, Class::Recovery, Class::Loss];

    /// Its name in reports.
    pub fn word(self) -> &'static str {
        match self {
            Class::Violation => "violation",
            Class::Detection => "detection",
            Class::Recovery => "recovery",
            Class::Loss => "loss",
        }
    }
}

/// How grave. The order is that of verdicts: the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Nothing is wrong, and that was seen.
    Pass,
    /// Too few samples, or no evidence, to say.
    Inconclusive,
    /// Worth a look.
    Warn,
    /// Wrong.
    Fail,
}

impl Grade {
    /// Its name in reports.
    pub fn word(self) -> &'static str {
        match self {
            Grade::Pass => "pass",
            Grade::Inconclusive => "inconclusive",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        }
    }
}

/// Something that is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, in kebab case, the same for all findings of a kind: `pingresp-not-awaited`.
    pub id: &'static str,
    /// What it is about.
    pub class: Class,
    /// How grave.
    pub grade: Grade,
    /// Whose; `None` for the whole fleet or the hub.
    pub device: Option<DeviceId>,
    /// What was seen, in a sentence.
    pub seen: String,
    /// Where: events, at most `MOST_EVIDENCE` of them.
    pub evidence: Vec<Seen>,
    /// How often in all.
    pub count: u64,
    /// How many devices it stands for, where it sums up those of a kind that are not told one by one; else 0.
    pub summed_up: u64,
    /// Its probable cause, in a sentence.
    pub cause: String,
    /// What to do, in a sentence.
    pub advice: String,
    /// The rule of the specification, or of the hub's vendor, that it goes by: `MQTT-3.1.2-23`, or where no rule
    /// has a number, the section: `MQTT 5.0 section 3.14`.
    pub rule: Option<&'static str>,
}

/// The most events that a finding names.
pub const MOST_EVIDENCE: usize = 8;

/// An event that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The event's number.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// What it shows, in a few words.
    pub what: String,
}
