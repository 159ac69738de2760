//! The delays in force on one direction of a link. They add; what is the same for every frame is added up once, so that
//! only what is drawn costs anything for a frame.

use super::effects::RuleDelay;
use crate::base::Direction;
use std::time::Duration;

/// The delays in force on one direction of a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delays(
    /// None where nothing waits: that is how nearly all links are.
    Option<Box<Sum>>,
);

#[derive(Clone, Debug, Default, PartialEq)]
struct Sum {
    same: Duration,
    drawn: Vec<RuleDelay>,
}

impl From<Vec<RuleDelay>> for Delays {
    fn from(mut rules: Vec<RuleDelay>) -> Delays {
        let mut same = Duration::ZERO;
        rules.retain(|rule| match rule.delay.same() {
            Some(delay) => {
                same = same.saturating_add(delay);
                false
            }
            None => true,
        });
        let waits = !same.is_zero() || !rules.is_empty();
        Delays(waits.then(|| Box::new(Sum { same, drawn: rules })))
    }
}

impl Delays {
    /// Whether anything waits: not where there are none, or of zero alone.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Whether each frame has a delay of its own.
    pub fn is_drawn(&self) -> bool {
        self.0.as_ref().is_some_and(|sum| !sum.drawn.is_empty())
    }

    /// The delay, where it is the same for every frame.
    pub fn same(&self) -> Option<Duration> {
        match &self.0 {
            None => Some(Duration::ZERO),
            Some(sum) => sum.drawn.is_empty().then_some(sum.same),
        }
    }

    /// How late the `frame`th frame of the direction is.
    pub fn of(&self, direction: Direction, frame: u64) -> Duration {
        let Some(sum) = &self.0 else { return Duration::ZERO };
        let drawn = sum.drawn.iter().map(|rule| rule.of(direction, frame));
        drawn.fold(sum.same, Duration::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RuleId;
    use crate::fault::{Delay, DelayModel};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn rule(delay: Delay) -> RuleDelay {
        RuleDelay { rule: RuleId(1), delay, seed: 7, subject: 8, link_nth: 1 }
    }

    #[test]
    fn equal_delays_are_added_up_and_drawn_ones_are_those_of_their_rules() {
        let drawn = rule(Delay { jitter: ms(5), ..Delay::fixed(ms(20)) });
        let even = DelayModel::Uniform { min: ms(3), max: ms(3) };
        let even = rule(Delay { model: even, jitter: Duration::ZERO });
        let all = Delays::from(vec![rule(Delay::fixed(ms(50))), drawn.clone(), even.clone()]);
        assert!(all.is_drawn() && all.is_some());
        for (direction, frame) in [(Direction::Up, 0), (Direction::Up, 1), (Direction::Down, 1)] {
            assert_eq!(all.of(direction, frame), ms(53) + drawn.of(direction, frame));
        }
        let same = Delays::from(vec![rule(Delay::fixed(ms(50))), even]);
        assert_eq!((same.is_drawn(), same.of(Direction::Up, 9)), (false, ms(53)));
    }

    #[test]
    fn a_delay_of_zero_keeps_nothing_waiting() {
        assert!(!Delays::default().is_some());
        assert!(!Delays::from(vec![rule(Delay::fixed(Duration::ZERO)); 3]).is_some());
        assert!(Delays::from(vec![rule(Delay::fixed(Duration::from_nanos(1)))]).is_some());
        assert!(Delays::from(vec![rule(Delay { jitter: ms(1), ..Delay::fixed(Duration::ZERO) })]).is_some());
    }
}
