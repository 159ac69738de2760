//! A connect that is begun, and not waited for.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpStream};

/// Begins a connect. The socket does not block; once it can be written to, the connect has come about or failed. Small packets do
/// not wait on it for the peer's acknowledgement (TCP_NODELAY): that would be a delay of our own.
///
/// # Errors
/// The kernel's, such as no more descriptors, or no way to that address.
pub fn begin(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        Ok(()) | Err(_) => Ok(socket.into()),
    }
}
