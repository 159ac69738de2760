//! `brownout suite`: a client under test, against a set of profiles.

use super::exit::{Exit, Refusal};

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct SuiteArgs {}

/// Does it.
pub(super) fn suite(_args: &SuiteArgs) -> Exit {
    Refusal::usage("nothing to do").tell()
}
