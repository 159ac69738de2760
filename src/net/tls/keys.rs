//! Records sealed and opened with the keys of an established connection, one direction each.
//!
//! rustls does the handshake and hands its keys out (`rustls::kernel`); from then on the records are brownout's: they are
//! opened where they were read and sealed where they are sent from, and a connection owns no buffer. It is also the only
//! way to say an alert that rustls would not send.
//!
//! ```text
//!  TLS 1.3  (RFC 8446 5.2)   17 0303 len | seal(content, its type)                  nonce = iv xor sequence
//!  TLS 1.2  AES-GCM (5288)   type 0303 len | explicit nonce (8) | seal(content)      nonce = salt, explicit
//!  TLS 1.2  ChaCha20 (7905)  type 0303 len | seal(content)                           nonce = iv xor sequence
//! ```

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::{ConnectionTrafficSecrets, Error};
use std::fmt;
use std::ops::Range;

/// The content type that every sealed record of TLS 1.3 bears.
const APPLICATION_DATA: u8 = 23;
/// The version that records bear, for TLS 1.2 and 1.3 alike.
const VERSION: [u8; 2] = [3, 3];
/// Bytes of a record's header.
pub const HEADER: usize = 5;
/// What AES-GCM and ChaCha20-Poly1305 add, in bytes.
const TAG: usize = MAX_TAG_LEN;
/// The part of AES-GCM's nonce that TLS 1.2 sends, in bytes.
const EXPLICIT: usize = 8;
/// The most content of one record, in bytes (RFC 8446 section 5.1, RFC 5246 section 6.2.1).
pub const MOST_CONTENT: usize = 1 << 14;
/// The most that a record of TLS 1.3 may hold with its type and padding, in bytes: 2^14 + 1 by RFC 8446 section 5.4, but
/// some versions of Java pad full records by up to 16 more (JDK-8221253), which servers bear.
const MOST_INNER: usize = MOST_CONTENT + 1 + 16;
/// How many records AES-GCM may seal with one key (RFC 8446 section 5.5: 2^24.5 full ones). In TLS 1.3 there is another
/// key then. RFC 9325 section 4.4 recommends the same limit for TLS 1.2, and a new handshake there, which rustls does not
/// do on a connection that is up. An end in its place would be a fault that nobody ordered, so TLS 1.2 goes on.
const MOST_RECORDS: u64 = 1 << 23;

/// The key of one direction, and how many records it has sealed or opened.
pub struct Keys {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
    form: Form,
}

/// How a record is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// TLS 1.3: the type is sealed with the content.
    Tls13,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.2 with AES-GCM: part of the nonce is sent.
    Tls12Explicit,
}

/// Why a record cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It was not sealed with this key, or changed on its way, or is another than the next.
    Damaged,
    /// It holds more than a record may.
    TooLong,
    /// It holds no type.
    Typeless,
}

impl Keys {
    /// The keys that rustls gave out, and the number of the next record.
    ///
    /// # Errors
    /// Keys of a cipher that none of brownout's configurations has.
    pub fn new((sequence, secrets): (u64, ConnectionTrafficSecrets), is_13: bool) -> Result<Keys, Error> {
        let refused =
            |problem: &str| Error::General(format!("cannot use the keys of a connection: {problem}"));
        let (algorithm, key, iv, is_gcm) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv, true),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv, true),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv, false),
            _ => return Err(refused("unknown cipher")),
        };
        // rustls keeps room for the longest key in each.
        let key = key.as_ref().get(..algorithm.key_len()).ok_or_else(|| refused("wrong length of key"))?;
        let key = UnboundKey::new(algorithm, key).map_err(|_| refused("wrong length of key"))?;
        let iv = iv.as_ref().try_into().map_err(|_| refused("wrong length of iv"))?;
        let form = match (is_13, is_gcm) {
            (true, _) => Form::Tls13,
            (false, true) => Form::Tls12Explicit,
            (false, false) => Form::Tls12,
        };
        Ok(Keys { key: LessSafeKey::new(key), iv, sequence, form })
    }

    /// Whether another key is due.
    pub fn is_worn(&self) -> bool {
        self.form == Form::Tls13 && self.sequence >= MOST_RECORDS
    }

    /// Appends a record with this content, at most [`MOST_CONTENT`]. False where it cannot be sealed: nothing is
    /// appended then.
    pub fn seal(&mut self, kind: u8, content: &[u8], into: &mut Vec<u8>) -> bool {
        let (explicit, inner) = match self.form {
            Form::Tls13 => (0, 1),
            Form::Tls12 => (0, 0),
            Form::Tls12Explicit => (EXPLICIT, 0),
        };
        let Ok(length) = u16::try_from(explicit + content.len() + inner + TAG) else { return false };
        // RFC 5288 section 3 asks for a salt and 8 bytes that never come twice: rustls's own are iv xor sequence too, so
        // that these are the next of them.
        let nonce = self.nonce();
        let outer = if self.form == Form::Tls13 { APPLICATION_DATA } else { kind };
        let [high, low] = length.to_be_bytes();
        let begin = into.len();
        into.reserve(HEADER + usize::from(length));
        into.extend([outer, VERSION[0], VERSION[1], high, low]);
        into.extend_from_slice(&nonce[NONCE_LEN - explicit..]);
        into.extend_from_slice(content);
        if self.form == Form::Tls13 {
            into.push(kind);
        }
        let additional = self.additional([outer, VERSION[0], VERSION[1], high, low], content.len());
        let sealing = Nonce::assume_unique_for_key(nonce);
        let sealed = &mut into[begin + HEADER + explicit..];
        let Ok(tag) = self.key.seal_in_place_separate_tag(sealing, additional.aad(), sealed) else {
            into.truncate(begin);
            return false;
        };
        into.extend_from_slice(tag.as_ref());
        self.sequence += 1;
        true
    }

    /// Opens the record that lies, whole and with its header, in `buffer[record]`; its content is moved to `buffer[to..]`,
    /// where `to` is not behind the record. Its type and length.
    ///
    /// # Errors
    /// What is wrong with it. Nothing of it counts then, and the stream is at its end.
    pub fn open(
        &mut self,
        buffer: &mut [u8],
        to: usize,
        record: Range<usize>,
    ) -> Result<(u8, usize), Unopened> {
        let explicit = if self.form == Form::Tls12Explicit { EXPLICIT } else { 0 };
        let begin = record.start + HEADER + explicit;
        let header: [u8; HEADER] = buffer
            .get(record.start..record.start + HEADER)
            .and_then(|header| header.try_into().ok())
            .ok_or(Unopened::Damaged)?;
        let content = record.end.checked_sub(begin + TAG).ok_or(Unopened::Damaged)?;
        let mut nonce = self.nonce();
        if explicit > 0 {
            nonce[..NONCE_LEN - EXPLICIT].copy_from_slice(&self.iv[..NONCE_LEN - EXPLICIT]);
            nonce[NONCE_LEN - EXPLICIT..].copy_from_slice(&buffer[record.start + HEADER..begin]);
        }
        let additional = self.additional(header, content);
        let opening = Nonce::assume_unique_for_key(nonce);
        let place = &mut buffer[to..record.end];
        let opened = self
            .key
            .open_within(opening, additional.aad(), place, begin - to..)
            .map_err(|_| Unopened::Damaged)?;
        self.sequence += 1;
        let (kind, length) = match self.form {
            Form::Tls12 | Form::Tls12Explicit => (header[0], opened.len()),
            Form::Tls13 if opened.len() > MOST_INNER => return Err(Unopened::TooLong),
            // Zeros may follow the type (RFC 8446 section 5.4).
            Form::Tls13 => {
                let at = opened.iter().rposition(|&byte| byte != 0).ok_or(Unopened::Typeless)?;
                (opened[at], at)
            }
        };
        if length > MOST_CONTENT { Err(Unopened::TooLong) } else { Ok((kind, length)) }
    }

    /// The iv, its last eight bytes xor the sequence number (RFC 8446 section 5.3, RFC 7905 section 2).
    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        for (byte, of_sequence) in nonce.iter_mut().rev().zip(self.sequence.to_le_bytes()) {
            *byte ^= of_sequence;
        }
        nonce
    }

    /// The header in TLS 1.3; in TLS 1.2 sequence, type, version, length of the content (RFC 5246 section 6.2.3.3).
    fn additional(&self, header: [u8; HEADER], content: usize) -> Additional {
        let mut bytes = [0; 13];
        if self.form == Form::Tls13 {
            bytes[..HEADER].copy_from_slice(&header);
            return Additional { bytes, length: HEADER };
        }
        let length = u16::try_from(content).unwrap_or(u16::MAX).to_be_bytes();
        bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..11].copy_from_slice(&header[..3]);
        bytes[11..].copy_from_slice(&length);
        Additional { bytes, length: bytes.len() }
    }
}

// Neither the key nor the iv is for anybody's eyes.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keys { sequence, form, .. } = self;
        f.debug_struct("Keys").field("sequence", sequence).field("form", form).finish_non_exhaustive()
    }
}

/// What is authenticated beside the content.
struct Additional {
    bytes: [u8; 13],
    length: usize,
}

impl Additional {
    fn aad(&self) -> Aad<&[u8]> {
        Aad::from(&self.bytes[..self.length])
    }
}
