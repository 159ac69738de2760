//! A handshake that rustls does, one record at a time: what comes behind the last of them is not its own.

use super::traffic::Traffic;
use crate::tls::record::{APPLICATION_DATA, LENGTH_MAX};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, Error, ProtocolVersion, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// Bytes of a record's header.
const HEADER: usize = 5;

/// close_notify in the clear (RFC 8446 section 6.1).
const CLOSE_NOTIFY: [u8; 7] = [21, 3, 3, 0, 2, 1, 0];

/// The content type of ChangeCipherSpec.
const CHANGE_CIPHER_SPEC: u8 = 20;

/// A handshake under way.
pub struct Shaking {
    tls: Tls,
    /// What came and was not used yet: the records of a message that is not whole, and what follows the handshake.
    came: Vec<u8>,
    /// How much of that rustls has been shown: whole records.
    shown: usize,
    /// What is sent is sealed.
    seals: bool,
}

enum Tls {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What a step came to.
enum Step {
    /// It had something to say, and may go on.
    Said,
    /// It waits for the peer, or is done.
    Waits,
    /// The peer has said close_notify.
    Closed,
}

impl Shaking {
    /// A handshake with the hub.
    ///
    /// # Errors
    /// The configuration cannot be used with this name.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Shaking, Error> {
        Ok(Shaking::new(Tls::Client(UnbufferedClientConnection::new(config, name)?)))
    }

    /// A handshake with a device.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub fn server(config: Arc<ServerConfig>) -> Result<Shaking, Error> {
        Ok(Shaking::new(Tls::Server(UnbufferedServerConnection::new(config)?)))
    }

    fn new(tls: Tls) -> Shaking {
        Shaking { tls, came: Vec::new(), shown: 0, seals: false }
    }

    /// What is known of the connection.
    pub fn state(&self) -> &CommonState {
        match &self.tls {
            Tls::Client(client) => client,
            Tls::Server(server) => server,
        }
    }

    /// Goes on with these bytes, also none; what it has to say is appended to `says`, with an error too.
    ///
    /// # Errors
    /// What rustls refuses.
    pub fn feed(&mut self, bytes: &[u8], says: &mut Vec<u8>) -> Result<(), Error> {
        self.came.extend_from_slice(bytes);
        let before = says.len();
        let result = self.go_on(says);
        if result.is_err() {
            // The alert.
            while let Ok(Step::Said) = self.step(says) {}
        }
        let is_12 = self.state().protocol_version() == Some(ProtocolVersion::TLSv1_2);
        self.seals |= tells_seal(&says[before..], is_12);
        result
    }

    fn go_on(&mut self, says: &mut Vec<u8>) -> Result<(), Error> {
        loop {
            match self.step(says)? {
                Step::Said => {}
                Step::Waits if !self.state().is_handshaking() || !self.show_more() => return Ok(()),
                Step::Waits => {}
                Step::Closed => {
                    // What follows it is to be ignored (RFC 8446 section 6.1).
                    self.came = Vec::new();
                    self.shown = 0;
                    return Ok(());
                }
            }
        }
    }

    fn step(&mut self, says: &mut Vec<u8>) -> Result<Step, Error> {
        let shown = &mut self.came[..self.shown];
        let (used, result) = match &mut self.tls {
            Tls::Client(client) => one(client.process_tls_records(shown), says),
            Tls::Server(server) => one(server.process_tls_records(shown), says),
        };
        self.came.drain(..used);
        self.shown -= used;
        result
    }

    /// Shows one record more, if it is whole; or all of what is none, for rustls to refuse it. False for neither.
    ///
    /// Early data (RFC 8446 section 4.2.10), which a device may send with a ticket that its hub gave it, is refused. rustls
    /// skips what it cannot open, 16 KiB of it in all, but keeps that until something can be opened, and so counts the
    /// earlier records again with each one that is shown: much less than 16 KiB passes where it comes in many records.
    /// Where it does not, the handshake fails; to show all that came at once would show rustls the data behind it.
    fn show_more(&mut self) -> bool {
        let rest = &self.came[self.shown..];
        let &[kind, major, _, high, low, ..] = rest else { return false };
        let length = u16::from_be_bytes([high, low]);
        let is_record = (20..=24).contains(&kind) && major == 3 && length <= LENGTH_MAX;
        let more = if is_record { HEADER + usize::from(length) } else { rest.len() };
        let is_there = more <= rest.len();
        if is_there {
            self.shown += more;
        }
        is_there
    }

    /// Says that nothing more comes, where that can be said.
    pub fn close_notify(&mut self, says: &mut Vec<u8>) {
        if !self.seals {
            return says.extend(CLOSE_NOTIFY);
        }
        let shown = &mut self.came[..self.shown];
        match &mut self.tls {
            Tls::Client(client) => close(client.process_tls_records(shown), says),
            Tls::Server(server) => close(server.process_tls_records(shown), says),
        }
    }

    /// The connection, once the handshake is done, with what came behind it.
    ///
    /// # Errors
    /// It is not done, or rustls does not give its keys out.
    pub fn into_traffic(self) -> Result<Traffic, Error> {
        match self.tls {
            Tls::Client(client) => {
                let (secrets, kernel) = client.dangerous_into_kernel_connection()?;
                Traffic::of_client(secrets, kernel, self.came)
            }
            Tls::Server(server) => {
                let (secrets, kernel) = server.dangerous_into_kernel_connection()?;
                Traffic::of_server(secrets, kernel, self.came)
            }
        }
    }
}

impl fmt::Debug for Shaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shaking").field("came", &self.came.len()).finish_non_exhaustive()
    }
}

/// What rustls wants; what it has to say is taken.
fn one<T>(status: UnbufferedStatus<'_, '_, T>, says: &mut Vec<u8>) -> (usize, Result<Step, Error>) {
    let step = status.state.map(|state| match state {
        ConnectionState::EncodeTlsData(said) => encode(said, says),
        ConnectionState::TransmitTlsData(said) => {
            said.done();
            Step::Said
        }
        ConnectionState::PeerClosed | ConnectionState::Closed => Step::Closed,
        // No data is shown to a handshake.
        _ => Step::Waits,
    });
    (status.discard, step)
}

fn encode<T>(mut said: EncodeTlsData<'_, T>, says: &mut Vec<u8>) -> Step {
    let Err(EncodeError::InsufficientSize(needs)) = said.encode(&mut []) else { return Step::Said };
    let begin = says.len();
    says.resize(begin + needs.required_size, 0);
    if said.encode(&mut says[begin..]).is_err() {
        says.truncate(begin);
    }
    Step::Said
}

fn close<T>(status: UnbufferedStatus<'_, '_, T>, says: &mut Vec<u8>) {
    if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
        let mut record = [0; 64];
        if let Ok(count) = traffic.queue_close_notify(&mut record) {
            says.extend_from_slice(&record[..count]);
        }
    }
}

/// Whether one of these records shows that what is said is sealed now: in TLS 1.2 ChangeCipherSpec, in TLS 1.3 the first
/// sealed one. There, ChangeCipherSpec says nothing: it follows HelloRetryRequest too, and all is in the clear behind that.
fn tells_seal(mut records: &[u8], is_12: bool) -> bool {
    let sign = if is_12 { CHANGE_CIPHER_SPEC } else { APPLICATION_DATA };
    while let &[kind, _, _, high, low, ..] = records {
        if kind == sign {
            return true;
        }
        records = records.get(HEADER + usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
    }
    false
}
