//! What goes into the hub and what comes out of it.

use super::event::{Departure, HubEvent};

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
    /// The hub is to stop: everybody is told and closed.
    Stop,
}

/// How the other side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HowClosed {
    /// FIN.
    Fin,
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
            HowClosed::Reset => Departure::Reset,
            HowClosed::TimedOut => Departure::TcpTimeout,
        }
    }
}
