//! The one report model: what every form of the report shows, and, serialised, report.json.
//!
//! Keys are stable and in snake case. Those that end in `_s` are seconds. A figure ([`Figure`]) is a number of seconds
//! (or of things), or `{"after_s", "before_s"}` for a bracket, or `{"never_watched_s"}` for what did not happen while
//! it was watched. `null` stands for a measure that the window has no value of.

mod field;
mod finding;
mod tls;
mod uncertainty;
mod wire;

pub use field::{Altered, Azure, AzureEntry, FleetFiring};
pub use finding::{ClassVerdict, Delivery, DeliveryCounts, Finding, Seen, Verdicts};
pub use tls::{HandshakeEnd, Handshakes, Suite, Tls, TlsFailure, TlsLeg, TlsListener, WebSocket};
pub use uncertainty::{HeldUp, Stamps, Uncertainty};
pub use wire::{Repeated, Tap, Wire};

use crate::event::EndReason;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the JSON form; it changes when a key changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// A report on one or several runs of a profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The version of this form: `FORMAT`.
    pub format: u32,
    /// What was run.
    pub profile: Profile,
    /// How it came out, in a word.
    pub verdict: Verdict,
    /// Why a run ended before it was through, and what had not come by then; `null` where all were through.
    pub not_through: Option<String>,
    /// How a command beside a run failed; left out where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_failed: Option<String>,
    /// The runs, in the order of their beginning.
    pub runs: Vec<Run>,
    /// The expectations, in the order of the profile.
    pub expectations: Vec<Expectation>,
    /// The rules, in the order of the profile, with their windows.
    pub rules: Vec<Rule>,
    /// The devices over all runs, in order of first appearance.
    pub devices: Vec<Device>,
    /// All devices together.
    pub fleet: Fleet,
    /// A verdict for each class of findings and expectations.
    pub verdicts: Verdicts,
    /// What was found out beside the figures, the gravest first.
    pub findings: Vec<Finding>,
    /// How far the figures can be trusted.
    pub uncertainty: Uncertainty,
    /// What was seen of TLS and WebSocket; `null` where there was neither.
    pub tls: Option<Tls>,
    /// What a tap saw in all; left out where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tap: Option<Tap>,
    /// What the resource log of Azure IoT Hub would say; `null` where no link ended with an error.
    pub azure: Option<Azure>,
    /// What a reader should know before believing a figure: sentences.
    pub notes: Vec<String>,
}

/// The profile of the runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// The symptom it brings about.
    pub reproduces: Option<String>,
}

/// Whether the expectations are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All of them.
    Passed,
    /// Not all of them.
    Failed,
    /// A run ended before it was through; what it would have shown is not known.
    NotThrough,
    /// There are none.
    NoExpectations,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Its number in this report, from 1.
    pub run: usize,
    /// The version of brownout that made it.
    pub version: Option<String>,
    /// Wall-clock time of its beginning (RFC 3339).
    pub wall_clock: Option<String>,
    /// How long after the earliest run it began, by their wall clocks; `null` where one of them is not known.
    pub starts_after_s: Option<f64>,
    /// Its seed.
    pub seed: Option<u64>,
    /// Its overrides of the profile.
    pub overrides: Vec<String>,
    /// How long it lasted.
    pub lasted_s: f64,
    /// Why it ended; `null` for a log that was cut off.
    pub ended: Option<EndReason>,
    /// Its events.
    pub events: u64,
}

/// An expectation, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// In words.
    pub expectation: String,
    /// The measure.
    pub metric: &'static str,
    /// How it came out; only `met` is met.
    pub judgement: Judgement,
    /// How many samples spoke to it.
    pub samples: u64,
    /// Why none did, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<String>,
    /// What the statistic comes to: the sum, the count, or the sample at its rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Figure>,
    /// How many of them are not shown to be as they should.
    pub against: u64,
    /// Those, the worst first, at most 20.
    pub evidence: Vec<Evidence>,
    /// Whether it asks for all samples together, their sum or number, which is of no one sample; not in the JSON, whose words
    /// say it.
    #[serde(skip)]
    pub is_total: bool,
    /// The rule it is of; for pictures, not in the JSON.
    #[serde(skip)]
    pub of: Option<String>,
    /// The limits that samples were held against, in seconds, where it is a time: one for each keep-alive that it is resolved
    /// with, the first few; for pictures, not in the JSON.
    #[serde(skip)]
    pub limits_s: Vec<f64>,
}

/// How an expectation came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The samples show it.
    Met,
    /// The samples show the contrary.
    Unmet,
    /// Brackets and nevers leave it open.
    Inconclusive,
    /// No sample speaks to it.
    NoEvidence,
}

/// A sample that speaks against an expectation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The run, from 1.
    pub run: usize,
    /// The device; `null` for the whole fleet.
    pub device: Option<String>,
    /// When the fault of its window began, in the run.
    pub fault_start_s: Option<f64>,
    /// The value.
    pub value: Figure,
    /// How often it was seen.
    pub count: u64,
    /// The limit for this sample, in seconds, where it is a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_s: Option<f64>,
    /// The limit, where it is a number of things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// Seconds.
    Seconds(f64),
    /// A bracket.
    Between {
        /// Not before this, in seconds.
        after_s: f64,
        /// Not after this, in seconds.
        before_s: f64,
    },
    /// It did not happen.
    Never {
        /// While watched for so long, in seconds; 0 where the fault hid whether it happened.
        never_watched_s: f64,
    },
    /// A number of things.
    Count(u64),
    /// A number of things that is only known within bounds.
    CountBetween {
        /// So many at the least.
        at_least: u64,
        /// So many at the most; left out where what they were counted of was not over by the end of the run.
        #[serde(skip_serializing_if = "Option::is_none")]
        at_most: Option<u64>,
    },
}

/// A rule with its windows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Its fault's key.
    pub fault: &'static str,
    /// Its fault in words.
    pub description: String,
    /// How often it fired, over all runs.
    pub fired: u64,
    /// Firings that were left out, since brownout came to them too late; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// How its fault was really made: `packet`, `stall`, `stream`.
    pub fidelities: Vec<&'static str>,
    /// By what means, in words; also what became of connects, where they vanished.
    pub means: Vec<&'static str>,
    /// Why it was not made on some links.
    pub refused: Vec<String>,
    /// What was done to packets, where its fault is one of packets; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altered: Option<Altered>,
    /// How many connects it refused, where its fault is one of connects and that was seen; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connects_refused: Option<u64>,
    /// Devices that had no link when it fired, by run.
    pub missed: Vec<Missed>,
    /// Its windows, by run and number.
    pub windows: Vec<Window>,
    /// Its measures over all windows, by name.
    pub measures: BTreeMap<&'static str, Summary>,
    /// From PINGREQ to PINGRESP, where the PINGREQ came while the fault held.
    pub ping_rtt: Option<Quantiles>,
    /// From PUBLISH to PUBACK or PUBCOMP, where the answer came while the fault held.
    pub publish_rtt: Option<Quantiles>,
}

/// Firings that were left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// How many, over all runs.
    pub firings: u64,
    /// How late brownout was, at worst.
    pub late_s: f64,
}

/// A device that a rule found without a link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missed {
    /// The run, from 1.
    pub run: usize,
    /// The device's name.
    pub device: String,
    /// At how many firings.
    pub firings: u64,
}

/// A window: one firing on one device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// The run, from 1.
    pub run: usize,
    /// Its number in the run.
    pub window: u64,
    /// The device's name.
    pub device: String,
    /// The keep-alive that its spans were resolved with.
    pub keep_alive_s: f64,
    /// Whether that is the stated default, the device having none.
    pub keep_alive_assumed: bool,
    /// The keep-alive that the hub goes by, where a fault made it another; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub_keep_alive_s: Option<f64>,
    /// From when the fault held; `null` if it fell on no link.
    pub start_s: Option<f64>,
    /// When the path was restored; `null` if it was not by the end.
    pub restored_s: Option<f64>,
    /// What it did: `no_link`, `nothing_met`, `survived`, `ended_otherwise`, `back_before`, `back`, `gone`, `unknown`. Of a
    /// `tls_handshake` fault, `no_link` is that the device began no handshake that met it.
    pub outcome: Outcome,
    /// From the start to the device's sign.
    pub device_detection_s: Option<Figure>,
    /// The same (its upper end) in keep-alives; `null` also where it was told, or has no keep-alive.
    pub device_detection_keepalives: Option<f64>,
    /// From the device's last packet to its sign.
    pub device_silence_s: Option<Figure>,
    /// The same (its upper end) in keep-alives.
    pub device_silence_keepalives: Option<f64>,
    /// The device noticed nothing until brownout told it of the hub's end.
    pub device_told: bool,
    /// From the start to the hub's sign.
    pub hub_detection_s: Option<Figure>,
    /// The same (its upper end) in keep-alives.
    pub hub_detection_keepalives: Option<f64>,
    /// From the last packet for the hub to its sign.
    pub hub_silence_s: Option<Figure>,
    /// The same (its upper end) in keep-alives.
    pub hub_silence_keepalives: Option<f64>,
    /// From one sign to the other.
    pub split_view_s: Option<Figure>,
    /// From the start to the next CONNACK accepted.
    pub downtime_s: Option<Figure>,
    /// From the path restored, or from a fault that leaves the path alone, to the next CONNACK accepted.
    pub recovery_s: Option<Figure>,
    /// The connect that brought it back was made while the fault held, and waited in brownout for the path.
    pub connect_waited: bool,
    /// Other rules whose faults held on the device during the recovery.
    pub recovery_held_by: Vec<String>,
    /// Connects until accepted, or until the end.
    pub connect_attempts: u64,
    /// The shape of the waits between them.
    pub back_off: String,
    /// How the link that the fault found ended, where it was lost or ended otherwise.
    pub link_end: Option<String>,
    /// From PINGREQ to PINGRESP, where the PINGREQ came while the fault held.
    pub ping_rtt: Option<Quantiles>,
    /// From PUBLISH to PUBACK or PUBCOMP, where the answer came while the fault held.
    pub publish_rtt: Option<Quantiles>,
    /// What the device did, where the fault is one of TLS handshakes and met any; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<Handshakes>,
    /// What was done to packets, where the fault is one of packets; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altered: Option<Altered>,
    /// How many connects were refused, where the fault is one of connects and that was seen; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connects_refused: Option<u64>,
    /// What a tap saw, where there was one and it saw anything; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wire: Option<Wire>,
}

impl Window {
    /// Whether the hub's end was passed on to the device before it was seen to have noticed, and too soon, or with too little
    /// to be seen, to say that it had not.
    pub fn is_told(&self) -> bool {
        let unseen =
            matches!(self.device_detection_s, None | Some(Figure::Never { never_watched_s: ..=0.0 }));
        self.device_told && unseen
    }
}

/// What a window did to its device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There was none.
    NoLink,
    /// There was one, and what the fault waits for did not come.
    NothingMet,
    /// It outlived the window.
    Survived,
    /// It ended while the fault held, and not by it: another fault cut it, or, of a fault of packets that leaves links up,
    /// an end gave it up.
    EndedOtherwise,
    /// Lost; the device was back before the path was restored.
    BackBefore,
    /// Lost; the device came back after.
    Back,
    /// Lost; the device was not back by the end.
    Gone,
    /// Handshakes at its address met the fault; which device it was, or whether it was down, cannot be told.
    Unknown,
}

/// Samples that are listed one by one, summed up: nearest-rank percentiles, nothing averaged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many there are.
    pub samples: u64,
    /// How many of them are brackets.
    pub brackets: u64,
    /// How many of them never happened.
    pub never: u64,
    /// Of how many the fault hid whether they happened.
    pub hidden: u64,
    /// The smallest.
    pub min: Figure,
    /// The median.
    pub p50: Figure,
    /// The 95th percentile.
    pub p95: Figure,
    /// The greatest.
    pub max: Figure,
}

/// A distribution, from its histogram at three significant digits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many values there are.
    pub count: u64,
    /// The median.
    pub p50_s: f64,
    /// The 90th percentile.
    pub p90_s: f64,
    /// The 95th percentile.
    pub p95_s: f64,
    /// The 99th percentile.
    pub p99_s: f64,
    /// The greatest.
    pub max_s: f64,
    /// How many were longer than a day, and count as a day.
    pub clipped: u64,
}

/// A device over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its latest keep-alive; 0 for none.
    pub keep_alive_s: f64,
    /// Links opened.
    pub links: u64,
    /// Links accepted by the hub.
    pub accepted: u64,
    /// Down in all: from the start of a fault that cost it its link, or from a link's end without DISCONNECT, to the
    /// next CONNACK or the end. `null` where the device's links are not known for its own.
    pub down_s: Option<f64>,
    /// Bytes from the device.
    pub bytes_up: u64,
    /// Bytes for the device.
    pub bytes_down: u64,
    /// Packets from the device.
    pub packets_up: u64,
    /// Packets for the device.
    pub packets_down: u64,
    /// From PINGREQ to PINGRESP.
    pub ping_rtt: Option<Quantiles>,
    /// Those during which no fault held.
    pub ping_rtt_outside_faults: Option<Quantiles>,
    /// From PUBLISH to PUBACK or PUBCOMP.
    pub publish_rtt: Option<Quantiles>,
    /// Those during which no fault held.
    pub publish_rtt_outside_faults: Option<Quantiles>,
    /// From each of its packets to the next, on a sound path.
    pub control_gap: Option<Quantiles>,
    /// Gaps over its keep-alive.
    pub keepalive_violations: u64,
    /// How its links ended, and how many so.
    pub ends: BTreeMap<String, u64>,
    /// The hubs that it dialled, and how many of its links went to each; left out where it dialled brownout.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hubs: BTreeMap<String, u64>,
    /// Whether its name is its address, since no CONNECT of its was seen.
    pub named_by_address: bool,
    /// Whether that is since none of its links spoke MQTT: it is not among the devices of the fleet.
    pub without_mqtt: bool,
    /// How long brownout's connects to the hub for it took.
    pub connect_time: Option<Quantiles>,
    /// How long its TLS handshakes took; `null` without any.
    pub device_tls_time: Option<Quantiles>,
    /// How long those with the hub for it took.
    pub hub_tls_time: Option<Quantiles>,
    /// The subject of the certificate that it presented last.
    pub certificate_subject: Option<String>,
    /// What became of its messages; `null` where none could be followed.
    pub delivery: Option<Delivery>,
}

/// All devices together. Runs that overlap in time are one fleet: the most connects, the most connected and the dip are over
/// them together, else those of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// How many devices there were; what never spoke MQTT is none.
    pub devices: usize,
    /// Links of what never spoke MQTT.
    pub links_without_mqtt: u64,
    /// Links opened.
    pub links: u64,
    /// Links accepted by the hub.
    pub accepted: u64,
    /// The most connects in any one second.
    pub connect_rate: u64,
    /// The most devices that were connected at once.
    pub most_connected: u64,
    /// How many fewer were connected at the worst moment than at the most before it; who said DISCONNECT is not missed.
    /// `null` where none was accepted.
    pub dip: Option<u64>,
    /// When that was, in its run; of runs that overlap, after the first of them began.
    pub dip_at_s: Option<f64>,
    /// The runs that it is over, from 1; for pictures, not in the JSON.
    #[serde(skip)]
    pub dip_runs: Vec<usize>,
    /// What each firing did that cost devices their links.
    pub firings: Vec<FleetFiring>,
    /// From PINGREQ to PINGRESP.
    pub ping_rtt: Option<Quantiles>,
    /// Those during which no fault held.
    pub ping_rtt_outside_faults: Option<Quantiles>,
    /// From PUBLISH to PUBACK or PUBCOMP.
    pub publish_rtt: Option<Quantiles>,
    /// Those during which no fault held.
    pub publish_rtt_outside_faults: Option<Quantiles>,
    /// From each packet of a device to its next, on a sound path.
    pub control_gap: Option<Quantiles>,
    /// Gaps over the keep-alive.
    pub keepalive_violations: u64,
    /// How long connects to the hub took, of links without a device too.
    pub connect_time: Option<Quantiles>,
    /// What became of the messages of all devices; `null` where none could be followed.
    pub delivery: Option<Delivery>,
}
