//! Numbers and times as arguments: what is wrong with one says what may stand there.

use crate::base::span;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Reads whole numbers of a range.
pub(super) fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let read = text.parse::<T>().ok().filter(|number| range.contains(number));
        read.ok_or_else(|| format!("write a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Reads a seed: any number of 64 bits.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    whole(0..=u64::MAX)(text)
}

/// Reads a fixed time.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let told = |problem| format!("{problem}; write a time with its unit, such as 500ms, 10s or 1m 30s");
    span::parse_fixed(text).map_err(told)
}

/// Reads a keep-alive as CONNECT can say it [MQTT-3.1.2.10], and that is one.
pub(super) fn keep_alive(text: &str) -> Result<Duration, String> {
    let read = time(text)?;
    let is_said = read.subsec_nanos() == 0 && (1..=u64::from(u16::MAX)).contains(&read.as_secs());
    if is_said { Ok(read) } else { Err("write whole seconds from 1s to 65535s".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_every_edge_and_what_is_allowed() {
        let ports = whole(1..=u16::MAX);
        assert_eq!((ports("1"), ports("65535")), (Ok(1), Ok(65_535)));
        for wrong in ["0", "65536", "abc", "", "-1", "1.5"] {
            assert_eq!(ports(wrong).unwrap_err(), "write a whole number from 1 to 65535", "{wrong}");
        }
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert!(seed("18446744073709551616").unwrap_err().ends_with("from 0 to 18446744073709551615"));
        assert_eq!((keep_alive("1s"), keep_alive("65535s")), {
            (Ok(Duration::from_secs(1)), Ok(Duration::from_secs(65_535)))
        });
        for wrong in ["0s", "1.5s", "65536s"] {
            assert!(keep_alive(wrong).unwrap_err().contains("from 1s to 65535s"), "{wrong}");
        }
        for (wrong, problem) in [("5", "`5` has no unit"), ("-5s", "`-5s` is negative")] {
            let told = time(wrong).unwrap_err();
            assert!(told.starts_with(problem) && told.ends_with("such as 500ms, 10s or 1m 30s"), "{told}");
        }
    }
}
