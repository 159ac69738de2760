//! Floor 6: the embedded hub, an MQTT 3.1, 3.1.1 and 5 broker to test against, alone or behind the proxy.
//!
//! Owns connections, sessions, subscriptions, retained messages, wills and keep-alives, all in memory.
//!
//! ```text
//!  sockets ──Input──► Hub ──┬─ links     one a connection: inlet, keep-alive, aliases
//!                      │    ├─ sessions  one a client identifier: subscriptions, outbox, will
//!  sockets ◄──Output── │    ├─ topics    the tree of filters
//!  events  ◄──Output───┘    ├─ retained
//!                           └─ timers    what expires, soonest first
//! ```
//!
//! Invariant: [`Hub`] is a pure machine (time and bytes come in as arguments, effects go out as data), every queue
//! in it has a bound in [`HubConfig`], and nothing that a client sends can panic it. [`serve()`] is the thin shell of
//! sockets around it.
//!
//! Deliberately absent: users and passwords (but for `azure`'s tokens), bridges, anything on disk; and from the
//! machine TLS, which is the shell's alone. It is exact about keep-alives and reasons, because it is the other witness
//! beside the proxy.

pub(crate) mod azure;
mod config;
mod connect;
mod delivery;
mod event;
mod io;
mod link;
mod machine;
mod message;
mod publish;
mod retained;
mod serve;
mod session;
mod socket;
mod subscribe;
#[cfg(test)]
mod tests;
mod timers;
pub mod tls;
mod topics;

pub use azure::Azure;
pub use config::{
    ANSWER_ROOM, CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, HubConfig, MAX_LEVELS, MAX_PACKET, Patience,
};
pub use event::{Departure, Dropped, HubEvent, HubSaw};
pub use io::{ConnId, HowClosed, Input, Output, Security};
pub use machine::Hub;
pub use serve::{HubHandle, HubSink, serve, serve_tls};
