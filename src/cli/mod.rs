//! Floor 9: the command line.
//!
//! Owns arguments, files, signals, exit codes, and the wiring of a run. Invariant: every way out of a run writes its
//! report; output files are opened before the run starts. Deliberately absent: any figure (measure/) and any wording
//! of a report (report/).

mod apart;
mod args;
mod ca;
mod check;
mod command;
mod compare;
mod demo;
mod doctor;
mod exit;
mod expected;
mod files;
mod jobs;
mod keepalive;
mod lab;
mod load;
mod logs;
mod number;
mod observe;
mod out;
mod parts;
mod peers;
mod privileges;
mod progress;
mod quiet;
mod recorder;
mod report;
mod run;
mod runner;
mod signals;
mod speaker;
mod suite;
mod tap;
mod tls;
mod transparent;
mod whole;

pub use args::Args;
pub use exit::Exit;

use crate::net::sys::{Capabilities, memory};
use args::Command;
use clap::Parser;
use std::env;
use std::future::Future;
use std::io::IsTerminal;
use std::thread;
use tokio::runtime::Builder;

/// Reads the command line and does what it says.
pub fn main() -> Exit {
    memory::give_large_blocks_back_at_once();
    let args = Args::parse();
    log_to_stderr(args.verbose);
    if let Err(refusal) = args::followed(env::args_os()) {
        return refusal.tell();
    }
    out::conclude(match args.command {
        Command::Demo(args) => demo::demo(args),
        Command::Hub(args) => peers::hub(args),
        Command::Device(args) => peers::device(*args),
        Command::Run(args) => run::run(*args),
        Command::Ca(args) => ca::ca(&args),
        Command::Observe(args) => observe::observe(*args),
        Command::Suite(args) => suite::suite(*args),
        Command::Compare(args) => compare::compare(&args),
        Command::Lab(args) => lab::lab(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Keepalive(args) => keepalive::keepalive(args),
        Command::Check(args) => check::check(&args),
        Command::Report(args) => report::report(&args),
        Command::Profiles(args) => check::profiles(args.command.as_ref()),
    })
}

/// Notes of brownout itself go to standard error: warnings, or with `-v` every event too.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::DEBUG,
        2.. => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| out::Notes)
        .with_ansi(colour_on_stderr())
        .with_target(false)
        // It would tell them on standard error, where the trouble is, and panic.
        .log_internal_errors(false)
        .init();
}

fn is_terminal_stderr() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether text for standard error may hold colours: a terminal, and NO_COLOR is not set.
fn colour_on_stderr() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// The same for standard output.
fn colour_on_stdout() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// Runs to the end on a runtime of its own.
fn in_runtime(work: impl Future<Output = Exit>) -> Exit {
    on_runtime(&mut workers(), work)
}

/// The same, whose threads give up all privileges but these. The calling thread, which does what is not spawned, keeps its
/// own.
fn in_runtime_keeping(kept: Capabilities, work: impl Future<Output = Exit>) -> Exit {
    on_runtime(workers().on_thread_start(move || privileges::keep(kept)), work)
}

fn on_runtime(builder: &mut Builder, work: impl Future<Output = Exit>) -> Exit {
    match builder.enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(work);
            // A name that is still being looked up must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => exit::Refusal::environment(format!("cannot start: {error}")).tell(),
    }
}

/// A worker for each processor. Of a single one, this thread is the worker: a second would have nobody to share work with, and
/// its readiness to share costs a tenth of a short link (docs/PERFORMANCE.md).
fn workers() -> Builder {
    let is_alone = thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
    if is_alone { Builder::new_current_thread() } else { Builder::new_multi_thread() }
}
