//! The primitive fields of MQTT (section 1.5): integers, texts, binary data, variable byte integers.

use super::error::{DecodeError, EncodeError};

/// The greatest variable byte integer, and so the greatest remaining length: four groups of seven bits.
pub const VARINT_MAX: u32 = 268_435_455;

/// Bytes of a packet still to be read. A read that fails consumes nothing that a later read relies on: give up.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Whether every byte is read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All bytes not read yet.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// That every byte is read.
    ///
    /// # Errors
    /// Some are left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::LeftOver { count }),
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn bytes(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A byte.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    /// A two byte integer.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    /// A four byte integer.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    /// A variable byte integer, at most [`VARINT_MAX`].
    ///
    /// # Errors
    /// It is cut off, goes on after four bytes, or could be shorter [MQTT-1.5.5-1].
    pub fn varint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let mut varint = VarInt::START;
        loop {
            match varint.push(self.u8(field)?) {
                Step::More => {}
                Step::Done(_) if varint.is_padded() => return Err(DecodeError::VarInt { field }),
                Step::Done(value) => return Ok(value),
                Step::TooLong => return Err(DecodeError::VarInt { field }),
            }
        }
    }

    /// A packet identifier, which is never 0 [MQTT-2.3.1-1].
    ///
    /// # Errors
    /// It is cut off, or 0.
    pub fn packet_id(&mut self) -> Result<u16, DecodeError> {
        match self.u16("packet identifier")? {
            0 => Err(DecodeError::Value {
                field: "packet identifier",
                value: 0,
                allowed: "1 to 65535",
                rule: "MQTT-2.3.1-1, MQTT-2.2.1-3",
            }),
            id => Ok(id),
        }
    }

    /// Binary data after its two byte length.
    ///
    /// # Errors
    /// It is cut off.
    pub fn binary(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.u16(field)?;
        self.bytes(usize::from(length), field)
    }

    /// Binary data after its two byte length, or what is there of it, and whether that is all.
    ///
    /// # Errors
    /// Its length is cut off.
    pub fn begun(&mut self, field: &'static str) -> Result<(&'a [u8], bool), DecodeError> {
        let length = usize::from(self.u16(field)?);
        let there = length.min(self.rest.len());
        Ok((self.bytes(there, field)?, there == length))
    }

    /// A text after its two byte length: well-formed UTF-8 without U+0000.
    ///
    /// # Errors
    /// It is cut off, or not such a text [MQTT-1.5.3-1, MQTT-1.5.3-2].
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let text = str::from_utf8(self.binary(field)?).map_err(|_| DecodeError::NotUtf8 { field })?;
        if text.contains('\0') { Err(DecodeError::NullCharacter { field }) } else { Ok(text) }
    }
}

/// A variable byte integer as its bytes come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarInt {
    value: u32,
    /// How many bytes were pushed, 0 to 4.
    pub seen: u8,
    last: u8,
}

/// What one more byte made of a variable byte integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    More,
    /// It is complete.
    Done(u32),
    /// Its fourth byte says that it goes on.
    TooLong,
}

impl VarInt {
    /// Before its first byte.
    pub const START: VarInt = VarInt { value: 0, seen: 0, last: 0 };

    /// Takes the next byte.
    #[inline]
    pub fn push(&mut self, byte: u8) -> Step {
        // Four groups at most: a caller that goes on after `TooLong` gets it again.
        if self.seen == 4 {
            return Step::TooLong;
        }
        self.value |= u32::from(byte & 0x7f) << (7 * self.seen);
        self.seen += 1;
        self.last = byte;
        match (byte & 0x80 == 0, self.seen) {
            (true, _) => Step::Done(self.value),
            (false, 4) => Step::TooLong,
            (false, _) => Step::More,
        }
    }

    /// Whether fewer bytes would have said the same [MQTT-1.5.5-1].
    pub fn is_padded(self) -> bool {
        self.seen > 1 && self.last == 0
    }
}

/// Appends a variable byte integer, at most [`VARINT_MAX`].
///
/// # Errors
/// It is greater; nothing is appended.
pub fn put_varint(out: &mut Vec<u8>, value: usize) -> Result<(), EncodeError> {
    let mut left = u32::try_from(value)
        .ok()
        .filter(|value| *value <= VARINT_MAX)
        .ok_or(EncodeError::PacketTooLong { length: value })?;
    loop {
        let [.., low] = left.to_be_bytes();
        left >>= 7;
        if left == 0 {
            out.push(low & 0x7f);
            return Ok(());
        }
        out.push(low | 0x80);
    }
}

/// Appends binary data (or a text's bytes) after its two byte length.
///
/// # Errors
/// It is longer than 65,535 bytes; nothing is appended.
pub fn put_binary(out: &mut Vec<u8>, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
    let length =
        u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong { field, length: bytes.len() })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_byte_integers_on_both_sides_of_every_length() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (VARINT_MAX, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, usize::try_from(value).unwrap()).unwrap();
            assert_eq!(out, bytes, "{value}");
            assert_eq!(Reader::new(bytes).varint("length"), Ok(value));
        }
        assert_eq!(
            put_varint(&mut Vec::new(), 268_435_456),
            Err(EncodeError::PacketTooLong { length: 268_435_456 })
        );
    }

    #[test]
    fn variable_byte_integers_that_are_wrong() {
        for bytes in [&[0xff, 0xff, 0xff, 0xff][..], &[0x80, 0x80, 0x80, 0x80, 0x01], &[0x80, 0x00]] {
            let error = Reader::new(bytes).varint("length").unwrap_err();
            assert_eq!(error, DecodeError::VarInt { field: "length" }, "{bytes:x?}");
        }
        let cut = Reader::new(&[0x80]).varint("length");
        assert_eq!(cut, Err(DecodeError::Truncated { field: "length" }));
    }

    #[test]
    fn texts_that_are_wrong_cite_their_rule() {
        for (bytes, says) in [
            (&b"\x00\x01\xff"[..], "MQTT-1.5.4-1"),
            // A surrogate half.
            (&b"\x00\x03\xed\xa0\x80"[..], "MQTT-1.5.4-1"),
            (&b"\x00\x01\x00"[..], "MQTT-1.5.4-2"),
            (&b"\x00\x02a"[..], "ends inside the name"),
            (&b"\x00"[..], "ends inside the name"),
        ] {
            let error = Reader::new(bytes).text("name").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_field_of_65535_bytes_fits_and_one_more_does_not() {
        let mut out = Vec::new();
        put_binary(&mut out, "payload", &vec![7; 65_535]).unwrap();
        assert_eq!(Reader::new(&out).binary("payload").unwrap().len(), 65_535);
        let error = put_binary(&mut Vec::new(), "payload", &vec![7; 65_536]).unwrap_err();
        assert_eq!(error, EncodeError::FieldTooLong { field: "payload", length: 65_536 });
    }
}
