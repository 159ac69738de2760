//! TLS told in words: what a listener does, what a fault means for those that it meets.

use crate::base::Side;
use crate::event::TlsMode;
use crate::fault::{Close, HandshakeFault, RecordFault, TlsHandshake, TlsRecord};
use crate::profile::plan::{ClientCertificates, ListenerPlan, Plan, TlsPlan};
use crate::profile::problem::Severity;
use crate::profile::reach::out_of_reach;
use crate::profile::tls::{TlsParts, Wording, mode_word};
use crate::tls::Alert;

/// What of TLS holds at a listener; nothing where there is none.
pub(super) fn listener(tls: &TlsPlan) -> Vec<String> {
    let mut told = Vec::new();
    match tls.mode {
        TlsMode::None => return told,
        TlsMode::Passthrough => told.push(
            "TLS passed through: brownout has no keys. It sees connects, ends, the server name that is asked for, \
             and when how many bytes pass, but no MQTT packet; it knows devices by address."
                .into(),
        ),
        TlsMode::Terminate => told.push("TLS with devices, plain to the hub.".into()),
        TlsMode::Reoriginate => told.push("TLS with devices, and TLS again to the hub.".into()),
        TlsMode::Originate => told.push("Plain with devices, TLS to the hub.".into()),
    }
    match (&tls.certificate, &tls.ca) {
        (Some(certificate), None) => told.push(format!("Devices are shown the certificate of {certificate}.")),
        (Some(certificate), Some(ca)) => told.push(format!(
            "Devices are shown the certificate of {certificate}; those of certificate faults are made by the CA in {ca}."
        )),
        (None, Some(ca)) => told.push(format!(
            "Devices are shown a certificate for the name that they ask for, made by the CA in {ca}, which they have \
             to trust."
        )),
        (None, None) => {}
    }
    match tls.client_certificates {
        ClientCertificates::None => {}
        ClientCertificates::Request => told.push("Devices may present a certificate.".into()),
        ClientCertificates::Require => told.push("Devices have to present a certificate.".into()),
    }
    if tls.hub_unverified {
        told.push("The hub's certificate is not verified.".into());
    }
    for route in &tls.routes {
        told.push(format!("Who asks for a name like `{}` is led to {}.", route.sni, route.upstream));
    }
    told
}

/// What a plan without listeners needs of the one that the command line names.
pub(super) fn needed(plan: &Plan) -> Option<String> {
    let fits = |mode: &TlsMode| {
        let asks = mode.serves().then_some(ClientCertificates::Request);
        let tls = TlsParts { mode: *mode, client_certificates: asks, ..TlsParts::default() }.plan();
        let (name, listen, upstream) = ("main".to_owned(), String::new(), String::new());
        let listener = ListenerPlan { name, listen, upstream, tls };
        let found = out_of_reach(plan, &[listener], Wording::CommandLine);
        found.iter().all(|found| found.severity != Severity::Error)
    };
    if fits(&TlsMode::None) {
        return None;
    }
    let modes = [TlsMode::Passthrough, TlsMode::Terminate, TlsMode::Reoriginate, TlsMode::Originate];
    let modes = modes.iter().filter(|mode| fits(mode));
    let modes: Vec<String> = modes.map(|mode| format!("`--tls {}`", mode_word(*mode))).collect();
    let asked = plan.rules.iter().any(|rule| rule.who.subject.is_some());
    let asked = if asked { ", and `--client-certs request` or `require`" } else { "" };
    Some(format!("Needs TLS: run it with {}{asked}.", modes.join(" or ")))
}

/// What close_notify has to do with a FIN; nothing where no listener is known to have TLS.
pub(super) fn close(close: &Close, plan: &Plan) -> Vec<String> {
    let mut told = Vec::new();
    let modes = || plan.listeners.iter().map(|listener| listener.tls.mode);
    let is_own = |mode: TlsMode| {
        close.toward.hits(Side::Device) && mode.serves() || close.toward.hits(Side::Hub) && mode.dials()
    };
    if !close.close_notify {
        told.push(
            "A leg with TLS of brownout's own gets no close_notify: its end cannot tell the close from a cut.".into(),
        );
    } else if modes().any(is_own) {
        told.push("Where the leg has TLS of brownout's own, close_notify goes before FIN.".into());
    }
    if modes().any(|mode| mode == TlsMode::Passthrough) {
        told.push("Where TLS is passed through, no close_notify can be sent: that takes its keys.".into());
    }
    told
}

/// What a handshake fault means for those that come.
pub(super) fn handshake(fault: &TlsHandshake) -> Vec<String> {
    let mut told = vec![
        "It falls on every handshake that begins meanwhile, by listener, address and server name: which client it \
         is, only CONNECT would say, which comes later. Links that are up stay up."
            .to_owned(),
    ];
    match fault.what {
        HandshakeFault::Stall(_) => {
            told.push("When it is over, the handshakes that still wait go on.".into());
        }
        HandshakeFault::Certificate(_) => {
            told.push("A device that takes it all the same does not check certificates.".into());
        }
        HandshakeFault::Abort(_) | HandshakeFault::Alert(_) => {}
    }
    told
}

/// What a sound end makes of an alert (RFC 8446 sections 6.1 and 6.2).
pub(super) fn alert(alert: Alert) -> &'static str {
    if alert.level() == 1 {
        "This alert says goodbye, not that something is wrong; the FIN ends the link."
    } else {
        "A fatal alert ends the connection at once, and whoever gets it answers nothing."
    }
}

/// What a sound receiver makes of a damaged record.
pub(super) fn record(fault: &TlsRecord) -> String {
    match fault.what {
        RecordFault::Damaged(_) => {
            "Records after it pass as they are. A sound receiver answers with a fatal alert and ends the connection.".into()
        }
        RecordFault::Truncated => format!("The {} sees its stream end within a record.", fault.toward.word()),
    }
}
