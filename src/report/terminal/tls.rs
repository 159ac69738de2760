//! What was seen of TLS and WebSocket: how long handshakes took, what they agreed on, and what failed.

use super::{MOST_ROWS, header, heading};
use crate::report::model::{Quantiles, Report, Tls, TlsLeg, TlsListener};
use crate::report::table::{Cell, Styling, Tone, cut, lay_out, wrap};
use crate::report::words::{count, seconds};

/// So many reasons of failures, paths and listeners are told.
const MOST_TOLD: usize = 5;
/// So many characters of a reason or a path are; peers may send any number.
const MOST_WORDS: usize = 240;

/// The section; nothing where there was neither.
pub(super) fn section(report: &Report, styling: Styling) -> String {
    let Some(tls) = &report.tls else { return String::new() };
    let passed = match tls.links_passed_through {
        0 => String::new(),
        links => format!("{} passed through", count(links, "link")),
    };
    let mut out = heading("tls", &passed, styling);
    for listener in tls.listeners.iter().take(MOST_TOLD) {
        out += &wrap("  ", &terms(listener));
    }
    out += &more(tls.listeners.len(), "listener");
    out += &times(report, tls, styling);
    for (with, leg) in [("devices", &tls.with_devices), ("the hub", &tls.with_hub)] {
        out += &leg.as_ref().map_or(String::new(), |leg| suites(with, leg));
    }
    out += &failures(tls);
    out += &web_sockets(tls);
    out + &certificates(report, styling)
}

/// `127.0.0.1:8883 to hub:8883: TLS with devices, and TLS again to the hub`
fn terms(listener: &TlsListener) -> String {
    let TlsListener { address, upstream, mode, hub_unverified, key_log: _ } = listener;
    let unverified = if *hub_unverified { ", its certificate NOT VERIFIED" } else { "" };
    format!("{address} to {upstream}: {}{unverified}", mode.words())
}

/// A row for each kind of handshake, and one for connects.
fn times(report: &Report, tls: &Tls, styling: Styling) -> String {
    let mut rows = vec![header(&["", "number", "resumed", "p50", "p95", "max"])];
    let row = |what: &str, number: u64, resumed: String, time: Option<&Quantiles>| {
        let at = |of: fn(&Quantiles) -> f64| {
            time.map_or_else(|| Cell::new("-", Tone::Faint), |time| Cell::plain(seconds(of(time))))
        };
        let (p50, p95, max) = (at(|time| time.p50_s), at(|time| time.p95_s), at(|time| time.max_s));
        vec![Cell::plain(what), Cell::plain(number.to_string()), Cell::plain(resumed), p50, p95, max]
    };
    for (what, leg) in [("handshakes: devices", &tls.with_devices), ("handshakes: hub", &tls.with_hub)] {
        rows.extend(leg.as_ref().map(|leg| row(what, leg.handshakes, resumed(leg), leg.time.as_ref())));
    }
    let connects = report.fleet.connect_time.as_ref();
    rows.extend(
        connects.map(|connects| row("connects to the hub", connects.count, "-".into(), Some(connects))),
    );
    if rows.len() == 1 {
        return String::new();
    }
    lay_out(&rows, styling)
}

/// `12 of 15 (80 %)`
fn resumed(leg: &TlsLeg) -> String {
    // A share of at most 1: the product is at most 100 times a count.
    let percent = (u128::from(leg.resumed) * 200 + u128::from(leg.handshakes))
        .checked_div(u128::from(leg.handshakes) * 2)
        .unwrap_or(0);
    format!("{} of {} ({percent} %)", leg.resumed, leg.handshakes)
}

/// `with devices: 12 TLS 1.3 TLS13_AES_128_GCM_SHA256, 3 TLS 1.2 ...`
fn suites(with: &str, leg: &TlsLeg) -> String {
    let told = |suite: &crate::report::model::Suite| {
        format!("{} {} {}", suite.handshakes, suite.version, suite.cipher)
    };
    let mut all: Vec<String> = leg.suites.iter().take(MOST_TOLD).map(told).collect();
    if let Some(more) = leg.suites.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        all.push(format!("and {more} more"));
    }
    wrap("  ", &format!("with {with}: {}", all.join(", ")))
}

fn failures(tls: &Tls) -> String {
    let mut out = String::new();
    for failure in tls.failures.iter().take(MOST_TOLD) {
        let times = if failure.times > 1 { format!("{} times ", failure.times) } else { String::new() };
        out += &wrap(
            "  ",
            &format!("failed {times}with the {}: {}", failure.side.word(), cut(&failure.error, MOST_WORDS)),
        );
    }
    let rest: u64 = tls.failures.iter().skip(MOST_TOLD).map(|failure| failure.times).sum();
    match rest + tls.other_failures {
        0 => out,
        more => out + &format!("  failed {more} times more for other reasons\n"),
    }
}

fn web_sockets(tls: &Tls) -> String {
    let mut out = String::new();
    for socket in tls.web_sockets.iter().take(MOST_TOLD) {
        let protocol =
            socket.protocol.as_ref().map_or("no subprotocol".into(), |it| format!("subprotocol {it}"));
        let links = count(socket.links, "link");
        out += &wrap("  ", &format!("WebSocket: {links} at {}, {protocol}", cut(&socket.path, MOST_WORDS)));
    }
    let rest: u64 = tls.web_sockets.iter().skip(MOST_TOLD).map(|socket| socket.links).sum();
    match rest + tls.other_web_sockets {
        0 => out,
        more => out + &format!("  WebSocket: {} more at other paths\n", count(more, "link")),
    }
}

/// Who presented which certificate.
fn certificates(report: &Report, styling: Styling) -> String {
    let shown =
        || report.devices.iter().filter_map(|device| Some((device, device.certificate_subject.as_ref()?)));
    let all = shown().count();
    if all == 0 {
        return String::new();
    }
    let mut rows = vec![header(&["device", "certificate"])];
    let row = |(device, subject): (&crate::report::model::Device, &String)| {
        vec![Cell::plain(&device.name), Cell::plain(subject)]
    };
    rows.extend(shown().take(MOST_ROWS).map(row));
    let rest = all.saturating_sub(MOST_ROWS);
    let rest = if rest > 0 { format!("  and {rest} more\n") } else { String::new() };
    lay_out(&rows, styling) + &rest
}

fn more(all: usize, thing: &str) -> String {
    match all.saturating_sub(MOST_TOLD) {
        0 => String::new(),
        more => format!("  and {}\n", super::many(more, &format!("more {thing}"))),
    }
}
