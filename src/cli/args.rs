//! The arguments: their syntax. What they mean together is checked where they are used.

use crate::profile::Override;
use clap::{ArgAction, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Breaks MQTT links the way real networks and hubs do, and measures how each end recovers.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true, max_term_width = 90)]
pub struct Args {
    /// Tell more on standard error: -v every event, -vv the wiring too
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Put the proxy before a hub, break links by a profile, and report
    Run(RunArgs),
    /// Tell every problem of a profile, or what will happen when it is run
    Check(CheckArgs),
    /// The profiles that come with brownout, and their language
    Profiles(ProfilesArgs),
    /// Render the report of one or several runs again, from their logs
    Report(ReportArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// A profile's file, or the name of a shipped one (see `brownout profiles`)
    pub profile: String,
    /// Where devices connect; port 0 takes a free one [default: 127.0.0.1:1884, with a COMMAND 127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The hub [default: what the profile's listeners say]
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<String>,
    /// Write report.json and events.jsonl into this directory; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// The seed of every draw: the same seed and traffic give the same faults [default: drawn, and told]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Put a value in the place of the profile's: `dark.for=10s`, `settle=5s`; may be given several times
    #[arg(long = "set", value_name = "RULE.PARAM=VALUE")]
    pub sets: Vec<Override>,
    /// End the run after this time at the latest: `90s`, `1h 30m`
    #[arg(long, value_name = "TIME", value_parser = crate::base::span::parse_fixed)]
    pub duration: Option<Duration>,
    /// Show no progress, only the report
    #[arg(short, long)]
    pub quiet: bool,
    /// Run this beside the proxy, with its address in BROWNOUT_HOST, BROWNOUT_PORT and BROWNOUT_URL
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// A profile's file, or the name of a shipped one
    pub profile: String,
    /// As for `run`
    #[arg(long = "set", value_name = "RULE.PARAM=VALUE")]
    pub sets: Vec<Override>,
    /// The keep-alive to give examples for
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = crate::base::span::parse_fixed)]
    pub keep_alive: Duration,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The events.jsonl of each run; several runs of one profile are merged
    #[arg(required = true, value_name = "EVENTS.jsonl")]
    pub logs: Vec<PathBuf>,
    /// Write report.json into this directory; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Print report.json instead of the text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ProfilesArgs {
    #[command(subcommand)]
    pub command: Option<ProfilesCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfilesCommand {
    /// List them
    List,
    /// Print one
    Show {
        /// Its name
        name: String,
    },
    /// Print the reference of the profile language, in Markdown
    Reference,
    /// Print the JSON Schema of the profile language, for editors
    Schema,
}
