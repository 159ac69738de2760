//! What the measures of a run came to, and of several runs together.

use super::azure::Entry;
use super::backoff::BackOff;
use super::cause::Cause;
use super::delivery::DeliveryResults;
use super::detection::Noticed;
use super::facts::RoundTrips;
use super::finding::Finding;
use super::fleet::FleetResults;
use super::handshakes::Handshakes;
use super::packets::{Alterations, KeepAlive};
use super::tls::{Timings, TlsResults, TlsTimes};
use super::trouble::Trouble;
use super::value::{Value, distance};
use super::wire::{WireResults, WireTotals};
use crate::base::{DeviceId, Ends, LinkId, RuleId, Side, Time, Ways, WindowId};
use crate::event::{Count, Dropped, EndReason, RunStarted, Samples};
use crate::fault::{Fidelity, Mechanism};
use crate::mqtt::Version;
use crate::profile::Metric;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The results of one or several runs of a plan, in the order of their beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// One entry a run.
    pub runs: Vec<RunResults>,
}

impl Results {
    /// Of one run.
    pub fn of(run: RunResults) -> Results {
        Results { runs: vec![run] }
    }

    /// Both together; whichever is merged into whichever, the result is the same.
    #[must_use]
    pub fn merge(mut self, other: Results) -> Results {
        self.runs.extend(other.runs);
        self.runs.sort_by(RunResults::order);
        self
    }
}

/// The results of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResults {
    /// How it began; `None` for a log without its first event.
    pub started: Option<RunStarted>,
    /// Why it ended; `None` while it lasts, or for a log that was cut off.
    pub ended: Option<EndReason>,
    /// How long it lasted; of a later part of its log, how long that did. What was before is known there, and not counted:
    /// links, ends, connects and times are those of the part.
    pub lasted: Duration,
    /// How many events it had.
    pub events: u64,
    /// Its devices, by number.
    pub devices: BTreeMap<DeviceId, DeviceResults>,
    /// Its windows, by number.
    pub windows: BTreeMap<WindowId, WindowResults>,
    /// The samples of measures that are kept one by one.
    pub samples: Vec<Sample>,
    /// What each rule did, for those that did anything.
    pub rules: BTreeMap<RuleId, RuleResults>,
    /// The most connects of all devices in any one second.
    pub connect_rate: u64,
    /// Connects whose device was never known (no CONNECT came).
    pub nameless_links: u64,
    /// How each link of a device ended, device by device, oldest first.
    pub ends: Vec<LinkEnd>,
    /// Outages that no window explains, in which the device tried again.
    pub outages: Vec<OtherOutage>,
    /// All devices together.
    pub fleet: FleetResults,
    /// What was seen of TLS and WebSocket.
    pub tls: TlsResults,
    /// What went wrong around the measures.
    pub trouble: Trouble,
    /// What a tap saw in all, where there was one.
    pub wire: Option<WireTotals>,
    /// What was found out, the gravest first.
    pub findings: Vec<Finding>,
    /// Devices that were back without their session so shortly before the end that it is not known whether they subscribe
    /// again.
    pub undecided: u64,
}

/// What a rule did beside its windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleResults {
    /// How often it fired.
    pub fired: u64,
    /// Firings by the run's clock that were left out, where any were.
    pub skipped: Option<Skipped>,
    /// How many firings fell on nobody.
    pub idle: u64,
    /// For a rule that fires after a packet and not by chance: how often it fell on each device that it may fall on.
    pub fell: BTreeMap<DeviceId, u64>,
    /// How many firings found this known device without a link.
    pub missed: BTreeMap<DeviceId, u64>,
    /// By what means connects vanished for it.
    pub vanished: Vec<Mechanism>,
    /// How many of their packets the kernel dropped, SYNs above all, where it counts that.
    pub vanished_packets: Option<u64>,
    /// Why they were met with silence instead.
    pub mute_refused: Vec<String>,
}

/// Firings by the run's clock that brownout came to too late, and left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub firings: u64,
    /// How late it was, at worst.
    pub late: Duration,
}

/// One sample of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Of what.
    pub metric: Metric,
    /// Its value.
    pub value: Value,
    /// Whose; `None` for one of the whole fleet.
    pub device: Option<DeviceId>,
    /// In which window; `None` for an outage that no fault made.
    pub window: Option<WindowId>,
    /// Of which rule.
    pub rule: Option<RuleId>,
    /// The keep-alive that limits in keep-alives are resolved with.
    pub keep_alive: Duration,
}

/// The end of a link, or a connect that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// The link.
    pub link: LinkId,
    /// Its device.
    pub device: DeviceId,
    /// When it was opened.
    pub opened: Time,
    /// When a CONNACK accepted it.
    pub accepted: Option<Time>,
    /// When it was over, for whichever end first; `None` while it is open, and for one that ended with the run.
    pub over: Option<Time>,
    /// The event that opened it.
    pub opened_seq: u64,
    /// The first event that shows its end.
    pub over_seq: Option<u64>,
    /// The rule whose fault held on it last: what became of it then may be that fault's doing.
    pub under: Option<RuleId>,
    /// How it ended.
    pub cause: Cause,
    /// As what Azure IoT Hub would log it.
    pub logged: Option<Entry>,
}

/// An outage that no fault window explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherOutage {
    /// Whose.
    pub device: DeviceId,
    /// The link that was lost.
    pub link: LinkId,
    /// When it was over for the device.
    pub over: Time,
    /// Connects until accepted (or until the end).
    pub attempts: u64,
    /// How the device waited between them.
    pub back_off: BackOff,
}

/// A device over the run.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceResults {
    /// Its name.
    pub name: String,
    /// Its latest keep-alive; zero for none.
    pub keep_alive: Duration,
    /// The one that spans are reckoned with: the plan's default, where it has none.
    pub reckoned: Duration,
    /// How many links it opened.
    pub links: u64,
    /// How many of them a CONNACK accepted.
    pub accepted: u64,
    /// Whether it had a link that was accepted, then or before what is measured began.
    pub was_there: bool,
    /// How long it was down in all: from the start of a fault that cost it its link, or from a link's end without
    /// DISCONNECT, to the next CONNACK or the end. Overlapping outages count once. `None` where it is not known which links are
    /// its own.
    pub down: Option<Duration>,
    /// What passed.
    pub count: Ways<Count>,
    /// Round trips of its PINGREQs.
    pub ping_rtt: Samples,
    /// Round trips of its QoS 1 and 2 PUBLISH packets.
    pub publish_rtt: Samples,
    /// Those of both during which no fault held.
    pub sound: RoundTrips,
    /// Gaps between its packets on a sound path.
    pub control_gap: Samples,
    /// Gaps over its keep-alive [MQTT-3.1.2-23].
    pub violations: u64,
    /// How its links ended, and how many so.
    pub causes: BTreeMap<Cause, u64>,
    /// The hubs that it dialled, and how many of its links went to each; none where it dialled brownout.
    pub hubs: BTreeMap<String, u64>,
    /// Connects to the hub and TLS handshakes of its links.
    pub timings: Timings,
    /// The subject of the certificate that it presented last.
    pub subject: Option<String>,
    /// Whether its name is its address, since no CONNECT of its was seen.
    pub by_address: bool,
    /// Whether that is since none of its links spoke MQTT: it may be anything.
    pub without_mqtt: bool,
    /// The protocol version of its latest CONNECT; `None` where none was seen.
    pub version: Option<Version>,
    /// Whether that left its client identifier to the hub: if it does so again, its next link is another device's.
    pub unnamed: bool,
    /// Whether it is several devices behind the address that is its name, as they were seen to send in turn.
    pub several: bool,
    /// How many of its links had their TLS passed through.
    pub passed_through: u64,
    /// Its latest keep-alive, where a fault or the profile made it another on the way.
    pub rewritten: Option<KeepAlive>,
    /// What became of its messages.
    pub delivery: DeliveryResults,
}

/// A fault window, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowResults {
    /// Its rule.
    pub rule: RuleId,
    /// Its device.
    pub device: DeviceId,
    /// From when the fault held; `None` if it fell on no link.
    pub start: Option<Time>,
    /// When the path was restored; `None` for a window that was open at the end.
    pub closed: Option<Time>,
    /// The keep-alive its spans were resolved with.
    pub keep_alive: Duration,
    /// The keep-alive that the hub goes by, where that is another.
    pub hub_keep_alive: Option<Duration>,
    /// Whether that is the stated default.
    pub assumed: bool,
    /// How it was really made.
    pub fidelities: BTreeSet<Fidelity>,
    /// By what means, by leg.
    pub means: Ends<Vec<Mechanism>>,
    /// Whether it held bytes of a link that was there when it came, not only of later connects.
    pub held_found: bool,
    /// Why it was not made on some links.
    pub refused: Vec<String>,
    /// What it did to the device's link.
    pub outcome: Outcome,
    /// What each end showed.
    pub noticed: Ends<Noticed>,
    /// From the start to the next CONNACK accepted, where the link was lost.
    pub downtime: Option<Value>,
    /// From the path restored to the next CONNACK accepted, where the device was not back before.
    pub recovery: Option<Value>,
    /// Whether the connect that brought the device back was made while a blackhole held, and waited in brownout.
    pub connect_waited: bool,
    /// Other rules whose faults held on the device during that recovery.
    pub held_by: BTreeSet<RuleId>,
    /// Of a device that was not back: for how long, up to the end, no fault had kept it away; `None` where one still did.
    pub unhindered: Option<Duration>,
    /// Connects until accepted (or until the end).
    pub attempts: u64,
    /// How the device waited between them.
    pub back_off: BackOff,
    /// How the link that the fault found ended, where it was lost or ended otherwise.
    pub end: Option<Cause>,
    /// Round trips while the fault held.
    pub round_trips: RoundTrips,
    /// What the kernel dropped for it of what each end sent, where it counts that.
    pub dropped: Ends<Option<Dropped>>,
    /// What the device did in a fault of handshakes.
    pub handshakes: Option<Handshakes>,
    /// What it did to packets, where its fault is one of packets.
    pub altered: Option<Alterations>,
    /// Connects that it refused, where its fault is one of connects and that was seen.
    pub refused_connects: Option<u64>,
    /// What a tap saw of it, where there was one and it saw anything.
    pub wire: Option<WireResults>,
    /// The same fault on later links of the device, each judged, where it falls on each link by itself.
    pub later: Vec<WindowResults>,
}

/// What a window did to its device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device had no link when it opened.
    NoLink,
    /// The link outlived it.
    Survived,
    /// The link ended while it held, and not by it: another fault cut it, or, of a fault that leaves links up, an end gave it
    /// up.
    EndedOtherwise,
    /// The link was lost, and the device was back before the path was restored.
    BackBefore,
    /// The link was lost, and the device came back after the path was restored.
    Back,
    /// The link was lost, and the device was not back by the end.
    Gone,
    /// What its fault waits for did not come, though the device had a link: no packet that it falls on, no connect, no
    /// expiry.
    NothingMet,
    /// Which of a device's later links was its way back cannot be told: it came without a client identifier, or several are
    /// behind its address. Or its handshakes met the fault, and whether it was down cannot be told.
    Unknown,
}

impl Outcome {
    /// Whether the link was lost to the fault, or may have been.
    pub fn is_a_loss(self) -> bool {
        match self {
            Outcome::BackBefore | Outcome::Back | Outcome::Gone | Outcome::Unknown => true,
            Outcome::NoLink | Outcome::Survived | Outcome::EndedOtherwise | Outcome::NothingMet => false,
        }
    }
}

impl DeviceResults {
    /// Whether its name is an identifier that it gave itself. Else it is its address, or what a hub called it, and says nothing
    /// of a device of that name elsewhere.
    pub fn says_who_it_is(&self) -> bool {
        !self.by_address && !self.unnamed
    }

    /// Whether it is known which links are its own, so that a loss of one has a way back.
    pub fn is_followed(&self, is_back: bool) -> bool {
        !self.several && (is_back || !self.unnamed)
    }
}

impl RunResults {
    /// The name of a device of this run.
    pub fn name(&self, device: DeviceId) -> &str {
        self.devices.get(&device).map_or("?", |device| &device.name)
    }

    /// The order of runs in a report. Runs that began alike are told apart by whatever tells them apart.
    fn order(&self, other: &RunResults) -> Ordering {
        let began = |run: &RunResults| run.started.as_ref().map(|run| (run.wall_clock.clone(), run.seed));
        let told = |run: &RunResults| format!("{run:?}");
        let by_start =
            (began(self), self.lasted, self.events).cmp(&(began(other), other.lasted, other.events));
        by_start.then_with(|| told(self).cmp(&told(other)))
    }
}

impl DeviceResults {
    /// The TLS handshakes of its links on this side.
    pub fn tls(&self, side: Side) -> &TlsTimes {
        self.timings.tls.get(side)
    }
}

impl WindowResults {
    /// Whether its device had no link, or nothing but an attempt under way. (A fault of handshakes waits for links.)
    pub fn found_nobody(&self) -> bool {
        self.outcome == Outcome::NoLink && self.refused.is_empty()
    }

    /// From one end's sign to the other's, where both are known.
    pub fn split_view(&self) -> Option<Value> {
        let Ends { device, hub } = &self.noticed;
        device.sign.and(hub.sign)?;
        distance(device.detection?, hub.detection?)
    }
}
