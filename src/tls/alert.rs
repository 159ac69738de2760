//! TLS alerts by name and number (RFC 8446 section 6, RFC 5246 section 7.2, IANA's registry).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The description of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Alert(pub u8);

macro_rules! alerts {
    ($($name:ident = $code:literal, $word:literal;)*) => {
        impl Alert {
            $(#[doc = concat!("`", $word, "`")] pub const $name: Alert = Alert($code);)*

            /// All that are registered, by number.
            pub const ALL: &[Alert] = &[$(Alert::$name),*];

            /// Its registered name; `None` for a number that has none.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($code => Some($word),)* _ => None }
            }
        }
    };
}

alerts! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl Alert {
    /// The level that it is sent with: 1 (warning) for the two that only close, 2 (fatal) for all others.
    pub fn level(self) -> u8 {
        if matches!(self, Alert::CLOSE_NOTIFY | Alert::USER_CANCELED | Alert::NO_RENEGOTIATION) {
            1
        } else {
            2
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Alert {
    type Err = String;
    fn from_str(text: &str) -> Result<Alert, String> {
        let named = Alert::ALL.iter().copied().find(|alert| alert.name() == Some(text));
        named.or_else(|| text.parse().ok().map(Alert)).ok_or_else(|| {
            format!(
                "`{text}` is no TLS alert; write a name of RFC 8446 such as `handshake_failure`, or 0 to 255"
            )
        })
    }
}

impl From<Alert> for String {
    fn from(alert: Alert) -> String {
        alert.to_string()
    }
}

impl TryFrom<String> for Alert {
    type Error = String;
    fn try_from(text: String) -> Result<Alert, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_is_read_as_it_is_shown() {
        for code in 0..=u8::MAX {
            let alert = Alert(code);
            assert_eq!(alert.to_string().parse(), Ok(alert));
        }
        assert_eq!("handshake_failure".parse(), Ok(Alert(40)));
        assert!("handshake-failure".parse::<Alert>().unwrap_err().contains("handshake_failure"));
        assert!("256".parse::<Alert>().is_err());
    }
}
