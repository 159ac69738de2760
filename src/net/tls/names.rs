//! Whom a certificate is for; why a handshake failed, in words.
use crate::base::Side;
use rustls::pki_types::CertificateDer;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The common name of the subject.
    pub common_name: Option<String>,
    /// The issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// DNS names and addresses.
    pub names: Vec<String>,
}

impl Certificate {
    /// Reads it.
    pub fn read(_der: &CertificateDer<'_>) -> Option<Certificate> {
        None
    }
}

/// The words for a failed handshake.
pub fn explain(
    error: &rustls::Error,
    _peer: Option<&CertificateDer<'_>>,
    _wanted: &str,
    _side: Side,
) -> String {
    error.to_string()
}
