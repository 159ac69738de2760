//! Whether a run was through: a run that was cut off has nothing to say of what did not come.

use super::words::{self, count};
use crate::base::RuleId;
use crate::event::EndReason;
use crate::measure::{Results, RuleResults, RunResults};
use crate::profile::{Plan, Repeat, Rule, When};
use std::collections::BTreeMap;

/// The most devices of a rule that are named.
const MOST_NAMES: usize = 3;

/// Why a run ended before it was through; `None` where all were, or were to last until they are ended.
pub(super) fn not_through(plan: &Plan, results: &Results) -> Option<String> {
    let told = told(plan, results, |run| is_cut_off(plan, run));
    (!told.is_empty()).then(|| told.join("; "))
}

/// What runs that lasted as long as they may left undone.
pub(super) fn left_undone(plan: &Plan, results: &Results) -> Vec<String> {
    told(plan, results, |run| run.ended == Some(EndReason::Duration) && !short(plan, run).is_empty())
}

/// How a run ended: `ended by its duration`.
pub(super) fn words(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Complete => "ended by itself",
        EndReason::Duration => "ended by its duration",
        EndReason::Interrupted => "ended by Ctrl-C, SIGTERM or SIGHUP",
        EndReason::CommandEnded => "ended as the command had ended and no device was left",
    }
}

fn is_cut_off(plan: &Plan, run: &RunResults) -> bool {
    // Without rules, or with one that fires on and on, being ended is how a run is meant to end.
    let ends_by_itself = !plan.rules.is_empty() && plan.rules.iter().all(|rule| times(rule).is_some());
    match run.ended {
        None | Some(EndReason::Complete | EndReason::Duration) => false,
        Some(EndReason::Interrupted) => ends_by_itself,
        // A command may be done when every fault is over: with no device left, nothing more would have come.
        Some(EndReason::CommandEnded) => ends_by_itself && !short(plan, run).is_empty(),
    }
}

/// How often a rule may fire, each device for itself where it fires after a packet; `None`: as long as the run lasts.
fn times(rule: &Rule) -> Option<u64> {
    match &rule.when {
        When::At { repeat: None, .. } => Some(1),
        When::Spells(spells) => u64::try_from(spells.len()).ok(),
        When::At { repeat: Some(Repeat { times, .. }), .. } => times.map(u64::from),
        When::After { times, .. } => Some(u64::from(*times)),
        // It is the device's affair whether it asks.
        When::Asked(_) => Some(0),
    }
}

/// Each of these runs: how it ended, and what had not come by then.
fn told(plan: &Plan, results: &Results, wanted: impl Fn(&RunResults) -> bool) -> Vec<String> {
    let several = results.runs.len() > 1;
    let runs = results.runs.iter().zip(1..).filter(|(run, _)| wanted(run));
    let told = |(run, number): (&RunResults, usize)| {
        let which = if several { format!("run {number} ") } else { String::new() };
        let how = run.ended.map(words).unwrap_or_default();
        let short = short(plan, run);
        let short = if short.is_empty() {
            "every rule had fired, what followed was not watched to the end".into()
        } else {
            short.join(", ")
        };
        format!("{which}{how}: {short}")
    };
    runs.map(told).collect()
}

/// The rules that fired less often than they may, or hold still.
fn short(plan: &Plan, run: &RunResults) -> Vec<String> {
    let told = |(id, rule): (RuleId, &Rule)| {
        let what = short_of(id, rule, run).or_else(|| is_open(id, rule, run).then(|| "still held".into()))?;
        Some(format!("{} {what}", rule.id))
    };
    plan.rules().filter_map(told).collect()
}

fn is_open(id: RuleId, rule: &Rule, run: &RunResults) -> bool {
    let mut windows = run.windows.values().filter(|window| window.rule == id && window.start.is_some());
    rule.fault.hold().is_some() && windows.any(|window| window.closed.is_none())
}

/// `fired 2 of 3 times on a, b`
fn short_of(id: RuleId, rule: &Rule, run: &RunResults) -> Option<String> {
    let times = times(rule)?;
    let nothing = RuleResults::default();
    let done = run.rules.get(&id).unwrap_or(&nothing);
    if done.fired == 0 && times > 0 {
        return Some("never fired".into());
    }
    let of = count(times, "time");
    match rule.when {
        When::Asked(_) => None,
        When::At { .. } | When::Spells(_) => {
            (done.fired < times).then(|| format!("fired {} of {of}", done.fired))
        }
        When::After { .. } => {
            let mut by_times: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
            for (device, fell) in done.fell.iter().filter(|(_, fell)| **fell < times) {
                by_times.entry(*fell).or_default().push(run.name(*device));
            }
            let on = |(fell, names): (&u64, &Vec<&str>)| {
                format!("{fell} of {of} on {}", words::names(names, MOST_NAMES, names.len()))
            };
            let told: Vec<String> = by_times.iter().map(on).collect();
            (!told.is_empty()).then(|| format!("fired {}", told.join(" and ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Side;
    use crate::event::What;
    use crate::fault::{Ending, LegFate, Mechanism, Toward};
    use crate::measure::story::{Story, plan, rst};
    use crate::report::Report;
    use crate::report::model::Verdict;
    use std::time::Duration;

    /// Two devices, of which one is reset as often as `windows` says.
    fn reset(windows: u64, reason: EndReason) -> Story {
        let mut story = Story::new();
        story.joins(100, 0, "b", 2);
        for window in 1..=windows {
            story.joins(window, 1, "a", 2).opens(window, 0, 1, 2).applies(window, window, Mechanism::Linger);
            story.cut(window, Side::Device, LegFate::Reset, window).heals(window).closes(window);
        }
        story.at(9_000).ends(100, Side::Device, Ending::Fin).closes(100);
        story.tell(What::RunEnded { reason });
        story
    }

    fn thrice() -> Plan {
        let mut plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
        if let When::After { times, .. } = &mut plan.rules[0].when {
            *times = 3;
        }
        plan.rules[0].who.client = Some("a".into());
        plan
    }

    fn why(plan: &Plan, story: &Story) -> Option<String> {
        let report = Report::new(plan, &story.results(plan));
        assert_eq!(report.verdict == Verdict::NotThrough, report.not_through.is_some());
        assert_eq!(report.is_met(), report.not_through.is_none());
        report.not_through
    }

    #[test]
    fn a_run_that_was_cut_off_is_not_through() {
        let why = |windows, reason| why(&thrice(), &reset(windows, reason));
        let cut = "ended by Ctrl-C, SIGTERM or SIGHUP: reset fired 2 of 3 times on a";
        assert_eq!(why(2, EndReason::Interrupted).as_deref(), Some(cut));
        let left = "ended as the command had ended and no device was left: reset fired 2 of 3 times on a";
        assert_eq!(why(2, EndReason::CommandEnded).as_deref(), Some(left));
        assert_eq!(why(2, EndReason::Complete), None);
        assert_eq!(why(2, EndReason::Duration), None);
        assert!(why(3, EndReason::Interrupted).is_some(), "what followed was not watched");
        assert_eq!(why(3, EndReason::CommandEnded), None);
    }

    #[test]
    fn a_run_that_would_not_end_by_itself_is_through_whenever_it_is_ended() {
        let mut endless = thrice();
        let repeat = Repeat { every: Duration::from_secs(1), jitter: Duration::ZERO, times: None };
        endless.rules[0].when = When::At { first: Duration::ZERO, repeat: Some(repeat) };
        assert_eq!(why(&endless, &reset(1, EndReason::Interrupted)), None);
        assert_eq!(why(&plan(Vec::new()), &Story::new()), None);
    }

    #[test]
    fn a_duration_that_is_over_is_told_with_what_it_left_undone() {
        let told = |windows| {
            let results = reset(windows, EndReason::Duration).results(&thrice());
            left_undone(&thrice(), &results)
        };
        assert_eq!(told(2), ["ended by its duration: reset fired 2 of 3 times on a"]);
        assert!(told(3).is_empty());
    }
}
