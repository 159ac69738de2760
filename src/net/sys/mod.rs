//! The system calls that no crate wraps, each behind a safe function of a few lines.
//!
//! Owns all of the crate's `unsafe`. Invariant: every block says why it is sound, and every public function
//! is sound for any argument. Deliberately absent: policy; which socket is muted or reset, and when, comes
//! from above.

#![allow(
    unsafe_code,
    reason = "the one place for it: socket options, timerfd and limits that std and socket2 lack"
)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "brownout breaks links with means of the Linux kernel (IP_MINTTL, socket filters, timerfd); \
     build it for Linux, or run the Linux binary in a container or virtual machine"
);

pub mod connect;
pub mod drops;
pub mod hangup;
pub mod icmp;
pub mod info;
pub mod limit;
pub mod lock;
pub mod lossy;
pub mod memory;
pub mod mute;
pub mod packet;
pub mod privilege;
pub mod process;
pub mod reset;
pub mod segment;
pub mod stamp;
pub mod timer;
pub mod transparent;
pub mod user;
pub mod wall;

mod option;

pub use info::{TcpInfo, TcpState};
pub use limit::FileLimit;
pub use mute::{Mechanism, MuteError};
pub use privilege::Capabilities;
pub use timer::TimerFd;

use std::io;

/// The result of a system call that is 0 or more when well and -1 with errno when not.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests;
