//! The pace at which a device publishes, and by it the messages that it had kept while it was away: after CONNACK they come
//! far closer upon each other than its messages usually do.

use crate::base::pack::{Pack, Reader, Writer};
use crate::base::units::to_u64;
use crate::base::{LinkId, Time};
use std::collections::VecDeque;
use std::time::Duration;

/// So many of the last gaps between messages are kept.
const GAPS_KEPT: usize = 15;

/// At least so many have to be known before they are taken for usual.
const GAPS_NEEDED: usize = 5;

/// Messages that come usually within less than this leave no room for "far closer".
const LEAST_USUAL: Duration = Duration::from_millis(50);

/// Far closer: by this factor.
const CLOSER: u32 = 10;

/// How many messages after its first CONNACK are looked at for what the device says whenever it connects.
const BIRTH_KEPT: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Rhythm {
    gaps: VecDeque<Duration>,
    /// The last message of a link, or what the next one's gap is counted from; `None` where none would tell anything.
    last: Option<Time>,
    /// The last message on any link.
    heard: Option<Time>,
    /// The link that it was on.
    link: Option<LinkId>,
    disturbed: bool,
    /// After the first CONNACK, the first gaps.
    birth: Vec<Duration>,
    is_born: bool,
    burst: Option<Burst>,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    usual: Duration,
    messages: u64,
    numbered: bool,
    last: Time,
    link: LinkId,
}

/// What a device had kept, when it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CaughtUp {
    pub link: LinkId,
    /// How many messages.
    pub queued: u64,
    /// Whether they have numbers.
    pub numbered: bool,
}

impl Rhythm {
    /// Appends what is known at rest; `false` where a link is followed.
    pub fn rest(&self, to: &mut Writer) -> bool {
        let Rhythm { gaps, last, heard, link, disturbed, birth, is_born, burst } = self;
        ((*heard, *last), (*disturbed, *is_born)).pack(to);
        birth.pack(to);
        // The first gaps are mostly the last ones, too.
        let are_same = gaps.iter().eq(birth);
        are_same.pack(to);
        if !are_same {
            gaps.iter().copied().collect::<Vec<_>>().pack(to);
        }
        link.is_none() && burst.is_none()
    }

    /// As it was at rest.
    pub fn wake(from: &mut Reader<'_>) -> Option<Rhythm> {
        let ((heard, last), (disturbed, is_born)) = Pack::unpack(from)?;
        let birth: Vec<Duration> = Pack::unpack(from)?;
        let gaps = if bool::unpack(from)? { birth.clone() } else { Pack::unpack(from)? };
        let gaps = VecDeque::from(gaps);
        Some(Rhythm { gaps, last, heard, disturbed, birth, is_born, ..Rhythm::default() })
    }

    /// The device is accepted on a link.
    pub fn accepted(&mut self, now: Time, link: LinkId) {
        self.link = Some(link);
        self.last = None;
        if !std::mem::replace(&mut self.is_born, true) {
            self.last = Some(now);
            return;
        }
        let away = self.heard.map(|heard| now.since(heard));
        let usual = self.usual().filter(|usual| away.is_some_and(|away| away >= *usual));
        self.burst = usual.map(|usual| Burst { usual, messages: 0, numbered: false, last: now, link });
    }

    /// Whether what comes now may be what the device had kept.
    pub fn is_in_burst(&self, now: Time, link: LinkId) -> bool {
        self.burst.is_some_and(|burst| burst.link == link && burst.takes(now))
    }

    /// A message that is new; `again`: it was sent before, as its DUP says.
    pub fn message(&mut self, now: Time, link: LinkId, again: bool, numbered: bool) -> Option<CaughtUp> {
        self.heard = Some(now);
        if self.link != Some(link) {
            return None;
        }
        if let Some(burst) = self.burst.as_mut().filter(|burst| burst.link == link) {
            if burst.takes(now) {
                burst.messages += u64::from(!again);
                burst.numbered |= numbered;
                burst.last = now;
                return None;
            }
            self.last = Some(now);
            return self.end();
        }
        if let Some(last) = self.last.replace(now).filter(|_| !again) {
            self.gap(now.since(last));
        }
        None
    }

    /// So many came at once that are new and have no numbers.
    pub fn messages(&mut self, now: Time, link: LinkId, messages: u32) -> Option<CaughtUp> {
        let told = if messages > 0 { self.message(now, link, false, false) } else { None };
        let more = messages.saturating_sub(1);
        match self.burst.as_mut().filter(|burst| burst.link == link && self.link == Some(link)) {
            Some(burst) => burst.messages += u64::from(more),
            // More gaps than are kept change nothing.
            None => (0..more).take(GAPS_KEPT.max(BIRTH_KEPT)).for_each(|_| {
                self.message(now, link, false, false);
            }),
        }
        told
    }

    /// A fault makes packets wait or vanish, or no more: gaps tell nothing.
    pub fn disturb(&mut self, disturbed: bool) {
        self.disturbed = disturbed;
        self.last = None;
    }

    /// No more comes of the link.
    pub fn ended(&mut self, link: LinkId) -> Option<CaughtUp> {
        if self.link != Some(link) {
            return None;
        }
        (self.link, self.last) = (None, None);
        self.end()
    }

    fn gap(&mut self, gap: Duration) {
        if self.birth.len() < BIRTH_KEPT {
            // There are thousands of devices, and most tell one gap or two.
            if self.birth.len() == self.birth.capacity() {
                self.birth.reserve_exact(self.birth.len().max(1));
            }
            self.birth.push(gap);
        }
        if self.disturbed {
            return;
        }
        if self.gaps.len() >= GAPS_KEPT {
            self.gaps.pop_front();
        }
        if self.gaps.len() == self.gaps.capacity() {
            self.gaps.reserve_exact(self.gaps.len().max(1));
        }
        self.gaps.push_back(gap);
    }

    fn end(&mut self) -> Option<CaughtUp> {
        let burst = self.burst.take()?;
        let queued = burst.messages.saturating_sub(self.said_at_birth(burst.usual));
        // One alone may be its next message, come just now.
        let queued = if queued < 2 { 0 } else { queued };
        Some(CaughtUp { link: burst.link, queued, numbered: burst.numbered })
    }

    /// How many messages the device says at once when it connects.
    fn said_at_birth(&self, usual: Duration) -> u64 {
        let count = self.birth.iter().take_while(|gap| **gap * CLOSER < usual).count();
        to_u64(count)
    }

    /// The median gap, where enough are known.
    fn usual(&self) -> Option<Duration> {
        if self.gaps.len() < GAPS_NEEDED {
            return None;
        }
        let mut gaps: Vec<Duration> = self.gaps.iter().copied().collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|usual| *usual >= LEAST_USUAL)
    }
}

impl Burst {
    /// The first may come a while after CONNACK: a device subscribes before it publishes.
    fn takes(&self, now: Time) -> bool {
        let closer = if self.messages == 0 { 2 } else { CLOSER };
        now.since(self.last) * closer < self.usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that publishes each second from its CONNACK on, six times; then away for 30 s.
    fn usual() -> Rhythm {
        let mut rhythm = Rhythm::default();
        rhythm.accepted(Time::ZERO, LinkId(1));
        for second in 1..=6 {
            assert_eq!(rhythm.message(Time::from_secs(second), LinkId(1), false, false), None);
        }
        assert_eq!(rhythm.ended(LinkId(1)), None);
        rhythm.accepted(Time::from_secs(36), LinkId(2));
        rhythm
    }

    fn caught_up(millis: &[u64]) -> Option<u64> {
        let mut rhythm = usual();
        let mut told = None;
        for at in millis {
            let at = Time::from_millis(36_000 + at);
            told = rhythm.message(at, LinkId(2), false, false).or(told);
        }
        rhythm.ended(LinkId(2)).or(told).map(|told| told.queued)
    }

    #[test]
    fn what_comes_ten_times_closer_than_usual_was_kept() {
        assert_eq!(caught_up(&[499, 598, 697, 1500]), Some(3));
        assert_eq!(caught_up(&[499, 599, 1500]), Some(0), "599 is a tenth of a second after");
        assert_eq!(caught_up(&[500, 501, 502]), Some(0), "the first is half a second after CONNACK");
        assert_eq!(caught_up(&[]), Some(0));
    }

    #[test]
    fn one_alone_may_be_its_next() {
        assert_eq!(caught_up(&[10, 1000, 2000]), Some(0));
    }

    #[test]
    fn what_it_says_whenever_it_connects_was_not_kept() {
        let mut rhythm = Rhythm::default();
        rhythm.accepted(Time::ZERO, LinkId(1));
        for millis in [1, 2, 1000, 2000, 3000, 4000, 5000, 6000] {
            rhythm.message(Time::from_millis(millis), LinkId(1), false, false);
        }
        rhythm.ended(LinkId(1));
        rhythm.accepted(Time::from_secs(36), LinkId(2));
        for millis in [1, 2, 3, 4, 5] {
            rhythm.message(Time::from_millis(36_000 + millis), LinkId(2), false, false);
        }
        assert_eq!(rhythm.ended(LinkId(2)).map(|told| told.queued), Some(3));
    }

    #[test]
    fn without_a_pace_nothing_is_known() {
        let mut rhythm = Rhythm::default();
        rhythm.accepted(Time::ZERO, LinkId(1));
        for second in 1..=4 {
            rhythm.message(Time::from_secs(second), LinkId(1), false, false);
        }
        rhythm.ended(LinkId(1));
        rhythm.accepted(Time::from_secs(36), LinkId(2));
        rhythm.message(Time::from_secs(36), LinkId(2), false, false);
        rhythm.message(Time::from_secs(36), LinkId(2), false, false);
        assert_eq!(rhythm.ended(LinkId(2)), None);
    }

    #[test]
    fn many_at_once_count_as_one_after_another() {
        let (mut at_once, mut by_one) = (usual(), usual());
        for (millis, messages) in [(1, 300), (2, 1), (3, 40), (2000, 100), (3000, 3)] {
            let now = Time::from_millis(36_000 + millis);
            let told: Vec<_> =
                (0..messages).filter_map(|_| by_one.message(now, LinkId(2), false, false)).collect();
            assert_eq!(Vec::from_iter(at_once.messages(now, LinkId(2), messages)), told);
            assert_eq!(at_once.gaps, by_one.gaps);
        }
        assert_eq!(at_once.birth, by_one.birth);
    }

    #[test]
    fn resends_are_not_what_it_kept() {
        let mut rhythm = usual();
        for (millis, again) in [(1, true), (2, true), (3, false), (4, false)] {
            rhythm.message(Time::from_millis(36_000 + millis), LinkId(2), again, true);
        }
        let told = rhythm.ended(LinkId(2)).unwrap();
        assert_eq!((told.queued, told.numbered), (2, true));
    }
}
