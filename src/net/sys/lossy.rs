//! Loss: the kernel drops some of the segments that arrive for a TCP socket, by chance, before TCP sees them.
//!
//! The peer sees what it would on a bad path: segments that are not acknowledged, duplicate acknowledgements, its own
//! retransmissions and a smaller window. What is lost is what the peer sends, its acknowledgements among it; what is sent
//! to it arrives. A classic BPF program draws with the kernel's `rand` load. It is the socket's one filter: a
//! [mute](super::mute) by filter takes its place.
//!
//! How many were dropped, the socket counts itself ([`super::drops`]), held against the sender's own retransmissions by
//! tests/interop/dark.py. What the kernel has merged before (GRO, under bulk transfer) is drawn for once: the share stays,
//! and losses come in bursts.

use super::mute::attach_program;
use crate::base::Chance;
use crate::fault::filter::random_drop;
use std::io;
use std::os::fd::AsFd;

/// Why a socket cannot lose segments.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// The kernel wants a privilege.
    #[error(
        "SO_ATTACH_FILTER: {0}; loss is made with a socket filter, which takes CAP_NET_ADMIN here: grant it (`setcap \
         cap_net_admin,cap_net_raw,cap_net_bind_service+ep` on the binary, or `--cap-add NET_ADMIN` on the container); `latency` with a pareto delay, \
         which takes no privilege, shows devices much of the same"
    )]
    Unprivileged(io::Error),
    /// The kernel refused.
    #[error("SO_ATTACH_FILTER: {0}; is it a TCP socket that is still open?")]
    Refused(io::Error),
}

/// Makes the kernel drop each segment that arrives with this chance, in place of any filter that is there.
///
/// # Errors
/// [`LossError`].
pub fn lose(socket: impl AsFd, chance: Chance) -> Result<(), LossError> {
    attach_program(socket.as_fd(), &random_drop(chance)).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => LossError::Unprivileged(error),
        _ => LossError::Refused(error),
    })
}

/// Whether sockets of this process may lose segments: tried on one that goes nowhere.
///
/// # Errors
/// [`LossError`].
pub fn probe(chance: Chance) -> Result<(), LossError> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    lose(socket.map_err(LossError::Refused)?, chance)
}
