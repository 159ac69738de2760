//! The log of an observation: files of bounded size and number, each of which stands for itself.
//!
//! ```text
//!   DIR/events-000001.jsonl   the oldest that is kept: run_started (part 0), events
//!   DIR/events-000002.jsonl   run_started (part 1), what lived when it began, events
//!   DIR/events.jsonl          the one that is written on: run_started (part 2), what lived, events
//! ```

use crate::base::units::to_u64;
use crate::cli::exit::Refusal;
use crate::cli::files::{self, EVENTS, ReportDirectory};
use crate::event::{Event, Line};
use crate::session::Snapshot;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The smallest size of a file.
const LEAST_SIZE: u64 = 64 << 10;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a file, from which on a new one begins.
    pub size: u64,
    /// How many files, with the one that is written on.
    pub keep: u32,
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.size.saturating_mul(u64::from(self.keep));
        write!(f, "at most {} of {} of the log ({} in all)", files(self.keep), Size(self.size), Size(all))
    }
}

fn files(number: u32) -> String {
    if number == 1 { "1 file".into() } else { format!("{number} files") }
}

/// A number of bytes, as people say it.
struct Size(u64);

/// The units of sizes, the greatest first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.into_iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (name, factor) = whole.unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0 / factor)
    }
}

/// A size as people write it: a whole number and a unit.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "`{text}` is not a size; write a whole number and B, kB, KiB, MB, MiB, GB or GiB, such as 64MiB"
        )
    };
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)?;
    if bytes < LEAST_SIZE {
        return Err(format!("`{text}` is less than {}", Size(LEAST_SIZE)));
    }
    Ok(bytes)
}

/// The log.
#[derive(Debug)]
pub struct Rotation {
    directory: ReportDirectory,
    bounds: Bounds,
    /// `None` once it could not be written.
    file: Option<BufWriter<File>>,
    existed: bool,
    part: u32,
    bytes: u64,
    /// Of those, what only says again what lived.
    repeated: u64,
    line: Line,
    trouble: Option<io::Error>,
}

impl Rotation {
    /// Makes the directory if need be, and opens the file that is written first.
    pub fn open(directory: &Path, bounds: Bounds) -> Result<Rotation, Refusal> {
        let refused = |error: io::Error| {
            let shown = directory.display();
            Refusal::environment(format!(
                "cannot write the report to {shown}: {error}; give another directory with --report"
            ))
        };
        let taken = ReportDirectory::take(directory)?;
        let path = directory.join(EVENTS);
        let existed = path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(refused)?;
        Ok(Rotation {
            directory: taken,
            bounds,
            file: Some(BufWriter::new(file)),
            existed,
            part: 0,
            bytes: 0,
            repeated: 0,
            line: Line::default(),
            trouble: None,
        })
    }

    /// Takes away what an earlier observation left in its place.
    pub fn begin(&mut self) -> Result<(), Refusal> {
        let refused = |error: io::Error| {
            Refusal::environment(format!(
                "cannot take away what an earlier one left in {}: {error}",
                self.directory.path().display()
            ))
        };
        if let Some(file) = &self.file {
            file.get_ref().set_len(0).map_err(refused)?;
        }
        for (_, path) in rotated(self.directory.path()).map_err(refused)? {
            fs::remove_file(path).map_err(refused)?;
        }
        files::clear(self.directory.path()).map_err(refused)
    }

    /// Takes away what was made, when nothing came of it.
    pub fn discard(self) {
        if !self.existed {
            let _ = fs::remove_file(self.directory.path().join(EVENTS));
        }
    }

    /// Writes an event, that `before` has not taken in, in a new file if this one is full.
    pub fn write(&mut self, event: &Event, before: &Snapshot) {
        // A file of which most is what lived when it began would soon be followed by another one like it.
        let is_full = self.bytes >= self.bounds.size && self.bytes - self.repeated >= self.repeated;
        let turned = if is_full && self.file.is_some() { self.turn(event, before) } else { Ok(()) };
        let written = turned.and_then(|()| self.line(event));
        self.note(written);
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.note(flushed);
    }

    /// Why it is not complete, if that is so.
    pub fn into_trouble(mut self) -> Option<io::Error> {
        self.flush();
        self.trouble
    }

    fn line(&mut self, event: &Event) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = self.line.of(event)?;
        self.bytes += to_u64(line.len());
        file.write_all(line)
    }

    /// The file is full: it gets a number, and a new one begins with what lives.
    fn turn(&mut self, event: &Event, before: &Snapshot) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
        }
        self.part += 1;
        let path = self.directory.path().join(EVENTS);
        fs::rename(&path, self.directory.path().join(format!("events-{:06}.jsonl", self.part)))?;
        self.drop_oldest()?;
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        self.file = Some(BufWriter::new(file));
        self.bytes = 0;
        for lives in before.begin(self.part, event.seq, event.at) {
            self.line(&lives)?;
        }
        self.repeated = self.bytes;
        Ok(())
    }

    fn drop_oldest(&self) -> io::Result<()> {
        // One of those that are kept is yet to be opened.
        let beyond = i64::from(self.part) - i64::from(self.bounds.keep) + 1;
        for (number, path) in rotated(self.directory.path())? {
            if i64::from(number) <= beyond {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The observation goes on without a log that cannot be written.
    fn note(&mut self, written: io::Result<()>) {
        let Err(error) = written else { return };
        tracing::error!(
            "events.jsonl ends here: {error}; brownout watches on, and its summaries are complete"
        );
        self.file = None;
        self.trouble = Some(error);
    }
}

/// The files of the log in a directory that have a number, by it.
pub fn rotated(directory: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("events-").and_then(|rest| rest.strip_suffix(".jsonl"));
        if let Some(number) = number.filter(|digits| digits.len() >= 6).and_then(|number| number.parse().ok())
        {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_told() {
        for (text, bytes, told) in [
            ("64KiB", 65_536, "64 KiB"),
            ("64 MiB", 67_108_864, "64 MiB"),
            ("1GiB", 1 << 30, "1 GiB"),
            ("100kB", 100_000, "100 kB"),
            ("65537B", 65_537, "65537 B"),
        ] {
            assert_eq!(parse_size(text), Ok(bytes));
            assert_eq!(Size(bytes).to_string(), told);
        }
        for wrong in ["", "64", "MiB", "63KiB", "-1MiB", "64mb", "99999999999999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        let bounds = Bounds { size: 64 << 20, keep: 10 };
        assert_eq!(bounds.to_string(), "at most 10 files of 64 MiB of the log (640 MiB in all)");
    }
}
