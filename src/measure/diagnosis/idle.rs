//! Keep-alives that do not fit the path or the hub: longer than the path remembers an idle link, or than the hub waits.

use super::{Kind, Scene, many, told};
use crate::base::{DeviceId, Time};
use crate::fault::Fault;
use crate::measure::cause::Cause;
use crate::measure::finding::{Class, Finding, Grade, Seen};
use crate::measure::results::{LinkEnd, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const OVER_IDLE_TIMEOUT: Kind = Kind::new("keep-alive-over-idle-timeout", Class::Detection);
pub(super) const BEYOND_HUB: Kind = Kind::new("keep-alive-beyond-hub", Class::Detection);

/// So many links have to die on waking before that is a pattern.
pub const LEAST_WAKINGS: usize = 2;
/// No middlebox that is used on purpose forgets a link sooner than this.
const LEAST_PAUSE: Duration = Duration::from_secs(10);
/// How soon after the first packet a middlebox's reset comes.
const RESET_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = injected(scene);
    found.extend(natural(scene));
    found.extend(beyond_hub(scene));
    found
}

/// Links that a rule's idle timeout took, of devices whose keep-alive is longer than that.
fn injected(scene: &Scene<'_>) -> Vec<Finding> {
    let mut met: BTreeMap<DeviceId, (Vec<Seen>, Duration, &str)> = BTreeMap::new();
    for (id, window) in scene.windows() {
        let Some(rule) = scene.plan.rule(window.rule) else { continue };
        let Fault::IdleTimeout(idle) = &rule.fault else { continue };
        let after = idle.after.resolve(window.keep_alive);
        let is_lost = matches!(window.outcome, Outcome::Back | Outcome::BackBefore | Outcome::Gone);
        let Some(at) = window.start.filter(|_| is_lost && !window.assumed && window.keep_alive > after)
        else {
            continue;
        };
        let what = format!("forgotten after {} of silence", told(after));
        let (seen, ..) = met.entry(window.device).or_insert_with(|| (Vec::new(), after, &rule.id));
        seen.push(Seen { seq: scene.watch.window(id, window.start), at, what });
    }
    let found = |(device, (seen, after, rule)): (DeviceId, (Vec<Seen>, Duration, &str))| {
        let keep_alive = scene.run.devices.get(&device).map_or(Duration::ZERO, |device| device.keep_alive);
        let what = format!(
            "Its keep-alive of {} is longer than the path remembers an idle link ({} by {rule}): {}.",
            told(keep_alive),
            told(after),
            lost(seen.len())
        );
        advised(OVER_IDLE_TIMEOUT.found(Grade::Warn, Some(device), what, seen))
    };
    met.into_iter().map(found).collect()
}

fn lost(number: usize) -> String {
    format!("it cost {}", many(number, "link"))
}

fn advised(finding: Finding) -> Finding {
    finding.because(
        "a NAT, firewall or load balancer on the path forgets links that are idle (Azure's load balancer after 4 minutes by \
         default, AWS's NLB after 350 s, carriers sooner)",
        "ask for a keep-alive well below the shortest idle timeout on the path; TCP keepalive does not help where it is slower",
    )
}

/// Links that died at the first packet after a pause shorter than the keep-alive, time and again.
fn natural(scene: &Scene<'_>) -> Vec<Finding> {
    let mut died: BTreeMap<DeviceId, Vec<(&LinkEnd, Duration)>> = BTreeMap::new();
    let mut survived: BTreeMap<DeviceId, Duration> = BTreeMap::new();
    for end in &scene.run.ends {
        let of_device = survived.entry(end.device).or_default();
        *of_device = scene.watch.link(end.link).survived.max(*of_device);
    }
    for end in scene.natural() {
        if let Some(pause) = died_on_waking(scene, end) {
            died.entry(end.device).or_default().push((end, pause));
        }
    }
    let found = |(device, ends): (DeviceId, Vec<(&LinkEnd, Duration)>)| {
        let shortest = ends.iter().map(|(_, pause)| *pause).min()?;
        let longest = survived.get(&device).copied().unwrap_or_default();
        // A link of its that outlived as long a pause shows that the path does remember.
        if ends.len() < LEAST_WAKINGS || longest >= shortest {
            return None;
        }
        let what = format!(
            "{} of its died at the first packet after {} or more of silence, and none that was silent for less.",
            many(ends.len(), "link"),
            told(shortest)
        );
        let shown = ends.iter().map(|(end, pause)| Seen {
            what: format!("{} after {} of silence", end.cause, told(*pause)),
            ..end.shown()
        });
        Some(advised(OVER_IDLE_TIMEOUT.found(Grade::Warn, Some(device), what, shown.collect())))
    };
    died.into_iter().filter_map(found).collect()
}

/// The pause after which the device's first packet ended this link, or was never answered.
fn died_on_waking(scene: &Scene<'_>, end: &LinkEnd) -> Option<Duration> {
    let keep_alive = scene.run.devices.get(&end.device)?.keep_alive;
    let (noted, over) = (scene.watch.link(end.link), end.over?);
    let (woke, pause): (Time, Duration) = noted.woke?;
    // PINGREQs come a little late: what is a tenth over the keep-alive is about it.
    let is_idle = pause >= LEAST_PAUSE && pause <= keep_alive + keep_alive / 10;
    let (after, is_unanswered) = (over.since(woke), pause > noted.survived);
    let is_so = match end.cause {
        Cause::Reset(_) => after <= RESET_WITHIN,
        // The packet went into nothing, and the device, which waited for an answer, gave the link up.
        Cause::Closed(crate::base::Side::Device) => after <= keep_alive * 2 && after > Duration::from_secs(1),
        _ => false,
    };
    (end.accepted.is_some() && is_idle && is_unanswered && is_so).then_some(pause)
}

/// Keep-alives that the hub does not go by.
fn beyond_hub(scene: &Scene<'_>) -> Vec<Finding> {
    let Some((least, most)) = scene.limits.keep_alives else { return Vec::new() };
    let seconds = |number: u16| Duration::from_secs(u64::from(number));
    let devices = scene.run.devices.iter().filter(|(_, d)| d.version.is_some() && d.accepted > 0);
    let beyond = devices.filter(|(_, device)| {
        !device.keep_alive.is_zero() && !(seconds(least)..=seconds(most)).contains(&device.keep_alive)
    });
    let found = |id: DeviceId, keep_alive: Duration| {
        let seen = format!(
            "It asked for a keep-alive of {}; the hub goes by {least} to {most} s.",
            told(keep_alive)
        );
        // Ends are device by device.
        let ends = &scene.run.ends;
        let first = ends.get(ends.partition_point(|end| end.device < id)).filter(|end| end.device == id);
        let first = first.map(|end| Seen {
            seq: end.opened_seq,
            at: end.opened,
            what: format!("keep-alive {}", told(keep_alive)),
        });
        BEYOND_HUB.found(Grade::Warn, Some(id), seen, first.into_iter().collect()).because(
            "the setting was not made for this hub",
            "ask for a keep-alive within what the hub goes by, or expect to be timed out by another",
        )
    };
    beyond.map(|(id, device)| found(*id, device.keep_alive)).collect()
}
