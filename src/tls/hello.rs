//! A look at the first bytes of a stream: a TLS ClientHello, or what else.
//!
//! Lenient: what a device sends is passed on whatever it is, so a hello that rustls would refuse is read as far as it
//! can be (RFC 8446 section 4.1.2).

mod read;
#[cfg(test)]
mod tests;

use super::record::{HANDSHAKE, Place, Records, Step};

/// The longest ClientHello that is looked at, with its header of 4 bytes.
pub const HELLO_LIMIT: usize = 64 * 1024;

/// Bytes of a handshake message's header: its type, and its length in three bytes.
const HEADER: usize = 4;

/// The type of the handshake message ClientHello.
const CLIENT_HELLO: u8 = 1;

/// Gathers the first bytes of a stream until it is known whether they are a ClientHello.
///
/// Keeps the hello alone, at most `HELLO_LIMIT` bytes, and nothing once it is decided. Every split of a stream gives
/// the same.
#[derive(Clone, Debug, Default)]
pub struct HelloPeek {
    records: Records,
    /// What came of the handshake message.
    message: Vec<u8>,
    seen: Option<Seen>,
}

/// What a stream begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A ClientHello.
    Hello(ClientHello),
    /// Something else.
    NotTls {
        /// Stream offset of the first byte that cannot be part of one: of a record, its first byte.
        offset: u64,
        /// Why not, and what it looks like.
        reason: String,
    },
}

/// What a ClientHello asks for, as far as it could be read: where it is malformed, what comes before is still here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name (RFC 6066 section 3), lower-cased; `None` also if it is longer than 255 bytes or is not all
    /// printable ASCII, so no host name.
    pub sni: Option<String>,
    /// The protocols offered, best first (RFC 7301), at most 32, each fit to be shown.
    pub alpn: Vec<String>,
    /// The versions offered, best first (RFC 8446 section 4.2.1): 0x0304 is TLS 1.3. Without that extension the one
    /// that TLS 1.2 and before go by. Without the values that are reserved to be ignored (RFC 8701).
    pub versions: Vec<u16>,
}

impl HelloPeek {
    /// Takes the next bytes of the stream. `Some` once it is decided; then further calls give the same.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Seen> {
        if self.seen.is_none() {
            self.seen = self.look(bytes);
            if self.seen.is_some() {
                self.message = Vec::new();
            }
        }
        self.seen.clone()
    }

    fn look(&mut self, bytes: &[u8]) -> Option<Seen> {
        let mut rest = bytes;
        while let [byte, ..] = rest {
            let taken = match self.records.place() {
                Place::Header(index) => {
                    if let Some(seen) = self.header_byte(index, *byte) {
                        return Some(seen);
                    }
                    1
                }
                Place::Content { .. } => {
                    let taken = self.records.skip(rest.len());
                    if let Some(seen) = self.content(&rest[..taken]) {
                        return Some(seen);
                    }
                    taken
                }
                // Decided already: a stream becomes opaque in a header.
                Place::Opaque => return None,
            };
            rest = &rest[taken..];
        }
        None
    }

    fn header_byte(&mut self, index: u8, byte: u8) -> Option<Seen> {
        let start = self.records.offset() - u64::from(index);
        let not_tls = |reason| Some(Seen::NotTls { offset: start, reason });
        if index == 0 && start == 0 && byte != HANDSHAKE {
            return not_tls(not_a_handshake(byte));
        }
        if index == 0 && byte != HANDSHAKE {
            return not_tls(format!(
                "a record of type {byte} comes within the ClientHello; only type 22 (handshake) can (RFC 8446 section 5.1)"
            ));
        }
        match self.records.header_byte(byte) {
            Step::Whole(header) if header.length == 0 => not_tls(
                "a handshake record without content comes within the ClientHello (RFC 8446 section 5.1)"
                    .to_owned(),
            ),
            Step::More | Step::Whole(_) => None,
            Step::NotTls { .. } if index == 1 => not_tls(format!(
                "not TLS: a record of type 22 with major version {byte}; all versions of TLS have 3 there"
            )),
            Step::NotTls { .. } => not_tls(format!(
                "not TLS: a record of {} bytes; at most 2^14 + 2048 are allowed (RFC 5246 section 6.2.3)",
                self.records.header().length
            )),
        }
    }

    /// Takes bytes of the handshake message, at least one.
    fn content(&mut self, bytes: &[u8]) -> Option<Seen> {
        let wanted = self.message_len().unwrap_or(HEADER);
        let (now, after) = bytes.split_at(bytes.len().min(wanted - self.message.len()));
        self.message.extend_from_slice(now);
        let not_tls = |reason| Some(Seen::NotTls { offset: 0, reason });
        match self.message.first() {
            Some(&CLIENT_HELLO) | None => {}
            Some(other) => {
                return not_tls(format!(
                    "the first handshake message is of type {other}; a device's first is ClientHello, type 1 (RFC 8446 section 4)"
                ));
            }
        }
        let whole = self.message_len()?;
        if whole > HELLO_LIMIT {
            return not_tls(format!(
                "the ClientHello is too long: {whole} bytes with its header; up to {HELLO_LIMIT} are looked at"
            ));
        }
        if self.message.len() == whole {
            return Some(Seen::Hello(read::client_hello(&self.message[HEADER..])));
        }
        // Only the header had been asked for so far.
        if after.is_empty() { None } else { self.content(after) }
    }

    /// Bytes of the message with its header, once that is there.
    fn message_len(&self) -> Option<usize> {
        let [_, high, middle, low] = *self.message.first_chunk::<HEADER>()?;
        let body = u32::from_be_bytes([0, high, middle, low]);
        Some(HEADER + usize::try_from(body).unwrap_or(HELLO_LIMIT))
    }
}

/// What a stream is that does not begin with a handshake record.
fn not_a_handshake(first_byte: u8) -> String {
    let what = match first_byte {
        0x10 => "plain MQTT",
        b'A'..=b'Z' => "not TLS (an HTTP request, as for WebSocket, begins with such a letter)",
        0x80.. => "an SSLv2 hello, or not TLS",
        _ => "not TLS",
    };
    format!("{what}: the first byte is {first_byte:#04x}; a TLS handshake begins with 0x16")
}
