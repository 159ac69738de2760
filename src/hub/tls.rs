//! The hub's TLS: what it shows, whom it lets in, and the words for what went wrong.

use super::io::{HowClosed, Security};
use crate::net::tls::{Ask, DeviceTls, KeyLog, TlsError};
use crate::profile::{ClientCertificates, TlsPlan};
use crate::tls::Alert;
use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Whose certificates devices may present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Devices<'a> {
    /// None are asked for.
    Anonymous,
    /// A certificate of a CA in this file is asked for, and verified where it is presented.
    MayPresent(&'a Path),
    /// A certificate of a CA in this file is required.
    MustPresent(&'a Path),
}

/// The hub's TLS, ready to serve.
#[derive(Clone)]
pub struct HubTls {
    /// What [`serve_tls`](super::serve_tls) takes.
    pub acceptor: TlsAcceptor,
    /// What to tell at the start: a certificate that is expired, not valid yet, or ends soon.
    pub warnings: Vec<String>,
}

/// TLS 1.2 and 1.3 with this certificate chain and key, both PEM files. Sessions are resumed by tickets, so that a
/// fleet of any size comes back as fleets do.
///
/// # Errors
/// A file cannot be read, does not hold what it should, or the key is not the certificate's; in words that name it.
pub fn load(certificate: &Path, key: &Path, devices: Devices<'_>) -> Result<HubTls, TlsError> {
    let (client_certificates, client_ca) = match devices {
        Devices::Anonymous => (ClientCertificates::None, None),
        Devices::MayPresent(path) => (ClientCertificates::Request, Some(path)),
        Devices::MustPresent(path) => (ClientCertificates::Require, Some(path)),
    };
    let plan = TlsPlan {
        certificate: Some(text(certificate)?),
        key: Some(text(key)?),
        client_certificates,
        client_ca: client_ca.map(text).transpose()?,
        ..TlsPlan::default()
    };
    let tls = DeviceTls::load(&plan, &Arc::new(KeyLog::off()))?;
    // The one certificate is shown whatever is asked for.
    let ask = Ask { sni: None, local: Ipv4Addr::LOCALHOST.into(), alpn: &[], flaw: None };
    Ok(HubTls { acceptor: TlsAcceptor::from(tls.config(&ask)?), warnings: tls.warnings().to_vec() })
}

/// A path as a plan has it.
pub(crate) fn text(path: &Path) -> Result<String, TlsError> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| TlsError::Setting(format!("the path {} is not UTF-8", path.display())))
}

/// `TLS 1.2`, `TLS 1.3`, and whether a session was resumed.
pub(crate) fn version(connection: &CommonState) -> (String, bool) {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(_) | None => "TLS",
    };
    (version.to_owned(), connection.handshake_kind() == Some(HandshakeKind::Resumed))
}

pub(super) fn security(connection: &CommonState) -> Security {
    let (version, resumed) = version(connection);
    let certified = connection.peer_certificates().is_some_and(|chain| !chain.is_empty());
    Security { version, resumed, certified }
}

/// The words for a handshake with `whom` that failed.
pub(crate) fn handshake_error(error: &io::Error, whom: &str) -> String {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the {whom} sent the alert {}", Alert(u8::from(*alert)))
        }
        Some(error @ rustls::Error::InvalidMessage(_)) => {
            format!("what the {whom} sent is no TLS, or is damaged ({error})")
        }
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => format!("the {whom} closed the connection"),
        None => error.to_string(),
    }
}

/// What an error of a TLS stream says of how it ended; `None` for one of the socket below.
pub(super) fn how_closed(error: &io::Error) -> Option<HowClosed> {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(HowClosed::Alert(Alert(u8::from(*alert)))),
        Some(_) => Some(HowClosed::BadRecord),
        None => (error.kind() == io::ErrorKind::UnexpectedEof).then_some(HowClosed::Unnotified),
    }
}

/// The error of TLS in one of a stream.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
