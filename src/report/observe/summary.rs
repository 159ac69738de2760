//! The summary of an interval, or of all of them, as a model: its JSON is this, its text is made from it.

use super::outages::Outages;
use super::{Anchor, Tally};
use crate::base::Time;
use crate::base::units::to_u64;
use crate::event::Delivery;
use crate::measure;
use crate::report::build::{quantiles, seconds};
use crate::report::model::Quantiles;
use crate::session::Sessions;
use serde::Serialize;
use std::cmp::Reverse;

/// What was seen in an interval. Names of fields end in their units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// `interval`, or `total`.
    pub kind: &'static str,
    /// When it ends, by the wall clock, in UTC.
    pub time: String,
    /// When it began, in the run.
    pub from_s: f64,
    /// When it ends, in the run: how long has been watched.
    pub until_s: f64,
    /// Devices that are connected at its end.
    pub connected: u64,
    /// Devices that have been seen in all. One that was forgotten and came back counts again.
    pub seen: u64,
    /// Devices that were forgotten, of those that went first.
    pub forgotten: u64,
    /// Links opened.
    pub links: u64,
    /// Links that ended and sent no CONNECT that was seen.
    pub without_connect: u64,
    /// How links ended, the most frequent first.
    pub ended: Vec<EndCount>,
    /// Ends of other kinds than there is room for.
    pub other_ends: u64,
    /// Unusual ends at its end that were not told one by one.
    pub ends_not_told: u64,
    /// The most connects in any one second.
    pub connect_rate: u64,
    /// Outages that ended: from losing a link without DISCONNECT to the next CONNACK that accepted the device.
    pub outages: u64,
    /// The longest of them.
    pub worst_outage_s: Option<f64>,
    /// Whose it was.
    pub worst_outage_device: Option<String>,
    /// Devices that are in an outage at its end.
    pub down: u64,
    /// The longest that one of them has been.
    pub longest_down_s: Option<f64>,
    /// Which.
    pub longest_down_device: Option<String>,
    /// Silences of devices that were longer than their keep-alive.
    pub keepalive_violations: u64,
    /// How often brownout itself was held up: times around then may be off by as much.
    pub held_up: u64,
    /// The longest of that: at least so long.
    pub worst_held_up_s: Option<f64>,
    /// When that was over, in the run.
    pub worst_held_up_until_s: Option<f64>,
    /// From PINGREQ to PINGRESP.
    pub ping_rtt: Option<Quantiles>,
    /// From PUBLISH to PUBACK or PUBCOMP.
    pub publish_rtt: Option<Quantiles>,
    /// What became of messages.
    pub messages: Messages,
    /// What was found out for the first time, one entry for each finding; of the totals, nothing: each stands in its interval.
    pub findings: Vec<NewFinding>,
    /// How many findings there were in all, those of each device counted.
    pub findings_so_far: u64,
}

/// How many links ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndCount {
    /// How, in the words of reports.
    pub cause: String,
    /// The error that Azure IoT Hub would log for it.
    pub azure_code: Option<u32>,
    /// Whether that is only the nearest that is known.
    pub nearest: bool,
    /// How many.
    pub count: u64,
}

/// Messages, by their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// From devices.
    pub up: Way,
    /// For devices.
    pub down: Way,
}

/// Messages in one direction, of all qualities of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Way {
    /// Seen from their sender for the first time.
    pub sent: u64,
    /// Sent again, each time.
    pub retransmitted: u64,
    /// Passed on again, each time.
    pub duplicated: u64,
    /// Lost.
    pub lost: u64,
    /// Of which it is not known what became; each may be lost.
    pub unfollowed: u64,
    /// Perhaps passed on again beside those in `duplicated`: their receiver's system had not acknowledged them when its leg went.
    pub perhaps_duplicated: u64,
}

/// A finding that is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewFinding {
    /// Its name.
    pub id: &'static str,
    /// What it is about.
    pub class: &'static str,
    /// `warn` or `fail`.
    pub grade: &'static str,
    /// Whose; `null` for the fleet or the hub. Of several devices, the first.
    pub device: Option<String>,
    /// Of how many more the same was found out in this interval.
    pub more_devices: u64,
    /// What was seen.
    pub seen: String,
}

impl NewFinding {
    pub(super) fn of(finding: &measure::Finding, device: Option<String>) -> NewFinding {
        NewFinding {
            id: finding.id,
            class: finding.class.word(),
            grade: finding.grade.word(),
            device,
            more_devices: finding.summed_up.saturating_sub(1),
            seen: finding.seen.clone(),
        }
    }
}

impl Summary {
    pub(super) fn of(
        tally: &Tally,
        outages: &Outages,
        sessions: &Sessions,
        from: Time,
        until: Time,
        anchor: Anchor,
    ) -> Summary {
        let (down, longest) = outages.still(until, sessions);
        let connected = sessions.devices().filter(|device| sessions.is_up(device)).count();
        Summary {
            kind: "",
            time: anchor.told(until),
            from_s: seconds(from.elapsed()),
            until_s: seconds(until.elapsed()),
            connected: to_u64(connected),
            seen: u64::from(sessions.next_device().0),
            forgotten: sessions.forgotten(),
            links: tally.links,
            without_connect: tally.without_connect,
            ended: ended(tally),
            other_ends: tally.other_ends,
            ends_not_told: 0,
            connect_rate: tally.connect_rate,
            outages: tally.outages,
            worst_outage_s: tally.worst.as_ref().map(|(took, _)| seconds(*took)),
            worst_outage_device: tally.worst.as_ref().map(|(_, name)| name.clone()),
            down,
            longest_down_s: longest.as_ref().map(|(so_far, _)| seconds(*so_far)),
            longest_down_device: longest.map(|(_, name)| name),
            keepalive_violations: tally.violations,
            held_up: tally.held_up.map_or(0, |held_up| held_up.times),
            worst_held_up_s: tally.held_up.map(|held_up| seconds(held_up.worst)),
            worst_held_up_until_s: tally.held_up.map(|held_up| seconds(held_up.worst_until.elapsed())),
            ping_rtt: quantiles([&tally.ping].into_iter()),
            publish_rtt: quantiles([&tally.publish].into_iter()),
            messages: Messages { up: way(&tally.up), down: way(&tally.down) },
            findings: tally.findings.clone(),
            findings_so_far: 0,
        }
    }

    /// Whether nothing came, went, or went wrong.
    pub fn is_quiet(&self) -> bool {
        let Messages { up, down } = self.messages;
        let of_way = |way: Way| way.lost + way.duplicated + way.unfollowed + way.perhaps_duplicated;
        let of_messages = of_way(up) + of_way(down);
        self.links
            + self.without_connect
            + self.other_ends
            + self.keepalive_violations
            + of_messages
            + self.held_up
            == 0
            && self.ended.is_empty()
            && self.findings.is_empty()
    }
}

fn ended(tally: &Tally) -> Vec<EndCount> {
    let of = |((cause, entry), count): (&super::Kind, &u64)| EndCount {
        cause: cause.to_string(),
        azure_code: entry.and_then(|entry| entry.code).map(|code| code.number()),
        nearest: entry.is_some_and(|entry| entry.nearest),
        count: *count,
    };
    let mut ended: Vec<EndCount> = tally.ends.iter().map(of).collect();
    ended.sort_by_key(|end| Reverse(end.count));
    ended
}

fn way(counts: &Delivery) -> Way {
    let sum = |of: [u64; 3]| of.iter().sum();
    Way {
        sent: sum(counts.sent),
        retransmitted: sum(counts.retransmitted),
        duplicated: sum(counts.duplicated),
        lost: sum(counts.lost),
        unfollowed: sum(counts.unfollowed),
        perhaps_duplicated: sum(counts.perhaps_duplicated),
    }
}
