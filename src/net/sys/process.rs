//! Signals: to another process, and whether this one was told to bear one.

/// Whether this process was started to outlive its terminal, as nohup(1) does it: with SIGHUP ignored, which it inherits.
pub fn bears_hangup() -> bool {
    // SAFETY: an all-zero sigaction is a valid one to write over.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with no new action this only writes the one in force into `action`, which outlives the call.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Asks a process to end (SIGTERM, kill(2)). A process that has ended already is no error.
pub fn terminate(pid: u32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: takes no pointers; the worst is ESRCH.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
}

/// Asks all processes of a group to end (SIGTERM). A group that has ended already is no error.
pub fn terminate_group(group: u32) {
    signal_group(group, libc::SIGTERM);
}

/// Makes all processes of a group end (SIGKILL).
pub fn kill_group(group: u32) {
    signal_group(group, libc::SIGKILL);
}

fn signal_group(group: u32, signal: libc::c_int) {
    // 0 and 1 stand for other things than groups.
    if let Some(group) = libc::pid_t::try_from(group).ok().filter(|group| *group > 1) {
        // SAFETY: takes no pointers; the worst is ESRCH.
        unsafe { libc::kill(-group, signal) };
    }
}
