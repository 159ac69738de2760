//! The files of a scorecard: opened before the first run, emptied only when they are written.

use crate::cli::exit::Refusal;
use crate::cli::files::ReportDirectory;
use crate::report::scorecard::{self, Scorecard};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The forms, in the order of [`CardFiles::write`].
const FORMS: [&str; 4] = ["scorecard.json", "junit.xml", "scorecard.html", "summary.md"];

/// The open files of a suite's directory.
#[derive(Debug)]
pub struct CardFiles {
    /// The directory.
    pub directory: ReportDirectory,
    forms: Vec<(PathBuf, File)>,
}

impl CardFiles {
    /// Makes the directory if need be, and opens the forms in it.
    pub fn open(directory: &Path) -> Result<CardFiles, Refusal> {
        let taken = ReportDirectory::take(directory)?;
        let open = |name| {
            let path = directory.join(name);
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
            file.map_err(|error| refused(&path, &error)).map(|file| (path, file))
        };
        let forms = FORMS.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(CardFiles { directory: taken, forms })
    }

    /// Writes every form.
    pub fn write(self, card: &Scorecard) -> Result<(), Refusal> {
        let json =
            card.to_json().map_err(|error| Refusal::environment(format!("scorecard.json: {error}")))?;
        let forms = [json, scorecard::junit(card), scorecard::html(card), scorecard::markdown(card)];
        for ((path, mut file), text) in self.forms.into_iter().zip(forms) {
            let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
            written.map_err(|error| refused(&path, &error))?;
        }
        Ok(())
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Refusal {
    let path = path.display();
    Refusal::environment(format!(
        "cannot write the scorecard to {path}: {error}; give another directory with --report"
    ))
}
