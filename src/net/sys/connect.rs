//! A connect that is begun, and not waited for.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpStream};

/// A socket to connect to this address with. It does not block.
///
/// # Errors
/// The kernel's, such as no more descriptors.
pub fn socket(to: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))
}

/// Begins a connect; once the socket can be written to, it has come about or failed. Small packets do not wait on it for the
/// peer's acknowledgement (TCP_NODELAY): that would be a delay of our own.
///
/// # Errors
/// The kernel's, such as no way to that address.
pub fn begin(socket: Socket, to: SocketAddr) -> io::Result<TcpStream> {
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(socket.into()),
    }
}
