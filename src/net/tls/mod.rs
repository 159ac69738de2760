//! Everything of TLS that is not the moving of bytes: certificates, keys, configurations, names, the key log, words.
//!
//! Owns the local CA, and the keys that a run is given or makes. Invariant: no key is shown, logged or written
//! anywhere but into the CA's directory. Deliberately absent: sockets and records on their way (the link), and what
//! breaks when (the engine).
//!
//! ```text
//!   authority  the local CA: made, opened; certificates minted, sound and flawed
//!   server     what devices are shown, for each name they ask for
//!   client     how the hub is verified, and what it is shown
//!   names      whom a certificate is for; why a handshake failed, in words
//!   keylog     SSLKEYLOGFILE
//!   keys       records sealed and opened with the keys of an established connection
//! ```

pub mod authority;
pub mod client;
pub mod error;
pub mod keylog;
pub mod keys;
pub mod names;
pub mod server;

mod cache;
mod pem;
mod verify;

pub use authority::{Authority, Named};
pub use client::HubTls;
pub use error::TlsError;
pub use keylog::KeyLog;
pub use server::{Ask, DeviceTls};
pub use verify::refused;

use rustls::crypto::CryptoProvider;
use std::sync::{Arc, LazyLock};

/// The cryptography that all of brownout uses. It is handed to each configuration: none is installed for the process,
/// since a program that uses this library may have installed its own.
pub fn provider() -> Arc<CryptoProvider> {
    static RING: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&RING)
}

#[cfg(test)]
mod tests;
