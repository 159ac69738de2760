//! Whether the hub was there all the while. Beside the outages a connection is held to it on which nothing is said; this is
//! what came of it, and whether what the hub did to an outage's link can be laid to that outage.
//!
//! ```text
//!  opened ──▶ stands ──▶ ended, young or old ──▶ dialled again at once ─┬─▶ opened: the hub's own habit, or a moment in which it
//!                                                                       │           ended others, too
//!                  └─▶ silent: gone from then on                         └─▶ unreachable: it was gone from that end on
//! ```

use crate::base::Time;
use std::time::Duration;

/// A hub that lets nobody stand who says nothing ends a connection sooner than this; one that is going, too.
const YOUNG: Duration = Duration::from_secs(1);

/// So many young ends at the beginning, and none has stood: this hub lets none stand.
const YOUNG_AT_MOST: u32 = 3;

/// Ends no further apart than this are of one moment: of a hub that dies, what is longest is the way through this machine.
const SAME_MOMENT: Duration = Duration::from_millis(100);

/// Connections that got this old to within that were ended by the hub's own timer: hubs look at theirs once a second or so.
const SAME_AGE: Duration = Duration::from_millis(1_500);

/// So many ends and absences are kept. Beyond them, the last absence counts as one that goes on.
const MOST: usize = 1_000;

/// What came of the connection so far. All times are of one clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presence {
    /// When the one that stands was opened.
    opened: Option<Time>,
    /// When the last one was ended, if none is open.
    lost: Option<Time>,
    /// Young ends so far, and whether none had stood when there were too many of them.
    young: u32,
    blind: bool,
    /// Ends of those that had stood.
    ends: Vec<End>,
    absences: Vec<Absence>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct End {
    at: Time,
    age: Duration,
}

/// When the hub was not to be had.
#[derive(Clone, Debug, PartialEq)]
struct Absence {
    from: Time,
    /// `None` while it goes on.
    until: Option<Time>,
    why: String,
}

impl Presence {
    /// A connection was opened.
    pub fn opened(&mut self, at: Time) {
        (self.opened, self.lost) = (Some(at), None);
        if self.absences.len() < MOST
            && let Some(absence) = self.absences.last_mut()
        {
            absence.until.get_or_insert(at);
        }
    }

    /// The hub ended it.
    pub fn ended(&mut self, at: Time) {
        let Some(opened) = self.opened.take() else { return };
        self.lost = Some(at);
        let age = at.since(opened);
        if age >= YOUNG {
            self.stood(End { at, age });
            return;
        }
        self.young = self.young.saturating_add(1);
        self.blind |= self.ends.is_empty() && self.young >= YOUNG_AT_MOST;
        // A hub's timer of about a second ends connections a little sooner and a little later.
        let is_habit = self.ends.iter().any(|end| end.age.abs_diff(age) <= SAME_MOMENT);
        if !self.blind && !self.ends.is_empty() && !is_habit {
            // It takes what the system has queued for it, and is gone all the same.
            self.absent(opened, "it ended connections as soon as it had taken them");
        }
    }

    fn stood(&mut self, end: End) {
        self.young = 0;
        if self.ends.len() >= MOST {
            self.ends.remove(0);
        }
        self.ends.push(end);
    }

    /// A connect that was begun then came to nothing, or nothing was heard any more of the one that stood from then on.
    pub fn unreachable(&mut self, begun: Time, why: &str) {
        self.opened = None;
        self.absent(self.lost.map_or(begun, |lost| lost.min(begun)), why);
    }

    fn absent(&mut self, from: Time, why: &str) {
        let is_full = self.absences.len() >= MOST;
        match self.absences.last_mut() {
            Some(last) if is_full || last.until.is_none() => last.until = None,
            Some(_) | None => self.absences.push(Absence { from, until: None, why: why.to_owned() }),
        }
    }

    /// Whether the hub lets no connection stand on which nothing is said: then only connects that come to nothing tell of it.
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    /// Why what was seen of an outage from `from` until `until` cannot be laid to it. `left`: when the hub ended its link.
    pub fn trouble(&self, from: Time, until: Time, left: Option<Time>) -> Option<String> {
        let meets =
            |absence: &&Absence| absence.from <= until && absence.until.is_none_or(|over| over >= from);
        if let Some(absence) = self.absences.iter().find(meets) {
            return Some(format!("the hub was not there all the while ({})", absence.why));
        }
        let beside = self.ends.iter().find(|end| left.is_some_and(|left| is_same(left, end.at)))?;
        let is_habit =
            self.ends.iter().any(|other| other != beside && other.age.abs_diff(beside.age) <= SAME_AGE);
        let why =
            "the hub ended another connection in the same moment, that had nothing to do with the outage";
        (!is_habit).then(|| why.to_owned())
    }
}

fn is_same(one: Time, other: Time) -> bool {
    one <= other + SAME_MOMENT && other <= one + SAME_MOMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn a_hub_that_was_killed_was_not_there_from_the_end_of_the_connection_until_it_took_another() {
        let mut presence = Presence::default();
        presence.opened(at(0));
        presence.ended(at(9_000));
        presence.unreachable(at(9_001), "Connection refused");
        presence.unreachable(at(9_251), "Connection refused");
        let of = |presence: &Presence, from, until| presence.trouble(at(from), at(until), None).is_some();
        assert!(of(&presence, 10_000, 20_000), "it goes on");
        presence.opened(at(9_500));
        assert!(presence.trouble(at(3_000), at(20_000), None).unwrap().contains("Connection refused"));
        // To the millisecond on both sides.
        assert!(of(&presence, 3_000, 9_000) && !of(&presence, 3_000, 8_999));
        assert!(of(&presence, 9_500, 20_000) && !of(&presence, 9_501, 20_000));
    }

    #[test]
    fn another_connection_that_ends_in_the_same_moment_makes_an_end_no_evidence() {
        let mut presence = Presence::default();
        presence.opened(at(0));
        presence.ended(at(15_000));
        presence.opened(at(15_001));
        let of = |presence: &Presence, left| presence.trouble(at(1_000), at(60_000), left).is_some();
        assert!(of(&presence, Some(at(15_100))) && of(&presence, Some(at(14_900))));
        assert!(!of(&presence, Some(at(15_101))) && !of(&presence, Some(at(14_899))) && !of(&presence, None));
        // A hub that ends each such connection at this age has a timer for them.
        presence.ended(at(31_500));
        assert!(!of(&presence, Some(at(15_000))) && !of(&presence, Some(at(31_500))));
    }

    #[test]
    fn a_hub_that_takes_connections_and_drops_them_is_gone_unless_it_always_does() {
        let mut presence = Presence::default();
        presence.opened(at(0));
        presence.ended(at(8_000));
        presence.opened(at(8_001));
        presence.ended(at(8_020));
        presence.opened(at(8_300));
        assert!(presence.trouble(at(1_000), at(9_000), None).unwrap().contains("as soon as"));
        assert_eq!((presence.trouble(at(8_301), at(9_000), None), presence.is_blind()), (None, false));

        let mut presence = Presence::default();
        for number in 0..3 {
            assert!(!presence.is_blind());
            presence.opened(at(number * 300));
            presence.ended(at(number * 300 + 50));
        }
        assert!(presence.is_blind());
        assert_eq!(presence.trouble(at(0), at(900), Some(at(50))), None);
        presence.unreachable(at(5_000), "Connection refused");
        assert!(presence.trouble(at(1_000), at(5_000), None).is_some());
    }

    /// Its clock and ours differ by milliseconds: now it is a little more than a second, now a little less.
    #[test]
    fn a_hub_whose_own_timer_is_of_a_second_was_there() {
        let mut presence = Presence::default();
        let mut now = 0;
        for age in [1_002, 1_001, 999, 1_003, 998, 997] {
            presence.opened(at(now));
            presence.ended(at(now + age));
            now += age + 5;
        }
        assert_eq!(presence.trouble(at(0), at(now), None), None);
        presence.opened(at(now));
        presence.ended(at(now + 20));
        assert!(presence.trouble(at(now), at(now + 100), None).is_some(), "it does not do that");
    }

    #[test]
    fn a_path_on_which_nothing_is_heard_any_more_was_gone_from_the_last_that_was_heard() {
        let mut presence = Presence::default();
        presence.opened(at(0));
        presence.unreachable(at(7_000), "no answer");
        presence.opened(at(14_000));
        let of = |from, until| presence.trouble(at(from), at(until), None).is_some();
        assert!(of(1_000, 7_000) && !of(1_000, 6_999) && of(14_000, 20_000) && !of(14_001, 20_000));
    }

    #[test]
    fn what_is_kept_is_bounded_and_errs_towards_no_evidence() {
        let mut presence = Presence::default();
        for number in 0..2_000 {
            presence.opened(at(number * 3_000));
            presence.ended(at(number * 3_000 + 1_500));
            presence.unreachable(at(number * 3_000 + 1_500), "gone");
        }
        presence.opened(at(6_000_000));
        assert_eq!((presence.ends.len(), presence.absences.len()), (MOST, MOST));
        assert!(presence.trouble(at(5_999_000), at(5_999_001), None).is_some());
    }
}
