//! Where segments end: what is sent goes as TCP has it, as a segment of its own, or together with what follows.

use socket2::SockRef;
use std::io;
use std::os::fd::AsFd;

/// What bytes share a segment with, as far as the sender has a say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segment {
    /// What TCP makes of it.
    #[default]
    Any,
    /// Nothing that is sent later (MSG_EOR, send(2): what ends a record is not added to), also where they have to wait for
    /// the peer.
    Alone,
    /// What follows at once, such as FIN (MSG_MORE, send(2)). The kernel keeps them for 200 ms at most: [`push`] them where
    /// nothing follows.
    WithNext,
}

/// Sends bytes. Returns how many the kernel took.
///
/// # Errors
/// The kernel's.
pub fn send(socket: impl AsFd, bytes: &[u8], segment: Segment) -> io::Result<usize> {
    let flags = match segment {
        Segment::Any => 0,
        Segment::Alone => libc::MSG_EOR,
        Segment::WithNext => libc::MSG_MORE,
    };
    SockRef::from(&socket).send_with_flags(bytes, flags)
}

/// Sends what was kept for more to follow (TCP_NODELAY, which is set already, does that: tcp(7)).
///
/// # Errors
/// The kernel's.
pub fn push(socket: impl AsFd) -> io::Result<()> {
    SockRef::from(&socket).set_tcp_nodelay(true)
}
