//! Disconnects in a rhythm, as findings: many at once, regular, random. In Azure's terms, the symptoms of 404104.

use super::rhythm::{Rhythm, crowds, rhythms};
use super::{Kind, Scene, told};
use crate::azure::Code;
use crate::base::units::to_u64;
use crate::base::{DeviceId, Side, Time};
use crate::measure::cause::Cause;
use crate::measure::finding::{Class, Finding, Grade, MOST_EVIDENCE, Seen};
use crate::measure::results::LinkEnd;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const AT_ONCE: Kind = Kind::new("many-disconnects-at-once", Class::Recovery);
pub(super) const REGULAR: Kind = Kind::new("regular-disconnects", Class::Recovery);
pub(super) const RANDOM: Kind = Kind::new("random-disconnects", Class::Recovery);

/// Devices that leave together so shortly before the end of the run, and do not come back, were stopped with it.
const STOPPED_WITH_THE_RUN: Duration = Duration::from_secs(60);

pub(super) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut lost: Vec<&LinkEnd> = scene.natural().filter(|end| is_lost(end)).collect();
    lost.sort_by_key(|end| (end.over, end.link));
    let opened = last_opened(scene);
    let crowds: Vec<Vec<&LinkEnd>> =
        crowds(&lost).into_iter().filter(|crowd| is_of_the_fleet(scene, crowd, &opened)).collect();
    let in_crowds: BTreeSet<DeviceId> = crowds.iter().flatten().map(|end| end.device).collect();
    let mut found: Vec<Finding> = at_once(scene, &crowds).into_iter().collect();
    for rhythm in rhythms(&lost) {
        if rhythm.regular {
            found.push(regular(&rhythm));
        } else if !in_crowds.contains(&rhythm.device) {
            found.push(random(&rhythm));
        }
    }
    found
}

/// Whether a link that was up was lost, and not left in good order.
fn is_lost(end: &LinkEnd) -> bool {
    let is_wanted = end.cause.may_be_wanted() || end.cause == Cause::TakenOver;
    end.accepted.is_some() && end.over.is_some() && !is_wanted && !end.cause.is_refusal()
}

/// When each device last opened a link.
fn last_opened(scene: &Scene<'_>) -> BTreeMap<DeviceId, Time> {
    let mut last: BTreeMap<DeviceId, Time> = BTreeMap::new();
    for end in &scene.run.ends {
        let known = last.entry(end.device).or_default();
        *known = end.opened.max(*known);
    }
    last
}

/// Whether at least half of the fleet is in it, and it is not the end of the test itself.
fn is_of_the_fleet(scene: &Scene<'_>, crowd: &[&LinkEnd], opened: &BTreeMap<DeviceId, Time>) -> bool {
    let devices: BTreeSet<DeviceId> = crowd.iter().map(|end| end.device).collect();
    let last = crowd.iter().filter_map(|end| end.over).max().unwrap_or_default();
    let came_back = devices.iter().filter_map(|device| opened.get(device)).any(|at| *at > last);
    let long_after = Time::ZERO + scene.run.lasted >= last + STOPPED_WITH_THE_RUN;
    devices.len() * 2 >= scene.fleet() && (came_back || long_after)
}

fn at_once(scene: &Scene<'_>, crowds: &[Vec<&LinkEnd>]) -> Option<Finding> {
    let worst = crowds.iter().max_by_key(|crowd| crowd.len())?;
    let devices: BTreeSet<DeviceId> = worst.iter().map(|end| end.device).collect();
    let first = worst.first()?.over?;
    let times = if crowds.len() == 1 { String::new() } else { format!(", {} times in all", crowds.len()) };
    let what = format!(
        "{} of {} devices lost their links within a second at {first} s{times}.",
        devices.len(),
        scene.fleet()
    );
    let seen =
        crowds.iter().flat_map(|crowd| crowd.iter().take(2)).take(MOST_EVIDENCE).map(|end| end.shown());
    let mut finding = AT_ONCE.found(Grade::Warn, None, what, seen.collect());
    finding.count = to_u64(crowds.iter().map(Vec::len).sum::<usize>());
    let by_hub = worst.iter().filter(|end| is_by(end, Side::Hub)).count() * 2 >= worst.len();
    let cause = if by_hub {
        format!(
            "trouble or a restart of the hub; Azure would log {} and {} for it",
            Code::ServerError,
            closed()
        )
    } else {
        "the network that the devices share broke, or they were restarted together".to_owned()
    };
    Some(finding.because(
        cause,
        "look at the hub's health at that time; let devices come back with back-off and jitter",
    ))
}

/// `404104 DeviceConnectionClosedRemotely`
fn closed() -> Code {
    Code::DeviceConnectionClosedRemotely
}

fn is_by(end: &LinkEnd, side: Side) -> bool {
    match end.cause {
        Cause::Closed(by)
        | Cause::Unnotified(by)
        | Cause::TlsAlert(by, _)
        | Cause::WsClosed(by, _)
        | Cause::TlsFailed(by)
        | Cause::Reset(by)
        | Cause::ClosedUnread(by)
        | Cause::ResetUnread(by)
        | Cause::Disconnect(by) => by == side,
        Cause::KeepAliveTimeout
        | Cause::TakenOver
        | Cause::TokenOver
        | Cause::HubUnavailable
        | Cause::Refused(_) => side == Side::Hub,
        Cause::DisconnectInError(_) => side == Side::Device,
        Cause::StillOpen
        | Cause::ToldToEnd { .. }
        | Cause::WithTheRun
        | Cause::Injected(_)
        | Cause::TakenOverBy(_)
        | Cause::TokenExpired(_)
        | Cause::TokenRefused(_)
        | Cause::RefusedBy(_, _)
        | Cause::ConnectRefused(_)
        | Cause::While(_) => false,
    }
}

fn shown(rhythm: &Rhythm<'_>) -> Vec<Seen> {
    rhythm.ends.iter().map(|end| end.shown()).collect()
}

fn regular(rhythm: &Rhythm<'_>) -> Finding {
    let [least, median, most] = rhythm.intervals;
    let of_tokens = rhythm.ends.iter().all(|end| end.cause == Cause::TokenOver);
    let at_expiry = if of_tokens { ", at token expiry" } else { "" };
    let what = format!(
        "It lost its link every {} ({} to {}, {} times){at_expiry}.",
        told(median),
        told(least),
        told(most),
        rhythm.ends.len()
    );
    let (cause, advice) = if of_tokens {
        (
            format!(
                "its SAS token expires and is not renewed before; Azure logs {}, at times with {}",
                closed(),
                Code::IotHubUnauthorized
            ),
            "renew the token before it expires (SDKs do at 80 to 85 % of its life), or give it a longer life",
        )
    } else if rhythm.ends.iter().all(|end| is_by(end, Side::Device)) {
        (
            "the device ends it itself, without DISCONNECT: a renewal of its token, a watchdog, a duty cycle"
                .to_owned(),
            "send DISCONNECT before a wanted close, so that the hub does not log an error and send the will",
        )
    } else {
        (
            format!(
                "a limit of the hub or of the path: age of a token or of a connection; Azure logs {}",
                closed()
            ),
            "look for what has that period: token life, maximum connection age, idle timeout",
        )
    };
    REGULAR.found(Grade::Warn, Some(rhythm.device), what, shown(rhythm)).because(cause, advice)
}

fn random(rhythm: &Rhythm<'_>) -> Finding {
    let [least, _, most] = rhythm.intervals;
    let what =
        format!("It lost its link {} times, {} to {} apart.", rhythm.ends.len(), told(least), told(most));
    let timed_out = rhythm.ends.iter().filter(|end| end.cause == Cause::KeepAliveTimeout).count();
    let cause = if timed_out * 2 >= rhythm.ends.len() {
        format!("its connectivity is lost for longer than its keep-alive; Azure logs {}", closed())
    } else {
        format!("a path that resets links, or an application that fails; Azure logs {}", closed())
    };
    RANDOM.found(Grade::Warn, Some(rhythm.device), what, shown(rhythm)).because(
        cause,
        "test the path; do not raise the keep-alive on a bad one, since detection takes longer then",
    )
}
