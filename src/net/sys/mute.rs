//! The packet-level mute: the kernel drops what arrives for a TCP socket before TCP sees it.
//!
//! Nothing is acknowledged, probes go unanswered, a FIN or RST of the peer is not noticed, and a SYN for a
//! muted listener vanishes. To the peer the path is dark, and when it lights up again TCP repairs all.
//!
//! | mechanism | how | needs | limits |
//! |---|---|---|---|
//! | [`Mechanism::Filter`] | SO_ATTACH_FILTER, classic BPF `ret 0` (socket(7)) | CAP_NET_ADMIN on recent kernels | replaces a filter that is there |
//! | [`Mechanism::MinTtl`] | IP_MINTTL (ip(7)), IPV6_MINHOPCOUNT = 255 (RFC 5082) | nothing | peers whose packets arrive with TTL 255: same segment and a stack that starts there (lwIP by default, network gear) |
//!
//! What Linux 6.18 does, measured (the tests of this folder hold it in place where they can):
//!
//! - An AF_INET6 socket looks at IP_MINTTL for IPv4-mapped peers and at IPV6_MINHOPCOUNT for the others,
//!   never at both; so both are set. An AF_INET socket refuses IPV6_MINHOPCOUNT.
//! - The peer repairs by its own retransmission. Its RTO has doubled all the while, so that takes from
//!   nothing to about as long as the mute was (measured: 0.34 s after 0.5 s, 0.66 s after 1 s, 5.3 s after 8
//!   s), and at most 120 s (TCP_RTO_MAX).
//! - A socket muted while it dials takes the way for as long as its handshake then took: its first RTO is
//!   three times that, and Linux keeps it for the next connections between the two addresses (tcp_metrics; 7
//!   s after a handshake of 3 s). So mute dialled sockets when connected. Who waits for a muted listener is
//!   not affected.
//! - A peer that sent a RST while muted is gone, and says so only when it is written to. A FIN is repeated.
//! - **A handshake that was under way when its listener was muted by [`Mechanism::MinTtl`] completes**: the
//!   last ACK is not held against the listener's option. **The accepted socket then inherits the option** and
//!   stays muted when the listener no longer is. So [`unmute`] what is accepted, unless it is to be mute.
//!   With [`Mechanism::Filter`] the ACK is dropped, and nothing is inherited.
//!   A filter that a listener has when a handshake ends is the accepted socket's too: one that [`mute_to`] put there lets
//!   its packets pass, and costs time. Take it off what is accepted as well.
//! - Mute is for what arrives. What is in the send queue is still sent and sent again, and closing sends a
//!   FIN: stop writing, and park the socket until [`unmute`] or [`super::reset::reset`] (which works on a
//!   muted socket).
//! - Our own timers go on: a muted socket with unacknowledged data (tcp_retries2, some 15 minutes), with
//!   SO_KEEPALIVE or with TCP_USER_TIMEOUT gives up by itself with ETIMEDOUT.

use super::option::{self, Name};
use crate::fault::filter::{Instruction, drop_from};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

/// The TTL that no packet which crossed a router has, and the least that a muted socket takes.
const HIGHEST_TTL: u8 = 255;

const IP_MINTTL: Name = Name(libc::IPPROTO_IP, libc::IP_MINTTL);
const IPV6_MINHOPCOUNT: Name = Name(libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT);
const SAVE_SYN: Name = Name(libc::IPPROTO_TCP, libc::TCP_SAVE_SYN);
const SAVED_SYN: Name = Name(libc::IPPROTO_TCP, libc::TCP_SAVED_SYN);
const DOMAIN: Name = Name(libc::SOL_SOCKET, libc::SO_DOMAIN);

/// The mute filter: `ret 0`, keep nothing of any packet. BPF_RET | BPF_K is 6 (linux/bpf_common.h).
const DROP_ALL: [socket2::SockFilter; 1] = [socket2::SockFilter::new(6, 0, 0, 0)];

/// How a socket is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// A classic BPF program that drops every packet.
    Filter,
    /// A least TTL (hop limit) of 255 for packets that arrive.
    MinTtl,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mechanism::Filter => "socket filter",
            Mechanism::MinTtl => "minimum TTL",
        })
    }
}

/// Why a socket could not be muted or unmuted.
#[derive(Debug, thiserror::Error)]
pub enum MuteError {
    /// The kernel wants a privilege, and the way without it is barred.
    #[error(
        "{operation}: {source}; it needs CAP_NET_ADMIN, and the way without it (minimum TTL) cannot hold this \
         peer, whose packets arrive with TTL 255; grant it (`setcap \
         cap_net_admin,cap_net_raw,cap_net_bind_service+ep`), or use `fidelity: stall`, which works without"
    )]
    Unprivileged {
        /// The system call and option.
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel wants a privilege, and a minimum TTL cannot tell one peer from another.
    #[error(
        "{operation}: {source}; a filter by source address takes CAP_NET_ADMIN here: grant it (`setcap \
         cap_net_admin,cap_net_raw,cap_net_bind_service+ep` on the binary, or `--cap-add NET_ADMIN` on the container)"
    )]
    Selective {
        /// The system call and option.
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No memory for a filter.
    #[error(
        "{operation}: {source}; a filter for so many addresses is larger than this system allows: raise it (`sysctl -w \
         net.core.optmem_max=1048576`)"
    )]
    TooLarge {
        /// The system call and option.
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("{operation}: {source}; is it a TCP socket that is still open? `fidelity: stall` works without")]
    Refused {
        /// The system call and option.
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Mutes a TCP socket, accepted, dialled or listening, and says by which mechanism.
///
/// `preferred` is tried first and the other one after it, except that [`Mechanism::MinTtl`] is left out for a
/// peer whose packets are known to arrive with TTL 255 (`peer_ttl`, from [`syn_ttl`]; `None` where it is not
/// known). Muting a muted socket is harmless.
///
/// # Errors
/// [`MuteError`] of the last mechanism tried.
pub fn mute(socket: impl AsFd, preferred: Mechanism, peer_ttl: Option<u8>) -> Result<Mechanism, MuteError> {
    let fd = socket.as_fd();
    let min_ttl_holds = peer_ttl != Some(HIGHEST_TTL);
    match preferred {
        Mechanism::MinTtl if min_ttl_holds && set_min_ttl(fd, HIGHEST_TTL).is_ok() => Ok(Mechanism::MinTtl),
        Mechanism::MinTtl | Mechanism::Filter => match attach(fd) {
            Ok(()) => Ok(Mechanism::Filter),
            Err(_) if min_ttl_holds => set_min_ttl(fd, HIGHEST_TTL).map(|()| Mechanism::MinTtl),
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                Err(MuteError::Unprivileged { operation: "SO_ATTACH_FILTER", source })
            }
            Err(source) => Err(MuteError::Refused { operation: "SO_ATTACH_FILTER", source }),
        },
    }
}

/// Makes the kernel drop what comes to a socket from these addresses, which are canonical: to a listener, their SYNs. In the
/// place of any filter that is there, without a moment between. Of too many the first are taken (`drop_from`).
///
/// # Errors
/// [`MuteError`]: all is as it was.
pub fn mute_to(socket: impl AsFd, sources: &[IpAddr]) -> Result<(), MuteError> {
    const OPERATION: &str = "SO_ATTACH_FILTER";
    attach_program(socket.as_fd(), &drop_from(sources)).map_err(|source| match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => MuteError::Selective { operation: OPERATION, source },
        Some(libc::ENOMEM) => MuteError::TooLarge { operation: OPERATION, source },
        _ => MuteError::Refused { operation: OPERATION, source },
    })
}

/// Attaches a filter that is data.
pub(super) fn attach_program(fd: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let instruction = |i: &Instruction| socket2::SockFilter::new(i.code, i.yes, i.no, i.operand);
    let program: Vec<socket2::SockFilter> = program.iter().map(instruction).collect();
    socket2::SockRef::from(&fd).attach_filter(&program)
}

/// Undoes what [`mute`] or [`mute_to`] did by this mechanism. Unmuting what is not muted is harmless.
///
/// # Errors
/// [`MuteError::Refused`], such as for a descriptor that is not a socket.
pub fn unmute(socket: impl AsFd, mechanism: Mechanism) -> Result<(), MuteError> {
    let fd = socket.as_fd();
    match mechanism {
        Mechanism::MinTtl => set_min_ttl(fd, 0),
        Mechanism::Filter => match socket2::SockRef::from(&fd).detach_filter() {
            // There was none (socket(7)).
            Err(source) if source.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other.map_err(|source| MuteError::Refused { operation: "SO_DETACH_FILTER", source }),
        },
    }
}

/// Asks a listener to keep the SYN of each connection for [`syn_ttl`] (TCP_SAVE_SYN, tcp(7)).
///
/// # Errors
/// The kernel's, such as for a descriptor that is not a TCP socket.
pub fn save_syns(listener: impl AsFd) -> io::Result<()> {
    option::set(listener.as_fd(), SAVE_SYN, 1)
}

/// The TTL, or hop limit, with which the SYN of an accepted connection arrived.
///
/// `None` if its listener saved none, or it has been read before: the kernel gives it once, so read it at
/// accept.
pub fn syn_ttl(accepted: impl AsFd) -> Option<u8> {
    // IPv4: a header of up to 60 bytes, TTL at 8 (RFC 791). IPv6: hop limit at 7 (RFC 8200). Then TCP's 60.
    // The kernel gives all or nothing, so there is room for extension headers too.
    let (packet, filled) = option::get::<[u8; 256]>(accepted.as_fd(), SAVED_SYN).ok()?;
    ttl_of(&packet[..filled])
}

fn ttl_of(packet: &[u8]) -> Option<u8> {
    match packet.first()? >> 4 {
        4 => packet.get(8).copied(),
        6 => packet.get(7).copied(),
        _ => None,
    }
}

fn attach(fd: BorrowedFd<'_>) -> io::Result<()> {
    socket2::SockRef::from(&fd).attach_filter(&DROP_ALL)
}

/// Sets the least TTL for IPv4 packets, and for IPv6 packets where the socket takes them.
fn set_min_ttl(fd: BorrowedFd<'_>, ttl: u8) -> Result<(), MuteError> {
    let refused = |operation| move |source| MuteError::Refused { operation, source };
    let ttl = libc::c_int::from(ttl);
    option::set(fd, IP_MINTTL, ttl).map_err(refused("IP_MINTTL"))?;
    let (domain, _) = option::get::<libc::c_int>(fd, DOMAIN).map_err(refused("SO_DOMAIN"))?;
    if domain == libc::AF_INET6 {
        option::set(fd, IPV6_MINHOPCOUNT, ttl).map_err(refused("IPV6_MINHOPCOUNT"))?;
    }
    Ok(())
}
