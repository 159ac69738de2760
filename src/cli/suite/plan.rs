//! From a suite's name to its runs: every profile read and checked before the first of them begins.

use crate::base::Span;
use crate::base::span::show_fixed;
use crate::cli::exit::Refusal;
use crate::cli::load::{self, Text};
use crate::cli::tls;
use crate::profile::{
    self, BadOverride, ListenerPlan, Override, Plan, Suite, TlsPlan, When, Workload, nearest, suite,
};
use std::time::Duration;

/// A run that is to be made.
#[derive(Clone, Debug)]
pub struct Case {
    /// The number of its entry in the suite.
    pub entry: usize,
    /// What it is called: `entry/workload`.
    pub name: String,
    /// What the client does.
    pub workload: Workload,
    /// The profile as read.
    pub profile_name: String,
    /// Its text.
    pub profile_text: String,
    /// The overrides as given.
    pub overrides: Vec<String>,
    /// The plan.
    pub plan: Plan,
    /// Whether it ends after the suite's limit, since nothing else says when.
    pub is_limited: bool,
}

/// The suite of that path or shipped name.
pub fn load(name: &str, keep_alive: Option<Duration>) -> Result<Suite, Refusal> {
    let suite = read(name)?;
    let Some(keep_alive) = keep_alive else { return Ok(suite) };
    if keep_alive.is_zero() || keep_alive > Duration::from_secs(65_535) || keep_alive.subsec_nanos() > 0 {
        return Err(Refusal::usage("--keep-alive is whole seconds, from 1s to 65535s"));
    }
    suite.at(keep_alive).map_err(|problem| Refusal::usage(format!("--keep-alive: {problem}")))
}

fn read(name: &str) -> Result<Suite, Refusal> {
    let Text { text, .. } = load::of("suite", name, |name| {
        suite::find(name).map(|shipped| shipped.text).map_err(|unknown| unknown.to_string())
    })?;
    profile::read_suite(&text).map_err(|problems| {
        let shown = profile::render(&problems.0, name, &text, crate::cli::colour_on_stderr());
        Refusal::usage(format!("{name} cannot be run:\n{shown}"))
    })
}

/// The runs of a suite, in the order of the scorecard; of `only`, where that is given, those that it names.
pub fn cases(suite: &Suite, only: &[String]) -> Result<Vec<Case>, Refusal> {
    let mut cases = Vec::new();
    for (number, entry) in suite.entries.iter().enumerate() {
        let at_entry = |refusal| at_entry(suite, entry, refusal);
        let text = load::text(&entry.profile).map_err(at_entry)?;
        let Checked { plan, overrides, is_limited } = checked(suite, entry, &text).map_err(at_entry)?;
        for &workload in &entry.workloads {
            cases.push(Case {
                entry: number,
                name: format!("{}/{workload}", entry.name),
                workload,
                profile_name: text.name.clone(),
                profile_text: text.text.clone(),
                overrides: overrides.clone(),
                plan: plan.clone(),
                is_limited,
            });
        }
    }
    for wanted in only {
        if !cases.iter().any(|case| is_meant(case, wanted)) {
            return Err(nobody(suite, wanted));
        }
    }
    if !only.is_empty() {
        cases.retain(|case| only.iter().any(|wanted| is_meant(case, wanted)));
    }
    Ok(cases)
}

/// `entry`, `entry/workload` or `workload`.
fn is_meant(case: &Case, wanted: &str) -> bool {
    let entry = case.name.split('/').next().unwrap_or_default();
    wanted == case.name || wanted == entry || wanted == case.workload.word()
}

fn nobody(suite: &Suite, wanted: &str) -> Refusal {
    let entry = wanted.split('/').next().unwrap_or_default();
    let names: Vec<&str> = suite.entries.iter().map(|entry| entry.name.as_str()).collect();
    let meant = nearest::nearest(entry, names.iter().copied());
    let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    let names = names.join(", ");
    Refusal::usage(format!(
        "--only: the suite has no `{wanted}`{meant}; write ENTRY, WORKLOAD or ENTRY/WORKLOAD; entries: {names}"
    ))
}

fn at_entry(suite: &Suite, entry: &profile::Entry, refusal: Refusal) -> Refusal {
    let message = format!("entry `{}` of suite `{}`: {}", entry.name, suite.name, refusal.message);
    Refusal { message, ..refusal }
}

/// An entry, checked.
struct Checked {
    /// Its plan, which ends by itself.
    plan: Plan,
    overrides: Vec<String>,
    is_limited: bool,
}

fn checked(suite: &Suite, entry: &profile::Entry, text: &Text) -> Result<Checked, Refusal> {
    let mut sets = entry.sets.clone();
    if let Some(duration) = entry.duration {
        sets.push(lasting(duration, suite)?);
    }
    let mut plan = load::checked(text, &sets)?.plan;
    let is_limited = plan.duration.is_none();
    if is_limited {
        sets.push(lasting(suite.limit, suite)?);
        plan = load::checked(text, &sets)?.plan;
    }
    if !plan.listeners.is_empty() {
        let problem = "its profile has listeners of its own; in a suite, each run has one, on a free port";
        return Err(Refusal::usage(problem));
    }
    tls::reach(&text.name, &plan, &[listener("127.0.0.1:1883".into())])?;
    Ok(Checked { plan, overrides: sets.iter().map(|set| set.text().to_owned()).collect(), is_limited })
}

/// The override that ends a run after so long.
fn lasting(duration: Span, suite: &Suite) -> Result<Override, Refusal> {
    let set: Result<Override, BadOverride> =
        format!("duration={}", show_fixed(duration.resolve(suite.keep_alive))).parse();
    set.map_err(|error| Refusal::usage(error.to_string()))
}

/// The one listener of a run.
pub fn listener(upstream: String) -> ListenerPlan {
    ListenerPlan {
        name: "suite".into(),
        listen: crate::cli::peers::FREE_PORT.into(),
        upstream,
        tls: TlsPlan::default(),
    }
}

/// About how long a run takes where all goes well, so that the longest can begin first.
pub fn estimate(plan: &Plan, keep_alive: Duration) -> Duration {
    let rules = plan.rules.iter().map(|rule| {
        let begins = match &rule.when {
            When::At { first, .. } => *first,
            When::Spells(spells) => spells.last().map_or(Duration::ZERO, |last| last.at + last.hold),
            When::After { delay, .. } => delay.resolve(keep_alive),
            When::Asked(_) => Duration::ZERO,
        };
        begins + rule.fault.hold().map(|hold| hold.resolve(keep_alive)).unwrap_or_default()
    });
    let settled = rules.max().unwrap_or_default() + plan.settle.resolve(keep_alive);
    match plan.duration {
        Some(duration) if plan.rules.is_empty() => duration,
        Some(duration) => settled.min(duration),
        None => settled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was read without an end, before its size was looked at.
    #[test]
    fn no_more_of_a_suite_is_read_than_tells_that_it_is_too_much() {
        let told = load("/dev/zero", None).unwrap_err().message;
        assert!(told.contains("the suite has more bytes than are read: at most 1048576 (1 MiB)"), "{told}");
    }

    #[test]
    fn a_name_that_nobody_knows_is_answered_with_the_nearest() {
        let told = load("cliet", None).unwrap_err().message;
        assert!(told.contains("did you mean `client`?") && told.contains("such as ./cliet.yaml"), "{told}");
        assert_eq!(load("client", Some(Duration::from_secs(2))).unwrap().name, "client");
        for refused in [Duration::ZERO, Duration::from_millis(1_500), Duration::from_secs(65_536)] {
            assert!(load("client", Some(refused)).unwrap_err().message.contains("from 1s to 65535s"));
        }
        assert!(load("client", Some(Duration::from_secs(65_535))).is_ok());
    }
}
