//! Spans in protocol time: so many keep-alives of the device, plus a fixed time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest fixed part of a span: a year, far past any run.
pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The most keep-alives a span may count.
pub const MOST_KEEPALIVES: f64 = 1_000_000.0;

/// A span such as `1.5 keepalive + 10s`: known only once the device's keep-alive is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Span {
    keepalives: f64,
    fixed: Duration,
}

/// What is wrong with a span's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a span: {problem}; write a time with its unit (`500ms`, `10s`, `1m 30s`, `2h`), \
     keep-alives (`1.5 keepalive`), or both (`1.5 keepalive + 10s`)"
)]
pub struct BadSpan {
    text: String,
    problem: String,
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span { keepalives: 0.0, fixed: Duration::ZERO };

    /// A fixed time.
    pub const fn fixed(fixed: Duration) -> Span {
        Span { keepalives: 0.0, fixed }
    }

    /// So many keep-alives and a fixed time. `keepalives` is from 0 to [`MOST_KEEPALIVES`].
    pub const fn of(keepalives: f64, fixed: Duration) -> Span {
        Span { keepalives, fixed }
    }

    /// The span for a device with this keep-alive.
    pub fn resolve(self, keep_alive: Duration) -> Duration {
        keep_alive.mul_f64(self.keepalives).saturating_add(self.fixed)
    }

    /// Whether the device's keep-alive has a part in it.
    pub fn is_relative(self) -> bool {
        self.keepalives > 0.0
    }

    /// Whether it is no time for any device.
    pub fn is_zero(self) -> bool {
        self.keepalives == 0.0 && self.fixed.is_zero()
    }
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Span, BadSpan> {
        let bad = |problem: &str| BadSpan { text: text.to_owned(), problem: problem.to_owned() };
        let mut span = Span::ZERO;
        for term in text.split('+').map(str::trim) {
            if term.is_empty() {
                return Err(bad(if text.trim().is_empty() {
                    "it is empty"
                } else {
                    "a term is missing beside `+`"
                }));
            }
            match keepalive_factor(term) {
                Some(factor) => span.keepalives += factor.map_err(bad)?,
                None => span.fixed = span.fixed.saturating_add(parse_fixed(term).map_err(|p| bad(&p))?),
            }
        }
        if span.fixed > LONGEST {
            return Err(bad("it is longer than a year"));
        }
        Ok(span)
    }
}

/// The factor of a term in keep-alives; `None` if the term is not one.
fn keepalive_factor(term: &str) -> Option<Result<f64, &'static str>> {
    let number = ["keepalives", "keepalive", "keep-alives", "keep-alive"]
        .into_iter()
        .find_map(|word| term.strip_suffix(word))?
        .trim_end();
    if number.is_empty() {
        return Some(Ok(1.0));
    }
    Some(match number.trim_end_matches(['x', '*']).trim_end().parse::<f64>() {
        Ok(factor) if (0.0..=MOST_KEEPALIVES).contains(&factor) => Ok(factor),
        Ok(_) => Err("the number of keep-alives is from 0 to 1000000"),
        Err(_) => Err("before `keepalive` stands a number"),
    })
}

/// A fixed time such as `10s` or `1m 30s`.
///
/// # Errors
/// What is wrong with it, in words: no unit, no time, or less than none.
pub fn parse_fixed(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.parse::<f64>().is_ok() {
        return Err(format!("`{text}` has no unit"));
    }
    let signed: jiff::SignedDuration = jiff::fmt::friendly::SpanParser::new()
        .parse_duration(text)
        .map_err(|_| format!("`{text}` is not a time"))?;
    Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))
}

/// In nanoseconds.
const HOUR: u128 = 60 * MINUTE;
/// In nanoseconds.
const MINUTE: u128 = 60_000_000_000;

/// A time as people write it: `1m 30s`, `2.5s`, `300ms`. Reads back as the same time.
pub fn show_fixed(span: Duration) -> String {
    let nanos = span.as_nanos();
    let (scale, unit) = match nanos {
        0 => return "0s".into(),
        n if n % HOUR == 0 => (HOUR, "h"),
        n if n % MINUTE == 0 && n < HOUR => (MINUTE, "m"),
        n if n > HOUR => return format!("{}h {}", n / HOUR, show_fixed(below(n % HOUR))),
        n if n > MINUTE => return format!("{}m {}", n / MINUTE, show_fixed(below(n % MINUTE))),
        n if n >= 1_000_000_000 => (1_000_000_000, "s"),
        n if n >= 1_000_000 => (1_000_000, "ms"),
        n if n >= 1_000 => (1_000, "us"),
        _ => (1, "ns"),
    };
    let fraction = format!("{:09}", nanos % scale * (1_000_000_000 / scale.min(1_000_000_000)));
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{}{dot}{fraction}{unit}", nanos / scale)
}

/// So many nanoseconds, less than an hour.
fn below(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.keepalives > 0.0, self.fixed.is_zero()) {
            (true, true) => write!(f, "{} keepalive", self.keepalives),
            (true, false) => write!(f, "{} keepalive + {}", self.keepalives, show_fixed(self.fixed)),
            (false, _) => f.write_str(&show_fixed(self.fixed)),
        }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl TryFrom<String> for Span {
    type Error = BadSpan;
    fn try_from(text: String) -> Result<Span, BadSpan> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for text in [
            "0s",
            "10s",
            "2.5s",
            "300ms",
            "1.5ms",
            "20us",
            "7ns",
            "1m",
            "1m 30s",
            "1m 30.25s",
            "2h",
            "3h 15m",
            "1h 500ms",
            "1 keepalive",
            "1.5 keepalive",
            "1.5 keepalive + 10s",
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn resolves_against_the_keep_alive_of_the_device() {
        let span: Span = "1.5 keepalive + 10s".parse().unwrap();
        assert_eq!(span.resolve(Duration::from_secs(4)), Duration::from_secs(16));
        assert_eq!(
            "keepalive".parse::<Span>().unwrap().resolve(Duration::from_secs(4)),
            Duration::from_secs(4)
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("10", "`10` has no unit"),
            ("", "it is empty"),
            ("10s +", "a term is missing beside `+`"),
            ("ten keepalive", "before `keepalive` stands a number"),
            ("-1 keepalive", "from 0 to 1000000"),
            ("-3s", "is negative"),
            ("3 parsecs", "is not a time"),
            ("99999h", "longer than a year"),
        ] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
