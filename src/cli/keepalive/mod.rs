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

/// Each value once, where it comes first: what is given twice is made once.
fn once<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_left_out_in_order() {
        assert_eq!(once([2, 3, 2, 1, 3]), [2, 3, 1]);
    }
}
