//! Why TLS cannot be set up.

use std::io;
use std::path::{Path, PathBuf};

/// Why TLS cannot be set up. All but [`TlsError::Refused`] are of files and settings, so of whoever started the run.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {error}", path.display())]
    File {
        /// `read`, `write`, `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// A file is there, and does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what should be there.
        problem: String,
    },
    /// A directory holds no CA.
    #[error("{} holds no CA: run `brownout ca {}` first", path.display(), path.display())]
    NoAuthority {
        /// Which.
        path: PathBuf,
    },
    /// A directory holds a CA already.
    #[error("{} is there already, and is left as it is", path.display())]
    AuthorityExists {
        /// The file that is there.
        path: PathBuf,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Setting(String),
    /// The cryptography refused.
    #[error("{what}: {problem}")]
    Refused {
        /// What was to be done.
        what: &'static str,
        /// Its word.
        problem: String,
    },
}

impl TlsError {
    pub(super) fn file(what: &'static str, path: &Path, error: io::Error) -> TlsError {
        TlsError::File { what, path: path.to_owned(), error }
    }

    pub(super) fn content(path: &Path, problem: impl Into<String>) -> TlsError {
        TlsError::Content { path: path.to_owned(), problem: problem.into() }
    }

    pub(super) fn refused(what: &'static str, problem: impl ToString) -> TlsError {
        TlsError::Refused { what, problem: problem.to_string() }
    }
}
