//! Outages that were recorded: a CSV of them, or the log of a run of brownout.
//!
//! In a CSV each line is an outage: its start and its duration. A first line may name the columns (`start,duration`, in any
//! order, others beside them); lines that are empty or begin with `#` are passed over. A start is a number of seconds or a
//! time (`1h 30m`, `PT1H30M`) from the beginning of the run, or a time stamp (RFC 3339), which counts from the midnight (UTC)
//! before the earliest. A duration is a number of seconds, or a time. Outages that overlap are one.
//!
//! From a log (events.jsonl) are taken, of one device:
//! - of `run` and others that break links: the blackholes toward both ends and both ways that held on its links, from the
//!   first confirmation to the end of the window;
//! - of `observe`: the times from a link lost without DISCONNECT to the next CONNACK that accepted the device. They begin with
//!   the last packet that came from the device, since nothing shows that the path was sound after it; but where the device
//!   ended the link itself, with that: its FIN or RST came through. One that was not over at the end of the log is left out.
//!
//! The device is the one that is named, or the one with the most outages, of several the first that was seen.

use super::log;
use super::{LEAST_LENGTH, MOST_SPELLS, Outages, Recording, Spell};
use crate::base::span::LONGEST;
use crate::base::{Time, span};
use std::time::Duration;

/// The largest file that is read, in bytes: the log of a day of a small fleet, far more than any CSV of outages.
pub const LARGEST: u64 = 256 * 1024 * 1024;

/// A day, which times of day are counted in.
const DAY: i64 = 86_400;

impl Recording {
    /// With what its file holds.
    ///
    /// # Errors
    /// What is wrong with it, and where, in words.
    pub fn with(self, content: &str) -> Result<Outages, String> {
        let spells = read(content, self.client.as_deref())?;
        Ok(Outages::Trace(Recording { spells: Some(spells.into()), ..self }))
    }
}

/// The outages that a file holds, earliest first and apart.
///
/// # Errors
/// What is wrong with it, and where, in words.
pub fn read(content: &str, client: Option<&str>) -> Result<Vec<Spell>, String> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let spells = if content.trim_start().starts_with('{') {
        log::read(content, client)?
    } else if client.is_some() {
        return Err("this is a CSV, in which no client is named; leave `,client=` away".into());
    } else {
        csv(content)?
    };
    let spells = apart(spells);
    if spells.is_empty() {
        return Err("no outage stands in it".into());
    }
    if spells.len() > MOST_SPELLS {
        return Err(format!("{} outages stand in it, more than {MOST_SPELLS}", spells.len()));
    }
    Ok(spells)
}

/// In order, those that touch made one.
fn apart(mut spells: Vec<Spell>) -> Vec<Spell> {
    spells.sort_by_key(|spell| spell.start);
    let mut apart: Vec<Spell> = Vec::with_capacity(spells.len());
    for spell in spells {
        match apart.last_mut().filter(|last| last.end() >= spell.start) {
            Some(last) => last.length = last.length.max(spell.end().since(last.start)),
            None => apart.push(spell),
        }
    }
    apart
}

/// A start: from the beginning of the run, or by the calendar.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    Run(Duration),
    Calendar(jiff::Timestamp),
}

/// Which columns are the two.
#[derive(Clone, Copy, Debug)]
struct Columns {
    start: usize,
    duration: usize,
    /// How many there may be.
    most: usize,
}

fn csv(content: &str) -> Result<Vec<Spell>, String> {
    let mut columns = Columns { start: 0, duration: 1, most: 2 };
    let mut rows = Vec::new();
    let lines = content.lines().zip(1..).filter(|(line, _)| !is_passed_over(line));
    for (nth, (line, number)) in lines.enumerate() {
        let fields = fields(line);
        match header(&fields).filter(|_| nth == 0) {
            Some(named) => columns = named?,
            None => rows.push(
                row(&fields, columns)
                    .map_err(|(column, problem)| format!("line {number}, column {column}: {problem}"))?,
            ),
        }
    }
    settled(rows)
}

fn is_passed_over(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// The fields of a line, each with the column of characters at which it begins, from 1.
fn fields(line: &str) -> Vec<(usize, &str)> {
    let mut fields = Vec::new();
    let mut column = 1;
    for field in line.split(',') {
        let trimmed = field.trim();
        let before = field.chars().take_while(|c| c.is_whitespace()).count();
        fields.push((column + before, trimmed.trim_matches('"')));
        column += field.chars().count() + 1;
    }
    fields
}

/// The columns, if this line names them.
fn header(fields: &[(usize, &str)]) -> Option<Result<Columns, String>> {
    let is_word = |text: &str| text.starts_with(|c: char| c.is_alphabetic()) && start(text).is_err();
    if !fields.iter().all(|(_, text)| is_word(text)) {
        return None;
    }
    let find = |name: &str| {
        let at = fields.iter().position(|(_, text)| text.eq_ignore_ascii_case(name));
        at.ok_or_else(|| format!("the first line names no column `{name}`; it takes `start` and `duration`"))
    };
    Some(
        find("start")
            .and_then(|start| Ok(Columns { start, duration: find("duration")?, most: fields.len() })),
    )
}

/// A line's start and duration; else the column, and what is wrong there.
fn row(fields: &[(usize, &str)], columns: Columns) -> Result<(Start, Duration), (usize, String)> {
    let end = fields.last().map_or(1, |(column, text)| column + text.chars().count());
    let get = |at: usize, name: &str| fields.get(at).copied().ok_or((end, format!("the {name} is missing")));
    let (start_at, start_text) = get(columns.start, "start")?;
    let (duration_at, duration_text) = get(columns.duration, "duration")?;
    if let Some((column, text)) = fields.get(columns.most) {
        return Err((*column, format!("`{text}` is one column too many")));
    }
    let start = start(start_text).map_err(|problem| (start_at, problem))?;
    let duration = seconds_or_time(duration_text, "duration").map_err(|problem| (duration_at, problem))?;
    if duration < LEAST_LENGTH {
        return Err((duration_at, format!("`{duration_text}` is less than a millisecond")));
    }
    Ok((start, duration))
}

fn start(text: &str) -> Result<Start, String> {
    match text.parse::<jiff::Timestamp>() {
        Ok(stamp) => Ok(Start::Calendar(stamp)),
        Err(_) => seconds_or_time(text, "start").map(Start::Run),
    }
}

/// A number of seconds, or a time such as `5m` or `PT5M`.
fn seconds_or_time(text: &str, what: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a {what}; write seconds, or a time such as `5m` or `PT5M`");
    let time = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) if text.is_empty() => return Err(format!("the {what} is missing")),
        Err(_) => match span::parse_fixed(text) {
            Ok(time) => time,
            Err(_) => iso(text).ok_or_else(wrong)?,
        },
    };
    if time > LONGEST { Err(format!("`{text}` is longer than a year")) } else { Ok(time) }
}

fn iso(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok()
}

/// All starts from the beginning of the run.
fn settled(rows: Vec<(Start, Duration)>) -> Result<Vec<Spell>, String> {
    let stamps = rows.iter().filter_map(|(start, _)| match start {
        Start::Calendar(stamp) => Some(stamp.as_second()),
        Start::Run(_) => None,
    });
    let midnight = stamps.min().map(|earliest| earliest - earliest.rem_euclid(DAY));
    rows.into_iter()
        .map(|(start, length)| match (start, midnight) {
            (Start::Run(from), None) => Ok(Spell { start: Time::ZERO + from, length }),
            (Start::Calendar(stamp), Some(midnight)) => {
                let since = jiff::Timestamp::from_second(midnight).map(|first| stamp.duration_since(first));
                let since = since.ok().and_then(|since| Duration::try_from(since).ok());
                let since = since.filter(|since| *since <= LONGEST);
                let since = since.ok_or_else(|| format!("{stamp} is more than a year after the earliest"))?;
                Ok(Spell { start: Time::ZERO + since, length })
            }
            (Start::Run(_), Some(_)) | (Start::Calendar(_), None) => {
                Err("some starts are time stamps and some are not; write all of them alike".into())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(content: &str) -> Vec<(u64, u64)> {
        let spells = read(content, None).unwrap();
        spells.iter().map(|spell| (spell.start.elapsed().as_secs(), spell.length.as_secs())).collect()
    }

    #[test]
    fn each_way_to_write_them_is_read() {
        for content in [
            "3600,30\n7200,60\n",
            "start,duration\n7200,1m\n3600,PT30S\n",
            "\u{feff}Start, why, Duration\r\n1h, storm, 30s\r\n# a note\r\n\r\n\"2h\",\"\",\"60.0\"\r\n",
            "2026-03-01T01:00:00Z,30\n2026-03-01T03:00:00+01:00,60\n",
        ] {
            assert_eq!(seconds(content), [(3_600, 30), (7_200, 60)], "{content}");
        }
    }

    #[test]
    fn those_that_overlap_are_one() {
        assert_eq!(seconds("10,10\n0,5\n15,20\n35,1\n16,1\n"), [(0, 5), (10, 26)]);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (content, problem) in [
            ("", "no outage stands in it"),
            ("start,duration\n", "no outage stands in it"),
            ("begin,duration\n1,2", "no column `start`"),
            ("1,2\n3,x4\n", "line 2, column 3: `x4` is not a duration"),
            ("1,2\n -3s,4\n", "line 2, column 2: `-3s` is not a start"),
            ("1,2\n\n3\n", "line 3, column 2: the duration is missing"),
            ("1,2\n3,\n", "line 2, column 3: the duration is missing"),
            ("1,2,3\n", "line 1, column 5: `3` is one column too many"),
            ("1,0\n", "line 1, column 3: `0` is less than a millisecond"),
            ("1,NaN\n", "line 1, column 3: `NaN` is not a duration"),
            ("1,1e30\n", "line 1, column 3: `1e30` is not"),
            ("99999999,1\n", "longer than a year"),
            ("1,2\n2026-03-01T01:00:00Z,2\n", "write all of them alike"),
            ("2026-03-01T01:00:00Z,2\n2028-03-01T01:00:00Z,2\n", "more than a year"),
        ] {
            let error = read(content, None).unwrap_err();
            assert!(error.contains(problem), "{content:?}: {error}");
        }
        assert!(read("1,2\n", Some("a")).unwrap_err().contains("leave `,client=` away"));
    }
}
