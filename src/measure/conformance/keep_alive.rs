//! The keep-alive: kept by the device, and the hub's one and a half.
//!
//! The hub is held to it wherever it heard nothing, be it because a fault kept packets from it: its timer is to run out then.
//! Not where its signs are dropped by the kernel, or packets come to it in pieces. Whether a packet that takes long to come in
//! keeps its timer from running out is its own affair: neither way is wrong.

use super::cases::{Cases, Names, News, Size, seen, words};
use super::kind::Kind;
use super::watch::Watch;
use crate::base::pack::{Pack, Reader, Writer};
use crate::base::{Ends, Time};
use crate::measure::finding::Grade;
use crate::mqtt::Version;
use std::time::Duration;

/// Beyond one and a half keep-alives, how much a hub's timer may be late: half a keep-alive, at least this much. Brokers look
/// at their clients every few seconds.
const LATE_AT_LEAST: Duration = Duration::from_secs(5);

/// MQTT 5: the hub's DISCONNECT for a keep-alive that ran out.
const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;

/// Clocks of two ends, and the way between them: a hub that ends a link so little before the keep-alive is over is on time.
const CLOCKS_APART: Duration = Duration::from_millis(100);

/// Of a silence of the device's that lasted until `began`: what of it the device had a live link for, and how much of that
/// counts against its keep-alive.
pub fn counted(gap: Duration, began: Time, accepted: Time, over: Ends<Option<Time>>) -> (Duration, Duration) {
    // Nobody has to say anything once the hub has given the link up, which is how most hubs answer silence.
    let until = [over.hub, over.device].into_iter().flatten().fold(began, Time::min);
    let gap = gap.saturating_sub(began.since(until));
    // Some clients count from CONNACK, and none has to say anything before it.
    (gap, gap.min(until.since(accepted)))
}

/// The device was silent for longer than its keep-alive, on a sound path, until a packet of its began, which is there `at`
/// this moment.
pub(super) fn exceeded(watch: &Watch, at: Time, began: Time, seq: u64, gap: Duration, cases: &mut Cases) {
    let Some(greeting) = &watch.greeting else { return };
    let Some(accepted) = watch.accepted else { return };
    let told = greeting.own();
    let (gap, counted) = counted(gap, began, accepted, watch.over);
    let is_excused = !watch.faults.is_sound() || watch.goodbye != Ends::default() || told.is_zero();
    if is_excused || counted <= told + told / 10 {
        return;
    }
    let is_v5 = watch.version() == Version::V5;
    let by_own = greeting.asked().is_zero() || gap <= greeting.asked() + greeting.asked() / 10;
    let (kind, rule) = match (is_v5, told < greeting.asked() || greeting.asked().is_zero(), by_own) {
        (true, true, true) => (Kind::ServerKeepaliveIgnored, "MQTT-3.1.2-21"),
        (true, _, _) => (Kind::KeepaliveExceeded, "MQTT-3.1.2-20"),
        (false, _, _) => (Kind::KeepaliveExceeded, "MQTT-3.1.2-23"),
    };
    // A hub has to bear with up to one and a half.
    let grade = if counted * 2 > told * 3 { Grade::Fail } else { Grade::Warn };
    cases.add(News {
        device: watch.device,
        kind,
        grade,
        rule: Some(rule),
        size: Size::new(counted, told),
        seen: seen(seq, at, format!("silent for {}", words(counted))),
    });
}

/// The hub's leg is looked at, at `seq`: how long it was kept without a packet.
pub(super) fn kept(watch: &Watch, at: Time, seq: u64, names: Names<'_>, cases: &mut Cases) {
    let Some(heard) = watch.hub_heard.max(watch.under_way) else { return };
    silent(watch, at, seq, watch.over.hub.unwrap_or(at).since(heard), names, cases);
}

/// The hub kept the link though it heard nothing for so long.
pub(super) fn silent(
    watch: &Watch,
    at: Time,
    seq: u64,
    silence: Duration,
    names: Names<'_>,
    cases: &mut Cases,
) {
    let Some(greeting) = &watch.greeting else { return };
    let Some(accepted) = watch.hub_accepted else { return };
    // A hub that is slow to accept counts from there.
    let silence = silence.min(at.since(accepted));
    // The hub's FIN may stand behind what is left unread.
    let is_seen =
        !watch.faults.muted.hub && !watch.faults.slowed && !watch.goodbye.device && !watch.is_unread();
    let limit = greeting.hubs() * 3 / 2 + (greeting.hubs() / 2).max(LATE_AT_LEAST);
    if !is_seen || greeting.hubs().is_zero() || silence <= limit {
        return;
    }
    cases.add(News {
        device: None,
        kind: Kind::KeepaliveNotEnforced,
        grade: Grade::Fail,
        rule: watch.rule("MQTT-3.1.2-24", "MQTT-3.1.2-22"),
        size: Size::new(silence, greeting.hubs()),
        seen: seen(
            seq,
            at,
            format!("{}: kept for {} after its last packet", names.shown(watch), words(silence)),
        ),
    });
}

/// The hub says that a keep-alive ran out.
pub(super) fn timed_out(watch: &Watch, at: Time, seq: u64, reason: u8, names: Names<'_>, cases: &mut Cases) {
    let (Some(greeting), Some(heard)) = (&watch.greeting, watch.hub_heard) else { return };
    let silence = at.since(heard);
    let in_time = silence + CLOCKS_APART >= greeting.hubs();
    if reason != KEEP_ALIVE_TIMEOUT || in_time || !watch.faults.is_sound() || watch.over.hub.is_some() {
        return;
    }
    cases.add(News {
        device: None,
        kind: Kind::KeepaliveTooStrict,
        grade: Grade::Fail,
        rule: Some("MQTT-3.1.2-22"),
        size: Size::new(silence, greeting.hubs()),
        seen: seen(seq, at, format!("{}: {} after its last packet", names.shown(watch), words(silence))),
    });
}

/// How often a hub ended a device's link after the same silence within its keep-alive.
#[derive(Clone, Debug, Default)]
pub(super) struct Early {
    /// None until a hub has ended a link of the device's so.
    silences: Option<Box<[Duration; EARLY_ENDS]>>,
}

impl Pack for Early {
    fn pack(&self, to: &mut Writer) {
        self.silences.as_deref().map(|silences| silences.to_vec()).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Early> {
        let silences: Option<Vec<Duration>> = Pack::unpack(from)?;
        let silences = silences.map(|silences| silences.try_into()).transpose().ok()?;
        Some(Early { silences: silences.map(Box::new) })
    }
}

/// So many ends after the same silence are a timer's.
const EARLY_ENDS: usize = 3;

/// The hub ended its leg, saying nothing of why. Ends after half a keep-alive of silence or more, and less than one, that are
/// alike to within a tenth three times in a row are a timer's that is too short.
pub(super) fn hub_left(
    watch: &Watch,
    at: Time,
    seq: u64,
    names: Names<'_>,
    early: &mut Early,
    cases: &mut Cases,
) {
    let (Some(greeting), Some(heard)) = (&watch.greeting, watch.hub_heard) else { return };
    let is_known = watch.hub_accepted.is_some() && watch.faults.is_pristine() && watch.is_up();
    if !is_known || greeting.hubs().is_zero() {
        return;
    }
    let silence = at.since(heard);
    let silences = early.silences.get_or_insert_default();
    silences.rotate_left(1);
    silences[EARLY_ENDS - 1] = silence;
    let is_early = |one: &Duration| *one * 2 >= greeting.hubs() && *one + CLOCKS_APART < greeting.hubs();
    let is_alike = |one: &Duration| one.abs_diff(silence) * 10 <= silence;
    if !silences.iter().all(|one| is_early(one) && is_alike(one)) {
        return;
    }
    cases.add(News {
        device: None,
        kind: Kind::KeepaliveTooStrict,
        grade: Grade::Warn,
        rule: watch.rule("MQTT-3.1.2-24", "MQTT-3.1.2-22"),
        size: Size::new(silence, greeting.hubs()),
        seen: seen(
            seq,
            at,
            format!(
                "{}: ended {} after its last packet, as twice before",
                names.shown(watch),
                words(silence)
            ),
        ),
    });
}
