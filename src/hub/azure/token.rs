//! SAS tokens: `SharedAccessSignature sr={scope}&sig={signature}&se={expiry}[&skn={policy}]`, fields in any order.
//!
//! Source: "Control access to IoT Hub using shared access signatures", Microsoft Learn. No error shows the signature.

use super::name::Name;
use crate::azure::token::{SCHEME, signed};
use crate::azure::url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// A token, taken apart and not checked.
#[derive(PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The scope as it stands in the token: what is signed.
    raw_scope: &'a str,
    scope: String,
    signature: String,
    /// The expiry as it stands in the token: what is signed.
    raw_expires: &'a str,
    /// Seconds since 1970.
    pub expires: u64,
    /// Whether it is of a policy of the hub (`skn`), and not of the device itself.
    of_policy: bool,
}

/// Reads a token.
pub(super) fn parse(password: &[u8]) -> Result<Token<'_>, String> {
    let text = std::str::from_utf8(password).map_err(|_| "the password is not text")?;
    let fields =
        text.strip_prefix(SCHEME).ok_or("the password does not begin with `SharedAccessSignature `")?;
    let (mut sr, mut sig, mut se, mut skn) = (None, None, None, None);
    for field in fields.split('&') {
        let (name, value) = field.split_once('=').ok_or("a field of the token has no `=`")?;
        let place = match name {
            "sr" => &mut sr,
            "sig" => &mut sig,
            "se" => &mut se,
            "skn" => &mut skn,
            other => return Err(format!("the token has a field `{other}`; sr, sig, se and skn are known")),
        };
        if place.replace(value).is_some() {
            return Err(format!("the token has `{name}` twice"));
        }
    }
    let raw_scope = sr.ok_or("the token has no `sr`")?;
    let raw_expires = se.ok_or("the token has no `se`")?;
    let expires = raw_expires.parse();
    Ok(Token {
        raw_scope,
        scope: url::decode(raw_scope).ok_or("the token's `sr` is not URL-encoded text")?,
        signature: url::decode(sig.ok_or("the token has no `sig`")?)
            .ok_or("the token's `sig` is not URL-encoded")?,
        raw_expires,
        expires: expires
            .map_err(|_| format!("the token's `se={raw_expires}` is no count of seconds since 1970"))?,
        of_policy: skn.is_some_and(|policy| !policy.is_empty()),
    })
}

impl Token<'_> {
    /// Whether it is for this device at this hub: `{hub}/devices/{device}`, of a policy also `{hub}` and
    /// `{hub}/devices`. Hubs' names are the same in any case, devices' are not.
    pub fn check_scope(&self, name: &Name<'_>) -> Result<(), String> {
        let mut parts = self.scope.splitn(4, '/');
        let (hub, kind, device) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let of_this_hub = hub.eq_ignore_ascii_case(name.hub);
        let of_this_device = match (kind, device) {
            (Some("devices"), Some(device)) => device == name.device,
            (None, None) | (Some("devices"), None) => self.of_policy,
            (_, _) => false,
        };
        if of_this_hub && of_this_device {
            return Ok(());
        }
        Err(format!("the token is for `{}`, not for `{}/devices/{}`", self.scope, name.hub, name.device))
    }

    /// Whether the key made its signature: HMAC-SHA256 over `{sr}\n{se}`, both as they stand in the token.
    pub fn check_signature(&self, key: &[u8]) -> Result<(), String> {
        let signature = STANDARD.decode(&self.signature).map_err(|_| "the token's `sig` is not Base64")?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let signed = signed(self.raw_scope, self.raw_expires);
        hmac::verify(&key, signed.as_bytes(), &signature)
            .map_err(|_| "the token's signature is not of this hub's key".to_owned())
    }
}
