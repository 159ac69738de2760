//! `brownout keepalive advise`.

use crate::cli::exit::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct AdviseArgs {}

/// Placeholder until its owner's branch is merged.
pub(super) fn advise(_args: &AdviseArgs) -> Exit {
    unimplemented!("keepalive advise")
}
