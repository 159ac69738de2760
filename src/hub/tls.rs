//! The hub's TLS: what it shows, whom it lets in, and the words for what went wrong.

use super::io::{HowClosed, Security};
use crate::tls::Alert;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CommonState, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig};
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};
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

/// TLS 1.2 and 1.3 with this certificate chain and key, both PEM files. Sessions are resumed by tickets, so that a
/// fleet of any size comes back as fleets do.
///
/// # Errors
/// A file cannot be read, does not hold what it should, or the key is not the certificate's; in words that name it.
pub fn acceptor(certificates: &Path, key: &Path, devices: Devices<'_>) -> Result<TlsAcceptor, String> {
    let chain = read_certificates(certificates)?;
    let key_der = read_key(key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match devices {
        Devices::Anonymous => builder.with_no_client_auth(),
        Devices::MayPresent(path) | Devices::MustPresent(path) => {
            let roots = Arc::new(read_roots(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let may = matches!(devices, Devices::MayPresent(_));
            let verifier = if may { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|error| format!("{}: {error}", path.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key_der)
        .map_err(|error| format!("{} does not go with {}: {error}", key.display(), certificates.display()))?;
    config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The cryptography, given to each configuration: none is installed for the process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static RING: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(default_provider()));
    Arc::clone(&RING)
}

/// The certificates of a PEM file: at least one.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(format!("{} holds no certificate in PEM", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// The private key of a PEM file: PKCS#8, PKCS#1 or SEC1, not encrypted.
pub(crate) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        PemError::NoItemsFound => {
            format!("{} holds no private key in PEM (an encrypted one is not read)", path.display())
        }
        error => unreadable(path, &error),
    })
}

/// The CAs of a PEM file.
pub(crate) fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

fn unreadable(path: &Path, error: &PemError) -> String {
    match error {
        PemError::Io(error) => format!("cannot read {}: {error}", path.display()),
        error => format!("{} is not PEM: {error}", path.display()),
    }
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

/// The words for a handshake that failed.
pub(crate) fn handshake_error(error: &io::Error) -> String {
    match tls_error(error) {
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("the other side sent the alert {}", Alert(u8::from(*alert)))
        }
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the other side closed the connection".into(),
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

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
