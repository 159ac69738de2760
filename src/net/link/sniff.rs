//! What the first bytes of a link show it to be: MQTT, MQTT in WebSocket, or TLS that is passed through.

use super::Link;
use crate::base::{Direction, Time};
use crate::engine::Input;
use crate::mqtt::framer::Framer;
use crate::net::pump::{Inlet, WebSocket};
use crate::tls::data::DataWatch;
use crate::tls::hello::{HelloPeek, Seen};
use crate::tls::record::Records;
use crate::ws;

/// The content type of a TLS record that carries a handshake.
const HANDSHAKE: u8 = 22;

/// What the first bytes have shown.
#[derive(Debug, Default)]
pub(super) enum Sniff {
    /// Nothing came yet.
    #[default]
    Fresh,
    /// MQTT, or nothing that is known.
    Bytes,
    /// WebSocket, as it seems. The path that was asked for.
    WebSocket { path: String },
    /// TLS that is passed through.
    Tls(Box<PassedTls>),
}

/// TLS that is passed through.
#[derive(Debug, Default)]
pub(super) struct PassedTls {
    /// Reads the ClientHello, until that is done.
    peek: Option<HelloPeek>,
    /// Finds the first application data.
    data: DataWatch,
}

impl Sniff {
    /// Whether it is known what the device speaks, and, if that is TLS, whom it asks for.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Sniff::Fresh => false,
            Sniff::Bytes | Sniff::WebSocket { .. } => true,
            Sniff::Tls(passed) => passed.peek.is_none(),
        }
    }

    /// Just past the first application data of a direction, where that is in these bytes of passed-through TLS.
    pub(super) fn first_data(
        &mut self,
        direction: Direction,
        records: &mut Records,
        bytes: &[u8],
    ) -> Option<usize> {
        let Sniff::Tls(passed) = self else { return None };
        passed.data.scan(direction, records, bytes)
    }

    pub(super) fn is_websocket(&self) -> bool {
        matches!(self, Sniff::WebSocket { .. })
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Sniff::Tls(_))
    }
}

impl Link {
    /// Looks at the first bytes of a direction for what they are.
    pub(super) fn look_at_first(&mut self, now: Time, direction: Direction, bytes: &[u8]) {
        if let (Sniff::Fresh, Some(first)) = (&self.sniff, bytes.first()) {
            self.sniff = match (direction, *first) {
                (Direction::Up, HANDSHAKE) if !self.terms.mode.serves() && self.terms.hub.is_none() => {
                    self.pass_tls()
                }
                (Direction::Up, first) if ws::looks_like_http(first) => self.walk_frames(),
                (Direction::Up | Direction::Down, _) => Sniff::Bytes,
            };
        }
        if let (Sniff::Tls(passed), Direction::Up) = (&mut self.sniff, direction)
            && let Some(peek) = &mut passed.peek
            && let Some(seen) = peek.push(bytes)
        {
            passed.peek = None;
            self.passed_hello(now, seen);
        }
        if self.sniff.is_done() {
            self.start_dial();
        }
    }

    fn pass_tls(&mut self) -> Sniff {
        for direction in Direction::BOTH {
            self.pumps.get_mut(direction).inlet = Inlet::Records(Records::default());
            let leg = self.legs.get_mut(direction.to());
            if leg.is_open() {
                leg.follow_records();
                self.rearm(direction.to());
            }
        }
        Sniff::Tls(Box::new(PassedTls { peek: Some(HelloPeek::default()), data: DataWatch::default() }))
    }

    fn walk_frames(&mut self) -> Sniff {
        for direction in Direction::BOTH {
            let walker = ws::Walker::new(direction);
            let socket = WebSocket { walker, framer: Framer::new(direction) };
            self.pumps.get_mut(direction).inlet = Inlet::WebSocket(Box::new(socket));
        }
        Sniff::WebSocket { path: String::new() }
    }

    /// A WebSocket piece that carries no MQTT.
    pub(super) fn frame_seen(&mut self, direction: Direction, piece: ws::Piece) {
        let link = self.id;
        match piece {
            ws::Piece::Request { path, .. } => self.sniff = Sniff::WebSocket { path },
            ws::Piece::Response { status: 101, protocol, extensions } => {
                if let Some(walker) = self.other_walker(direction) {
                    walker.agree(extensions.as_deref());
                }
                let path = match &self.sniff {
                    Sniff::WebSocket { path } => path.clone(),
                    Sniff::Fresh | Sniff::Bytes | Sniff::Tls(_) => String::new(),
                };
                self.core.tell(Input::WsUpgraded { link, path, protocol });
            }
            ws::Piece::NotWebSocket { offset, reason } => {
                if let Some(walker) = self.other_walker(direction) {
                    walker.refuse();
                }
                self.core.tell(Input::NotMqtt { link, direction, offset, reason });
            }
            ws::Piece::Close { code } => {
                self.core.tell(Input::WsClosed { link, direction, code });
                self.ws_closed(direction.from());
            }
            ws::Piece::Response { .. } | ws::Piece::Ping | ws::Piece::Pong | ws::Piece::Payload { .. } => {}
        }
    }

    /// The walker of the opposite direction.
    fn other_walker(&mut self, direction: Direction) -> Option<&mut ws::Walker> {
        match &mut self.pumps.get_mut(direction.to().sends()).inlet {
            Inlet::WebSocket(socket) => Some(&mut socket.walker),
            Inlet::Mqtt(_) | Inlet::Records(_) => None,
        }
    }

    /// What the engine orders about the ClientHello holds for its bytes.
    fn passed_hello(&mut self, _now: Time, seen: Seen) {
        match seen {
            Seen::Hello(hello) => {
                let (sni, alpn) = (hello.sni.clone(), hello.alpn.clone());
                self.hello = Some(Box::new(hello));
                self.core.tell(Input::TlsHello { link: self.id, sni, alpn, passthrough: true });
                self.obey();
            }
            Seen::NotTls { offset, reason } => {
                let direction = Direction::Up;
                self.core.tell(Input::NotMqtt { link: self.id, direction, offset, reason });
            }
        }
    }
}
