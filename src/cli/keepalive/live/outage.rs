//! One run of brownout before the device: a first look, or an outage.

use super::bench::Bench;
use crate::base::Time;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::files::{ReportFiles, RunFiles};
use crate::cli::load::{self, Text};
use crate::cli::progress::Progress;
use crate::cli::runner::{Ended, Runner, Setup};
use crate::cli::suite::client::{Client, Errand};
use crate::device::Workload;
use crate::event::EndReason;
use crate::keepalive::live::Trail;
use crate::measure::Results;
use crate::mqtt::QoS;
use crate::net::Clock;
use crate::profile::{self, ListenerPlan, TlsPlan};
use std::fs::File;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether all was seen.
const LOOK: Duration = Duration::from_millis(50);

/// After a device ended by itself, so long is waited for the ends of its links.
const LAST_SIGNS: Duration = Duration::from_millis(500);

/// What is to be run.
#[derive(Debug)]
pub struct Errands {
    /// What it is called, and its directory.
    pub name: Option<String>,
    /// The profile.
    pub profile: String,
    /// BROWNOUT_KEEPALIVE, in seconds.
    pub keep_alive: u16,
    /// Another for each run.
    pub number: usize,
}

/// What a run showed.
#[derive(Debug)]
pub struct Shown {
    /// Of the device.
    pub trail: Trail,
    /// All that was measured.
    pub results: Results,
    /// How the command ended, where it did by itself.
    pub ended: Option<String>,
    /// Until when it was watched.
    pub until: Time,
    /// The last lines that it wrote.
    pub output: Vec<String>,
    /// Why what was measured cannot be laid to the outage: the hub was not there all the while.
    pub trouble: Option<String>,
    /// By how much timers of this machine were late.
    pub late: Duration,
}

/// The client identifier that the device is given.
pub fn client_id(bench: &Bench, number: usize) -> String {
    format!("brownout-{number}-{}", bench.tag)
}

/// Makes it. It ends before its time once `is_over` says so.
pub async fn run(
    bench: &Bench,
    errands: &Errands,
    is_over: impl Fn(&Trail, Time) -> bool,
) -> Result<Shown, Refusal> {
    let started = Instant::now();
    let directory = bench.directory.as_ref().zip(errands.name.as_ref()).map(|(all, name)| all.join(name));
    let files = directory.as_deref().map(|path| ReportFiles::open(path, true)).transpose()?;
    let log = directory.filter(|_| !bench.command.is_empty()).map(|path| path.join("client.log"));
    let log = log.map(File::create).transpose();
    let log = log.map_err(|error| Refusal::environment(format!("cannot write client.log: {error}")))?;
    let clock = Clock::start();
    let trail = Arc::new(Mutex::new(Trail::default()));
    let runner = start(bench, errands, files, clock, &trail).await?;
    let mut client = client(bench, &runner, errands, log)?;
    let look = || is_over(&trail.lock().unwrap_or_else(PoisonError::into_inner), clock.now());
    let (reason, ended) = attend(bench, &runner, client.as_mut(), look).await;
    let until = clock.now();
    let run = runner.end_with(reason, |_| {}).await;
    let output = client.as_ref().map(Client::last_lines).unwrap_or_default();
    if let Some(mut client) = client {
        // Only now: how a device bears SIGTERM is no part of the run.
        client.stop().await;
    }
    let Ended { results, written, troubles, .. } = run?;
    written?;
    if let Some(trouble) = troubles.into_iter().find(|trouble| trouble.exit == Exit::Environment) {
        return Err(trouble);
    }
    let trail = trail.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let trouble = bench.witness.trouble(&trail, clock, until);
    Ok(Shown { trail, results, ended, until, output, trouble, late: bench.lateness.worst_since(started) })
}

async fn start(
    bench: &Bench,
    errands: &Errands,
    files: Option<ReportFiles>,
    clock: Clock,
    trail: &Arc<Mutex<Trail>>,
) -> Result<Runner, Refusal> {
    let text = Text { name: "keepalive-live".into(), text: errands.profile.clone() };
    let plan = load::checked(&text, &[])?.plan;
    let listener = ListenerPlan {
        name: "live".into(),
        listen: bench.listen.clone(),
        upstream: bench.upstream.clone(),
        tls: TlsPlan::default(),
    };
    let setup = Setup {
        text,
        overrides: Vec::new(),
        plan,
        seed: bench.seed,
        listeners: vec![listener],
        transparent: false,
        files: RunFiles { report: files, ..RunFiles::default() },
        progress: Progress::Trail(Arc::clone(trail)),
        with_command: false,
        tap: bench.tap.clone(),
    };
    let mut stop = bench.stop.clone();
    Runner::start(setup, clock, async move { drop(stop.wait_for(|&stop| stop).await) }).await
}

fn client(
    bench: &Bench,
    runner: &Runner,
    errands: &Errands,
    log: Option<File>,
) -> Result<Option<Client>, Refusal> {
    if bench.command.is_empty() {
        return Ok(None);
    }
    let address = runner.proxy.addresses().first().copied();
    let address = address.ok_or_else(|| Refusal::environment("there is no listener"))?;
    let errand = errand(bench, errands);
    Client::start(&bench.command, address, &errand, runner.files_before, log).map(Some)
}

fn errand(bench: &Bench, errands: &Errands) -> Errand {
    let client_id = client_id(bench, errands.number);
    let keep_alive = Duration::from_secs(errands.keep_alive.into());
    let (workload, topic, qos, interval) = match bench.faith.workload.clone().of(&client_id) {
        Workload::Idle => {
            (profile::Workload::Idle, format!("brownout/{client_id}"), QoS::AtMostOnce, keep_alive)
        }
        Workload::Publishing { topic, qos, every, .. } => {
            (profile::Workload::Pub, topic, qos, every.resolve(keep_alive))
        }
        Workload::Subscribing { filter, qos } => (profile::Workload::Sub, filter, qos, keep_alive),
    };
    let qos = match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    };
    Errand { workload, keep_alive, client_id, topic, qos, interval }
}

/// Waits for the end: all seen, the plan through, the device's own, or everything's.
async fn attend(
    bench: &Bench,
    runner: &Runner,
    client: Option<&mut Client>,
    is_over: impl Fn() -> bool,
) -> (EndReason, Option<String>) {
    let mut stop = bench.stop.clone();
    let all_seen = async {
        while !is_over() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let end_of_client = async {
        match client {
            Some(client) => client.wait().await,
            None => pending().await,
        }
    };
    tokio::select! {
        reason = runner.proxy.finished() => (reason, None),
        () = all_seen => (EndReason::Complete, None),
        () = async { drop(stop.wait_for(|&stop| stop).await) } => (EndReason::Interrupted, None),
        status = end_of_client => {
            runner.proxy.command_ended(status.code());
            tokio::time::sleep(LAST_SIGNS).await;
            (EndReason::CommandEnded, Some(status.words()))
        }
    }
}
