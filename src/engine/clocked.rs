//! Rules that fire on the run's clock: when they do, and which of their firings are left out since brownout came to them too
//! late, because the machine had no time for it, or it was stopped.
//!
//! ```text
//!  plan        1    2    3    4    5
//!  brownout    1 ── held up ──4         2 and 3 are skipped: upon the 4th they would be one fault, and none that was asked for.
//!                             │ ▲       The 5th is skipped where the 4th came so late that it still holds, or has only just
//!                    due: 2 3 4 5       struck.
//! ```
//!
//! So however late it is, one of those that are due is made, but where the duration of the run is over.

use super::machine::{Engine, Timer};
use super::pick;
use crate::base::{RuleId, Span, Time, time};
use crate::event::What;
use crate::profile::{Repeat, Spell, When};
use std::time::Duration;

/// What a firing may be nearer to the one before it than the plan has it, at least: below this, brownout is not said to have been
/// held up.
const PATIENCE: Duration = Duration::from_millis(50);

impl Engine {
    /// Sets the timer for the `nth` firing of a rule that fires by the run's time, if there is one. `before`: when the one before
    /// it was made, if it was.
    pub(super) fn schedule(&mut self, rule: RuleId, nth: u32, before: Option<Time>) {
        if let Some(at) = self.moment(rule, nth) {
            self.set_timer(at, Timer::Fire { rule, nth, before });
        }
    }

    /// The `nth` firing of a rule is due, and perhaps those behind it are.
    pub(super) fn fire_by_clock(&mut self, rule: RuleId, nth: u32, before: Option<Time>) {
        let end = self.plan.duration.map(|duration| Time::ZERO + duration);
        let latest = self.latest_due(rule, nth, end.map_or(self.now, |end| end.min(self.now)));
        if latest > nth {
            self.skip(rule, nth, latest - 1, self.late(rule, nth, self.now));
        }
        let too_near = before.filter(|made| latest == nth && self.now < *made + self.pause(rule, nth - 1));
        let made = if let Some(before) = too_near {
            self.skip(rule, nth, nth, self.late(rule, nth - 1, before));
            None
        } else if end.is_some_and(|end| end <= self.now) {
            self.skip(rule, latest, latest, self.late(rule, latest, self.now));
            None
        } else {
            self.fire_for(rule, latest, None, self.spell(rule, latest).map(|spell| spell.hold));
            Some(self.now)
        };
        if let Some(next) = latest.checked_add(1) {
            self.schedule(rule, next, made);
        }
    }

    /// The last firing that is due by then, from the `nth` on, which is; of several that are at one moment by the plan, the
    /// first.
    fn latest_due(&self, rule: RuleId, nth: u32, by: Time) -> u32 {
        let is_due = |nth: &u32| self.moment(rule, *nth).is_some_and(|at| at <= by);
        let mut latest = self.surely_due(rule, by).filter(is_due).map_or(nth, |due| due.max(nth));
        while let Some(next) = latest.checked_add(1).filter(is_due) {
            latest = next;
        }
        let at = self.moment(rule, latest);
        while latest > nth && self.moment(rule, latest - 1) == at {
            latest -= 1;
        }
        latest
    }

    /// A firing that is due by then however its jitter falls, not far from the last.
    fn surely_due(&self, rule: RuleId, by: Time) -> Option<u32> {
        let &When::At { first, repeat: Some(Repeat { every, jitter, times }) } = &self.plan.rule(rule)?.when
        else {
            return None;
        };
        let gaps = by.elapsed().checked_sub(first + jitter)?.as_nanos() / every.as_nanos().max(1);
        let nth = u32::try_from(gaps).unwrap_or(u32::MAX).saturating_add(1);
        Some(times.map_or(nth, |times| nth.min(times)))
    }

    /// How long after the `nth` firing was made the next may be. By the plan that is later by half of what lies between the end of
    /// this one and the next, a tenth of all at least.
    fn pause(&self, rule: RuleId, nth: u32) -> Duration {
        let moment = |nth: Option<u32>| self.moment(rule, nth?);
        let Some((this, next)) = moment(Some(nth)).zip(moment(nth.checked_add(1))) else {
            return Duration::ZERO;
        };
        let gap = next.since(this);
        let hold = self.spell(rule, nth).map(|spell| Span::fixed(spell.hold));
        let hold = hold.or(self.plan.rule(rule).and_then(|rule| rule.fault.hold())).unwrap_or(Span::ZERO);
        let free = gap.saturating_sub(hold.resolve(self.longest_keep_alive(None)));
        gap.saturating_sub((free / 2).max(gap / 10).max(PATIENCE))
    }

    /// When the `nth` firing of a rule is due, from 1; `None` where it has no such one.
    fn moment(&self, rule: RuleId, nth: u32) -> Option<Time> {
        match &self.plan.rule(rule)?.when {
            When::Spells(_) => self.spell(rule, nth).map(|spell| Time::ZERO + spell.at),
            When::At { first, repeat: None } => (nth == 1).then(|| Time::ZERO + *first),
            When::At { first, repeat: Some(repeat) } => {
                if repeat.times.is_some_and(|times| nth > times) {
                    return None;
                }
                let moved = |nth| self.moved(rule, nth, *first, *repeat);
                // Its jitter may let one overtake the one before it alone, and then it waits for that.
                Some(Time::ZERO + moved(nth).max(moved(nth.saturating_sub(1).max(1))))
            }
            When::After { .. } | When::Asked(_) => None,
        }
    }

    fn moved(&self, rule: RuleId, nth: u32, first: Duration, repeat: Repeat) -> Duration {
        if nth == 1 {
            return first;
        }
        let even = first + repeat.every * (nth - 1);
        let jitter = pick::jitter(self.seed, rule, nth);
        let shift = repeat.jitter.mul_f64(jitter.abs());
        if jitter < 0.0 { even.saturating_sub(shift) } else { even + shift }
    }

    /// The `nth` spell of a rule that has any, from 1.
    fn spell(&self, rule: RuleId, nth: u32) -> Option<Spell> {
        let When::Spells(spells) = &self.plan.rule(rule)?.when else { return None };
        spells.get(usize::try_from(nth).ok()?.checked_sub(1)?).copied()
    }

    /// How late the `nth` firing of a rule is at this time.
    fn late(&self, rule: RuleId, nth: u32, at: Time) -> Duration {
        self.moment(rule, nth).map(|due| at.since(due)).unwrap_or_default()
    }

    fn skip(&mut self, rule: RuleId, first: u32, last: u32, late: Duration) {
        self.emit(What::Skipped { rule, first, last, late_ns: time::nanos(late) });
        self.look_later();
    }

    /// The run's duration is over: whatever was to fire does not any more.
    pub(super) fn fire_no_more(&mut self) {
        self.timers.retain(|_, timer| {
            !matches!(timer, Timer::Fire { .. } | Timer::FireOn { .. } | Timer::FireAsked { .. })
        });
    }
}
