//! The files that a sweep writes: opened before it begins, and emptied only when there is something to write.

use super::SweepArgs;
use crate::cli::exit::Refusal;
use crate::cli::out;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A form that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Json,
    Csv,
    Html,
    Junit,
}

/// What is to be written, and where.
#[derive(Debug)]
pub struct Outputs(Vec<(Output, Place)>);

#[derive(Debug)]
enum Place {
    Stdout,
    File { file: File, path: PathBuf, existed: bool },
}

impl Outputs {
    /// Opens all of them.
    pub fn open(args: &SweepArgs) -> Result<Outputs, Refusal> {
        let wanted = [
            (Output::Json, "json", &args.json),
            (Output::Csv, "csv", &args.csv),
            (Output::Html, "html", &args.html),
            (Output::Junit, "junit", &args.junit),
        ];
        let mut outputs = Outputs(Vec::new());
        for (output, option, path) in wanted {
            let Some(path) = path else { continue };
            match Place::open(path, option) {
                Ok(place) => outputs.0.push((output, place)),
                Err(refusal) => {
                    outputs.discard();
                    return Err(refusal);
                }
            }
        }
        if outputs.0.iter().filter(|(_, place)| matches!(place, Place::Stdout)).count() > 1 {
            outputs.discard();
            return Err(Refusal::usage(
                "only one form can go to standard output; give a file for the others",
            ));
        }
        Ok(outputs)
    }

    /// Whether standard output is taken by one of them.
    pub fn take_stdout(&self) -> bool {
        self.0.iter().any(|(_, place)| matches!(place, Place::Stdout))
    }

    /// Writes all of them. The first that cannot be written is told; the others are written all the same.
    pub fn write(self, text: impl Fn(Output) -> String) -> Result<(), Refusal> {
        let mut result = Ok(());
        for (output, place) in self.0 {
            result = result.and(place.write(&text(output)));
        }
        result
    }

    /// Takes away what was made, when nothing came of it.
    pub fn discard(self) {
        for (_, place) in self.0 {
            if let Place::File { path, existed: false, .. } = place {
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Place {
    fn open(path: &Path, option: &str) -> Result<Place, Refusal> {
        if path == Path::new("-") {
            return Ok(Place::Stdout);
        }
        let existed = path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        match file {
            Ok(file) => Ok(Place::File { file, path: path.to_owned(), existed }),
            Err(error) => Err(Refusal::environment(format!(
                "cannot write to {}: {error}; give another file with --{option}",
                path.display()
            ))),
        }
    }

    fn write(self, text: &str) -> Result<(), Refusal> {
        let Place::File { mut file, path, .. } = self else {
            out::show(text);
            return Ok(());
        };
        // A pipe has no length, and is empty.
        let emptied = match file.set_len(0) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            emptied => emptied,
        };
        match emptied.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.flush()) {
            Ok(()) => {
                out::tell(format_args!("written to {}", path.display()));
                Ok(())
            }
            Err(error) => Err(Refusal::environment(format!("cannot write {}: {error}", path.display()))),
        }
    }
}
