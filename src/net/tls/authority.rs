//! The local CA.
use super::error::TlsError;
use crate::fault::BadCertificate;
use rustls::sign::CertifiedKey;
use std::net::IpAddr;
use std::path::Path;

/// Whom a certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// DNS names.
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// A CA.
#[derive(Debug)]
pub struct Authority {}

impl Authority {
    /// Makes one.
    pub fn create(_directory: &Path) -> Result<Authority, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
    /// Opens one.
    pub fn open(_directory: &Path) -> Result<Authority, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
    /// Mints.
    pub fn mint(&self, _name: &Named, _flaw: Option<BadCertificate>) -> Result<CertifiedKey, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
}
