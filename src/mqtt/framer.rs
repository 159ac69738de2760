//! Where packets begin and end in one direction of a link, found while the bytes pass.
//!
//! ```text
//!            first byte,           head there             last byte
//!            length                (Frame)                (FrameEnd, or told with Frame)
//! Header ──────────────────► Head ──────────► Body ──────────────────► Header
//!    │                         │
//!    └─────────────────────────┴── not MQTT (NotMqtt) ──► Opaque, for good
//! ```
//!
//! Payload is walked over, never kept: a PUBLISH of 256 MB costs as much memory as one of 10 bytes. A frame's head
//! is borrowed from the input where it lies there whole; only a head that is split over inputs is gathered, and
//! freed when it is announced. Between frames, and inside a payload, a framer holds no heap memory.
//!
//! Every split of a stream into inputs gives the same frames, with the same heads, starts and ends.

mod head;
mod plain;
#[cfg(test)]
mod tests;

pub use head::HEAD_LIMIT;
pub use plain::may_have_alias;

use head::Header;

use super::kind::{PacketKind, Version};
use super::wire::{Step, VarInt};
use crate::base::Direction;
use crate::base::units::to_u64;
use std::ops::Range;

/// Finds the frames of one direction of one link. At most 64 bytes, and a heap buffer only while a head is split.
#[derive(Clone, Debug)]
pub struct Framer {
    state: State,
    /// Bytes taken since the stream began.
    offset: u64,
    /// Stream offset of the first byte of the frame under way.
    start: u64,
    direction: Direction,
    version: Option<Version>,
    greeted: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// In a fixed header, or before one: `first_byte` is `None` between frames.
    Header { first_byte: Option<u8>, length: VarInt },
    /// The header is read; `kept` is the beginning of a head that is split over inputs.
    Head { header: Header, kept: Vec<u8> },
    /// The frame is announced; `left` bytes of it are to come, at least one.
    Body { kind: PacketKind, left: u32 },
    /// Not MQTT: nothing is looked at any more.
    Opaque,
}

const BETWEEN: State = State::Header { first_byte: None, length: VarInt::START };

/// What the framer finds in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A frame whose head is there now.
    Frame(Frame<'a>),
    /// The last byte of a frame that was announced in an earlier input.
    FrameEnd {
        /// The frame's type.
        kind: PacketKind,
        /// Stream offset of the frame's first byte.
        start: u64,
        /// Just past the frame's last byte, counted in this input.
        end_in_input: usize,
    },
    /// From here on, this is not MQTT. Comes once; the framer then lets everything pass unseen.
    NotMqtt {
        /// Stream offset of the first byte of what is not a packet.
        offset: u64,
        /// Why not.
        reason: NotMqtt,
    },
}

/// A frame whose head is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The packet's type.
    pub kind: PacketKind,
    /// The packet's first byte: type and flags. Odd flags are the reader's to judge.
    pub first_byte: u8,
    /// Bytes of the fixed header: 2 to 5.
    pub header_len: u8,
    /// Bytes of the body, at most 268,435,455.
    pub remaining_length: u32,
    /// Stream offset of the first byte.
    pub start: u64,
    /// The beginning of the body: of a PUBLISH the topic name and packet identifier (once the version is known to
    /// be 5, the properties too), of other packets all of it; at most [`HEAD_LIMIT`] bytes.
    pub head: &'a [u8],
    /// What of the body lies behind the head in this input.
    pub rest: &'a [u8],
    /// Where the frame begins in this input; 0 also if it began in an earlier one.
    pub begin_in_input: usize,
    /// Just past the frame's last byte in this input: the input's length if the frame goes on.
    pub end_in_input: usize,
    /// Whether the frame's last byte is in this input; if not, a [`Piece::FrameEnd`] follows in a later one.
    pub ended: bool,
}

impl Frame<'_> {
    /// Whether the head is the whole body.
    pub fn is_whole(&self) -> bool {
        u32::try_from(self.head.len()) == Ok(self.remaining_length)
    }

    /// Bytes of the frame, header and body.
    pub fn len(&self) -> u64 {
        u64::from(self.header_len) + u64::from(self.remaining_length)
    }

    /// Never: a frame has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Stream offset just past the frame's last byte.
    pub fn end(&self) -> u64 {
        self.start + self.len()
    }
}

/// The content type of a TLS record that carries a handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// What else begins with this byte, of what is often sent to a port for MQTT.
fn guess(first_byte: u8) -> &'static str {
    match first_byte {
        TLS_HANDSHAKE => " (a TLS handshake begins so)",
        b'G' => " (an HTTP request begins so, as for MQTT over WebSocket)",
        _ => "",
    }
}

/// Why a stream is not MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMqtt {
    /// The device's first packet is not CONNECT [MQTT-3.1.0-1].
    #[error("the device's first byte is {first_byte:#04x}{}; a CONNECT begins with 0x10 [MQTT-3.1.0-1]", guess(*first_byte))]
    FirstNotConnect {
        /// What it is.
        first_byte: u8,
    },
    /// The device's first packet looks like a CONNECT, but has another protocol name.
    #[error("the first packet's protocol name is neither MQTT nor MQIsdp [MQTT-3.1.2-1]")]
    ProtocolName,
    /// The hub's first packet is neither CONNACK nor AUTH [MQTT-3.2.0-1].
    #[error(
        "the hub's first byte is {first_byte:#04x}; a CONNACK begins with 0x20, an AUTH with 0xf0 [MQTT-3.2.0-1]"
    )]
    FirstNotConnack {
        /// What it is.
        first_byte: u8,
    },
    /// The packet type is 0, or 15 before MQTT 5.
    #[error(
        "the packet type of first byte {first_byte:#04x} is reserved [section 2.2.1 in 3.1.1, 2.1.2 in 5.0]"
    )]
    ReservedType {
        /// What it is.
        first_byte: u8,
    },
    /// The remaining length goes on after four bytes.
    #[error("the remaining length is longer than four bytes [section 2.2.3 in 3.1.1, 2.1.4 in 5.0]")]
    Length,
}

impl Framer {
    /// For the bytes of one direction, from their first.
    pub fn new(direction: Direction) -> Framer {
        Framer { state: BETWEEN, offset: 0, start: 0, direction, version: None, greeted: false }
    }

    /// Tells the link's version. Upwards the framer learns it from the CONNECT by itself; downwards it must be
    /// told between inputs, once the CONNECT has passed.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// The link's version, as far as the framer knows.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Bytes taken since the stream began.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many of the last bytes taken belong to a frame that is not announced yet: what a relay that may want to
    /// drop or change that frame must hold back. At most 5 + [`HEAD_LIMIT`].
    pub fn unannounced(&self) -> u64 {
        match &self.state {
            State::Header { first_byte: None, .. } | State::Body { .. } | State::Opaque => 0,
            State::Header { .. } | State::Head { .. } => self.offset - self.start,
        }
    }

    /// How many bytes of the frame that was announced last are still to come.
    pub fn left(&self) -> u32 {
        match &self.state {
            State::Body { left, .. } => *left,
            State::Header { .. } | State::Head { .. } | State::Opaque => 0,
        }
    }

    /// How many of the bytes that come next belong to the frame under way; all of them where that is not told yet.
    pub fn still_under_way(&self, next: &[u8]) -> usize {
        let left = match &self.state {
            State::Header { first_byte: None, .. } => 0,
            State::Header { first_byte: Some(_), length } => return body_end(*length, next),
            State::Head { header, kept } => header.remaining() - kept.len(),
            State::Body { left, .. } => usize::try_from(*left).unwrap_or(usize::MAX),
            State::Opaque => next.len(),
        };
        left.min(next.len())
    }

    /// Whether the last byte taken ended a frame, so that a packet of ours could go between.
    pub fn is_between_frames(&self) -> bool {
        match &self.state {
            State::Header { first_byte, .. } => first_byte.is_none(),
            State::Head { .. } | State::Body { .. } | State::Opaque => false,
        }
    }

    /// Whether the stream has turned out not to be MQTT.
    pub fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Takes back the frame that was announced last, or the one that is not announced yet: the next input begins with its
    /// first byte. Only for a frame whose first byte was in the last input, and in place of the rest of that scan.
    pub fn put_back(&mut self) {
        self.offset = self.start;
        self.state = BETWEEN;
    }

    /// Takes the next bytes of the stream. Call [`Scan::next_piece`] until `None`: only then all of `input` is taken.
    pub fn scan<'a>(&'a mut self, input: &'a [u8]) -> Scan<'a> {
        Scan { framer: self, input, at: 0, began: 0, gathered: Vec::new() }
    }
}

/// Where the body ends in these bytes, whose length goes on in them.
fn body_end(mut length: VarInt, next: &[u8]) -> usize {
    for (begin, byte) in (1..).zip(next) {
        match length.push(*byte) {
            Step::More => {}
            Step::Done(body) => {
                let body = usize::try_from(body).unwrap_or(usize::MAX);
                return next.len().min(body.saturating_add(begin));
            }
            Step::TooLong => break,
        }
    }
    next.len()
}

/// The pieces of one input, one after another.
#[derive(Debug)]
#[must_use = "input is taken only as pieces are asked for, until None"]
pub struct Scan<'a> {
    framer: &'a mut Framer,
    input: &'a [u8],
    /// Bytes of the input taken so far.
    at: usize,
    /// Where the frame under way begins in the input.
    began: usize,
    /// The head that was gathered over inputs, while the piece borrows it.
    gathered: Vec<u8>,
}

/// A piece without its borrows.
enum Found {
    /// The head ends at `rest_at` of the input.
    Frame {
        header: Header,
        head: HeadIn,
        rest_at: usize,
        ended: bool,
    },
    End {
        kind: PacketKind,
    },
    NotMqtt(NotMqtt),
}

enum HeadIn {
    Input(Range<usize>),
    Gathered,
}

impl Scan<'_> {
    /// The next piece; `None` when all of the input is taken.
    pub fn next_piece(&mut self) -> Option<Piece<'_>> {
        self.gathered = Vec::new();
        let found = self.find()?;
        let (start, end_in_input) = (self.framer.start, self.at);
        Some(match found {
            Found::Frame { header, head, rest_at, ended } => Piece::Frame(Frame {
                kind: header.kind,
                first_byte: header.first_byte,
                header_len: header.header_len,
                remaining_length: header.remaining_length,
                start,
                head: match head {
                    HeadIn::Input(range) => &self.input[range],
                    HeadIn::Gathered => &self.gathered,
                },
                rest: &self.input[rest_at..end_in_input],
                begin_in_input: self.began,
                end_in_input,
                ended,
            }),
            Found::End { kind } => Piece::FrameEnd { kind, start, end_in_input },
            Found::NotMqtt(reason) => Piece::NotMqtt { offset: start, reason },
        })
    }

    fn find(&mut self) -> Option<Found> {
        loop {
            match &mut self.framer.state {
                State::Header { first_byte, .. } => {
                    if first_byte.is_none()
                        && let Some(header) = self.whole_header()
                    {
                        return self.head(header, Vec::new());
                    }
                    let byte = *self.input.get(self.at)?;
                    if let Err(reason) = self.header_byte(byte) {
                        return Some(self.give_up(reason));
                    }
                }
                State::Head { header, kept } => {
                    let (header, kept) = (*header, std::mem::take(kept));
                    return self.head(header, kept);
                }
                State::Body { kind, left } => {
                    let (kind, left) = (*kind, *left);
                    return self.skip(kind, left).then_some(Found::End { kind });
                }
                State::Opaque => {
                    self.take(self.input.len() - self.at);
                    return None;
                }
            }
        }
    }

    /// Takes `count` bytes of the input, of which there are as many.
    fn take(&mut self, count: usize) -> &[u8] {
        let from = self.at;
        self.at += count;
        self.framer.offset += to_u64(count);
        &self.input[from..self.at]
    }

    fn give_up(&mut self, reason: NotMqtt) -> Found {
        self.framer.state = State::Opaque;
        Found::NotMqtt(reason)
    }

    /// Takes a fixed header that lies in the input whole. Where it does not, or something is wrong with it, it is
    /// taken byte by byte.
    fn whole_header(&mut self) -> Option<Header> {
        let rest = self.input.get(self.at..)?;
        let first_byte = *rest.first()?;
        let kind = PacketKind::from_first_byte(first_byte)?;
        self.framer.check_first_byte(first_byte).ok()?;
        let (remaining_length, header_len) = plain::remaining_length(rest.get(1..)?)?;
        (self.framer.start, self.began) = (self.framer.offset, self.at);
        self.take(usize::from(1 + header_len));
        Some(Header { kind, first_byte, header_len: 1 + header_len, remaining_length })
    }

    fn header_byte(&mut self, byte: u8) -> Result<(), NotMqtt> {
        let (framer, at) = (&mut *self.framer, self.at);
        let State::Header { first_byte, length } = &mut framer.state else { return Ok(()) };
        match *first_byte {
            None => {
                (framer.start, self.began) = (framer.offset, at);
                *first_byte = Some(byte);
                framer.check_first_byte(byte)?;
            }
            Some(first) => match (length.push(byte), PacketKind::from_first_byte(first)) {
                (Step::More, _) => {}
                (Step::TooLong, _) => return Err(NotMqtt::Length),
                (Step::Done(_), None) => return Err(NotMqtt::ReservedType { first_byte: first }),
                (Step::Done(remaining_length), Some(kind)) => {
                    let header_len = 1 + length.seen;
                    let header = Header { kind, first_byte: first, header_len, remaining_length };
                    framer.state = State::Head { header, kept: Vec::new() };
                }
            },
        }
        self.take(1);
        Ok(())
    }

    /// Gathers the head, or borrows it; `None` if it goes on in the next input.
    fn head(&mut self, header: Header, mut kept: Vec<u8>) -> Option<Found> {
        let version = self.framer.version;
        if kept.is_empty() {
            let rest = &self.input[self.at..];
            let body = &rest[..rest.len().min(header.remaining())];
            let wanted = header.head_len(version, body);
            if wanted <= body.len() {
                let from = self.at;
                self.take(wanted);
                return Some(self.announce(header, HeadIn::Input(from..from + wanted)));
            }
        }
        loop {
            let missing = header.head_len(version, &kept).saturating_sub(kept.len());
            if missing == 0 {
                self.gathered = kept;
                return Some(self.announce(header, HeadIn::Gathered));
            }
            let here = missing.min(self.input.len() - self.at);
            if here == 0 {
                self.framer.state = State::Head { header, kept };
                return None;
            }
            kept.extend_from_slice(self.take(here));
        }
    }

    fn announce(&mut self, header: Header, head: HeadIn) -> Found {
        let bytes = match &head {
            HeadIn::Input(range) => &self.input[range.clone()],
            HeadIn::Gathered => &self.gathered,
        };
        if let Err(reason) = self.framer.check_head(bytes) {
            return self.give_up(reason);
        }
        let (left, rest_at) = (header.remaining() - bytes.len(), self.at);
        // What is left of the body is less than the remaining length, which is a u32.
        let ended = self.skip(header.kind, u32::try_from(left).unwrap_or(u32::MAX));
        Found::Frame { header, head, rest_at, ended }
    }

    /// Walks over the rest of a body; says whether its last byte is taken.
    fn skip(&mut self, kind: PacketKind, left: u32) -> bool {
        let here = (self.input.len() - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.take(here);
        let left = left - u32::try_from(here).unwrap_or(left);
        self.framer.state = if left == 0 { BETWEEN } else { State::Body { kind, left } };
        left == 0
    }
}

impl Framer {
    fn check_first_byte(&self, first_byte: u8) -> Result<(), NotMqtt> {
        let kind = PacketKind::from_first_byte(first_byte);
        let too_new = kind == Some(PacketKind::Auth) && self.version.is_some_and(|v| v < Version::V5);
        match self.direction {
            _ if self.greeted && (kind.is_none() || too_new) => Err(NotMqtt::ReservedType { first_byte }),
            _ if self.greeted => Ok(()),
            // As a CONNECT it would have reserved flags set [MQTT-2.2.2-2].
            Direction::Up if first_byte == TLS_HANDSHAKE => Err(NotMqtt::FirstNotConnect { first_byte }),
            Direction::Up if kind == Some(PacketKind::Connect) => Ok(()),
            Direction::Up => Err(NotMqtt::FirstNotConnect { first_byte }),
            Direction::Down if matches!(kind, Some(PacketKind::Connack | PacketKind::Auth)) => Ok(()),
            Direction::Down => Err(NotMqtt::FirstNotConnack { first_byte }),
        }
    }

    /// Checks the first packet's protocol name, and learns the version from it.
    fn check_head(&mut self, head: &[u8]) -> Result<(), NotMqtt> {
        if self.greeted {
            return Ok(());
        }
        self.greeted = true;
        match self.direction {
            Direction::Up => {
                let (known, level) = head::protocol(head);
                self.version = self.version.or(level.and_then(Version::from_level));
                if known { Ok(()) } else { Err(NotMqtt::ProtocolName) }
            }
            Direction::Down => Ok(()),
        }
    }
}
