//! What goes into a device and what comes out of it.

use super::event::{DeviceEvent, Sign};
use crate::tls::Alert;

/// What happened to the device.
#[derive(Debug)]
pub enum Input<'a> {
    /// The TLS handshake is done; [`Input::Connected`] follows.
    Secured {
        /// `TLS 1.2`, `TLS 1.3`.
        version: String,
        /// Whether an earlier session was resumed.
        resumed: bool,
    },
    /// The connection is up: TCP's, or TLS's on it.
    Connected,
    /// It could not be made.
    ConnectFailed {
        /// The system's or TLS's word for it.
        why: String,
    },
    /// Bytes came.
    Bytes(&'a [u8]),
    /// Bytes of [`Output::Send`] were taken by the kernel.
    Written(usize),
    /// The connection ended from the other side.
    Closed(HowClosed),
    /// The device is to stop.
    Stop,
}

/// By what the socket tells that the connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowClosed {
    /// FIN was read; over TLS close_notify.
    Fin,
    /// FIN was read without the close_notify that TLS asks for before it (RFC 8446 section 6.1).
    Unnotified,
    /// A TLS alert that ends the connection was read.
    Alert(Alert),
    /// What was read is not TLS, or does not decrypt.
    BadRecord,
    /// RST was read.
    Reset,
    /// The kernel gave up (ETIMEDOUT, or no route any more).
    TimedOut,
    /// A write failed on a connection that is gone.
    WriteFailed,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the hub.
    Dial,
    /// Write this, after what was given before.
    Send(Vec<u8>),
    /// Write what still goes without waiting, then close: over TLS close_notify, then FIN. Ends a dial, too.
    Close,
    /// RST at once.
    Reset,
    /// For the record.
    Log(DeviceEvent),
}

impl From<HowClosed> for Sign {
    fn from(how: HowClosed) -> Sign {
        match how {
            HowClosed::Fin => Sign::Fin,
            HowClosed::Unnotified => Sign::Unnotified,
            HowClosed::Alert(alert) => Sign::Alert { alert },
            HowClosed::BadRecord => Sign::BadRecord,
            HowClosed::Reset => Sign::Reset,
            HowClosed::TimedOut => Sign::TcpTimeout,
            HowClosed::WriteFailed => Sign::WriteFailed,
        }
    }
}
