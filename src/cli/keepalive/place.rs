//! A place that something is written to once all is known: a file, tried before anything is begun, so that a wrong path is
//! known before an hour of it; a pipe or a device, opened by then; or standard output.

use crate::cli::exit::Refusal;
use crate::cli::out;
use crate::cli::whole::WholeFile;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The place.
#[derive(Debug)]
pub(super) struct Place(Kind);

#[derive(Debug)]
enum Kind {
    Stdout,
    File(WholeFile),
    Through { file: File, path: PathBuf },
}

impl Place {
    /// Tries it, or opens it; `-` is standard output. `option` is the one that named it.
    pub fn open(path: &Path, option: &str) -> Result<Place, Refusal> {
        if path == Path::new("-") {
            return Ok(Place(Kind::Stdout));
        }
        let is_through = fs::metadata(path).is_ok_and(|known| !known.is_file() && !known.is_dir());
        let kind = if is_through {
            let file = OpenOptions::new().write(true).open(path);
            file.map(|file| Kind::Through { file, path: path.to_owned() })
        } else {
            WholeFile::tried(path).map(Kind::File)
        };
        kind.map(Place).map_err(|error| refused(path, &error, option))
    }

    /// The file; `None` for standard output.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Stdout => None,
            Kind::File(file) => Some(file.path()),
            Kind::Through { path, .. } => Some(path),
        }
    }

    /// Whether it is standard output.
    pub fn is_stdout(&self) -> bool {
        self.path().is_none()
    }

    /// Writes this, and nothing else, there. What was there before goes, and does not pass for it where it cannot be written.
    pub fn write(self, text: &str) -> Result<(), Refusal> {
        let (written, path) = match self.0 {
            Kind::Stdout => {
                out::show(text);
                return Ok(());
            }
            Kind::File(file) => (file.clear().and_then(|()| file.write(text)), file.path().to_owned()),
            Kind::Through { mut file, path } => (file.write_all(text.as_bytes()), path),
        };
        written.map_err(|error| Refusal::environment(format!("cannot write {}: {error}", path.display())))
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
    fn a_file_is_replaced_by_what_comes_and_only_then() {
        let folder = tempfile::TempDir::new().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "what was there before").unwrap();
        for path in [&old, &new] {
            Place::open(path, "json").unwrap();
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
