//! `brownout keepalive live`.

use crate::cli::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct LiveArgs {}

/// Placeholder until its owner's branch is merged.
pub(super) fn live(_args: &LiveArgs) -> Exit {
    unimplemented!("keepalive live")
}
