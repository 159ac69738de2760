//! A TCP connection as it is written down: who has said how much, and the segments that say so.

use super::segment::{ACK, FIN, LARGEST, PSH, RST, SYN, Segment};
use crate::base::{Direction, Ways};
use std::net::SocketAddr;

/// The window that is announced, before scaling.
const WINDOW: u16 = 0xFFFF;

/// What is sent without an answer is acknowledged after so many bytes: far from filling the window, which is 8 MiB.
const ACKNOWLEDGE_AFTER: u32 = 1024 * 1024;

/// The largest segment, NOP, windows count 2^7 bytes (RFC 9293 section 3.2, RFC 7323 section 2.2).
const SYN_OPTIONS: [u8; 8] = {
    let [high, low] = 65_495u16.to_be_bytes();
    [2, 4, high, low, 1, 3, 3, 7]
};

/// How an end ended what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// FIN.
    Fin,
    /// RST: nothing more, either way.
    Rst,
}

/// One connection. Up is what the client says: whoever opened it.
#[derive(Clone, Debug)]
pub struct Connection {
    client: SocketAddr,
    server: SocketAddr,
    ways: Ways<Way>,
    /// The window of the last remark, which differs from one to the next.
    window: u16,
    over: bool,
}

/// What one end has said.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The number of its SYN.
    first: u32,
    /// The number of its next byte.
    next: u32,
    /// What the other end has acknowledged.
    acknowledged: u32,
    /// It has said FIN.
    ended: bool,
}

impl Connection {
    /// A connection between these; `number` tells those apart that have the same addresses, one after another.
    pub fn new(client: SocketAddr, server: SocketAddr, number: u64) -> Connection {
        // Any start will do that is another for each; so chosen, they lie far apart.
        let [_, _, _, _, a, b, c, d] = number.wrapping_mul(0x9E37_79B9).to_be_bytes();
        let first = u32::from_be_bytes([a, b, c, d]);
        let way = |first: u32| Way {
            first,
            next: first.wrapping_add(1),
            acknowledged: first.wrapping_add(1),
            ended: false,
        };
        let ways = Ways { up: way(first), down: way(first.wrapping_add(0x5555_5555)) };
        Connection { client, server, ways, window: WINDOW, over: false }
    }

    /// Whether no more can be said: RST, or FIN from both ends.
    pub fn is_over(&self) -> bool {
        self.over || (self.ways.up.ended && self.ways.down.ended)
    }

    /// The handshake.
    pub fn open(&self, mut emit: impl FnMut(Vec<u8>)) {
        let Ways { up, down } = self.ways;
        let syn =
            Segment { seq: up.first, ack: 0, flags: SYN, options: &SYN_OPTIONS, ..self.bare(Direction::Up) };
        emit(syn.packet());
        let flags = SYN | ACK;
        let answer = Segment {
            seq: down.first,
            ack: up.next,
            flags,
            options: &SYN_OPTIONS,
            ..self.bare(Direction::Down)
        };
        emit(answer.packet());
        emit(self.bare(Direction::Up).packet());
    }

    /// These bytes were said; the first stands so far behind the beginning of what that end said.
    pub fn say(&mut self, direction: Direction, offset: u64, bytes: &[u8], mut emit: impl FnMut(Vec<u8>)) {
        if self.over {
            return;
        }
        let mut next = after(self.ways.get(direction).first.wrapping_add(1), offset);
        for payload in bytes.chunks(LARGEST) {
            let segment = Segment { seq: next, flags: PSH | ACK, payload, ..self.bare(direction) };
            emit(segment.packet());
            next = next.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        }
        self.ways.get_mut(direction).next = next;
        self.ways.get_mut(direction.to().sends()).acknowledged = self.ways.get(direction.to().sends()).next;
        if next.wrapping_sub(self.ways.get(direction).acknowledged) > ACKNOWLEDGE_AFTER {
            self.ways.get_mut(direction).acknowledged = next;
            emit(self.bare(direction.to().sends()).packet());
        }
    }

    /// An end says no more.
    pub fn end(&mut self, direction: Direction, offset: u64, how: End, mut emit: impl FnMut(Vec<u8>)) {
        if self.over || (how == End::Fin && self.ways.get(direction).ended) {
            return;
        }
        let way = self.ways.get_mut(direction);
        if !way.ended {
            way.next = after(way.first.wrapping_add(1), offset);
        }
        let flags = match how {
            End::Fin => FIN | ACK,
            End::Rst => RST | ACK,
        };
        emit(Segment { flags, ..self.bare(direction) }.packet());
        match how {
            End::Fin => {
                let way = self.ways.get_mut(direction);
                way.ended = true;
                way.next = way.next.wrapping_add(1);
            }
            End::Rst => self.over = true,
        }
    }

    /// A segment to hang a remark on: it announces another window than the last one, and says nothing else.
    pub fn remark(&mut self) -> Vec<u8> {
        self.window = if self.window == WINDOW { WINDOW - 1 } else { WINDOW };
        self.bare(Direction::Up).packet()
    }

    /// A segment without payload that acknowledges all that the other end said.
    fn bare(&self, direction: Direction) -> Segment<'static> {
        let (from, to) = match direction {
            Direction::Up => (self.client, self.server),
            Direction::Down => (self.server, self.client),
        };
        Segment {
            from,
            to,
            seq: self.ways.get(direction).next,
            ack: self.ways.get(direction.to().sends()).next,
            flags: ACK,
            window: if direction == Direction::Up { self.window } else { WINDOW },
            options: &[],
            payload: &[],
        }
    }
}

/// The number of the byte so far behind this one; they wrap.
fn after(first: u32, offset: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = offset.to_be_bytes();
    first.wrapping_add(u32::from_be_bytes([a, b, c, d]))
}
