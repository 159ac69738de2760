//! Hubs that are not there, turn devices away, or see two of one name.

use super::{Kind, Scene, many, told};
use crate::azure::Code;
use crate::base::DeviceId;
use crate::measure::cause::Cause;
use crate::measure::finding::{Class, Finding, Grade, Seen};
use crate::measure::results::LinkEnd;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const UNAVAILABLE: Kind = Kind::new("hub-unavailable", Class::Recovery);
pub(super) const REFUSED: Kind = Kind::new("refused-again-and-again", Class::Recovery);
pub(super) const SOON: Kind = Kind::new("ended-soon-after-connect", Class::Recovery);
pub(super) const FIGHT: Kind = Kind::new("client-id-fight", Class::Recovery);

/// So often in a row is more than chance.
pub const LEAST_TIMES: usize = 3;
/// What a hub ends so soon after the CONNECT or CONNACK, it ends for what the device is or asked.
const SOON_AFTER: Duration = Duration::from_secs(2);
/// Two that fight for a name take it from each other within this; who renews a token takes its own name from itself
/// every hour or so.
const FIGHT_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = unavailable(scene).into_iter().collect();
    for (device, ends) in by_device(scene) {
        found.extend(refused(scene, device, &ends));
        found.extend(soon(device, &ends));
        found.extend(fight(device, &ends));
    }
    found
}

fn by_device<'a>(scene: &'a Scene<'_>) -> BTreeMap<DeviceId, Vec<&'a LinkEnd>> {
    let mut by_device: BTreeMap<DeviceId, Vec<&LinkEnd>> = BTreeMap::new();
    scene.natural().for_each(|end| by_device.entry(end.device).or_default().push(end));
    by_device
}

fn shown(ends: &[&LinkEnd]) -> Vec<Seen> {
    ends.iter().map(|end| end.shown()).collect()
}

fn unavailable(scene: &Scene<'_>) -> Option<Finding> {
    let mut ends: Vec<&LinkEnd> = scene.natural().filter(|end| end.cause == Cause::HubUnavailable).collect();
    ends.sort_by_key(|end| end.opened);
    let devices: BTreeSet<DeviceId> = ends.iter().map(|end| end.device).collect();
    let what = format!(
        "The hub could not be reached for {} of {}.",
        many(ends.len(), "connect"),
        many(devices.len(), "device")
    );
    (!ends.is_empty()).then(|| {
        UNAVAILABLE.found(Grade::Warn, None, what, shown(&ends)).because(
            "the hub was down, or the way from brownout to it",
            "look at the hub and at brownout's way to it: nothing of this is the devices' doing",
        )
    })
}

fn refused(scene: &Scene<'_>, device: DeviceId, ends: &[&LinkEnd]) -> Option<Finding> {
    let refused: Vec<&LinkEnd> =
        ends.iter().copied().filter(|end| matches!(end.cause, Cause::Refused(_))).collect();
    let accepted = scene.run.devices.get(&device).map_or(0, |device| device.accepted);
    if refused.len() < LEAST_TIMES {
        return None;
    }
    let code = refused.iter().find_map(|end| end.logged?.code);
    let what = format!("The hub refused it {} times, and accepted it {accepted}.", refused.len());
    let (cause, advice) = match code {
        Some(Code::IotHubUnauthorized) => (
            "it is not authorized: an expired token, wrong credentials, or a clock that is off; Azure logs 401003".to_owned(),
            "look at its credentials and its clock (Azure allows 5 minutes)",
        ),
        Some(code) => (
            format!("the hub is busy or in trouble; Azure logs {code}"),
            "wait longer after each refusal, up to a cap",
        ),
        None => (
            "the hub does not take what its CONNECT says".to_owned(),
            "look the return code up: protocol version, client identifier, credentials",
        ),
    };
    let grade = if accepted == 0 { Grade::Fail } else { Grade::Warn };
    Some(REFUSED.found(grade, Some(device), what, shown(&refused)).because(cause, advice))
}

fn soon(device: DeviceId, ends: &[&LinkEnd]) -> Option<Finding> {
    let soon: Vec<&LinkEnd> = ends.iter().copied().filter(|end| is_ended_soon(end)).collect();
    if soon.len() < LEAST_TIMES {
        return None;
    }
    let unanswered = soon.iter().filter(|end| end.accepted.is_none()).count();
    let what = format!(
        "The hub ended {} within {} of the connect, {unanswered} of them without CONNACK.",
        many(soon.len(), "link"),
        told(SOON_AFTER)
    );
    let cause = if unanswered * 2 >= soon.len() {
        "the hub closes on what CONNECT says: credentials, client identifier, or a protocol that it does not speak"
    } else {
        "another client with the same identifier takes the name back, or the hub closes on what the device does first: a \
         topic it may not use, QoS 2 where there is none, a packet too large"
    };
    Some(
        SOON.found(Grade::Warn, Some(device), what, shown(&soon))
            .because(cause, "look at the hub's log for this client, and at its first packets after CONNECT"),
    )
}

fn is_ended_soon(end: &LinkEnd) -> bool {
    let from = end.accepted.unwrap_or(end.opened);
    end.cause.is_of_hub() && end.over.is_some_and(|over| over.since(from) <= SOON_AFTER)
}

/// Takeovers in quick succession: whoever lost the name takes it back.
fn fight(device: DeviceId, ends: &[&LinkEnd]) -> Option<Finding> {
    let mut taken: Vec<&LinkEnd> =
        ends.iter().copied().filter(|end| end.cause == Cause::TakenOver && end.over.is_some()).collect();
    taken.sort_by_key(|end| end.over);
    let is_close = |pair: &[&LinkEnd]| match pair {
        [one, next] => next.over.zip(one.over).is_some_and(|(next, one)| next.since(one) <= FIGHT_WITHIN),
        _ => false,
    };
    let rounds = taken.windows(2).filter(|pair| is_close(pair)).count() + 1;
    if taken.len() < LEAST_TIMES || rounds < LEAST_TIMES {
        return None;
    }
    let what = format!("{} links with this client identifier were taken over, one by the next.", taken.len());
    Some(FIGHT.found(Grade::Fail, Some(device), what, shown(&taken)).because(
        format!(
            "two devices, or two connections of one, use the same client identifier; Azure logs {}",
            Code::ConnectionForcefullyClosedOnNewConnection
        ),
        "give each device its own client identifier, and let a client hold one connection",
    ))
}
