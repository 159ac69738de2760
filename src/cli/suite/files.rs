//! The files of a scorecard: tried before the first run, and written after the last. What an earlier suite left goes with the
//! first run of this one.

use crate::cli::exit::Refusal;
use crate::cli::files::ReportDirectory;
use crate::cli::whole::WholeFile;
use crate::report::scorecard::{self, Scorecard};
use std::path::Path;

/// The forms, in the order of [`CardFiles::write`].
const FORMS: [&str; 4] = ["scorecard.json", "junit.xml", "scorecard.html", "summary.md"];

/// The files of a suite's directory.
#[derive(Debug)]
pub struct CardFiles {
    /// The directory.
    pub directory: ReportDirectory,
    forms: Vec<WholeFile>,
}

impl CardFiles {
    /// Makes the directory if need be, and tries the forms in it.
    pub fn open(directory: &Path) -> Result<CardFiles, Refusal> {
        let taken = ReportDirectory::take(directory)?;
        let tried = |name| {
            let path = directory.join(name);
            WholeFile::tried(&path).map_err(|error| refused(&path, &error))
        };
        let forms = FORMS.into_iter().map(tried).collect::<Result<_, _>>()?;
        Ok(CardFiles { directory: taken, forms })
    }

    /// Takes away what an earlier suite left.
    pub fn begin(&self) -> Result<(), Refusal> {
        self.forms.iter().try_for_each(|form| form.clear().map_err(|error| refused(form.path(), &error)))
    }

    /// Writes every form. The first that cannot be is told; the others are written all the same.
    pub fn write(self, card: &Scorecard) -> Result<(), Refusal> {
        let json =
            card.to_json().map_err(|error| Refusal::environment(format!("scorecard.json: {error}")))?;
        let forms = [json, scorecard::junit(card), scorecard::html(card), scorecard::markdown(card)];
        let mut result = Ok(());
        for (form, text) in self.forms.iter().zip(forms) {
            result = result.and(form.write(&text).map_err(|error| refused(form.path(), &error)));
        }
        result
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Refusal {
    let path = path.display();
    Refusal::environment(format!(
        "cannot write the scorecard to {path}: {error}; give another directory with --report"
    ))
}
