//! What a reader should know before believing a figure: how the faults were really made, what was assumed, what was
//! refused, what could not be seen.

use super::build::{self, told_of};
use super::together;
use super::words::{self, count, many};
use super::{dropped, ending, uncertainty};
use crate::base::text::printable;
use crate::base::units::to_u64;
use crate::base::{Chance, Ends, RuleId, Side};
use crate::event::TlsTerms;
use crate::fault::{Blackhole, Connects, Fault, Mechanism};
use crate::measure::tls::Listener;
use crate::measure::{KeepAlive, Outcome, Results, RunResults, WindowResults};
use crate::mqtt::Version;
use crate::profile::{Plan, Rule, When};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The most names that a note lists.
const MOST_NAMES: usize = 5;

/// The most reasons for which streams are not MQTT that are told.
const MOST_REASONS: usize = 3;

/// The notes, the gravest first.
pub(super) fn notes(plan: &Plan, results: &Results) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(ending::not_through(plan, results).map(|why| format!("not through, {why}")));
    notes.extend(build::command_failed(results).map(|how| format!("the command failed: {how}")));
    notes.extend(ending::left_undone(plan, results));
    notes.extend(cut_off(results));
    notes.extend(held_up(results));
    notes.extend(together::notes(results));
    notes.extend(unsafe_tls(results));
    notes.extend(captured(results));
    notes.extend(rewritten(results));
    notes.extend(could_not_be_told(plan, results));
    for id in told_of(plan, results) {
        let Some(rule) = plan.rule(id) else { continue };
        let windows = of_rule(results, id);
        let name = rule.id.as_str();
        notes.extend(refused(name, &windows));
        notes.extend(connects_met_silence(rule, id, results, &windows));
        notes.extend(connects_unseen(name, id, results));
        notes.extend(skipped(rule, id, results));
        notes.extend(fell_on_nobody(rule, id, results, &windows));
        notes.extend(still_open(rule, &windows));
        notes.extend(made_by(name, &windows));
        let of_rule = results.runs.iter().filter_map(|run| run.rules.get(&id)?.vanished_packets);
        let vanished = of_rule.reduce(|sum, more| sum + more);
        notes.extend(dropped::notes(rule, windows.iter().map(|(_, window)| *window), vanished));
        notes.extend(connects_waited(name, &windows));
        notes.extend(held_back(plan, name, &windows));
        notes.extend(way_back_unknown(name, &windows));
    }
    notes.extend(fault_messages(plan, results));
    notes.extend(passed_through(results));
    notes.extend(by_address(results));
    notes.extend(several(results));
    notes.extend(connects_by_address(results));
    notes.extend(unnamed(results));
    notes.extend(assumed(results));
    notes.extend(trouble(results));
    notes
}

type Windows<'a> = Vec<(&'a RunResults, &'a WindowResults)>;

fn of_rule(results: &Results, rule: RuleId) -> Windows<'_> {
    let all = results.runs.iter().flat_map(|run| run.windows.values().map(move |window| (run, window)));
    all.filter(|(_, window)| window.rule == rule).collect()
}

fn cut_off(results: &Results) -> Option<String> {
    let open = results.runs.iter().filter(|run| run.ended.is_none()).count();
    let runs = many(open, "run");
    (open > 0).then(|| format!("{runs} had not ended: figures are as of the last event"))
}

/// Where the machine let brownout wait, its figures have that in them.
fn held_up(results: &Results) -> Option<String> {
    let held_up = uncertainty::held_up(results)?;
    let run = if results.runs.len() > 1 { format!("run {}, ", held_up.worst_run) } else { String::new() };
    let often = match held_up.times {
        1 => String::new(),
        times => format!(" {times} times, at worst"),
    };
    let (worst, until) = (words::seconds(held_up.worst_s), words::seconds(held_up.worst_until_s));
    Some(format!(
        "brownout itself was held up{often} for {worst} or more ({run}until {until}): the machine was too busy to \
         run it, or one of the two was stopped; figures of such a moment may be off by as much"
    ))
}

/// What of TLS was given up for the run, because somebody asked for it.
fn unsafe_tls(results: &Results) -> Vec<String> {
    let listeners = || results.runs.iter().flat_map(|run| &run.tls.listeners);
    let of = |wanted: fn(&TlsTerms) -> bool| {
        let hit: BTreeSet<&Listener> =
            listeners().filter(|(_, terms)| wanted(terms)).map(|(listener, _)| listener).collect();
        let addresses: BTreeSet<&str> = hit.iter().map(|listener| listener.address.as_str()).collect();
        let addresses: Vec<&str> = addresses.into_iter().collect();
        (!hit.is_empty()).then(|| words::names(&addresses, MOST_NAMES, addresses.len()))
    };
    let unverified = of(|terms| terms.hub_unverified).map(|at| {
        format!(
            "THE HUB'S CERTIFICATE WAS NOT VERIFIED (`--hub-insecure`, or `hub_verify: false`) at {at}: whoever \
             answered there was taken for the hub"
        )
    });
    let key_log = of(|terms| terms.key_log).map(|at| {
        format!(
            "THE SECRETS OF TLS SESSIONS WERE WRITTEN to the file that SSLKEYLOGFILE names, at {at}: with it, whoever \
             recorded their bytes can read them"
        )
    });
    unverified.into_iter().chain(key_log).collect()
}

/// A capture holds what TLS had hidden. (What it lacks is told among what was dropped.)
fn captured(results: &Results) -> Option<String> {
    let is_there = results.runs.iter().any(|run| run.trouble.capture.is_some());
    is_there.then(|| {
        "THE MQTT WAS WRITTEN TO A CAPTURE as plain text (`--pcap`), passwords and payload included: whoever has that file \
         can read them"
            .to_owned()
    })
}

/// Keep-alives that a fault or the profile made others on the way: what was asked for, and what was tested.
fn rewritten(results: &Results) -> Vec<String> {
    let mut alike: BTreeMap<KeepAlive, BTreeSet<&str>> = BTreeMap::new();
    for device in results.runs.iter().flat_map(|run| run.devices.values()) {
        if let Some(keep_alive) = device.rewritten {
            alike.entry(keep_alive).or_default().insert(&device.name);
        }
    }
    alike.into_iter().map(|(keep_alive, names)| rewritten_so(keep_alive, &names)).collect()
}

fn rewritten_so(keep_alive: KeepAlive, names: &BTreeSet<&str>) -> String {
    let KeepAlive { version, asked, hub_told, device_told, .. } = keep_alive;
    let said = |seconds: u16| match seconds {
        0 => "none".to_owned(),
        seconds => format!("{seconds} s"),
    };
    let names: Vec<&str> = names.iter().copied().collect();
    let (names, several) = (words::names(&names, MOST_NAMES, names.len()), names.len() > 1);
    let (it, was, the_device) =
        if several { ("they", "were", "the devices") } else { ("it", "was", "the device") };
    let device = match (device_told, version < Version::V5) {
        (Some(told), _) => format!("{the_device} {was} told {}", said(told)),
        (None, true) => {
            let speaks = if several { "they speak" } else { "it speaks" };
            format!("{speaks} MQTT {version} and cannot be told: {it} kept {}", said(asked))
        }
        (None, false) => format!("{the_device} {was} told nothing: {it} kept {}", said(asked)),
    };
    let (of_device, of_hub) = (keep_alive.of_device(), keep_alive.of_hub());
    let whole = |span: std::time::Duration| {
        if span.is_zero() { "none".to_owned() } else { words::whole_seconds(span.as_secs_f64()) }
    };
    let tested = if of_device == of_hub {
        format!("what was tested is {}", whole(of_hub))
    } else {
        format!(
            "what was tested is a hub that goes by {}, and {the_device} by {}",
            whole(of_hub),
            whole(of_device)
        )
    };
    let asked = said(asked);
    let hub = said(hub_told);
    format!(
        "THE KEEP-ALIVE WAS REWRITTEN: {names} asked for {asked}, the hub was told {hub}, {device}: {tested}"
    )
}

/// How many messages asked for a fault, where any are honoured, and why some were not.
fn fault_messages(plan: &Plan, results: &Results) -> Option<String> {
    let glob = plan.fault_messages.as_ref()?;
    let came: u64 = results.runs.iter().map(|run| run.trouble.fault_messages).sum();
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, times) in results.runs.iter().flat_map(|run| &run.trouble.ignored_messages.told) {
        *reasons.entry(reason).or_default() += times;
    }
    let ignored = reasons.iter().map(|(why, times)| format!("; {times} ignored: {}", printable(why)));
    let ignored: String = ignored.take(MOST_REASONS).collect();
    let came = if came == 0 { "no message".into() } else { count(came, "message") };
    Some(format!("{came} of {} asked for a fault{ignored}", printable(glob)))
}

/// Devices that the plan's own keep-alive left as they were, as they cannot be told.
fn could_not_be_told(plan: &Plan, results: &Results) -> Option<String> {
    let seconds = plan.server_keep_alive?;
    let devices = results.runs.iter().flat_map(|run| run.devices.values());
    let old = devices.filter(|device| device.version.is_some_and(|version| version < Version::V5));
    let names: BTreeSet<&str> = old.map(|device| device.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| {
        format!(
            "server_keepalive {seconds} s was not tested with {}: before MQTT 5 a device cannot be told, so its own \
             keep-alive held for both ends",
            words::names(&names, MOST_NAMES, names.len())
        )
    })
}

/// What of a link whose TLS was passed through is seen, and what is not.
fn passed_through(results: &Results) -> Option<String> {
    let links: u64 = results.runs.iter().map(|run| run.tls.passed_through).sum();
    (links > 0).then(|| {
        format!(
            "{} passed TLS through, so that no MQTT was seen: a device is named by its address and has no known \
             keep-alive, it counts as accepted, and as back, with the first application data from the hub, and whether \
             DISCONNECT was said before a link ended is not known",
            count(links, "link")
        )
    })
}

/// Devices that only their address tells, but for those whose TLS was passed through.
fn by_address(results: &Results) -> Option<String> {
    let devices = results.runs.iter().flat_map(|run| run.devices.values());
    let named = devices.filter(|device| device.by_address && device.passed_through == 0);
    let names: BTreeSet<&str> = named.map(|device| device.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let was = if names.len() == 1 { "is named by its address" } else { "are named by their addresses" };
    (!names.is_empty()).then(|| {
        format!("{} {was}, as no CONNECT came from there", words::names(&names, MOST_NAMES, names.len()))
    })
}

/// Addresses that several devices are behind, whose CONNECTs were not seen.
fn several(results: &Results) -> Option<String> {
    let devices = results.runs.iter().flat_map(|run| run.devices.values());
    let names: BTreeSet<&str> = devices.filter(|it| it.several).map(|it| it.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let is = if names.len() == 1 { "is" } else { "are each" };
    (!names.is_empty()).then(|| {
        format!(
            "{} {is} several devices behind one address, as their links were seen to send in turn: which of them came back, \
             and how, is not known; give each an address of its own, or let brownout end TLS",
            words::names(&names, MOST_NAMES, names.len())
        )
    })
}

/// Connects that only a tap saw, and that nothing but their address says anything of.
fn connects_by_address(results: &Results) -> Option<String> {
    let of_runs = results.runs.iter().filter_map(|run| run.wire.as_ref());
    let connects = of_runs.map(|wire| wire.by_address).fold(0, u64::saturating_add);
    let (is, it) = if connects == 1 { ("counts", "its") } else { ("count", "their") };
    (connects > 0).then(|| {
        format!(
            "{} that nobody accepted {is} as of the one device that was known at {it} address then: nothing else says whose",
            count(connects, "connect")
        )
    })
}

/// Devices that leave their identifier to the hub are others with each link.
fn unnamed(results: &Results) -> Option<String> {
    let devices = results.runs.iter().flat_map(|run| run.devices.values());
    let unnamed = to_u64(devices.filter(|device| device.unnamed).count());
    (unnamed > 0).then(|| {
        format!(
            "{} came without a client identifier: with each link, such a device is another one to brownout, rules fall on \
             it anew, and whether it came back is not known; give it one (mosquitto_sub: -i NAME)",
            count(unnamed, "device")
        )
    })
}

/// Where handshakes met a fault, and whose they were cannot be told; of devices that are not told apart, notes of their own say
/// so.
fn way_back_unknown(name: &str, windows: &Windows<'_>) -> Option<String> {
    let is_told = |run: &RunResults, device| {
        run.devices.get(&device).is_some_and(|device| device.several || device.unnamed)
    };
    let unknown = windows.iter().filter(|(_, window)| window.outcome == Outcome::Unknown);
    let unknown = unknown.filter(|(run, window)| !is_told(run, window.device));
    let names: BTreeSet<&str> = unknown.map(|(run, window)| run.name(window.device)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| {
        format!(
            "whether and when {} came back after {name} is not known: a handshake says no more than its address, and \
             several devices are behind it, or one that went on over another link",
            words::names(&names, MOST_NAMES, names.len())
        )
    })
}

/// Each reason once, with how often it was given.
fn refused(name: &str, windows: &Windows<'_>) -> Vec<String> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for reason in windows.iter().flat_map(|(_, window)| &window.refused) {
        *reasons.entry(reason).or_default() += 1;
    }
    let told =
        |(reason, times): (&str, u64)| format!("{name} did not happen on {}: {reason}", count(times, "link"));
    reasons.into_iter().map(told).collect()
}

/// Where connects were to vanish and did not.
fn connects_met_silence(rule: &Rule, id: RuleId, results: &Results, windows: &Windows<'_>) -> Vec<String> {
    let name = &rule.id;
    let Fault::Blackhole(Blackhole { connects: Connects::Vanish, .. }) = rule.fault else {
        return Vec::new();
    };
    let of_rule = || results.runs.iter().filter_map(|run| run.rules.get(&id));
    let mut reasons: Vec<&String> = of_rule().flat_map(|rule| &rule.mute_refused).collect();
    reasons.sort_unstable();
    reasons.dedup();
    // A listener that could not be muted to single addresses is told among the troubles.
    let refused = results.runs.iter().any(|run| !run.trouble.mute_refused.is_empty());
    let none = of_rule().all(|rule| rule.vanished.is_empty()) && reasons.is_empty() && was_made(windows);
    if none && !refused {
        return vec![format!(
            "{name} made no connects vanish: it does not fall on every device of a listener, and a SYN says no more than its \
             address, which did not tell its devices from others: they were met with silence"
        )];
    }
    let told = |reason| format!("{name} could make no connects vanish, they were met with silence: {reason}");
    reasons.into_iter().map(told).collect()
}

/// A SYN that the system refuses by itself is seen by a tap alone.
fn connects_unseen(name: &str, id: RuleId, results: &Results) -> Option<String> {
    let is_closed = |run: &RunResults| {
        run.rules.get(&id).is_some_and(|rule| rule.vanished.contains(&Mechanism::Closed))
            && run.wire.is_none()
    };
    results.runs.iter().any(is_closed).then(|| {
        format!(
            "while {name} had the listener closed, connects were refused unseen: they are in no count and no gap, and a first \
             sign that one of them may have been is known as a bracket (`--tap` sees them)"
        )
    })
}

fn skipped(rule: &Rule, id: RuleId, results: &Results) -> Option<String> {
    let skipped = build::skipped(results, id)?;
    let fired: u64 = results.runs.iter().filter_map(|run| run.rules.get(&id)).map(|rule| rule.fired).sum();
    let were = if skipped.firings == 1 { "was" } else { "were" };
    Some(format!(
        "{}: {} of {} {were} skipped: brownout was held up, and was up to {} late",
        rule.id,
        skipped.firings,
        count(fired + skipped.firings, "firing"),
        words::seconds(skipped.late.as_secs_f64()),
    ))
}

fn was_made(windows: &Windows<'_>) -> bool {
    windows.iter().any(|(_, window)| window.start.is_some())
}

fn fell_on_nobody(rule: &Rule, id: RuleId, results: &Results, windows: &Windows<'_>) -> Option<String> {
    let name = &rule.id;
    let of_rule = || results.runs.iter().filter_map(|run| run.rules.get(&id));
    let (fired, idle): (u64, u64) =
        (of_rule().map(|rule| rule.fired).sum(), of_rule().map(|rule| rule.idle).sum());
    // Of a rule by the clock the report names who was not there; one by chance falls on nobody now and then.
    let names_none = matches!(rule.when, When::After { .. }) && rule.chance == Chance::ALWAYS;
    match (fired, was_made(windows), idle) {
        (0, _, _) => Some(format!("{name} never fired")),
        (_, false, _) => {
            let waited = windows.iter().any(|(_, window)| window.outcome == Outcome::NothingMet);
            let what = match (rule.fault.is_of_handshakes(), waited) {
                (true, _) => "and met no TLS handshake".into(),
                (false, true) => format!("and never came about: {}", words::nothing_met(rule.fault.name())),
                (false, false) => "and fell on no link".into(),
            };
            Some(format!("{name} fired {} {what}", count(fired, "time")))
        }
        (_, true, 1..) if names_none => {
            Some(format!("{name} fired {}, {idle} of them when its device had gone", count(fired, "time")))
        }
        (_, true, _) => None,
    }
}

fn still_open(rule: &Rule, windows: &Windows<'_>) -> Option<String> {
    let name = &rule.id;
    let is_open = |window: &WindowResults| {
        let keeps_away =
            rule.fault.breaks_link() || rule.fault.is_of_connects() || window.handshakes.is_some();
        window.closed.is_none() && window.start.is_some() && keeps_away
    };
    let open = windows.iter().filter(|(_, window)| is_open(window)).count();
    let times = many(open, "window");
    (open > 0).then(|| format!("{name}: {times} still open at the end, so no recovery from there"))
}

/// What the way a fault was made means for its figures.
fn made_by(name: &str, windows: &Windows<'_>) -> Vec<String> {
    let by = |side: Side, wanted: fn(&Mechanism) -> bool| {
        windows.iter().any(|(_, window)| window.means.get(side).iter().any(wanted))
    };
    let muted = Ends { device: by(Side::Device, is_mute), hub: by(Side::Hub, is_mute) };
    let is_held = Side::BOTH.into_iter().any(|side| by(side, |mechanism| *mechanism == Mechanism::Gate));
    let who = match (muted.device, muted.hub) {
        (false, false) => None,
        (true, false) => Some("the device"),
        (false, true) => Some("the hub"),
        (true, true) => Some("an end"),
    };
    let tapped = windows.iter().all(|(run, _)| run.wire.is_some());
    let dropped = who.map(|who| match tapped {
        true => format!(
            "{name} dropped packets in the kernel, and the tap saw them: when {who} gave up is exact where its FIN or RST was \
             seen, or nothing of its was unacknowledged; else its system may keep a FIN back, and it is known as a \
             bracket, from what it sent last to its next connect"
        ),
        false => format!(
            "{name} dropped packets in the kernel: a FIN or RST sent in the dark was not seen, so when {who} gave up \
             is known as a bracket whose later end is an upper bound, or \"not seen\" where nothing came after"
        ),
    });
    let held_found = windows.iter().any(|(_, window)| window.held_found);
    let held = match (is_held, dropped.is_some()) {
        (false, _) => None,
        (true, true) if !held_found => Some(format!(
            "connects during {name} were accepted and met with silence; the link that was up had its packets dropped"
        )),
        (true, true) => Some(format!(
            "{name} was made by holding bytes on some links and by dropping packets on others: their figures are not \
             alike"
        )),
        (true, false) => Some(format!(
            "{name} held bytes in brownout: the peers' TCP was still acknowledged, so an end that relies on TCP \
             time-outs saw nothing"
        )),
    };
    dropped.into_iter().chain(held).collect()
}

/// Where a connect waited for the path, the way back is shorter than it can be in the field.
fn connects_waited(name: &str, windows: &Windows<'_>) -> Option<String> {
    let waited = windows.iter().filter(|(_, window)| window.connect_waited);
    let devices: BTreeSet<&str> = waited.map(|(run, window)| run.name(window.device)).collect();
    let (they, were) = if devices.len() == 1 { ("it", "was") } else { ("they", "were") };
    (!devices.is_empty()).then(|| {
        format!(
            "{} had a connect waiting in brownout when {name} ended, so {they} {were} back at once; on a dead path \
             its SYN would have been lost, and sent again by TCP's own timer (1, 3, 7 ... s)",
            many(devices.len(), "device")
        )
    })
}

/// Each other rule that held on devices on their way back.
fn held_back(plan: &Plan, name: &str, windows: &Windows<'_>) -> Vec<String> {
    let mut held: BTreeMap<RuleId, BTreeSet<&str>> = BTreeMap::new();
    for (run, window) in windows {
        for rule in &window.held_by {
            held.entry(*rule).or_default().insert(run.name(window.device));
        }
    }
    let told = |(rule, names): (RuleId, BTreeSet<&str>)| {
        let names: Vec<&str> = names.into_iter().collect();
        let (told, names) = (words::rule_name(plan, rule), words::names(&names, MOST_NAMES, names.len()));
        let is_of_connects = plan.rule(rule).is_some_and(|rule| rule.fault.is_of_connects());
        let both = if is_of_connects { "; connects of that time count for both" } else { "" };
        format!("back after {name} includes time in which {told} held ({names}){both}")
    };
    held.into_iter().map(told).collect()
}

fn is_mute(mechanism: &Mechanism) -> bool {
    matches!(mechanism, Mechanism::Filter | Mechanism::MinTtl)
}

fn assumed(results: &Results) -> Option<String> {
    let windows = results.runs.iter().flat_map(|run| run.windows.values().map(move |window| (run, window)));
    let mut names: Vec<(&str, std::time::Duration)> = windows
        .filter(|(_, window)| window.assumed)
        .map(|(run, window)| (run.name(window.device), window.keep_alive))
        .collect();
    names.sort_unstable();
    names.dedup();
    let (_, keep_alive) = *names.first()?;
    let names: Vec<&str> = names.into_iter().map(|(name, _)| name).collect();
    Some(format!(
        "no keep-alive was known of {} when a fault began; spans and limits took {} for it",
        words::names(&names, MOST_NAMES, names.len()),
        words::whole_seconds(keep_alive.as_secs_f64())
    ))
}

fn trouble(results: &Results) -> Vec<String> {
    let sum = |of: fn(&RunResults) -> u64| -> u64 { results.runs.iter().map(of).sum() };
    let told = [
        (sum(|run| run.trouble.hub_unreachable), "link", "found the hub unreachable"),
        (
            sum(|run| run.trouble.accept_failed),
            "second",
            "saw connects that this machine could not accept at once (`ulimit -n`?)",
        ),
        (
            sum(|run| run.trouble.astray),
            "second",
            "saw connects to brownout itself, which were reset: with --transparent, devices connect to their hub",
        ),
        (sum(|run| run.nameless_links), "link", "sent no CONNECT that was seen"),
    ];
    let told = told.into_iter().filter(|(number, _, _)| *number > 0);
    let mut notes: Vec<String> =
        told.map(|(number, thing, what)| format!("{} {what}", count(number, thing))).collect();
    notes.extend(not_mqtt(results));
    let mut mutes: Vec<&String> = results.runs.iter().flat_map(|run| &run.trouble.mute_refused).collect();
    mutes.sort_unstable();
    mutes.dedup();
    notes.extend(mutes.into_iter().map(|error| {
        format!("a listener could not be muted, connects were met with silence instead: {error}")
    }));
    notes
}

/// Why streams were not MQTT, the most frequent reasons first.
fn not_mqtt(results: &Results) -> Vec<String> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    let mut others = 0;
    for run in &results.runs {
        others += run.trouble.not_mqtt.others;
        for (reason, times) in &run.trouble.not_mqtt.told {
            *reasons.entry(reason).or_default() += times;
        }
    }
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, times)| Reverse(*times));
    others += reasons.iter().skip(MOST_REASONS).map(|(_, times)| times).sum::<u64>();
    let told = |times, why: &str| format!("{} passed unread: {}", count(times, "stream"), printable(why));
    let others = (others > 0).then(|| told(others, "for other reasons"));
    reasons.into_iter().take(MOST_REASONS).map(|(why, times)| told(times, why)).chain(others).collect()
}
