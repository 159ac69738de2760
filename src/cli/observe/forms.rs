//! The forms of the report of the latest interval: each in the place of the one before, and whole, so that whoever reads it
//! never finds half of one.
//!
//! A thread of its own makes them: a report on thousands of devices may take longer than a short interval, and what watches
//! must not wait. While one is being made, the next intervals go without; the last one never does.

use crate::cli::exit::Refusal;
use crate::cli::files;
use crate::cli::whole::WholeFile;
use crate::measure::Results;
use crate::profile::Plan;
use crate::report::{Report, Timeline};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// What a report is made of.
type Source = (Results, Timeline);

/// The forms.
#[derive(Debug)]
pub struct Forms {
    sender: SyncSender<Source>,
    writer: JoinHandle<Option<String>>,
}

impl Forms {
    /// In this directory, for an observation by this plan.
    pub fn start(directory: &Path, plan: &Plan) -> Forms {
        // One at most waits, so that memory is bounded.
        let (sender, sources) = sync_channel(1);
        let writer = Writer { directory: directory.to_owned(), plan: plan.clone() };
        Forms { sender, writer: thread::spawn(move || writer.run(&sources)) }
    }

    /// Puts every form of this report in the place of the one before, unless those are still being made.
    pub fn write(&mut self, results: &Results, timeline: &Timeline) {
        let _ = self.sender.try_send((results.clone(), timeline.clone()));
    }

    /// Puts the last report in its place. Why that could not be written, if that is so.
    pub fn conclude(self, results: &Results, timeline: &Timeline) -> Option<String> {
        let Forms { sender, writer } = self;
        let _ = sender.send((results.clone(), timeline.clone()));
        drop(sender);
        match writer.join() {
            Ok(trouble) => trouble,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct Writer {
    directory: PathBuf,
    plan: Plan,
}

impl Writer {
    /// Writes what comes. What goes wrong is told the first time, and tried again the next. Why the last could not be written.
    fn run(self, sources: &Receiver<Source>) -> Option<String> {
        let mut trouble: Option<String> = None;
        for (results, timeline) in sources {
            let report = Report::new(&self.plan, &results);
            let failed = self.write(&report, &timeline).err().map(|refusal| refusal.message);
            if let Some(told) = failed.as_ref().filter(|_| trouble.is_none()) {
                tracing::error!("{told}; brownout watches on, and tries again at a later summary");
            }
            trouble = failed;
        }
        trouble
    }

    fn write(&self, report: &Report, timeline: &Timeline) -> Result<(), Refusal> {
        for (name, text) in files::forms(report, std::slice::from_ref(timeline))? {
            let form = WholeFile::at(&self.directory.join(name));
            form.write(&text).map_err(|error| {
                Refusal::environment(format!("cannot write {}: {error}", form.path().display()))
            })?;
        }
        Ok(())
    }
}
