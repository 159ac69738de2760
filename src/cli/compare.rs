//! `brownout compare`: two runs side by side.

use super::exit::{Exit, Refusal};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {}

/// Does it.
pub(super) fn compare(_args: &CompareArgs) -> Exit {
    Refusal::usage("nothing to do").tell()
}
