//! `brownout observe`: nothing is broken; what happens between devices and their hub is told, for as long as wanted.

use super::exit::{Exit, Refusal};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct ObserveArgs {}

/// Does it.
pub(super) fn observe(_args: &ObserveArgs) -> Exit {
    Refusal::usage("nothing to do").tell()
}
