//! Expectations as they are written.

use super::{Expectation, Limit, Per};
use crate::base::span::parse_fixed;
use crate::base::time::nanos;
use crate::keepalive::aspect::{Aspect, share};
use crate::keepalive::figure::{Kind, Metric, Statistic};
use crate::measure::value::float;
use crate::profile::Comparison;
use crate::profile::nearest::nearest;
use std::str::FromStr;

/// The longest text of an expectation, in bytes.
const LONGEST: usize = 2_000;

/// Units of bytes.
const BYTES: [(&str, f64); 7] = [
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("B", 1.0),
];

/// What is wrong with an expectation's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expectation `{text}`: {problem}")]
pub struct BadExpectation {
    text: String,
    problem: String,
}

impl FromStr for Expectation {
    type Err = BadExpectation;

    fn from_str(text: &str) -> Result<Expectation, BadExpectation> {
        let shown: String = text.chars().take(80).collect();
        let bad = |problem: String| BadExpectation { text: shown.clone(), problem };
        if text.len() > LONGEST {
            return Err(bad(format!("it is longer than {LONGEST} bytes")));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        read(&words).map_err(bad)
    }
}

fn read(words: &[&str]) -> Result<Expectation, String> {
    let (asked, clauses) = match words.iter().position(|word| *word == "where") {
        Some(at) => (&words[..at], Some(&words[at + 1..])),
        None => (words, None),
    };
    let asked = asked.join(" ");
    let (what, comparison, limit) = compared(&asked)?;
    let (metric, statistic) = measured(what)?;
    let limit = self::limit(metric, limit)?;
    let selection = clauses.map_or(Ok(Vec::new()), selection)?;
    Ok(Expectation { text: words.join(" "), metric, statistic, comparison, limit, selection })
}

/// What stands before the comparison, the comparison, what stands behind it.
fn compared(asked: &str) -> Result<(&str, Comparison, &str), String> {
    let at = asked
        .find(['<', '>', '=', '!'])
        .ok_or_else(|| "it says nothing of a limit: write it as `device_detection p95 <= 90s`".to_owned())?;
    let (what, rest) = asked.split_at(at);
    let (comparison, limit) =
        Comparison::leading(rest).ok_or("the comparison is none of `<=`, `<`, `>=`, `>`, `==`".to_owned())?;
    Ok((what.trim(), comparison, limit))
}

fn measured(what: &str) -> Result<(Metric, Option<Statistic>), String> {
    // Also `device_detection.p95`, as other tools write it.
    let mut words = what.split([' ', '.']).filter(|word| !word.is_empty());
    let name = words.next().unwrap_or_default();
    let metric = Metric::ALL.into_iter().find(|metric| metric.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        unknown("measure", name, &names)
    })?;
    let statistic = words.next();
    if let Some(more) = words.next() {
        return Err(format!("before the comparison stand a measure and a statistic, and not also `{more}`"));
    }
    match (metric.kind() == Kind::Samples, statistic) {
        (false, None) => Ok((metric, None)),
        (false, Some(word)) => Err(format!("`{name}` is a total and has no `{word}`: leave that out")),
        (true, None) => Err(format!("say which of the samples: `{name} min`, `p50`, `p95` or `max`")),
        (true, Some(word)) => {
            let known = Statistic::ALL.into_iter().find(|statistic| statistic.name() == word);
            let names = Statistic::ALL.map(Statistic::name);
            Ok((metric, Some(known.ok_or_else(|| unknown("statistic that a sweep keeps", word, &names))?)))
        }
    }
}

fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    let name: String = name.chars().take(40).collect();
    let meant = nearest(&name, names.iter().copied());
    let meant = meant.map_or(String::new(), |meant| format!(" (did you mean `{meant}`?)"));
    format!("`{name}` is no {what}{meant}; there are {}", names.join(", "))
}

fn limit(metric: Metric, text: &str) -> Result<Limit, String> {
    if text.is_empty() {
        return Err("behind the comparison stands no limit".into());
    }
    match metric.kind() {
        Kind::Samples => {
            text.parse().map(Limit::Span).map_err(|bad: crate::base::span::BadSpan| bad.to_string())
        }
        Kind::Peak => number(text).map(Limit::Number),
        Kind::Time | Kind::Count | Kind::Messages | Kind::Bytes => total(metric, text),
    }
}

/// A limit of what adds up: 0, a rate, or a share.
fn total(metric: Metric, text: &str) -> Result<Limit, String> {
    let (kind, name) = (metric.kind(), metric.name());
    if number(text) == Ok(0.0) {
        return Ok(Limit::Number(0.0));
    }
    if text.ends_with('%') {
        return match kind {
            Kind::Time | Kind::Messages => share(text).map(Limit::Share),
            Kind::Samples | Kind::Count | Kind::Bytes | Kind::Peak => {
                Err(format!("`{name}` is a share of nothing: write {}", example(kind)))
            }
        };
    }
    let Some((amount, per)) = text.rsplit_once('/') else {
        return Err(format!("the limit of `{name}` is so much in a time, or 0: write {}", example(kind)));
    };
    let (amount, per) = (amount.trim(), per.trim());
    let names = Per::ALL.map(Per::word);
    let long = Per::ALL.into_iter().find(|one| one.word() == per);
    let long = long.ok_or_else(|| unknown("time that a rate is of", per, &names))?;
    let amount = match kind {
        Kind::Time => float(nanos(parse_fixed(amount)?)),
        Kind::Bytes => bytes(amount)?,
        Kind::Samples | Kind::Count | Kind::Messages | Kind::Peak => number(amount)?,
    };
    Ok(Limit::Rate(amount, long))
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Samples => "`90s` or `1.5 keepalive + 10s`",
        Kind::Time => "`5m/day` or `0.1%` (of the time)",
        Kind::Count => "`1/day` or `0`",
        Kind::Messages => "`0.1%`, `1/day` or `0`",
        Kind::Bytes => "`5MB/month`",
        Kind::Peak => "`100`",
    }
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| format!("`{text}` is not a number from 0"))
}

fn bytes(text: &str) -> Result<f64, String> {
    let found = BYTES.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let names = BYTES.map(|(unit, _)| unit);
    let (amount, factor) =
        found.ok_or_else(|| format!("`{text}` has no unit of bytes: {}", names.join(", ")))?;
    Ok(number(amount.trim_end())? * factor)
}

/// `key=value` clauses. A value may hold blanks and `=`: it ends where the next `key=` begins.
fn selection(words: &[&str]) -> Result<Vec<(Aspect, String)>, String> {
    let mut found: Vec<(Aspect, String)> = Vec::new();
    for word in words {
        match (clause(word), found.last_mut()) {
            (Some((key, value)), _) => {
                let aspect = Aspect::ALL.into_iter().find(|aspect| aspect.key() == key.replace('-', "_"));
                let names = Aspect::ALL.map(Aspect::key);
                let aspect = aspect.ok_or_else(|| unknown("aspect of a combination", key, &names))?;
                if found.iter().any(|(known, _)| *known == aspect) {
                    return Err(format!("`{key}` stands twice behind `where`: give its values with commas"));
                }
                found.push((aspect, value.to_owned()));
            }
            (None, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (None, None) => return Err(format!("behind `where` stands `key=value`, not `{word}`")),
        }
    }
    if found.is_empty() {
        return Err("behind `where` stands nothing: write `where keepalive=60`".into());
    }
    for (aspect, value) in &found {
        aspect.check(value).map_err(|problem| format!("`{}`: {problem}", aspect.key()))?;
    }
    Ok(found)
}

/// A word that begins a clause.
fn clause(word: &str) -> Option<(&str, &str)> {
    let (key, value) = word.split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
    (!key.is_empty() && key.chars().all(is_name)).then_some((key, value))
}
