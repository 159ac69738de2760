//! A place that something is written to once all is known: a file, opened before anything is begun, so that a wrong path is
//! known before an hour of it, and emptied only when there is something to write; or standard output.

use crate::cli::exit::Refusal;
use crate::cli::out;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The place.
#[derive(Debug)]
pub(super) struct Place(Kind);

#[derive(Debug)]
enum Kind {
    Stdout,
    File { file: File, path: PathBuf, existed: bool },
}

impl Place {
    /// Opens it, and makes it if need be; `-` is standard output. `option` is the one that named it.
    pub fn open(path: &Path, option: &str) -> Result<Place, Refusal> {
        if path == Path::new("-") {
            return Ok(Place(Kind::Stdout));
        }
        let existed = path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| refused(path, &error, option))?;
        Ok(Place(Kind::File { file, path: path.to_owned(), existed }))
    }

    /// The file; `None` for standard output.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Stdout => None,
            Kind::File { path, .. } => Some(path),
        }
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        self.path().is_none()
    }

    /// Writes this, and nothing else, there.
    pub fn write(self, text: &str) -> Result<(), Refusal> {
        let Kind::File { mut file, path, .. } = self.0 else {
            out::show(text);
            return Ok(());
        };
        // A pipe has no length, and is empty.
        let emptied = match file.set_len(0) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            emptied => emptied,
        };
        let written = emptied.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.flush());
        written.map_err(|error| Refusal::environment(format!("cannot write {}: {error}", path.display())))
    }

    /// Takes it away if it was made, when nothing came of it.
    pub fn discard(self) {
        if let Kind::File { path, existed: false, .. } = self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// What cannot be written to, and the way out.
fn refused(path: &Path, error: &io::Error, option: &str) -> Refusal {
    Refusal::environment(format!("cannot write to {}: {error}; give another with --{option}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_emptied_with_what_comes_of_it_and_taken_away_where_it_was_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "what was there before").unwrap();
        for path in [&old, &new] {
            Place::open(path, "json").unwrap().discard();
        }
        assert_eq!(
            (fs::read_to_string(&old).unwrap(), new.exists()),
            ("what was there before".into(), false)
        );
        Place::open(&old, "json").unwrap().write("new\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "new\n");
        let refused = Place::open(&folder.path().join("no/such"), "json").unwrap_err();
        assert!(refused.message.contains("give another with --json"), "{}", refused.message);
        assert!(Place::open(Path::new("-"), "json").unwrap().is_stdout());
    }
}
