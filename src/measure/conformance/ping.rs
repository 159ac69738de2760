//! PINGREQ and PINGRESP: a device that does not look for the answer, and a hub that does not give one.
//!
//! A device that has sent PINGREQ waits from its oldest one without an answer until a PINGRESP is passed on to it, until it
//! gives the link up in whatever way, or until it is told that the link is gone. Whether a fault is why the answer does not
//! come is all the same: that is what PINGREQ is for. What its kernel's signs would say is not seen while they are dropped,
//! so there only what it sends counts.
//!
//! A hub's answer may stand behind messages that the device does not take: brownout then leaves the hub unread, as TCP would,
//! and the hub's time runs from when it is read again.

use super::cases::{Cases, Names, News, Size, seen};
use super::kind::Kind;
use super::watch::Watch;
use crate::base::Time;
use crate::measure::finding::Grade;
use std::time::Duration;

/// From so many keep-alives without PINGRESP on it is worth a look: common clients give up after one, some after one and a half.
const WARN: u32 = 2;
/// From so many on it is wrong.
const FAIL: u32 = 4;

/// For how long at least, and at most, a hub on a sound path is given to answer a PINGREQ or a SUBSCRIBE; in between, a keep-alive.
pub(super) const ANSWER_AT_LEAST: Duration = Duration::from_secs(5);
const ANSWER_AT_MOST: Duration = Duration::from_secs(10);

/// The PINGREQs of a link that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Pings {
    /// The oldest without an answer for the device: when, and its event.
    unanswered: Option<(Time, u64)>,
    /// The oldest that the hub has got and not answered, on a sound path.
    asked: Option<(Time, u64)>,
}

impl Pings {
    /// Whether the device waits for an answer.
    pub fn are_waiting(&self) -> bool {
        self.unanswered.is_some()
    }

    /// The device sent PINGREQ.
    pub fn sent(&mut self, at: Time, seq: u64) {
        self.unanswered.get_or_insert((at, seq));
    }

    /// The hub got it.
    pub fn passed(&mut self, at: Time, seq: u64) {
        self.asked.get_or_insert((at, seq));
    }

    /// No answer can be asked of the hub any more.
    pub fn excuse_hub(&mut self) {
        self.asked = None;
    }
}

/// How long a hub is given to answer.
pub(super) fn patience(watch: &Watch) -> Duration {
    watch.keep_alive().clamp(ANSWER_AT_LEAST, ANSWER_AT_MOST)
}

/// The device's wait is over, or is looked at: `at` this moment it had not given up.
pub(super) fn device_waited(watch: &mut Watch, at: Time, cases: &mut Cases) {
    let Some((since, seq)) = watch.pings.unanswered.take() else { return };
    let keep_alive = watch.keep_alive();
    let until = if watch.faults.muted.device { watch.device_heard.unwrap_or(since).min(at) } else { at };
    let waited = until.since(since);
    if watch.accepted.is_none() || keep_alive.is_zero() || waited <= keep_alive * WARN {
        return;
    }
    let grade = if waited > keep_alive * FAIL { Grade::Fail } else { Grade::Warn };
    cases.add(News {
        device: watch.device,
        kind: Kind::PingrespNotAwaited,
        grade,
        rule: watch.rule("MQTT 3.1.1 section 3.1.2.10", "MQTT 5.0 section 3.1.2.10"),
        size: Size::new(waited, keep_alive),
        seen: seen(seq, since, "the first PINGREQ without an answer"),
    });
}

/// The hub's time to answer is over, or is looked at.
pub(super) fn hub_waited(watch: &mut Watch, at: Time, names: Names<'_>, cases: &mut Cases) {
    let Some((since, seq)) = watch.pings.asked.take() else { return };
    let Some(waited) = watch.hub_kept_waiting(since, at) else { return };
    if !watch.faults.is_sound() || waited < patience(watch) {
        return;
    }
    cases.add(News {
        device: None,
        kind: Kind::PingreqUnanswered,
        grade: Grade::Fail,
        rule: Some("MQTT-3.12.4-1"),
        size: Size::new(waited, watch.keep_alive()),
        seen: seen(seq, since, format!("PINGREQ of {}", names.shown(watch))),
    });
}
