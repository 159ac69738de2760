//! The devices over all runs, and how their links ended.

use super::escape::text;
use super::table::{Cell, MOST_ROWS, Table, figures, words};
use crate::report::model::{DeliveryCounts, Device, Quantiles, Report};
use crate::report::words::{self as say, perhaps, seconds, whole_seconds};
use std::collections::BTreeMap;

/// So many names stand beside a way in which links ended.
const NAMED: usize = 6;

pub(super) fn section(report: &Report) -> String {
    let mut shown: Vec<&Device> = report.devices.iter().collect();
    let of = shown.len();
    if of > MOST_ROWS {
        let longest = |device: &Device| device.down_s.unwrap_or_default();
        shown.sort_by(|a, b| longest(b).total_cmp(&longest(a)));
        shown.truncate(MOST_ROWS);
    }
    let table = Table {
        id: "devices",
        caption: "Devices over all runs".into(),
        columns: vec![
            words("device", "its client identifier"),
            words("hubs", "where it was going, and was led to brownout"),
            figures("keep-alive", "its latest"),
            figures("links", "connects that arrived"),
            figures("accepted", "of them, accepted by the hub"),
            figures("down", "time without an accepted link, over all outages"),
            figures("ping p50", "from PINGREQ to PINGRESP: the median"),
            figures("ping p99", "from PINGREQ to PINGRESP: the 99th percentile"),
            figures("PUBLISH p50", "from PUBLISH to PUBACK or PUBCOMP: the median"),
            figures("PUBLISH p99", "from PUBLISH to PUBACK or PUBCOMP: the 99th percentile"),
            figures("late", "gaps longer than the keep-alive on a sound path [MQTT-3.1.2-23]"),
            figures("lost", "messages lost, both ways"),
            figures("packets up", "from the device"),
            figures("packets down", "for the device"),
        ],
        rows: shown.into_iter().map(row).collect(),
        of,
    };
    let body = if of == 0 { "<p>None was seen.</p>\n".into() } else { table.without_empty_columns().html() };
    format!(
        "<section aria-labelledby=\"devices-head\"><h2 id=\"devices-head\">Devices</h2>\n{body}</section>\n"
    )
}

fn row(device: &Device) -> Vec<Cell> {
    let keep_alive = match device.keep_alive_s {
        _ if device.without_mqtt => Cell::text("no MQTT"),
        _ if device.named_by_address => Cell::none(),
        known if known > 0.0 => Cell::figure(whole_seconds(known), known),
        none => Cell::figure("none", none),
    };
    let time = |quantiles: Option<&Quantiles>, of: fn(&Quantiles) -> f64| {
        quantiles.map_or(Cell::none(), |q| Cell::figure(seconds(of(q)), of(q)))
    };
    let late = if device.keepalive_violations > 0 { "never" } else { "" };
    let lost = device.delivery.as_ref().map_or(Cell::none(), |delivery| {
        let all = |of: fn(&DeliveryCounts) -> &[u64; 3]| -> u64 {
            of(&delivery.up).iter().chain(of(&delivery.down)).sum()
        };
        let (lost, unfollowed) = (all(|counts| &counts.lost), all(|counts| &counts.unfollowed));
        Cell { shown: perhaps(lost, unfollowed), ..Cell::number(lost + unfollowed) }.class(if lost > 0 {
            "never"
        } else {
            ""
        })
    });
    vec![
        Cell::text(&device.name).class("name"),
        hubs(device),
        keep_alive,
        Cell::number(device.links),
        Cell::number(device.accepted),
        device.down_s.map_or(Cell::none(), |down| Cell::figure(seconds(down), down)),
        time(device.ping_rtt.as_ref(), |q| q.p50_s),
        time(device.ping_rtt.as_ref(), |q| q.p99_s),
        time(device.publish_rtt.as_ref(), |q| q.p50_s),
        time(device.publish_rtt.as_ref(), |q| q.p99_s),
        Cell::number(device.keepalive_violations).class(late),
        lost,
        Cell::number(device.packets_up),
        Cell::number(device.packets_down),
    ]
}

fn hubs(device: &Device) -> Cell {
    let hubs: Vec<&str> = device.hubs.keys().map(String::as_str).collect();
    if hubs.is_empty() { Cell::none() } else { Cell::text(say::names(&hubs, NAMED, hubs.len())) }
}

/// How links ended, the most frequent way first.
pub(super) fn endings(report: &Report) -> String {
    let mut ways: BTreeMap<&str, (u64, Vec<&str>)> = BTreeMap::new();
    for device in &report.devices {
        for (cause, links) in &device.ends {
            let (all, names) = ways.entry(cause).or_default();
            *all += links;
            names.push(&device.name);
        }
    }
    let mut ways: Vec<_> = ways.into_iter().collect();
    ways.sort_by_key(|(_, (links, _))| std::cmp::Reverse(*links));
    let row = |(cause, (links, names)): &(&str, (u64, Vec<&str>))| {
        let names = say::names(names, NAMED, names.len());
        format!(
            "<tr><td class=\"fig\">{links}</td><td>{}</td><td class=\"faint\">{}</td></tr>\n",
            text(cause),
            text(&names)
        )
    };
    let rows: String = ways.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<section aria-labelledby=\"ends\"><h2 id=\"ends\">How links ended</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"How links ended\"><table><thead><tr>\
         <th scope=\"col\" class=\"fig\">links</th><th scope=\"col\">how</th><th scope=\"col\">of</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>{}</section>\n",
        azure(report)
    )
}

/// The same as Azure IoT Hub would log it.
fn azure(report: &Report) -> String {
    let entries = report.azure.iter().flat_map(|azure| &azure.entries);
    let rows: String = entries
        .map(|entry| {
            let code = entry.code.map_or("no code".into(), |code| code.to_string());
            let nearest = if entry.nearest { " (nearest known)" } else { "" };
            format!(
                "<tr><td class=\"fig\">{}</td><td>{}</td><td>{code} {}{nearest}</td></tr>\n",
                entry.count,
                text(entry.operation),
                text(entry.name.unwrap_or_default())
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<h3>As Azure IoT Hub would log it</h3>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\" class=\"fig\">entries</th>\
         <th scope=\"col\">operation</th><th scope=\"col\">error</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}
