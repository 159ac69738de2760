//! TLS 1.3 as far as a simulation needs it: how large its messages are, and that they take one more round trip.
//!
//! ```text
//!   device ──ClientHello──▶            brownout
//!          ◀─ServerHello … Finished──
//!          ──Finished, MQTT──▶
//! ```

/// A ClientHello with server name, one key share and the usual extensions, record included (RFC 8446 section 4.1.2; rustls and
/// mbed TLS send 220 to 320 bytes, OpenSSL about 320).
pub(super) const HELLO: u64 = 300;

/// ServerHello, EncryptedExtensions, a chain of two certificates of ECDSA P-256 or one of RSA 2048, CertificateVerify and
/// Finished, records included.
pub(super) const FLIGHT: u64 = 2_200;

/// The device's ChangeCipherSpec (6) and Finished with SHA-256 (5 + 4 + 32 + 1 + 16).
pub(super) const FINISHED: u64 = 64;

/// What a record adds to its data in TLS 1.3: header (5), content type (1), tag (16) (RFC 8446 section 5.2).
pub(super) const RECORD: u32 = 22;
