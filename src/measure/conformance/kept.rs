//! Sessions that a hub has to keep: whoever connects without a clean start, and had a session that has not run out, is to find
//! it again.
//!
//! Before MQTT 5 a session of a device that never asked for a clean one has no end [MQTT-3.1.2-4]; in MQTT 5 it lives for its
//! Session Expiry Interval beyond the end of its link [MQTT-3.1.2-23], here counted from its beginning, since when a hub knew of
//! the end is not always seen. Not looked at: who comes to another hub, or whose packets a fault has changed or dropped; and a
//! DISCONNECT of MQTT 5, since it may have set another interval. MQTT 3.1 has no session present.

use super::cases::{Cases, Names, News, Size, seen};
use super::kind::Kind;
use super::watch::Watch;
use crate::base::pack::{Pack, Reader, Writer, fields};
use crate::base::{ListenerId, Time};
use crate::event::{Packet, SessionTerms};
use crate::measure::finding::Grade;
use crate::mqtt::Version;
use crate::session::Link;
use std::time::Duration;

/// A Session Expiry Interval that never ends (MQTT 5.0 section 3.1.2.11.2).
const FOR_EVER: u32 = u32::MAX;

/// A session that a hub has.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    version: Version,
    place: Place,
    /// Until when it has to, at least; `None` for ever.
    until: Option<Time>,
    /// The event of the CONNACK.
    seq: u64,
}

/// What tells the hub that a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    listener: ListenerId,
    name: Option<Box<str>>,
    address: Option<Box<str>>,
}

fields! {
    Kept { version, place, until, seq }
    Place { listener, name, address }
}

/// A CONNACK that accepts came from the hub. Whether its session is to be found again from now on, and the news of one that
/// was to be, and was not.
pub(super) fn answered(
    watch: &Watch,
    at: Time,
    seq: u64,
    packet: &Packet,
    (before, link): (Option<&Kept>, &Link),
    names: Names<'_>,
    cases: &mut Cases,
) -> Option<Box<Kept>> {
    let greeting = watch.greeting.as_ref().filter(|greeting| greeting.named)?;
    let Packet::Connack { code: 0, session_present, terms, .. } = packet else { return None };
    let place = Place { listener: watch.listener, name: link.sni.clone(), address: watch.to.clone() };
    let version = greeting.version;
    let is_owed = |kept: &&Kept| {
        let in_time = kept.until.is_none_or(|until| at < until);
        in_time && kept.version == version && kept.place == place && version > Version::V31
    };
    if let Some(kept) = before.filter(is_owed).filter(|_| !greeting.clean && !session_present) {
        let name = names.shown(watch);
        cases.add(News {
            device: None,
            kind: Kind::SessionForgotten,
            grade: Grade::Warn,
            rule: watch.rule("MQTT-3.1.2-4", "MQTT-3.1.2-23"),
            size: Size::default(),
            seen: seen(seq, at, format!("no session for {name}, which had one from event {} on", kept.seq)),
        });
    }
    let until = match (version, lives(greeting.session_expiry, *terms)) {
        (Version::V5, 0) => return None,
        (Version::V5, FOR_EVER) => None,
        (Version::V5, seconds) => Some(at + Duration::from_secs(u64::from(seconds))),
        (Version::V31 | Version::V311, _) if greeting.clean => return None,
        (Version::V31 | Version::V311, _) => None,
    };
    Some(Box::new(Kept { version, place, until, seq }))
}

/// The Session Expiry Interval: the hub's, where it gives another [MQTT-3.2.2-19 ff].
fn lives(asked: Option<u32>, answered: SessionTerms) -> u32 {
    answered.session_expiry.or(asked).unwrap_or(0)
}
