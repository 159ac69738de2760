//! Units with their bounds: a chance, a rate; and how numbers in memory become counts.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of things, or of bytes, that are in memory, as counts and offsets are kept. Nothing is lost by that where an address
/// has 64 bits at most.
#[inline]
pub fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A probability from 0 to 1; written `30%` or `0.3`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Chance(f64);

impl Chance {
    /// It always happens.
    pub const ALWAYS: Chance = Chance(1.0);

    /// It never happens.
    pub const NEVER: Chance = Chance(0.0);

    /// From a number; `None` outside 0 to 1.
    pub fn new(chance: f64) -> Option<Chance> {
        (0.0..=1.0).contains(&chance).then_some(Chance(chance))
    }

    /// As a number from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }

    /// That at least one of two happens, which know nothing of each other.
    pub fn or(self, other: Chance) -> Chance {
        Chance((1.0 - (1.0 - self.0) * (1.0 - other.0)).clamp(0.0, 1.0))
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

/// A data rate in bits a second, from 1 to [`Rate::MOST`]; written `64kbit/s`, `1.5Mbit/s`, `16kB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Rate(u64);

/// The units of a rate, with their bits a second: the greatest first, so that a rate is shown in the greatest that fits.
const RATE_UNITS: [(&str, u64); 7] = [
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
    ("MB/s", 8_000_000),
    ("kB/s", 8_000),
    ("B/s", 8),
];

impl Rate {
    /// 100 Gbit/s: more than any link of a device.
    pub const MOST: u64 = 100_000_000_000;

    /// From bits a second; `None` for 0 and above [`Rate::MOST`].
    pub fn from_bits(bits_per_second: u64) -> Option<Rate> {
        (1..=Rate::MOST).contains(&bits_per_second).then_some(Rate(bits_per_second))
    }

    /// Bits a second.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// How long so many bytes take.
    pub fn time_for(self, bytes: usize) -> Duration {
        let bits = u128::try_from(bytes).unwrap_or(u128::MAX).saturating_mul(8);
        let nanos = bits.saturating_mul(1_000_000_000) / u128::from(self.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || {
            format!(
                "`{text}` is not a rate; write a number with bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s or MB/s, such as \
                 `64kbit/s`, above 0 and at most 100Gbit/s"
            )
        };
        let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(at);
        let (_, factor) =
            RATE_UNITS.into_iter().find(|(name, _)| *name == unit.trim_end()).ok_or_else(wrong)?;
        let (whole, decimals) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
        let digits =
            |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(wrong());
        }
        let scale = 10u128.pow(u32::try_from(decimals.len()).map_err(|_| wrong())?);
        let number: u128 = format!("{whole}{decimals}").parse().map_err(|_| wrong())?;
        let bits = (number * u128::from(factor) + scale / 2) / scale;
        u64::try_from(bits).ok().and_then(Rate::from_bits).ok_or_else(wrong)
    }
}

impl fmt::Display for Rate {
    /// In the greatest unit of bits in which at most three decimals are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |unit: &&(&str, u64)| {
            unit.0.ends_with("bit/s") && self.0 >= unit.1 && (self.0 * 1000).is_multiple_of(unit.1)
        };
        let (name, factor) = RATE_UNITS.iter().find(fits).copied().unwrap_or(("bit/s", 1));
        let (whole, part) = (self.0 / factor, self.0 % factor * 1000 / factor);
        let decimals = format!("{part:03}");
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{whole}{name}"),
            decimals => write!(f, "{whole}.{decimals}{name}"),
        }
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> String {
        rate.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = String;
    fn try_from(text: String) -> Result<Rate, String> {
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

    #[test]
    fn rates_are_read_and_shown() {
        for (text, bits, shown) in [
            ("64kbit/s", 64_000, "64kbit/s"),
            ("1.5 Mbit/s", 1_500_000, "1.5Mbit/s"),
            ("16kB/s", 128_000, "128kbit/s"),
            ("1bit/s", 1, "1bit/s"),
            ("1234567bit/s", 1_234_567, "1234.567kbit/s"),
            ("100Gbit/s", Rate::MOST, "100Gbit/s"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.bits(), rate.to_string().as_str()), (bits, shown));
            assert_eq!(shown.parse(), Ok(rate));
        }
        for wrong in ["64", "0kbit/s", "kbit/s", "101Gbit/s", "-1bit/s", "1e3bit/s", "64 kb", "0.4bit/s"] {
            assert!(wrong.parse::<Rate>().unwrap_err().contains("is not a rate"), "{wrong}");
        }
    }

    #[test]
    fn a_rate_gives_bytes_their_time() {
        let rate: Rate = "8kbit/s".parse().unwrap();
        assert_eq!(rate.time_for(1), Duration::from_millis(1));
        assert_eq!(rate.time_for(0), Duration::ZERO);
        assert_eq!(Rate(1).time_for(usize::MAX), Duration::from_nanos(u64::MAX));
    }
}
