//! TLS at a listener, and what rules and expectations need of it.

use super::fault::choice;
use super::fields::Fields;
use crate::profile::plan::{Plan, Route, TlsPlan};
use crate::profile::problem::{Found, Severity, Sink, Spot};
use crate::profile::reach::{About, Part, out_of_reach};
use crate::profile::tls::{TlsKey, TlsParts, TlsTrouble, Wording};

/// `tls` of a listener; `None` where something of it was wrong, and has been told.
pub(super) fn tls(listener: &Fields, sink: &mut Sink) -> Option<TlsPlan> {
    if !listener.has("tls") {
        return Some(TlsPlan::default());
    }
    let fields = listener.one("tls")?;
    let routes = fields.many("routes").iter().map(|route| {
        // Names are compared without regard to case (RFC 6066 section 3, RFC 4343): as lower case.
        Some(Route { sni: route.text("sni")?.to_ascii_lowercase(), upstream: route.text("upstream")? })
    });
    let parts = TlsParts {
        mode: choice(fields, "mode")?,
        certificate: fields.text("certificate"),
        key: fields.text("key"),
        ca: fields.text("ca"),
        client_certificates: given(fields, "client_certificates", choice),
        client_ca: fields.text("client_ca"),
        hub_ca: fields.text("hub_ca"),
        hub_name: fields.text("hub_name"),
        hub_verify: given(fields, "hub_verify", Fields::truth),
        hub_certificate: fields.text("hub_certificate"),
        hub_key: fields.text("hub_key"),
        hub_certificates: fields.text("hub_certificates"),
        routes: given(fields, "routes", |_, _| routes.collect()),
    };
    // What is given, and wrong in itself, has been told.
    let is_given = |key: TlsKey| fields.has(key.name(Wording::Profile));
    let is_sound = |trouble: &TlsTrouble| match trouble {
        TlsTrouble::Meaningless { .. } => true,
        TlsTrouble::Unpaired { missing, .. } => !is_given(*missing),
        TlsTrouble::NotAsked { .. } => {
            parts.client_certificates.is_some() || !is_given(TlsKey::ClientCertificates)
        }
    };
    for trouble in parts.troubles().into_iter().filter(is_sound) {
        let key = trouble.key().name(Wording::Profile);
        sink.error(fields.key_spot(key), trouble.message(Wording::Profile))
            .help(trouble.help(Wording::Profile));
    }
    Some(parts.plan())
}

/// The value of a key that is given; not its default.
fn given<'f, T>(
    fields: &'f Fields,
    key: &str,
    read: impl FnOnce(&'f Fields, &str) -> Option<T>,
) -> Option<T> {
    if fields.has(key) { read(fields, key) } else { None }
}

/// Tells what the plan asks of its own listeners and does not get.
pub(super) fn check_reach(plan: &Plan, fields: &Fields, sink: &mut Sink) {
    for found in out_of_reach(plan, &plan.listeners, Wording::Profile) {
        let mut tell = |spot: Spot| {
            let told: &mut Found = match found.severity {
                Severity::Error => sink.error(spot, found.message.as_str()),
                Severity::Note => sink.note(spot, found.message.as_str()),
            };
            told.help(found.help.as_str());
        };
        match found.about {
            About::Rule(id, part) => {
                if let Some(rule) = fields.many("rules").get(usize::from(id.0)) {
                    tell(spot(rule, part));
                }
            }
            About::Profile(key) => tell(fields.key_spot(key)),
            About::Metric(metric) => {
                let items = fields.many("expect").iter();
                items
                    .filter(|item| item.metric("metric") == Some(metric))
                    .for_each(|item| tell(item.value_spot("metric")));
            }
        }
    }
}

fn spot(rule: &Fields, part: Part) -> Spot {
    let (place, key) = match part {
        Part::After => (rule.one("when"), "after"),
        Part::Who(key) => (rule.one("who"), key),
        Part::Fault(key) => {
            let fault = rule.one("fault");
            match fault.filter(|fault| !fault.has(key)) {
                Some(fault) => (fault.all().find_map(|kind| fault.one(&kind.name)), key),
                None => (fault, key),
            }
        }
    };
    place.map_or_else(|| rule.spot(), |place| place.key_spot(key))
}
