//! Sockets with addresses that are not this machine's (ip(7), ipv6(7)).

use super::option::{self, Name};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

const IP_TRANSPARENT: Name = Name(libc::IPPROTO_IP, libc::IP_TRANSPARENT);
const IPV6_TRANSPARENT: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT);

const IP_BIND_ADDRESS_NO_PORT: Name = Name(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT);

/// Lets a socket that is to have an address of this family have one of another machine. On a socket of both families it
/// holds for both.
///
/// # Errors
/// The kernel's: without CAP_NET_ADMIN, that it is not permitted.
pub fn make_transparent(socket: impl AsFd, address: SocketAddr) -> io::Result<()> {
    let name = if address.is_ipv4() { IP_TRANSPARENT } else { IPV6_TRANSPARENT };
    option::set(socket.as_fd(), name, 1)
}

/// Puts off the choice of a port from when the socket is bound to when it connects: then one that is taken toward another hub,
/// or waits out its time, will do.
///
/// # Errors
/// The kernel's, such as before Linux 4.2.
pub fn choose_port_late(socket: impl AsFd) -> io::Result<()> {
    option::set(socket.as_fd(), IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Whether a socket could not be made because the machine has no such family, such as IPv6.
pub fn is_without_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Whether the kernel misses a capability. Ports below 1024 are refused by another word (EACCES).
pub fn is_unpermitted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EPERM)
}
