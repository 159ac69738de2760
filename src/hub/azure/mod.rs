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
use crate::azure::{self, Code};
use crate::base::{Secret, Time};
use crate::mqtt::packet::Connect;
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

impl Azure {
    /// These settings with a key as the portal shows it, in Base64.
    ///
    /// # Errors
    /// It is not Base64, in words that do not show it.
    pub fn with_key(self, base64: &str) -> Result<Azure, String> {
        Ok(Azure { key: Some(Secret(azure::token::key(base64)?)), ..self })
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

/// What the resource log calls the end of a device's link; `None` where it has no error for it, or none is documented.
pub(super) fn code_of(why: &Departure) -> Option<Code> {
    match why {
        Departure::TakenOver => Some(Code::ConnectionForcefullyClosedOnNewConnection),
        Departure::Closed
        | Departure::Unnotified
        | Departure::Reset
        | Departure::Alert { .. }
        | Departure::BadRecord
        | Departure::TcpTimeout
        | Departure::KeepAliveTimeout { .. }
        | Departure::TokenExpired => Some(Code::DeviceConnectionClosedRemotely),
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
