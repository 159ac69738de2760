//! Some of a plan's rules, as bits.

use super::RuleId;

/// A set of rules. Empty, it owns no memory; else a bit for each rule up to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet(Box<[u64]>);

impl RuleSet {
    /// Whether no rule is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a rule into it.
    pub fn insert(&mut self, rule: RuleId) {
        let (word, bit) = place(rule);
        if word >= self.0.len() {
            let mut words = std::mem::take(&mut self.0).into_vec();
            words.resize(word + 1, 0);
            self.0 = words.into_boxed_slice();
        }
        self.0[word] |= bit;
    }

    /// Whether the rule is in it.
    pub fn has(&self, rule: RuleId) -> bool {
        let (word, bit) = place(rule);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(rule: RuleId) -> (usize, u64) {
    (usize::from(rule.0 / 64), 1 << (rule.0 % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_in_it_and_nothing_else() {
        let mut set = RuleSet::default();
        assert!(set.is_empty() && !set.has(RuleId(0)));
        for rule in [130, 0, 63, 64, u16::MAX] {
            set.insert(RuleId(rule));
        }
        let found: Vec<u16> = (0..=u16::MAX).filter(|rule| set.has(RuleId(*rule))).collect();
        assert_eq!(found, [0, 63, 64, 130, u16::MAX]);
    }

    #[test]
    fn sets_of_the_same_rules_are_equal() {
        let set = |rules: [u16; 2]| {
            let mut set = RuleSet::default();
            rules.into_iter().for_each(|rule| set.insert(RuleId(rule)));
            set
        };
        assert_eq!(set([1, 100]), set([100, 1]));
        assert_ne!(set([1, 100]), set([1, 101]));
    }
}
