//! The files of what came of a live run: tried before anything is started, and written at its end.

use super::LiveArgs;
use crate::cli::apart::Apart;
use crate::cli::exit::Refusal;
use crate::cli::files::ReportDirectory;
use crate::cli::keepalive::place::Place;
use crate::keepalive::live::{self, Live};
use crate::report::Styling;

/// The text, in the directory that --report names.
const TEXT: &str = "live.txt";

/// All of them.
#[derive(Debug, Default)]
pub struct Files {
    _directory: Option<ReportDirectory>,
    text: Vec<Place>,
    json: Vec<Place>,
}

impl Files {
    /// Opens them.
    pub fn open(args: &LiveArgs) -> Result<Files, Refusal> {
        let text = Apart::default().with_all("--report", args.report.as_deref(), &[TEXT])?;
        text.with("--json", args.json.as_deref())?;
        let mut files = Files::default();
        if let Some(path) = &args.json {
            files.json.push(Place::open(path, "json")?);
        }
        if let Some(directory) = &args.report {
            files._directory = Some(ReportDirectory::take(directory)?);
            files.text.push(Place::open(&directory.join(TEXT), "report")?);
            files.json.push(Place::open(&directory.join("live.json"), "report")?);
        }
        Ok(files)
    }

    /// Whether standard output is taken by one of them.
    pub fn take_stdout(&self) -> bool {
        self.json.iter().any(Place::is_stdout)
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
}
