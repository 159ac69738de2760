//! Whether a peer has hung up, asked without reading.

use crate::fault::Ending;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Whether the peer has sent FIN or RST, also where bytes before it wait unread (POLLRDHUP, poll(2)).
///
/// # Errors
/// The kernel's; none is known for an open descriptor.
pub fn hang_up(socket: impl AsFd) -> io::Result<Option<Ending>> {
    let mut asked = libc::pollfd { fd: socket.as_fd().as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one valid pollfd of ours, for the duration of the call, which does not wait.
    super::check(unsafe { libc::poll(&raw mut asked, 1, 0) })?;
    let seen = asked.revents;
    Ok(if seen & libc::POLLERR != 0 {
        Some(Ending::Reset)
    } else if seen & (libc::POLLRDHUP | libc::POLLHUP) != 0 {
        Some(Ending::Fin)
    } else {
        None
    })
}
