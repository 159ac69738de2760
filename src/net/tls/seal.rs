//! One alert as the next record of a connection.
use super::error::TlsError;
use crate::tls::Alert;

/// The record.
pub fn alert(_connection: rustls::Connection, _alert: Alert) -> Result<Vec<u8>, TlsError> {
    Err(TlsError::Setting("not yet".into()))
}
