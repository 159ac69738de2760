//! Floor 5: sockets and clocks; what the pure floors decide is carried out here.
//!
//! Owns every file descriptor of the run. Invariant: nothing here decides what breaks; it does what it is
//! told and says what really happened. Deliberately absent: unsafe code outside [`sys`].
//!
//! ```text
//!   proxy   binds, accepts, starts and stops
//!   terms   what a listener does with its links: where they lead, where TLS begins and ends
//!   core    the engine behind its one lock; hands orders to links, events to the queue
//!   link    one task a link: two pumps over two legs, and the handshakes before
//!   pump    one direction: read, find packets, delay or write at once
//!   punctual  whether brownout is run when it asks to be
//!   door    the listening socket: open, mute or closed
//!   surgery  packets worked on as they pass
//!   dial    the connect to the hub
//!   readiness  what tokio has been told of a socket
//!   transparent  where a device was going that did not know of brownout, and the connect on to there
//!   leg     one TCP connection, TLS on it or not: read, write, mute, shut, reset
//!   capture  what passes, into a file for Wireshark
//!   tap     what arrives, seen below the sockets
//!   rival   the other client of a takeover
//!   wills   which PUBLISH packets may be wills
//!   tls     certificates, configurations, words for what went wrong
//! ```

pub(crate) mod alarm;
pub(crate) mod capture;
pub mod clock;
pub(crate) mod core;
pub(crate) mod dial;
pub(crate) mod door;
pub(crate) mod leg;
pub(crate) mod link;
pub mod proxy;
pub(crate) mod pump;
pub(crate) mod punctual;
pub(crate) mod queue;
pub(crate) mod readiness;
pub(crate) mod rival;
pub(crate) mod surgery;
pub mod sys;
pub mod tap;
pub(crate) mod terms;
pub mod tls;
pub(crate) mod transparent;
pub(crate) mod wills;

pub use clock::Clock;
pub use proxy::{Proxy, StartError};
pub use queue::EventQueue;
