//! The numbers in the payloads of one direction, topic by topic: which are left out, and which come again.

use crate::base::{LinkId, Time};
use crate::event::Excuse;
use crate::mqtt::QoS;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many topics are followed, a direction; those beyond are not.
const TOPICS_LIMIT: usize = 256;

/// How many gaps of a topic are kept open for what comes late; more, and the oldest is final.
const OPEN_LIMIT: usize = 8;

/// For how long, once its device is accepted, what comes late still closes a gap: what vanished with a link is sent again
/// on the next, at once.
const LATE: Duration = Duration::from_secs(5);

/// Numbers that jump by more than this begin a new series: they do not count messages.
const JUMP_LIMIT: u64 = 1_000_000;

/// Numbers that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub from: u64,
    pub to: u64,
    /// The link, the quality of service and the identifier of the message that showed it, and when that came.
    pub link: LinkId,
    pub qos: QoS,
    pub id: u16,
    pub at: Time,
    /// It was shown by what may be messages that the device had kept.
    pub in_burst: bool,
    pub excuse: Option<Excuse>,
}

impl Gap {
    fn is_final(&self, accepted: Option<Time>, now: Time) -> bool {
        accepted.is_some_and(|accepted| now.since(accepted.max(self.at)) >= LATE)
    }

    pub fn missing(&self) -> u64 {
        (self.to - self.from).saturating_add(1)
    }
}

/// A number that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub topic: u64,
    pub number: u64,
    pub link: LinkId,
    pub qos: QoS,
    pub id: u16,
    pub at: Time,
    pub in_burst: bool,
    /// The hub had retained it: it comes when it is asked for, and says nothing of what comes before and after.
    pub retained: bool,
    /// It may be such a one, though its receiver has asked for RETAIN as it was published.
    pub perhaps_retained: bool,
    /// After how long it expires.
    pub expiry: Option<Duration>,
    /// When the device was accepted on this link.
    pub accepted: Option<Time>,
    /// The greatest that there can be; after it comes 0.
    pub greatest: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct AllSeries {
    topics: BTreeMap<u64, Series>,
}

#[derive(Clone, Debug)]
struct Series {
    /// From this one on, all have come but for those in open gaps.
    sure: u64,
    last: u64,
    /// The next that comes begins it anew: nothing has come yet but what the hub had retained, or perhaps.
    anew: bool,
    /// The session that the last number came in is over.
    session_over: bool,
    /// When that came.
    at: Time,
    link: LinkId,
    open: Vec<Gap>,
}

impl AllSeries {
    /// Takes in a number. Answers the gaps that are final now, and whether it came before.
    pub fn take(&mut self, number: &Number) -> (Vec<Gap>, bool) {
        if let Some(series) = self.topics.get_mut(&number.topic) {
            return series.take(number);
        }
        if self.topics.len() < TOPICS_LIMIT {
            self.topics.insert(number.topic, Series::new(number));
        }
        (Vec::new(), false)
    }

    /// A link on which the device was accepted then is over: the gaps that were open for long enough are final.
    pub fn close(&mut self, accepted: Option<Time>, now: Time) -> Vec<Gap> {
        self.take_open(|gap| gap.is_final(accepted, now))
    }

    /// The session so far is over.
    pub fn begin_anew(&mut self) {
        self.topics.values_mut().for_each(|series| series.session_over = true);
    }

    /// No more comes: all gaps are final.
    pub fn close_all(&mut self) -> Vec<Gap> {
        self.take_open(|_| true)
    }

    /// What the device had kept has come: the gaps that that showed are final.
    pub fn close_burst(&mut self) -> Vec<Gap> {
        self.take_open(|gap| gap.in_burst)
    }

    fn take_open(&mut self, is_meant: impl Fn(&Gap) -> bool) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for series in self.topics.values_mut() {
            let (closed, open) = std::mem::take(&mut series.open).into_iter().partition(&is_meant);
            series.open = open;
            gaps.extend(series.finish(closed));
        }
        gaps
    }
}

impl Series {
    fn new(number: &Number) -> Series {
        let Number { number, perhaps_retained, at, link, .. } = *number;
        let (anew, session_over) = (perhaps_retained, false);
        Series { sure: number, last: number, anew, session_over, at, link, open: Vec::new() }
    }

    fn take(&mut self, number: &Number) -> (Vec<Gap>, bool) {
        if self.anew {
            *self = Series { anew: number.retained, ..Series::new(number) };
            return (Vec::new(), false);
        }
        let old = self.open.iter().take_while(|gap| gap.is_final(number.accepted, number.at)).count();
        let old = self.open.drain(..old).collect();
        let mut gaps = self.finish(old);
        let n = number.number;
        if number.perhaps_retained && n <= self.last {
            self.fills(n);
            return (gaps, false);
        }
        let is_new_link = std::mem::replace(&mut self.link, number.link) != number.link;
        let has_wrapped = n == 0 && number.greatest == Some(self.last);
        // A device that has started anew counts from the beginning.
        let has_restarted = is_new_link && n <= 1 && n < self.last;
        if !has_wrapped
            && !has_restarted
            && let Some(greatest) = number.greatest.filter(|&greatest| self.wraps(n, greatest))
        {
            gaps.extend(self.begins_again(number, greatest));
            return (gaps, false);
        }
        if has_wrapped || has_restarted || n.abs_diff(self.last) > JUMP_LIMIT {
            let open = std::mem::take(&mut self.open);
            gaps.extend(open);
            *self = Series::new(number);
            return (gaps, false);
        }
        if n > self.last {
            gaps.extend(self.goes_on(number));
            return (gaps, false);
        }
        (gaps, !self.fills(n) && n >= self.sure)
    }

    /// Whether a smaller number is the next but some after the greatest, by the shorter way round (as RFC 1982 compares serial
    /// numbers), and none that comes late.
    fn wraps(&self, n: u64, greatest: u64) -> bool {
        if greatest > u64::from(u32::MAX)
            || n >= self.last
            || self.open.iter().any(|gap| gap.from <= n && n <= gap.to)
        {
            return false;
        }
        let round = greatest + 1;
        let ahead = (n + round).saturating_sub(self.last);
        ahead < round / 2 && ahead <= JUMP_LIMIT
    }

    /// The numbers begin anew after the greatest, and some on either side of that are left out.
    fn begins_again(&mut self, number: &Number, greatest: u64) -> Vec<Gap> {
        let gap = |from, to, excuse| {
            let Number { link, qos, id, at, in_burst, .. } = *number;
            Gap { from, to, link, qos, id, at, in_burst, excuse }
        };
        let excuse = self.excuse(number);
        let mut gaps = std::mem::take(&mut self.open);
        if self.last < greatest {
            gaps.push(gap(self.last + 1, greatest, excuse));
        }
        let session_over = self.session_over;
        *self = Series { session_over, ..Series::new(number) };
        if number.number > 0 {
            self.open.push(gap(0, number.number - 1, excuse));
        }
        gaps
    }

    /// What excuses that numbers are left out before this one.
    fn excuse(&mut self, number: &Number) -> Option<Excuse> {
        let since = number.at.since(std::mem::replace(&mut self.at, number.at));
        let excuse = match number.expiry {
            _ if self.session_over => Some(Excuse::SessionOver),
            Some(expiry) if since >= expiry => Some(Excuse::PerhapsExpired),
            Some(_) | None => None,
        };
        // What the hub had retained was published before its receiver asked for the topic, and so may be what follows it.
        self.session_over &= number.perhaps_retained;
        excuse
    }

    fn goes_on(&mut self, number: &Number) -> Vec<Gap> {
        let excuse = self.excuse(number);
        let before = std::mem::replace(&mut self.last, number.number);
        let Number { link, qos, id, at, in_burst, .. } = *number;
        if number.number - before == 1 {
            return Vec::new();
        }
        self.open.push(Gap { from: before + 1, to: number.number - 1, link, qos, id, at, in_burst, excuse });
        let excess = self.open.len().saturating_sub(OPEN_LIMIT);
        let old = self.open.drain(..excess).collect();
        self.finish(old)
    }

    /// A number that comes late takes its place.
    fn fills(&mut self, n: u64) -> bool {
        let Some(at) = self.open.iter().position(|gap| gap.from <= n && n <= gap.to) else { return false };
        let gap = self.open.remove(at);
        let before = (gap.from < n).then(|| Gap { to: n - 1, ..gap });
        let after = (n < gap.to).then(|| Gap { from: n + 1, ..gap });
        for (place, part) in (at..).zip(before.into_iter().chain(after)) {
            self.open.insert(place, part);
        }
        true
    }

    /// These gaps are final: of what lies before them it is no longer known whether it came.
    fn finish(&mut self, gaps: Vec<Gap>) -> Vec<Gap> {
        for gap in &gaps {
            self.sure = self.sure.max(gap.to.saturating_add(1));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u64, link: u64, millis: u64) -> Number {
        Number {
            topic: 1,
            number,
            link: LinkId(link),
            qos: QoS::AtMostOnce,
            id: 0,
            at: Time::from_millis(millis),
            in_burst: false,
            retained: false,
            perhaps_retained: false,
            expiry: None,
            accepted: (link < 9).then_some(Time::ZERO),
            greatest: Some(255),
        }
    }

    /// The gaps that are known when all have come, each as its ends, and the numbers that came before.
    fn tell(numbers: &[(u64, u64, u64)]) -> (Vec<(u64, u64)>, Vec<u64>) {
        let mut series = AllSeries::default();
        let (mut gaps, mut repeated) = (Vec::new(), Vec::new());
        for &(n, link, millis) in numbers {
            let (closed, came_before) = series.take(&number(n, link, millis));
            gaps.extend(closed);
            repeated.extend(came_before.then_some(n));
        }
        gaps.extend(series.close_all());
        (gaps.iter().map(|gap| (gap.from, gap.to)).collect(), repeated)
    }

    #[test]
    fn what_is_left_out_is_a_gap() {
        assert_eq!(tell(&[(5, 1, 0), (6, 1, 1), (9, 1, 2)]), (vec![(7, 8)], vec![]));
        assert_eq!(tell(&[(5, 1, 0), (7, 2, 1)]), (vec![(6, 6)], vec![]));
    }

    #[test]
    fn what_comes_late_closes_it_for_five_seconds() {
        assert_eq!(tell(&[(1, 1, 0), (5, 1, 1), (3, 1, 5000)]), (vec![(2, 2), (4, 4)], vec![]));
        // Later, it is not known whether it came before.
        assert_eq!(tell(&[(1, 1, 0), (5, 1, 1), (3, 1, 5001)]), (vec![(2, 4)], vec![]));
    }

    #[test]
    fn without_a_connack_nothing_is_final() {
        assert_eq!(tell(&[(1, 1, 0), (5, 9, 1), (6, 9, 9000), (3, 9, 9001)]), (vec![(2, 2), (4, 4)], vec![]));
        let mut series = AllSeries::default();
        series.take(&number(1, 9, 0));
        series.take(&number(3, 9, 1));
        assert_eq!(series.close(None, Time::from_secs(60)), []);
        assert_eq!(series.close(Some(Time::from_secs(2)), Time::from_millis(6999)), []);
        assert_eq!(series.close(Some(Time::from_secs(2)), Time::from_secs(7)).len(), 1);
    }

    #[test]
    fn a_number_that_came_before_is_told_where_that_is_sure() {
        assert_eq!(tell(&[(1, 1, 0), (2, 1, 1), (2, 1, 2), (1, 1, 3)]), (vec![], vec![2, 1]));
        assert_eq!(tell(&[(4, 1, 0), (3, 1, 1)]), (vec![], vec![]));
    }

    #[test]
    fn a_device_that_starts_anew_on_a_new_link_leaves_nothing_out() {
        assert_eq!(tell(&[(40, 1, 0), (0, 2, 1), (1, 2, 2)]), (vec![], vec![]));
        assert_eq!(tell(&[(40, 1, 0), (1, 2, 1), (2, 2, 2)]), (vec![], vec![]));
        assert_eq!(tell(&[(40, 1, 0), (41, 1, 1), (40, 1, 2)]), (vec![], vec![40]));
    }

    #[test]
    fn numbers_wrap_where_their_width_says() {
        assert_eq!(tell(&[(254, 1, 0), (255, 1, 1), (0, 1, 2), (2, 1, 3)]), (vec![(1, 1)], vec![]));
    }

    /// What is lost where the numbers begin anew is left out like any other, and what follows it is no repetition.
    #[test]
    fn what_is_lost_across_the_greatest_is_a_gap_on_either_side_of_it() {
        for (last, next, gaps) in [
            (250, 44, vec![(251, 255), (0, 43)]),
            (254, 0, vec![(255, 255)]),
            (255, 1, vec![(0, 0)]),
            // The furthest that is nearer onwards than backwards.
            (250, 121, vec![(251, 255), (0, 120)]),
        ] {
            let numbers = [(last - 1, 1, 0), (last, 1, 1), (next, 1, 2), (next + 1, 1, 3), (next, 1, 4)];
            assert_eq!(tell(&numbers), (gaps, vec![next]), "{last}, {next}");
        }
        assert_eq!(tell(&[(100, 1, 0), (250, 1, 1), (122, 1, 2)]), (vec![(101, 121), (123, 249)], vec![]));
        // What comes late of before is late, and of after it fills its place.
        assert_eq!(tell(&[(1, 1, 0), (250, 1, 1), (30, 1, 2)]), (vec![(2, 29), (31, 249)], vec![]));
        assert_eq!(tell(&[(250, 1, 0), (4, 1, 1), (2, 1, 2)]), (vec![(251, 255), (0, 1), (3, 3)], vec![]));
    }

    #[test]
    fn a_jump_beyond_all_counting_is_no_gap() {
        assert_eq!(tell(&[(1, 1, 0), (JUMP_LIMIT + 2, 1, 1)]), (vec![], vec![]));
        assert_eq!(tell(&[(1, 1, 0), (JUMP_LIMIT + 1, 1, 1)]), (vec![(2, JUMP_LIMIT)], vec![]));
    }

    #[test]
    fn only_so_many_gaps_stay_open() {
        let numbers: Vec<_> = (0..2 * 8 + 4).map(|n| (2 * n, 1, 0)).collect();
        let (gaps, _) = tell(&numbers);
        assert_eq!(gaps.len(), 19);
    }
}
