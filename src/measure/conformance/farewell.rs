//! How a device leaves: DISCONNECT before a wanted close (MQTT 3.1.1 and 5, section 3.14).

use super::cases::{Cases, News, Size, seen};
use super::kind::Kind;
use super::watch::Watch;
use crate::base::{Ends, Time};
use crate::fault::Ending;
use crate::measure::finding::Grade;

/// The device ended its leg. `disturbed`: a fault has just fallen on it, or it has another link already.
pub(super) fn left(watch: &Watch, at: Time, seq: u64, how: Ending, disturbed: bool, cases: &mut Cases) {
    let is_plain = matches!(how, Ending::Fin | Ending::Unnotified);
    let nobody_before = watch.goodbye == Ends::default() && watch.over == Ends::default();
    // Who waits for a PINGRESP may have given the link up for lost.
    let is_wanted = is_plain && nobody_before && !watch.pings.are_waiting();
    if watch.accepted.is_none() || !is_wanted || !watch.faults.is_pristine() || disturbed {
        return;
    }
    let has_will = watch.greeting.as_ref().is_some_and(|greeting| greeting.will.is_some());
    let what = if has_will { "FIN without DISCONNECT, with a will" } else { "FIN without DISCONNECT" };
    cases.add(News {
        device: watch.device,
        kind: Kind::ClosedWithoutDisconnect,
        grade: Grade::Warn,
        rule: Some("section 3.14"),
        size: Size::default(),
        seen: seen(seq, at, what),
    });
}
