//! Floor 1: WebSocket (RFC 6455) as it stands on the wire, walked in place.
use crate::base::Direction;
use std::ops::Range;
/// s
#[derive(Debug)]
pub struct Walker {}
/// s
#[derive(Debug)]
pub struct Scan<'a>(&'a [u8]);
impl Scan<'_> {
    /// s
    pub fn next_piece(&mut self) -> Option<Piece> {
        None
    }
}
/// s
#[derive(Debug)]
pub struct Mask;
impl Mask {
    /// s
    pub fn unmask(&self, _b: &[u8], _into: &mut Vec<u8>) {}
}
/// s
#[derive(Debug)]
pub enum Piece {
    /// s
    Request {
        /// s
        path: String,
        /// s
        upgrade: bool,
        /// s
        protocols: Vec<String>,
    },
    /// s
    Response {
        /// s
        status: u16,
        /// s
        protocol: Option<String>,
        /// s
        extensions: Option<String>,
    },
    /// s
    Payload {
        /// s
        range: Range<usize>,
        /// s
        mask: Option<Mask>,
    },
    /// s
    Close {
        /// s
        code: Option<u16>,
    },
    /// s
    Ping,
    /// s
    Pong,
    /// s
    NotWebSocket {
        /// s
        offset: u64,
        /// s
        reason: String,
    },
}
impl Walker {
    /// s
    pub fn new(_d: Direction) -> Walker {
        Walker {}
    }
    /// s
    pub fn scan<'a>(&'a mut self, b: &'a [u8]) -> Scan<'a> {
        Scan(b)
    }
    /// s
    pub fn is_opaque(&self) -> bool {
        false
    }
}
/// s
pub fn looks_like_http(b: u8) -> bool {
    b == b'G'
}
