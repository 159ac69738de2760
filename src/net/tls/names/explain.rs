//! Why a handshake failed, and the way out, in words.

use super::{Certificate, moment};
use crate::base::Side;
use crate::base::text::printable;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible};

/// The words for a failed handshake.
///
/// `peer` is the certificate that was refused, where one was ([`refused`](crate::net::tls::refused)); `wanted` the name
/// that it had to be for; `side` the peer's: [`Side::Hub`] where brownout is the client. An alert of the peer's is its end, and
/// no failure here: the findings say what is meant by it.
pub fn explain(error: &Error, peer: Option<&CertificateDer<'_>>, wanted: &str, side: Side) -> String {
    let wanted = printable(wanted);
    match error {
        Error::InvalidCertificate(problem) => {
            let certificate = peer.and_then(Certificate::read);
            match side {
                Side::Hub => of_hub(problem, certificate.as_ref(), &wanted),
                Side::Device => of_device(problem, certificate.as_ref()),
            }
        }
        Error::NoCertificatesPresented => match side {
            Side::Device => "the device presented no certificate, and has to: give it one, or ask for none \
                 (--client-certs none or request; client_certificates)"
                .to_owned(),
            Side::Hub => "the hub presented no certificate".to_owned(),
        },
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            no_tls(side)
        }
        Error::PeerIncompatible(problem) => incompatible(problem, side),
        Error::NoApplicationProtocol => match side {
            Side::Device => {
                "the device and the hub share no application protocol (ALPN): MQTT over TLS has `mqtt` or none, \
                 WebSocket `http/1.1`"
                    .to_owned()
            }
            Side::Hub => "the hub agreed to none of the application protocols (ALPN) that the device offered"
                .to_owned(),
        },
        other => format!("TLS with the {} failed: {}", end(side), printable(&other.to_string())),
    }
}

fn end(side: Side) -> &'static str {
    match side {
        Side::Device => "device",
        Side::Hub => "hub",
    }
}

fn no_tls(side: Side) -> String {
    match side {
        Side::Device => "what the device sent is no TLS: it speaks plain MQTT (or something else) on a TLS port; let it \
             connect with TLS, or give it a listener without"
            .to_owned(),
        Side::Hub => "what the hub answered is no TLS: that port speaks plain MQTT or something else; give the hub's TLS \
             port (mostly 8883, or 443 for WebSocket) with --upstream, or no TLS to the hub"
            .to_owned(),
    }
}

fn of_hub(problem: &CertificateError, certificate: Option<&Certificate>, wanted: &str) -> String {
    let insecure = "--hub-insecure (hub_verify: false)";
    match problem {
        CertificateError::UnknownIssuer => {
            let whose = match certificate {
                Some(certificate) if certificate.is_self_issued() => {
                    format!("is signed by itself ({}), and is not in the trusted CAs", certificate.subject)
                }
                Some(certificate) => {
                    format!("comes from `{}`, which is not among the trusted CAs", certificate.issuer)
                }
                None => "comes from a CA that is not trusted".to_owned(),
            };
            format!(
                "the hub's certificate {whose}: give its CA with --hub-ca FILE (hub_ca), or skip the check with {insecure}"
            )
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match (problem, certificate) {
                (_, Some(certificate)) if !certificate.names.is_empty() => {
                    format!("for {}", some_of(&certificate.names))
                }
                (CertificateError::NotValidForNameContext { presented, .. }, None)
                    if !presented.is_empty() =>
                {
                    let presented: Vec<_> = presented.iter().map(|name| printable(name)).collect();
                    format!("for {}", some_of(&presented))
                }
                (_, Some(certificate)) => format!(
                    "for no name: it has no subjectAltName (its subject, `{}`, does not count)",
                    certificate.subject
                ),
                (_, None) => "for another name".to_owned(),
            };
            format!(
                "the hub's certificate is {names}, and not for {wanted}: ask for one of its names with --hub-name NAME \
                 (hub_name), or skip the check with {insecure}"
            )
        }
        other => match times(other, certificate) {
            Some(times) => format!(
                "the hub's certificate {times}: renew it at the hub, set this machine's clock, or skip the check with \
                 {insecure}"
            ),
            None => format!(
                "the hub's certificate is refused: {}: {insecure} skips the check",
                because(other, certificate, ", or trust it as it is, by its own file in --hub-ca")
            ),
        },
    }
}

fn of_device(problem: &CertificateError, certificate: Option<&Certificate>) -> String {
    let whose = certificate.map_or(String::new(), |certificate| format!(" of `{}`", certificate.subject));
    let way_out = "leave out --client-ca (client_ca) to take any certificate";
    match problem {
        CertificateError::UnknownIssuer => {
            let issuer = certificate.map_or("a CA".to_owned(), |known| format!("`{}`", known.issuer));
            format!(
                "the device's certificate{whose} comes from {issuer}, which is not in the file of --client-ca: add that CA \
                 there, or {way_out}"
            )
        }
        CertificateError::BadSignature => format!(
            "the device presented a certificate{whose} whose key it does not have, or which its CA did not sign"
        ),
        other => match times(other, certificate) {
            Some(times) => format!(
                "the device's certificate{whose} {times}: renew it, set this machine's clock, or {way_out}"
            ),
            None => {
                format!(
                    "the device's certificate{whose} is refused: {}; {way_out}",
                    because(other, certificate, "")
                )
            }
        },
    }
}

/// What is wrong with its time, if that is wrong.
fn times(problem: &CertificateError, certificate: Option<&Certificate>) -> Option<String> {
    let seconds = |time: rustls::pki_types::UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let (words, told, own) = match problem {
        CertificateError::ExpiredContext { not_after, .. } => (
            "has expired: it was valid until",
            Some(seconds(*not_after)),
            certificate.map(|own| own.not_after),
        ),
        CertificateError::Expired => {
            ("has expired: it was valid until", None, certificate.map(|own| own.not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => (
            "is not valid yet: it will be from",
            Some(seconds(*not_before)),
            certificate.map(|own| own.not_before),
        ),
        CertificateError::NotValidYet => {
            ("is not valid yet: it will be from", None, certificate.map(|own| own.not_before))
        }
        _ => return None,
    };
    let when = told.or(own).map_or("an unknown time".to_owned(), moment);
    // The time that is told may be that of another certificate of the chain.
    let is_of_another = told.is_some() && own.is_some() && told != own;
    let whose = if is_of_another { "comes from a CA whose own certificate " } else { "" };
    Some(format!("{whose}{words} {when}"))
}

/// What else is wrong; `or_trust` is what else can be done about a CA's certificate.
fn because(problem: &CertificateError, certificate: Option<&Certificate>, or_trust: &str) -> String {
    if certificate.is_some_and(|known| known.is_old) {
        return "it is of X.509 version 1, which has no names and no extensions; make one of version 3 (openssl x509 -req \
                with -extfile)"
            .to_owned();
    }
    let is_other = matches!(problem, CertificateError::Other(_));
    if is_other && certificate.is_some_and(|known| known.is_ca) {
        return format!(
            "it is that of a CA (basicConstraints CA:TRUE), used as that of a server or device; make one with CA:FALSE{or_trust}"
        );
    }
    match problem {
        CertificateError::BadSignature => {
            "its signature is not that of the CA it names; often that CA was made anew under the same name, and the old one \
             is trusted"
                .to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage does not allow this".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that is not known".to_owned()
        }
        CertificateError::BadEncoding => "it cannot be read as X.509 version 3".to_owned(),
        other => printable(&other.to_string()),
    }
}

/// The names, the first ten of them.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        Some(0) | None => shown,
    }
}

fn incompatible(problem: &PeerIncompatible, side: Side) -> String {
    let end = end(side);
    match problem {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            format!("the {end} speaks neither TLS 1.2 nor TLS 1.3")
        }
        PeerIncompatible::NoCipherSuitesInCommon => format!(
            "the {end} knows none of brownout's cipher suites: those of TLS 1.3, and for TLS 1.2 ECDHE with AES-GCM or \
             ChaCha20-Poly1305; with TLS 1.2 the suite has to fit the certificate's key too (ECDSA or RSA)"
        ),
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            format!(
                "the {end} offers none of brownout's groups (X25519, P-256, P-384), or none at all, as who knows no cipher suite \
                 with ECDHE"
            )
        }
        // What is older than TLS 1.2 cannot name them (RFC 5246 section 7.4.1.4.1).
        PeerIncompatible::SignatureAlgorithmsExtensionRequired => format!(
            "the {end} names no signatures that it takes: it speaks neither TLS 1.2 nor TLS 1.3, or TLS 1.2 with SHA-1 alone"
        ),
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            format!(
                "the {end} takes no signature that the certificate's key can make; give a certificate with another kind of key"
            )
        }
        other => format!("the {end} cannot agree with brownout on TLS: {other:?}"),
    }
}
