//! `brownout keepalive`: choose a keep-alive, and prove it.

mod advise;
mod live;
mod path;
mod place;
mod sweep;

use super::exit::Exit;
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub(super) struct KeepaliveArgs {
    #[command(subcommand)]
    command: KeepaliveCommand,
}

#[derive(Debug, Subcommand)]
enum KeepaliveCommand {
    /// Simulate keep-alives against outages, idle timeouts, back-offs and loss: days of device time in seconds
    Sweep(Box<sweep::SweepArgs>),
    /// Step a real device through keep-alives and outages, and hold what is measured against the simulation
    Live(Box<live::LiveArgs>),
    /// Find after how long without a packet a path forgets a connection, and how
    Path(Box<path::PathArgs>),
    /// From what is wanted to a setting, with the reasons and the price
    Advise(Box<advise::AdviseArgs>),
}

/// Does what is asked.
pub(super) fn keepalive(args: KeepaliveArgs) -> Exit {
    match args.command {
        KeepaliveCommand::Sweep(args) => sweep::sweep(&args),
        KeepaliveCommand::Live(args) => live::live(*args),
        KeepaliveCommand::Path(args) => path::path(&args),
        KeepaliveCommand::Advise(args) => advise::advise(&args),
    }
}
