//! The codec against literal bytes, against itself, and against an independent codec.

mod differential;
mod literal;
mod malformed;
mod round_trip;
mod samples;

use super::*;
use Version::{V5, V31, V311};

/// The packet as bytes.
fn written(packet: &Packet, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    encode(packet, version, &mut out).unwrap();
    out
}

/// The packet in bytes that hold exactly one.
fn read(version: Version, bytes: &[u8]) -> Result<Packet, DecodeError> {
    let mut reader = Reader::new(bytes);
    let first_byte = reader.u8("first byte")?;
    let length = reader.varint("remaining length")?;
    let body = reader.rest();
    assert_eq!(u32::try_from(body.len()), Ok(length), "the case's own length is right");
    decode(version, first_byte, body)
}
