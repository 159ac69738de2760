//! From a byte stream to whole packets, within a bound.
//!
//! ```text
//! push(bytes) ──► [ taken | packet | packet | part of one ] ──► next_packet()
//!                         ^ at
//! ```
//!
//! Memory is that of the bytes which really came: a header that promises 256 MB allocates nothing. Between packets
//! nothing is held.

use super::wire::{Step, VarInt};
use super::{DecodeError, Packet, Version, decode};

/// Bytes of the largest packet there is: what a remaining length can say, and the five bytes before it at most [section 2.2.3].
pub const LARGEST_PACKET: usize = 268_435_455 + 5;

/// Cuts one direction of one connection into packets.
#[derive(Debug)]
pub struct Inlet {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were taken out already.
    at: usize,
    limit: usize,
}

/// What the peer sent instead of a packet. The stream cannot be read on from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// The remaining length goes on after four bytes, or is longer than it need be.
    #[error("the remaining length is not a variable byte integer of the fewest bytes [MQTT-1.5.5-1]")]
    Length,
    /// More than this end takes.
    #[error("a packet of {size} bytes; at most {limit} are taken [MQTT-3.1.2-24, MQTT-3.2.2-15]")]
    TooLarge {
        /// Bytes of the packet, header included.
        size: usize,
        /// Bytes that are taken.
        limit: usize,
    },
    /// A packet that breaks a rule.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

struct Head {
    first_byte: u8,
    body_at: usize,
    end: usize,
}

impl Inlet {
    /// Takes packets of up to `limit` bytes, header included.
    pub fn new(limit: usize) -> Inlet {
        Inlet { buffer: Vec::new(), at: 0, limit }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..std::mem::take(&mut self.at));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next packet, read as `version` (a CONNECT brings its own); `None` until more bytes come.
    ///
    /// # Errors
    /// The peer's fault; the same error comes again.
    pub fn next_packet(&mut self, version: Version) -> Result<Option<Packet>, BadPacket> {
        let Some(head) = self.head()? else {
            self.free();
            return Ok(None);
        };
        let Some(body) = self.buffer.get(head.body_at..head.end) else { return Ok(None) };
        let packet = decode(version, head.first_byte, body)?;
        self.at = head.end;
        Ok(Some(packet))
    }

    fn head(&self) -> Result<Option<Head>, BadPacket> {
        let Some((&first_byte, rest)) = self.buffer[self.at..].split_first() else { return Ok(None) };
        let mut length = VarInt::START;
        for &byte in rest {
            match length.push(byte) {
                Step::More => {}
                Step::TooLong => return Err(BadPacket::Length),
                Step::Done(_) if length.is_padded() => return Err(BadPacket::Length),
                Step::Done(remaining) => {
                    let header = 1 + usize::from(length.seen);
                    let size = header.saturating_add(usize::try_from(remaining).unwrap_or(usize::MAX));
                    if size > self.limit {
                        return Err(BadPacket::TooLarge { size, limit: self.limit });
                    }
                    return Ok(Some(Head { first_byte, body_at: self.at + header, end: self.at + size }));
                }
            }
        }
        Ok(None)
    }

    /// Gives the memory back between packets.
    fn free(&mut self) {
        if self.at == self.buffer.len() {
            (self.buffer, self.at) = (Vec::new(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(inlet: &mut Inlet) -> Vec<Packet> {
        std::iter::from_fn(|| inlet.next_packet(Version::V311).unwrap()).collect()
    }

    #[test]
    fn packets_come_whole_however_the_stream_is_cut() {
        let stream = [0xc0, 0, 0xd0, 0, 0x40, 2, 0, 7, 0xc0, 0];
        for cut in 0..=stream.len() {
            let mut inlet = Inlet::new(100);
            inlet.push(&stream[..cut]);
            let mut packets = all(&mut inlet);
            inlet.push(&stream[cut..]);
            packets.extend(all(&mut inlet));
            assert_eq!(packets.len(), 4, "cut at {cut}");
            assert_eq!(inlet.buffer.capacity(), 0, "nothing is held between packets");
        }
    }

    #[test]
    fn a_packet_at_the_limit_is_taken_and_one_byte_more_is_not() {
        let mut inlet = Inlet::new(4);
        inlet.push(&[0x40, 2, 0, 7]);
        assert_eq!(all(&mut inlet).len(), 1);
        let mut inlet = Inlet::new(3);
        inlet.push(&[0x40, 2]);
        let error = inlet.next_packet(Version::V311).unwrap_err();
        assert_eq!(error, BadPacket::TooLarge { size: 4, limit: 3 });
    }

    #[test]
    fn lengths_that_are_wrong() {
        for bytes in [&[0xc0, 0x80, 0x00][..], &[0xc0, 0xff, 0xff, 0xff, 0xff]] {
            let mut inlet = Inlet::new(usize::MAX);
            inlet.push(bytes);
            assert_eq!(inlet.next_packet(Version::V5), Err(BadPacket::Length));
            assert_eq!(inlet.next_packet(Version::V5), Err(BadPacket::Length));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut inlet = Inlet::new(1000);
            for chunk in chunks {
                inlet.push(&chunk);
                while let Ok(Some(_)) = inlet.next_packet(Version::V5) {}
            }
        }
    }
}
