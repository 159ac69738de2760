//! `brownout keepalive sweep`.

use crate::cli::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct SweepArgs {}

/// Placeholder until its owner's branch is merged.
pub(super) fn sweep(_args: &SweepArgs) -> Exit {
    unimplemented!("keepalive sweep")
}
