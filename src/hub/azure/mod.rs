//! Azure IoT Hub's MQTT endpoint, as far as a device and its SDK see it: who gets in, what may be said, what is
//! answered. Source: "Communicate with an IoT hub using the MQTT protocol" and "404104
//! DeviceConnectionClosedRemotely", Microsoft Learn.
//!
//! Owns user names, tokens, topics, and the codes of the resource log. Invariant: pure; the wall clock is an argument
//! ([`Azure::unix_at_start`]). Deliberately absent: modules, and the service's side: nobody invokes methods or
//! sends to devices, and telemetry is acknowledged and forgotten.

mod name;
mod serve;
#[cfg(test)]
mod tests;
mod token;
mod topics;

pub(super) use topics::may_subscribe;

use super::event::Departure;
use crate::base::{Secret, Time};
use crate::mqtt::packet::Connect;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::time::Duration;

/// The longest that a device may be silent, whatever its keep-alive: 29.45 minutes, the idle timeout of the load
/// balancer before all of Azure's services.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(1767);

/// The settings of a hub that plays Azure IoT Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Azure {
    /// The key that tokens are signed with, decoded; `None`: signatures are not checked.
    pub key: Option<Secret<Vec<u8>>>,
    /// The wall clock at the beginning of the run, since 1970-01-01 UTC; tokens expire by it.
    pub unix_at_start: Duration,
}

/// What the resource log (category Connections) calls an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 400027: a second connection of the same device.
    ClosedOnNewConnection,
    /// 401003: not let in.
    Unauthorized,
    /// 404104: gone without DISCONNECT, silent for too long, or its token expired.
    ClosedRemotely,
}

impl Azure {
    /// These settings with a key as the portal shows it, in Base64.
    ///
    /// # Errors
    /// It is not Base64, in words that do not show it.
    pub fn with_key(self, base64: &str) -> Result<Azure, String> {
        let key = STANDARD.decode(base64.trim()).map_err(|_| {
            "the key is not Base64; give it as the portal and connection strings have it (SharedAccessKey)"
        })?;
        Ok(Azure { key: Some(Secret(key)), ..self })
    }

    /// Whether the device may come in: until when, if not for ever; or why not, for people.
    pub(super) fn admit(
        &self,
        connect: &Connect,
        certified: bool,
        now: Time,
    ) -> Result<Option<Time>, String> {
        let user = connect.username.as_deref().ok_or("CONNECT has no user name")?;
        let name = name::parse(user)?;
        if name.device != connect.client_id {
            return Err(format!(
                "the user name is of device `{}`, the client identifier is `{}`",
                name.device, connect.client_id
            ));
        }
        let password = match &connect.password {
            Some(password) if !password.is_empty() => password,
            Some(_) | None if certified => return Ok(None),
            Some(_) | None => return Err("CONNECT has neither a token nor a client certificate".into()),
        };
        let token = token::parse(password)?;
        token.check_scope(&name)?;
        if let Some(key) = &self.key {
            token.check_signature(key)?;
        }
        let expires = self.time(token.expires);
        if expires <= now {
            let late = now.since(expires).as_secs();
            return Err(format!("the token expired {late} s ago (se={})", token.expires));
        }
        Ok(Some(expires))
    }

    /// Seconds since 1970 as a time of the run.
    fn time(&self, unix: u64) -> Time {
        Time::ZERO + Duration::from_secs(unix).saturating_sub(self.unix_at_start)
    }
}

/// How long a device may be silent: 1.5 keep-alives, at most [`LONGEST_SILENCE`]. Without keep-alive it is that, too:
/// the load balancer does not ask.
pub(super) fn patience(by_keep_alive: Option<Duration>) -> Duration {
    by_keep_alive.map_or(LONGEST_SILENCE, |patience| patience.min(LONGEST_SILENCE))
}

impl Code {
    /// What the log calls the end of a device's link; `None` where it has no error for it, or none is documented.
    pub(super) fn of(why: &Departure) -> Option<Code> {
        match why {
            Departure::TakenOver => Some(Code::ClosedOnNewConnection),
            Departure::Closed
            | Departure::Unnotified
            | Departure::Reset
            | Departure::Alert { .. }
            | Departure::BadRecord
            | Departure::TcpTimeout
            | Departure::KeepAliveTimeout { .. }
            | Departure::TokenExpired => Some(Code::ClosedRemotely),
            Departure::Disconnect { .. }
            | Departure::HandshakeFailed { .. }
            | Departure::ConnectTimeout
            | Departure::Refused
            | Departure::ProtocolError { .. }
            | Departure::TooSlow
            | Departure::TooMany
            | Departure::ShuttingDown => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Code::ClosedOnNewConnection => "400027 ConnectionForcefullyClosedOnNewConnection",
            Code::Unauthorized => "401003 IoTHubUnauthorized",
            Code::ClosedRemotely => "404104 DeviceConnectionClosedRemotely",
        })
    }
}
