//! TLS of brownout's own on a leg: the handshake in steps that a fault may stop at, and the bytes that TLS carries.
//!
//! ```text
//!   Waiting ──(the link says how)──▶ Shaking ──▶ Up ──▶ Over      toward the hub
//!   Hello ──▶ Asked ──(the link says how)──▶ Shaking ──▶ Up ──▶ Over      toward the device
//! ```
//!
//! What TLS has to send goes through one outlet, where it waits for the peer; a fault damages it there.

use super::outlet::Outlet;
use super::shaking::Shaking;
use super::traffic::{End, Traffic};
use super::wire::Wire;
use crate::fault::Ending;
use crate::net::tls::refused;
use crate::tls::Alert;
use crate::tls::hello::{ClientHello, HelloPeek, Seen};
use crate::tls::record::{Piece, Records};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, CommonState, HandshakeKind, ProtocolVersion, ServerConfig};
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Read from the wire at once while a handshake is under way, in bytes, in a buffer that a worker's legs share.
const READ_BUFFER: usize = 64 * 1024;

/// Sealed at once, in bytes, before the peer has taken the last: four full records.
const SEAL_AT_ONCE: usize = 64 * 1024;

/// The same where what is written is a record of its own.
const SEAL_ALONE: usize = 16 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// TLS on one leg.
#[derive(Debug)]
pub struct Secure {
    stage: Stage,
    outlet: Outlet,
    /// What of the server's first flight is still to be told.
    flight: Flight,
    /// How the stream ends, once what came before has been read. Until that has been passed on, nobody asks, and what is
    /// said to a peer that has sent a fatal alert, or been sent one, is sealed still (RFC 8446 section 6.2 would have it end
    /// at once): not to write in the meantime could keep a hub from reading that waits for its own bytes to go.
    end: Option<Got>,
}

/// Where the server's first flight stands.
#[derive(Debug)]
enum Flight {
    /// ServerHello is on its way; this waits until it is called for.
    Greeting(Vec<u8>),
    /// ServerHello was sent; this waits.
    Held(Vec<u8>),
    /// HelloRetryRequest is on its way: the flight follows another ClientHello.
    Retried,
    /// All of it is on its way.
    Whole,
    /// It was told.
    Told,
}

#[derive(Debug)]
enum Stage {
    /// A client that has not been told how yet.
    Waiting,
    /// A server that waits for ClientHello.
    Hello { peek: HelloPeek, bytes: Vec<u8> },
    /// A server that has not been told yet how to answer this.
    Asked { bytes: Vec<u8> },
    /// The handshake is under way.
    Shaking(Box<Shaking>),
    /// Bytes flow.
    Up(Box<Traffic>),
    /// No more.
    Over,
}

/// A step of the handshake.
#[derive(Debug)]
pub enum Step {
    /// The device's ClientHello: say how to answer.
    Hello(ClientHello),
    /// ServerHello was sent, and the rest of the flight waits.
    Greeted,
    /// The server's first flight was sent.
    Flight,
    /// It is done.
    Up(Terms),
    /// The peer gave up.
    Ended(Ending, Option<String>),
    /// It failed on this side.
    Failed(Failure),
}

/// Why TLS failed on this side.
#[derive(Clone, Debug)]
pub enum Failure {
    /// What came is not TLS.
    NotTls(String),
    /// rustls refused it; with the certificate that the peer had presented by then.
    Refused(rustls::Error, Option<CertificateDer<'static>>),
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Terms {
    /// `TLS 1.3`
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`
    pub cipher: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The protocol agreed on.
    pub alpn: Option<String>,
    /// The peer's own certificate.
    pub peer: Option<CertificateDer<'static>>,
}

/// What a read gave.
#[derive(Clone, Debug)]
pub enum Got {
    /// So many bytes.
    Bytes(usize),
    /// The peer's end, and the system's or TLS's word for it.
    Ended(Ending, Option<String>),
    /// TLS failed on this side.
    Failed(Failure),
}

impl Secure {
    /// A server that waits for a ClientHello.
    pub fn server() -> Secure {
        Secure::new(Stage::Hello { peek: HelloPeek::default(), bytes: Vec::new() })
    }

    /// A client that waits to be told how.
    pub fn client() -> Secure {
        Secure::new(Stage::Waiting)
    }

    fn new(stage: Stage) -> Secure {
        Secure { stage, outlet: Outlet::default(), flight: Flight::Told, end: None }
    }

    /// Whether bytes flow.
    pub fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up(_))
    }

    /// Whether the handshake is still to be done.
    pub fn is_shaking(&self) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Hello { .. } | Stage::Asked { .. } | Stage::Shaking(_) => true,
            Stage::Up(_) | Stage::Over => false,
        }
    }

    /// Whether something that was said waits to be sent.
    pub fn is_flushing(&self) -> bool {
        !self.outlet.is_empty()
    }

    /// How many bytes wait to be sent.
    pub fn waiting(&self) -> usize {
        self.outlet.waiting()
    }

    /// Answers the ClientHello; with ServerHello alone, where so asked, until [`Secure::go_on`].
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn answer(&mut self, config: Arc<ServerConfig>, greeting_alone: bool) -> Result<(), rustls::Error> {
        let Stage::Asked { bytes } = std::mem::replace(&mut self.stage, Stage::Over) else { return Ok(()) };
        let mut shaking = Shaking::server(config)?;
        let mut flight = Vec::new();
        let refused = shaking.feed(&bytes, &mut flight);
        let asks_again = shaking.state().handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest);
        self.flight = match refused {
            // An alert is no flight.
            Err(error) => {
                self.end = Some(end_of(error, shaking.state()));
                Flight::Told
            }
            Ok(()) if greeting_alone => Flight::Greeting(flight.split_off(first_record(&flight))),
            Ok(()) if asks_again => Flight::Retried,
            Ok(()) => Flight::Whole,
        };
        self.outlet.push(&flight);
        self.stage = Stage::Shaking(Box::new(shaking));
        Ok(())
    }

    /// Sends the rest of the server's first flight.
    pub fn go_on(&mut self) {
        if let Flight::Held(rest) | Flight::Greeting(rest) =
            std::mem::replace(&mut self.flight, Flight::Whole)
        {
            self.outlet.push(&rest);
        }
    }

    /// Begins the handshake with the hub.
    ///
    /// # Errors
    /// The configuration cannot be used with this name.
    pub fn begin(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<(), rustls::Error> {
        if matches!(self.stage, Stage::Waiting) {
            let mut shaking = Shaking::client(config, name)?;
            self.outlet.take(|says| shaking.feed(&[], says))?;
            self.stage = Stage::Shaking(Box::new(shaking));
        }
        Ok(())
    }

    /// Goes on with the handshake, as far as it goes by itself.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Step> {
        loop {
            if let Err(error) = self.flush(cx, wire) {
                return Poll::Ready(Step::Ended(Ending::Reset, word_of(&error)));
            }
            let step = match &self.stage {
                Stage::Waiting | Stage::Asked { .. } | Stage::Up(_) | Stage::Over => return Poll::Pending,
                Stage::Hello { .. } => ready!(self.poll_hello(cx, wire)),
                Stage::Shaking(_) => ready!(self.poll_shaking(cx, wire)),
            };
            if let Some(step) = step {
                return Poll::Ready(step);
            }
        }
    }

    /// Reads the ClientHello; `None` while more of it is to come.
    fn poll_hello(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Option<Step>> {
        let Stage::Hello { peek, bytes } = &mut self.stage else { return Poll::Pending };
        let seen = ready!(read(cx, wire, |came| {
            bytes.extend_from_slice(came);
            peek.push(came)
        }));
        Poll::Ready(match seen {
            Err(got) => {
                self.stage = Stage::Over;
                Some(step(got))
            }
            Ok(None) => None,
            Ok(Some(Seen::NotTls { reason, .. })) => Some(Step::Failed(Failure::NotTls(reason))),
            Ok(Some(Seen::Hello(hello))) => {
                let bytes = std::mem::take(bytes);
                self.stage = Stage::Asked { bytes };
                Some(Step::Hello(hello))
            }
        })
    }

    /// Takes the handshake on by what has come; `None` while more is to come of it.
    fn poll_shaking(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Option<Step>> {
        if self.is_flushing() {
            return Poll::Pending;
        }
        if let Some(step) = ready!(self.poll_flight()) {
            return Poll::Ready(Some(step));
        }
        if let Some(got) = self.end.take() {
            self.stage = Stage::Over;
            return Poll::Ready(Some(step(got)));
        }
        let Stage::Shaking(shaking) = &mut self.stage else { return Poll::Pending };
        if !shaking.state().is_handshaking() {
            let terms = terms(shaking.state());
            return Poll::Ready(Some(match self.come_up() {
                Ok(()) => Step::Up(terms),
                Err(error) => Step::Failed(Failure::Refused(error, None)),
            }));
        }
        let outlet = &mut self.outlet;
        let fed = ready!(read(cx, wire, |came| {
            let fed = outlet.take(|says| shaking.feed(came, says));
            fed.map_err(|error| end_of(error, shaking.state()))
        }));
        match fed {
            Err(got) => {
                self.stage = Stage::Over;
                return Poll::Ready(Some(step(got)));
            }
            Ok(result) => self.end = result.err(),
        }
        if matches!(self.flight, Flight::Retried) && self.is_flushing() && self.end.is_none() {
            self.flight = Flight::Whole;
        }
        Poll::Ready(None)
    }

    /// What is to be told of the server's flight, all of it so far having been sent; pending while the rest is held back.
    fn poll_flight(&mut self) -> Poll<Option<Step>> {
        match std::mem::replace(&mut self.flight, Flight::Told) {
            Flight::Greeting(rest) => {
                self.flight = Flight::Held(rest);
                Poll::Ready(Some(Step::Greeted))
            }
            Flight::Held(rest) => {
                self.flight = Flight::Held(rest);
                Poll::Pending
            }
            Flight::Retried => {
                self.flight = Flight::Retried;
                Poll::Ready(None)
            }
            Flight::Whole => Poll::Ready(Some(Step::Flight)),
            Flight::Told => Poll::Ready(None),
        }
    }

    /// The handshake is done.
    fn come_up(&mut self) -> Result<(), rustls::Error> {
        if let Stage::Shaking(shaking) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.stage = Stage::Up(Box::new(shaking.into_traffic()?));
        }
        Ok(())
    }

    /// Reads what there is of application data. The buffer holds what is read as well as what that comes to, so it has to
    /// be larger than what is read at once in a handshake and a record together: 128 KiB will do.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, wire: &mut Wire, buffer: &mut [u8]) -> Poll<Got> {
        loop {
            let Stage::Up(traffic) = &mut self.stage else { return Poll::Pending };
            if let Some(got) = &self.end {
                return Poll::Ready(got.clone());
            }
            let mut filled = traffic.waiting();
            if !traffic.is_fresh() {
                match ready!(wire.poll_read(cx, &mut buffer[filled..])) {
                    // FIN, and no close_notify before it.
                    Ok(0) => return Poll::Ready(Got::Ended(Ending::Unnotified, None)),
                    Ok(count) => filled += count,
                    Err(error) => return Poll::Ready(Got::Ended(Ending::Reset, word_of(&error))),
                }
            }
            let opened = if wire.is_shut() {
                // Behind FIN nothing is said: no answer, and no alert.
                traffic.open(buffer, filled, &mut Vec::new())
            } else {
                self.outlet.take(|says| traffic.open(buffer, filled, says))
            };
            if self.outlet.is_empty() && !wire.is_shut() {
                self.outlet.take(|says| traffic.answer(says));
            }
            self.end = opened.end.map(|end| match end {
                End::Closed => Got::Ended(Ending::Fin, None),
                End::Refused(error) => ended_by(error),
            });
            if opened.content > 0 {
                return Poll::Ready(Got::Bytes(opened.content));
            }
            if self.is_flushing() {
                // What was answered goes now, unless a closed gate keeps it: the link knows.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Takes bytes to be sent, if the peer has taken what came before.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        wire: &mut Wire,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.flush(cx, wire) {
            return Poll::Ready(Err(error));
        }
        let Stage::Up(traffic) = &mut self.stage else { return Poll::Pending };
        if !self.outlet.is_empty() {
            return Poll::Pending;
        }
        let most = if wire.is_alone() { SEAL_ALONE } else { SEAL_AT_ONCE };
        let count = bytes.len().min(most);
        if !self.outlet.take(|says| traffic.seal(&bytes[..count], says)) {
            return Poll::Ready(Err(io::Error::other("TLS cannot seal it")));
        }
        self.flush(cx, wire).map(|()| count).into()
    }

    /// Sends what waits, as far as the peer takes it.
    ///
    /// # Errors
    /// The system's.
    pub fn flush(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> io::Result<()> {
        self.outlet.flush(|bytes| match wire.poll_write(cx, bytes) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(0),
        })
    }

    /// As [`Secure::flush`], now, whoever polls.
    pub fn flush_now(&mut self, wire: &mut Wire) {
        // A peer that is gone is told by reading.
        let _ = self.outlet.flush(|bytes| wire.write_now(bytes));
    }

    /// Takes these bytes behind all that waits; sent when the outlet is flushed. False where it is not up.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        let Stage::Up(traffic) = &mut self.stage else { return false };
        self.outlet.take(|says| traffic.seal(bytes, says))
    }

    /// Says that nothing more comes (RFC 8446 section 6.1).
    pub fn close_notify(&mut self) {
        self.outlet.disarm();
        match &mut self.stage {
            Stage::Up(traffic) => self.outlet.take(|says| traffic.close_notify(says)),
            Stage::Shaking(shaking) => self.outlet.take(|says| shaking.close_notify(says)),
            Stage::Waiting | Stage::Hello { .. } | Stage::Asked { .. } | Stage::Over => {}
        }
    }

    /// Says that this went wrong; then the connection is over. False where the alert cannot be said.
    pub fn alert(&mut self, alert: Alert) -> bool {
        self.outlet.disarm();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            // Before the keys, alerts go in the clear.
            Stage::Hello { .. } | Stage::Asked { .. } => {
                self.outlet.push(&[21, 3, 3, 0, 2, alert.level(), alert.0]);
                true
            }
            Stage::Up(mut traffic) => self.outlet.take(|says| traffic.alert(alert, says)),
            Stage::Waiting | Stage::Shaking(_) | Stage::Over => false,
        }
    }

    /// The way out of what TLS sends.
    pub fn outlet(&mut self) -> &mut Outlet {
        &mut self.outlet
    }
}

/// Just past the first record: ServerHello, with what TLS 1.2 puts into the same record.
fn first_record(flight: &[u8]) -> usize {
    let mut records = Records::default();
    let mut scan = records.scan(flight);
    scan.next_piece().and_then(Piece::whole).map_or(flight.len(), |(_, end)| end)
}

/// Reads from the wire, for TLS; `Err` where nothing more comes.
fn read<T>(cx: &mut Context<'_>, wire: &mut Wire, take: impl FnOnce(&[u8]) -> T) -> Poll<Result<T, Got>> {
    let mut buffer = BUFFER.take();
    buffer.resize(READ_BUFFER, 0);
    let result = wire.poll_read(cx, &mut buffer).map(|result| match result {
        Ok(0) => Err(Got::Ended(Ending::Fin, None)),
        Ok(count) => Ok(take(&buffer[..count])),
        Err(error) => Err(Got::Ended(Ending::Reset, word_of(&error))),
    });
    BUFFER.set(buffer);
    result
}

/// The peer's alert is the peer's end; all else failed here.
fn end_of(error: rustls::Error, state: &CommonState) -> Got {
    match ended_by(error) {
        // A certificate that was refused is not the connection's yet.
        Got::Failed(Failure::Refused(error, None)) => {
            Got::Failed(Failure::Refused(error, own(state).or_else(refused)))
        }
        got => got,
    }
}

fn ended_by(error: rustls::Error) -> Got {
    match error {
        rustls::Error::AlertReceived(alert) => {
            Got::Ended(Ending::Alert, Some(Alert(u8::from(alert)).to_string()))
        }
        error => Got::Failed(Failure::Refused(error, None)),
    }
}

fn own(state: &CommonState) -> Option<CertificateDer<'static>> {
    state.peer_certificates()?.first().map(|certificate| certificate.clone().into_owned())
}

fn step(got: Got) -> Step {
    match got {
        // Not reached: no bytes are asked for in a handshake.
        Got::Bytes(_) => Step::Ended(Ending::Fin, None),
        Got::Ended(how, word) => Step::Ended(how, word),
        Got::Failed(failure) => Step::Failed(failure),
    }
}

fn terms(state: &CommonState) -> Terms {
    let version = match state.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let cipher = state
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str().map(str::to_owned))
        .unwrap_or_default();
    Terms {
        version,
        cipher,
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        alpn: state.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        peer: own(state),
    }
}

/// The system's word, where it is not RST from the wire.
fn word_of(error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => None,
        _ => Some(error.to_string()),
    }
}
