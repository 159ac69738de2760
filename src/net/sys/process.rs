//! Signals: to other processes, and whether this one was told to bear one; and the session that a command has for itself.

use super::check;
use std::fs;

/// Whether this process was started to outlive its terminal, as nohup(1) does it: with SIGHUP ignored, which it inherits.
pub fn bears_hangup() -> bool {
    // SAFETY: an all-zero sigaction is a valid one to write over.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with no new action this only writes the one in force into `action`, which outlives the call.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// Lets a command begin in a session of its own (setsid(2)), whose one process group it leads: what it starts is of that group,
/// too, unless it leaves it. Ctrl-C is then not for them, though they may still read from the terminal and write to it.
pub fn give_session(command: &mut tokio::process::Command) {
    // SAFETY: takes no pointers.
    let set = || check(unsafe { libc::setsid() }).map(drop);
    // SAFETY: between fork and exec it makes a system call, and touches no memory.
    unsafe { command.pre_exec(set) };
}

/// Whether a process of a group runs. One that has ended does not, though its parent may not have taken note of that yet.
pub fn group_runs(group: u32) -> bool {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    listed.filter_map(|entry| fs::read(entry.path().join("stat")).ok()).any(|stat| runs_in(group, &stat))
}

/// Whether this is of a process of that group that has not ended (proc_pid_stat(5)): `PID (NAME) STATE PARENT GROUP ...`. A name
/// may have spaces and brackets in it, and need not be UTF-8.
fn runs_in(group: u32, stat: &[u8]) -> bool {
    let after_name = stat.rsplit(|&byte| byte == b')').next().unwrap_or_default();
    let fields = std::str::from_utf8(after_name).unwrap_or_default();
    let mut fields = fields.split_ascii_whitespace();
    let has_ended = matches!(fields.next(), None | Some("Z" | "X"));
    !has_ended && fields.nth(1).and_then(|of| of.parse().ok()) == Some(group)
}

/// Asks all processes of a group to end (SIGTERM, kill(2)). A group that has ended already is no error.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_in_its_group_until_it_has_ended() {
        for (stat, runs) in [
            (&b"7 (sh) S 5 4242 7 0 -1 4194560"[..], true),
            (b"7 (a) Z 1 (\xff) S 5 4242 7 0", true),
            (b"7 (sh) Z 5 4242 7 0", false),
            (b"7 (sh) S 5 4243 7 0", false),
            (b"7 (sh) S 4242 7 7 0", false),
            (b"7 (sh) S 5", false),
            (b"", false),
        ] {
            assert_eq!(runs_in(4242, stat), runs, "{}", String::from_utf8_lossy(stat));
        }
    }
}
