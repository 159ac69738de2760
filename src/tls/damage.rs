//! What can happen to one TLS record on its way.

use serde::{Deserialize, Serialize};

/// What one TLS record suffers. Each is fatal for the connection (RFC 8446 section 5, RFC 5246 section 7.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// One bit of what is encrypted is flipped: the receiver finds a bad MAC.
    Mac,
    /// The content type is one that does not exist.
    Type,
    /// The length is more than a record may have.
    Length,
}

impl Damage {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Damage::Mac => "bad MAC",
            Damage::Type => "bad content type",
            Damage::Length => "bad length",
        }
    }
}
