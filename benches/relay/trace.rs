//! Meters: what a measurement took of time, of processor, and, in rounds that are for nothing else, of system calls.

use crate::process::Process;
use crate::route::Route;
use crate::{sys, ways};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Until a tracer has attached itself.
const ATTACH: Duration = Duration::from_millis(400);

/// Began, not yet ended.
pub struct Meter<'a> {
    route: &'a Route,
    tracer: Option<Tracer>,
    cpu: Duration,
    began: Instant,
}

/// What it took.
#[derive(Clone, Copy)]
pub struct Taken {
    pub wall: f64,
    /// Seconds of processor time of what is in between.
    pub cpu: f64,
    /// System calls of the same, where they were counted.
    pub calls: Option<f64>,
}

impl Meter<'_> {
    pub fn begin(route: &Route) -> Meter<'_> {
        let tracer = route.process.as_ref().filter(|_| route.is_traced).and_then(Tracer::attach);
        Meter { route, tracer, cpu: route.cpu(), began: Instant::now() }
    }

    pub fn end(self) -> Taken {
        let wall = self.began.elapsed().as_secs_f64();
        let cpu = (self.route.cpu() - self.cpu).as_secs_f64();
        Taken { wall, cpu, calls: self.tracer.and_then(Tracer::detach) }
    }
}

/// A program that counts another's system calls: `perf stat`, whose tracepoint costs next to nothing, or `strace -c`,
/// which slows every call so much that more messages come with each.
struct Tracer {
    process: Process,
    directory: TempDir,
    is_perf: bool,
}

/// What would count, if anything.
pub fn tracer() -> Option<&'static str> {
    ["perf", "strace"].into_iter().find(|name| ways::find(name).is_some())
}

impl Tracer {
    fn attach(traced: &Process) -> Option<Tracer> {
        let is_perf = tracer()? == "perf";
        let directory = TempDir::new().unwrap();
        let mut command = Command::new(if is_perf { "perf" } else { "strace" });
        if is_perf {
            command.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o"]);
        } else {
            command.args(["-f", "-c", "-q", "-o"]);
        }
        command.arg(directory.path().join("calls")).args(["-p", &traced.id().to_string()]);
        let process = Process::start(command, &[], &directory.path().join("stderr"));
        thread::sleep(ATTACH);
        Some(Tracer { process, directory, is_perf })
    }

    fn detach(mut self) -> Option<f64> {
        sys::interrupt(self.process.id());
        let began = Instant::now();
        while !self.process.has_ended() && began.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(10));
        }
        counted(&self.directory.path().join("calls"), self.is_perf)
    }
}

/// The sum in what either program writes.
fn counted(path: &Path, is_perf: bool) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    if is_perf {
        return text.lines().find(|line| line.contains("sys_enter"))?.split(',').next()?.parse().ok();
    }
    text.lines().find(|line| line.ends_with("total"))?.split_whitespace().nth(3)?.parse().ok()
}
