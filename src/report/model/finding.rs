//! Findings, verdicts by class, and what became of messages.

use serde::Serialize;

/// What was found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Its kind, in kebab case: `pingresp-not-awaited`.
    pub id: &'static str,
    /// `violation`, `detection`, `recovery`, `loss`.
    pub class: &'static str,
    /// `pass`, `inconclusive`, `warn`, `fail`.
    pub grade: &'static str,
    /// The run, from 1.
    pub run: usize,
    /// The device's name; `null` for the whole fleet or the hub.
    pub device: Option<String>,
    /// What was seen.
    pub seen: String,
    /// How often in all.
    pub count: u64,
    /// Events that show it, a few of them.
    pub evidence: Vec<Seen>,
    /// Its probable cause.
    pub cause: String,
    /// What to do.
    pub advice: String,
    /// The rule of the specification, or of the hub's vendor, that it goes by.
    pub rule: Option<&'static str>,
}

/// An event that shows a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// The event's number in `events.jsonl`.
    pub seq: u64,
    /// When, in the run.
    pub at_s: f64,
    /// What it shows.
    pub what: String,
}

/// A verdict for each class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdicts {
    /// What the verdicts go by: the name of a strictness.
    pub strictness: &'static str,
    /// Whether somebody asked for it; then a class that fails makes the run fail.
    pub asked_for: bool,
    /// A MUST of the specification was not kept.
    pub violation: ClassVerdict,
    /// How ends found out that a link was dead.
    pub detection: ClassVerdict,
    /// How devices came back.
    pub recovery: ClassVerdict,
    /// What became of messages.
    pub loss: ClassVerdict,
}

impl Verdicts {
    /// All four, with their names, in the order of reports.
    pub fn each(&self) -> [(&'static str, &ClassVerdict); 4] {
        [
            ("violation", &self.violation),
            ("detection", &self.detection),
            ("recovery", &self.recovery),
            ("loss", &self.loss),
        ]
    }

    /// The classes that fail, where somebody asked for the strictness that they fail by.
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.each().into_iter().filter(|(_, verdict)| verdict.grade == "fail" && self.asked_for);
        failed.map(|(class, _)| class).collect()
    }
}

/// The verdict of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassVerdict {
    /// `pass`, `inconclusive`, `warn`, `fail`: the worst of its findings and expectations.
    pub grade: &'static str,
    /// Why, in a few words.
    pub why: String,
}

/// What became of messages, both ways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    /// From devices.
    pub up: DeliveryCounts,
    /// For devices.
    pub down: DeliveryCounts,
    /// Messages that devices had kept while they were away, and sent when they were back; `null` where that could not be
    /// told.
    pub queued_offline: Option<u64>,
    /// Numbers that those leave out; `null` where they have none.
    pub dropped_offline: Option<u64>,
}

/// Counts of messages, each by quality of service: 0, 1, 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    /// Seen from their sender for the first time.
    pub sent: [u64; 3],
    /// Passed on to their receiver.
    pub received: [u64; 3],
    /// Whose sender was told so.
    pub completed: [u64; 3],
    /// Sent again, each time.
    pub retransmitted: [u64; 3],
    /// Passed on again, each time.
    pub duplicated: [u64; 3],
    /// Lost.
    pub lost: [u64; 3],
    /// Neither completed nor lost at the end.
    pub in_flight: [u64; 3],
    /// Left behind in flight by ended links, beyond what is followed, or passed on and never acknowledged nor sent again, or come
    /// late on a link that an end had left, or under way to one that had: not known what became of them. At the most, so many
    /// more are lost, and at QoS 0 received; at QoS 1 and 2 also passed on again, or in flight.
    pub unfollowed: [u64; 3],
    /// At QoS 1 and 2, perhaps received beside those in `received`: their receiver's system had not acknowledged them when its
    /// leg went.
    pub perhaps_received: [u64; 3],
    /// Perhaps passed on again beside those in `duplicated`, for the same reason.
    pub perhaps_duplicated: [u64; 3],
    /// Perhaps completed beside those in `completed`, or in flight: their sender may not have got what told it so when its leg went.
    pub perhaps_completed: [u64; 3],
    /// Numbers that the payloads leave out; `null` where they have none.
    pub missing: Option<u64>,
    /// Numbers that came before; `null` where the payloads have none.
    pub repeated: Option<u64>,
}
