//! How the hub is verified.
use super::error::TlsError;
use super::keylog::KeyLog;
use crate::profile::TlsPlan;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;

/// The TLS of a listener's hub legs.
#[derive(Debug)]
pub struct HubTls {}

impl HubTls {
    /// Loads what the plan names.
    pub fn load(_plan: &TlsPlan, _upstream_host: &str, _key_log: &Arc<KeyLog>) -> Result<HubTls, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
    /// What to tell at the start.
    pub fn warnings(&self) -> &[String] {
        &[]
    }
    /// The configuration.
    pub fn config(&self, _alpn: &[Vec<u8>], _device_cn: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
    /// The name to ask for and to verify.
    pub fn name(&self, _sni: Option<&str>) -> Result<ServerName<'static>, TlsError> {
        Err(TlsError::Setting("not yet".into()))
    }
}
