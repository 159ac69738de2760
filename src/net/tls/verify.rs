//! Verifiers: rustls's own, or none; and the certificate that was refused, for the words about it.
//!
//! rustls keeps no certificate that it refused, and its errors name no issuer. So the verifier leaves the certificate
//! on the thread: rustls verifies inside `process_new_packets`, and whoever gets its error takes it there at once. The
//! error stays the one of rustls, and so does the alert that the peer is sent.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::cell::RefCell;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

thread_local! {
    static REFUSED: RefCell<Option<CertificateDer<'static>>> = const { RefCell::new(None) };
}

/// The certificate that brownout refused last on this thread. It is taken: each is told once.
///
/// Call it where `process_new_packets` (or what is built on it) has just failed, before anything else is awaited.
/// With `Error::InvalidCertificate` it is the peer's certificate of that very connection.
pub fn refused() -> Option<CertificateDer<'static>> {
    REFUSED.take()
}

fn remember<T>(certificate: &CertificateDer<'_>, result: Result<T, Error>) -> Result<T, Error> {
    let refused = result.is_err().then(|| certificate.clone().into_owned());
    REFUSED.set(refused);
    result
}

/// Verifies the hub's certificate, or takes any.
#[derive(Debug)]
pub(super) struct HubVerifier {
    /// `None`: any certificate will do.
    pub against: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are trusted as they are: those of `hub_ca`.
    pub known: Vec<CertificateDer<'static>>,
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for HubVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = match &self.against {
            Some(webpki) => webpki
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .or_else(|error| {
                    if self.known.contains(end_entity) {
                        as_it_is(end_entity, server_name, now)
                    } else {
                        Err(error)
                    }
                }),
            None => Ok(ServerCertVerified::assertion()),
        };
        remember(end_entity, result)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        remember(certificate, tls12(message, certificate, signed, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        remember(certificate, tls13(message, certificate, signed, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A certificate that is trusted itself: its time and its names count, its issuer does not. The hub's own, made by
/// `openssl req -x509`, is of a CA (CA:TRUE), and rustls takes none of a CA for that of a server; other TLS libraries do.
fn as_it_is(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let (_, read) = X509Certificate::from_der(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if seconds > read.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if seconds < read.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
    Ok(ServerCertVerified::assertion())
}

/// Verifies devices' certificates, or takes any that the device has the key of.
#[derive(Debug)]
pub(super) struct DeviceVerifier {
    /// `None`: any certificate will do.
    pub against: Option<Arc<dyn ClientCertVerifier>>,
    pub mandatory: bool,
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for DeviceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.against.as_ref().map_or(&[], |against| against.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let result = match &self.against {
            Some(webpki) => webpki.verify_client_cert(end_entity, intermediates, now),
            None => Ok(ClientCertVerified::assertion()),
        };
        remember(end_entity, result)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        remember(certificate, tls12(message, certificate, signed, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        remember(certificate, tls13(message, certificate, signed, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(key) = key_of_an_old_one(certificate) else {
        return verify_tls12_signature(message, certificate, signed, algorithms);
    };
    let (_, key) = x509_parser::x509::SubjectPublicKeyInfo::from_der(key.as_ref())
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let bits = &*key.subject_public_key.data;
    let candidates = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let is_right = candidates
        .flat_map(|(_, algorithms)| *algorithms)
        .any(|algorithm| algorithm.verify_signature(bits, message, signed.signature()).is_ok());
    if is_right {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

fn tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    match key_of_an_old_one(certificate) {
        None => verify_tls13_signature(message, certificate, signed, algorithms),
        Some(key) => verify_tls13_signature_with_raw_key(message, &key, signed, algorithms),
    }
}

/// The public key of a certificate of X.509 version 1. `openssl x509 -req` made these for decades unless told otherwise,
/// so that many a device has one; rustls reads version 3 alone.
fn key_of_an_old_one(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let is_old = read.version() == X509Version::V1;
    is_old.then(|| read.tbs_certificate.subject_pki.raw.to_vec().into())
}
