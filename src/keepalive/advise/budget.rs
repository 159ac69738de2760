//! So many bytes in so much time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A month as tariffs count it, and as costs are told.
pub const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);

const DAY: Duration = Duration::from_secs(24 * 3_600);
const HOUR: Duration = Duration::from_secs(3_600);

/// Units of data, greatest first.
const UNITS: [(&str, f64); 4] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)];

/// The most that can be written: a petabyte.
const MOST: f64 = 1e15;

/// A budget of data, as text `5MB/month`, `200kB/day`, `1.5kB/h`.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Bytes in [`MONTH`].
    pub bytes_a_month: f64,
    text: String,
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Budget, String> {
        let wrong = || {
            format!("`{text}` is not a budget of data; write such as `5MB/month`, `200kB/day` or `1kB/hour`")
        };
        let (data, per) = text.trim().split_once('/').ok_or_else(wrong)?;
        let times = match per.trim() {
            "month" => 1.0,
            "day" => MONTH.as_secs_f64() / DAY.as_secs_f64(),
            "hour" | "h" => MONTH.as_secs_f64() / HOUR.as_secs_f64(),
            _ => return Err(wrong()),
        };
        let data = data.trim();
        let (number, factor) = UNITS
            .into_iter()
            .find_map(|(unit, factor)| data.strip_suffix(unit).map(|number| (number.trim(), factor)))
            .ok_or_else(wrong)?;
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor * times;
        if !(bytes > 0.0 && bytes <= MOST) {
            return Err(wrong());
        }
        Ok(Budget { bytes_a_month: bytes, text: text.trim().to_owned() })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Bytes as people write them, with three digits: `5.12 MB`, `831 kB`.
pub fn show_bytes(bytes: f64) -> String {
    let (unit, factor) = UNITS.into_iter().find(|(_, factor)| bytes >= *factor).unwrap_or(("B", 1.0));
    let value = bytes / factor;
    let decimals = if factor <= 1.0 || value >= 100.0 { 0 } else { usize::from(value < 10.0) + 1 };
    format!("{value:.decimals$} {unit}")
}

/// A count with its thousands apart.
pub fn show_count(count: f64) -> String {
    let digits = format!("{:.0}", count.max(0.0));
    let mut out = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_of_a_month_whatever_it_is_written_for() {
        for (text, bytes) in [
            ("5MB/month", 5e6),
            ("1.5kB/hour", 1.08e6),
            ("200 kB / day", 6e6),
            ("1GB/month", 1e9),
            ("10B/h", 7_200.0),
        ] {
            assert_eq!(text.parse::<Budget>().unwrap().bytes_a_month, bytes, "{text}");
        }
        for text in ["5MB", "5/month", "MB/month", "-1MB/month", "0MB/month", "5MB/year", "nanMB/month", ""] {
            assert!(text.parse::<Budget>().unwrap_err().contains("5MB/month"), "{text}");
        }
    }

    #[test]
    fn figures_are_short() {
        for (bytes, shown) in
            [(0.0, "0 B"), (831.0, "831 B"), (1_234.0, "1.23 kB"), (51_234.0, "51.2 kB"), (5.12e6, "5.12 MB")]
        {
            assert_eq!(show_bytes(bytes), shown);
        }
        assert_eq!(show_count(1_234_567.0), "1,234,567");
        assert_eq!(show_count(999.0), "999");
    }
}
