//! What one direction of a WebSocket connection holds, found while the bytes pass.
//!
//! ```text
//! Head ───────────────────────────► Header ──────► Payload ──► Header
//!   │  request or response,           │  ▲             data
//!   │  the upgrade is asked for       │  └────────── Control
//!   │  or granted                     │                close, ping, pong
//!   └──────────► Refused ─────────────┴──► Opaque, for good
//! ```
//!
//! A head is borrowed from the input where it lies there whole; only one that is split over inputs is gathered, and
//! freed when it is read. Every split of a stream into inputs gives the same pieces, but that payload comes in as many
//! ranges as inputs.

#[cfg(test)]
mod tests;

use super::head::{self, Ending};
use super::mask::Mask;
use crate::base::Direction;
use std::ops::Range;

/// Opcodes (RFC 6455 section 5.2).
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The most payload of a control frame (RFC 6455 section 5.5).
const CONTROL_LIMIT: u8 = 125;

/// Walks one direction. At most 64 bytes, and a heap buffer only while a head is split: of at most twice
/// [`HEAD_LIMIT`](super::HEAD_LIMIT), which is as much as a head may have.
#[derive(Clone, Debug)]
pub struct Walker {
    state: State,
    /// Bytes taken since the stream began.
    offset: u64,
    direction: Direction,
    extensions: Extensions,
}

/// What was agreed that may change frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extensions {
    None,
    /// RFC 7692.
    Deflate,
    Other,
}

impl Extensions {
    fn of(agreed: Option<&str>) -> Extensions {
        match agreed {
            None => Extensions::None,
            Some(text) if text.to_ascii_lowercase().contains("permessage-deflate") => Extensions::Deflate,
            Some(_) => Extensions::Other,
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    /// In a head; `kept` is the beginning of one that is split over inputs.
    Head { kept: Vec<u8>, ending: Ending },
    /// In a frame's header, or before one.
    Header(Header),
    /// In the payload of a data frame; `left` bytes of it are to come, at least one; `mask` is for the next.
    Payload { left: u64, mask: Option<Mask> },
    /// In a control frame, whose payload may be over.
    Control(Control),
    /// The head told that no frames follow: that is the next piece.
    Refused(Refusal),
    /// Nothing is looked at any more.
    Opaque,
}

const BETWEEN: State = State::Header(Header { bytes: [0; 14], have: 0 });

/// A frame's header, as far as it came.
#[derive(Clone, Copy, Debug)]
struct Header {
    bytes: [u8; 14],
    have: u8,
}

#[derive(Clone, Copy, Debug)]
struct Control {
    opcode: u8,
    length: u8,
    /// Bytes of payload taken.
    taken: u8,
    mask: Option<Mask>,
    /// The first two bytes of the payload, as they came.
    code: [u8; 2],
}

#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// The request does not ask for it.
    NotAsked,
    /// The response has another status than 101, or changes to another protocol.
    Status(u16),
}

/// What the walker finds in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The device's request, whole. Where it does not ask for an upgrade, [`Piece::NotWebSocket`] follows.
    Request {
        /// The path, without host; of the query's parts, the names alone.
        path: String,
        /// Whether it asks to change to WebSocket.
        upgrade: bool,
        /// The subprotocols offered, best first, at most 32.
        protocols: Vec<String>,
    },
    /// The head of the hub's response, whole; those of status 1xx but 101 are walked over. Where it does not agree to
    /// change to WebSocket, [`Piece::NotWebSocket`] follows. Both times, tell the walker of the other direction:
    /// [`Walker::agree`], [`Walker::refuse`].
    Response {
        /// Its status, 100 to 999.
        status: u16,
        /// The subprotocol that the hub chose.
        protocol: Option<String>,
        /// The extensions agreed on, as the header has them.
        extensions: Option<String>,
    },
    /// Payload of a data frame: binary, text or a continuation.
    Payload {
        /// Where it is in this input; never empty.
        range: Range<usize>,
        /// The mask for the first byte of the range; `None` where the frame is not masked.
        mask: Option<Mask>,
    },
    /// A close frame, whole.
    Close {
        /// Its status code (RFC 6455 section 7.4), if it has one.
        code: Option<u16>,
    },
    /// A ping frame, whole.
    Ping,
    /// A pong frame, whole.
    Pong,
    /// From here on this is not WebSocket, or cannot be read. Comes once; the walker then lets everything pass unseen.
    NotWebSocket {
        /// Stream offset of the first byte that is not looked at: of a head or a frame, its first byte.
        offset: u64,
        /// Why not.
        reason: String,
    },
}

impl Walker {
    /// For the bytes of one direction, from their first.
    pub fn new(direction: Direction) -> Walker {
        let state = State::Head { kept: Vec::new(), ending: Ending::default() };
        Walker { state, offset: 0, direction, extensions: Extensions::None }
    }

    /// Takes the next bytes of the stream. Call [`Scan::next_piece`] until `None`: only then all of `input` is taken.
    pub fn scan<'a>(&'a mut self, input: &'a [u8]) -> Scan<'a> {
        Scan { walker: self, input, at: 0 }
    }

    /// For the walker of the direction up, when the hub's answer passes: the extensions that the hub agreed to. Without
    /// it, a compressed frame is told as one with reserved bits.
    pub fn agree(&mut self, extensions: Option<&str>) {
        self.extensions = Extensions::of(extensions);
    }

    /// Looks at nothing any more, since the other direction showed that this is not WebSocket. Gives the piece to tell;
    /// `None` if that was told already.
    pub fn refuse(&mut self, reason: impl Into<String>) -> Option<Piece> {
        if self.is_opaque() {
            return None;
        }
        self.state = State::Opaque;
        Some(Piece::NotWebSocket { offset: self.offset, reason: reason.into() })
    }

    /// Whether nothing is looked at any more.
    pub fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Whether the last byte taken ended a head or a frame, so that frames come next.
    pub fn at_boundary(&self) -> bool {
        matches!(self.state, State::Header(Header { have: 0, .. }))
    }

    /// Bytes taken since the stream began.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// The pieces of one input, one after another.
#[derive(Debug)]
#[must_use = "input is taken only as pieces are asked for, until None"]
pub struct Scan<'a> {
    walker: &'a mut Walker,
    input: &'a [u8],
    /// Bytes of the input taken so far.
    at: usize,
}

impl Scan<'_> {
    /// The next piece; `None` when all of the input is taken.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let rest = self.input.len() - self.at;
            match &mut self.walker.state {
                State::Refused(refusal) => {
                    let refusal = *refusal;
                    return Some(self.give_up(0, refusal.to_string()));
                }
                State::Control(control) if control.taken == control.length => {
                    let piece = control.piece();
                    self.walker.state = BETWEEN;
                    return Some(piece);
                }
                State::Opaque => {
                    self.take(rest);
                    return None;
                }
                State::Head { .. } | State::Header(_) | State::Payload { .. } | State::Control(_)
                    if rest == 0 =>
                {
                    return None;
                }
                State::Head { kept, ending } => {
                    let (kept, ending) = (std::mem::take(kept), std::mem::take(ending));
                    if let Some(piece) = self.head(kept, ending) {
                        return Some(piece);
                    }
                }
                State::Header(header) => {
                    let header = *header;
                    if let Some(piece) = self.header_byte(header) {
                        return Some(piece);
                    }
                }
                State::Payload { left, mask } => {
                    let (left, mask) = (*left, *mask);
                    return Some(self.payload(left, mask));
                }
                State::Control(control) => {
                    control.push(self.input[self.at]);
                    self.take(1);
                }
            }
        }
    }

    /// Takes `count` bytes of the input, of which there are as many.
    fn take(&mut self, count: usize) -> Range<usize> {
        let from = self.at;
        self.at += count;
        self.walker.offset += u64::try_from(count).unwrap_or(u64::MAX);
        from..self.at
    }

    /// Looks at nothing any more, from `back` bytes before the next on.
    fn give_up(&mut self, back: usize, reason: String) -> Piece {
        self.walker.state = State::Opaque;
        let back = u64::try_from(back).unwrap_or(u64::MAX);
        Piece::NotWebSocket { offset: self.walker.offset.saturating_sub(back), reason }
    }

    /// Takes of a head what is there.
    fn head(&mut self, mut kept: Vec<u8>, mut ending: Ending) -> Option<Piece> {
        let rest = &self.input[self.at..];
        let end = match ending.find(self.walker.direction, rest) {
            Ok(end) => end,
            Err(reason) => return Some(self.give_up(kept.len(), reason.to_string())),
        };
        let Some(end) = end else {
            kept.extend_from_slice(rest);
            self.take(rest.len());
            self.walker.state = State::Head { kept, ending };
            return None;
        };
        let head = if kept.is_empty() {
            &rest[..end]
        } else {
            kept.extend_from_slice(&rest[..end]);
            kept.as_slice()
        };
        self.take(end);
        let read = match self.walker.direction {
            Direction::Up => head::request(head).map(|request| self.request(request)),
            Direction::Down => head::response(head).map(|response| self.response(response)),
        };
        read.unwrap_or_else(|reason| Some(self.give_up(head.len(), reason.to_string())))
    }

    fn request(&mut self, request: head::Request) -> Option<Piece> {
        let head::Request { path, upgrade, protocols } = request;
        self.walker.state = if upgrade { BETWEEN } else { State::Refused(Refusal::NotAsked) };
        Some(Piece::Request { path, upgrade, protocols })
    }

    fn response(&mut self, response: head::Response) -> Option<Piece> {
        let head::Response { status, upgrade, protocol, extensions } = response;
        if (100..200).contains(&status) && status != 101 {
            self.walker.state = State::Head { kept: Vec::new(), ending: Ending::default() };
            return None;
        }
        let agreed = status == 101 && upgrade;
        self.walker.state = if agreed { BETWEEN } else { State::Refused(Refusal::Status(status)) };
        self.walker.extensions = Extensions::of(extensions.as_deref());
        Some(Piece::Response { status, protocol, extensions })
    }

    fn header_byte(&mut self, mut header: Header) -> Option<Piece> {
        let have = usize::from(header.have);
        if let Some(place) = header.bytes.get_mut(have) {
            *place = self.input[self.at];
        }
        header.have += 1;
        if let Err(reason) = header.check(self.walker.extensions) {
            return Some(self.give_up(have, reason));
        }
        self.take(1);
        self.walker.state = header.next();
        None
    }

    /// Takes of a data frame's payload what is there, at least one byte.
    fn payload(&mut self, left: u64, mask: Option<Mask>) -> Piece {
        let here = (self.input.len() - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
        let range = self.take(here);
        let left = left - u64::try_from(here).unwrap_or(left);
        let after = mask.map(|mask| mask.after(here));
        self.walker.state = if left == 0 { BETWEEN } else { State::Payload { left, mask: after } };
        Piece::Payload { range, mask }
    }
}

impl Header {
    fn opcode(&self) -> u8 {
        self.bytes[0] & 0x0f
    }

    fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }

    fn is_masked(&self) -> bool {
        self.bytes[1] & 0x80 != 0
    }

    fn short_length(&self) -> u8 {
        self.bytes[1] & 0x7f
    }

    /// Bytes of the field that holds the length of longer payloads.
    fn length_field(&self) -> usize {
        match self.short_length() {
            127 => 8,
            126 => 2,
            _ => 0,
        }
    }

    /// Whether the byte taken last is one that can stand there.
    fn check(&self, extensions: Extensions) -> Result<(), String> {
        let (first, opcode) = (self.bytes[0], self.opcode());
        match self.have {
            1 if first & 0x40 != 0 && extensions == Extensions::Deflate => Err(
                "WebSocket compression (permessage-deflate) was agreed: the MQTT packets inside are not seen"
                    .to_owned(),
            ),
            1 if first & 0x70 != 0 => Err(match extensions {
                Extensions::None => format!(
                    "a WebSocket frame of first byte {first:#04x}: reserved bits are set, and no extension was agreed (RFC 6455 section 5.2)"
                ),
                Extensions::Deflate | Extensions::Other => format!(
                    "a WebSocket frame of first byte {first:#04x}: reserved bits are set by an extension that was agreed; what is inside is not seen"
                ),
            }),
            1 if !matches!(opcode, 0..=BINARY | CLOSE..=PONG) => {
                Err(format!("WebSocket opcode {opcode} is reserved (RFC 6455 section 5.2)"))
            }
            1 if self.is_control() && first & 0x80 == 0 => Err(format!(
                "a WebSocket control frame (opcode {opcode}) is fragmented (RFC 6455 section 5.5)"
            )),
            2 if self.is_control() && self.short_length() > CONTROL_LIMIT => Err(format!(
                "a WebSocket control frame (opcode {opcode}) is longer than {CONTROL_LIMIT} bytes (RFC 6455 section 5.5)"
            )),
            3 if self.length_field() == 8 && self.bytes[2] & 0x80 != 0 => {
                Err("a WebSocket frame is longer than 2^63 - 1 bytes (RFC 6455 section 5.2)".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The state after its last byte so far.
    fn next(self) -> State {
        let length_end = 2 + self.length_field();
        let end = length_end + if self.is_masked() { 4 } else { 0 };
        if self.have < 2 || usize::from(self.have) < end {
            return State::Header(self);
        }
        let field = &self.bytes[2..length_end];
        let long = field.iter().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
        let key = self.bytes[length_end..].first_chunk::<4>().filter(|_| self.is_masked());
        let mask = key.map(|key| Mask::new(*key));
        let left = if field.is_empty() { u64::from(self.short_length()) } else { long };
        if self.is_control() {
            let (opcode, length) = (self.opcode(), self.short_length());
            return State::Control(Control { opcode, length, taken: 0, mask, code: [0; 2] });
        }
        if left == 0 { BETWEEN } else { State::Payload { left, mask } }
    }
}

impl Control {
    /// Takes a byte of the payload.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.code.get_mut(usize::from(self.taken)) {
            *place = byte;
        }
        self.taken += 1;
    }

    /// What it is, once its payload is there.
    fn piece(&self) -> Piece {
        match self.opcode {
            PING => Piece::Ping,
            PONG => Piece::Pong,
            _ => {
                let code = self.mask.map_or(self.code, |mask| mask.unmask_two(self.code));
                Piece::Close { code: (self.length >= 2).then(|| u16::from_be_bytes(code)) }
            }
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::NotAsked => f.write_str("plain HTTP: the request does not ask to change to WebSocket"),
            Refusal::Status(101) => {
                f.write_str("plain HTTP: the hub changes to a protocol other than WebSocket")
            }
            Refusal::Status(status) => {
                write!(f, "plain HTTP: the hub answers with status {status} in place of 101")
            }
        }
    }
}
