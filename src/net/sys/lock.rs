//! A lock between processes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes the one lock of an open file or directory (flock(2)), without waiting: whether it was free. It goes with the last
/// descriptor of this opening, however the process ends.
///
/// # Errors
/// Its file system knows no locks.
pub fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: takes no pointers, and the descriptor is open as long as `file` is borrowed.
    let taken = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    match io::Error::last_os_error() {
        _ if taken == 0 => Ok(true),
        error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        error => Err(error),
    }
}
