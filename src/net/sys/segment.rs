//! Bytes that stay a segment of their own.

use socket2::SockRef;
use std::io;
use std::os::fd::AsFd;

/// Sends bytes that the kernel puts into one segment with nothing that is sent later (MSG_EOR, send(2): what ends a record
/// is not added to), also where they have to wait for the peer. Returns how many it took.
///
/// # Errors
/// The kernel's.
pub fn send_alone(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket).send_with_flags(bytes, libc::MSG_EOR)
}
