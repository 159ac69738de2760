//! The devices over the whole report, and how their links ended.

use super::{MOST_ROWS, WORST, header, heading};
use crate::report::model::{Device, Quantiles, Report};
use crate::report::table::{Cell, Styling, Tone, WIDTH, lay_out, width};
use crate::report::words::{self, count, many, seconds, whole_seconds};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// One row a device; of many, those that were down the longest.
pub(super) fn section(report: &Report, styling: Styling) -> String {
    if report.devices.is_empty() {
        return heading("devices", "none was seen", styling);
    }
    let fleet = &report.fleet;
    let busiest = format!("busiest second: {}", count(fleet.connect_rate, "connect"));
    let mut out = heading("devices", &busiest, styling);
    let mut rows = vec![header(&["device", "keep-alive", "links", "down", "ping p50", "p99", "late"])];
    let mut shown: Vec<&Device> = report.devices.iter().collect();
    if shown.len() > MOST_ROWS {
        out += &worst(&mut shown);
    }
    rows.extend(shown.into_iter().map(row));
    out += &lay_out(&rows, styling);
    out
}

/// Leaves the few of many that were down the longest, or else those with the slowest pings; answers with which.
fn worst(devices: &mut Vec<&Device>) -> String {
    let all = devices.len();
    let slowest = |device: &Device| device.ping_rtt.as_ref().map_or(0.0, |ping| ping.p99_s);
    let down = |device: &Device| device.down_s.unwrap_or_default();
    let was_down = devices.iter().any(|device| down(device) > 0.0);
    if was_down {
        devices.sort_by(|a, b| down(b).total_cmp(&down(a)));
    } else {
        devices.sort_by(|a, b| slowest(b).total_cmp(&slowest(a)));
    }
    devices.truncate(WORST);
    if was_down {
        format!("  the {WORST} longest down of {all}\n")
    } else {
        format!("  none of {all} was down; the {WORST} with the slowest pings\n")
    }
}

fn row(device: &Device) -> Vec<Cell> {
    let keep_alive = match device.keep_alive_s {
        _ if device.without_mqtt => "no MQTT".into(),
        // No CONNECT has told it.
        _ if device.named_by_address => "-".into(),
        known if known > 0.0 => whole_seconds(known),
        _ => "none".into(),
    };
    let rtt =
        |of: fn(&Quantiles) -> f64| device.ping_rtt.as_ref().map_or("-".into(), |ping| seconds(of(ping)));
    let late = if device.keepalive_violations > 0 { Tone::Bad } else { Tone::Faint };
    vec![
        Cell::plain(&device.name),
        Cell::plain(keep_alive),
        Cell::plain(device.links.to_string()),
        Cell::plain(device.down_s.map_or("-".into(), seconds)),
        Cell::plain(rtt(|ping| ping.p50_s)),
        Cell::plain(rtt(|ping| ping.p99_s)),
        Cell::new(device.keepalive_violations.to_string(), late),
    ]
}

/// The hubs that devices dialled, where there are several: the most links first, with as many names as there is room for.
pub(super) fn hubs(report: &Report, styling: Styling) -> String {
    let mut hubs: BTreeMap<&str, (u64, Vec<&str>)> = BTreeMap::new();
    for device in &report.devices {
        for (hub, links) in &device.hubs {
            let (all, names) = hubs.entry(hub).or_default();
            *all += links;
            names.push(&device.name);
        }
    }
    if hubs.len() < 2 {
        return String::new();
    }
    let all = many(hubs.len(), "hub");
    let mut hubs: Vec<_> = hubs.into_iter().collect();
    hubs.sort_by_key(|(_, (links, _))| Reverse(*links));
    let title = if hubs.len() > MOST_ROWS { format!("the {MOST_ROWS} most dialled of {all}") } else { all };
    let row = |(hub, (links, names)): &(&str, (u64, Vec<&str>))| {
        let links = count(*links, "link");
        let room = WIDTH.saturating_sub(2 + width(hub) + 2 + width(&links) + 2);
        let names = words::names_within(names, names.len(), room);
        vec![Cell::plain(*hub), Cell::plain(links), Cell::new(names, Tone::Faint)]
    };
    let rows: Vec<Vec<Cell>> = hubs.iter().take(MOST_ROWS).map(row).collect();
    heading("hubs dialled", &title, styling) + &lay_out(&rows, styling)
}

/// A way in which links ended.
struct Ending<'a> {
    cause: &'a str,
    links: u64,
    names: Vec<&'a str>,
}

/// How links ended, the most frequent way first, with as many names as there is room for.
pub(super) fn endings(report: &Report, styling: Styling) -> String {
    let endings = by_frequency(report);
    let number = |ending: &Ending<'_>| ending.links.to_string();
    let numbers = endings.iter().map(|ending| number(ending).len()).max().unwrap_or(0);
    let causes = endings.iter().map(|ending| width(ending.cause)).max().unwrap_or(0);
    let room = WIDTH.saturating_sub(2 + numbers + 2 + causes + 2);
    let row = |ending: &Ending<'_>| {
        let names = words::names_within(&ending.names, ending.names.len(), room);
        vec![Cell::plain(number(ending)), Cell::plain(ending.cause), Cell::new(names, Tone::Faint)]
    };
    let rows: Vec<Vec<Cell>> = endings.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    heading("how links ended", "", styling) + &lay_out(&rows, styling)
}

fn by_frequency(report: &Report) -> Vec<Ending<'_>> {
    let mut by_cause: BTreeMap<&str, Ending<'_>> = BTreeMap::new();
    for device in &report.devices {
        for (cause, links) in &device.ends {
            let ending = by_cause.entry(cause).or_insert(Ending { cause, links: 0, names: Vec::new() });
            ending.links += links;
            ending.names.push(&device.name);
        }
    }
    let mut endings: Vec<Ending<'_>> = by_cause.into_values().collect();
    // Stable: equals stay in the order of their names.
    endings.sort_by_key(|ending| Reverse(ending.links));
    endings
}
