//! What a leg reads and writes, on its way into the capture: as it is inside TLS and WebSocket.

use super::Capture;
use super::queue::{LegId, Moment};
use crate::base::text::printable;
use crate::base::units::to_u64;
use crate::base::{Direction, Ways};
use crate::fault::Ending;
use crate::report::pcapng::{End, Where};
use crate::ws::{self, Piece, Walker};
use std::net::SocketAddr;

/// The content type of a TLS record that carries a handshake: how TLS that is passed through begins.
const HANDSHAKE: u8 = 22;

/// The tap of one leg. When it goes, the socket has gone.
#[derive(Debug)]
pub struct Tap {
    capture: Capture,
    leg: LegId,
    form: Form,
    said: Ways<u64>,
    ended: Ways<bool>,
    /// One of them said RST.
    over: bool,
}

/// What the bytes are.
#[derive(Debug)]
enum Form {
    /// None came yet.
    Fresh,
    /// MQTT, or nothing that is known: they are written as they are.
    Plain,
    /// Frames, of which the payload is written.
    WebSocket(Box<Ways<Walker>>),
    /// TLS that is passed through: nothing is written.
    Closed,
}

impl Tap {
    pub(super) fn new(capture: Capture, leg: LegId, client: SocketAddr, server: SocketAddr) -> Tap {
        capture.push(Moment::Opened { leg, client, server });
        let (said, ended) = (Ways::default(), Ways::default());
        Tap { capture, leg, form: Form::Fresh, said, ended, over: false }
    }

    /// The peer said this; `is_secure` if it came inside TLS of brownout's own.
    pub fn heard(&mut self, bytes: &[u8], is_secure: bool) {
        self.bytes(self.theirs(), bytes, is_secure);
    }

    /// The peer was told this.
    pub fn told(&mut self, bytes: &[u8], is_secure: bool) {
        self.bytes(self.ours(), bytes, is_secure);
    }

    /// The peer says no more.
    pub fn peer_ended(&mut self, how: Ending) {
        let (how, note) = match how {
            Ending::Fin | Ending::WsClose => (End::Fin, None),
            Ending::Unnotified => (End::Fin, Some("FIN without close_notify, where there was TLS")),
            Ending::Alert => (End::Fin, Some("a fatal TLS alert")),
            Ending::Reset => (End::Rst, None),
        };
        self.ends(self.theirs(), how, note.map(str::to_owned));
    }

    /// The peer has said FIN behind bytes that are not read yet.
    pub fn peer_hung_up(&mut self) {
        if !self.ended.get(self.theirs()) {
            self.note(
                "the peer has said FIN; what it said before is read when the fault lets it be".to_owned(),
            );
        }
    }

    /// FIN was said to the peer.
    pub fn shut(&mut self) {
        self.ends(self.ours(), End::Fin, None);
    }

    /// RST was said to the peer.
    pub fn reset(&mut self) {
        self.ends(self.ours(), End::Rst, None);
    }

    /// Up is what the end that opened the connection says: the device on its leg, brownout on the hub's.
    fn theirs(&self) -> Direction {
        self.leg.1.sends()
    }

    fn ours(&self) -> Direction {
        self.leg.1.other().sends()
    }

    fn bytes(&mut self, direction: Direction, bytes: &[u8], is_secure: bool) {
        if let (Form::Fresh, Some(first)) = (&self.form, bytes.first()) {
            self.form = self.form_of(direction, *first, is_secure);
        }
        match std::mem::replace(&mut self.form, Form::Closed) {
            Form::Closed => {}
            Form::WebSocket(mut walkers) => {
                self.unwrap_frames(&mut walkers, direction, bytes);
                self.form = Form::WebSocket(walkers);
            }
            form @ (Form::Fresh | Form::Plain) => {
                self.form = form;
                self.say(direction, bytes.to_vec());
            }
        }
    }

    fn form_of(&self, direction: Direction, first: u8, is_secure: bool) -> Form {
        match (direction, first) {
            (Direction::Up, HANDSHAKE) if !is_secure => {
                self.note("TLS that is passed through: its bytes are left out here".to_owned());
                Form::Closed
            }
            (Direction::Up, first) if ws::looks_like_http(first) => Form::WebSocket(Box::new(Ways {
                up: Walker::new(Direction::Up),
                down: Walker::new(Direction::Down),
            })),
            (Direction::Up | Direction::Down, _) => Form::Plain,
        }
    }

    /// Says what the frames carry.
    fn unwrap_frames(&mut self, walkers: &mut Ways<Walker>, direction: Direction, bytes: &[u8]) {
        let mut pieces = Vec::new();
        let mut scan = walkers.get_mut(direction).scan(bytes);
        while let Some(piece) = scan.next_piece() {
            pieces.push(piece);
        }
        let mut carried = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Payload { range, mask: None } => carried.extend(&bytes[range]),
                Piece::Payload { range, mask: Some(mask) } => mask.unmask(&bytes[range], &mut carried),
                Piece::Request { path, .. } => {
                    let path = printable(&path);
                    self.note(format!(
                        "WebSocket, {path}: of its frames what they carry is here, and no more"
                    ));
                }
                Piece::Response { status: 101, extensions, .. } => walkers.up.agree(extensions.as_deref()),
                Piece::NotWebSocket { reason, .. } => {
                    self.note(format!("what follows is not WebSocket, and left out: {}", printable(&reason)));
                    walkers.get_mut(direction.to().sends()).refuse();
                }
                Piece::Close { code } => {
                    let code = code.map_or("no status".to_owned(), |code| code.to_string());
                    self.note(format!("WebSocket close {}, {code}", direction.word()));
                }
                Piece::Response { .. } | Piece::Ping | Piece::Pong => {}
            }
        }
        if !carried.is_empty() {
            self.say(direction, carried);
        }
    }

    fn say(&mut self, direction: Direction, bytes: Vec<u8>) {
        let offset = *self.said.get(direction);
        *self.said.get_mut(direction) += to_u64(bytes.len());
        self.capture.push(Moment::Said { leg: self.leg, direction, offset, bytes });
    }

    fn ends(&mut self, direction: Direction, how: End, note: Option<String>) {
        if self.over || (how == End::Fin && *self.ended.get(direction)) {
            return;
        }
        *self.ended.get_mut(direction) = true;
        self.over = how == End::Rst;
        let offset = *self.said.get(direction);
        self.capture.push(Moment::Ended { leg: self.leg, direction, offset, how, note });
    }

    fn note(&self, text: String) {
        let (link, side) = self.leg;
        self.capture.push(Moment::Remark { place: Where::Leg(link, side), text });
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shut();
        self.capture.push(Moment::Gone { leg: self.leg });
    }
}
