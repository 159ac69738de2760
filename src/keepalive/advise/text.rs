//! An advice for a terminal.

use super::budget::{show_bytes, show_count};
use super::model::{Advice, Candidate, Miss, Simulated, Wish};
use super::reasons::show;
use crate::base::span::show_fixed;
use crate::report::Styling;
use crate::report::table::{Cell, Tone, lay_out, paint, wrap};
use std::time::Duration;

/// The text, in lines of at most 80 columns, with colour if asked for.
pub fn text(advice: &Advice, wish: &Wish, colour: bool) -> String {
    let styling = if colour { Styling::Ansi } else { Styling::Plain };
    let mut out = head(advice, wish, styling);
    out += &setting(advice, wish, styling);
    out += &section("Keep-alives beside each other", styling);
    out += &table(advice, styling);
    out += &simulated(&advice.simulated, styling);
    for (title, sentences) in [
        ("Why it cannot be had", &advice.conflicts),
        ("Why", &advice.reasons),
        ("Take care", &advice.warnings),
        ("Only assumed", &advice.assumptions),
    ] {
        if !sentences.is_empty() {
            out += &section(title, styling);
            sentences.iter().for_each(|sentence| out += &wrap("  - ", sentence));
        }
    }
    out + &sources(wish, styling)
}

fn section(title: &str, styling: Styling) -> String {
    format!("\n{}\n", paint(title, Tone::Strong, styling))
}

fn head(advice: &Advice, wish: &Wish, styling: Styling) -> String {
    let tls = if wish.tls { " with TLS" } else { "" };
    let what = format!("{} at {} over {}{tls}", wish.client.title, wish.hub.title, wish.access.title);
    let mut wanted = vec![format!(
        "a lost link noticed within {} by {}",
        show_fixed(wish.detect_within),
        match wish.detected_by {
            super::DetectedBy::Device => "the device",
            super::DetectedBy::Hub => "the hub",
            super::DetectedBy::Both => "both ends",
        }
    )];
    wanted.extend(advice.data_budget.as_ref().map(|budget| format!("for {budget} at most")));
    wanted.extend(wish.path_idle.map(|idle| format!("on a path that forgets after {}", show_fixed(idle))));
    let mut terms =
        vec![format!("workload {}", advice.workload), format!("round trip {}", show(wish.round_trip))];
    terms.extend((wish.loss > 0.0).then(|| format!("loss {}%", (wish.loss * 10_000.0).round() / 100.0)));
    terms.extend((wish.fleet > 1).then(|| format!("a fleet of {}", show_count(wish.fleet.into()))));
    let faint = |first: &str, text: &str| -> String {
        wrap(first, text).lines().map(|line| paint(line, Tone::Faint, styling) + "\n").collect()
    };
    paint(&wrap("", &what), Tone::Strong, styling)
        + &faint("  wanted: ", &wanted.join(", "))
        + &faint("  given:  ", &terms.join(", "))
}

fn setting(advice: &Advice, wish: &Wish, styling: Styling) -> String {
    let Some(setting) = &advice.setting else {
        return format!("\n  {}\n", paint("No keep-alive meets all of this.", Tone::Bad, styling));
    };
    let waits = match setting.ping_timeout_ns {
        None => "none: the client never looks".to_owned(),
        Some(nanos) if setting.sets_ping_timeout => show(Duration::from_nanos(nanos)),
        Some(nanos) => {
            let rule = wish.client.ping_timeout.value.map(|rule| rule.to_string()).unwrap_or_default();
            format!("{} ({rule}; this client cannot be told another)", show(Duration::from_nanos(nanos)))
        }
    };
    let rows = [
        ("keep-alive", format!("{} s", setting.keep_alive)),
        ("ping timeout", waits),
        ("back-off", setting.back_off.clone()),
    ];
    let cells: Vec<Vec<Cell>> =
        rows.into_iter().map(|(name, value)| vec![Cell::plain(name), Cell::new(value, Tone::Good)]).collect();
    format!("\n{}", lay_out(&cells, styling))
}

fn table(advice: &Advice, styling: Styling) -> String {
    let has_path = advice.path_idle_ns.is_some();
    let has_radio = advice.candidates.iter().any(|candidate| candidate.awake > 0.0);
    let mut heads = vec!["keep-alive", "pings", "waits", "device", "hub", "a month"];
    heads.extend(has_radio.then_some("wake-ups"));
    heads.extend(has_path.then_some("idle left"));
    let mut rows = vec![heads.into_iter().map(|head| Cell::new(head, Tone::Faint)).collect()];
    rows.extend(advice.candidates.iter().map(|candidate| row(candidate, has_radio, has_path)));
    let legend = "> advised, * the client's default, ! misses a target; a month has 30 days";
    lay_out(&right(rows), styling) + &paint(&format!("  {legend}"), Tone::Faint, styling) + "\n"
}

/// All columns flush right.
fn right(rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let columns = rows.first().map_or(0, Vec::len);
    let widest: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(Cell::columns).max().unwrap_or(0))
        .collect();
    let pad = |(nth, cell): (usize, Cell)| cell.flush_right(widest.get(nth).copied().unwrap_or(0));
    rows.into_iter().map(|row| row.into_iter().enumerate().map(pad).collect()).collect()
}

fn row(candidate: &Candidate, has_radio: bool, has_path: bool) -> Vec<Cell> {
    let tone = |miss: Miss| if candidate.misses.contains(&miss) { Tone::Bad } else { Tone::Normal };
    // What is missed is told without colour, too.
    let cell = |text: String, miss: Miss| {
        let mark = if candidate.misses.contains(&miss) { "!" } else { "" };
        Cell::new(format!("{text}{mark}"), tone(miss))
    };
    let time = |nanos: Option<u64>| nanos.map_or("never".into(), |nanos| short(Duration::from_nanos(nanos)));
    let mark = match (candidate.chosen, candidate.is_default) {
        (true, _) => "> ",
        (false, true) => "* ",
        (false, false) => "",
    };
    let name = format!("{mark}{} s", candidate.keep_alive);
    let mut cells = vec![
        Cell::new(name, if candidate.chosen { Tone::Good } else { Tone::Normal }),
        Cell::plain(short(Duration::from_nanos(candidate.ping_interval_ns))),
        cell(time(candidate.ping_timeout_ns), Miss::Wait),
        cell(time(candidate.device_ns), Miss::Device),
        cell(time(candidate.hub_ns), Miss::Hub),
        cell(show_bytes(candidate.bytes), Miss::Budget),
    ];
    if has_radio {
        let never_sleeps = candidate.wake_ups <= 0.0 && candidate.awake > 0.0;
        cells.push(Cell::plain(if never_sleeps {
            "awake".to_owned()
        } else {
            show_count(candidate.wake_ups)
        }));
    }
    if has_path {
        cells.push(cell(margin(candidate.idle_margin_ns), Miss::Path));
    }
    cells
}

/// In one unit, for a column.
fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (value, unit) = match seconds {
        s if s < 1_000.0 => (s, "s"),
        s if s < 36_000.0 => (s / 60.0, "m"),
        s => (s / 3_600.0, "h"),
    };
    let tenths = (value * 10.0).ceil() / 10.0;
    format!("{tenths}{unit}")
}

fn margin(nanos: Option<i64>) -> String {
    match nanos {
        None | Some(i64::MIN) => "none".to_owned(),
        Some(left) => {
            let text = short(Duration::from_nanos(left.unsigned_abs()));
            if left < 0 { format!("-{text}") } else { text }
        }
    }
}

fn simulated(all: &[Simulated], styling: Styling) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut out = section("Simulated", styling);
    for one in all {
        out += &wrap(
            "  - ",
            &format!(
                "{} s over {} with outages `{}`: {}; {} false disconnects, {} connections forgotten.",
                one.keep_alive,
                show_fixed(Duration::from_nanos(one.span_ns)),
                one.outages,
                detections(one),
                one.false_disconnects,
                one.forgotten,
            ),
        );
    }
    out
}

/// What the ends needed, and of how many outages that is known.
fn detections(one: &Simulated) -> String {
    if one.struck == 0 {
        return "none met a link, and nothing is known of detection".to_owned();
    }
    let end = |name: &str, count: u64, longest: Option<u64>| match longest {
        _ if count == 0 => format!("of the {name} nothing is known, whose links lived through them"),
        None => format!("the {name} never noticed some"),
        Some(nanos) if count < one.struck => {
            format!("the {name} needed {} at most in {count} of them", show(Duration::from_nanos(nanos)))
        }
        Some(nanos) => format!("the {name} needed {} at most", show(Duration::from_nanos(nanos))),
    };
    let device = end("device", one.device_count, one.device_ns);
    let hub = end("hub", one.hub_count, one.hub_ns);
    format!("{} met a link, {device}, {hub}", one.struck)
}

fn sources(wish: &Wish, styling: Styling) -> String {
    let mut out = section("Sources", styling);
    for (title, source) in [
        (wish.client.title, wish.client.source),
        (wish.hub.title, wish.hub.source),
        (wish.access.title, wish.access.source),
    ] {
        out += &wrap("  - ", &format!("{title}: {source}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_outage_showed_is_not_told_as_never() {
        let nanos = |seconds: u64| Some(seconds * 1_000_000_000);
        let of = |struck, device: (u64, Option<u64>), hub: (u64, Option<u64>)| {
            detections(&Simulated {
                keep_alive: 60,
                span_ns: 0,
                outages: String::new(),
                struck,
                device_count: device.0,
                device_ns: device.1,
                hub_count: hub.0,
                hub_ns: hub.1,
                false_disconnects: 0,
                forgotten: 0,
            })
        };
        for (told, expected) in [
            (of(0, (0, None), (0, None)), "none met a link, and nothing is known of detection"),
            (
                of(40, (40, nanos(60)), (40, nanos(90))),
                "40 met a link, the device needed 1m at most, the hub needed 1m 30s at most",
            ),
            (
                of(40, (39, nanos(60)), (0, None)),
                "40 met a link, the device needed 1m at most in 39 of them, \
                 of the hub nothing is known, whose links lived through them",
            ),
            (
                of(40, (40, None), (40, nanos(90))),
                "40 met a link, the device never noticed some, the hub needed 1m 30s at most",
            ),
        ] {
            assert_eq!(told, expected);
        }
    }
}
