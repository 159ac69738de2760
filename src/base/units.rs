//! Units with their bounds: a chance, a size.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A probability from 0 to 1; written `30%` or `0.3`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Chance(f64);

impl Chance {
    /// It always happens.
    pub const ALWAYS: Chance = Chance(1.0);

    /// From a number; `None` outside 0 to 1.
    pub fn new(chance: f64) -> Option<Chance> {
        (0.0..=1.0).contains(&chance).then_some(Chance(chance))
    }

    /// As a number from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether a draw from [0, 1) hits it.
    pub fn hits(self, draw: f64) -> bool {
        draw < self.0
    }
}

impl FromStr for Chance {
    type Err = String;
    fn from_str(text: &str) -> Result<Chance, String> {
        let text = text.trim();
        let number = match text.strip_suffix('%') {
            Some(percent) => percent.trim_end().parse::<f64>().map(|p| p / 100.0),
            None => text.parse::<f64>(),
        };
        number
            .ok()
            .and_then(Chance::new)
            .ok_or_else(|| format!("`{text}` is not a chance; write 0% to 100%, or a number from 0 to 1"))
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four decimals of a percent are more than any draw can tell apart in a run.
        write!(f, "{}%", (self.0 * 1_000_000.0).round() / 10_000.0)
    }
}

impl From<Chance> for String {
    fn from(chance: Chance) -> String {
        chance.to_string()
    }
}

impl TryFrom<String> for Chance {
    type Error = String;
    fn try_from(text: String) -> Result<Chance, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_on_both_sides() {
        assert_eq!("100%".parse(), Ok(Chance::ALWAYS));
        assert_eq!("0.3".parse::<Chance>().unwrap().to_string(), "30%");
        assert!("100.1%".parse::<Chance>().is_err());
        assert!("-0.1".parse::<Chance>().is_err());
        assert!("NaN".parse::<Chance>().is_err());
    }

    #[test]
    fn never_and_always_are_exact() {
        assert!(!Chance::new(0.0).unwrap().hits(0.0));
        assert!(Chance::ALWAYS.hits(0.999_999));
    }
}
