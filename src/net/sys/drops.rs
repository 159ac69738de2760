//! How much the kernel has dropped at a socket (SO_MEMINFO, Linux 4.12): what a filter or a minimum TTL kept from TCP, and
//! what TCP or a full backlog threw away.

use super::option::{self, Name};
use std::os::fd::AsFd;

const MEMINFO: Name = Name(libc::SOL_SOCKET, libc::SO_MEMINFO);

/// SK_MEMINFO_DROPS: which of the numbers (linux/sock_diag.h).
const DROPS: usize = 8;

/// The count since the socket was made, which wraps around: of a connection in segments, of a listener in packets. `None`
/// where the kernel does not say.
pub fn of(socket: impl AsFd) -> Option<u32> {
    let (numbers, filled) = option::get::<[u8; 4 * (DROPS + 1)]>(socket.as_fd(), MEMINFO).ok()?;
    let bytes = numbers[..filled].get(4 * DROPS..)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// From an earlier count to a later one, less than 2^32 of them apart.
pub fn between(earlier: u32, later: u32) -> u64 {
    u64::from(later.wrapping_sub(earlier))
}
