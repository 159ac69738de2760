//! Signals to another process.

/// Asks a process to end (SIGTERM, kill(2)). A process that has ended already is no error.
pub fn terminate(pid: u32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: takes no pointers; the worst is ESRCH.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}
