//! The files that a sweep writes: tried before it begins, and written once all of it is known.

use super::SweepArgs;
use crate::cli::apart::Apart;
use crate::cli::exit::Refusal;
use crate::cli::keepalive::place::Place;
use crate::cli::out;
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

impl Outputs {
    /// Opens all of them.
    pub fn open(args: &SweepArgs) -> Result<Outputs, Refusal> {
        let wanted = [
            (Output::Json, "json", &args.json),
            (Output::Csv, "csv", &args.csv),
            (Output::Html, "html", &args.html),
            (Output::Junit, "junit", &args.junit),
        ];
        let with = |apart: Apart, (_, option, path): &(_, &str, &Option<PathBuf>)| {
            apart.with(&format!("--{option}"), path.as_deref())
        };
        wanted.iter().try_fold(Apart::default(), with)?;
        let mut outputs = Outputs(Vec::new());
        for (output, option, path) in wanted {
            let Some(path) = path else { continue };
            outputs.0.push((output, Place::open(path, option)?));
        }
        if outputs.0.iter().filter(|(_, place)| place.is_stdout()).count() > 1 {
            return Err(Refusal::usage(
                "only one form can go to standard output; give a file for the others",
            ));
        }
        Ok(outputs)
    }

    /// Whether standard output is taken by one of them.
    pub fn take_stdout(&self) -> bool {
        self.0.iter().any(|(_, place)| place.is_stdout())
    }

    /// Writes all of them. The first that cannot be written is told; the others are written all the same.
    pub fn write(self, text: impl Fn(Output) -> String) -> Result<(), Refusal> {
        let mut result = Ok(());
        for (output, place) in self.0 {
            let path = place.path().map(Path::to_owned);
            let written = place.write(&text(output));
            if let (Some(path), Ok(())) = (path, &written) {
                out::tell(format_args!("written to {}", path.display()));
            }
            result = result.and(written);
        }
        result
    }
}
