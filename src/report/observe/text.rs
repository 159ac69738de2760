//! The summary and single ends as text: at most 80 columns, the same form each time, no colours: for a terminal and for a
//! pipe alike.

use super::{Anchor, EndCount, NewFinding, Over, Summary, Way};
use crate::base::text::printable;
use crate::report::model::Quantiles;
use crate::report::table::{NAME, WIDTH, cut_name, wrap};
use crate::report::words::{count, perhaps, seconds};

/// The least that is left of a name.
const LEAST_NAME: usize = 12;

/// `09:00:05Z  sensor-7  keep-alive timeout (404104), 12 m 30 s`: always one line; the name gives way to what happened.
pub fn end_line(over: &Over, anchor: Anchor) -> String {
    let (cause, entry) = over.kind;
    let code = entry.and_then(|entry| Some((entry.code?.number(), entry.nearest)));
    let what = format!("{cause}{}, {}", in_parentheses(code), seconds(over.lasted.as_secs_f64()));
    let time = anchor.told_briefly(over.at);
    let used = time.chars().count() + what.chars().count() + 4;
    let room = WIDTH.saturating_sub(used).clamp(LEAST_NAME, NAME);
    format!("{time}  {}  {what}\n", cut_name(&printable(&over.device), room))
}

/// The block of an interval, or one line where it was quiet.
pub fn summary_lines(summary: &Summary) -> String {
    if summary.is_quiet() && summary.kind == "interval" {
        return head(summary, &format!("quiet{}", quiet(summary)));
    }
    let mut out = head(summary, &coming(summary));
    let told = [
        ("ended", ended(summary)),
        ("outages", outages(summary)),
        ("median rtt", round_trips(summary)),
        ("messages", messages(summary)),
        ("keep-alive", violations(summary)),
        ("held up", held_up(summary)),
    ];
    for (what, text) in told.into_iter().filter(|(_, text)| !text.is_empty()) {
        out += &wrap(&format!("  {what:<12}"), &text);
    }
    for finding in &summary.findings {
        out += &wrap("  new finding ", &printable(&found(finding)));
    }
    out
}

/// `warn resubscribes sensor-7 and 3 more: It ...`
fn found(finding: &NewFinding) -> String {
    let whose = finding.device.as_deref().map_or(String::new(), |name| format!(" {}", cut_name(name, NAME)));
    let more =
        if finding.more_devices > 0 { format!(" and {} more", finding.more_devices) } else { String::new() };
    format!("{} {}{whose}{more}: {}", finding.grade, finding.id, finding.seen)
}

/// `2026-11-21 09:00:05Z  12 of 14 connected, quiet`
fn head(summary: &Summary, rest: &str) -> String {
    let most = if summary.forgotten > 0 { "at most " } else { "" };
    let who = format!("{} of {most}{} connected", summary.connected, summary.seen);
    let what = if summary.kind == "total" {
        format!("in all {}: ", seconds(summary.until_s))
    } else {
        String::new()
    };
    wrap(&format!("{}  ", summary.time), &format!("{what}{who}, {rest}"))
}

fn quiet(summary: &Summary) -> String {
    let round_trips =
        Some(round_trips(summary)).filter(|told| !told.is_empty()).map(|told| format!(", {told}"));
    let sent = summary.messages.up.sent + summary.messages.down.sent;
    let sent = (sent > 0).then(|| format!(", {}", count(sent, "message")));
    let down = (summary.down > 0).then(|| format!(", {}", still_down(summary)));
    [round_trips, sent, down].into_iter().flatten().collect()
}

fn coming(summary: &Summary) -> String {
    let mut told = count(summary.links, "link") + " opened";
    if summary.connect_rate > 1 {
        told += &format!(" ({}/s)", summary.connect_rate);
    }
    if summary.kind == "total" && summary.findings_so_far > 0 {
        told += &format!(", {}", count(summary.findings_so_far, "finding"));
    }
    told
}

fn ended(summary: &Summary) -> String {
    let of = |end: &EndCount| {
        let code = end.azure_code.map(|code| (code, end.nearest));
        format!("{}{} {}", end.cause, in_parentheses(code), end.count)
    };
    let more = |number: u64, what: &str| (number > 0).then(|| format!("{what} {number}"));
    let mut all: Vec<String> = summary.ended.iter().map(of).collect();
    all.extend(more(summary.other_ends, "others"));
    all.extend(more(summary.without_connect, "without CONNECT"));
    all.join(", ")
}

/// ` (404104)`; of one that is only the nearest known, ` (404104?)`.
fn in_parentheses(code: Option<(u32, bool)>) -> String {
    match code {
        None => String::new(),
        Some((code, false)) => format!(" ({code})"),
        Some((code, true)) => format!(" ({code}?)"),
    }
}

fn outages(summary: &Summary) -> String {
    let over = summary.worst_outage_s.zip(summary.worst_outage_device.as_deref()).map(|(worst, device)| {
        let device = cut_name(&printable(device), NAME);
        format!("{} over (worst {}, {device})", summary.outages, seconds(worst))
    });
    let still = (summary.down > 0).then(|| still_down(summary));
    over.into_iter().chain(still).collect::<Vec<_>>().join(", ")
}

fn still_down(summary: &Summary) -> String {
    let longest = summary.longest_down_s.zip(summary.longest_down_device.as_deref());
    let longest = longest.map_or(String::new(), |(so_far, device)| {
        format!(" (longest {}, {})", seconds(so_far), cut_name(&printable(device), NAME))
    });
    format!("{} down{longest}", summary.down)
}

fn round_trips(summary: &Summary) -> String {
    let all = [("ping", &summary.ping_rtt), ("publish", &summary.publish_rtt)];
    let told = all.into_iter().filter_map(|(what, rtt)| rtt.as_ref().map(|rtt| times(what, rtt)));
    told.collect::<Vec<_>>().join("; ")
}

/// `ping 1.2 ms, p99 4.5 ms (12)`
fn times(what: &str, rtt: &Quantiles) -> String {
    format!("{what} {}, p99 {} ({})", seconds(rtt.p50_s), seconds(rtt.p99_s), rtt.count)
}

fn messages(summary: &Summary) -> String {
    let of = |name: &str, way: &Way| {
        let lost = perhaps(way.lost, way.unfollowed);
        let more = [
            (lost, "lost"),
            (perhaps(way.duplicated, way.perhaps_duplicated), "duplicated"),
            (way.retransmitted.to_string(), "sent again"),
        ];
        let more = more.into_iter().filter(|(number, _)| number != "0");
        let more: String = more.map(|(number, what)| format!(", {number} {what}")).collect();
        let any = way.sent > 0 || !more.is_empty();
        any.then(|| format!("{} {name}{more}", way.sent))
    };
    let ways = [of("up", &summary.messages.up), of("down", &summary.messages.down)];
    ways.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn violations(summary: &Summary) -> String {
    let number = summary.keepalive_violations;
    if number == 0 {
        return String::new();
    }
    let silence = if number == 1 { "silence" } else { "silences" };
    format!("{number} {silence} longer than the keep-alive")
}

/// `brownout itself, 3 times, worst 412 ms or more: times may be off by as much`
fn held_up(summary: &Summary) -> String {
    let of = |worst: f64| {
        format!(
            "brownout itself, {}, worst {} or more: times may be off by as much",
            count(summary.held_up, "time"),
            seconds(worst)
        )
    };
    summary.worst_held_up_s.map_or(String::new(), of)
}
