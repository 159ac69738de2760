//! SAS tokens: `SharedAccessSignature sr=...&sig=...&se=EPOCH[&skn=...]`, fields in any order. When one expires, and how one
//! is signed.
//!
//! Source: "Control access to IoT Hub using shared access signatures", Microsoft Learn.

use super::url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What a token begins with.
pub const SCHEME: &str = "SharedAccessSignature ";

/// When the token in a password expires, in seconds since 1970; `None` where it is no SAS token, or has no expiry that
/// can be read. The signature is not looked at.
pub fn expiry(password: &[u8]) -> Option<u64> {
    let fields = std::str::from_utf8(password).ok()?.strip_prefix(SCHEME)?;
    fields.split('&').find_map(|field| field.strip_prefix("se=")?.parse().ok())
}

/// What of a token is signed: the scope and the expiry, both as they stand in it.
pub fn signed(scope: &str, expires: &str) -> String {
    format!("{scope}\n{expires}")
}

/// The key of a connection string (`SharedAccessKey`), from Base64.
///
/// # Errors
/// It is not Base64, in words that do not show it.
pub fn key(base64: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(base64.trim()).map_err(|_| {
        "the key is not Base64; give it as the portal and connection strings have it (SharedAccessKey)".into()
    })
}

/// A device's own token, signed with its key (HMAC-SHA256). `expires` is in seconds since 1970.
pub fn sign(key: &[u8], hub: &str, device: &str, expires: u64) -> String {
    let scope = url::encode(&format!("{hub}/devices/{device}"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = hmac::sign(&key, signed(&scope, &expires.to_string()).as_bytes());
    let signature = url::encode(&STANDARD.encode(signature));
    format!("{SCHEME}sr={scope}&sig={signature}&se={expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_found_in_any_place() {
        for (password, expected) in [
            ("SharedAccessSignature sr=hub%2Fdevices%2Fa&sig=x%3D&se=1700000000", Some(1_700_000_000)),
            ("SharedAccessSignature se=7&sr=hub&sig=x", Some(7)),
            ("SharedAccessSignature se=7&sr=hub&sig=x&skn=", Some(7)),
            ("SharedAccessSignature sr=hub&sig=se=5", None),
            ("SharedAccessSignature sr=hub&sig=x&se=soon", None),
            ("SharedAccessSignature sr=hub&sig=x&se=-1", None),
            ("SharedAccessSignature sr=hub&sig=x&se=99999999999999999999", None),
            ("sharedaccesssignature se=7", None),
            ("se=7", None),
            ("", None),
        ] {
            assert_eq!(expiry(password.as_bytes()), expected, "{password}");
        }
        assert_eq!(expiry(b"SharedAccessSignature \xff&se=7"), None);
    }

    #[test]
    fn a_token_is_signed_over_scope_and_expiry() {
        // The signature is that of `openssl dgst -sha256 -hmac secret` over the two lines.
        let token = sign(b"secret", "lab.azure-devices.net", "d 1", 1_700_000_000);
        let (scope, rest) = token.split_once("&sig=").unwrap();
        assert_eq!(scope, "SharedAccessSignature sr=lab.azure-devices.net%2Fdevices%2Fd%201");
        assert_eq!(rest, "Pbe71HYAbpB%2BvQbiDupqxPEe0QCn61ws0YsXraFV0RE%3D&se=1700000000");
        assert_eq!(expiry(token.as_bytes()), Some(1_700_000_000));
    }

    #[test]
    fn a_key_is_base64_and_never_shown() {
        assert_eq!(key(" c2VjcmV0\n"), Ok(b"secret".to_vec()));
        let told = key("hunter2!").unwrap_err();
        assert!(!told.contains("hunter2"), "{told}");
    }
}
