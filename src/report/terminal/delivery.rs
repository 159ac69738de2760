//! The messages: how many were sent, and what became of them.

use super::{MOST_ROWS, WORST, header, heading};
use crate::report::model::{Delivery, DeliveryCounts, Device, Report};
use crate::report::table::{Cell, Styling, Tone, lay_out, wrap};
use crate::report::words::count;
use std::cmp::Reverse;

/// The section, where messages were followed.
pub(super) fn section(report: &Report, styling: Styling) -> String {
    let Some(all) = &report.fleet.delivery else { return String::new() };
    let mut shown: Vec<(&str, &Delivery)> = report.devices.iter().filter_map(named).collect();
    let mut out = heading("messages", "up to the hub, down to the device", styling);
    let rows_of = |of: &[(&str, &Delivery)]| -> Vec<Vec<Cell>> {
        of.iter().flat_map(|(name, delivery)| rows(name, delivery)).collect()
    };
    let mut table = rows_of(&shown);
    if table.len() > MOST_ROWS {
        let devices = shown.len();
        shown.sort_by_key(|(_, delivery)| Reverse(trouble(delivery)));
        shown.truncate(WORST);
        out +=
            &format!("  all of {devices} devices, and the {WORST} with the most lost or passed on twice\n");
        table = rows("all", all);
        table.extend(rows_of(&shown));
    }
    table.insert(
        0,
        header(&["device", "way", "QoS", "sent", "received", "again", "twice", "lost", "in flight"]),
    );
    out += &lay_out(&table, styling);
    for (name, delivery) in shown {
        for told in beside(delivery) {
            out += &wrap("  ", &format!("{name}: {told}"));
        }
    }
    out
}

fn named(device: &Device) -> Option<(&str, &Delivery)> {
    device.delivery.as_ref().map(|delivery| (device.name.as_str(), delivery))
}

/// One row a way and quality of service.
fn rows(name: &str, delivery: &Delivery) -> Vec<Vec<Cell>> {
    let ways = [("up", &delivery.up), ("down", &delivery.down)];
    let every = ways.into_iter().flat_map(|(way, counts)| (0..3).map(move |qos| (way, counts, qos)));
    every
        .filter(|(_, counts, qos)| counts.sent[*qos] + counts.lost[*qos] + counts.unfollowed[*qos] > 0)
        .map(|row| cells(name, row))
        .collect()
}

fn cells(name: &str, (way, counts, qos): (&str, &DeliveryCounts, usize)) -> Vec<Cell> {
    let toned = |shown: String, tone| {
        let tone = if shown == "0" { Tone::Faint } else { tone };
        Cell::new(shown, tone)
    };
    vec![
        Cell::plain(name),
        Cell::plain(way),
        Cell::plain(qos.to_string()),
        Cell::plain(counts.sent[qos].to_string()),
        Cell::plain(counts.received(qos)),
        toned(counts.retransmitted(qos), Tone::Normal),
        toned(counts.duplicated(qos), Tone::Bad),
        toned(counts.lost(qos), Tone::Bad),
        toned(counts.in_flight(qos), Tone::Normal),
    ]
}

fn trouble(delivery: &Delivery) -> u64 {
    let of = |counts: &DeliveryCounts| -> u64 {
        counts.lost.iter().chain(&counts.duplicated).chain(&counts.missing).sum()
    };
    of(&delivery.up) + of(&delivery.down)
}

/// What has no place in the table.
fn beside(delivery: &Delivery) -> Vec<String> {
    let mut told = Vec::new();
    for (way, counts) in [("up", &delivery.up), ("down", &delivery.down)] {
        if let Some(missing) = counts.missing.filter(|missing| *missing > 0) {
            told.push(format!("the numbers in the payloads leave {missing} out, {way}"));
        }
        if let Some(repeated) = counts.repeated.filter(|repeated| *repeated > 0) {
            told.push(format!("{} in the payloads came before, {way}", count(repeated, "number")));
        }
        let unfollowed: u64 = counts.unfollowed.iter().sum();
        if unfollowed > 0 {
            let messages = count(unfollowed, "message");
            told.push(format!("{messages} {way} on links that ended: what became of them is not known"));
        }
    }
    let dropped = delivery.dropped_offline.map(|dropped| format!(", and had dropped {dropped}"));
    if let Some(queued) = delivery.queued_offline.filter(|queued| *queued > 0) {
        let messages = count(queued, "message");
        told.push(format!("once back, sent {messages} that it had kept{}", dropped.unwrap_or_default()));
    }
    told
}
