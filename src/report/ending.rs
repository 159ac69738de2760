//! Whether a run was through: a run that was cut off has nothing to say of what did not come.

use super::words::{self, count};
use crate::base::{DeviceId, RuleId};
use crate::event::EndReason;
use crate::measure::{Outcome, Results, RuleResults, RunResults};
use crate::profile::{Plan, Repeat, Rule, When};
use std::collections::BTreeMap;

/// The most devices of a rule that are named.
const MOST_NAMES: usize = 3;

/// Why a run ended before it was through; `None` where all were, or were to last until they are ended.
pub(super) fn not_through(plan: &Plan, results: &Results) -> Option<String> {
    let told = told(plan, results, |run| is_cut_off(plan, run) || is_left_waiting(plan, run));
    (!told.is_empty()).then(|| told.join("; "))
}

/// Whether one was cut off: what it would have met is as unknown as what it would not.
pub(super) fn any_cut_off(plan: &Plan, results: &Results) -> bool {
    results.runs.iter().any(|run| is_cut_off(plan, run))
}

/// What runs that lasted as long as they may left undone.
pub fn left_undone(plan: &Plan, results: &Results) -> Vec<String> {
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
    match run.ended {
        // Of whoever watches without an end, a report is as of a moment. Else the log of a run breaks off here.
        None => run.started.as_ref().is_none_or(|started| !started.observer),
        Some(EndReason::Complete | EndReason::Duration) => false,
        Some(EndReason::Interrupted) => ends_by_itself(plan),
        // A command may be done when every fault is over: with no device left, nothing more would have come.
        Some(EndReason::CommandEnded) => ends_by_itself(plan) && !short(plan, run).is_empty(),
    }
}

/// Whether it ended when nothing was left to do on the devices that were there, while a rule waited for one that was away.
fn is_left_waiting(plan: &Plan, run: &RunResults) -> bool {
    run.ended == Some(EndReason::Complete) && ends_by_itself(plan) && !short(plan, run).is_empty()
}

/// Without rules, or with one that fires on and on, being ended is how a run is meant to end.
fn ends_by_itself(plan: &Plan) -> bool {
    !plan.rules.is_empty() && plan.rules.iter().all(|rule| times(rule).is_some())
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
        let how = run.ended.map_or("the log breaks off", words);
        let short = short(plan, run);
        let short = match run.ended {
            _ if !short.is_empty() => short.join(", "),
            None => "what followed is not known".into(),
            Some(_) => "every rule had fired, what followed was not watched to the end".into(),
        };
        format!("{which}{how}: {short}")
    };
    runs.map(told).collect()
}

/// The devices that the profile waits for and that did not come, the rules that fired less often than they may, or hold still.
fn short(plan: &Plan, run: &RunResults) -> Vec<String> {
    let told = |(id, rule): (RuleId, &Rule)| {
        let what = short_of(id, rule, run).or_else(|| is_open(id, rule, run).then(|| "still held".into()))?;
        Some(format!("{} {what}", rule.id))
    };
    missing(plan, run).into_iter().chain(plan.rules().filter_map(told)).collect()
}

/// `2 of 3 devices were accepted`
fn missing(plan: &Plan, run: &RunResults) -> Option<String> {
    let accepted = run.devices.values().filter(|device| device.accepted > 0).count();
    let wanted = usize::try_from(plan.devices).unwrap_or(usize::MAX);
    // One that ended by itself has waited for them.
    let is_short = run.ended != Some(EndReason::Complete) && wanted > 1 && accepted < wanted;
    is_short.then(|| format!("{accepted} of {wanted} devices were accepted"))
}

fn is_open(id: RuleId, rule: &Rule, run: &RunResults) -> bool {
    let mut windows = run.windows.values().filter(|window| window.rule == id && window.start.is_some());
    rule.fault.hold().is_some() && windows.any(|window| window.closed.is_none())
}

/// Whether a fault ended its link and it was not back by the end.
fn is_taken_away(device: DeviceId, run: &RunResults) -> bool {
    run.windows.values().any(|window| window.device == device && window.outcome == Outcome::Gone)
}

/// `fired 2 of 3 times on a, b`
fn short_of(id: RuleId, rule: &Rule, run: &RunResults) -> Option<String> {
    let times = times(rule)?;
    let nothing = RuleResults::default();
    let done = run.rules.get(&id).unwrap_or(&nothing);
    let skipped = done.skipped.map(|skipped| format!(" ({} skipped)", skipped.firings)).unwrap_or_default();
    if done.fired == 0 && times > 0 {
        return Some(format!("never fired{skipped}"));
    }
    let of = count(times, "time");
    match rule.when {
        When::Asked(_) => None,
        When::At { .. } | When::Spells(_) => {
            (done.fired < times).then(|| format!("fired {} of {of}{skipped}", done.fired))
        }
        When::After { .. } => {
            // One that left of itself, as a helper does once it has published, is waited for by nobody.
            let waits_for = |device| run.ended != Some(EndReason::Complete) || is_taken_away(device, run);
            let mut by_times: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
            for (device, fell) in done.fell.iter().filter(|(id, fell)| **fell < times && waits_for(**id)) {
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
    use crate::measure::story::{Story, expect, plan, rst};
    use crate::profile::{Comparison, Limit, Metric, Statistic};
    use crate::report::Report;
    use crate::report::model::{Skipped, Verdict};
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
        let away = "ended by itself: reset fired 2 of 3 times on a";
        assert_eq!(why(2, EndReason::Complete).as_deref(), Some(away), "it may come back");
        assert_eq!(why(3, EndReason::Complete), None);
        assert_eq!(why(2, EndReason::Duration), None);
        assert!(why(3, EndReason::Interrupted).is_some(), "what followed was not watched");
        assert_eq!(why(3, EndReason::CommandEnded), None);
    }

    /// A client that publishes once and leaves may come under a rule, too.
    #[test]
    fn who_left_of_itself_is_not_waited_for() {
        let mut plan = thrice();
        plan.rules[0].who.client = None;
        let why = |windows, reason| why(&plan, &reset(windows, reason));
        let away = "ended by itself: reset fired 2 of 3 times on a";
        assert_eq!(why(2, EndReason::Complete).as_deref(), Some(away));
        assert_eq!(why(3, EndReason::Complete), None);
        let cut = "ended by Ctrl-C, SIGTERM or SIGHUP: reset fired 0 of 3 times on b";
        assert_eq!(why(3, EndReason::Interrupted).as_deref(), Some(cut));
    }

    /// The watch that the profile asks for was kept: what was not met by then is not met.
    #[test]
    fn what_is_left_waiting_is_no_excuse() {
        let mut plan = thrice();
        let limit = Limit::Number(100.0);
        plan.expectations = vec![expect(Metric::ConnectRate, Statistic::Max, Comparison::AtMost, limit)];
        let verdict = |plan: &Plan| {
            let story = reset(2, EndReason::Complete);
            Report::new(plan, &story.results(plan)).verdict
        };
        assert_eq!(verdict(&plan), Verdict::NotThrough);
        plan.expectations[0].limit = Limit::Number(0.0);
        assert_eq!(verdict(&plan), Verdict::Failed);
    }

    #[test]
    fn a_log_that_breaks_off_is_of_no_run_that_was_through() {
        let why = |plan: &Plan, story: &Story| why(plan, story);
        let broken = |windows| {
            let mut story = Story::new();
            story.joins(1, 1, "a", 2);
            for window in 1..=windows {
                story.opens(window, 0, 1, 2).applies(window, 1, Mechanism::Linger);
            }
            story
        };
        let short = "the log breaks off: reset fired 1 of 3 times on a";
        assert_eq!(why(&thrice(), &broken(1)).as_deref(), Some(short));
        let known = "the log breaks off: what followed is not known";
        assert_eq!(why(&thrice(), &broken(3)).as_deref(), Some(known));
        assert_eq!(why(&plan(Vec::new()), &broken(0)).as_deref(), Some(known));
    }

    #[test]
    fn a_run_that_would_not_end_by_itself_is_through_whenever_it_is_ended() {
        let mut endless = thrice();
        let repeat = Repeat { every: Duration::from_secs(1), jitter: Duration::ZERO, times: None };
        endless.rules[0].when = When::At { first: Duration::ZERO, repeat: Some(repeat) };
        assert_eq!(why(&endless, &reset(1, EndReason::Interrupted)), None);
        let mut watched = Story::new();
        watched.tell(What::RunEnded { reason: EndReason::Interrupted });
        assert_eq!(why(&plan(Vec::new()), &watched), None);
    }

    #[test]
    fn a_rule_with_firings_that_were_skipped_is_not_through() {
        let mut plan = thrice();
        let when = |times| {
            let repeat = Repeat { every: Duration::from_secs(1), jitter: Duration::ZERO, times };
            When::At { first: Duration::from_secs(1), repeat: Some(repeat) }
        };
        plan.rules[0].when = when(Some(4));
        let mut story = Story::new();
        story.joins(1, 1, "a", 2).opens(1, 0, 1, 2).applies(1, 1, Mechanism::Linger).closes(1).at(5_000);
        let skipped = |first, last, late| What::Skipped { rule: RuleId(0), first, last, late_ns: late };
        story.tell(skipped(2, 3, 2_900_000_000)).tell(skipped(4, 4, 10));
        story.tell(What::RunEnded { reason: EndReason::Complete });
        let short = "ended by itself: reset fired 1 of 4 times (3 skipped)";
        assert_eq!(why(&plan, &story).as_deref(), Some(short));
        let told = "reset: 3 of 4 firings were skipped: brownout was held up, and was up to 2.9 s late";
        let of = |plan: &Plan| Report::new(plan, &story.results(plan));
        assert!(of(&plan).notes.contains(&told.to_owned()), "{:?}", of(&plan).notes);
        assert_eq!(of(&plan).rules[0].skipped, Some(Skipped { firings: 3, late_s: 2.9 }));
        plan.rules[0].when = when(None);
        assert_eq!(
            why(&plan, &story),
            None,
            "who wants them for as long as the run lasts has no number of them"
        );
        assert!(of(&plan).notes.contains(&told.to_owned()));
    }

    #[test]
    fn devices_that_are_waited_for_and_do_not_come_are_told() {
        let mut plan = thrice();
        for (devices, short) in [(2, None), (3, Some("2 of 3 devices were accepted"))] {
            plan.devices = devices;
            let results = reset(3, EndReason::Duration).results(&plan);
            let told: Vec<String> =
                short.map(|short| format!("ended by its duration: {short}")).into_iter().collect();
            assert_eq!(left_undone(&plan, &results), told);
            let left =
                short.map(|short| format!("ended as the command had ended and no device was left: {short}"));
            assert_eq!(why(&plan, &reset(3, EndReason::CommandEnded)), left);
        }
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
