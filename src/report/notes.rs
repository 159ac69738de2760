//! What a reader should know before believing a figure: how the faults were really made, what was assumed, what was
//! refused, what could not be seen.

use super::words::{self, count};
use crate::base::RuleId;
use crate::fault::Fidelity;
use crate::measure::{Results, RunResults, Value, WindowResults};
use crate::profile::Plan;
use std::collections::BTreeMap;

/// The most names that a note lists.
const MOST_NAMES: usize = 5;

/// The notes, the gravest first.
pub(super) fn notes(plan: &Plan, results: &Results) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(cut_off(results));
    for (rule, _) in plan.rules() {
        let windows = of_rule(results, rule);
        let name = words::rule_name(plan, rule);
        notes.extend(refused(&name, &windows));
        notes.extend(fell_on_nobody(&name, rule, results, &windows));
        notes.extend(still_open(&name, &windows));
        notes.extend(fidelity(&name, &windows));
    }
    notes.extend(assumed(results));
    notes.extend(brackets(results));
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
    let runs = count(to_u64(open), "run");
    (open > 0).then(|| format!("{runs} had not ended: figures are as of the last event"))
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

fn fell_on_nobody(name: &str, rule: RuleId, results: &Results, windows: &Windows<'_>) -> Option<String> {
    let fired: u64 = results.runs.iter().filter_map(|run| run.fired.get(&rule)).sum();
    let struck = windows.iter().any(|(_, window)| window.start.is_some());
    match (fired, struck) {
        (0, _) => Some(format!("{name} never fired")),
        (_, false) => Some(format!("{name} fired {} and fell on no link", count(fired, "time"))),
        (_, true) => None,
    }
}

fn still_open(name: &str, windows: &Windows<'_>) -> Option<String> {
    let open = windows.iter().filter(|(_, window)| window.closed.is_none()).count();
    let times = count(to_u64(open), "window");
    (open > 0).then(|| format!("{name}: {times} still open at the end, so no recovery from there"))
}

/// What the way a fault was made means for its figures.
fn fidelity(name: &str, windows: &Windows<'_>) -> Option<String> {
    let used = |fidelity| windows.iter().any(|(_, window)| window.fidelities.contains(&fidelity));
    match (used(Fidelity::Stall), used(Fidelity::Packet)) {
        (true, true) => Some(format!(
            "{name} was made by holding bytes on some links and by dropping packets on others; their figures are \
             not alike"
        )),
        (true, false) => Some(format!(
            "{name} held bytes in brownout: the peers' TCP was still acknowledged, so an end that relies on TCP \
             time-outs saw nothing"
        )),
        (false, true) => Some(format!(
            "{name} dropped packets in the kernel: a FIN or RST sent meanwhile was not seen, so such signs are upper \
             bounds"
        )),
        (false, false) => None,
    }
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
        "{} had no keep-alive; spans and limits took {} for it",
        words::names(&names, MOST_NAMES),
        words::whole_seconds(keep_alive.as_secs_f64())
    ))
}

fn brackets(results: &Results) -> Option<String> {
    let samples = || results.runs.iter().flat_map(|run| &run.samples);
    samples().any(|sample| matches!(sample.value, Value::Between { .. })).then(|| {
        "\"2.0 to 8.6 s\" is a bracket: it happened somewhere between, and the fault hid when".to_owned()
    })
}

fn trouble(results: &Results) -> Vec<String> {
    let sum = |of: fn(&RunResults) -> u64| -> u64 { results.runs.iter().map(of).sum() };
    let told = [
        (sum(|run| run.trouble.hub_unreachable), "link", "found the hub unreachable"),
        (sum(|run| run.trouble.accept_failed), "connect", "could not be accepted by this machine"),
        (sum(|run| run.trouble.not_mqtt), "stream", "did not speak MQTT and passed unread"),
        (sum(|run| run.nameless_links), "link", "sent no CONNECT that was seen"),
    ];
    let told = told.into_iter().filter(|(number, _, _)| *number > 0);
    let mut notes: Vec<String> =
        told.map(|(number, thing, what)| format!("{} {what}", count(number, thing))).collect();
    let mut mutes: Vec<&String> = results.runs.iter().flat_map(|run| &run.trouble.mute_refused).collect();
    mutes.dedup();
    notes.extend(mutes.into_iter().map(|error| {
        format!("a listener could not be muted, connects were met with silence instead: {error}")
    }));
    notes
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
