//! Floor 1: TLS as it stands on the wire, as far as a relay that holds no key can read it.
//!
//! Owns the names of alerts, the look at a ClientHello, the walk over records, what the headers of records tell of
//! the data inside, and the damage that a record can take. Invariant: nothing here knows a secret, and no input can
//! make it panic; of a stream, no more is kept than its ClientHello. Deliberately absent: the protocol itself, which
//! is rustls's (net/tls/).

pub(crate) mod alert;
pub(crate) mod damage;
pub(crate) mod data;
pub(crate) mod harm;
pub(crate) mod hello;
pub(crate) mod record;

pub use alert::Alert;
pub use damage::Damage;
pub use data::DataWatch;
pub use harm::{Harmer, truncated};
pub use hello::{ClientHello, HelloPeek, Seen};
pub use record::Records;
