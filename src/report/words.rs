//! Figures, faults and expectations in words: the digits that a person can use, and no more.

mod faults;
mod messages;

pub use faults::fault;

use super::model::{self, Evidence, Figure, Fleet};
use super::table::{NAME, cut_name, width};
use crate::base::units::to_u64;
use crate::base::{RuleId, Side};
use crate::fault::Mechanism;
use crate::measure::Silence;
use crate::profile::{Expectation, Limit, Plan, Statistic};

/// Seconds as people say them: `412 us`, `4.2 ms`, `412 ms`, `3.1 s`, `152 s`, `12 m 30 s`, `2.5 h`.
pub fn seconds(seconds: f64) -> String {
    if seconds <= 0.0 {
        "0 s".into()
    } else if seconds < 0.000_999_5 {
        format!("{:.0} us", seconds * 1e6)
    } else if seconds < 0.00995 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else if seconds < 599.5 {
        format!("{seconds:.0} s")
    } else if seconds < 7_199.5 {
        let whole = seconds.round();
        format!("{:.0} m {:.0} s", (whole / 60.0).floor(), whole % 60.0)
    } else {
        format!("{:.1} h", seconds / 3_600.0)
    }
}

/// A figure beside its limit in seconds: with as many decimals as it takes to tell them apart, where they differ.
pub fn beside(figure: &Figure, limit: f64) -> (String, String) {
    let near = |value: f64| (value != limit && seconds(value) == seconds(limit)).then_some(value);
    let value = match figure {
        Figure::Seconds(exact) => near(*exact),
        Figure::Between { after_s, before_s } => near(*after_s).or(near(*before_s)),
        Figure::Never { never_watched_s } => near(*never_watched_s),
        Figure::Count(_) | Figure::CountBetween { .. } => None,
    };
    let Some(value) = value else { return (told(figure), seconds(limit)) };
    let exact = telling_apart(limit, value);
    let word = |value: f64| if value <= 0.0 { seconds(value) } else { exact(value) };
    let told = match figure {
        Figure::Between { after_s, before_s } => format!("{} to {}", word(*after_s), word(*before_s)),
        Figure::Never { never_watched_s } => format!("never in {}", word(*never_watched_s)),
        Figure::Seconds(_) | Figure::Count(_) | Figure::CountBetween { .. } => word(value),
    };
    (told, word(limit))
}

/// What a piece of evidence says, and the limit that it is held against: `never in 8.0 s, limit 6.0 s`. Where only all
/// together are held against one, it has none.
pub fn against(expectation: &model::Expectation, evidence: &Evidence) -> (String, String) {
    if expectation.is_total && expectation.evidence.len() > 1 {
        return (told(&evidence.value), String::new());
    }
    let (value, limit) = match (evidence.limit_s, evidence.limit) {
        (Some(limit), _) => {
            let (value, limit) = beside(&evidence.value, limit);
            (value, Some(limit))
        }
        (None, limit) => (told(&evidence.value), limit.map(|limit| limit.to_string())),
    };
    (value, limit.map_or(String::new(), |limit| format!(", limit {limit}")))
}

/// What was measured of an expectation, as [`beside`] the limit of what speaks against it.
pub fn measured(expectation: &model::Expectation) -> Option<String> {
    let limit = expectation.evidence.iter().find_map(|evidence| evidence.limit_s);
    let of = |figure: &Figure| limit.map_or_else(|| told(figure), |limit| beside(figure, limit).0);
    expectation.measured.as_ref().map(of)
}

/// What there is instead of evidence for an expectation.
pub fn unspoken(expectation: &model::Expectation) -> &str {
    expectation.silence.as_deref().unwrap_or("nothing was seen that speaks to it")
}

/// Why no sample speaks to an expectation.
pub fn silence(plan: &Plan, silence: Silence) -> String {
    match silence {
        Silence::FellOnNobody(rule) => format!("{} fell on no device", rule_name(plan, rule)),
        Silence::EndedByHub(connects) => format!(
            "the hub ended {} without a CONNACK, before the device had given up",
            count(connects, "connect")
        ),
    }
}

/// The same as [`seconds`] without decimals where the seconds are whole, as keep-alives are: `2 s`.
pub fn whole_seconds(whole: f64) -> String {
    let text = seconds(whole);
    match text.strip_suffix(".0 s") {
        Some(number) if whole.fract() == 0.0 => format!("{number} s"),
        Some(_) | None => text,
    }
}

/// A device whose name is another's in another run.
pub fn in_run(name: &str, run: usize) -> String {
    format!("{name} (run {run})")
}

/// The first names, at most so many, of `all` that there are: `a, b and 3 more`.
pub fn names(names: &[&str], most: usize, all: usize) -> String {
    let shown: Vec<String> = names.iter().take(most).map(|name| cut_name(name, NAME)).collect();
    match all.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The same with as many of the `first` names as fit into so many characters, at least one; more than [`most_within`] are not
/// asked for.
pub fn names_within(first: &[&str], all: usize, room: usize) -> String {
    let told = |most| names(first, most, all);
    let most = (1..=first.len().min(most_within(room))).rfind(|most| width(&told(*most)) <= room);
    told(most.unwrap_or(1))
}

/// The most names that so many characters hold: a name and its comma are three at the least.
pub fn most_within(room: usize) -> usize {
    room / 3 + 1
}

/// A figure in a table: `3.1 s`, `2.0 to 8.6 s`, `never (8.0 s)`, `not seen`, `31`, `2 so far`,
/// `0 to 3`.
pub fn figure(figure: &Figure) -> String {
    match figure {
        Figure::Seconds(exact) => seconds(*exact),
        Figure::Between { after_s, before_s } => between(*after_s, *before_s),
        Figure::Never { never_watched_s } if *never_watched_s <= 0.0 => "not seen".into(),
        Figure::Never { never_watched_s } => format!("never ({})", seconds(*never_watched_s)),
        Figure::Count(count) => count.to_string(),
        Figure::CountBetween { at_least, at_most: None } => format!("{at_least} so far"),
        Figure::CountBetween { at_least, at_most: Some(at_most) } => {
            perhaps(*at_least, at_most.saturating_sub(*at_least))
        }
    }
}

/// A number of things, and of how many it is not known whether these are more: `2`, `2 to 5`.
pub fn perhaps(known: u64, more: u64) -> String {
    if more == 0 { known.to_string() } else { format!("{known} to {}", known.saturating_add(more)) }
}

/// A figure in a sentence: `never in 8.0 s`.
pub fn told(value: &Figure) -> String {
    match value {
        Figure::Never { never_watched_s } if *never_watched_s > 0.0 => {
            format!("never in {}", seconds(*never_watched_s))
        }
        Figure::Never { .. }
        | Figure::Seconds(_)
        | Figure::Between { .. }
        | Figure::Count(_)
        | Figure::CountBetween { .. } => figure(value),
    }
}

fn between(after: f64, before: f64) -> String {
    let (mut from, mut to) = (seconds(after), seconds(before));
    if from == to && after != before {
        let exact = telling_apart(after, before);
        (from, to) = (exact(after), exact(before));
    }
    match (from.rsplit_once(' '), to.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} to {to}"),
        _ => format!("{from} to {to}"),
    }
}

/// Seconds in words, with as many decimals as it takes to tell these two apart.
fn telling_apart(one: f64, other: f64) -> impl Fn(f64) -> String {
    let (unit, scale) = if one < 0.9995 { ("ms", 1e3) } else { ("s", 1.0) };
    let words = move |value: f64, decimals: usize| format!("{:.decimals$} {unit}", value * scale);
    // Nanoseconds are the last digit of either.
    let decimals = (1..=9).find(|decimals| words(one, *decimals) != words(other, *decimals)).unwrap_or(9);
    move |value| words(value, decimals)
}

/// From the least to the most, in seconds: `2.0 to 2.4 s`, or `2.0 s` where both read alike.
pub fn range(least: f64, most: f64) -> String {
    if seconds(least) == seconds(most) { seconds(most) } else { between(least, most) }
}

/// A span in keep-alives: `1.5 K`, or for a bracket `1.0 to 1.5 K`.
pub fn keep_alives(lower: Option<f64>, upper: f64) -> String {
    match lower {
        None => format!("{upper:.1} K"),
        Some(lower) if lower < 0.05 => format!("0 to {upper:.1} K"),
        Some(lower) => format!("{lower:.1} to {upper:.1} K"),
    }
}

/// So many things: `1 link`, `3 links`.
pub fn count(number: u64, thing: &str) -> String {
    let ending = match (number, thing.ends_with("ch"), thing.ends_with('y')) {
        (1, _, _) => return format!("1 {thing}"),
        (_, true, _) => "es",
        (_, _, true) => return format!("{number} {}ies", thing.trim_end_matches('y')),
        (_, false, false) => "s",
    };
    format!("{number} {thing}{ending}")
}

/// The same of things in memory.
pub fn many(number: usize, thing: &str) -> String {
    count(to_u64(number), thing)
}

/// How many devices there were: `3 devices`; `3 devices, 20 links without MQTT`.
pub fn devices(fleet: &Fleet) -> String {
    let devices = many(fleet.devices, "device");
    match fleet.links_without_mqtt {
        0 => devices,
        links => format!("{devices}, {} without MQTT", count(links, "link")),
    }
}

/// What a fault, by its key, waited for in vain.
pub fn nothing_met(fault: &str) -> &'static str {
    match fault {
        "refuse" | "reject" => "no connect met it",
        "token_expiry" => "no token expired",
        "cut_after" => "no link came to so many bytes",
        "idle_timeout" => "no link was idle for so long",
        "takeover" => "the hub accepted no other client",
        _ => "no packet met it",
    }
}

/// What a means does to the peers: the fidelity, in words.
pub fn means(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Filter => "dropped by a socket filter: nothing acknowledged",
        Mechanism::MinTtl => "dropped by minimum TTL: nothing acknowledged",
        Mechanism::Gate => "bytes held: TCP still acknowledged",
        Mechanism::Lane => "bytes delayed: TCP itself is sound",
        Mechanism::Linger => "RST sent",
        Mechanism::Shutdown => "FIN sent",
        Mechanism::Parked => "left half-open",
        Mechanism::Unnotified => "FIN sent without close_notify",
        Mechanism::Alert => "TLS alert sent, then FIN",
        Mechanism::Truncated => "part of a TLS record sent, then FIN",
        Mechanism::Record => "one TLS record damaged",
        Mechanism::Handshake => "made in the TLS handshake",
        Mechanism::RandomFilter => "segments dropped at random by a socket filter: sent again by TCP",
        Mechanism::Shaper => "bytes let through slowly: TCP itself is sound",
        Mechanism::Packets => "packets worked on: TCP itself is sound",
        Mechanism::Injected => "a packet put in: TCP itself is sound",
        Mechanism::HalfShut => "FIN sent, and still heard",
        Mechanism::Closed => "SYN answered with RST",
        Mechanism::Rejected => "CONNACK that refuses sent, then FIN",
        Mechanism::Disconnected => "DISCONNECT sent, then FIN",
        Mechanism::Rival => "taken over by another client",
    }
}

/// Whom a FIN did not reach, and why.
pub fn waits(to: Side) -> &'static str {
    match to {
        Side::Device => "a FIN not sent: the device took nothing",
        Side::Hub => "a FIN not sent: the hub took nothing",
    }
}

/// What connects met at the listener, and by what means.
pub fn vanished(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Filter => "connects vanished (socket filter)",
        Mechanism::MinTtl => "connects vanished (minimum TTL)",
        Mechanism::Closed => "connects refused (listener closed)",
        _ => "connects vanished",
    }
}

/// An expectation: `device_detection of dark, p95 <= 1.5 keepalive`.
pub fn expectation(plan: &Plan, expectation: &Expectation) -> String {
    let of = expectation.of.map_or(String::new(), |rule| format!(" of {}", rule_name(plan, rule)));
    let client = expectation.client.as_ref().map_or(String::new(), |client| format!(" of clients {client}"));
    let limit = match expectation.limit {
        Limit::Span(span) => span.to_string(),
        Limit::Number(number) => number.to_string(),
    };
    let statistic = statistic(expectation.statistic);
    let comparison = expectation.comparison.sign();
    format!("{}{of}{client}, {statistic} {comparison} {limit}", expectation.metric)
}

/// The name of a rule.
pub fn rule_name(plan: &Plan, rule: RuleId) -> String {
    plan.rule(rule).map_or_else(|| rule.to_string(), |rule| rule.id.clone())
}

fn statistic(statistic: Statistic) -> String {
    match statistic {
        Statistic::Max => "max".into(),
        Statistic::Min => "min".into(),
        Statistic::Percentile(percent) => format!("p{percent}"),
        Statistic::Sum => "sum".into(),
        Statistic::Count => "count".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensible_digits_on_both_sides_of_each_step() {
        for (value, shown) in [
            (0.0, "0 s"),
            (0.000_412, "412 us"),
            (0.000_999, "999 us"),
            (0.000_999_6, "1.0 ms"),
            (0.001, "1.0 ms"),
            (0.009_94, "9.9 ms"),
            (0.009_96, "10 ms"),
            (0.412, "412 ms"),
            (0.999_4, "999 ms"),
            (0.999_6, "1.0 s"),
            (3.12, "3.1 s"),
            (99.94, "99.9 s"),
            (99.96, "100 s"),
            (599.4, "599 s"),
            (599.6, "10 m 0 s"),
            (750.0, "12 m 30 s"),
            (9_000.0, "2.5 h"),
        ] {
            assert_eq!(seconds(value), shown);
        }
        assert_eq!(figure(&Figure::Between { after_s: 2.0, before_s: 8.6 }), "2.0 to 8.6 s");
        assert_eq!(figure(&Figure::Between { after_s: 0.2, before_s: 8.6 }), "200 ms to 8.6 s");
        assert_eq!(figure(&Figure::Between { after_s: 2.01, before_s: 2.04 }), "2.01 to 2.04 s");
        assert_eq!(
            figure(&Figure::Between { after_s: 0.000_1, before_s: 0.000_100_3 }),
            "0.1000 to 0.1003 ms"
        );
    }

    #[test]
    fn a_figure_that_rounds_to_its_limit_is_told_from_it() {
        let never = |never_watched_s| Figure::Never { never_watched_s };
        let between = |after_s, before_s| Figure::Between { after_s, before_s };
        for (figure, limit, told) in [
            (Figure::Seconds(8.000_4), 8.0, ("8.0004 s", "8.0000 s")),
            (Figure::Seconds(8.0), 8.0, ("8.0 s", "8.0 s")),
            (Figure::Seconds(8.06), 8.0, ("8.1 s", "8.0 s")),
            (Figure::Seconds(0.412_1), 0.412, ("412.1 ms", "412.0 ms")),
            (Figure::Seconds(750.2), 750.0, ("750.2 s", "750.0 s")),
            (never(7.98), 8.0, ("never in 7.98 s", "8.00 s")),
            (never(0.0), 8.0, ("not seen", "8.0 s")),
            (between(0.0, 8.01), 8.0, ("0 s to 8.01 s", "8.00 s")),
            (Figure::Count(8), 8.0, ("8", "8.0 s")),
        ] {
            assert_eq!(beside(&figure, limit), (told.0.into(), told.1.into()));
        }
    }

    #[test]
    fn things_are_counted() {
        assert_eq!((count(1, "link"), count(2, "link")), ("1 link".into(), "2 links".into()));
    }
}
