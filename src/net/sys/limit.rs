//! The limit of open files: a link takes two.

use super::check;
use std::io;

/// The limits of open files of this process, after [`raise_files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimit {
    /// In force before.
    pub before: u64,
    /// In force now; the highest that the process may give itself.
    pub now: u64,
}

/// Raises the soft limit of open files to the hard one (RLIMIT_NOFILE, getrlimit(2)).
///
/// # Errors
/// The kernel's; the limit is then as it was.
pub fn raise_files() -> io::Result<FileLimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit` to the pointer, which is ours.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the kernel reads one `rlimit` from the pointer, which is ours.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(FileLimit { before, now: limit.rlim_cur })
}

/// Whether an operation failed because there is no file descriptor left, in the process (EMFILE) or the system
/// (ENFILE).
pub fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
