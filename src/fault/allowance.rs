//! Bytes that may still pass in one direction before the link ends.

use super::effects::Budget;
use crate::base::Time;

/// A budget, and what is left of it. Without one, all may pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowance {
    budget: Option<Budget>,
    left: u64,
    spent: Option<Time>,
}

impl Allowance {
    /// Brings this budget into force. One of the same window goes on as it is: it counts from when it came.
    pub fn set(&mut self, budget: Option<Budget>) {
        if self.budget.map(|known| known.window) != budget.map(|new| new.window) {
            *self = Allowance { budget, left: budget.map_or(0, |budget| budget.bytes), spent: None };
        }
    }

    /// Whether all may pass.
    pub fn is_clear(&self) -> bool {
        self.budget.is_none()
    }

    /// How many of so many bytes may pass.
    pub fn of(&self, bytes: usize) -> usize {
        if self.is_clear() { bytes } else { bytes.min(usize::try_from(self.left).unwrap_or(usize::MAX)) }
    }

    /// So many have passed.
    pub fn passed(&mut self, now: Time, bytes: usize) {
        if self.is_clear() {
            return;
        }
        self.left = self.left.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.left == 0 {
            self.spent.get_or_insert(now);
        }
    }

    /// The budget, once all of it has passed, and since when.
    pub fn spent(&self) -> Option<(Budget, Time)> {
        self.budget.zip(self.spent)
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
