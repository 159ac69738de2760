//! The sentences: why this setting, what to take care of, and what excludes what. Each shows its arithmetic.

use super::bounds::{Bound, Bounds, Why};
use super::budget::{show_bytes, show_count};
use super::choose::is_unreliable;
use super::detect;
use super::model::{Candidate, Miss, Simulated, Wish};
use super::steady::{connect_bytes, message_bytes, ping_bytes};
use crate::base::span::show_fixed;
use crate::device::{PingRule, Workload};
use std::time::Duration;

/// So many limits from above are told for each from below that excludes them.
const MOST_TOLD: usize = 2;

/// To whole seconds from a minute on, to hundredths below.
pub(super) fn show(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let unit = if millis >= 60_000 { 1_000 } else { 10 };
    show_fixed(Duration::from_millis(millis.div_ceil(unit).saturating_mul(unit)))
}

/// Why this one.
pub(super) fn of(wish: &Wish, bounds: &Bounds, chosen: &Candidate) -> Vec<String> {
    let mut reasons = vec![binds(wish, bounds, chosen)];
    reasons.push(device(wish, chosen.keep_alive));
    reasons.push(hub(wish, chosen.keep_alive));
    reasons.push(wait(wish, chosen.keep_alive));
    reasons.push(data(wish, chosen));
    reasons.extend(path(wish, chosen.keep_alive));
    reasons.extend(radio(wish, chosen));
    reasons
}

/// What sets the keep-alive.
fn binds(wish: &Wish, bounds: &Bounds, chosen: &Candidate) -> String {
    let most = bounds.most().unwrap_or(chosen.keep_alive);
    let by = match bounds.tightest_upper().map(|bound| bound.why) {
        Some(Why::Device) => "the device's detection allows",
        Some(Why::Hub) => "the hub's detection allows",
        Some(Why::Path) => "the path's idle timeout allows",
        Some(Why::HubsMost) | None => "has an effect on this hub",
        Some(Why::ClientsMost) => "the client takes",
        Some(Why::Unreliable) => "is prudent on an unreliable network",
        Some(Why::Budget | Why::Wait | Why::HubsLeast | Why::ClientsLeast) => "is allowed",
    };
    let least = match bounds.least() {
        Some(least) if least > wish.client.takes.least => {
            format!("; from {least} s on the other targets are met")
        }
        Some(_) | None => String::new(),
    };
    let rounded = if most == chosen.keep_alive {
        String::new()
    } else {
        format!(", rounded down to {} s", chosen.keep_alive)
    };
    let why = if bounds.tightest_upper().is_some_and(|bound| bound.why == Why::Unreliable) {
        format!(
            " It is the client's default: where {} of the segments are lost, a greater keep-alive would only make \
             detection slower; a link that is given up too soon wants a longer wait for PINGRESP.",
            percent(wish.loss)
        )
    } else {
        String::new()
    };
    format!(
        "Keep-alive: {most} s is the greatest that {by}{rounded}, and the greatest costs least{least}.{why}"
    )
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 10_000.0).round() / 100.0)
}

fn device(wish: &Wish, keep_alive: u16) -> String {
    let habits = wish.habits(keep_alive);
    let rule = match habits.ping {
        PingRule::WhenIdleOutgoing => "after it has sent nothing for",
        PingRule::WhenIdleIncoming => "after nothing came for",
        PingRule::WhenIdleEither => "after it has sent or received nothing for",
        PingRule::EveryKeepAlive => "each",
        PingRule::Never => "never, in",
    };
    let Some(time) = detect::device(&habits, wish.round_trip) else {
        return format!(
            "Device: it may never notice a half-open link by itself ({}).",
            blind(&habits).unwrap_or("it does not look for PINGRESP")
        );
    };
    let looks = if time.look.is_zero() {
        String::new()
    } else {
        format!(", and twice {} because it looks at its clocks only so often", show(time.look))
    };
    let under_way = if time.under_way.is_zero() {
        String::new()
    } else {
        format!(", and {} for which an answer may have been under way", show(time.under_way))
    };
    let put_off = if time.ping_interval > habits.ping_interval {
        format!(", which messages put off until {} after the last ping,", show(time.ping_interval))
    } else {
        String::new()
    };
    format!(
        "Device: it pings {rule} {}{put_off} and waits {} for the answer: {} + {}{looks}{under_way} is {} at most.",
        show(habits.ping_interval),
        show(time.ping_timeout),
        show(time.ping_interval),
        show(time.ping_timeout),
        show(time.total()),
    )
}

/// Why a device is blind, if it is while it publishes.
fn blind(habits: &crate::device::Habits) -> Option<&'static str> {
    (habits.ping == PingRule::WhenIdleOutgoing && detect::publishes_every(habits).is_some())
        .then_some("each message puts the ping off, and is not answered")
}

fn hub(wish: &Wish, keep_alive: u16) -> String {
    let title = wish.hub.title;
    let Some(borne) = detect::hub(wish.hub, keep_alive) else {
        return format!("Hub: {title} bears silence for ever without a keep-alive.");
    };
    let patience = wish.hub.patience;
    let factor = f64::from(patience.per_mille) / 1_000.0;
    let grace = if patience.grace.is_zero() { String::new() } else { format!(" + {}", show(patience.grace)) };
    let looks = patience.looks(keep_alive);
    let looks =
        if looks.is_zero() { String::new() } else { format!(", and looks each {} only", show(looks)) };
    format!("Hub: {title} bears {factor} x {keep_alive} s{grace} of silence{looks}: {} at most.", show(borne))
}

fn wait(wish: &Wish, keep_alive: u16) -> String {
    let habits = wish.habits(keep_alive);
    let needed = wish.needed(habits.ping_interval);
    let times =
        if needed.losses == 1 { "once".to_owned() } else { format!("{} times in a row", needed.losses) };
    let often = if wish.loss > 0.0 {
        let (often, but) =
            if needed.is_cut { ("more", ", but TCP itself gives up then") } else { ("less", "") };
        let loss = percent(wish.loss);
        format!(" (more often than that {often} than once a year at {loss} of loss{but})")
    } else {
        String::new()
    };
    let is_set = match (wish.client.sets_ping_timeout, habits.ping_timeout) {
        (true, Some(wait)) if wait >= needed.time => format!("{} covers it", show(wait)),
        (true, Some(wait)) => format!("{} does not cover it", show(wait)),
        (false, Some(wait)) if wait >= needed.time => {
            format!("the client's own {} covers it, and cannot be set", show(wait))
        }
        (false, Some(wait)) => format!("the client's own {} does not, and cannot be set", show(wait)),
        (_, None) => "the client never looks".to_owned(),
    };
    format!(
        "Ping timeout: an answer may need {}: a round trip of {}, and {} more where a segment is lost {times}{often}; \
         {is_set}.",
        show(needed.time),
        show(wish.round_trip),
        show(needed.time - wish.round_trip),
    )
}

fn data(wish: &Wish, chosen: &Candidate) -> String {
    let habits = wish.habits(chosen.keep_alive);
    let over = if wish.tls { "TLS, TCP and IP" } else { "TCP and IP" };
    let pings = format!(
        "{} pings in 30 days of {} bytes each with {over}",
        show_count(chosen.pings),
        ping_bytes(wish.tls)
    );
    let steady = wish.steady(chosen.keep_alive);
    let messages = if steady.messages > 0.0 {
        format!(
            ", and {} messages of {} bytes",
            show_count(steady.messages),
            message_bytes(&habits, wish.tls)
        )
    } else {
        String::new()
    };
    let budget = wish.budget.as_ref().map_or(String::new(), |budget| {
        format!(", {:.0}% of the budget of {budget}", chosen.bytes / budget.bytes_a_month * 100.0)
    });
    let again = if wish.loss > 0.0 {
        format!(", without what is sent again at {} of loss", percent(wish.loss))
    } else {
        String::new()
    };
    format!(
        "Data: {pings}{messages}: {}{budget}{again}. A connect costs about {} beside, as much as {} pings.",
        show_bytes(chosen.bytes),
        show_bytes(f64::from(connect_bytes(wish.tls))),
        connect_bytes(wish.tls) / ping_bytes(wish.tls),
    )
}

fn path(wish: &Wish, keep_alive: u16) -> Option<String> {
    let path_idle = wish.path_idle?;
    let gap = wish.steady(keep_alive).longest_gap?;
    let margin = wish.idle_margin(path_idle);
    let why = if margin > wish.needed(path_idle).time {
        "a tenth, because timers of middleboxes and of clients are coarse"
    } else {
        "what a lost ping needs until it is sent again"
    };
    Some(format!(
        "Path: the device is silent for {} at most, the path forgets after {}: {} are left, and {} have to be ({why}). \
         It is the ping interval that counts, not the keep-alive.",
        show(gap),
        show(path_idle),
        show(path_idle.saturating_sub(gap)),
        show(margin),
    ))
}

fn radio(wish: &Wish, chosen: &Candidate) -> Option<String> {
    let tail = wish.access.tail.value?;
    let title = wish.access.title;
    let percent = percent((chosen.awake * 1_000.0).round() / 1_000.0);
    Some(if chosen.wake_ups > 0.0 {
        format!(
            "Radio: over {title} it wakes up {} times in 30 days and stays awake for {} each time: {percent} of the time.",
            show_count(chosen.wake_ups),
            show(tail)
        )
    } else {
        format!(
            "Radio: over {title} it stays awake for {} after each packet, and so never sleeps.",
            show(tail)
        )
    })
}

/// What to take care of.
pub(super) fn warnings(wish: &Wish, chosen: Option<&Candidate>) -> Vec<String> {
    let client = wish.client;
    let mut warnings = Vec::new();
    let default = Candidate::of(wish, client.keep_alive.value);
    if let Some(chosen) = chosen.filter(|chosen| chosen.keep_alive != default.keep_alive) {
        let misses: Vec<&str> = default.misses.iter().map(|miss| missed(*miss)).collect();
        let misses = if misses.is_empty() {
            "meets all that is wanted, too".to_owned()
        } else {
            format!("does not do: {}", misses.join(", "))
        };
        warnings.push(format!(
            "{} begins with a keep-alive of {} s, which {misses}; set {} s.",
            client.title, default.keep_alive, chosen.keep_alive
        ));
    }
    warnings.extend(wish.hub.warning(client.keep_alive.value));
    if let Some(chosen) = chosen {
        warnings.extend(wish.hub.warning(chosen.keep_alive));
        let habits = wish.habits(chosen.keep_alive);
        if blind(&habits).is_some() && detect::device(&habits, wish.round_trip).is_none() {
            warnings.push(format!(
                "{} is blind while it publishes: each message puts the PINGREQ off. Publish with QoS 1 and give up on \
                 what is not acknowledged, or take a client that pings all the same.",
                client.title
            ));
        }
        if chosen.misses.contains(&Miss::Wait) {
            warnings.push(
                "False disconnects have to be expected: a sound path may need longer to answer than the client waits."
                    .to_owned(),
            );
        }
    }
    if let Workload::Publishing { times: Some(times), .. } = wish.workload {
        warnings.push(format!(
            "The workload ends after {times} message{}: what is told is of an idle device, as it is from then on.",
            if times == 1 { "" } else { "s" }
        ));
    }
    if is_unreliable(wish) {
        warnings.push(format!(
            "At {} of loss links will end anyway; a greater keep-alive does not keep them, it only finds out later.",
            percent(wish.loss)
        ));
    }
    if wish.path_idle.is_none() {
        warnings.push(
            "No idle timeout of the path was named (--path-idle); `brownout keepalive path` finds it. Load balancers and \
             NATs forget after 4 to 6 minutes, some sooner."
                .to_owned(),
        );
    }
    warnings.extend(noted(wish.hub.title, wish.hub.note));
    warnings.extend(noted(client.title, client.note));
    warnings
}

fn noted(title: &str, note: &str) -> Option<String> {
    (!note.is_empty()).then(|| format!("{title}: {note}"))
}

fn missed(miss: Miss) -> &'static str {
    match miss {
        Miss::Device => "the device notices too late",
        Miss::Hub => "the hub notices too late",
        Miss::Budget => "it costs too much data",
        Miss::Path => "the path may forget the connection",
        Miss::Wait => "it waits too shortly for PINGRESP",
    }
}

/// Where a simulation of what is advised contradicts it.
pub fn contradictions(wish: &Wish, simulated: &Simulated) -> Vec<String> {
    let ends = [("device", wish.of_device(), simulated.device_ns), ("hub", wish.of_hub(), simulated.hub_ns)];
    let told = ends.into_iter().filter_map(|(end, is_wanted, noticed)| {
        let longest = noticed.map(Duration::from_nanos).filter(|longest| *longest > wish.detect_within);
        longest.filter(|_| is_wanted).map(|longest| {
            format!(
                "In the simulation of {} s the {end} needed {}, and {} are wanted.",
                simulated.keep_alive,
                show(longest),
                show(wish.detect_within)
            )
        })
    });
    told.collect()
}

/// What is only assumed.
pub(super) fn assumptions(wish: &Wish) -> Vec<String> {
    let of = |title: &str, all: Vec<&str>| (!all.is_empty()).then(|| format!("{title}: {}", all.join(", ")));
    let client = of(wish.client.title, wish.client.assumptions());
    let access = of(wish.access.title, wish.access.assumptions());
    client.into_iter().chain(access).collect()
}

/// Each pair of limits that exclude each other, and what could be had.
pub(super) fn conflicts(wish: &Wish, bounds: &Bounds) -> Vec<String> {
    let mut conflicts: Vec<String> =
        bounds.upper.iter().chain(&bounds.lower).filter_map(|bound| impossible(wish, *bound)).collect();
    if !conflicts.is_empty() {
        return conflicts;
    }
    // Of many limits that exclude another, the tightest say it all.
    let mut uppers = bounds.upper.clone();
    uppers.sort_by_key(|bound| bound.keep_alive);
    for lower in &bounds.lower {
        for upper in uppers.iter().take(MOST_TOLD) {
            if let (Some(most), Some(least)) = (upper.keep_alive, lower.keep_alive)
                && least > most
            {
                conflicts.push(excluded(wish, (upper.why, most), (lower.why, least)));
            }
        }
    }
    if let (Some(upper), Some(lower)) = (bounds.most(), bounds.least()) {
        conflicts.push(instead(wish, upper, lower));
    }
    conflicts
}

/// A target that no keep-alive meets.
fn impossible(wish: &Wish, bound: Bound) -> Option<String> {
    if bound.keep_alive.is_some() {
        return None;
    }
    let within = show(wish.detect_within);
    let least = wish.hub.limits().least;
    Some(match bound.why {
        Why::Device => {
            let least = wish.client.takes.least;
            let habits = wish.habits(least);
            match detect::device(&habits, wish.round_trip) {
                None => format!(
                    "{} may never notice a half-open link by itself ({}), whatever its keep-alive.",
                    wish.client.title,
                    blind(&habits).unwrap_or("it does not look for PINGRESP")
                ),
                Some(time) => format!(
                    "{} needs {} at least, with a keep-alive of {least} s, and not {within}.",
                    wish.client.title,
                    show(time.total())
                ),
            }
        }
        Why::Hub => format!(
            "{} needs {} at least, with a keep-alive of {least} s, and not {within}.",
            wish.hub.title,
            show(detect::hub(wish.hub, least).unwrap_or_default())
        ),
        Why::Path => format!(
            "The path forgets a connection after {}, and {} of that have to be left: no ping comes so often.",
            show(wish.path_idle.unwrap_or_default()),
            show(wish.idle_margin(wish.path_idle.unwrap_or_default()))
        ),
        Why::Budget => {
            let least = wish.steady(u16::MAX);
            let (what, way) = match (least.messages > 0.0, least.pings > 0.0) {
                (true, false) => ("The messages alone", "send less"),
                (true, true) => ("The messages, and the pings of the longest keep-alive,", "send less"),
                (false, _) => ("Even the pings of the longest keep-alive", "allow more"),
            };
            format!(
                "{what} cost {} in 30 days, more than {}: no keep-alive helps; {way}.",
                show_bytes(least.bytes),
                wish.budget.as_ref().map(ToString::to_string).unwrap_or_default()
            )
        }
        Why::Wait => "No keep-alive makes the client wait long enough for answers on this path.".to_owned(),
        Why::HubsMost | Why::HubsLeast | Why::ClientsMost | Why::ClientsLeast | Why::Unreliable => {
            return None;
        }
    })
}

fn excluded(wish: &Wish, (above, most): (Why, u16), (below, least): (Why, u16)) -> String {
    let within = show(wish.detect_within);
    let above = match above {
        Why::Device => format!("Detection by the device within {within}"),
        Why::Hub => format!("Detection by the hub within {within}"),
        Why::Path => format!("The path's idle timeout of {}", show(wish.path_idle.unwrap_or_default())),
        Why::Unreliable => "Prudence on an unreliable network".to_owned(),
        Why::HubsMost | Why::Budget | Why::Wait | Why::HubsLeast => {
            format!("The limit of {}", wish.hub.title)
        }
        Why::ClientsMost | Why::ClientsLeast => format!("The limit of {}", wish.client.title),
    };
    let at = Candidate::of(wish, most);
    let (below, price) = match below {
        Why::Budget => {
            let budget = wish.budget.as_ref().map_or(f64::MAX, |budget| budget.bytes_a_month);
            let text = wish.budget.as_ref().map(ToString::to_string).unwrap_or_default();
            (
                format!("a budget of {text}"),
                format!(
                    ", which costs {} in 30 days, {} times the budget",
                    show_bytes(at.bytes),
                    times(at.bytes / budget)
                ),
            )
        }
        Why::Wait => {
            let needed = wish.needed(wish.habits(least).ping_interval);
            (format!("a wait of {} for answers that are late", show(needed.time)), String::new())
        }
        Why::ClientsLeast | Why::ClientsMost => (wish.client.title.to_owned(), String::new()),
        Why::HubsLeast | Why::Device | Why::Hub | Why::Path | Why::HubsMost | Why::Unreliable => {
            (wish.hub.title.to_owned(), String::new())
        }
    };
    format!("{above} allows keep-alives up to {most} s{price}; {below} needs {least} s at least.")
}

/// With a decimal below a hundred.
fn times(factor: f64) -> String {
    if factor < 100.0 { format!("{factor:.1}") } else { show_count(factor) }
}

/// What could be had at either edge, as far as the client takes it.
fn instead(wish: &Wish, most: u16, least: u16) -> String {
    let at = |keep_alive: u16| {
        let candidate = Candidate::of(wish, keep_alive);
        let time =
            |nanos: Option<u64>| nanos.map_or("never".to_owned(), |nanos| show(Duration::from_nanos(nanos)));
        let misses: Vec<&str> = candidate
            .misses
            .iter()
            .filter(|miss| matches!(miss, Miss::Path | Miss::Wait))
            .map(|miss| missed(*miss))
            .collect();
        let misses = if misses.is_empty() { String::new() } else { format!(" ({})", misses.join(", ")) };
        format!(
            "a keep-alive of {keep_alive} s, by which the device notices within {}, the hub within {}, for {} in 30 \
             days{misses}",
            time(candidate.device_ns),
            time(candidate.hub_ns),
            show_bytes(candidate.bytes)
        )
    };
    let takes = wish.client.takes;
    let (most, least) = (most.clamp(takes.least, takes.most), least.clamp(takes.least, takes.most));
    if most == least {
        return format!("What could be had: {}.", at(most));
    }
    format!("What could be had: {}; or {}.", at(most), at(least))
}
