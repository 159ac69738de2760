//! TLS of brownout's own on a leg: the handshake in steps that a fault may stop at, and the bytes that TLS carries.
//!
//! ```text
//!   Waiting ──(the link says how)──▶ Shaking ──▶ Up ──▶ Over      toward the hub
//!   Hello ──▶ Asked ──(the link says how)──▶ Shaking ──▶ Up ──▶ Over      toward the device
//! ```
//!
//! What TLS has to send goes through one outlet, where it waits for the peer; a fault damages it there.

use super::outlet::Outlet;
use super::wire::Wire;
use crate::fault::Ending;
use crate::net::tls::{refused, seal};
use crate::tls::Alert;
use crate::tls::hello::{ClientHello, HelloPeek, Seen};
use crate::tls::record::{Piece, Records};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, HandshakeKind, ProtocolVersion};
use rustls::{ServerConfig, ServerConnection};
use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Read from the wire at once, in bytes, in a buffer that a worker's legs share: four full records.
const READ_BUFFER: usize = 64 * 1024;

/// Encrypted at once, in bytes, before the peer has taken the last: one full record.
const SEAL_AT_ONCE: usize = 16 * 1024;

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
    /// Application data that came with the last of the handshake, at most what is read at once.
    early: Vec<u8>,
    /// How the stream ends, once what came before has been read.
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
    Shaking(Box<Connection>),
    /// Bytes flow.
    Up(Box<Connection>),
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
#[derive(Debug)]
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
#[derive(Debug)]
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
        Secure { stage, outlet: Outlet::default(), flight: Flight::Told, early: Vec::new(), end: None }
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

    /// Answers the ClientHello; with ServerHello alone, where so asked, until [`Secure::go_on`].
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn answer(&mut self, config: Arc<ServerConfig>, greeting_alone: bool) -> Result<(), rustls::Error> {
        let Stage::Asked { bytes } = std::mem::replace(&mut self.stage, Stage::Over) else { return Ok(()) };
        let mut connection = Connection::Server(ServerConnection::new(config)?);
        let refused = feed(&mut connection, &bytes, &mut self.early);
        let mut flight = Vec::new();
        while connection.wants_write() && connection.write_tls(&mut flight).is_ok() {}
        let asks_again = connection.handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest);
        self.flight = match refused {
            // An alert is no flight.
            Err(error) => {
                self.end = Some(Got::Failed(refusal(error, &connection)));
                Flight::Told
            }
            Ok(()) if greeting_alone => Flight::Greeting(flight.split_off(first_record(&flight))),
            Ok(()) if asks_again => Flight::Retried,
            Ok(()) => Flight::Whole,
        };
        self.outlet.push(&flight);
        self.stage = Stage::Shaking(Box::new(connection));
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
            let mut connection = Connection::Client(ClientConnection::new(config, name)?);
            self.drain(&mut connection);
            self.stage = Stage::Shaking(Box::new(connection));
        }
        Ok(())
    }

    /// Goes on with the handshake, as far as it goes by itself.
    pub fn poll_handshake(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Step> {
        loop {
            if let Err(error) = self.flush(cx, wire) {
                return Poll::Ready(Step::Ended(Ending::Reset, word_of(&error)));
            }
            let flushing = self.is_flushing();
            match &mut self.stage {
                Stage::Waiting | Stage::Asked { .. } | Stage::Up(_) | Stage::Over => return Poll::Pending,
                Stage::Hello { peek, bytes } => {
                    let Poll::Ready(result) = read(cx, wire, |came| {
                        bytes.extend_from_slice(came);
                        peek.push(came)
                    }) else {
                        return Poll::Pending;
                    };
                    match result {
                        Err(got) => {
                            self.stage = Stage::Over;
                            return Poll::Ready(step(got));
                        }
                        Ok(None) => {}
                        Ok(Some(Seen::NotTls { reason, .. })) => {
                            return Poll::Ready(Step::Failed(Failure::NotTls(reason)));
                        }
                        Ok(Some(Seen::Hello(hello))) => {
                            let bytes = std::mem::take(bytes);
                            self.stage = Stage::Asked { bytes };
                            return Poll::Ready(Step::Hello(hello));
                        }
                    }
                }
                Stage::Shaking(connection) => {
                    if flushing {
                        return Poll::Pending;
                    }
                    match std::mem::replace(&mut self.flight, Flight::Told) {
                        Flight::Greeting(rest) => {
                            self.flight = Flight::Held(rest);
                            return Poll::Ready(Step::Greeted);
                        }
                        Flight::Held(rest) => {
                            self.flight = Flight::Held(rest);
                            return Poll::Pending;
                        }
                        Flight::Retried => self.flight = Flight::Retried,
                        Flight::Whole => return Poll::Ready(Step::Flight),
                        Flight::Told => {}
                    }
                    if let Some(got) = self.end.take() {
                        self.stage = Stage::Over;
                        return Poll::Ready(step(got));
                    }
                    if !connection.is_handshaking() {
                        let terms = terms(connection);
                        if let Stage::Shaking(connection) = std::mem::replace(&mut self.stage, Stage::Over) {
                            self.stage = Stage::Up(connection);
                        }
                        return Poll::Ready(Step::Up(terms));
                    }
                    let early = &mut self.early;
                    let fed = read(cx, wire, |came| {
                        feed(connection, came, early).map_err(|error| end_of(error, connection))
                    });
                    match fed {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(got)) => {
                            self.stage = Stage::Over;
                            return Poll::Ready(step(got));
                        }
                        Poll::Ready(Ok(result)) => {
                            collect(connection, &mut self.outlet);
                            self.end = result.err();
                            if matches!(self.flight, Flight::Retried)
                                && self.is_flushing()
                                && self.end.is_none()
                            {
                                self.flight = Flight::Whole;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Reads what there is of application data.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, wire: &mut Wire, buffer: &mut [u8]) -> Poll<Got> {
        loop {
            let Stage::Up(connection) = &mut self.stage else { return Poll::Pending };
            if !self.early.is_empty() {
                let count = self.early.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.early[..count]);
                self.early.drain(..count);
                self.early.shrink_to_fit();
                return Poll::Ready(Got::Bytes(count));
            }
            match connection.reader().read(buffer) {
                Ok(count) if count > 0 => return Poll::Ready(Got::Bytes(count)),
                // close_notify: in order.
                Ok(_) => return Poll::Ready(Got::Ended(Ending::Fin, None)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(Got::Ended(Ending::Unnotified, None)),
            }
            if let Some(got) = self.end.take() {
                return Poll::Ready(got);
            }
            let mut had = 0;
            let fed = read(cx, wire, |mut came| {
                while !came.is_empty() {
                    if let Err(error) = feed_once(connection, &mut came) {
                        return Err(end_of(error, connection));
                    }
                    had += take(connection, &mut buffer[had..]);
                    if had == buffer.len() {
                        // Never with a buffer as large as what is read at once; kept whole all the same.
                        let early = &mut self.early;
                        return feed(connection, came, early).map_err(|error| end_of(error, connection));
                    }
                }
                Ok(())
            });
            match fed {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(Got::Ended(Ending::Fin, word))) => {
                    // FIN: whether close_notify came before has just been asked.
                    return Poll::Ready(Got::Ended(Ending::Unnotified, word));
                }
                Poll::Ready(Err(got)) => return Poll::Ready(got),
                Poll::Ready(Ok(result)) => {
                    collect(connection, &mut self.outlet);
                    self.end = result.err();
                }
            }
            if had > 0 {
                return Poll::Ready(Got::Bytes(had));
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
        let Stage::Up(connection) = &mut self.stage else { return Poll::Pending };
        if !self.outlet.is_empty() {
            return Poll::Pending;
        }
        let count = connection.writer().write(&bytes[..bytes.len().min(SEAL_AT_ONCE)])?;
        collect(connection, &mut self.outlet);
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
        let Stage::Up(connection) = &mut self.stage else { return false };
        let said = connection.writer().write(bytes).is_ok_and(|taken| taken == bytes.len());
        collect(connection, &mut self.outlet);
        said
    }

    /// Says that nothing more comes (RFC 8446 section 6.1).
    pub fn close_notify(&mut self) {
        self.outlet.disarm();
        if let Stage::Up(connection) | Stage::Shaking(connection) = &mut self.stage {
            connection.send_close_notify();
            collect(connection, &mut self.outlet);
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
            Stage::Up(connection) => match seal::alert(*connection, alert) {
                Ok(record) => {
                    self.outlet.push(&record);
                    true
                }
                Err(error) => {
                    tracing::warn!("the alert {alert} cannot be sealed: {error}");
                    false
                }
            },
            Stage::Waiting | Stage::Shaking(_) | Stage::Over => false,
        }
    }

    /// The way out of what TLS sends.
    pub fn outlet(&mut self) -> &mut Outlet {
        &mut self.outlet
    }

    fn drain(&mut self, connection: &mut Connection) {
        collect(connection, &mut self.outlet);
    }
}

/// Just past the first record: ServerHello, with what TLS 1.2 puts into the same record.
fn first_record(flight: &[u8]) -> usize {
    let mut records = Records::default();
    let mut scan = records.scan(flight);
    scan.next_piece().and_then(Piece::whole).map_or(flight.len(), |(_, end)| end)
}

/// Takes what TLS has to send.
fn collect(connection: &mut Connection, outlet: &mut Outlet) {
    while connection.wants_write() {
        // A Vec takes everything.
        if outlet.take(|into| connection.write_tls(into)).is_err() {
            return;
        }
    }
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

/// Gives TLS all of these bytes; what it opens goes to `early`, since it takes no more than it has room for.
fn feed(connection: &mut Connection, mut bytes: &[u8], early: &mut Vec<u8>) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        feed_once(connection, &mut bytes)?;
        // An error says that there is no more for now; what there was is in `early`.
        let _ = connection.reader().read_to_end(early);
    }
    Ok(())
}

fn feed_once(connection: &mut Connection, bytes: &mut &[u8]) -> Result<(), rustls::Error> {
    match connection.read_tls(bytes) {
        // close_notify came: what follows it is to be ignored (RFC 8446 section 6.1).
        Ok(0) => *bytes = &[],
        Ok(_) => {}
        Err(error) => return Err(rustls::Error::General(error.to_string())),
    }
    connection.process_new_packets().map(|_| ())
}

/// Moves what TLS has opened into the buffer.
fn take(connection: &mut Connection, buffer: &mut [u8]) -> usize {
    let mut had = 0;
    while had < buffer.len() {
        match connection.reader().read(&mut buffer[had..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => had += count,
        }
    }
    had
}

/// The peer's alert is the peer's end; all else failed here.
fn end_of(error: rustls::Error, connection: &Connection) -> Got {
    match error {
        rustls::Error::AlertReceived(alert) => {
            Got::Ended(Ending::Alert, Some(Alert(u8::from(alert)).to_string()))
        }
        error => Got::Failed(refusal(error, connection)),
    }
}

fn refusal(error: rustls::Error, connection: &Connection) -> Failure {
    // A certificate that was refused is not the connection's yet.
    Failure::Refused(error, own(connection).or_else(refused))
}

fn own(connection: &Connection) -> Option<CertificateDer<'static>> {
    connection.peer_certificates()?.first().map(|certificate| certificate.clone().into_owned())
}

fn step(got: Got) -> Step {
    match got {
        // Not reached: no bytes are asked for in a handshake.
        Got::Bytes(_) => Step::Ended(Ending::Fin, None),
        Got::Ended(how, word) => Step::Ended(how, word),
        Got::Failed(failure) => Step::Failed(failure),
    }
}

fn terms(connection: &Connection) -> Terms {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let cipher = connection
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str().map(str::to_owned))
        .unwrap_or_default();
    Terms {
        version,
        cipher,
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        peer: own(connection),
    }
}

/// The system's word, where it is not RST from the wire.
fn word_of(error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => None,
        _ => Some(error.to_string()),
    }
}
