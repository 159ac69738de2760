//! A run from its files to its report: what `run` and `demo` share.

use super::exit::{Exit, Refusal};
use super::files::{CaptureFile, LineFile, ReportFiles, RunFiles};
use super::load::Text;
use super::out;
use super::progress::Progress;
use super::recorder::{Logs, Record, Recorder};
use crate::event::{EndReason, RunStarted};
use crate::measure::Results;
use crate::net::proxy::Config;
use crate::net::sys::limit;
use crate::net::tap;
use crate::net::{Clock, EventQueue, Proxy};
use crate::profile::{ListenerPlan, Plan};
use crate::report::{Report, Styling, terminal};
use std::fs::File;
use std::sync::Arc;

/// What a run is made of.
#[derive(Debug)]
pub struct Setup {
    /// The profile as read.
    pub text: Text,
    /// The overrides as given.
    pub overrides: Vec<String>,
    /// The plan.
    pub plan: Plan,
    /// The seed.
    pub seed: u64,
    /// Where to listen.
    pub listeners: Vec<ListenerPlan>,
    /// Whether connects come there that were going elsewhere.
    pub transparent: bool,
    /// What is written.
    pub files: RunFiles,
    /// How progress is shown.
    pub progress: Progress,
    /// Whether a command runs beside it.
    pub with_command: bool,
    /// Whether what arrives is seen below the sockets, too.
    pub tap: tap::Config,
}

/// A run under way.
#[derive(Debug)]
pub struct Runner {
    /// The proxy.
    pub proxy: Proxy,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The soft limit of open files before it was raised.
    pub files_before: Option<u64>,
    queue: EventQueue,
    recorder: Recorder,
    files: Option<ReportFiles>,
}

impl Runner {
    /// Starts everything, or says what the environment refused. Gives up when `interrupted` comes first: a hub may
    /// keep silent for seconds.
    pub async fn start(
        setup: Setup,
        clock: Clock,
        interrupted: impl Future<Output = ()>,
    ) -> Result<Runner, Refusal> {
        let RunFiles { report: mut files, resource_log, pcap } = setup.files;
        let capture = pcap.as_ref().map(CaptureFile::file).transpose()?;
        let launch = Launch {
            text: setup.text,
            overrides: setup.overrides,
            plan: setup.plan,
            seed: setup.seed,
            listeners: setup.listeners,
            transparent: setup.transparent,
            with_command: setup.with_command,
            observer: false,
            capture,
            tap: setup.tap,
        };
        let Launched { proxy, plan, files_before, queue } = launch.start(clock, interrupted).await?;
        pcap.into_iter().for_each(CaptureFile::begun);
        let log = files.as_mut().map_or(Ok(None), ReportFiles::begin)?;
        let resource_log = resource_log.map(LineFile::begin).transpose()?;
        let logs = Logs { events: log, resource: resource_log };
        let recorder = Recorder::start(&queue, &plan, logs, setup.progress, clock);
        Ok(Runner { proxy, plan, files_before, queue, recorder, files })
    }

    /// Ends the run, and shows and writes its report. The code says whether the expectations were met.
    pub async fn end(self, reason: EndReason) -> Exit {
        let directory = self.files.as_ref().map(|files| files.directory().to_owned());
        let Ended { report, written, troubles, .. } = match self.end_with(reason, show).await {
            Ok(ended) => ended,
            Err(refusal) => return refusal.tell(),
        };
        let mut exit = if report.is_met() { Exit::Met } else { Exit::Unmet };
        match (written, directory) {
            (Ok(()), Some(directory)) => out::tell(format_args!("report written to {}", directory.display())),
            (Ok(()), None) => {}
            (Err(refusal), _) => exit = refusal.tell(),
        }
        for trouble in troubles {
            exit = trouble.tell();
        }
        exit
    }

    /// Ends a run of which nothing came: there is nothing to report.
    pub async fn abandon(self) {
        let _ = self.proxy.stop(EndReason::Interrupted).await;
        self.queue.close();
        let _ = self.recorder.finish();
        if let Some(files) = self.files {
            files.discard();
        }
    }

    /// Ends the run, hands its report to `show`, and writes it. There is none where the recorder panicked.
    pub async fn end_with(self, reason: EndReason, show: impl FnOnce(&Report)) -> Result<Ended, Refusal> {
        let capture = self.proxy.stop(reason).await;
        self.queue.close();
        let Record { measures, timeline, end, mut troubles } = self.recorder.finish()?;
        troubles.extend(capture.map(|error| ("the capture", error)));
        let results = measures.results(end);
        let report = Report::new(&self.plan, &results);
        show(&report);
        let written = self.files.map_or(Ok(()), |files| files.write(&report, &[timeline]));
        let refused = |(log, error)| Refusal::environment(format!("{log} is not complete: {error}"));
        Ok(Ended { report, results, written, troubles: troubles.into_iter().map(refused).collect() })
    }
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its report.
    pub report: Report,
    /// What the report is made from.
    pub results: Results,
    /// Whether the report's files were written, where they were wanted.
    pub written: Result<(), Refusal>,
    /// Logs that are not complete.
    pub troubles: Vec<Refusal>,
}

/// What a proxy is started with.
#[derive(Debug)]
pub struct Launch {
    /// The profile as read.
    pub text: Text,
    /// The overrides as given.
    pub overrides: Vec<String>,
    /// The plan.
    pub plan: Plan,
    /// The seed.
    pub seed: u64,
    /// Where to listen.
    pub listeners: Vec<ListenerPlan>,
    /// Whether connects come there that were going elsewhere.
    pub transparent: bool,
    /// Whether a command runs beside it.
    pub with_command: bool,
    /// Whether this is `brownout observe`.
    pub observer: bool,
    /// Where the MQTT goes, for Wireshark.
    pub capture: Option<File>,
    /// Whether what arrives is seen below the sockets, too.
    pub tap: tap::Config,
}

/// A proxy that was started, with where its events come.
#[derive(Debug)]
pub struct Launched {
    /// The proxy.
    pub proxy: Proxy,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The soft limit of open files before it was raised.
    pub files_before: Option<u64>,
    /// Its events.
    pub queue: EventQueue,
}

impl Launch {
    /// Starts it, or says what the environment refused.
    pub async fn start(
        self,
        clock: Clock,
        interrupted: impl Future<Output = ()>,
    ) -> Result<Launched, Refusal> {
        let files_before = raise_limit();
        let queue = EventQueue::default();
        let start = RunStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            // Of the moment that the run's times count from.
            wall_clock: (jiff::Timestamp::now() - clock.now().elapsed()).to_string(),
            seed: self.seed,
            profile_name: self.text.name,
            profile: self.text.text,
            overrides: self.overrides,
            azure_fault_messages: self.plan.fault_messages.clone(),
            observer: self.observer,
            part: 0,
        };
        let plan = Arc::new(self.plan);
        let config = Config {
            plan: Arc::clone(&plan),
            listeners: self.listeners,
            transparent: self.transparent,
            with_command: self.with_command,
            start,
            capture: self.capture,
            tap: self.tap,
        };
        let proxy = tokio::select! {
            started = Proxy::start(config, clock, queue.clone()) => started,
            () = interrupted => return Err(Refusal::unmet("interrupted before the run began")),
        };
        let proxy = proxy.map_err(|error| Refusal::environment(error.to_string()))?;
        for warning in proxy.warnings() {
            out::tell(format_args!("WARNING: {warning}"));
        }
        Ok(Launched { proxy, plan, files_before, queue })
    }
}

/// Shows a report on standard output, in colour where that is a terminal.
pub fn show(report: &Report) {
    out::show(terminal::render(report, Styling::Ansi));
}

/// Each link takes two descriptors: take all that the system grants. What was in force before.
pub fn raise_limit() -> Option<u64> {
    match limit::raise_files() {
        Ok(files) => {
            tracing::debug!("open files: at most {}, before {}", files.now, files.before);
            Some(files.before)
        }
        Err(error) => {
            tracing::warn!("the limit of open files stays as it is: {error}");
            None
        }
    }
}
