//! TLS of a profile, as the plan has it.

use super::super::{ClientCertificates, Route, TlsPlan, Who};
use super::{HEAD, sound};
use crate::base::{ListenerId, Side, Span};
use crate::event::TlsMode;
use crate::fault::{
    BadCertificate, Close, Ending, Fault, HandshakeFault, HandshakeStage, LegFate, RecordFault, TlsAlert,
    TlsHandshake, TlsRecord, Toward,
};
use crate::tls::{Alert, Damage};
use std::time::Duration;

#[test]
fn tls_of_a_listener_reads_as_it_is_meant() {
    let listener = "listeners:\n  - name: main\n    listen: \"h:1\"\n    upstream: \"h:1\"\n    tls:\n";
    let read = |tls: &str| sound(&format!("{HEAD}{listener}      {}\n", tls.replace('\n', "\n      ")));
    let some = |text: &str| Some(text.to_owned());
    let text = "mode: reoriginate\ncertificate: server.pem\nkey: server.key\nca: my-ca\nclient_certificates: require\n\
                client_ca: devices-ca.pem\nhub_ca: hub-ca.pem\nhub_name: hub.example.com\nhub_verify: false\n\
                hub_certificate: bridge.pem\nhub_key: bridge.key\nhub_certificates: devices/\n\
                routes: [{ sni: \"*.EU.example.com\", upstream: \"hub2:8883\" }]";
    let wanted = TlsPlan {
        mode: TlsMode::Reoriginate,
        certificate: some("server.pem"),
        key: some("server.key"),
        ca: some("my-ca"),
        client_certificates: ClientCertificates::Require,
        client_ca: some("devices-ca.pem"),
        hub_ca: some("hub-ca.pem"),
        hub_name: some("hub.example.com"),
        hub_unverified: true,
        hub_certificate: some("bridge.pem"),
        hub_key: some("bridge.key"),
        hub_certificates: some("devices/"),
        routes: vec![Route { sni: "*.eu.example.com".into(), upstream: "hub2:8883".into() }],
    };
    assert_eq!(read(text).listeners[0].tls, wanted);
    let bare = TlsPlan { mode: TlsMode::Terminate, ca: some("brownout-ca"), ..TlsPlan::default() };
    assert_eq!(read("mode: terminate").listeners[0].tls, bare);
    assert_eq!(read("mode: originate\nhub_verify: true").listeners[0].tls.mode, TlsMode::Originate);
}

#[test]
fn tls_faults_read_as_they_are_meant() {
    let fault = |fault: &str| {
        let plan = sound(&format!("{HEAD}rules: [{{ id: a, when: {{ at: 1s }}, fault: {{ {fault} }} }}]\n"));
        plan.rules[0].fault.clone()
    };
    let hold = Span::fixed(Duration::from_secs(1));
    for (text, what) in [
        ("stall: after_server_hello", HandshakeFault::Stall(HandshakeStage::AfterServerHello)),
        ("abort: reset", HandshakeFault::Abort(Ending::Reset)),
        ("abort: close", HandshakeFault::Abort(Ending::Fin)),
        ("alert: unknown_ca", HandshakeFault::Alert(Alert::UNKNOWN_CA)),
        ("alert: 0", HandshakeFault::Alert(Alert(0))),
        ("certificate: not_yet_valid", HandshakeFault::Certificate(BadCertificate::NotYetValid)),
    ] {
        let read = fault(&format!("tls_handshake: {{ {text}, for: 1s }}"));
        assert_eq!(read, Fault::TlsHandshake(TlsHandshake { what, hold }));
    }
    let alert = TlsAlert { toward: Toward::Device, alert: Alert(255), other: LegFate::HalfOpen };
    assert_eq!(fault("tls_alert: { alert: 255 }"), Fault::TlsAlert(alert));
    for (damage, what) in [
        ("mac", RecordFault::Damaged(Damage::Mac)),
        ("type", RecordFault::Damaged(Damage::Type)),
        ("length", RecordFault::Damaged(Damage::Length)),
        ("truncated", RecordFault::Truncated),
    ] {
        let read = fault(&format!("tls_record: {{ damage: {damage}, toward: hub }}"));
        assert_eq!(read, Fault::TlsRecord(TlsRecord { toward: Side::Hub, what }));
    }
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false };
    assert_eq!(fault("fin: { close_notify: false }"), Fault::Fin(close));
}

/// Both are known before CONNECT, but no SYN says them: connects cannot vanish by them.
#[test]
fn a_server_name_and_a_subject_choose_before_connect() {
    let everyone = Who::EVERYONE;
    assert!(everyone.is_everyone_at(ListenerId(0)));
    for who in [
        Who { sni: Some("Hub*".into()), ..Who::EVERYONE },
        Who { subject: Some("CN=*".into()), ..Who::EVERYONE },
    ] {
        assert!(!who.needs_connect() && !who.is_everyone_at(ListenerId(0)), "{who:?}");
    }
    let plan = sound(&format!(
        "{HEAD}rules: [{{ id: a, who: {{ sni: Hub*, subject: CN=a }}, when: {{ at: 1s }}, fault: {{ rst: }} }}]\n"
    ));
    assert_eq!(plan.rules[0].who.sni.as_deref(), Some("hub*"));
    assert_eq!(plan.rules[0].who.subject.as_deref(), Some("CN=a"));
}
