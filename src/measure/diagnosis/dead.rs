//! Links that were dead, and who did not find it out, or late.

use super::{Kind, Scene, exceeds, in_keep_alives, many};
use crate::base::{DeviceId, Side, WindowId};
use crate::fault::Fault;
use crate::measure::finding::{Class, Finding, Grade, Seen};
use crate::measure::results::{Outcome, WindowResults};
use crate::measure::value::Value;
use crate::profile::Plan;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const NOT_DETECTED: Kind = Kind::new("dead-link-not-detected", Class::Detection);
pub(super) const SLOW: Kind = Kind::new("slow-detection", Class::Detection);
pub(super) const HUB_KEEPS: Kind =
    Kind { rule: Some("MQTT-3.1.2-24"), ..Kind::new("hub-keeps-dead-link", Class::Detection) };
pub(super) const HUB_SLOW: Kind =
    Kind { rule: Some("MQTT-3.1.2-24"), ..Kind::new("hub-slow-detection", Class::Detection) };
pub(super) const KEEP_ALIVE_OFF: Kind = Kind::new("keep-alive-off", Class::Detection);

/// Who is told of its link's end within this of the fault has nothing to find out.
const TOLD_AT_ONCE: Duration = Duration::from_millis(100);

/// A sound end has found its link dead after so many tenths of a keep-alive.
const SOUND: u32 = 20;

/// What the standard gives a hub for a silent link, in tenths of a keep-alive [MQTT-3.1.2-24]: an end is slow only if it takes
/// more than that without what it may take in addition.
const OWED: u32 = 15;

/// A window in which an end was slow, or blind.
struct Case {
    seen: Seen,
    grade: Grade,
    took: Duration,
    keep_alive: Duration,
    never: bool,
}

pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut of_devices: BTreeMap<DeviceId, Vec<Case>> = BTreeMap::new();
    let mut of_hub = Vec::new();
    for (id, window) in breaking(scene) {
        if let Some(case) = device(scene, id, window) {
            of_devices.entry(window.device).or_default().push(case);
        }
        of_hub.extend(hub(scene, id, window));
    }
    let mut found: Vec<Finding> = Vec::new();
    for (device, cases) in of_devices {
        let (never, slow) = cases.into_iter().partition(|case| case.never);
        found.extend(not_detected(device, never));
        found.extend(slow_device(device, slow));
    }
    let (never, slow) = of_hub.into_iter().partition(|case| case.never);
    found.extend(hub_keeps(never));
    found.extend(hub_slow(slow));
    found.extend(keep_alive_off(scene));
    found
}

/// Windows of faults after which somebody should find a link dead, each link that they fell on by itself.
fn breaking<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = (WindowId, &'a WindowResults)> {
    let breaks =
        |window: &WindowResults| scene.plan.rule(window.rule).is_some_and(|rule| rule.fault.breaks_link());
    scene.windows().filter(move |(_, window)| breaks(window))
}

fn device(scene: &Scene<'_>, id: WindowId, window: &WindowResults) -> Option<Case> {
    let noticed = &window.noticed.device;
    let start = window.start?;
    // Whom its own system told has nothing to find out; whether it comes back is another question.
    if window.assumed || noticed.told.is_some_and(|told| told <= start + TOLD_AT_ONCE) {
        return None;
    }
    let (took, never) = least(noticed.detection?)?;
    if !never && noticed.told.is_some() {
        return None;
    }
    let limits = (scene.limits.device_slow, scene.limits.device_blind);
    let late = Late { took, never, keep_alive: window.keep_alive, limits, grace: Duration::ZERO };
    late.case(scene, id, window)
}

fn hub(scene: &Scene<'_>, id: WindowId, window: &WindowResults) -> Option<Case> {
    let noticed = &window.noticed.hub;
    if window.assumed || noticed.told.is_some() {
        return None;
    }
    // A hub that was told 0 has no timer to go by [MQTT-3.1.2-24].
    let keep_alive = window.hub_keep_alive.unwrap_or(window.keep_alive);
    let (detection, never) = least(noticed.detection.filter(|_| !keep_alive.is_zero())?)?;
    // Its timer runs from the last packet that it was sent.
    let took = noticed.silence.and_then(least).map_or(detection, |(silence, _)| silence);
    let limits = (scene.limits.hub_slow, scene.limits.hub_blind);
    Late { took, never, keep_alive, limits, grace: scene.limits.hub_looks_each }.case(scene, id, window)
}

/// The least that a value can be, and whether it never happened; `None` where nothing is known.
fn least(value: Value) -> Option<(Duration, bool)> {
    match value {
        Value::Exact(span) => Some((span, false)),
        Value::Between { after, .. } => Some((after, false)),
        Value::Never { watched } if watched.is_zero() => None,
        Value::Never { watched } => Some((watched, true)),
        Value::Count(_) | Value::CountBetween { .. } => None,
    }
}

/// How late an end noticed, against what it is allowed.
struct Late {
    took: Duration,
    never: bool,
    keep_alive: Duration,
    /// Beyond how many tenths of a keep-alive it is slow, and beyond how many blind.
    limits: (u32, u32),
    /// What it may take beyond them.
    grace: Duration,
}

impl Late {
    /// The case that it makes, where it is late.
    fn case(&self, scene: &Scene<'_>, id: WindowId, window: &WindowResults) -> Option<Case> {
        let Late { took, never, keep_alive, limits: (slow, blind), grace } = *self;
        let counted = took.saturating_sub(grace);
        if !exceeds(took, slow, keep_alive) || !exceeds(counted, slow.min(OWED), keep_alive) {
            return None;
        }
        let grade = if exceeds(counted, blind, keep_alive) { Grade::Fail } else { Grade::Warn };
        let how = if never { "not noticed in" } else { "noticed after" };
        let rule = scene.plan.rule(window.rule).map_or("", |rule| rule.id.as_str());
        let what = format!("{rule} began; {how} {}", in_keep_alives(took, keep_alive));
        let seen = Seen { seq: scene.watch.window(id, window.start), at: window.start?, what };
        Some(Case { seen, grade, took, keep_alive, never })
    }
}

/// The finding of these cases, in words made of how many there are and the worst of them.
fn of_cases(
    kind: &Kind,
    device: Option<DeviceId>,
    cases: Vec<Case>,
    words: impl FnOnce(usize, String) -> String,
) -> Option<Finding> {
    let worst = cases.iter().max_by_key(|case| case.took)?;
    let grade = cases.iter().map(|case| case.grade).max()?;
    let told = words(cases.len(), in_keep_alives(worst.took, worst.keep_alive));
    Some(kind.found(grade, device, told, cases.into_iter().map(|case| case.seen).collect()))
}

fn not_detected(device: DeviceId, cases: Vec<Case>) -> Option<Finding> {
    let words = |number, longest| match number {
        1 => format!("It held on to a dead link for {longest}, and did not give it up by itself."),
        _ => {
            format!(
                "It held on to {number} dead links, for up to {longest}, and gave none of them up by itself."
            )
        }
    };
    let found = of_cases(&NOT_DETECTED, Some(device), cases, words)?;
    Some(found.because(
        "it does not wait for PINGRESP, or its own packets keep pushing the PINGREQ away",
        "close the link when PINGRESP does not come in time; send PINGREQ by what is received, not only by what is sent",
    ))
}

fn slow_device(device: DeviceId, cases: Vec<Case>) -> Option<Finding> {
    let words = |number, longest| match number {
        1 => format!("It found its link dead only after {longest}."),
        _ => format!("It found {number} links dead late, after up to {longest}."),
    };
    let found = of_cases(&SLOW, Some(device), cases, words)?;
    Some(found.because(
        "it waits for PINGRESP longer than its keep-alive, or for several of them",
        "wait for PINGRESP no longer than half a keep-alive, or ask for a shorter keep-alive",
    ))
}

fn hub_keeps(cases: Vec<Case>) -> Option<Finding> {
    let words = |number, longest| {
        format!("The hub kept {} of silent devices, for up to {longest}.", many(number, "link"))
    };
    let found = of_cases(&HUB_KEEPS, None, cases, words)?;
    Some(found.because(
        "it has no timer for the keep-alive, or one that its own packets restart",
        "look at the hub's keep-alive settings; until then devices must find dead links themselves",
    ))
}

fn hub_slow(cases: Vec<Case>) -> Option<Finding> {
    let words = |number, longest| {
        format!("The hub ended {} of silent devices late, after up to {longest}.", many(number, "link"))
    };
    let found = of_cases(&HUB_SLOW, None, cases, words)?;
    Some(found.because(
        "it looks at its keep-alive timers seldom, or multiplies the keep-alive by more than 1.5",
        "expect wills and \"device offline\" events that late; look at the hub's keep-alive settings",
    ))
}

/// Devices without a keep-alive on a path that broke silently.
fn keep_alive_off(scene: &Scene<'_>) -> Vec<Finding> {
    let mut met: BTreeMap<DeviceId, Vec<Seen>> = BTreeMap::new();
    for (id, window) in breaking(scene) {
        let is_off =
            |id| scene.run.devices.get(&id).is_some_and(|d| d.version.is_some() && d.keep_alive.is_zero());
        let silent = scene.plan.rule(window.rule).is_some_and(|rule| !rule.fault.is_one_shot());
        let Some(at) = window.start.filter(|_| silent && window.outcome != Outcome::NoLink) else { continue };
        if is_off(window.device) {
            let what = "its path broke without a word".to_owned();
            met.entry(window.device).or_default().push(Seen {
                seq: scene.watch.window(id, window.start),
                at,
                what,
            });
        }
    }
    let found = |(device, seen): (DeviceId, Vec<Seen>)| {
        let told = format!("It asked for keep-alive 0, and its path broke {}.", many(seen.len(), "time"));
        KEEP_ALIVE_OFF.found(Grade::Warn, Some(device), told, seen).because(
            "with keep-alive 0 neither end looks for the other: a silent link stays up for ever",
            "ask for a keep-alive that is shorter than the idle timeouts on the path",
        )
    };
    met.into_iter().map(found).collect()
}

/// Whether this end's finding out, or not, was seen in a window: measured, or watched for longer than a sound end takes.
pub fn watched(plan: &Plan, window: &WindowResults, side: Side) -> bool {
    let noticed = window.noticed.get(side);
    let told_at_once =
        noticed.told.zip(window.start).is_some_and(|(told, start)| told <= start + TOLD_AT_ONCE);
    let is_silent = plan.rule(window.rule).is_some_and(|rule| leaves_dead_links(&rule.fault));
    let Some((span, never)) = noticed.detection.and_then(least).filter(|_| is_silent && !told_at_once) else {
        return false;
    };
    if never { exceeds(span, SOUND, window.keep_alive) } else { noticed.told.is_none() }
}

/// Whether links die of it that an end has to find dead: what the hub itself ends, or brownout in its name, is none.
fn leaves_dead_links(fault: &Fault) -> bool {
    fault.breaks_link() && !matches!(fault, Fault::Takeover(_) | Fault::TokenExpiry(_))
}
