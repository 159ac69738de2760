//! What the kernel knows of a TCP connection (TCP_INFO, tcp(7)), and how long it tries (TCP_USER_TIMEOUT).

use super::option::{self, Name};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

const INFO: Name = Name(libc::IPPROTO_TCP, libc::TCP_INFO);
const USER_TIMEOUT: Name = Name(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT);

/// The state of a connection (RFC 9293 section 3.3.2; numbers of net/tcp_states.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// Data flows.
    Established,
    /// Our SYN is out, nothing has come back.
    SynSent,
    /// A SYN has come, our answer is out.
    SynReceived,
    /// Our FIN is out, not acknowledged.
    FinWait1,
    /// Our FIN is acknowledged.
    FinWait2,
    /// Both have closed; late packets are waited for.
    TimeWait,
    /// Gone, or not connected yet.
    Closed,
    /// The peer has closed, we have not.
    CloseWait,
    /// Both have closed, our FIN is not acknowledged.
    LastAck,
    /// Waits for connections.
    Listening,
    /// Both closed at once, our FIN is not acknowledged.
    Closing,
    /// A number that this code does not know.
    Other(u8),
}

/// The essentials of TCP_INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// The state.
    pub state: TcpState,
    /// Segments sent and not yet acknowledged; while listening, connections that wait to be accepted.
    pub unacked: u32,
    /// How often the oldest of them has been sent again without an answer.
    pub retransmits: u8,
    /// Keepalive and zero-window probes without an answer.
    pub probes: u8,
    /// How often the retransmission timeout has doubled.
    pub backoff: u8,
    /// Retransmission timeout, back-off included.
    pub rto: Duration,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Segments sent again since the connection began.
    pub total_retransmits: u32,
    /// Time since an acknowledgement came.
    pub last_ack: Duration,
    /// Time since data came.
    pub last_data: Duration,
    /// Segments that TCP has taken in. What a mute drops is not among them: growth says that it does not
    /// hold.
    pub segments_in: u32,
    /// Segments sent.
    pub segments_out: u32,
    /// Bytes written and not yet sent.
    pub unsent_bytes: u32,
    /// Bytes that the peer has acknowledged, and one for SYN: 0 as long as no connection has come about.
    pub bytes_acked: u64,
    /// Bytes that TCP has taken in, and one for FIN: how far its sequence numbers have come.
    pub bytes_received: u64,
}

/// Reads TCP_INFO. Fields that an older kernel lacks are zero.
///
/// # Errors
/// The kernel's, such as for a descriptor that is not a TCP socket.
pub fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
    let (raw, _) = option::get::<libc::tcp_info>(socket.as_fd(), INFO)?;
    Ok(TcpInfo {
        state: state(raw.tcpi_state),
        unacked: raw.tcpi_unacked,
        retransmits: raw.tcpi_retransmits,
        probes: raw.tcpi_probes,
        backoff: raw.tcpi_backoff,
        rto: Duration::from_micros(raw.tcpi_rto.into()),
        rtt: Duration::from_micros(raw.tcpi_rtt.into()),
        total_retransmits: raw.tcpi_total_retrans,
        last_ack: Duration::from_millis(raw.tcpi_last_ack_recv.into()),
        last_data: Duration::from_millis(raw.tcpi_last_data_recv.into()),
        segments_in: raw.tcpi_segs_in,
        segments_out: raw.tcpi_segs_out,
        unsent_bytes: raw.tcpi_notsent_bytes,
        bytes_acked: raw.tcpi_bytes_acked,
        bytes_received: raw.tcpi_bytes_received,
    })
}

/// Sets how long sent data may stay unacknowledged before the connection fails with ETIMEDOUT
/// (TCP_USER_TIMEOUT, RFC 5482); whole milliseconds, at least 1, at most 24 days. The kernel looks when it
/// retransmits, so it may be late.
///
/// # Errors
/// The kernel's, such as for a descriptor that is not a TCP socket.
pub fn set_user_timeout(socket: impl AsFd, timeout: Duration) -> io::Result<()> {
    let millis = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
    option::set(socket.as_fd(), USER_TIMEOUT, millis.max(1))
}

fn state(number: u8) -> TcpState {
    match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listening,
        11 => TcpState::Closing,
        other => TcpState::Other(other),
    }
}
