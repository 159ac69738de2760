//! The way back: devices that did not come, or late.

use super::{Kind, Scene, told};
use crate::base::{DeviceId, WindowId};
use crate::measure::finding::{Class, Finding, Grade, Seen};
use crate::measure::results::WindowResults;
use crate::measure::value::Value;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const NOT_BACK: Kind = Kind::new("device-not-back", Class::Recovery);
pub(super) const SLOW: Kind = Kind::new("slow-recovery", Class::Recovery);

/// A device that makes no attempt for this many keep-alives does not try ...
const SILENT_KEEP_ALIVES: u32 = 10;
/// ... but for the first seconds, which anybody may need, ...
const SILENT_LEAST: Duration = Duration::from_secs(10);
/// ... and in a minute everybody has tried once.
const SILENT_MOST: Duration = Duration::from_secs(60);
/// A device that tried in vain for this long, the path being there, has lost its way: more than twice the longest back-off.
pub const TRIED_IN_VAIN: Duration = Duration::from_secs(300);

pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let (mut gone, mut slow) = (BTreeMap::new(), BTreeMap::new());
    for (id, window) in scene.windows() {
        note_gone(scene, id, window, &mut gone);
        note_slow(scene, id, window, &mut slow);
    }
    let mut found: Vec<Finding> = gone.into_iter().map(|(device, seen)| not_back(device, seen)).collect();
    found.extend(slow.into_iter().map(|(device, seen)| slow_back(device, seen)));
    found
}

/// What was seen, and the longest of it.
type Noted = BTreeMap<DeviceId, (Vec<Seen>, Duration, Grade)>;

fn note(noted: &mut Noted, device: DeviceId, seen: Seen, span: Duration, grade: Grade) {
    let (all, longest, worst) = noted.entry(device).or_insert_with(|| (Vec::new(), span, grade));
    all.push(seen);
    (*longest, *worst) = (span.max(*longest), grade.max(*worst));
}

fn note_gone(scene: &Scene<'_>, id: WindowId, window: &WindowResults, noted: &mut Noted) {
    let Some(watched) = window.unhindered else { return };
    let patience = (window.keep_alive * SILENT_KEEP_ALIVES).clamp(SILENT_LEAST, SILENT_MOST);
    let (how, grade) = match window.attempts {
        // Who holds on to a dead link does not know that it has to come back.
        0 if !has_noticed(window) => return,
        0 if watched >= patience => ("made no attempt", Grade::Fail),
        1.. if watched >= TRIED_IN_VAIN => ("tried in vain", Grade::Warn),
        _ => return,
    };
    let Some(at) = window.closed.or(window.start) else { return };
    let what = format!("path restored; {how} for {}", told(watched));
    note(noted, window.device, Seen { seq: scene.watch.window(id, window.start), at, what }, watched, grade);
}

/// Whether the device showed that it knows, or its own system told it.
fn has_noticed(window: &WindowResults) -> bool {
    window.noticed.device.sign.is_some() || window.noticed.device.told.is_some()
}

fn note_slow(scene: &Scene<'_>, id: WindowId, window: &WindowResults, noted: &mut Noted) {
    let Some(Value::Exact(took)) = window.recovery.filter(|_| window.held_by.is_empty()) else { return };
    if took <= scene.limits.slow_recovery {
        return;
    }
    let Some(at) = window.closed.or(window.start) else { return };
    let what = format!("path restored; back after {}", told(took));
    note(
        noted,
        window.device,
        Seen { seq: scene.watch.window(id, window.start), at, what },
        took,
        Grade::Warn,
    );
}

fn not_back(device: DeviceId, (seen, longest, grade): (Vec<Seen>, Duration, Grade)) -> Finding {
    let what =
        format!("It lost its link and did not come back in {}, though the path was there.", told(longest));
    NOT_BACK.found(grade, Some(device), what, seen).because(
        "its reconnect gave up, hangs in a connect that is never answered, or the application ended",
        "reconnect without end, with a limit on how long a connect and its CONNACK may take",
    )
}

fn slow_back(device: DeviceId, (seen, longest, grade): (Vec<Seen>, Duration, Grade)) -> Finding {
    let what = format!("It came back only after {}, though the path was there.", told(longest));
    SLOW.found(grade, Some(device), what, seen).because(
        "its back-off has grown beyond two minutes, or a connect that was never answered held it up",
        "cap the back-off (120 s is the longest in use), and limit how long a connect may take",
    )
}
