//! The files of what came of a live run: opened before anything is started, emptied only when there is something to write.

use super::LiveArgs;
use crate::cli::exit::Refusal;
use crate::cli::out;
use crate::keepalive::live::{self, Live};
use crate::report::Styling;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// All of them.
#[derive(Debug, Default)]
pub struct Files {
    text: Vec<Place>,
    json: Vec<Place>,
}

#[derive(Debug)]
enum Place {
    Stdout,
    File { file: File, path: PathBuf, existed: bool },
}

impl Files {
    /// Opens them.
    pub fn open(args: &LiveArgs) -> Result<Files, Refusal> {
        let mut files = Files::default();
        let opened = files.open_all(args);
        match opened {
            Ok(()) => Ok(files),
            Err(refusal) => {
                files.discard();
                Err(refusal)
            }
        }
    }

    fn open_all(&mut self, args: &LiveArgs) -> Result<(), Refusal> {
        if let Some(path) = &args.json {
            let is_stdout = path == Path::new("-");
            self.json.push(if is_stdout { Place::Stdout } else { Place::open(path.clone())? });
        }
        if let Some(directory) = &args.report {
            fs::create_dir_all(directory).map_err(|error| refused(directory, &error))?;
            self.text.push(Place::open(directory.join("live.txt"))?);
            self.json.push(Place::open(directory.join("live.json"))?);
        }
        Ok(())
    }

    /// Whether standard output is taken by one of them.
    pub fn take_stdout(&self) -> bool {
        self.json.iter().any(|place| matches!(place, Place::Stdout))
    }

    /// Writes all of them. The first that cannot be written is told; the others are written all the same.
    pub fn write(self, live: &Live) -> Result<(), Refusal> {
        let json = serde_json::to_string_pretty(live);
        let json = json.map_err(|error| Refusal::environment(format!("live.json: {error}")));
        let mut result = Ok(());
        for place in self.text {
            result = result.and(place.write(&live::text(live, Styling::Plain)));
        }
        let json = match json {
            Ok(json) => json + "\n",
            Err(refusal) => return result.and(Err(refusal)),
        };
        for place in self.json {
            result = result.and(place.write(&json));
        }
        result
    }

    /// Takes away what was made, when nothing came of it.
    pub fn discard(self) {
        for place in self.text.into_iter().chain(self.json) {
            if let Place::File { path, existed: false, .. } = place {
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Place {
    fn open(path: PathBuf) -> Result<Place, Refusal> {
        let existed = path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        file.map_err(|error| refused(&path, &error)).map(|file| Place::File { file, path, existed })
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
        let written = emptied.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.flush());
        written.map_err(|error| refused(&path, &error))
    }
}

fn refused(path: &Path, error: &io::Error) -> Refusal {
    Refusal::environment(format!("cannot write to {}: {error}; give another place", path.display()))
}
