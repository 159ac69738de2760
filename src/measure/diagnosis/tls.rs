//! Devices and hubs that do not take the TLS that brownout offers them.

use super::{Kind, Scene, many};
use crate::base::Side;
use crate::base::units::to_u64;
use crate::measure::finding::{Class, Finding, Grade};
use crate::tls::Alert;

pub(super) const REFUSED: Kind = Kind::new("tls-handshake-refused", Class::Recovery);
pub(super) const REFUSED_BY_HUB: Kind = Kind::new("hub-refuses-tls", Class::Recovery);

pub(super) fn findings(scene: &Scene<'_>) -> impl Iterator<Item = Finding> {
    scene.run.tls.refused.iter().map(|((side, alert), refusals)| {
        let times = usize::try_from(refusals.times).unwrap_or(usize::MAX);
        let (kind, what, (cause, advice)) = match side {
            Side::Device => {
                let what = format!("Devices ended {} with the alert {alert}.", many(times, "TLS handshake"));
                (&REFUSED, what, of_devices(*alert))
            }
            Side::Hub => {
                let links = many(times, "link");
                let what = format!("The hub ended {links} with the TLS alert {alert}, before any MQTT.");
                (&REFUSED_BY_HUB, what, of_hubs(*alert))
            }
        };
        let found = kind.found(Grade::Warn, None, what, refusals.seen.clone()).because(cause, advice);
        Finding { count: refusals.times.max(to_u64(found.evidence.len())), ..found }
    })
}

/// What a device means by it, and what to do.
fn of_devices(alert: Alert) -> (&'static str, &'static str) {
    match alert {
        Alert::UNKNOWN_CA | Alert::BAD_CERTIFICATE | Alert::CERTIFICATE_UNKNOWN => (
            "they do not trust the certificate that brownout showed, or it is not of the name that they dialled",
            "let them trust the CA of the listener (`brownout ca`, its `ca.pem`), or give the listener a certificate that \
             they trust, of the name that they dial (`certificate`, `key`)",
        ),
        Alert::CERTIFICATE_EXPIRED => (
            "by their clock, the certificate that brownout showed is not valid now",
            "look at their clocks, and at the dates of the listener's certificate",
        ),
        Alert::CERTIFICATE_REVOKED | Alert::UNSUPPORTED_CERTIFICATE => (
            "they take no certificate like the one that brownout showed",
            "give the listener a certificate that they take (`certificate`, `key`)",
        ),
        Alert::PROTOCOL_VERSION
        | Alert::HANDSHAKE_FAILURE
        | Alert::INSUFFICIENT_SECURITY
        | Alert::NO_APPLICATION_PROTOCOL => (
            "they and brownout have no version, cipher suite or protocol of TLS in common that they take",
            "look at what their TLS is set to: brownout speaks TLS 1.2 with ECDHE, and 1.3",
        ),
        _ => (
            "their TLS did not take what brownout sent; the alert's name says as much as they tell",
            "look at the log of their TLS",
        ),
    }
}

/// What a hub means by it, and what to do.
fn of_hubs(alert: Alert) -> (&'static str, &'static str) {
    match alert {
        Alert::CERTIFICATE_REQUIRED => {
            ("it wants a certificate of its client, and brownout showed none", SHOW_ONE)
        }
        // What servers of TLS 1.2 say where they are shown none (RFC 5246 section 7.4.6).
        Alert::HANDSHAKE_FAILURE => (
            "it wants a certificate of its client that brownout did not show, or they have no cipher suite in common",
            SHOW_ONE,
        ),
        Alert::UNKNOWN_CA
        | Alert::BAD_CERTIFICATE
        | Alert::CERTIFICATE_UNKNOWN
        | Alert::UNSUPPORTED_CERTIFICATE
        | Alert::CERTIFICATE_REVOKED
        | Alert::ACCESS_DENIED => (
            "it does not take the certificate that brownout showed it, or missed one",
            "show it one that it takes (`--hub-cert` and `--hub-key`, or `--hub-certs` for one a device)",
        ),
        Alert::CERTIFICATE_EXPIRED => (
            "by its clock, the certificate that brownout showed it is not valid now",
            "look at its clock, and at the dates of that certificate",
        ),
        Alert::UNRECOGNIZED_NAME => (
            "it has no certificate for the name that it was asked for",
            "ask for another (`--hub-name`, `hub_name`)",
        ),
        Alert::PROTOCOL_VERSION | Alert::INSUFFICIENT_SECURITY | Alert::NO_APPLICATION_PROTOCOL => (
            "it and brownout have no version, cipher suite or protocol of TLS in common that it takes",
            "look at what its TLS is set to: brownout speaks TLS 1.2 with ECDHE, and 1.3",
        ),
        _ => (
            "its TLS did not take what brownout sent; the alert's name says as much as it tells",
            "look at the log of the hub",
        ),
    }
}

/// Where a hub wants to know its client by a certificate.
const SHOW_ONE: &str = "show it one with `--hub-cert` and `--hub-key`, or `--hub-certs` for one a device \
    (`hub_certificate`, `hub_key`, `hub_certificates`)";
