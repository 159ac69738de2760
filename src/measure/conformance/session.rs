//! Subscriptions and sessions: subscribed again where the hub has no session, each SUBSCRIBE answered, session present said
//! only where there may be one, and one link for a client identifier.

use super::cases::{Cases, Names, News, Size, seen, shown, words};
use super::kind::Kind;
use super::ping::{self, patience};
use super::watch::{Watch, release_if_empty};
use crate::base::{DeviceId, Ends, LinkId, Time};
use crate::event::Packet;
use crate::measure::finding::Grade;
use crate::mqtt::Version;
use std::time::Duration;

/// For how long after CONNACK a device is watched before it has lost its subscriptions: applications subscribe in the handler of
/// CONNACK, and even a slow device is through with that by then.
const WATCHED: Duration = Duration::from_secs(3);

/// For how long after a refused subscription a device is watched before it has ignored it.
const REFUSAL_WATCHED: Duration = Duration::from_secs(10);

/// For how long a hub may keep the first link of a client identifier after it has accepted a second.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// How many SUBSCRIBEs of a link may wait for their SUBACK; more are not followed.
const MOST_ASKED: usize = 64;

/// How many second links are watched at once.
const MOST_RIVALS: usize = 1_000;

/// More filters in one SUBSCRIBE than this are not counted: its head may not be there whole.
const MOST_FILTERS: usize = 1_000;

/// A SUBSCRIBE that waits for its SUBACK.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    filters: usize,
    /// When the hub got it, and its event.
    at: Option<(Time, u64)>,
}

/// What a link's session owes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Session {
    /// The device has subscribed or dropped a subscription on this link, which it may do before CONNACK, too.
    minded: bool,
    /// The device has no session and had subscriptions: since this moment and event it is to subscribe again.
    owed: Option<(Time, u64)>,
    /// The device was told that a subscription is refused.
    refused: Option<(Time, u64)>,
}

impl Session {
    /// A fault fell on the link, or was lifted: what the device did not do before is not known to be its own.
    pub fn watch_anew(&mut self, at: Time) {
        for since in [&mut self.owed, &mut self.refused].into_iter().flatten() {
            since.0 = since.0.max(at);
        }
    }

    /// A part of the log begins at this moment: what was due before is told in the one before.
    pub fn goes_on(&mut self, at: Time) {
        self.owed = self.owed.filter(|(since, _)| at.since(*since) <= WATCHED);
        self.refused = self.refused.filter(|(since, _)| at.since(*since) <= REFUSAL_WATCHED);
    }

    /// The device subscribes or drops a subscription.
    pub fn minds(&mut self) {
        *self = Session { minded: true, owed: None, refused: None };
    }
}

/// A CONNACK was passed on to the device.
pub(super) fn accepted(watch: &mut Watch, at: Time, seq: u64, session_present: bool, held_before: bool) {
    // In MQTT 3.1 the hub has no word for the session that it keeps.
    let is_told = !watch.greeting.as_ref().is_some_and(|asked| asked.version == Version::V31 && !asked.clean);
    let owes = held_before && is_told && !session_present && !watch.session.minded;
    watch.session.owed = owes.then_some((at, seq));
}

/// A SUBACK was passed on to the device.
pub(super) fn granted(watch: &mut Watch, at: Time, seq: u64, refused: bool) {
    watch.session.refused = refused.then_some((at, seq));
}

/// The device's time to subscribe is over, or is looked at.
pub(super) fn settle(watch: &mut Watch, at: Time, cases: &mut Cases) {
    let sound = !watch.faults.hold();
    let Session { minded: _, owed, refused } = std::mem::take(&mut watch.session);
    let mut tell = |(since, seq): (Time, u64), least: Duration, kind, grade, what: &'static str| {
        let watched = at.since(since);
        if sound && watched > least {
            let size = Size::new(watched, Duration::ZERO);
            let seen = seen(seq, since, what);
            cases.add(News { device: watch.device, kind, grade, rule: None, size, seen });
        }
    };
    if let Some(owed) = owed {
        tell(owed, WATCHED, Kind::LostSubscriptions, Grade::Fail, "accepted, with no session present");
    }
    if let Some(refused) = refused {
        tell(refused, REFUSAL_WATCHED, Kind::RefusalIgnored, Grade::Warn, "SUBACK with a refusal");
    }
}

/// Whether the device is to subscribe again, and was not watched for long enough to tell whether it does.
pub(super) fn is_undecided(watch: &Watch, at: Time) -> bool {
    let is_there = watch.over.device.is_none() && watch.goodbye == Ends::default() && !watch.faults.hold();
    is_there && watch.session.owed.is_some_and(|(since, _)| at.since(since) <= WATCHED)
}

/// A SUBSCRIBE came.
pub(super) fn asks(watch: &mut Watch, id: u16, filters: usize) {
    if watch.asked.len() < MOST_ASKED && filters <= MOST_FILTERS {
        watch.asked.insert(id, Asked { filters, at: None });
    }
}

/// It was passed on to the hub.
pub(super) fn asked(watch: &mut Watch, at: Time, seq: u64, id: u16) {
    if let Some(asked) = watch.asked.get_mut(&id) {
        asked.at = Some((at, seq));
    }
}

/// A SUBACK came from the hub.
pub(super) fn answers(
    watch: &mut Watch,
    at: Time,
    seq: u64,
    packet: &Packet,
    names: Names<'_>,
    cases: &mut Cases,
) {
    let Packet::Suback { id, codes } = packet else { return };
    let Some(asked) = watch.asked.remove(id) else { return };
    release_if_empty(&mut watch.asked);
    if asked.filters == codes.len() || watch.faults.altered {
        return;
    }
    cases.add(News {
        device: None,
        kind: Kind::SubackCodes,
        grade: Grade::Fail,
        rule: watch.rule("MQTT-3.8.4-5", "MQTT-3.8.4-6"),
        size: Size::default(),
        seen: seen(
            seq,
            at,
            format!("{}: {} codes for {} filters", names.shown(watch), codes.len(), asked.filters),
        ),
    });
}

/// The hub's time to answer SUBSCRIBEs is over, or is looked at.
pub(super) fn unanswered(watch: &mut Watch, at: Time, names: Names<'_>, cases: &mut Cases) {
    if watch.asked.is_empty() {
        return;
    }
    let (patience, is_sound) = (patience(watch), watch.faults.is_sound());
    for (since, seq) in std::mem::take(&mut watch.asked).into_values().filter_map(|asked| asked.at) {
        let Some(waited) = watch.hub_kept_waiting(since, at) else { continue };
        if is_sound && waited >= patience {
            cases.add(News {
                device: None,
                kind: Kind::SubscribeUnanswered,
                grade: Grade::Fail,
                rule: Some("MQTT-3.8.4-1"),
                size: Size::new(waited, ping::ANSWER_AT_LEAST),
                seen: seen(seq, since, format!("SUBSCRIBE of {}", names.shown(watch))),
            });
        }
    }
}

/// A CONNACK came from the hub: what it says of a session.
pub(super) fn connack(
    watch: &Watch,
    at: Time,
    seq: u64,
    packet: &Packet,
    names: Names<'_>,
    cases: &mut Cases,
) {
    let Packet::Connack { session_present: true, code, .. } = packet else { return };
    let Some(greeting) = watch.greeting.as_ref().filter(|greeting| greeting.version != Version::V31) else {
        return;
    };
    let (kind, rule) = match (*code, greeting.clean) {
        (0, true) => (Kind::SessionPresentOnCleanStart, watch.rule("MQTT-3.2.2-1", "MQTT-3.2.2-2")),
        (0, false) => return,
        (_, _) => (Kind::SessionPresentOnRefusal, watch.rule("MQTT-3.2.2-4", "MQTT-3.2.2-6")),
    };
    let what = format!("CONNACK with code {code:#04x} for {}", names.shown(watch));
    let (grade, size) = (Grade::Fail, Size::default());
    cases.add(News { device: None, kind, grade, rule, size, seen: seen(seq, at, what) });
}

/// Links that the hub ought to end, since it has accepted another with their client identifier.
#[derive(Clone, Debug, Default)]
pub(super) struct Rivals {
    waiting: Vec<Rival>,
}

#[derive(Clone, Copy, Debug)]
struct Rival {
    device: DeviceId,
    first: LinkId,
    since: Time,
    seq: u64,
}

impl Rivals {
    /// The hub has accepted a link of this device, which has this one too.
    pub fn add(&mut self, device: DeviceId, first: LinkId, since: Time, seq: u64) {
        if self.waiting.len() < MOST_RIVALS {
            self.waiting.push(Rival { device, first, since, seq });
        }
    }

    /// The link is over, or a fault fell on it.
    pub fn forget(&mut self, link: LinkId) {
        self.waiting.retain(|rival| rival.first != link);
    }

    /// Tells of those that are there after the time given.
    pub fn due(
        &mut self,
        now: Time,
        rule: impl Fn(LinkId) -> Option<(&'static str, String)>,
        cases: &mut Cases,
    ) {
        // They are in the order of their beginning.
        if self.waiting.first().is_none_or(|rival| now.since(rival.since) <= TAKE_OVER) {
            return;
        }
        self.waiting.retain(|rival| {
            let watched = now.since(rival.since);
            if watched <= TAKE_OVER {
                return true;
            }
            if let Some((rule, name)) = rule(rival.first) {
                let what = format!("second link of {} (device {})", shown(&name), rival.device.0);
                cases.add(News {
                    device: None,
                    kind: Kind::SecondLinkAccepted,
                    grade: Grade::Fail,
                    rule: Some(rule),
                    size: Size::new(watched, TAKE_OVER),
                    seen: seen(
                        rival.seq,
                        rival.since,
                        format!("{what}; the first lives {} on", words(watched)),
                    ),
                });
            }
            false
        });
    }
}
