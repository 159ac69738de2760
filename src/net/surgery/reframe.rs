//! MQTT in WebSocket, worked on: what the surgeon passes on goes out in frames of brownout's own.
//!
//! ```text
//!   head            │ data frame      │ ping     │ data frame
//!   passes as it is │ header dropped, │ passes   │ …
//!                   │ payload to the  │ as it is │
//!                   │ surgeon         │          │
//! ```
//!
//! What is kept is the MQTT that the frames carry, and the control frames between, in their order; not where a data frame
//! begins and ends, which says nothing (MQTT 5, section 6). Each packet that is passed on ends a frame.

#[cfg(test)]
mod tests;

use super::surgeon::Output;
use crate::base::units::to_u64;
use crate::net::pump::{Mark, Note};
use crate::ws::{Mask, Piece, Walker};
use std::hash::{BuildHasher, RandomState};

/// A whole message of binary data (RFC 6455 section 5.2).
const BINARY: u8 = 0x82;

/// The most that is kept, in bytes: the header of a frame of control and its payload (RFC 6455 section 5.5), or another header.
const KEPT_MOST: usize = 14 + 125;

/// The bit of the opcode that says that a frame is one of control.
const CONTROL: u8 = 0x08;

/// The bit that says that a frame is masked.
const MASKED: u8 = 0x80;

/// Takes the frames of one direction off, and puts new ones on.
#[derive(Debug, Default)]
pub struct Reframer {
    /// The heads have passed: frames follow.
    opened: bool,
    /// Of a frame whose payload has not begun, or of a control frame, what came: at most [`KEPT_MOST`] bytes.
    kept: Vec<u8>,
    /// What was last passed on of MQTT ended amid a packet.
    amid: bool,
    /// The rest passes as it is: what was held back of MQTT has been asked for.
    over: bool,
}

/// What is found in WebSocket.
#[derive(Debug)]
pub enum Carried<'a> {
    /// MQTT, unmasked: what is to be passed on of it goes into the output.
    Mqtt(&'a [u8]),
    /// No more comes that can be read: what is held back goes into the output, before the rest.
    NoMore,
    /// What carries none.
    Other(Piece),
}

impl Reframer {
    /// Takes the next bytes of the stream. `masked`: what goes out is to be masked, as all that goes to a hub. `see` answers
    /// whether the stream goes on: behind a cut, control frames end too. How many bytes that keeps back, beside MQTT.
    pub fn take(
        &mut self,
        walker: &mut Walker,
        input: &[u8],
        masked: bool,
        out: &mut Output,
        see: &mut impl FnMut(Carried<'_>, &mut Output) -> bool,
    ) -> usize {
        let (mut done, mut lost, mut goes_on) = (0, 0, true);
        let mut late = std::time::Duration::ZERO;
        let (mut mqtt, mut inner) = (Vec::new(), Output::NONE);
        let mut scan = walker.scan(input);
        while let Some(piece) = scan.next_piece() {
            let end = scan.taken();
            match piece {
                _ if !goes_on => lost += end - done,
                Piece::Payload { range, mask } => {
                    self.kept.clear();
                    mqtt.clear();
                    match mask {
                        None => mqtt.extend_from_slice(&input[range]),
                        Some(mask) => mask.unmask(&input[range], &mut mqtt),
                    }
                    inner.clear();
                    goes_on = see(Carried::Mqtt(&mqtt), &mut inner);
                    late = inner.tail_late;
                    let ended = inner.marks.last().map_or(0, |mark| mark.end);
                    self.amid = inner.bytes.len() > ended || (self.amid && ended == 0);
                    wrap(&inner, masked, out);
                }
                other => {
                    if matches!(other, Piece::NotWebSocket { .. }) {
                        self.give_up(masked, out, see);
                    }
                    self.kept.extend_from_slice(&input[done..end]);
                    let heads = !self.opened && !matches!(other, Piece::NotWebSocket { .. });
                    self.opened |= heads;
                    if !heads {
                        self.drop_empty();
                    }
                    out.bytes.append(&mut self.kept);
                    if !self.amid {
                        let closes = matches!(other, Piece::Close { .. });
                        let note = Note { frame_only: true, closes, ..Note::default() };
                        out.mark(0, note, late);
                    }
                    goes_on = see(Carried::Other(other), out);
                }
            }
            done = end;
        }
        if !goes_on {
            out.tail_late = late;
            return lost + input.len() - done;
        }
        let rest = &input[done..];
        if !self.opened || walker.is_opaque() {
            // The other direction may have shown that this cannot be read.
            self.give_up(masked, out, see);
            out.bytes.append(&mut self.kept);
            out.bytes.extend_from_slice(rest);
        } else {
            self.kept.extend_from_slice(rest);
            self.drop_empty();
        }
        out.tail_late = late;
        0
    }

    /// Puts what is held back into a frame, once, before what passes as it is.
    fn give_up(
        &mut self,
        masked: bool,
        out: &mut Output,
        see: &mut impl FnMut(Carried<'_>, &mut Output) -> bool,
    ) {
        if self.opened && !std::mem::replace(&mut self.over, true) {
            let mut held = Output::NONE;
            see(Carried::NoMore, &mut held);
            put_frame(&held.bytes, masked, &mut out.bytes);
        }
    }

    /// Whether frames may be put in: the heads have passed.
    pub fn is_open(&self) -> bool {
        self.opened
    }

    /// What came of a frame that never becomes whole.
    pub fn give_back(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }

    /// Takes off the frames of data without payload that stand before what is kept: a peer may send them without end.
    fn drop_empty(&mut self) {
        let mut empty = 0;
        while let Some(length) = self.kept.get(empty..).and_then(empty_frame) {
            empty += length;
        }
        if empty > 0 {
            self.kept.drain(..empty);
            self.kept.shrink_to(KEPT_MOST);
        }
    }
}

/// The length of the frame of data without payload that these bytes begin with, if they do: a length may be written in more
/// bytes than it takes, and is 0 all the same.
fn empty_frame(bytes: &[u8]) -> Option<usize> {
    let [first, second, rest @ ..] = bytes else { return None };
    let field = match second & !MASKED {
        127 => 8,
        126 => 2,
        _ => 0,
    };
    let key = if second & MASKED == 0 { 0 } else { 4 };
    let is_empty = match field {
        0 => second & !MASKED == 0,
        _ => rest.get(..field)?.iter().all(|byte| *byte == 0),
    };
    let end = 2 + field + key;
    (first & CONTROL == 0 && is_empty && end <= bytes.len()).then_some(end)
}

/// Puts each packet into a frame, and what stands behind the last.
fn wrap(inner: &Output, masked: bool, out: &mut Output) {
    let mut start = 0;
    for mark in &inner.marks {
        put_frame(&inner.bytes[start..mark.end], masked, &mut out.bytes);
        out.marks.push(Mark { end: out.bytes.len(), ..*mark });
        start = mark.end;
    }
    put_frame(&inner.bytes[start..], masked, &mut out.bytes);
}

/// Appends a frame of binary data with this payload; nothing where that is empty.
pub fn put_frame(payload: &[u8], masked: bool, out: &mut Vec<u8>) {
    if payload.is_empty() {
        return;
    }
    let bit = if masked { MASKED } else { 0 };
    out.push(BINARY);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => out.push(bit | length),
        (_, Ok(length)) => {
            out.push(bit | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(bit | 127);
            let length = to_u64(payload.len());
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    if masked {
        let key = masking_key();
        out.extend_from_slice(&key);
        Mask::new(key).unmask(payload, out);
    } else {
        out.extend_from_slice(payload);
    }
}

/// A key that nobody who chooses the payload can foresee (RFC 6455 section 10.3): from the randomness that the standard
/// library keeps for its hash maps.
fn masking_key() -> [u8; 4] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(()).to_be_bytes();
    [a, b, c, d]
}
