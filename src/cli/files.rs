//! The files of a report: tried or opened before the run, so that a wrong path is known before an hour of it. What an earlier
//! run left goes only once this one runs, so that a run that cannot start costs no earlier report; and goes then, so that
//! none stands there that is not of this run.

use super::apart::Apart;
use super::exit::Refusal;
use super::whole::WholeFile;
use crate::net::sys::lock::lock;
use crate::report::{Report, Timeline, html, junit, summary};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The forms of the report, in the order of [`ReportFiles::write`].
const FORMS: [&str; 4] = ["report.json", "report.html", "junit.xml", "summary.md"];
/// The log of a run.
pub const EVENTS: &str = "events.jsonl";

/// A report's directory, which is one brownout's alone: the reports of two would be neither's. One that was made goes with this,
/// unless something is in it by then.
#[derive(Debug)]
pub struct ReportDirectory {
    path: PathBuf,
    existed: bool,
    /// Holds the lock, which leaves nothing behind; `None` where there can be none.
    _lock: Option<File>,
}

/// The files of a report directory.
#[derive(Debug)]
pub struct ReportFiles {
    forms: Vec<WholeFile>,
    events: Option<Output>,
    // Last: it goes once it is empty.
    directory: ReportDirectory,
}

/// The files that a run was told to write.
#[derive(Debug, Default)]
pub struct RunFiles {
    /// The report's.
    pub report: Option<ReportFiles>,
    /// The resource log.
    pub resource_log: Option<LineFile>,
    /// The MQTT of every link, for Wireshark.
    pub pcap: Option<CaptureFile>,
}

/// The resource log: written as a run goes, opened before it.
#[derive(Debug)]
pub struct LineFile(Output);

/// The capture: opened before the run, for its owner alone.
#[derive(Debug)]
pub struct CaptureFile(Output);

/// A file that is opened before a run. One that was made for it goes with this, unless the run has begun by then.
#[derive(Debug)]
struct Output {
    file: File,
    path: PathBuf,
    existed: bool,
    begun: bool,
}

impl ReportDirectory {
    /// Makes it if need be, and takes it, until this is dropped.
    pub fn take(path: &Path) -> Result<ReportDirectory, Refusal> {
        let existed = path.exists();
        fs::create_dir_all(path).map_err(|error| refused(path, &error))?;
        let directory = File::open(path).and_then(|directory| Ok((lock(&directory)?, directory)));
        if let Ok((false, _)) = directory {
            return Err(Refusal::environment(format!(
                "another brownout is writing its report to {}; wait for its end, or give another directory with --report",
                path.display()
            )));
        }
        // One that cannot be read, or on a file system without locks, can be written all the same.
        Ok(ReportDirectory { path: path.to_owned(), existed, _lock: directory.ok().map(|(_, lock)| lock) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ReportDirectory {
    fn drop(&mut self) {
        if !self.existed {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl RunFiles {
    /// Opens those that are wanted: the report's directory, the resource log, the capture.
    pub fn open(
        report: Option<&Path>,
        resource_log: Option<&Path>,
        pcap: Option<&Path>,
    ) -> Result<RunFiles, Refusal> {
        of_report(report, true)?.with("--resource-log", resource_log)?.with("--pcap", pcap)?;
        Ok(RunFiles {
            report: report.map(|directory| ReportFiles::open(directory, true)).transpose()?,
            resource_log: resource_log.map(LineFile::open).transpose()?,
            pcap: pcap.map(CaptureFile::open).transpose()?,
        })
    }
}

/// The names that a report takes in its directory, if wanted with its log.
pub fn of_report(directory: Option<&Path>, with_events: bool) -> Result<Apart, Refusal> {
    let events = directory.filter(|_| with_events);
    Apart::default().with_all("--report", directory, &FORMS)?.with_all("--report", events, &[EVENTS])
}

impl LineFile {
    /// Opens it, and makes it if need be.
    pub fn open(path: &Path) -> Result<LineFile, Refusal> {
        let output = Output::open(path.to_owned());
        output.map(LineFile).map_err(|(path, error)| {
            let path = path.display();
            Refusal::environment(format!(
                "cannot write to {path}: {error}; give another file with --resource-log"
            ))
        })
    }

    /// Empties it, and hands it out.
    pub fn begin(mut self) -> Result<File, Refusal> {
        let emptied = match self.0.file.set_len(0) {
            // Such as a pipe, which has no length, and is empty.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            emptied => emptied,
        };
        emptied.and_then(|()| self.0.begin()).map_err(|error| {
            Refusal::environment(format!("cannot write to {}: {error}", self.0.path.display()))
        })
    }
}

impl CaptureFile {
    /// Opens it, and makes it if need be, so that its owner alone can read it; so is one that was there.
    pub fn open(path: &Path) -> Result<CaptureFile, Refusal> {
        let refused = |error| {
            Refusal::environment(format!(
                "cannot write to {}: {error}; give another file with --pcap",
                path.display()
            ))
        };
        let existed = path.exists();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        // A pipe to a live Wireshark keeps the mode it has.
        if metadata.is_file() && metadata.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(refused)?;
        }
        Ok(CaptureFile(Output { file, path: path.to_owned(), existed, begun: false }))
    }

    /// The file, for whoever writes it.
    pub fn file(&self) -> Result<File, Refusal> {
        let path = self.0.path.display();
        self.0
            .file
            .try_clone()
            .map_err(|error| Refusal::environment(format!("cannot write to {path}: {error}")))
    }

    /// The run that writes it has begun.
    pub fn begun(mut self) {
        self.0.begun = true;
    }
}

impl ReportFiles {
    /// Makes the directory if need be, tries the forms of the report and, if wanted, opens `events.jsonl` in it.
    pub fn open(directory: &Path, with_events: bool) -> Result<ReportFiles, Refusal> {
        let taken = ReportDirectory::take(directory)?;
        let tried = |name| {
            let path = directory.join(name);
            WholeFile::tried(&path).map_err(|error| refused(&path, &error))
        };
        let forms = FORMS.into_iter().map(tried).collect::<Result<_, _>>()?;
        let events = with_events.then(|| Output::open(directory.join(EVENTS))).transpose();
        let events = events.map_err(|(path, error)| refused(&path, &error))?;
        Ok(ReportFiles { directory: taken, forms, events })
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Takes away what an earlier run left, and hands out the one for events, empty.
    pub fn begin(&mut self) -> Result<Option<File>, Refusal> {
        for form in &self.forms {
            form.clear().map_err(|error| refused(form.path(), &error))?;
        }
        let begun = |output: &mut Output| {
            let emptied = output.file.set_len(0).and_then(|()| output.begin());
            emptied.map_err(|error| refused(&output.path, &error))
        };
        self.events.as_mut().map(begun).transpose()
    }

    /// Writes every form of the report. The first that cannot be is told; the others are written all the same.
    pub fn write(&self, report: &Report, timelines: &[Timeline]) -> Result<(), Refusal> {
        let mut result = Ok(());
        for (form, (_, text)) in self.forms.iter().zip(forms(report, timelines)?) {
            let written = form.write(&text).map_err(|error| {
                let path = form.path().display();
                Refusal::environment(format!("cannot write {path}: {error}; the figures shown are complete"))
            });
            result = result.and(written);
        }
        result
    }

    /// Takes away what was made, when nothing came of the run that has begun.
    pub fn discard(mut self) {
        if let Some(events) = &mut self.events {
            events.begun = false;
        }
    }
}

/// Takes away the forms of a report that stand in this directory.
pub fn clear(directory: &Path) -> io::Result<()> {
    FORMS.iter().try_for_each(|name| WholeFile::at(&directory.join(name)).clear())
}

/// Every form of the report, with the name of its file.
pub fn forms(report: &Report, timelines: &[Timeline]) -> Result<[(&'static str, String); 4], Refusal> {
    let json = report.to_json().map_err(|error| Refusal::environment(format!("report.json: {error}")))?;
    let [of_json, of_html, of_junit, of_summary] = FORMS;
    Ok([
        (of_json, json),
        (of_html, html::render(report, timelines)),
        (of_junit, junit::render(report)),
        (of_summary, summary::render(report)),
    ])
}

impl Output {
    fn open(path: PathBuf) -> Result<Output, (PathBuf, io::Error)> {
        let existed = path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        match file {
            Ok(file) => Ok(Output { file, path, existed, begun: false }),
            Err(error) => Err((path, error)),
        }
    }

    /// Hands it out to the run, which begins.
    fn begin(&mut self) -> io::Result<File> {
        self.begun = true;
        self.file.try_clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.existed && !self.begun {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn refused(path: &Path, error: &io::Error) -> Refusal {
    Refusal::environment(format!(
        "cannot write the report to {}: {error}; give another directory with --report",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    /// Two runs into one directory both said that their report was written, and what was there could not be read.
    #[test]
    fn a_report_directory_is_taken_by_one_until_its_end() {
        let folder = tempfile::TempDir::new().unwrap();
        let one = folder.path().join("one");
        let files = ReportFiles::open(&one, true).unwrap();
        let refusal = ReportFiles::open(&one, true).unwrap_err();
        assert_eq!(refusal.exit, Exit::Environment);
        let named = format!("another brownout is writing its report to {};", one.display());
        assert!(refusal.message.starts_with(&named), "{}", refusal.message);
        ReportFiles::open(&folder.path().join("other"), true).unwrap();
        assert_eq!(fs::read_dir(&one).unwrap().count(), 1, "the lock is no file, and no form is there yet");
        drop(files);
        assert!(!one.exists());
        ReportFiles::open(&one, true).unwrap();
    }

    /// It was the user's, and whoever put a log beside the report found it gone.
    #[test]
    fn a_directory_that_was_there_stays_though_it_is_empty() {
        let folder = tempfile::TempDir::new().unwrap();
        drop(ReportFiles::open(folder.path(), true).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_an_earlier_run_left_goes_as_this_one_begins_and_not_before() {
        let folder = tempfile::TempDir::new().unwrap();
        let report = FORMS.map(|name| folder.path().join(name));
        report.iter().for_each(|path| fs::write(path, "of an earlier run").unwrap());
        drop(ReportFiles::open(folder.path(), true).unwrap());
        assert!(report.iter().all(|path| path.exists()), "it could not start");
        assert!(!folder.path().join(EVENTS).exists(), "it could not start");
        let mut files = ReportFiles::open(folder.path(), true).unwrap();
        files.begin().unwrap();
        drop(files);
        assert!(!report.iter().any(|path| path.exists()));
        assert!(folder.path().join(EVENTS).exists());
    }
}
