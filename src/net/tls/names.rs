//! What a certificate says of itself, as text that may be shown.
//!
//! Everything here comes from peers: it is bounded by the handshake message that it came in, and printable.

use crate::base::text::printable;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use time::OffsetDateTime;
use x509_parser::asn1_rs::Tag;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name, X509Version};

mod explain;

pub use explain::explain;

/// How near its end a certificate is worth a warning, in seconds: 14 days.
const SOON: i64 = 14 * 24 * 60 * 60;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The subject, as RFC 4514 writes it: `CN=sensor-1,O=Example`. Empty where it has none.
    pub subject: String,
    /// The common name of the subject as it is, so not always printable; the last where there are several (RFC 4514
    /// writes that one first).
    pub common_name: Option<String>,
    /// The issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// The DNS names and addresses that it is for (subjectAltName).
    pub names: Vec<String>,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when it is valid, in seconds since 1970.
    pub not_after: i64,
    /// Whether it is a CA's (basicConstraints).
    pub is_ca: bool,
    /// Whether it is of X.509 version 1, which has no extensions.
    pub is_old: bool,
}

impl Certificate {
    /// Reads it; `None` where it is no X.509.
    pub fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let names = read.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        Some(Certificate {
            subject: rfc4514(read.subject()),
            common_name: read.subject().iter_common_name().last().and_then(text),
            issuer: rfc4514(read.issuer()),
            names: names.unwrap_or_default(),
            not_before: read.validity().not_before.timestamp(),
            not_after: read.validity().not_after.timestamp(),
            is_ca: read.is_ca(),
            is_old: read.version() == X509Version::V1,
        })
    }

    /// Whether it names its own subject as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// A warning where it is expired, not valid yet, or ends within 14 days; `what` says whose it is.
    pub(super) fn trouble_with_time(&self, now: OffsetDateTime, what: &str) -> Option<String> {
        let now = now.unix_timestamp();
        let (from, until) = (moment(self.not_before), moment(self.not_after));
        if now > self.not_after {
            Some(format!("{what} has expired: it was valid until {until}"))
        } else if now < self.not_before {
            Some(format!("{what} is not valid yet: it will be from {from}"))
        } else if self.not_after - now <= SOON {
            Some(format!("{what} ends soon: it is valid until {until}"))
        } else {
            None
        }
    }
}

/// A moment as certificates are talked about: `2026-11-21 02:50 UTC`.
pub fn moment(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        // No server and no device is asked for by these.
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}

/// A distinguished name, its last part first (RFC 4514 section 2.1).
fn rfc4514(name: &X509Name<'_>) -> String {
    let parts: Vec<&_> = name.iter_rdn().collect();
    let texts = parts.iter().rev().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"));
    texts.collect::<Vec<_>>().join(",")
}

/// The names of RFC 4514 section 3; and three that are common in devices' certificates, as OpenSSL writes them.
const NAMES: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.5", "serialNumber"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.46", "dnQualifier"),
];

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let known = NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
    match (known, text(attribute)) {
        (Some(name), Some(value)) => format!("{name}={}", escaped(&value)),
        (known, _) => format!("{}=#{}", known.unwrap_or(&oid), encoded(attribute)),
    }
}

/// The value as text; `None` where it is of a type that holds none.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    if value.tag() == Tag::BmpString {
        let units: Vec<u16> =
            value.data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        return String::from_utf16(&units).ok();
    }
    attribute.as_str().ok().map(ToOwned::to_owned)
}

/// The value in hexadecimal, tag and length first (RFC 4514 section 2.4).
fn encoded(attribute: &AttributeTypeAndValue<'_>) -> String {
    use x509_parser::asn1_rs::ToDer;
    let der = attribute.attr_value().to_der_vec().unwrap_or_default();
    der.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The value with what has a meaning in RFC 4514, or shows nothing, escaped.
fn escaped(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let is_edge = (at == 0 && matches!(c, ' ' | '#')) || (at == last && c == ' ');
        let mut bytes = [0; 4];
        let alone = c.encode_utf8(&mut bytes);
        if is_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            shown.push('\\');
            shown.push(c);
        } else if printable(alone) == *alone {
            shown.push(c);
        } else {
            for byte in alone.bytes() {
                let _ = write!(shown, "\\{byte:02X}");
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn made(name: &[(DnType, &str)]) -> Certificate {
        let mut parameters = CertificateParams::new(vec!["a.example".into(), "10.0.0.1".into()]).unwrap();
        parameters.distinguished_name = DistinguishedName::new();
        for (kind, value) in name {
            parameters.distinguished_name.push(kind.clone(), *value);
        }
        let der = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().into();
        Certificate::read(&der).unwrap()
    }

    #[test]
    fn subjects_are_written_as_rfc_4514_does() {
        let certificate = made(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Sue, Grabbit and Runn"),
            (DnType::CommonName, "#1\n\u{202e}Ä "),
        ]);
        let subject = "CN=\\#1\\0A\\E2\\80\\AEÄ\\ ,O=Sue\\, Grabbit and Runn,C=DE";
        assert_eq!(certificate.subject, subject);
        assert_eq!(certificate.issuer, subject);
        assert!(certificate.is_self_issued() && !certificate.is_ca && !certificate.is_old);
        assert_eq!(certificate.common_name.as_deref(), Some("#1\n\u{202e}Ä "));
        assert_eq!(certificate.names, ["a.example", "10.0.0.1"]);
        let other = made(&[(DnType::CustomDnType(vec![1, 2, 3, 4]), "x")]);
        assert_eq!(other.subject, "1.2.3.4=#0c0178");
        assert_eq!(other.common_name, None);
    }

    #[test]
    fn times_are_warned_of() {
        let mut certificate = made(&[(DnType::CommonName, "x")]);
        (certificate.not_before, certificate.not_after) = (1_000_000, 10_000_000);
        let at = |seconds| {
            let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            certificate.trouble_with_time(now, "it")
        };
        assert_eq!(at(999_999).unwrap(), "it is not valid yet: it will be from 1970-01-12 13:46 UTC");
        assert_eq!(at(1_000_000), None);
        assert_eq!(at(10_000_000 - SOON - 1), None);
        assert_eq!(at(10_000_000 - SOON).unwrap(), "it ends soon: it is valid until 1970-04-26 17:46 UTC");
        assert_eq!(at(10_000_001).unwrap(), "it has expired: it was valid until 1970-04-26 17:46 UTC");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Certificate::read(&bytes.into());
        }

        #[test]
        fn no_change_of_a_certificate_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut der = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap().cert.der().to_vec();
            let at = at.index(der.len());
            der[at] = byte;
            if let Some(read) = Certificate::read(&der.into()) {
                prop_assert_eq!(printable(&read.subject), read.subject);
                prop_assert_eq!(printable(&read.names.join(",")), read.names.join(","));
            }
        }
    }
}
