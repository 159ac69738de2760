//! Devices that do not take the TLS that brownout offers them.

use super::{Kind, Scene, many};
use crate::base::units::to_u64;
use crate::measure::finding::{Class, Finding, Grade};
use crate::tls::Alert;

pub(super) const REFUSED: Kind = Kind::new("tls-handshake-refused", Class::Recovery);

pub(super) fn findings(scene: &Scene<'_>) -> impl Iterator<Item = Finding> {
    scene.run.tls.refused.iter().map(|(alert, refusals)| {
        let (cause, advice) = because(*alert);
        let times = usize::try_from(refusals.times).unwrap_or(usize::MAX);
        let what = format!("Devices ended {} with the alert {alert}.", many(times, "TLS handshake"));
        let found = REFUSED.found(Grade::Warn, None, what, refusals.seen.clone()).because(cause, advice);
        Finding { count: refusals.times.max(to_u64(found.evidence.len())), ..found }
    })
}

/// What a device means by it, and what to do.
fn because(alert: Alert) -> (&'static str, &'static str) {
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
