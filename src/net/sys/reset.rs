//! RST at once, also on an idle connection.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Resets a connection: the peer gets RST now, whatever waits in either buffer is thrown away.
///
/// SO_LINGER of zero and close (socket(7), RFC 9293 section 3.10.5). The descriptor must be the only one of
/// its socket: the RST goes out with the last of them. Of tokio streams, give `into_std()`. A muted socket
/// resets too.
///
/// # Errors
/// The kernel's refusal of SO_LINGER, for a descriptor that is not a socket; it is closed all the same.
pub fn reset(socket: impl Into<OwnedFd>) -> io::Result<()> {
    let fd: OwnedFd = socket.into();
    let armed = arm(&fd);
    drop(fd);
    armed
}

/// Makes the coming close of a socket a reset, for one whose owner drops it later.
///
/// # Errors
/// As [`reset`].
pub fn arm(socket: impl AsFd) -> io::Result<()> {
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))
}
