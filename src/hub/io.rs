//! What goes into the hub and what comes out of it.

use super::event::{Departure, HubEvent};
use crate::tls::Alert;

/// A connection; the shell numbers them and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// What happened to the hub.
#[derive(Debug)]
pub enum Input<'a> {
    /// A TCP connection came.
    Opened {
        /// Its number.
        conn: ConnId,
        /// The peer's address, for events.
        peer: String,
        /// Whether a TLS handshake comes before its bytes; [`Input::Secured`] or [`Input::HandshakeFailed`] tells.
        tls: bool,
    },
    /// The TLS handshake is done.
    Secured {
        /// On which connection.
        conn: ConnId,
        /// What it came to.
        security: Security,
    },
    /// The TLS handshake failed; the connection is over.
    HandshakeFailed {
        /// On which connection.
        conn: ConnId,
        /// Why, for people.
        why: String,
    },
    /// Bytes came.
    Bytes {
        /// On which connection.
        conn: ConnId,
        /// The next of its stream.
        bytes: &'a [u8],
    },
    /// Bytes of [`Output::Send`] were taken by the kernel.
    Written {
        /// On which connection.
        conn: ConnId,
        /// How many.
        count: usize,
    },
    /// The connection ended from the other side.
    Closed {
        /// Which.
        conn: ConnId,
        /// How.
        how: HowClosed,
    },
    /// The hub is to stop: everybody is told and closed, and so is who was accepted just before.
    Stop,
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// `TLS 1.2`, `TLS 1.3`.
    pub version: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Whether the device presented a certificate (which then was verified).
    pub certified: bool,
}

/// How the other side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowClosed {
    /// FIN; over TLS after close_notify.
    Fin,
    /// FIN without the close_notify that TLS asks for before it (RFC 8446 section 6.1): cut off on the way.
    Unnotified,
    /// A TLS alert that ends the connection.
    Alert(Alert),
    /// What came is not TLS, or does not decrypt.
    BadRecord,
    /// RST, or a write to a connection that is gone.
    Reset,
    /// Our kernel gave up: no acknowledgement for too long (ETIMEDOUT, or no route any more).
    TimedOut,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this, after what was given before.
    Send {
        /// On which connection.
        conn: ConnId,
        /// Whole packets.
        bytes: Vec<u8>,
    },
    /// FIN after all that was given before. The connection is forgotten.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// RST at once. The connection is forgotten.
    Reset {
        /// Which.
        conn: ConnId,
    },
    /// For the record.
    Log(HubEvent),
}

impl From<HowClosed> for Departure {
    fn from(how: HowClosed) -> Departure {
        match how {
            HowClosed::Fin => Departure::Closed,
            HowClosed::Unnotified => Departure::Unnotified,
            HowClosed::Alert(alert) => Departure::Alert { alert },
            HowClosed::BadRecord => Departure::BadRecord,
            HowClosed::Reset => Departure::Reset,
            HowClosed::TimedOut => Departure::TcpTimeout,
        }
    }
}
