//! Outages as text: read, and shown so that they read back.

use super::{EVERY, LEAST_LENGTH, Outages, Recording};
use crate::base::Chance;
use crate::base::span::{LONGEST, parse_fixed, show_fixed};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is wrong with the text of outages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` are no outages: {problem}; write `none`, `fixed:5m,every=6h`, `exponential:30s,every=2h`, \
     `gilbert-elliott:good=2h,bad=30s,loss=100%,good-loss=0.1%` or `trace:FILE`"
)]
pub struct BadOutages {
    text: String,
    problem: String,
}

impl Outages {
    /// Fixed ones of this length, so far apart as is usual, or four times as long where they are longer than that allows.
    pub fn fixed(length: Duration) -> Outages {
        Outages::Fixed { length, every: EVERY.max(length.saturating_mul(4)) }
    }
}

impl FromStr for Outages {
    type Err = BadOutages;

    fn from_str(text: &str) -> Result<Outages, BadOutages> {
        parse(text.trim()).map_err(|problem| BadOutages { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Outages, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind.trim() {
        "none" if rest.is_empty() => Ok(Outages::None),
        "none" => Err("`none` has nothing behind it".into()),
        "fixed" => parse_apart(rest)
            .map(|(length, every)| match every {
                Some(every) => Outages::Fixed { length, every },
                None => Outages::fixed(length),
            })
            .and_then(checked),
        "exponential" => {
            let (length, every) = parse_apart(rest)?;
            let every = every.ok_or("`every` is missing: how far apart they begin on average")?;
            checked(Outages::Exponential { length, every })
        }
        "gilbert-elliott" => parse_states(rest).and_then(checked),
        "trace" => parse_trace(rest),
        _ => Err(format!("`{kind}` is not a kind of it")),
    }
}

/// `5m,every=6h`
fn parse_apart(rest: &str) -> Result<(Duration, Option<Duration>), String> {
    let mut parts = rest.split(',');
    let length = parse_length(parts.next().unwrap_or_default())?;
    let mut every = None;
    for (name, value) in options(parts) {
        match name {
            "every" => every = Some(parse_length(value)?),
            other => return Err(format!("`{other}` is not one of its options, `every`")),
        }
    }
    Ok((length, every))
}

/// `good=2h,bad=30s,loss=100%,good-loss=0.1%`
fn parse_states(rest: &str) -> Result<Outages, String> {
    let (mut good, mut bad) = (None, None);
    let (mut loss, mut good_loss) = (Chance::ALWAYS, Chance::NEVER);
    for (name, value) in options(rest.split(',')) {
        match name {
            "good" => good = Some(parse_length(value)?),
            "bad" => bad = Some(parse_length(value)?),
            "loss" => loss = value.parse()?,
            "good-loss" => good_loss = value.parse()?,
            other => {
                return Err(format!(
                    "`{other}` is not one of its options, `good`, `bad`, `loss` and `good-loss`"
                ));
            }
        }
    }
    let good = good.ok_or("`good` is missing: how long the good state lasts on average")?;
    let bad = bad.ok_or("`bad` is missing: how long the bad state lasts on average")?;
    Ok(Outages::GilbertElliott { good, bad, loss, good_loss })
}

fn parse_trace(rest: &str) -> Result<Outages, String> {
    let (file, client) = match rest.rsplit_once(",client=") {
        Some((file, client)) => (file, Some(client.to_owned())),
        None => (rest, None),
    };
    if file.is_empty() || client.as_deref() == Some("") {
        return Err("the name of the file, or of the client, is missing".into());
    }
    Ok(Outages::Trace(Recording { file: file.to_owned(), client, spells: None }))
}

fn options<'a>(parts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (&'a str, &'a str)> {
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (name.trim(), value.trim()))
}

fn parse_length(text: &str) -> Result<Duration, String> {
    if text.trim().is_empty() {
        return Err("a time is missing".into());
    }
    match parse_fixed(text)? {
        time if time < LEAST_LENGTH => Err(format!("`{}` is less than 1ms", text.trim())),
        time if time > LONGEST => Err(format!("`{}` is longer than a year", text.trim())),
        time => Ok(time),
    }
}

/// What no part says by itself.
fn checked(outages: Outages) -> Result<Outages, String> {
    match outages {
        Outages::Fixed { length, every } | Outages::Exponential { length, every } if every <= length => {
            Err(format!("an outage of {} does not fit in {}", show_fixed(length), show_fixed(every)))
        }
        Outages::GilbertElliott { loss, good_loss, .. } if loss <= good_loss => {
            Err("the bad state loses no more than the good one".into())
        }
        Outages::None
        | Outages::Fixed { .. }
        | Outages::Exponential { .. }
        | Outages::GilbertElliott { .. }
        | Outages::Trace(_) => Ok(outages),
    }
}

impl fmt::Display for Outages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outages::None => f.write_str("none"),
            Outages::Fixed { length, every } => {
                write!(f, "fixed:{},every={}", show_fixed(*length), show_fixed(*every))
            }
            Outages::Exponential { length, every } => {
                write!(f, "exponential:{},every={}", show_fixed(*length), show_fixed(*every))
            }
            Outages::GilbertElliott { good, bad, loss, good_loss } => {
                write!(f, "gilbert-elliott:good={},bad={}", show_fixed(*good), show_fixed(*bad))?;
                if *loss != Chance::ALWAYS {
                    write!(f, ",loss={loss}")?;
                }
                if good_loss.get() > 0.0 { write!(f, ",good-loss={good_loss}") } else { Ok(()) }
            }
            Outages::Trace(Recording { file, client, .. }) => {
                write!(f, "trace:{file}")?;
                client.as_ref().map_or(Ok(()), |client| write!(f, ",client={client}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_it_shows() {
        for text in [
            "none",
            "fixed:5m,every=6h",
            "exponential:1m 30s,every=2h",
            "gilbert-elliott:good=2h,bad=30s",
            "gilbert-elliott:good=2h,bad=30s,loss=50%,good-loss=0.1%",
            "trace:outages.csv",
            "trace:a,b.jsonl,client=sensor-1",
        ] {
            assert_eq!(text.parse::<Outages>().unwrap().to_string(), text);
        }
        assert_eq!("fixed:30s".parse::<Outages>().unwrap().to_string(), "fixed:30s,every=1h");
        assert_eq!(Outages::fixed(Duration::from_secs(7_200)).to_string(), "fixed:2h,every=8h");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("", "`` is not a kind"),
            ("weekly:1s", "`weekly` is not a kind"),
            ("none:1s", "nothing behind it"),
            ("fixed", "a time is missing"),
            ("fixed:5", "`5` has no unit"),
            ("fixed:0s", "less than 1ms"),
            ("fixed:5m,each=6h", "`each` is not one of its options"),
            ("fixed:6h,every=5m", "an outage of 6h does not fit in 5m"),
            ("exponential:30s", "`every` is missing"),
            ("gilbert-elliott:bad=30s", "`good` is missing"),
            ("gilbert-elliott:good=1h,bad=1m,loss=0%", "loses no more"),
            ("gilbert-elliott:good=1h,bad=1m,loss=2", "not a chance"),
            ("trace:", "the name of the file"),
        ] {
            let error = text.parse::<Outages>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn all_that_can_be_said_reads_back(kind in 0usize..4, a in 1u64..10_000_000_000, b in 1u64..10_000_000_000, loss in 2u32..=1_000_000) {
            let (short, long) = (a.min(b), a.max(b) + 1);
            let millis = Duration::from_millis;
            let chance = |share: u32| Chance::new(f64::from(share) / 1_000_000.0).unwrap();
            let outages = match kind {
                0 => Outages::Fixed { length: millis(short), every: millis(long) },
                1 => Outages::Exponential { length: millis(short), every: millis(long) },
                2 => Outages::GilbertElliott { good: millis(a), bad: millis(b), loss: chance(loss), good_loss: chance(loss / 2) },
                _ => Outages::Trace(Recording { file: format!("{a}.csv"), client: None, spells: None }),
            };
            let text = outages.to_string();
            prop_assert_eq!(text.parse::<Outages>().unwrap().to_string(), text);
        }
    }
}
