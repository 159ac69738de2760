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

use super::frame::{Begun, Control, ControlKind, Extensions, Header};
use super::head::{self, Ending};
use super::mask::Mask;
use crate::base::Direction;
use crate::base::units::to_u64;
use std::ops::Range;

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

#[derive(Clone, Debug)]
enum State {
    /// In a head; `kept` is the beginning of one that is split over inputs.
    Head { kept: Vec<u8>, ending: Ending },
    /// In a frame's header, or before one.
    Header(Header),
    /// In the payload of a data frame; `left` bytes of it are to come, at least one; `mask` is for the next. Behind the `last`
    /// nothing is looked at any more.
    Payload { left: u64, mask: Option<Mask>, last: bool },
    /// In a control frame, whose payload may be over.
    Control(Control),
    /// The head told that no frames follow: that is the next piece.
    Refused(Refusal),
    /// Nothing is looked at any more.
    Opaque,
}

const BETWEEN: State = State::Header(Header::START);

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

    /// Looks at nothing any more, since the other direction showed that this is not WebSocket, or cannot be read: once a frame of
    /// data that has begun is through, whose header may have been taken off. No piece tells of it.
    pub fn refuse(&mut self) {
        match &mut self.state {
            State::Payload { last, .. } => *last = true,
            State::Head { .. } | State::Header(_) | State::Control(_) | State::Refused(_) | State::Opaque => {
                self.state = State::Opaque;
            }
        }
    }

    /// Whether nothing is looked at any more.
    pub fn is_opaque(&self) -> bool {
        matches!(self.state, State::Opaque)
    }

    /// Whether the last byte taken ended a head or a frame, so that frames come next.
    pub fn at_boundary(&self) -> bool {
        matches!(&self.state, State::Header(header) if header.have() == 0)
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
    /// Bytes of the input taken so far: just past the piece that came last.
    pub fn taken(&self) -> usize {
        self.at
    }

    /// The next piece; `None` when all of the input is taken.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let rest = self.input.len() - self.at;
            match &mut self.walker.state {
                State::Refused(refusal) => {
                    let refusal = *refusal;
                    return Some(self.give_up(0, refusal.to_string()));
                }
                State::Control(control) if control.is_whole() => {
                    let control = *control;
                    self.walker.state = BETWEEN;
                    return Some(match control.kind() {
                        ControlKind::Close => Piece::Close { code: control.code() },
                        ControlKind::Ping => Piece::Ping,
                        ControlKind::Pong => Piece::Pong,
                    });
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
                State::Payload { left, mask, last } => {
                    let (left, mask, last) = (*left, *mask, *last);
                    return Some(self.payload(left, mask, last));
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
        self.walker.offset += to_u64(count);
        from..self.at
    }

    /// Looks at nothing any more, from `back` bytes before the next on.
    fn give_up(&mut self, back: usize, reason: String) -> Piece {
        self.walker.state = State::Opaque;
        let back = to_u64(back);
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
        let have = header.have();
        let begun = match header.push(self.input[self.at], self.walker.extensions) {
            Ok(begun) => begun,
            Err(reason) => return Some(self.give_up(have, reason)),
        };
        self.take(1);
        self.walker.state = match begun {
            Begun::NotYet => State::Header(header),
            Begun::Data { length: 0, .. } => BETWEEN,
            Begun::Data { length, mask } => State::Payload { left: length, mask, last: false },
            Begun::Control(control) => State::Control(control),
        };
        None
    }

    /// Takes of a data frame's payload what is there, at least one byte.
    fn payload(&mut self, left: u64, mask: Option<Mask>, last: bool) -> Piece {
        let here = (self.input.len() - self.at).min(usize::try_from(left).unwrap_or(usize::MAX));
        let range = self.take(here);
        let left = left - u64::try_from(here).unwrap_or(left);
        let after = mask.map(|mask| mask.after(here));
        self.walker.state = match (left, last) {
            (0, false) => BETWEEN,
            (0, true) => State::Opaque,
            _ => State::Payload { left, mask: after, last },
        };
        Piece::Payload { range, mask }
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
