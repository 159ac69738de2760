//! The forms of the report of the latest interval: each written beside its place and put there when it is whole, so that
//! whoever reads it never finds half of one.

use crate::cli::exit::Refusal;
use crate::cli::files;
use crate::report::{Report, Timeline};
use std::fs;
use std::path::{Path, PathBuf};

/// The forms.
#[derive(Debug)]
pub struct Forms {
    directory: PathBuf,
    /// Why the latest could not be written, if that is so.
    trouble: Option<String>,
}

impl Forms {
    /// In this directory.
    pub fn new(directory: &Path) -> Forms {
        Forms { directory: directory.to_owned(), trouble: None }
    }

    /// Puts every form of this report in the place of the one before. What goes wrong is told the first time, and tried
    /// again the next.
    pub fn write(&mut self, report: &Report, timeline: &Timeline) {
        let trouble = self.try_write(report, timeline).err().map(|refusal| refusal.message);
        if let Some(trouble) = trouble.as_ref().filter(|_| self.trouble.is_none()) {
            tracing::error!("{trouble}; brownout watches on, and tries again at the next summary");
        }
        self.trouble = trouble;
    }

    /// Why the latest could not be written, if that is so.
    pub fn into_trouble(self) -> Option<String> {
        self.trouble
    }

    fn try_write(&self, report: &Report, timeline: &Timeline) -> Result<(), Refusal> {
        for (name, text) in files::forms(report, std::slice::from_ref(timeline))? {
            let (path, beside) = (self.directory.join(name), self.directory.join(format!(".{name}.new")));
            let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &path));
            written.map_err(|error| {
                let _ = fs::remove_file(&beside);
                Refusal::environment(format!("cannot write {}: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}
