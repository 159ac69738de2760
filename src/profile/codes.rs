//! Codes of MQTT by word: what `reject` and `disconnect` take. The words are made of the names of the specification.

use crate::fault::ConnackCode;
use crate::mqtt::packet::reason;
use reason::v3;

/// The refusals of a CONNECT, with what each is in MQTT 3.1 and 3.1.1 (a return code, section 3.2.2.3) and in MQTT 5 (a
/// reason code, section 3.2.2.2). Before MQTT 5 there are five; the others are told with the nearest.
const REFUSALS: [(&str, u8, u8); 10] = [
    ("unsupported_version", v3::UNACCEPTABLE_PROTOCOL, reason::UNSUPPORTED_PROTOCOL_VERSION),
    ("identifier_rejected", v3::IDENTIFIER_REJECTED, reason::CLIENT_IDENTIFIER_NOT_VALID),
    ("server_unavailable", v3::SERVER_UNAVAILABLE, reason::SERVER_UNAVAILABLE),
    ("bad_credentials", v3::BAD_USER_NAME_OR_PASSWORD, reason::BAD_USER_NAME_OR_PASSWORD),
    ("not_authorized", v3::NOT_AUTHORIZED, reason::NOT_AUTHORIZED),
    ("server_busy", v3::SERVER_UNAVAILABLE, reason::SERVER_BUSY),
    ("banned", v3::NOT_AUTHORIZED, reason::BANNED),
    ("quota_exceeded", v3::SERVER_UNAVAILABLE, reason::QUOTA_EXCEEDED),
    ("connection_rate_exceeded", v3::SERVER_UNAVAILABLE, reason::CONNECTION_RATE_EXCEEDED),
    ("use_another_server", v3::SERVER_UNAVAILABLE, reason::USE_ANOTHER_SERVER),
];

/// The reason codes that a DISCONNECT may carry (MQTT 5, section 3.14.2.1).
pub(super) const DISCONNECTS: [(&str, u8); 29] = [
    ("normal_disconnection", reason::SUCCESS),
    ("disconnect_with_will_message", reason::DISCONNECT_WITH_WILL),
    ("unspecified_error", reason::UNSPECIFIED_ERROR),
    ("malformed_packet", reason::MALFORMED_PACKET),
    ("protocol_error", reason::PROTOCOL_ERROR),
    ("implementation_specific_error", reason::IMPLEMENTATION_SPECIFIC_ERROR),
    ("not_authorized", reason::NOT_AUTHORIZED),
    ("server_busy", reason::SERVER_BUSY),
    ("server_shutting_down", reason::SERVER_SHUTTING_DOWN),
    ("keep_alive_timeout", reason::KEEP_ALIVE_TIMEOUT),
    ("session_taken_over", reason::SESSION_TAKEN_OVER),
    ("topic_filter_invalid", reason::TOPIC_FILTER_INVALID),
    ("topic_name_invalid", reason::TOPIC_NAME_INVALID),
    ("receive_maximum_exceeded", reason::RECEIVE_MAXIMUM_EXCEEDED),
    ("topic_alias_invalid", reason::TOPIC_ALIAS_INVALID),
    ("packet_too_large", reason::PACKET_TOO_LARGE),
    ("message_rate_too_high", reason::MESSAGE_RATE_TOO_HIGH),
    ("quota_exceeded", reason::QUOTA_EXCEEDED),
    ("administrative_action", reason::ADMINISTRATIVE_ACTION),
    ("payload_format_invalid", reason::PAYLOAD_FORMAT_INVALID),
    ("retain_not_supported", reason::RETAIN_NOT_SUPPORTED),
    ("qos_not_supported", reason::QOS_NOT_SUPPORTED),
    ("use_another_server", reason::USE_ANOTHER_SERVER),
    ("server_moved", reason::SERVER_MOVED),
    ("shared_subscriptions_not_supported", reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
    ("connection_rate_exceeded", reason::CONNECTION_RATE_EXCEEDED),
    ("maximum_connect_time", reason::MAXIMUM_CONNECT_TIME),
    ("subscription_identifiers_not_supported", reason::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED),
    ("wildcard_subscriptions_not_supported", reason::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
];

/// The refusal of this word.
pub(super) fn refusal(word: &str) -> Option<ConnackCode> {
    let (_, return_code, reason_code) = REFUSALS.into_iter().find(|(known, ..)| *known == word)?;
    Some(ConnackCode { return_code, reason_code })
}

/// The word of a refusal, or its numbers.
pub(crate) fn refusal_word(code: ConnackCode) -> String {
    let found = REFUSALS.into_iter().find(|(_, return_code, reason_code)| {
        (*return_code, *reason_code) == (code.return_code, code.reason_code)
    });
    found.map_or_else(
        || format!("{}/0x{:02x}", code.return_code, code.reason_code),
        |(word, ..)| word.to_owned(),
    )
}

/// The reason code of this word, or of this number: 0 to 255, also `0x8b`.
pub(super) fn disconnect(text: &str) -> Option<u8> {
    DISCONNECTS.into_iter().find(|(word, _)| *word == text).map(|(_, code)| code).or_else(|| byte(text))
}

/// The word of a reason code of DISCONNECT, or its number.
pub(crate) fn disconnect_word(code: u8) -> String {
    let found = DISCONNECTS.into_iter().find(|(_, known)| *known == code);
    found.map_or_else(|| format!("0x{code:02x}"), |(word, _)| word.to_owned())
}

/// A number of one byte, decimal or hexadecimal.
pub(super) fn byte(text: &str) -> Option<u8> {
    match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u8::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|digit| digit.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slip in a row would send another code than the word says.
    #[test]
    fn words_are_the_names_of_the_specification() {
        let named = |code| reason::name(code).unwrap().to_ascii_lowercase().replace(' ', "_");
        for (word, code) in DISCONNECTS.into_iter().skip(1) {
            assert_eq!(word, named(code));
        }
        for (word, _, code) in REFUSALS {
            let word = match word {
                "unsupported_version" => "unsupported_protocol_version",
                "identifier_rejected" => "client_identifier_not_valid",
                "bad_credentials" => "bad_user_name_or_password",
                same => same,
            };
            assert_eq!(word, named(code));
        }
        assert_eq!(disconnect("normal_disconnection"), Some(0));
        assert_eq!(refusal("banned"), Some(ConnackCode { return_code: 5, reason_code: 0x8a }));
    }

    #[test]
    fn numbers_of_one_byte() {
        for (text, code) in [
            ("0", Some(0)),
            ("255", Some(255)),
            ("256", None),
            ("0x8b", Some(0x8b)),
            ("0xff", Some(255)),
            ("0x100", None),
            ("0x", None),
            ("0x+1", None),
            ("+1", None),
            ("", None),
        ] {
            assert_eq!(byte(text), code, "{text}");
        }
        assert_eq!(disconnect("0x8b"), disconnect("server_shutting_down"));
        assert_eq!(
            (disconnect_word(0x8b), disconnect_word(0x42)),
            ("server_shutting_down".into(), "0x42".into())
        );
        let odd = ConnackCode { return_code: 3, reason_code: 0x80 };
        assert_eq!(refusal_word(odd), "3/0x80");
    }
}
