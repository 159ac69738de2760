//! Bytes that may still pass in one direction before the link ends.

use super::effects::Budget;
use crate::base::Time;
use crate::base::units::to_u64;

/// A budget, and what is left of it. Without one, all may pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowance(Option<Box<Left>>);

/// A budget that is in force, which is seldom.
#[derive(Clone, Debug, PartialEq)]
struct Left {
    budget: Budget,
    left: u64,
    spent: Option<Time>,
}

impl Allowance {
    /// Brings this budget into force. One of the same window goes on as it is: it counts from when it came.
    pub fn set(&mut self, budget: Option<Budget>) {
        if self.0.as_ref().map(|known| known.budget.window) != budget.map(|new| new.window) {
            let new = budget.map(|budget| Box::new(Left { budget, left: budget.bytes, spent: None }));
            *self = Allowance(new);
        }
    }

    /// Whether all may pass.
    pub fn is_clear(&self) -> bool {
        self.0.is_none()
    }

    /// How many of so many bytes may pass.
    pub fn of(&self, bytes: usize) -> usize {
        self.0.as_ref().map_or(bytes, |known| bytes.min(usize::try_from(known.left).unwrap_or(usize::MAX)))
    }

    /// So many have passed.
    pub fn passed(&mut self, now: Time, bytes: usize) {
        let Some(known) = &mut self.0 else { return };
        known.left = known.left.saturating_sub(to_u64(bytes));
        if known.left == 0 {
            known.spent.get_or_insert(now);
        }
    }

    /// The budget, once all of it has passed, and since when.
    pub fn spent(&self) -> Option<(Budget, Time)> {
        let known = self.0.as_ref()?;
        Some((known.budget, known.spent?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ends, WindowId};
    use crate::fault::LegFate;

    fn budget(window: u64, bytes: u64) -> Option<Budget> {
        let legs = Ends { device: LegFate::Reset, hub: LegFate::Reset };
        Some(Budget { window: WindowId(window), bytes, legs })
    }

    #[test]
    fn a_budget_is_spent_with_its_last_byte_and_not_before() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.of(1_000), 1_000);
        allowance.set(budget(1, 10));
        assert_eq!((allowance.of(9), allowance.of(11)), (9, 10));
        allowance.passed(Time::from_millis(1), 9);
        assert_eq!((allowance.of(5), allowance.spent()), (1, None));
        allowance.set(budget(1, 10));
        allowance.passed(Time::from_millis(2), 1);
        allowance.passed(Time::from_millis(3), 0);
        assert_eq!(allowance.of(5), 0);
        assert_eq!(allowance.spent().map(|(_, since)| since), Some(Time::from_millis(2)));
    }

    #[test]
    fn another_windows_budget_counts_anew() {
        let mut allowance = Allowance::default();
        allowance.set(budget(1, 10));
        allowance.passed(Time::ZERO, 10);
        allowance.set(budget(2, 3));
        assert_eq!((allowance.of(5), allowance.spent()), (3, None));
        allowance.set(None);
        assert!(allowance.is_clear() && allowance.of(5) == 5);
    }
}
