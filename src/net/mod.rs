//! Floor 5: sockets and clocks; what the pure floors decide is carried out here.
//!
//! Owns every file descriptor of the run. Invariant: nothing here decides what breaks; it does what it is
//! told and says what really happened. Deliberately absent: unsafe code outside [`sys`].
//!
//! ```text
//!   proxy   binds, accepts, starts and stops
//!   core    the engine behind its one lock; hands orders to links, events to the queue
//!   link    one task a link: two pumps over two legs
//!   pump    one direction: read, find frames, delay or write at once
//!   dial    the connect to the hub
//!   leg     one TCP connection: read, write, mute, shut, reset
//!   tls     certificates, keys, configurations and words of TLS
//! ```

pub mod alarm;
pub mod clock;
pub mod core;
pub mod dial;
pub mod leg;
pub mod link;
pub mod proxy;
pub mod pump;
pub mod queue;
pub mod sys;
pub mod tls;

pub use clock::Clock;
pub use proxy::{Proxy, StartError};
pub use queue::EventQueue;
