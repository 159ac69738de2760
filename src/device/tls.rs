//! A device's TLS: whom it trusts, what it shows, which name it asks for.

use crate::base::text::printable;
use crate::hub::tls::{handshake_error, text, tls_error, version};
use crate::net::tls::names::Certificate;
use crate::net::tls::{HubTls, KeyLog, TlsError, refused};
use crate::profile::TlsPlan;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// What a device asks of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whom it trusts; by default the system's CAs.
    pub trust: Trust,
    /// The name it asks for and verifies; by default the host that it connects to.
    pub server_name: Option<String>,
    /// Its certificate chain and key, PEM files.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Whom a device trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The CAs of the system.
    #[default]
    System,
    /// The CAs in this PEM file, and no others.
    File(PathBuf),
    /// Anyone: the hub is not verified.
    Anyone,
}

/// The TLS of devices that connect to one hub. Copies share their sessions: a device that comes back resumes one, as
/// real clients do.
#[derive(Clone, Debug)]
pub struct DeviceTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl DeviceTls {
    /// Loads what the settings name, for the hub at `target` (`host:port`).
    ///
    /// # Errors
    /// A file cannot be read or does not hold what it should, the system has no CAs, or the name is none; in words
    /// that say what to do.
    pub fn load(settings: &TlsSettings, target: &str) -> Result<DeviceTls, TlsError> {
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let wanted = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(wanted.to_owned()).map_err(|_| {
            let wanted = printable(wanted);
            TlsError::Setting(format!(
                "`{wanted}` is neither a DNS name nor an address; give --server-name NAME"
            ))
        })?;
        let hub_ca = match &settings.trust {
            Trust::File(path) => Some(text(path)?),
            Trust::System | Trust::Anyone => None,
        };
        let (hub_certificate, hub_key) = match &settings.identity {
            Some((certificate, key)) => (Some(text(certificate)?), Some(text(key)?)),
            None => (None, None),
        };
        let hub_unverified = settings.trust == Trust::Anyone;
        let plan = TlsPlan { hub_ca, hub_certificate, hub_key, hub_unverified, ..TlsPlan::default() };
        let tls = HubTls::load(&plan, host, &Arc::new(KeyLog::off())).map_err(|error| match error {
            // The one that is left: all else was checked above, or names its file.
            TlsError::Setting(_) => TlsError::Setting(
                "this system trusts no CA, so no hub can be verified: give the hub's with --ca FILE, or --insecure".into(),
            ),
            error => error,
        })?;
        Ok(DeviceTls { config: tls.config(&[], None)?, name })
    }

    pub(super) fn connector(&self) -> (TlsConnector, ServerName<'static>) {
        (TlsConnector::from(Arc::clone(&self.config)), self.name.clone())
    }

    /// The words for a handshake that failed; call it on the thread that saw it fail, before anything else.
    pub(super) fn explain(&self, error: &io::Error) -> String {
        let certificate = refused().and_then(|der| Certificate::read(&der));
        match (tls_error(error), certificate) {
            (Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)), Some(certificate)) => {
                format!(
                    "the hub's certificate comes from `{}`, which is not trusted: give that CA with --ca FILE, or \
                     --insecure",
                    certificate.issuer
                )
            }
            (
                Some(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )),
                Some(certificate),
            ) => {
                let names = match certificate.names.as_slice() {
                    [] => "no name".to_owned(),
                    names => names.join(", "),
                };
                format!(
                    "the hub's certificate is for {names}, and not for {}: ask for one of its names with --server-name \
                     NAME, or give --insecure",
                    self.name.to_str()
                )
            }
            (_, _) => handshake_error(error, "hub"),
        }
    }
}

/// `TLS 1.3`, and whether a session was resumed.
pub(super) fn came_to(connection: &ClientConnection) -> (String, bool) {
    version(connection)
}
