//! What the kernel says of the machine's wall clock.

use super::check;
use std::io;
use std::time::Duration;

/// STA_UNSYNC (linux/timex.h): nobody keeps the clock right.
const UNSYNCHRONISED: libc::c_int = 0x40;

/// What the kernel knows of its wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Whether somebody (NTP, the hypervisor's time service) keeps it right.
    pub synchronised: bool,
    /// How far off it may be, by whoever keeps it; without meaning where nobody does.
    pub error: Duration,
}

/// Reads that (adjtimex(2), which sets nothing here).
///
/// # Errors
/// The kernel's, such as where a sandbox bars the system call.
pub fn wall_clock() -> io::Result<WallClock> {
    // SAFETY: plain numbers; all zero is a value of it, and one that asks for no change.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `timex` to the pointer, which is ours.
    check(unsafe { libc::adjtimex(&raw mut state) })?;
    Ok(WallClock {
        synchronised: state.status & UNSYNCHRONISED == 0,
        error: Duration::from_micros(u64::try_from(state.esterror).unwrap_or(0)),
    })
}
