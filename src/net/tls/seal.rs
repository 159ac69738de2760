//! One alert as the next record of a connection.
//!
//! rustls sends `close_notify` and the alerts of its own errors, and no others. Where a fault asks for one, the
//! connection's keys are taken out, and the record is sealed here: it is the last that the connection sends.
//!
//! ```text
//!  TLS 1.3  (RFC 8446 5.2)   17 0303 len | seal(level description 15)               nonce = iv xor sequence
//!  TLS 1.2  AES-GCM (5288)   15 0303 len | explicit nonce (8) | seal(level description)   nonce = salt, explicit
//!  TLS 1.2  ChaCha20 (7905)  15 0303 len | seal(level description)                  nonce = iv xor sequence
//! ```

use super::error::TlsError;
use crate::tls::Alert;
use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::{Connection, ConnectionTrafficSecrets, ProtocolVersion};

/// The content type of an alert.
const ALERT: u8 = 21;
/// The content type that every sealed record of TLS 1.3 bears.
const APPLICATION_DATA: u8 = 23;
/// The version that records bear, for TLS 1.2 and 1.3 alike.
const VERSION: [u8; 2] = [3, 3];
/// What AES-GCM and ChaCha20-Poly1305 add.
const TAG: usize = 16;
/// The part of AES-GCM's nonce that TLS 1.2 sends.
const EXPLICIT: usize = 8;

/// What is left to send of an established connection, and then this alert: bytes for the socket.
///
/// The level is [`Alert::level`].
///
/// # Errors
/// The handshake is not done, or the configuration does not let its secrets be taken out (those of this module do).
pub fn alert(mut connection: Connection, alert: Alert) -> Result<Vec<u8>, TlsError> {
    let refused = |problem: String| TlsError::refused("cannot seal the alert", problem);
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes).map_err(|error| refused(error.to_string()))?;
    }
    let is_13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let secrets = connection.dangerous_extract_secrets().map_err(|error| refused(error.to_string()))?;
    let (sequence, secrets) = secrets.tx;
    let record =
        seal(&secrets, sequence, is_13, alert).ok_or_else(|| refused("wrong length of key".into()))?;
    bytes.extend(record);
    Ok(bytes)
}

fn seal(secrets: &ConnectionTrafficSecrets, sequence: u64, is_13: bool, alert: Alert) -> Option<Vec<u8>> {
    let (algorithm, key, iv, is_gcm) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv, true),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv, true),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv, false),
        _ => return None,
    };
    // rustls keeps room for the longest key in each.
    let key = key.as_ref().get(..algorithm.key_len())?;
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let iv: [u8; NONCE_LEN] = iv.as_ref().try_into().ok()?;
    let is_explicit = is_gcm && !is_13;
    // RFC 5288 section 3 asks for a salt and 8 bytes that never come twice: rustls's own are iv xor sequence too, so that
    // this one is the next of them.
    let nonce = nonce(iv, sequence);
    let mut sealed = vec![alert.level(), alert.0];
    if is_13 {
        sealed.push(ALERT);
    }
    let length = |length: usize| u16::try_from(length).ok().map(u16::to_be_bytes);
    let kind = if is_13 { APPLICATION_DATA } else { ALERT };
    let explicit = if is_explicit { EXPLICIT } else { 0 };
    let outer = length(explicit + sealed.len() + TAG)?;
    let header = [kind, VERSION[0], VERSION[1], outer[0], outer[1]];
    let mut additional = Vec::new();
    if is_13 {
        additional.extend(header);
    } else {
        // RFC 5246 section 6.2.3.3: sequence, type, version, length of what is sealed.
        additional.extend(sequence.to_be_bytes());
        additional.extend([ALERT, VERSION[0], VERSION[1]]);
        additional.extend(length(sealed.len())?);
    }
    let sealing = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(sealing, Aad::from(additional), &mut sealed).ok()?;
    let mut record = header.to_vec();
    record.extend(&nonce[NONCE_LEN - explicit..]);
    record.extend(sealed);
    Some(record)
}

/// The iv, its last eight bytes xor the sequence number (RFC 8446 section 5.3, RFC 7905 section 2).
fn nonce(mut iv: [u8; NONCE_LEN], sequence: u64) -> [u8; NONCE_LEN] {
    for (byte, of_sequence) in iv.iter_mut().rev().zip(sequence.to_le_bytes()) {
        *byte ^= of_sequence;
    }
    iv
}
