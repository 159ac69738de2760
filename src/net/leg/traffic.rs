//! An established TLS connection: its records, opened where they were read and sealed where they are sent from.
//!
//! ```text
//!   wire ──read──▶ [what waits | records … | part of one]      the reader's buffer
//!                        open, in place         └──▶ waits for the rest of it
//!                  [content …]
//! ```
//!
//! What of TLS goes on behind a handshake is here: tickets, new keys, alerts. A connection at rest owns no buffer.

use crate::net::tls::keys::{HEADER, Keys, MOST_CONTENT, Unopened};
use crate::tls::Alert;
use crate::tls::record::{APPLICATION_DATA, HANDSHAKE, LENGTH_MAX, LENGTH_MAX_13};
use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{AlertDescription, ProtocolVersion};
use rustls::{ContentType, Error, ExtractedSecrets, HandshakeType, InvalidMessage, PeerMisbehaved};
use std::fmt;
use std::ops::Range;

#[cfg(test)]
mod tests;

/// The content type of alerts.
const ALERT: u8 = 21;
/// The longest message behind a handshake, in bytes: a ticket with lifetime, age and all of nonce, ticket and extensions
/// that it may bear (RFC 8446 section 4.6.1).
const LONGEST_MESSAGE: usize = 4 + 4 + (1 + 255) + (2 + 65_535) + (2 + 65_534);
/// How many KeyUpdates a peer may send with no data between them: each costs the derivation of a key.
const MOST_RENEWALS: u8 = 32;
/// The same of warnings, which say nothing that this side acts on.
const MOST_WARNINGS: u8 = 4;
/// The types of messages behind a handshake (RFC 8446 section 4, RFC 5246 section 7.4).
const HELLO_REQUEST: u8 = 0;
const CLIENT_HELLO: u8 = 1;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
/// KeyUpdate that asks for none in return (RFC 8446 section 4.6.3).
const UPDATED: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];
/// The alert that refuses to shake hands again, a warning (RFC 5246 section 7.2.2).
const NO_RENEGOTIATION: [u8; 2] = [1, 100];

/// An established connection.
pub struct Traffic {
    seals: Keys,
    opens: Keys,
    kernel: Kernel,
    is_13: bool,
    /// What was read and not opened yet: whole records only before the first [`Traffic::open`], part of one after.
    waits: Vec<u8>,
    /// Whether whole records may be among that.
    is_fresh: bool,
    /// Part of a handshake message.
    message: Vec<u8>,
    /// The peer has asked for another key; answered before what is said next, once for all that asked.
    owes_key: bool,
    /// A handshake again was refused.
    refused_again: bool,
    /// What the peer has sent since its last data.
    idly: Idly,
    /// The last was said, close_notify or a fatal alert: nothing follows it (RFC 8446 section 6).
    has_closed: bool,
}

/// What a peer could keep this side busy with, counted.
#[derive(Default)]
struct Idly {
    renewals: u8,
    warnings: u8,
}

enum Kernel {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

/// What opening came to.
#[derive(Debug, Default)]
pub struct Opened {
    /// Bytes of content, at the front of the buffer.
    pub content: usize,
    /// How the stream ends behind that.
    pub end: Option<End>,
}

/// How a stream ends.
#[derive(Debug, PartialEq)]
pub enum End {
    /// close_notify.
    Closed,
    /// The peer's alert, or what this side refuses; the alert for that is said.
    Refused(Error),
}

impl Traffic {
    /// Toward a hub; `waits` is what came behind its handshake.
    ///
    /// # Errors
    /// Keys of a cipher that is not known here.
    pub fn of_client(
        secrets: ExtractedSecrets,
        kernel: KernelConnection<ClientConnectionData>,
        waits: Vec<u8>,
    ) -> Result<Traffic, Error> {
        let is_13 = kernel.protocol_version() == ProtocolVersion::TLSv1_3;
        Traffic::new(secrets, Kernel::Client(kernel), is_13, waits)
    }

    /// Toward a device; `waits` is what came behind its handshake.
    ///
    /// # Errors
    /// As with [`Traffic::of_client`].
    pub fn of_server(
        secrets: ExtractedSecrets,
        kernel: KernelConnection<ServerConnectionData>,
        waits: Vec<u8>,
    ) -> Result<Traffic, Error> {
        let is_13 = kernel.protocol_version() == ProtocolVersion::TLSv1_3;
        Traffic::new(secrets, Kernel::Server(kernel), is_13, waits)
    }

    fn new(secrets: ExtractedSecrets, kernel: Kernel, is_13: bool, waits: Vec<u8>) -> Result<Traffic, Error> {
        Ok(Traffic {
            seals: Keys::new(secrets.tx, is_13)?,
            opens: Keys::new(secrets.rx, is_13)?,
            kernel,
            is_13,
            is_fresh: !waits.is_empty(),
            waits,
            message: Vec::new(),
            owes_key: false,
            refused_again: false,
            idly: Idly::default(),
            has_closed: false,
        })
    }

    /// Whether there is something to open before more is read.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// How many bytes wait for the rest of their record: what is read goes into the buffer behind as many.
    pub fn waiting(&self) -> usize {
        self.waits.len()
    }

    /// Opens the whole records of what waits and of what was read behind it, up to `buffer[filled]`: their content is moved
    /// to the front, and what follows them waits. What is to be answered is appended to `says`.
    pub fn open(&mut self, buffer: &mut [u8], filled: usize, says: &mut Vec<u8>) -> Opened {
        buffer[..self.waits.len()].copy_from_slice(&self.waits);
        self.is_fresh = false;
        let mut opened = Opened::default();
        let mut at = 0;
        while opened.end.is_none() {
            match self.next_record(&buffer[at..filled]) {
                Ok(None) => break,
                Ok(Some(length)) => {
                    opened.end = self.open_one(buffer, &mut opened.content, at..at + length, says);
                    at += length;
                }
                Err(error) => opened.end = Some(self.refuse(error, says)),
            }
        }
        let rest = if opened.end.is_some() { &[] } else { &buffer[at..filled] };
        self.keep(rest);
        opened
    }

    /// The length of the record that these bytes begin with, if it is whole.
    fn next_record(&self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let &[kind, major, _, high, low, ..] = bytes else { return Ok(None) };
        if !(20..=24).contains(&kind) {
            return Err(InvalidMessage::InvalidContentType.into());
        }
        if major != 3 {
            return Err(InvalidMessage::UnknownProtocolVersion.into());
        }
        let length = u16::from_be_bytes([high, low]);
        let most = if self.is_13 { LENGTH_MAX_13 } else { LENGTH_MAX };
        if length > most {
            return Err(Error::PeerSentOversizedRecord);
        }
        if self.is_13 && kind != APPLICATION_DATA {
            return Err(unexpected(ContentType::from(kind)));
        }
        let whole = HEADER + usize::from(length);
        Ok(Some(whole).filter(|&whole| whole <= bytes.len()))
    }

    /// Opens a record; content of data is added to what there is.
    fn open_one(
        &mut self,
        buffer: &mut [u8],
        content: &mut usize,
        record: Range<usize>,
        says: &mut Vec<u8>,
    ) -> Option<End> {
        let (kind, length) = match self.opens.open(buffer, *content, record) {
            Ok(opened) => opened,
            Err(unopened) => return Some(self.refuse(why(unopened), says)),
        };
        if kind == APPLICATION_DATA && self.message.is_empty() {
            *content += length;
            if length > 0 {
                self.idly = Idly::default();
            }
            return None;
        }
        match self.hear(kind, &buffer[*content..*content + length], says) {
            Ok(end) => end,
            Err(error @ Error::AlertReceived(_)) => Some(End::Refused(error)),
            Err(error) => Some(self.refuse(error, says)),
        }
    }

    /// Keeps what is not a whole record yet.
    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            // A connection at rest keeps no buffer.
            self.waits = Vec::new();
        } else {
            self.waits.clear();
            self.waits.extend_from_slice(rest);
        }
    }

    /// A record of what is no data, or comes amid a message.
    fn hear(&mut self, kind: u8, told: &[u8], says: &mut Vec<u8>) -> Result<Option<End>, Error> {
        if kind != HANDSHAKE && !self.message.is_empty() {
            // RFC 8446 section 5.1.
            return Err(PeerMisbehaved::MessageInterleavedWithHandshakeMessage.into());
        }
        match kind {
            // RFC 8446 section 5.4, RFC 5246 section 6.2.1.
            ALERT | HANDSHAKE if told.is_empty() => Err(PeerMisbehaved::TooManyEmptyFragments.into()),
            ALERT => self.hear_alert(told),
            HANDSHAKE => self.hear_message(told, says).map(|()| None),
            kind => Err(unexpected(ContentType::from(kind))),
        }
    }

    fn hear_alert(&mut self, told: &[u8]) -> Result<Option<End>, Error> {
        let &[level, alert] = told else { return Err(InvalidMessage::TrailingData("Alert").into()) };
        let is_warning = level == 1;
        match AlertDescription::from(alert) {
            AlertDescription::CloseNotify => Ok(Some(End::Closed)),
            // In TLS 1.3 the others end the connection, whatever their level (RFC 8446 section 6).
            AlertDescription::UserCanceled if is_warning => self.hear_warning(),
            _ if is_warning && !self.is_13 => self.hear_warning(),
            alert => Err(Error::AlertReceived(alert)),
        }
    }

    fn hear_warning(&mut self) -> Result<Option<End>, Error> {
        self.idly.warnings += 1;
        if self.idly.warnings > MOST_WARNINGS {
            return Err(PeerMisbehaved::TooManyWarningAlertsReceived.into());
        }
        Ok(None)
    }

    /// Part of a handshake message, or several.
    fn hear_message(&mut self, told: &[u8], says: &mut Vec<u8>) -> Result<(), Error> {
        // A message may come a byte at a time: what is there of it is not copied again with each part.
        let mut message = std::mem::take(&mut self.message);
        message.extend_from_slice(told);
        let mut done = 0;
        while let &[kind, high, middle, low, ref behind @ ..] = &message[done..] {
            let length = usize::from(high) << 16 | usize::from(u16::from_be_bytes([middle, low]));
            self.expects(kind, length)?;
            let Some((payload, behind)) = behind.split_at_checked(length) else { break };
            self.follow(kind, payload, behind.is_empty(), says)?;
            done = message.len() - behind.len();
        }
        message.drain(..done);
        if !message.is_empty() {
            self.message = message;
        }
        Ok(())
    }

    /// Whether a message of this type and length may come: seen as soon as it begins, so that no other is gathered.
    fn expects(&self, kind: u8, length: usize) -> Result<(), Error> {
        let most = match (&self.kernel, kind) {
            (_, KEY_UPDATE) if self.is_13 => 1,
            (Kernel::Client(_), NEW_SESSION_TICKET) if self.is_13 => LONGEST_MESSAGE,
            (Kernel::Client(_), HELLO_REQUEST) if !self.is_13 => 0,
            (Kernel::Server(_), CLIENT_HELLO) if !self.is_13 => LONGEST_MESSAGE,
            (_, kind) => return Err(inappropriate(kind)),
        };
        if length > most { Err(InvalidMessage::HandshakePayloadTooLarge.into()) } else { Ok(()) }
    }

    /// Does what a message asks; `last` if its record holds no more.
    fn follow(&mut self, kind: u8, payload: &[u8], last: bool, says: &mut Vec<u8>) -> Result<(), Error> {
        match (&mut self.kernel, kind) {
            (_, KEY_UPDATE) if self.is_13 => self.renew(payload, last),
            (Kernel::Client(kernel), NEW_SESSION_TICKET) if self.is_13 => {
                kernel.handle_new_session_ticket(payload)
            }
            (Kernel::Client(_), HELLO_REQUEST) | (Kernel::Server(_), CLIENT_HELLO) if !self.is_13 => {
                if std::mem::replace(&mut self.refused_again, true) {
                    return Err(PeerMisbehaved::TooManyRenegotiationRequests.into());
                }
                if !self.has_closed {
                    self.seals.seal(ALERT, &NO_RENEGOTIATION, says);
                }
                Ok(())
            }
            (_, kind) => Err(inappropriate(kind)),
        }
    }

    /// The peer seals with another key from here on (RFC 8446 section 4.6.3).
    fn renew(&mut self, payload: &[u8], last: bool) -> Result<(), Error> {
        let asks = match payload {
            [asks @ 0..=1] => *asks == 1,
            [] => return Err(InvalidMessage::MissingData("KeyUpdate").into()),
            _ => return Err(InvalidMessage::InvalidKeyUpdate.into()),
        };
        if !last {
            return Err(PeerMisbehaved::KeyEpochWithPendingFragment.into());
        }
        self.idly.renewals += 1;
        if self.idly.renewals > MOST_RENEWALS {
            return Err(PeerMisbehaved::TooManyKeyUpdateRequests.into());
        }
        self.owes_key |= asks;
        let next = match &mut self.kernel {
            Kernel::Client(kernel) => kernel.update_rx_secret(),
            Kernel::Server(kernel) => kernel.update_rx_secret(),
        };
        self.opens = Keys::new(next?, true)?;
        Ok(())
    }

    /// Seals with another key from here on, where the peer has asked for that or this one is worn.
    fn renew_own(&mut self, says: &mut Vec<u8>) -> Result<(), Error> {
        if !self.owes_key && !self.seals.is_worn() {
            return Ok(());
        }
        self.seals.seal(HANDSHAKE, &UPDATED, says);
        let next = match &mut self.kernel {
            Kernel::Client(kernel) => kernel.update_tx_secret(),
            Kernel::Server(kernel) => kernel.update_tx_secret(),
        };
        self.seals = Keys::new(next?, true)?;
        self.owes_key = false;
        Ok(())
    }

    /// Answers what the peer asks of a connection that says nothing by itself.
    pub fn answer(&mut self, says: &mut Vec<u8>) {
        if self.owes_key && !self.has_closed && self.renew_own(says).is_err() {
            tracing::warn!("TLS gives no further key");
        }
    }

    /// Seals these bytes, in as few records as hold them. False where that cannot be done.
    pub fn seal(&mut self, bytes: &[u8], says: &mut Vec<u8>) -> bool {
        bytes
            .chunks(MOST_CONTENT)
            .all(|content| self.renew_own(says).is_ok() && self.seals.seal(APPLICATION_DATA, content, says))
    }

    /// Says that nothing more comes, once.
    pub fn close_notify(&mut self, says: &mut Vec<u8>) {
        self.alert(Alert::CLOSE_NOTIFY, says);
    }

    /// Says this alert, and no more after it. False where it cannot be sealed, or the last was said before.
    pub fn alert(&mut self, alert: Alert, says: &mut Vec<u8>) -> bool {
        let had_closed = std::mem::replace(&mut self.has_closed, true);
        !had_closed && self.seals.seal(ALERT, &[alert.level(), alert.0], says)
    }

    fn refuse(&mut self, error: Error, says: &mut Vec<u8>) -> End {
        self.alert(alert_of(&error), says);
        End::Refused(error)
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").field("waits", &self.waits.len()).finish_non_exhaustive()
    }
}

fn unexpected(got_type: ContentType) -> Error {
    let expect_types = vec![ContentType::ApplicationData, ContentType::Handshake, ContentType::Alert];
    Error::InappropriateMessage { expect_types, got_type }
}

fn inappropriate(kind: u8) -> Error {
    let got_type = HandshakeType::from(kind);
    Error::InappropriateHandshakeMessage { expect_types: Vec::new(), got_type }
}

fn why(unopened: Unopened) -> Error {
    match unopened {
        Unopened::Damaged => Error::DecryptError,
        Unopened::TooLong => Error::PeerSentOversizedRecord,
        Unopened::Typeless => unexpected(ContentType::Unknown(0)),
    }
}

/// What the peer is told of an error (RFC 8446 section 6.2).
fn alert_of(error: &Error) -> Alert {
    match error {
        Error::DecryptError => Alert::BAD_RECORD_MAC,
        Error::PeerSentOversizedRecord => Alert::RECORD_OVERFLOW,
        // RFC 8446 section 5, RFC 5246 section 6.
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => Alert::UNEXPECTED_MESSAGE,
        // RFC 8446 section 4.6.3.
        Error::InvalidMessage(InvalidMessage::InvalidKeyUpdate) => Alert::ILLEGAL_PARAMETER,
        Error::InvalidMessage(what) => Alert(u8::from(AlertDescription::from(*what))),
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_) => Alert::UNEXPECTED_MESSAGE,
        _ => Alert::INTERNAL_ERROR,
    }
}
