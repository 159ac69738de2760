//! Floor 1: TLS as it stands on the wire, as far as a relay that holds no key can read it.
//!
//! Owns the names of alerts, and the kinds of damage that a record can take. Invariant: nothing here knows a secret,
//! and no input can make it panic. Deliberately absent: the protocol itself, which is rustls's (net/tls/).

pub mod alert;
pub mod damage;
pub mod data;
pub mod harm;
pub mod hello;
pub mod record;

pub use alert::Alert;
pub use damage::Damage;
