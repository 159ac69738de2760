//! From a suite's name to its runs: every profile read and checked before the first of them begins.

use crate::base::Span;
use crate::base::span::show_fixed;
use crate::cli::exit::Refusal;
use crate::cli::load::{self, Text};
use crate::cli::tls;
use crate::profile::{
    self, BadOverride, Checked, ListenerPlan, Override, Plan, Suite, TlsPlan, When, Workload, nearest, suite,
};
use std::path::Path;
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
}

/// The suite of that path or shipped name.
///
/// What looks like a path (a slash, or the ending of a YAML file) is one; else it is a shipped name.
pub fn load(name: &str, keep_alive: Option<Duration>) -> Result<Suite, Refusal> {
    let suite = read(name)?;
    let Some(keep_alive) = keep_alive else { return Ok(suite) };
    if keep_alive.is_zero() || keep_alive > Duration::from_secs(65_535) || keep_alive.subsec_nanos() > 0 {
        return Err(Refusal::usage("--keep-alive is whole seconds, from 1s to 65535s"));
    }
    suite.at(keep_alive).map_err(|problem| Refusal::usage(format!("--keep-alive: {problem}")))
}

fn read(name: &str) -> Result<Suite, Refusal> {
    let is_path = name.contains('/') || [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    let text = if is_path || Path::new(name).is_file() {
        let read = std::fs::read_to_string(name);
        read.map_err(|error| Refusal::usage(format!("cannot read the suite {name}: {error}")))?
    } else {
        let shipped = suite::find(name).map_err(|unknown| {
            Refusal::usage(format!(
                "{unknown}\n  a suite of your own is named by its file, such as ./{name}.yaml"
            ))
        })?;
        shipped.text.to_owned()
    };
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
        let (plan, overrides) = checked(suite, entry, &text).map_err(at_entry)?;
        for &workload in &entry.workloads {
            cases.push(Case {
                entry: number,
                name: format!("{}/{workload}", entry.name),
                workload,
                profile_name: text.name.clone(),
                profile_text: text.text.clone(),
                overrides: overrides.clone(),
                plan: plan.clone(),
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

/// The plan of an entry, which ends by itself, and its overrides.
fn checked(suite: &Suite, entry: &profile::Entry, text: &Text) -> Result<(Plan, Vec<String>), Refusal> {
    let mut sets = entry.sets.clone();
    if let Some(duration) = entry.duration {
        sets.push(lasting(duration, suite)?);
    }
    let mut plan = load::checked(text, &sets)?.plan;
    if plan.duration.is_none() {
        sets.push(lasting(suite.limit, suite)?);
        let Checked { plan: bounded, .. } = load::checked(text, &sets)?;
        plan = bounded;
    }
    if !plan.listeners.is_empty() {
        let problem = "its profile has listeners of its own; in a suite, each run has one, on a free port";
        return Err(Refusal::usage(problem));
    }
    tls::reach(&text.name, &plan, &[listener("127.0.0.1:1883".into())])?;
    Ok((plan, sets.iter().map(|set| set.text().to_owned()).collect()))
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
