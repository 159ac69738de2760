//! What brownout costs, end to end and beside others: each way between a device and its hub is a process of its own on
//! one core, the load is this process on another, and every round measures every way. `cargo bench --bench relay`;
//! `-- --help` tells its options, `docs/PERFORMANCE.md` the method.

#![allow(missing_docs, clippy::unwrap_used)]

mod args;
mod connects;
mod copy;
mod delay;
mod held;
mod idle;
mod link;
mod measures;
mod paced;
mod print;
mod process;
mod profiles;
mod round_trips;
mod route;
mod row;
mod rows;
mod run;
mod stats;
mod stream;
mod sys;
mod tls;
mod tls_stream;
mod trace;
mod ways;
mod wire;

use args::Args;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(copy) = args.copy {
        copy::serve(&copy[0], &copy[1]);
        return ExitCode::SUCCESS;
    }
    run::run(&args)
}
