//! What devices did while TLS handshakes went wrong: each attempt with how it ended, and the way back after the fault.
//!
//! An attempt is a link on which the fault was made in the handshake. A fault that was ordered and not made (the device
//! had gone) is none. A device is told to have given up only where it was seen to try at some pace, and then was quiet for
//! more than twice its longest pause.

use super::backoff::{self, BackOff};
use super::facts::{Link, Showed, Window};
use super::fold::Measures;
use super::recovery::Outage;
use super::results::Outcome;
use super::value::Value;
use crate::base::units::to_u64;
use crate::base::{DeviceId, LinkId, Time};
use crate::fault::{Ending, Fault, HandshakeFault, Mechanism};
use crate::profile::Metric;
use crate::tls::Alert;
use std::time::Duration;

/// How a handshake that met a fault ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttemptEnd {
    /// It was finished all the same: of a certificate fault, the device took the bad certificate.
    Finished,
    /// It waited until the fault was over, and was finished then.
    Waited,
    /// The device sent a TLS alert; `None` where its name is not known.
    Alert(Option<Alert>),
    /// The device closed (FIN).
    Closed,
    /// The device reset, or its system gave up.
    Reset,
    /// Brownout's side of TLS failed.
    Failed,
    /// A fault ended it, and the device has shown nothing since.
    Ended,
    /// It was still open at the end of what was seen.
    Open,
}

impl AttemptEnd {
    /// The words for it.
    pub fn words(self) -> String {
        match self {
            AttemptEnd::Finished => "finished all the same".into(),
            AttemptEnd::Waited => "waited for the end of the fault".into(),
            AttemptEnd::Alert(Some(alert)) => format!("alert {alert}"),
            AttemptEnd::Alert(None) => "TLS alert".into(),
            AttemptEnd::Closed => "FIN".into(),
            AttemptEnd::Reset => "RST".into(),
            AttemptEnd::Failed => "TLS failed".into(),
            AttemptEnd::Ended => "ended by a fault".into(),
            AttemptEnd::Open => "still open".into(),
        }
    }
}

/// One handshake that met the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When its ClientHello came.
    pub began: Time,
    /// How it ended.
    pub end: AttemptEnd,
    /// From ClientHello to that; `None` where it has not ended.
    pub took: Option<Duration>,
}

/// What a device did in a window of a fault of handshakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshakes {
    /// Its attempts, oldest first; at least one.
    pub attempts: Vec<Attempt>,
    /// Whether all of them can be told to be one device's: else nothing is said of the gaps between them.
    pub of_one: bool,
    /// The shape of the gaps between them, from ClientHello to ClientHello.
    pub back_off: BackOff,
    /// For how long after its last attempt it tried no more while the fault held, where that shows that it gave up.
    pub gave_up: Option<Duration>,
    /// How many took a certificate that a device should refuse.
    pub took_bad_certificate: u64,
}

impl Handshakes {
    /// From the ClientHello of each attempt to the next one's.
    pub fn gaps(&self) -> impl Iterator<Item = Duration> + '_ {
        let pairs = self.attempts.windows(2).filter(|_| self.of_one);
        pairs.map(|pair| pair[1].began.since(pair[0].began))
    }
}

/// A window of a fault of handshakes, judged.
pub(super) struct Judged<'a> {
    pub handshakes: Handshakes,
    pub outcome: Outcome,
    pub downtime: Option<Value>,
    pub recovery: Option<Value>,
    /// The connects until the device was accepted; `None` where it cannot be told which they are.
    pub outage: Option<Outage<'a>>,
    /// When the first attempt met the fault.
    pub start: Time,
}

impl Judged<'_> {
    pub fn measures(&self) -> Vec<(Metric, Value)> {
        let attempts = to_u64(self.handshakes.attempts.len());
        // Of several devices' attempts, one may have made any number.
        let of_it = if self.handshakes.of_one { attempts } else { 1 };
        let mut values =
            vec![(Metric::HandshakeAttempts, Value::at_least(of_it, attempts.saturating_sub(of_it)))];
        values.extend(self.handshakes.gaps().map(|gap| (Metric::HandshakeGap, Value::Exact(gap))));
        values.extend(self.downtime.map(|value| (Metric::Downtime, value)));
        values.extend(self.recovery.map(|value| (Metric::Recovery, value)));
        values
    }
}

/// What the device of this window did; `None` where it began no handshake that met the fault.
pub(super) fn judge<'a>(
    measures: &'a Measures,
    window: &Window,
    what: HandshakeFault,
    end: Time,
) -> Option<Judged<'a>> {
    let start = window.start()?;
    let mut met: Vec<(LinkId, &Link, Time)> = window
        .applied
        .iter()
        .filter(|applied| applied.means.device == Some(Mechanism::Handshake))
        .filter_map(|applied| Some((applied.link, measures.links.get(&applied.link)?, applied.at)))
        .collect();
    met.sort_by_key(|(id, link, at)| (began(link, *at), *id));
    let first = met.first()?.0;
    let attempts: Vec<Attempt> = met.iter().map(|(_, link, at)| attempt(link, *at, what, end)).collect();
    let gaps: Vec<Duration> = attempts.windows(2).map(|pair| pair[1].began.since(pair[0].began)).collect();
    let is_bad = matches!(what, HandshakeFault::Certificate(_));
    let finished = attempts.iter().filter(|attempt| is_bad && attempt.end == AttemptEnd::Finished).count();
    let handshakes = Handshakes {
        of_one: true,
        back_off: backoff::classify(&gaps),
        gave_up: gave_up(&attempts, &gaps, window.closed.unwrap_or(end)),
        took_bad_certificate: to_u64(finished),
        attempts,
    };
    let facts = measures.devices.get(&window.device);
    let links = || facts.into_iter().flat_map(|facts| &facts.links);
    let links = || links().filter_map(|id| Some((*id, measures.links.get(id)?)));
    // A device that goes on over an earlier link was not down: the attempts may be of another at its address.
    let goes_on =
        |link: &Link| link.accepted().is_some() && link.last.device.from.is_some_and(|at| at > start);
    let was_up = links().any(|(id, link)| id < first && goes_on(link));
    if was_up || is_shared(measures, window.device) {
        let of_one = handshakes.attempts.len() == 1;
        let handshakes = Handshakes { of_one, back_off: BackOff::UNCLEAR, gave_up: None, ..handshakes };
        let (outcome, outage) = (Outcome::Unknown, None);
        return Some(Judged { handshakes, outcome, downtime: None, recovery: None, outage, start });
    }
    let outage = Outage::of(links().filter(|(id, _)| *id >= first).map(|(_, link)| link));
    let back = outage.back.map(|(_, at)| at);
    let until = |from: Time| match back {
        Some(at) => Value::Exact(at.since(from)),
        None => Value::Never { watched: end.since(from) },
    };
    let recovery = window.restored().filter(|restored| back.is_none_or(|at| at >= *restored)).map(until);
    let outcome = match (back, recovery) {
        (None, _) => Outcome::Gone,
        (Some(_), None) => Outcome::BackBefore,
        (Some(_), Some(_)) => Outcome::Back,
    };
    let (downtime, outage) = (Some(until(start)), Some(outage));
    Some(Judged { handshakes, outcome, downtime, recovery, outage, start })
}

/// Whether the device is known by its address alone, and others are behind that: then nobody knows which of their links
/// were its way back.
pub(super) fn is_shared(measures: &Measures, device: DeviceId) -> bool {
    let Some(device) = measures.sessions.device(device).filter(|device| device.version.is_none()) else {
        return false;
    };
    let others = |address| measures.sessions.from_address(address).any(|other| other != device.id);
    !device.passed_through && (device.was_two || device.address.is_some_and(others))
}

/// When the attempt's ClientHello came; of a log without it, when the fault was made.
fn began(link: &Link, applied: Time) -> Time {
    link.wrapped.as_ref().and_then(|wrapped| wrapped.hello).unwrap_or(applied)
}

fn attempt(link: &Link, applied: Time, what: HandshakeFault, end: Time) -> Attempt {
    let began = began(link, applied);
    let (end, at) = ended(link, what, end);
    Attempt { began, end, took: at.map(|at| at.since(began)) }
}

/// How the handshake on this link ended, and when.
fn ended(link: &Link, what: HandshakeFault, end: Time) -> (AttemptEnd, Option<Time>) {
    let wrapped = link.wrapped.as_deref();
    if let Some(up) = wrapped.and_then(|wrapped| wrapped.up.device) {
        let how = match what {
            // It is lifted from one link after the other, and the window is over with the last of them.
            HandshakeFault::Stall(_) => AttemptEnd::Waited,
            HandshakeFault::Certificate(_) | HandshakeFault::Alert(_) | HandshakeFault::Abort(_) => {
                AttemptEnd::Finished
            }
        };
        return (how, Some(up));
    }
    if let Some(sign) = link.signs.device {
        let how = match sign.showed {
            Showed::Ended(Ending::Alert) => {
                AttemptEnd::Alert(wrapped.and_then(|wrapped| wrapped.alert.device))
            }
            Showed::Ended(Ending::Reset) => AttemptEnd::Reset,
            Showed::Ended(Ending::Fin | Ending::Unnotified | Ending::WsClose)
            | Showed::Disconnect(_)
            | Showed::Connect => AttemptEnd::Closed,
        };
        return (how, Some(sign.at));
    }
    if let Some((at, _)) = wrapped.and_then(|wrapped| wrapped.failed) {
        return (AttemptEnd::Failed, Some(at));
    }
    match (link.cut, link.closed.filter(|closed| *closed < end)) {
        (Some((at, _)), _) => (AttemptEnd::Ended, Some(at)),
        (None, Some(closed)) => (AttemptEnd::Ended, Some(closed)),
        (None, None) => (AttemptEnd::Open, None),
    }
}

/// Whether the quiet from the last attempt's end until the fault was over shows that the device gave up.
fn gave_up(attempts: &[Attempt], gaps: &[Duration], until: Time) -> Option<Duration> {
    let last = attempts.last()?;
    let has_failed = match last.end {
        AttemptEnd::Finished | AttemptEnd::Waited | AttemptEnd::Open => false,
        AttemptEnd::Alert(_)
        | AttemptEnd::Closed
        | AttemptEnd::Reset
        | AttemptEnd::Failed
        | AttemptEnd::Ended => true,
    };
    let quiet = until.since(last.began);
    let longest = gaps.iter().max()?;
    (has_failed && quiet > *longest * 2).then_some(quiet)
}

/// Whether the fault ends the handshake by itself, rather than leave it to the device.
pub(super) fn ends_it(fault: &Fault) -> bool {
    what_of(fault).is_some_and(|what| match what {
        HandshakeFault::Alert(_) | HandshakeFault::Abort(_) => true,
        HandshakeFault::Stall(_) | HandshakeFault::Certificate(_) => false,
    })
}

/// What of handshakes goes wrong, if anything does.
pub(super) fn what_of(fault: &Fault) -> Option<HandshakeFault> {
    fault.handshake().map(|handshake| handshake.what)
}
