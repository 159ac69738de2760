//! What a peer's TCP has not acknowledged (SIOCOUTQ, tcp(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// How many bytes that were written the peer has not acknowledged, and one for a FIN of ours; of a connection that is gone,
/// as many as when it went.
///
/// # Errors
/// The kernel's, such as for a descriptor that is not a TCP socket.
pub fn unacked(socket: impl AsFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes one int, to `bytes`. TIOCOUTQ is the same
    // number as SIOCOUTQ.
    super::check(unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
