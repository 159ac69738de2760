//! `brownout keepalive path`.

use crate::cli::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct PathArgs {}

/// Placeholder until its owner's branch is merged.
pub(super) fn path(_args: &PathArgs) -> Exit {
    unimplemented!("keepalive path")
}
