//! ICMP that speaks of a TCP connection, told at once (IP_RECVERR of ip(7), IPV6_RECVERR of ipv6(7)).

use super::option::{self, Name};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

const IP_RECVERR: Name = Name(libc::IPPROTO_IP, libc::IP_RECVERR);
const IPV6_RECVERR: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_RECVERR);

/// From now on an ICMP error about this connection, to this peer, ends it at once, as in SYN_SENT. Without this the kernel goes on
/// sending and tells it only when it gives up, after a quarter of an hour or so.
///
/// # Errors
/// The kernel's, such as for a descriptor that is not a socket of this family.
pub fn take_to_heart(socket: impl AsFd, peer: SocketAddr) -> io::Result<()> {
    // An IPv4 address mapped into IPv6 is spoken to by IPv4.
    let is_v4 = peer.ip().to_canonical().is_ipv4();
    option::set(socket.as_fd(), if is_v4 { IP_RECVERR } else { IPV6_RECVERR }, 1)
}
