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

/// The hard limit of open files: what [`raise_files`] can raise to; `None` if there is none (RLIM_INFINITY).
///
/// # Errors
/// The kernel's; none is known.
pub fn most_files() -> io::Result<Option<u64>> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit` to the pointer, which is ours.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_max != libc::RLIM_INFINITY).then_some(limit.rlim_max))
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

/// Lets a command begin with this soft limit of open files instead of ours: programs that use select(2), or walk
/// over all descriptors that there may be, must not suffer from what we raised it to.
pub fn give_files(command: &mut tokio::process::Command, soft: u64) {
    let set = move || {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel writes one `rlimit` to the pointer, which is ours.
        check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
        limit.rlim_cur = soft;
        // SAFETY: the kernel reads one `rlimit` from the pointer, which is ours.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(drop)
    };
    // SAFETY: between fork and exec it makes two system calls, and touches no memory but its own.
    unsafe { command.pre_exec(set) };
}

/// An error of a socket, and the way out where there is no file descriptor left, in the process (EMFILE) or the
/// system (ENFILE).
pub fn explain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => {
            format!("{error}; raise the limit of open files (`ulimit -n`): each link takes two")
        }
        Some(_) | None => error.to_string(),
    }
}
