//! What devices are shown.
use super::error::TlsError;
use super::keylog::KeyLog;
use crate::fault::BadCertificate;
use crate::profile::TlsPlan;
use rustls::ServerConfig;
use std::net::IpAddr;
use std::sync::Arc;

/// What a configuration is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The server name that the device asks for.
    pub sni: Option<&'a str>,
    /// The address that it came to.
    pub local: IpAddr,
    /// The protocols to agree on, best first; empty: no ALPN.
    pub alpn: &'a [Vec<u8>],
    /// What shall be wrong with the certificate.
    pub flaw: Option<BadCertificate>,
}

/// The TLS of a listener.
#[derive(Debug)]
pub struct DeviceTls {}

impl DeviceTls {
    /// Loads what the plan names.
    pub fn load(_plan: &TlsPlan, _key_log: &Arc<KeyLog>) -> Result<DeviceTls, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
    /// What to tell at the start.
    pub fn warnings(&self) -> &[String] {
        &[]
    }
    /// The configuration.
    pub fn config(&self, _ask: &Ask<'_>) -> Result<Arc<ServerConfig>, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
}
