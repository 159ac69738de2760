//! Stories of each pattern, in literal time, on both sides of each threshold.

mod dead;
mod fleet;
mod healthy;
mod links;

use crate::base::Side;
use crate::fault::{Ending, LegFate, Mechanism, Toward};
use crate::measure::Measures;
use crate::measure::finding::{Finding, Grade};
use crate::measure::story::{Story, plan, rst};
use crate::profile::{Plan, Strictness};

fn findings(plan: &Plan, story: &Story) -> Vec<Finding> {
    story.results(plan).runs.remove(0).findings
}

/// The finding of this kind, with all that a reader needs of it; `None` where there is none.
fn found(plan: &Plan, story: &Story, id: &str) -> Option<Finding> {
    let mut all = findings(plan, story);
    all.retain(|finding| finding.id == id);
    assert!(all.len() <= 1, "{all:?}");
    let finding = all.pop()?;
    assert!(
        !finding.seen.is_empty() && !finding.cause.is_empty() && !finding.advice.is_empty(),
        "{finding:?}"
    );
    assert!(!finding.evidence.is_empty() && finding.count > 0, "{finding:?}");
    for seen in &finding.evidence {
        let event = &story.events[usize::try_from(seen.seq).unwrap()];
        assert!(seen.seq > 0 && event.at <= seen.at, "event {} is not of {seen:?}", seen.seq);
    }
    Some(finding)
}

/// The finding of this kind before it is known whether another tells of the same fact.
fn by_itself(plan: &Plan, story: &Story, id: &str) -> Option<Finding> {
    let mut measures = Measures::new(plan);
    story.events.iter().for_each(|event| measures.push(event));
    let run = measures.results(story.events.last().unwrap().at).runs.remove(0);
    super::findings(&run, plan, &measures.watch, &[]).into_iter().find(|finding| finding.id == id)
}

fn grade(plan: &Plan, story: &Story, id: &str) -> Option<Grade> {
    found(plan, story, id).map(|finding| finding.grade)
}

fn by(strictness: Strictness, mut plan: Plan) -> Plan {
    plan.strictness = Some(strictness);
    plan
}

fn observer() -> Plan {
    plan(Vec::new())
}

fn reset() -> Plan {
    plan(vec![("reset", rst(Toward::Both, LegFate::Reset))])
}

/// A link of this device, from one millisecond to another, that this end then ends.
fn lives(story: &mut Story, link: u64, device: u32, from: u64, until: u64, side: Side, how: Ending) {
    story.at(from).joins(link, device, name(device), 60);
    story.at(until).ends(link, side, how).closes(link);
}

/// A rule's reset of this device's link.
fn is_reset(story: &mut Story, link: u64, device: u32, at: u64) {
    story.at(at).opens(link, 0, device, 10).applies(link, link, Mechanism::Linger);
    story.cut(link, Side::Device, LegFate::Reset, link).cut(link, Side::Hub, LegFate::Reset, link);
    story.heals(link).closes(link);
}

fn name(device: u32) -> &'static str {
    Box::leak(format!("sensor-{device}").into_boxed_str())
}
