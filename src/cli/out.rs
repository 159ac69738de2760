//! What is said: results on standard output, everything else on standard error.
//!
//! A reader that has gone (`| head`) is no error. A result that cannot be written for another reason (a full disk) is
//! told, and ends the program with code 3; what cannot be told on standard error is lost, and the run goes on.

use super::exit::{Exit, Refusal};
use indicatif::MultiProgress;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Why a result was not written, if one was not.
static TROUBLE: Mutex<Option<io::Error>> = Mutex::new(None);

/// The block of status lines at the bottom of a terminal, while there is one.
static BLOCK: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// From now on there is this block, or none, and notes go above it: below, the next drawing would wipe them out.
pub fn above(block: Option<MultiProgress>) {
    *BLOCK.lock().unwrap_or_else(PoisonError::into_inner) = block;
}

/// Where notes of brownout itself are written to, each as a whole: standard error.
#[derive(Debug)]
pub struct Notes;

impl Write for Notes {
    fn write(&mut self, note: &[u8]) -> io::Result<usize> {
        let block = BLOCK.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match block {
            Some(block) => block.println(String::from_utf8_lossy(note).trim_end())?,
            None => io::stderr().write_all(note)?,
        }
        Ok(note.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows a result, as it is.
pub fn show(text: impl Display) {
    let mut stdout = anstream::stdout();
    let written = write!(stdout, "{text}").and_then(|()| stdout.flush());
    if let Some(error) = written.err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Shows a line of a result.
pub fn show_line(text: impl Display) {
    show(format_args!("{text}\n"));
}

/// Tells a line that is no result.
pub fn tell(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// The code to end with: not that of a success whose result nobody got.
pub fn conclude(exit: Exit) -> Exit {
    match TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => {
            Refusal::environment(format!("cannot write to standard output: {error}")).tell().max_with(exit)
        }
        None => exit,
    }
}
