//! SAS tokens as a device makes and renews them: over MQTT a fresh token means another CONNECT.
//!
//! ```text
//!  CONNECT with a token ──▶ up ──▶ due for renewal ──▶ DISCONNECT, CONNECT with a fresh one
//!                            └───▶ closed by the hub ─▶ CONNECT with a fresh one, or first with the stale one
//! ```
//!
//! Source: FIELD's account of the SDKs, and "Control access to IoT Hub using shared access signatures", Microsoft Learn.

use crate::azure::token;
use crate::base::{Secret, Time};
use crate::mqtt::packet::reason;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A device's tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Sas {
    /// The hub's host name, as user name and scope have it.
    pub hub: String,
    /// The key that tokens are signed with, decoded.
    pub key: Secret<Vec<u8>>,
    /// How long a token lives; its expiry is in whole seconds, rounded down.
    pub lifetime: Duration,
    /// When it is renewed.
    pub renew: Renew,
    /// Whether a device whose token has expired comes back with that one first, and makes a fresh one when the hub has
    /// refused it.
    pub stale_first: bool,
    /// The wall clock at the beginning of the run, since 1970-01-01 UTC; tokens expire by it.
    pub unix_at_start: Duration,
}

/// When a device renews its token while its link is up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Renew {
    /// So long before it expires; not more than its lifetime.
    Before(Duration),
    /// This share of its lifetime before it expires, above 0 and below 1.
    Share(f64),
    /// Not at all: it waits until the hub closes the link.
    Never,
}

/// The token of a device at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    text: Secret<String>,
    /// When it expires; by the whole second.
    pub expires: Time,
    pub renew_at: Option<Time>,
}

impl Sas {
    /// `{hub}/{device}/?api-version=...&DeviceClientType=...`
    pub(super) fn username(&self, device: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!("{}/{device}/?api-version=2021-04-12&DeviceClientType=brownout%2F{version}", self.hub)
    }

    /// A fresh one.
    fn make(&self, device: &str, now: Time) -> Token {
        let expires = (self.unix_at_start + now.elapsed() + self.lifetime).as_secs();
        let text = token::sign(&self.key, &self.hub, device, expires);
        let expires = Time::ZERO + Duration::from_secs(expires).saturating_sub(self.unix_at_start);
        let renew_at = self.renew.margin(self.lifetime).map(|margin| expires - margin);
        // A token that is due for renewal as soon as it is made would never let the device rest.
        let renew_at = renew_at.map(|at| at.max(now + super::backoff::LEAST_DELAY));
        Token { text: Secret(text), expires, renew_at }
    }

    /// The token for a CONNECT at `now`: the one at hand as long as it serves.
    pub(super) fn for_connect(&self, held: Option<Token>, device: &str, now: Time) -> Token {
        let serves = |token: &Token| {
            let is_due = token.renew_at.is_some_and(|at| at <= now);
            !is_due && (token.expires > now || self.stale_first)
        };
        held.filter(serves).unwrap_or_else(|| self.make(device, now))
    }
}

impl Token {
    pub(super) fn password(&self) -> Secret<Vec<u8>> {
        Secret(self.text.as_bytes().to_vec())
    }
}

/// Whether a CONNACK with this code says that the token is no good.
pub(super) fn refuses_token(code: u8) -> bool {
    [
        reason::v3::NOT_AUTHORIZED,
        reason::v3::BAD_USER_NAME_OR_PASSWORD,
        reason::NOT_AUTHORIZED,
        reason::BAD_USER_NAME_OR_PASSWORD,
    ]
    .contains(&code)
}

impl Renew {
    fn margin(self, lifetime: Duration) -> Option<Duration> {
        match self {
            Renew::Before(margin) => Some(margin),
            Renew::Share(share) => Some(lifetime.mul_f64(share.clamp(0.0, 1.0))),
            Renew::Never => None,
        }
    }
}

impl Default for Renew {
    /// At 80 % of its lifetime, as the C SDK of Azure.
    fn default() -> Renew {
        Renew::Share(0.2)
    }
}

impl fmt::Display for Renew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Renew::Before(margin) => f.write_str(&crate::base::span::show_fixed(*margin)),
            Renew::Share(share) => write!(f, "{}%", share * 100.0),
            Renew::Never => f.write_str("never"),
        }
    }
}

impl FromStr for Renew {
    type Err = String;

    /// `2m`, `20%`, `never`
    fn from_str(text: &str) -> Result<Renew, String> {
        if text == "never" {
            return Ok(Renew::Never);
        }
        let Some(percent) = text.strip_suffix('%') else {
            return crate::base::span::parse_fixed(text).map(Renew::Before);
        };
        match percent.trim().parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(Renew::Share(percent / 100.0)),
            Ok(_) | Err(_) => Err(format!(
                "`{text}` is no part of a lifetime; write a time such as 2m, a part above 0% and below 100%, or never"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_a_part_or_never() {
        for text in ["2m", "20%", "12.5%", "never"] {
            assert_eq!(text.parse::<Renew>().unwrap().to_string(), text);
        }
        for text in ["0%", "100%", "x%", "soon", "5"] {
            assert!(text.parse::<Renew>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_expires_at_a_whole_second_of_the_wall_clock() {
        let sas = Sas {
            hub: "lab".into(),
            key: Secret(b"secret".to_vec()),
            lifetime: Duration::from_secs(10),
            renew: Renew::Share(0.5),
            stale_first: false,
            unix_at_start: Duration::from_millis(1_700_000_000_400),
        };
        let made = sas.make("d", Time::from_millis(1_700));
        let password = String::from_utf8(made.password().0).unwrap();
        assert!(password.ends_with("&se=1700000012"), "{password}");
        assert_eq!(made.expires, Time::from_millis(11_600));
        assert_eq!(made.renew_at, Some(Time::from_millis(6_600)));
        assert!(!format!("{made:?}").contains("sig="), "the token is not shown");
    }
}
