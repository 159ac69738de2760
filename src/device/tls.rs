//! A device's TLS: whom it trusts, what it shows, which name it asks for.

use crate::hub::tls::{provider, read_certificates, read_key, read_roots, version};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
    pub fn load(settings: &TlsSettings, target: &str) -> Result<DeviceTls, String> {
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let wanted = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(wanted.to_owned())
            .map_err(|_| format!("`{wanted}` is no name of a server; give a DNS name or an address"))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &settings.trust {
            Trust::System => builder.with_root_certificates(system_roots()?),
            Trust::File(path) => {
                let roots = Arc::new(read_roots(path)?);
                // As the above, but for a file that holds no CA, which is told here.
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
                    .build()
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                builder.with_webpki_verifier(verifier)
            }
            Trust::Anyone => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider())))
            }
        };
        let config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let (chain, key_der) = (read_certificates(certificates)?, read_key(key)?);
                builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                    format!("{} does not go with {}: {error}", key.display(), certificates.display())
                })?
            }
        };
        Ok(DeviceTls { config: Arc::new(config), name })
    }

    pub(super) fn connector(&self) -> (TlsConnector, ServerName<'static>) {
        (TlsConnector::from(Arc::clone(&self.config)), self.name.clone())
    }
}

/// `TLS 1.3`, and whether a session was resumed.
pub(super) fn came_to(connection: &ClientConnection) -> (String, bool) {
    version(connection)
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!("the system has no CAs to verify the hub by{why}; give its CA with --ca FILE"));
    }
    Ok(roots)
}

/// Takes any certificate; that the hub has its key is still asked.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
