//! The expiry of a SAS token: `SharedAccessSignature sr=...&sig=...&se=EPOCH`, fields in any order.
//!
//! Source: "Control access to IoT Hub using shared access signatures", Microsoft Learn.

const SCHEME: &str = "SharedAccessSignature ";

/// When the token in a password expires, in seconds since 1970; `None` where it is no SAS token, or has no expiry that
/// can be read. The signature is not looked at.
pub fn expiry(password: &[u8]) -> Option<u64> {
    let fields = std::str::from_utf8(password).ok()?.strip_prefix(SCHEME)?;
    fields.split('&').find_map(|field| field.strip_prefix("se=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_found_in_any_place() {
        for (password, expected) in [
            ("SharedAccessSignature sr=hub%2Fdevices%2Fa&sig=x%3D&se=1700000000", Some(1_700_000_000)),
            ("SharedAccessSignature se=7&sr=hub&sig=x", Some(7)),
            ("SharedAccessSignature sr=hub&sig=se=5", None),
            ("SharedAccessSignature sr=hub&sig=x&se=soon", None),
            ("se=7", None),
            ("", None),
        ] {
            assert_eq!(expiry(password.as_bytes()), expected, "{password}");
        }
        assert_eq!(expiry(b"SharedAccessSignature \xff&se=7"), None);
    }
}
